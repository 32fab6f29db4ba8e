//! Escape from local minima: moves many centroids at once from where they are
//! of little use to where they are missing.
//!
//! Random swap (Fränti, 2018) moves one centroid, iterates a little and keeps
//! what is better. Here a batch of swaps shares these iterations.

use crate::clusters::Clusters;
use crate::error::{Result, try_vec};
use crate::nearest::{Centroids, Nearest, UNASSIGNED};
use crate::rng::Rng;
use crate::split::{Split, halve};
use crate::threads::Threads;
use crate::update::update_centroids;

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
}

struct Swap {
    removed: usize,
    split: usize,
    halves: Vec<f32>,
    gain: f64,
}

/// Lowers the inertia of `centroids` (n_clusters × dimensions), in rounds of
/// [`TRIAL`] + 1 iterations each; 40 bytes of memory a row.
pub(crate) fn batch_swap(
    nearest: &mut Nearest<'_>,
    mut centroids: Vec<f32>,
    effort: Effort,
    rng: &mut Rng,
    threads: &Threads<'_>,
) -> Result<Vec<f32>> {
    let (rows, dims) = (nearest.points().rows(), nearest.points().cols());
    let n_clusters = centroids.len() / dims;
    if n_clusters < 2 {
        return Ok(centroids);
    }
    let mut labels = try_vec(UNASSIGNED, rows, "labels")?;
    let mut distances = try_vec(0.0f64, rows, "distances")?;
    let mut pairs = Pairs {
        labels: try_vec(UNASSIGNED, 2 * rows, "labels")?,
        distances: try_vec(0.0f64, 2 * rows, "distances")?,
    };
    for _ in 0..WARM_UP {
        iterate(
            nearest,
            &mut centroids,
            &mut labels,
            &mut distances,
            threads,
        )?;
    }
    let mut best = pairs.find(nearest, &centroids, threads)?;
    let mut batch = (n_clusters / 10).max(1);
    let mut failures = 0;
    for _ in 0..effort.rounds {
        let swaps = pairs.swaps(nearest, &centroids, batch, failures, rng, threads)?;
        if swaps.is_empty() {
            break;
        }
        let mut trial = centroids.clone();
        for swap in &swaps {
            trial[swap.split * dims..][..dims].copy_from_slice(&swap.halves[..dims]);
            trial[swap.removed * dims..][..dims].copy_from_slice(&swap.halves[dims..]);
        }
        let mut inertia = f64::INFINITY;
        for _ in 0..TRIAL {
            inertia = iterate(nearest, &mut trial, &mut labels, &mut distances, threads)?;
        }
        if std::env::var("DBG").is_ok() {
            eprintln!("batch {} swaps {} best {best:.6e} trial {inertia:.6e} est {:.4e}", batch, swaps.len(), swaps.iter().map(|s| s.gain).sum::<f64>());
        }
        if inertia < best {
            centroids = trial;
            best = pairs.find(nearest, &centroids, threads)?;
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

/// One iteration of Lloyd's algorithm. Returns the inertia before it.
fn iterate(
    nearest: &mut Nearest<'_>,
    centroids: &mut [f32],
    labels: &mut [u32],
    distances: &mut [f64],
    threads: &Threads<'_>,
) -> Result<f64> {
    let dims = nearest.points().cols();
    let current = Centroids::new(centroids, dims);
    nearest.assign(current, threads, labels, Some(&mut *distances))?;
    let clusters = Clusters::from_labels(labels, 1, centroids.len() / dims)?;
    let (points, metric) = (nearest.points(), nearest.metric());
    update_centroids(points, metric, &clusters, threads, centroids)?;
    Ok(distances.iter().sum())
}

/// The two nearest centroids of every row, side by side.
struct Pairs {
    labels: Vec<u32>,
    distances: Vec<f64>,
}

impl Pairs {
    /// Returns the inertia.
    fn find(
        &mut self,
        nearest: &mut Nearest<'_>,
        centroids: &[f32],
        threads: &Threads<'_>,
    ) -> Result<f64> {
        let centroids = Centroids::new(centroids, nearest.points().cols());
        let distances = Some(&mut self.distances[..]);
        nearest.top(centroids, threads, 2, &mut self.labels, distances)?;
        Ok(self.distances.iter().step_by(2).sum())
    }

    /// `batch` swaps at most.
    fn swaps(
        &self,
        nearest: &Nearest<'_>,
        centroids: &[f32],
        batch: usize,
        failures: usize,
        rng: &mut Rng,
        threads: &Threads<'_>,
    ) -> Result<Vec<Swap>> {
        let (points, metric) = (nearest.points(), nearest.metric());
        let dims = points.cols();
        let n_clusters = centroids.len() / dims;
        let own: Vec<u32> = self.labels.iter().copied().step_by(2).collect();
        let clusters = Clusters::from_labels(&own, 1, n_clusters)?;
        let mut costs = vec![0.0f64; n_clusters];
        for pair in self.distances.chunks_exact(2).zip(&own) {
            costs[*pair.1 as usize] += pair.0[0];
        }
        let mut order: Vec<usize> = (0..n_clusters).collect();
        order.sort_by(|&a, &b| costs[b].total_cmp(&costs[a]));
        order.truncate(4 * batch + 8);
        let mut splits: Vec<_> = order.into_iter().map(|j| (j, rng.next(), None)).collect();
        threads.run(splits.iter_mut(), || (), |(), (j, seed, split)| {
            let centroid = &centroids[*j * dims..][..dims];
            *split = halve(points, metric, clusters.members(*j), centroid, *seed);
        })?;
        let mut splits: Vec<(usize, Split)> = splits
            .into_iter()
            .filter_map(|(j, _, split)| Some((j, split?)))
            .collect();
        splits.sort_by(|a, b| b.1.gain.total_cmp(&a.1.gain));
        let wanted: Vec<usize> = splits.iter().map(|split| split.0).take(batch + failures).collect();
        let removed = self.least_useful(&clusters, batch, &wanted);
        let mut swaps = Vec::new();
        for ((removed, loss), (split, halves)) in removed.into_iter().zip(splits.into_iter().skip(failures)) {
            if halves.gain < 0.5 * loss {
                break;
            }
            swaps.push(Swap { removed, split, halves: halves.halves, gain: halves.gain - loss });
        }
        Ok(swaps)
    }

    /// The clusters whose rows lose least by going to their second nearest
    /// centroid; of two neighbours only one, since the loss of the first
    /// counts on the second to stay.
    fn least_useful(&self, clusters: &Clusters, batch: usize, wanted: &[usize]) -> Vec<(usize, f64)> {
        let n_clusters = clusters.n_clusters();
        let mut losses = vec![0.0f64; n_clusters];
        for (pair, labels) in self
            .distances
            .chunks_exact(2)
            .zip(self.labels.chunks_exact(2))
        {
            losses[labels[0] as usize] += pair[1] - pair[0];
        }
        let mut order: Vec<usize> = (0..n_clusters).collect();
        order.sort_by(|&a, &b| losses[a].total_cmp(&losses[b]));
        let mut counts = vec![0usize; n_clusters];
        let mut is_kept = vec![false; n_clusters];
        for &j in wanted {
            is_kept[j] = true;
        }
        let mut removed = Vec::with_capacity(batch);
        for j in order {
            if removed.len() == batch {
                break;
            }
            counts.fill(0);
            for &i in clusters.members(j) {
                counts[self.labels[2 * i as usize + 1] as usize] += 1;
            }
            let heir = (0..n_clusters).max_by_key(|&other| counts[other]);
            let heir = heir.expect("there are clusters");
            if !is_kept[j] && !removed.iter().any(|r: &(usize, f64)| r.0 == heir) {
                is_kept[heir] = true;
                removed.push((j, losses[j]));
            }
        }
        removed
    }
}

