//! What is kept of rows that come block by block while they are looked over.

use super::element::Extent;
use crate::allocate::collect;
use crate::error::Result;
use crate::threads::Threads;

/// A column loses an offset if its largest magnitude is more than this many
/// times its range.
const FAR: f64 = 4.0;

/// A row as it is, before any rounding: each number as a float64 and what that
/// leaves over.
pub(crate) type ExactRow = Vec<(f64, f32)>;

/// The ranges of the columns of rows so far, where these may lose an offset.
#[derive(Default)]
pub(crate) struct Extents {
    pub(super) columns: Vec<Extent>,
    pub(super) of_integers: bool,
}

impl Extents {
    pub fn new(columns: Vec<Extent>, of_integers: bool) -> Self {
        Extents {
            columns,
            of_integers,
        }
    }

    /// The least number of each column, then the greatest of each.
    pub fn ends(&self) -> Result<Vec<f64>> {
        let least = self.columns.iter().map(|extent| extent.least);
        let greatest = self.columns.iter().map(|extent| extent.greatest);
        collect(least.chain(greatest), "ranges of columns")
    }

    /// What each column should lose: see [`Points::check_for_offset`].
    pub fn offset(&self, threads: &Threads<'_>) -> Result<Option<Vec<f64>>> {
        let middle = |Extent { least, greatest }| {
            let range = greatest - least;
            let magnitude = f64::max(f64::abs(least), f64::abs(greatest));
            let middle = least + range / 2.0;
            match range >= 0.0 && magnitude > FAR * range {
                true if self.of_integers => middle.floor(),
                true => middle,
                false => 0.0,
            }
        };
        let columns = &self.columns;
        let mut offset = threads.try_vec(0.0, columns.len(), "offsets of columns")?;
        threads.in_steps(columns.len(), |part| {
            for column in part {
                offset[column] = middle(columns[column]);
            }
            Ok(())
        })?;
        Ok(offset.iter().any(|&offset| offset != 0.0).then_some(offset))
    }
}
