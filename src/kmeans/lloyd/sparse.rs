//! Lloyd's algorithm on sparse rows, with centroids that are sparse too. The given
//! centroids and the final ones are all that is kept of clusters × dimensions numbers.

use super::by_column::RowsByColumn;
use super::steps::Steps;
use crate::allocate::{collect, try_vec};
use crate::clusters::UNASSIGNED;
use crate::error::Result;
use crate::kernels::exact_sparse::{Vector, inverse_of_root};
use crate::kernels::isa::Isa;
use crate::kmeans::empty_clusters::{put_on_rows, rows_for_empty_clusters};
use crate::memory::Reserved;
use crate::metric::Metric;
use crate::nearest::sparse::{self, Known, SparseCentroids};
use crate::nearest::{Centroids, Nearest};
use crate::points::{Points, SparseRows};
use crate::threads::Threads;
use crate::totals::{ExactSum, Grid};

/// Rows per task.
const TASK_ROWS: usize = 1024;

/// ‖x‖² − 2x·c + ‖c‖² below this part of its terms is computed as ‖x − c‖².
const CANCELLED: f64 = 1e-6;

/// From so many clusters, and numbers a row, on it pays to know of centroids that
/// are too far for a row and have not moved enough.
const BOUNDS_FROM: (usize, usize) = (256, 64);

/// Sparse rows in clusters, with the centroids of these.
pub(super) struct Sparse<'n, 'a> {
    nearest: &'n Nearest<'a>,
    isa: Isa,
    rows: RowsByColumn,
    grid: Grid,
    centroids: SparseCentroids<'static>,
    next: SparseCentroids<'static>,
    /// The centroids as clusters × dimensions numbers, and whether they are these yet.
    dense: Vec<f32>,
    is_dense: bool,
    /// How far the other centroids are from each row, where that pays.
    bounds: Vec<f32>,
    labels: Vec<u32>,
    counts: Vec<usize>,
    _reserved: Reserved,
}

impl<'n, 'a> Sparse<'n, 'a> {
    /// In no cluster yet. Two passes over the rows.
    pub fn new(
        nearest: &'n Nearest<'a>,
        isa: Isa,
        centroids: Vec<f32>,
        threads: &Threads<'_>,
    ) -> Result<Self> {
        let (points, metric) = (nearest.points(), nearest.metric());
        let (rows, dims) = (points.rows(), points.cols());
        let clusters = centroids.len() / dims;
        let reserved = nearest.budget().reserve(RowsByColumn::bytes(points));
        let mut made = Sparse {
            nearest,
            isa,
            rows: RowsByColumn::new(points, metric, threads)?,
            grid: nearest.grid(threads)?,
            centroids: SparseCentroids::new(metric),
            next: SparseCentroids::new(metric),
            dense: centroids,
            is_dense: true,
            bounds: match bounds_pay(points, clusters) {
                true => threads.try_vec(f32::NEG_INFINITY, rows, "bounds")?,
                false => Vec::new(),
            },
            labels: threads.try_vec(UNASSIGNED, rows, "labels")?,
            counts: try_vec(0, clusters, "cluster sizes")?,
            _reserved: reserved,
        };
        made.centroids.set_dense(&made.dense, dims)?;
        Ok(made)
    }

    /// Counts the rows of each cluster.
    fn count(&mut self) {
        self.counts.fill(0);
        for &label in &self.labels {
            self.counts[label as usize] += 1;
        }
    }

    /// Writes the centroids as clusters × dimensions numbers, unless they are there.
    fn make_dense(&mut self) {
        if std::mem::replace(&mut self.is_dense, true) {
            return;
        }
        let dims = self.grid.dims();
        self.dense.fill(0.0);
        for column in 0..dims {
            self.centroids.each(column, |cluster, value| {
                self.dense[cluster as usize * dims + column] = value;
            });
        }
    }

    /// Rows for clusters that are empty.
    fn moves(&mut self, threads: &Threads<'_>) -> Result<Vec<(u32, u32)>> {
        if !self.counts.contains(&0) {
            return Ok(Vec::new());
        }
        self.make_dense();
        let now = Centroids::new(&self.dense, self.grid.dims());
        rows_for_empty_clusters(self.nearest, now, &self.labels, threads)
    }
}

impl Steps for Sparse<'_, '_> {
    fn assign(&mut self, threads: &Threads<'_>) -> Result<usize> {
        let (points, labels) = (self.nearest.points(), &mut self.labels);
        let known = Some(Known {
            squares: self.rows.squares(),
            bounds: &mut self.bounds,
        });
        let changed = sparse::assign(points, &self.centroids, self.isa, threads, labels, known)?;
        self.count();
        Ok(changed)
    }

    fn inertia(&mut self, threads: &Threads<'_>) -> Result<f64> {
        self.exact_inertia(threads)
    }

    fn fill_empty(&mut self, threads: &Threads<'_>) -> Result<()> {
        let moves = self.moves(threads)?;
        for &(row, cluster) in &moves {
            self.labels[row as usize] = cluster;
            if let Some(bound) = self.bounds.get_mut(row as usize) {
                *bound = f32::NEG_INFINITY;
            }
        }
        if !moves.is_empty() {
            self.count();
        }
        Ok(())
    }

    fn update(&mut self, threads: &Threads<'_>) -> Result<()> {
        let clusters = (&self.labels[..], &self.counts[..]);
        let (before, rows, grid) = (&self.centroids, &mut self.rows, &self.grid);
        let moved_from = (!self.bounds.is_empty()).then_some(before);
        self.next.set(self.counts.len(), moved_from, |columns| {
            rows.write_centroids(grid, clusters, before, columns, threads)
        })?;
        std::mem::swap(&mut self.centroids, &mut self.next);
        self.is_dense = false;
        Ok(())
    }

    fn exact_inertia(&mut self, threads: &Threads<'_>) -> Result<f64> {
        self.make_dense();
        let (points, metric) = (self.nearest.points(), self.nearest.metric());
        let dims = self.grid.dims();
        let centroid = |label: u32| &self.dense[label as usize * dims..][..dims];
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

    fn label(&mut self, threads: &Threads<'_>) -> Result<f64> {
        self.assign(threads)?;
        self.exact_inertia(threads)
    }

    fn place_empty(&mut self, threads: &Threads<'_>) -> Result<bool> {
        let moves = self.moves(threads)?;
        put_on_rows(self.nearest, &moves, &mut self.dense)?;
        if !moves.is_empty() {
            self.centroids.set_dense(&self.dense, self.grid.dims())?;
        }
        Ok(!moves.is_empty())
    }

    fn finish(mut self, _: &Threads<'_>) -> Result<(Vec<f32>, Vec<u32>)> {
        self.make_dense();
        Ok((self.dense, self.labels))
    }
}

fn bounds_pay(points: &Points<'_>, clusters: usize) -> bool {
    let (from_clusters, from_numbers) = BOUNDS_FROM;
    clusters >= from_clusters && points.stored() / from_numbers >= points.rows()
}
