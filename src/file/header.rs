//! Reads the header of a file in the layout of safetensors: JSON of one form,
//! an object of objects.

use super::format::{CHECKSUM, MAX_HEADER, METADATA, NO_CHECKSUM, VERSION, broken};
use super::source::Source;
use crate::allocate;
use crate::error::{KMeansError, Result};
use crate::text::Growing;
use std::borrow::Cow;
use std::fmt::{Display, Write};
use std::io::Read;
use std::ops::Range;

/// What memory is for.
const HEADER: &str = "the header of a model file";

/// Characters of a name that an error text shows.
const SHOWN: usize = 60;

/// Numbers of a shape that are kept; tensors of more dimensions are not ours.
const DIMENSIONS: usize = 2;

/// A line of metadata.
struct Line<'h> {
    key: Cow<'h, str>,
    value: Cow<'h, str>,
    /// Where the value stands in the header, without quotation marks.
    place: Range<usize>,
}

/// A tensor, of which the layout alone has been checked.
pub(crate) struct Tensor<'h> {
    pub name: Cow<'h, str>,
    pub dtype: Cow<'h, str>,
    pub shape: [u64; DIMENSIONS],
    pub dimensions: usize,
    offsets: Range<u64>,
}

impl Tensor<'_> {
    pub fn bytes(&self) -> u64 {
        self.offsets.end - self.offsets.start
    }
}

/// A header, the metadata by key and the tensors in the order of their values.
pub(crate) struct Header<'h> {
    metadata: Vec<Line<'h>>,
    pub tensors: Vec<Tensor<'h>>,
}

/// The bytes of the header.
pub(crate) fn read_text(source: &mut Source<'_, impl Read>) -> Result<String> {
    let len = source.read::<u64>(1)?[0];
    if len > MAX_HEADER {
        return Err(broken(format_args!(
            "its header has {len} bytes, more than the limit of {MAX_HEADER}"
        )));
    }
    let bytes = source.peek(len as usize)?;
    String::from_utf8(bytes).map_err(|_| broken("its header is not UTF-8"))
}

impl<'h> Header<'h> {
    pub fn parse(text: &'h str) -> Result<Self> {
        let mut json = Json { text, at: 0 };
        let mut metadata = None;
        let mut tensors = Vec::new();
        if !text.starts_with('{') {
            return Err(json.unexpected());
        }
        json.object(|json, name, _| {
            if name != METADATA {
                let tensor = json.tensor(name)?;
                return allocate::push(&mut tensors, tensor, HEADER);
            }
            if metadata.is_some() {
                return Err(doubled(METADATA));
            }
            let mut lines = Vec::new();
            json.object(|json, key, _| {
                let (value, place) = json.string()?;
                let line = Line { key, value, place };
                allocate::push(&mut lines, line, HEADER)
            })?;
            metadata = Some(lines);
            Ok(())
        })?;
        json.space();
        if json.at < text.len() {
            return Err(json.unexpected());
        }

        let mut metadata = metadata.unwrap_or_default();
        metadata.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        if let Some(pair) = metadata.windows(2).find(|pair| pair[0].key == pair[1].key) {
            return Err(doubled(&pair[0].key));
        }
        tensors.sort_unstable_by(|a: &Tensor<'_>, b: &Tensor<'_>| a.name.cmp(&b.name));
        if let Some(pair) = tensors.windows(2).find(|pair| pair[0].name == pair[1].name) {
            return Err(doubled(&pair[0].name));
        }
        let header = Header { metadata, tensors };
        header.check_version()?;
        header.in_order()
    }

    fn check_version(&self) -> Result<()> {
        let format = self.line("format");
        if format.is_none_or(|line| line.value != "kentro") {
            return Err(broken("it is not a model that Kentro saved"));
        }
        match self.number("format_version")? {
            VERSION => Ok(()),
            0 => Err(self.wrong("format_version")),
            version => Err(KMeansError::NewerFile {
                version,
                known: VERSION,
            }),
        }
    }

    /// Puts the tensors in the order of their values, which must lie without
    /// gaps.
    fn in_order(mut self) -> Result<Self> {
        let offsets = |tensor: &Tensor<'_>| (tensor.offsets.start, tensor.offsets.end);
        self.tensors.sort_unstable_by_key(offsets);
        let mut end = 0;
        for tensor in &self.tensors {
            if tensor.offsets.start != end || tensor.offsets.end < end {
                let name = short(&tensor.name);
                let text = format_args!("the offsets of tensor {name:?} leave a gap or overlap");
                return Err(broken(text));
            }
            end = tensor.offsets.end;
        }
        Ok(self)
    }

    /// Bytes of all values.
    pub fn bytes(&self) -> u64 {
        self.tensors.last().map_or(0, |tensor| tensor.offsets.end)
    }

    fn line(&self, key: &str) -> Option<&Line<'h>> {
        let found = self.metadata.binary_search_by(|line| (*line.key).cmp(key));
        found.ok().map(|at| &self.metadata[at])
    }

    /// A line of the metadata that may be missing.
    pub fn get(&self, key: &str) -> Option<&str> {
        Some(&self.line(key)?.value)
    }

    /// A line of the metadata.
    pub fn value(&self, key: &str) -> Result<&str> {
        self.get(key)
            .ok_or_else(|| broken(format_args!("its metadata has no {key:?}")))
    }

    /// A number in the metadata.
    pub fn number<T: std::str::FromStr>(&self, key: &str) -> Result<T> {
        self.value(key)?.parse().map_err(|_| self.wrong(key))
    }

    /// What an error says of a line whose value can't be.
    pub fn wrong(&self, key: &str) -> KMeansError {
        let value = short(self.get(key).unwrap_or_default());
        broken(format_args!("its metadata has {value:?} for {key:?}"))
    }

    /// The checksum that the file has of itself, and the place of its digits.
    pub fn checksum(&self) -> Result<(u32, Range<usize>)> {
        let is_digit = |byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let line = self.line(CHECKSUM).filter(|line| {
            let lengths = [line.value.len(), line.place.len()];
            lengths == [NO_CHECKSUM.len(); 2] && line.value.bytes().all(is_digit)
        });
        let checksum = line.and_then(|line| {
            let value = u32::from_str_radix(&line.value, 16).ok()?;
            Some((value, line.place.clone()))
        });
        checksum.ok_or_else(|| broken("its metadata has no checksum of 8 hexadecimal digits"))
    }
}

fn doubled(name: &str) -> KMeansError {
    broken(format_args!("its header has {:?} twice", short(name)))
}

/// The beginning of a text that may be long.
fn short(text: &str) -> &str {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => &text[..end],
        None => text,
    }
}

/// A place in a JSON text.
struct Json<'h> {
    text: &'h str,
    at: usize,
}

impl<'h> Json<'h> {
    fn unexpected(&self) -> KMeansError {
        let what: &dyn Display = match self.text[self.at..].chars().next() {
            Some(char) => &char.escape_debug(),
            None => &"end",
        };
        broken(format_args!(
            "its header is not what it should be: unexpected {what} at byte {}",
            self.at
        ))
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// Passes over `byte`, and space before it, if it comes next.
    fn eat(&mut self, byte: u8) -> bool {
        self.space();
        let is_next = self.peek() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    fn expect(&mut self, byte: u8) -> Result<()> {
        match self.eat(byte) {
            true => Ok(()),
            false => Err(self.unexpected()),
        }
    }

    /// Passes over an object or array; `item` reads an item of it.
    fn items(
        &mut self,
        [open, close]: [u8; 2],
        mut item: impl FnMut(&mut Self) -> Result<()>,
    ) -> Result<()> {
        self.expect(open)?;
        if self.eat(close) {
            return Ok(());
        }
        loop {
            item(self)?;
            if !self.eat(b',') {
                return self.expect(close);
            }
        }
    }

    /// Passes over an object; `value` reads what comes after a key, of which it
    /// is told the place, too.
    fn object(
        &mut self,
        mut value: impl FnMut(&mut Self, Cow<'h, str>, Range<usize>) -> Result<()>,
    ) -> Result<()> {
        self.items(*b"{}", |json| {
            let (key, place) = json.string()?;
            json.expect(b':')?;
            value(json, key, place)
        })
    }

    /// A string, and its place without quotation marks.
    fn string(&mut self) -> Result<(Cow<'h, str>, Range<usize>)> {
        self.expect(b'"')?;
        let start = self.at;
        let mut decoded: Option<Growing> = None;
        loop {
            let plain = self.at;
            while self
                .peek()
                .is_some_and(|byte| byte >= b' ' && byte != b'"' && byte != b'\\')
            {
                self.at += 1;
            }
            let plain = &self.text[plain..self.at];
            if let Some(decoded) = &mut decoded {
                append(decoded, plain)?;
            }
            match self.peek() {
                Some(b'"') => {
                    let place = start..self.at;
                    self.at += 1;
                    let string = match decoded {
                        Some(decoded) => Cow::Owned(decoded.0),
                        None => Cow::Borrowed(&self.text[place.clone()]),
                    };
                    return Ok((string, place));
                }
                Some(b'\\') => {
                    let decoded = match &mut decoded {
                        Some(decoded) => decoded,
                        None => decoded.insert(growing(plain)?),
                    };
                    self.at += 1;
                    let char = self.escaped()?;
                    append(decoded, char.encode_utf8(&mut [0; 4]))?;
                }
                _ => return Err(self.unexpected()),
            }
        }
    }

    /// The character that a backslash stands before.
    fn escaped(&mut self) -> Result<char> {
        let char = match self.peek() {
            Some(byte @ (b'"' | b'\\' | b'/')) => char::from(byte),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.code_point(),
            _ => return Err(self.unexpected()),
        };
        self.at += 1;
        Ok(char)
    }

    /// The character of one `uXXXX`, or of two with a backslash between.
    fn code_point(&mut self) -> Result<char> {
        let start = self.at;
        let mut units = [self.code_unit()?; 2];
        let is_pair = matches!(units[0], 0xd800..0xdc00);
        if is_pair {
            if self.peek() != Some(b'\\') {
                return Err(self.unexpected());
            }
            self.at += 1;
            units[1] = self.code_unit()?;
        }
        let units = &units[..1 + usize::from(is_pair)];
        let mut chars = char::decode_utf16(units.iter().copied());
        match (chars.next(), chars.next()) {
            (Some(Ok(char)), None) => Ok(char),
            _ => {
                self.at = start;
                Err(self.unexpected())
            }
        }
    }

    fn code_unit(&mut self) -> Result<u16> {
        let digits = self.text.as_bytes().get(self.at..self.at + 5);
        let digits = digits
            .filter(|digits| digits[0] == b'u' && digits[1..].iter().all(u8::is_ascii_hexdigit));
        if digits.is_none() {
            return Err(self.unexpected());
        }
        let unit = u16::from_str_radix(&self.text[self.at + 1..self.at + 5], 16);
        self.at += 5;
        unit.map_err(|_| self.unexpected())
    }

    fn number(&mut self) -> Result<u64> {
        self.space();
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        let digits = &self.text[start..self.at];
        let starts_with_zero = digits.len() > 1 && digits.starts_with('0');
        match digits.parse() {
            Ok(number) if !starts_with_zero => Ok(number),
            _ => {
                self.at = start;
                Err(self.unexpected())
            }
        }
    }

    fn tensor(&mut self, name: Cow<'h, str>) -> Result<Tensor<'h>> {
        let mut dtype = None;
        let mut shape = None;
        let mut offsets = None;
        self.object(|json, key, place| {
            let is_first = match &*key {
                "dtype" => dtype.replace(json.string()?.0).is_none(),
                "shape" => shape.replace(json.shape()?).is_none(),
                "data_offsets" => offsets.replace(json.shape()?).is_none(),
                _ => {
                    json.at = place.start;
                    return Err(json.unexpected());
                }
            };
            match is_first {
                true => Ok(()),
                false => Err(doubled(&key)),
            }
        })?;
        let missing = || {
            let name = short(&name);
            broken(format_args!(
                "tensor {name:?} needs a dtype, a shape, and the two offsets of its values"
            ))
        };
        let (offsets, 2) = offsets.ok_or_else(missing)? else {
            return Err(missing());
        };
        let (shape, dimensions) = shape.ok_or_else(missing)?;
        Ok(Tensor {
            dtype: dtype.ok_or_else(missing)?,
            name,
            shape,
            dimensions,
            offsets: offsets[0]..offsets[1],
        })
    }

    /// The first numbers of an array, and how many it has.
    fn shape(&mut self) -> Result<([u64; DIMENSIONS], usize)> {
        let (mut numbers, mut count) = ([0; DIMENSIONS], 0);
        self.items(*b"[]", |json| {
            let number = json.number()?;
            if let Some(place) = numbers.get_mut(count) {
                *place = number;
            }
            count += 1;
            Ok(())
        })?;
        Ok((numbers, count))
    }
}

fn append(text: &mut Growing, part: &str) -> Result<()> {
    text.write_str(part)
        .map_err(|_| KMeansError::out_of_memory(text.0.len() + part.len(), HEADER))
}

/// A copy of a text.
pub(crate) fn copy(text: &str) -> Result<String> {
    Ok(growing(text)?.0)
}

fn growing(text: &str) -> Result<Growing> {
    let mut copy = Growing(String::new());
    append(&mut copy, text)?;
    Ok(copy)
}
