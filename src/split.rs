//! Splits one cluster in two.

use crate::metric::Metric;
use crate::nearest::Row;
use crate::points::Points;
use crate::rng::Rng;
use crate::update::{add_row, write_centroid};

/// Members that are looked at.
const SAMPLE: usize = 256;

const ITERATIONS: usize = 3;

pub(crate) struct Split {
    /// By how much the cluster's inertia falls.
    pub gain: f64,
    /// 2 × dimensions: the centroids of the halves.
    pub halves: Vec<f32>,
}

/// A short K-means with k = 2 on (a sample of) the members of a cluster.
/// `None` where they are all alike.
pub(crate) fn halve(
    points: &Points<'_>,
    metric: Metric,
    members: &[u32],
    centroid: &[f32],
    seed: u64,
) -> Option<Split> {
    let mut rng = Rng::new(seed);
    let dims = points.cols();
    let step = members.len().div_ceil(SAMPLE).max(1);
    let offset = rng.below(step);
    let mut values = Vec::new();
    let mut scratch = Vec::new();
    for &i in members.iter().skip(offset).step_by(step) {
        values.extend_from_slice(points.row(i as usize, &mut scratch));
    }
    let rows: Vec<Row<'_>> = values.chunks_exact(dims).map(|row| Row::new(row, metric)).collect();
    let costs: Vec<f64> = rows.iter().map(|row| row.distance(centroid).max(0.0)).collect();
    let cost: f64 = costs.iter().sum();
    let mut target = rng.unit() * cost;
    let second = costs.iter().position(|&cost| {
        target -= cost;
        target < 0.0
    })?;
    let mut halves = centroid.to_vec();
    halves.extend_from_slice(rows[second].values);
    metric.normalize(&mut halves[dims..]);
    let mut split_cost = cost;
    for iteration in 0..=ITERATIONS {
        let (a, b) = halves.split_at(dims);
        let mut sums = vec![0.0f64; 2 * dims];
        let mut counts = [0; 2];
        split_cost = 0.0;
        for row in &rows {
            let (to_a, to_b) = (row.distance(a), row.distance(b));
            let side = usize::from(to_b < to_a);
            split_cost += to_a.min(to_b).max(0.0);
            add_row(row.values, metric, &mut sums[side * dims..][..dims]);
            counts[side] += 1;
        }
        if iteration == ITERATIONS {
            break;
        }
        for side in 0..2 {
            if counts[side] > 0 {
                let half = &mut halves[side * dims..][..dims];
                write_centroid(&sums[side * dims..][..dims], counts[side], metric, half);
            }
        }
    }
    Some(Split {
        gain: (cost - split_cost) * members.len() as f64 / rows.len() as f64,
        halves,
    })
}
