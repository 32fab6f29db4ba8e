//! How large and how fine the numbers of each column are: what sums must know
//! beforehand to be exact.

use crate::allocate::{try_vec, with_capacity};
use crate::error::Result;
use crate::kernels::accumulate::{look_at, scan};

/// Numbers that are less than 2^high, and multiples of 2^low.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Range {
    pub low: i32,
    pub high: i32,
}

impl Range {
    /// Of zeros alone.
    pub const ZERO: Range = Range { low: 0, high: 0 };

    /// Of what [`scan`] finds.
    pub fn new(largest: i32, finest: i32) -> Self {
        if largest == 0 {
            return Self::ZERO;
        }
        // With the exponent's field f, a float32 is below 2^(f − 126).
        let finest = finest + 1;
        let low = match finest >> 23 {
            0 => -118 - finest.leading_zeros() as i32,
            field => field - 127,
        };
        Range {
            low,
            high: (largest >> 23) - 126,
        }
    }

    /// Of finite numbers that are not negative.
    pub fn of_weights(weights: impl Iterator<Item = f64>) -> Self {
        let (mut low, mut high) = (i32::MAX, i32::MIN);
        for weight in weights.filter(|&weight| weight > 0.0) {
            let bits = weight.to_bits();
            let field = (bits >> 52 & 0x7ff) as i32;
            let mantissa = bits & ((1 << 52) - 1) | u64::from(field > 0) << 52;
            low = low.min(field.max(1) - 1075 + mantissa.trailing_zeros() as i32);
            high = high.max(field - 1022);
        }
        match low <= high {
            true => Range { low, high },
            false => Self::ZERO,
        }
    }

    /// Of the numbers of both.
    pub fn join(self, other: Range) -> Range {
        match (self, other) {
            (Self::ZERO, one) | (one, Self::ZERO) => one,
            _ => Range {
                low: self.low.min(other.low),
                high: self.high.max(other.high),
            },
        }
    }

    /// Of products with numbers of another range, and of what rounding them to
    /// float64 leaves over.
    pub fn times(self, other: Range) -> Self {
        Range {
            low: self.low + other.low,
            high: self.high + other.high,
        }
    }

    /// Whether float64 holds all sums of up to `count` such numbers.
    pub fn sums_are_exact(self, count: usize) -> bool {
        let carries = count.next_power_of_two().ilog2() as i32;
        self.high - self.low + carries <= f64::MANTISSA_DIGITS as i32
    }
}

/// Columns that are looked at side by side, in several rows where there are
/// few, at least.
const WIDTH: usize = 32;

/// Looks at rows, block by block.
pub(crate) struct Scan {
    cols: usize,
    /// See [`scan`]; a multiple of `cols` each.
    largest: Vec<i32>,
    finest: Vec<i32>,
}

impl Scan {
    pub fn new(cols: usize) -> Result<Self> {
        let width = cols * WIDTH.div_ceil(cols.max(1));
        Ok(Scan {
            cols,
            largest: try_vec(0, width, "ranges of columns")?,
            finest: try_vec(i32::MAX, width, "ranges of columns")?,
        })
    }

    /// Looks at a block of whole rows.
    pub fn see(&mut self, block: &[f32]) {
        scan(block, &mut self.largest, &mut self.finest);
    }

    /// Looks at a part of one row: the columns from `first` on.
    pub fn see_columns(&mut self, first: usize, values: &[f32]) {
        let columns = first..first + values.len();
        let largest = &mut self.largest[columns.clone()];
        scan(values, largest, &mut self.finest[columns]);
    }

    /// Looks at one number; zeros need not be looked at.
    pub fn see_one(&mut self, col: usize, value: f32) {
        look_at(value, &mut self.largest[col], &mut self.finest[col]);
    }

    /// Whether all numbers so far are finite.
    pub fn is_finite(&self) -> bool {
        let infinite = f32::INFINITY.to_bits() as i32;
        self.largest.iter().all(|&bits| bits < infinite)
    }

    pub fn merge(&mut self, other: &Scan) {
        for (largest, other) in self.largest.iter_mut().zip(&other.largest) {
            *largest = (*largest).max(*other);
        }
        for (finest, other) in self.finest.iter_mut().zip(&other.finest) {
            *finest = (*finest).min(*other);
        }
    }

    /// One range a column.
    pub fn ranges(&self) -> Result<Vec<Range>> {
        let mut ranges = with_capacity(self.cols, "ranges of columns")?;
        ranges.extend((0..self.cols).map(|col| {
            let places = (col..self.largest.len()).step_by(self.cols);
            let largest = places.clone().map(|at| self.largest[at]).max();
            let finest = places.map(|at| self.finest[at]).min();
            Range::new(largest.unwrap_or(0), finest.unwrap_or(i32::MAX))
        }));
        Ok(ranges)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    /// The exponents of the first and the last bit that is set.
    fn ends(value: f32) -> (i32, i32) {
        let bits = value.to_bits();
        let field = (bits >> 23 & 0xff) as i32;
        let mantissa = bits & 0x7f_ffff | u32::from(field > 0) << 23;
        let unit = field.max(1) - 150;
        let first = 31 - mantissa.leading_zeros() as i32 + unit;
        (first, mantissa.trailing_zeros() as i32 + unit)
    }

    #[test]
    fn holds_every_number_and_is_about_as_narrow_as_can_be() {
        let mut rng = Rng::new(2);
        for cols in [1, 2, 5, 31, 40] {
            for kind in 0..5 {
                let values: Vec<f32> = (0..100 * cols)
                    .map(|_| match kind {
                        0 => f32::from_bits(rng.below(0x7f80_0000) as u32),
                        1 => rng.below(1000) as f32 - 500.0,
                        2 => f32::from_bits(rng.below(0x0100_0000) as u32),
                        3 => (1 << rng.below(9)) as f32,
                        _ => 0.0,
                    })
                    .collect();
                let mut scan = Scan::new(cols).unwrap();
                let mut other = Scan::new(cols).unwrap();
                let (first, second) = values.split_at(37 * cols);
                scan.see(first);
                other.see(second);
                scan.merge(&other);
                for (col, range) in scan.ranges().unwrap().into_iter().enumerate() {
                    let column = values[col..].iter().step_by(cols);
                    let column = column.filter(|&&v| v != 0.0).map(|&v| ends(v));
                    let high = column.clone().map(|(high, _)| high + 1).max();
                    let low = column.map(|(_, low)| low).min();
                    let (Some(high), Some(low)) = (high, low) else {
                        assert_eq!(range, Range::ZERO);
                        continue;
                    };
                    assert!(range.high >= high && range.high <= high.max(-126));
                    assert!(range.low <= low && range.low >= low - 1);
                }
            }
        }
    }

    #[test]
    fn sees_what_is_not_finite() {
        for bad in [f32::NAN, -f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut scan = Scan::new(7).unwrap();
            let mut block = [f32::MAX; 70];
            scan.see(&block);
            assert!(scan.is_finite());
            block[69] = bad;
            scan.see(&block);
            assert!(!scan.is_finite());
        }
    }
}
