//! Which centroids to remove, and which clusters to split.

use super::split::{Split, split};
use crate::clusters::Clusters;
use crate::error::{Result, try_vec};
use crate::nearest::{Centroids, Nearest, UNASSIGNED};
use crate::rng::Rng;
use crate::threads::Threads;

/// A swap is worth a trial if its estimated gain is at least this part of its
/// estimated loss: iterations raise the first and lower the second.
const HOPE: f64 = 0.5;

/// A centroid is removed, and another cluster gets two.
pub(super) struct Swap {
    pub removed: usize,
    pub split: usize,
    /// 2 × dimensions.
    pub halves: Vec<f32>,
}

/// The two nearest centroids of every row, side by side.
pub(super) struct Pairs {
    labels: Vec<u32>,
    distances: Vec<f64>,
}

impl Pairs {
    pub fn new(rows: usize) -> Result<Self> {
        Ok(Pairs {
            labels: try_vec(UNASSIGNED, 2 * rows, "labels")?,
            distances: try_vec(0.0, 2 * rows, "distances")?,
        })
    }

    pub fn find(
        &mut self,
        nearest: &mut Nearest<'_>,
        centroids: &[f32],
        threads: &Threads<'_>,
    ) -> Result<()> {
        let centroids = Centroids::new(centroids, nearest.points().cols());
        let distances = Some(&mut self.distances[..]);
        nearest.top(centroids, threads, 2, &mut self.labels, distances)
    }

    fn heir(&self, row: u32) -> usize {
        self.labels[2 * row as usize + 1] as usize
    }
}

/// At most `batch` swaps of different clusters: the least useful centroids go
/// where a split gains most. The `skip` best splits are left out.
pub(super) fn choose_swaps(
    nearest: &Nearest<'_>,
    pairs: &Pairs,
    centroids: &[f32],
    batch: usize,
    skip: usize,
    rng: &mut Rng,
    threads: &Threads<'_>,
) -> Result<Vec<Swap>> {
    let dims = nearest.points().cols();
    let n_clusters = centroids.len() / dims;
    let own = pairs.labels.iter().step_by(2).copied();
    let clusters = Clusters::from_pairs((0..).zip(own), n_clusters)?;

    let mut costs = vec![0.0; n_clusters];
    let mut losses = vec![0.0; n_clusters];
    for (labels, distances) in pairs
        .labels
        .chunks_exact(2)
        .zip(pairs.distances.chunks_exact(2))
    {
        costs[labels[0] as usize] += distances[0];
        losses[labels[0] as usize] += distances[1] - distances[0];
    }

    let mut by_cost: Vec<usize> = (0..n_clusters).collect();
    by_cost.sort_by(|&a, &b| costs[b].total_cmp(&costs[a]));
    by_cost.truncate(4 * batch + 8);
    let mut splits: Vec<(usize, u64, Option<Split>)> =
        by_cost.into_iter().map(|j| (j, rng.next(), None)).collect();
    threads.run(
        splits.iter_mut(),
        || (),
        |(), (j, seed, found)| {
            let centroid = &centroids[*j * dims..][..dims];
            *found = split(
                nearest.points(),
                nearest.metric(),
                clusters.members(*j),
                centroid,
                *seed,
            );
        },
    )?;
    let mut splits: Vec<(usize, Split)> = splits
        .into_iter()
        .filter_map(|(j, _, split)| Some((j, split?)))
        .collect();
    splits.sort_by(|a, b| b.1.gain.total_cmp(&a.1.gain));
    splits.drain(..skip.min(splits.len()));
    splits.truncate(batch);

    let wanted: Vec<usize> = splits.iter().map(|&(j, _)| j).collect();
    let removed = least_useful(pairs, &clusters, &losses, &wanted);
    let swaps = removed.into_iter().zip(splits);
    Ok(swaps
        .take_while(|&(removed, (_, ref split))| split.gain >= std::env::var("HOPE").map_or(HOPE, |v| v.parse().unwrap()) * losses[removed])
        .map(|(removed, (j, split))| Swap {
            removed,
            split: j,
            halves: split.halves,
        })
        .collect())
}

/// The clusters whose rows lose least by going to their second nearest
/// centroids, as many as are `wanted`, and none of these. Of two neighbours
/// only one: the loss of the first counts on the second to stay.
fn least_useful(
    pairs: &Pairs,
    clusters: &Clusters,
    losses: &[f64],
    wanted: &[usize],
) -> Vec<usize> {
    let mut order: Vec<usize> = (0..losses.len()).collect();
    order.sort_by(|&a, &b| losses[a].total_cmp(&losses[b]));
    let mut stays = vec![false; losses.len()];
    for &j in wanted {
        stays[j] = true;
    }
    let mut goes = vec![false; losses.len()];
    let mut removed = Vec::with_capacity(wanted.len());
    let mut heirs = Vec::new();
    for j in order {
        if removed.len() == wanted.len() {
            break;
        }
        if stays[j] {
            continue;
        }
        heirs.clear();
        heirs.extend(clusters.members(j).iter().map(|&row| pairs.heir(row)));
        let heir = most_frequent(&mut heirs);
        if heir.is_none_or(|heir| !goes[heir]) {
            goes[j] = true;
            removed.push(j);
            if let Some(heir) = heir {
                stays[heir] = true;
            }
        }
    }
    removed
}

/// The lowest of the most frequent numbers.
fn most_frequent(numbers: &mut [usize]) -> Option<usize> {
    numbers.sort_unstable();
    let runs = numbers.chunk_by(|a, b| a == b);
    runs.rev().max_by_key(|run| run.len()).map(|run| run[0])
}
