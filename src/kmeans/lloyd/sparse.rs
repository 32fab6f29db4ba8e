//! Lloyd's algorithm on sparse rows: the same iteration, with centroids that are
//! sparse too. The given centroids and the final ones are all that is kept of
//! clusters × dimensions numbers.

use super::by_column::RowsByColumn;
use super::empty_clusters::rows_for_empty_clusters;
use super::{copy_row, count};
use crate::allocate::{collect, try_vec};
use crate::clusters::UNASSIGNED;
use crate::config::Config;
use crate::error::Result;
use crate::fit::Fit;
use crate::kernels::exact_sparse::{Vector, inverse_of_root};
use crate::kernels::isa::Isa;
use crate::metric::Metric;
use crate::nearest::sparse::{self, Known, SparseCentroids};
use crate::nearest::{Centroids, Nearest};
use crate::points::{Points, SparseRows};
use crate::threads::{Iteration, Phase, Threads};
use crate::totals::{ExactSum, Grid};
use std::time::Instant;

/// Rows per task.
const TASK_ROWS: usize = 1024;

/// ‖x‖² − 2x·c + ‖c‖² below this part of its terms is computed as ‖x − c‖².
const CANCELLED: f64 = 1e-6;

/// From so many clusters, and numbers a row, on it pays to know of centroids that
/// are too far for a row and have not moved enough.
const BOUNDS_FROM: (usize, usize) = (256, 64);

/// What is kept between iterations.
struct Sparse<'n, 'a> {
    nearest: &'n Nearest<'a>,
    isa: Isa,
    rows: RowsByColumn,
    grid: Grid,
    centroids: SparseCentroids<'static>,
    next: SparseCentroids<'static>,
    /// How far the other centroids are from each row, where that pays.
    bounds: Vec<f32>,
    labels: Vec<u32>,
    counts: Vec<usize>,
}

/// [`fit`](super::fit) of sparse rows, `None` for others. `centroids` are overwritten.
pub(super) fn fit(
    nearest: &Nearest<'_>,
    config: &Config,
    centroids: &mut Vec<f32>,
    threads: &Threads<'_>,
    start: Instant,
) -> Result<Option<Fit>> {
    let Some(isa) = nearest.sparse_engine() else {
        return Ok(None);
    };
    let bytes = RowsByColumn::bytes(nearest.points());
    let _reserved = nearest.budget().reserve(bytes);
    threads.enter(Phase::Iterating);
    let (points, metric) = (nearest.points(), nearest.metric());
    let (rows, dims) = (points.rows(), points.cols());
    let mut state = Sparse {
        nearest,
        isa,
        rows: RowsByColumn::new(points, metric, threads)?,
        grid: nearest.grid(threads)?,
        centroids: SparseCentroids::new(metric),
        next: SparseCentroids::new(metric),
        bounds: match bounds_pay(points, config.n_clusters) {
            true => threads.try_vec(f32::NEG_INFINITY, rows, "bounds")?,
            false => Vec::new(),
        },
        labels: threads.try_vec(UNASSIGNED, rows, "labels")?,
        counts: try_vec(0, config.n_clusters, "cluster sizes")?,
    };
    state.centroids.set_dense(centroids, dims)?;
    let mut last_inertia = f64::INFINITY;
    let mut n_iter = 0;
    let mut last = false;
    let mut settled = false;
    while !last {
        n_iter += 1;
        let changed = state.assign(threads)?;
        last = changed == 0 || n_iter == config.iterations;
        if threads.observed() || config.tolerance > 0.0 {
            state.write_centroids(centroids);
            let inertia = state.inertia(centroids, threads)?;
            let iteration = Iteration {
                number: n_iter,
                inertia,
                changed,
                seconds: start.elapsed().as_secs_f64(),
            };
            config.report(threads, iteration)?;
            last |= n_iter > 1 && last_inertia - inertia < config.tolerance * last_inertia;
            last_inertia = inertia;
        }
        last |= threads.stopping();
        if changed > 0 && state.counts.contains(&0) {
            state.write_centroids(centroids);
            let now = Centroids::new(centroids, dims);
            let moves = rows_for_empty_clusters(nearest, now, &state.labels, threads)?;
            for (row, cluster) in moves {
                state.labels[row as usize] = cluster;
                if let Some(bound) = state.bounds.get_mut(row as usize) {
                    *bound = f32::NEG_INFINITY;
                }
            }
            count(&state.labels, &mut state.counts);
        }
        // Where no row moved, neither do centroids.
        settled = changed == 0;
        if !settled {
            state.update(threads)?;
        }
    }
    threads.enter(Phase::Labelling);
    if !settled {
        state.assign(threads)?;
    }
    state.write_centroids(centroids);
    let mut inertia = state.inertia(centroids, threads)?;
    while state.counts.contains(&0) {
        let now = Centroids::new(centroids, dims);
        let moves = rows_for_empty_clusters(nearest, now, &state.labels, threads)?;
        if moves.is_empty() {
            break;
        }
        for (row, cluster) in moves {
            let centroid = &mut centroids[cluster as usize * dims..][..dims];
            copy_row(nearest, row, centroid)?;
        }
        state.centroids.set_dense(centroids, dims)?;
        state.assign(threads)?;
        let before = inertia;
        inertia = state.inertia(centroids, threads)?;
        if inertia >= before {
            break;
        }
    }
    let (centroids, labels) = (std::mem::take(centroids), state.labels);
    Ok(Some(Fit {
        inertia,
        n_iter,
        ..Fit::new(centroids, labels, config.n_clusters)?
    }))
}

fn bounds_pay(points: &Points<'_>, clusters: usize) -> bool {
    let (from_clusters, from_numbers) = BOUNDS_FROM;
    clusters >= from_clusters && points.stored() / from_numbers >= points.rows()
}

impl Sparse<'_, '_> {
    /// Labels every row by its nearest centroid. Returns how many changed.
    fn assign(&mut self, threads: &Threads<'_>) -> Result<usize> {
        let (points, labels) = (self.nearest.points(), &mut self.labels);
        let known = Some(Known {
            squares: self.rows.squares(),
            bounds: &mut self.bounds,
        });
        let changed = sparse::assign(points, &self.centroids, self.isa, threads, labels, known)?;
        count(&self.labels, &mut self.counts);
        Ok(changed)
    }

    /// Makes centroids of what the rows of each cluster add up to.
    fn update(&mut self, threads: &Threads<'_>) -> Result<()> {
        let clusters = (&self.labels[..], &self.counts[..]);
        let (before, rows, grid) = (&self.centroids, &mut self.rows, &self.grid);
        let moved_from = (!self.bounds.is_empty()).then_some(before);
        self.next.set(self.counts.len(), moved_from, |columns| {
            rows.write_centroids(grid, clusters, before, columns, threads)
        })?;
        std::mem::swap(&mut self.centroids, &mut self.next);
        Ok(())
    }

    /// The centroids as clusters × dimensions numbers.
    fn write_centroids(&self, out: &mut [f32]) {
        let dims = self.grid.dims();
        out.fill(0.0);
        for column in 0..dims {
            self.centroids.each(column, |cluster, value| {
                out[cluster as usize * dims + column] = value;
            });
        }
    }

    /// The sum of distances to the centroids that labels name, given also as
    /// clusters × dimensions numbers.
    fn inertia(&self, centroids: &[f32], threads: &Threads<'_>) -> Result<f64> {
        let (points, metric) = (self.nearest.points(), self.nearest.metric());
        let dims = self.grid.dims();
        let centroid = |label: u32| &centroids[label as usize * dims..][..dims];
        let clusters = 0..self.counts.len() as u32;
        let inverse_norms = clusters.map(|j| inverse_of_root(self.centroids.square(j)));
        let inverse_norms: Vec<f64> = collect(inverse_norms, "norms of centroids")?;
        let distance = |row: Vector<'_>, square: f64, label: u32| {
            let dot = row.dot_dense(centroid(label));
            if metric == Metric::Cosine {
                let along = dot * inverse_of_root(square);
                return Ok(1.0 - along * inverse_norms[label as usize]);
            }
            let terms = square + self.centroids.square(label);
            let distance = terms - 2.0 * dot;
            match distance < CANCELLED * terms {
                true => Ok(self.centroids.vectors()?.canonical(metric, row, label)),
                false => Ok(distance),
            }
        };
        let tasks = self.labels.len().div_ceil(TASK_ROWS);
        let mut parts = try_vec(ExactSum::default(), tasks, "sums of distances")?;
        threads.run_long(
            self.labels.chunks(TASK_ROWS).zip(&mut parts).enumerate(),
            SparseRows::default,
            |rows, (task, (labels, part)), poll| {
                let first = task * TASK_ROWS;
                points.read_sparse(first..first + labels.len(), rows)?;
                let squares = &self.rows.squares()[first..];
                let numbered = rows.rows().zip(labels).zip(squares).zip(first..);
                for (((row, &label), &square), number) in numbered {
                    let distance = distance(row, square, label)?;
                    match points.is_weighted() {
                        true => part.add_product(points.weight(number), distance),
                        false => part.add(distance),
                    }
                }
                poll()
            },
        )?;
        let mut sum = ExactSum::default();
        parts.iter().for_each(|part| sum.merge(part));
        Ok(sum.value())
    }
}
