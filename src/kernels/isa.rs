//! Which instruction set the kernels use.

use std::sync::OnceLock;

/// From the slowest to the fastest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Isa {
    /// Whatever the target guarantees; vectorised by the compiler.
    #[default]
    Portable,
    /// AVX2 and FMA: x86-64 since 2013 (Intel) and 2015 (AMD).
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// AVX2 with AVX-VNNI, the 8-bit dot product of 256 bits: Intel since 2021
    /// where AVX-512 is missing.
    #[cfg(target_arch = "x86_64")]
    AvxVnni,
    /// AVX-512 F, BW, DQ and VL.
    #[cfg(target_arch = "x86_64")]
    Avx512,
    /// AVX-512 with VNNI, the 8-bit dot product.
    #[cfg(target_arch = "x86_64")]
    Vnni,
    /// What every 64-bit ARM CPU has.
    #[cfg(target_arch = "aarch64")]
    Neon,
    /// NEON with the 8-bit dot product: ARM since about 2018.
    #[cfg(target_arch = "aarch64")]
    NeonDot,
}

/// With the names that the environment variable `KENTRO_ISA` gives. It knows more: how
/// products of codes are made ([`Products`](super::codes::Products)).
const ALL: &[(Isa, &str)] = &[
    (Isa::Portable, "portable"),
    #[cfg(target_arch = "x86_64")]
    (Isa::Avx2, "avx2"),
    #[cfg(target_arch = "x86_64")]
    (Isa::AvxVnni, "avxvnni"),
    #[cfg(target_arch = "x86_64")]
    (Isa::Avx512, "avx512"),
    #[cfg(target_arch = "x86_64")]
    (Isa::Vnni, "vnni"),
    #[cfg(target_arch = "aarch64")]
    (Isa::Neon, "neon"),
    #[cfg(target_arch = "aarch64")]
    (Isa::NeonDot, "neondot"),
];

impl Isa {
    /// The best that this CPU has.
    pub fn detect() -> Self {
        Self::available().max().unwrap_or(Isa::Portable)
    }

    /// The value of the environment variable `KENTRO_ISA`, read once a process.
    pub fn asked() -> &'static str {
        static ASKED: OnceLock<String> = OnceLock::new();
        ASKED.get_or_init(|| std::env::var("KENTRO_ISA").unwrap_or_default())
    }

    /// The one that the environment variable names, if this CPU has it.
    pub fn forced() -> Option<Self> {
        static FORCED: OnceLock<Option<Isa>> = OnceLock::new();
        *FORCED.get_or_init(|| {
            let named = ALL.iter().find(|&&(_, known)| known == Self::asked());
            named.map(|&(isa, _)| isa).filter(|isa| isa.is_available())
        })
    }

    /// The one that is forced, or the best that this CPU has.
    #[inline]
    pub fn chosen() -> Self {
        static CHOSEN: OnceLock<Isa> = OnceLock::new();
        *CHOSEN.get_or_init(|| Self::forced().unwrap_or(Self::detect()))
    }

    /// All that this CPU has.
    pub fn available() -> impl Iterator<Item = Self> {
        let all = ALL.iter().map(|&(isa, _)| isa);
        all.filter(|isa| isa.is_available())
    }

    /// Whether this CPU has it.
    #[cfg(target_arch = "x86_64")]
    pub fn is_available(self) -> bool {
        let avx2 = is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("fma")
            && is_x86_feature_detected!("popcnt");
        let avx512 = avx2
            && is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl");
        match self {
            Isa::Portable => true,
            Isa::Avx2 => avx2,
            Isa::AvxVnni => avx2 && is_x86_feature_detected!("avxvnni"),
            Isa::Avx512 => avx512,
            Isa::Vnni => avx512 && is_x86_feature_detected!("avx512vnni"),
        }
    }

    /// Whether this CPU has it.
    #[cfg(target_arch = "aarch64")]
    pub fn is_available(self) -> bool {
        match self {
            Isa::Portable | Isa::Neon => true,
            Isa::NeonDot => std::arch::is_aarch64_feature_detected!("dotprod"),
        }
    }

    /// Whether this CPU has it.
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    pub fn is_available(self) -> bool {
        true
    }

    /// Whether there are kernels for 8-bit codes that are faster than float32.
    pub fn has_codes(self) -> bool {
        match self {
            Isa::Portable => false,
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 | Isa::AvxVnni | Isa::Avx512 | Isa::Vnni => true,
            #[cfg(target_arch = "aarch64")]
            Isa::Neon => false,
            #[cfg(target_arch = "aarch64")]
            Isa::NeonDot => true,
        }
    }

    /// The fastest for float32 tiles on a CPU whose best is this. Where 512 bits
    /// are gone over twice, they gain nothing in these.
    pub fn for_tiles(self) -> Self {
        match self {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 | Isa::Vnni if half_width() => Isa::Avx2,
            isa => isa,
        }
    }
}

/// Whether this CPU splits 512-bit operations in two, as AMD's family 19h
/// (Zen 4) does.
#[cfg(target_arch = "x86_64")]
pub(crate) fn half_width() -> bool {
    use std::arch::x86_64::__cpuid;
    static HALF: OnceLock<bool> = OnceLock::new();
    // SAFETY: every x86-64 CPU has the instruction.
    #[allow(unused_unsafe)]
    *HALF.get_or_init(|| unsafe {
        let (vendor, version) = (__cpuid(0), __cpuid(1).eax);
        let family = (version >> 8 & 0xf) + (version >> 20 & 0xff);
        vendor.ebx == u32::from_le_bytes(*b"Auth") && family == 0x19
    })
}
