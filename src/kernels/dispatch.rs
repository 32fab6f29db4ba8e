//! Compiles kernels for each instruction set, and calls the right one.

#[cfg(target_arch = "x86_64")]
use super::avx2::Avx2;
#[cfg(target_arch = "x86_64")]
use super::avx512::Avx512;
use super::isa::Isa;
use super::lanes::Lanes;
#[cfg(target_arch = "aarch64")]
use super::neon::Neon;
use super::portable::Portable;
use super::simd::Simd;

/// Work in float32, in tiles of `NV` vectors of rows × `MR` centroids, whose sums
/// fill the registers.
pub(crate) trait Kernel {
    type Output;

    /// Must be `#[inline(always)]`, and what it calls: else these are calls of code
    /// for any CPU.
    ///
    /// # Safety
    /// The CPU has `S`; what else the implementor asks for.
    unsafe fn run<S: Simd, const NV: usize, const MR: usize>(self) -> Self::Output;
}

/// Work in float64, or in loops that compilers make vectors of.
pub(crate) trait Work {
    type Output;

    /// Must be `#[inline(always)]`, and what it calls, down to the methods of
    /// `lanes`: else these are calls.
    fn run<L: Lanes>(self, lanes: L) -> Self::Output;
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
#[target_feature(enable = "avx2,fma,popcnt")]
unsafe fn avx2<K: Kernel>(kernel: K) -> K::Output {
    // SAFETY: the features are enabled; the rest is passed on.
    unsafe { kernel.run::<Avx2, 2, 6>() }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,popcnt")]
unsafe fn avx512<K: Kernel>(kernel: K) -> K::Output {
    // SAFETY: as above.
    unsafe { kernel.run::<Avx512, 3, 8>() }
}

/// Lanes of a float32 vector of an instruction set that the CPU has.
pub(crate) fn lanes(isa: Isa) -> usize {
    struct Lanes;
    impl Kernel for Lanes {
        type Output = usize;

        #[inline(always)]
        unsafe fn run<S: Simd, const NV: usize, const MR: usize>(self) -> usize {
            S::LANES
        }
    }
    assert!(isa.is_available());
    // SAFETY: the CPU has it; the kernel asks for nothing.
    unsafe { run(isa, Lanes) }
}

/// Does the work with the registers of an instruction set that the CPU has.
pub(crate) fn work_on<W: Work>(isa: Isa, work: W) -> W::Output {
    assert!(isa.is_available());
    // SAFETY: the CPU has it; works ask for nothing.
    unsafe { run(isa, InLanes(work)) }
}

/// Does the work with the registers of [`Isa::chosen`].
#[inline]
pub(crate) fn work<W: Work>(work: W) -> W::Output {
    // SAFETY: only what the CPU has is chosen; works ask for nothing.
    unsafe { run(Isa::chosen(), InLanes(work)) }
}

struct InLanes<W>(W);

impl<W: Work> Kernel for InLanes<W> {
    type Output = W::Output;

    #[inline(always)]
    unsafe fn run<S: Simd, const NV: usize, const MR: usize>(self) -> W::Output {
        // SAFETY: the CPU has `S`.
        self.0.run(unsafe { S::doubles() })
    }
}
