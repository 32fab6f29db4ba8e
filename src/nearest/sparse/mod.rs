//! The engine of sparse rows: centroids are sparse too, and kept by column.
//!
//! A row meets only the centroids that share a column with it. Scores are
//! float32, with the bound on their error that docs/nearest.md proves; canonical
//! distances decide among the centroids that it leaves.

mod centroids;
mod measure;
mod ranked;
mod vectors;

use crate::allocate::try_vec;
use crate::error::Result;
use crate::kernels::isa::Isa;
use crate::kernels::sparse_scores::Scores;
use crate::nearest::Nearest;
use crate::nearest::vectors::Centroids;
use crate::points::{Points, SparseRows};
use crate::threads::Threads;

pub(crate) use centroids::{ByColumn, SparseCentroids};
pub(crate) use measure::{Measure, transform};
pub(crate) use vectors::Vectors;

/// Rows of a task.
const TASK_ROWS: usize = 1024;

/// Multiply-adds between two polls, about.
const POLL_WORK: usize = 1 << 26;

/// A worker's buffers.
#[derive(Default)]
pub(crate) struct Scratch {
    rows: SparseRows,
    scores: Scores,
    candidates: Vec<u32>,
}

/// Writes every row's nearest centroid to `labels`, and returns how many changed.
pub(crate) fn assign(
    points: &Points<'_>,
    centroids: &SparseCentroids<'_>,
    isa: Isa,
    threads: &Threads<'_>,
    labels: &mut [u32],
) -> Result<usize> {
    let mut changed = try_vec(0usize, labels.len().div_ceil(TASK_ROWS), "change counts")?;
    let tasks = labels.chunks_mut(TASK_ROWS).zip(&mut changed);
    threads.run_long(
        tasks.enumerate(),
        Scratch::default,
        |scratch, (task, (labels, changed)), poll| {
            let first = task * TASK_ROWS;
            points.read_sparse(first..first + labels.len(), &mut scratch.rows)?;
            let mut work = 0;
            for (row, label) in scratch.rows.rows().zip(labels) {
                let square = row.square();
                let (scores, candidates) = (&mut scratch.scores, &mut scratch.candidates);
                let found = centroids.nearest(isa, row, square, scores, candidates)?;
                *changed += usize::from(*label != found);
                *label = found;
                work += (row.columns.len() + 1) * centroids.len();
                if work >= POLL_WORK {
                    poll()?;
                    work = 0;
                }
            }
            poll()
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
        let changed = assign(self.points, &sparse, isa, threads, labels)?;
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
