//! How much memory training may use beside the data.

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_obeyed_and_the_default_is_bounded() {
        assert_eq!(budget(Some(123)), 123);
        assert!((1..=DEFAULT_LIMIT).contains(&budget(None)));
    }
}
