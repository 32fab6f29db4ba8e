//! Which centroids to remove, and which clusters to split.

use super::centroid_set::{CentroidSet, Swap};
use super::rows::Swappable;
use crate::allocate::{collect, extend, push, try_vec, with_capacity};
use crate::clusters::Clusters;
use crate::clusters::UNASSIGNED;
use crate::error::Result;
use crate::kmeans::split::{SETTLED, Sampled, sample, split};
use crate::rng::Rng;
use crate::threads::Threads;

/// Clusters per task.
const TASK_CLUSTERS: usize = 16;

/// A cluster, and what splitting it gains.
struct Best<P> {
    cluster: usize,
    gain: f64,
    halves: P,
}

/// A cluster with a sample of its rows, and the split that is found.
type Sought<P> = (usize, Rng, Sampled, Option<Best<P>>);

/// A clustering, and what swaps need to know of it.
pub(super) struct Swaps<'a, R: Swappable> {
    rows: &'a mut R,
    centroids: &'a R::Set,
    /// Of the places of rows without repetitions.
    clusters: Clusters,
    /// Of every one of these, to its centroid.
    distances: Vec<f64>,
}

impl<'a, R: Swappable> Swaps<'a, R> {
    /// `labels` are of all rows.
    pub fn new(
        rows: &'a mut R,
        centroids: &'a R::Set,
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
    ) -> Result<Vec<Swap<R::Set>>> {
        let mut splits = self.best_splits(batch + skip, rng, threads)?;
        splits.drain(..skip.min(splits.len()));
        if splits.is_empty() {
            return Ok(Vec::new());
        }
        let removed = self.least_useful(&splits, threads)?;
        let swaps = removed.into_iter().zip(splits);
        let swaps = swaps
            .take_while(|((_, loss), split)| split.gain >= hope * loss)
            .map(|((removed, _), split)| Swap {
                removed,
                split: split.cluster,
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
    ) -> Result<Vec<Best<R::Set>>> {
        let (distances, weights) = (&self.distances, self.rows.unrepeated().weights());
        let cost = |row: u32| weight(weights, row) * distances[row as usize];
        let costs = sums(&self.clusters, cost, threads)?;
        let mut order = ascending(&costs)?;
        order.reverse();
        order.truncate(4 * count + 8);
        let mut splits: Vec<Sought<R::Set>> = with_capacity(order.len(), "splits")?;
        for j in order {
            let mut rng = Rng::new(rng.next());
            let sampled = sample(self.clusters.members(j), weights, &mut rng)?;
            splits.push((j, rng, sampled, None));
        }
        let (mut done, mut ranked) = (0, Vec::new());
        while done < splits.len() {
            // As many samples as are to be had at once, at least one.
            let mut places = Vec::new();
            let mut end = done;
            for (_, _, sampled, _) in &splits[done..] {
                let together = places.len() + sampled.rows.len();
                if end > done && together > self.rows.most_at_once() {
                    break;
                }
                extend(&mut places, sampled.rows.iter().copied(), "splits")?;
                end += 1;
            }
            let some = &mut splits[done..end];
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
                    Vec::new,
                    |room, ((j, rng, sampled, found), rows)| {
                        let (rows, cluster) = ((points, rows), *j);
                        let centroid = (centroids.numbers(cluster, room)?, SETTLED);
                        if let Some(split) = split(rows, metric, sampled, centroid, rng)? {
                            *found = Some(Best {
                                cluster,
                                gain: split.gain,
                                halves: centroids.pair(split.halves)?,
                            });
                        }
                        Ok(())
                    },
                )
            })?;
            done = end;
            // The least first, so that negative gains: equals keep their order.
            let losses = splits[..done].iter().map(|(.., split)| match split {
                Some(split) => -split.gain,
                None => f64::INFINITY,
            });
            ranked = ascending(&collect(losses, "splits")?)?;
            let worse = ranked.iter().skip(count);
            worse.for_each(|&place| splits[place].3 = None);
        }
        let mut best = with_capacity(count.min(splits.len()), "splits")?;
        for place in ranked.into_iter().take(count) {
            best.extend(splits[place].3.take());
        }
        Ok(best)
    }

    /// As many clusters as there are splits, none of them split: those whose
    /// rows lose least by going to other centroids, with that loss.
    fn least_useful(
        &mut self,
        splits: &[Best<R::Set>],
        threads: &Threads<'_>,
    ) -> Result<Vec<(usize, f64)>> {
        let candidates = self.dispensable(splits, threads)?;
        let mut is_candidate = try_vec(false, self.centroids.len(), "candidates")?;
        for &j in &candidates {
            is_candidate[j] = true;
        }
        let others = (0..self.centroids.len()).filter(|&j| !is_candidate[j]);
        let others = self.centroids.some(&collect(others, "centroids")?)?;

        let members = || candidates.iter().map(|&j| self.clusters.members(j));
        let count = members().map(<[u32]>::len).sum();
        let mut rows = with_capacity(count, "rows of candidates")?;
        members().for_each(|members| rows.extend_from_slice(members));
        let mut labels = try_vec(UNASSIGNED, rows.len(), "labels")?;
        let mut distances = try_vec(0.0, rows.len(), "distances")?;
        let found = (&mut labels[..], &mut distances[..]);
        self.rows.search(&rows, &others, found, threads)?;

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
    fn dispensable(&self, splits: &[Best<R::Set>], threads: &Threads<'_>) -> Result<Vec<usize>> {
        let n_clusters = self.centroids.len();
        let mut neighbours = try_vec(0u32, 2 * n_clusters, "neighbours")?;
        let mut distances = try_vec(0.0, 2 * n_clusters, "neighbours")?;
        let found = (&mut neighbours[..], &mut distances[..]);
        let shared = self.rows.shared();
        self.centroids.nearest_two(&shared, found, threads)?;
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
        for split in splits {
            stays[split.cluster] = true;
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
