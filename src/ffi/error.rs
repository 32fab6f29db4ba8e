//! What went wrong, in an object of the caller's.

use super::guard::{catch, free};
use super::status::{Failure, KENTRO_STATUS_NULL_POINTER, KENTRO_STATUS_OK, StatusCode};
use super::text::Line;
use crate::owned::boxed;
use libc::c_char;
use std::ptr;

/// What a call had to say when it failed. Made once and passed to any number
/// of calls, one at a time; each leaves its own outcome there, success too.
pub struct ErrorHandle {
    status: StatusCode,
    row: Option<usize>,
    column: Option<usize>,
    os_code: Option<i32>,
    text: Line,
}

impl ErrorHandle {
    fn new() -> Self {
        ErrorHandle {
            status: KENTRO_STATUS_OK,
            row: None,
            column: None,
            os_code: None,
            text: Line::new(),
        }
    }

    /// Keeps the outcome of a call.
    pub(super) fn set(&mut self, failure: Option<&Failure>) {
        match failure {
            None if self.status == KENTRO_STATUS_OK => {}
            None => *self = ErrorHandle::new(),
            Some(failure) => {
                self.status = failure.status();
                self.row = failure.core().and_then(|error| error.row());
                self.column = failure.core().and_then(|error| error.column());
                self.os_code = failure.core().and_then(|error| error.os_code());
                self.text.set(failure);
            }
        }
    }
}

/// Makes an object that can be passed as the `error` of calls, which keeps
/// what they have to say. To be freed by `kentro_error_free`. NULL if there is
/// no memory; that may be passed all the same. Since 0.3.
#[unsafe(no_mangle)]
pub extern "C" fn kentro_error_new() -> *mut ErrorHandle {
    let error = catch(|| Ok(boxed(ErrorHandle::new(), "an error")?));
    error.map_or(ptr::null_mut(), Box::into_raw)
}

/// The status that the last call with this object returned; 0 if there was
/// none. `KENTRO_STATUS_NULL_POINTER` if `error` is NULL. Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_error_status(error: *const ErrorHandle) -> StatusCode {
    // SAFETY: NULL or live, as the caller promises.
    let error = unsafe { error.as_ref() };
    error.map_or(KENTRO_STATUS_NULL_POINTER, |error| error.status)
}

/// What went wrong in the last call with this object, such as "Invalid data:
/// row 17, column 3 is NaN; ...": which parameter, which value, what to do. ""
/// after a success, or if `error` is NULL.
///
/// Valid until the next call with this object, or until it is freed.
/// Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_error_message(error: *const ErrorHandle) -> *const c_char {
    // SAFETY: NULL or live, as the caller promises.
    let error = unsafe { error.as_ref() };
    error.map_or(c"".as_ptr(), |error| error.text.as_ptr())
}

/// The row, counted from 0, that was to blame for the failure of the last call
/// with this object, in what its text names; -1 where it was no single row.
/// Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_error_row(error: *const ErrorHandle) -> i64 {
    // SAFETY: NULL or live, as the caller promises.
    number(unsafe { error.as_ref() }.and_then(|error| error.row))
}

/// The column, counted from 0, that was to blame in that row; -1 where it was
/// no single column. Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_error_column(error: *const ErrorHandle) -> i64 {
    // SAFETY: NULL or live, as the caller promises.
    number(unsafe { error.as_ref() }.and_then(|error| error.column))
}

/// The number that the operating system gave for the failure of the last call
/// with this object, errno on Unix; 0 where it was no failure of the system's.
/// Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_error_os_code(error: *const ErrorHandle) -> i32 {
    // SAFETY: NULL or live, as the caller promises.
    let error = unsafe { error.as_ref() };
    error.and_then(|error| error.os_code).unwrap_or(0)
}

fn number(index: Option<usize>) -> i64 {
    index.and_then(|i| i.try_into().ok()).unwrap_or(-1)
}

/// Frees an error; NULL is fine. Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_error_free(error: *mut ErrorHandle) {
    // SAFETY: as the caller promises.
    unsafe { free(error) }
}
