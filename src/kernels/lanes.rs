//! Eight float64 values at a time.

use super::isa::Isa;

/// Rows that lie side by side, for vector registers.
pub(crate) const LANES: usize = 8;

/// The label of a row that is there only to fill up the lanes.
pub(crate) const REPEATED: u32 = u32::MAX - 1;

/// Work that is compiled for each instruction set.
pub(crate) trait Work {
    type Output;

    /// Must be `#[inline(always)]`, and what it calls, down to the methods of
    /// `lanes`: else these are calls.
    fn run<L: Lanes>(self, lanes: L) -> Self::Output;
}

/// Runs the work with the registers of an instruction set that the CPU has.
pub(crate) fn run<W: Work>(isa: Isa, work: W) -> W::Output {
    assert!(isa.is_available());
    // SAFETY: the CPU has it.
    unsafe { dispatch(isa, work) }
}

/// Runs the work with the registers of [`Isa::chosen`].
#[inline]
pub(crate) fn run_chosen<W: Work>(work: W) -> W::Output {
    // SAFETY: only what the CPU has is chosen.
    unsafe { dispatch(Isa::chosen(), work) }
}

/// # Safety
/// The CPU has the instruction set.
#[inline]
unsafe fn dispatch<W: Work>(isa: Isa, work: W) -> W::Output {
    match isa {
        // SAFETY: the CPU has it.
        #[cfg(target_arch = "x86_64")]
        Isa::Vnni | Isa::Avx512 => unsafe { run_avx512(work) },
        // SAFETY: the CPU has it.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 | Isa::AvxVnni => unsafe { run_avx2(work) },
        _ => work.run(Portable(())),
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,popcnt")]
fn run_avx512<W: Work>(work: W) -> W::Output {
    work.run(x86::Avx512(()))
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,popcnt")]
fn run_avx2<W: Work>(work: W) -> W::Output {
    work.run(x86::Avx2(()))
}

/// Eight lanes of float64, in whatever registers there are. There is a value of
/// an implementor only where the CPU has its instruction set.
pub(crate) trait Lanes: Copy {
    type F: Copy;
    /// A yes or no for each lane.
    type Mask: Copy;
    /// Whole numbers of 64 bits.
    type I: Copy;

    fn splat(self, value: f64) -> Self::F;
    fn widen(self, values: &[f32; LANES]) -> Self::F;
    fn load(self, values: &[f64; LANES]) -> Self::F;
    fn store(self, values: Self::F) -> [f64; LANES];
    fn add(self, a: Self::F, b: Self::F) -> Self::F;
    fn sub(self, a: Self::F, b: Self::F) -> Self::F;
    fn mul(self, a: Self::F, b: Self::F) -> Self::F;
    fn less(self, a: Self::F, b: Self::F) -> Self::Mask;
    fn abs(self, a: Self::F) -> Self::F;
    /// The first lane with the least value, which must not be NaN.
    fn least_lane(self, a: Self::F) -> usize;
    /// The lanes that `bits` names move to the front, in order; what follows
    /// them is unspecified.
    fn compress(self, bits: u8, a: Self::F) -> Self::F;
    fn equal(self, labels: &[u32; LANES], label: u32) -> Self::Mask;
    /// `a` where the mask says yes, else `b`.
    fn select(self, mask: Self::Mask, a: Self::F, b: Self::F) -> Self::F;
    /// Lane 0 is the lowest bit.
    fn bits(self, mask: Self::Mask) -> u8;
    /// Writes whole numbers to all labels but those that are [`REPEATED`].
    /// Returns how many that changed.
    fn relabel(self, labels: &mut [u32; LANES], new: Self::F) -> u32;

    /// The bits of each lane as a whole number.
    fn to_bits(self, a: Self::F) -> Self::I;
    fn zero(self) -> Self::I;
    fn load_whole(self, values: &[i64; LANES]) -> Self::I;
    fn store_whole(self, to: &mut [i64; LANES], values: Self::I);
    /// Wrapping.
    fn add_whole(self, a: Self::I, b: Self::I) -> Self::I;
    /// Wrapping.
    fn sub_whole(self, a: Self::I, b: Self::I) -> Self::I;
    fn and(self, a: Self::I, b: Self::I) -> Self::I;
}

/// Plain arrays, for any CPU.
#[derive(Clone, Copy)]
pub(crate) struct Portable(());

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
    fn compress(self, mut bits: u8, a: Self::F) -> Self::F {
        let mut out = a;
        let mut next = 0;
        while bits != 0 {
            out[next] = a[bits.trailing_zeros() as usize];
            next += 1;
            bits &= bits - 1;
        }
        out
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

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{LANES, Lanes, Portable, REPEATED};
    use std::arch::x86_64::*;

    /// Two registers of AVX2.
    #[derive(Clone, Copy)]
    pub struct Avx2(pub(super) ());

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
        fn compress(self, bits: u8, a: Self::F) -> Self::F {
            self.load(&Portable(()).compress(bits, self.store(a)))
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

    /// One register of AVX-512.
    #[derive(Clone, Copy)]
    pub struct Avx512(pub(super) ());

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
                let least =
                    _mm512_min_pd(least, _mm512_shuffle_f64x2::<0b10_11_00_01>(least, least));
                let least = _mm512_min_pd(least, _mm512_permute_pd::<0b01010101>(least));
                let equal = _mm512_cmp_pd_mask::<_CMP_EQ_OQ>(a, least);
                equal.trailing_zeros() as usize
            }
        }
        #[inline(always)]
        fn compress(self, bits: u8, a: Self::F) -> Self::F {
            // SAFETY: see above.
            unsafe { _mm512_maskz_compress_pd(bits, a) }
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
}
