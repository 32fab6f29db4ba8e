//! Arrays that start at a cache line, so that no vector in them straddles two.

use crate::allocate::{resize, try_vec};
use crate::error::Result;
use std::ops::{Deref, DerefMut};

/// Bytes of a cache line, and of the widest vectors.
const LINE: usize = 64;

/// As many values as asked for, from the start of a cache line on.
#[derive(Default)]
pub(crate) struct Aligned<T> {
    values: Vec<T>,
    start: usize,
    len: usize,
}

impl<T: Copy> Aligned<T> {
    pub fn new(value: T, len: usize, purpose: &'static str) -> Result<Self> {
        let values = try_vec(value, len + LINE / size_of::<T>(), purpose)?;
        let start = values.as_ptr().align_offset(LINE);
        Ok(Aligned { values, start, len })
    }

    /// Changes the length; the values are whatever they were, or `value`.
    pub fn resize(&mut self, value: T, len: usize, purpose: &'static str) -> Result<()> {
        // Empty until there is room again.
        (self.start, self.len) = (0, 0);
        resize(
            &mut self.values,
            len + LINE / size_of::<T>(),
            value,
            purpose,
        )?;
        self.start = self.values.as_ptr().align_offset(LINE);
        self.len = len;
        Ok(())
    }
}

impl<T> Deref for Aligned<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.values[self.start..][..self.len]
    }
}

impl<T> DerefMut for Aligned<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.values[self.start..][..self.len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_at_a_line_and_is_as_long_as_asked_for() {
        let mut values = Aligned::new(7u8, 100, "numbers").unwrap();
        assert_eq!(&*values, &[7; 100]);
        for len in [0, 1, 1000, 70_000] {
            values.resize(3, len, "numbers").unwrap();
            assert_eq!(values.len(), len);
            assert_eq!(values.as_ptr().addr() % LINE, 0);
        }
        assert!(Aligned::<f32>::default().is_empty());
    }
}
