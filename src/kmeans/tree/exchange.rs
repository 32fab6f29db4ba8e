//! Moves centroids from where two are hardly better than one to where two would be
//! much better than one.

use super::cells::Near;
use crate::allocate::{collect, push, try_vec, with_capacity};
use crate::clusters::{Clusters, UNASSIGNED};
use crate::error::Result;
use crate::kmeans::split::{ABOUT, SETTLED, Split, sample, split};
use crate::metric::Metric;
use crate::nearest::{Centroids, Nearest, Row};
use crate::points::Points;
use crate::rng::Rng;
use crate::threads::{Poll, Threads};

/// What memory is for.
const PURPOSE: &str = "a tree of clusters";

/// Neighbours that a cluster may merge with.
pub(super) const NEIGHBOURS: usize = 8;

/// What a split must gain at least, in what the merge loses: the iterations that follow
/// raise the one and lower the other.
const LEAST_GAIN: f64 = 2.0 / 3.0;

/// Rows between two polls.
const STEP: usize = 4096;

/// A cluster that gets two centroids.
struct Gain {
    cluster: usize,
    seed: u64,
    /// By how much the inertia would fall.
    gain: f64,
    /// The inertia of the cluster.
    cost: f64,
    /// What its rows weigh.
    weight: f64,
}

/// Two clusters that get one centroid.
#[derive(Clone, Copy)]
struct Merge {
    loss: f64,
    kept: usize,
    removed: usize,
}

/// Pairs the splits that gain most with the merges that lose least, as long as that is
/// likely to pay. A merge loses what Ward's method says: n·m / (n + m) · ‖a − b‖²
/// between the means a of n rows and b of m.
pub(super) fn exchange(
    among: &Nearest<'_>,
    weights: Option<&[f64]>,
    centroids: &mut [f32],
    (clusters, labels): (&Clusters, &mut [u32]),
    near: &Near,
    rng: &mut Rng,
    threads: &Threads<'_>,
) -> Result<()> {
    let (points, metric) = (among.points(), among.metric());
    let (rows, dims) = ((points, weights), points.cols());
    let gains = gains(rows, metric, centroids, clusters, rng, threads)?;
    let now = Centroids::new(centroids, dims);
    let swaps = pair(&gains, merges(metric, now, &gains, near, threads)?)?;
    for (_, merge) in &swaps {
        merge_centroids(metric, centroids, dims, merge, &gains);
        for &row in clusters.members(merge.removed) {
            labels[row as usize] = merge.kept as u32;
        }
    }
    let mut splits = try_vec(None, swaps.len(), PURPOSE)?;
    let now = &*centroids;
    threads.run_long(
        swaps.iter().zip(&mut splits),
        || (),
        |(), (&(cluster, _), found), poll| {
            // From the same row as before, and to the end.
            let centroid = (&now[cluster * dims..][..dims], SETTLED);
            let (members, seed) = (clusters.members(cluster), gains[cluster].seed);
            let split = split_members(rows, metric, members, centroid, seed)?;
            if let Some(split) = split {
                let sides = sides(points, metric, members, &split.halves, poll)?;
                *found = Some((split.halves, sides));
            }
            Ok(())
        },
    )?;
    for ((cluster, merge), split) in swaps.iter().zip(splits) {
        let Some((halves, sides)) = split else {
            continue;
        };
        let (first, second) = halves.split_at(dims);
        centroids[cluster * dims..][..dims].copy_from_slice(first);
        centroids[merge.removed * dims..][..dims].copy_from_slice(second);
        for (&row, is_second) in clusters.members(*cluster).iter().zip(sides) {
            if is_second {
                labels[row as usize] = merge.removed as u32;
            }
        }
    }
    Ok(())
}

/// Splits, each with a merge that loses less than it gains; every cluster takes part in
/// one of them at most.
fn pair(gains: &[Gain], merges: Vec<Merge>) -> Result<Vec<(usize, Merge)>> {
    let mut order: Vec<usize> = collect(0..gains.len(), PURPOSE)?;
    order.sort_unstable_by(|&a, &b| gains[b].gain.total_cmp(&gains[a].gain).then(a.cmp(&b)));
    let mut busy = try_vec(false, gains.len(), PURPOSE)?;
    let mut swaps = Vec::new();
    let mut merges = merges.into_iter();
    for cluster in order {
        if busy[cluster] {
            continue;
        }
        // A merge of the cluster itself is left out: its centroids are far apart.
        busy[cluster] = true;
        let is_free = |merge: &Merge| !busy[merge.kept] && !busy[merge.removed];
        let Some(merge) = merges.find(is_free) else {
            break;
        };
        if gains[cluster].gain <= LEAST_GAIN * merge.loss {
            break;
        }
        (busy[merge.kept], busy[merge.removed]) = (true, true);
        push(&mut swaps, (cluster, merge), PURPOSE)?;
    }
    Ok(swaps)
}

/// What splitting each cluster gains.
fn gains(
    (points, weights): (&Points<'_>, Option<&[f64]>),
    metric: Metric,
    centroids: &[f32],
    clusters: &Clusters,
    rng: &mut Rng,
    threads: &Threads<'_>,
) -> Result<Vec<Gain>> {
    let dims = points.cols();
    let gains = (0..clusters.n_clusters()).map(|cluster| Gain {
        cluster,
        seed: rng.next(),
        gain: f64::NEG_INFINITY,
        cost: 0.0,
        weight: 0.0,
    });
    let mut gains: Vec<Gain> = collect(gains, PURPOSE)?;
    threads.run(
        gains.iter_mut(),
        || (),
        |(), gain| {
            let members = clusters.members(gain.cluster);
            gain.weight = match weights {
                Some(weights) => members.iter().map(|&row| weights[row as usize]).sum(),
                None => members.len() as f64,
            };
            let centroid = (&centroids[gain.cluster * dims..][..dims], ABOUT);
            let rows = (points, weights);
            let found = split_members(rows, metric, members, centroid, gain.seed)?;
            if let Some(split) = found {
                (gain.gain, gain.cost) = (split.gain, split.cost);
            }
            Ok(())
        },
    )?;
    Ok(gains)
}

/// A split of a cluster, given with its centroid.
fn split_members(
    (points, weights): (&Points<'_>, Option<&[f64]>),
    metric: Metric,
    members: &[u32],
    centroid: (&[f32], usize),
    seed: u64,
) -> Result<Option<Split>> {
    let mut rng = Rng::new(seed);
    let sampled = sample(members, weights, &mut rng)?;
    let chosen = points.select(&sampled.rows);
    let all = 0..chosen.rows();
    split((&chosen, all), metric, &sampled, centroid, &mut rng)
}

impl Gain {
    /// How much its centroid counts where clusters merge: what the rows weigh, or with
    /// cosine the length of the sum of unit rows, for their inertia is their weight
    /// less this.
    fn mass(&self, metric: Metric) -> f64 {
        match metric {
            Metric::Euclidean => self.weight,
            Metric::Cosine => (self.weight - self.cost).max(0.0),
        }
    }
}

/// Neighbours, by what merging them loses.
fn merges(
    metric: Metric,
    centroids: Centroids<'_>,
    gains: &[Gain],
    near: &Near,
    threads: &Threads<'_>,
) -> Result<Vec<Merge>> {
    let most = near.count.min(NEIGHBOURS + 1);
    let none = Merge {
        loss: f64::INFINITY,
        kept: 0,
        removed: 0,
    };
    let mut merges = try_vec(none, gains.len() * most, PURPOSE)?;
    threads.run(
        merges.chunks_mut(most).enumerate(),
        || (),
        |(), (cluster, merges)| {
            let row = Row::new(centroids.row(cluster), metric);
            let mass = gains[cluster].mass(metric);
            let others = near.neighbours[cluster * near.count..][..most].iter();
            for (merge, &other) in merges.iter_mut().zip(others) {
                if other != UNASSIGNED && other as usize != cluster {
                    let other = other as usize;
                    let distance = row.distance(centroids.row(other)).max(0.0);
                    *merge = Merge {
                        loss: loss(metric, mass, gains[other].mass(metric), distance),
                        kept: cluster.min(other),
                        removed: cluster.max(other),
                    };
                }
            }
        },
    )?;
    merges.retain(|merge| merge.loss < f64::INFINITY);
    let place = |merge: &Merge| (merge.kept, merge.removed);
    merges.sort_unstable_by(|a, b| a.loss.total_cmp(&b.loss).then(place(a).cmp(&place(b))));
    Ok(merges)
}

/// By how much the inertia grows where clusters merge whose centroids are so far apart.
fn loss(metric: Metric, a: f64, b: f64, distance: f64) -> f64 {
    if a <= 0.0 || b <= 0.0 {
        return 0.0;
    }
    match metric {
        Metric::Euclidean => a * b / (a + b) * distance,
        // The sums of unit rows become shorter: a + b − √(a² + b² + 2ab·cos).
        Metric::Cosine => {
            let together = ((a + b) * (a + b) - 2.0 * a * b * distance).max(0.0);
            2.0 * a * b * distance / (a + b + together.sqrt())
        }
    }
}

/// Puts the centroid of both in the place of the one that is kept.
fn merge_centroids(
    metric: Metric,
    centroids: &mut [f32],
    dims: usize,
    merge: &Merge,
    gains: &[Gain],
) {
    let (a, b) = (
        gains[merge.kept].mass(metric),
        gains[merge.removed].mass(metric),
    );
    if b <= 0.0 {
        return;
    }
    let (before, after) = centroids.split_at_mut(merge.removed * dims);
    let kept = &mut before[merge.kept * dims..][..dims];
    for (kept, &removed) in kept.iter_mut().zip(&after[..dims]) {
        *kept = ((a * f64::from(*kept) + b * f64::from(removed)) / (a + b)) as f32;
    }
    metric.normalize(kept);
}

/// For each of some rows, whether it is nearer to the second of two centroids.
fn sides(
    points: &Points<'_>,
    metric: Metric,
    rows: &[u32],
    halves: &[f32],
    poll: Poll<'_>,
) -> Result<Vec<bool>> {
    let (first, second) = halves.split_at(points.cols());
    let (first, second) = (Row::new(first, metric), Row::new(second, metric));
    let mut scratch = Vec::new();
    let mut sides = with_capacity(rows.len(), PURPOSE)?;
    for rows in rows.chunks(STEP) {
        for &row in rows {
            let row = Row::new(points.row(row as usize, &mut scratch)?, metric);
            sides.push(row.distance_to(&second) < row.distance_to(&first));
        }
        poll()?;
    }
    Ok(sides)
}
