//! Structs that C sets up: they begin with their size and may grow.

use super::require;
use super::status::{Failure, KENTRO_STATUS_INVALID_PARAMETER, Outcome};
use std::ptr;

/// What C gave us, of whatever version: fields that it lacks are those of `empty`.
///
/// # Safety
/// `pointer` is NULL or points to a record that has the size it says; any bytes are
/// a `T`, whose first field is that size.
pub(super) unsafe fn read<T>(pointer: *const T, name: &'static str, empty: T) -> Outcome<T> {
    require(pointer, name)?;
    let invalid = |text| Failure::new(KENTRO_STATUS_INVALID_PARAMETER, text);
    // SAFETY: every record begins with its size.
    let size = unsafe { pointer.cast::<usize>().read() };
    if size < size_of::<usize>() {
        return Err(invalid(format_args!(
            "{name}->size is not set; set it to sizeof(kentro_{name})"
        )));
    }
    let known = size.min(size_of::<T>());
    let bytes = pointer.cast::<u8>();
    // SAFETY: the record has `size` bytes.
    let unknown = (known..size).any(|i| unsafe { bytes.add(i).read() } != 0);
    if unknown {
        return Err(invalid(format_args!(
            "{name} has fields set that this version of the library does not know"
        )));
    }
    let mut record = empty;
    // SAFETY: both have `known` bytes; fields that a shorter record lacks stay as
    // they are.
    unsafe { ptr::copy_nonoverlapping(bytes, (&raw mut record).cast::<u8>(), known) };
    Ok(record)
}
