use crate::system;
use crate::text::text;
use std::fmt;
use std::path::PathBuf;
use thiserror::Error;

/// Everything that can go wrong. The texts name the parameter, its value and
/// the remedy; those that users match on are part of the API.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum KMeansError {
    /// A setting or an argument is out of its range.
    #[error("{0}")]
    InvalidParameter(String),

    /// `train` was called on a model that is trained already.
    #[error("Clustering has already been trained")]
    AlreadyTrained,

    /// The call needs a trained model.
    #[error("Clustering has not been trained yet")]
    NotTrained,

    /// Fewer points (first) than clusters (second).
    #[error("Number of points ({0}) must be at least as large as number of clusters ({1})")]
    InsufficientPoints(usize, usize),

    /// The points do not have as many columns as the model's centroids.
    #[error("Dimension mismatch: expected {expected}, got {actual}")]
    DimensionMismatch { expected: usize, actual: usize },

    /// The data has no columns, too many rows, or a shape that cannot be used.
    #[error("Invalid data: {0}")]
    InvalidData(String),

    /// A value is NaN, infinite, or beyond what float32 holds.
    #[error("Invalid data: row {row}, column {column} is {}", NotFloat32(*.value))]
    NotFinite {
        row: usize,
        column: usize,
        value: f64,
    },

    /// The weight of a point is NaN, infinite or negative.
    #[error(
        "Invalid data: the weight of row {row} is {value}; weights must be finite and at least 0"
    )]
    InvalidWeight { row: usize, value: f64 },

    /// A value of the first centroids is NaN, infinite, or beyond what float32
    /// holds.
    #[error("init at row {row}, column {column} is {}", NotFloat32(*.value))]
    InitNotFinite {
        row: usize,
        column: usize,
        value: f64,
    },

    /// Memory for the named purpose could not be had. `available`: what there
    /// was, where the system tells.
    #[error(
        "Out of memory: {bytes} bytes for {purpose}{}; with_memory_limit (in C kentro_kmeans_set_memory_limit) bounds what a call may use",
        Available(*.available)
    )]
    OutOfMemory {
        bytes: usize,
        purpose: &'static str,
        available: Option<u64>,
    },

    /// The observer asked to stop; the model is as it was before the call.
    #[error("Cancelled; the model is unchanged")]
    Cancelled,

    /// The operating system refused to start threads.
    #[error("Cannot start {count} threads ({reason}); pass a smaller num_threads")]
    Threads { count: usize, reason: String },

    /// The operating system did not read or write a file; `code` is the number
    /// that it gave.
    #[error("{}: {reason}", .path.display())]
    Io {
        path: PathBuf,
        code: Option<i32>,
        reason: String,
    },

    /// A [`Source`](crate::Source) gave no block.
    #[error("The source failed: {0}")]
    Source(String),

    /// What should be a saved model is none, or not all of one.
    #[error("Not a whole model file: {0}; save the model again, or use a copy of the file")]
    InvalidFile(String),

    /// A model was saved by a later Kentro, in a version of the format that this
    /// one doesn't know.
    #[error(
        "The model file has version {version} of the format, and this Kentro knows versions up to {known}; use the Kentro that saved it, or a later one"
    )]
    NewerFile { version: u32, known: u32 },
}

impl KMeansError {
    pub(crate) fn invalid_data(reason: impl fmt::Display) -> Self {
        KMeansError::InvalidData(text(reason))
    }

    /// That `bytes` could not be had, with what there is.
    pub(crate) fn out_of_memory(bytes: usize, purpose: &'static str) -> Self {
        KMeansError::OutOfMemory {
            bytes,
            purpose,
            available: system::available(),
        }
    }

    /// The row that is to blame, of the points or of what else the text names.
    pub fn row(&self) -> Option<usize> {
        match *self {
            KMeansError::NotFinite { row, .. }
            | KMeansError::InitNotFinite { row, .. }
            | KMeansError::InvalidWeight { row, .. } => Some(row),
            _ => None,
        }
    }

    /// The column of the value in that row that is to blame.
    pub fn column(&self) -> Option<usize> {
        match *self {
            KMeansError::NotFinite { column, .. } | KMeansError::InitNotFinite { column, .. } => {
                Some(column)
            }
            _ => None,
        }
    }
}

impl KMeansError {
    /// The number that the operating system gave for what went wrong.
    pub fn os_code(&self) -> Option<i32> {
        match *self {
            KMeansError::Io { code, .. } => code,
            _ => None,
        }
    }
}

struct Available(Option<u64>);

impl fmt::Display for Available {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(bytes) => write!(f, ", {bytes} are available"),
            None => Ok(()),
        }
    }
}

/// What is wrong with a value, and the remedy.
struct NotFloat32(f64);

impl fmt::Display for NotFloat32 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.0;
        match value.is_finite() {
            true => write!(
                f,
                "{value:e}, which is too large for float32 (3.4e38 at most); scale the data down"
            ),
            false => write!(
                f,
                "{value}; every value must be a finite float32, so remove or replace it"
            ),
        }
    }
}

pub(crate) type Result<T> = std::result::Result<T, KMeansError>;
