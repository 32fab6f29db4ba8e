//! The engine of sparse rows: centroids are sparse too, and kept by column.
//!
//! A row meets only the centroids that share a column with it. Scores are
//! float32, with the bound on their error that docs/nearest.md proves; canonical
//! distances decide among the centroids that it leaves.

mod centroids;
mod measure;
mod ranked;
mod requests;
mod search;
mod vectors;

use crate::allocate::{extend, try_vec};
use crate::error::Result;
use crate::kernels::isa::Isa;
use crate::nearest::vectors::Centroids;
use crate::points::{Points, SparseRows};
use crate::threads::Threads;

pub(crate) use centroids::SparseCentroids;
pub(crate) use measure::{Measure, are_full, measure, transform};
use ranked::few;
use search::{Block, POLL_WORK, Search, TASK_ROWS};
pub(crate) use vectors::Vectors;

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
    centroids: &SparseCentroids,
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
            let Scratch {
                rows: block,
                squares: own,
                search,
            } = scratch;
            let first = task * TASK_ROWS;
            let range = first..first + labels.len();
            points.in_sparse_blocks(range, block, poll, |at, rows| {
                let squares = match squares {
                    Some(squares) => &squares[at..at + rows.len()],
                    None => {
                        own.clear();
                        extend(own, rows.rows().map(|row| row.square()), "lengths of rows")?;
                        &own[..]
                    }
                };
                let work = (rows.longest() + 1) * centroids.len();
                let at_once = (POLL_WORK / work).clamp(1, TASK_ROWS);
                for start in (0..rows.len()).step_by(at_once) {
                    let part = start..rows.len().min(start + at_once);
                    let places = at - first + part.start..at - first + part.end;
                    let bounds = match bounds.is_empty() {
                        true => &mut [][..],
                        false => &mut bounds[places.clone()],
                    };
                    let some = Block {
                        rows: rows.part(part.clone()),
                        squares: &squares[part],
                        labels: &mut labels[places],
                        bounds,
                    };
                    *changed += search.run(isa, centroids, some, poll)?;
                    poll()?;
                }
                Ok(())
            })
        },
    )?;
    Ok(changed.iter().sum())
}

/// Writes the `count` nearest centroids, which have no bias unless one is wanted, of
/// every sparse row, nearest first, equals by index, and their distances without bias.
/// All numbers of the centroids help if they are at hand.
pub(crate) fn search(
    points: &Points<'_>,
    model: (&SparseCentroids, Option<Centroids<'_>>),
    isa: Isa,
    threads: &Threads<'_>,
    (count, labels, distances): (usize, &mut [u32], Option<&mut [f64]>),
) -> Result<()> {
    match count {
        1 => label(points, model.0, isa, threads, (labels, distances)).map(drop),
        _ => few(points, model, isa, threads, (count, labels, distances)),
    }
}

/// Writes every row's nearest centroid, and its distance without bias. Returns how many
/// labels changed.
fn label(
    points: &Points<'_>,
    centroids: &SparseCentroids,
    isa: Isa,
    threads: &Threads<'_>,
    (labels, distances): (&mut [u32], Option<&mut [f64]>),
) -> Result<usize> {
    let changed = assign(points, centroids, isa, threads, labels, None)?;
    if let Some(out) = distances {
        let model = (&**centroids.vectors(), centroids.metric());
        measure(points, model, threads, labels, out)?;
    }
    Ok(changed)
}
