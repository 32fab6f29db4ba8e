//! Distances between points and the centroids of a trained model.

use super::{KMeans, Trained};
use crate::allocate::try_vec;
use crate::clusters::UNASSIGNED;
use crate::config::invalid;
use crate::error::Result;
use crate::nearest::{Centroids, Row, sparse};
use crate::points::Points;
use crate::threads::{RunOptions, Threads};

/// Rows per task.
const TASK_ROWS: usize = 256;

impl KMeans {
    /// Writes the distance (squared Euclidean, or 1 − cosine: see [`Metric`]) of
    /// every row to every centroid to `distances`, rows × n_clusters, row-major.
    ///
    /// O(rows · n_clusters · dimensions).
    pub fn transform(
        &self,
        points: &Points<'_>,
        distances: &mut [f64],
        options: RunOptions<'_>,
    ) -> Result<()> {
        let Trained { config, fit, .. } = self.trained()?;
        let clusters = fit.centroids.dim().0;
        fit.check_dims(points)?;
        if points.rows().checked_mul(clusters) != Some(distances.len()) {
            return Err(invalid(format_args!(
                "there is room for {} distances, but {} rows x {clusters} clusters need more or less",
                distances.len(),
                points.rows()
            )));
        }
        let points = &points.less(fit.offset.as_deref());
        let work = points.size() * clusters as f64;
        let threads = Threads::new(options, work)?;
        points.check(&threads)?;
        if points.reads_sparse() {
            let model = (&*fit.centroids.vectors(config.metric)?, config.metric);
            return sparse::transform(points, model, distances, &threads);
        }
        let centroids = Centroids::new(fit.centroid_values()?, fit.dims());
        let tasks = distances.chunks_mut(TASK_ROWS * clusters).enumerate();
        threads.run_long(tasks, Vec::new, |scratch, (task, distances), poll| {
            let first = task * TASK_ROWS;
            let rows = first..first + distances.len() / clusters;
            points.in_blocks(rows, scratch, poll, |row, block| {
                let distances = distances[(row - first) * clusters..].chunks_exact_mut(clusters);
                for (values, distances) in block.chunks_exact(points.cols()).zip(distances) {
                    let row = Row::new(values, config.metric);
                    for (j, distance) in distances.iter_mut().enumerate() {
                        *distance = row.distance(centroids.row(j));
                    }
                    poll()?;
                }
                Ok(())
            })
        })
    }

    /// Minus the sum over all points, times their weights, that this model's
    /// [`inertia`](KMeans::inertia) is of its training points: of the squared
    /// Euclidean distance to the nearest centroid, of 1 − cosine, or with medoids
    /// of the (non-squared) distance. The more, the better.
    pub fn score(&self, points: &Points<'_>, options: RunOptions<'_>) -> Result<f64> {
        let config = &self.trained()?.config;
        points.check_weights(0)?;
        let mut labels = try_vec(UNASSIGNED, points.rows(), "labels")?;
        let mut distances = try_vec(0.0, points.rows(), "distances")?;
        self.predict(points, &mut labels, Some(&mut distances), options)?;
        let mut sum = 0.0;
        for (row, distance) in distances.into_iter().enumerate() {
            let distance = match config.use_medoids {
                true => config.metric.unsquared(distance),
                false => distance,
            };
            sum += points.weight(row) * distance;
        }
        Ok(-sum)
    }
}
