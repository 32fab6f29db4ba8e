//! Training block by block: mini-batch K-means with a rate for each centroid
//! (D. Sculley, *Web-scale k-means clustering*, 2010).

use super::collected::Collected;
use super::{KMeans, Trained};
use crate::allocate::{copy, try_vec};
use crate::config::invalid;
use crate::error::{KMeansError, Result};
use crate::fit::Fit;
use crate::nearest::{AnyCentroids, Centroids, Request, Shared};
use crate::owned::TryArc;
use crate::points::Points;
use crate::threads::{RunOptions, Threads};

impl KMeans {
    /// Learns from one more block of rows, and keeps nothing of it but what it
    /// did to the centroids.
    ///
    /// The first block trains the model by its settings; blocks before there are
    /// as many rows (of positive weight) as clusters are collected. After that
    /// each centroid moves to the mean of all that it has got: what it weighed
    /// before counts as so many rows in its place. A trained model goes on from
    /// its centroids and [`cluster_weights`](KMeans::cluster_weights); one without,
    /// such as one made of centroids, as if these weighed nothing.
    ///
    /// `forgetting`: what fraction of the weights of all centroids is forgotten
    /// before the block counts, from 0 (nothing) to 1.
    ///
    /// Labels and inertia are `None` afterwards, sizes and weights add up, and
    /// `n_iter` counts blocks. O(n·k·d) for n rows; their order within a block
    /// doesn't matter, that of blocks does. Whenever the data can be read again,
    /// training on all of it (with [`Block`](crate::Block)s, if they are many)
    /// finds better centroids.
    ///
    /// An error with medoids or bounds on sizes, and where
    /// [`fit`](KMeans::fit) gives one; the model is as it was before.
    pub fn partial_fit(
        &mut self,
        points: &Points<'_>,
        forgetting: f64,
        options: RunOptions<'_>,
    ) -> Result<()> {
        if !(0.0..=1.0).contains(&forgetting) {
            return Err(invalid(format_args!(
                "forgetting must be a number from 0 to 1, got {forgetting}"
            )));
        }
        let config = match &self.trained {
            Some(trained) => &trained.config,
            None => &self.config,
        };
        if config.use_medoids || config.balanced {
            return Err(invalid(
                "partial_fit is for K-means without medoids and without bounds on sizes; \
                 train such models on all points at once",
            ));
        }
        match self.trained {
            Some(_) => self.go_on(points, forgetting, options),
            None => self.begin(points, options),
        }
    }

    /// Collects rows until there are as many as clusters, then trains.
    fn begin(&mut self, points: &Points<'_>, options: RunOptions<'_>) -> Result<()> {
        self.config.validate()?;
        let cols = points.cols();
        let before = self.collected.as_deref();
        let rows_before = before.map_or(0, Collected::len);
        if let Some(before) = before
            && cols != before.cols()
        {
            return Err(KMeansError::DimensionMismatch {
                expected: before.cols(),
                actual: cols,
            });
        }
        let positive = (0..points.rows()).filter(|&row| points.weight(row) > 0.0);
        let enough = rows_before + positive.count() >= self.config.n_clusters;
        if enough && before.is_none() {
            self.fit(points, options)?;
            return self.drop_labels();
        }
        let threads = Threads::new(RunOptions::default(), 0.0)?;
        points.check(&threads)?;
        points.check_each_weight()?;
        let all = Collected::new(before, points)?;
        if !enough {
            if all.len() > 0 {
                self.collected = Some(TryArc::new(all, "rows for the first centroids")?);
            }
            return Ok(());
        }
        self.fit(&all.points()?, options)?;
        self.collected = None;
        self.drop_labels()
    }

    /// A model that was trained on one block doesn't know the labels of others.
    fn drop_labels(&mut self) -> Result<()> {
        let Trained { config, fit, .. } = self.trained()?;
        let fit = Fit {
            n_iter: 1,
            ..fit.without_rows(copy(fit.centroid_values()?, "centroids")?)?
        };
        self.trained = Some(Trained::new(config.clone(), fit)?);
        Ok(())
    }

    fn go_on(
        &mut self,
        points: &Points<'_>,
        forgetting: f64,
        options: RunOptions<'_>,
    ) -> Result<()> {
        let Trained { config, fit, .. } = self.trained()?;
        fit.check_dims(points)?;
        if points.rows() == 0 {
            return Ok(());
        }
        let points = points.less(fit.offset.as_deref());
        let work = points.rows() as f64 * (config.n_clusters * fit.dims()) as f64;
        let threads = Threads::new(options, work)?;
        points.check(&threads)?;
        points.check_each_weight()?;
        let shared = Shared::new(&points, config.metric, self.config.memory_limit)?;
        let mut nearest = shared.nearest(&points, 1);
        let clusters = config.n_clusters;
        let mut assignment = nearest.unassigned(clusters, &threads)?;
        let centroids = Centroids::new(fit.centroid_values()?, fit.dims());
        nearest.search(Request::totals(centroids, &mut assignment), &threads)?;

        let totals = assignment.totals();
        let mut values = copy(fit.centroid_values()?, "centroids")?;
        let mut next = fit.without_rows(Vec::new())?;
        if next.counts.is_empty() {
            next.counts = try_vec(0, clusters, "cluster sizes")?;
        }
        if next.weights.is_empty() {
            next.weights = try_vec(0.0, clusters, "cluster sizes")?;
        }
        for (j, centroid) in values.chunks_exact_mut(fit.dims()).enumerate() {
            let before = next.weights[j] * (1.0 - forgetting);
            next.weights[j] = before + totals.weight(j);
            next.counts[j] = next.counts[j].saturating_add(totals.counts[j]);
            totals.move_centroid(j, before, centroid)?;
        }
        next.centroids = AnyCentroids::of_values(values, clusters)?;
        next.n_iter = fit.n_iter.saturating_add(1);
        let offset = next.offset.take();
        next.set_offset(offset)?;
        self.trained = Some(Trained::new(config.clone(), next)?);
        Ok(())
    }

    /// An error where rows would be lost with a model that is written.
    pub(super) fn check_nothing_collected(&self) -> Result<()> {
        match (&self.collected, &self.trained) {
            (Some(collected), None) => Err(invalid(format_args!(
                "the model has collected {} rows of the {} that its first centroids need, \
                 which no file holds; give partial_fit more, or save untrained()",
                collected.len(),
                self.config.n_clusters
            ))),
            _ => Ok(()),
        }
    }
}
