//! A matrix of distances, weighted.

use crate::allocate::try_vec;
use crate::error::Result;
use crate::kernels::pairwise::{PANEL, STRIP};
use crate::memory::Zeros;
use crate::threads::Threads;

/// Rows and values per task, at most.
const TASK_ROWS: usize = 1024;
const TASK_VALUES: usize = 1 << 20;

/// Rows per task where every row is read once.
pub(super) fn task_rows(dims: usize) -> usize {
    (TASK_VALUES / dims).clamp(1, TASK_ROWS)
}

/// Rows and columns of a tile at most: whole strips and whole panels.
pub(crate) const TILE: usize = STRIP * PANEL;

/// The least weight that is kept apart from none.
pub(super) const LEAST_WEIGHT: f32 = f32::MIN_POSITIVE;

/// Distances of candidates (rows) to points (columns), in a unit of their own,
/// each multiplied by what its point stands for.
pub(crate) struct Distances {
    pub(super) values: Zeros,
    pub(super) points: usize,
    /// What each point stands for; a point without direction for nothing.
    pub(super) weights: Vec<f32>,
    /// Whether points stand for more or less than one row.
    pub(super) weighted: bool,
    /// What a distance of 1 stands for.
    pub(super) unit: f64,
    /// What the points cost that no medoid can come closer to.
    pub(super) fixed: f64,
}

impl Distances {
    pub fn points(&self) -> usize {
        self.points
    }

    pub fn candidates(&self) -> usize {
        self.values.len() / self.points
    }

    pub fn row(&self, candidate: usize) -> &[f32] {
        &self.values[candidate * self.points..][..self.points]
    }

    pub fn weights(&self) -> &[f32] {
        &self.weights
    }

    /// Lets the points, which are the first candidates, stand for all
    /// candidates and what these stand for: each point gets the weight of the
    /// candidates that are nearest to it. As a medoid it costs itself what it
    /// costs those; of its own weight, `own` costs nothing, and what it stands
    /// for besides as much as the others. No cost at all would favour points
    /// as medoids.
    pub fn weigh(
        &mut self,
        stand_for: &[f64],
        own: impl Fn(usize) -> f64,
        threads: &Threads<'_>,
    ) -> Result<()> {
        let (points, candidates) = (self.points, self.candidates());
        let mut nearest = try_vec((0usize, 0.0f32), candidates, "nearest points")?;
        let weights = &self.weights;
        let tasks = self
            .values
            .chunks(TILE * points)
            .zip(nearest.chunks_mut(TILE));
        threads.run(
            tasks,
            || (),
            |(), (rows, nearest)| {
                for (nearest, row) in nearest.iter_mut().zip(rows.chunks_exact(points)) {
                    let pairs = row.iter().copied().enumerate();
                    // At no distance from anything is what has no direction.
                    let real = pairs.filter(|&(point, _)| weights[point] > 0.0);
                    let least = real.min_by(|a, b| a.1.total_cmp(&b.1));
                    *nearest = least.unwrap_or_default();
                }
            },
        )?;
        let mut others = try_vec(0.0f64, points, "weights")?;
        let mut sums = try_vec(0.0f64, points, "weights")?;
        for (&(point, distance), weight) in nearest.iter().zip(stand_for).skip(points) {
            others[point] += weight;
            sums[point] += weight * f64::from(distance);
        }
        let all = others.iter().sum::<f64>();
        let typical = sums.iter().sum::<f64>() / all.max(f64::MIN_POSITIVE);
        for point in 0..points {
            let mean = match others[point] {
                0.0 => typical,
                others => sums[point] / others,
            };
            let besides = (stand_for[point] - own(point)).max(0.0);
            let weight = stand_for[point] + others[point];
            if weight == 0.0 {
                continue;
            }
            let cost = (sums[point] + besides * mean) / weight;
            self.values[point * points + point] = cost as f32;
            self.weights[point] = kept(weight);
        }
        self.weighted = true;
        self.multiply(0, threads)
    }

    /// Multiplies the distances of candidates from `first` on by the points'
    /// weights.
    pub(super) fn multiply(&mut self, first: usize, threads: &Threads<'_>) -> Result<()> {
        if !self.weighted {
            return Ok(());
        }
        let (points, weights) = (self.points, &self.weights);
        let values = &mut self.values[first * points..];
        threads.run(
            values.chunks_mut(TILE * points),
            || (),
            |(), rows| {
                for row in rows.chunks_exact_mut(points) {
                    row.iter_mut().zip(weights).for_each(|(d, w)| *d *= w);
                }
            },
        )
    }

    /// Makes candidate `to` the same as candidate `from`.
    pub fn copy_candidate(&mut self, from: usize, to: usize) {
        let row = from * self.points..(from + 1) * self.points;
        self.values.copy_within(row, to * self.points);
    }

    /// A sum of distances in the metric's own unit.
    pub fn loss(&self, sum: f64) -> f64 {
        sum * self.unit + self.fixed
    }
}

/// A weight as it is used in float32: never rounded to nothing.
pub(super) fn kept(weight: f64) -> f32 {
    match weight {
        0.0 => 0.0,
        weight => (weight as f32).max(LEAST_WEIGHT),
    }
}
