//! A borrowed view of the caller's rows, whatever their type and layout.
//!
//! float32 rows whose columns lie side by side are lent as they are; anything
//! else is converted to float32 a block of rows at a time, never as a whole.
//!
//! With the Euclidean distance only differences count, and those of numbers
//! with more digits than float32 may be lost when they are rounded: 10⁹ and
//! 10⁹ + 1 are the same float32. So a column that lies far from 0 for its range
//! loses an [`offset`](Points::offset) before that.

mod csr;
mod element;
mod sparse_rows;
mod weights;

use crate::allocate::{reserve, resize, try_vec};
use crate::error::{KMeansError, Result};
use crate::kernels::accumulate::prefetch;
use crate::metric::Metric;
use crate::ranges::{self, Scan};
use crate::threads::{Poll, Threads};
use csr::Csr;
use element::{Extent, View};
use ndarray::ArrayView2;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

pub use csr::Indices;
pub use element::{Element, Swapped};
pub(crate) use sparse_rows::SparseRows;
pub use weights::Weights;

/// Bytes of float32 rows that are worked on at a time.
pub(crate) const BLOCK_BYTES: usize = 4 << 20;

/// Values that are looked at between two polls.
const TASK_VALUES: usize = 1 << 17;

/// Columns of a very long row that are worked on between two polls.
const LONG: usize = 1 << 20;

/// What memory is for.
const ROWS: &str = "rows as float32";

/// A column loses an offset if its largest magnitude is more than this many
/// times its range.
const FAR: f64 = 4.0;

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
                for (&row, out) in rows.iter().zip(out.chunks_exact_mut(points.cols.max(1))) {
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

    /// The same points, each of the weight given for it: one number a row,
    /// finite and at least 0. Weight 2 is a point that is there twice, weight 0
    /// one that is not there. Without weights every point weighs 1.
    ///
    /// An error if there are not as many weights as rows; the values are
    /// checked when training starts: positive ones are at least 1e-200, and add up
    /// to 1e200 at most. Where cluster sizes are bounded, the bounds count points,
    /// whatever they weigh.
    pub fn with_weights(self, weights: impl Into<Weights<'a>>) -> Result<Self> {
        let weights = weights.into();
        if weights.len() != self.rows {
            return Err(KMeansError::invalid_data(format_args!(
                "there are {} weights for {} rows; give one for each",
                weights.len(),
                self.rows
            )));
        }
        Ok(Points {
            weights: Weighing::Given(weights),
            ..self
        })
    }

    /// The same points, each of weight 1.
    pub fn without_weights(self) -> Self {
        Points {
            weights: Weighing::Alike,
            ..self
        }
    }

    /// Whether the points have weights of their own.
    pub fn is_weighted(&self) -> bool {
        !matches!(self.weights, Weighing::Alike)
    }

    /// The weight of a point: 1 unless [`with_weights`](Points::with_weights)
    /// gave another.
    pub fn weight(&self, row: usize) -> f64 {
        match (self.weights, self.source) {
            (Weighing::Given(weights), _) => weights.get(row),
            (Weighing::Selected, Source::Selection(points, rows)) => {
                points.weight(rows[row] as usize)
            }
            (Weighing::Alike | Weighing::Selected, _) => 1.0,
        }
    }

    /// Of all weights, if the points have their own: how large and how fine they
    /// are.
    pub(crate) fn weight_range(&self) -> Option<ranges::Range> {
        let weights = || (0..self.rows).map(|row| self.weight(row));
        self.is_weighted()
            .then(|| ranges::Range::of_weights(weights()))
    }

    /// An error unless every weight is finite and at least 0, some are positive,
    /// and they are enough for so many clusters: as many points of positive
    /// weight, or as much weight in all.
    pub(crate) fn check_weights(&self, clusters: usize) -> Result<()> {
        let (positive, total) = self.check_each_weight()?;
        if positive == 0 && self.rows > 0 {
            return Err(KMeansError::invalid_data(format_args!(
                "the weights of all rows, 0 to {}, are zero; leave them out, or make some positive",
                self.rows - 1
            )));
        }
        if positive < clusters && total < clusters as f64 {
            return Err(KMeansError::InsufficientPoints(positive, clusters));
        }
        Ok(())
    }

    /// An error unless every weight is finite and at least 0; how many are
    /// positive, and their sum.
    pub(crate) fn check_each_weight(&self) -> Result<(usize, f64)> {
        /// Sums of weighted squares must not overflow, and no product underflow.
        const MOST: f64 = 1e200;
        const LEAST: f64 = 1e-200;
        let Weighing::Given(weights) = self.weights else {
            return Ok((self.rows, self.rows as f64));
        };
        let (mut positive, mut total) = (0, 0.0);
        for row in 0..self.rows {
            let weight = weights.get(row);
            if !(weight.is_finite() && weight >= 0.0) {
                return Err(KMeansError::InvalidWeight { row, value: weight });
            }
            if weight > 0.0 && weight < LEAST {
                return Err(KMeansError::invalid_data(format_args!(
                    "the weight of row {row} is {weight:e}, less than {LEAST:e}; make it 0, or \
                     scale the weights up"
                )));
            }
            total += weight;
            positive += usize::from(weight > 0.0);
            if total > MOST {
                return Err(KMeansError::invalid_data(format_args!(
                    "the weights up to row {row} add up to {total:e}, more than {MOST:e}; \
                     scale them down"
                )));
            }
        }
        Ok((positive, total))
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

    /// An error that names the first value which is NaN, infinite or beyond
    /// float32, or a shape that nothing can be computed of. One pass over the
    /// data.
    pub(crate) fn check(&self, threads: &Threads<'_>) -> Result<()> {
        self.inspect(threads, None)
    }

    /// [`check`](Points::check), and what each column should lose before it is
    /// rounded to float32; `None` if nothing. A column loses the middle of its
    /// range, and only if the distance is Euclidean, the numbers have more
    /// digits than float32 and lie farther from 0 than [`FAR`] times their
    /// range. Depends on the ranges of the columns alone.
    pub(crate) fn check_for_offset(
        &self,
        metric: Metric,
        threads: &Threads<'_>,
    ) -> Result<Option<Vec<f64>>> {
        let view = match self.source {
            Source::Rows(view, None) => view,
            Source::Sparse(csr, None) => csr.numbers(),
            _ => return self.check(threads).map(|()| None),
        };
        if metric == Metric::Euclidean && !view.is_wide() {
            // The numbers are looked at with their ranges.
            return self.check_shape().map(|()| None);
        }
        if metric != Metric::Euclidean || self.rows == 0 {
            return self.check(threads).map(|()| None);
        }
        let nothing = Extent::of_nothing();
        let mut extents = threads.try_vec(nothing, self.cols, "ranges of columns")?;
        self.inspect(threads, Some(&mut extents))?;
        let middle = |Extent { least, greatest }| {
            let range = greatest - least;
            let magnitude = f64::max(f64::abs(least), f64::abs(greatest));
            let middle = least + range / 2.0;
            match magnitude > FAR * range {
                true if view.is_integer() => middle.floor(),
                true => middle,
                false => 0.0,
            }
        };
        let mut offset = threads.try_vec(0.0, self.cols, "offsets of columns")?;
        threads.in_steps(self.cols, |columns| {
            for column in columns {
                offset[column] = middle(extents[column]);
            }
            Ok(())
        })?;
        Ok(offset.iter().any(|&offset| offset != 0.0).then_some(offset))
    }

    fn check_shape(&self) -> Result<()> {
        if self.cols == 0 {
            return Err(KMeansError::invalid_data(format_args!(
                "the shape is {} x 0; every point needs at least one column",
                self.rows
            )));
        }
        if self.rows >= u32::MAX as usize {
            return Err(KMeansError::invalid_data(format_args!(
                "{} rows exceed the limit of {}; train on a sample and assign the rest in parts",
                self.rows,
                u32::MAX - 1
            )));
        }
        Ok(())
    }

    fn inspect(&self, threads: &Threads<'_>, extents: Option<&mut Vec<Extent>>) -> Result<()> {
        self.check_shape()?;
        let weighs = |row: usize| !self.is_weighted() || self.weight(row) > 0.0;
        let first_bad = match self.source {
            Source::Rows(view, offset) => {
                self.inspect_dense(view, offset, threads, extents, &weighs)?
            }
            Source::Sparse(csr, offset) => {
                let extents = extents.map(|extents| &mut extents[..]);
                csr.inspect(offset, extents, &weighs, threads)?
            }
            Source::Selection(..) => None, // selected of what was inspected
        };
        match first_bad {
            Some((at, value)) => Err(KMeansError::NotFinite {
                row: at / self.cols,
                column: at % self.cols,
                value,
            }),
            None => Ok(()),
        }
    }

    /// The first value that is no finite float32, with its place; joins what
    /// there is to `extents`, if given, in rows that weigh something.
    fn inspect_dense(
        &self,
        view: View<'_>,
        offset: Option<&[f64]>,
        threads: &Threads<'_>,
        extents: Option<&mut Vec<Extent>>,
        weighs: &(dyn Fn(usize) -> bool + Sync),
    ) -> Result<Option<(usize, f64)>> {
        let task_rows = (TASK_VALUES / self.cols).max(1);
        let tasks = 0..self.rows.div_ceil(task_rows);
        let first_bad: Mutex<Option<(usize, f64)>> = Mutex::new(None);
        let wanted = extents.is_some();
        let all = Mutex::new(extents);
        let work = |extents: &mut Vec<Extent>, task, poll: Poll<'_>| {
            let first = task * task_rows;
            let rows = first..self.rows.min(first + task_rows);
            for columns in parts(self.cols) {
                let width = if wanted { columns.len() } else { 0 };
                extents.clear();
                resize(extents, width, Extent::of_nothing(), "ranges of columns")?;
                let mut next = rows.start;
                while next < rows.end {
                    // Rows that are alike in that they count, or don't.
                    let counts = weighs(next);
                    let others = (next..rows.end).find(|&row| wanted && weighs(row) != counts);
                    let part = next..others.unwrap_or(rows.end);
                    next = part.end;
                    let own = (wanted && counts).then_some(&mut extents[..]);
                    if let Some((at, value)) = view.inspect(part, columns.clone(), offset, own) {
                        let mut found = first_bad.lock().unwrap_or_else(PoisonError::into_inner);
                        if found.is_none_or(|(first, _)| at < first) {
                            *found = Some((at, value));
                        }
                        return Ok(());
                    }
                }
                let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(all) = all.as_deref_mut() {
                    let pairs = all[columns].iter_mut().zip(extents.iter());
                    pairs.for_each(|(all, extent)| all.join(*extent));
                }
                drop(all);
                poll()?;
            }
            Ok(())
        };
        threads.run_long(tasks, Vec::new, work)?;
        Ok(first_bad
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner))
    }

    /// [`check`](Self::check), and the range of every column in the same pass.
    pub(crate) fn check_ranges(&self, threads: &Threads<'_>) -> Result<Vec<ranges::Range>> {
        self.check_shape()?;
        const TASK_ROWS: usize = 1024;
        if let Source::Sparse(csr, None) = self.source {
            let all = csr.scan(threads)?;
            if !all.is_finite() {
                self.check(threads)?;
            }
            return all.ranges();
        }
        let all = Mutex::new(Scan::new(self.cols)?);
        threads.run_long(
            0..self.rows.div_ceil(TASK_ROWS),
            || (Vec::new(), None),
            |(scratch, scan), task, poll| {
                let rows = task * TASK_ROWS..self.rows.min((task + 1) * TASK_ROWS);
                let scan = match scan {
                    Some(scan) => scan,
                    none => none.insert(Scan::new(self.cols)?),
                };
                self.in_blocks(rows, scratch, poll, |_, block| {
                    if block.len() > self.cols || self.cols <= LONG {
                        scan.see(block);
                        return Ok(());
                    }
                    for columns in parts(self.cols) {
                        scan.see_columns(columns.start, &block[columns]);
                        poll()?;
                    }
                    Ok(())
                })?;
                let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
                all.merge(scan);
                Ok(())
            },
        )?;
        let all = all.into_inner().unwrap_or_else(PoisonError::into_inner);
        if !all.is_finite() {
            self.check(threads)?;
        }
        all.ranges()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::threads::{End, Event, POLL_INTERVAL};
    use ndarray::Array2;
    use std::cell::Cell;
    use std::ops::ControlFlow;

    #[test]
    fn a_very_long_row_is_polled_while_it_is_converted_and_looked_at() {
        let cols = 3 * LONG + 5;
        let mut data = Array2::from_shape_fn((1, cols), |(_, column)| 0.5 + column as f64);
        let polls = Cell::new(0);
        let third = || {
            polls.set(polls.get() + 1);
            match polls.get() {
                3 => Err(KMeansError::Cancelled),
                _ => Ok(()),
            }
        };
        let points = Points::from(data.view());
        let mut scratch = Vec::new();
        let result = points.block_polled(0..1, &mut scratch, &third);
        assert_eq!(result, Err(KMeansError::Cancelled));
        let block = points.block(0..1, &mut scratch).unwrap();
        assert!((0..cols).all(|column| block[column] == (0.5 + column as f64) as f32));
        let some = [0];
        let selected = points.select(&some);
        let block = selected.block(0..1, &mut scratch).unwrap();
        assert!(block.len() == cols && block[cols - 1] == (cols as f64 - 0.5) as f32);

        // What is told first cancels.
        let mut told = 0;
        let mut observer = |_: Event<'_>| {
            told += 1;
            ControlFlow::Break(End::Cancel)
        };
        let threads = Threads::exactly(1, Some(&mut observer)).unwrap();
        std::thread::sleep(POLL_INTERVAL);
        data[(0, cols - 1)] = f64::NAN; // what is found only at the end
        let points = Points::from(data.view());
        assert_eq!(points.check(&threads), Err(KMeansError::Cancelled));
        drop(threads);
        assert_eq!(told, 1);
        let threads = Threads::exactly(1, None).unwrap();
        let error = points.check(&threads).unwrap_err();
        let KMeansError::NotFinite { row, column, .. } = error else {
            panic!("{error}");
        };
        assert_eq!((row, column), (0, cols - 1));
        data[(0, cols - 1)] = -7.0;
        let points = Points::from(data.view());
        let ranges = points.check_ranges(&threads).unwrap();
        assert_eq!(ranges[1], ranges::Range { low: -1, high: 1 });
        assert!(ranges[LONG + 1].high == 21 && ranges[cols - 1].high == 3);
        let offset = points
            .check_for_offset(Metric::Euclidean, &threads)
            .unwrap();
        assert_eq!(offset.unwrap()[2 * LONG + 1], 0.5 + (2 * LONG + 1) as f64);
    }

    #[test]
    fn wide_rows_come_in_small_blocks_with_a_poll_after_each() {
        let data = Array2::from_shape_fn((7, 300_000), |(row, column)| (row + column) as f64);
        let points = Points::from(data.view());
        let (polls, mut scratch, mut next) = (Cell::new(0), Vec::new(), 1);
        let poll = || {
            polls.set(polls.get() + 1);
            Ok(())
        };
        let see = |first: usize, block: &[f32]| {
            assert_eq!(first, next);
            assert!(size_of_val(block) <= BLOCK_BYTES);
            for row in block.chunks_exact(300_000) {
                assert!(row[0] == next as f32 && row[299_999] == (next + 299_999) as f32);
                next += 1;
            }
            Ok(())
        };
        points.in_blocks(1..7, &mut scratch, &poll, see).unwrap();
        assert_eq!((next, polls.get()), (7, 2));

        let cancelled = || Err(KMeansError::Cancelled);
        let result = points.in_blocks(0..7, &mut scratch, &cancelled, |first, _| {
            assert_eq!(first, 0);
            Ok(())
        });
        assert_eq!(result, Err(KMeansError::Cancelled));
    }
}
