//! Rows of which only what is not zero is kept: compressed sparse rows.

mod visits;

use super::element::{Extent, Number, Stored, View};
use super::indices::Indices;
use crate::allocate::{push, try_vec};
use crate::error::{KMeansError, Result};
use crate::ranges::Scan;
use crate::text::text;
use crate::threads::{Poll, Threads};
use std::ops::Range;
use std::sync::{Mutex, PoisonError};
use visits::{AreEqual, Convert, Inspect, Look, ReadExactly};

/// Rows that are looked at between two polls.
const STEP: usize = 1024;

/// Numbers of a row that are looked at between two polls.
const POLL_NUMBERS: usize = 1 << 20;

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
