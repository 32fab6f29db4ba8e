//! The few vector operations that the float32 kernels are written in.

/// Vectors of `LANES` float32 values.
///
/// # Safety
/// Every method may only be called, directly or inlined, on a CPU that has the
/// implementor's instruction set; pointers must be valid for `LANES` values.
pub(crate) trait Simd: Copy {
    const LANES: usize;
    type V: Copy;

    unsafe fn splat(value: f32) -> Self::V;
    unsafe fn load(from: *const f32) -> Self::V;
    unsafe fn store(to: *mut f32, v: Self::V);
    /// a·b + c; fused or not.
    unsafe fn mul_add(a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// c − a·b; fused or not.
    unsafe fn minus_mul_add(a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    unsafe fn sub(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn max(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn min(a: Self::V, b: Self::V) -> Self::V;
    /// Lane by lane: `yes` where a > b, else `no`. Bits pass unchanged.
    unsafe fn if_greater(a: Self::V, b: Self::V, yes: Self::V, no: Self::V) -> Self::V;
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

/// Plain arrays, which compilers turn into the target's baseline vectors.
#[derive(Clone, Copy)]
pub(crate) struct Portable;

const PORTABLE_LANES: usize = 8;

impl Simd for Portable {
    const LANES: usize = PORTABLE_LANES;
    type V = [f32; PORTABLE_LANES];

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self::V {
        [value; PORTABLE_LANES]
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self::V {
        // SAFETY: valid for LANES values by the trait's contract.
        unsafe { from.cast::<Self::V>().read_unaligned() }
    }

    #[inline(always)]
    unsafe fn store(to: *mut f32, v: Self::V) {
        // SAFETY: valid for LANES values by the trait's contract.
        unsafe { to.cast::<Self::V>().write_unaligned(v) }
    }

    #[inline(always)]
    unsafe fn mul_add(a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        std::array::from_fn(|lane| a[lane] * b[lane] + c[lane])
    }

    #[inline(always)]
    unsafe fn minus_mul_add(a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        std::array::from_fn(|lane| c[lane] - a[lane] * b[lane])
    }

    #[inline(always)]
    unsafe fn sub(a: Self::V, b: Self::V) -> Self::V {
        std::array::from_fn(|lane| a[lane] - b[lane])
    }

    #[inline(always)]
    unsafe fn max(a: Self::V, b: Self::V) -> Self::V {
        std::array::from_fn(|lane| if a[lane] > b[lane] { a[lane] } else { b[lane] })
    }

    #[inline(always)]
    unsafe fn min(a: Self::V, b: Self::V) -> Self::V {
        std::array::from_fn(|lane| if a[lane] < b[lane] { a[lane] } else { b[lane] })
    }

    #[inline(always)]
    unsafe fn if_greater(a: Self::V, b: Self::V, yes: Self::V, no: Self::V) -> Self::V {
        std::array::from_fn(|lane| {
            if a[lane] > b[lane] {
                yes[lane]
            } else {
                no[lane]
            }
        })
    }

    #[inline(always)]
    unsafe fn transpose(square: &mut [Self::V]) {
        for row in 1..PORTABLE_LANES {
            let (before, rest) = square.split_at_mut(row);
            for (column, other) in before.iter_mut().enumerate() {
                std::mem::swap(&mut rest[0][column], &mut other[row]);
            }
        }
    }

    #[inline(always)]
    unsafe fn load_first(from: *const f32, count: usize) -> Self::V {
        // SAFETY: valid for `count` values by the trait's contract.
        let values = unsafe { std::slice::from_raw_parts(from, count) };
        std::array::from_fn(|lane| values.get(lane).copied().unwrap_or(0.0))
    }

    #[inline(always)]
    unsafe fn sums(vectors: &[Self::V]) -> Self::V {
        std::array::from_fn(|lane| vectors[lane].iter().sum())
    }

    #[inline(always)]
    unsafe fn prefetch(_: *const f32) {}
}
