//! Models as files: in the layout of safetensors, which readers of many
//! languages know. docs/format.md names everything that is in one.
//!
//! Reader and writer are ours, since a file may be anything: what it says of
//! its sizes is compared with its real length before memory is taken.

mod checksum;
mod contents;
mod format;
mod header;
mod layout;
mod replace;
mod source;

pub(crate) use contents::{choice, lay_out, read, read_tensors, vector, wrong};
pub(crate) use format::{KIND, PARTIAL, SEEDING, broken, io_error};
pub(crate) use header::Header;
pub(crate) use layout::{Layout, Values};
pub(crate) use replace::replace;
pub(crate) use source::Source;
