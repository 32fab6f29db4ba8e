//! The vector operations of [`Simd`] in NEON.

use super::portable::Portable;
use super::simd::Simd;
use std::arch::aarch64::*;

/// NEON, which every 64-bit ARM CPU has. A vector is two registers, so that
/// transposes and tiles are those of AVX2.
#[derive(Clone, Copy)]
pub(crate) struct Neon;

// SAFETY of every block below: NEON belongs to the target, and the caller
// passes pointers valid for LANES values (contract of `Simd`).

impl Simd for Neon {
    const LANES: usize = 8;
    type V = (float32x4_t, float32x4_t);
    type Doubles = Portable;

    #[inline(always)]
    unsafe fn doubles() -> Portable {
        Portable(())
    }

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self::V {
        // SAFETY: see the top of this file.
        unsafe { (vdupq_n_f32(value), vdupq_n_f32(value)) }
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self::V {
        // SAFETY: see the top of this file.
        unsafe { (vld1q_f32(from), vld1q_f32(from.add(4))) }
    }

    #[inline(always)]
    unsafe fn store(to: *mut f32, v: Self::V) {
        // SAFETY: see the top of this file.
        unsafe {
            vst1q_f32(to, v.0);
            vst1q_f32(to.add(4), v.1);
        }
    }

    #[inline(always)]
    unsafe fn mul_add(a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        // SAFETY: see the top of this file.
        unsafe { (vfmaq_f32(c.0, a.0, b.0), vfmaq_f32(c.1, a.1, b.1)) }
    }

    #[inline(always)]
    unsafe fn minus_mul_add(a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        // SAFETY: see the top of this file.
        unsafe { (vfmsq_f32(c.0, a.0, b.0), vfmsq_f32(c.1, a.1, b.1)) }
    }

    #[inline(always)]
    unsafe fn sub(a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: see the top of this file.
        unsafe { (vsubq_f32(a.0, b.0), vsubq_f32(a.1, b.1)) }
    }

    #[inline(always)]
    unsafe fn fused(a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        // SAFETY: see the top of this file.
        unsafe { Self::mul_add(a, b, c) }
    }

    #[inline(always)]
    unsafe fn below(a: Self::V, b: Self::V) -> u32 {
        const LOW: [u32; 4] = [1, 2, 4, 8];
        const HIGH: [u32; 4] = [16, 32, 64, 128];
        // SAFETY: see the top of this file; the arrays hold a vector each.
        unsafe {
            let low = vandq_u32(vcltq_f32(a.0, b.0), vld1q_u32(LOW.as_ptr()));
            let high = vandq_u32(vcltq_f32(a.1, b.1), vld1q_u32(HIGH.as_ptr()));
            vaddvq_u32(vorrq_u32(low, high))
        }
    }

    #[inline(always)]
    unsafe fn max(a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: see the top of this file.
        unsafe { (vmaxq_f32(a.0, b.0), vmaxq_f32(a.1, b.1)) }
    }

    #[inline(always)]
    unsafe fn greatest(v: Self::V) -> f32 {
        // SAFETY: see the top of this file.
        unsafe { vmaxvq_f32(vmaxq_f32(v.0, v.1)) }
    }

    #[inline(always)]
    unsafe fn min(a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: see the top of this file.
        unsafe { (vminq_f32(a.0, b.0), vminq_f32(a.1, b.1)) }
    }

    #[inline(always)]
    unsafe fn if_greater(a: Self::V, b: Self::V, yes: Self::V, no: Self::V) -> Self::V {
        // SAFETY: see the top of this file.
        unsafe {
            (
                vbslq_f32(vcgtq_f32(a.0, b.0), yes.0, no.0),
                vbslq_f32(vcgtq_f32(a.1, b.1), yes.1, no.1),
            )
        }
    }

    #[inline(always)]
    unsafe fn transpose(square: &mut [Self::V]) {
        let v: [Self::V; 8] = std::array::from_fn(|r| square[r]);
        // SAFETY: see the top of this file.
        unsafe {
            let upper = [
                transpose_four(v[0].0, v[1].0, v[2].0, v[3].0),
                transpose_four(v[0].1, v[1].1, v[2].1, v[3].1),
            ];
            let lower = [
                transpose_four(v[4].0, v[5].0, v[6].0, v[7].0),
                transpose_four(v[4].1, v[5].1, v[6].1, v[7].1),
            ];
            for (c, column) in square.iter_mut().enumerate() {
                *column = (upper[c / 4][c % 4], lower[c / 4][c % 4]);
            }
        }
    }

    #[inline(always)]
    unsafe fn load_first(from: *const f32, count: usize) -> Self::V {
        let mut values = [0.0f32; 8];
        // SAFETY: see the top of this file; `count` < 8 values are read.
        unsafe {
            from.copy_to_nonoverlapping(values.as_mut_ptr(), count);
            Self::load(values.as_ptr())
        }
    }

    #[inline(always)]
    unsafe fn sums(vectors: &[Self::V]) -> Self::V {
        // SAFETY: see the top of this file.
        unsafe {
            let four = |v: &[Self::V]| {
                let halves: [_; 4] = std::array::from_fn(|i| vaddq_f32(v[i].0, v[i].1));
                vpaddq_f32(
                    vpaddq_f32(halves[0], halves[1]),
                    vpaddq_f32(halves[2], halves[3]),
                )
            };
            (four(&vectors[..4]), four(&vectors[4..8]))
        }
    }

    #[inline(always)]
    unsafe fn prefetch(from: *const f32) {
        // SAFETY: prefetching an invalid address does nothing.
        unsafe {
            std::arch::asm!(
                "prfm pldl2keep, [{}]",
                in(reg) from,
                options(nostack, preserves_flags, readonly)
            );
        }
    }
}

/// The columns of four rows.
///
/// # Safety
/// None beside NEON.
#[inline(always)]
unsafe fn transpose_four(
    a: float32x4_t,
    b: float32x4_t,
    c: float32x4_t,
    d: float32x4_t,
) -> [float32x4_t; 4] {
    // SAFETY: see the top of this file.
    unsafe {
        let (even_ab, odd_ab) = (vtrn1q_f32(a, b), vtrn2q_f32(a, b));
        let (even_cd, odd_cd) = (vtrn1q_f32(c, d), vtrn2q_f32(c, d));
        let wide = |v| vreinterpretq_f64_f32(v);
        let low = |v, w| vreinterpretq_f32_f64(vtrn1q_f64(wide(v), wide(w)));
        let high = |v, w| vreinterpretq_f32_f64(vtrn2q_f64(wide(v), wide(w)));
        [
            low(even_ab, even_cd),
            low(odd_ab, odd_cd),
            high(even_ab, even_cd),
            high(odd_ab, odd_cd),
        ]
    }
}
