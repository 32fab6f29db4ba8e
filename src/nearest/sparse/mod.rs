//! The engine of sparse rows: centroids are sparse too, and kept by column.
//!
//! A row meets only the centroids that share a column with it. Scores are
//! float32, with the bound on their error that docs/nearest.md proves; canonical
//! distances decide among the centroids that it leaves.

mod centroids;
mod measure;
mod ranked;
mod search;
mod vectors;

use crate::allocate::{extend, try_vec};
use crate::error::Result;
use crate::kernels::isa::Isa;
use crate::nearest::Nearest;
use crate::nearest::vectors::Centroids;
use crate::points::{Points, SparseRows};
use crate::threads::Threads;

pub(crate) use centroids::SparseCentroids;
pub(crate) use measure::{Measure, transform};
use search::{Block, Search};
pub(crate) use vectors::Vectors;

/// Rows of a task.
const TASK_ROWS: usize = 1024;

/// Multiply-adds between two polls, about.
const POLL_WORK: usize = 1 << 26;

/// What is known of every row from search to search.
pub(crate) struct Known<'k> {
    /// Σ x².
    pub squares: &'k [f64],
    /// How far all centroids but the one of its label are at least: see
    /// docs/nearest.md. Empty where that isn't to be found out.
    pub bounds: &'k mut [f32],
}

/// A worker's buffers.
#[derive(Default)]
struct Scratch {
    rows: SparseRows,
    squares: Vec<f64>,
    search: Search,
}

/// Writes every row's nearest centroid to `labels`, and returns how many changed.
pub(crate) fn assign(
    points: &Points<'_>,
    centroids: &SparseCentroids<'_>,
    isa: Isa,
    threads: &Threads<'_>,
    labels: &mut [u32],
    known: Option<Known<'_>>,
) -> Result<usize> {
    let mut changed = try_vec(0usize, labels.len().div_ceil(TASK_ROWS), "change counts")?;
    let (squares, bounds) = known.map_or((None, &mut [][..]), |known| {
        (Some(known.squares), known.bounds)
    });
    let mut bounds = bounds.chunks_mut(TASK_ROWS);
    let tasks = labels.chunks_mut(TASK_ROWS).zip(&mut changed).enumerate();
    threads.run_long(
        tasks.map(|(task, part)| (task, part, bounds.next().unwrap_or_default())),
        Scratch::default,
        |scratch, (task, (labels, changed), bounds), poll| {
            let first = task * TASK_ROWS;
            let range = first..first + labels.len();
            points.read_sparse(range.clone(), &mut scratch.rows)?;
            let rows = scratch.rows.all();
            let squares = match squares {
                Some(squares) => &squares[range],
                None => {
                    scratch.squares.clear();
                    extend(
                        &mut scratch.squares,
                        scratch.rows.rows().map(|row| row.square()),
                        "lengths of rows",
                    )?;
                    &scratch.squares
                }
            };
            let work = (rows.longest() + 1) * centroids.len();
            let at_once = (POLL_WORK / work).clamp(1, TASK_ROWS);
            for first in (0..labels.len()).step_by(at_once) {
                let part = first..labels.len().min(first + at_once);
                let bounds = match bounds.is_empty() {
                    true => &mut [][..],
                    false => &mut bounds[part.clone()],
                };
                let some = Block {
                    rows: rows.part(part.clone()),
                    squares: &squares[part.clone()],
                    labels: &mut labels[part],
                    bounds,
                };
                *changed += scratch.search.run(isa, centroids, some)?;
                poll()?;
            }
            Ok(())
        },
    )?;
    Ok(changed.iter().sum())
}

impl Nearest<'_> {
    /// The instruction set for the engine of sparse rows, if they are sparse and no
    /// other engine is asked for.
    pub fn sparse_engine(&self) -> Option<Isa> {
        let setting = self.shared.setting;
        let free = setting.engine.is_none() && self.points.reads_sparse();
        free.then_some(setting.isa)
    }

    /// [`by_blocks`](Self::by_blocks) of sparse rows.
    pub(super) fn by_sparse(
        &self,
        centroids: Centroids<'_>,
        (labels, distances): (&mut [u32], Option<&mut [f64]>),
        threads: &Threads<'_>,
    ) -> Result<usize> {
        let sparse = SparseCentroids::of_dense(centroids, self.metric())?;
        let isa = self.shared.setting.isa;
        let changed = assign(self.points, &sparse, isa, threads, labels, None)?;
        if let Some(out) = distances {
            measure(self.points, centroids, &sparse, threads, labels, out)?;
        }
        Ok(changed)
    }

    /// [`distances`](Self::distances) of sparse rows.
    pub(super) fn sparse_distances(
        &self,
        centroids: Centroids<'_>,
        labels: &[u32],
        out: &mut [f64],
        threads: &Threads<'_>,
    ) -> Result<()> {
        let sparse = SparseCentroids::of_dense(centroids, self.metric())?;
        measure(self.points, centroids, &sparse, threads, labels, out)
    }
}

/// The canonical distance of every row to the centroid that `labels` names.
fn measure(
    points: &Points<'_>,
    centroids: Centroids<'_>,
    sparse: &SparseCentroids<'_>,
    threads: &Threads<'_>,
    labels: &[u32],
    out: &mut [f64],
) -> Result<()> {
    let measure = Measure::new(centroids, sparse.metric(), sparse.vectors()?);
    let tasks = labels.chunks(TASK_ROWS).zip(out.chunks_mut(TASK_ROWS));
    threads.run_long(
        tasks.enumerate(),
        SparseRows::default,
        |rows, (task, (labels, out)), poll| {
            let first = task * TASK_ROWS;
            points.read_sparse(first..first + labels.len(), rows)?;
            for ((row, &label), out) in rows.rows().zip(labels).zip(out) {
                let inverse_norm = measure.inverse_norm(row.square());
                *out = measure.distance(row, inverse_norm, label);
            }
            poll()
        },
    )
}
