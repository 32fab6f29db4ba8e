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
use crate::kernels::lanes::LANES;
use crate::kernels::weighted::{self, Factors};
use crate::metric::Metric;
use crate::ranges::Range;

/// Unit rows are rounded to multiples of 2^-43: below what a float64 cosine
/// or a float32 centroid can tell apart.
const UNIT_ROWS: Range = Range { low: -43, high: 0 };

/// The most bits of a limb. [`MAGIC`] would take 50 of a single row.
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
    /// The exponent of each column's last unit, and the unit.
    low: Vec<i32>,
    units: Vec<f64>,
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
            ..Self::new(metric, columns.iter().copied(), rows.saturating_mul(2))?
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
        let mut units = with_capacity(columns, "units of sums")?;
        units.extend(low.iter().map(|&low| power_of_two(low)));
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
            units,
            magic,
        })
    }

    /// A copy where memory may be refused.
    pub fn try_clone(&self) -> Result<Self> {
        Ok(Grid {
            units: copy(&self.units, "units of sums")?,
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

    /// Numbers that are added up: one a dimension, and the weight.
    pub(super) fn columns(&self) -> usize {
        self.low.len()
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

    /// The unit that a number of [`magic`](Self::magic) rounds to.
    #[inline(always)]
    pub fn unit(magic: f64) -> f64 {
        magic / MAGIC
    }

    /// Adds a row times its weight to a sum, or takes it away; rows weigh 1
    /// where the grid is not for weighted ones.
    pub fn add_row(&self, sum: &mut [i64], row: &[f32], weight: f64, sign: Sign) {
        if !self.weighted {
            return self.add_rows(sum, [row], sign);
        }
        let scale = match self.metric {
            Metric::Euclidean => 1.0,
            Metric::Cosine => inverse_norm(row),
        };
        weighted::add_row(sum, &self.magic, row, self.factors(scale, weight), sign);
    }

    /// What a row's numbers are multiplied by where rows are weighted; `scale` is 1, or
    /// with cosine 1 / ‖x‖.
    pub fn factors(&self, scale: f64, weight: f64) -> Factors {
        let rounding = match self.metric {
            Metric::Euclidean => 0.0,
            Metric::Cosine => MAGIC * power_of_two(UNIT_ROWS.low),
        };
        Factors {
            scale,
            rounding,
            weight,
        }
    }

    /// Adds rows of weight 1 to a sum, or takes them away.
    pub fn add_rows<const N: usize>(&self, sum: &mut [i64], rows: [&[f32]; N], sign: Sign) {
        // Of Euclidean rows numbers count as they are.
        let scales = match self.metric {
            Metric::Euclidean => None,
            Metric::Cosine => Some(rows.map(inverse_norm)),
        };
        add_rows(sum, &self.magic, rows, scales, sign);
    }

    /// What the weights in a sum of `count` rows add up to, as
    /// [`read`](Self::read) tells it.
    pub fn read_weight(&self, sum: &[i64], count: i64) -> (f64, f64) {
        match self.weighted {
            true => self.read_one(sum, self.dims(), count),
            false => (count as f64, 0.0),
        }
    }

    /// What the numbers of eight columns, from `at` on, in a sum of `count` rows
    /// add up to, twice: rounded once to float64, and what that leaves over,
    /// rounded once too. So what is read depends on the exact sum alone, not on
    /// units. Columns that there are not have zeros.
    #[inline(always)]
    pub fn read(&self, sum: &[i64], at: usize, count: i64) -> ([f64; LANES], [f64; LANES]) {
        let (dims, limbs) = (self.dims(), self.limbs());
        let (mut values, mut rests) = ([0.0; LANES], [0.0; LANES]);
        if at + LANES > dims || limbs > 2 {
            for t in at..dims.min(at + LANES) {
                (values[t - at], rests[t - at]) = self.read_one(sum, t, count);
            }
            return (values, rests);
        }
        let first = self.eight_limbs(sum, at, count);
        let (high, low) = match limbs {
            1 => halves(first),
            _ => match self.carry(first, self.eight_limbs(sum, self.low.len() + at, count)) {
                Some(parts) => parts,
                None => {
                    for lane in 0..LANES {
                        (values[lane], rests[lane]) = self.read_one(sum, at + lane, count);
                    }
                    return (values, rests);
                }
            },
        };
        // Both are exact, and their sum rounds once.
        for lane in 0..LANES {
            let unit = self.units[at + lane];
            let sum = high[lane] + low[lane];
            values[lane] = sum * unit;
            rests[lane] = (low[lane] - (sum - high[lane])) * unit;
        }
        (values, rests)
    }

    /// A limb of eight columns in a sum of `count` rows.
    #[inline(always)]
    fn eight_limbs(&self, sum: &[i64], at: usize, count: i64) -> [i64; LANES] {
        let mut limb = [0; LANES];
        let (sum, magic) = (&sum[at..][..LANES], &self.magic[at..][..LANES]);
        for lane in 0..LANES {
            limb[lane] = without(sum[lane], magic[lane], self.added(count));
        }
        limb
    }

    /// What a limb gives to the one before: its half units, rounded.
    #[inline(always)]
    fn carry_of(&self, limb: i64) -> i64 {
        ((limb >> self.bits) + 1) >> 1
    }

    /// Two limbs as a float64 each, the second less than the last bit of the
    /// first; `None` where float64 does not hold one.
    #[inline(always)]
    fn carry(
        &self,
        first: [i64; LANES],
        second: [i64; LANES],
    ) -> Option<([f64; LANES], [f64; LANES])> {
        let (mut high, mut low) = ([0.0; LANES], [0.0; LANES]);
        let mut most = 0;
        for lane in 0..LANES {
            let carry = self.carry_of(second[lane]);
            let whole = first[lane] + carry;
            most |= whole ^ (whole >> 63);
            high[lane] = whole as f64 * (1u64 << (self.bits + 1)) as f64;
            low[lane] = (second[lane] - (carry << (self.bits + 1))) as f64;
        }
        (most < 1 << 53).then_some((high, low))
    }

    /// How many numbers `count` rows add to each column.
    #[inline(always)]
    pub(super) fn added(&self, count: i64) -> i64 {
        count << u32::from(self.weighted)
    }

    /// Limb l of column t in a sum of `count` rows.
    pub(super) fn limb(&self, sum: &[i64], l: usize, t: usize, count: i64) -> i64 {
        let at = l * self.low.len() + t;
        without(sum[at], self.magic[at], self.added(count))
    }

    /// See [`Grid::read`].
    pub(super) fn read_one(&self, sum: &[i64], t: usize, count: i64) -> (f64, f64) {
        self.read_limbs(t, |l| self.limb(sum, l, t, count))
    }

    /// The first of [`read_limbs`](Self::read_limbs).
    pub(super) fn read_value(&self, t: usize, limb: impl Fn(usize) -> i64) -> f64 {
        match self.limbs() {
            1 => limb(0) as f64 * self.units[t],
            2 => {
                let (first, second) = (limb(0), limb(1));
                if (first.unsigned_abs() | second.unsigned_abs()) >> 53 > 0 {
                    return self.read_limbs(t, limb).0;
                }
                // Both are exact, and their sum rounds once.
                let first = first as f64 * (1u64 << (self.bits + 1)) as f64;
                (first + second as f64) * self.units[t]
            }
            _ => self.read_limbs(t, limb).0,
        }
    }

    /// See [`Grid::read`]: of whole numbers of each unit of column t.
    pub(super) fn read_limbs(&self, t: usize, limb: impl Fn(usize) -> i64) -> (f64, f64) {
        let (value, rest) = match self.limbs() {
            1 => round(i128::from(limb(0))),
            2 => {
                let first = i128::from(limb(0)) << (self.bits + 1);
                round(first + i128::from(limb(1)))
            }
            limbs => return self.round_many(self.low[t], limbs, limb),
        };
        (value * self.units[t], rest * self.units[t])
    }

    fn round_many(&self, low: i32, limbs: usize, limb: impl Fn(usize) -> i64) -> (f64, f64) {
        let mut parts = [0i64; MOST_LIMBS];
        let parts = &mut parts[..limbs];
        let mut carry = 0;
        for l in (0..limbs).rev() {
            let part = limb(l) + carry;
            carry = match l {
                0 => 0,
                _ => self.carry_of(part),
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

/// A limb to which numbers were `added`, without the bits of `magic` that came
/// with each.
#[inline(always)]
fn without(limb: i64, magic: f64, added: i64) -> i64 {
    limb.wrapping_sub(added.wrapping_mul(magic.to_bits() as i64))
}

/// Whole numbers as two float64 each that add up to them.
#[inline(always)]
fn halves(numbers: [i64; LANES]) -> ([f64; LANES], [f64; LANES]) {
    let (mut high, mut low) = ([0.0; LANES], [0.0; LANES]);
    for lane in 0..LANES {
        high[lane] = f64::from((numbers[lane] >> 32) as i32) * (1u64 << 32) as f64;
        low[lane] = f64::from(numbers[lane] as u32);
    }
    (high, low)
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
