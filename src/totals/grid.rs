//! How the numbers of a row are cut into whole numbers, so that sums are exact.
//!
//! All numbers of a column are multiples of a last unit 2^low and smaller than
//! 2^high. A number is the sum of `limbs` whole multiples of units, each unit
//! 2^(b+1) times the next, the last 2^low; the proof that nothing is lost and
//! nothing overflows is in docs/algorithms/sums.md.

use crate::allocate::{collect, copy, with_capacity};
use crate::error::Result;
use crate::kernels::accumulate::{Sign, add_rows};
use crate::kernels::exact::inverse_norm;
use crate::kernels::weighted::{self, Factors};
use crate::metric::Metric;
use crate::ranges::Range;

/// Unit rows are rounded to multiples of 2^-43: below what a float64 cosine
/// or a float32 centroid can tell apart.
const UNIT_ROWS: Range = Range { low: -43, high: 0 };

/// The most bits of a limb. [`MAGIC`] would take 50, but then no sums of rows.
const MOST_BITS: u32 = 43;

/// A float64 of 1.5 · 2^52 units has the unit for its last bit.
const MAGIC: f64 = 6_755_399_441_055_744.0;

/// The most limbs that any columns need: products of float32 values and
/// float64 weights, in limbs of 31 bits.
const MOST_LIMBS: usize = 80;

/// The units of every column. In sums of weighted rows there is a further
/// column for the weights themselves.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Grid {
    metric: Metric,
    /// Whether rows are multiplied by their weights.
    weighted: bool,
    /// b: a limb of one row is at most 2^b units.
    bits: u32,
    /// The exponent of each column's last unit.
    low: Vec<i32>,
    /// Limbs × columns, from the largest unit to the last: what to add to a
    /// number so that its last bit is the unit.
    magic: Vec<f64>,
}

impl Grid {
    /// For sums of up to `rows` rows whose columns have these ranges.
    pub fn of_rows(ranges: &[Range], rows: usize) -> Result<Self> {
        Self::new(Metric::Euclidean, ranges.iter().copied(), rows)
    }

    /// For sums of up to `rows` unit vectors.
    pub fn of_unit_rows(dims: usize, rows: usize) -> Result<Self> {
        Self::new(Metric::Cosine, (0..dims).map(|_| UNIT_ROWS), rows)
    }

    /// [`of_rows`](Self::of_rows), each times a weight of this range.
    pub fn of_weighted_rows(ranges: &[Range], weights: Range, rows: usize) -> Result<Self> {
        Self::of_weighted(Metric::Euclidean, ranges.iter().copied(), weights, rows)
    }

    /// [`of_unit_rows`](Self::of_unit_rows), each times a weight of this range.
    pub fn of_weighted_unit_rows(dims: usize, weights: Range, rows: usize) -> Result<Self> {
        let ranges = (0..dims).map(|_| UNIT_ROWS);
        Self::of_weighted(Metric::Cosine, ranges, weights, rows)
    }

    fn of_weighted(
        metric: Metric,
        ranges: impl Iterator<Item = Range>,
        weights: Range,
        rows: usize,
    ) -> Result<Self> {
        let products = ranges.map(|range| range.times(weights));
        let columns: Vec<Range> = collect(products.chain([weights]), "units of sums")?;
        Ok(Grid {
            weighted: true,
            // Each row is added as two.
            ..Self::new(metric, columns.into_iter(), rows.saturating_mul(2))?
        })
    }

    pub(super) fn new(
        metric: Metric,
        ranges: impl ExactSizeIterator<Item = Range> + Clone,
        rows: usize,
    ) -> Result<Self> {
        // rows < 2^m, and b + m is 63 at most.
        let m = usize::BITS - rows.leading_zeros();
        let bits = (63 - m.min(33)).min(MOST_BITS);
        let width = |range: Range| (range.high - range.low + 1).max(1) as u32;
        let widest = ranges.clone().map(width).max().unwrap_or(1);
        let limbs = (widest.div_ceil(bits + 1) as usize).min(MOST_LIMBS);
        let columns = ranges.len();
        let mut low = with_capacity(columns, "units of sums")?;
        low.extend(ranges.map(|range| range.low));
        let mut magic = with_capacity(limbs * columns, "units of sums")?;
        for above in (0..limbs as i32).rev() {
            let exponents = low.iter().map(|low| low + above * (bits as i32 + 1));
            magic.extend(exponents.map(|exponent| MAGIC * power_of_two(exponent)));
        }
        Ok(Grid {
            metric,
            weighted: false,
            bits,
            low,
            magic,
        })
    }

    /// A copy where memory may be refused.
    pub fn try_clone(&self) -> Result<Self> {
        Ok(Grid {
            low: copy(&self.low, "units of sums")?,
            magic: copy(&self.magic, "units of sums")?,
            ..*self
        })
    }

    pub fn metric(&self) -> Metric {
        self.metric
    }

    pub fn is_weighted(&self) -> bool {
        self.weighted
    }

    pub fn dims(&self) -> usize {
        self.low.len() - usize::from(self.weighted)
    }

    /// b, the bits of a limb.
    pub(super) fn bits(&self) -> u32 {
        self.bits
    }

    /// The exponent of each column's last unit.
    pub(super) fn low(&self) -> &[i32] {
        &self.low
    }

    pub fn limbs(&self) -> usize {
        self.magic.len() / self.low.len().max(1)
    }

    /// Values of a sum: limbs × columns.
    pub fn width(&self) -> usize {
        self.magic.len()
    }

    /// Limbs × columns: see [`add_rows`].
    pub fn magic(&self) -> &[f64] {
        &self.magic
    }

    /// So many rows, added up without rounding, may be added as one.
    pub fn most_at_once(&self) -> usize {
        1 << (51 - self.bits)
    }

    /// Adds a row times its weight to a sum, or takes it away; rows weigh 1
    /// where the grid is not for weighted ones.
    pub fn add_row(&self, sum: &mut [i64], row: &[f32], weight: f64, sign: Sign) {
        if !self.weighted {
            return self.add_rows(sum, [row], sign);
        }
        let factors = Factors {
            scale: self.scale(row),
            rounding: match self.metric {
                Metric::Euclidean => 0.0,
                Metric::Cosine => MAGIC * power_of_two(UNIT_ROWS.low),
            },
            weight,
        };
        weighted::add_row(sum, &self.magic, row, factors, sign);
    }

    /// Adds rows of weight 1 to a sum, or takes them away.
    pub fn add_rows<const N: usize>(&self, sum: &mut [i64], rows: [&[f32]; N], sign: Sign) {
        let scales = rows.map(|row| self.scale(row));
        add_rows(sum, &self.magic, rows, scales, sign);
    }

    /// What the numbers of a row count times.
    fn scale(&self, row: &[f32]) -> f64 {
        match self.metric {
            Metric::Euclidean => 1.0,
            Metric::Cosine => inverse_norm(row),
        }
    }

    /// What the weights in a sum of `count` rows add up to, as
    /// [`read`](Self::read) tells it.
    pub fn read_weight(&self, sum: &[i64], count: i64) -> (f64, f64) {
        match self.weighted {
            true => self.read(sum, self.dims(), count),
            false => (count as f64, 0.0),
        }
    }

    /// What the numbers of column t in a sum of `count` rows add up to, twice:
    /// rounded once to float64, and what that leaves over, rounded once too. So
    /// what is read depends on the exact sum alone, not on units.
    pub fn read(&self, sum: &[i64], t: usize, count: i64) -> (f64, f64) {
        let limb = |l: usize| self.limb(sum, l, t, count);
        let low = self.low[t];
        let (value, rest) = match self.limbs() {
            1 => round(i128::from(limb(0))),
            2 => self.round_two(limb(0), limb(1)),
            limbs => return self.round_many(low, limbs, limb),
        };
        let unit = power_of_two(low);
        (value * unit, rest * unit)
    }

    /// Limb l of column t in a sum of `count` rows.
    pub(super) fn limb(&self, sum: &[i64], l: usize, t: usize, count: i64) -> i64 {
        let at = l * self.low.len() + t;
        // Each weighted row is added as two numbers.
        let added = count << u32::from(self.weighted);
        sum[at].wrapping_sub(added.wrapping_mul(self.magic[at].to_bits() as i64))
    }

    fn round_two(&self, first: i64, second: i64) -> (f64, f64) {
        let carry = (second + (1 << self.bits)) >> (self.bits + 1);
        let (high, low) = (first + carry, second - (carry << (self.bits + 1)));
        if high.unsigned_abs() >= 1 << 53 {
            return round((i128::from(first) << (self.bits + 1)) + i128::from(second));
        }
        // Both are exact, and their sum rounds once.
        let high = high as f64 * (1u64 << (self.bits + 1)) as f64;
        let low = low as f64;
        let sum = high + low;
        (sum, low - (sum - high))
    }

    fn round_many(&self, low: i32, limbs: usize, limb: impl Fn(usize) -> i64) -> (f64, f64) {
        let mut parts = [0i64; MOST_LIMBS];
        let parts = &mut parts[..limbs];
        let mut carry = 0;
        for l in (0..limbs).rev() {
            let part = limb(l) + carry;
            carry = match l {
                0 => 0,
                _ => (part + (1 << self.bits)) >> (self.bits + 1),
            };
            parts[l] = part - (carry << (self.bits + 1));
        }
        let (mut left, mut used) = (0i128, 0);
        let mut next = || {
            // As many limbs as there is room for; the others are less than one
            // of the last unit together, and only their sign counts for rounding.
            while used < limbs && left.unsigned_abs() < 1 << 64 {
                left = (left << (self.bits + 1)) + i128::from(parts[used]);
                used += 1;
            }
            let others = parts[used..].iter().find(|&&part| part != 0);
            let sign = others.map_or(0, |part| part.signum());
            let rounded = (2 * left + i128::from(sign)) as f64 / 2.0;
            left -= rounded as i128;
            let shift = (limbs - used) as i32 * (self.bits as i32 + 1);
            rounded * power_of_two(low + shift)
        };
        (next(), next())
    }
}

/// A whole number as float64, and what rounding leaves over.
fn round(value: i128) -> (f64, f64) {
    let rounded = value as f64;
    (rounded, (value - rounded as i128) as f64)
}

/// 2^exponent, for all that float64 has as normal numbers.
pub(super) fn power_of_two(exponent: i32) -> f64 {
    f64::from_bits(((1023 + exponent.clamp(-1022, 1023)) as u64) << 52)
}
