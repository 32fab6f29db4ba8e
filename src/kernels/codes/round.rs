//! Coordinates rounded to 8 bits.

use crate::kernels::dispatch::{Work, work_on};
use crate::kernels::isa::Isa;
use crate::kernels::lanes::Lanes;

/// Rounds `coordinates` to multiples of `unit`, at most `largest` of them; if it is 0, of
/// one that takes the greatest to `largest`. Returns the unit, and the sum of all that it writes to `code`. After
/// every `prefix` of them calls `done` with the number, the unit, and the squared norms of its values and of what
/// rounding lost, each within a factor of 1 ± 10⁻⁴.
pub(crate) fn round_all(
    isa: Isa,
    coordinates: &[f32],
    prefix: usize,
    (largest, unit): (i8, f32),
    code: &mut [i8],
    done: impl FnMut(usize, f32, (f64, f64)),
) -> (f32, i32) {
    work_on(
        isa,
        Round {
            coordinates,
            prefix,
            largest,
            unit,
            code,
            done,
        },
    )
}

struct Round<'r, F> {
    coordinates: &'r [f32],
    prefix: usize,
    largest: i8,
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
            (self.largest, self.unit),
            self.code,
            self.done,
        )
    }
}

#[inline(always)]
fn round_prefixes(
    coordinates: &[f32],
    prefix: usize,
    (largest, unit): (i8, f32),
    code: &mut [i8],
    mut done: impl FnMut(usize, f32, (f64, f64)),
) -> (f32, i32) {
    let unit = match unit > 0.0 {
        true => unit,
        false => (greatest(coordinates) / f32::from(largest)).max(f32::MIN_POSITIVE),
    };
    let blocks = coordinates.chunks_exact(prefix);
    for (number, (block, code)) in blocks.zip(code.chunks_exact_mut(prefix)).enumerate() {
        done(number, unit, round(block, unit, largest, code));
    }
    (unit, code.iter().map(|&c| i32::from(c)).sum())
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
