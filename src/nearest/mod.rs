//! The hot core: for each row, its nearest centroid or centroids.
//!
//! **Contract.** Whatever engine runs, the answer for row i is the centroid j
//! with the least canonical distance D(i, j), the lowest j among equals.
//! D is computed in float64 by [`exact`]:
//!
//! * Euclidean: Σ (x − c)²;
//! * cosine: 1 − x·c / ‖x‖ (1 for a zero row; centroids are unit vectors);
//! * plus the centroid's bias, where one is given.
//!
//! Engines filter by fast, approximate arithmetic with a proven error bound
//! and let canonical distances decide among what survives. Labels are
//! therefore the float64 brute-force labels: the same at any number of
//! threads, on any instruction set, and from any engine.

#![allow(unsafe_code)]

mod exact;
mod isa;
mod kd;

use crate::error::Result;
use crate::metric::Metric;
use crate::points::Points;
use crate::threads::Threads;

pub(crate) use exact::{dot, squared_distance};
use isa::Isa;
pub(crate) use kd::SortedRows;

/// Rows per task.
const TASK_ROWS: usize = 1024;

/// A label that stands for "not assigned yet".
pub(crate) const UNASSIGNED: u32 = u32::MAX;

/// The centroids of one search: k rows of d values, row-major, with an
/// optional bias (a price) that is added to every distance.
#[derive(Clone, Copy)]
pub(crate) struct Centroids<'a> {
    pub values: &'a [f32],
    pub dims: usize,
    pub bias: Option<&'a [f64]>,
}

impl<'a> Centroids<'a> {
    pub fn new(values: &'a [f32], dims: usize) -> Self {
        debug_assert!(dims > 0 && values.len().is_multiple_of(dims));
        Centroids {
            values,
            dims,
            bias: None,
        }
    }

    pub fn with_bias(self, bias: &'a [f64]) -> Self {
        debug_assert_eq!(bias.len(), self.len());
        Centroids {
            bias: Some(bias),
            ..self
        }
    }

    pub fn len(&self) -> usize {
        self.values.len() / self.dims
    }

    pub fn row(&self, j: usize) -> &'a [f32] {
        &self.values[j * self.dims..][..self.dims]
    }

    fn bias(&self, j: usize) -> f64 {
        self.bias.map_or(0.0, |bias| bias[j])
    }
}

/// A row with what its distances need.
pub(crate) struct Row<'a> {
    pub values: &'a [f32],
    metric: Metric,
    /// 1 / ‖x‖, or 0 for a zero row; only used by cosine.
    inverse_norm: f64,
}

impl<'a> Row<'a> {
    pub fn new(values: &'a [f32], metric: Metric) -> Self {
        let inverse_norm = match metric {
            Metric::Euclidean => 1.0,
            Metric::Cosine => {
                let norm = dot(values, values).sqrt();
                if norm > 0.0 { 1.0 / norm } else { 0.0 }
            }
        };
        Row {
            values,
            metric,
            inverse_norm,
        }
    }

    pub fn inverse_norm(&self) -> f64 {
        self.inverse_norm
    }

    /// The canonical distance, without bias.
    pub fn distance(&self, centroid: &[f32]) -> f64 {
        match self.metric {
            Metric::Euclidean => squared_distance(self.values, centroid),
            Metric::Cosine => 1.0 - dot(self.values, centroid) * self.inverse_norm,
        }
    }
}

/// Searches over the same rows again and again. Keeps between calls what the
/// engines can reuse.
pub(crate) struct Nearest<'a> {
    points: &'a Points<'a>,
    metric: Metric,
    sorted: Option<Box<dyn SortedRows>>,
}

impl<'a> Nearest<'a> {
    /// `points` must have passed [`Points::check_finite`].
    pub fn new(points: &'a Points<'a>, metric: Metric) -> Self {
        Nearest {
            points,
            metric,
            sorted: None,
        }
    }

    pub fn points(&self) -> &'a Points<'a> {
        self.points
    }

    pub fn metric(&self) -> Metric {
        self.metric
    }

    /// Sorts the rows for many searches among few dimensions, where that pays.
    pub fn sort_rows(&mut self, n_clusters: usize, threads: &Threads<'_>) -> Result<()> {
        if self.sorted.is_none() && self.metric == Metric::Euclidean {
            self.sorted = kd::sort(self.points, n_clusters, Isa::detect(), threads)?;
        }
        if let Some(sorted) = &mut self.sorted {
            sorted.reset();
        }
        Ok(())
    }

    pub fn sorted(&self) -> Option<&dyn SortedRows> {
        self.sorted.as_deref()
    }

    pub fn sorted_mut(&mut self) -> &mut Option<Box<dyn SortedRows>> {
        &mut self.sorted
    }

    /// Writes every row's nearest centroid to `labels`, and its canonical
    /// distance without bias to `distances`. What `labels` holds before is a
    /// hint ([`UNASSIGNED`] for none). Returns how many labels changed.
    pub fn assign(
        &mut self,
        centroids: Centroids<'_>,
        threads: &Threads<'_>,
        labels: &mut [u32],
        distances: Option<&mut [f64]>,
    ) -> Result<usize> {
        let mut changed = vec![0usize; labels.len().div_ceil(TASK_ROWS)];
        let mut none: Vec<&mut [f64]> = Vec::new();
        let distances: Vec<&mut [f64]> = match distances {
            Some(distances) => distances.chunks_mut(TASK_ROWS).collect(),
            None => {
                none.resize_with(changed.len(), Default::default);
                none
            }
        };
        let tasks = labels
            .chunks_mut(TASK_ROWS)
            .zip(distances)
            .zip(&mut changed)
            .enumerate();
        threads.run(
            tasks,
            Vec::new,
            |scratch, (task, ((labels, distances), changed))| {
                let first = task * TASK_ROWS;
                let block = self.points.block(first..first + labels.len(), scratch);
                let rows = block.chunks_exact(centroids.dims);
                for (i, (values, label)) in rows.zip(labels).enumerate() {
                    let row = Row::new(values, self.metric);
                    let (mut best, mut least) = (0, f64::INFINITY);
                    for j in 0..centroids.len() {
                        let value = row.distance(centroids.row(j)) + centroids.bias(j);
                        if value < least {
                            (best, least) = (j as u32, value);
                        }
                    }
                    *changed += usize::from(*label != best);
                    *label = best;
                    if let Some(distance) = distances.get_mut(i) {
                        *distance = row.distance(centroids.row(best as usize));
                    }
                }
            },
        )?;
        Ok(changed.iter().sum())
    }

    /// The `count` nearest centroids of every row, nearest first, equals by
    /// index: `labels` is rows × count, and so are `distances` (with bias).
    pub fn top(
        &mut self,
        centroids: Centroids<'_>,
        threads: &Threads<'_>,
        count: usize,
        labels: &mut [u32],
        distances: Option<&mut [f64]>,
    ) -> Result<()> {
        debug_assert!(0 < count && count <= centroids.len());
        let rows = labels.len() / count;
        let chunk = TASK_ROWS * count;
        let distances: Vec<Option<&mut [f64]>> = match distances {
            Some(distances) => distances.chunks_mut(chunk).map(Some).collect(),
            None => (0..rows.div_ceil(TASK_ROWS)).map(|_| None).collect(),
        };
        threads.run(
            labels.chunks_mut(chunk).zip(distances).enumerate(),
            || (Vec::new(), Vec::new()),
            |(scratch, ranked), (task, (labels, mut distances))| {
                let first = task * TASK_ROWS;
                let rows = labels.len() / count;
                let block = self.points.block(first..first + rows, scratch);
                for (i, values) in block.chunks_exact(centroids.dims).enumerate() {
                    let row = Row::new(values, self.metric);
                    ranked.clear();
                    ranked.extend((0..centroids.len()).map(|j| {
                        let distance = row.distance(centroids.row(j)) + centroids.bias(j);
                        (distance, j as u32)
                    }));
                    keep_least(ranked, count);
                    for (slot, &(distance, j)) in ranked.iter().enumerate() {
                        labels[i * count + slot] = j;
                        if let Some(distances) = distances.as_deref_mut() {
                            distances[i * count + slot] = distance;
                        }
                    }
                }
            },
        )
    }

    /// The canonical distance of every row to the centroid that `labels` names.
    pub fn distances(
        &self,
        centroids: Centroids<'_>,
        threads: &Threads<'_>,
        labels: &[u32],
        distances: &mut [f64],
    ) -> Result<()> {
        let tasks = labels
            .chunks(TASK_ROWS)
            .zip(distances.chunks_mut(TASK_ROWS))
            .enumerate();
        threads.run(tasks, Vec::new, |scratch, (task, (labels, distances))| {
            let first = task * TASK_ROWS;
            let block = self.points.block(first..first + labels.len(), scratch);
            let rows = block.chunks_exact(centroids.dims);
            for ((values, &label), distance) in rows.zip(labels).zip(distances) {
                *distance = Row::new(values, self.metric).distance(centroids.row(label as usize));
            }
        })
    }
}

/// Keeps the `count` least pairs, in order: a selection, not a full sort.
fn keep_least(ranked: &mut Vec<(f64, u32)>, count: usize) {
    let order = |a: &(f64, u32), b: &(f64, u32)| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1));
    if count < ranked.len() {
        ranked.select_nth_unstable_by(count - 1, order);
        ranked.truncate(count);
    }
    ranked.sort_unstable_by(order);
}
