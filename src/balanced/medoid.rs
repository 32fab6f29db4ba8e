//! The update step of balanced K-medoids: the best row of each cluster
//! (Park & Jun, 2009), the sizes being fixed.

use crate::allocate::{collect, extend, push, try_vec};
use crate::clusters::Clusters;
use crate::error::Result;
use crate::metric::Metric;
use crate::nearest::{Row, RowScratch};
use crate::points::{Points, SparseRows};
use crate::threads::Threads;

/// In larger clusters only this many rows, the nearest to the mean, are tried.
const MAX_TRIED: usize = 64;

/// Members whose distances are summed at a time: at most this many, and in so
/// many dimensions that they and what is tried come to some milliseconds.
const PIECE_MEMBERS: usize = 2048;
const PIECE_VALUES: usize = 1 << 20;

/// Values of the candidates that are held at a time.
const HELD_VALUES: usize = 1 << 18;

/// Finds the row of each cluster with the least sum of (non-squared)
/// distances to the others, times what these weigh, and makes it the centroid,
/// which is its mean before. Rows of weight 0 are no medoids where a cluster has
/// others. `medoids` holds those of the iteration before, if any; they are tried
/// too.
///
/// O(n·d·min(size, 64)).
pub(super) fn update_medoids(
    points: &Points<'_>,
    metric: Metric,
    clusters: &Clusters,
    threads: &Threads<'_>,
    medoids: &mut [Option<u32>],
    centroids: &mut [f32],
) -> Result<()> {
    let pieces = Pieces::of(clusters, points.cols())?;
    let tried = Tried::choose(
        points, metric, clusters, &pieces, threads, medoids, centroids,
    )?;
    let mut sums = try_vec(0.0f64, tried.rows.len(), "sums of distances")?;
    tried.sum_up(points, metric, &pieces, threads, &mut sums)?;
    let clusters = centroids.chunks_exact_mut(points.cols()).zip(medoids);
    let mut scratch = Vec::new();
    for (j, (centroid, medoid)) in clusters.enumerate() {
        let pairs = sums[tried.range(j)].iter().zip(&tried.rows[tried.range(j)]);
        let best = pairs.min_by(|a, b| a.0.total_cmp(b.0).then(a.1.cmp(b.1)));
        *medoid = best.map(|(_, &row)| row);
        if let Some(row) = *medoid {
            centroid.copy_from_slice(points.row(row as usize, &mut scratch)?);
            metric.normalize(centroid);
        }
        threads.poll()?;
    }
    Ok(())
}

/// The members of every cluster in pieces, whose borders depend on the
/// member's rank alone.
struct Pieces<'c>(Vec<(usize, &'c [u32])>);

impl<'c> Pieces<'c> {
    fn of(clusters: &'c Clusters, dims: usize) -> Result<Self> {
        let size = (PIECE_VALUES / dims).clamp(1, PIECE_MEMBERS);
        let mut pieces = Vec::new();
        for j in 0..clusters.n_clusters() {
            let parts = clusters.members(j).chunks(size);
            extend(&mut pieces, parts.map(|part| (j, part)), "cluster pieces")?;
        }
        Ok(Pieces(pieces))
    }
}

/// The rows that may become medoids, cluster by cluster.
struct Tried {
    rows: Vec<u32>,
    offsets: Vec<usize>,
}

impl Tried {
    /// Of each cluster the members nearest to the mean, and the last medoid if
    /// it is among the members: so no row is the medoid of two clusters.
    fn choose(
        points: &Points<'_>,
        metric: Metric,
        clusters: &Clusters,
        pieces: &Pieces<'_>,
        threads: &Threads<'_>,
        medoids: &[Option<u32>],
        means: &[f32],
    ) -> Result<Self> {
        let dims = points.cols();
        let purpose = "distances to means";
        let mut to_mean = threads.try_vec((0.0f64, 0u32), clusters.members.len(), purpose)?;
        let mut left = &mut to_mean[..];
        let mut parts = Vec::new();
        for &(j, members) in &pieces.0 {
            let (part, rest) = std::mem::take(&mut left).split_at_mut(members.len());
            push(&mut parts, (j, members, part), purpose)?;
            left = rest;
        }
        threads.run(
            parts.into_iter(),
            RowScratch::default,
            |scratch, (j, members, to_mean)| {
                let mean = Row::new(&means[j * dims..][..dims], metric);
                for (&row, to_mean) in members.iter().zip(to_mean) {
                    let distance = match points.weight(row as usize) {
                        0.0 => f64::INFINITY,
                        _ => {
                            let row = scratch.row(points, row as usize, metric)?;
                            row.distance_to(&mean)
                        }
                    };
                    *to_mean = (distance, row);
                }
                Ok(())
            },
        )?;

        let order = |a: &(f64, u32), b: &(f64, u32)| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1));
        let mut tried = Tried {
            rows: Vec::new(),
            offsets: try_vec(0, clusters.n_clusters() + 1, "candidates")?,
        };
        for (j, last) in medoids.iter().enumerate() {
            let members = clusters.offsets[j]..clusters.offsets[j + 1];
            let mut nearest = &mut to_mean[members];
            if nearest.len() > MAX_TRIED {
                nearest.select_nth_unstable_by(MAX_TRIED, order);
                nearest = &mut nearest[..MAX_TRIED];
            }
            let weighs = |row: &u32| points.weight(*row as usize) > 0.0;
            if nearest.iter().any(|(_, row)| weighs(row)) {
                nearest.sort_unstable_by(order);
                let count = nearest.partition_point(|(distance, _)| distance.is_finite());
                nearest = &mut nearest[..count];
            }
            let is_new = |row: &u32| nearest.iter().all(|(_, tried)| tried != row);
            let is_member = |row: &u32| clusters.members(j).binary_search(row).is_ok();
            let last = last.filter(|row| is_member(row) && is_new(row) && weighs(row));
            let rows = nearest.iter().map(|&(_, row)| row);
            extend(&mut tried.rows, rows.chain(last), "candidates")?;
            tried.offsets[j + 1] = tried.rows.len();
            threads.poll()?;
        }
        Ok(tried)
    }

    fn range(&self, cluster: usize) -> std::ops::Range<usize> {
        self.offsets[cluster]..self.offsets[cluster + 1]
    }

    /// Writes the sum of each tried row's distances to its cluster.
    fn sum_up(
        &self,
        points: &Points<'_>,
        metric: Metric,
        pieces: &Pieces<'_>,
        threads: &Threads<'_>,
        sums: &mut [f64],
    ) -> Result<()> {
        let purpose = "sums of distances";
        let of = |&(j, _): &(usize, &[u32])| self.range(j).len();
        let mut values = threads.try_vec(0.0f64, pieces.0.iter().map(of).sum(), purpose)?;
        let mut left = &mut values[..];
        let mut parts = Vec::new();
        for piece in &pieces.0 {
            let (part, rest) = std::mem::take(&mut left).split_at_mut(of(piece));
            push(&mut parts, (*piece, part), purpose)?;
            left = rest;
        }
        threads.run(
            parts.into_iter(),
            Scratch::default,
            |scratch, ((j, members), sums)| {
                let tried = &self.rows[self.range(j)];
                add_distances(points, metric, tried, members, scratch, sums)
            },
        )?;
        let mut left = &values[..];
        for piece in &pieces.0 {
            let (part, rest) = left.split_at(of(piece));
            let sums = &mut sums[self.range(piece.0)];
            sums.iter_mut()
                .zip(part)
                .for_each(|(sum, part)| *sum += part);
            left = rest;
        }
        Ok(())
    }
}

/// A worker's buffers.
#[derive(Default)]
struct Scratch {
    scratch: RowScratch,
    row: Vec<f32>,
    held: Vec<f32>,
    sparse: [SparseRows; 2],
}

/// Adds the distances of `members` to each of `tried` to its sum.
fn add_distances(
    points: &Points<'_>,
    metric: Metric,
    tried: &[u32],
    members: &[u32],
    scratch: &mut Scratch,
    sums: &mut [f64],
) -> Result<()> {
    let Scratch {
        scratch,
        row,
        held,
        sparse,
    } = scratch;
    if points.reads_sparse() && metric == Metric::Euclidean {
        let [candidates, member] = sparse;
        let chosen = points.select(tried);
        chosen.read_sparse(0..tried.len(), candidates)?;
        for &number in members {
            points.read_sparse(number as usize..number as usize + 1, member)?;
            let (weight, member) = (points.weight(number as usize), member.row(0));
            for (candidate, sum) in candidates.rows().zip(sums.iter_mut()) {
                *sum += weight * member.squared_distance(candidate).sqrt();
            }
        }
        return Ok(());
    }
    let dims = points.cols();
    let at_once = (HELD_VALUES / dims).max(1);
    for (tried, sums) in tried.chunks(at_once).zip(sums.chunks_mut(at_once)) {
        held.clear();
        for &candidate in tried {
            let values = points.row(candidate as usize, row)?;
            extend(held, values.iter().copied(), "candidates")?;
        }
        for candidate in held.chunks_exact_mut(dims) {
            metric.normalize(candidate);
        }
        let candidates = held.chunks_exact(dims).map(|row| Row::new(row, metric));
        let candidates: Vec<Row<'_>> = collect(candidates, "candidates")?;
        for &member in members {
            let weight = points.weight(member as usize);
            let member = scratch.row(points, member as usize, metric)?;
            for (candidate, sum) in candidates.iter().zip(sums.iter_mut()) {
                *sum += weight * metric.unsquared(member.distance_to(candidate));
            }
        }
    }
    Ok(())
}
