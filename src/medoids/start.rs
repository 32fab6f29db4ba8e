//! The first medoids.

use super::distances::Distances;
use crate::allocate::try_vec;
use crate::error::Result;
use crate::metric::Metric;
use crate::nearest::Row;
use crate::points::Points;
use crate::rng::Rng;
use crate::threads::Threads;
use ndarray::Array2;

/// Rows per task.
const TASK_ROWS: usize = 1024;

/// For each centroid the nearest row that equals none taken before.
/// O(n·k·d).
pub(crate) fn rows_near(
    points: &Points<'_>,
    metric: Metric,
    centroids: &Array2<f32>,
    threads: &Threads<'_>,
) -> Result<Vec<usize>> {
    let mut taken = try_vec(false, points.rows(), "taken rows")?;
    let mut picked: Vec<usize> = Vec::new();
    let mut last_values: Vec<f32> = Vec::new();
    for centroid in centroids.rows() {
        let mut centroid: Vec<f32> = centroid.to_vec();
        metric.normalize(&mut centroid);
        let mut best = try_vec(None, taken.len().div_ceil(TASK_ROWS), "nearest rows")?;
        let tasks = taken.chunks_mut(TASK_ROWS).zip(&mut best).enumerate();
        threads.run(tasks, Vec::new, |scratch, (task, (taken, best))| {
            let first = task * TASK_ROWS;
            let block = points.block(first..first + taken.len(), scratch)?;
            let mut least = f64::INFINITY;
            for (i, values) in block.chunks_exact(points.cols()).enumerate() {
                taken[i] |= values == last_values;
                if !taken[i] {
                    let distance = Row::new(values, metric).distance(&centroid);
                    if distance < least {
                        least = distance;
                        *best = Some((distance, first + i));
                    }
                }
            }
            Ok(())
        })?;
        let order = |a: &(f64, usize), b: &(f64, usize)| a.0.total_cmp(&b.0);
        let Some((_, row)) = best.into_iter().flatten().min_by(order) else {
            break;
        };
        picked.push(row);
        last_values.clear();
        last_values.extend_from_slice(points.row(row, &mut Vec::new())?);
    }
    Ok(picked)
}

/// Completes `named` to `count` candidates by drawing points as k-means++ does
/// (Arthur & Vassilvitskii, 2007), in proportion to the distance itself, the
/// best of 2 + ln k at a time. Points of equal value are drawn once; where
/// there are too few others, the rest are the first candidates unused.
///
/// The first candidates of `distances` must be its points. O(points · k · ln k).
pub(crate) fn complete(
    distances: &Distances,
    named: &[usize],
    count: usize,
    rng: &mut Rng,
) -> Result<Vec<usize>> {
    let points = distances.points();
    let mut chosen = Chosen {
        distances,
        picked: Vec::new(),
        least: try_vec(f32::INFINITY, points, "distances to first medoids")?,
    };
    for &candidate in named {
        if chosen.least[candidate] > 0.0 {
            chosen.add(candidate);
        }
    }
    if chosen.picked.is_empty() {
        chosen.add(rng.below(points));
    }
    let trials = 2 + (count as f64).ln() as usize;
    while chosen.picked.len() < count {
        let total = chosen.total();
        if total <= 0.0 {
            break;
        }
        let mut best = (f64::INFINITY, 0);
        for _ in 0..trials {
            let candidate = chosen.draw(rng.unit() * total);
            let left = chosen.total_with(candidate);
            if left < best.0 {
                best = (left, candidate);
            }
        }
        chosen.add(best.1);
    }
    let mut used = try_vec(false, points, "used points")?;
    for &candidate in &chosen.picked {
        used[candidate] = true;
    }
    let missing = count - chosen.picked.len();
    let unused = (0..points).filter(|&point| !used[point]).take(missing);
    chosen.picked.extend(unused);
    Ok(chosen.picked)
}

struct Chosen<'d> {
    distances: &'d Distances,
    picked: Vec<usize>,
    /// Each point's distance to the nearest candidate picked.
    least: Vec<f32>,
}

impl Chosen<'_> {
    fn add(&mut self, candidate: usize) {
        self.picked.push(candidate);
        for (least, &distance) in self.least.iter_mut().zip(self.distances.row(candidate)) {
            *least = least.min(distance);
        }
        if let Some(itself) = self.least.get_mut(candidate) {
            *itself = 0.0;
        }
    }

    fn total(&self) -> f64 {
        self.least.iter().map(|&d| f64::from(d)).sum()
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

    /// The point at which the running total of distances passes `target`.
    fn draw(&self, mut target: f64) -> usize {
        let mut last = 0;
        for (point, &distance) in self.least.iter().enumerate() {
            if distance > 0.0 {
                last = point;
                target -= f64::from(distance);
                if target < 0.0 {
                    break;
                }
            }
        }
        last
    }
}
