//! The model behind a `kentro_kmeans`.

use super::callbacks::Callbacks;
use super::guard::{catch, guard};
use super::status::{
    Failure, KENTRO_STATUS_BUSY, KENTRO_STATUS_INVALID_N_CLUSTERS, KENTRO_STATUS_NULL_POINTER,
    KENTRO_STATUS_OK, Outcome, StatusCode, message,
};
use super::{borrow, require};
use crate::model::KMeans;
use libc::c_char;
use std::ffi::CString;
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, TryLockError};

/// A clustering model. A handle that nobody is setting up or training may be
/// shared between threads; other threads get `KENTRO_STATUS_BUSY` when they
/// change it meanwhile.
pub struct KMeansHandle {
    /// Held only to copy it out or to put the next state in.
    state: RwLock<State>,
    /// Held while a call prepares the next state; callbacks run under it.
    changing: Mutex<()>,
    /// The detail of the last failed call.
    error: Mutex<CString>,
}

/// Cloning is cheap: what training left behind is shared.
#[derive(Clone)]
pub(super) struct State {
    pub model: KMeans,
    pub callbacks: Callbacks,
    pub warnings: Vec<CString>,
}

impl KMeansHandle {
    fn new(state: State) -> Box<Self> {
        Box::new(KMeansHandle {
            state: RwLock::new(state),
            changing: Mutex::new(()),
            error: Mutex::new(CString::default()),
        })
    }

    /// Runs the body of a function on the handle behind `pointer` and keeps
    /// the detail of a failure there.
    ///
    /// # Safety
    /// `pointer` is NULL or a live handle.
    pub unsafe fn call(pointer: *const Self, body: impl FnOnce(&Self) -> Outcome) -> StatusCode {
        // SAFETY: as the caller promises.
        let Some(handle) = (unsafe { pointer.as_ref() }) else {
            return KENTRO_STATUS_NULL_POINTER;
        };
        match catch(|| body(handle)) {
            Ok(()) => KENTRO_STATUS_OK,
            Err(failure) => {
                *unpoisoned(handle.error.lock()) = c_string(&failure.detail);
                failure.status
            }
        }
    }

    /// Reads the state. What is borrowed from a trained model's results stays
    /// where it is until the handle is freed, since a model trains only once.
    pub fn read<T>(&self, read: impl FnOnce(&State) -> T) -> T {
        read(&self.state.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Replaces the state by what `change` makes of a copy; not if it fails.
    pub fn change(&self, change: impl FnOnce(&mut State) -> Outcome) -> Outcome {
        let _changing = match self.changing.try_lock() {
            Ok(changing) => changing,
            // A panic left the state before it in place.
            Err(TryLockError::Poisoned(error)) => error.into_inner(),
            Err(TryLockError::WouldBlock) => {
                return Err(Failure::new(
                    KENTRO_STATUS_BUSY,
                    "the handle is in use by another call; wait for it, or work on a clone",
                ));
            }
        };
        let mut next = self.read(State::clone);
        change(&mut next)?;
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = next;
        Ok(())
    }
}

fn unpoisoned<'a, T>(lock: std::sync::LockResult<MutexGuard<'a, T>>) -> MutexGuard<'a, T> {
    lock.unwrap_or_else(PoisonError::into_inner)
}

/// `text` up to its first NUL.
pub(super) fn c_string(text: &str) -> CString {
    let text = text.split('\0').next().unwrap_or_default();
    CString::new(text).unwrap_or_default()
}

/// Makes a model of `n_clusters` clusters with default settings: cosine,
/// 25 iterations, neither balanced nor medoids.
///
/// `KENTRO_STATUS_INVALID_N_CLUSTERS` if `n_clusters` is 0. To be freed by
/// `kentro_kmeans_free`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_kmeans_new(
    n_clusters: usize,
    out_kmeans: *mut *mut KMeansHandle,
) -> StatusCode {
    guard(|| {
        require(out_kmeans, "out_kmeans")?;
        if n_clusters == 0 {
            let text = message(KENTRO_STATUS_INVALID_N_CLUSTERS).to_string_lossy();
            return Err(Failure::new(KENTRO_STATUS_INVALID_N_CLUSTERS, text));
        }
        let handle = KMeansHandle::new(State {
            model: KMeans::new(n_clusters),
            callbacks: Callbacks::default(),
            warnings: Vec::new(),
        });
        // SAFETY: `out_kmeans` can be written, as the caller promises.
        unsafe { out_kmeans.write(Box::into_raw(handle)) };
        Ok(())
    })
}

/// Makes an independent copy with the same settings, callbacks and user data.
/// What training left behind is shared, so that copying is cheap. To be freed
/// by `kentro_kmeans_free`; the two may be freed in any order.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_kmeans_clone(
    kmeans: *const KMeansHandle,
    out_kmeans: *mut *mut KMeansHandle,
) -> StatusCode {
    // SAFETY: the handle is live and the output can be written, as promised.
    unsafe {
        KMeansHandle::call(kmeans, |handle| {
            require(out_kmeans, "out_kmeans")?;
            let copy = KMeansHandle::new(handle.read(State::clone));
            out_kmeans.write(Box::into_raw(copy));
            Ok(())
        })
    }
}

/// Frees a model and everything lent from it; NULL is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_kmeans_free(kmeans: *mut KMeansHandle) {
    guard(|| {
        if !kmeans.is_null() {
            // SAFETY: the handle came from `Box::into_raw` and is not used again.
            drop(unsafe { Box::from_raw(kmeans) });
        }
        Ok(())
    });
}

/// The detail of the last call on this handle that failed, such as "Invalid
/// data: row 17, column 3 is NaN; ..."; "" if none did.
///
/// Valid until the next call on the handle that fails, or until it is freed.
/// Threads that share a handle and want texts of their own clone it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_kmeans_error(kmeans: *const KMeansHandle) -> *const c_char {
    // SAFETY: the handle is live, as the caller promises.
    match unsafe { borrow(kmeans, "kmeans") } {
        Ok(handle) => unpoisoned(handle.error.lock()).as_ptr(),
        Err(_) => message(KENTRO_STATUS_NULL_POINTER).as_ptr(),
    }
}
