//! Sparse rows as engines read them: float32, columns ascending, none twice.

use super::csr::Csr;
use super::element::{Number, OnNumbers, Stored};
use super::{Points, Source};
use crate::allocate::{extend, grow, push};
use crate::error::Result;
use crate::kernels::accumulate::prefetch;
use crate::kernels::exact_sparse::{Rows, Vector};
use crate::threads::Poll;
use std::ops::Range;

/// Numbers that are read at a time, and of rows that were chosen how many.
const BLOCK_VALUES: usize = 1 << 19;
const BLOCK_ROWS: usize = 1024;

/// Of so many rows that were chosen, so many numbers are fetched before they are read.
const AHEAD: usize = 16;
const FETCHED: usize = 32;

/// Some rows, one after the other.
#[derive(Default)]
pub(crate) struct SparseRows {
    /// Where each row starts, and the last ends.
    starts: Vec<usize>,
    columns: Vec<u32>,
    values: Vec<f32>,
    order: Vec<(u32, usize)>,
}

impl SparseRows {
    /// As points of so many columns; `starts` is room for where rows start.
    pub fn points<'s>(&'s self, starts: &'s mut Vec<u64>, cols: usize) -> Result<Points<'s>> {
        starts.clear();
        let places = self.starts.iter().map(|&start| start as u64);
        extend(starts, places, "sparse rows")?;
        Points::csr(&self.values, &self.columns[..], &starts[..], cols)
    }

    fn clear(&mut self) -> Result<()> {
        self.starts.clear();
        self.columns.clear();
        self.values.clear();
        push(&mut self.starts, 0, "sparse rows")
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.starts.len() - 1
    }

    pub fn all(&self) -> Rows<'_> {
        Rows {
            starts: &self.starts,
            columns: &self.columns,
            values: &self.values,
        }
    }

    /// Multiplies a row, in float64.
    pub fn scale(&mut self, i: usize, factor: f64) {
        for value in &mut self.values[self.starts[i]..self.starts[i + 1]] {
            *value = (f64::from(*value) * factor) as f32;
        }
    }

    pub fn row(&self, i: usize) -> Vector<'_> {
        self.all().row(i)
    }

    pub fn rows(&self) -> impl ExactSizeIterator<Item = Vector<'_>> {
        self.all().rows()
    }
}

impl Points<'_> {
    /// Whether [`read_sparse`](Points::read_sparse) can read them: an offset
    /// makes every zero a number.
    pub(crate) fn reads_sparse(&self) -> bool {
        match self.source {
            Source::Sparse(_, offset) => offset.is_none(),
            Source::Rows(..) => false,
            Source::Selection(points, _) => points.reads_sparse(),
        }
    }

    /// Numbers that are kept of all rows, or more.
    pub(crate) fn stored(&self) -> usize {
        match self.source {
            Source::Sparse(csr, _) => csr.stored(),
            Source::Rows(..) => self.rows.saturating_mul(self.cols),
            Source::Selection(points, _) => points.stored(),
        }
    }

    /// Numbers that a search looks at, about.
    pub(crate) fn size(&self) -> f64 {
        match self.reads_sparse() {
            true => (self.stored() + self.rows) as f64,
            false => self.rows as f64 * self.cols as f64,
        }
    }

    /// Calls `work` with the rows `range` of sparse points, a block after the other: the
    /// number of its first row, and the rows. However long rows are, a block has
    /// [`BLOCK_VALUES`] numbers at most, or one row. Polls after each.
    pub(crate) fn in_sparse_blocks(
        &self,
        range: Range<usize>,
        rows: &mut SparseRows,
        poll: Poll<'_>,
        mut work: impl FnMut(usize, Rows<'_>) -> Result<()>,
    ) -> Result<()> {
        let mut first = range.start;
        while first < range.end {
            let mut end = range.end;
            if self.numbers(first..end) > BLOCK_VALUES {
                end = first + 1;
                let mut numbers = self.numbers(first..end);
                while end < range.end && numbers <= BLOCK_VALUES {
                    numbers += self.numbers(end..end + 1);
                    end += usize::from(numbers <= BLOCK_VALUES);
                }
            }
            work(first, self.sparse_block(first..end, rows)?)?;
            poll()?;
            first = end;
        }
        Ok(())
    }

    /// Calls `see` with each of some sparse rows, in order. Polls now and then.
    pub(crate) fn each_sparse(
        &self,
        chosen: &[u32],
        rows: &mut SparseRows,
        poll: Poll<'_>,
        mut see: impl FnMut(u32, Vector<'_>) -> Result<()>,
    ) -> Result<()> {
        let in_place = match &self.source {
            Source::Sparse(csr, _) => csr.in_place().map(|kept| (csr, kept)),
            _ => None,
        };
        let mut chosen = chosen;
        while let [first, ..] = *chosen {
            let mut numbers = self.numbers_of(first);
            let fit = chosen[1..].iter().take(BLOCK_ROWS - 1).take_while(|&&row| {
                numbers += self.numbers_of(row);
                numbers <= BLOCK_VALUES
            });
            let (some, rest) = chosen.split_at(1 + fit.count());
            chosen = rest;
            match in_place {
                Some((csr, (columns, values))) => {
                    for some in some.chunks(AHEAD) {
                        let vectors: [_; AHEAD] = std::array::from_fn(|i| {
                            let row = some[i.min(some.len() - 1)] as usize;
                            let places = csr.span(row..row + 1);
                            let (columns, values) = (&columns[places.clone()], &values[places]);
                            let fetched = columns.len().min(FETCHED);
                            prefetch(bytemuck::cast_slice(&columns[..fetched]));
                            prefetch(&values[..fetched]);
                            Vector { columns, values }
                        });
                        for (&row, &vector) in some.iter().zip(&vectors) {
                            see(row, vector)?;
                        }
                    }
                }
                None => {
                    rows.clear()?;
                    for &row in some {
                        self.append_sparse(row as usize..row as usize + 1, rows)?;
                    }
                    for (&row, vector) in some.iter().zip(rows.rows()) {
                        see(row, vector)?;
                    }
                }
            }
            poll()?;
        }
        Ok(())
    }

    fn numbers_of(&self, row: u32) -> usize {
        self.numbers(row as usize..row as usize + 1)
    }

    /// Numbers that are kept of some rows.
    fn numbers(&self, range: Range<usize>) -> usize {
        match self.source {
            Source::Sparse(csr, _) => csr.span(range).len(),
            Source::Rows(..) => range.len().saturating_mul(self.cols),
            Source::Selection(points, rows) => {
                rows[range].iter().map(|&row| points.numbers_of(row)).sum()
            }
        }
    }

    /// The rows `range` of sparse points: as they lie, or read into `rows`.
    fn sparse_block<'s>(
        &'s self,
        range: Range<usize>,
        rows: &'s mut SparseRows,
    ) -> Result<Rows<'s>> {
        if let Source::Sparse(csr, _) = &self.source
            && let Some((columns, values)) = csr.in_place()
        {
            let starts = &mut rows.starts;
            starts.clear();
            grow(starts, range.len() + 1, "sparse rows")?;
            let start = csr.span(range.start..range.start).start;
            starts.push(start);
            csr.append_ends(range, start, starts);
            return Ok(Rows {
                starts,
                columns,
                values,
            });
        }
        self.read_sparse(range, rows)?;
        Ok(rows.all())
    }

    /// Reads rows `range` of sparse points into `rows`.
    pub(crate) fn read_sparse(&self, range: Range<usize>, rows: &mut SparseRows) -> Result<()> {
        rows.clear()?;
        self.append_sparse(range, rows)
    }

    fn append_sparse(&self, range: Range<usize>, rows: &mut SparseRows) -> Result<()> {
        match self.source {
            Source::Rows(..) => unreachable!("rows of which all numbers are kept"),
            Source::Sparse(csr, _) => csr.numbers().visit(Read {
                csr: &csr,
                range,
                rows,
            }),
            Source::Selection(points, chosen) => {
                for &row in &chosen[range] {
                    points.append_sparse(row as usize..row as usize + 1, rows)?;
                }
                Ok(())
            }
        }
    }
}

struct Read<'w> {
    csr: &'w Csr<'w>,
    range: Range<usize>,
    rows: &'w mut SparseRows,
}

impl OnNumbers for Read<'_> {
    type Out = Result<()>;

    fn visit<T: Stored>(self, numbers: &[T]) -> Result<()> {
        let SparseRows {
            starts,
            columns,
            values,
            order,
        } = self.rows;
        grow(starts, self.range.len(), "sparse rows")?;
        let places = self.csr.span(self.range.clone());
        grow(columns, places.len(), "sparse rows")?;
        grow(values, places.len(), "sparse rows")?;
        if self.csr.is_ascending() {
            let before = columns.len();
            self.csr.append_columns(places.clone(), columns);
            self.csr.append_ends(self.range, before, starts);
            values.extend(numbers[places].iter().map(|v| v.number().to_f32()));
            return Ok(());
        }
        for row in self.range {
            self.csr.entries(numbers, row, order, |column, number| {
                columns.push(column as u32);
                values.push(number.to_f32());
            })?;
            starts.push(columns.len());
        }
        Ok(())
    }
}
