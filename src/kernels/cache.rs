//! How large the caches are that a core has for itself.

use std::sync::OnceLock;

/// Where the CPU doesn't tell: what most have had for years, or less.
const USUAL: usize = 1 << 20;

/// Bytes of the level-2 cache. Asked once a process; sizes of blocks follow from it.
pub(crate) fn level_2() -> usize {
    static BYTES: OnceLock<usize> = OnceLock::new();
    match BYTES.get() {
        Some(&bytes) => bytes,
        None => {
            // Nobody waits for the answer, nor a child that was forked meanwhile.
            let bytes = found().map_or(USUAL, |bytes| bytes.clamp(256 << 10, 4 << 20));
            *BYTES.get_or_init(|| bytes)
        }
    }
}

/// By the instruction that tells: its leaf 4, on AMD 0x8000001d.
#[cfg(target_arch = "x86_64")]
fn found() -> Option<usize> {
    use std::arch::x86_64::{__cpuid, __cpuid_count};
    // SAFETY: every x86-64 CPU has the instruction, and leaves are asked for that it has.
    #[allow(unused_unsafe)]
    unsafe {
        let (basic, extended) = (__cpuid(0), __cpuid(0x8000_0000));
        let leaf = match basic.ebx == u32::from_le_bytes(*b"Auth") {
            true => 0x8000_001d,
            false => 4,
        };
        if leaf > if leaf == 4 { basic.eax } else { extended.eax } {
            return None;
        }
        let caches = (0..16).map(|number| __cpuid_count(leaf, number));
        let mut caches = caches.take_while(|cache| cache.eax & 0x1f > 0);
        let second = caches.find(|cache| cache.eax >> 5 & 7 == 2)?;
        let (ways, parts) = (second.ebx >> 22, second.ebx >> 12 & 0x3ff);
        let line = second.ebx & 0xfff;
        let factors = [ways, parts, line, second.ecx].map(|factor| factor as usize + 1);
        Some(factors.iter().product())
    }
}

#[cfg(all(not(target_arch = "x86_64"), target_os = "linux"))]
fn found() -> Option<usize> {
    let path = "/sys/devices/system/cpu/cpu0/cache/index2/size";
    let text = std::fs::read_to_string(path).ok()?;
    let kib: usize = text.trim().strip_suffix('K')?.parse().ok()?;
    Some(kib << 10)
}

#[cfg(not(any(target_arch = "x86_64", target_os = "linux")))]
fn found() -> Option<usize> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_is_what_the_system_says() {
        let path = "/sys/devices/system/cpu/cpu0/cache/index2";
        let text = |name: &str| std::fs::read_to_string(format!("{path}/{name}"));
        if let (Ok(level), Ok(size)) = (text("level"), text("size"))
            && level.trim() == "2"
            && let Some(kib) = size.trim().strip_suffix('K')
        {
            let bytes = kib.parse::<usize>().unwrap() << 10;
            assert_eq!(level_2(), bytes.clamp(256 << 10, 4 << 20));
        }
        assert!(level_2().is_multiple_of(1024));
    }
}
