//! The centroid of rows of which the sum is known.

use crate::kernels::lanes::LANES;
use crate::metric::Metric;

/// With cosine, rows cancel out where their sum is shorter than this a row
/// and a root of dimensions: no more than what rounding to the grid leaves.
const CANCELLED: f64 = 1.0 / (1u64 << 43) as f64;

/// A value for each of some columns.
pub(crate) trait Columns {
    /// Those of eight columns from `at` on; 0 where there are fewer.
    fn eight(&self, at: usize, columns: usize) -> [f64; LANES];
}

impl<F: Fn(usize) -> f64> Columns for F {
    fn eight(&self, at: usize, columns: usize) -> [f64; LANES] {
        let value = |lane| {
            let column = at + lane;
            if column < columns { self(column) } else { 0.0 }
        };
        std::array::from_fn(value)
    }
}

/// Writes the centroid of rows that weigh `weight` and add up to `values`: see
/// [`Totals::write_centroids`]. Returns whether it changed.
#[inline(always)]
pub(crate) fn write_centroid(
    metric: Metric,
    weight: f64,
    values: impl Columns,
    centroid: &mut [f32],
) -> bool {
    let dims = centroid.len();
    let square = || {
        let mut square = 0.0;
        for at in (0..dims).step_by(LANES) {
            for value in values.eight(at, dims) {
                square += value * value;
            }
        }
        square
    };
    let Some(size) = size_of_sum(metric, dims, weight, square) else {
        return false;
    };
    let mut changed = false;
    for (number, centroid) in centroid.chunks_mut(LANES).enumerate() {
        let values = values.eight(number * LANES, dims);
        let means = values.map(|value| (value / size) as f32);
        for (centroid, mean) in centroid.iter_mut().zip(means) {
            changed |= *centroid != mean;
            *centroid = mean;
        }
    }
    changed
}

/// What the sum of rows that weigh `weight` is divided by to be a centroid: their
/// weight, or with cosine its length, given by its square. `None` where they cancel
/// out.
pub(crate) fn size_of_sum(
    metric: Metric,
    dims: usize,
    weight: f64,
    square: impl FnOnce() -> f64,
) -> Option<f64> {
    match metric {
        Metric::Euclidean => Some(weight),
        Metric::Cosine => {
            let length = square().sqrt();
            let cancelled = CANCELLED * (dims as f64).sqrt();
            (length > cancelled * weight).then_some(length)
        }
    }
}
