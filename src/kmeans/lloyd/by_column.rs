//! Sparse rows by column, and the centroids that they make.

use crate::allocate::{collect, push, refill, try_vec, with_capacity};
use crate::error::Result;
use crate::kernels::exact_sparse::{Rows, inverse_of_root};
use crate::kernels::sparse_columns::Columns;
use crate::metric::Metric;
use crate::nearest::sparse::SparseCentroids;
use crate::points::{Points, SparseRows};
use crate::threads::Threads;
use crate::totals::{ColumnSum, Grid, size_of_sum};
use std::ops::Range;

/// Rows that are read at a time.
const BLOCK: usize = 1024;

/// Parts of the columns, about as much work each.
const PARTS: usize = 64;

/// Numbers between two polls.
const POLL_NUMBERS: usize = 1 << 20;

/// What memory is for.
const PURPOSE: &str = "sparse rows by column";

/// The numbers of each column, by row.
pub(super) struct RowsByColumn {
    starts: Vec<usize>,
    rows: Vec<u32>,
    values: Values,
    /// Σ x² of every row.
    squares: Vec<f64>,
    /// Of every row; empty where they have none.
    weights: Vec<f64>,
    parts: Vec<Range<usize>>,
    sums: Vec<Sums>,
}

/// The numbers that are added up: with cosine those of unit rows, unless rows are
/// weighted.
enum Values {
    Whole(Vec<f32>),
    Unit(Vec<f64>),
}

/// Of a part, the sums of all columns one after the other, and where those of each
/// column end.
type Sums = (Vec<(u32, f64)>, Vec<usize>);

impl RowsByColumn {
    /// Bytes for these points.
    pub fn bytes(points: &Points<'_>) -> u64 {
        let stored = points.stored() as u64;
        let per_row = 12 + 8 * u64::from(points.is_weighted());
        stored * 12 + (points.cols() as u64) * 16 + (points.rows() as u64) * per_row
    }

    /// Two passes over the numbers.
    pub fn new(points: &Points<'_>, metric: Metric, threads: &Threads<'_>) -> Result<Self> {
        let cols = points.cols();
        let mut starts = try_vec(0usize, cols + 1, PURPOSE)?;
        let mut squares = with_capacity(points.rows(), PURPOSE)?;
        each_block(points, threads, |_, block| {
            for row in block.rows() {
                for &column in row.columns {
                    starts[column as usize + 1] += 1;
                }
                squares.push(row.square());
            }
        })?;
        for column in 0..cols {
            starts[column + 1] += starts[column];
        }
        let mut next = Vec::new();
        refill(&mut next, &starts[..cols], PURPOSE)?;
        let mut rows = try_vec(0u32, starts[cols], PURPOSE)?;
        let mut values = match metric {
            Metric::Cosine if !points.is_weighted() => {
                Values::Unit(try_vec(0.0, starts[cols], PURPOSE)?)
            }
            _ => Values::Whole(try_vec(0.0, starts[cols], PURPOSE)?),
        };
        each_block(points, threads, |first, block| {
            for (number, row) in (first..).zip(block.rows()) {
                let scale = inverse_of_root(squares[number]);
                for (&column, &value) in row.columns.iter().zip(row.values) {
                    let at = &mut next[column as usize];
                    rows[*at] = number as u32;
                    match &mut values {
                        Values::Whole(values) => values[*at] = value,
                        Values::Unit(values) => values[*at] = f64::from(value) * scale,
                    }
                    *at += 1;
                }
            }
        })?;
        let mut parts = with_capacity(PARTS, PURPOSE)?;
        let mut first = 0;
        for part in 1..=PARTS {
            let until = starts[cols] * part / PARTS;
            let end = match part {
                PARTS => cols,
                _ => starts.partition_point(|&start| start < until).min(cols),
            };
            parts.push(first..end.max(first));
            first = end.max(first);
        }
        let mut sums = with_capacity(parts.len(), PURPOSE)?;
        sums.resize_with(parts.len(), Sums::default);
        let weighted = if points.is_weighted() {
            points.rows()
        } else {
            0
        };
        let weights = collect((0..weighted).map(|row| points.weight(row)), PURPOSE)?;
        Ok(RowsByColumn {
            sums,
            starts,
            rows,
            values,
            squares,
            weights,
            parts,
        })
    }

    /// Σ x² of every row.
    pub fn squares(&self) -> &[f64] {
        &self.squares
    }

    /// x·c of every row and the centroid of its label; with cosine the row's length is 1.
    pub fn products(
        &self,
        labels: &[u32],
        centroids: &SparseCentroids,
        threads: &Threads<'_>,
    ) -> Result<Vec<f64>> {
        const PURPOSE: &str = "products";
        let mut products = threads.try_vec(0.0f64, labels.len(), PURPOSE)?;
        // Of rows that are kept whole.
        let scales: Vec<f64> = match (&self.values, centroids.metric()) {
            (Values::Whole(_), Metric::Cosine) => {
                let squares = self.squares.iter().copied();
                collect(squares.map(inverse_of_root), PURPOSE)?
            }
            _ => Vec::new(),
        };
        // Each part of the rows sees all columns.
        let rows = labels.len().div_ceil(threads.count()).max(1);
        let parts = products.chunks_mut(rows).zip(labels.chunks(rows));
        let numbers = || try_vec(0.0f32, centroids.len(), PURPOSE);
        threads.run_long(parts.enumerate(), numbers, |numbers, part, poll| {
            let (part, (products, labels)) = part;
            let numbers = numbers.as_mut().map_err(|error| error.clone())?;
            let first = (part * rows) as u32;
            let mut seen = 0;
            for column in 0..self.starts.len() - 1 {
                let mut places = self.starts[column]..self.starts[column + 1];
                if labels.len() < self.squares.len() {
                    let own = &self.rows[places.clone()];
                    let last = first + labels.len() as u32;
                    let skipped = own.partition_point(|&row| row < first);
                    let until = own.partition_point(|&row| row < last);
                    places = places.start + skipped..places.start + until;
                }
                if places.is_empty() {
                    continue;
                }
                centroids.each(column, |j, value| numbers[j as usize] = value);
                let own = self.rows[places.clone()].iter();
                let own = own.map(|&row| (row - first) as usize);
                seen += own.len();
                let mut add = |row: usize, value: f64| {
                    products[row] += value * f64::from(numbers[labels[row] as usize]);
                };
                match &self.values {
                    Values::Unit(values) => {
                        let pairs = own.zip(&values[places]);
                        pairs.for_each(|(row, &value)| add(row, value));
                    }
                    Values::Whole(values) if scales.is_empty() => {
                        let pairs = own.zip(&values[places]);
                        pairs.for_each(|(row, &value)| add(row, value.into()));
                    }
                    Values::Whole(values) => {
                        let scales = &scales[first as usize..];
                        let pairs = own.zip(&values[places]);
                        pairs.for_each(|(row, &value)| add(row, f64::from(value) * scales[row]));
                    }
                }
                centroids.each(column, |j, _| numbers[j as usize] = 0.0);
                if seen >= POLL_NUMBERS {
                    poll()?;
                    seen = 0;
                }
            }
            Ok(())
        })?;
        Ok(products)
    }

    /// Writes the centroids of the clusters that rows are in, `counts` of them, to
    /// `next`; a cluster that is empty, or whose unit rows cancel out, keeps the
    /// one of `before`.
    pub fn write_centroids(
        &mut self,
        grid: &Grid,
        (labels, counts): (&[u32], &[usize]),
        before: &SparseCentroids,
        next: &mut Columns,
        threads: &Threads<'_>,
    ) -> Result<()> {
        let clusters = counts.len();
        let RowsByColumn {
            starts: places,
            rows,
            values,
            squares,
            weights,
            parts,
            sums,
        } = self;
        let weights = &weights[..];
        threads.run_long(
            parts.iter().zip(&mut *sums),
            || None,
            |sum, (columns, (sums, ends)), poll| {
                sums.clear();
                ends.clear();
                let sum = match sum {
                    Some(sum) => sum,
                    none => none.insert(ColumnSum::new(grid, clusters)?),
                };
                for column in columns.clone() {
                    let places = places[column]..places[column + 1];
                    let rows = rows[places.clone()].iter();
                    let see = |cluster, sum| push(sums, (cluster, sum), PURPOSE);
                    let labelled = rows.clone().map(|&row| labels[row as usize]);
                    match &*values {
                        Values::Unit(values) => {
                            let values = values[places].iter().copied();
                            sum.add_up(grid, column, labelled.zip(values), see)?;
                        }
                        Values::Whole(values) if weights.is_empty() => {
                            let values = values[places].iter().map(|&value| value.into());
                            sum.add_up(grid, column, labelled.zip(values), see)?;
                        }
                        Values::Whole(values) => {
                            let numbers = rows.zip(&values[places]).flat_map(|(&row, &value)| {
                                let row = row as usize;
                                let scale = match grid.metric() {
                                    Metric::Euclidean => 1.0,
                                    Metric::Cosine => inverse_of_root(squares[row]),
                                };
                                let products = grid.factors(scale, weights[row]).times(value);
                                products.map(|product| (labels[row], product))
                            });
                            sum.add_up(grid, column, numbers, see)?;
                        }
                    }
                    push(ends, sums.len(), PURPOSE)?;
                }
                poll()
            },
        )?;
        let mut squares = try_vec(0.0f64, clusters, PURPOSE)?;
        if grid.metric() == Metric::Cosine {
            for &(cluster, sum) in sums.iter().flat_map(|(sums, _)| sums) {
                squares[cluster as usize] += sum * sum;
            }
        }
        let mut heavy: Vec<f64> = collect(counts.iter().map(|&count| count as f64), PURPOSE)?;
        if !weights.is_empty() {
            let numbers = labels.iter().copied().zip(weights.iter().copied());
            let mut sum = ColumnSum::new(grid, clusters)?;
            sum.add_up(grid, grid.dims(), numbers, |cluster, sum| {
                heavy[cluster as usize] = sum;
                Ok(())
            })?;
        }
        let sizes = heavy.iter().zip(&squares);
        let sizes = sizes.map(|(&weight, &square)| match weight > 0.0 {
            false => None,
            true => size_of_sum(grid.metric(), grid.dims(), weight, || square),
        });
        let sizes: Vec<Option<f64>> = collect(sizes, PURPOSE)?;
        let keeps = sizes.contains(&None);
        for (columns, (sums, ends)) in parts.iter().zip(&*sums) {
            let mut first = 0;
            for (column, &end) in columns.clone().zip(ends) {
                for &(cluster, sum) in &sums[first..end] {
                    if let Some(size) = sizes[cluster as usize] {
                        let value = (sum / size) as f32;
                        if value.to_bits() != 0 {
                            next.push(cluster, value)?;
                        }
                    }
                }
                if keeps {
                    let mut kept = Ok(());
                    before.each(column, |cluster, value| {
                        if sizes[cluster as usize].is_none() && kept.is_ok() {
                            kept = next.push(cluster, value);
                        }
                    });
                    kept?;
                }
                next.end_column()?;
                first = end;
            }
        }
        Ok(())
    }
}

/// Reads all rows, block by block.
fn each_block(
    points: &Points<'_>,
    threads: &Threads<'_>,
    mut see: impl FnMut(usize, Rows<'_>),
) -> Result<()> {
    let mut block = SparseRows::default();
    for first in (0..points.rows()).step_by(BLOCK) {
        let some = first..points.rows().min(first + BLOCK);
        points.in_sparse_blocks(some, &mut block, &|| threads.poll(), |first, block| {
            see(first, block);
            Ok(())
        })?;
    }
    Ok(())
}
