//! Keeps panics inside: a panic becomes `KENTRO_STATUS_INTERNAL` and prints
//! nothing.

use super::error::ErrorHandle;
use super::status::{Failure, KENTRO_STATUS_INTERNAL, KENTRO_STATUS_OK, Outcome, StatusCode};
use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::sync::OnceLock;
use std::thread;

/// Runs the body of a function of the C ABI and keeps its outcome in `error`.
///
/// # Safety
/// `error` is NULL or a live error that nobody else uses meanwhile.
pub(super) unsafe fn guard(error: *mut ErrorHandle, body: impl FnOnce() -> Outcome) -> StatusCode {
    let failure = catch(body).err();
    // SAFETY: as the caller promises.
    if let Some(error) = unsafe { error.as_mut() } {
        error.set(failure.as_ref());
    }
    failure.map_or(KENTRO_STATUS_OK, |failure| failure.status())
}

/// Runs `body`; a panic becomes a failure. What `body` changes must be whole
/// at any point where it may panic.
pub(super) fn catch<T>(body: impl FnOnce() -> Outcome<T>) -> Outcome<T> {
    install_quiet_hook();
    let _inside = Inside::enter();
    panic::catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|payload| {
        // Dropping a payload may panic again.
        std::mem::forget(payload);
        Err(Failure::from(KENTRO_STATUS_INTERNAL))
    })
}

/// Frees what `Box::into_raw` gave; NULL is fine.
///
/// # Safety
/// `pointer` is NULL or came from `Box::into_raw`, and is not used again.
pub(super) unsafe fn free<T>(pointer: *mut T) {
    let _ = catch(|| {
        if !pointer.is_null() {
            // SAFETY: as the caller promises.
            drop(unsafe { Box::from_raw(pointer) });
        }
        Ok(())
    });
}

thread_local! {
    /// How many calls of the library this thread is in: callbacks may nest them.
    static DEPTH: Cell<usize> = const { Cell::new(0) };
}

struct Inside;

impl Inside {
    fn enter() -> Self {
        DEPTH.set(DEPTH.get() + 1);
        Inside
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get() - 1);
    }
}

/// Is this thread the library's own, or inside one of its functions?
fn is_inside() -> bool {
    let is_worker = || {
        let thread = thread::current();
        thread
            .name()
            .is_some_and(|name| name.starts_with("kentro-"))
    };
    DEPTH.get() > 0 || is_worker()
}

type Hook = Box<dyn Fn(&PanicHookInfo<'_>) + Sync + Send>;

/// Any panic elsewhere still goes to the hook that was there before.
fn install_quiet_hook() {
    static PREVIOUS: OnceLock<Hook> = OnceLock::new();
    let mut is_new = false;
    PREVIOUS.get_or_init(|| {
        is_new = true;
        panic::take_hook()
    });
    if is_new {
        // It captures nothing, so that its box takes no memory.
        panic::set_hook(Box::new(|info| {
            if !is_inside()
                && let Some(previous) = PREVIOUS.get()
            {
                previous(info);
            }
        }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::threads::Threads;
    use std::process::Command;
    use std::ptr;

    fn status(body: impl FnOnce() -> Outcome) -> StatusCode {
        // SAFETY: there is no error to be written to.
        unsafe { guard(ptr::null_mut(), body) }
    }

    #[test]
    fn a_panic_becomes_a_status() {
        assert_eq!(status(|| panic!("on purpose")), KENTRO_STATUS_INTERNAL);
        assert_eq!(status(|| Ok(())), KENTRO_STATUS_OK);
        assert!(!is_inside());
    }

    #[test]
    fn a_panic_on_a_worker_becomes_a_status() {
        let status = status(|| {
            let threads = Threads::exactly(2, None)?;
            threads.run(0..10, || (), |(), _| -> () { panic!("on purpose") })?;
            Ok(())
        });
        assert_eq!(status, KENTRO_STATUS_INTERNAL);
    }

    /// Panics inside and outside of the library in a process of its own, and
    /// looks at what that process printed.
    #[test]
    fn only_panics_outside_are_printed() {
        const IN_CHILD: &str = "KENTRO_TEST_GUARD_CHILD";
        if std::env::var_os(IN_CHILD).is_some() {
            a_panic_becomes_a_status();
            a_panic_on_a_worker_becomes_a_status();
            let outside = thread::spawn(|| panic!("outside of the library"));
            assert!(outside.join().is_err());
            return;
        }
        let name = "ffi::guard::tests::only_panics_outside_are_printed";
        let child = Command::new(std::env::current_exe().unwrap())
            .args([name, "--exact", "--nocapture"])
            .env(IN_CHILD, "1")
            .output()
            .unwrap();
        let printed = String::from_utf8_lossy(&child.stderr);
        assert!(child.status.success(), "{printed}");
        assert!(printed.contains("outside of the library"), "{printed}");
        assert!(!printed.contains("on purpose"), "{printed}");
    }
}
