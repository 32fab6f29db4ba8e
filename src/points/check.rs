//! One pass over the caller's numbers before anything is computed of them: NaN
//! and infinity, and what each column spans.

use super::element::{Extent, View};
use super::extents::Extents;
use super::{LONG, Points, Source, parts};
use crate::allocate::resize;
use crate::error::{KMeansError, Result};
use crate::metric::Metric;
use crate::ranges::{self, Scan};
use crate::threads::{Poll, Threads};
use std::sync::{Mutex, PoisonError};

/// Values that are looked at between two polls.
const TASK_VALUES: usize = 1 << 17;

impl Points<'_> {
    /// An error that names the first value which is NaN, infinite or beyond
    /// float32, or a shape that nothing can be computed of. One pass over the
    /// data.
    pub(crate) fn check(&self, threads: &Threads<'_>) -> Result<()> {
        self.inspect(threads, None)
    }

    /// [`check`](Points::check), and what each column should lose before it is
    /// rounded to float32; `None` if nothing. A column loses the middle of its
    /// range, and only if the distance is Euclidean, the numbers have more
    /// digits than float32 and lie farther from 0 than four times their range. Depends on the ranges of the columns alone.
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
        Extents::new(extents, view.is_integer()).offset(threads)
    }

    pub(super) fn check_shape(&self) -> Result<()> {
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

    pub(super) fn inspect(
        &self,
        threads: &Threads<'_>,
        extents: Option<&mut Vec<Extent>>,
    ) -> Result<()> {
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
}
