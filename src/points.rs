//! A borrowed view of the caller's rows, whatever their type and layout.
//!
//! float32 rows whose columns lie side by side are lent as they are; anything
//! else is converted to float32 a block of rows at a time, never as a whole.
//!
//! With the Euclidean distance only differences count, and those of numbers
//! with more digits than float32 may be lost when they are rounded: 10⁹ and
//! 10⁹ + 1 are the same float32. So a column that lies far from 0 for its range
//! loses an [`offset`](Points::offset) before that.

mod check;
mod csr;
mod element;
mod extents;
mod indices;
mod looks;
mod sparse_rows;
mod weighted;
mod weights;

#[cfg(test)]
mod tests;

use crate::allocate::{reserve, resize, try_vec};
use crate::error::Result;
use crate::kernels::accumulate::prefetch;
use crate::threads::Poll;
use csr::Csr;
use element::View;
use ndarray::ArrayView2;
use std::ops::Range;

pub use element::{Element, Swapped};
pub(crate) use extents::{ExactRow, Extents};
pub use indices::Indices;
pub(crate) use sparse_rows::SparseRows;
pub use weights::Weights;

/// Bytes of float32 rows that are worked on at a time.
pub(crate) const BLOCK_BYTES: usize = 4 << 20;

/// Columns of a very long row that are worked on between two polls.
const LONG: usize = 1 << 20;

/// Bytes of rows that are asked for before they are copied.
const AHEAD: usize = 3 << 10;

/// What memory is for.
const ROWS: &str = "rows as float32";

/// Rows × columns of numbers that the caller keeps.
///
/// Any strides are fine, negative ones included.
#[derive(Clone, Copy)]
pub struct Points<'a> {
    source: Source<'a>,
    /// All rows, where they are float32 and row-major without gaps.
    whole: Option<&'a [f32]>,
    rows: usize,
    cols: usize,
    weights: Weighing<'a>,
}

/// What points weigh.
#[derive(Clone, Copy)]
enum Weighing<'a> {
    /// 1 each.
    Alike,
    Given(Weights<'a>),
    /// What they weigh among the points that they were selected of.
    Selected,
}

#[derive(Clone, Copy)]
enum Source<'a> {
    /// Rows as they lie in memory, less an offset of each column.
    Rows(View<'a>, Option<&'a [f64]>),
    /// Sparse rows, less an offset of each column.
    Sparse(Csr<'a>, Option<&'a [f64]>),
    /// Some rows of other points, in any order.
    Selection(&'a Points<'a>, &'a [u32]),
}

impl<'a> Source<'a> {
    /// Rows `range` as row-major float32, if they already lie so in memory.
    fn lend(&self, range: Range<usize>) -> Option<&'a [f32]> {
        match *self {
            Source::Rows(_, Some(_)) | Source::Sparse(..) => None,
            Source::Rows(view, None) => view.lend(range),
            Source::Selection(points, rows) => match rows[range] {
                [row] => points.source.lend(row as usize..row as usize + 1),
                _ => None,
            },
        }
    }

    /// Rows `range` as row-major float32 into `out`.
    fn convert(&self, range: Range<usize>, out: &mut [f32]) -> Result<()> {
        match *self {
            Source::Rows(view, offset) => {
                let columns = 0..out.len() / range.len().max(1);
                view.convert(range, columns, offset, out);
            }
            Source::Sparse(csr, offset) => return csr.convert(range, offset, out),
            Source::Selection(points, rows) => {
                let rows = &rows[range];
                let lend = |row: u32| points.source.lend(row as usize..row as usize + 1);
                let outs = out.chunks_exact_mut(points.cols.max(1));
                let ahead = (AHEAD / (size_of::<f32>() * points.cols.max(1))).max(1);
                for (at, (&row, out)) in rows.iter().zip(outs).enumerate() {
                    // They are anywhere, so that the CPU can't know what comes next.
                    if let Some(values) = rows.get(at + ahead).and_then(|&row| lend(row)) {
                        prefetch(values);
                    }
                    let row = row as usize..row as usize + 1;
                    match points.source.lend(row.clone()) {
                        Some(values) => out.copy_from_slice(values),
                        None => points.source.convert(row, out)?,
                    }
                }
            }
        }
        Ok(())
    }

    /// Row `row` into `out`, some columns after the other.
    fn convert_long(
        &self,
        row: usize,
        out: &mut Vec<f32>,
        cols: usize,
        poll: Poll<'_>,
    ) -> Result<()> {
        match *self {
            Source::Rows(view, offset) => {
                reserve(out, cols.saturating_sub(out.len()), ROWS)?;
                out.truncate(cols);
                for columns in parts(cols) {
                    if out.len() < columns.end {
                        out.resize(columns.end, 0.0);
                    }
                    let part = &mut out[columns.clone()];
                    view.convert(row..row + 1, columns, offset, part);
                    poll()?;
                }
                Ok(())
            }
            Source::Selection(points, rows) => {
                points
                    .source
                    .convert_long(rows[row] as usize, out, cols, poll)
            }
            Source::Sparse(..) => {
                resize(out, cols, 0.0, ROWS)?;
                self.convert(row..row + 1, out)
            }
        }
    }
}

/// The columns of a row, or all there are, [`LONG`] at a time.
fn parts(cols: usize) -> impl Iterator<Item = Range<usize>> {
    let starts = (0..cols).step_by(LONG);
    starts.map(move |first| first..cols.min(first + LONG))
}

impl<'a, T: Element> From<ArrayView2<'a, T>> for Points<'a> {
    fn from(view: ArrayView2<'a, T>) -> Self {
        let (rows, cols) = view.dim();
        let view = T::view(view);
        Points {
            source: Source::Rows(view, None),
            whole: view.whole(),
            rows,
            cols,
            weights: Weighing::Alike,
        }
    }
}

impl<'a> Points<'a> {
    /// Compressed sparse rows (CSR): row i has the values of the places
    /// `indptr[i]..indptr[i + 1]` in the columns that `indices` names there, and
    /// zeros elsewhere. So `indptr` is one longer than there are rows and begins
    /// with 0, and `cols` is below 2³².
    ///
    /// Columns need not ascend; values of one row and column are added up in
    /// their number type, as SciPy does. Nothing is copied. Results are those of
    /// the dense rows, bit for bit.
    ///
    /// An error that names the place where a column is out of range or `indptr`
    /// descends. O(rows + values).
    pub fn csr<T: Element>(
        values: &'a [T],
        indices: impl Into<Indices<'a>>,
        indptr: impl Into<Indices<'a>>,
        cols: usize,
    ) -> Result<Self> {
        let values = ArrayView2::from_shape((1, values.len()), values).expect("one row");
        Points::from(values).into_csr(indices.into(), indptr.into(), cols)
    }

    /// [`csr`](Points::csr) with the values as one row of points.
    pub(crate) fn into_csr(
        self,
        columns: Indices<'a>,
        starts: Indices<'a>,
        cols: usize,
    ) -> Result<Self> {
        let Source::Rows(numbers, None) = self.source else {
            unreachable!("values as they lie in memory");
        };
        let csr = Csr::new(numbers, self.cols, (columns, starts), cols)?;
        Ok(Points {
            source: Source::Sparse(csr, None),
            whole: None,
            rows: csr.rows(),
            cols,
            weights: Weighing::Alike,
        })
    }

    /// Whether the rows are sparse.
    pub fn is_sparse(&self) -> bool {
        match self.source {
            Source::Rows(..) => false,
            Source::Sparse(..) => true,
            Source::Selection(points, _) => points.is_sparse(),
        }
    }

    /// Number of points.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of dimensions.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// A view of some of the rows, with their weights unless it gets others.
    pub(crate) fn select<'s>(&'s self, rows: &'s [u32]) -> Points<'s> {
        Points {
            source: Source::Selection(self, rows),
            whole: None,
            rows: rows.len(),
            cols: self.cols,
            weights: match self.is_weighted() {
                true => Weighing::Selected,
                false => Weighing::Alike,
            },
        }
    }

    /// Whether two rows are equal as they are, before any rounding.
    pub(crate) fn are_equal(&self, a: usize, b: usize) -> Result<bool> {
        if let Some(whole) = self.whole {
            let row = |row: usize| &whole[row * self.cols..][..self.cols];
            return Ok(row(a) == row(b));
        }
        match self.source {
            Source::Rows(view, _) => Ok(view.are_equal(a, b)),
            Source::Sparse(csr, _) => csr.are_equal(a, b),
            Source::Selection(points, rows) => points.are_equal(rows[a] as usize, rows[b] as usize),
        }
    }

    /// What each column has lost.
    pub(crate) fn offset(&self) -> Option<&'a [f64]> {
        match self.source {
            Source::Rows(_, offset) | Source::Sparse(_, offset) => offset,
            Source::Selection(points, _) => points.offset(),
        }
    }

    /// The same points, each column less its offset, subtracted before numbers
    /// are rounded to float32.
    pub(crate) fn less<'s>(&self, offset: Option<&'s [f64]>) -> Points<'s>
    where
        'a: 's,
    {
        match self.source {
            Source::Rows(view, None) if offset.is_some() => Points {
                source: Source::Rows(view, offset),
                whole: None,
                ..*self
            },
            Source::Sparse(csr, None) => Points {
                source: Source::Sparse(csr, offset),
                ..*self
            },
            _ => *self,
        }
    }

    /// Rows `range` as row-major float32: lent where possible, else converted
    /// into `scratch`.
    pub(crate) fn block<'s>(
        &'s self,
        range: Range<usize>,
        scratch: &'s mut Vec<f32>,
    ) -> Result<&'s [f32]> {
        self.block_polled(range, scratch, &|| Ok(()))
    }

    /// [`block`](Self::block), which polls while it converts a very long row.
    pub(crate) fn block_polled<'s>(
        &'s self,
        range: Range<usize>,
        scratch: &'s mut Vec<f32>,
        poll: Poll<'_>,
    ) -> Result<&'s [f32]> {
        if let Some(whole) = self.whole {
            return Ok(&whole[range.start * self.cols..range.end * self.cols]);
        }
        if let Some(slice) = self.source.lend(range.clone()) {
            return Ok(slice);
        }
        if range.len() == 1 && self.cols > LONG {
            self.source
                .convert_long(range.start, scratch, self.cols, poll)?;
            return Ok(scratch);
        }
        resize(scratch, range.len() * self.cols, 0.0, ROWS)?;
        self.source.convert(range, scratch)?;
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
            let block = self.block_polled(first..range.end.min(first + rows), scratch, poll)?;
            work(first, block)?;
            poll()?;
        }
        Ok(())
    }

    /// One row as float32: see [`Points::block`].
    #[inline]
    pub(crate) fn row<'s>(&'s self, row: usize, scratch: &'s mut Vec<f32>) -> Result<&'s [f32]> {
        match self.whole {
            Some(whole) => Ok(&whole[row * self.cols..][..self.cols]),
            None => self.block(row..row + 1, scratch),
        }
    }

    /// Asks for a row to be fetched from memory, if it is float32.
    pub(crate) fn prefetch(&self, row: usize) {
        if let Some(whole) = self.whole {
            prefetch(&whole[row * self.cols..][..self.cols]);
        }
    }

    /// Of rows of the same label, whether some are equal as float32 but not as
    /// they are: their number type if so.
    pub(crate) fn merged_by_rounding(
        &self,
        labels: &[u32],
        clusters: usize,
    ) -> Result<Option<&'static str>> {
        let view = match self.source {
            Source::Rows(view, _) => view,
            Source::Sparse(csr, _) => csr.numbers(),
            Source::Selection(..) => return Ok(None),
        };
        if !view.is_wide() {
            return Ok(None);
        }
        let are_equal = |a, b| match self.source {
            Source::Sparse(csr, _) => csr.are_equal(a, b),
            _ => Ok(view.are_equal(a, b)),
        };
        let mut first = try_vec(u32::MAX, clusters, "first rows")?;
        let (mut scratch, mut other) = (Vec::new(), Vec::new());
        for (row, &label) in (0u32..).zip(labels) {
            let first = &mut first[label as usize];
            if *first == u32::MAX {
                *first = row;
            } else if !are_equal(row as usize, *first as usize)?
                && self.row(row as usize, &mut scratch)? == self.row(*first as usize, &mut other)?
            {
                return Ok(Some(view.type_name()));
            }
        }
        Ok(None)
    }
}
