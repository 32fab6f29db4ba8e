//! What is done with the numbers of sparse rows, whatever their type.

use super::Csr;
use crate::error::Result;
use crate::points::element::{Extent, Number, OnNumbers, Stored, exact};
use crate::ranges::Scan;
use crate::threads::Poll;
use std::ops::Range;
pub(super) struct Convert<'w> {
    pub csr: &'w Csr<'w>,
    pub range: Range<usize>,
    pub offset: Option<&'w [f64]>,
    pub out: &'w mut [f32],
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

pub(super) struct ReadExactly<'w> {
    pub csr: &'w Csr<'w>,
    pub row: usize,
    pub out: &'w mut [(f64, f32)],
}

impl OnNumbers for ReadExactly<'_> {
    type Out = Result<()>;

    fn visit<T: Stored>(self, numbers: &[T]) -> Result<()> {
        let see = |column: usize, number| self.out[column] = exact(number);
        self.csr.entries(numbers, self.row, &mut Vec::new(), see)
    }
}

pub(super) struct AreEqual<'w> {
    pub csr: &'w Csr<'w>,
    pub rows: [usize; 2],
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

pub(super) struct Inspect<'w> {
    pub csr: &'w Csr<'w>,
    pub range: Range<usize>,
    pub offset: Option<&'w [f64]>,
    /// With how many rows have each column.
    pub extents: &'w mut [(Extent, u32)],
    pub weighs: &'w dyn Fn(usize) -> bool,
    pub poll: Poll<'w>,
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

pub(super) struct Look<'w> {
    pub csr: &'w Csr<'w>,
    pub range: Range<usize>,
    pub scan: &'w mut Scan,
    pub poll: Poll<'w>,
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
