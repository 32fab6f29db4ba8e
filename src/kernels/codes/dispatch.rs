//! The instruction sets that the 8-bit kernels are compiled for.

use super::dot::Dot;
#[cfg(target_arch = "aarch64")]
use super::dot::arm::NeonDot;
#[cfg(target_arch = "x86_64")]
use super::dot::x86::{Dot256, Dot512, Pairs256, Pairs512};
use crate::kernels::isa::Isa;

/// Work that is compiled for each instruction set.
pub(super) trait Kernel {
    type Output;

    /// `ROWS` × `VECTORS` sums stay in registers.
    ///
    /// # Safety
    /// The CPU has `D`; what else the implementor asks for.
    unsafe fn run<D: Dot, const ROWS: usize, const VECTORS: usize>(self) -> Self::Output;
}

/// Runs the kernel. [`Isa::has_codes`] says where there is one.
///
/// # Safety
/// The CPU has the instruction set; what else the kernel asks for.
#[inline]
pub(super) unsafe fn run<K: Kernel>(isa: Isa, kernel: K) -> K::Output {
    // SAFETY: passed on.
    unsafe {
        match isa {
            #[cfg(target_arch = "x86_64")]
            Isa::Vnni => vnni(kernel),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => avx512(kernel),
            #[cfg(target_arch = "x86_64")]
            Isa::AvxVnni => avx_vnni(kernel),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => avx2(kernel),
            #[cfg(target_arch = "aarch64")]
            Isa::NeonDot => neon_dot(kernel),
            _ => unreachable!("there are no 8-bit kernels for {isa:?}"),
        }
    }
}

/// The magnitude of the codes that centroids may have; `isa` has codes.
pub(crate) fn largest_code(isa: Isa) -> i8 {
    assert!(isa.is_available());
    // SAFETY: checked; the kernel asks for nothing.
    unsafe { run(isa, CodeRange) }.0
}

/// What is added to the codes of centroids; `isa` has codes.
pub(crate) fn offset(isa: Isa) -> i32 {
    assert!(isa.is_available());
    // SAFETY: as above.
    unsafe { run(isa, CodeRange) }.1
}

/// [`Dot::LARGEST`] and [`Dot::OFFSET`].
struct CodeRange;

impl Kernel for CodeRange {
    type Output = (i8, i32);

    #[inline(always)]
    unsafe fn run<D: Dot, const ROWS: usize, const VECTORS: usize>(self) -> (i8, i32) {
        (D::LARGEST, D::OFFSET)
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni,bmi1,popcnt")]
unsafe fn vnni<K: Kernel>(kernel: K) -> K::Output {
    // SAFETY: the features are enabled; the rest is passed on.
    unsafe { kernel.run::<Dot512, 8, 3>() }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,bmi1,popcnt")]
unsafe fn avx512<K: Kernel>(kernel: K) -> K::Output {
    // SAFETY: as above.
    unsafe { kernel.run::<Pairs512, 8, 3>() }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,avxvnni,popcnt")]
unsafe fn avx_vnni<K: Kernel>(kernel: K) -> K::Output {
    // SAFETY: as above.
    unsafe { kernel.run::<Dot256, 4, 2>() }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,popcnt")]
unsafe fn avx2<K: Kernel>(kernel: K) -> K::Output {
    // SAFETY: as above.
    unsafe { kernel.run::<Pairs256, 4, 2>() }
}

#[cfg(target_arch = "aarch64")]
#[target_feature(enable = "dotprod")]
unsafe fn neon_dot<K: Kernel>(kernel: K) -> K::Output {
    // SAFETY: as above.
    unsafe { kernel.run::<NeonDot, 4, 3>() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::codes::dot::Ints;
    use crate::kernels::simd::Simd;

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
            if !isa.has_codes() {
                continue;
            }
            let (largest, offset) = (i32::from(largest_code(isa)), offset(isa));
            for code in [-largest, 1 - largest, -1, 0, 1, largest] {
                for row in [-127i8, -1, 0, 1, 127] {
                    let mut rows = [row; 64];
                    rows[5] = 1;
                    let expected = (code + offset) * (63 * i32::from(row) + 1);
                    let (centroid, row) = (&[(code + offset) as u8; 64], &rows);
                    // SAFETY: the instruction set is available.
                    let total = unsafe { run(isa, Total { centroid, row }) };
                    assert_eq!(total, expected, "{isa:?}");
                }
            }
        }
    }
}
