//! Texts for C: UTF-8 that ends in NUL.

use super::status::Outcome;
use crate::allocate;
use libc::c_char;
use std::fmt;

/// A text to be lent.
pub(super) struct Text(Vec<u8>);

impl Text {
    /// `text` up to its first NUL.
    pub fn new(text: &str, purpose: &'static str) -> Outcome<Self> {
        let text = before_nul(text).as_bytes();
        let mut bytes = allocate::with_capacity(text.len() + 1, purpose)?;
        bytes.extend_from_slice(text);
        bytes.push(0);
        Ok(Text(bytes))
    }

    pub fn as_ptr(&self) -> *const c_char {
        self.0.as_ptr().cast()
    }
}

/// A line that needs no memory but its own; what doesn't fit is cut off.
pub(super) struct Line {
    bytes: [u8; 1024],
    /// Below the number of bytes.
    len: usize,
}

impl Line {
    pub const fn new() -> Self {
        let bytes = [0; _];
        Line { bytes, len: 0 }
    }

    /// Replaces the text.
    pub fn set(&mut self, value: impl fmt::Display) {
        self.len = 0;
        // An error only says that some of it was cut off.
        let _ = fmt::write(self, format_args!("{value}"));
        self.bytes[self.len] = 0;
    }

    pub fn as_ptr(&self) -> *const c_char {
        self.bytes.as_ptr().cast()
    }
}

impl fmt::Write for Line {
    fn write_str(&mut self, piece: &str) -> fmt::Result {
        let text = before_nul(piece);
        let mut end = text.len().min(self.bytes.len() - 1 - self.len);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        self.bytes[self.len..][..end].copy_from_slice(&text.as_bytes()[..end]);
        self.len += end;
        if end < piece.len() {
            Err(fmt::Error)
        } else {
            Ok(())
        }
    }
}

fn before_nul(text: &str) -> &str {
    text.split('\0').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::CStr;

    fn read(pointer: *const c_char) -> String {
        // SAFETY: of a text that lives, and ends in NUL.
        let text = unsafe { CStr::from_ptr(pointer) };
        text.to_str().unwrap().into()
    }

    #[test]
    fn texts_end_at_nul_and_at_the_last_whole_character_that_fits() {
        assert_eq!(read(Text::new("a\0b", "a test").unwrap().as_ptr()), "a");
        let mut line = Line::new();
        line.set(format_args!("{}\0b", "a"));
        assert_eq!(read(line.as_ptr()), "a");
        line.set(format_args!("x{}{}", "ö".repeat(600), "tail"));
        assert_eq!(read(line.as_ptr()), format!("x{}", "ö".repeat(511)));
        line.set("");
        assert_eq!(read(line.as_ptr()), "");
    }
}
