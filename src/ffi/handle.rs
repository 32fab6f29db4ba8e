//! The model behind a `kentro_kmeans`.

use super::error::ErrorHandle;
use super::guard::{free, guard};
use super::status::{
    Failure, KENTRO_STATUS_BUSY, KENTRO_STATUS_INVALID_N_CLUSTERS, Outcome, StatusCode,
};
use super::text::Text;
use super::{borrow, put};
use crate::allocate;
use crate::model::KMeans;
use crate::owned::{TryArc, boxed};
use std::sync::{Mutex, PoisonError, RwLock, TryLockError};

/// A clustering model. May be shared between threads. While a call trains it
/// or sets it up, it can be read, as it was before that call, but other calls
/// that would change it get `KENTRO_STATUS_BUSY`.
pub struct KMeansHandle {
    /// Locked only to copy the pointer out or to put the next one in.
    state: RwLock<TryArc<State>>,
    /// Locked while a call prepares the next state; callbacks run under it.
    changing: Mutex<()>,
}

const _: () = super::shareable::<KMeansHandle>();

/// What training left behind is shared by clones and never moves, so that it
/// can be lent until the handle is freed: a model trains only once.
#[derive(Clone)]
pub(super) struct State {
    pub model: KMeans,
    /// There once the model is trained.
    pub texts: Option<TryArc<Texts>>,
}

/// What training had to say.
pub(super) struct Texts {
    pub warnings: Vec<Text>,
    pub info: Text,
}

impl Texts {
    /// `None` before training.
    fn of(model: &KMeans) -> Outcome<Option<TryArc<Self>>> {
        const PURPOSE: &str = "warnings";
        if !model.is_trained() {
            return Ok(None);
        }
        let mut warnings = allocate::with_capacity(model.warnings().len(), PURPOSE)?;
        for text in model.warnings() {
            warnings.push(Text::new(text, PURPOSE)?);
        }
        let info = Text::new(model.info().unwrap_or_default(), PURPOSE)?;
        Ok(Some(TryArc::new(Texts { warnings, info }, PURPOSE)?))
    }
}

impl KMeansHandle {
    /// A handle for C to keep.
    fn new(state: TryArc<State>) -> Outcome<*mut Self> {
        let handle = KMeansHandle {
            state: RwLock::new(state),
            changing: Mutex::new(()),
        };
        Ok(Box::into_raw(boxed(handle, "a model")?))
    }

    /// A handle of a model.
    pub fn of(model: KMeans) -> Outcome<*mut Self> {
        let state = State {
            texts: Texts::of(&model)?,
            model,
        };
        KMeansHandle::new(TryArc::new(state, "a model")?)
    }

    /// A handle of the same settings.
    pub fn untrained(&self) -> Outcome<*mut Self> {
        let state = self.state();
        let state = State {
            model: state.model.untrained(),
            texts: None,
        };
        KMeansHandle::new(TryArc::new(state, "a model")?)
    }

    /// Runs the body of a function on the handle behind `pointer` and keeps
    /// its outcome in `error`.
    ///
    /// # Safety
    /// `pointer` is NULL or a live handle; `error` is NULL or a live error that
    /// nobody else uses meanwhile.
    pub unsafe fn call(
        pointer: *const Self,
        error: *mut ErrorHandle,
        body: impl FnOnce(&Self) -> Outcome,
    ) -> StatusCode {
        // SAFETY: as the caller promises.
        unsafe { guard(error, || body(borrow(pointer, "kmeans")?)) }
    }

    pub fn state(&self) -> TryArc<State> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        TryArc::clone(&state)
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
        let next = TryArc::new(next, "a model")?;
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = next;
        Ok(())
    }

    /// Replaces the model by what `train` makes of a copy; not if it fails.
    pub fn train(&self, train: impl FnOnce(&mut KMeans) -> Outcome) -> Outcome {
        self.change(|state| {
            train(&mut state.model)?;
            state.texts = Texts::of(&state.model)?;
            Ok(())
        })
    }
}

/// Makes a model of `n_clusters` clusters with default settings: cosine,
/// 25 iterations, neither balanced nor medoids.
///
/// `KENTRO_STATUS_INVALID_N_CLUSTERS` if `n_clusters` is 0. To be freed by
/// `kentro_kmeans_free`. Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_kmeans_new(
    n_clusters: usize,
    out_kmeans: *mut *mut KMeansHandle,
    error: *mut ErrorHandle,
) -> StatusCode {
    let make = || match n_clusters {
        0 => Err(Failure::from(KENTRO_STATUS_INVALID_N_CLUSTERS)),
        _ => KMeansHandle::of(KMeans::new(n_clusters)),
    };
    // SAFETY: as the caller promises.
    unsafe { guard(error, || put(out_kmeans, "out_kmeans", make)) }
}

/// Makes an independent copy with the same settings. What training left
/// behind is shared, so that copying is cheap. To be freed by
/// `kentro_kmeans_free`; the two may be freed in any order. Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_kmeans_clone(
    kmeans: *const KMeansHandle,
    out_kmeans: *mut *mut KMeansHandle,
    error: *mut ErrorHandle,
) -> StatusCode {
    // SAFETY: the handle is live and the output can be written, as promised.
    unsafe {
        KMeansHandle::call(kmeans, error, |handle| {
            put(out_kmeans, "out_kmeans", || {
                KMeansHandle::new(handle.state())
            })
        })
    }
}

/// Frees a model and everything lent from it; NULL is fine. Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_kmeans_free(kmeans: *mut KMeansHandle) {
    // SAFETY: as the caller promises.
    unsafe { free(kmeans) }
}
