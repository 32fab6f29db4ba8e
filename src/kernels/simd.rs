//! The few vector operations that the float32 kernels are written in.

use super::lanes::Lanes;

/// Vectors of `LANES` float32 values.
///
/// # Safety
/// Every method may only be called, directly or inlined, on a CPU that has the
/// implementor's instruction set; pointers must be valid for `LANES` values.
pub(crate) trait Simd: Copy {
    const LANES: usize;
    type V: Copy;
    /// What works with float64 on such a CPU.
    type Doubles: Lanes;

    unsafe fn doubles() -> Self::Doubles;

    unsafe fn splat(value: f32) -> Self::V;
    unsafe fn load(from: *const f32) -> Self::V;
    unsafe fn store(to: *mut f32, v: Self::V);
    /// a·b + c; fused or not.
    unsafe fn mul_add(a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// c − a·b; fused or not.
    unsafe fn minus_mul_add(a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    unsafe fn sub(a: Self::V, b: Self::V) -> Self::V;
    /// a·b + c, rounded once.
    unsafe fn fused(a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// A bit for each lane where a < b.
    unsafe fn below(a: Self::V, b: Self::V) -> u32;
    unsafe fn max(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn min(a: Self::V, b: Self::V) -> Self::V;
    /// The greatest lane.
    unsafe fn greatest(v: Self::V) -> f32;
    /// Lane by lane: `yes` where a > b, else `no`. Bits pass unchanged.
    unsafe fn if_greater(a: Self::V, b: Self::V, yes: Self::V, no: Self::V) -> Self::V;
    /// Writes the lanes of `yes` where a > b, and leaves the others.
    #[inline(always)]
    unsafe fn store_if_greater(to: *mut f32, a: Self::V, b: Self::V, yes: Self::V) {
        // SAFETY: passed on.
        unsafe { Self::store(to, Self::if_greater(a, b, yes, Self::load(to))) }
    }
    /// Transposes a square of `LANES` × `LANES` values: vector r is row r on
    /// entry and column r on return.
    unsafe fn transpose(square: &mut [Self::V]);
    /// The first `count` < `LANES` values, of which alone `from` need be valid,
    /// and zeros.
    unsafe fn load_first(from: *const f32, count: usize) -> Self::V;
    /// Lane i is the sum of the lanes of `vectors[i]`; `LANES` vectors.
    unsafe fn sums(vectors: &[Self::V]) -> Self::V;
    /// Fetches what is there into the level-2 cache. Any address will do.
    unsafe fn prefetch(from: *const f32);
}
