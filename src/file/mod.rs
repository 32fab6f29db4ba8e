//! Models as files: in the layout of safetensors, which readers of many
//! languages know. docs/format.md names everything that is in one.
//!
//! Reader and writer are ours, since a file may be anything: what it says of
//! its sizes is compared with its real length before memory is taken.

mod checksum;
mod contents;
mod header;
mod layout;
mod replace;
mod source;

pub(crate) use contents::{lay_out, read};
pub(crate) use layout::Layout;
pub(crate) use replace::replace;
pub(crate) use source::Source;

use crate::error::KMeansError;
use crate::text::text;
use std::fmt::Display;
use std::io;
use std::path::{Path, PathBuf};

/// The version of what is written. A file of a later one is refused; one of
/// this version may hold keys that are not known here.
const VERSION: u32 = 1;

/// Bytes that the header may take, a thousand times what is written here.
const MAX_HEADER: u64 = 1 << 20;

/// The one key that is not a tensor.
const METADATA: &str = "__metadata__";

/// The key of the checksum, over the whole file but with zeros for itself.
const CHECKSUM: &str = "checksum";
const NO_CHECKSUM: &str = "00000000";

/// Bytes that are converted at a time.
const BLOCK: usize = 1 << 14;

fn broken(reason: impl Display) -> KMeansError {
    KMeansError::InvalidFile(text(reason))
}

/// What the operating system said of a file.
pub(crate) fn io_error(path: &Path, error: &io::Error) -> KMeansError {
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
