//! Adding a row to a sum, for the update step.

/// Asks for the values to be fetched from memory, where the CPU can be asked.
#[inline]
pub(crate) fn prefetch(values: &[f32]) {
    #[cfg(target_arch = "x86_64")]
    for line in values.chunks(16) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: prefetching has no effect but on time.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast()) };
    }
    #[cfg(target_arch = "aarch64")]
    for line in values.chunks(16) {
        use crate::kernels::simd::Simd;
        // SAFETY: as above.
        unsafe { crate::kernels::arm::Neon::prefetch(line.as_ptr()) };
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let _ = values;
}

/// Adds `scale` × (value − origin) to `sum`, dimension by dimension, every
/// operation in float64. Returns the largest |value − origin|.
pub(crate) fn accumulate(sum: &mut [f64], values: &[f32], origin: &[f32], scale: f64) -> f32 {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f") {
            // SAFETY: the CPU has AVX-512F.
            return unsafe { with_avx512(sum, values, origin, scale) };
        }
        if is_x86_feature_detected!("avx2") {
            // SAFETY: the CPU has AVX2.
            return unsafe { with_avx2(sum, values, origin, scale) };
        }
    }
    add(sum, values, origin, scale)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn with_avx512(sum: &mut [f64], values: &[f32], origin: &[f32], scale: f64) -> f32 {
    add(sum, values, origin, scale)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn with_avx2(sum: &mut [f64], values: &[f32], origin: &[f32], scale: f64) -> f32 {
    add(sum, values, origin, scale)
}

#[inline(always)]
fn add(sum: &mut [f64], values: &[f32], origin: &[f32], scale: f64) -> f32 {
    // Magnitudes are ordered as their bits are, and integers vectorise.
    let mut largest = 0;
    for ((sum, &value), &origin) in sum.iter_mut().zip(values).zip(origin) {
        *sum += scale * (f64::from(value) - f64::from(origin));
        largest = largest.max((value - origin).abs().to_bits());
    }
    f32::from_bits(largest)
}
