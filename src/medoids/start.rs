//! The first medoids.

use super::matrix::{Distances, task_rows};
use crate::allocate::{extend, push, try_vec};
use crate::error::Result;
use crate::metric::Metric;
use crate::nearest::{Row, RowScratch};
use crate::points::Points;
use crate::rng::Rng;
use crate::threads::Threads;
use ndarray::Array2;

/// For each centroid the nearest row that was not taken before; rows differ.
/// O(n·k·d).
pub(crate) fn rows_near(
    points: &Points<'_>,
    metric: Metric,
    centroids: &Array2<f32>,
    threads: &Threads<'_>,
) -> Result<Vec<usize>> {
    let size = task_rows(points.cols());
    let mut taken = try_vec(false, points.rows(), "taken rows")?;
    let mut picked = Vec::new();
    let mut values = Vec::new();
    for centroid in centroids.rows() {
        values.clear();
        extend(&mut values, centroid.iter().copied(), "given centroids")?;
        metric.normalize(&mut values);
        let mut best = try_vec(None, taken.len().div_ceil(size), "nearest rows")?;
        let tasks = taken.chunks(size).zip(&mut best).enumerate();
        let place = Row::new(&values, metric);
        threads.run(
            tasks,
            RowScratch::default,
            |scratch, (task, (taken, best))| {
                let mut least = f64::INFINITY;
                let rows = (task * size..).zip(taken);
                for (row, _) in rows.filter(|(_, taken)| !**taken) {
                    let distance = scratch.row(points, row, metric)?.distance_to(&place);
                    if distance < least {
                        least = distance;
                        *best = Some((distance, row));
                    }
                }
                Ok(())
            },
        )?;
        let order = |a: &(f64, usize), b: &(f64, usize)| a.0.total_cmp(&b.0);
        let Some((_, row)) = best.into_iter().flatten().min_by(order) else {
            break;
        };
        taken[row] = true;
        push(&mut picked, row, "first medoids")?;
    }
    Ok(picked)
}

/// Completes `named` to `count` candidates by drawing points as k-means++ does
/// (Arthur & Vassilvitskii, 2007), in proportion to the distance itself, the
/// best of 2 + ln k at a time. Points that are at no distance from each other
/// are drawn once; where there are too few others, the rest are `last`, and
/// then the first candidates unused.
///
/// The first candidates of `distances` must be its points. O(points · k · ln k).
pub(crate) fn complete(
    distances: &Distances,
    named: &[usize],
    count: usize,
    last: Option<usize>,
    rng: &mut Rng,
    threads: &Threads<'_>,
) -> Result<Vec<usize>> {
    let points = distances.points();
    let mut chosen = Chosen {
        distances,
        picked: Vec::new(),
        least: try_vec(f32::INFINITY, points, "distances to first medoids")?,
    };
    for &candidate in named {
        if chosen.least[candidate] > 0.0 {
            chosen.add(candidate)?;
        }
        threads.poll()?;
    }
    if chosen.picked.is_empty() {
        let weights = distances.weights();
        chosen.add(draw(weights, rng.unit() * sum(weights)))?;
    }
    let trials = 2 + (count as f64).ln() as usize;
    while chosen.picked.len() < count && !threads.stopping() {
        let total = sum(&chosen.least);
        if total <= 0.0 {
            break;
        }
        let mut best = (f64::INFINITY, 0);
        for _ in 0..trials {
            let candidate = draw(&chosen.least, rng.unit() * total);
            let left = chosen.total_with(candidate);
            if left < best.0 {
                best = (left, candidate);
            }
        }
        chosen.add(best.1)?;
        threads.poll()?;
    }
    let mut used = try_vec(false, points, "used points")?;
    for &candidate in &chosen.picked {
        used[candidate] = true;
    }
    for candidate in last.into_iter().chain(0..points) {
        if chosen.picked.len() == count {
            break;
        }
        if !std::mem::replace(&mut used[candidate], true) {
            push(&mut chosen.picked, candidate, "first medoids")?;
        }
    }
    Ok(chosen.picked)
}

fn sum(values: &[f32]) -> f64 {
    values.iter().map(|&value| f64::from(value)).sum()
}

/// The place at which the running total passes `target`.
fn draw(values: &[f32], mut target: f64) -> usize {
    let mut last = 0;
    for (place, &value) in values.iter().enumerate() {
        if value > 0.0 {
            last = place;
            target -= f64::from(value);
            if target < 0.0 {
                break;
            }
        }
    }
    last
}

struct Chosen<'d> {
    distances: &'d Distances,
    picked: Vec<usize>,
    /// Each point's distance to the nearest candidate picked.
    least: Vec<f32>,
}

impl Chosen<'_> {
    fn add(&mut self, candidate: usize) -> Result<()> {
        push(&mut self.picked, candidate, "first medoids")?;
        for (least, &distance) in self.least.iter_mut().zip(self.distances.row(candidate)) {
            *least = least.min(distance);
        }
        self.least[candidate] = 0.0;
        Ok(())
    }

    /// What the total would be with one more candidate.
    fn total_with(&self, candidate: usize) -> f64 {
        let row = self.distances.row(candidate);
        let mut sums = [0.0f64; 16];
        for (least, row) in self.least.chunks(16).zip(row.chunks(16)) {
            for ((sum, &least), &distance) in sums.iter_mut().zip(least).zip(row) {
                *sum += f64::from(least.min(distance));
            }
        }
        sums.iter().sum()
    }
}
