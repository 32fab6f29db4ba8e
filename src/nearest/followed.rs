//! Searches that an [`Assignment`] goes through, one after the other.

use crate::clusters::UNASSIGNED;
use crate::error::Result;
use crate::kernels::accumulate::Sign;
use crate::metric::Metric;
use crate::nearest::Nearest;
use crate::nearest::assignment::{Assignment, By, Method, Workers, add_moved};
use crate::nearest::blocks::Visit;
use crate::nearest::sparse::{Measure, Vectors};
use crate::nearest::vectors::{Centroids, Row};
use crate::points::{Points, SparseRows};
use crate::threads::{Poll, Threads};
use crate::totals::{Changes, ExactSum, Grid, add_weighted};
use std::ops::{Range, RangeInclusive};

/// Bytes of rows as float32 that are summed at a time where there are more than
/// memory.
const PART_BYTES: usize = 1 << 28;

/// Rows per task.
const TASK_ROWS: RangeInclusive<usize> = 256..=4096;

impl Nearest<'_> {
    /// The rows in no cluster yet, to be searched for the nearest of
    /// `n_clusters` centroids again and again.
    pub fn unassigned(&self, n_clusters: usize, threads: &Threads<'_>) -> Result<Assignment> {
        let grid = self.shared.grid(self.points, threads)?;
        // Only rows that are not sparse are seen block by block.
        let sees = self.sparse_engine().is_none();
        let shape = (self.points.rows(), n_clusters);
        Assignment::new(shape, grid, sees, threads)
    }

    /// In the order of the points.
    pub fn labels<'l>(
        &self,
        assignment: &'l mut Assignment,
        threads: &Threads<'_>,
    ) -> Result<&'l mut Vec<u32>> {
        if let By::Trees { written } = &mut assignment.by
            && !*written
        {
            self.trees.write_labels(&mut assignment.labels, threads)?;
            *written = true;
        }
        Ok(&mut assignment.labels)
    }

    /// Moves single rows: pairs of row and new cluster.
    pub fn move_rows(
        &self,
        assignment: &mut Assignment,
        moves: &[(u32, u32)],
        threads: &Threads<'_>,
    ) -> Result<()> {
        self.labels(assignment, threads)?;
        let mut changes = Changes::new(&assignment.totals)?;
        let mut scratch = Vec::new();
        for &(row, cluster) in moves {
            let weight = self.points.weight(row as usize);
            let values = (self.points.row(row as usize, &mut scratch)?, weight);
            let grid = assignment.totals.grid();
            let label = &mut assignment.labels[row as usize];
            changes.add(grid, values, *label, Sign::Minus);
            changes.add(grid, values, cluster, Sign::Plus);
            *label = cluster;
        }
        assignment.totals.apply(&changes);
        assignment.totals_have_followed();
        Ok(())
    }

    /// The sum of the rows' canonical distances, each times its weight, to the
    /// centroids that they are assigned to: one pass over the data.
    pub fn inertia(
        &self,
        assignment: &Assignment,
        centroids: Centroids<'_>,
        threads: &Threads<'_>,
    ) -> Result<ExactSum> {
        if let By::Trees { .. } = assignment.by {
            return self.trees.inertia(centroids, threads);
        }
        self.inertia_of(&assignment.labels, centroids, threads)
    }

    /// [`inertia`](Self::inertia), given the labels in the order of the points.
    pub fn inertia_of(
        &self,
        labels: &[u32],
        centroids: Centroids<'_>,
        threads: &Threads<'_>,
    ) -> Result<ExactSum> {
        if self.sparse_engine().is_some() {
            return self.sum_sparse(centroids, labels, threads);
        }
        self.sum_rows(threads, |sum, first, block| {
            let rows = (first, block, &labels[first..]);
            add_distances(sum, (self.points, self.metric()), centroids, rows);
        })
    }

    /// What `add` adds up for all rows. It gets the number of the first row of
    /// a block and their values.
    pub fn sum_rows(
        &self,
        threads: &Threads<'_>,
        add: impl Fn(&mut ExactSum, usize, &[f32]) + Sync,
    ) -> Result<ExactSum> {
        let points = self.points;
        sum_tasks(
            points.rows(),
            threads,
            Vec::new,
            |parts, rows, scratch, poll| {
                points.in_blocks(rows, scratch, poll, |at, block| {
                    parts.with(|part| add(part, at, block));
                    Ok(())
                })
            },
        )
    }

    /// [`inertia`](Self::inertia) of sparse rows, given their labels.
    fn sum_sparse(
        &self,
        centroids: Centroids<'_>,
        labels: &[u32],
        threads: &Threads<'_>,
    ) -> Result<ExactSum> {
        let (points, metric) = (self.points, self.metric());
        let vectors = Vectors::of_dense(centroids.values, centroids.dims, metric)?;
        let measure = Measure::new(&vectors, metric, Some(centroids));
        sum_tasks(
            points.rows(),
            threads,
            SparseRows::default,
            |parts, rows, block, poll| {
                points.in_sparse_blocks(rows, block, poll, |first, block| {
                    let labels = block.rows().zip(&labels[first..]);
                    let distances = labels.map(|(row, &j)| {
                        let inverse_norm = measure.inverse_norm(row.square());
                        measure.distance(row, inverse_norm, j)
                    });
                    parts.with(|part| add_weighted(part, points, first, distances));
                    Ok(())
                })
            },
        )
    }

    /// Assigns every row to its nearest centroid, and makes the totals follow.
    /// Returns how many rows changed.
    pub(super) fn follow(
        &mut self,
        assignment: &mut Assignment,
        centroids: Centroids<'_>,
        threads: &Threads<'_>,
    ) -> Result<usize> {
        if self.can_use_trees(assignment, centroids, threads)? {
            return self.follow_by_trees(assignment, centroids, threads);
        }
        let Assignment {
            labels,
            totals,
            method,
            ..
        } = assignment;
        match method {
            Method::Rows { workers, stale } => {
                workers.all().for_each(Changes::clear);
                workers.ready(threads.count(), || Changes::new(totals))?;
                let anew = std::mem::take(stale);
                let (points, grid) = (self.points, totals.grid());
                let see = |visit: Visit<'_>| {
                    workers.with(|changes| add_changed(changes, grid, points, &visit, anew));
                };
                let changed = self.by_blocks(centroids, (labels, None), Some(&see), threads)?;
                if anew {
                    totals.clear();
                }
                workers.apply(totals, threads)?;
                Ok(changed)
            }
            Method::Clusters { summed } if self.exceeds_memory() => {
                // Summing cluster by cluster reads rows here and there: a part of
                // them is in memory while it does.
                let part = PART_BYTES / (size_of::<f32>() * centroids.dims);
                let points = self.points;
                let mut done = |first: usize, labels: &[u32]| {
                    let summed = &mut summed[first..][..labels.len()];
                    add_moved(totals, (points, first), (summed, labels), threads)?;
                    summed.copy_from_slice(labels);
                    Ok(())
                };
                self.by_parts(centroids, (labels, None), None, (part, &mut done), threads)
            }
            Method::Clusters { .. } => {
                let changed = self.by_blocks(centroids, (labels, None), None, threads)?;
                assignment.follow(self.points, threads)?;
                Ok(changed)
            }
        }
    }

    /// Assigns every row to its nearest centroid. The totals need not follow.
    /// Returns how many rows changed, and the sum of their distances.
    pub(super) fn measure(
        &mut self,
        assignment: &mut Assignment,
        centroids: Centroids<'_>,
        threads: &Threads<'_>,
    ) -> Result<(usize, f64)> {
        if self.can_use_trees(assignment, centroids, threads)? {
            let changed = self.follow_by_trees(assignment, centroids, threads)?;
            let inertia = self.inertia(assignment, centroids, threads)?;
            return Ok((changed, inertia.value()));
        }
        if let Method::Rows { stale, .. } = &mut assignment.method {
            *stale = true;
        }
        let (changed, sum) = self.measure_labels(&mut assignment.labels, centroids, threads)?;
        Ok((changed, sum.value()))
    }

    /// Labels every row by its nearest centroid. Returns how many labels changed,
    /// and the sum of distances.
    pub(super) fn measure_labels(
        &mut self,
        labels: &mut [u32],
        centroids: Centroids<'_>,
        threads: &Threads<'_>,
    ) -> Result<(usize, ExactSum)> {
        if self.sparse_engine().is_some() {
            let changed = self.by_blocks(centroids, (labels, None), None, threads)?;
            return Ok((changed, self.sum_sparse(centroids, labels, threads)?));
        }
        let mut parts = Workers::none();
        parts.ready(threads.count(), || Ok(ExactSum::default()))?;
        let (points, metric) = (self.points, self.metric());
        let see = |visit: Visit<'_>| {
            let rows = (visit.first, visit.block, visit.labels);
            parts.with(|part| add_distances(part, (points, metric), centroids, rows));
        };
        let changed = self.by_blocks(centroids, (labels, None), Some(&see), threads)?;
        Ok((changed, total(parts)))
    }

    /// Whether the rows as float32 are more than the call's memory: they may come
    /// from a mapped file, and are read in their order.
    fn exceeds_memory(&self) -> bool {
        let values = self.points.rows() as u64 * self.points.cols() as u64;
        size_of::<f32>() as u64 * values > self.budget().limit()
    }

    /// Whether trees serve the search. They do so from the first search on, or
    /// never: else they don't know the labels.
    fn can_use_trees(
        &mut self,
        assignment: &mut Assignment,
        centroids: Centroids<'_>,
        threads: &Threads<'_>,
    ) -> Result<bool> {
        let can = match assignment.by {
            By::Nobody => self
                .trees
                .ready(self.points, &self.shared, centroids, threads)?,
            By::Trees { .. } => self.trees.can_serve(centroids),
            By::Blocks => false,
        };
        if !can {
            self.leave_trees(assignment, threads)?;
        }
        Ok(can)
    }

    /// From now on, no trees serve the searches.
    pub(super) fn leave_trees(
        &self,
        assignment: &mut Assignment,
        threads: &Threads<'_>,
    ) -> Result<()> {
        if let By::Trees { .. } = assignment.by {
            self.labels(assignment, threads)?;
            assignment.totals_have_followed();
        }
        assignment.by = By::Blocks;
        Ok(())
    }

    fn follow_by_trees(
        &mut self,
        assignment: &mut Assignment,
        centroids: Centroids<'_>,
        threads: &Threads<'_>,
    ) -> Result<usize> {
        assignment.by = By::Trees { written: false };
        let totals = &mut assignment.totals;
        let changed = self.trees.assign(centroids, threads, totals)?;
        if !self.trees.pay() {
            self.leave_trees(assignment, threads)?;
            self.trees.give_up();
        }
        Ok(changed)
    }
}

/// What tasks of rows add up.
fn sum_tasks<S>(
    rows: usize,
    threads: &Threads<'_>,
    scratch: impl Fn() -> S + Sync,
    add: impl Fn(&Workers<ExactSum>, Range<usize>, &mut S, Poll<'_>) -> Result<()> + Sync,
) -> Result<ExactSum> {
    let mut parts = Workers::none();
    parts.ready(threads.count(), || Ok(ExactSum::default()))?;
    let task_rows = threads.share(rows, TASK_ROWS);
    threads.run_long(
        0..rows.div_ceil(task_rows),
        scratch,
        |scratch, task, poll| {
            let rows = task * task_rows..rows.min((task + 1) * task_rows);
            add(&parts, rows, scratch, poll)
        },
    )?;
    Ok(total(parts))
}

fn total(mut parts: Workers<ExactSum>) -> ExactSum {
    let mut sum = ExactSum::default();
    parts.all().for_each(|part| sum.merge(part));
    sum
}

/// Adds the rows whose label changed; with `anew`, all rows as if they had had
/// none.
pub(super) fn add_changed(
    changes: &mut Changes,
    grid: &Grid,
    points: &Points<'_>,
    visit: &Visit<'_>,
    anew: bool,
) {
    let rows = (visit.first..).zip(visit.block.chunks_exact(grid.dims()));
    for (((row, values), &from), &to) in rows.zip(visit.before).zip(visit.labels) {
        let joins = anew || from == UNASSIGNED;
        if joins || from != to {
            let row = (values, points.weight(row));
            changes.add(grid, row, to, Sign::Plus);
            if !joins {
                changes.add(grid, row, from, Sign::Minus);
            }
        }
    }
}

/// Adds the distances of a block of rows, given with the number of the first.
fn add_distances(
    sum: &mut ExactSum,
    (points, metric): (&Points<'_>, Metric),
    centroids: Centroids<'_>,
    (first, block, labels): (usize, &[f32], &[u32]),
) {
    let rows = block.chunks_exact(centroids.dims).zip(labels);
    let distance = |(row, &j): (_, &u32)| Row::new(row, metric).distance(centroids.row(j as usize));
    add_weighted(sum, points, first, rows.map(distance));
}
