//! Compiles float32 kernels for each instruction set, and calls the right one.

#[cfg(target_arch = "aarch64")]
use super::arm::Neon;
use super::isa::Isa;
use super::simd::{Portable, Simd};
#[cfg(target_arch = "x86_64")]
use super::x86::{Avx2, Avx512};

/// Work in tiles of `NV` vectors of rows × `MR` centroids, whose sums fill the
/// registers.
pub(crate) trait Kernel {
    type Output;

    /// # Safety
    /// The CPU has `S`; what else the implementor asks for.
    unsafe fn run<S: Simd, const NV: usize, const MR: usize>(self) -> Self::Output;
}

/// # Safety
/// The CPU has the instruction set; what else the kernel asks for.
#[inline]
pub(crate) unsafe fn run<K: Kernel>(isa: Isa, kernel: K) -> K::Output {
    // SAFETY: passed on.
    unsafe {
        match isa {
            Isa::Portable => kernel.run::<Portable, 1, 4>(),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 | Isa::AvxVnni => avx2(kernel),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 | Isa::Vnni => avx512(kernel),
            #[cfg(target_arch = "aarch64")]
            Isa::Neon | Isa::NeonDot => kernel.run::<Neon, 1, 12>(),
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn avx2<K: Kernel>(kernel: K) -> K::Output {
    // SAFETY: the features are enabled; the rest is passed on.
    unsafe { kernel.run::<Avx2, 2, 6>() }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
unsafe fn avx512<K: Kernel>(kernel: K) -> K::Output {
    // SAFETY: as above.
    unsafe { kernel.run::<Avx512, 3, 8>() }
}
