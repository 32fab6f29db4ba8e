//! A borrowed view of the caller's rows, whatever their type and layout.
//!
//! float32 rows whose columns lie side by side are lent as they are; anything
//! else is converted to float32 a block of rows at a time, never as a whole.

use crate::allocate::{resize, try_vec};
use crate::error::{KMeansError, Result};
use crate::nearest::prefetch;
use crate::threads::{Poll, Threads};
use half::{bf16, f16};
use ndarray::{ArrayView2, Axis, s};
use std::ops::Range;

/// Bytes of float32 rows that are worked on at a time.
pub(crate) const BLOCK_BYTES: usize = 4 << 20;

/// A number type that [`Points`] can be made of.
pub trait Element: Copy + Send + Sync + 'static {
    /// The value rounded to the nearest float32; out of range becomes infinite.
    fn to_f32(self) -> f32;

    /// The same slice, where the type is float32 already.
    fn as_f32(_slice: &[Self]) -> Option<&[f32]> {
        None
    }
}

impl Element for f32 {
    fn to_f32(self) -> f32 {
        self
    }
    fn as_f32(slice: &[f32]) -> Option<&[f32]> {
        Some(slice)
    }
}

/// Implements [`Element`] for types whose conversion is one expression.
macro_rules! elements {
    ($($type:ty => $convert:expr),* $(,)?) => {
        $(impl Element for $type {
            fn to_f32(self) -> f32 {
                let convert: fn($type) -> f32 = $convert;
                convert(self)
            }
        })*
    };
}

elements! {
    f64 => |v| v as f32,
    f16 => f16::to_f32,
    bf16 => bf16::to_f32,
    bool => |v| f32::from(u8::from(v)),
    i8 => |v| v as f32,
    i16 => |v| v as f32,
    i32 => |v| v as f32,
    i64 => |v| v as f32,
    u8 => |v| v as f32,
    u16 => |v| v as f32,
    u32 => |v| v as f32,
    u64 => |v| v as f32,
    Swapped<u16> => |v| v.0.swap_bytes() as f32,
    Swapped<u32> => |v| v.0.swap_bytes() as f32,
    Swapped<u64> => |v| v.0.swap_bytes() as f32,
    Swapped<i16> => |v| v.0.swap_bytes() as f32,
    Swapped<i32> => |v| v.0.swap_bytes() as f32,
    Swapped<i64> => |v| v.0.swap_bytes() as f32,
    Swapped<f16> => |v| f16::from_bits(v.0.to_bits().swap_bytes()).to_f32(),
    Swapped<bf16> => |v| bf16::from_bits(v.0.to_bits().swap_bytes()).to_f32(),
    Swapped<f32> => |v| f32::from_bits(v.0.to_bits().swap_bytes()),
    Swapped<f64> => |v| f64::from_bits(v.0.to_bits().swap_bytes()) as f32,
}

/// A number stored in the byte order that is not this machine's.
#[derive(Debug, Clone, Copy)]
#[repr(transparent)]
pub struct Swapped<T>(pub T);

/// Rows × columns of numbers that the caller keeps.
///
/// Any strides are fine, negative ones included.
pub struct Points<'a> {
    source: Box<dyn Source + 'a>,
    /// All rows, where they are float32 and row-major without gaps.
    whole: Option<&'a [f32]>,
    rows: usize,
    cols: usize,
}

trait Source: Sync {
    /// Rows `range` as float32, row-major, if they already lie so in memory.
    fn lend(&self, range: Range<usize>) -> Option<&[f32]>;
    /// Rows `range` as float32, row-major, into `out`.
    fn convert(&self, range: Range<usize>, out: &mut [f32]);
}

impl<T: Element> Source for ArrayView2<'_, T> {
    fn lend(&self, range: Range<usize>) -> Option<&[f32]> {
        T::as_f32(self.slice(s![range, ..]).to_slice()?)
    }

    fn convert(&self, range: Range<usize>, out: &mut [f32]) {
        let cols = self.len_of(Axis(1)).max(1);
        let view = self.slice(s![range, ..]);
        for (row, out) in view.outer_iter().zip(out.chunks_exact_mut(cols)) {
            match row.to_slice() {
                Some(row) => convert_row(row.iter(), out),
                None => convert_row(row.iter(), out),
            }
        }
    }
}

/// Some rows of other points, in any order.
struct Selection<'a> {
    points: &'a Points<'a>,
    rows: &'a [u32],
}

impl Source for Selection<'_> {
    fn lend(&self, range: Range<usize>) -> Option<&[f32]> {
        match self.rows[range] {
            [row] => self.points.source.lend(row as usize..row as usize + 1),
            _ => None,
        }
    }

    fn convert(&self, range: Range<usize>, out: &mut [f32]) {
        let rows = &self.rows[range];
        for (&row, out) in rows.iter().zip(out.chunks_exact_mut(self.points.cols)) {
            let row = row as usize..row as usize + 1;
            match self.points.source.lend(row.clone()) {
                Some(values) => out.copy_from_slice(values),
                None => self.points.source.convert(row, out),
            }
        }
    }
}

fn convert_row<'r, T: Element>(row: impl Iterator<Item = &'r T>, out: &mut [f32]) {
    for (value, out) in row.zip(out) {
        *out = value.to_f32();
    }
}

impl<'a, T: Element> From<ArrayView2<'a, T>> for Points<'a> {
    fn from(view: ArrayView2<'a, T>) -> Self {
        let (rows, cols) = view.dim();
        Points {
            whole: view.to_slice().and_then(T::as_f32),
            source: Box::new(view),
            rows,
            cols,
        }
    }
}

impl Points<'_> {
    pub fn rows(&self) -> usize {
        self.rows
    }

    pub fn cols(&self) -> usize {
        self.cols
    }

    /// A view of some of the rows.
    pub(crate) fn select<'s>(&'s self, rows: &'s [u32]) -> Points<'s> {
        Points {
            source: Box::new(Selection { points: self, rows }),
            whole: None,
            rows: rows.len(),
            cols: self.cols,
        }
    }

    /// Rows `range` as row-major float32: lent where possible, else converted
    /// into `scratch`.
    pub(crate) fn block<'s>(
        &'s self,
        range: Range<usize>,
        scratch: &'s mut Vec<f32>,
    ) -> Result<&'s [f32]> {
        if let Some(whole) = self.whole {
            return Ok(&whole[range.start * self.cols..range.end * self.cols]);
        }
        if let Some(slice) = self.source.lend(range.clone()) {
            return Ok(slice);
        }
        resize(scratch, range.len() * self.cols, 0.0, "rows as float32")?;
        self.source.convert(range, scratch);
        Ok(scratch)
    }

    /// Calls `work` with the rows `range`, a block after the other: the number of
    /// its first row, and the rows as [`Points::block`] has them. However wide
    /// rows are, a block is [`BLOCK_BYTES`] at most, or one row.
    pub(crate) fn in_blocks(
        &self,
        range: Range<usize>,
        scratch: &mut Vec<f32>,
        poll: Poll<'_>,
        mut work: impl FnMut(usize, &[f32]) -> Result<()>,
    ) -> Result<()> {
        let rows = (BLOCK_BYTES / (size_of::<f32>() * self.cols)).max(1);
        for first in range.clone().step_by(rows) {
            let block = self.block(first..range.end.min(first + rows), scratch)?;
            work(first, block)?;
            poll()?;
        }
        Ok(())
    }

    /// An error that names the first value which is NaN or infinite, or a
    /// shape that nothing can be computed of. One pass over the data.
    pub(crate) fn check(&self, threads: &Threads<'_>) -> Result<()> {
        if self.cols == 0 {
            return Err(KMeansError::InvalidData(format!(
                "the shape is {} x 0; every point needs at least one column",
                self.rows
            )));
        }
        if self.rows >= u32::MAX as usize {
            return Err(KMeansError::InvalidData(format!(
                "{} rows exceed the limit of {}; train on a sample and assign the rest in parts",
                self.rows,
                u32::MAX - 1
            )));
        }
        const TASK_ROWS: usize = 1024;
        let mut bad = try_vec(None, self.rows.div_ceil(TASK_ROWS), "bad values")?;
        threads.run_long(
            bad.iter_mut().enumerate(),
            Vec::new,
            |scratch, (task, bad), poll| {
                let first = task * TASK_ROWS;
                let rows = first..self.rows.min(first + TASK_ROWS);
                self.in_blocks(rows, scratch, poll, |first, block| {
                    // Without an early exit, so that it is vectorised.
                    if bad.is_none() && block.iter().fold(false, |bad, v| bad | !v.is_finite()) {
                        let at = block.iter().position(|v| !v.is_finite());
                        *bad = at.map(|at| (first * self.cols + at, block[at]));
                    }
                    Ok(())
                })
            },
        )?;
        match bad.into_iter().flatten().next() {
            Some((at, value)) => Err(KMeansError::NotFinite {
                row: at / self.cols,
                column: at % self.cols,
                value,
            }),
            None => Ok(()),
        }
    }

    /// Asks for a row to be fetched from memory, if it is float32.
    pub(crate) fn prefetch(&self, row: usize) {
        if let Some(whole) = self.whole {
            prefetch(&whole[row * self.cols..][..self.cols]);
        }
    }

    /// One row as float32: see [`Points::block`].
    pub(crate) fn row<'s>(&'s self, row: usize, scratch: &'s mut Vec<f32>) -> Result<&'s [f32]> {
        self.block(row..row + 1, scratch)
    }
}
