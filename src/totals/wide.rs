//! Exact sums that need no agreement beforehand: whole numbers of any width.
//!
//! A [`Grid`] is made for rows whose ranges and number are known. Sums of rows
//! that never met, in other blocks or on other machines, have other units; here
//! they are whole numbers of as many words as they need, and adding two widens
//! both to the finer unit and the larger width. What comes out depends on
//! neither.

use super::Totals;
use super::grid::power_of_two;
use crate::allocate::{copy, try_vec, with_capacity};
use crate::error::Result;

/// What memory is for.
const PURPOSE: &str = "exact sums";

/// The most words of a value: products of float32 and float64 numbers, added
/// up 2^64 times, have fewer.
pub(super) const MOST_WORDS: usize = 40;

/// Exponents of units lie here: 2^-149 is the last bit of a float32, 2^-1074
/// that of a float64.
pub(super) const UNITS: std::ops::RangeInclusive<i32> = -1250..=1100;

/// Sums are less than two to the power of this.
pub(super) const MOST_BITS: i32 = 1250;

/// Rows × columns of whole numbers, each of its column's unit.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct WideSums {
    /// Words of a value.
    words: usize,
    /// The exponent of each column's unit.
    low: Vec<i32>,
    /// Rows × columns × words: two's complement, the last digits first.
    values: Vec<u64>,
}

/// A copy as wide as all values, for work on one of them.
type Wide = [u64; MOST_WORDS];

impl WideSums {
    /// Zeros of so many rows, in the units of others.
    pub fn like(sums: &WideSums, rows: usize) -> Result<Self> {
        let len = rows * sums.cols() * sums.words;
        Ok(WideSums {
            words: sums.words,
            low: copy(&sums.low, PURPOSE)?,
            values: try_vec(0, len, PURPOSE)?,
        })
    }

    /// A copy where memory may be refused.
    pub fn try_clone(&self) -> Result<Self> {
        Ok(WideSums {
            words: self.words,
            low: copy(&self.low, PURPOSE)?,
            values: copy(&self.values, PURPOSE)?,
        })
    }

    /// What the clusters of `totals` add up to, and in a last column what their
    /// rows weigh, in as few words as will do.
    pub fn of_totals(totals: &Totals) -> Result<Self> {
        let grid = totals.grid();
        let (cols, step) = (grid.dims() + 1, grid.bits() as usize + 1);
        let words = (grid.limbs() * step + 64).div_ceil(64).min(MOST_WORDS);
        let clusters = totals.counts.len();
        let mut values = try_vec(0, clusters * cols * words, PURPOSE)?;
        let mut places = values.chunks_exact_mut(words);
        let mut limbs = with_capacity(grid.limbs(), PURPOSE)?;
        for j in 0..clusters {
            for (t, place) in (0..grid.low().len()).zip(&mut places) {
                limbs.clear();
                limbs.extend((0..grid.limbs()).map(|l| totals.limb(j, l, t)));
                for (above, &limb) in limbs.iter().rev().enumerate() {
                    add_shifted(place, limb, above * step);
                }
            }
            if !grid.is_weighted()
                && let Some(place) = places.next()
            {
                place[0] = totals.counts[j] as u64;
            }
        }
        let mut low = with_capacity(cols, PURPOSE)?;
        low.extend_from_slice(grid.low());
        if !grid.is_weighted() {
            low.push(0);
        }
        let mut sums = WideSums { words, low, values };
        sums.trim()?;
        Ok(sums)
    }

    /// Of what a file or a message says; `None` unless it is what these sums can
    /// be.
    pub fn from_parts(words: usize, low: Vec<i32>, values: Vec<u64>) -> Option<Self> {
        let fits = (1..=MOST_WORDS).contains(&words)
            && !low.is_empty()
            && values.len().is_multiple_of(words * low.len())
            && low.iter().all(|low| UNITS.contains(low));
        let sums = WideSums { words, low, values };
        let small = |(t, value)| sums.low[t % sums.cols()] + bits(value) as i32 <= MOST_BITS;
        (fits && sums.values.chunks_exact(words).enumerate().all(small)).then_some(sums)
    }

    pub fn words(&self) -> usize {
        self.words
    }

    pub fn low(&self) -> &[i32] {
        &self.low
    }

    pub fn values(&self) -> &[u64] {
        &self.values
    }

    pub fn cols(&self) -> usize {
        self.low.len()
    }

    pub fn rows(&self) -> usize {
        self.values.len() / (self.cols() * self.words)
    }

    fn at(&self, row: usize, col: usize) -> &[u64] {
        let value = row * self.cols() + col;
        &self.values[value * self.words..][..self.words]
    }

    /// Words that all values need.
    fn needed(&self) -> usize {
        let values = self.values.chunks_exact(self.words);
        values.map(bits).max().unwrap_or(1).div_ceil(64).max(1)
    }

    fn trim(&mut self) -> Result<()> {
        let words = self.needed();
        if words < self.words {
            self.change(words, |_| 0)?;
        }
        Ok(())
    }

    /// Writes all values anew, in so many words and each column shifted left.
    fn change(&mut self, words: usize, shift: impl Fn(usize) -> usize) -> Result<()> {
        let count = self.values.len() / self.words;
        let mut values = try_vec(0, count * words, PURPOSE)?;
        let old = self.values.chunks_exact(self.words);
        for ((number, old), new) in old.enumerate().zip(values.chunks_exact_mut(words)) {
            shift_left(old, shift(number % self.low.len()), new);
        }
        (self.words, self.values) = (words, values);
        Ok(())
    }

    /// Takes finer units, and room for sums with values of `other`.
    fn widen_for(&mut self, other: &WideSums) -> Result<()> {
        let mut bits_needed = 1;
        for (sums, finest) in [(&*self, other), (other, &*self)] {
            for (number, value) in sums.values.chunks_exact(sums.words).enumerate() {
                let t = number % sums.cols();
                let shift = (sums.low[t] - finest.low[t]).max(0) as usize;
                bits_needed = bits_needed.max(bits(value) + shift);
            }
        }
        let words = (bits_needed + 1).div_ceil(64);
        let finer = |t: usize| (self.low[t] - other.low[t]).max(0) as usize;
        let mut shifts = with_capacity(self.cols(), PURPOSE)?;
        shifts.extend((0..self.cols()).map(finer));
        if words != self.words || shifts.iter().any(|&shift| shift > 0) {
            self.change(words, |t| shifts[t])?;
        }
        for (low, shift) in self.low.iter_mut().zip(shifts) {
            *low -= shift as i32;
        }
        Ok(())
    }

    /// Adds sums of as many rows and columns, value by value.
    pub fn merge(&mut self, other: &WideSums) -> Result<()> {
        self.widen_for(other)?;
        for row in 0..self.rows() {
            self.add_in_place(row, other, row, false);
        }
        self.trim()
    }

    /// Adds a row of other sums to one of these, or takes it away.
    pub fn add_row(&mut self, to: usize, other: &WideSums, row: usize, minus: bool) -> Result<()> {
        self.widen_for(other)?;
        self.add_in_place(to, other, row, minus);
        Ok(())
    }

    /// [`add_row`](Self::add_row) where units are fine enough and there is room.
    fn add_in_place(&mut self, to: usize, other: &WideSums, row: usize, minus: bool) {
        let (cols, words) = (self.cols(), self.words);
        let mut shifted: Wide = [0; MOST_WORDS];
        let shifted = &mut shifted[..words];
        for t in 0..cols {
            let shift = (other.low[t] - self.low[t]) as usize;
            shift_left(other.at(row, t), shift, shifted);
            let place = &mut self.values[(to * cols + t) * words..][..words];
            add(place, shifted, minus);
        }
    }

    /// Appends a row of other sums.
    pub fn push_row(&mut self, other: &WideSums, row: usize) -> Result<()> {
        let (rows, width) = (self.rows(), self.cols() * self.words);
        crate::allocate::resize(&mut self.values, (rows + 1) * width, 0, PURPOSE)?;
        self.add_row(rows, other, row, false)
    }

    /// A value, rounded once to float64.
    pub fn read(&self, row: usize, col: usize) -> f64 {
        let (value, exponent) = round(self.at(row, col));
        value * power_of_two(self.low[col] + exponent)
    }
}

/// The least bits that hold a value with its sign.
fn bits(value: &[u64]) -> usize {
    let sign = value[value.len() - 1] >> 63;
    let extension = sign.wrapping_neg();
    let top = value.iter().rposition(|&word| word != extension);
    top.map_or(1, |top| {
        64 * top + 65 - (value[top] ^ extension).leading_zeros() as usize
    })
}

/// `value` · 2^shift into `out`, whose width must hold it.
fn shift_left(value: &[u64], shift: usize, out: &mut [u64]) {
    let extension = (value[value.len() - 1] >> 63).wrapping_neg();
    let word = |at: isize| match usize::try_from(at) {
        Ok(at) => *value.get(at).unwrap_or(&extension),
        Err(_) => 0,
    };
    let (whole, part) = ((shift / 64) as isize, shift % 64);
    for (at, out) in out.iter_mut().enumerate() {
        let at = at as isize - whole;
        let below = match part {
            0 => 0,
            part => word(at - 1) >> (64 - part),
        };
        *out = word(at) << part | below;
    }
}

/// Adds `value` · 2^shift.
fn add_shifted(sum: &mut [u64], value: i64, shift: usize) {
    let mut shifted: Wide = [0; MOST_WORDS];
    let shifted = &mut shifted[..sum.len()];
    shift_left(&[value as u64], shift, shifted);
    add(sum, shifted, false);
}

fn add(sum: &mut [u64], value: &[u64], minus: bool) {
    let flip = u64::from(minus).wrapping_neg();
    let mut carry = minus;
    for (sum, &value) in sum.iter_mut().zip(value) {
        let (first, over) = sum.overflowing_add(value ^ flip);
        let (second, again) = first.overflowing_add(u64::from(carry));
        (*sum, carry) = (second, over | again);
    }
}

/// A value as a float64 times a power of two, rounded once, ties to even.
fn round(value: &[u64]) -> (f64, i32) {
    let mut magnitude: Wide = [0; MOST_WORDS];
    let magnitude = &mut magnitude[..value.len()];
    let negative = value[value.len() - 1] >> 63 == 1;
    add(magnitude, value, negative);
    let Some(top) = magnitude.iter().rposition(|&word| word != 0) else {
        return (0.0, 0);
    };
    // Two words have 65 bits or more, or are all there is; of the others it
    // counts only whether there is anything.
    let last = top.saturating_sub(1);
    let first = u128::from(magnitude[top]) << (64 * (top - last));
    let mut digits = first | u128::from(magnitude[last]);
    digits |= u128::from(magnitude[..last].iter().any(|&word| word != 0));
    let rounded = digits as f64;
    let exponent = 64 * last as i32;
    (if negative { -rounded } else { rounded }, exponent)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::accumulate::Sign;
    use crate::ranges::Range;
    use crate::rng::Rng;
    use crate::totals::{Changes, Grid};

    fn number(value: i128) -> Vec<u64> {
        let extension = if value < 0 { u64::MAX } else { 0 };
        vec![value as u64, (value >> 64) as u64, extension]
    }

    #[test]
    fn whole_numbers_are_those_of_i128() {
        let mut rng = Rng::new(4);
        let mut draw = || {
            let value = (rng.below(1 << 62) as u128) << 64 | rng.below(1 << 62) as u128;
            let value = (value >> (2 + rng.below(125))) as i128;
            if rng.below(2) == 0 { value } else { -value }
        };
        for _ in 0..2000 {
            let (a, b) = (draw() >> 2, draw() >> 2);
            for minus in [false, true] {
                let mut sum = number(a);
                add(&mut sum, &number(b), minus);
                assert_eq!(sum, number(if minus { a - b } else { a + b }));
            }
            let width = if a < 0 { !a } else { a };
            assert_eq!(bits(&number(a)), 129 - width.leading_zeros() as usize);
            let (value, exponent) = round(&number(a));
            assert_eq!(value * power_of_two(exponent), a as f64);
            let small = a >> 70;
            let mut shifted = [7; 3];
            shift_left(&number(small)[..1], 67, &mut shifted);
            if bits(&number(small)) <= 64 {
                assert_eq!(shifted.to_vec(), number(small << 67));
            }
        }
    }

    #[test]
    fn units_and_order_of_merging_change_nothing() {
        let (dims, clusters) = (5, 3);
        let mut rng = Rng::new(9);
        let rows: Vec<Vec<f32>> = (0..400)
            .map(|row| {
                let size = 2f64.powi(match row / 100 {
                    0 => 0,
                    1 => 90,
                    2 => -100,
                    _ => 20,
                });
                let values = (0..dims).map(|_| ((rng.unit() - 0.5) * size) as f32);
                values.collect()
            })
            .collect();
        let label = |row: usize| (row * row % clusters) as u32;
        let totals = |range: std::ops::Range<usize>, ranges: [Range; 5]| {
            let mut totals =
                Totals::new(Grid::of_rows(&ranges, range.len()).unwrap(), clusters).unwrap();
            let mut changes = Changes::new(&totals).unwrap();
            for row in range {
                changes.add(totals.grid(), (&rows[row], 1.0), label(row), Sign::Plus);
            }
            totals.apply(&changes);
            totals
        };
        let range = |high, low| [Range { low, high }; 5];
        let whole = totals(0..400, range(90, -149));
        let all = WideSums::of_totals(&whole).unwrap();
        let parts: Vec<WideSums> = [
            (0..100, range(0, -149)),
            (100..200, range(90, -60)),
            (200..300, range(-100, -149)),
            (300..400, range(20, -149)),
        ]
        .map(|(rows, range)| WideSums::of_totals(&totals(rows, range)).unwrap())
        .into();
        for order in [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1]] {
            let mut merged = parts[order[0]].clone();
            for &next in &order[1..] {
                merged.merge(&parts[next]).unwrap();
            }
            for j in 0..clusters {
                assert_eq!(merged.read(j, dims), whole.counts[j] as f64);
                #[allow(clippy::needless_range_loop)]
                for t in 0..dims {
                    assert_eq!(merged.read(j, t), all.read(j, t));
                    let exact: crate::totals::ExactSum = (0..400)
                        .filter(|&row| label(row) as usize == j)
                        .map(|row| f64::from(rows[row][t]))
                        .collect();
                    assert_eq!(merged.read(j, t), exact.value());
                }
            }
            merged.add_row(1, &parts[0], 1, true).unwrap();
            merged.add_row(1, &parts[0], 1, false).unwrap();
            assert_eq!(merged.read(1, 2), all.read(1, 2));
            let read =
                WideSums::from_parts(merged.words, merged.low.clone(), merged.values.clone());
            assert_eq!(read.as_ref(), Some(&merged));
        }
    }
}
