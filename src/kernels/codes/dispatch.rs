//! The instruction sets that the 8-bit kernels are compiled for.

use super::CodeLimits;
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

/// What there is to know of the kernels; `isa` has codes.
pub(crate) fn about(isa: Isa) -> About {
    assert!(isa.is_available());
    // SAFETY: checked; the kernel asks for nothing.
    unsafe { run(isa, Tell) }
}

/// What kernels have room for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct About {
    /// Which codes rows may have.
    pub of_rows: CodeLimits,
    /// Which codes centroids may have.
    pub of_centroids: CodeLimits,
    /// What is added to the codes of centroids.
    pub offset: i32,
    /// Rows that are searched at once.
    pub rows: usize,
}

struct Tell;

impl Kernel for Tell {
    type Output = About;

    #[inline(always)]
    unsafe fn run<D: Dot, const ROWS: usize, const VECTORS: usize>(self) -> About {
        About {
            of_rows: CodeLimits {
                largest: i8::MAX,
                group: D::GROUP,
            },
            of_centroids: CodeLimits {
                largest: D::LARGEST,
                group: i32::MAX,
            },
            offset: D::OFFSET,
            rows: ROWS,
        }
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
    unsafe { kernel.run::<Pairs256, 3, 2>() }
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

    /// Products of the codes in `centroid` and `row`, in all lanes together: a step after
    /// the other, and two steps at once.
    struct Total<'a> {
        centroid: &'a [u8; 64],
        row: &'a [i8; 64],
    }

    impl Kernel for Total<'_> {
        type Output = [i32; 2];

        #[inline(always)]
        unsafe fn run<D: Dot, const ROWS: usize, const VECTORS: usize>(self) -> [i32; 2] {
            let bytes = 4 * D::S::LANES;
            // SAFETY: 64 codes are one vector or two.
            unsafe {
                let mut sum = D::S::splat_int(0);
                let mut steps = [(D::S::splat_int(0), D::S::splat_int(0)); 2];
                for (step, at) in (0..64).step_by(bytes).enumerate() {
                    let centroid = D::S::load_codes(self.centroid.as_ptr().add(at), bytes);
                    let row = D::S::load_codes(self.row.as_ptr().add(at).cast(), bytes);
                    sum = D::dot(sum, centroid, row);
                    steps[step] = (centroid, row);
                }
                let [(c, row), (d, other)] = steps;
                let pair = D::dot_pair(D::S::splat_int(0), [c, d], [row, other]);
                [D::S::total(sum), D::S::total(pair)]
            }
        }
    }

    #[test]
    fn products_of_the_largest_codes_fit() {
        for isa in Isa::available().filter(|isa| isa.has_codes()) {
            let kernels = about(isa);
            let (group, offset) = (kernels.of_rows.group, kernels.offset);
            let largest = i32::from(kernels.of_centroids.largest);
            // Two in each half of a register: four of a group, in both steps.
            let second = (group / 2 - 127).clamp(-127, 127);
            for code in [-largest, 1 - largest, -1, 0, 1, largest] {
                for (first, second) in [(127, second), (1, 0), (-127, -second), (127, -127)] {
                    let row: [i8; 64] = std::array::from_fn(|i| match i % 2 {
                        0 => first as i8,
                        _ => second as i8,
                    });
                    let row_sum = 32 * (first + second);
                    let expected = (code + offset) * row_sum;
                    let (centroid, row) = (&[(code + offset) as u8; 64], &row);
                    // SAFETY: the instruction set is available.
                    let totals = unsafe { run(isa, Total { centroid, row }) };
                    assert_eq!(totals, [expected; 2], "{isa:?} {code} {first} {second}");
                }
            }
        }
    }
}
