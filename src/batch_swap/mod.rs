//! Escape from local minima: moves many centroids at once from where they are
//! of little use to where they are missing.
//!
//! Random swap (Fränti, 2018) moves one centroid to a random row, iterates a
//! little, and keeps what is better. Here each swap removes the centroid that
//! its rows miss least and splits the cluster that gains most by it, and a
//! batch of swaps shares the iterations that settle them.

mod split;
mod swaps;

use crate::error::Result;
use crate::nearest::Nearest;
use crate::partition::Partition;
use crate::rng::Rng;
use crate::threads::Threads;
use swaps::{Swap, Swaps};

/// Iterations before the first swap.
const WARM_UP: usize = 6;

/// Iterations between a swap and its verdict.
const TRIAL: usize = 3;

/// When to stop.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Effort {
    /// Batches at most.
    pub rounds: usize,
    /// Single swaps that may fail in a row.
    pub patience: usize,
    /// The fraction of the inertia that a batch must save to count as success.
    pub gain: f64,
}

/// Lowers the inertia of `centroids` (n_clusters × dimensions). A batch costs
/// about [`TRIAL`] + 2 iterations, and memory 36 bytes a row.
pub(crate) fn batch_swap(
    nearest: &mut Nearest<'_>,
    mut centroids: Vec<f32>,
    effort: Effort,
    rng: &mut Rng,
    threads: &Threads<'_>,
) -> Result<Vec<f32>> {
    let dims = nearest.points().cols();
    let n_clusters = centroids.len() / dims;
    let mut partition = Partition::new(nearest, &centroids, threads)?;
    let mut inertia = iterate(nearest, &mut partition, &mut centroids, WARM_UP, threads)?;
    if n_clusters < 2 {
        return Ok(centroids);
    }
    let mut labels = partition.labels(nearest).to_vec();
    let mut batch = (n_clusters / 10).max(1);
    let mut failures = 0;
    for _ in 0..effort.rounds {
        let swaps = Swaps::new(nearest, &centroids, &labels, threads)?
            .choose(batch, failures, rng, threads)?;
        if swaps.is_empty() {
            break;
        }
        let mut trial = centroids.clone();
        for Swap {
            removed,
            split,
            halves,
        } in &swaps
        {
            trial[split * dims..][..dims].copy_from_slice(&halves[..dims]);
            trial[removed * dims..][..dims].copy_from_slice(&halves[dims..]);
        }
        let reached = iterate(nearest, &mut partition, &mut trial, TRIAL, threads)?;
        let success = reached < inertia * (1.0 - effort.gain);
        if std::env::var("DBG").is_ok() {
            eprintln!(
                "batch {} swaps {} best {inertia:.6e} trial {reached:.6e} {}",
                batch,
                swaps.len(),
                1.0 - reached / inertia
            );
        }
        if reached < inertia {
            (centroids, inertia) = (trial, reached);
            labels.copy_from_slice(partition.labels(nearest));
        }
        if success {
            failures = 0;
        } else if swaps.len() > 1 {
            batch = swaps.len() / 2;
        } else {
            failures += 1;
            if failures >= effort.patience {
                break;
            }
        }
    }
    Ok(centroids)
}

/// Iterations of Lloyd's algorithm. Returns the inertia.
fn iterate(
    nearest: &mut Nearest<'_>,
    partition: &mut Partition,
    centroids: &mut [f32],
    iterations: usize,
    threads: &Threads<'_>,
) -> Result<f64> {
    for _ in 0..iterations {
        let changed = partition.assign(nearest, centroids, threads, false)?;
        partition.totals().write_centroids(centroids);
        if changed == 0 {
            break;
        }
    }
    partition.inertia(nearest, centroids, threads)
}
