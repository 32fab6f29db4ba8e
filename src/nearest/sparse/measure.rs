//! Canonical distances of sparse rows to centroids.

use super::vectors::Vectors;
use crate::allocate::{extend, push, resize};
use crate::clusters::Clusters;
use crate::error::Result;
use crate::kernels::exact_sparse::{Rows, Vector, inverse_of_root};
use crate::kernels::sparse_dense::{self, TOGETHER};
use crate::metric::Metric;
use crate::nearest::vectors::Centroids;
use crate::points::{Points, SparseRows};
use crate::threads::Threads;

/// Rows that a centroid is compared with while it is in the cache.
const TASK_ROWS: usize = 256;

/// Numbers of a dense centroid that are squared in the time of one of a sparse one.
const DENSE: usize = 16;

/// From so many rows on it pays to lay out a centroid for all columns.
const LAID_OUT: usize = 4;

/// What memory is for.
const PURPOSE: &str = "distances";

/// Centroids, and the same with all their numbers if these are at hand: whichever way is
/// shorter gives the same bits.
pub(crate) struct Measure<'c> {
    metric: Metric,
    vectors: &'c Vectors,
    dense: Option<Centroids<'c>>,
}

impl<'c> Measure<'c> {
    pub fn new(vectors: &'c Vectors, metric: Metric, dense: Option<Centroids<'c>>) -> Self {
        Measure {
            metric,
            vectors,
            dense,
        }
    }

    /// What [`distance`](Self::distance) wants of a row with Σ x² = `square`.
    pub fn inverse_norm(&self, square: f64) -> f64 {
        match self.metric {
            Metric::Euclidean => 1.0,
            Metric::Cosine => inverse_of_root(square),
        }
    }

    /// The canonical distance, without bias.
    pub fn distance(&self, row: Vector<'_>, inverse_norm: f64, j: u32) -> f64 {
        match self.dense {
            Some(centroids) if self.is_full(j, centroids.dims) => {
                self.to_laid_out(row, inverse_norm, (j, centroids.row(j as usize)))
            }
            _ => self.vectors.distance(self.metric, row, inverse_norm, j),
        }
    }

    /// Whether it is shorter to go through all numbers of a centroid, or to look up some.
    fn is_full(&self, j: u32, dims: usize) -> bool {
        let numbers = self.vectors.get(j).columns.len();
        self.metric == Metric::Cosine || numbers * DENSE >= dims
    }

    /// [`distance`](Self::distance) to a centroid, given with all its numbers.
    fn to_laid_out(&self, row: Vector<'_>, inverse_norm: f64, (j, centroid): (u32, &[f32])) -> f64 {
        match self.metric {
            Metric::Euclidean => sparse_dense::squared_distance(row, centroid),
            Metric::Cosine => {
                let along = row.dot_dense(centroid) * inverse_norm;
                1.0 - along * self.vectors.inverse_norm(j)
            }
        }
    }

    /// Lays out a centroid for all columns, or leaves it if that isn't worth it for so many
    /// rows. Returns whether it is laid out.
    fn lay_out(&self, j: u32, (rows, dims): (usize, usize), out: &mut Vec<f32>) -> Result<bool> {
        let pays = rows >= LAID_OUT && self.is_full(j, dims);
        if pays {
            resize(out, dims, 0.0, PURPOSE)?;
            self.vectors.write(j, out);
        }
        Ok(pays)
    }
}

/// Whether most distances to centroids of so many dimensions are computed faster from all
/// their numbers.
pub(crate) fn are_full(vectors: &Vectors, metric: Metric, dims: usize) -> bool {
    metric == Metric::Euclidean && vectors.numbers() / vectors.len().max(1) >= dims / DENSE
}

/// The canonical distance, without bias, of every row to the centroid that `labels` names.
pub(crate) fn measure(
    points: &Points<'_>,
    (vectors, metric): (&Vectors, Metric),
    threads: &Threads<'_>,
    labels: &[u32],
    out: &mut [f64],
) -> Result<()> {
    let measure = Measure::new(vectors, metric, None);
    let clusters = Clusters::from_labels(labels, 1, vectors.len(), threads)?;
    // In the order of clusters.
    let mut found = threads.try_vec(0.0, labels.len(), PURPOSE)?;
    let (mut parts, mut left) = (Vec::new(), &mut found[..]);
    for j in 0..clusters.n_clusters() {
        for members in clusters.members(j).chunks(TASK_ROWS * 4) {
            let (own, others) = left.split_at_mut(members.len());
            left = others;
            push(&mut parts, (j as u32, members, own), PURPOSE)?;
        }
    }
    threads.run_long(
        parts.into_iter(),
        || (SparseRows::default(), Vec::new()),
        |(rows, centroid), (j, members, found), poll| {
            let mut found = found.iter_mut();
            let laid_out = measure.lay_out(j, (members.len(), points.cols()), centroid)?;
            points.each_sparse(members, rows, poll, |_, row| {
                let norm = match metric {
                    Metric::Euclidean => 1.0,
                    Metric::Cosine => row.inverse_norm(),
                };
                let distance = match laid_out {
                    true => measure.to_laid_out(row, norm, (j, centroid)),
                    false => measure.distance(row, norm, j),
                };
                found.next().into_iter().for_each(|out| *out = distance);
                Ok(())
            })?;
            if laid_out {
                vectors.erase(j, centroid);
            }
            Ok(())
        },
    )?;
    for (&row, distance) in clusters.members.iter().zip(found) {
        out[row as usize] = distance;
    }
    Ok(())
}

/// Writes the canonical distance of every sparse row to every centroid, row by row.
pub(crate) fn transform(
    points: &Points<'_>,
    (vectors, metric): (&Vectors, Metric),
    distances: &mut [f64],
    threads: &Threads<'_>,
) -> Result<()> {
    let (clusters, dims) = (vectors.len(), points.cols());
    let measure = Measure::new(vectors, metric, None);
    let tasks = distances.chunks_mut(TASK_ROWS * clusters).enumerate();
    threads.run_long(
        tasks,
        || (SparseRows::default(), Vec::new(), Vec::new()),
        |(rows, norms, centroid), (task, distances), poll| {
            let first = task * TASK_ROWS;
            let range = first..first + distances.len() / clusters;
            points.in_sparse_blocks(range, rows, poll, |at, rows| {
                norms.clear();
                let inverse_norms = rows.rows().map(|row| measure.inverse_norm(row.square()));
                extend(norms, inverse_norms, "norms")?;
                let distances = &mut distances[(at - first) * clusters..];
                for j in 0..clusters {
                    let mut out = distances[j..].iter_mut().step_by(clusters);
                    let laid_out = measure.lay_out(j as u32, (rows.len(), dims), centroid)?;
                    if laid_out && metric == Metric::Euclidean {
                        to_laid_out(rows, centroid, out);
                    } else {
                        for ((row, &norm), out) in rows.rows().zip(&*norms).zip(&mut out) {
                            *out = match laid_out {
                                true => measure.to_laid_out(row, norm, (j as u32, centroid)),
                                false => measure.distance(row, norm, j as u32),
                            };
                        }
                    }
                    if laid_out {
                        vectors.erase(j as u32, centroid);
                    }
                    poll()?;
                }
                Ok(())
            })
        },
    )
}

/// Writes the squared distances of all rows to a centroid of which all numbers are given.
fn to_laid_out<'o>(rows: Rows<'_>, centroid: &[f32], mut out: impl Iterator<Item = &'o mut f64>) {
    let none = Vector {
        columns: &[],
        values: &[],
    };
    for first in (0..rows.len()).step_by(TOGETHER) {
        let row = |i| if i < rows.len() { rows.row(i) } else { none };
        let together: [_; TOGETHER] = std::array::from_fn(|i| row(first + i));
        let found = sparse_dense::squared_distances(together, centroid);
        let found = found.into_iter().take(rows.len() - first);
        found.zip(&mut out).for_each(|(found, out)| *out = found);
    }
}
