//! Escape from local minima: moves many centroids at once from where they are
//! of little use to where they are missing.
//!
//! Random swap (Fränti, 2018) moves one centroid to a random row, iterates a
//! little, and keeps what is better. Here each swap removes the centroid that
//! its rows miss least and splits the cluster that gains most by it, and a
//! batch of swaps shares the iterations that settle them.

mod centroid_set;
mod choose;
mod rows;
mod sparse;

use crate::allocate::copy;
use crate::config::Config;
use crate::error::Result;
use crate::rng::Rng;
use crate::text::text;
use crate::threads::{Event, Phase, Threads};
use centroid_set::CentroidSet;
pub(crate) use centroid_set::{DenseSet, SparseSet};
use choose::Swaps;
pub(crate) use rows::{InMemory, Swappable, settle};
pub(crate) use sparse::SparseInMemory;

/// Iterations before the first swap.
const WARM_UP: usize = 6;

/// Iterations between a swap and its verdict.
const TRIAL: usize = 3;

/// A batch pays when it saves this fraction of the inertia.
const PAYS: f64 = 1e-5;

/// At first a swap must promise this part of what it costs: iterations raise
/// the estimated gain, and lower the estimated loss.
const HOPE: f64 = 0.5;

/// What [`TRIAL`] iterations will still save without a swap, as a multiple of
/// what the last iteration saved.
const MOMENTUM: f64 = 1.5;

/// Inertias within this part of each other may be the same: of sparse rows they are added
/// up in another way.
const ROUNDING: f64 = 1e-9;

/// When to stop.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Effort {
    /// Batches at most.
    pub rounds: usize,
    /// Single swaps in a row that may not pay.
    pub patience: usize,
    /// Times that less promising swaps get their chance, when no other pay.
    pub leniency: u32,
}

/// Lowers the inertia of `centroids`, of rows that are in no cluster yet.
///
/// First a tenth of the centroids may move at once; a batch that does not pay
/// is followed by one of half its size. A batch takes [`TRIAL`] iterations and
/// about half a one to choose it; memory is 20 bytes a row.
pub(crate) fn swap_centroids<R: Swappable>(
    partition: &mut R,
    config: &Config,
    mut centroids: R::Set,
    effort: Effort,
    rng: &mut Rng,
    threads: &Threads<'_>,
) -> Result<R::Set> {
    threads.enter(Phase::Iterating);
    let mut progress = iterate(partition, &mut centroids, WARM_UP, threads)?;
    if config.n_clusters < 2 {
        return Ok(centroids);
    }
    let mut labels = copy(partition.labels(threads)?, "labels")?;
    let largest = (config.n_clusters / 10).max(1);
    let mut batch = largest;
    let mut failures = 0;
    let mut leniency = 0;
    for _ in 0..effort.rounds {
        if threads.stopping() {
            break;
        }
        let hope = HOPE / f64::from(1 << leniency);
        let mut swaps = Swaps::new(partition, &centroids, &labels, threads)?;
        let swaps = swaps.choose(batch, failures, hope, rng, threads)?;
        if swaps.is_empty() || failures == effort.patience {
            if leniency == effort.leniency {
                break;
            }
            leniency += 1;
            batch = largest;
            failures = 0;
            continue;
        }
        let mut trial = centroids.copy()?;
        trial.put(&swaps)?;
        let moved = swaps.len();
        drop(swaps);
        let after = iterate(partition, &mut trial, TRIAL, threads)?;
        if config.verbose {
            let (count, from, to) = (moved, progress.inertia, after.inertia);
            let text = text(format_args!(
                "{count} centroids moved: inertia {from:.6e} -> {to:.6e}"
            ));
            threads.tell(Event::Message(&text))?;
        }
        // Iterations alone would have saved something too.
        let alone = MOMENTUM * progress.last_gain;
        let gain = progress.inertia - after.inertia;
        let threshold = PAYS * progress.inertia;
        let pays = gain > alone + threshold;
        if gain > alone + ROUNDING * progress.inertia {
            centroids = trial;
            labels.copy_from_slice(partition.labels(threads)?);
            progress = after;
        } else if alone > threshold {
            progress = iterate(partition, &mut centroids, TRIAL, threads)?;
            labels.copy_from_slice(partition.labels(threads)?);
        }
        if pays {
            failures = 0;
        } else if moved > 1 {
            batch = moved / 2;
        } else {
            failures += 1;
        }
    }
    Ok(centroids)
}

struct Progress {
    inertia: f64,
    /// By how much the last iteration lowered it.
    last_gain: f64,
}

/// Iterations of Lloyd's algorithm, until nothing changes.
fn iterate<R: Swappable>(
    partition: &mut R,
    centroids: &mut R::Set,
    iterations: usize,
    threads: &Threads<'_>,
) -> Result<Progress> {
    let mut progress = Progress {
        inertia: f64::INFINITY,
        last_gain: 0.0,
    };
    for _ in 0..iterations {
        let changed = partition.assign(centroids, threads)?;
        let inertia = partition.settle(centroids, threads)?;
        progress = Progress {
            inertia,
            last_gain: progress.inertia - inertia,
        };
        if changed == 0 {
            progress.last_gain = 0.0;
            break;
        }
        if threads.stopping() {
            break;
        }
    }
    Ok(progress)
}
