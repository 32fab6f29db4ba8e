//! Rows of which only what is not zero is kept: compressed sparse rows.

use super::element::{Extent, Number, OnNumbers, Stored, View, exact};
use crate::allocate::{push, try_vec};
use crate::error::{KMeansError, Result};
use crate::ranges::Scan;
use crate::text::text;
use crate::threads::{Poll, Threads};
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

/// Rows that are looked at between two polls.
const STEP: usize = 1024;

/// Numbers of a row that are looked at between two polls.
const POLL_NUMBERS: usize = 1 << 20;

/// Whole numbers of at least 0, as the caller has them: the column of each value,
/// or where each row starts.
#[derive(Debug, Clone, Copy)]
pub enum Indices<'a> {
    I32(&'a [i32]),
    I64(&'a [i64]),
    U32(&'a [u32]),
    U64(&'a [u64]),
}

macro_rules! indices {
    ($($name:ident, $type:ty;)*) => {
        $(impl<'a> From<&'a [$type]> for Indices<'a> {
            fn from(indices: &'a [$type]) -> Self {
                Indices::$name(indices)
            }
        })*

        impl Indices<'_> {
            fn len(&self) -> usize {
                match self {
                    $(Indices::$name(indices) => indices.len(),)*
                }
            }

            /// What the caller wrote there.
            fn value(&self, at: usize) -> i128 {
                match self {
                    $(Indices::$name(indices) => i128::from(indices[at]),)*
                }
            }

            /// Appends numbers that have been checked; there is room for them.
            fn append(&self, places: Range<usize>, out: &mut Vec<u32>) {
                match self {
                    $(Indices::$name(indices) => {
                        out.extend(indices[places].iter().map(|&index| index as u32));
                    })*
                }
            }

            /// Whether the numbers of some places are below `limit`, and whether they
            /// ascend.
            fn are_below(&self, places: Range<usize>, limit: usize) -> (bool, bool) {
                match self {
                    $(Indices::$name(indices) => {
                        let indices = &indices[places];
                        // Negative ones are too large.
                        let below = |below, &index| below & ((index as u64) < limit as u64);
                        let pairs = indices.iter().zip(indices.get(1..).unwrap_or_default());
                        let ascends = |ascends, (a, b): (&$type, &$type)| ascends & (a < b);
                        (indices.iter().fold(true, below), pairs.fold(true, ascends))
                    })*
                }
            }

            /// Appends numbers that have been checked, less `first` and plus `before`;
            /// there is room for them.
            fn append_less(
                &self,
                places: Range<usize>,
                (first, before): (usize, usize),
                out: &mut Vec<usize>,
            ) {
                match self {
                    $(Indices::$name(indices) => {
                        let ends = indices[places].iter();
                        out.extend(ends.map(|&end| end as usize - first + before));
                    })*
                }
            }

            /// A number that has been checked.
            #[inline]
            fn at(&self, at: usize) -> usize {
                match self {
                    $(Indices::$name(indices) => indices[at] as usize,)*
                }
            }
        }
    };
}

indices! {
    I32, i32;
    I64, i64;
    U32, u32;
    U64, u64;
}

/// Row i has the numbers of the places `starts[i]..starts[i + 1]`.
#[derive(Clone, Copy)]
pub(super) struct Csr<'a> {
    /// One row of all numbers.
    numbers: View<'a>,
    columns: Indices<'a>,
    starts: Indices<'a>,
    cols: usize,
    /// Whether the columns of each row ascend, none twice.
    ascending: bool,
}

impl<'a> Csr<'a> {
    /// An error unless all places are there.
    pub fn new(
        numbers: View<'a>,
        count: usize,
        (columns, starts): (Indices<'a>, Indices<'a>),
        cols: usize,
    ) -> Result<Self> {
        let mut csr = Csr {
            numbers,
            columns,
            starts,
            cols,
            ascending: true,
        };
        csr.ascending = csr.check(count)?;
        Ok(csr)
    }

    pub fn rows(&self) -> usize {
        self.starts.len() - 1
    }

    pub fn numbers(&self) -> View<'a> {
        self.numbers
    }

    /// An error unless all places are there; tells whether columns ascend.
    fn check(&self, numbers: usize) -> Result<bool> {
        let invalid = |text: std::fmt::Arguments<'_>| Err(KMeansError::invalid_data(text));
        if self.columns.len() != numbers {
            return invalid(format_args!(
                "there are {} indices for {numbers} values; give one for each",
                self.columns.len()
            ));
        }
        if self.cols > u32::MAX as usize {
            return invalid(format_args!(
                "{} columns exceed the limit of {} for sparse rows",
                self.cols,
                u32::MAX
            ));
        }
        if self.starts.len() == 0 || self.starts.value(0) != 0 {
            return invalid(format_args!(
                "indptr must have one number for each row and one more, and begin with 0{}",
                match self.starts.len() {
                    0 => "; it is empty".into(),
                    _ => text(format_args!("; it begins with {}", self.starts.value(0))),
                }
            ));
        }
        let mut ascending = true;
        let mut start = 0;
        for row in 0..self.starts.len() - 1 {
            let end = self.starts.value(row + 1);
            if end < start as i128 {
                return invalid(format_args!(
                    "indptr[{}] is {end}, less than the {start} before it; \
                     where a row ends the next one begins",
                    row + 1
                ));
            }
            if end > numbers as i128 {
                return invalid(format_args!(
                    "indptr[{}] is {end}, but there are {numbers} values",
                    row + 1
                ));
            }
            let end = end as usize;
            let (below, ascends) = self.columns.are_below(start..end, self.cols);
            let is_wrong = |&at: &usize| {
                let column = self.columns.value(at);
                column < 0 || column >= self.cols as i128
            };
            if !below && let Some(at) = (start..end).find(is_wrong) {
                return invalid(format_args!(
                    "indices[{at}], of row {row}, is {}, but there are {} columns",
                    self.columns.value(at),
                    self.cols
                ));
            }
            ascending &= ascends;
            start = end;
        }
        Ok(ascending)
    }

    pub fn is_ascending(&self) -> bool {
        self.ascending
    }

    /// The columns and numbers of all rows, if these lie as engines read them.
    pub fn in_place(&self) -> Option<(&'a [u32], &'a [f32])> {
        let columns = match self.columns {
            Indices::U32(columns) => columns,
            Indices::I32(columns) => bytemuck::cast_slice(columns), // none is negative
            _ => return None,
        };
        match self.numbers {
            View::F32(numbers) if self.ascending => Some((columns, numbers.to_slice()?)),
            _ => None,
        }
    }

    /// Numbers that rows have.
    pub fn stored(&self) -> usize {
        self.starts.at(self.starts.len() - 1)
    }

    /// The places of some rows' numbers.
    pub fn span(&self, rows: Range<usize>) -> Range<usize> {
        self.starts.at(rows.start)..self.starts.at(rows.end)
    }

    /// Appends the columns of some places, for which there is room.
    pub fn append_columns(&self, places: Range<usize>, out: &mut Vec<u32>) {
        self.columns.append(places, out);
    }

    /// Appends where the numbers of some rows end if those of the first begin at
    /// `before`; there is room for them.
    pub fn append_ends(&self, rows: Range<usize>, before: usize, out: &mut Vec<usize>) {
        let first = self.starts.at(rows.start);
        self.starts
            .append_less(rows.start + 1..rows.end + 1, (first, before), out);
    }

    /// The places of a row's numbers.
    fn places(&self, row: usize) -> Range<usize> {
        self.starts.at(row)..self.starts.at(row + 1)
    }

    /// The columns of a row, ascending, each with the place of its number.
    fn sort(&self, row: usize, order: &mut Vec<(u32, usize)>) -> Result<()> {
        order.clear();
        for at in self.places(row) {
            push(order, (self.columns.at(at) as u32, at), "columns of a row")?;
        }
        order.sort_unstable();
        Ok(())
    }

    /// Every column of a row that has a number, ascending, with the sum of what
    /// it has.
    #[inline]
    pub fn entries<T: Stored>(
        &self,
        numbers: &[T],
        row: usize,
        order: &mut Vec<(u32, usize)>,
        mut see: impl FnMut(usize, T::Number),
    ) -> Result<()> {
        if self.ascending {
            self.places(row)
                .for_each(|at| see(self.columns.at(at), numbers[at].number()));
            return Ok(());
        }
        self.sort(row, order)?;
        let mut left = order.iter();
        let Some(&(mut column, at)) = left.next() else {
            return Ok(());
        };
        let mut sum = numbers[at].number();
        for &(next, at) in left {
            let number = numbers[at].number();
            if next == column {
                sum = sum.plus(number);
            } else {
                see(column as usize, sum);
                (column, sum) = (next, number);
            }
        }
        see(column as usize, sum);
        Ok(())
    }

    /// [`entries`](Self::entries), with polls where a row is long.
    #[inline]
    fn entries_polled<T: Stored>(
        &self,
        numbers: &[T],
        row: usize,
        order: &mut Vec<(u32, usize)>,
        poll: Poll<'_>,
        mut see: impl FnMut(usize, T::Number),
    ) -> Result<()> {
        let mut places = self.places(row);
        if !self.ascending {
            return self.entries(numbers, row, order, see);
        }
        while places.len() > POLL_NUMBERS {
            let part = places.start..places.start + POLL_NUMBERS;
            places.start = part.end;
            part.for_each(|at| see(self.columns.at(at), numbers[at].number()));
            poll()?;
        }
        places.for_each(|at| see(self.columns.at(at), numbers[at].number()));
        Ok(())
    }

    /// Rows `range`, each column less its offset, as row-major float32.
    pub fn convert(
        &self,
        range: Range<usize>,
        offset: Option<&[f64]>,
        out: &mut [f32],
    ) -> Result<()> {
        self.numbers.visit(Convert {
            csr: self,
            range,
            offset,
            out,
        })
    }

    /// A row as it is: see [`ExactRow`](super::extents::ExactRow). `out` holds zeros,
    /// one a column.
    pub fn exact_row(&self, row: usize, out: &mut [(f64, f32)]) -> Result<()> {
        self.numbers.visit(ReadExactly {
            csr: self,
            row,
            out,
        })
    }

    /// Whether two rows are equal as they are, before any rounding.
    pub fn are_equal(&self, a: usize, b: usize) -> Result<bool> {
        self.numbers.visit(AreEqual {
            csr: self,
            rows: [a, b],
        })
    }

    /// The first value, less its offset, that is no finite float32, with its
    /// place among all values of the dense rows; and the least and the greatest
    /// value of every column, if `extents` holds room for them, of the rows that
    /// weigh something.
    pub fn inspect(
        &self,
        offset: Option<&[f64]>,
        extents: Option<&mut [Extent]>,
        weighs: &(dyn Fn(usize) -> bool + Sync),
        threads: &Threads<'_>,
    ) -> Result<Option<(usize, f64)>> {
        let parts = self.parts(threads);
        let first_bad: Mutex<Option<(usize, f64)>> = Mutex::new(None);
        let wanted = extents.is_some();
        let mut seen = try_vec(
            0u32,
            if wanted { self.cols } else { 0 },
            "ranges of columns",
        )?;
        let all = Mutex::new((extents, &mut seen));
        threads.run_long(
            parts,
            || (),
            |(), part, poll| {
                let width = if wanted { self.cols } else { 0 };
                let mut own = try_vec((Extent::of_nothing(), 0u32), width, "ranges of columns")?;
                for first in part.clone().step_by(STEP) {
                    let bad = self.numbers.visit(Inspect {
                        csr: self,
                        range: first..part.end.min(first + STEP),
                        offset,
                        extents: &mut own,
                        weighs,
                        poll,
                    })?;
                    if let Some((at, value)) = bad {
                        let mut found = first_bad.lock().unwrap_or_else(PoisonError::into_inner);
                        if found.is_none_or(|(first, _)| at < first) {
                            *found = Some((at, value));
                        }
                        break;
                    }
                    poll()?;
                }
                let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
                let (extents, seen) = &mut *all;
                if let Some(extents) = extents.as_deref_mut() {
                    let columns = extents.iter_mut().zip(seen.iter_mut());
                    for ((extent, seen), (other, count)) in columns.zip(own) {
                        extent.join(other);
                        *seen += count;
                    }
                }
                Ok(())
            },
        )?;
        let (extents, seen) = all.into_inner().unwrap_or_else(PoisonError::into_inner);
        if let Some(extents) = extents {
            let rows = (0..self.starts.len() - 1).filter(|&row| weighs(row));
            let rows = rows.count();
            for (extent, &mut seen) in extents.iter_mut().zip(seen) {
                if (seen as usize) < rows {
                    extent.add(0.0);
                }
            }
        }
        Ok(first_bad
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner))
    }

    /// Looks at every number, for the ranges of the columns.
    pub fn scan(&self, threads: &Threads<'_>) -> Result<Scan> {
        let all = Mutex::new(Scan::new(self.cols)?);
        threads.run_long(
            self.parts(threads),
            || (),
            |(), part, poll| {
                let mut scan = Scan::new(self.cols)?;
                for first in part.clone().step_by(STEP) {
                    let range = first..part.end.min(first + STEP);
                    let scan = &mut scan;
                    self.numbers.visit(Look {
                        csr: self,
                        range,
                        scan,
                        poll,
                    })?;
                    poll()?;
                }
                let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
                all.merge(&scan);
                Ok(())
            },
        )?;
        Ok(all.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    /// The rows, in a part for each thread: what is found out of columns takes
    /// memory for each part.
    fn parts(&self, threads: &Threads<'_>) -> impl ExactSizeIterator<Item = Range<usize>> + use<> {
        let rows = self.starts.len() - 1;
        let count = threads.count().min(rows.div_ceil(STEP)).max(1);
        (0..count).map(move |part| rows * part / count..rows * (part + 1) / count)
    }
}

struct Convert<'w> {
    csr: &'w Csr<'w>,
    range: Range<usize>,
    offset: Option<&'w [f64]>,
    out: &'w mut [f32],
}

impl OnNumbers for Convert<'_> {
    type Out = Result<()>;

    fn visit<T: Stored>(self, numbers: &[T]) -> Result<()> {
        let mut order = Vec::new();
        let rows = self.out.chunks_exact_mut(self.csr.cols.max(1));
        for (row, out) in self.range.zip(rows) {
            match self.offset {
                None => {
                    out.fill(0.0);
                    self.csr
                        .entries(numbers, row, &mut order, |column, number| {
                            out[column] = number.to_f32();
                        })?;
                }
                Some(offset) => {
                    for (out, offset) in out.iter_mut().zip(offset) {
                        *out = (0.0 - offset) as f32;
                    }
                    self.csr
                        .entries(numbers, row, &mut order, |column, number| {
                            out[column] = number.less(offset[column]);
                        })?;
                }
            }
        }
        Ok(())
    }
}

struct ReadExactly<'w> {
    csr: &'w Csr<'w>,
    row: usize,
    out: &'w mut [(f64, f32)],
}

impl OnNumbers for ReadExactly<'_> {
    type Out = Result<()>;

    fn visit<T: Stored>(self, numbers: &[T]) -> Result<()> {
        let see = |column: usize, number| self.out[column] = exact(number);
        self.csr.entries(numbers, self.row, &mut Vec::new(), see)
    }
}

struct AreEqual<'w> {
    csr: &'w Csr<'w>,
    rows: [usize; 2],
}

impl OnNumbers for AreEqual<'_> {
    type Out = Result<bool>;

    fn visit<T: Stored>(self, numbers: &[T]) -> Result<bool> {
        if self.csr.ascending {
            let [a, b] = self.rows.map(|row| {
                let places = self.csr.places(row);
                let entries = places.map(|at| (self.csr.columns.at(at), numbers[at].number()));
                entries.filter(|(_, number)| number.to_f64() != 0.0)
            });
            return Ok(a.eq(b));
        }
        let mut order = Vec::new();
        let mut both = [Vec::new(), Vec::new()];
        for (row, entries) in self.rows.into_iter().zip(&mut both) {
            let most = self.csr.places(row).len();
            crate::allocate::reserve(entries, most, "numbers of a row")?;
            self.csr
                .entries(numbers, row, &mut order, |column, number| {
                    if number.to_f64() != 0.0 {
                        entries.push((column, number));
                    }
                })?;
        }
        Ok(both[0] == both[1])
    }
}

struct Inspect<'w> {
    csr: &'w Csr<'w>,
    range: Range<usize>,
    offset: Option<&'w [f64]>,
    /// With how many rows have each column.
    extents: &'w mut [(Extent, u32)],
    weighs: &'w dyn Fn(usize) -> bool,
    poll: Poll<'w>,
}

impl OnNumbers for Inspect<'_> {
    type Out = Result<Option<(usize, f64)>>;

    fn visit<T: Stored>(self, numbers: &[T]) -> Self::Out {
        let wanted = !self.extents.is_empty();
        if !T::Number::MAY_OVERFLOW && !wanted {
            return Ok(None);
        }
        let mut order = Vec::new();
        for row in self.range {
            let mut bad = None;
            let wanted = wanted && (self.weighs)(row);
            self.csr
                .entries_polled(numbers, row, &mut order, self.poll, |column, number| {
                    let value = match self.offset {
                        None => number.to_f32(),
                        Some(offset) => number.less(offset[column]),
                    };
                    if !value.is_finite() && bad.is_none() {
                        bad = Some((row * self.csr.cols + column, number.to_f64()));
                    }
                    if wanted {
                        let (extent, count) = &mut self.extents[column];
                        extent.add(number.to_f64());
                        *count += 1;
                    }
                })?;
            if bad.is_some() {
                return Ok(bad);
            }
        }
        Ok(None)
    }
}

struct Look<'w> {
    csr: &'w Csr<'w>,
    range: Range<usize>,
    scan: &'w mut Scan,
    poll: Poll<'w>,
}

impl OnNumbers for Look<'_> {
    type Out = Result<()>;

    fn visit<T: Stored>(self, numbers: &[T]) -> Result<()> {
        let mut order = Vec::new();
        for row in self.range {
            self.csr
                .entries_polled(numbers, row, &mut order, self.poll, |column, number| {
                    self.scan.see_one(column, number.to_f32());
                })?;
        }
        Ok(())
    }
}
