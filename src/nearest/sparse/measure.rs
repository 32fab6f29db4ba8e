//! Canonical distances of sparse rows to centroids of which all numbers are kept.

use super::vectors::Vectors;
use crate::allocate::extend;
use crate::error::Result;
use crate::kernels::exact_sparse::{Rows, Vector};
use crate::kernels::sparse_dense::{self, TOGETHER};
use crate::metric::Metric;
use crate::nearest::vectors::Centroids;
use crate::points::{Points, SparseRows};
use crate::threads::Threads;

/// Rows that a centroid is compared with while it is in the cache.
const TASK_ROWS: usize = 256;

/// Numbers of a dense centroid that are squared in the time of one of a sparse one.
const DENSE: usize = 16;

/// The same centroids twice: whichever way is shorter gives the same bits.
pub(crate) struct Measure<'c> {
    metric: Metric,
    centroids: Centroids<'c>,
    vectors: &'c Vectors,
}

impl<'c> Measure<'c> {
    pub fn new(centroids: Centroids<'c>, metric: Metric, vectors: &'c Vectors) -> Self {
        Measure {
            metric,
            centroids,
            vectors,
        }
    }

    pub fn bias(&self, j: u32) -> f64 {
        self.centroids.bias(j as usize)
    }

    /// What [`distance`](Self::distance) wants of a row with Σ x² = `square`.
    pub fn inverse_norm(&self, square: f64) -> f64 {
        let norm = square.sqrt();
        match self.metric {
            Metric::Euclidean => 1.0,
            Metric::Cosine if norm > 0.0 => 1.0 / norm,
            Metric::Cosine => 0.0,
        }
    }

    /// Whether it is shorter to go through the numbers of a centroid that are not zero.
    fn is_sparse(&self, j: u32) -> bool {
        self.vectors.get(j).columns.len() * DENSE < self.centroids.dims
    }

    /// Writes the distances of all rows, given with what [`inverse_norm`](Self::inverse_norm)
    /// is of them, to a centroid.
    fn distances<'o>(
        &self,
        (rows, inverse_norms): (Rows<'_>, &[f64]),
        j: u32,
        mut out: impl Iterator<Item = &'o mut f64>,
    ) {
        if self.metric == Metric::Cosine || self.is_sparse(j) {
            for ((row, &norm), out) in rows.rows().zip(inverse_norms).zip(out) {
                *out = self.distance(row, norm, j);
            }
            return;
        }
        let none = Vector {
            columns: &[],
            values: &[],
        };
        let centroid = self.centroids.row(j as usize);
        for first in (0..rows.len()).step_by(TOGETHER) {
            let row = |i| if i < rows.len() { rows.row(i) } else { none };
            let together: [_; TOGETHER] = std::array::from_fn(|i| row(first + i));
            let found = sparse_dense::squared_distances(together, centroid);
            let found = found.into_iter().take(rows.len() - first);
            found.zip(&mut out).for_each(|(found, out)| *out = found);
        }
    }

    /// The canonical distance, without bias.
    pub fn distance(&self, row: Vector<'_>, inverse_norm: f64, j: u32) -> f64 {
        let centroid = self.centroids.row(j as usize);
        match self.metric {
            Metric::Euclidean => match self.is_sparse(j) {
                true => row.squared_distance(self.vectors.get(j)),
                false => sparse_dense::squared_distance(row, centroid),
            },
            Metric::Cosine => {
                let along = row.dot_dense(centroid) * inverse_norm;
                1.0 - along * self.vectors.inverse_norm(j)
            }
        }
    }
}

/// Writes the canonical distance of every sparse row to every centroid, row by row.
pub(crate) fn transform(
    points: &Points<'_>,
    centroids: Centroids<'_>,
    metric: Metric,
    distances: &mut [f64],
    threads: &Threads<'_>,
) -> Result<()> {
    let clusters = centroids.len();
    let vectors = Vectors::of_dense(centroids.values, centroids.dims, metric)?;
    let measure = Measure::new(centroids, metric, &vectors);
    let tasks = distances.chunks_mut(TASK_ROWS * clusters).enumerate();
    threads.run_long(
        tasks,
        || (SparseRows::default(), Vec::new()),
        |(rows, norms), (task, distances), poll| {
            let first = task * TASK_ROWS;
            let range = first..first + distances.len() / clusters;
            points.in_sparse_blocks(range, rows, poll, |at, rows| {
                norms.clear();
                let inverse_norms = rows.rows().map(|row| measure.inverse_norm(row.square()));
                extend(norms, inverse_norms, "norms")?;
                let distances = &mut distances[(at - first) * clusters..];
                for j in 0..clusters {
                    let places = distances[j..].iter_mut().step_by(clusters);
                    measure.distances((rows, norms), j as u32, places);
                    poll()?;
                }
                Ok(())
            })
        },
    )
}
