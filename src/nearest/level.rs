//! How far the 8-bit engine's first sweep goes: bounds for a number of
//! dimensions, rows to try them on, and what steps cost.

use super::codes::{Buffers, Coder, RowCodes};
use super::frame::Frame;
use super::vnni::Terms;
use crate::points::Points;

/// Rows that the number of dimensions to sweep is chosen by, in groups of
/// neighbours.
const SAMPLE: usize = 128;
pub(super) const GROUP: usize = 8;

/// Costs in cycles, roughly; they guide choices and change no result. Those of
/// sweeps and tiles are for CPUs that handle 512 bits at a time: see
/// [`half_width`](super::isa::half_width).
pub(super) mod cost {
    pub(in crate::nearest) const SWEEP_PER_DIM: f64 = 1.0 / 120.0;
    pub(in crate::nearest) const SWEEP: f64 = 0.15;
    pub(in crate::nearest) const ENCODE_PER_DIM: f64 = 1.5;
    pub(in crate::nearest) const CODE: f64 = 60.0;
    pub(in crate::nearest) const FLOAT: f64 = 60.0;
    pub(in crate::nearest) const FLOAT_PER_DIM: f64 = 0.6;
    pub(in crate::nearest) const EXACT: f64 = 60.0;
    pub(in crate::nearest) const EXACT_PER_DIM: f64 = 0.8;
    pub(in crate::nearest) const TILE_PER_DIM: f64 = 1.0 / 28.0;
}

/// A typical value, and the extremes of the factor that it is multiplied with.
#[derive(Clone, Copy, Default)]
pub(super) struct Fold {
    typical: f64,
    least: f64,
    most: f64,
}

impl Fold {
    pub fn new(typical: f64, factors: impl Iterator<Item = f64>) -> Self {
        let (least, most) = factors.fold((f64::INFINITY, 0.0f64), |(least, most), factor| {
            (least.min(factor), most.max(factor))
        });
        Fold {
            typical,
            least: least.min(most),
            most,
        }
    }

    /// How much `value` · factor may exceed `typical` · factor.
    pub fn excess(&self, value: f64) -> f64 {
        let over = value - self.typical;
        over * if over > 0.0 { self.most } else { self.least }
    }
}

/// Bounds for a sweep over the first levels of the codes.
pub(super) struct Level {
    /// Levels swept.
    pub count: usize,
    pub terms: Terms,
    /// Row residual × centroid head norm.
    pub residual: Fold,
    /// Row head norm × centroid residual.
    pub head: Fold,
    /// Row norm × centroid norm: rounding.
    pub cross: Fold,
}

/// Rows by which a search is tuned.
pub(super) struct Sample {
    pub codes: RowCodes,
    pub values: Vec<f32>,
    pub labels: Vec<u32>,
}

impl Sample {
    pub fn new(points: &Points<'_>, frame: &Frame, coder: &Coder, labels: &[u32]) -> Self {
        let rows = points.rows();
        let groups = rows.min(SAMPLE).div_ceil(GROUP);
        let mut sample = Sample {
            codes: RowCodes::default(),
            values: Vec::new(),
            labels: Vec::new(),
        };
        let mut scratch = Vec::new();
        for group in 0..groups {
            let first = (group as u128 * rows as u128 / groups as u128) as usize;
            let range = first..rows.min(first + GROUP);
            sample.labels.extend_from_slice(&labels[range.clone()]);
            sample
                .values
                .extend_from_slice(points.block(range, &mut scratch));
        }
        let (mut scales, mut buffers) = (Vec::new(), Buffers::default());
        sample
            .codes
            .set(&sample.values, frame, coder, &mut scales, &mut buffers);
        sample
    }

    /// The mean over rows that have a code.
    pub fn mean(&self, of: impl Fn(usize) -> f64) -> f64 {
        let coded = || (0..self.labels.len()).filter(|&i| self.codes.sides[i].unit > 0.0);
        coded().map(of).sum::<f64>() / coded().count().max(1) as f64
    }
}
