//! The vector operations of [`Simd`] and [`Lanes`] on plain arrays, which compilers
//! turn into the target's baseline vectors.

use super::lanes::{LANES, Lanes, REPEATED};
use super::simd::Simd;

/// Any CPU.
#[derive(Clone, Copy)]
pub(crate) struct Portable(pub(super) ());

const WIDTH: usize = 8;

impl Simd for Portable {
    const LANES: usize = WIDTH;
    type V = [f32; WIDTH];
    type Doubles = Self;

    #[inline(always)]
    unsafe fn doubles() -> Self {
        Portable(())
    }

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self::V {
        [value; WIDTH]
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self::V {
        // SAFETY: valid for LANES values by the trait's contract.
        unsafe { from.cast::<Self::V>().read_unaligned() }
    }

    #[inline(always)]
    unsafe fn store(to: *mut f32, v: Self::V) {
        // SAFETY: valid for LANES values by the trait's contract.
        unsafe { to.cast::<Self::V>().write_unaligned(v) }
    }

    #[inline(always)]
    unsafe fn mul_add(a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        std::array::from_fn(|lane| a[lane] * b[lane] + c[lane])
    }

    #[inline(always)]
    unsafe fn minus_mul_add(a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        std::array::from_fn(|lane| c[lane] - a[lane] * b[lane])
    }

    #[inline(always)]
    unsafe fn sub(a: Self::V, b: Self::V) -> Self::V {
        std::array::from_fn(|lane| a[lane] - b[lane])
    }

    #[inline(always)]
    unsafe fn fused(a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        std::array::from_fn(|lane| a[lane].mul_add(b[lane], c[lane]))
    }

    #[inline(always)]
    unsafe fn below(a: Self::V, b: Self::V) -> u32 {
        (0..WIDTH).fold(0, |bits, lane| bits | u32::from(a[lane] < b[lane]) << lane)
    }

    #[inline(always)]
    unsafe fn max(a: Self::V, b: Self::V) -> Self::V {
        std::array::from_fn(|lane| if a[lane] > b[lane] { a[lane] } else { b[lane] })
    }

    #[inline(always)]
    unsafe fn greatest(v: Self::V) -> f32 {
        let greater = |best, lane| if lane > best { lane } else { best };
        v.into_iter().fold(f32::NEG_INFINITY, greater)
    }

    #[inline(always)]
    unsafe fn min(a: Self::V, b: Self::V) -> Self::V {
        std::array::from_fn(|lane| if a[lane] < b[lane] { a[lane] } else { b[lane] })
    }

    #[inline(always)]
    unsafe fn if_greater(a: Self::V, b: Self::V, yes: Self::V, no: Self::V) -> Self::V {
        std::array::from_fn(|lane| {
            if a[lane] > b[lane] {
                yes[lane]
            } else {
                no[lane]
            }
        })
    }

    #[inline(always)]
    unsafe fn transpose(square: &mut [Self::V]) {
        for row in 1..WIDTH {
            let (before, rest) = square.split_at_mut(row);
            for (column, other) in before.iter_mut().enumerate() {
                std::mem::swap(&mut rest[0][column], &mut other[row]);
            }
        }
    }

    #[inline(always)]
    unsafe fn load_first(from: *const f32, count: usize) -> Self::V {
        // SAFETY: valid for `count` values by the trait's contract.
        let values = unsafe { std::slice::from_raw_parts(from, count) };
        std::array::from_fn(|lane| values.get(lane).copied().unwrap_or(0.0))
    }

    #[inline(always)]
    unsafe fn sums(vectors: &[Self::V]) -> Self::V {
        std::array::from_fn(|lane| vectors[lane].iter().sum())
    }

    #[inline(always)]
    unsafe fn prefetch(_: *const f32) {}
}

impl Lanes for Portable {
    type F = [f64; LANES];
    type Mask = [bool; LANES];
    type I = [i64; LANES];

    #[inline(always)]
    fn splat(self, value: f64) -> Self::F {
        [value; LANES]
    }
    #[inline(always)]
    fn widen(self, values: &[f32; LANES]) -> Self::F {
        values.map(f64::from)
    }
    #[inline(always)]
    fn load(self, values: &[f64; LANES]) -> Self::F {
        *values
    }
    #[inline(always)]
    fn store(self, values: Self::F) -> [f64; LANES] {
        values
    }
    #[inline(always)]
    fn add(self, a: Self::F, b: Self::F) -> Self::F {
        std::array::from_fn(|lane| a[lane] + b[lane])
    }
    #[inline(always)]
    fn sub(self, a: Self::F, b: Self::F) -> Self::F {
        std::array::from_fn(|lane| a[lane] - b[lane])
    }
    #[inline(always)]
    fn mul(self, a: Self::F, b: Self::F) -> Self::F {
        std::array::from_fn(|lane| a[lane] * b[lane])
    }
    #[inline(always)]
    fn less(self, a: Self::F, b: Self::F) -> Self::Mask {
        std::array::from_fn(|lane| a[lane] < b[lane])
    }
    #[inline(always)]
    fn equal(self, labels: &[u32; LANES], label: u32) -> Self::Mask {
        labels.map(|l| l == label)
    }
    #[inline(always)]
    fn select(self, mask: Self::Mask, a: Self::F, b: Self::F) -> Self::F {
        std::array::from_fn(|lane| if mask[lane] { a[lane] } else { b[lane] })
    }
    #[inline(always)]
    fn abs(self, a: Self::F) -> Self::F {
        a.map(f64::abs)
    }
    #[inline(always)]
    fn least_lane(self, a: Self::F) -> usize {
        (1..LANES).fold(0, |best, lane| if a[lane] < a[best] { lane } else { best })
    }
    #[inline(always)]
    fn compress(self, to: &mut [f64; LANES], mut bits: u8, a: Self::F) {
        let mut next = 0;
        while bits != 0 {
            to[next] = a[bits.trailing_zeros() as usize];
            next += 1;
            bits &= bits - 1;
        }
    }
    #[inline(always)]
    fn bits(self, mask: Self::Mask) -> u8 {
        (0..LANES).fold(0, |bits, lane| bits | u8::from(mask[lane]) << lane)
    }
    #[inline(always)]
    fn relabel(self, labels: &mut [u32; LANES], new: Self::F) -> u32 {
        let mut changed = 0;
        for (label, new) in labels.iter_mut().zip(new) {
            let new = if *label == REPEATED {
                REPEATED
            } else {
                new as u32
            };
            changed += u32::from(*label != new);
            *label = new;
        }
        changed
    }

    #[inline(always)]
    fn to_bits(self, a: Self::F) -> Self::I {
        a.map(|a| a.to_bits() as i64)
    }
    #[inline(always)]
    fn zero(self) -> Self::I {
        [0; LANES]
    }
    #[inline(always)]
    fn load_whole(self, values: &[i64; LANES]) -> Self::I {
        *values
    }
    #[inline(always)]
    fn store_whole(self, to: &mut [i64; LANES], values: Self::I) {
        *to = values;
    }
    #[inline(always)]
    fn add_whole(self, a: Self::I, b: Self::I) -> Self::I {
        std::array::from_fn(|lane| a[lane].wrapping_add(b[lane]))
    }
    #[inline(always)]
    fn sub_whole(self, a: Self::I, b: Self::I) -> Self::I {
        std::array::from_fn(|lane| a[lane].wrapping_sub(b[lane]))
    }
    #[inline(always)]
    fn and(self, a: Self::I, b: Self::I) -> Self::I {
        std::array::from_fn(|lane| a[lane] & b[lane])
    }
}
