//! The C ABI: handles, statuses, callbacks; no algorithm. `include/kentro.h`
//! is generated from here by cbindgen (`tests/header.rs`), so the doc comments
//! of public items speak to C programmers. `docs/c.md` has the conventions.
//!
//! One file an object. Every function that can fail runs inside
//! [`guard::guard`], which keeps what it says in the caller's
//! [`error::ErrorHandle`]; it checks every pointer for NULL, and writes its
//! outputs last.
//!
//! # Safety
//! What every exported function asks of its caller: a handle is NULL or live,
//! data and outputs are NULL or have the described size, and nobody else uses
//! `error` meanwhile.

#![allow(unsafe_code)]

// In the order of the header.
mod version;

mod status;

mod error;

mod threads;

mod amx;

mod points;

mod points_csr;

mod handle;

mod settings;

mod settings_read;

mod observer;

mod run;

mod judging;

mod record;
mod results;

mod file;

mod clusters;

mod partial;

mod block;

mod seeding;

mod source;

mod guard;

mod text;

use status::{Failure, KENTRO_STATUS_INVALID_DATA, KENTRO_STATUS_INVALID_PARAMETER, Outcome};
use std::ptr;

// Handles are promised to be fit for sharing between threads.
const fn shareable<T: Sync>() {}

/// The value behind a pointer that C gave us.
///
/// # Safety
/// `pointer` is NULL or points to a live `T` for as long as `'a`.
unsafe fn borrow<'a, T>(pointer: *const T, argument: &'static str) -> Outcome<&'a T> {
    // SAFETY: as the caller promises.
    unsafe { pointer.as_ref() }.ok_or_else(|| Failure::null(argument))
}

/// Checks that memory can be what it should be: neither NULL nor misaligned.
fn require<T>(pointer: *const T, argument: &'static str) -> Outcome {
    if pointer.is_null() {
        return Err(Failure::null(argument));
    }
    if !pointer.is_aligned() {
        let text = format_args!("{argument} is not aligned to its type");
        return Err(Failure::new(KENTRO_STATUS_INVALID_DATA, text));
    }
    Ok(())
}

/// [`require`] for memory that is only wanted where it is given.
fn may_be_null<T>(pointer: *const T, argument: &'static str) -> Outcome {
    match pointer.is_null() {
        true => Ok(()),
        false => require(pointer, argument),
    }
}

/// Writes what `make` makes to an output, which is checked first.
///
/// # Safety
/// `out` is NULL or can be written.
unsafe fn put<T>(
    out: *mut T,
    argument: &'static str,
    make: impl FnOnce() -> Outcome<T>,
) -> Outcome {
    require(out, argument)?;
    let made = make()?;
    // SAFETY: as the caller promises.
    unsafe { out.write(made) };
    Ok(())
}

/// Writes an output where it is wanted; it was checked.
///
/// # Safety
/// `out` is NULL or can be written.
unsafe fn put_if_wanted<T>(out: *mut T, value: T) {
    if !out.is_null() {
        // SAFETY: as the caller promises.
        unsafe { out.write(value) };
    }
}

/// Lends a slice, if there is one, to `out` and `out_len`.
///
/// # Safety
/// The outputs are NULL or can be written.
unsafe fn lend<T>(
    out: *mut *const T,
    out_len: *mut usize,
    slice: Outcome<Option<&[T]>>,
) -> Outcome {
    require(out, "out")?;
    require(out_len, "out_len")?;
    let (pointer, len) = slice?.map_or((ptr::null(), 0), |s| (s.as_ptr(), s.len()));
    // SAFETY: as the caller promises.
    unsafe {
        out.write(pointer);
        out_len.write(len);
    }
    Ok(())
}

/// The `len` values behind a pointer that C gave us; NULL is fine for none.
///
/// # Safety
/// `pointer` is NULL or points to `len` values that live for `'a`.
unsafe fn borrow_slice<'a, T>(
    pointer: *const T,
    len: usize,
    argument: &'static str,
) -> Outcome<&'a [T]> {
    if len == 0 {
        return Ok(&[]);
    }
    require(pointer, argument)?;
    // SAFETY: as the caller promises.
    Ok(unsafe { std::slice::from_raw_parts(pointer, len) })
}

/// [`borrow_slice`] for values that are going to be written.
///
/// # Safety
/// `pointer` is NULL or points to `len` values that live for `'a` and that
/// nobody else uses meanwhile.
unsafe fn borrow_slice_mut<'a, T>(
    pointer: *mut T,
    len: usize,
    argument: &'static str,
) -> Outcome<&'a mut [T]> {
    if len == 0 {
        return Ok(&mut []);
    }
    require(pointer, argument)?;
    // SAFETY: as the caller promises.
    Ok(unsafe { std::slice::from_raw_parts_mut(pointer, len) })
}

/// Checks that an output has room for as many values, or bytes, as it gets.
fn check_capacity(capacity: usize, needed: usize, what: &str) -> Outcome {
    if capacity >= needed {
        return Ok(());
    }
    let text = format_args!("capacity is {capacity}, but {needed} {what} are needed");
    Err(Failure::new(KENTRO_STATUS_INVALID_PARAMETER, text))
}
