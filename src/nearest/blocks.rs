//! Searches over all rows, block by block.

use crate::allocate::{refill, try_vec};
use crate::clusters::UNASSIGNED;
use crate::error::Result;
use crate::nearest::Nearest;
use crate::nearest::brute_force::{keep_least, measure_all, nearest_of_all};
use crate::nearest::choice::Search;
use crate::nearest::eight_bit::bounds::{Bounds, Groups};
use crate::nearest::eight_bit::search::CodeScratch;
use crate::nearest::float32::TileScratch;
use crate::nearest::tasks::{TASK_ROWS, block_rows, parts};
use crate::nearest::vectors::{Centroids, Row};
use crate::threads::Threads;

/// Some rows that were just assigned, and their labels before and after.
pub(super) struct Visit<'v> {
    /// The number of the first row.
    pub first: usize,
    pub block: &'v [f32],
    pub before: &'v [u32],
    pub labels: &'v [u32],
}

/// Gets a part that was assigned: the number of its first row, and its labels.
pub(super) type Done<'d> = &'d mut dyn FnMut(usize, &[u32]) -> Result<()>;

/// The first of some values, which are taken off; none if there are none.
fn take<'v, T>(values: &mut Option<&'v mut [T]>, count: usize) -> Option<&'v mut [T]> {
    let (first, rest) = values.take()?.split_at_mut(count);
    *values = Some(rest);
    Some(first)
}

impl Nearest<'_> {
    /// Writes every row's nearest centroid to `labels`, and its canonical
    /// distance without bias to `distances`. Returns how many labels changed.
    /// `see` looks at each block of rows while it is in the cache.
    pub(super) fn by_blocks(
        &mut self,
        centroids: Centroids<'_>,
        out: (&mut [u32], Option<&mut [f64]>),
        see: Option<&(dyn Fn(Visit<'_>) + Sync)>,
        threads: &Threads<'_>,
    ) -> Result<usize> {
        let rows = out.0.len();
        self.by_parts(centroids, out, see, (rows, &mut |_, _| Ok(())), threads)
    }

    /// [`by_blocks`](Self::by_blocks), `part_rows` or some more rows after the
    /// other. `done` gets the number of the first row of each part, and its labels.
    pub(super) fn by_parts(
        &mut self,
        centroids: Centroids<'_>,
        (labels, mut distances): (&mut [u32], Option<&mut [f64]>),
        see: Option<&(dyn Fn(Visit<'_>) + Sync)>,
        (part_rows, done): (usize, Done<'_>),
        threads: &Threads<'_>,
    ) -> Result<usize> {
        if see.is_none() && self.sparse_engine().is_some() {
            let changed = self.by_sparse(centroids, (labels, distances), threads)?;
            done(0, labels)?;
            return Ok(changed);
        }
        let engine = self.choose_engine(centroids, labels, 1, threads)?;
        let (points, metric) = (self.points, self.metric());
        let (rows, shape) = (labels.len(), (centroids.dims, centroids.len()));
        let block_rows = block_rows(rows, shape, threads);
        let mut bounds = self.take_bounds(engine, centroids, threads)?;
        let order = bounds.as_ref().map(Bounds::order);
        self.try_out(engine, centroids, (labels, order, 1), threads)?;
        let search = self.prepare(engine, centroids, 1, threads)?;
        let used = match &mut bounds {
            Some(bounds) if search.can_bound() => {
                bounds.follow(&self.shared.affine, centroids, block_rows, threads)?;
                Some(bounds.split())
            }
            _ => None,
        };
        let (groups, row_bounds) = used.unzip();
        let (mut values, mut own) = row_bounds.unzip();
        let width = groups.map_or(0, Groups::len);
        let mut changed_rows = 0;
        let part_rows = part_rows.max(1).next_multiple_of(block_rows);
        for (number, labels) in labels.chunks_mut(part_rows).enumerate() {
            let first_of_part = number * part_rows;
            let distances = take(&mut distances, labels.len());
            let values = take(&mut values, labels.len() * width);
            let own = take(&mut own, labels.len());
            let tasks = labels.len().div_ceil(block_rows);
            let mut changed = try_vec(0usize, tasks, "change counts")?;
            let distances = parts(distances, block_rows, tasks)?;
            let values = parts(values, block_rows * width, tasks)?;
            let row_bounds = values.into_iter().zip(parts(own, block_rows, tasks)?);
            let tasks = labels.chunks_mut(block_rows).zip(distances).zip(row_bounds);
            threads.run_long(
                tasks.zip(&mut changed).enumerate(),
                Scratch::default,
                |scratch, (task, (((labels, mut distances), bounds), changed)), poll| {
                    let first = first_of_part + task * block_rows;
                    let rows = first..first + labels.len();
                    let block = points.block_polled(rows, &mut scratch.block, poll)?;
                    let hints: &mut Vec<u32> = &mut scratch.hints;
                    refill(hints, labels, "labels")?;
                    let mut found = |i: usize, label: u32, distance: &dyn Fn() -> f64| {
                        *changed += usize::from(labels[i] != label);
                        labels[i] = label;
                        if let Some(distances) = distances.as_deref_mut() {
                            distances[i] = distance();
                        }
                    };
                    let row = |i| Row::new(&block[i * centroids.dims..][..centroids.dims], metric);
                    let mut found_row = |i: usize, label: u32| {
                        found(i, label, &|| row(i).distance(centroids.row(label as usize)));
                    };
                    match &search {
                        Search::Codes(search) => {
                            let scratch = &mut scratch.codes;
                            let (values, own) = bounds;
                            let bounds = groups.zip(values.zip(own));
                            let bounds =
                                bounds.map(|(groups, (values, own))| groups.rows(values, own));
                            search.assign(first, block, hints, bounds, scratch, found)?;
                        }
                        Search::Float32(search) => {
                            search.assign(block, &mut scratch.tile, found_row)?;
                        }
                        Search::BruteForce => {
                            for i in 0..hints.len() {
                                found_row(i, nearest_of_all(&row(i), centroids, poll)?);
                            }
                        }
                    }
                    if let Some(see) = see {
                        see(Visit {
                            first,
                            block,
                            before: hints,
                            labels,
                        });
                    }
                    Ok(())
                },
            )?;
            changed_rows += changed.iter().sum::<usize>();
            done(first_of_part, labels)?;
        }
        self.bounds = bounds;
        self.changed = changed_rows as f64 / rows as f64;
        Ok(changed_rows)
    }

    /// The `count` nearest centroids of every row, nearest first, equals by
    /// index: `labels` is rows × count, and so are `distances` (with bias).
    pub(super) fn few_by_blocks(
        &mut self,
        centroids: Centroids<'_>,
        count: usize,
        (labels, distances): (&mut [u32], Option<&mut [f64]>),
        threads: &Threads<'_>,
    ) -> Result<()> {
        if self.sparse_engine().is_some() {
            return self.few_by_sparse(centroids, count, (labels, distances), threads);
        }
        labels.fill(UNASSIGNED);
        let engine = self.choose_engine(centroids, labels, count, threads)?;
        self.try_out(engine, centroids, (labels, None, count), threads)?;
        let search = self.prepare(engine, centroids, count, threads)?;
        let (points, metric) = (self.points, self.metric());
        let rows = labels.len() / count;
        let shape = (centroids.dims, centroids.len());
        let task_rows = block_rows(rows, shape, threads);
        let chunk = task_rows * count;
        let distances = parts(distances, chunk, rows.div_ceil(task_rows))?;
        threads.run_long(
            labels.chunks_mut(chunk).zip(distances).enumerate(),
            Scratch::default,
            |scratch, (task, (labels, mut distances)), poll| {
                let first = task * task_rows;
                let rows = first..first + labels.len() / count;
                let block = points.block_polled(rows, &mut scratch.block, poll)?;
                let mut found = |i: usize, ranked: &[(f64, u32)]| {
                    for (slot, &(distance, j)) in ranked.iter().enumerate() {
                        labels[i * count + slot] = j;
                        if let Some(distances) = distances.as_deref_mut() {
                            distances[i * count + slot] = distance;
                        }
                    }
                };
                match &search {
                    Search::Codes(search) => {
                        search.top(first, block, &mut scratch.codes, found)?;
                    }
                    Search::Float32(search) => {
                        search.top(block, count, &mut scratch.tile, found)?;
                    }
                    Search::BruteForce => {
                        let mut ranked = Vec::new();
                        for (i, values) in block.chunks_exact(centroids.dims).enumerate() {
                            let row = Row::new(values, metric);
                            measure_all(&row, centroids, &mut ranked, poll)?;
                            keep_least(&mut ranked, count);
                            found(i, &ranked);
                        }
                    }
                }
                Ok(())
            },
        )
    }

    /// The canonical distance of every row to the centroid that `labels` names.
    pub fn distances(
        &self,
        centroids: Centroids<'_>,
        threads: &Threads<'_>,
        labels: &[u32],
        distances: &mut [f64],
    ) -> Result<()> {
        if self.sparse_engine().is_some() {
            return self.sparse_distances(centroids, labels, distances, threads);
        }
        let (points, metric) = (self.points, self.metric());
        let tasks = labels
            .chunks(TASK_ROWS)
            .zip(distances.chunks_mut(TASK_ROWS))
            .enumerate();
        threads.run_long(tasks, Vec::new, |scratch, (task, (labels, out)), poll| {
            let first = task * TASK_ROWS;
            let rows = first..first + labels.len();
            points.in_blocks(rows, scratch, poll, |at, block| {
                let rows = block.chunks_exact(centroids.dims);
                let labels = labels[at - first..].iter().zip(&mut out[at - first..]);
                for (values, (&label, out)) in rows.zip(labels) {
                    *out = Row::new(values, metric).distance(centroids.row(label as usize));
                }
                Ok(())
            })
        })
    }
}

/// A worker's buffers.
#[derive(Default)]
struct Scratch {
    block: Vec<f32>,
    hints: Vec<u32>,
    tile: TileScratch,
    codes: CodeScratch,
}
