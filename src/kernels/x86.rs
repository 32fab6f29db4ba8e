//! The vector operations of [`Simd`] in AVX2 and AVX-512.

use super::simd::Simd;
use std::arch::x86_64::*;

/// AVX2 with FMA.
#[derive(Clone, Copy)]
pub(crate) struct Avx2;

/// AVX-512F.
#[derive(Clone, Copy)]
pub(crate) struct Avx512;

// SAFETY of every block below: the caller runs on a CPU with the instruction
// set and passes pointers valid for LANES values (contract of `Simd`).

impl Simd for Avx2 {
    const LANES: usize = 8;
    type V = __m256;

    #[inline(always)]
    unsafe fn splat(value: f32) -> __m256 {
        // SAFETY: see the top of this file.
        unsafe { _mm256_set1_ps(value) }
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> __m256 {
        // SAFETY: see the top of this file.
        unsafe { _mm256_loadu_ps(from) }
    }

    #[inline(always)]
    unsafe fn store(to: *mut f32, v: __m256) {
        // SAFETY: see the top of this file.
        unsafe { _mm256_storeu_ps(to, v) }
    }

    #[inline(always)]
    unsafe fn mul_add(a: __m256, b: __m256, c: __m256) -> __m256 {
        // SAFETY: see the top of this file.
        unsafe { _mm256_fmadd_ps(a, b, c) }
    }

    #[inline(always)]
    unsafe fn minus_mul_add(a: __m256, b: __m256, c: __m256) -> __m256 {
        // SAFETY: see the top of this file.
        unsafe { _mm256_fnmadd_ps(a, b, c) }
    }

    #[inline(always)]
    unsafe fn sub(a: __m256, b: __m256) -> __m256 {
        // SAFETY: see the top of this file.
        unsafe { _mm256_sub_ps(a, b) }
    }

    #[inline(always)]
    unsafe fn max(a: __m256, b: __m256) -> __m256 {
        // SAFETY: see the top of this file.
        unsafe { _mm256_max_ps(a, b) }
    }

    #[inline(always)]
    unsafe fn min(a: __m256, b: __m256) -> __m256 {
        // SAFETY: see the top of this file.
        unsafe { _mm256_min_ps(a, b) }
    }

    #[inline(always)]
    unsafe fn if_greater(a: __m256, b: __m256, yes: __m256, no: __m256) -> __m256 {
        // SAFETY: see the top of this file.
        unsafe { _mm256_blendv_ps(no, yes, _mm256_cmp_ps::<_CMP_GT_OQ>(a, b)) }
    }

    #[inline(always)]
    unsafe fn transpose(square: &mut [__m256]) {
        // SAFETY: see the top of this file.
        unsafe {
            let mut pairs = [_mm256_setzero_ps(); 8];
            for i in 0..4 {
                pairs[2 * i] = _mm256_unpacklo_ps(square[2 * i], square[2 * i + 1]);
                pairs[2 * i + 1] = _mm256_unpackhi_ps(square[2 * i], square[2 * i + 1]);
            }
            let mut quads = [_mm256_setzero_ps(); 8];
            for half in 0..2 {
                for i in 0..2 {
                    let (a, b) = (pairs[4 * half + i], pairs[4 * half + 2 + i]);
                    quads[4 * half + 2 * i] = _mm256_shuffle_ps::<0x44>(a, b);
                    quads[4 * half + 2 * i + 1] = _mm256_shuffle_ps::<0xee>(a, b);
                }
            }
            for i in 0..4 {
                square[i] = _mm256_permute2f128_ps::<0x20>(quads[i], quads[4 + i]);
                square[4 + i] = _mm256_permute2f128_ps::<0x31>(quads[i], quads[4 + i]);
            }
        }
    }

    #[inline(always)]
    unsafe fn load_first(from: *const f32, count: usize) -> __m256 {
        const MASKS: [i32; 16] = [-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0];
        // SAFETY: see the top of this file; masked lanes are not read, and a
        // mask starts at one of the first nine values.
        unsafe {
            let mask = _mm256_loadu_si256(MASKS[8 - count..].as_ptr().cast());
            _mm256_maskload_ps(from, mask)
        }
    }

    #[inline(always)]
    unsafe fn sums(vectors: &[__m256]) -> __m256 {
        // SAFETY: see the top of this file.
        unsafe {
            let v = &vectors[..8];
            let low = _mm256_hadd_ps(_mm256_hadd_ps(v[0], v[1]), _mm256_hadd_ps(v[2], v[3]));
            let high = _mm256_hadd_ps(_mm256_hadd_ps(v[4], v[5]), _mm256_hadd_ps(v[6], v[7]));
            let a = _mm256_permute2f128_ps::<0x20>(low, high);
            let b = _mm256_permute2f128_ps::<0x31>(low, high);
            _mm256_add_ps(a, b)
        }
    }

    #[inline(always)]
    unsafe fn prefetch(from: *const f32) {
        // SAFETY: prefetching an invalid address does nothing.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(from.cast()) }
    }
}

impl Simd for Avx512 {
    const LANES: usize = 16;
    type V = __m512;

    #[inline(always)]
    unsafe fn splat(value: f32) -> __m512 {
        // SAFETY: see the top of this file.
        unsafe { _mm512_set1_ps(value) }
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> __m512 {
        // SAFETY: see the top of this file.
        unsafe { _mm512_loadu_ps(from) }
    }

    #[inline(always)]
    unsafe fn store(to: *mut f32, v: __m512) {
        // SAFETY: see the top of this file.
        unsafe { _mm512_storeu_ps(to, v) }
    }

    #[inline(always)]
    unsafe fn mul_add(a: __m512, b: __m512, c: __m512) -> __m512 {
        // SAFETY: see the top of this file.
        unsafe { _mm512_fmadd_ps(a, b, c) }
    }

    #[inline(always)]
    unsafe fn minus_mul_add(a: __m512, b: __m512, c: __m512) -> __m512 {
        // SAFETY: see the top of this file.
        unsafe { _mm512_fnmadd_ps(a, b, c) }
    }

    #[inline(always)]
    unsafe fn sub(a: __m512, b: __m512) -> __m512 {
        // SAFETY: see the top of this file.
        unsafe { _mm512_sub_ps(a, b) }
    }

    #[inline(always)]
    unsafe fn max(a: __m512, b: __m512) -> __m512 {
        // SAFETY: see the top of this file.
        unsafe { _mm512_max_ps(a, b) }
    }

    #[inline(always)]
    unsafe fn min(a: __m512, b: __m512) -> __m512 {
        // SAFETY: see the top of this file.
        unsafe { _mm512_min_ps(a, b) }
    }

    #[inline(always)]
    unsafe fn if_greater(a: __m512, b: __m512, yes: __m512, no: __m512) -> __m512 {
        // SAFETY: see the top of this file.
        unsafe { _mm512_mask_blend_ps(_mm512_cmp_ps_mask::<_CMP_GT_OQ>(a, b), no, yes) }
    }

    #[inline(always)]
    unsafe fn transpose(square: &mut [__m512]) {
        // SAFETY: see the top of this file.
        unsafe {
            let zero = _mm512_setzero_ps();
            let mut pairs = [zero; 16];
            for i in 0..8 {
                pairs[2 * i] = _mm512_unpacklo_ps(square[2 * i], square[2 * i + 1]);
                pairs[2 * i + 1] = _mm512_unpackhi_ps(square[2 * i], square[2 * i + 1]);
            }
            // quads[4 g + c]: column c of every fourth, of rows 4 g to 4 g + 3
            let mut quads = [zero; 16];
            for g in 0..4 {
                for i in 0..2 {
                    let (a, b) = (pairs[4 * g + i], pairs[4 * g + 2 + i]);
                    quads[4 * g + 2 * i] = _mm512_shuffle_ps::<0x44>(a, b);
                    quads[4 * g + 2 * i + 1] = _mm512_shuffle_ps::<0xee>(a, b);
                }
            }
            for c in 0..4 {
                let (q0, q1, q2, q3) = (quads[c], quads[4 + c], quads[8 + c], quads[12 + c]);
                let low = _mm512_shuffle_f32x4::<0x88>(q0, q1);
                let high = _mm512_shuffle_f32x4::<0x88>(q2, q3);
                square[c] = _mm512_shuffle_f32x4::<0x88>(low, high);
                square[8 + c] = _mm512_shuffle_f32x4::<0xdd>(low, high);
                let low = _mm512_shuffle_f32x4::<0xdd>(q0, q1);
                let high = _mm512_shuffle_f32x4::<0xdd>(q2, q3);
                square[4 + c] = _mm512_shuffle_f32x4::<0x88>(low, high);
                square[12 + c] = _mm512_shuffle_f32x4::<0xdd>(low, high);
            }
        }
    }

    #[inline(always)]
    unsafe fn load_first(from: *const f32, count: usize) -> __m512 {
        // SAFETY: see the top of this file; masked lanes are not read.
        unsafe { _mm512_maskz_loadu_ps((1 << count) - 1, from) }
    }

    #[inline(always)]
    unsafe fn sums(vectors: &[__m512]) -> __m512 {
        // SAFETY: see the top of this file.
        unsafe {
            let zero = _mm512_setzero_ps();
            // halves[4 g + c]: half of vector c + 8 g, then of vector c + 8 g + 4
            let mut halves = [zero; 8];
            for (i, half) in halves.iter_mut().enumerate() {
                let (a, b) = (vectors[i / 4 * 8 + i % 4], vectors[i / 4 * 8 + i % 4 + 4]);
                let low = _mm512_shuffle_f32x4::<0x44>(a, b);
                *half = _mm512_add_ps(low, _mm512_shuffle_f32x4::<0xee>(a, b));
            }
            // quarters[c]: four lanes each of vectors c, c + 4, c + 8, c + 12
            let mut quarters = [zero; 4];
            for (c, quarter) in quarters.iter_mut().enumerate() {
                let (a, b) = (halves[c], halves[4 + c]);
                let even = _mm512_shuffle_f32x4::<0x88>(a, b);
                *quarter = _mm512_add_ps(even, _mm512_shuffle_f32x4::<0xdd>(a, b));
            }
            let mut pairs = [zero; 2];
            for (c, pair) in pairs.iter_mut().enumerate() {
                let (a, b) = (quarters[2 * c], quarters[2 * c + 1]);
                let low = _mm512_shuffle_ps::<0x44>(a, b);
                *pair = _mm512_add_ps(low, _mm512_shuffle_ps::<0xee>(a, b));
            }
            let even = _mm512_shuffle_ps::<0x88>(pairs[0], pairs[1]);
            _mm512_add_ps(even, _mm512_shuffle_ps::<0xdd>(pairs[0], pairs[1]))
        }
    }

    #[inline(always)]
    unsafe fn prefetch(from: *const f32) {
        // SAFETY: prefetching an invalid address does nothing.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(from.cast()) }
    }
}
