//! The number of threads of calls that aren't told one.

use super::error::ErrorHandle;
use super::guard::guard;
use super::put;
use super::run::KENTRO_ALL_THREADS;
use super::status::StatusCode;
use crate::threads::{default_threads, set_default_threads};

/// Sets how many threads a call uses that is given `KENTRO_ALL_THREADS`, in the
/// whole process and from now on: from 1, or `KENTRO_ALL_THREADS` for all cores
/// that the machine grants.
///
/// Without it the environment variable `KENTRO_NUM_THREADS` says so, as it is
/// when the number is first needed; without that, all cores. It has no
/// influence on results. May be called from any thread. Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_set_default_threads(
    num_threads: usize,
    error: *mut ErrorHandle,
) -> StatusCode {
    let count = (num_threads != KENTRO_ALL_THREADS).then_some(num_threads);
    // SAFETY: as the caller promises.
    unsafe { guard(error, || Ok(set_default_threads(count)?)) }
}

/// Writes to `out` how many threads a call uses that is given
/// `KENTRO_ALL_THREADS`: at most as many as the machine grants this process.
///
/// `KENTRO_STATUS_INVALID_PARAMETER` if that is up to `KENTRO_NUM_THREADS` in
/// the environment, which is no positive whole number. Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_default_threads(
    out: *mut usize,
    error: *mut ErrorHandle,
) -> StatusCode {
    // SAFETY: as the caller promises.
    unsafe { guard(error, || put(out, "out", || Ok(default_threads()?))) }
}
