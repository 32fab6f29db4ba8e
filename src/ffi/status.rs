//! What every function returns.

use crate::error::KMeansError;
use libc::c_char;
use std::ffi::CStr;
use std::fmt;

/// What a call came to: one of the `KENTRO_STATUS_*` numbers, which never change.
pub type StatusCode = i32;

/// Success; only now are the `out_*` arguments written.
pub const KENTRO_STATUS_OK: StatusCode = 0;
/// An argument is NULL that must not be.
pub const KENTRO_STATUS_NULL_POINTER: StatusCode = 1;
/// A setting or an argument is out of its range.
pub const KENTRO_STATUS_INVALID_PARAMETER: StatusCode = 2;
/// The number of clusters is 0.
pub const KENTRO_STATUS_INVALID_N_CLUSTERS: StatusCode = 3;
/// The model has been trained already; a model trains once.
pub const KENTRO_STATUS_ALREADY_TRAINED: StatusCode = 4;
/// The call needs a trained model.
pub const KENTRO_STATUS_NOT_TRAINED: StatusCode = 5;
/// There are fewer points than clusters.
pub const KENTRO_STATUS_INSUFFICIENT_POINTS: StatusCode = 6;
/// The points do not have as many columns as the model.
pub const KENTRO_STATUS_DIMENSION_MISMATCH: StatusCode = 7;
/// The shape, strides, alignment or number type of the points cannot be used.
pub const KENTRO_STATUS_INVALID_DATA: StatusCode = 8;
/// A value is NaN, infinite, or too large for a float32.
pub const KENTRO_STATUS_NOT_FINITE: StatusCode = 9;
/// Memory could not be had.
pub const KENTRO_STATUS_OUT_OF_MEMORY: StatusCode = 10;
/// A callback or a cancel token ended the call; the model is as it was before.
pub const KENTRO_STATUS_CANCELLED: StatusCode = 11;
/// The operating system refused to start threads.
pub const KENTRO_STATUS_THREADS: StatusCode = 12;
/// A bug in Kentro; the model is as it was before the call. Please report it.
pub const KENTRO_STATUS_INTERNAL: StatusCode = 13;
/// The handle is being trained or set up by another call that has not
/// returned: on another thread, or the one whose callback this is.
pub const KENTRO_STATUS_BUSY: StatusCode = 14;
/// The operating system did not read or write a file.
pub const KENTRO_STATUS_IO: StatusCode = 15;
/// What should be a saved model is none, or not all of one.
pub const KENTRO_STATUS_INVALID_FILE: StatusCode = 16;
/// A model was saved by a later version of Kentro, in a way that this one
/// doesn't know.
pub const KENTRO_STATUS_NEWER_FILE: StatusCode = 17;
/// A source gave no block; its message is the error's.
pub const KENTRO_STATUS_SOURCE: StatusCode = 18;

/// A short text for a status: static, never NULL, never to be freed. What
/// went wrong in detail is kept by the `kentro_error` of the call. Since 0.3.
#[unsafe(no_mangle)]
pub extern "C" fn kentro_status_message(status: i32) -> *const c_char {
    message(status).as_ptr()
}

pub(super) fn message(status: StatusCode) -> &'static CStr {
    match status {
        KENTRO_STATUS_OK => c"success",
        KENTRO_STATUS_NULL_POINTER => c"an argument is NULL that must not be",
        KENTRO_STATUS_INVALID_PARAMETER => c"a parameter is out of its range",
        KENTRO_STATUS_INVALID_N_CLUSTERS => c"Number of clusters must be positive",
        KENTRO_STATUS_ALREADY_TRAINED => c"Clustering has already been trained",
        KENTRO_STATUS_NOT_TRAINED => c"Clustering has not been trained yet",
        KENTRO_STATUS_INSUFFICIENT_POINTS => c"there are fewer points than clusters",
        KENTRO_STATUS_DIMENSION_MISMATCH => c"points and model differ in their number of columns",
        KENTRO_STATUS_INVALID_DATA => {
            c"the shape, strides, alignment or number type of the points cannot be used"
        }
        KENTRO_STATUS_NOT_FINITE => c"a value is NaN, infinite, or too large for a float32",
        KENTRO_STATUS_OUT_OF_MEMORY => c"out of memory",
        KENTRO_STATUS_CANCELLED => c"cancelled; the model is unchanged",
        KENTRO_STATUS_THREADS => c"cannot start threads",
        KENTRO_STATUS_INTERNAL => c"internal error in Kentro; please report it",
        KENTRO_STATUS_BUSY => c"the handle is in use by another call",
        KENTRO_STATUS_IO => c"a file could not be read or written",
        KENTRO_STATUS_INVALID_FILE => c"not a whole model file",
        KENTRO_STATUS_NEWER_FILE => c"the model was saved by a later version of Kentro",
        KENTRO_STATUS_SOURCE => c"a source failed",
        _ => c"unknown status",
    }
}

/// Why a call failed; as text, what to tell the caller.
#[derive(Debug)]
pub(super) enum Failure {
    Core(KMeansError),
    /// The text is "" where the one of the status must do.
    Own {
        status: StatusCode,
        text: String,
    },
}

impl Failure {
    pub fn new(status: StatusCode, text: impl fmt::Display) -> Self {
        let text = crate::text::text(text);
        Failure::Own { status, text }
    }

    pub fn null(argument: &'static str) -> Self {
        Failure::new(
            KENTRO_STATUS_NULL_POINTER,
            format_args!("{argument} is NULL"),
        )
    }

    pub fn core(&self) -> Option<&KMeansError> {
        match self {
            Failure::Core(error) => Some(error),
            Failure::Own { .. } => None,
        }
    }

    pub fn status(&self) -> StatusCode {
        match self {
            Failure::Own { status, .. } => *status,
            Failure::Core(error) => match error {
                KMeansError::InvalidParameter(_) | KMeansError::InitNotFinite { .. } => {
                    KENTRO_STATUS_INVALID_PARAMETER
                }
                KMeansError::AlreadyTrained => KENTRO_STATUS_ALREADY_TRAINED,
                KMeansError::NotTrained => KENTRO_STATUS_NOT_TRAINED,
                KMeansError::InsufficientPoints(..) => KENTRO_STATUS_INSUFFICIENT_POINTS,
                KMeansError::DimensionMismatch { .. } => KENTRO_STATUS_DIMENSION_MISMATCH,
                KMeansError::InvalidData(_) | KMeansError::InvalidWeight { .. } => {
                    KENTRO_STATUS_INVALID_DATA
                }
                KMeansError::NotFinite { .. } => KENTRO_STATUS_NOT_FINITE,
                KMeansError::OutOfMemory { .. } => KENTRO_STATUS_OUT_OF_MEMORY,
                KMeansError::Cancelled => KENTRO_STATUS_CANCELLED,
                KMeansError::Threads { .. } => KENTRO_STATUS_THREADS,
                KMeansError::Io { .. } => KENTRO_STATUS_IO,
                KMeansError::InvalidFile(_) => KENTRO_STATUS_INVALID_FILE,
                KMeansError::NewerFile { .. } => KENTRO_STATUS_NEWER_FILE,
                KMeansError::Source(_) => KENTRO_STATUS_SOURCE,
            },
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // Memory for the text could not be had.
            Failure::Core(
                KMeansError::InvalidParameter(text)
                | KMeansError::InvalidData(text)
                | KMeansError::InvalidFile(text)
                | KMeansError::Source(text),
            )
            | Failure::Own { text, .. }
                if text.is_empty() =>
            {
                f.write_str(message(self.status()).to_str().unwrap_or_default())
            }
            Failure::Core(error) => error.fmt(f),
            Failure::Own { text, .. } => f.write_str(text),
        }
    }
}

impl From<KMeansError> for Failure {
    fn from(error: KMeansError) -> Self {
        Failure::Core(error)
    }
}

/// A failure of which its status says everything.
impl From<StatusCode> for Failure {
    fn from(status: StatusCode) -> Self {
        let text = String::new();
        Failure::Own { status, text }
    }
}

pub(super) type Outcome<T = ()> = Result<T, Failure>;
