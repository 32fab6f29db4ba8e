//! Writes the layout of safetensors: the length of the header in eight bytes,
//! the header as JSON, and the values of all tensors, little-endian, without
//! gaps.

use super::checksum::Checksum;
use super::format::{BLOCK, CHECKSUM, METADATA, NO_CHECKSUM, VERSION};
use crate::allocate;
use crate::error::{KMeansError, Result};
use crate::nearest::AnyCentroids;
use crate::text::Growing;
use ndarray::Array2;
use std::convert::Infallible;
use std::fmt::{self, Write};
use std::mem;

/// What memory is for.
const HEADER: &str = "the header of a model file";

/// What a sink of bytes returns.
type Told<E> = std::result::Result<(), E>;

/// The values of a tensor, row-major.
#[derive(Clone, Copy)]
pub(crate) enum Values<'a> {
    F32(&'a Array2<f32>),
    Centroids(&'a AnyCentroids),
    Floats(&'a [f32]),
    F64(&'a [f64]),
    MatrixF64(&'a Array2<f64>),
    U32(&'a [u32]),
    /// Written as 64 bits everywhere.
    U64(&'a [usize]),
    Words(&'a [u64]),
    I32(&'a [i32]),
}

impl Values<'_> {
    fn dtype(self) -> &'static str {
        match self {
            Values::F32(_) | Values::Centroids(_) | Values::Floats(_) => "F32",
            Values::F64(_) | Values::MatrixF64(_) => "F64",
            Values::U32(_) => "U32",
            Values::U64(_) | Values::Words(_) => "U64",
            Values::I32(_) => "I32",
        }
    }

    /// Bytes a value.
    fn width(self) -> usize {
        match self {
            Values::F32(_) | Values::Centroids(_) | Values::Floats(_) => 4,
            Values::U32(_) | Values::I32(_) => 4,
            Values::F64(_) | Values::MatrixF64(_) | Values::U64(_) | Values::Words(_) => 8,
        }
    }

    fn len(self) -> usize {
        match self {
            Values::F32(values) => values.len(),
            Values::Centroids(values) => values.dim().0 * values.dim().1,
            Values::Floats(values) => values.len(),
            Values::F64(values) => values.len(),
            Values::MatrixF64(values) => values.len(),
            Values::U32(values) => values.len(),
            Values::U64(values) => values.len(),
            Values::Words(values) => values.len(),
            Values::I32(values) => values.len(),
        }
    }

    /// Tells `sink` the bytes, a block at a time.
    fn emit<E>(self, sink: &mut impl FnMut(&[u8]) -> Told<E>) -> Told<E> {
        match self {
            Values::F32(values) => blocks(values, |&v| v.to_le_bytes(), sink),
            Values::Centroids(values) => blocks(values.numbers(), f32::to_le_bytes, sink),
            Values::Floats(values) => blocks(values, |&v| v.to_le_bytes(), sink),
            Values::F64(values) => blocks(values, |&v| v.to_le_bytes(), sink),
            Values::MatrixF64(values) => blocks(values, |&v| v.to_le_bytes(), sink),
            Values::U32(values) => blocks(values, |&v| v.to_le_bytes(), sink),
            Values::U64(values) => blocks(values, |&v| (v as u64).to_le_bytes(), sink),
            Values::Words(values) => blocks(values, |&v| v.to_le_bytes(), sink),
            Values::I32(values) => blocks(values, |&v| v.to_le_bytes(), sink),
        }
    }
}

fn blocks<T, const WIDTH: usize, E>(
    values: impl IntoIterator<Item = T>,
    bytes_of: impl Fn(T) -> [u8; WIDTH],
    sink: &mut impl FnMut(&[u8]) -> Told<E>,
) -> Told<E> {
    let mut values = values.into_iter();
    let mut block = [0; BLOCK];
    loop {
        let (places, _) = block.as_chunks_mut();
        let mut len = 0;
        for (place, value) in places.iter_mut().zip(&mut values) {
            *place = bytes_of(value);
            len += WIDTH;
        }
        if len == 0 {
            return Ok(());
        }
        sink(&block[..len])?;
    }
}

struct Tensor<'a> {
    name: &'static str,
    values: Values<'a>,
}

/// A file about to be written.
pub(crate) struct Layout<'a> {
    header: Growing,
    tensors: Vec<Tensor<'a>>,
}

impl<'a> Layout<'a> {
    pub(crate) fn new() -> Result<Self> {
        let mut layout = Layout {
            header: Growing(String::new()),
            tensors: Vec::new(),
        };
        put(
            &mut layout.header,
            format_args!("{{\"{METADATA}\":{{\"format\":\"kentro\""),
        )?;
        layout.add("format_version", VERSION)?;
        layout.add(CHECKSUM, NO_CHECKSUM)?;
        Ok(layout)
    }

    /// Adds a line of metadata.
    pub(crate) fn add(&mut self, key: &str, value: impl fmt::Display) -> Result<()> {
        put(&mut self.header, format_args!(",\"{key}\":\""))?;
        write!(Escaped(&mut self.header), "{value}").map_err(|_| refused(&self.header))?;
        put(&mut self.header, format_args!("\""))
    }

    pub(crate) fn add_tensor(&mut self, name: &'static str, values: Values<'a>) -> Result<()> {
        allocate::push(&mut self.tensors, Tensor { name, values }, HEADER)
    }

    /// Ends the header, but for the checksum.
    pub(crate) fn finish(mut self) -> Result<Self> {
        // Wide values first, so that all are aligned.
        let order = |tensor: &Tensor| (usize::MAX - tensor.values.width(), tensor.name);
        self.tensors.sort_unstable_by_key(order);
        let header = &mut self.header;
        put(header, format_args!("}}"))?;
        let mut offset = 0;
        for tensor in &self.tensors {
            let end = offset + tensor.values.len() * tensor.values.width();
            let (name, dtype) = (tensor.name, tensor.values.dtype());
            put(
                header,
                format_args!(",\"{name}\":{{\"dtype\":\"{dtype}\",\"shape\":["),
            )?;
            match tensor.values {
                Values::F32(matrix) => {
                    let (rows, cols) = matrix.dim();
                    put(header, format_args!("{rows},{cols}"))?;
                }
                Values::Centroids(matrix) => {
                    let (rows, cols) = matrix.dim();
                    put(header, format_args!("{rows},{cols}"))?;
                }
                Values::MatrixF64(matrix) => {
                    let (rows, cols) = matrix.dim();
                    put(header, format_args!("{rows},{cols}"))?;
                }
                vector => put(header, format_args!("{}", vector.len()))?,
            }
            put(
                header,
                format_args!("],\"data_offsets\":[{offset},{end}]}}"),
            )?;
            offset = end;
        }
        put(header, format_args!("}}"))?;
        let padding = header.0.len().next_multiple_of(8) - header.0.len();
        put(header, format_args!("{:padding$}", ""))?;

        Ok(self)
    }

    /// Writes the checksum of all other bytes into the header.
    pub fn sign(mut self) -> Result<Self> {
        let mut digits = Growing(String::new());
        put(&mut digits, format_args!("{:08x}", self.checksum()))?;
        let header = &mut self.header.0;
        let key = header.find(CHECKSUM).expect("put there above");
        let start = key + CHECKSUM.len() + "\":\"".len();
        header.replace_range(start..start + digits.0.len(), &digits.0);
        Ok(self)
    }

    fn checksum(&self) -> u32 {
        let mut checksum = Checksum::new();
        let Ok(()) = self.emit(|bytes| {
            checksum.add(bytes);
            Ok::<(), Infallible>(())
        });
        checksum.value()
    }

    /// The length of the file.
    pub fn size(&self) -> usize {
        let values = self.tensors.iter().map(|tensor| tensor.values);
        let values = values.map(|values| values.len() * values.width());
        8 + self.header.0.len() + values.sum::<usize>()
    }

    /// The bytes of the file; `purpose`: what memory is for.
    pub fn to_bytes(&self, purpose: &'static str) -> Result<Vec<u8>> {
        let mut all = allocate::try_vec(0, self.size(), purpose)?;
        self.write(&mut all);
        Ok(all)
    }

    /// Writes the bytes of the file to memory of their length.
    pub fn write(&self, out: &mut [u8]) {
        let mut rest = out;
        let Ok(()) = self.emit(|bytes| {
            let (place, after) = mem::take(&mut rest).split_at_mut(bytes.len());
            place.copy_from_slice(bytes);
            rest = after;
            Ok::<(), Infallible>(())
        });
    }

    /// Tells `sink` the bytes of the file, a block at a time.
    pub fn emit<E>(&self, mut sink: impl FnMut(&[u8]) -> Told<E>) -> Told<E> {
        let header = self.header.0.as_bytes();
        sink(&(header.len() as u64).to_le_bytes())?;
        sink(header)?;
        for tensor in &self.tensors {
            tensor.values.emit(&mut sink)?;
        }
        Ok(())
    }
}

fn put(header: &mut Growing, text: fmt::Arguments<'_>) -> Result<()> {
    header.write_fmt(text).map_err(|_| refused(header))
}

fn refused(header: &Growing) -> KMeansError {
    KMeansError::out_of_memory(header.0.len() * 2, HEADER)
}

/// Writes what stands between the quotation marks of a JSON string.
struct Escaped<'t>(&'t mut Growing);

impl fmt::Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for char in text.chars() {
            match char {
                '"' | '\\' => write!(self.0, "\\{char}")?,
                '\0'..' ' => write!(self.0, "\\u{:04x}", char as u32)?,
                _ => self.0.write_char(char)?,
            }
        }
        Ok(())
    }
}
