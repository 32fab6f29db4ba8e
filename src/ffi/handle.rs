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
use std::ffi::{CStr, CString};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, TryLockError};

/// A clustering model. May be shared between threads. While a call trains it
/// or sets it up, it can be read, as it was before that call, but other calls
/// that would change it get `KENTRO_STATUS_BUSY`.
pub struct KMeansHandle {
    /// Locked only to copy the pointer out or to put the next one in.
    state: RwLock<Arc<State>>,
    /// Locked while a call prepares the next state; callbacks run under it.
    changing: Mutex<()>,
    /// The detail of the last failed call.
    error: Mutex<CString>,
}

/// What training left behind is shared by clones and never moves, so that it
/// can be lent until the handle is freed: a model trains only once.
#[derive(Clone)]
pub(super) struct State {
    pub model: KMeans,
    pub callbacks: Callbacks,
    pub warnings: Arc<[CString]>,
    pub info: Arc<CStr>,
}

impl KMeansHandle {
    fn new(state: Arc<State>) -> Box<Self> {
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
                *handle.error() = c_string(&failure.detail);
                failure.status
            }
        }
    }

    pub fn state(&self) -> Arc<State> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&state)
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
        let mut next = State::clone(&self.state());
        change(&mut next)?;
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(next);
        Ok(())
    }

    fn error(&self) -> MutexGuard<'_, CString> {
        self.error.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
        let handle = KMeansHandle::new(Arc::new(State {
            model: KMeans::new(n_clusters),
            callbacks: Callbacks::default(),
            warnings: Arc::new([]),
            info: c"".into(),
        }));
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
            let copy = KMeansHandle::new(handle.state());
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
        Ok(handle) => handle.error().as_ptr(),
        Err(_) => message(KENTRO_STATUS_NULL_POINTER).as_ptr(),
    }
}
