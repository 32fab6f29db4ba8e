//! How much memory a call may use beside the data, and large pieces of it.

use crate::error::{KMeansError, Result};
use crate::owned::TryArc;
use crate::system::{available, total};
use memmap2::MmapMut;
use std::ops::{Deref, DerefMut};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// The limit where none is set and the machine has plenty.
const DEFAULT_LIMIT: u64 = 2_000_000_000;

/// Bytes that any machine has.
const LITTLE: u64 = 16 << 20;

/// The memory of one call of the library. All that take part share it.
///
/// What must be had is reserved first, whatever the limit; what only saves
/// time gets the rest, or is done without. So the most that is used at a time
/// is the limit, or what must be had if that is more: [`floor`].
#[derive(Clone)]
pub(crate) struct Budget(TryArc<State>);

struct State {
    explicit: Option<u64>,
    /// Asking the system takes longer than a small call.
    default: OnceLock<u64>,
    used: AtomicU64,
}

impl Budget {
    /// `limit` bytes for all. By default what saves time may take the smaller of
    /// 2 GB and a quarter of what this process may have, beside what must be had.
    pub fn new(limit: Option<u64>) -> Result<Self> {
        let state = State {
            explicit: limit,
            default: OnceLock::new(),
            used: AtomicU64::new(0),
        };
        Ok(Budget(TryArc::new(state, "the memory of a call")?))
    }

    /// Bytes for all, used or not.
    pub fn limit(&self) -> u64 {
        let default = || total().map_or(DEFAULT_LIMIT, |bytes| DEFAULT_LIMIT.min(bytes / 4));
        self.0
            .explicit
            .unwrap_or_else(|| *self.0.default.get_or_init(default))
    }

    /// The limit where it decides what comes out: the one that the caller set,
    /// or the same on every machine.
    pub fn portable(&self) -> u64 {
        self.0.explicit.unwrap_or(DEFAULT_LIMIT)
    }

    /// Bytes that are still free.
    pub fn room(&self) -> u64 {
        self.limit()
            .saturating_sub(self.0.used.load(Ordering::Relaxed))
    }

    /// Counts bytes that must be had, even beyond the limit.
    pub fn reserve(&self, bytes: u64) -> Reserved {
        match self.0.explicit {
            Some(_) => self.count(bytes),
            None => self.count(0),
        }
    }

    /// Counts bytes for what can be done without; `None` if they exceed the
    /// limit.
    pub fn try_reserve(&self, bytes: u64) -> Option<Reserved> {
        let used = self.0.used.load(Ordering::Relaxed);
        let is_little = self.0.explicit.is_none() && used.saturating_add(bytes) <= LITTLE;
        (is_little || bytes <= self.room()).then(|| self.count(bytes))
    }

    fn count(&self, bytes: u64) -> Reserved {
        self.0.used.fetch_add(bytes, Ordering::Relaxed);
        Reserved {
            budget: self.clone(),
            bytes,
        }
    }
}

/// Bytes that training must have beside the data, whatever the limit: the state
/// of every row (`per_row`), centroids with their sums and copies in other
/// forms, sums of parts of the rows, and each thread's buffers.
pub(crate) fn floor(
    rows: usize,
    per_row: u64,
    (clusters, dims): (usize, usize),
    threads: usize,
) -> u64 {
    let (rows, values) = (rows as u64, clusters as u64 * dims as u64);
    let buffers = (6 << 20) + 1024 * dims as u64 + 256 * clusters as u64;
    rows * per_row + 64 * values + (12 << 20) + threads as u64 * buffers
}

/// Bytes of a budget, returned when dropped.
pub(crate) struct Reserved {
    budget: Budget,
    bytes: u64,
}

impl Reserved {
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        self.budget.0.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
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
        // The system may promise more than it has, and end who takes it.
        if available().is_some_and(|available| bytes as u64 > available) {
            return Err(KMeansError::out_of_memory(bytes, purpose));
        }
        // Nothing can't be mapped.
        let map = MmapMut::map_anon(bytes.max(1))
            .map_err(|_| KMeansError::out_of_memory(bytes, purpose))?;
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
        let budget = Budget::new(Some(123)).unwrap();
        assert_eq!((budget.room(), budget.portable()), (123, 123));
        let default = Budget::new(None).unwrap();
        assert!((1..=DEFAULT_LIMIT).contains(&default.room()));
        assert_eq!(default.portable(), DEFAULT_LIMIT);
        let room = default.room();
        let _must = default.reserve(10 * DEFAULT_LIMIT);
        assert_eq!(default.room(), room);
    }

    #[test]
    fn what_is_reserved_is_returned() {
        let budget = Budget::new(Some(100)).unwrap();
        let must = budget.reserve(60);
        assert!(budget.try_reserve(41).is_none());
        let may = budget.try_reserve(40).unwrap();
        assert_eq!((must.bytes(), may.bytes(), budget.room()), (60, 40, 0));
        let beyond = budget.reserve(1000);
        drop((must, may));
        assert_eq!(budget.room(), 0);
        drop(beyond);
        assert_eq!(budget.room(), 100);
    }

    /// Runs itself again under a limit of 8 GiB.
    #[test]
    #[cfg(target_os = "linux")]
    fn a_limit_of_the_address_space_counts() {
        const LIMITED: &str = "KENTRO_TEST_LIMITED";
        const GIB: u64 = 1 << 30;
        if std::env::var_os(LIMITED).is_none() {
            let name = "memory::tests::a_limit_of_the_address_space_counts";
            let script = r#"ulimit -v 8388608 && exec "$0" --exact "$1""#;
            let this = std::env::current_exe().unwrap();
            let mut shell = std::process::Command::new("sh");
            shell.args(["-c", script]).arg(this).arg(name);
            let output = shell.env(LIMITED, "1").output().unwrap();
            assert!(output.status.success(), "{output:?}");
            return;
        }
        assert_eq!(crate::system::address_space(), Some(8 * GIB));
        assert!(total().unwrap() <= 8 * GIB && available().unwrap() < 8 * GIB);
        assert!(Budget::new(None).unwrap().room() <= 2 * GIB);
        let error = Zeros::new(3 << 30, "numbers").err().unwrap();
        let KMeansError::OutOfMemory { available, .. } = error else {
            panic!("{error}");
        };
        let text = error.to_string();
        assert!(text.contains("12884901888 bytes for numbers"), "{text}");
        assert!(text.contains(&available.unwrap().to_string()), "{text}");
        assert!(text.contains("with_memory_limit"), "{text}");
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
