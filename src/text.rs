//! Texts in memory that may be refused.

use std::fmt::{self, Write};

/// A text that can be written to.
pub(crate) struct Growing(pub String);

impl Write for Growing {
    fn write_str(&mut self, piece: &str) -> fmt::Result {
        self.0.try_reserve(piece.len()).map_err(|_| fmt::Error)?;
        self.0.push_str(piece);
        Ok(())
    }
}

/// `value` as text; "" where memory for it cannot be had: for what is told, in
/// an error say, beside what counts.
pub(crate) fn text(value: impl fmt::Display) -> String {
    try_text(value).unwrap_or_default()
}

/// `value` as text, or how many bytes of it there were when memory was refused.
pub(crate) fn try_text(value: impl fmt::Display) -> Result<String, usize> {
    let mut growing = Growing(String::new());
    match write!(growing, "{value}") {
        Ok(()) => Ok(growing.0),
        Err(fmt::Error) => Err(growing.0.len()),
    }
}
