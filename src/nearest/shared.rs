//! What all searches of one call share.

use crate::error::Result;
use crate::memory::Budget;
use crate::metric::Metric;
use crate::nearest::engine::Setting;
use crate::nearest::scores::AffineMap;
use crate::owned::TryArc;
use crate::points::Points;
use crate::ranges::Range;
use crate::threads::Threads;
use crate::totals::Grid;

/// How searches compute, in which coordinates, and the memory that they may take.
///
/// All copies are the same in memory.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(super) setting: Setting,
    pub(super) affine: TryArc<AffineMap>,
    budget: Budget,
    /// Of every column, if known.
    ranges: Option<TryArc<Vec<Range>>>,
}

impl Shared {
    /// For searches over `points`, which must have passed [`Points::check`], and
    /// over others of that kind.
    pub fn new(points: &Points<'_>, metric: Metric, memory_limit: Option<u64>) -> Result<Self> {
        let setting = Setting::from_environment();
        Self::with_setting(points, metric, memory_limit, setting)
    }

    pub(super) fn with_setting(
        points: &Points<'_>,
        metric: Metric,
        memory_limit: Option<u64>,
        setting: Setting,
    ) -> Result<Self> {
        Ok(Shared {
            setting,
            affine: TryArc::new(AffineMap::new(points, metric)?, "coordinates")?,
            budget: Budget::new(memory_limit)?,
            ranges: None,
        })
    }

    /// The ranges of all columns, which else are looked for when they are needed.
    pub fn with_ranges(mut self, ranges: Vec<Range>) -> Result<Self> {
        self.ranges = Some(TryArc::new(ranges, "ranges of columns")?);
        Ok(self)
    }

    /// The memory of the call.
    pub fn budget(&self) -> &Budget {
        &self.budget
    }

    pub fn metric(&self) -> Metric {
        self.affine.metric
    }

    /// The grid for sums of these rows.
    pub(super) fn grid(&self, points: &Points<'_>, threads: &Threads<'_>) -> Result<Grid> {
        let (rows, cols) = (points.rows(), points.cols());
        let weights = points.weight_range();
        let found;
        let ranges = match (self.metric(), &self.ranges, weights) {
            (Metric::Cosine, _, None) => return Grid::of_unit_rows(cols, rows),
            (Metric::Cosine, _, Some(weights)) => {
                return Grid::of_weighted_unit_rows(cols, weights, rows);
            }
            (Metric::Euclidean, Some(ranges), _) => ranges,
            (Metric::Euclidean, None, _) => {
                found = points.check_ranges(threads)?;
                &found
            }
        };
        match weights {
            None => Grid::of_rows(ranges, rows),
            Some(weights) => Grid::of_weighted_rows(ranges, weights, rows),
        }
    }
}
