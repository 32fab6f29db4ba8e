//! The exact sum of float64 numbers (the small superaccumulator of R. Neal,
//! *Fast exact summation using small and large superaccumulators*, 2015).

use crate::kernels::dispatch::{self, Work};
use crate::kernels::lanes::{LANES, Lanes};
use crate::kernels::weighted::product;

/// Digits of 32 bits from 2^-1074 to above 2^1024, with room to carry.
pub(super) const DIGITS: usize = 67;

/// Limbs of numbers that are added eight at a time have so many bits, and take
/// so many numbers a lane: eight lanes together stay below 2^63.
const BITS: i32 = 42;
const MOST_A_LANE: u32 = 1 << 17;

/// Numbers that are added eight at a time may be so many binary digits larger
/// than the largest before, until limbs of other units are begun.
const SLACK: i32 = 8;

/// A number adds less than 2^52 + 2^32 to a digit of 64 bits.
const CARRY_AFTER: u32 = 1 << 10;

/// A sum of float64 numbers, all finite, without any rounding: the order in
/// which they come, and how sums are merged, does not matter.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ExactSum {
    /// Σ digits[i] · 2^(32 i − 1074).
    digits: [i64; DIGITS],
    /// Numbers that were added since the last carry.
    added: u32,
}

impl Default for ExactSum {
    fn default() -> Self {
        ExactSum {
            digits: [0; DIGITS],
            added: 0,
        }
    }
}

impl ExactSum {
    /// All digits, but the last in 0..2^32: see [`from_digits`](Self::from_digits).
    pub fn digits(&self) -> [i64; DIGITS] {
        let mut sum = self.clone();
        sum.carry();
        sum.digits
    }

    /// The sum that has these [`digits`](Self::digits); `None` unless they can be.
    pub fn from_digits(digits: &[i64]) -> Option<Self> {
        let digits: [i64; DIGITS] = digits.try_into().ok()?;
        let (last, others) = digits.split_last()?;
        let fits = others.iter().all(|digit| (0..1 << 32).contains(digit));
        (fits && last.unsigned_abs() < 1 << 32).then_some(ExactSum { digits, added: 0 })
    }

    #[inline]
    pub fn add(&mut self, value: f64) {
        let bits = value.to_bits();
        let exponent = bits >> 52 & 0x7ff;
        let hidden = u64::from(exponent > 0) << 52;
        let mantissa = bits & ((1 << 52) - 1) | hidden;
        let place = exponent.max(1) - 1;
        let (digit, shift) = ((place / 32) as usize, place % 32);
        let sign = -((bits >> 63) as i64);
        let low = ((mantissa << shift) & u64::from(u32::MAX)) as i64;
        let high = (mantissa >> (32 - shift)) as i64;
        self.digits[digit] += (low ^ sign) - sign;
        self.digits[digit + 1] += (high ^ sign) - sign;
        self.added += 1;
        if self.added == CARRY_AFTER {
            self.carry();
        }
    }

    /// Adds numbers, several at a time.
    pub fn add_all(&mut self, values: &[f64]) {
        dispatch::work(AddAll { sum: self, values });
    }

    /// Adds a product without rounding it.
    pub fn add_product(&mut self, a: f64, b: f64) {
        let (product, rest) = product(a, b);
        self.add(product);
        self.add(rest);
    }

    pub fn merge(&mut self, other: &ExactSum) {
        let mut other = other.clone();
        other.carry();
        self.carry();
        for (digit, other) in self.digits.iter_mut().zip(other.digits) {
            *digit += other;
        }
        self.carry();
    }

    /// What all add up to.
    pub fn merged(parts: &[ExactSum]) -> Self {
        let mut sum = ExactSum::default();
        parts.iter().for_each(|part| sum.merge(part));
        sum
    }

    /// Brings all digits but the last into 0..2^32.
    fn carry(&mut self) {
        let mut carry = 0;
        for digit in &mut self.digits[..DIGITS - 1] {
            *digit += carry;
            carry = *digit >> 32;
            *digit &= i64::from(u32::MAX);
        }
        self.digits[DIGITS - 1] += carry;
        self.added = 0;
    }

    /// The sum, rounded once.
    pub fn value(&self) -> f64 {
        let mut sum = self.clone();
        sum.carry();
        let negative = sum.digits[DIGITS - 1] < 0;
        if negative {
            sum.digits.iter_mut().for_each(|digit| *digit = -*digit);
            sum.carry();
        }
        let Some(top) = sum.digits.iter().rposition(|&digit| digit != 0) else {
            return 0.0;
        };
        // Three digits hold 65 bits or more; of the others it counts only
        // whether there is anything.
        let last = top.saturating_sub(2);
        let mut value = (last..=top)
            .rev()
            .fold(0u128, |value, i| value << 32 | sum.digits[i] as u128);
        value <<= 1;
        value |= u128::from(sum.digits[..last].iter().any(|&digit| digit != 0));
        let exponent = 32 * last as i32 - 1075;
        // In two steps: the first power may be too small for a float64.
        let half = exponent / 2;
        let value = value as f64 * 2f64.powi(half) * 2f64.powi(exponent - half);
        if negative { -value } else { value }
    }
}

struct AddAll<'a> {
    sum: &'a mut ExactSum,
    values: &'a [f64],
}

impl Work for AddAll<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) {
        let (blocks, rest) = self.values.as_chunks::<LANES>();
        let mut lanes = ByLanes::new(l);
        for block in blocks {
            lanes.add(l, self.sum, l.load(block));
        }
        lanes.finish(l, self.sum);
        rest.iter().for_each(|&value| self.sum.add(value));
    }
}

/// Adds finite numbers to an [`ExactSum`], eight at a time, where they are of
/// about the same size: cut into two limbs, as docs/algorithms/sums.md tells,
/// whose units follow from the largest number so far. What is left of small
/// ones is added to the sum itself.
pub(crate) struct ByLanes<L: Lanes> {
    /// Larger numbers need limbs of other units.
    most: f64,
    /// The exponent of `most`.
    high: i32,
    magic: [f64; 2],
    limbs: [L::I; 2],
    /// Numbers in each lane.
    added: u32,
}

impl<L: Lanes> ByLanes<L> {
    #[inline(always)]
    pub fn new(l: L) -> Self {
        ByLanes {
            most: 0.0,
            high: 0,
            magic: [0.0; 2],
            limbs: [l.zero(); 2],
            added: 0,
        }
    }

    #[inline(always)]
    pub fn add(&mut self, l: L, sum: &mut ExactSum, values: L::F) {
        let fits = l.less(l.abs(values), l.splat(self.most));
        if l.bits(fits) != u8::MAX && !self.grow(l, sum, l.store(values)) {
            l.store(values).iter().for_each(|&value| sum.add(value));
            return;
        }
        let mut rest = values;
        for i in 0..2 {
            let magic = l.splat(self.magic[i]);
            let rounded = l.add(rest, magic);
            self.limbs[i] = l.add_whole(self.limbs[i], l.to_bits(rounded));
            rest = l.sub(rest, l.sub(rounded, magic));
        }
        if l.bits(l.less(l.splat(0.0), l.abs(rest))) != 0 {
            l.store(rest).iter().for_each(|&rest| sum.add(rest));
        }
        self.added += 1;
        if self.added == MOST_A_LANE {
            self.finish(l, sum);
        }
    }

    /// Begins limbs that take these numbers, too; `false` where there are none.
    #[cold]
    fn grow(&mut self, l: L, sum: &mut ExactSum, values: [f64; LANES]) -> bool {
        let largest = values
            .iter()
            .fold(0.0, |max, value| f64::max(max, value.abs()));
        let exponent = (largest.to_bits() >> 52) as i32 - 1022;
        // All units must be normal numbers.
        if !(-900..=900).contains(&exponent) {
            return false;
        }
        self.finish(l, sum);
        self.high = exponent + SLACK;
        self.most = 2f64.powi(self.high);
        let unit = 2f64.powi(self.high - BITS);
        let magic = 1.5 * (1u64 << 52) as f64;
        self.magic = [magic * unit, magic * (unit / (1u64 << (BITS + 1)) as f64)];
        true
    }

    /// Adds what is in the limbs.
    #[inline(always)]
    pub fn finish(&mut self, l: L, sum: &mut ExactSum) {
        let mut limbs = [[0; LANES]; 2];
        for (limb, own) in limbs.iter_mut().zip(&mut self.limbs) {
            l.store_whole(limb, *own);
            *own = l.zero();
        }
        self.settle(sum, limbs);
    }

    fn settle(&mut self, sum: &mut ExactSum, limbs: [[i64; LANES]; 2]) {
        let count = i64::from(std::mem::take(&mut self.added)) * LANES as i64;
        if count == 0 {
            return;
        }
        for (i, limb) in limbs.iter().enumerate() {
            let bias = count.wrapping_mul(self.magic[i].to_bits() as i64);
            let total = limb.iter().fold(0i64, |sum, &lane| sum.wrapping_add(lane));
            let total = total.wrapping_sub(bias);
            // Both halves are float64 numbers.
            let unit = 2f64.powi(self.high - BITS - i as i32 * (BITS + 1));
            sum.add((total >> 32) as f64 * (1u64 << 32) as f64 * unit);
            sum.add(f64::from(total as u32) * unit);
        }
    }
}

impl FromIterator<f64> for ExactSum {
    fn from_iter<I: IntoIterator<Item = f64>>(values: I) -> Self {
        let mut sum = ExactSum::default();
        values.into_iter().for_each(|value| sum.add(value));
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::isa::Isa;
    use crate::rng::Rng;

    /// Numbers of any size and sign.
    fn numbers(count: usize, seed: u64, spread: f64) -> Vec<f64> {
        let mut rng = Rng::new(seed);
        (0..count)
            .map(|_| (rng.unit() - 0.5) * 2f64.powf((rng.unit() - 0.5) * spread))
            .collect()
    }

    #[test]
    fn equals_whole_numbers_added_up() {
        // Multiples of 2^-40 below 2^60: i128 is exact.
        let mut rng = Rng::new(3);
        let values: Vec<f64> = (0..5000)
            .map(|_| {
                let bits = rng.below(60);
                let sign = if rng.below(2) == 0 { 1.0 } else { -1.0 };
                let value = (rng.unit() * 2f64.powi(bits as i32) * 2f64.powi(40)).trunc();
                sign * value * 2f64.powi(-40)
            })
            .collect();
        let exact: i128 = values.iter().map(|v| (v * 2f64.powi(40)) as i128).sum();
        let sum: ExactSum = values.iter().copied().collect();
        assert_eq!(sum.value(), exact as f64 * 2f64.powi(-40));
    }

    #[test]
    fn rounds_once_and_ties_to_even() {
        let half = f64::EPSILON / 2.0;
        for (values, expected) in [
            (&[1.0, half][..], 1.0),
            (&[1.0 + f64::EPSILON, half], 1.0 + 2.0 * f64::EPSILON),
            (&[1.0, half, 1e-300], 1.0 + f64::EPSILON),
            (&[-1.0, -half, 1e-300], -1.0),
            (&[1e308, 1e308, -1e308], 1e308),
            (&[1e300, 1.0, -1e300], 1.0),
            (&[5e-324, 5e-324], 1e-323),
            (&[f64::MIN_POSITIVE, -5e-324], f64::MIN_POSITIVE - 5e-324),
            (&[0.0, -0.0], 0.0),
            (&[], 0.0),
        ] {
            let sum: ExactSum = values.iter().copied().collect();
            assert_eq!(sum.value(), expected, "{values:?}");
            let negated: ExactSum = values.iter().map(|v| -v).collect();
            assert_eq!(negated.value(), -expected, "{values:?}");
        }
    }

    #[test]
    fn order_groups_and_cancellation_change_nothing() {
        let values = numbers(9000, 5, 1000.0);
        let all: ExactSum = values.iter().copied().collect();
        let mut groups: Vec<ExactSum> = values
            .chunks(701)
            .map(|group| group.iter().rev().copied().collect())
            .collect();
        let mut merged = groups.pop().unwrap();
        groups.iter().rev().for_each(|group| merged.merge(group));
        assert_eq!(merged.value(), all.value());
        let foreign = numbers(3000, 6, 1900.0);
        foreign.iter().for_each(|&v| merged.add(v));
        foreign.iter().for_each(|&v| merged.add(-v));
        assert_eq!(merged.value(), all.value());
        values.iter().for_each(|&v| merged.add(-v));
        assert_eq!(merged.value(), 0.0);
    }

    #[test]
    fn eight_at_a_time_is_one_after_the_other() {
        for (spread, seed) in [(0.0, 7), (2.0, 8), (60.0, 9), (1000.0, 10), (2100.0, 11)] {
            let mut values = numbers(3001, seed, spread);
            values.sort_by(|a, b| a.abs().total_cmp(&b.abs()));
            values.extend(numbers(503, seed, spread));
            values.extend([0.0, -0.0, f64::MAX, -f64::MAX, 5e-324, 1.0, -1.0]);
            for values in [&values[..], &values[3001..], &[]] {
                let expected: ExactSum = values.iter().copied().collect();
                for isa in Isa::available() {
                    let mut sum = ExactSum::default();
                    dispatch::work_on(
                        isa,
                        AddAll {
                            sum: &mut sum,
                            values,
                        },
                    );
                    assert_eq!(sum.value(), expected.value(), "{isa:?}");
                    // Not a bit is left.
                    values.iter().for_each(|&v| sum.add(-v));
                    assert_eq!(sum.value(), 0.0);
                }
            }
        }
    }

    #[test]
    fn many_large_numbers_do_not_overflow() {
        let values = vec![f64::from_bits(0x40ff_ffff_ffff_ffff); 3 << 20];
        let mut sum = ExactSum::default();
        sum.add_all(&values);
        let mut expected = ExactSum::default();
        expected.add_product(values[0], values.len() as f64);
        assert_eq!(sum.value(), expected.value());
        values.iter().for_each(|&v| sum.add(-v));
        assert_eq!(sum.value(), 0.0);
    }

    #[test]
    fn products_are_not_rounded() {
        let (a, b) = (1.0 + f64::EPSILON, 3.0 + 8.0 * f64::EPSILON);
        let (product, rest) = product(a, b);
        assert_eq!(product, a * b);
        // (1 + e)(3 + 8e) = 3 + 11e + 8e².
        let exact: ExactSum = [3.0, 11.0 * f64::EPSILON, 8.0 * f64::EPSILON.powi(2)]
            .into_iter()
            .collect();
        let mut left = exact;
        left.add(-product);
        left.add(-rest);
        assert_eq!(left.value(), 0.0);
        let mut three = ExactSum::default();
        three.add_product(3.0, 0.1);
        let thrice: ExactSum = [0.1; 3].into_iter().collect();
        assert_eq!(three.value(), thrice.value());
    }
}
