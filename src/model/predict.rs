//! The clusters of rows that a trained model gives them.

use super::{KMeans, Trained};
use crate::allocate::try_vec;
use crate::balanced;
use crate::clusters::{Clusters, UNASSIGNED};
use crate::config::invalid;
use crate::error::{KMeansError, Result};
use crate::nearest::{Centroids, Request, Shared};
use crate::points::Points;
use crate::threads::{RunOptions, Threads};
use ndarray::ArrayView2;

/// Assignment.
impl KMeans {
    /// Assigns every row of `data` to its `k` nearest clusters and returns,
    /// for each cluster, the indices of the rows it got, ascending. A `k`
    /// beyond the number of clusters means all of them.
    pub fn assign(&self, data: ArrayView2<'_, f32>, k: usize) -> Result<Vec<Vec<usize>>> {
        let clusters = self.assign_points(&data.into(), k, RunOptions::default())?;
        clusters.to_lists()
    }

    /// [`assign`](KMeans::assign) for points of any layout and number type.
    pub fn assign_points(
        &self,
        points: &Points<'_>,
        k: usize,
        options: RunOptions<'_>,
    ) -> Result<Clusters> {
        let per_point = self.width(k)?;
        let len = points
            .rows()
            .checked_mul(per_point)
            .ok_or_else(|| KMeansError::out_of_memory(usize::MAX, "labels"))?;
        let mut labels = try_vec(UNASSIGNED, len, "labels")?;
        self.predict_top(points, k, &mut labels, None, options)?;
        let threads = Threads::exactly(1, None)?;
        Clusters::from_labels(&labels, per_point, self.config.n_clusters, &threads)
    }

    /// Writes the nearest cluster of every row to `labels` and, where given,
    /// its distance (see [`Metric`]) to `distances`.
    pub fn predict(
        &self,
        points: &Points<'_>,
        labels: &mut [u32],
        distances: Option<&mut [f64]>,
        options: RunOptions<'_>,
    ) -> Result<()> {
        self.predict_top(points, 1, labels, distances, options)
    }

    /// Writes the `k` nearest clusters of every row, nearest first, to
    /// `labels` (rows × min(k, n_clusters)), and their distances likewise.
    pub fn predict_top(
        &self,
        points: &Points<'_>,
        k: usize,
        labels: &mut [u32],
        mut distances: Option<&mut [f64]>,
        options: RunOptions<'_>,
    ) -> Result<()> {
        let per_point = self.width(k)?;
        let Trained {
            config,
            fit,
            search,
        } = self.trained()?;
        let room = (labels.len(), distances.as_ref().map(|d| d.len()));
        fit.check_prediction(points, per_point, room)?;
        let points = &points.less(fit.offset.as_deref());
        let work = points.size() * fit.centroids.dim().0 as f64;
        let threads = Threads::new(options, work)?;
        points.check(&threads)?;
        let model = (config.metric, &fit.centroids, None);
        let request = (per_point, &mut *labels, distances.as_deref_mut());
        if search.search(points, model, &threads, request)? {
            return Ok(());
        }
        let centroids = Centroids::new(fit.centroid_values()?, fit.dims());
        let shared = Shared::new(points, config.metric, self.config.memory_limit)?;
        let mut nearest = shared.nearest(points, 1);
        if per_point == 1 {
            labels.fill(UNASSIGNED);
            nearest.search(Request::nearest(centroids, labels, distances), &threads)?;
        } else {
            let request = Request::few(centroids, per_point, labels, distances);
            nearest.search(request, &threads)?;
        }
        Ok(())
    }

    /// Writes a cluster of every row to `labels` and, where given, its
    /// distance to `distances`, by the prices that a balanced model has
    /// learnt: rows like the training data spread over the clusters as evenly
    /// as it did, though nothing bounds the sizes here. Training rows that lie
    /// just on the border of two clusters may get the other one, and so may those
    /// that weigh more or less than the mean of all: predictions know no weights.
    ///
    /// An error unless the model was trained with
    /// [`with_balanced`](KMeans::with_balanced).
    pub fn predict_balanced(
        &self,
        points: &Points<'_>,
        labels: &mut [u32],
        mut distances: Option<&mut [f64]>,
        options: RunOptions<'_>,
    ) -> Result<()> {
        let Trained {
            config,
            fit,
            search,
        } = self.trained()?;
        let prices = fit.prices.as_deref().ok_or_else(|| {
            invalid(
                "balanced assignment needs a model trained with balanced clusters; \
                 train such a one, or assign without prices",
            )
        })?;
        let room = (labels.len(), distances.as_ref().map(|d| d.len()));
        fit.check_prediction(points, 1, room)?;
        let points = &points.without_weights().less(fit.offset.as_deref());
        let work = points.size() * fit.centroids.dim().0 as f64;
        let threads = Threads::new(options, work)?;
        points.check(&threads)?;
        if !balanced::takes_roots(config) {
            let model = (config.metric, &fit.centroids, Some(prices));
            let request = (1, &mut *labels, distances.as_deref_mut());
            if search.search(points, model, &threads, request)? {
                return Ok(());
            }
        }
        let shared = Shared::new(points, config.metric, self.config.memory_limit)?;
        let mut nearest = shared.nearest(points, 1);
        let centroids = fit.centroid_values()?;
        let model = (centroids, prices);
        labels.fill(UNASSIGNED);
        balanced::predict(&mut nearest, config, model, &threads, labels)?;
        match distances {
            Some(distances) => {
                let centroids = Centroids::new(centroids, points.cols());
                nearest.distances(centroids, &threads, labels, distances)
            }
            None => Ok(()),
        }
    }

    /// How many clusters a prediction of the `k` nearest gives a row.
    pub(crate) fn width(&self, k: usize) -> Result<usize> {
        self.trained()?;
        if k == 0 {
            return Err(invalid("Invalid parameter: k must be positive"));
        }
        Ok(k.min(self.config.n_clusters))
    }
}
