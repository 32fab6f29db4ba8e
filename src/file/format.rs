//! What reader and writer have in common: the words of the format, and errors.

use crate::error::KMeansError;
use crate::text::text;
use std::fmt::Display;
use std::io;
use std::path::{Path, PathBuf};

/// The version of what is written. A file of a later one is refused; one of
/// this version may hold keys that are not known here.
pub(super) const VERSION: u32 = 1;

/// Bytes that the header may take, a thousand times what is written here.
pub(super) const MAX_HEADER: u64 = 1 << 20;

/// The one key that is not a tensor.
pub(super) const METADATA: &str = "__metadata__";

/// The key of what a file holds, if that is no model.
pub(crate) const KIND: &str = "kind";
pub(crate) const PARTIAL: &str = "partial";
pub(crate) const SEEDING: &str = "seeding";

/// The key of the checksum, over the whole file but with zeros for itself.
pub(super) const CHECKSUM: &str = "checksum";
pub(super) const NO_CHECKSUM: &str = "00000000";

/// Bytes that are converted at a time.
pub(super) const BLOCK: usize = 1 << 14;

pub(crate) fn broken(reason: impl Display) -> KMeansError {
    KMeansError::InvalidFile(text(reason))
}

/// What the operating system said of a file.
pub(crate) fn io_error(path: &Path, error: &io::Error) -> KMeansError {
    if error.kind() == io::ErrorKind::OutOfMemory {
        return KMeansError::out_of_memory(path.as_os_str().len(), "the path of a file");
    }
    let mut copy = PathBuf::new();
    if copy.try_reserve(path.as_os_str().len()).is_ok() {
        copy.push(path);
    }
    KMeansError::Io {
        path: copy,
        code: error.raw_os_error(),
        reason: text(error),
    }
}
