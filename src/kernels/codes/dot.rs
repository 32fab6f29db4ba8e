//! Products of codes.

#[cfg(target_arch = "aarch64")]
pub(super) mod arm;
#[cfg(target_arch = "x86_64")]
pub(super) mod x86;

use crate::kernels::simd::Simd;

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
    /// The greatest lane of each of the first eight vectors.
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
    /// What is added to centroid codes, as the instructions want them.
    const OFFSET: i32;
    /// What the positive row codes of a group may sum up to, and the negative ones: see
    /// [`CodeLimits`](super::CodeLimits).
    const GROUP: i32 = i32::MAX;
    /// Whether two steps at once take less than one after the other.
    const PAIRED: bool = false;

    /// Lane by lane: the sum, and the products of four centroid codes, offset,
    /// and four row codes.
    unsafe fn dot(
        sum: <Self::S as Ints>::I,
        centroid: <Self::S as Ints>::I,
        row: <Self::S as Ints>::I,
    ) -> <Self::S as Ints>::I;

    /// The same of two steps.
    #[inline(always)]
    unsafe fn dot_pair(
        sum: <Self::S as Ints>::I,
        centroid: [<Self::S as Ints>::I; 2],
        row: [<Self::S as Ints>::I; 2],
    ) -> <Self::S as Ints>::I {
        // SAFETY: passed on.
        unsafe {
            let sum = Self::dot(sum, centroid[0], row[0]);
            Self::dot(sum, centroid[1], row[1])
        }
    }
}
