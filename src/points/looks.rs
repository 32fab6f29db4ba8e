//! What rows that come block by block are looked over for.

use super::element::{Extent, View};
use super::extents::{ExactRow, Extents};
use super::{Points, Source};
use crate::allocate::{collect, resize, try_vec};
use crate::error::Result;
use crate::metric::Metric;
use crate::threads::Threads;
use ndarray::ArrayView2;

impl Points<'_> {
    fn view(&self) -> View<'_> {
        match self.source {
            Source::Rows(view, _) => view,
            Source::Sparse(csr, _) => csr.numbers(),
            Source::Selection(points, _) => points.view(),
        }
    }

    /// The name of the number type.
    pub(crate) fn type_name(&self) -> &'static str {
        self.view().type_name()
    }

    /// Whether numbers may have digits that float32 has not.
    pub(crate) fn is_wide(&self) -> bool {
        self.view().is_wide()
    }

    pub(crate) fn exact_row(&self, row: usize) -> Result<ExactRow> {
        const PURPOSE: &str = "a row as it is";
        let mut out = try_vec((0.0, 0.0), self.cols, PURPOSE)?;
        match self.source {
            Source::Rows(view, _) => view.exact_row(row, &mut out),
            Source::Sparse(csr, _) => csr.exact_row(row, &mut out)?,
            Source::Selection(points, rows) => return points.exact_row(rows[row] as usize),
        }
        Ok(out)
    }

    /// [`check`](Points::check), and joins the ranges of the columns, of rows that
    /// weigh something.
    pub(crate) fn check_extents(&self, all: &mut Extents, threads: &Threads<'_>) -> Result<()> {
        self.check_shape()?;
        let nothing = Extent::of_nothing();
        resize(&mut all.columns, self.cols, nothing, "ranges of columns")?;
        all.of_integers = self.view().is_integer();
        self.inspect(threads, Some(&mut all.columns))
    }

    /// What each column is to lose where these are the [ends](Extents::ends) of the
    /// columns, of these rows and of others: see [`check_for_offset`](Points::check_for_offset).
    pub(crate) fn offset_within(
        &self,
        ends: ArrayView2<'_, f64>,
        metric: Metric,
        threads: &Threads<'_>,
    ) -> Result<Option<Vec<f64>>> {
        if metric != Metric::Euclidean || !self.is_wide() {
            return Ok(None);
        }
        let ends = ends.columns().into_iter();
        let columns = ends.map(|ends| Extent {
            least: ends[0],
            greatest: ends[1],
        });
        let columns = collect(columns, "ranges of columns")?;
        Extents::new(columns, self.view().is_integer()).offset(threads)
    }
}
