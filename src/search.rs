//! How often, and from where, Lloyd's algorithm runs.

use crate::batch_swap::{Effort, batch_swap};
use crate::config::{Config, Init, Quality};
use crate::error::Result;
use crate::fit::Fit;
use crate::metric::Metric;
use crate::nearest::Nearest;
use crate::points::Points;
use crate::rng::Rng;
use crate::threads::{Event, Threads};
use crate::{lloyd, seeding};
use ndarray::ArrayView2;
use std::time::Instant;

/// The best of `n_init` runs.
pub(crate) fn fit(
    nearest: &mut Nearest<'_>,
    config: &Config,
    threads: &Threads<'_>,
    start: Instant,
) -> Result<Fit> {
    let mut rng = Rng::new(config.seed);
    let given = matches!(config.init, Init::Centroids(_));
    let mut best: Option<Fit> = None;
    let runs = match given && config.quality != Quality::Best {
        true => 1, // all runs would be the same
        false => config.n_init,
    };
    for run in 1..=runs {
        if config.verbose && runs > 1 {
            let text = format!("run {run} of {runs}");
            threads.tell(Event::Message(&text))?;
        }
        let centroids = start_centroids(nearest, config, &mut rng, threads)?;
        let fit = lloyd::fit(nearest, config, centroids, threads, start)?;
        if best.as_ref().is_none_or(|best| fit.inertia < best.inertia) {
            best = Some(fit);
        }
    }
    Ok(best.expect("n_init is at least 1"))
}

/// Where a run starts from.
fn start_centroids(
    nearest: &mut Nearest<'_>,
    config: &Config,
    rng: &mut Rng,
    threads: &Threads<'_>,
) -> Result<Vec<f32>> {
    let points = nearest.points();
    let var = |name: &str, default: f64| {
        std::env::var(name)
            .ok()
            .map_or(default, |v| v.parse().unwrap())
    };
    let per = var("PER", 25.0) as usize;
    let effort = |prefix: &str, rounds: f64| Effort {
        rounds: var(&format!("{prefix}R"), rounds) as usize,
        patience: var(&format!("{prefix}P"), 3.0) as usize,
        gain: var(&format!("{prefix}G"), 1e-4),
    };
    let sample = config
        .n_clusters
        .saturating_mul(per)
        .max(var("MIN", 2048.0) as usize);
    let mut centroids = if config.init == Init::Auto && sample <= points.rows() / 2 {
        let rows = rng.distinct(sample, points.rows());
        let mut rows = rows;
        rows.sort_unstable();
        let sample = seeding::copy_rows(points, Metric::Euclidean, &rows)?;
        let sample =
            ArrayView2::from_shape((rows.len(), points.cols()), &sample).expect("rows x cols");
        let sample = Points::from(sample);
        let mut nearest = Nearest::new(&sample, config.metric);
        let t = Instant::now();
        let centroids = seeding::draw(&mut nearest, config, rng, threads)?;
        if std::env::var("DBG").is_ok() {
            eprintln!("sample {} drawn {:?}", rows.len(), t.elapsed());
        }
        let t = Instant::now();
        let c = if var("CW", 1.0) == 0.0 {
            centroids
        } else {
            batch_swap(&mut nearest, centroids, effort("C", 3.0), rng, threads)?
        };
        if std::env::var("DBG").is_ok() {
            eprintln!("sample swapped {:?}", t.elapsed());
        }
        c
    } else {
        seeding::draw(nearest, config, rng, threads)?
    };
    let t = Instant::now();
    match config.quality {
        Quality::Fast => {}
        Quality::Default => {
            if var("DR", 0.0) > 0.0 {
                centroids = batch_swap(nearest, centroids, effort("D", 0.0), rng, threads)?;
            }
        }
        Quality::Best => {
            centroids = batch_swap(nearest, centroids, effort("B", 100.0), rng, threads)?
        }
    }
    if std::env::var("DBG").is_ok() {
        eprintln!("full swapped {:?}", t.elapsed());
    }
    Ok(centroids)
}
