//! Adding rows to exact sums, each times its weight.
//!
//! A number times a weight has more digits than a float64. So it is kept as
//! two numbers, the rounded product and what rounding left over, and both are
//! added: see [`accumulate`](super::accumulate).

use super::accumulate::Sign;
use super::dispatch::{self, Work};
use super::lanes::{LANES, Lanes};

/// What the numbers of a row are multiplied by.
#[derive(Clone, Copy)]
pub(crate) struct Factors {
    /// 1, or 1 / ‖x‖.
    pub scale: f64,
    /// What to add to a scaled number, and to subtract again, so that it is
    /// rounded; 0 for numbers that are not.
    pub rounding: f64,
    pub weight: f64,
}

impl Factors {
    #[inline(always)]
    pub fn times(self, number: f32) -> [f64; 2] {
        let scaled = f64::from(number) * self.scale;
        let (product, rest) = product((scaled + self.rounding) - self.rounding, self.weight);
        [product, rest]
    }
}

/// a·b rounded, and what that leaves over (Dekker, 1971). Exact unless numbers
/// are beyond 2^±900.
#[inline(always)]
pub(crate) fn product(a: f64, b: f64) -> (f64, f64) {
    let split = |x: f64| {
        let scaled = x * 134_217_729.0; // 2^27 + 1
        let high = scaled - (scaled - x);
        (high, x - high)
    };
    let product = a * b;
    let ((a, a_low), (b, b_low)) = (split(a), split(b));
    let rest = ((a * b - product) + a * b_low + a_low * b) + a_low * b_low;
    (product, rest)
}

/// Adds a row times its factors to the limbs of a sum, or takes it away.
/// `sum` and `magic` are limbs × (columns + 1): the last column sums weights.
/// In each place there are two numbers added, of which one may be 0.
pub(crate) fn add_row(sum: &mut [i64], magic: &[f64], row: &[f32], factors: Factors, sign: Sign) {
    dispatch::work(AddRow {
        sum,
        magic,
        row,
        factors,
        sign,
    });
}

struct AddRow<'a> {
    sum: &'a mut [i64],
    magic: &'a [f64],
    row: &'a [f32],
    factors: Factors,
    sign: Sign,
}

impl Work for AddRow<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, _: L) {
        add(self.sum, self.magic, self.row, self.factors, self.sign);
    }
}

#[inline(always)]
fn add(sum: &mut [i64], magic: &[f64], row: &[f32], factors: Factors, sign: Sign) {
    // Whether to flip all bits and add 1.
    let sign = match sign {
        Sign::Plus => 0,
        Sign::Minus => -1,
    };
    let columns = row.len() + 1;
    let whole = row.len() - row.len() % LANES;
    for at in (0..whole).step_by(LANES) {
        let mut both = [[0.0f64; LANES]; 2];
        let values: &[f32; LANES] = row[at..].first_chunk().expect("whole vectors");
        for lane in 0..LANES {
            let [product, rest] = factors.times(values[lane]);
            both[0][lane] = product;
            both[1][lane] = rest;
        }
        pour(sum, magic, (at, columns), both, sign);
    }
    for (at, &value) in row.iter().enumerate().skip(whole) {
        let [product, rest] = factors.times(value);
        pour(sum, magic, (at, columns), [[product], [rest]], sign);
    }
    let weight = [[factors.weight], [0.0]];
    pour(sum, magic, (row.len(), columns), weight, sign);
}

/// Numbers for the columns from `at` on, limb by limb.
#[inline(always)]
fn pour<const W: usize>(
    sum: &mut [i64],
    magic: &[f64],
    (at, columns): (usize, usize),
    mut both: [[f64; W]; 2],
    sign: i64,
) {
    let mut limb = at;
    while limb < sum.len() {
        let magic = magic[limb..].first_chunk().expect("whole vectors");
        let total = deposit(&mut both, magic);
        let sum: &mut [i64; W] = sum[limb..].first_chunk_mut().expect("whole vectors");
        for lane in 0..W {
            sum[lane] = sum[lane].wrapping_add((total[lane] ^ sign).wrapping_sub(sign));
        }
        limb += columns;
    }
}

/// What one limb takes of the numbers, both together.
#[inline(always)]
fn deposit<const W: usize>(rest: &mut [[f64; W]; 2], magic: &[f64; W]) -> [i64; W] {
    let mut total = [0i64; W];
    for rest in rest {
        for lane in 0..W {
            let rounded = rest[lane] + magic[lane];
            total[lane] = total[lane].wrapping_add(rounded.to_bits() as i64);
            rest[lane] -= rounded - magic[lane];
        }
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::isa::Isa;
    use crate::rng::Rng;

    #[test]
    fn every_instruction_set_gives_the_same_bits() {
        let mut rng = Rng::new(1);
        for dims in [1, 7, 8, 9, 31, 100] {
            for limbs in [1, 2, 5] {
                let row: Vec<f32> = (0..dims).map(|_| (rng.unit() - 0.5) as f32).collect();
                let magic: Vec<f64> = (0..limbs * (dims + 1))
                    .map(|at| 1.5 * 2f64.powi(10 - 20 * (at / (dims + 1))))
                    .collect();
                let start: Vec<i64> = magic.iter().map(|m| m.to_bits() as i64).collect();
                let factors = Factors {
                    scale: rng.unit(),
                    rounding: 1.5 * 2f64.powi(52 - 43),
                    weight: 3.0 * rng.unit(),
                };
                for sign in [Sign::Plus, Sign::Minus] {
                    let mut plain = start.clone();
                    add(&mut plain, &magic, &row, factors, sign);
                    for isa in Isa::available() {
                        let mut sum = start.clone();
                        let work = AddRow {
                            sum: &mut sum,
                            magic: &magic,
                            row: &row,
                            factors,
                            sign,
                        };
                        dispatch::work_on(isa, work);
                        assert_eq!(sum, plain, "{isa:?}");
                    }
                }
            }
        }
    }
}
