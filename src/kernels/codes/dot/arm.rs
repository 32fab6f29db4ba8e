//! 8-bit kernels on 64-bit ARM. The instruction multiplies signed codes: those
//! of centroids are not offset, though they go as bytes without a sign.

use super::{Dot, Ints};
use crate::kernels::neon::Neon;
use crate::kernels::simd::Simd;
use std::arch::aarch64::*;
use std::arch::asm;

/// NEON with the dot product (FEAT_DotProd).
pub(in crate::kernels::codes) struct NeonDot;

impl Dot for NeonDot {
    type S = Neon;
    const LARGEST: i8 = 127;
    const OFFSET: i32 = 0;

    #[inline(always)]
    unsafe fn dot(sum: Int, centroid: Int, row: Int) -> Int {
        // SAFETY: the CPU has the instruction.
        unsafe { (dot(sum.0, centroid.0, row.0), dot(sum.1, centroid.1, row.1)) }
    }
}

/// The intrinsic of it is not stable yet.
///
/// # Safety
/// The CPU has the instruction.
#[inline(always)]
unsafe fn dot(mut sum: int32x4_t, centroid: int32x4_t, row: int32x4_t) -> int32x4_t {
    // SAFETY: the CPU has the instruction, which only changes `sum`.
    unsafe {
        asm!(
            "sdot {sum:v}.4s, {centroid:v}.16b, {row:v}.16b",
            sum = inout(vreg) sum,
            centroid = in(vreg) centroid,
            row = in(vreg) row,
            options(pure, nomem, nostack, preserves_flags)
        );
    }
    sum
}

type Int = (int32x4_t, int32x4_t);

// SAFETY of every block below: the contract of `Simd`.

impl Ints for Neon {
    type I = Int;

    #[inline(always)]
    unsafe fn splat_int(value: i32) -> Int {
        // SAFETY: see above.
        unsafe { (vdupq_n_s32(value), vdupq_n_s32(value)) }
    }

    #[inline(always)]
    unsafe fn load_codes(from: *const u8, _: usize) -> Int {
        // SAFETY: see above; 32 codes fit.
        unsafe {
            let half = |at| vreinterpretq_s32_u8(vld1q_u8(from.add(at)));
            (half(0), half(16))
        }
    }

    #[inline(always)]
    unsafe fn floats(v: Int) -> Self::V {
        // SAFETY: see above.
        unsafe { (vcvtq_f32_s32(v.0), vcvtq_f32_s32(v.1)) }
    }

    #[inline(always)]
    unsafe fn total(v: Int) -> i32 {
        // SAFETY: see above.
        unsafe { vaddvq_s32(vaddq_s32(v.0, v.1)) }
    }

    #[inline(always)]
    unsafe fn at_least(a: Self::V, b: Self::V) -> u32 {
        const LOW: [u32; 4] = [1, 2, 4, 8];
        const HIGH: [u32; 4] = [16, 32, 64, 128];
        // SAFETY: see above.
        unsafe {
            let low = vandq_u32(vcgeq_f32(a.0, b.0), vld1q_u32(LOW.as_ptr()));
            let high = vandq_u32(vcgeq_f32(a.1, b.1), vld1q_u32(HIGH.as_ptr()));
            vaddvq_u32(vorrq_u32(low, high))
        }
    }

    #[inline(always)]
    unsafe fn load_u16(from: *const u16) -> Self::V {
        // SAFETY: see above.
        unsafe {
            let values = vld1q_u16(from);
            let low = vmovl_u16(vget_low_u16(values));
            (vcvtq_f32_u32(low), vcvtq_f32_u32(vmovl_high_u16(values)))
        }
    }

    #[inline(always)]
    unsafe fn write_lanes(to: *mut u32, first: u32, mask: u32) {
        let mut count = 0;
        for lane in 0..Self::LANES as u32 {
            // SAFETY: at most as many are written as lanes were seen.
            unsafe { to.add(count).write(first + lane) };
            count += (mask >> lane & 1) as usize;
        }
    }

    #[inline(always)]
    unsafe fn maxima(vectors: &[Self::V]) -> [f32; 8] {
        // SAFETY: see above.
        std::array::from_fn(|v| unsafe { vmaxvq_f32(vmaxq_f32(vectors[v].0, vectors[v].1)) })
    }
}
