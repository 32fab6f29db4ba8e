//! Distances between some rows and others, a tile of them at a time.
//!
//! Every row is first multiplied by a factor that makes one squared
//! difference serve both metrics: with cosine rows become unit vectors, of
//! which 1 − cos is half the squared distance; with Euclidean distance a power
//! of two, which rounds nothing, brings the data into a range where squares
//! neither overflow nor vanish.

use super::matrix::{TILE, task_rows};
use super::sparse_tiles;
use crate::allocate::{resize, try_vec};
use crate::error::Result;
use crate::kernels::pairwise::{PANEL, STRIP, pack, squared_distances};
use crate::metric::Metric;
use crate::nearest::RowScratch;
use crate::points::Points;
use crate::threads::Threads;

/// Multiply-adds of a tile at most: some hundredths of a second.
const TILE_WORK: usize = TILE * TILE * 4096;

/// 1 − cos below this is rounding noise between rows of one direction.
pub(super) const COSINE_NOISE: f32 = 1e-14;

/// The rows of the data, each with what multiplies it.
pub(super) struct ScaledRows<'a> {
    pub points: &'a Points<'a>,
    metric: Metric,
    /// What multiplies each row with cosine: 0 if it has no direction.
    factors: Vec<f64>,
    /// What multiplies all rows otherwise.
    pub factor: f64,
    /// The row that has no direction.
    pub zero: Option<usize>,
}

impl<'a> ScaledRows<'a> {
    /// The rows must differ.
    pub fn new(points: &'a Points<'a>, metric: Metric, threads: &Threads<'_>) -> Result<Self> {
        let mut rows = ScaledRows {
            points,
            metric,
            factors: Vec::new(),
            factor: 1.0,
            zero: None,
        };
        match metric {
            Metric::Cosine => {
                rows.factors = inverse_norms(points, threads)?;
                // The rows differ: no other is without direction.
                rows.zero = rows.factors.iter().position(|&factor| factor == 0.0);
            }
            Metric::Euclidean => {
                let largest = largest_magnitude(points, threads)?;
                rows.factor = power_of_two_for(largest, points.cols());
            }
        }
        Ok(rows)
    }

    /// What multiplies a row.
    pub fn factor(&self, row: u32) -> f64 {
        *self.factors.get(row as usize).unwrap_or(&self.factor)
    }

    /// Whether a row can be near anything: a zero row has no direction, and
    /// costs the same whatever the medoids.
    pub fn has_direction(&self, row: usize) -> bool {
        self.zero != Some(row)
    }

    /// The distances of data rows `rows` to data rows `columns`, at most as
    /// many each as a tile has. `write` gets them in blocks of [`PANEL`]
    /// columns: the first column, then rows × PANEL distances.
    pub fn tile(
        &self,
        rows: &[u32],
        columns: &[u32],
        scratch: &mut Scratch,
        write: impl FnMut(usize, &[f32]),
    ) -> Result<()> {
        self.pack_rows(rows, scratch)?;
        self.tile_of_packed(rows, columns, false, scratch, write)
    }

    pub fn pack_rows(&self, rows: &[u32], scratch: &mut Scratch) -> Result<()> {
        if self.points.reads_sparse() {
            return self.read_rows(rows, &mut scratch.sparse);
        }
        self.gather(rows, &mut scratch.raw, &mut scratch.rows)?;
        pack::<STRIP>(&scratch.rows, self.points.cols(), &mut scratch.strips)?;
        Ok(())
    }

    /// [`tile`](Self::tile) of rows that are packed; with `above_diagonal` only
    /// the distances of rows up to the last column of each block.
    pub fn tile_of_packed(
        &self,
        rows: &[u32],
        columns: &[u32],
        above_diagonal: bool,
        scratch: &mut Scratch,
        mut write: impl FnMut(usize, &[f32]),
    ) -> Result<()> {
        let dims = self.points.cols();
        let is_sparse = self.points.reads_sparse();
        if is_sparse {
            self.read_columns(columns, &mut scratch.sparse)?;
        } else {
            self.gather(columns, &mut scratch.raw, &mut scratch.rows)?;
            pack::<PANEL>(&scratch.rows, dims, &mut scratch.panels)?;
        }
        resize(&mut scratch.block, TILE * PANEL, 0.0, "tiles")?;
        for (part, columns) in columns.chunks(PANEL).enumerate() {
            let first = part * PANEL;
            let rows = match above_diagonal {
                true => &rows[..rows.len().min(first + PANEL)],
                false => rows,
            };
            let padded = rows.len().next_multiple_of(STRIP);
            let block = &mut scratch.block[..padded * PANEL];
            if is_sparse {
                self.sparse_panel(rows.len(), first, &mut scratch.sparse, block)?;
            } else {
                let panel = &scratch.panels[part * PANEL * dims..][..PANEL * dims];
                squared_distances(&scratch.strips[..padded * dims], panel, block);
            }
            match self.metric {
                Metric::Euclidean => block.iter_mut().for_each(|d| *d = d.sqrt()),
                Metric::Cosine => {
                    for distance in block.iter_mut() {
                        let half = 0.5 * *distance;
                        *distance = if half < COSINE_NOISE { 0.0 } else { half };
                    }
                    self.correct_zero_rows(rows, columns, block);
                }
            }
            write(first, &block[..rows.len() * PANEL]);
        }
        Ok(())
    }

    /// A zero row is at distance 1 from everything. As a point that is a
    /// constant, which is left to [`Distances::fixed`](super::matrix::Distances::fixed).
    fn correct_zero_rows(&self, rows: &[u32], columns: &[u32], block: &mut [f32]) {
        for (distances, &row) in block.chunks_exact_mut(PANEL).zip(rows) {
            if !self.has_direction(row as usize) {
                distances.fill(1.0);
            }
        }
        for (lane, &column) in columns.iter().enumerate() {
            if !self.has_direction(column as usize) {
                block[lane..]
                    .iter_mut()
                    .step_by(PANEL)
                    .for_each(|d| *d = 0.0);
            }
        }
    }

    /// The given data rows, each multiplied by its factor.
    fn gather(&self, rows: &[u32], raw: &mut Vec<f32>, out: &mut Vec<f32>) -> Result<()> {
        let dims = self.points.cols();
        resize(out, rows.len() * dims, 0.0, "tiles")?;
        let mut left = &mut out[..];
        for run in rows.chunk_by(|a, b| a + 1 == *b) {
            let (part, rest) = left.split_at_mut(run.len() * dims);
            let first = run[0] as usize;
            let block = self.points.block(first..first + run.len(), raw)?;
            let pairs = part.chunks_exact_mut(dims).zip(block.chunks_exact(dims));
            for ((out, values), &row) in pairs.zip(run) {
                let factor = self.factor(row);
                for (out, &value) in out.iter_mut().zip(values) {
                    *out = (f64::from(value) * factor) as f32;
                }
            }
            left = rest;
        }
        Ok(())
    }
}

/// What one worker needs to compute tiles.
#[derive(Default)]
pub(super) struct Scratch {
    raw: Vec<f32>,
    rows: Vec<f32>,
    strips: Vec<f32>,
    panels: Vec<f32>,
    block: Vec<f32>,
    sparse: sparse_tiles::Scratch,
}

/// Rows and columns of a tile: fewer where there are very many dimensions, so
/// that neither its memory nor its time grows with them.
pub(super) fn tile_len(dims: usize) -> usize {
    let len = (TILE_WORK / dims).isqrt() / PANEL * PANEL;
    len.clamp(PANEL, TILE)
}

/// 1/‖x‖ of every row; 0 for a zero row.
fn inverse_norms(points: &Points<'_>, threads: &Threads<'_>) -> Result<Vec<f64>> {
    let size = task_rows(points.cols());
    let mut norms = threads.try_vec(0.0f64, points.rows(), "norms")?;
    let tasks = norms.chunks_mut(size).enumerate();
    threads.run(tasks, RowScratch::default, |scratch, (task, norms)| {
        for (row, norm) in (task * size..).zip(norms) {
            *norm = scratch.row(points, row, Metric::Cosine)?.inverse_norm();
        }
        Ok(())
    })?;
    Ok(norms)
}

fn largest_magnitude(points: &Points<'_>, threads: &Threads<'_>) -> Result<f64> {
    let (rows, size) = (points.rows(), task_rows(points.cols()));
    let mut largest = try_vec(0.0f32, rows.div_ceil(size), "magnitudes")?;
    let tasks = largest.iter_mut().enumerate();
    threads.run(tasks, RowScratch::default, |scratch, (task, largest)| {
        for row in task * size..rows.min((task + 1) * size) {
            let row = scratch.row(points, row, Metric::Euclidean)?;
            row.each(|_, value| *largest = value.abs().max(*largest));
        }
        Ok(())
    })?;
    Ok(largest.into_iter().fold(0.0, f32::max).into())
}

/// The power of two that brings values up to `largest` as far up as sums of
/// squares over `dims` dimensions stay finite.
fn power_of_two_for(largest: f64, dims: usize) -> f64 {
    if largest == 0.0 {
        return 1.0;
    }
    // (2 · 2^e)² · dims must stay below 2^126.
    let highest = 62.0 - (dims as f64).log2().ceil() / 2.0;
    (highest - largest.log2().ceil()).floor().exp2()
}
