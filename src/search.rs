//! How often, and from where, Lloyd's algorithm runs.

use crate::batch_swap::{Effort, batch_swap};
use crate::config::{Config, Init, Quality};
use crate::error::Result;
use crate::fit::Fit;
use crate::nearest::Nearest;
use crate::rng::Rng;
use crate::threads::{Event, Threads};
use crate::{lloyd, seeding};
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

fn start_centroids(
    nearest: &mut Nearest<'_>,
    config: &Config,
    rng: &mut Rng,
    threads: &Threads<'_>,
) -> Result<Vec<f32>> {
    let centroids = seeding::draw(nearest, config, rng, threads)?;
    match config.quality {
        Quality::Fast | Quality::Default => Ok(centroids),
        Quality::Best => {
            let effort = Effort {
                rounds: 100,
                patience: 5,
            };
            batch_swap(nearest, centroids, effort, rng, threads)
        }
    }
}
