//! Coordinates rounded to 8 bits.

use crate::kernels::dispatch::{Work, work_on};
use crate::kernels::isa::Isa;
use crate::kernels::lanes::Lanes;

/// Which codes a vector may have, for products to have room for it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CodeLimits {
    /// The magnitude of each.
    pub largest: i8,
    /// What the positive codes of each group may sum up to, and the negative ones. Of
    /// eight in a row the 1st, 2nd, 5th and 6th are a group, and the others.
    pub group: i32,
}

/// Rounds `coordinates` to multiples of `unit`, at most the largest code of them; if it is
/// 0, of the smallest within the limits. Returns the unit, and the sum of all that it writes to `code`. After
/// every `prefix` of them calls `done` with the number, the unit, and the squared norms of its values and of what
/// rounding lost, each within a factor of 1 ± 10⁻⁴.
pub(crate) fn round_all(
    isa: Isa,
    coordinates: &[f32],
    prefix: usize,
    (limits, unit): (CodeLimits, f32),
    code: &mut [i8],
    done: impl FnMut(usize, f32, (f64, f64)),
) -> (f32, i32) {
    work_on(
        isa,
        Round {
            coordinates,
            prefix,
            limits,
            unit,
            code,
            done,
        },
    )
}

struct Round<'r, F> {
    coordinates: &'r [f32],
    prefix: usize,
    limits: CodeLimits,
    unit: f32,
    code: &'r mut [i8],
    done: F,
}

impl<F: FnMut(usize, f32, (f64, f64))> Work for Round<'_, F> {
    type Output = (f32, i32);

    #[inline(always)]
    fn run<L: Lanes>(self, _: L) -> (f32, i32) {
        round_prefixes(
            self.coordinates,
            self.prefix,
            (self.limits, self.unit),
            self.code,
            self.done,
        )
    }
}

#[inline(always)]
fn round_prefixes(
    coordinates: &[f32],
    prefix: usize,
    (limits, unit): (CodeLimits, f32),
    code: &mut [i8],
    mut done: impl FnMut(usize, f32, (f64, f64)),
) -> (f32, i32) {
    let unit = match unit > 0.0 {
        true => unit,
        false => least_unit(coordinates, limits).max(f32::MIN_POSITIVE),
    };
    let blocks = coordinates.chunks_exact(prefix);
    for (number, (block, code)) in blocks.zip(code.chunks_exact_mut(prefix)).enumerate() {
        done(number, unit, round(block, unit, limits.largest, code));
    }
    (unit, code.iter().map(|&c| i32::from(c)).sum())
}

#[inline(always)]
fn least_unit(coordinates: &[f32], limits: CodeLimits) -> f32 {
    let unit = greatest(coordinates) / f32::from(limits.largest);
    match limits.group {
        i32::MAX => unit,
        // Rounding adds at most a half to each of four.
        group => unit.max(greatest_group(coordinates) / (group - 2) as f32),
    }
}

/// The greatest sum of the positive, or of the negative, values of a group.
#[inline(always)]
fn greatest_group(values: &[f32]) -> f32 {
    let mut most = [0.0f32; 8];
    for values in values.chunks_exact(16) {
        // What each value and the fourth after it have above 0, and below.
        let (mut above, mut below) = ([0.0f32; 8], [0.0f32; 8]);
        for i in 0..8 {
            let at = i / 4 * 8 + i % 4;
            let (a, b) = (values[at], values[at + 4]);
            above[i] = a.max(0.0) + b.max(0.0);
            below[i] = (-a).max(0.0) + (-b).max(0.0);
        }
        for i in 0..8 {
            let sum = (above[i] + above[i ^ 1]).max(below[i] + below[i ^ 1]);
            most[i] = if sum > most[i] { sum } else { most[i] };
        }
    }
    most.into_iter().fold(0.0, f32::max)
}

#[inline(always)]
fn greatest(values: &[f32]) -> f32 {
    let mut most = [0.0f32; 16];
    for values in values.chunks_exact(16) {
        for (most, value) in most.iter_mut().zip(values) {
            *most = if value.abs() > *most {
                value.abs()
            } else {
                *most
            };
        }
    }
    most.into_iter().fold(0.0, f32::max)
}

/// Rounds to multiples of `unit`; returns the squared norms of the values and
/// of what rounding lost, each within a factor of 1 ± 10⁻⁴.
#[inline(always)]
fn round(values: &[f32], unit: f32, largest: i8, codes: &mut [i8]) -> (f64, f64) {
    /// Adding this rounds a small number to an integer, which the last bits of
    /// the sum then hold; subtracting it gives the rounded number.
    const ROUND: f32 = (3 << 22) as f32;
    let (inverse, largest) = (1.0 / unit, f32::from(largest));
    let (mut kept, mut lost) = ([0.0f32; 16], [0.0f32; 16]);
    for (values, codes) in values.chunks_exact(16).zip(codes.chunks_exact_mut(16)) {
        for lane in 0..16 {
            let value = values[lane];
            let shifted = (value * inverse).clamp(-largest, largest) + ROUND;
            let rounded = shifted - ROUND;
            codes[lane] = shifted.to_bits() as i8;
            let rest = value - rounded * unit;
            kept[lane] += value * value;
            lost[lane] += rest * rest;
        }
    }
    let sum = |lanes: [f32; 16]| lanes.iter().map(|&v| f64::from(v)).sum();
    (sum(kept), sum(lost))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_keep_their_limits() {
        let mut state = 1u64;
        let mut next = move || {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1);
            (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
        };
        for round in 0..2000 {
            // From all alike, over many of one sign, to a few that are great.
            let (power, offset) = (1 + round % 9, (round % 4) as f32 - 1.5);
            let values: [f32; 64] = std::array::from_fn(|_| (next() + offset).powi(power));
            for group in [181, 254, i32::MAX] {
                let limits = CodeLimits {
                    largest: 127,
                    group,
                };
                let (mut code, mut lost) = ([0i8; 64], 0.0);
                let (unit, sum) = round_all(
                    Isa::chosen(),
                    &values,
                    32,
                    (limits, 0.0),
                    &mut code,
                    |_, _, here| {
                        lost += here.1;
                    },
                );
                assert_eq!(sum, code.iter().map(|&c| i32::from(c)).sum::<i32>());
                let mut greatest = 0;
                for eight in code.chunks_exact(8) {
                    for of_group in [[0, 1, 4, 5], [2, 3, 6, 7]] {
                        let codes = of_group.map(|i| i32::from(eight[i]));
                        let above: i32 = codes.iter().map(|&c| c.max(0)).sum();
                        let below: i32 = codes.iter().map(|&c| c.min(0)).sum();
                        greatest = greatest.max(above).max(-below);
                    }
                }
                assert!(greatest <= group, "{values:?}");
                // Nothing was cut off: rounding loses half a unit at most, and a limit is reached.
                assert!(lost.sqrt() <= f64::from(0.5001 * unit * 8.0));
                let largest = code.iter().map(|c| c.unsigned_abs()).max();
                assert!(largest == Some(127) || greatest >= group - 5, "{code:?}");
            }
        }
    }
}
