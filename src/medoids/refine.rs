//! From medoids of a sample to medoids of all rows.

use super::assignment::Assignment;
use super::distances::Scaled;
use super::matrix::TILE;
use super::streaming;
use super::tiles::Scratch;
use crate::allocate::{collect, copy, extend, push, try_vec, with_capacity};
use crate::clusters::Clusters;
use crate::error::Result;
use crate::kernels::pairwise::PANEL;
use crate::nearest::{Centroids, Nearest};
use crate::rng::Rng;
use crate::threads::Threads;
use crate::totals::update_centroids;
use std::ops::Range;

/// Rounds at most.
const ROUNDS: usize = 3;

/// Members of each cluster that are tried as its medoid.
const TRIED: usize = 256;

/// Central members that are candidates, of all clusters together, at least.
const FEWEST_CENTRAL: usize = 2_000;

/// Members per task, at most, and values of all that are compared in one.
const TASK_MEMBERS: usize = 8 * TILE;
const TASK_VALUES: usize = TASK_MEMBERS * 2048;

/// Members that are looked at between two polls.
const STEP: usize = 1 << 16;

/// Swaps on, judged by all rows or many. Candidates are all rows where the
/// work allows it, else the most central members of each cluster, found anew
/// while the inertia falls. Clusters that are empty get a row of their own.
///
/// `cells` bounds the distances that are kept.
pub(crate) fn refine(
    nearest: &mut Nearest<'_>,
    scaled: &Scaled<'_>,
    mut medoids: Vec<usize>,
    cells: usize,
    rng: &mut Rng,
    threads: &Threads<'_>,
) -> Result<Assignment> {
    let try_all = streaming::can_try_all(scaled, medoids.len(), cells);
    if try_all {
        let order = rng.distinct(scaled.rows(), scaled.rows())?;
        let candidates = collect(order.into_iter().map(|row| row as u32), "candidates")?;
        medoids = streaming::swap(scaled, medoids, &candidates, cells, rng, threads)?;
    }
    let first = Assignment::new(nearest, scaled, medoids, threads)?;
    let mut best = first.filled(nearest, scaled, threads)?;
    let rounds = if try_all { 0 } else { ROUNDS };
    for _ in 0..rounds {
        if threads.stopping() {
            break;
        }
        let central = Central::find(nearest, scaled, &best, threads)?;
        let n_clusters = best.medoids.len();
        let share = FEWEST_CENTRAL.div_ceil(n_clusters);
        let mut medoids = with_capacity(n_clusters, "medoids")?;
        let mut candidates = Vec::new();
        for cluster in 0..n_clusters {
            let members = &central.rows[central.range(cluster)];
            push(&mut medoids, members[0] as usize, "medoids")?;
            let first = members.iter().copied().take(share);
            extend(&mut candidates, first, "candidates")?;
        }
        medoids = streaming::swap(scaled, medoids, &candidates, cells, rng, threads)?;
        let next = Assignment::new(nearest, scaled, medoids, threads)?;
        let gain = best.inertia - next.inertia;
        if gain > 0.0 {
            best = next;
        }
        if gain <= streaming::WORTHWHILE * best.inertia {
            break;
        }
    }
    best.filled(nearest, scaled, threads)
}

/// The medoid of each cluster and the members nearest to its mean, cluster by
/// cluster; first those with the least sums of distances to all members.
struct Central {
    rows: Vec<u32>,
    offsets: Vec<usize>,
}

impl Central {
    /// O(n·d·256).
    fn find(
        nearest: &Nearest<'_>,
        scaled: &Scaled<'_>,
        current: &Assignment,
        threads: &Threads<'_>,
    ) -> Result<Self> {
        let points = nearest.points();
        let n_clusters = current.medoids.len();
        let clusters = Clusters::from_labels(&current.labels, 1, n_clusters, threads)?;
        let mut means = copy(&current.centroids, "means")?;
        // Only where to look: different rows count alike.
        let unweighted = points.without_weights();
        let grid = nearest.child(&unweighted, 1).grid(threads)?;
        update_centroids(points, grid, &clusters, threads, &mut means)?;
        let mut to_mean = threads.try_vec(0.0f64, points.rows(), "distances to means")?;
        let means = Centroids::new(&means, points.cols());
        nearest.distances(means, threads, &current.labels, &mut to_mean)?;

        let mut central = Central {
            rows: Vec::new(),
            offsets: try_vec(0usize, n_clusters + 1, "central rows")?,
        };
        for (cluster, &medoid) in current.medoids.iter().enumerate() {
            let members = clusters.members(cluster);
            central.add(medoid as u32, members, &to_mean, threads)?;
            central.offsets[cluster + 1] = central.rows.len();
        }
        central.rank(scaled, &clusters, threads)?;
        Ok(central)
    }

    fn range(&self, cluster: usize) -> Range<usize> {
        self.offsets[cluster]..self.offsets[cluster + 1]
    }

    /// Adds a medoid and the [`TRIED`] other members nearest to their mean.
    fn add(
        &mut self,
        medoid: u32,
        members: &[u32],
        to_mean: &[f64],
        threads: &Threads<'_>,
    ) -> Result<()> {
        let distance = |row: u32| to_mean[row as usize];
        push(&mut self.rows, medoid, "central rows")?;
        let first = self.rows.len();
        for part in members.chunks(STEP) {
            let others = part.iter().copied().filter(|&row| row != medoid);
            extend(&mut self.rows, others, "central rows")?;
            let tried = &mut self.rows[first..];
            if tried.len() > TRIED {
                let order = |a: &u32, b: &u32| {
                    let by_distance = distance(*a).total_cmp(&distance(*b));
                    by_distance.then(a.cmp(b))
                };
                tried.select_nth_unstable_by(TRIED, order);
                self.rows.truncate(first + TRIED);
            }
            threads.poll()?;
        }
        self.rows[first..].sort_unstable();
        Ok(())
    }

    /// Sorts the rows of each cluster by the sums of their distances to all
    /// members.
    fn rank(
        &mut self,
        scaled: &Scaled<'_>,
        clusters: &Clusters,
        threads: &Threads<'_>,
    ) -> Result<()> {
        let purpose = "sums of distances";
        let size = TASK_VALUES / scaled.dims() / PANEL * PANEL;
        let size = size.clamp(PANEL, TASK_MEMBERS);
        let n_clusters = self.offsets.len() - 1;
        let mut sums = try_vec((0.0f64, 0u32), self.rows.len(), purpose)?;
        let parts = |cluster: usize| clusters.size(cluster).div_ceil(size);
        let cells = (0..n_clusters).map(|cluster| parts(cluster) * self.range(cluster).len());
        let mut values = threads.try_vec(0.0f64, cells.sum(), purpose)?;
        let mut left = &mut values[..];
        let mut tasks = Vec::new();
        for cluster in 0..n_clusters {
            let tried = &self.rows[self.range(cluster)];
            for members in clusters.members(cluster).chunks(size) {
                let (out, rest) = std::mem::take(&mut left).split_at_mut(tried.len());
                push(&mut tasks, (tried, members, out), purpose)?;
                left = rest;
            }
        }
        threads.run(
            tasks.into_iter(),
            Scratch::default,
            |scratch, (tried, members, out)| scaled.add_sums(tried, members, scratch, out),
        )?;
        let mut left = &values[..];
        for cluster in 0..n_clusters {
            let range = self.range(cluster);
            let sums = &mut sums[range.clone()];
            for (sum, &row) in sums.iter_mut().zip(&self.rows[range.clone()]) {
                sum.1 = row;
            }
            for _ in 0..parts(cluster) {
                let (part, rest) = left.split_at(sums.len());
                for (sum, part) in sums.iter_mut().zip(part) {
                    sum.0 += part;
                }
                left = rest;
            }
            // Of equals the medoid is the first.
            let medoid = sums[0].1;
            sums.sort_unstable_by(|a, b| {
                let place = |row: u32| (row != medoid, row);
                a.0.total_cmp(&b.0).then(place(a.1).cmp(&place(b.1)))
            });
            for (row, sum) in self.rows[range].iter_mut().zip(sums) {
                *row = sum.1;
            }
            threads.poll()?;
        }
        Ok(())
    }
}
