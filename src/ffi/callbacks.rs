//! What the caller wants to be told while a call runs.

use super::error::ErrorHandle;
use super::handle::KMeansHandle;
use super::status::StatusCode;
use super::text::Line;
use crate::model::print_message;
use crate::threads::Event;
use libc::{c_char, c_void};
use std::ops::ControlFlow;

/// Told of every finished iteration: its number (from 1), the objective, how
/// many points changed their cluster, and the seconds since training began.
/// Anything but 0 cancels.
pub type ProgressFn = Option<
    unsafe extern "C" fn(
        iteration: usize,
        inertia: f64,
        changed: usize,
        seconds: f64,
        user_data: *mut c_void,
    ) -> i32,
>;

/// Asked every 0.02 s or so whether to go on. Anything but 0 cancels.
pub type PollFn = Option<unsafe extern "C" fn(user_data: *mut c_void) -> i32>;

/// Told lines for the user. `level` is one of `KENTRO_LOG_*`; `message` is
/// valid only during the call and has no line feed at its end.
pub type LogFn =
    Option<unsafe extern "C" fn(level: i32, message: *const c_char, user_data: *mut c_void)>;

/// A line that `kentro_kmeans_set_verbose` asked for.
pub const KENTRO_LOG_INFO: i32 = 0;
/// The result is usable, but perhaps not what was expected.
pub const KENTRO_LOG_WARNING: i32 = 1;

/// A function of the caller's and what it is to be called with.
#[derive(Clone, Copy)]
struct Callback<F> {
    function: F,
    user_data: *mut c_void,
}

impl<F> Callback<F> {
    /// Nothing, where the function is NULL.
    fn new(function: Option<F>, user_data: *mut c_void) -> Option<Self> {
        let function = function?;
        Some(Callback {
            function,
            user_data,
        })
    }
}

type Progress = unsafe extern "C" fn(usize, f64, usize, f64, *mut c_void) -> i32;
type Poll = unsafe extern "C" fn(*mut c_void) -> i32;
type Log = unsafe extern "C" fn(i32, *const c_char, *mut c_void);

#[derive(Clone, Copy, Default)]
pub(super) struct Callbacks {
    progress: Option<Callback<Progress>>,
    poll: Option<Callback<Poll>>,
    log: Option<Callback<Log>>,
}

// SAFETY: the pointers are only handed to the caller's functions, in calls that
// the caller makes, on the caller's threads.
unsafe impl Send for Callbacks {}
// SAFETY: as above.
unsafe impl Sync for Callbacks {}

impl Callbacks {
    /// Passes an event on; breaks if the caller wants to cancel.
    pub fn tell(&self, event: Event<'_>) -> ControlFlow<()> {
        let cancel = match event {
            Event::Iteration(done) => self.progress.is_some_and(
                |Callback {
                     function,
                     user_data,
                 }| {
                    // SAFETY: the caller gave both together, to be called so.
                    let answer = unsafe {
                        function(
                            done.number,
                            done.inertia,
                            done.changed,
                            done.seconds,
                            user_data,
                        )
                    };
                    answer != 0
                },
            ),
            Event::Poll => self.poll.is_some_and(
                |Callback {
                     function,
                     user_data,
                 }| {
                    // SAFETY: the caller gave both together, to be called so.
                    unsafe { function(user_data) != 0 }
                },
            ),
            Event::Message(text) => {
                self.log(KENTRO_LOG_INFO, text);
                false
            }
            Event::Warning(text) => {
                self.log(KENTRO_LOG_WARNING, text);
                false
            }
        };
        match cancel {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }

    fn log(&self, level: i32, text: &str) {
        match self.log {
            Some(Callback {
                function,
                user_data,
            }) => {
                let mut line = Line::new();
                line.set(text);
                // SAFETY: the caller gave both together, to be called so.
                unsafe { function(level, line.as_ptr(), user_data) };
            }
            None if level == KENTRO_LOG_INFO => print_message(text),
            None => {}
        }
    }
}

/// Sets the function that is told of every finished iteration of training and
/// may cancel it; NULL removes it. `user_data` is handed through and must live as
/// long as this handle and its clones.
///
/// All callbacks are called on the thread that called Kentro, during that
/// call. They may read the handle they are called for, but neither change nor
/// free it, and must not jump out of the call (exceptions, `longjmp`).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_kmeans_set_progress(
    kmeans: *mut KMeansHandle,
    progress: ProgressFn,
    user_data: *mut c_void,
    error: *mut ErrorHandle,
) -> StatusCode {
    // SAFETY: the handle is live, as the caller promises.
    unsafe {
        KMeansHandle::call(kmeans, error, |handle| {
            handle.change(|state| {
                state.callbacks.progress = Callback::new(progress, user_data);
                Ok(())
            })
        })
    }
}

/// Sets the function that is asked, at least every 0.02 s or so while Kentro
/// computes, whether to go on; NULL removes it. Meant for Ctrl-C and time
/// limits. See `kentro_kmeans_set_progress`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_kmeans_set_poll(
    kmeans: *mut KMeansHandle,
    poll: PollFn,
    user_data: *mut c_void,
    error: *mut ErrorHandle,
) -> StatusCode {
    // SAFETY: the handle is live, as the caller promises.
    unsafe {
        KMeansHandle::call(kmeans, error, |handle| {
            handle.change(|state| {
                state.callbacks.poll = Callback::new(poll, user_data);
                Ok(())
            })
        })
    }
}

/// Sets the function that gets verbose lines and warnings; NULL removes it.
/// Without one, verbose lines go to standard output and warnings are only to
/// be had from `kentro_kmeans_warning`. See `kentro_kmeans_set_progress`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_kmeans_set_log(
    kmeans: *mut KMeansHandle,
    log: LogFn,
    user_data: *mut c_void,
    error: *mut ErrorHandle,
) -> StatusCode {
    // SAFETY: the handle is live, as the caller promises.
    unsafe {
        KMeansHandle::call(kmeans, error, |handle| {
            handle.change(|state| {
                state.callbacks.log = Callback::new(log, user_data);
                Ok(())
            })
        })
    }
}
