//! The instruction sets that the 8-bit kernels are compiled for.

use crate::nearest::isa::Isa;
use crate::nearest::simd::Simd;
use crate::nearest::x86::{Avx2, Avx512};
use std::arch::x86_64::*;

/// What the 8-bit kernels need beside [`Simd`]: vectors of `LANES` integers of
/// 32 bits.
///
/// # Safety
/// As for [`Simd`].
pub(super) trait Ints: Simd {
    type I: Copy;

    unsafe fn splat_int(value: i32) -> Self::I;
    /// The first `count` codes, 32 or as many as fit, and zeros.
    unsafe fn load_codes(from: *const u8, count: usize) -> Self::I;
    unsafe fn floats(v: Self::I) -> Self::V;
    /// The sum of the lanes.
    unsafe fn total(v: Self::I) -> i32;
    /// A bit for each lane where a ≥ b.
    unsafe fn at_least(a: Self::V, b: Self::V) -> u32;
    unsafe fn load_u16(from: *const u16) -> Self::V;
    /// Writes first + lane for each bit of `mask`, lowest first. `to` is valid
    /// for `LANES` values.
    unsafe fn write_lanes(to: *mut u32, first: u32, mask: u32);
    /// The greatest lane of each of the first eight of `LANES` vectors.
    unsafe fn maxima(vectors: &[Self::V]) -> [f32; 8];
}

/// Products of codes.
///
/// # Safety
/// As for [`Simd`], for the CPU feature that the implementor names.
pub(super) trait Dot {
    type S: Ints;
    /// The magnitude of centroid codes that products have room for.
    const LARGEST: i8;

    /// Lane by lane: the sum, and the products of four centroid codes, which
    /// are at most 2 · `LARGEST` + 1, and four row codes.
    unsafe fn dot(
        sum: <Self::S as Ints>::I,
        centroid: <Self::S as Ints>::I,
        row: <Self::S as Ints>::I,
    ) -> <Self::S as Ints>::I;
}

/// Work that is compiled for each instruction set.
pub(super) trait Kernel {
    type Output;

    /// `ROWS` × `VECTORS` sums stay in registers.
    ///
    /// # Safety
    /// The CPU has `D`; what else the implementor asks for.
    unsafe fn run<D: Dot, const ROWS: usize, const VECTORS: usize>(self) -> Self::Output;
}

/// Runs the kernel. Without AVX2 there is none: nothing makes codes then.
///
/// # Safety
/// The CPU has the instruction set; what else the kernel asks for.
#[inline]
pub(super) unsafe fn run<K: Kernel>(isa: Isa, kernel: K) -> K::Output {
    // SAFETY: passed on.
    unsafe {
        match isa {
            Isa::Vnni => vnni(kernel),
            Isa::Avx512 => avx512(kernel),
            Isa::AvxVnni => avx_vnni(kernel),
            Isa::Avx2 => avx2(kernel),
            Isa::Portable => unreachable!("8-bit codes need AVX2"),
        }
    }
}

/// The magnitude of the codes that centroids may have.
pub(in crate::nearest) fn largest_code(isa: Isa) -> i8 {
    match isa {
        Isa::Vnni => Dot512::LARGEST,
        Isa::Avx512 => Pairs512::LARGEST,
        Isa::AvxVnni => Dot256::LARGEST,
        Isa::Avx2 | Isa::Portable => Pairs256::LARGEST,
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni,bmi1,popcnt")]
unsafe fn vnni<K: Kernel>(kernel: K) -> K::Output {
    // SAFETY: the features are enabled; the rest is passed on.
    unsafe { kernel.run::<Dot512, 8, 3>() }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,bmi1,popcnt")]
unsafe fn avx512<K: Kernel>(kernel: K) -> K::Output {
    // SAFETY: as above.
    unsafe { kernel.run::<Pairs512, 8, 3>() }
}

#[target_feature(enable = "avx2,fma,avxvnni,popcnt")]
unsafe fn avx_vnni<K: Kernel>(kernel: K) -> K::Output {
    // SAFETY: as above.
    unsafe { kernel.run::<Dot256, 4, 2>() }
}

#[target_feature(enable = "avx2,fma,popcnt")]
unsafe fn avx2<K: Kernel>(kernel: K) -> K::Output {
    // SAFETY: as above.
    unsafe { kernel.run::<Pairs256, 4, 2>() }
}

/// AVX-512 VNNI.
struct Dot512;

impl Dot for Dot512 {
    type S = Avx512;
    const LARGEST: i8 = 127;

    #[inline(always)]
    unsafe fn dot(sum: __m512i, centroid: __m512i, row: __m512i) -> __m512i {
        // SAFETY: the CPU has the instruction.
        unsafe { _mm512_dpbusd_epi32(sum, centroid, row) }
    }
}

/// AVX-VNNI.
struct Dot256;

impl Dot for Dot256 {
    type S = Avx2;
    const LARGEST: i8 = 127;

    #[inline(always)]
    unsafe fn dot(sum: __m256i, centroid: __m256i, row: __m256i) -> __m256i {
        // SAFETY: the CPU has the instruction.
        unsafe { _mm256_dpbusd_avx_epi32(sum, centroid, row) }
    }
}

/// AVX-512 without VNNI: sums of two products must fit 16 bits, so centroid
/// codes have 7.
struct Pairs512;

impl Dot for Pairs512 {
    type S = Avx512;
    const LARGEST: i8 = 63;

    #[inline(always)]
    unsafe fn dot(sum: __m512i, centroid: __m512i, row: __m512i) -> __m512i {
        // SAFETY: the CPU has the instructions.
        unsafe {
            let pairs = _mm512_maddubs_epi16(centroid, row);
            _mm512_add_epi32(sum, _mm512_madd_epi16(pairs, _mm512_set1_epi16(1)))
        }
    }
}

/// AVX2, likewise.
struct Pairs256;

impl Dot for Pairs256 {
    type S = Avx2;
    const LARGEST: i8 = 63;

    #[inline(always)]
    unsafe fn dot(sum: __m256i, centroid: __m256i, row: __m256i) -> __m256i {
        // SAFETY: the CPU has the instructions.
        unsafe {
            let pairs = _mm256_maddubs_epi16(centroid, row);
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Products of the codes in `centroid` and `row`, in all lanes together.
    struct Total<'a> {
        centroid: &'a [u8; 64],
        row: &'a [i8; 64],
    }

    impl Kernel for Total<'_> {
        type Output = i32;

        #[inline(always)]
        unsafe fn run<D: Dot, const ROWS: usize, const VECTORS: usize>(self) -> i32 {
            let bytes = 4 * D::S::LANES;
            // SAFETY: 64 codes are one vector or two.
            unsafe {
                let mut sum = D::S::splat_int(0);
                for at in (0..64).step_by(bytes) {
                    let centroid = D::S::load_codes(self.centroid.as_ptr().add(at), bytes);
                    let row = D::S::load_codes(self.row.as_ptr().add(at).cast(), bytes);
                    sum = D::dot(sum, centroid, row);
                }
                D::S::total(sum)
            }
        }
    }

    #[test]
    fn products_of_the_largest_codes_fit() {
        for isa in Isa::available() {
            if isa == Isa::Portable {
                continue;
            }
            let most = 2 * largest_code(isa) as u8 + 1;
            for centroid in [0, 1, most - 1, most] {
                for row in [-127i8, -1, 0, 1, 127] {
                    let mut rows = [row; 64];
                    rows[5] = 1;
                    let expected = i32::from(centroid) * (63 * i32::from(row) + 1);
                    let (centroid, row) = (&[centroid; 64], &rows);
                    // SAFETY: the instruction set is available.
                    let total = unsafe { run(isa, Total { centroid, row }) };
                    assert_eq!(total, expected, "{isa:?}");
                }
            }
        }
    }
}
