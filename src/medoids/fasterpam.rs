//! Eager swapping: FasterPAM (Schubert & Rousseeuw, "Fast and eager k-medoids
//! clustering: O(k) runtime improvement of the PAM, CLARA, and CLARANS
//! algorithms", 2021).

use super::matrix::Distances;
use crate::allocate::{push, resize, try_vec};
use crate::error::Result;
use crate::kernels::accumulate::prefetch;
use crate::kernels::pairwise::mark_below;
use crate::threads::Threads;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Candidates that are tried at a time, and of them per task.
const BATCH: usize = 512;
const TASK_CANDIDATES: usize = 8;
/// Distances of the next candidate that are fetched ahead.
const AHEAD: usize = 512;

/// A swap must lower the loss by more than this fraction of it: less is
/// within the rounding of the distances.
const LEAST_GAIN: f64 = 1e-9;

/// Medoids with what each point needs to know of them.
///
/// The distances are passed to each call; a candidate is a row of them.
pub(crate) struct Swapping {
    /// The candidate that is each cluster's medoid.
    medoids: Vec<usize>,
    /// Each point's nearest and second nearest medoid, as cluster numbers.
    nearest: Vec<u32>,
    second: Vec<u32>,
    to_nearest: Vec<f32>,
    to_second: Vec<f32>,
    /// How much the loss grows if a medoid is taken away.
    removal: Vec<f64>,
    loss: f64,
    /// Points that lost their nearest or second nearest medoid.
    bereft: Vec<usize>,
}

/// The best that a candidate can do.
#[derive(Clone, Copy)]
struct Swap {
    /// The cluster whose medoid it would replace.
    cluster: usize,
    /// How much the loss changes.
    change: f64,
}

impl Swapping {
    /// `medoids`: at least two candidates.
    pub fn new(distances: &Distances, medoids: Vec<usize>, threads: &Threads<'_>) -> Result<Self> {
        debug_assert!(medoids.len() >= 2);
        let points = distances.points();
        let mut swapping = Swapping {
            nearest: try_vec(0u32, points, "nearest medoids")?,
            second: try_vec(0u32, points, "second nearest medoids")?,
            to_nearest: try_vec(f32::INFINITY, points, "distances to medoids")?,
            to_second: try_vec(f32::INFINITY, points, "distances to medoids")?,
            removal: try_vec(0.0, medoids.len(), "medoids")?,
            medoids,
            loss: 0.0,
            bereft: Vec::new(),
        };
        for (cluster, &medoid) in swapping.medoids.iter().enumerate() {
            for (o, &distance) in distances.row(medoid).iter().enumerate() {
                if distance < swapping.to_nearest[o] {
                    swapping.second[o] = swapping.nearest[o];
                    swapping.to_second[o] = swapping.to_nearest[o];
                    swapping.nearest[o] = cluster as u32;
                    swapping.to_nearest[o] = distance;
                } else if distance < swapping.to_second[o] {
                    swapping.second[o] = cluster as u32;
                    swapping.to_second[o] = distance;
                }
            }
            threads.poll()?;
        }
        swapping.sum_up();
        Ok(swapping)
    }

    pub fn medoids(&self) -> &[usize] {
        &self.medoids
    }

    pub fn into_medoids(self) -> Vec<usize> {
        self.medoids
    }

    /// Says that a cluster's medoid is now another row of the distances.
    pub fn rename_medoid(&mut self, cluster: usize, candidate: usize) {
        self.medoids[cluster] = candidate;
    }

    /// The cluster of each point.
    pub fn nearest(&self) -> &[u32] {
        &self.nearest
    }

    /// The sum of the points' distances to their nearest medoids.
    pub fn loss(&self) -> f64 {
        self.loss
    }

    /// Tries candidates in the given order and swaps each in at once where
    /// that lowers the loss. Returns the number of swaps.
    ///
    /// Threads try candidates ahead, but the first improvement in order is
    /// the one that is taken: swaps don't depend on the number of threads.
    ///
    /// O(candidates · (points + k)), and O(points + k · points of the cluster)
    /// for each swap.
    pub fn pass(
        &mut self,
        distances: &Distances,
        order: &[usize],
        threads: &Threads<'_>,
    ) -> Result<usize> {
        let mut is_medoid = try_vec(false, distances.candidates(), "medoid flags")?;
        for &medoid in &self.medoids {
            is_medoid[medoid] = true;
        }
        let mut swaps = 0;
        let mut next = 0;
        let mut found: Vec<Option<Swap>> = Vec::new();
        while next < order.len() {
            let end = order.len().min(next + BATCH);
            found.clear();
            resize(&mut found, end - next, None, "candidates")?;
            // The first improvement, as its place in the order.
            let first = AtomicUsize::new(usize::MAX);
            threads.run(
                found.chunks_mut(TASK_CANDIDATES).enumerate(),
                Trial::default,
                |trial, (task, found)| {
                    for (offset, found) in found.iter_mut().enumerate() {
                        let place = next + task * TASK_CANDIDATES + offset;
                        if place > first.load(Ordering::Relaxed) {
                            break;
                        }
                        let candidate = order[place];
                        if is_medoid[candidate] {
                            continue;
                        }
                        // The order is random: no hardware foresees where the
                        // next row begins.
                        if let Some(&next) = order.get(place + 1) {
                            prefetch(&distances.row(next)[..distances.points().min(AHEAD)]);
                        }
                        let swap = self.try_candidate(distances.row(candidate), trial)?;
                        if swap.change < -LEAST_GAIN * self.loss {
                            *found = Some(swap);
                            first.fetch_min(place, Ordering::Relaxed);
                            break;
                        }
                    }
                    Ok(())
                },
            )?;
            let improvement = found.iter().position(Option::is_some);
            match improvement.and_then(|offset| Some((next + offset, found[offset]?))) {
                None => next = end,
                Some((place, swap)) => {
                    let candidate = order[place];
                    is_medoid[self.medoids[swap.cluster]] = false;
                    is_medoid[candidate] = true;
                    self.swap(distances, candidate, swap.cluster, threads)?;
                    swaps += 1;
                    next = place + 1;
                }
            }
        }
        Ok(swaps)
    }

    /// The best swap of a candidate with any of the medoids.
    fn try_candidate(&self, row: &[f32], trial: &mut Trial) -> Result<Swap> {
        resize(&mut trial.bits, row.len().div_ceil(64), 0, "a candidate")?;
        resize(&mut trial.change, self.removal.len(), 0.0, "a candidate")?;
        trial.change.copy_from_slice(&self.removal);
        mark_below(row, &self.to_second, &mut trial.bits);
        // What the candidate gains whichever medoid it replaces.
        let mut shared = 0.0;
        for (word, &bits) in trial.bits.iter().enumerate() {
            let mut bits = bits;
            while bits != 0 {
                let o = word * 64 + bits.trailing_zeros() as usize;
                bits &= bits - 1;
                let distance = f64::from(row[o]);
                let to_nearest = f64::from(self.to_nearest[o]);
                let to_second = f64::from(self.to_second[o]);
                let change = &mut trial.change[self.nearest[o] as usize];
                if distance < to_nearest {
                    shared += distance - to_nearest;
                    *change += to_nearest - to_second;
                } else {
                    *change += distance - to_second;
                }
            }
        }
        let mut best = Swap {
            cluster: 0,
            change: f64::INFINITY,
        };
        for (cluster, &change) in trial.change.iter().enumerate() {
            if change < best.change {
                best = Swap { cluster, change };
            }
        }
        best.change += shared;
        Ok(best)
    }

    fn swap(
        &mut self,
        distances: &Distances,
        candidate: usize,
        cluster: usize,
        threads: &Threads<'_>,
    ) -> Result<()> {
        self.medoids[cluster] = candidate;
        let replaced = cluster as u32;
        self.bereft.clear();
        for (o, &distance) in distances.row(candidate).iter().enumerate() {
            if self.nearest[o] == replaced {
                if distance <= self.to_second[o] {
                    self.to_nearest[o] = distance;
                } else {
                    self.nearest[o] = self.second[o];
                    self.to_nearest[o] = self.to_second[o];
                    push(&mut self.bereft, o, "points of a cluster")?;
                }
            } else if distance < self.to_nearest[o] {
                self.second[o] = self.nearest[o];
                self.to_second[o] = self.to_nearest[o];
                self.nearest[o] = replaced;
                self.to_nearest[o] = distance;
            } else if distance <= self.to_second[o] {
                self.second[o] = replaced;
                self.to_second[o] = distance;
            } else if self.second[o] == replaced {
                push(&mut self.bereft, o, "points of a cluster")?;
            }
        }
        self.find_second(distances, threads)?;
        self.sum_up();
        Ok(())
    }

    fn find_second(&mut self, distances: &Distances, threads: &Threads<'_>) -> Result<()> {
        for &o in &self.bereft {
            self.to_second[o] = f32::INFINITY;
        }
        for (cluster, &medoid) in self.medoids.iter().enumerate() {
            let row = distances.row(medoid);
            for &o in &self.bereft {
                if row[o] < self.to_second[o] && self.nearest[o] != cluster as u32 {
                    self.second[o] = cluster as u32;
                    self.to_second[o] = row[o];
                }
            }
            threads.poll()?;
        }
        Ok(())
    }

    fn sum_up(&mut self) {
        self.removal.fill(0.0);
        self.loss = 0.0;
        for (o, &cluster) in self.nearest.iter().enumerate() {
            let to_nearest = f64::from(self.to_nearest[o]);
            self.loss += to_nearest;
            self.removal[cluster as usize] += f64::from(self.to_second[o]) - to_nearest;
        }
    }
}

/// What one worker needs to try a candidate.
#[derive(Default)]
struct Trial {
    bits: Vec<u64>,
    change: Vec<f64>,
}

/// The candidate with the least sum of distances, and that sum: the best
/// medoid of a single cluster.
pub(crate) fn best_single(distances: &Distances, threads: &Threads<'_>) -> Result<(usize, f64)> {
    let mut sums = try_vec(0.0f64, distances.candidates(), "candidate sums")?;
    let tasks = sums.chunks_mut(TASK_CANDIDATES).enumerate();
    threads.run(
        tasks,
        || (),
        |(), (task, sums)| {
            for (offset, sum) in sums.iter_mut().enumerate() {
                let row = distances.row(task * TASK_CANDIDATES + offset);
                *sum = row.iter().map(|&d| f64::from(d)).sum();
            }
        },
    )?;
    let order = |a: &(usize, f64), b: &(usize, f64)| a.1.total_cmp(&b.1);
    let best = sums.into_iter().enumerate().min_by(order);
    Ok(best.expect("there are candidates"))
}
