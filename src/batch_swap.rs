//! Escape from local minima: moves many centroids at once from where they are
//! of little use to where they are missing.
//!
//! Random swap (Fränti, 2018) moves one centroid, iterates a little and keeps
//! what is better. Here a batch of swaps shares these iterations.

use crate::clusters::Clusters;
use crate::error::{Result, try_vec};
use crate::nearest::{Centroids, Nearest, UNASSIGNED};
use crate::rng::Rng;
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
        let mut trial = centroids.clone();
        for (cluster, row) in pairs.swaps(n_clusters, batch, rng)? {
            let mut scratch = Vec::new();
            let centroid = &mut trial[cluster * dims..][..dims];
            centroid.copy_from_slice(nearest.points().row(row as usize, &mut scratch));
            nearest.metric().normalize(centroid);
        }
        let mut inertia = f64::INFINITY;
        for _ in 0..TRIAL {
            inertia = iterate(nearest, &mut trial, &mut labels, &mut distances, threads)?;
        }
        if inertia < best {
            centroids = trial;
            best = pairs.find(nearest, &centroids, threads)?;
            failures = 0;
        } else if batch > 1 {
            batch /= 2;
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

    /// `batch` moves at most, of a centroid to a row.
    fn swaps(&self, n_clusters: usize, batch: usize, rng: &mut Rng) -> Result<Vec<(usize, u32)>> {
        let own: Vec<u32> = self.labels.iter().copied().step_by(2).collect();
        let clusters = Clusters::from_labels(&own, 1, n_clusters)?;
        let mut removed = self.least_useful(&clusters, batch);
        let mut costs: Vec<f64> = (0..n_clusters)
            .map(|j| self.costs(clusters.members(j)).sum())
            .collect();
        for &cluster in &removed {
            costs[cluster] = 0.0;
        }
        let mut added = Vec::with_capacity(removed.len());
        while added.len() < removed.len() {
            let Some(cluster) = draw(costs.iter().copied(), rng) else {
                break;
            };
            costs[cluster] = 0.0;
            let members = clusters.members(cluster);
            added.extend(draw(self.costs(members), rng).map(|i| members[i]));
        }
        removed.truncate(added.len());
        Ok(removed.into_iter().zip(added).collect())
    }

    fn costs(&self, members: &[u32]) -> impl Iterator<Item = f64> + Clone {
        let distance = |&i: &u32| self.distances[2 * i as usize].max(0.0);
        members.iter().map(distance)
    }

    /// The clusters whose rows lose least by going to their second nearest
    /// centroid; of two neighbours only one, since the loss of the first
    /// counts on the second to stay.
    fn least_useful(&self, clusters: &Clusters, batch: usize) -> Vec<usize> {
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
            if !is_kept[j] && !removed.contains(&heir) {
                is_kept[heir] = true;
                removed.push(j);
            }
        }
        removed
    }
}

/// An index, drawn with probability proportional to the weights; `None` where
/// they are all 0.
fn draw(weights: impl Iterator<Item = f64> + Clone, rng: &mut Rng) -> Option<usize> {
    let total: f64 = weights.clone().sum();
    let mut target = rng.unit() * total;
    let mut drawn = None;
    for (i, weight) in weights.enumerate().filter(|&(_, weight)| weight > 0.0) {
        drawn = Some(i);
        if target < weight {
            break;
        }
        target -= weight;
    }
    drawn
}
