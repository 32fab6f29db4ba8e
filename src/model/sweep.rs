//! Several numbers of clusters, one after another.

use super::{KMeans, Trained, fit_checked};
use crate::allocate::{copy, push, try_vec};
use crate::clusters::UNASSIGNED;
use crate::config::{Config, Init, invalid};
use crate::error::{KMeansError, Result};
use crate::fit::Fit;
use crate::metric::Metric;
use crate::nearest::{Centroids, Request, Shared};
use crate::points::Points;
use crate::silhouette::ratio;
use crate::threads::{Event, RunOptions, Threads};
use std::time::Instant;

/// One number of clusters of a [`sweep`](KMeans::sweep).
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct SweepStep {
    /// Trained with that number.
    pub model: KMeans,
    /// How long training took, the silhouette left out.
    pub seconds: f64,
    /// The mean over all rows (by weight) of (b − a) / max(a, b), where a is the distance
    /// to the row's own centroid and b that to the nearest other one: Euclidean, not
    /// squared, or 1 − cosine; 0 in a cluster of its own. `None` for a single cluster.
    pub silhouette: Option<f64>,
}

impl KMeans {
    /// Trains a model for each of the numbers of clusters in `ks`, which ascend, with the
    /// settings of this one, whose own number and training play no part.
    ///
    /// Each begins with the centroids of the one before and as many more, drawn by greedy
    /// k-means++ among the rows far from these: so inertias fall from step to step, at a
    /// fraction of the cost of a fresh start each. K-medoids start afresh, as do all but
    /// the first of `n_init` runs. The observer hears of each training as of a further run.
    ///
    /// The silhouette of a step is the simplified one, of distances to centroids alone:
    /// O(n · k · d) where [`silhouette`](crate::silhouette()) takes O(n² · d) (E. R.
    /// Hruschka et al.: Evolving clusters in gene-expression data, Inf. Sci. 176, 2006).
    pub fn sweep(
        &self,
        points: &Points<'_>,
        ks: &[usize],
        options: RunOptions<'_>,
    ) -> Result<Vec<SweepStep>> {
        let mut config = self.config.clone();
        check_numbers(&config, points, ks)?;
        let size = points.rows() as f64 * points.cols() as f64;
        let work = size * ks.iter().sum::<usize>() as f64 * config.iterations as f64;
        let threads = &Threads::new(options, work)?;
        let offset = points.check_for_offset(config.metric, threads)?;
        let mut steps: Vec<SweepStep> = Vec::new();
        for (number, &k) in ks.iter().enumerate() {
            if number > 0 {
                threads.next_run();
            }
            config.n_clusters = k;
            config.check_sizes(points.rows())?;
            points.check_weights(k)?;
            let less = &points.less(offset.as_deref());
            let before = match steps.last().and_then(|step| step.model.fit_of_training()) {
                Some(fit) if !config.use_medoids => {
                    Some(copy(fit.centroid_values()?, "centroids")?)
                }
                _ => None,
            };
            let start = Instant::now();
            let mut fit = fit_checked(less, &config, before, threads)?;
            let seconds = start.elapsed().as_secs_f64();
            let silhouette = match k {
                1 => None,
                _ => Some(simplified_silhouette(less, &config, &fit, threads)?),
            };
            fit.set_offset(match &offset {
                Some(offset) => Some(copy(offset, "offset")?),
                None => None,
            })?;
            for warning in &fit.warnings {
                threads.tell(Event::Warning(warning))?;
            }
            let model = KMeans {
                config: config.clone(),
                trained: Some(Trained::new(config.clone(), fit)?),
                collected: None,
            };
            let step = SweepStep {
                model,
                seconds,
                silhouette,
            };
            push(&mut steps, step, "models")?;
        }
        Ok(steps)
    }
}

fn check_numbers(config: &Config, points: &Points<'_>, ks: &[usize]) -> Result<()> {
    if ks.is_empty() {
        return Err(invalid("ks is empty; give the numbers of clusters to try"));
    }
    if let Some(pair) = ks.windows(2).find(|pair| pair[0] >= pair[1]) {
        return Err(invalid(format_args!(
            "ks must ascend, got {} after {}",
            pair[1], pair[0]
        )));
    }
    if matches!(config.init(), Init::Centroids(_) | Init::CentroidsF64(_)) {
        return Err(invalid(
            "a sweep chooses the first centroids for each number of clusters; leave them out",
        ));
    }
    for &k in [ks[0], ks[ks.len() - 1]].iter() {
        let mut config = config.clone();
        config.n_clusters = k;
        config.validate()?;
        if points.rows() < k {
            return Err(KMeansError::InsufficientPoints(points.rows(), k));
        }
    }
    Ok(())
}

/// See [`SweepStep::silhouette`].
fn simplified_silhouette(
    points: &Points<'_>,
    config: &Config,
    fit: &Fit,
    threads: &Threads<'_>,
) -> Result<f64> {
    const NEAREST: usize = 2;
    let rows = points.rows();
    let centroids = Centroids::new(fit.centroid_values()?, fit.dims());
    let shared = Shared::new(points, config.metric, config.memory_limit)?;
    let mut nearest = shared.nearest(points, 1);
    let mut found = threads.try_vec(UNASSIGNED, rows * NEAREST, "labels")?;
    let mut distances = threads.try_vec(0.0f64, rows * NEAREST, "distances")?;
    let request = Request::few(centroids, NEAREST, &mut found, Some(&mut distances));
    nearest.search(request, threads)?;
    // Where sizes are bounded the row's own centroid may be far.
    let mut own = try_vec(0.0f64, rows, "distances")?;
    nearest.distances(centroids, threads, &fit.labels, &mut own)?;
    let (mut sum, mut weights) = (0.0, 0.0);
    threads.in_steps(rows, |part| {
        for row in part {
            let other = usize::from(found[row * NEAREST] == fit.labels[row]);
            let (inside, outside) = (own[row], distances[row * NEAREST + other]);
            let silhouette = match config.metric {
                _ if fit.counts[fit.labels[row] as usize] == 1 => 0.0,
                Metric::Euclidean => ratio(inside.sqrt(), outside.sqrt()),
                Metric::Cosine => ratio(inside.max(0.0), outside.max(0.0)),
            };
            sum += points.weight(row) * silhouette;
            weights += points.weight(row);
        }
        Ok(())
    })?;
    Ok(sum / weights)
}
