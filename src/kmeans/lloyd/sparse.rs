//! Lloyd's algorithm on sparse rows, with centroids that are sparse too. Clusters ×
//! dimensions numbers are kept of the given centroids and the final ones alone, and where
//! clusters are empty.

use super::by_column::RowsByColumn;
use super::steps::Steps;
use crate::allocate::try_vec;
use crate::clusters::UNASSIGNED;
use crate::error::Result;
use crate::kernels::exact_sparse::inverse_of_root;
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

/// From so many clusters, numbers a row, and products of both on it pays to know of
/// centroids that are too far for a row and have not moved enough: measured, see
/// docs/nearest.md.
const BOUNDS_FROM: (usize, usize, usize) = (256, 64, 1 << 16);

/// Pairs of row and cluster.
type Moves = Vec<(u32, u32)>;

/// Sparse rows in clusters, with the centroids of these.
pub(super) struct Sparse<'n, 'a> {
    nearest: &'n Nearest<'a>,
    isa: Isa,
    rows: RowsByColumn,
    grid: Grid,
    centroids: SparseCentroids,
    next: SparseCentroids,
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
        let mut first = SparseCentroids::new(metric);
        first.set_dense(&centroids, dims)?;
        drop(centroids);
        let reserved = nearest.budget().reserve(RowsByColumn::bytes(points));
        Ok(Sparse {
            nearest,
            isa,
            rows: RowsByColumn::new(points, metric, threads)?,
            grid: nearest.grid(threads)?,
            centroids: first,
            next: SparseCentroids::new(metric),
            bounds: match bounds_pay(points, clusters) {
                true => threads.try_vec(f32::NEG_INFINITY, rows, "bounds")?,
                false => Vec::new(),
            },
            labels: threads.try_vec(UNASSIGNED, rows, "labels")?,
            counts: try_vec(0, clusters, "cluster sizes")?,
            _reserved: reserved,
        })
    }

    /// Counts the rows of each cluster.
    fn count(&mut self) {
        self.counts.fill(0);
        for &label in &self.labels {
            self.counts[label as usize] += 1;
        }
    }

    /// Rows for clusters that are empty; and the centroids, if there are any of these.
    fn moves(&self, threads: &Threads<'_>) -> Result<(Moves, Vec<f32>)> {
        if !self.counts.contains(&0) {
            return Ok(Default::default());
        }
        let dense = dense(&self.centroids, self.grid.dims(), threads)?;
        let now = Centroids::new(&dense, self.grid.dims());
        let moves = rows_for_empty_clusters(self.nearest, now, &self.labels, threads)?;
        Ok((moves, dense))
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
        let (moves, _) = self.moves(threads)?;
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
        Ok(())
    }

    fn exact_inertia(&mut self, threads: &Threads<'_>) -> Result<f64> {
        let (points, metric) = (self.nearest.points(), self.nearest.metric());
        let products = self.rows.products(&self.labels, &self.centroids, threads)?;
        let distance = |number: usize, rows: &mut SparseRows| {
            let (label, product) = (self.labels[number], products[number]);
            let (square, centroid) = (self.rows.squares()[number], self.centroids.square(label));
            if metric == Metric::Cosine {
                return Ok(1.0 - product * inverse_of_root(centroid));
            }
            let terms = square + centroid;
            let distance = terms - 2.0 * product;
            if distance >= CANCELLED * terms {
                return Ok(distance);
            }
            points.read_sparse(number..number + 1, rows)?;
            let centroids = self.centroids.vectors()?;
            Ok(centroids.canonical(metric, rows.row(0), label))
        };
        let tasks = self.labels.len().div_ceil(TASK_ROWS);
        let mut parts = try_vec(ExactSum::default(), tasks, "sums of distances")?;
        threads.run(
            parts.iter_mut().enumerate(),
            SparseRows::default,
            |rows, (task, part)| {
                let first = task * TASK_ROWS;
                for number in first..self.labels.len().min(first + TASK_ROWS) {
                    let distance = distance(number, rows)?;
                    match points.is_weighted() {
                        true => part.add_product(points.weight(number), distance),
                        false => part.add(distance),
                    }
                }
                Ok(())
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
        let (moves, mut dense) = self.moves(threads)?;
        if !moves.is_empty() {
            put_on_rows(self.nearest, &moves, &mut dense)?;
            self.centroids.set_dense(&dense, self.grid.dims())?;
        }
        Ok(!moves.is_empty())
    }

    fn finish(self, threads: &Threads<'_>) -> Result<(Vec<f32>, Vec<u32>)> {
        // The rest may be large.
        drop((self.rows, self.next, self.bounds));
        let centroids = dense(&self.centroids, self.grid.dims(), threads)?;
        Ok((centroids, self.labels))
    }
}

/// Centroids as clusters × dimensions numbers.
fn dense(centroids: &SparseCentroids, dims: usize, threads: &Threads<'_>) -> Result<Vec<f32>> {
    let mut dense = threads.try_vec(0.0, centroids.len() * dims, "centroids")?;
    for column in 0..dims {
        centroids.each(column, |cluster, value| {
            dense[cluster as usize * dims + column] = value;
        });
    }
    Ok(dense)
}

fn bounds_pay(points: &Points<'_>, clusters: usize) -> bool {
    let (from_clusters, from_numbers, from_products) = BOUNDS_FROM;
    let numbers = points.stored() / points.rows().max(1);
    clusters >= from_clusters
        && numbers >= from_numbers
        && numbers.saturating_mul(clusters) >= from_products
}
