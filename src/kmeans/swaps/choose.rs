//! Which centroids to remove, and which clusters to split.

use super::rows::Swappable;
use crate::allocate::{collect, extend, push, try_vec, with_capacity};
use crate::clusters::Clusters;
use crate::clusters::UNASSIGNED;
use crate::error::Result;
use crate::kmeans::split::{SETTLED, Sampled, Split, sample, split};
use crate::metric::Metric;
use crate::nearest::sparse::Vectors;
use crate::nearest::{Centroids, Request};
use crate::rng::Rng;
use crate::threads::Threads;

/// Clusters per task.
const TASK_CLUSTERS: usize = 16;

/// A centroid is removed, and the members of another get two.
pub(super) struct Swap {
    pub removed: usize,
    pub split: usize,
    /// 2 × dimensions.
    pub halves: Vec<f32>,
}

/// A clustering, and what swaps need to know of it.
pub(super) struct Swaps<'a, P> {
    rows: &'a mut P,
    centroids: Centroids<'a>,
    /// Of the places of rows without repetitions.
    clusters: Clusters,
    /// Of every one of these, to its centroid.
    distances: Vec<f64>,
}

impl<'a, P: Swappable> Swaps<'a, P> {
    /// `labels` are of all rows.
    pub fn new(
        rows: &'a mut P,
        centroids: Centroids<'a>,
        labels: &[u32],
        threads: &Threads<'_>,
    ) -> Result<Self> {
        let (count, of_place) = (rows.count(), rows.unrepeated());
        let labels = (0..count).map(|place| labels[of_place.row(place)]);
        let labels: Vec<u32> = collect(labels, "labels")?;
        let mut distances = threads.try_vec(0.0, count, "distances")?;
        rows.distances((centroids, &labels), &mut distances, threads)?;
        let members = (0..).zip(labels.iter().copied());
        Ok(Swaps {
            rows,
            centroids,
            clusters: Clusters::from_pairs(members, centroids.len(), threads)?,
            distances,
        })
    }

    /// At most `batch` swaps of different clusters: the least useful centroids
    /// go where a split gains most, and at least `hope` times what they are
    /// missed for. The `skip` best splits are left out.
    pub fn choose(
        &mut self,
        batch: usize,
        skip: usize,
        hope: f64,
        rng: &mut Rng,
        threads: &Threads<'_>,
    ) -> Result<Vec<Swap>> {
        let mut splits = self.best_splits(batch + skip, rng, threads)?;
        splits.drain(..skip.min(splits.len()));
        if splits.is_empty() {
            return Ok(Vec::new());
        }
        let removed = self.least_useful(&splits, threads)?;
        let swaps = removed.into_iter().zip(splits);
        let swaps = swaps
            .take_while(|&((_, loss), (_, ref split))| split.gain >= hope * loss)
            .map(|((removed, _), (j, split))| Swap {
                removed,
                split: j,
                halves: split.halves,
            });
        collect(swaps, "swaps")
    }

    /// Clusters with their splits, the best first; sought where the inertia is.
    fn best_splits(
        &mut self,
        count: usize,
        rng: &mut Rng,
        threads: &Threads<'_>,
    ) -> Result<Vec<(usize, Split)>> {
        let (distances, weights) = (&self.distances, self.rows.unrepeated().weights());
        let cost = |row: u32| weight(weights, row) * distances[row as usize];
        let costs = sums(&self.clusters, cost, threads)?;
        let mut order = ascending(&costs)?;
        order.reverse();
        order.truncate(4 * count + 8);
        let mut splits: Vec<(usize, Rng, Sampled, Option<Split>)> =
            with_capacity(order.len(), "splits")?;
        for j in order {
            let mut rng = Rng::new(rng.next());
            let sampled = sample(self.clusters.members(j), weights, &mut rng)?;
            splits.push((j, rng, sampled, None));
        }
        let mut left = &mut splits[..];
        while !left.is_empty() {
            // As many samples as are to be had at once, at least one.
            let mut places = Vec::new();
            let mut count = 0;
            for (_, _, sampled, _) in left.iter() {
                let together = places.len() + sampled.rows.len();
                if count > 0 && together > self.rows.most_at_once() {
                    break;
                }
                extend(&mut places, sampled.rows.iter().copied(), "splits")?;
                count += 1;
            }
            let (some, others) = left.split_at_mut(count);
            let centroids = self.centroids;
            let metric = self.rows.shared().metric();
            self.rows.with(&places, threads, &mut |points| {
                let mut first = 0;
                let mut jobs = with_capacity(some.len(), "splits")?;
                for split in some.iter_mut() {
                    let rows = first..first + split.2.rows.len();
                    first = rows.end;
                    jobs.push((split, rows));
                }
                threads.run(
                    jobs.into_iter(),
                    || (),
                    |(), ((j, rng, sampled, found), rows)| {
                        let rows = (points, rows);
                        *found = split(rows, metric, sampled, (centroids.row(*j), SETTLED), rng)?;
                        Ok(())
                    },
                )
            })?;
            left = others;
        }
        // The least first, so that negative gains: equals keep their order.
        let losses = splits.iter().map(|(.., split)| match split {
            Some(split) => -split.gain,
            None => f64::INFINITY,
        });
        let losses: Vec<f64> = collect(losses, "splits")?;
        let mut best = with_capacity(count.min(splits.len()), "splits")?;
        for place in ascending(&losses)?.into_iter().take(count) {
            let (j, .., split) = &mut splits[place];
            best.extend(split.take().map(|split| (*j, split)));
        }
        Ok(best)
    }

    /// As many clusters as there are splits, none of them split: those whose
    /// rows lose least by going to other centroids, with that loss.
    fn least_useful(
        &mut self,
        splits: &[(usize, Split)],
        threads: &Threads<'_>,
    ) -> Result<Vec<(usize, f64)>> {
        let candidates = self.dispensable(splits, threads)?;
        let mut is_candidate = try_vec(false, self.centroids.len(), "candidates")?;
        for &j in &candidates {
            is_candidate[j] = true;
        }
        let others = (0..self.centroids.len()).filter(|&j| !is_candidate[j]);
        let mut values = with_capacity(self.centroids.values.len(), "centroids")?;
        others.for_each(|j| values.extend_from_slice(self.centroids.row(j)));
        let others = Centroids::new(&values, self.centroids.dims);

        let members = || candidates.iter().map(|&j| self.clusters.members(j));
        let count = members().map(<[u32]>::len).sum();
        let mut rows = with_capacity(count, "rows of candidates")?;
        members().for_each(|members| rows.extend_from_slice(members));
        let mut labels = try_vec(UNASSIGNED, rows.len(), "labels")?;
        let mut distances = try_vec(0.0, rows.len(), "distances")?;
        let found = (&mut labels[..], &mut distances[..]);
        self.rows.search(&rows, others, found, threads)?;

        let weights = self.rows.unrepeated().weights();
        let mut losses = rows.iter().zip(distances).map(|(&row, distance)| {
            weight(weights, row) * (distance - self.distances[row as usize])
        });
        let losses = candidates
            .iter()
            .map(|&j| losses.by_ref().take(self.clusters.size(j)).sum());
        let losses: Vec<f64> = collect(losses, "losses")?;
        let least = ascending(&losses)?.into_iter().take(splits.len());
        collect(least.map(|at| (candidates[at], losses[at])), "losses")
    }

    /// Half as many clusters again as there are splits, none of them split,
    /// with few rows that lie close to another centroid. Of two such neighbours
    /// only one, since the rows of each need the other.
    fn dispensable(&self, splits: &[(usize, Split)], threads: &Threads<'_>) -> Result<Vec<usize>> {
        let n_clusters = self.centroids.len();
        let metric = self.rows.shared().metric();
        let sparse = sparse_copy(self.centroids, metric)?;
        let points = match &sparse {
            Some(vectors) => vectors.points(self.centroids.dims)?,
            None => self.centroids.as_points(),
        };
        let mut neighbours = try_vec(0u32, 2 * n_clusters, "neighbours")?;
        let mut distances = try_vec(0.0, 2 * n_clusters, "neighbours")?;
        let request = Request::few(self.centroids, 2, &mut neighbours, Some(&mut distances));
        let mut nearest = self.rows.shared().nearest(&points, 1);
        nearest.search(request, threads)?;
        let weights = self.rows.unrepeated().weights();
        let size = |j: usize| {
            let own = self.clusters.members(j).iter();
            match weights {
                Some(_) => own.map(|&row| weight(weights, row)).sum(),
                None => own.len() as f64,
            }
        };
        let losses = (0..n_clusters).map(|j| size(j) * distances[2 * j + 1].max(0.0));
        let losses: Vec<f64> = collect(losses, "losses")?;
        let mut stays = try_vec(false, n_clusters, "candidates")?;
        for &(j, _) in splits {
            stays[j] = true;
        }
        let mut goes = try_vec(false, n_clusters, "candidates")?;
        let mut candidates = Vec::new();
        for j in ascending(&losses)? {
            if candidates.len() > splits.len() * 3 / 2 {
                break;
            }
            let pair = [neighbours[2 * j] as usize, neighbours[2 * j + 1] as usize];
            let neighbour = if pair[0] == j { pair[1] } else { pair[0] };
            if !stays[j] && !goes[neighbour] {
                goes[j] = true;
                stays[neighbour] = true;
                push(&mut candidates, j, "candidates")?;
            }
        }
        Ok(candidates)
    }
}

/// The centroids without zeros, where most of their numbers are these.
fn sparse_copy(centroids: Centroids<'_>, metric: Metric) -> Result<Option<Vectors>> {
    /// One number in so many.
    const SPARSE: usize = 8;
    let values = centroids.values;
    let numbers = values.iter().filter(|&&value| value != 0.0).count();
    match numbers * SPARSE < values.len() {
        true => Vectors::of_dense(values, centroids.dims, metric).map(Some),
        false => Ok(None),
    }
}

/// What a row weighs.
fn weight(weights: Option<&[f64]>, row: u32) -> f64 {
    weights.map_or(1.0, |weights| weights[row as usize])
}

/// The sum over each cluster's members.
fn sums(
    clusters: &Clusters,
    of: impl Fn(u32) -> f64 + Sync,
    threads: &Threads<'_>,
) -> Result<Vec<f64>> {
    let mut sums = try_vec(0.0, clusters.n_clusters(), "cluster sums")?;
    threads.run(
        sums.chunks_mut(TASK_CLUSTERS).enumerate(),
        || (),
        |(), (task, sums)| {
            for (j, sum) in (task * TASK_CLUSTERS..).zip(sums) {
                *sum = clusters.members(j).iter().map(|&row| of(row)).sum();
            }
        },
    )?;
    Ok(sums)
}

/// The indices of the values, from the least value to the largest, of equals
/// the lowest first.
fn ascending(values: &[f64]) -> Result<Vec<usize>> {
    let mut order: Vec<usize> = collect(0..values.len(), "ranks")?;
    order.sort_unstable_by(|&a, &b| values[a].total_cmp(&values[b]).then(a.cmp(&b)));
    Ok(order)
}
