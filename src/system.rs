//! How much memory the system has for this process, where it tells. Asking takes
//! no memory: this is asked when there is none.

use std::fs::File;
use std::io::{Read, Write};

/// Bytes that this process may have in all, where the system tells: what the
/// machine has, or less by its control group or the limit of its address space.
pub(crate) fn total() -> Option<u64> {
    let machine = meminfo("MemTotal:");
    let limits = [
        machine,
        control_group(|group| group.limit()),
        address_space(),
    ];
    limits.into_iter().flatten().min()
}

/// Bytes that this process can still get, where the system tells.
pub(crate) fn available() -> Option<u64> {
    let swap = meminfo("SwapFree:").unwrap_or(0);
    let machine = meminfo("MemAvailable:").map(|bytes| bytes.saturating_add(swap));
    let space = address_space().map(|limit| {
        let used = number("/proc/self/status", "VmSize:");
        limit.saturating_sub(used.map_or(0, |kib| kib.saturating_mul(1024)))
    });
    let limits = [machine, control_group(|group| group.left()), space];
    limits.into_iter().flatten().min()
}

fn meminfo(name: &str) -> Option<u64> {
    number("/proc/meminfo", name)?.checked_mul(1024)
}

/// The soft limit of the address space, where there is one.
pub(crate) fn address_space() -> Option<u64> {
    number("/proc/self/limits", "Max address space")
}

/// The number after a name at the beginning of a line.
fn number(path: &str, name: &str) -> Option<u64> {
    let mut buffer = [0; 8192];
    let mut lines = read(path, &mut buffer)?.lines();
    let values = lines.find_map(|line| line.strip_prefix(name))?;
    values.split_whitespace().next()?.parse().ok()
}

/// A control group of this process, by version of the interface.
struct Group<'g> {
    root: &'g str,
    path: &'g str,
    is_version_2: bool,
}

impl Group<'_> {
    fn limit(&self) -> Option<u64> {
        // Without a limit there is a word.
        self.number(["memory.limit_in_bytes", "memory.max"], "")
    }

    /// What its processes may still take, where there is a limit. Cached files
    /// make room.
    fn left(&self) -> Option<u64> {
        let used = self.number(["memory.usage_in_bytes", "memory.current"], "")?;
        let cached = |name: [&str; 2]| {
            let name = name[usize::from(self.is_version_2)];
            self.number(["memory.stat"; 2], name).unwrap_or(0)
        };
        let cached = cached(["total_active_file ", "active_file "])
            + cached(["total_inactive_file ", "inactive_file "]);
        Some(self.limit()?.saturating_sub(used.saturating_sub(cached)))
    }

    fn number(&self, file: [&str; 2], name: &str) -> Option<u64> {
        let (root, path) = (self.root, self.path);
        let file = file[usize::from(self.is_version_2)];
        let mut place = [0; 1024];
        let mut rest = &mut place[..];
        write!(rest, "{root}{path}/{file}").ok()?;
        let left = rest.len();
        number(str::from_utf8(&place[..place.len() - left]).ok()?, name)
    }
}

/// The least that holds for a control group of this process or one above it.
fn control_group(of: impl Fn(&Group<'_>) -> Option<u64>) -> Option<u64> {
    let mut buffer = [0; 8192];
    let text = read("/proc/self/cgroup", &mut buffer)?;
    let mut least: Option<u64> = None;
    for line in text.lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        let (controllers, mut path) = (fields.next()?, fields.next()?);
        let is_version_2 = controllers.is_empty();
        if !is_version_2 && !controllers.split(',').any(|name| name == "memory") {
            continue;
        }
        let root = match is_version_2 {
            true => "/sys/fs/cgroup",
            false => "/sys/fs/cgroup/memory",
        };
        loop {
            path = path.trim_end_matches('/');
            let group = Group {
                root,
                path,
                is_version_2,
            };
            least = least.into_iter().chain(of(&group)).min();
            match path.rfind('/') {
                Some(parent) => path = &path[..parent],
                None => break,
            }
        }
    }
    least
}

/// The beginning of a small file.
fn read<'b>(path: &str, buffer: &'b mut [u8]) -> Option<&'b str> {
    let mut file = File::open(path).ok()?;
    let mut len = 0;
    while len < buffer.len() {
        match file.read(&mut buffer[len..]).ok()? {
            0 => break,
            count => len += count,
        }
    }
    str::from_utf8(&buffer[..len]).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn the_system_tells_what_there_is() {
        let (total, available) = (total().unwrap(), available().unwrap());
        assert!(1 << 20 < available && available <= total.saturating_mul(1024));
        let machine = meminfo("MemTotal:").unwrap();
        assert!(total <= machine);
    }
}
