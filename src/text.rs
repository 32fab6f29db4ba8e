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

/// `value` as text; "" where memory for it cannot be had.
pub(crate) fn text(value: impl fmt::Display) -> String {
    let mut growing = Growing(String::new());
    match write!(growing, "{value}") {
        Ok(()) => growing.0,
        Err(fmt::Error) => String::new(),
    }
}
