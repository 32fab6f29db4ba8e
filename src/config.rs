//! What a model is asked to do.

use crate::allocate;
use crate::error::{KMeansError, Result};
use crate::metric::Metric;
use crate::owned::TryArc;
use crate::text::text;
use crate::threads::{Event, Iteration, Threads};
use ndarray::{Array2, ArrayView2};

/// Where the first centroids come from.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Init {
    /// Greedy k-means++ on a sample for up to 500 clusters, random rows for
    /// more; a [`Tree`](Init::Tree) from 8,192 clusters on, where rows × clusters ×
    /// dimensions are 2^38 or more, with 16 to 2,048 dimensions. Rows from a source, which
    /// no tree can look up, begin at random there, and so do balanced clusters.
    #[default]
    Auto,
    /// k-means++ (Arthur & Vassilvitskii, 2007), greedy form: each next
    /// centroid is the best of 2 + ln k rows drawn by squared distance.
    KMeansPlusPlus,
    /// k-means‖ (Bahmani et al., 2012): a few rounds over the data.
    KMeansParallel,
    /// Distinct rows drawn uniformly.
    Random,
    /// Clusters of coarse clusters, for very many of them: see
    /// docs/algorithms/seeding.md. K-medoids take it for `Auto`.
    Tree,
    /// These rows (n_clusters × dimensions).
    Centroids(Array2<f32>),
    /// The same where float32 has too few digits, as for points of int64 or
    /// float64 that lie far from 0.
    CentroidsF64(Array2<f64>),
}

impl Init {
    /// The shape of given centroids.
    pub(crate) fn shape(&self) -> Option<(usize, usize)> {
        match self {
            Init::Centroids(centroids) => Some(centroids.dim()),
            Init::CentroidsF64(centroids) => Some(centroids.dim()),
            _ => None,
        }
    }

    /// Given centroids in float32, each column less its offset; `None` if that
    /// is what they are, or none are given.
    pub(crate) fn less(&self, offset: Option<&[f64]>) -> Result<Option<Self>> {
        let centroids = match (self, offset) {
            (Init::Centroids(centroids), Some(_)) => less(centroids.view(), offset)?,
            (Init::CentroidsF64(centroids), _) => less(centroids.view(), offset)?,
            _ => return Ok(None),
        };
        Ok(Some(Init::Centroids(centroids)))
    }
}

fn less<T: Copy + Into<f64>>(
    centroids: ArrayView2<'_, T>,
    offset: Option<&[f64]>,
) -> Result<Array2<f32>> {
    let mut values = allocate::with_capacity(centroids.len(), "first centroids")?;
    for (row, centroid) in centroids.outer_iter().enumerate() {
        for (column, &value) in centroid.iter().enumerate() {
            let value: f64 = value.into();
            let less = (value - offset.map_or(0.0, |offset| offset[column])) as f32;
            if !less.is_finite() {
                return Err(KMeansError::InitNotFinite { row, column, value });
            }
            values.push(less);
        }
    }
    Ok(Array2::from_shape_vec(centroids.dim(), values).expect("as many values as before"))
}

fn check_centroids<T: Copy + Into<f64>>(centroids: ArrayView2<'_, T>) -> Result<()> {
    let is_finite = |&value: &T| (value.into() as f32).is_finite();
    // All at once, as a rule.
    if let Some(values) = centroids.as_slice()
        && values
            .iter()
            .fold(true, |all, value| all & is_finite(value))
    {
        return Ok(());
    }
    for ((row, column), &value) in centroids.indexed_iter() {
        let value: f64 = value.into();
        if !(value as f32).is_finite() {
            return Err(KMeansError::InitNotFinite { row, column, value });
        }
    }
    Ok(())
}

impl Init {
    /// What files and other languages call it.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Init::Auto => "auto",
            Init::KMeansPlusPlus => "k-means++",
            Init::KMeansParallel => "k-means||",
            Init::Random => "random",
            Init::Tree => "tree",
            Init::Centroids(_) | Init::CentroidsF64(_) => "centroids",
        }
    }

    /// All kinds but given centroids.
    pub(crate) fn drawn() -> [Init; 5] {
        [
            Init::Auto,
            Init::KMeansPlusPlus,
            Init::KMeansParallel,
            Init::Random,
            Init::Tree,
        ]
    }
}

/// How much time to spend for a lower inertia. K-medoids that are not balanced
/// have one way only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Quality {
    /// Lloyd's algorithm from the first centroids.
    Fast,
    /// A short search past local minima before that: see
    /// docs/algorithms/seeding.md. Not from given centroids.
    #[default]
    Default,
    /// Searches on until it stops paying, then moves single rows where Lloyd's
    /// algorithm sees nothing to gain, or, if balanced, centroids by their prices.
    Best,
}

impl Quality {
    /// What files and other languages call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Quality::Fast => "fast",
            Quality::Default => "default",
            Quality::Best => "best",
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Config {
    pub n_clusters: usize,
    pub iterations: usize,
    pub metric: Metric,
    pub balanced: bool,
    pub max_balance_diff: usize,
    /// The least and the most rows of a cluster, in place of `max_balance_diff`.
    pub size_bounds: Option<(usize, usize)>,
    pub use_medoids: bool,
    pub verbose: bool,
    pub seed: u64,
    pub tolerance: f64,
    /// `None`: [`Init::Auto`].
    pub init: Option<TryArc<Init>>,
    pub n_init: usize,
    pub quality: Quality,
    /// Bytes that training may use beside the data; `None`: a default.
    pub memory_limit: Option<u64>,
}

impl Config {
    pub fn new(n_clusters: usize) -> Self {
        Config {
            n_clusters,
            iterations: 25,
            metric: Metric::Cosine,
            balanced: false,
            max_balance_diff: 16,
            size_bounds: None,
            use_medoids: false,
            verbose: false,
            seed: 0,
            tolerance: 0.0,
            init: None,
            n_init: 1,
            quality: Quality::Default,
            memory_limit: None,
        }
    }

    /// Checks every setting, whatever the data.
    pub fn validate(&self) -> Result<()> {
        for (value, name) in [
            (self.n_clusters, "Number of clusters"),
            (self.iterations, "Number of iterations"),
            (self.max_balance_diff, "Max balance difference"),
            (self.n_init, "Number of initialisations"),
        ] {
            if value == 0 {
                return Err(invalid(format_args!("{name} must be positive")));
            }
        }
        if let Some((min_size, max_size)) = self.size_bounds
            && min_size > max_size
        {
            return Err(invalid(format_args!(
                "min_size {min_size} is greater than max_size {max_size}; give the smaller first"
            )));
        }
        if !(self.tolerance >= 0.0 && self.tolerance.is_finite()) {
            return Err(invalid(format_args!(
                "tolerance must be a finite number of at least 0, got {}",
                self.tolerance
            )));
        }
        if let Some((rows, _)) = self.init().shape() {
            self.check_init_rows(rows)?;
        }
        match self.init() {
            Init::Centroids(centroids) => check_centroids(centroids.view()),
            Init::CentroidsF64(centroids) => check_centroids(centroids.view()),
            _ => Ok(()),
        }
    }

    /// Whether sizes are bounded by more than the number of `rows`.
    pub fn bounds_sizes(&self, rows: usize) -> bool {
        self.balanced && (self.size_bounds.is_some() || self.max_balance_diff < rows)
    }

    /// Checks that so many rows can have the sizes that are asked for.
    pub fn check_sizes(&self, rows: usize) -> Result<()> {
        let (Some((min_size, max_size)), true) = (self.size_bounds, self.balanced) else {
            return Ok(());
        };
        let clusters = self.n_clusters;
        let (least, most) = (
            min_size.saturating_mul(clusters),
            max_size.saturating_mul(clusters),
        );
        if least > rows {
            return Err(invalid(format_args!(
                "min_size {min_size} in each of {clusters} clusters takes {least} points, but there \
                 are {rows}; lower min_size or use fewer clusters"
            )));
        }
        if most < rows {
            return Err(invalid(format_args!(
                "max_size {max_size} in each of {clusters} clusters has room for {most} points, but \
                 there are {rows}; raise max_size or use more clusters"
            )));
        }
        Ok(())
    }

    pub fn init(&self) -> &Init {
        self.init.as_deref().unwrap_or(&Init::Auto)
    }

    /// Checks the number of given first centroids.
    pub fn check_init_rows(&self, rows: usize) -> Result<()> {
        if rows != self.n_clusters {
            return Err(invalid(format_args!(
                "init has {rows} rows, but there are {} clusters; give one row for each",
                self.n_clusters
            )));
        }
        Ok(())
    }

    /// Tells the observer of a finished iteration.
    pub fn report(&self, threads: &Threads<'_>, iteration: Iteration) -> Result<()> {
        if self.verbose {
            threads.tell(Event::Message(&text(iteration)))?;
        }
        threads.report(&iteration)
    }
}

pub(crate) fn invalid(reason: impl std::fmt::Display) -> KMeansError {
    KMeansError::InvalidParameter(text(reason))
}
