//! Rows that seeds are drawn among, wherever they are.

use super::field::{Pass, See};
use super::rows::as_centroids;
use crate::allocate::collect;
use crate::error::Result;
use crate::metric::Metric;
use crate::nearest::{Nearest, Shared};
use crate::points::{Points, SparseRows};
use crate::threads::Threads;
use crate::unrepeated::Unrepeated;

/// What is done with some rows, given as points without weights.
pub(crate) type Work<'w> = dyn FnMut(&Points<'_>) -> Result<()> + 'w;

/// Rows without repetitions, numbered from 0, to draw among; a [pass](Pass) sees
/// all.
pub(crate) trait Rows: Pass {
    fn count(&self) -> usize;

    fn dims(&self) -> usize;

    /// One for each row; `None` if all weigh the same.
    fn weights(&self) -> Option<&[f64]>;

    fn shared(&self) -> Shared;

    /// Does work with some of the rows, in the order given.
    fn with(&mut self, rows: &[u32], threads: &Threads<'_>, work: &mut Work<'_>) -> Result<()>;

    /// Does work with all rows; an error if they must be at hand, and are not.
    fn with_all(&mut self, threads: &Threads<'_>, work: &mut Work<'_>) -> Result<()>;

    /// The place among them of the one that a row of all is equal to.
    fn place(&self, row: usize) -> usize;
}

/// Rows that lie in memory.
pub(crate) struct InMemory<'r, 'a> {
    nearest: &'r mut Nearest<'a>,
    rows: &'r Unrepeated,
}

impl<'r, 'a> InMemory<'r, 'a> {
    pub fn new(nearest: &'r mut Nearest<'a>, rows: &'r Unrepeated) -> Self {
        InMemory { nearest, rows }
    }
}

impl Rows for InMemory<'_, '_> {
    fn count(&self) -> usize {
        self.rows.count(self.nearest.points().rows())
    }

    fn dims(&self) -> usize {
        self.nearest.points().cols()
    }

    fn weights(&self) -> Option<&[f64]> {
        self.rows.weights()
    }

    fn shared(&self) -> Shared {
        self.nearest.shared()
    }

    fn with(&mut self, rows: &[u32], _: &Threads<'_>, work: &mut Work<'_>) -> Result<()> {
        work(&self.rows.of(self.nearest.points()).select(rows))
    }

    fn with_all(&mut self, _: &Threads<'_>, work: &mut Work<'_>) -> Result<()> {
        work(&self.rows.of(self.nearest.points()))
    }

    fn place(&self, row: usize) -> usize {
        self.rows.place(row)
    }
}

impl Pass for InMemory<'_, '_> {
    fn pass(&mut self, _: &Threads<'_>, see: &mut See<'_>) -> Result<()> {
        see(0, self.nearest)
    }
}

/// Does work with some of the rows, in the order given.
pub(super) fn with_rows<R>(
    rows: &mut dyn Rows,
    picks: &[usize],
    threads: &Threads<'_>,
    work: impl FnOnce(&Points<'_>) -> Result<R>,
) -> Result<R> {
    let picks: Vec<u32> = collect(picks.iter().map(|&row| row as u32), "seeds")?;
    let (mut work, mut out) = (Some(work), None);
    rows.with(&picks, threads, &mut |points| {
        if let Some(work) = work.take() {
            out = Some(work(points)?);
        }
        Ok(())
    })?;
    Ok(out.expect("the work was done"))
}

/// Does work with all rows.
pub(super) fn with_all<R>(
    rows: &mut dyn Rows,
    threads: &Threads<'_>,
    work: impl FnOnce(&Points<'_>, Option<&[f64]>) -> Result<R>,
) -> Result<R> {
    let weights = match rows.weights() {
        Some(weights) => Some(crate::allocate::copy(weights, "weights")?),
        None => None,
    };
    let (mut work, mut out) = (Some(work), None);
    rows.with_all(threads, &mut |points| {
        if let Some(work) = work.take() {
            out = Some(work(points, weights.as_deref())?);
        }
        Ok(())
    })?;
    Ok(out.expect("the work was done"))
}

/// Does work with a copy of rows that lie apart.
pub(super) fn with_copy<R>(
    points: &Points<'_>,
    threads: &Threads<'_>,
    work: impl FnOnce(&Points<'_>) -> Result<R>,
) -> Result<R> {
    if points.reads_sparse() {
        let (mut rows, mut starts) = (SparseRows::default(), Vec::new());
        points.read_sparse(0..points.rows(), &mut rows)?;
        return work(&rows.points(&mut starts, points.cols())?);
    }
    let copy = as_centroids(points, Metric::Euclidean, false, threads)?;
    work(&copy.dense()?.view().into())
}
