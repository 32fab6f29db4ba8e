//! The vector operations of [`Simd`] and [`Lanes`] in AVX2.

use super::lanes::{LANES, Lanes, REPEATED};
use super::simd::Simd;
use std::arch::asm;
use std::arch::x86_64::*;

/// AVX2 with FMA. Eight float64 values are two registers.
#[derive(Clone, Copy)]
pub(crate) struct Avx2(());

/// `yes` where the mask says so, else `no`. Where `no` came from and the result goes to one
/// place, compilers make a masked store of the intrinsic, which takes CPUs of AMD without
/// AVX-512 about ten times as long.
#[inline]
#[target_feature(enable = "avx2")]
fn select(mask: __m256, yes: __m256, mut no: __m256) -> __m256 {
    // SAFETY: the instruction reads and writes these registers alone.
    unsafe {
        asm!(
            "vblendvps {no}, {no}, {yes}, {mask}",
            no = inout(ymm_reg) no,
            yes = in(ymm_reg) yes,
            mask = in(ymm_reg) mask,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    no
}

// SAFETY of every block below: the caller runs on a CPU with the instruction
// set and passes pointers valid for LANES values (contract of `Simd`).

impl Simd for Avx2 {
    const LANES: usize = 8;
    type V = __m256;
    type Doubles = Self;

    #[inline(always)]
    unsafe fn doubles() -> Self {
        Avx2(())
    }

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
    unsafe fn fused(a: __m256, b: __m256, c: __m256) -> __m256 {
        // SAFETY: see the top of this file.
        unsafe { _mm256_fmadd_ps(a, b, c) }
    }

    #[inline(always)]
    unsafe fn below(a: __m256, b: __m256) -> u32 {
        // SAFETY: see the top of this file.
        unsafe { _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_LT_OQ>(a, b)) as u32 }
    }

    #[inline(always)]
    unsafe fn max(a: __m256, b: __m256) -> __m256 {
        // SAFETY: see the top of this file.
        unsafe { _mm256_max_ps(a, b) }
    }

    #[inline(always)]
    unsafe fn greatest(v: __m256) -> f32 {
        // SAFETY: see the top of this file.
        unsafe {
            let v = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps::<1>(v));
            let v = _mm_max_ps(v, _mm_movehl_ps(v, v));
            _mm_cvtss_f32(_mm_max_ss(v, _mm_movehdup_ps(v)))
        }
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
    unsafe fn store_if_greater(to: *mut f32, a: __m256, b: __m256, yes: __m256) {
        // SAFETY: see the top of this file.
        unsafe {
            let mask = _mm256_cmp_ps::<_CMP_GT_OQ>(a, b);
            _mm256_storeu_ps(to, select(mask, yes, _mm256_loadu_ps(to)));
        }
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

/// For each choice of four lanes of 64 bits: their halves, moved to the front.
static FRONT: [[i32; 8]; 16] = {
    let mut front = [[0; 8]; 16];
    let mut bits = 0;
    while bits < 16 {
        let (mut next, mut lane) = (0, 0);
        while lane < 4 {
            if bits >> lane & 1 == 1 {
                front[bits][next] = 2 * lane;
                front[bits][next + 1] = 2 * lane + 1;
                next += 2;
            }
            lane += 1;
        }
        bits += 1;
    }
    front
};

// SAFETY, for all of it: the CPU has AVX2, or there were no `self`; loads and
// stores are unaligned and of whole arrays.
impl Lanes for Avx2 {
    type F = (__m256d, __m256d);
    type Mask = (__m256d, __m256d);
    type I = (__m256i, __m256i);

    #[inline(always)]
    fn splat(self, value: f64) -> Self::F {
        // SAFETY: see above.
        unsafe { (_mm256_set1_pd(value), _mm256_set1_pd(value)) }
    }
    #[inline(always)]
    fn widen(self, values: &[f32; LANES]) -> Self::F {
        // SAFETY: see above.
        unsafe {
            let from = values.as_ptr();
            let (low, high) = (_mm_loadu_ps(from), _mm_loadu_ps(from.add(4)));
            (_mm256_cvtps_pd(low), _mm256_cvtps_pd(high))
        }
    }
    #[inline(always)]
    fn load(self, values: &[f64; LANES]) -> Self::F {
        let from = values.as_ptr();
        // SAFETY: see above.
        unsafe { (_mm256_loadu_pd(from), _mm256_loadu_pd(from.add(4))) }
    }
    #[inline(always)]
    fn store(self, values: Self::F) -> [f64; LANES] {
        let mut out = [0.0; LANES];
        // SAFETY: see above.
        unsafe {
            _mm256_storeu_pd(out.as_mut_ptr(), values.0);
            _mm256_storeu_pd(out.as_mut_ptr().add(4), values.1);
        }
        out
    }
    #[inline(always)]
    fn add(self, a: Self::F, b: Self::F) -> Self::F {
        // SAFETY: see above.
        unsafe { (_mm256_add_pd(a.0, b.0), _mm256_add_pd(a.1, b.1)) }
    }
    #[inline(always)]
    fn sub(self, a: Self::F, b: Self::F) -> Self::F {
        // SAFETY: see above.
        unsafe { (_mm256_sub_pd(a.0, b.0), _mm256_sub_pd(a.1, b.1)) }
    }
    #[inline(always)]
    fn mul(self, a: Self::F, b: Self::F) -> Self::F {
        // SAFETY: see above.
        unsafe { (_mm256_mul_pd(a.0, b.0), _mm256_mul_pd(a.1, b.1)) }
    }
    #[inline(always)]
    fn less(self, a: Self::F, b: Self::F) -> Self::Mask {
        // SAFETY: see above.
        unsafe {
            let low = _mm256_cmp_pd::<_CMP_LT_OQ>(a.0, b.0);
            (low, _mm256_cmp_pd::<_CMP_LT_OQ>(a.1, b.1))
        }
    }
    #[inline(always)]
    fn equal(self, labels: &[u32; LANES], label: u32) -> Self::Mask {
        // SAFETY: see above.
        unsafe {
            let labels = _mm256_loadu_si256(labels.as_ptr().cast());
            let equal = _mm256_cmpeq_epi32(labels, _mm256_set1_epi32(label as i32));
            let low = _mm256_cvtepi32_epi64(_mm256_castsi256_si128(equal));
            let high = _mm256_cvtepi32_epi64(_mm256_extracti128_si256::<1>(equal));
            (_mm256_castsi256_pd(low), _mm256_castsi256_pd(high))
        }
    }
    #[inline(always)]
    fn select(self, mask: Self::Mask, a: Self::F, b: Self::F) -> Self::F {
        // SAFETY: see above.
        unsafe {
            let low = _mm256_blendv_pd(b.0, a.0, mask.0);
            (low, _mm256_blendv_pd(b.1, a.1, mask.1))
        }
    }
    #[inline(always)]
    fn abs(self, a: Self::F) -> Self::F {
        // SAFETY: see above.
        unsafe {
            let sign = _mm256_set1_pd(-0.0);
            (_mm256_andnot_pd(sign, a.0), _mm256_andnot_pd(sign, a.1))
        }
    }
    #[inline(always)]
    fn least_lane(self, a: Self::F) -> usize {
        // SAFETY: see above.
        unsafe {
            let least = _mm256_min_pd(a.0, a.1);
            let least = _mm256_min_pd(least, _mm256_permute2f128_pd::<1>(least, least));
            let least = _mm256_min_pd(least, _mm256_permute_pd::<0b0101>(least));
            let low = _mm256_cmp_pd::<_CMP_EQ_OQ>(a.0, least);
            let high = _mm256_cmp_pd::<_CMP_EQ_OQ>(a.1, least);
            self.bits((low, high)).trailing_zeros() as usize
        }
    }
    #[inline(always)]
    fn compress(self, to: &mut [f64; LANES], bits: u8, a: Self::F) {
        let (low, high) = (bits & 15, bits >> 4);
        let front = |bits: u8, half: __m256d| {
            let halves = &FRONT[usize::from(bits)];
            // SAFETY: see above; eight numbers of 32 bits.
            unsafe {
                let halves = _mm256_loadu_si256(halves.as_ptr().cast());
                _mm256_permutevar8x32_ps(_mm256_castpd_ps(half), halves)
            }
        };
        // SAFETY: see above; the second four values begin at the fourth at most.
        unsafe {
            let to = to.as_mut_ptr();
            _mm256_storeu_ps(to.cast(), front(low, a.0));
            let after = to.add(low.count_ones() as usize);
            _mm256_storeu_ps(after.cast(), front(high, a.1));
        }
    }
    #[inline(always)]
    fn bits(self, mask: Self::Mask) -> u8 {
        // SAFETY: see above.
        unsafe { (_mm256_movemask_pd(mask.0) | _mm256_movemask_pd(mask.1) << 4) as u8 }
    }
    #[inline(always)]
    fn relabel(self, labels: &mut [u32; LANES], new: Self::F) -> u32 {
        // SAFETY: see above; labels are below 2³¹, as there are fewer rows.
        unsafe {
            let (low, high) = (_mm256_cvttpd_epi32(new.0), _mm256_cvttpd_epi32(new.1));
            let new = _mm256_set_m128i(high, low);
            let old = _mm256_loadu_si256(labels.as_ptr().cast());
            let keep = _mm256_cmpeq_epi32(old, _mm256_set1_epi32(REPEATED as i32));
            let new = _mm256_blendv_epi8(new, old, keep);
            _mm256_storeu_si256(labels.as_mut_ptr().cast(), new);
            let same = _mm256_castsi256_ps(_mm256_cmpeq_epi32(old, new));
            LANES as u32 - _mm256_movemask_ps(same).count_ones()
        }
    }
    #[inline(always)]
    fn to_bits(self, a: Self::F) -> Self::I {
        // SAFETY: see above.
        unsafe { (_mm256_castpd_si256(a.0), _mm256_castpd_si256(a.1)) }
    }
    #[inline(always)]
    fn zero(self) -> Self::I {
        // SAFETY: see above.
        unsafe { (_mm256_setzero_si256(), _mm256_setzero_si256()) }
    }
    #[inline(always)]
    fn load_whole(self, values: &[i64; LANES]) -> Self::I {
        let from = values.as_ptr().cast::<__m256i>();
        // SAFETY: see above.
        unsafe { (_mm256_loadu_si256(from), _mm256_loadu_si256(from.add(1))) }
    }
    #[inline(always)]
    fn store_whole(self, to: &mut [i64; LANES], values: Self::I) {
        let to = to.as_mut_ptr().cast::<__m256i>();
        // SAFETY: see above.
        unsafe {
            _mm256_storeu_si256(to, values.0);
            _mm256_storeu_si256(to.add(1), values.1);
        }
    }
    #[inline(always)]
    fn add_whole(self, a: Self::I, b: Self::I) -> Self::I {
        // SAFETY: see above.
        unsafe { (_mm256_add_epi64(a.0, b.0), _mm256_add_epi64(a.1, b.1)) }
    }
    #[inline(always)]
    fn sub_whole(self, a: Self::I, b: Self::I) -> Self::I {
        // SAFETY: see above.
        unsafe { (_mm256_sub_epi64(a.0, b.0), _mm256_sub_epi64(a.1, b.1)) }
    }
    #[inline(always)]
    fn and(self, a: Self::I, b: Self::I) -> Self::I {
        // SAFETY: see above.
        unsafe { (_mm256_and_si256(a.0, b.0), _mm256_and_si256(a.1, b.1)) }
    }
}
