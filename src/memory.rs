//! How much memory training may use beside the data, and large pieces of it.

use crate::error::{KMeansError, Result};
use memmap2::MmapMut;
use std::ops::{Deref, DerefMut};

/// The limit where none is set, and where the machine's memory is unknown.
const DEFAULT_LIMIT: u64 = 2_000_000_000;

/// Bytes that may be used: `limit`, by default the smaller of 2 GB and a
/// quarter of the machine's memory.
pub(crate) fn budget(limit: Option<u64>) -> u64 {
    limit.unwrap_or_else(|| match machine_memory() {
        Some(bytes) => DEFAULT_LIMIT.min(bytes / 4),
        None => DEFAULT_LIMIT,
    })
}

/// Bytes of memory that this machine has, where the system tells.
fn machine_memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

/// A large array of float32 zeros, fresh from the system: nothing is written
/// before it is used. It lies in huge pages where there are such, for in small
/// ones first uses cost a fifth of the work on a distance matrix.
pub(crate) struct Zeros {
    map: MmapMut,
    len: usize,
}

impl Zeros {
    pub fn new(len: usize, purpose: &'static str) -> Result<Self> {
        let bytes = len.saturating_mul(size_of::<f32>());
        // Nothing can't be mapped.
        let map = MmapMut::map_anon(bytes.max(1))
            .map_err(|_| KMeansError::OutOfMemory { bytes, purpose })?;
        // Only the speed depends on it.
        #[cfg(target_os = "linux")]
        let _ = map.advise(memmap2::Advice::HugePage);
        Ok(Zeros { map, len })
    }
}

impl Deref for Zeros {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        bytemuck::cast_slice(&self.map[..self.len * size_of::<f32>()])
    }
}

impl DerefMut for Zeros {
    fn deref_mut(&mut self) -> &mut [f32] {
        bytemuck::cast_slice_mut(&mut self.map[..self.len * size_of::<f32>()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_obeyed_and_the_default_is_bounded() {
        assert_eq!(budget(Some(123)), 123);
        assert!((1..=DEFAULT_LIMIT).contains(&budget(None)));
    }

    #[test]
    fn zeros_are_zero_and_can_be_none_or_too_many() {
        assert!(Zeros::new(0, "nothing").unwrap().is_empty());
        let mut zeros = Zeros::new(3_000_000, "numbers").unwrap();
        assert!(zeros.iter().all(|&value| value == 0.0));
        zeros[2_999_999] = 7.0;
        assert_eq!(zeros.last(), Some(&7.0));
        for len in [usize::MAX, usize::MAX / 8, 1 << 55] {
            let error = Zeros::new(len, "numbers").err();
            assert!(matches!(error, Some(KMeansError::OutOfMemory { .. })));
        }
    }
}
