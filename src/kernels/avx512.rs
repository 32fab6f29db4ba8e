//! The vector operations of [`Simd`] and [`Lanes`] in AVX-512.

use super::lanes::{LANES, Lanes, REPEATED};
use super::simd::Simd;
use std::arch::x86_64::*;

/// AVX-512 F, BW, DQ and VL.
#[derive(Clone, Copy)]
pub(crate) struct Avx512(());

// SAFETY of every block below: the caller runs on a CPU with the instruction
// set and passes pointers valid for LANES values (contract of `Simd`).

impl Simd for Avx512 {
    const LANES: usize = 16;
    type V = __m512;
    type Doubles = Self;

    #[inline(always)]
    unsafe fn doubles() -> Self {
        Avx512(())
    }

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
    unsafe fn fused(a: __m512, b: __m512, c: __m512) -> __m512 {
        // SAFETY: see the top of this file.
        unsafe { _mm512_fmadd_ps(a, b, c) }
    }

    #[inline(always)]
    unsafe fn below(a: __m512, b: __m512) -> u32 {
        // SAFETY: see the top of this file.
        unsafe { u32::from(_mm512_cmp_ps_mask::<_CMP_LT_OQ>(a, b)) }
    }

    #[inline(always)]
    unsafe fn max(a: __m512, b: __m512) -> __m512 {
        // SAFETY: see the top of this file.
        unsafe { _mm512_max_ps(a, b) }
    }

    #[inline(always)]
    unsafe fn greatest(v: __m512) -> f32 {
        // SAFETY: see the top of this file.
        unsafe { _mm512_reduce_max_ps(v) }
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

// SAFETY, for all of it: the CPU has AVX-512 F and VL, or there were no
// `self`; loads and stores are unaligned and of whole arrays.
impl Lanes for Avx512 {
    type F = __m512d;
    type Mask = __mmask8;
    type I = __m512i;

    #[inline(always)]
    fn splat(self, value: f64) -> Self::F {
        // SAFETY: see above.
        unsafe { _mm512_set1_pd(value) }
    }
    #[inline(always)]
    fn widen(self, values: &[f32; LANES]) -> Self::F {
        // SAFETY: see above.
        unsafe { _mm512_cvtps_pd(_mm256_loadu_ps(values.as_ptr())) }
    }
    #[inline(always)]
    fn load(self, values: &[f64; LANES]) -> Self::F {
        // SAFETY: see above.
        unsafe { _mm512_loadu_pd(values.as_ptr()) }
    }
    #[inline(always)]
    fn store(self, values: Self::F) -> [f64; LANES] {
        let mut out = [0.0; LANES];
        // SAFETY: see above.
        unsafe { _mm512_storeu_pd(out.as_mut_ptr(), values) };
        out
    }
    #[inline(always)]
    fn add(self, a: Self::F, b: Self::F) -> Self::F {
        // SAFETY: see above.
        unsafe { _mm512_add_pd(a, b) }
    }
    #[inline(always)]
    fn sub(self, a: Self::F, b: Self::F) -> Self::F {
        // SAFETY: see above.
        unsafe { _mm512_sub_pd(a, b) }
    }
    #[inline(always)]
    fn mul(self, a: Self::F, b: Self::F) -> Self::F {
        // SAFETY: see above.
        unsafe { _mm512_mul_pd(a, b) }
    }
    #[inline(always)]
    fn less(self, a: Self::F, b: Self::F) -> Self::Mask {
        // SAFETY: see above.
        unsafe { _mm512_cmp_pd_mask::<_CMP_LT_OQ>(a, b) }
    }
    #[inline(always)]
    fn equal(self, labels: &[u32; LANES], label: u32) -> Self::Mask {
        // SAFETY: see above.
        unsafe {
            let labels = _mm256_loadu_si256(labels.as_ptr().cast());
            _mm256_cmpeq_epi32_mask(labels, _mm256_set1_epi32(label as i32))
        }
    }
    #[inline(always)]
    fn select(self, mask: Self::Mask, a: Self::F, b: Self::F) -> Self::F {
        // SAFETY: see above.
        unsafe { _mm512_mask_blend_pd(mask, b, a) }
    }
    #[inline(always)]
    fn abs(self, a: Self::F) -> Self::F {
        // SAFETY: see above.
        unsafe { _mm512_abs_pd(a) }
    }
    #[inline(always)]
    fn least_lane(self, a: Self::F) -> usize {
        // SAFETY: see above.
        unsafe {
            let least = _mm512_min_pd(a, _mm512_shuffle_f64x2::<0b01_00_11_10>(a, a));
            let least = _mm512_min_pd(least, _mm512_shuffle_f64x2::<0b10_11_00_01>(least, least));
            let least = _mm512_min_pd(least, _mm512_permute_pd::<0b01010101>(least));
            let equal = _mm512_cmp_pd_mask::<_CMP_EQ_OQ>(a, least);
            equal.trailing_zeros() as usize
        }
    }
    #[inline(always)]
    fn compress(self, to: &mut [f64; LANES], bits: u8, a: Self::F) {
        // SAFETY: see above.
        unsafe { _mm512_storeu_pd(to.as_mut_ptr(), _mm512_maskz_compress_pd(bits, a)) }
    }
    #[inline(always)]
    fn bits(self, mask: Self::Mask) -> u8 {
        mask
    }
    #[inline(always)]
    fn relabel(self, labels: &mut [u32; LANES], new: Self::F) -> u32 {
        // SAFETY: see above.
        unsafe {
            let old = _mm256_loadu_si256(labels.as_ptr().cast());
            let keep = _mm256_cmpeq_epi32_mask(old, _mm256_set1_epi32(REPEATED as i32));
            let new = _mm256_mask_mov_epi32(_mm512_cvtpd_epu32(new), keep, old);
            _mm256_storeu_si256(labels.as_mut_ptr().cast(), new);
            _mm256_cmpneq_epi32_mask(old, new).count_ones()
        }
    }
    #[inline(always)]
    fn to_bits(self, a: Self::F) -> Self::I {
        // SAFETY: see above.
        unsafe { _mm512_castpd_si512(a) }
    }
    #[inline(always)]
    fn zero(self) -> Self::I {
        // SAFETY: see above.
        unsafe { _mm512_setzero_si512() }
    }
    #[inline(always)]
    fn load_whole(self, values: &[i64; LANES]) -> Self::I {
        // SAFETY: see above.
        unsafe { _mm512_loadu_epi64(values.as_ptr()) }
    }
    #[inline(always)]
    fn store_whole(self, to: &mut [i64; LANES], values: Self::I) {
        // SAFETY: see above.
        unsafe { _mm512_storeu_epi64(to.as_mut_ptr(), values) };
    }
    #[inline(always)]
    fn add_whole(self, a: Self::I, b: Self::I) -> Self::I {
        // SAFETY: see above.
        unsafe { _mm512_add_epi64(a, b) }
    }
    #[inline(always)]
    fn sub_whole(self, a: Self::I, b: Self::I) -> Self::I {
        // SAFETY: see above.
        unsafe { _mm512_sub_epi64(a, b) }
    }
    #[inline(always)]
    fn and(self, a: Self::I, b: Self::I) -> Self::I {
        // SAFETY: see above.
        unsafe { _mm512_and_si512(a, b) }
    }
}
