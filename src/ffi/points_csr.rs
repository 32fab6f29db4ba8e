//! The caller's sparse rows.

use super::error::ErrorHandle;
use super::guard::guard;
use super::points::{
    KENTRO_DTYPE_I32, KENTRO_DTYPE_I64, KENTRO_DTYPE_U32, KENTRO_DTYPE_U64, Layout, PointsHandle,
    invalid,
};
use super::status::{Outcome, StatusCode};
use super::{borrow_slice, put, require};
use crate::points::Indices;
use libc::c_void;

/// Makes a view of `rows` x `cols` numbers of which only those that are not zero
/// are kept, compressed sparse rows (CSR): row i has the values of the places
/// `indptr[i]` to `indptr[i + 1] - 1`, each in the column that `indices` names at
/// the same place, and zeros elsewhere. So `indptr` holds `rows + 1` numbers, the
/// first 0; `values` and `indices` hold `len` each.
///
/// `dtype` is that of the values, any that `kentro_points_new` takes;
/// `indices_dtype` and `indptr_dtype` are `KENTRO_DTYPE_I32`, `_I64`, `_U32` or
/// `_U64`. Columns need not ascend; values of one row and column are added up in
/// their number type. Nothing is copied: the memory stays the caller's, as with
/// `kentro_points_new`, and must not change. All calls take such points, and
/// results are those of the dense rows.
///
/// `KENTRO_STATUS_INVALID_DATA`, naming the place, if a column is not below
/// `cols`, if `indptr` descends, goes beyond `len` or doesn't begin with 0, if a
/// dtype is none of these or memory is not aligned to it, or if sizes overflow.
/// `values` and `indices` may be NULL if `len` is 0. O(rows + len). To be freed by
/// `kentro_points_free`. Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_points_new_csr(
    values: *const c_void,
    dtype: i32,
    indices: *const c_void,
    indices_dtype: i32,
    indptr: *const c_void,
    indptr_dtype: i32,
    rows: usize,
    cols: usize,
    len: usize,
    out_points: *mut *mut PointsHandle,
    error: *mut ErrorHandle,
) -> StatusCode {
    let make = || {
        let starts = rows
            .checked_add(1)
            .ok_or_else(|| invalid("the size of indptr overflows"))?;
        // SAFETY: the caller describes memory that can be read.
        unsafe {
            if len > 0 {
                require(values.cast::<u8>(), "values")?;
            }
            let values = Layout::of_values(values, len, dtype).points(dtype)?;
            let indices = borrow_indices(indices, indices_dtype, len, "indices")?;
            let indptr = borrow_indices(indptr, indptr_dtype, starts, "indptr")?;
            PointsHandle::new(values.into_csr(indices, indptr, cols)?)
        }
    };
    // SAFETY: as the caller promises.
    unsafe { guard(error, || put(out_points, "out_points", make)) }
}

/// # Safety
/// `pointer` is NULL or `len` numbers of that type that can be read for `'a`.
unsafe fn borrow_indices<'a>(
    pointer: *const c_void,
    dtype: i32,
    len: usize,
    argument: &'static str,
) -> Outcome<Indices<'a>> {
    if len > isize::MAX as usize / size_of::<u64>() {
        return Err(invalid(format_args!("the size of {argument} overflows")));
    }
    // SAFETY: as the caller promises; every bit pattern is a number.
    unsafe {
        Ok(match dtype {
            KENTRO_DTYPE_I32 => Indices::I32(borrow_slice(pointer.cast(), len, argument)?),
            KENTRO_DTYPE_I64 => Indices::I64(borrow_slice(pointer.cast(), len, argument)?),
            KENTRO_DTYPE_U32 => Indices::U32(borrow_slice(pointer.cast(), len, argument)?),
            KENTRO_DTYPE_U64 => Indices::U64(borrow_slice(pointer.cast(), len, argument)?),
            _ => {
                return Err(invalid(format_args!(
                    "the dtype of {argument} is {dtype}, none of KENTRO_DTYPE_I32, _I64, _U32, _U64"
                )));
            }
        })
    }
}
