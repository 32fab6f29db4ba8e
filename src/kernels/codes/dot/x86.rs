//! 8-bit kernels on x86-64. The instructions multiply unsigned codes by signed
//! ones: those of centroids are offset to be unsigned.

use super::{Dot, Ints};
use crate::kernels::avx2::Avx2;
use crate::kernels::avx512::Avx512;
use crate::kernels::simd::Simd;
use std::arch::x86_64::*;

/// AVX-512 VNNI.
pub(in crate::kernels::codes) struct Dot512;

impl Dot for Dot512 {
    type S = Avx512;
    const LARGEST: i8 = 127;
    const OFFSET: i32 = 128;

    #[inline(always)]
    unsafe fn dot(sum: __m512i, centroid: __m512i, row: __m512i) -> __m512i {
        // SAFETY: the CPU has the instruction.
        unsafe { _mm512_dpbusd_epi32(sum, centroid, row) }
    }
}

/// AVX-VNNI.
pub(in crate::kernels::codes) struct Dot256;

impl Dot for Dot256 {
    type S = Avx2;
    const LARGEST: i8 = 127;
    const OFFSET: i32 = 128;

    #[inline(always)]
    unsafe fn dot(sum: __m256i, centroid: __m256i, row: __m256i) -> __m256i {
        // SAFETY: the CPU has the instruction.
        unsafe { _mm256_dpbusd_avx_epi32(sum, centroid, row) }
    }
}

/// AVX-512 without VNNI: sums of two products must fit 16 bits, so centroid
/// codes have 7.
pub(in crate::kernels::codes) struct Pairs512;

impl Dot for Pairs512 {
    type S = Avx512;
    const LARGEST: i8 = 63;
    const OFFSET: i32 = 64;

    #[inline(always)]
    unsafe fn dot(sum: __m512i, centroid: __m512i, row: __m512i) -> __m512i {
        // SAFETY: the CPU has the instructions.
        unsafe {
            let pairs = _mm512_maddubs_epi16(centroid, row);
            _mm512_add_epi32(sum, _mm512_madd_epi16(pairs, _mm512_set1_epi16(1)))
        }
    }
}

/// AVX2, likewise; but sums of four products must fit 16 bits, which the limit of row
/// codes sees to: 181 · 181 < 2¹⁵.
pub(in crate::kernels::codes) struct Pairs256;

impl Dot for Pairs256 {
    type S = Avx2;
    const LARGEST: i8 = 90;
    const OFFSET: i32 = 91;
    const GROUP: i32 = 181;
    const PAIRED: bool = true;

    #[inline(always)]
    unsafe fn dot(sum: __m256i, centroid: __m256i, row: __m256i) -> __m256i {
        // SAFETY: the CPU has the instructions.
        unsafe {
            let pairs = _mm256_maddubs_epi16(centroid, row);
            _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)))
        }
    }

    #[inline(always)]
    unsafe fn dot_pair(sum: __m256i, centroid: [__m256i; 2], row: [__m256i; 2]) -> __m256i {
        // SAFETY: the CPU has the instructions.
        unsafe {
            let first = _mm256_maddubs_epi16(centroid[0], row[0]);
            let pairs = _mm256_add_epi16(first, _mm256_maddubs_epi16(centroid[1], row[1]));
            _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)))
        }
    }
}

// SAFETY of every block below: the contract of `Simd`.

impl Ints for Avx512 {
    type I = __m512i;

    #[inline(always)]
    unsafe fn splat_int(value: i32) -> __m512i {
        // SAFETY: see above.
        unsafe { _mm512_set1_epi32(value) }
    }

    #[inline(always)]
    unsafe fn load_codes(from: *const u8, count: usize) -> __m512i {
        let mask = if count >= 64 { !0 } else { 0xffff_ffff };
        // SAFETY: see above; 64 or 32 codes.
        unsafe { _mm512_maskz_loadu_epi8(mask, from.cast()) }
    }

    #[inline(always)]
    unsafe fn floats(v: __m512i) -> __m512 {
        // SAFETY: see above.
        unsafe { _mm512_cvtepi32_ps(v) }
    }

    #[inline(always)]
    unsafe fn total(v: __m512i) -> i32 {
        // SAFETY: see above.
        unsafe { _mm512_reduce_add_epi32(v) }
    }

    #[inline(always)]
    unsafe fn at_least(a: __m512, b: __m512) -> u32 {
        // SAFETY: see above.
        u32::from(unsafe { _mm512_cmp_ps_mask::<_CMP_GE_OQ>(a, b) })
    }

    #[inline(always)]
    unsafe fn load_u16(from: *const u16) -> __m512 {
        // SAFETY: see above.
        unsafe {
            let values = _mm256_loadu_si256(from.cast());
            _mm512_cvtepi32_ps(_mm512_cvtepu16_epi32(values))
        }
    }

    #[inline(always)]
    unsafe fn write_lanes(to: *mut u32, first: u32, mask: u32) {
        // SAFETY: see above.
        unsafe {
            let lanes = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
            let lanes = _mm512_add_epi32(lanes, _mm512_set1_epi32(first as i32));
            _mm512_storeu_si512(
                to.cast(),
                _mm512_maskz_compress_epi32(mask as __mmask16, lanes),
            );
        }
    }

    #[inline(always)]
    unsafe fn maxima(vectors: &[__m512]) -> [f32; 8] {
        // Halves, then quarters of pairs of vectors are put side by side.
        let halves = |a, b| {
            // SAFETY: see above.
            unsafe {
                let low = _mm512_shuffle_f32x4::<0b01_00_01_00>(a, b);
                _mm512_max_ps(low, _mm512_shuffle_f32x4::<0b11_10_11_10>(a, b))
            }
        };
        let quarters = |a, b| {
            // SAFETY: see above.
            unsafe {
                let even = _mm512_shuffle_f32x4::<0b10_00_10_00>(a, b);
                _mm512_max_ps(even, _mm512_shuffle_f32x4::<0b11_01_11_01>(a, b))
            }
        };
        let v = &vectors[..8];
        let first = quarters(halves(v[0], v[1]), halves(v[2], v[3]));
        let last = quarters(halves(v[4], v[5]), halves(v[6], v[7]));
        let mut lanes = [0.0f32; 16];
        // SAFETY: see above; 16 values of 32 bits.
        unsafe {
            let pairs = _mm512_max_ps(
                _mm512_unpacklo_ps(first, last),
                _mm512_unpackhi_ps(first, last),
            );
            let pairs = _mm512_max_ps(pairs, _mm512_permute_ps::<0b01_00_11_10>(pairs));
            _mm512_storeu_ps(lanes.as_mut_ptr(), pairs);
        }
        std::array::from_fn(|r| lanes[r % 4 * 4 + r / 4])
    }
}

impl Ints for Avx2 {
    type I = __m256i;

    #[inline(always)]
    unsafe fn splat_int(value: i32) -> __m256i {
        // SAFETY: see above.
        unsafe { _mm256_set1_epi32(value) }
    }

    #[inline(always)]
    unsafe fn load_codes(from: *const u8, _: usize) -> __m256i {
        // SAFETY: see above; 32 codes fit.
        unsafe { _mm256_loadu_si256(from.cast()) }
    }

    #[inline(always)]
    unsafe fn floats(v: __m256i) -> __m256 {
        // SAFETY: see above.
        unsafe { _mm256_cvtepi32_ps(v) }
    }

    #[inline(always)]
    unsafe fn total(v: __m256i) -> i32 {
        // SAFETY: see above.
        unsafe {
            let half = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256::<1>(v));
            let pair = _mm_add_epi32(half, _mm_shuffle_epi32::<0b01_00_11_10>(half));
            _mm_cvtsi128_si32(_mm_add_epi32(
                pair,
                _mm_shuffle_epi32::<0b10_11_00_01>(pair),
            ))
        }
    }

    #[inline(always)]
    unsafe fn at_least(a: __m256, b: __m256) -> u32 {
        // SAFETY: see above.
        unsafe { _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_GE_OQ>(a, b)) as u32 }
    }

    #[inline(always)]
    unsafe fn load_u16(from: *const u16) -> __m256 {
        // SAFETY: see above.
        unsafe { _mm256_cvtepi32_ps(_mm256_cvtepu16_epi32(_mm_loadu_si128(from.cast()))) }
    }

    #[inline(always)]
    unsafe fn write_lanes(to: *mut u32, first: u32, mask: u32) {
        let mut count = 0;
        for lane in 0..8 {
            // SAFETY: at most as many are written as lanes were seen.
            unsafe { to.add(count).write(first + lane) };
            count += (mask >> lane & 1) as usize;
        }
    }

    #[inline(always)]
    unsafe fn maxima(vectors: &[__m256]) -> [f32; 8] {
        let mut square: [__m256; 8] = std::array::from_fn(|v| vectors[v]);
        let mut lanes = [0.0f32; 8];
        // SAFETY: see above; 8 values.
        unsafe {
            Self::transpose(&mut square);
            let [first, rest @ ..] = square;
            let most = rest.into_iter().fold(first, |a, b| _mm256_max_ps(a, b));
            _mm256_storeu_ps(lanes.as_mut_ptr(), most);
        }
        lanes
    }
}
