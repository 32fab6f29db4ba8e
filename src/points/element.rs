//! The number types that rows may be made of.

use half::{bf16, f16};
use ndarray::{ArrayBase, ArrayView2, Axis, Ix2, ViewRepr, s};
use std::ops::Range;

/// A number type that [`Points`](super::Points) can be made of.
pub trait Element: sealed::Stored {}

impl<T: sealed::Stored> Element for T {}

/// A number stored in the byte order that is not this machine's.
#[derive(Debug, Clone, Copy)]
#[repr(transparent)]
pub struct Swapped<T>(pub T);

mod sealed {
    use super::{Number, View};
    use ndarray::ArrayView2;

    /// A number as it lies in memory.
    pub trait Stored: Copy + Send + Sync + 'static {
        #[doc(hidden)]
        type Number: Number;
        #[doc(hidden)]
        fn number(self) -> Self::Number;
        #[doc(hidden)]
        fn view(view: ArrayView2<'_, Self>) -> View<'_>;
    }
}

pub(super) use sealed::Stored;

/// What a stored number stands for.
pub trait Number: Copy + PartialEq {
    /// Whether it may have digits that float32 has not.
    const IS_WIDE: bool = false;
    const IS_INTEGER: bool = false;
    /// Whether it may be NaN, infinite or beyond float32.
    const MAY_OVERFLOW: bool = false;

    /// The nearest float32; out of range becomes infinite.
    fn to_f32(self) -> f32;

    /// The sum in this type, as NumPy adds: integers wrap, of bool it is "or".
    fn plus(self, other: Self) -> Self;

    /// The nearest float64.
    fn to_f64(self) -> f64 {
        f64::from(self.to_f32())
    }

    /// The number less `offset`, to the nearest float32.
    fn less(self, offset: f64) -> f32 {
        (self.to_f64() - offset) as f32
    }
}

macro_rules! narrow {
    ($($type:ty, $may_overflow:literal, $to_f32:expr, $plus:expr;)*) => {
        $(impl Number for $type {
            const MAY_OVERFLOW: bool = $may_overflow;
            fn plus(self, other: Self) -> Self {
                let plus: fn($type, $type) -> $type = $plus;
                plus(self, other)
            }
            fn to_f32(self) -> f32 {
                let to_f32: fn($type) -> f32 = $to_f32;
                to_f32(self)
            }
        })*
    };
}

narrow! {
    f32, true, |v| v, |a, b| a + b;
    f16, true, f16::to_f32, |a, b| a + b;
    bf16, true, bf16::to_f32, |a, b| a + b;
    bool, false, |v| f32::from(u8::from(v)), |a, b| a | b;
    i8, false, f32::from, i8::wrapping_add;
    u8, false, f32::from, u8::wrapping_add;
    i16, false, f32::from, i16::wrapping_add;
    u16, false, f32::from, u16::wrapping_add;
}

impl Number for f64 {
    const IS_WIDE: bool = true;
    const MAY_OVERFLOW: bool = true;
    fn plus(self, other: Self) -> Self {
        self + other
    }
    fn to_f32(self) -> f32 {
        self as f32
    }
    fn to_f64(self) -> f64 {
        self
    }
}

macro_rules! wide_integers {
    ($($type:ty, $less:expr;)*) => {
        $(impl Number for $type {
            const IS_WIDE: bool = true;
            const IS_INTEGER: bool = true;
            fn plus(self, other: Self) -> Self {
                self.wrapping_add(other)
            }
            fn to_f32(self) -> f32 {
                self as f32
            }
            fn to_f64(self) -> f64 {
                self as f64
            }
            fn less(self, offset: f64) -> f32 {
                let less: fn($type, f64) -> f32 = $less;
                less(self, offset)
            }
        })*
    };
}

wide_integers! {
    i32, |v, offset| (f64::from(v) - offset) as f32;
    u32, |v, offset| (f64::from(v) - offset) as f32;
    i64, |v, offset| long_less(v.into(), offset);
    u64, |v, offset| long_less(v.into(), offset);
}

/// 64-bit integers have digits that float64 has not, so that these are
/// subtracted as integers; nothing can overflow in twice the width.
fn long_less(value: i128, offset: f64) -> f32 {
    let whole = offset.trunc();
    let difference = value - whole as i128;
    match i64::try_from(difference) {
        Ok(difference) if offset == whole => difference as f32,
        _ => (difference as f64 - (offset - whole)) as f32,
    }
}

/// An [`ArrayView2`], written so that the compiler sees that it may stand for
/// one of a shorter lifetime.
type Rows<'a, T> = ArrayBase<ViewRepr<&'a T>, Ix2, T>;

/// Work on numbers that lie side by side, of whatever type.
pub(super) trait OnNumbers {
    type Out;
    fn visit<T: Stored>(self, numbers: &[T]) -> Self::Out;
}

/// Implements [`Stored`] for every type, and [`View`] over them.
macro_rules! views {
    ($($name:ident, $type:ty, $number:ty, $text:literal, $of:expr;)*) => {
        /// Rows × columns of numbers of one of the types.
        #[derive(Clone, Copy)]
        pub enum View<'a> {
            $($name(Rows<'a, $type>),)*
        }

        $(impl Stored for $type {
            type Number = $number;
            fn number(self) -> $number {
                let of: fn($type) -> $number = $of;
                of(self)
            }
            fn view(view: ArrayView2<'_, Self>) -> View<'_> {
                View::$name(view)
            }
        })*

        impl View<'_> {
            /// Does the work with the numbers as they are.
            pub(super) fn visit<W: OnNumbers>(&self, work: W) -> W::Out {
                match self {
                    $(View::$name(view) => work.visit(view.as_slice().unwrap_or(&[])),)*
                }
            }

            /// Some columns of rows `range`, each less its offset, as row-major
            /// float32.
            pub(super) fn convert(
                &self,
                range: Range<usize>,
                columns: Range<usize>,
                offset: Option<&[f64]>,
                out: &mut [f32],
            ) {
                match self {
                    $(View::$name(view) => convert(view, range, columns, offset, out),)*
                }
            }

            /// See [`inspect`].
            pub(super) fn inspect(
                &self,
                range: Range<usize>,
                columns: Range<usize>,
                offset: Option<&[f64]>,
                extents: Option<&mut [Extent]>,
            ) -> Option<(usize, f64)> {
                match self {
                    $(View::$name(view) => inspect(view, range, columns, offset, extents),)*
                }
            }

            /// Whether the numbers may have digits that float32 has not.
            pub(super) fn is_wide(&self) -> bool {
                match self {
                    $(View::$name(_) => <$number>::IS_WIDE,)*
                }
            }

            pub(super) fn is_integer(&self) -> bool {
                match self {
                    $(View::$name(_) => <$number>::IS_INTEGER,)*
                }
            }

            /// The name of the type.
            pub(super) fn type_name(&self) -> &'static str {
                match self {
                    $(View::$name(_) => $text,)*
                }
            }

            /// A row as it is: see [`ExactRow`](super::extents::ExactRow).
            pub(super) fn exact_row(&self, row: usize, out: &mut [(f64, f32)]) {
                match self {
                    $(View::$name(view) => {
                        for (out, value) in out.iter_mut().zip(view.row(row)) {
                            *out = exact(value.number());
                        }
                    })*
                }
            }

            /// Whether two rows are equal as they are, before any rounding.
            pub(super) fn are_equal(&self, a: usize, b: usize) -> bool {
                match self {
                    $(View::$name(view) => {
                        let pairs = view.row(a).into_iter().zip(view.row(b));
                        let mut pairs = pairs.map(|(a, b)| (a.number(), b.number()));
                        pairs.all(|(a, b)| a == b)
                    })*
                }
            }
        }
    };
}

views! {
    F32, f32, f32, "float32", |v| v;
    F64, f64, f64, "float64", |v| v;
    F16, f16, f16, "float16", |v| v;
    Bf16, bf16, bf16, "bfloat16", |v| v;
    Bool, bool, bool, "bool", |v| v;
    I8, i8, i8, "int8", |v| v;
    U8, u8, u8, "uint8", |v| v;
    I16, i16, i16, "int16", |v| v;
    U16, u16, u16, "uint16", |v| v;
    I32, i32, i32, "int32", |v| v;
    U32, u32, u32, "uint32", |v| v;
    I64, i64, i64, "int64", |v| v;
    U64, u64, u64, "uint64", |v| v;
    SwappedF32, Swapped<f32>, f32, "float32", |v| f32::from_bits(v.0.to_bits().swap_bytes());
    SwappedF64, Swapped<f64>, f64, "float64", |v| f64::from_bits(v.0.to_bits().swap_bytes());
    SwappedF16, Swapped<f16>, f16, "float16", |v| f16::from_bits(v.0.to_bits().swap_bytes());
    SwappedBf16, Swapped<bf16>, bf16, "bfloat16", |v| bf16::from_bits(v.0.to_bits().swap_bytes());
    SwappedI16, Swapped<i16>, i16, "int16", |v| v.0.swap_bytes();
    SwappedU16, Swapped<u16>, u16, "uint16", |v| v.0.swap_bytes();
    SwappedI32, Swapped<i32>, i32, "int32", |v| v.0.swap_bytes();
    SwappedU32, Swapped<u32>, u32, "uint32", |v| v.0.swap_bytes();
    SwappedI64, Swapped<i64>, i64, "int64", |v| v.0.swap_bytes();
    SwappedU64, Swapped<u64>, u64, "uint64", |v| v.0.swap_bytes();
}

/// A number as a float64 and what that leaves over.
pub(super) fn exact<N: Number>(number: N) -> (f64, f32) {
    let rounded = number.to_f64();
    (rounded, number.less(rounded))
}

/// The least and the greatest value of a column so far.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Extent {
    pub least: f64,
    pub greatest: f64,
}

impl Extent {
    pub fn of_nothing() -> Self {
        Extent {
            least: f64::INFINITY,
            greatest: f64::NEG_INFINITY,
        }
    }

    pub fn add(&mut self, value: f64) {
        self.least = if value < self.least {
            value
        } else {
            self.least
        };
        self.greatest = if value > self.greatest {
            value
        } else {
            self.greatest
        };
    }

    pub fn join(&mut self, other: Extent) {
        // There may be nothing in the other one.
        self.least = self.least.min(other.least);
        self.greatest = self.greatest.max(other.greatest);
    }
}

impl<'a> View<'a> {
    /// All rows, if they are row-major float32 without gaps.
    pub(super) fn whole(&self) -> Option<&'a [f32]> {
        match *self {
            View::F32(view) => view.to_slice(),
            _ => None,
        }
    }

    /// Rows `range`, if they lie so in memory.
    pub(super) fn lend(&self, range: Range<usize>) -> Option<&'a [f32]> {
        match *self {
            View::F32(view) => view.slice_move(s![range, ..]).to_slice(),
            _ => None,
        }
    }
}

fn convert<T: Stored>(
    view: &ArrayView2<'_, T>,
    range: Range<usize>,
    columns: Range<usize>,
    offset: Option<&[f64]>,
    out: &mut [f32],
) {
    let offset = offset.map(|offset| &offset[columns.clone()]);
    let width = columns.len().max(1);
    let view = view.slice(s![range, columns]);
    for (row, out) in view.outer_iter().zip(out.chunks_exact_mut(width)) {
        match row.to_slice() {
            Some(row) => convert_row(row.iter(), offset, out),
            None => convert_row(row.iter(), offset, out),
        }
    }
}

fn convert_row<'r, T: Stored>(
    row: impl Iterator<Item = &'r T>,
    offset: Option<&[f64]>,
    out: &mut [f32],
) {
    match offset {
        None => {
            for (value, out) in row.zip(out) {
                *out = value.number().to_f32();
            }
        }
        Some(offset) => {
            for ((value, out), &offset) in row.zip(out).zip(offset) {
                *out = value.number().less(offset);
            }
        }
    }
}

/// The first value of some columns of rows `range`, less its offset, that is no
/// finite float32, with its place among all values; adds the columns to
/// `extents`, if given.
fn inspect<T: Stored>(
    view: &ArrayView2<'_, T>,
    range: Range<usize>,
    columns: Range<usize>,
    offset: Option<&[f64]>,
    mut extents: Option<&mut [Extent]>,
) -> Option<(usize, f64)> {
    let cols = view.len_of(Axis(1));
    if !T::Number::MAY_OVERFLOW && extents.is_none() {
        return None;
    }
    let offset = offset.map(|offset| &offset[columns.clone()]);
    let first = columns.start;
    let rows = view.slice(s![range.clone(), columns]);
    // Several rows have all their columns here.
    if let (None, None, Some(values)) = (offset, &extents, rows.to_slice()) {
        let at = first_bad(values.iter())?;
        let place = range.start * cols + first + at;
        return Some((place, values[at].number().to_f64()));
    }
    for (i, row) in range.zip(rows.outer_iter()) {
        let bad = match row.to_slice() {
            Some(row) => inspect_row(row.iter(), offset, extents.as_deref_mut()),
            None => inspect_row(row.iter(), offset, extents.as_deref_mut()),
        };
        if let Some(at) = bad {
            return Some((i * cols + first + at, row[at].number().to_f64()));
        }
    }
    None
}

fn inspect_row<'r, T: Stored>(
    row: impl Iterator<Item = &'r T> + Clone,
    offset: Option<&[f64]>,
    extents: Option<&mut [Extent]>,
) -> Option<usize> {
    if let Some(extents) = extents {
        for (value, extent) in row.clone().zip(extents) {
            extent.add(value.number().to_f64());
        }
    }
    match offset {
        None => first_bad(row),
        Some(offset) => {
            let less = row.zip(offset).map(|(v, &o)| v.number().less(o));
            position_of_bad(less)
        }
    }
}

fn first_bad<'r, T: Stored>(values: impl Iterator<Item = &'r T> + Clone) -> Option<usize> {
    position_of_bad(values.map(|v| v.number().to_f32()))
}

fn position_of_bad(values: impl Iterator<Item = f32> + Clone) -> Option<usize> {
    // First without an early exit, so that it is vectorised.
    let any = values.clone().fold(false, |any, v| any | !v.is_finite());
    match any {
        true => values.clone().position(|v| !v.is_finite()),
        false => None,
    }
}
