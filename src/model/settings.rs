//! Settings as they are, and a line about them.

use super::KMeans;
use crate::config::{Config, Init, Quality};
use crate::metric::Metric;
use std::fmt;

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
