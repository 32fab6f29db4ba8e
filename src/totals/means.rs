//! The centroids that sums make: means, or with cosine directions.

use super::centroid::{Columns, write_centroid};
use super::{Grid, Totals};
use crate::allocate::copy;
use crate::error::Result;
use crate::kernels::dispatch::{self, Work};
use crate::kernels::lanes::{LANES, Lanes};
use crate::threads::Threads;
use std::sync::atomic::{AtomicBool, Ordering};

impl Totals {
    /// Writes the mean of every cluster to `centroids` (n_clusters × dims);
    /// with cosine, the direction of the sum of its unit rows. A cluster that
    /// is empty, or whose unit rows cancel out, keeps the centroid it has.
    /// Returns whether any value changed.
    pub fn write_centroids(&self, centroids: &mut [f32], threads: &Threads<'_>) -> Result<bool> {
        let clusters = self.clusters_of_task();
        let changed = AtomicBool::new(false);
        threads.run(
            centroids
                .chunks_mut(clusters * self.grid.dims())
                .enumerate(),
            || (),
            |(), (task, centroids)| {
                let means = Means {
                    totals: self,
                    first: task * clusters,
                    centroids,
                };
                changed.fetch_or(dispatch::work(means), Ordering::Relaxed);
            },
        )?;
        Ok(changed.into_inner())
    }

    /// Moves the centroid of a cluster to the mean of its rows and of what weighed
    /// `before` in the centroid's place.
    pub fn move_centroid(&self, cluster: usize, before: f64, centroid: &mut [f32]) -> Result<()> {
        let weight = self.weight(cluster);
        if weight > 0.0 {
            let (sum, count) = (self.sum(cluster), self.counts[cluster] as i64);
            let place = copy(centroid, "a centroid")?;
            let value =
                |t: usize| before * f64::from(place[t]) + self.grid.read_one(sum, t, count).0;
            write_centroid(self.grid.metric(), before + weight, value, centroid);
        }
        Ok(())
    }
}

/// See [`Totals::write_centroids`]; `first` is the cluster of the first centroid.
struct Means<'m> {
    totals: &'m Totals,
    first: usize,
    centroids: &'m mut [f32],
}

impl Work for Means<'_> {
    type Output = bool;

    #[inline(always)]
    fn run<L: Lanes>(self, _: L) -> bool {
        let (totals, grid) = (self.totals, &self.totals.grid);
        let mut changed = false;
        let all = self.centroids.chunks_exact_mut(grid.dims());
        for (j, centroid) in (self.first..).zip(all) {
            let (sum, count) = (totals.sum(j), totals.counts[j] as i64);
            let (weight, _) = grid.read_weight(sum, count);
            if weight > 0.0 {
                let sum = Sum { grid, sum, count };
                changed |= write_centroid(grid.metric(), weight, sum, centroid);
            }
        }
        changed
    }
}

/// What the rows of a cluster add up to, rounded.
struct Sum<'s> {
    grid: &'s Grid,
    sum: &'s [i64],
    count: i64,
}

impl Columns for Sum<'_> {
    #[inline(always)]
    fn eight(&self, at: usize, _: usize) -> [f64; LANES] {
        self.grid.read(self.sum, at, self.count).0
    }
}
