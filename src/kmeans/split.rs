//! Splits one cluster in two.

use crate::allocate::{collect, try_vec, with_capacity};
use crate::error::Result;
use crate::metric::Metric;
use crate::nearest::{AnyRow, Row, RowScratch};
use crate::points::Points;
use crate::rng::Rng;
use std::ops::Range;

/// Members that are looked at.
const SAMPLE: usize = 256;

/// Iterations that settle the halves, and that tell about what they will gain.
pub(super) const SETTLED: usize = 3;
pub(super) const ABOUT: usize = 2;

pub(super) struct Split {
    /// The cluster's inertia before.
    pub cost: f64,
    /// By how much it falls.
    pub gain: f64,
    /// 2 × dimensions: the centroids of the halves.
    pub halves: Vec<f32>,
}

/// A K-means of some iterations with k = 2 on the members of a cluster that were
/// sampled, given as a part of some points. `None` where they are all alike.
pub(super) fn split(
    (points, members): (&Points<'_>, Range<usize>),
    metric: Metric,
    Sampled { weights, total, .. }: &Sampled,
    (centroid, iterations): (&[f32], usize),
    rng: &mut Rng,
) -> Result<Option<Split>> {
    let dims = points.cols();
    let members: Vec<u32> = collect(members.map(|i| i as u32), "a cluster's rows")?;
    let (chosen, mut scratch) = (points.select(&members), RowScratch::default());
    let rows = scratch.rows(&chosen, metric)?;
    let rows = rows.into_iter().zip(weights.iter().copied());
    let rows: Vec<(AnyRow<'_>, f64)> = collect(
        rows.filter(|(row, _)| row.inverse_norm() > 0.0),
        "a cluster's rows",
    )?;
    let sampled: f64 = rows.iter().map(|(_, weight)| weight).sum();
    let place = Row::new(centroid, metric);
    let distances = rows.iter().map(|(row, _)| row.distance_to(&place));
    let distances: Vec<f64> = collect(distances, "a cluster's rows")?;
    let costs = rows.iter().zip(&distances);
    let costs = costs.map(|((_, weight), distance)| weight * distance.max(0.0));
    let cost: f64 = costs.clone().sum();
    let mut target = rng.unit() * cost;
    let second = costs.into_iter().position(|cost| {
        target -= cost;
        target < 0.0
    });
    let Some(second) = second else {
        return Ok(None);
    };
    let mut halves = with_capacity(2 * dims, "centroids of halves")?;
    halves.extend_from_slice(centroid);
    halves.resize(2 * dims, 0.0);
    rows[second].0.each(|t, value| halves[dims + t] = value);
    metric.normalize(&mut halves[dims..]);
    let mut split_cost = cost;
    // The side of each row: 0 or 1.
    let mut sides = try_vec(0, rows.len(), "a cluster's rows")?;
    let mut sum = try_vec(0.0, dims, "centroids of halves")?;
    for iteration in 0..=iterations {
        let (first, second) = halves.split_at(dims);
        let (first, second) = (Row::new(first, metric), Row::new(second, metric));
        split_cost = 0.0;
        for (((row, weight), known), side) in rows.iter().zip(&distances).zip(&mut sides) {
            // The first half begins as the centroid.
            let to_first = match iteration {
                0 => *known,
                _ => row.distance_to(&first),
            };
            let to_second = row.distance_to(&second);
            *side = usize::from(to_second < to_first);
            split_cost += weight * to_first.min(to_second).max(0.0);
        }
        if iteration < iterations {
            for (side, half) in halves.chunks_exact_mut(dims).enumerate() {
                let rows = rows.iter().zip(&sides);
                write_mean(
                    rows.filter(|row| *row.1 == side).map(|row| row.0),
                    metric,
                    &mut sum,
                    half,
                );
            }
        }
    }
    Ok(Some(Split {
        cost: cost * total / sampled,
        gain: (cost - split_cost) * total / sampled,
        halves,
    }))
}

/// Some of the members of a cluster.
pub(super) struct Sampled {
    pub rows: Vec<u32>,
    weights: Vec<f64>,
    /// What all members weigh.
    total: f64,
}

/// At most [`SAMPLE`] members: all, or so many at equal distances, those that
/// weigh more than that several times.
pub(super) fn sample(members: &[u32], weights: Option<&[f64]>, rng: &mut Rng) -> Result<Sampled> {
    const PURPOSE: &str = "a cluster's rows";
    let Some(weights) = weights else {
        let step = members.len().div_ceil(SAMPLE).max(1);
        let offset = rng.below(step);
        let chosen = members.iter().skip(offset).step_by(step);
        let rows: Vec<u32> = collect(chosen.copied(), PURPOSE)?;
        return Ok(Sampled {
            weights: try_vec(1.0, rows.len(), PURPOSE)?,
            total: members.len() as f64,
            rows,
        });
    };
    let own = members.iter().map(|&row| weights[row as usize]);
    let total = own.clone().sum();
    let offset = rng.unit();
    if members.len() <= SAMPLE {
        return Ok(Sampled {
            rows: collect(members.iter().copied(), PURPOSE)?,
            weights: collect(own, PURPOSE)?,
            total,
        });
    }
    let step = total / SAMPLE as f64;
    let mut rows = with_capacity(SAMPLE, PURPOSE)?;
    let mut sum = 0.0;
    for (&row, weight) in members.iter().zip(own) {
        sum += weight;
        while rows.len() < SAMPLE && (rows.len() as f64 + offset) * step < sum {
            rows.push(row);
        }
    }
    Ok(Sampled {
        weights: try_vec(1.0, rows.len(), PURPOSE)?,
        total,
        rows,
    })
}

/// The mean of rows, or with cosine the direction of their mean direction;
/// nothing is written where there are no rows.
fn write_mean<'r>(
    rows: impl Iterator<Item = &'r (AnyRow<'r>, f64)>,
    metric: Metric,
    sum: &mut [f64],
    mean: &mut [f32],
) {
    sum.fill(0.0);
    let mut count = 0.0;
    for (row, weight) in rows {
        let norm = row.inverse_norm();
        row.add_to(sum, norm, *weight);
        count += weight;
    }
    if count > 0.0 {
        for (mean, sum) in mean.iter_mut().zip(sum) {
            *mean = (*sum / count) as f32;
        }
        metric.normalize(mean);
    }
}
