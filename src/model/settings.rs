//! Settings: set, read back, and a line about them.

use super::KMeans;
use crate::config::{Config, Init, Quality};
use crate::error::Result;
use crate::metric::Metric;
use crate::owned::TryArc;
use std::alloc::{Layout, handle_alloc_error};
use std::fmt;

/// Settings.
impl KMeans {
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

    /// AnyCentroids are data points (K-medoids); default `false`.
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

/// Settings as they were set last: a trained model keeps what training used,
/// and what is set later is for its untrained copy.
impl KMeans {
    pub fn n_clusters(&self) -> usize {
        self.config.n_clusters
    }

    pub fn iterations(&self) -> usize {
        self.config.iterations
    }

    pub fn is_euclidean(&self) -> bool {
        self.config.metric == Metric::Euclidean
    }

    pub fn is_balanced(&self) -> bool {
        self.config.balanced
    }

    /// Without effect where there are [`size_bounds`](KMeans::size_bounds).
    pub fn max_balance_diff(&self) -> usize {
        self.config.max_balance_diff
    }

    /// The least and the most points of a cluster, where
    /// [`with_size_bounds`](KMeans::with_size_bounds) was the last to be set.
    pub fn size_bounds(&self) -> Option<(usize, usize)> {
        self.config.size_bounds
    }

    pub fn is_use_medoids(&self) -> bool {
        self.config.use_medoids
    }

    pub fn is_verbose(&self) -> bool {
        self.config.verbose
    }

    pub fn seed(&self) -> u64 {
        self.config.seed
    }

    pub fn tolerance(&self) -> f64 {
        self.config.tolerance
    }

    pub fn init(&self) -> &Init {
        self.config.init()
    }

    pub fn n_init(&self) -> usize {
        self.config.n_init
    }

    pub fn quality(&self) -> Quality {
        self.config.quality
    }

    /// `None` where it was not set.
    pub fn memory_limit(&self) -> Option<u64> {
        self.config.memory_limit
    }

    pub fn is_trained(&self) -> bool {
        self.trained.is_some()
    }
}

/// Six words, then what is not the default; of a trained model what training
/// used.
impl fmt::Display for KMeans {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let used = self.trained.as_ref().map(|trained| &trained.config);
        let config = used.unwrap_or(&self.config);
        let default = Config::new(config.n_clusters);
        write!(
            f,
            "KMeans(n_clusters={}, iterations={}, euclidean={}, balanced={}, use_medoids={}, trained={}",
            config.n_clusters,
            config.iterations,
            config.metric == Metric::Euclidean,
            config.balanced,
            config.use_medoids,
            self.is_trained(),
        )?;
        if config.max_balance_diff != default.max_balance_diff {
            write!(f, ", max_balance_diff={}", config.max_balance_diff)?;
        }
        if let Some((min_size, max_size)) = config.size_bounds {
            write!(f, ", min_size={min_size}, max_size={max_size}")?;
        }
        if config.verbose != default.verbose {
            write!(f, ", verbose={}", config.verbose)?;
        }
        if config.seed != default.seed {
            write!(f, ", seed={}", config.seed)?;
        }
        if config.tolerance != default.tolerance {
            write!(f, ", tolerance={:?}", config.tolerance)?;
        }
        if config.init() != default.init() {
            write!(f, ", init={}", config.init().name())?;
        }
        if config.n_init != default.n_init {
            write!(f, ", n_init={}", config.n_init)?;
        }
        if config.quality != default.quality {
            write!(f, ", quality={}", config.quality.name())?;
        }
        if let Some(limit) = config.memory_limit {
            write!(f, ", memory_limit={limit}")?;
        }
        write!(f, ")")
    }
}
