//! Which cluster every row is in, and what the clusters add up to: the state
//! of Lloyd's algorithm between two iterations.

use crate::clusters::Clusters;
use crate::error::{Result, try_vec};
use crate::nearest::{Centroids, Nearest, Row, UNASSIGNED};
use crate::points::Points;
use crate::threads::Threads;
use crate::update::{Sign, Totals};

/// Rows per task where rows are only looked at once.
const TASK_ROWS: usize = 4096;

/// A cluster is summed anew when rounding may have moved its sum by more than
/// this fraction.
const DRIFT_LIMIT: f64 = 1.0 / (1u64 << 36) as f64;

/// Sorted rows are given up when a pass computes more than this fraction of
/// all distances: brute force is faster.
const SORTED_LIMIT: f64 = 0.25;

pub(crate) struct Partition {
    /// In the order of the points; behind if only sorted rows know the labels.
    labels: Vec<u32>,
    behind: bool,
    /// The labels that `totals` stands for.
    summed: Vec<u32>,
    totals: Totals,
    /// Whether `totals` are what the last assignment adds up to, from scratch.
    fresh: bool,
    /// Rows that the last assignment moved.
    changed: usize,
    /// A bound on each cluster's absolute rounding error since it was last
    /// summed anew.
    drift: Vec<f64>,
    /// Σ‖x − origin‖², or with cosine the number of rows; once it was needed.
    spread: Option<f64>,
}

impl Partition {
    /// Of rows that are in no cluster yet.
    pub fn new(
        nearest: &mut Nearest<'_>,
        centroids: &[f32],
        threads: &Threads<'_>,
    ) -> Result<Self> {
        let (rows, dims) = (nearest.points().rows(), nearest.points().cols());
        let n_clusters = centroids.len() / dims;
        nearest.sort_rows(n_clusters, threads)?;

        Ok(Partition {
            labels: try_vec(UNASSIGNED, rows, "labels")?,
            behind: false,
            summed: Vec::new(),
            totals: Totals::new(nearest.metric(), centroids, dims)?,
            fresh: false,
            changed: 0,
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

    /// Assigns every row to its nearest centroid. Returns how many rows changed.
    pub fn assign(
        &mut self,
        nearest: &mut Nearest<'_>,
        centroids: &[f32],
        threads: &Threads<'_>,
    ) -> Result<usize> {
        let centroids = Centroids::new(centroids, self.totals.dims());
        let Some(sorted) = nearest.sorted_mut() else {
            self.changed = nearest.assign(centroids, threads, &mut self.labels, None)?;
            self.fresh &= self.changed == 0;
            return Ok(self.changed);
        };
        let pass = sorted.assign(centroids, threads, &mut self.totals)?;

        self.behind = true;
        self.fresh = true;
        let all = self.labels.len() as f64 * centroids.len() as f64;
        if pass.distances as f64 > SORTED_LIMIT * all {
            self.labels(nearest);
            self.note_summed()?;
            *nearest.sorted_mut() = None;
        }
        Ok(pass.changed)
    }

    /// Makes the totals those of the last assignment. Rows that moved are
    /// taken from one sum and added to another, unless adding all rows is
    /// less work.
    pub fn sum(&mut self, nearest: &Nearest<'_>, threads: &Threads<'_>) -> Result<()> {
        if self.fresh {
            Ok(())
        } else if 2 * self.changed >= self.labels.len() {
            self.sum_anew(nearest, threads)
        } else {
            self.sum_changes(nearest.points(), threads)
        }
    }

    /// Moves single rows: pairs of row and new cluster.
    pub fn move_rows(
        &mut self,
        nearest: &Nearest<'_>,
        moves: &[(u32, u32)],
        threads: &Threads<'_>,
    ) -> Result<()> {
        self.labels(nearest);
        self.note_summed()?;
        for &(row, cluster) in moves {
            self.labels[row as usize] = cluster;
        }
        self.sum_changes(nearest.points(), threads)
    }

    /// Sums all clusters from their members, without any drift.
    pub fn sum_anew(&mut self, nearest: &Nearest<'_>, threads: &Threads<'_>) -> Result<()> {
        if self.fresh {
            return Ok(());
        }
        let all = try_vec(true, self.drift.len(), "cluster sums")?;
        self.sum_clusters(nearest.points(), &all, threads)?;
        self.note_summed()?;
        self.fresh = true;
        Ok(())
    }

    /// Notes that the totals stand for the labels.
    fn note_summed(&mut self) -> Result<()> {
        if self.summed.is_empty() {
            self.summed = try_vec(UNASSIGNED, self.labels.len(), "labels")?;
        }
        self.summed.copy_from_slice(&self.labels);
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
        let members = Clusters::from_pairs(rows, wanted.len())?;
        self.totals.add(points, &members, Sign::Plus, threads)?;
        Ok(())
    }

    /// Makes the totals follow the labels.
    ///
    /// With m rows added or taken away, none larger than x, the error of a
    /// sum s grows by at most m(‖s‖ + m·x) units of rounding.
    fn sum_changes(&mut self, points: &Points<'_>, threads: &Threads<'_>) -> Result<()> {
        let changes = self.take_changes(threads)?;
        self.fresh &= changes.is_empty();
        let n_clusters = self.drift.len();
        let left = Clusters::from_pairs(changes.iter().map(|c| (c.row, c.from)), n_clusters)?;
        let joined = Clusters::from_pairs(changes.iter().map(|c| (c.row, c.to)), n_clusters)?;
        for (clusters, sign) in [(&joined, Sign::Plus), (&left, Sign::Minus)] {
            let before: Vec<f64> = (0..n_clusters).map(|j| self.totals.norm(j)).collect();
            let largest = self.totals.add(points, clusters, sign, threads)?;
            for j in 0..n_clusters {
                let moved = clusters.size(j) as f64;
                let reach = before[j] + moved * f64::from(largest[j]);
                self.drift[j] += f64::EPSILON * moved * reach;
            }
        }
        let drifted: Vec<bool> = (0..n_clusters)
            .map(|j| self.drift[j] > DRIFT_LIMIT * self.totals.norm(j))
            .collect();
        if drifted.contains(&true) {
            self.sum_clusters(points, &drifted, threads)?;
        }
        Ok(())
    }

    /// The rows whose label is not what the totals stand for, ascending.
    fn take_changes(&mut self, threads: &Threads<'_>) -> Result<Vec<Change>> {
        let mut found = vec![Vec::new(); self.labels.len().div_ceil(TASK_ROWS)];
        let tasks = self
            .labels
            .chunks(TASK_ROWS)
            .zip(self.summed.chunks_mut(TASK_ROWS));
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
        threads.run(tasks, Vec::new, |scratch, (task, (labels, part))| {
            let first = task * TASK_ROWS;
            let block = points.block(first..first + labels.len(), scratch);
            let rows = block.chunks_exact(centroids.dims).zip(labels);
            *part = rows
                .map(|(row, &j)| Row::new(row, metric).distance(centroids.row(j as usize)))
                .sum();
        })?;
        Ok(parts.iter().sum())
    }
}

#[derive(Clone, Copy)]
struct Change {
    row: u32,
    from: u32,
    to: u32,
}
