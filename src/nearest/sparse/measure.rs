//! Canonical distances of sparse rows to centroids of which all numbers are kept.

use super::vectors::Vectors;
use crate::allocate::extend;
use crate::error::Result;
use crate::kernels::exact_sparse::Vector;
use crate::kernels::sparse_dense;
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

    /// The canonical distance, without bias.
    pub fn distance(&self, row: Vector<'_>, inverse_norm: f64, j: u32) -> f64 {
        let centroid = self.centroids.row(j as usize);
        match self.metric {
            Metric::Euclidean => {
                let vector = self.vectors.get(j);
                match vector.columns.len() * DENSE < self.centroids.dims {
                    true => row.squared_distance(vector),
                    false => sparse_dense::squared_distance(row, centroid),
                }
            }
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
                    for ((row, &norm), out) in rows.rows().zip(norms.iter()).zip(places) {
                        *out = measure.distance(row, norm, j as u32);
                    }
                    poll()?;
                }
                Ok(())
            })
        },
    )
}
