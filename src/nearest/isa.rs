//! Which instruction set the kernels use.

/// From the slowest to the fastest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Isa {
    /// Whatever the target guarantees; vectorised by the compiler.
    Portable,
    /// AVX2 and FMA: x86-64 since 2013 (Intel) and 2015 (AMD).
    Avx2,
    /// AVX2 with AVX-VNNI, the 8-bit dot product of 256 bits: Intel since 2021
    /// where AVX-512 is missing.
    AvxVnni,
    /// AVX-512 F, BW, DQ and VL.
    Avx512,
    /// AVX-512 with VNNI, the 8-bit dot product.
    Vnni,
}

const ALL: [Isa; 5] = [
    Isa::Portable,
    Isa::Avx2,
    Isa::AvxVnni,
    Isa::Avx512,
    Isa::Vnni,
];

impl Isa {
    /// The best that this CPU has.
    pub fn detect() -> Self {
        let available = ALL.into_iter().filter(|isa| isa.is_available());
        available.max().unwrap_or(Isa::Portable)
    }

    /// Whether this CPU has it.
    pub fn is_available(self) -> bool {
        #[cfg(target_arch = "x86_64")]
        {
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
        #[cfg(not(target_arch = "x86_64"))]
        {
            self == Isa::Portable
        }
    }

    /// All that this CPU has.
    #[cfg(test)]
    pub fn available() -> Vec<Self> {
        ALL.into_iter().filter(|isa| isa.is_available()).collect()
    }

    /// By the name that the environment variable `KENTRO_ISA` gives.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "portable" => Some(Isa::Portable),
            "avx2" => Some(Isa::Avx2),
            "avxvnni" => Some(Isa::AvxVnni),
            "avx512" => Some(Isa::Avx512),
            "vnni" => Some(Isa::Vnni),
            _ => None,
        }
    }
}

/// Whether this CPU splits 512-bit operations in two, as AMD's family 19h
/// (Zen 4) does.
#[cfg(target_arch = "x86_64")]
pub(super) fn half_width() -> bool {
    use std::arch::x86_64::__cpuid;
    static HALF: std::sync::OnceLock<bool> = std::sync::OnceLock::new();
    // SAFETY: every x86-64 CPU has the instruction.
    #[allow(unused_unsafe)]
    *HALF.get_or_init(|| unsafe {
        let (vendor, version) = (__cpuid(0), __cpuid(1).eax);
        let family = (version >> 8 & 0xf) + (version >> 20 & 0xff);
        vendor.ebx == u32::from_le_bytes(*b"Auth") && family == 0x19
    })
}
