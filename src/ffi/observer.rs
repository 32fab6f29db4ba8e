//! What a call tells its caller while it runs, and how the caller ends it.

use super::error::ErrorHandle;
use super::guard::{free, guard};
use super::put;
use super::record;
use super::status::{Outcome, StatusCode};
use super::text::Line;
use crate::model::print_message;
use crate::owned::boxed;
use crate::threads::{End, Event, Phase, Progress};
use libc::{c_char, c_void};
use std::ops::ControlFlow;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};

/// Training looks for the first centroids.
pub const KENTRO_PHASE_SEEDING: i32 = 0;
/// Training assigns rows and moves centroids.
pub const KENTRO_PHASE_ITERATING: i32 = 1;
/// Training moves rows to where the bounds on cluster sizes want them.
pub const KENTRO_PHASE_REPAIRING: i32 = 2;
/// Training assigns rows to the final centroids.
pub const KENTRO_PHASE_LABELLING: i32 = 3;

/// How far training is. Later versions add fields at the end: only those that
/// lie within `size` are there.
#[repr(C)]
pub struct ProgressRecord {
    /// The bytes of this record.
    size: usize,
    /// One of `KENTRO_PHASE_*`; later versions may have more.
    phase: i32,
    /// Which of the runs that `kentro_kmeans_set_n_init` asked for, from 1.
    run: usize,
    /// Iterations that this run has finished.
    iteration: usize,
    /// Iterations that all runs have finished; never falls.
    total: usize,
    /// The objective before the last iteration's update; NaN before the first.
    inertia: f64,
    /// Points that changed their cluster in the last iteration.
    changed: usize,
    /// Seconds since training began; never falls.
    seconds: f64,
}

/// A callback's answer: go on.
pub const KENTRO_CONTINUE: i32 = 0;
/// A callback's answer, like any other that is not listed: end the call at once
/// with `KENTRO_STATUS_CANCELLED`; the model stays as it was.
pub const KENTRO_CANCEL: i32 = 1;
/// A callback's answer: end training within one further iteration, as if it
/// were the last one asked for, and keep the model: its labels are those of its
/// centroids, and bounds on cluster sizes hold. Other calls go on.
pub const KENTRO_STOP: i32 = 2;

/// Told of each iteration of training, and about every 0.1 s between; answers
/// `KENTRO_CONTINUE`, `KENTRO_STOP` or `KENTRO_CANCEL`.
pub type ProgressFn =
    Option<unsafe extern "C" fn(progress: *const ProgressRecord, user_data: *mut c_void) -> i32>;

/// Asked every 0.02 s or so whether to go on; answers like a
/// `kentro_progress_fn`.
pub type PollFn = Option<unsafe extern "C" fn(user_data: *mut c_void) -> i32>;

/// Told lines for the user. `level` is one of `KENTRO_LOG_*`; `message` is
/// valid only during the call and has no line feed at its end.
pub type LogFn =
    Option<unsafe extern "C" fn(level: i32, message: *const c_char, user_data: *mut c_void)>;

/// A line that `kentro_kmeans_set_verbose` asked for.
pub const KENTRO_LOG_INFO: i32 = 0;
/// The result is usable, but perhaps not what was expected.
pub const KENTRO_LOG_WARNING: i32 = 1;

/// Who watches one call, and may end it: pass it to that call. Set it all to
/// zero, then `size`, then what is wanted; what is NULL is not called. Without
/// a `log`, verbose lines go to standard output and warnings are only to be had
/// from `kentro_kmeans_warning`.
///
/// All are called on the thread that made the call, during that call. They may
/// read the model they are called for and use others, but neither change nor
/// free it, and must not jump out of the call (exceptions, `longjmp`).
#[repr(C)]
#[derive(Clone, Copy)]
pub struct ObserverRecord {
    /// `sizeof(kentro_observer)`: later versions add fields at the end.
    size: usize,
    progress: ProgressFn,
    poll: PollFn,
    log: LogFn,
    /// Handed to each of them.
    user_data: *mut c_void,
    /// Once this is requested, by whom ever, the call ends within 0.1 s or so
    /// with `KENTRO_STATUS_CANCELLED`.
    cancel: *const CancelHandle,
}

impl ObserverRecord {
    /// Nobody.
    const NONE: Self = ObserverRecord {
        size: size_of::<Self>(),
        progress: None,
        poll: None,
        log: None,
        user_data: ptr::null_mut(),
        cancel: ptr::null(),
    };

    /// What C gave us, of whatever version.
    ///
    /// # Safety
    /// `pointer` is NULL or points to a record that has the size it says.
    pub(super) unsafe fn read(pointer: *const Self) -> Outcome<Self> {
        if pointer.is_null() {
            return Ok(Self::NONE);
        }
        // SAFETY: as the caller promises; all fields may be zero.
        unsafe { record::read(pointer, "observer", Self::NONE) }
    }

    /// Does anybody want to be told?
    pub(super) fn listens(&self) -> bool {
        self.progress.is_some() || self.poll.is_some() || self.log.is_some()
    }

    /// The flag that cancels the call.
    ///
    /// # Safety
    /// `cancel` is NULL or lives for `'a`.
    pub(super) unsafe fn cancel<'a>(&self) -> Option<&'a AtomicBool> {
        // SAFETY: as the caller promises.
        unsafe { self.cancel.as_ref() }.map(|cancel| &cancel.requested)
    }

    /// Passes an event on.
    ///
    /// # Safety
    /// The functions may be called with the user data.
    pub(super) unsafe fn tell(&self, event: Event<'_>) -> ControlFlow<End> {
        // SAFETY: as the caller promises.
        let answer = unsafe {
            match event {
                Event::Progress(progress) => self.progress.map(|function| {
                    let record = ProgressRecord::from(progress);
                    function(&raw const record, self.user_data)
                }),
                Event::Poll => self.poll.map(|function| function(self.user_data)),
                Event::Message(text) => {
                    self.log(KENTRO_LOG_INFO, text);
                    None
                }
                Event::Warning(text) => {
                    self.log(KENTRO_LOG_WARNING, text);
                    None
                }
            }
        };
        match answer.unwrap_or(KENTRO_CONTINUE) {
            KENTRO_CONTINUE => ControlFlow::Continue(()),
            KENTRO_STOP => ControlFlow::Break(End::Stop),
            ..KENTRO_CONTINUE | KENTRO_CANCEL.. => ControlFlow::Break(End::Cancel),
        }
    }

    /// # Safety
    /// As of [`ObserverRecord::tell`].
    unsafe fn log(&self, level: i32, text: &str) {
        match self.log {
            Some(function) => {
                let mut line = Line::new();
                line.set(text);
                // SAFETY: as the caller promises.
                unsafe { function(level, line.as_ptr(), self.user_data) };
            }
            None if level == KENTRO_LOG_INFO => print_message(text),
            None => {}
        }
    }
}

impl From<&Progress> for ProgressRecord {
    fn from(progress: &Progress) -> Self {
        ProgressRecord {
            size: size_of::<ProgressRecord>(),
            phase: match progress.phase {
                Phase::Seeding => KENTRO_PHASE_SEEDING,
                Phase::Iterating => KENTRO_PHASE_ITERATING,
                Phase::Repairing => KENTRO_PHASE_REPAIRING,
                Phase::Labelling => KENTRO_PHASE_LABELLING,
            },
            run: progress.run,
            iteration: progress.iteration,
            total: progress.total,
            inertia: progress.inertia,
            changed: progress.changed,
            seconds: progress.seconds,
        }
    }
}

/// A wish to end calls, which any thread and any signal handler may utter. One
/// may serve many calls.
pub struct CancelHandle {
    requested: AtomicBool,
}

/// Makes a wish to end calls that has not been uttered yet. To be freed by
/// `kentro_cancel_free`, once no call uses it any more. Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_cancel_new(
    out_cancel: *mut *mut CancelHandle,
    error: *mut ErrorHandle,
) -> StatusCode {
    let make = || {
        let requested = AtomicBool::new(false);
        let cancel = boxed(CancelHandle { requested }, "a cancel token")?;
        Ok(Box::into_raw(cancel))
    };
    // SAFETY: as the caller promises.
    unsafe { guard(error, || put(out_cancel, "out_cancel", make)) }
}

/// Ends all calls that are watched by an observer with this `cancel`, now and
/// from now on. From any thread or signal handler; NULL is fine. Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_cancel_request(cancel: *const CancelHandle) {
    // SAFETY: NULL or live, as the caller promises.
    if let Some(cancel) = unsafe { cancel.as_ref() } {
        cancel.requested.store(true, Ordering::Relaxed);
    }
}

/// Frees it; NULL is fine. Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_cancel_free(cancel: *mut CancelHandle) {
    // SAFETY: as the caller promises.
    unsafe { free(cancel) }
}
