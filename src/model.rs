//! [`KMeans`]: settings, training, assignment, results.

use crate::allocate::try_vec;
use crate::clusters::Clusters;
use crate::clusters::UNASSIGNED;
use crate::config::{Config, Init, Quality, invalid};
use crate::error::{KMeansError, Result};
use crate::fit::Fit;
use crate::metric::Metric;
use crate::nearest::{Centroids, Prepared, Request, Shared};
use crate::owned::TryArc;
use crate::points::Points;
use crate::threads::{End, Event, Observer, RunOptions, Threads};
use crate::{balanced, train};
use ndarray::{Array2, ArrayView2};
use std::alloc::{Layout, handle_alloc_error};
use std::io::Write;
use std::ops::ControlFlow;
use std::time::Instant;

mod distances;
mod given;
mod partial_fit;
mod representatives;
pub(crate) mod saving;
mod settings;
pub(crate) mod sweep;

/// A clustering model: K-means, balanced K-means or K-medoids.
///
/// The `with_*` methods set it up, [`train`](KMeans::train) trains it once,
/// and then it can be shared between threads. Settings are checked when
/// training starts.
#[derive(Debug, Clone, PartialEq)]
pub struct KMeans {
    config: Config,
    trained: Option<Trained>,
    /// By partial_fit, before there were enough to train on.
    collected: Option<TryArc<partial_fit::Collected>>,
}

/// What training used, whatever is set later, and what it found.
#[derive(Debug, Clone, PartialEq)]
struct Trained {
    config: Config,
    fit: TryArc<Fit>,
    search: TryArc<Prepared>,
}

impl Trained {
    fn new(config: Config, fit: Fit) -> Result<Self> {
        Ok(Trained {
            config,
            fit: TryArc::new(fit, "the model")?,
            search: TryArc::new(Prepared::default(), "the model")?,
        })
    }
}

/// Settings.
impl KMeans {
    /// A model of `n_clusters` clusters, at least 1.
    pub fn new(n_clusters: usize) -> Self {
        KMeans {
            config: Config::new(n_clusters),
            trained: None,
            collected: None,
        }
    }

    /// Iterations at most, at least 1; default 25. Training stops earlier
    /// when no assignment changes.
    pub fn with_iterations(mut self, iterations: usize) -> Self {
        self.config.iterations = iterations;
        self
    }

    /// Euclidean distance; default `false`: cosine similarity.
    pub fn with_euclidean(mut self, euclidean: bool) -> Self {
        self.config.metric = match euclidean {
            true => Metric::Euclidean,
            false => Metric::Cosine,
        };
        self
    }

    /// Bounds cluster sizes, by default to a difference of at most 16: see
    /// [`with_max_balance_diff`](KMeans::with_max_balance_diff) and
    /// [`with_size_bounds`](KMeans::with_size_bounds); default `false`.
    pub fn with_balanced(mut self, balanced: bool) -> Self {
        self.config.balanced = balanced;
        self
    }

    /// The largest difference of cluster sizes when balanced, at least 1;
    /// default 16. Takes the place of
    /// [`with_size_bounds`](KMeans::with_size_bounds).
    pub fn with_max_balance_diff(mut self, max_balance_diff: usize) -> Self {
        self.config.max_balance_diff = max_balance_diff;
        self.config.size_bounds = None;
        self
    }

    /// Balanced, with `min_size` to `max_size` points in every cluster; 0 means
    /// 1, for no cluster is empty. Takes the place of
    /// [`with_max_balance_diff`](KMeans::with_max_balance_diff).
    ///
    /// Training is an error unless `min_size` × clusters ≤ points ≤ `max_size`
    /// × clusters.
    pub fn with_size_bounds(mut self, min_size: usize, max_size: usize) -> Self {
        self.config.size_bounds = Some((min_size, max_size));
        self.config.balanced = true;
        self
    }

    /// Prints a line an iteration; default `false`.
    pub fn with_verbose(mut self, verbose: bool) -> Self {
        self.config.verbose = verbose;
        self
    }

    /// Centres are data points (K-medoids); default `false`.
    pub fn with_use_medoids(mut self, use_medoids: bool) -> Self {
        self.config.use_medoids = use_medoids;
        self
    }

    /// Seed of every random choice; default 0.
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.config.seed = seed;
        self
    }

    /// Stops when an iteration lowers the inertia by less than this fraction;
    /// at least 0; default 0: only when no assignment changes.
    pub fn with_tolerance(mut self, tolerance: f64) -> Self {
        self.config.tolerance = tolerance;
        self
    }

    /// Where the first centroids come from; default [`Init::Auto`].
    pub fn with_init(mut self, init: Init) -> Self {
        // As `Box` does where the memory is refused.
        let refused = |_| handle_alloc_error(Layout::new::<Init>());
        self.set_init(init).unwrap_or_else(refused);
        self
    }

    pub(crate) fn check_init_rows(&self, rows: usize) -> Result<()> {
        self.config.check_init_rows(rows)
    }

    /// [`with_init`](KMeans::with_init) where memory may be refused.
    pub(crate) fn set_init(&mut self, init: Init) -> Result<()> {
        self.config.init = match init {
            Init::Auto => None,
            init => Some(TryArc::new(init, "init")?),
        };
        Ok(())
    }

    /// Runs from this many starts and keeps the best, at least 1; default 1.
    pub fn with_n_init(mut self, n_init: usize) -> Self {
        self.config.n_init = n_init;
        self
    }

    /// How much time to spend for a lower inertia; without effect on K-medoids
    /// that are not balanced.
    pub fn with_quality(mut self, quality: Quality) -> Self {
        self.config.quality = quality;
        self
    }

    /// Bytes that training may use beside the data, or as many as it must have:
    /// 48 a row (64 with K-medoids, 256 if balanced), 64 for each value of the
    /// centroids, 12 MiB, and for each thread 6 MiB, 1024 a dimension and 256 a
    /// cluster. By default what only
    /// saves time may take the smaller of 2 GB and a quarter of the machine's
    /// memory. Less memory means slower, not different, results; except that
    /// K-medoids falls back to a sampled search and says so; by default it does
    /// where all distances exceed 2 GB.
    pub fn with_memory_limit(mut self, bytes: u64) -> Self {
        self.config.memory_limit = Some(bytes);
        self
    }

    /// Checks the settings, as training will.
    pub fn validate(&self) -> Result<()> {
        self.config.validate()
    }
}

/// Training and assignment.
impl KMeans {
    /// Clusters the rows of `data` and returns, for each cluster, the indices
    /// of its points, ascending.
    ///
    /// `num_threads`: see [`RunOptions`].
    pub fn train(
        &mut self,
        data: ArrayView2<'_, f32>,
        num_threads: Option<usize>,
    ) -> Result<Vec<Vec<usize>>> {
        let options = RunOptions {
            num_threads,
            ..Default::default()
        };
        self.fit(&data.into(), options)?;
        self.clusters()?.to_lists()
    }

    /// Clusters points of any layout and number type. Afterwards
    /// [`labels`](KMeans::labels) and the other getters hold the result; after
    /// an error the model is as it was before.
    pub fn fit(&mut self, points: &Points<'_>, options: RunOptions<'_>) -> Result<()> {
        if self.trained.is_some() {
            return Err(KMeansError::AlreadyTrained);
        }
        let config = &self.config;
        config.validate()?;
        let mut print = print_messages;
        let observer: Option<&mut Observer<'_>> = match options.observer {
            Some(observer) => Some(observer),
            None if config.verbose => Some(&mut print),
            None => None,
        };
        let size = points.rows() as f64 * points.cols() as f64;
        let work = size * config.n_clusters as f64 * config.iterations as f64;
        let options = RunOptions {
            observer,
            ..options
        };
        let threads = Threads::new(options, work)?;
        // A row that weighs as much as several counts as many.
        let by_weight = points.is_weighted() && !config.balanced;
        if points.cols() > 0 && points.rows() < config.n_clusters && !by_weight {
            return Err(KMeansError::InsufficientPoints(
                points.rows(),
                config.n_clusters,
            ));
        }
        config.check_sizes(points.rows())?;
        if let Some((_, dims)) = config.init().shape()
            && dims != points.cols()
        {
            return Err(KMeansError::DimensionMismatch {
                expected: points.cols(),
                actual: dims,
            });
        }
        let offset = points.check_for_offset(config.metric, &threads)?;
        points.check_weights(config.n_clusters)?;
        let mut fit = fit_checked(&points.less(offset.as_deref()), config, None, &threads)?;
        fit.set_offset(offset)?;
        for warning in &fit.warnings {
            threads.tell(Event::Warning(warning))?;
        }
        self.trained = Some(Trained::new(config.clone(), fit)?);
        Ok(())
    }

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
        let work = points.rows() as f64 * fit.centroids.len() as f64;
        let threads = Threads::new(options, work)?;
        points.check(&threads)?;
        let centroids = Centroids::new(fit.centroid_values(), fit.dims());
        let model = (config.metric, centroids);
        let request = (per_point, &mut *labels, distances.as_deref_mut());
        if search.search(points, model, &threads, request)? {
            return Ok(());
        }
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
        let work = points.rows() as f64 * fit.centroids.len() as f64;
        let threads = Threads::new(options, work)?;
        points.check(&threads)?;
        let centroids = fit.centroid_values();
        if !balanced::takes_roots(config) {
            let priced = Centroids::new(centroids, fit.dims()).with_bias(prices);
            let request = (1, &mut *labels, distances.as_deref_mut());
            if search.search(points, (config.metric, priced), &threads, request)? {
                return Ok(());
            }
        }
        let shared = Shared::new(points, config.metric, self.config.memory_limit)?;
        let mut nearest = shared.nearest(points, 1);
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

    fn trained(&self) -> Result<&Trained> {
        self.trained.as_ref().ok_or(KMeansError::NotTrained)
    }

    fn fit_of_training(&self) -> Option<&Fit> {
        Some(&self.trained.as_ref()?.fit)
    }

    /// The training points of each cluster; an error where the model doesn't
    /// know its [`labels`](KMeans::labels).
    pub fn clusters(&self) -> Result<Clusters> {
        let fit = &self.trained()?.fit;
        if fit.labels.is_empty() {
            return Err(invalid(
                "the model has no labels: it was saved without them, made of centroids, or \
                 trained block by block; predict the points again",
            ));
        }
        let threads = Threads::exactly(1, None)?;
        Clusters::from_labels(&fit.labels, 1, self.config.n_clusters, &threads)
    }
}

/// Results; `None` until the model is trained.
impl KMeans {
    /// Columns of the points and of the centroids.
    pub fn n_dimensions(&self) -> Option<usize> {
        Some(self.fit_of_training()?.centroids.ncols())
    }

    /// Training points; `None` also in a model that was made of centroids.
    pub fn n_points(&self) -> Option<usize> {
        Some(self.cluster_sizes()?.iter().sum())
    }

    /// n_clusters × dimensions: means, unit vectors (cosine) or medoids.
    pub fn centroids(&self) -> Option<&Array2<f32>> {
        Some(self.fit_of_training()?.placed())
    }

    /// The centroids with more digits. They differ from
    /// [`centroids`](KMeans::centroids) where columns lost an
    /// [`offset`](KMeans::offset).
    pub fn centroids_f64(&self) -> Result<Array2<f64>> {
        let shape = self.trained()?.fit.centroids.dim();
        let mut values = try_vec(0.0, shape.0 * shape.1, "centroids")?;
        self.write_centroids_f64(&mut values)?;
        Ok(Array2::from_shape_vec(shape, values).expect("n_clusters x dims values"))
    }

    /// Writes [`centroids_f64`](KMeans::centroids_f64), row-major, to `out`,
    /// which must hold n_clusters × dimensions values.
    pub fn write_centroids_f64(&self, out: &mut [f64]) -> Result<()> {
        let fit = &self.trained()?.fit;
        let (rows, cols) = fit.centroids.dim();
        if out.len() != rows * cols {
            return Err(invalid(format_args!(
                "there is room for {} values, but {rows} centroids x {cols} dimensions need {}",
                out.len(),
                rows * cols
            )));
        }
        fit.write_placed_f64(out);
        Ok(())
    }

    /// What was subtracted from each column before it was rounded to float32,
    /// so that what tells points apart is kept; `None` if nothing was. With the
    /// Euclidean distance a column of float64 or of 32- or 64-bit integers whose
    /// largest magnitude is more than four times its range loses the middle of
    /// its range.
    pub fn offset(&self) -> Option<&[f64]> {
        self.fit_of_training()?.offset.as_deref()
    }

    /// The row of the training data that is each cluster's medoid.
    pub fn medoid_indices(&self) -> Option<&[usize]> {
        self.fit_of_training()?.medoids.as_deref()
    }

    /// The cluster of every training point; `None` also in a model that was
    /// saved without labels or made of centroids.
    pub fn labels(&self) -> Option<&[u32]> {
        known(&self.fit_of_training()?.labels)
    }

    /// The objective that was reached: the sum over all training points of
    /// the squared Euclidean distance, of 1 − cosine, or with medoids of the
    /// (non-squared) distance to the medoid. `None` also in a model that was
    /// made of centroids.
    pub fn inertia(&self) -> Option<f64> {
        let inertia = self.fit_of_training()?.inertia;
        inertia.is_finite().then_some(inertia)
    }

    /// By what fraction of the inertia at most the balanced assignment is
    /// dearer than the best one with cluster sizes in the same range, for the
    /// final centroids: proved by linear programming duality, and 0 up to
    /// rounding. `None` unless the model is balanced.
    pub fn balance_gap(&self) -> Option<f64> {
        self.fit_of_training()?.balance_gap
    }

    /// What balancing has learnt to add to the distance to each centroid; `None`
    /// unless the model is balanced.
    pub fn prices(&self) -> Option<&[f64]> {
        self.fit_of_training()?.prices.as_deref()
    }

    /// Iterations that ran; 0 in a model that was made of centroids.
    pub fn n_iter(&self) -> Option<usize> {
        Some(self.fit_of_training()?.n_iter)
    }

    /// Training points in each cluster; `None` also in a model that was made of
    /// centroids.
    pub fn cluster_sizes(&self) -> Option<&[usize]> {
        known(&self.fit_of_training()?.counts)
    }

    /// What the training points of each cluster weigh together: their number
    /// where points had no weights. `None` also in a model that was made of
    /// centroids.
    pub fn cluster_weights(&self) -> Option<&[f64]> {
        known(&self.fit_of_training()?.weights)
    }

    /// How the result was found, where there is more than one way: with
    /// medoids, whether all distances were compared or a sample of them.
    pub fn info(&self) -> Option<&str> {
        self.fit_of_training()?.info.as_deref()
    }

    /// What is usable but perhaps not what was expected of the result.
    pub fn warnings(&self) -> &[String] {
        self.fit_of_training().map_or(&[], |fit| &fit.warnings)
    }
}

/// Trains on points that have been checked and lost their offset.
/// `before`: the centroids of fewer clusters, to start from.
fn fit_checked(
    points: &Points<'_>,
    config: &Config,
    before: Option<Vec<f32>>,
    threads: &Threads<'_>,
) -> Result<Fit> {
    let start = Instant::now();
    let mut config = config.clone();
    if let Some(init) = config.init().less(points.offset())? {
        config.init = Some(TryArc::new(init, "init")?);
    }
    let mut shared = Shared::new(points, config.metric, config.memory_limit)?;
    if config.metric == Metric::Euclidean {
        shared = shared.with_ranges(points.check_ranges(threads)?)?;
    }
    let mut nearest = shared.nearest(points, train::searches(&config));
    train::fit(&mut nearest, &config, before, threads, start)
}

/// A trained model knows either all values or none, and there is no model of
/// none.
fn known<T>(values: &[T]) -> Option<&[T]> {
    (!values.is_empty()).then_some(values)
}

/// Where nobody listens, messages go to standard output.
fn print_messages(event: Event<'_>) -> ControlFlow<End> {
    if let Event::Message(text) = event {
        print_message(text);
    }
    ControlFlow::Continue(())
}

pub(crate) fn print_message(text: &str) {
    // A closed standard output is no reason to stop.
    let _ = writeln!(std::io::stdout(), "{text}");
}
