//! Bytes of a file that may be anything.

use super::checksum::Checksum;
use super::format::{BLOCK, broken, io_error};
use crate::allocate;
use crate::error::{KMeansError, Result};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// What memory is for.
const MODEL: &str = "a model from a file";

/// A number of a fixed width in a file.
pub(crate) trait Number: Copy {
    const WIDTH: usize;
    fn read(bytes: &[u8]) -> Self;
}

/// Implements [`Number`].
macro_rules! numbers {
    ($($type:ty),*) => {
        $(impl Number for $type {
            const WIDTH: usize = size_of::<$type>();
            fn read(bytes: &[u8]) -> Self {
                Self::from_le_bytes(bytes.try_into().expect("as many bytes as its width"))
            }
        })*
    };
}

numbers!(u8, i32, u32, u64, f32, f64);

/// Where a model is read from.
pub(crate) struct Source<'p, R> {
    reader: R,
    /// Bytes that are left, where the length is known: not of a pipe.
    left: Option<u64>,
    checksum: Checksum,
    path: &'p Path,
}

impl<'p> Source<'p, File> {
    pub fn open(path: &'p Path) -> Result<Self> {
        let open = || {
            let file = File::open(path)?;
            let metadata = file.metadata()?;
            Ok((file, metadata.is_file().then_some(metadata.len())))
        };
        let (reader, left) = open().map_err(|error| io_error(path, &error))?;
        Ok(Source {
            reader,
            left,
            checksum: Checksum::new(),
            path,
        })
    }
}

impl<'b> Source<'static, &'b [u8]> {
    pub fn of_bytes(bytes: &'b [u8]) -> Self {
        Source {
            reader: bytes,
            left: Some(bytes.len() as u64),
            checksum: Checksum::new(),
            path: Path::new(""),
        }
    }
}

impl<R: Read> Source<'_, R> {
    /// Fills `bytes`, without adding them to the checksum.
    fn fill(&mut self, bytes: &mut [u8]) -> Result<()> {
        match self.reader.read_exact(bytes) {
            Ok(()) => {
                if let Some(left) = &mut self.left {
                    *left = left.saturating_sub(bytes.len() as u64);
                }
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(ends_early()),
            Err(error) => Err(io_error(self.path, &error)),
        }
    }

    /// The next `count` numbers, without adding them to the checksum.
    pub(crate) fn peek<T: Number>(&mut self, count: usize) -> Result<Vec<T>> {
        self.numbers(count, |_, _| ())
    }

    /// The next `count` numbers.
    pub(crate) fn read<T: Number>(&mut self, count: usize) -> Result<Vec<T>> {
        self.numbers(count, Checksum::add)
    }

    fn numbers<T: Number>(
        &mut self,
        count: usize,
        check: impl Fn(&mut Checksum, &[u8]),
    ) -> Result<Vec<T>> {
        let mut numbers = Vec::new();
        if let Some(left) = self.left {
            if (count as u64).saturating_mul(T::WIDTH as u64) > left {
                return Err(ends_early());
            }
            allocate::reserve(&mut numbers, count, MODEL)?;
        }
        let mut block = [0; BLOCK];
        while numbers.len() < count {
            let len = (count - numbers.len()).min(BLOCK / T::WIDTH);
            let bytes = &mut block[..len * T::WIDTH];
            self.fill(bytes)?;
            check(&mut self.checksum, bytes);
            allocate::extend(
                &mut numbers,
                bytes.chunks_exact(T::WIDTH).map(T::read),
                MODEL,
            )?;
        }
        Ok(numbers)
    }

    /// Passes over so many bytes.
    pub fn skip(&mut self, mut count: u64) -> Result<()> {
        let mut block = [0; BLOCK];
        while count > 0 {
            let bytes = &mut block[..count.min(BLOCK as u64) as usize];
            self.fill(bytes)?;
            self.checksum.add(bytes);
            count -= bytes.len() as u64;
        }
        Ok(())
    }

    /// Adds bytes to the checksum that [`peek`](Source::peek) has passed over.
    pub fn add_to_checksum(&mut self, bytes: &[u8]) {
        self.checksum.add(bytes);
    }

    pub fn checksum(&self) -> u32 {
        self.checksum.value()
    }

    /// An error unless so many bytes are left, as far as that is known.
    pub fn expect(&self, count: u64) -> Result<()> {
        match self.left {
            Some(left) if left < count => Err(ends_early()),
            Some(left) if left > count => Err(goes_on()),
            _ => Ok(()),
        }
    }

    /// An error unless nothing is left.
    pub fn expect_end(&mut self) -> Result<()> {
        match self.reader.read_exact(&mut [0]) {
            Ok(()) => Err(goes_on()),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(()),
            Err(error) => Err(io_error(self.path, &error)),
        }
    }
}

fn ends_early() -> KMeansError {
    broken("it ends early")
}

fn goes_on() -> KMeansError {
    broken("it goes on after its end")
}
