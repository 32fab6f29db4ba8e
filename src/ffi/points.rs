//! The caller's rows, whatever their number type and layout.

use super::error::ErrorHandle;
use super::guard::{free, guard};
use super::status::{Failure, KENTRO_STATUS_INVALID_DATA, Outcome, StatusCode};
use super::{borrow_slice, put, require};
use crate::owned::boxed;
use crate::points::{Element, Points, Swapped, Weights};
use half::{bf16, f16};
use libc::c_void;
use ndarray::{ArrayView2, Axis, ShapeBuilder};
use std::fmt;

/// A view of rows that stay the caller's: their memory must outlive the view
/// and not change while a call uses it. May be shared between threads.
pub struct PointsHandle {
    pub(super) points: Points<'static>,
}

const _: () = super::shareable::<PointsHandle>();

impl PointsHandle {
    /// A handle for C to keep.
    pub(super) fn new(points: Points<'static>) -> Outcome<*mut Self> {
        Ok(Box::into_raw(boxed(PointsHandle { points }, "a view")?))
    }
}

/// IEEE 754 binary32, `float`.
pub const KENTRO_DTYPE_F32: i32 = 1;
/// IEEE 754 binary64, `double`.
pub const KENTRO_DTYPE_F64: i32 = 2;
/// IEEE 754 binary16.
pub const KENTRO_DTYPE_F16: i32 = 3;
/// bfloat16: the upper half of a binary32.
pub const KENTRO_DTYPE_BF16: i32 = 4;
/// `int8_t`.
pub const KENTRO_DTYPE_I8: i32 = 5;
/// `uint8_t`.
pub const KENTRO_DTYPE_U8: i32 = 6;
/// `int16_t`.
pub const KENTRO_DTYPE_I16: i32 = 7;
/// `uint16_t`.
pub const KENTRO_DTYPE_U16: i32 = 8;
/// `int32_t`.
pub const KENTRO_DTYPE_I32: i32 = 9;
/// `uint32_t`.
pub const KENTRO_DTYPE_U32: i32 = 10;
/// `int64_t`.
pub const KENTRO_DTYPE_I64: i32 = 11;
/// `uint64_t`.
pub const KENTRO_DTYPE_U64: i32 = 12;
/// One byte, 0 or 1.
pub const KENTRO_DTYPE_BOOL: i32 = 13;
/// To be or-ed to a type of more than one byte: its bytes are in the order
/// that is not this machine's.
pub const KENTRO_DTYPE_SWAPPED: i32 = 0x100;

/// Makes a view of `rows` x `cols` numbers of type `dtype` (one of
/// `KENTRO_DTYPE_*`). Row i, column j lies at
/// `(const char *)data + i * row_stride_bytes + j * col_stride_bytes`; strides
/// may be negative or 0.
///
/// float32 rows of adjacent columns are used where they lie; anything else is
/// converted a block of rows at a time, never as a whole. Values become the
/// nearest float32, in training with the Euclidean distance after an offset
/// was subtracted: see `kentro_kmeans_offset`.
///
/// `KENTRO_STATUS_INVALID_DATA` if `dtype` is none of the constants, `data` or
/// a stride is not aligned to the number type, or sizes overflow. `data` may
/// be NULL if there are no values. To be freed by `kentro_points_free`.
/// Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_points_new(
    data: *const c_void,
    rows: usize,
    cols: usize,
    row_stride_bytes: isize,
    col_stride_bytes: isize,
    dtype: i32,
    out_points: *mut *mut PointsHandle,
    error: *mut ErrorHandle,
) -> StatusCode {
    let layout = Layout {
        data,
        shape: [rows, cols],
        strides: [row_stride_bytes, col_stride_bytes],
    };
    // SAFETY: the caller describes memory that can be read.
    let make = || PointsHandle::new(unsafe { layout.points(dtype) }?);
    // SAFETY: as the caller promises.
    unsafe { guard(error, || put(out_points, "out_points", make)) }
}

/// `kentro_points_new` for float32 rows without gaps: row i, column j is
/// `data[i * cols + j]`. Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_points_new_f32(
    data: *const f32,
    rows: usize,
    cols: usize,
    out_points: *mut *mut PointsHandle,
    error: *mut ErrorHandle,
) -> StatusCode {
    // SAFETY: the caller describes memory that can be read.
    let make = || PointsHandle::new(unsafe { row_major(data, rows, cols) }?);
    // SAFETY: as the caller promises.
    unsafe { guard(error, || put(out_points, "out_points", make)) }
}

/// Gives each point a weight: `weights` holds one number of type `dtype`,
/// `KENTRO_DTYPE_F32` or `KENTRO_DTYPE_F64`, a row. They stay the caller's, like
/// the rows. Each is finite and at least 0, which training checks; a point of
/// weight 2 counts as one that is there twice, of weight 0 as one that is not
/// there. NULL and 0 take weights away again: every point then weighs 1.
///
/// Not while another call uses the points. Predictions know no weights. Bounds
/// on the sizes of clusters count points, whatever they weigh.
///
/// `KENTRO_STATUS_INVALID_DATA` if there are not as many weights as rows.
/// Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_points_set_weights(
    points: *mut PointsHandle,
    weights: *const c_void,
    dtype: i32,
    len: usize,
    error: *mut ErrorHandle,
) -> StatusCode {
    let set = || {
        require(points, "points")?;
        // SAFETY: as the caller promises, nobody else uses the points, and the
        // weights can be read for as long as the points are used.
        unsafe {
            let points = &mut (*points).points;
            let weights = match dtype {
                _ if weights.is_null() && len == 0 => None,
                KENTRO_DTYPE_F32 => Some(Weights::F32(borrow_weights(weights.cast(), len)?)),
                KENTRO_DTYPE_F64 => Some(Weights::F64(borrow_weights(weights.cast(), len)?)),
                _ => {
                    let text = "weights must be of KENTRO_DTYPE_F32 or KENTRO_DTYPE_F64";
                    return Err(invalid(text));
                }
            };
            *points = match weights {
                Some(weights) => points.with_weights(weights)?,
                None => points.without_weights(),
            };
        }
        Ok(())
    };
    // SAFETY: as the caller promises.
    unsafe { guard(error, set) }
}

/// # Safety
/// `weights` is NULL or `len` values that can be read for `'a`.
unsafe fn borrow_weights<'a, T>(weights: *const T, len: usize) -> Outcome<&'a [T]> {
    if len > isize::MAX as usize / size_of::<T>() {
        return Err(invalid("the size of the weights overflows"));
    }
    // SAFETY: as the caller promises.
    unsafe { borrow_slice(weights, len, "weights") }
}

/// Frees a view, not the memory it is a view of; NULL is fine. Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_points_free(points: *mut PointsHandle) {
    // SAFETY: as the caller promises.
    unsafe { free(points) }
}

/// float32 rows without gaps.
///
/// # Safety
/// The described memory can be read for `'a`.
pub(super) unsafe fn row_major<'a>(
    data: *const f32,
    rows: usize,
    cols: usize,
) -> Outcome<Points<'a>> {
    const SIZE: isize = size_of::<f32>() as isize;
    let row_stride = isize::try_from(cols)
        .ok()
        .and_then(|cols| cols.checked_mul(SIZE))
        .ok_or_else(|| invalid("the size of a row overflows"))?;
    let layout = Layout {
        data: data.cast(),
        shape: [rows, cols],
        strides: [row_stride, SIZE],
    };
    // SAFETY: as the caller promises.
    unsafe { layout.points(KENTRO_DTYPE_F32) }
}

/// Where the values lie; strides in bytes.
pub(super) struct Layout {
    data: *const c_void,
    shape: [usize; 2],
    strides: [isize; 2],
}

impl Layout {
    /// One row of `len` numbers side by side, of whatever type.
    pub(super) fn of_values(data: *const c_void, len: usize, dtype: i32) -> Self {
        let size = match dtype & !KENTRO_DTYPE_SWAPPED {
            KENTRO_DTYPE_F64 | KENTRO_DTYPE_I64 | KENTRO_DTYPE_U64 => 8,
            KENTRO_DTYPE_F32 | KENTRO_DTYPE_I32 | KENTRO_DTYPE_U32 => 4,
            KENTRO_DTYPE_F16 | KENTRO_DTYPE_BF16 | KENTRO_DTYPE_I16 | KENTRO_DTYPE_U16 => 2,
            _ => 1,
        };
        Layout {
            data,
            shape: [1, len],
            strides: [0, size],
        }
    }

    /// # Safety
    /// The described memory can be read for `'a`.
    pub(super) unsafe fn points<'a>(&self, dtype: i32) -> Outcome<Points<'a>> {
        const SWAPPED: i32 = KENTRO_DTYPE_SWAPPED;
        // SAFETY: as the caller promises; every bit pattern is a number of
        // each of these types.
        unsafe {
            match dtype {
                KENTRO_DTYPE_F32 => self.view::<f32>(),
                KENTRO_DTYPE_F64 => self.view::<f64>(),
                KENTRO_DTYPE_F16 => self.view::<f16>(),
                KENTRO_DTYPE_BF16 => self.view::<bf16>(),
                KENTRO_DTYPE_I8 => self.view::<i8>(),
                KENTRO_DTYPE_U8 | KENTRO_DTYPE_BOOL => self.view::<u8>(),
                KENTRO_DTYPE_I16 => self.view::<i16>(),
                KENTRO_DTYPE_U16 => self.view::<u16>(),
                KENTRO_DTYPE_I32 => self.view::<i32>(),
                KENTRO_DTYPE_U32 => self.view::<u32>(),
                KENTRO_DTYPE_I64 => self.view::<i64>(),
                KENTRO_DTYPE_U64 => self.view::<u64>(),
                _ if dtype & SWAPPED == 0 => Err(invalid(format_args!(
                    "dtype is {dtype}, none of KENTRO_DTYPE_*"
                ))),
                _ => match dtype & !SWAPPED {
                    KENTRO_DTYPE_F32 => self.view::<Swapped<f32>>(),
                    KENTRO_DTYPE_F64 => self.view::<Swapped<f64>>(),
                    KENTRO_DTYPE_F16 => self.view::<Swapped<f16>>(),
                    KENTRO_DTYPE_BF16 => self.view::<Swapped<bf16>>(),
                    KENTRO_DTYPE_I16 => self.view::<Swapped<i16>>(),
                    KENTRO_DTYPE_U16 => self.view::<Swapped<u16>>(),
                    KENTRO_DTYPE_I32 => self.view::<Swapped<i32>>(),
                    KENTRO_DTYPE_U32 => self.view::<Swapped<u32>>(),
                    KENTRO_DTYPE_I64 => self.view::<Swapped<i64>>(),
                    KENTRO_DTYPE_U64 => self.view::<Swapped<u64>>(),
                    other => Err(invalid(format_args!(
                        "dtype {other} cannot be KENTRO_DTYPE_SWAPPED"
                    ))),
                },
            }
        }
    }

    /// # Safety
    /// The described memory holds values of type `T` and can be read for `'a`.
    unsafe fn view<'a, T: Element>(&self) -> Outcome<Points<'a>> {
        let size = size_of::<T>();
        let overflow = || {
            invalid(format_args!(
                "{} x {} values with these strides overflow",
                self.shape[0], self.shape[1]
            ))
        };
        let values = self.shape[0].checked_mul(self.shape[1]);
        let bytes = values.and_then(|values| values.checked_mul(size));
        if bytes.is_none_or(|bytes| bytes > isize::MAX as usize) {
            return Err(overflow());
        }
        if values == Some(0) {
            let empty = ArrayView2::<T>::from_shape(self.shape, &[]);
            return Ok(empty.map_err(|_| overflow())?.into());
        }
        require(self.data, "data")?;
        if !self.data.cast::<T>().is_aligned() {
            return Err(invalid("data is not aligned to its number type"));
        }
        // ndarray wants the lowest address and strides that are not negative.
        let mut lowest = self.data.cast::<T>();
        let mut extent = size;
        let mut strides = [1usize; 2]; // never used where there is only one
        let axes = self.shape.iter().zip(&self.strides).zip(&mut strides);
        for ((&len, &stride), positive) in axes.filter(|((len, _), _)| **len > 1) {
            let step = stride.unsigned_abs();
            if !step.is_multiple_of(size) {
                return Err(invalid(format_args!(
                    "a stride is {stride} bytes, no multiple of the {size} of a number"
                )));
            }
            *positive = step / size;
            let reach = (len - 1).checked_mul(step).ok_or_else(overflow)?;
            extent = extent.checked_add(reach).ok_or_else(overflow)?;
            if stride < 0 {
                lowest = lowest.wrapping_byte_sub(reach);
            }
        }
        let fits = isize::try_from(extent).is_ok() && lowest.addr().checked_add(extent).is_some();
        if !fits || (lowest.addr() > self.data.addr()) {
            return Err(overflow());
        }
        let shape = (self.shape[0], self.shape[1]).strides((strides[0], strides[1]));
        // SAFETY: every value lies within `extent` bytes from `lowest`, which
        // the caller says can be read; alignment and overflow are checked.
        let mut view = unsafe { ArrayView2::from_shape_ptr(shape, lowest) };
        for axis in 0..2 {
            if self.strides[axis] < 0 && self.shape[axis] > 1 {
                view.invert_axis(Axis(axis));
            }
        }
        Ok(view.into())
    }
}

pub(super) fn invalid(detail: impl fmt::Display) -> Failure {
    Failure::new(
        KENTRO_STATUS_INVALID_DATA,
        format_args!("Invalid data: {detail}"),
    )
}
