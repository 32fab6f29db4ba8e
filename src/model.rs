//! [`KMeans`]: how it is trained. Settings, results and what it gives other rows
//! are a file each in `model/`.

use crate::config::Config;
use crate::error::{KMeansError, Result};
use crate::fit::Fit;
use crate::metric::Metric;
use crate::nearest::{Prepared, Shared};
use crate::owned::TryArc;
use crate::points::Points;
use crate::threads::{End, Event, Observer, RunOptions, Threads};
use crate::train;
use ndarray::ArrayView2;
use std::io::Write;
use std::ops::ControlFlow;
use std::time::Instant;

mod collected;
mod distances;
mod from_source;
mod given;
mod partial_fit;
mod predict;
mod representatives;
mod results;
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
    collected: Option<TryArc<collected::Collected>>,
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

impl KMeans {
    /// A model of `n_clusters` clusters, at least 1.
    pub fn new(n_clusters: usize) -> Self {
        KMeans {
            config: Config::new(n_clusters),
            trained: None,
            collected: None,
        }
    }
}

/// Training.
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

    fn trained(&self) -> Result<&Trained> {
        self.trained.as_ref().ok_or(KMeansError::NotTrained)
    }

    fn fit_of_training(&self) -> Option<&Fit> {
        Some(&self.trained.as_ref()?.fit)
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
    let tree = train::takes_tree(&config, (points.rows(), points.cols()));
    let mut nearest = shared.nearest(points, train::searches(&config, tree));
    train::fit(&mut nearest, &config, before, threads, start)
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
