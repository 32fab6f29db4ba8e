//! Which cluster every row is in, and what the clusters add up to: the state
//! of Lloyd's algorithm between two iterations.

use crate::allocate::try_vec;
use crate::clusters::Clusters;
use crate::error::Result;
use crate::metric::Metric;
use crate::nearest::{Centroids, Nearest, Row, UNASSIGNED, Visit};
use crate::points::Points;
use crate::threads::Threads;
use crate::update::{Changes, Sign, Totals};

/// Rows per task where rows are only looked at once.
const TASK_ROWS: usize = 4096;

/// Rows that are read at a time.
const BLOCK_ROWS: usize = 1024;

/// A cluster is summed anew when rounding may have moved its sum by more than
/// this fraction.
const DRIFT_LIMIT: f64 = 1.0 / (1u64 << 36) as f64;

/// Sorted rows are given up when a pass computes more than this fraction of
/// all distances: brute force is faster.
const SORTED_LIMIT: f64 = 0.25;

/// Up to this many sums (n_clusters × dims) fit into a core's cache, and rows
/// are added as they come; with more, cluster by cluster.
const CACHED_SUMS: usize = 1 << 17;

/// Chunks of rows that are summed apart, at most, and bytes for their sums.
const MAX_CHUNKS: usize = 64;
const CHUNK_BYTES: usize = 8 << 20;

pub(crate) struct Partition {
    /// In the order of the points; behind if only sorted rows know the labels.
    labels: Vec<u32>,
    behind: bool,
    totals: Totals,
    /// Whether `totals` are what the last assignment adds up to, from scratch.
    fresh: bool,
    /// A bound on each cluster's absolute rounding error since it was last
    /// summed anew.
    drift: Vec<f64>,
    method: Method,
    /// Σ‖x − origin‖², or with cosine the number of rows; once it was needed.
    spread: Option<f64>,
}

/// How totals follow the labels.
enum Method {
    /// Row by row while they are assigned, in chunks of rows.
    Chunks {
        changes: Vec<Changes>,
        /// Rows per chunk.
        rows: usize,
    },
    /// Cluster by cluster, after all rows are assigned. Holds the labels that
    /// the totals stand for.
    Clusters { summed: Vec<u32> },
}

impl Partition {
    /// Of rows that are in no cluster yet.
    pub fn new(
        nearest: &mut Nearest<'_>,
        centroids: &[f32],
        threads: &Threads<'_>,
    ) -> Result<Self> {
        let n_clusters = centroids.len() / nearest.points().cols();
        nearest.sort_rows(n_clusters, threads)?;
        Self::unsorted(nearest, centroids)
    }

    /// Of rows that are in no cluster yet, for searches with a bias: sorted
    /// rows have none.
    pub fn unsorted(nearest: &Nearest<'_>, centroids: &[f32]) -> Result<Self> {
        let (rows, dims) = (nearest.points().rows(), nearest.points().cols());
        let n_clusters = centroids.len() / dims;
        let totals = Totals::new(nearest.metric(), centroids, dims)?;
        Ok(Partition {
            labels: try_vec(UNASSIGNED, rows, "labels")?,
            behind: false,
            method: Method::new(rows, &totals)?,
            totals,
            fresh: false,
            drift: try_vec(0.0, n_clusters, "cluster sums")?,
            spread: None,
        })
    }

    pub fn totals(&self) -> &Totals {
        &self.totals
    }

    /// In the order of the points.
    pub fn labels(&mut self, nearest: &Nearest<'_>) -> &[u32] {
        if self.behind
            && let Some(sorted) = nearest.sorted()
        {
            sorted.write_labels(&mut self.labels);
            self.behind = false;
        }
        &self.labels
    }

    pub fn into_labels(mut self, nearest: &Nearest<'_>) -> Vec<u32> {
        self.labels(nearest);
        self.labels
    }

    /// Assigns every row to its nearest centroid, and makes the totals follow;
    /// with `anew`, from scratch. Returns how many rows changed.
    pub fn assign(
        &mut self,
        nearest: &mut Nearest<'_>,
        centroids: &[f32],
        threads: &Threads<'_>,
        anew: bool,
    ) -> Result<usize> {
        let centroids = Centroids::new(centroids, self.totals.dims());
        if nearest.sorted().is_some() {
            return self.assign_sorted(nearest, centroids, threads);
        }
        self.assign_unsorted(nearest, centroids, threads, anew)
    }

    /// [`assign`](Self::assign) for rows that are not sorted.
    pub fn assign_unsorted(
        &mut self,
        nearest: &mut Nearest<'_>,
        centroids: Centroids<'_>,
        threads: &Threads<'_>,
        anew: bool,
    ) -> Result<usize> {
        match &mut self.method {
            Method::Chunks { changes, rows } => {
                changes.iter_mut().for_each(Changes::clear);
                let anew = anew || self.totals.counts.iter().all(|&count| count == 0);
                let (labels, totals) = (&mut self.labels, &self.totals);
                let visitors = (*rows, &mut *changes, || Changes::new(totals));
                let see = |changes: &mut Changes, visit: Visit<'_>| changes.see(&visit, anew);
                let changed = nearest.assign_visiting(centroids, threads, labels, visitors, see)?;
                if anew {
                    (0..self.drift.len()).for_each(|j| self.totals.clear(j));
                }
                self.totals.apply(changes, &mut self.drift);
                if anew {
                    self.drift.fill(0.0);
                }
                self.fresh = anew || self.fresh && changed == 0;
                if self.has_drifted() {
                    self.sum_anew(nearest, threads)?;
                }
                Ok(changed)
            }
            Method::Clusters { .. } => {
                let changed = nearest.assign(centroids, threads, &mut self.labels, None)?;
                self.fresh &= changed == 0;
                // Rows that moved are taken from one sum and added to another,
                // unless adding all rows is less work.
                if anew || 2 * changed >= self.labels.len() {
                    self.sum_anew(nearest, threads)?;
                } else if changed > 0 {
                    self.sum_changes(nearest.points(), threads)?;
                }
                Ok(changed)
            }
        }
    }

    fn assign_sorted(
        &mut self,
        nearest: &mut Nearest<'_>,
        centroids: Centroids<'_>,
        threads: &Threads<'_>,
    ) -> Result<usize> {
        let Some(sorted) = nearest.sorted_mut() else {
            return Ok(0);
        };
        let pass = sorted.assign(centroids, threads, &mut self.totals)?;
        self.behind = true;
        self.fresh = true;
        self.drift.fill(0.0);
        let all = self.labels.len() as f64 * centroids.len() as f64;
        if pass.distances as f64 > SORTED_LIMIT * all {
            self.labels(nearest);
            self.method.note(&self.labels);
            nearest.drop_sorted();
        }
        Ok(pass.changed)
    }

    /// Labels every row by its nearest centroid. The totals don't follow.
    /// Returns the sum of distances.
    pub fn label(
        &mut self,
        nearest: &mut Nearest<'_>,
        centroids: &[f32],
        threads: &Threads<'_>,
    ) -> Result<f64> {
        if nearest.sorted().is_some() {
            self.assign(nearest, centroids, threads, false)?;
            return self.exact_inertia(nearest, centroids, threads);
        }
        let metric = nearest.metric();
        let centroids = Centroids::new(centroids, self.totals.dims());
        // The sums of whole blocks, of the block at hand, and its rows.
        let mut parts = Vec::new();
        let measure = |(whole, open, rows): &mut (f64, f64, usize), visit: Visit<'_>| {
            *open = sum_distances(metric, centroids, visit.block, visit.labels, *open);
            *rows += visit.labels.len();
            if rows.is_multiple_of(BLOCK_ROWS) {
                *whole += std::mem::take(open);
            }
        };
        self.fresh = false;
        let labels = &mut self.labels;
        let visitors = (TASK_ROWS, &mut parts, || Ok((0.0, 0.0, 0)));
        nearest.assign_visiting(centroids, threads, labels, visitors, measure)?;
        Ok(parts.iter().map(|&(whole, open, _)| whole + open).sum())
    }

    /// Moves single rows: pairs of row and new cluster.
    pub fn move_rows(
        &mut self,
        nearest: &Nearest<'_>,
        moves: &[(u32, u32)],
        threads: &Threads<'_>,
    ) -> Result<()> {
        self.labels(nearest);
        let mut changes = Changes::new(&self.totals)?;
        let mut scratch = Vec::new();
        for &(row, cluster) in moves {
            let values = nearest.points().row(row as usize, &mut scratch)?;
            changes.add(values, self.labels[row as usize], Sign::Minus);
            changes.add(values, cluster, Sign::Plus);
            self.labels[row as usize] = cluster;
        }
        self.totals.apply(&[changes], &mut self.drift);
        self.fresh &= moves.is_empty();
        self.method.note(&self.labels);
        match self.has_drifted() {
            true => self.sum_anew(nearest, threads),
            false => Ok(()),
        }
    }

    /// Sums all clusters from their members, without any drift.
    pub fn sum_anew(&mut self, nearest: &Nearest<'_>, threads: &Threads<'_>) -> Result<()> {
        if self.fresh {
            return Ok(());
        }
        self.drift.fill(0.0);
        (0..self.drift.len()).for_each(|j| self.totals.clear(j));
        let points = nearest.points();
        match &mut self.method {
            Method::Chunks { changes, rows } => {
                changes.iter_mut().for_each(Changes::clear);
                let chunk_rows = *rows;
                threads.run_long(
                    self.labels
                        .chunks(chunk_rows)
                        .zip(&mut *changes)
                        .enumerate(),
                    Vec::new,
                    |scratch, (chunk, (labels, changes)), poll| {
                        let first = chunk * chunk_rows;
                        let rows = first..first + labels.len();
                        points.in_blocks(rows, scratch, poll, |at, block| {
                            let labels = &labels[at - first..][..block.len() / points.cols()];
                            let visit = Visit {
                                block,
                                before: labels,
                                labels,
                            };
                            changes.see(&visit, true);
                            Ok(())
                        })
                    },
                )?;
                self.totals.apply(changes, &mut self.drift);
            }
            Method::Clusters { .. } => {
                let all = try_vec(true, self.drift.len(), "cluster sums")?;
                self.sum_clusters(points, &all, threads)?;
                self.method.note(&self.labels);
            }
        }
        self.drift.fill(0.0);
        self.fresh = true;
        Ok(())
    }

    fn has_drifted(&self) -> bool {
        (0..self.drift.len()).any(|j| self.drift[j] > DRIFT_LIMIT * self.totals.norm(j))
    }

    /// Makes the totals follow the labels.
    ///
    /// With m rows added or taken away, none larger than x, the error of a
    /// sum s grows by at most m(‖s‖ + m·x) units of rounding.
    fn sum_changes(&mut self, points: &Points<'_>, threads: &Threads<'_>) -> Result<()> {
        let changes = self.take_changes(threads)?;
        let n_clusters = self.drift.len();
        let left =
            Clusters::from_pairs(changes.iter().map(|c| (c.row, c.from)), n_clusters, threads)?;
        let joined =
            Clusters::from_pairs(changes.iter().map(|c| (c.row, c.to)), n_clusters, threads)?;
        for (clusters, sign) in [(&joined, Sign::Plus), (&left, Sign::Minus)] {
            let before: Vec<f64> = (0..n_clusters).map(|j| self.totals.norm(j)).collect();
            let largest = self.totals.add(points, clusters, sign, threads)?;
            for j in 0..n_clusters {
                let moved = clusters.size(j) as f64;
                let reach = before[j] + moved * f64::from(largest[j]);
                self.drift[j] += f64::EPSILON * moved * reach;
            }
        }
        if self.has_drifted() {
            let drifted: Vec<bool> = (0..n_clusters)
                .map(|j| self.drift[j] > DRIFT_LIMIT * self.totals.norm(j))
                .collect();
            self.sum_clusters(points, &drifted, threads)?;
        }
        Ok(())
    }

    fn sum_clusters(
        &mut self,
        points: &Points<'_>,
        wanted: &[bool],
        threads: &Threads<'_>,
    ) -> Result<()> {
        for (j, _) in wanted.iter().enumerate().filter(|&(_, &wanted)| wanted) {
            self.totals.clear(j);
            self.drift[j] = 0.0;
        }
        let rows = (0..self.labels.len() as u32)
            .zip(self.labels.iter().copied())
            .filter(|&(_, label)| wanted[label as usize]);
        let members = Clusters::from_pairs(rows, wanted.len(), threads)?;
        self.totals.add(points, &members, Sign::Plus, threads)?;
        Ok(())
    }

    /// The rows whose label is not what the totals stand for, ascending.
    fn take_changes(&mut self, threads: &Threads<'_>) -> Result<Vec<Change>> {
        let Method::Clusters { summed } = &mut self.method else {
            return Ok(Vec::new());
        };
        let mut found = vec![Vec::new(); self.labels.len().div_ceil(TASK_ROWS)];
        let tasks = self
            .labels
            .chunks(TASK_ROWS)
            .zip(summed.chunks_mut(TASK_ROWS));
        threads.run(
            tasks.zip(&mut found).enumerate(),
            || (),
            |(), (task, ((labels, summed), found))| {
                if labels == summed {
                    return;
                }
                for (i, (&to, from)) in labels.iter().zip(summed).enumerate() {
                    if *from != to {
                        let row = (task * TASK_ROWS + i) as u32;
                        found.push(Change {
                            row,
                            from: *from,
                            to,
                        });
                        *from = to;
                    }
                }
            },
        )?;
        Ok(found.concat())
    }

    /// The sum of distances to `centroids`, the ones last assigned to: from
    /// sums alone where these are precise enough.
    pub fn inertia(
        &mut self,
        nearest: &Nearest<'_>,
        centroids: &[f32],
        threads: &Threads<'_>,
    ) -> Result<f64> {
        let spread = match self.spread {
            Some(spread) => spread,
            None => self.totals.spread(nearest.points(), threads)?,
        };
        self.spread = Some(spread);
        let inertia = self.totals.inertia(centroids, spread);
        if inertia > spread * 1e-4 {
            return Ok(inertia);
        }
        self.exact_inertia(nearest, centroids, threads)
    }

    /// The sum of canonical distances: one pass over the data.
    pub fn exact_inertia(
        &self,
        nearest: &Nearest<'_>,
        centroids: &[f32],
        threads: &Threads<'_>,
    ) -> Result<f64> {
        let (points, metric) = (nearest.points(), nearest.metric());
        let centroids = Centroids::new(centroids, self.totals.dims());
        if let Some(sorted) = nearest.sorted() {
            return sorted.inertia(centroids, threads);
        }
        let mut parts = try_vec(0.0, self.labels.len().div_ceil(TASK_ROWS), "distances")?;
        let tasks = self.labels.chunks(TASK_ROWS).zip(&mut parts).enumerate();
        threads.run_long(tasks, Vec::new, |scratch, (task, (labels, part)), poll| {
            let first = task * TASK_ROWS;
            let rows = first..first + labels.len();
            points.in_blocks(rows, scratch, poll, |at, block| {
                *part = sum_distances(metric, centroids, block, &labels[at - first..], *part);
                Ok(())
            })
        })?;
        Ok(parts.iter().sum())
    }
}

/// Adds the distances of the rows to their centroids to `sum`.
fn sum_distances(
    metric: Metric,
    centroids: Centroids<'_>,
    block: &[f32],
    labels: &[u32],
    sum: f64,
) -> f64 {
    let rows = block.chunks_exact(centroids.dims).zip(labels);
    rows.map(|(row, &j)| Row::new(row, metric).distance(centroids.row(j as usize)))
        .fold(sum, |sum, distance| sum + distance)
}

impl Method {
    fn new(rows: usize, totals: &Totals) -> Result<Self> {
        let sums = totals.sums.len();
        if sums > CACHED_SUMS {
            let summed = try_vec(UNASSIGNED, rows, "labels")?;
            return Ok(Method::Clusters { summed });
        }
        let most = (CHUNK_BYTES / (sums * size_of::<f64>())).min(MAX_CHUNKS);
        let rows_each = rows.div_ceil(most).next_multiple_of(BLOCK_ROWS);
        let chunks = (0..rows.div_ceil(rows_each)).map(|_| Changes::new(totals));
        Ok(Method::Chunks {
            changes: chunks.collect::<Result<_>>()?,
            rows: rows_each,
        })
    }

    /// Notes that the totals stand for the labels.
    fn note(&mut self, labels: &[u32]) {
        if let Method::Clusters { summed } = self {
            summed.copy_from_slice(labels);
        }
    }
}

#[derive(Clone, Copy)]
struct Change {
    row: u32,
    from: u32,
    to: u32,
}
