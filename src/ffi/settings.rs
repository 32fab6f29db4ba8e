//! Setting a model up.

use super::borrow_slice;
use super::error::ErrorHandle;
use super::handle::KMeansHandle;
use super::points::{KENTRO_DTYPE_F32, KENTRO_DTYPE_F64};
use super::status::{Failure, KENTRO_STATUS_INVALID_PARAMETER, Outcome, StatusCode};
use crate::allocate;
use crate::config::{Init, Quality};
use crate::metric::Metric;
use crate::model::KMeans;
use libc::c_void;
use ndarray::Array2;
use std::fmt;

/// First centroids: greedy k-means++ for few clusters, a cheaper sample for many.
pub const KENTRO_INIT_AUTO: i32 = 0;
/// First centroids: greedy k-means++.
pub const KENTRO_INIT_KMEANS_PLUS_PLUS: i32 = 1;
/// First centroids: k-means||.
pub const KENTRO_INIT_KMEANS_PARALLEL: i32 = 2;
/// First centroids: distinct rows drawn uniformly.
pub const KENTRO_INIT_RANDOM: i32 = 3;
/// First centroids: given by `kentro_kmeans_set_init_centroids`.
pub const KENTRO_INIT_CENTROIDS: i32 = 4;
/// First centroids: clusters of coarse clusters, for very many of them.
pub const KENTRO_INIT_TREE: i32 = 5;

/// One run from a cheap start.
pub const KENTRO_QUALITY_FAST: i32 = 0;
/// One run from a good start.
pub const KENTRO_QUALITY_DEFAULT: i32 = 1;
/// Searches on past local minima until it stops paying.
pub const KENTRO_QUALITY_BEST: i32 = 2;

/// Sets a model up; it stays as it was if the new settings are not valid.
///
/// # Safety
/// `kmeans` and `error` are NULL or live.
unsafe fn set(
    kmeans: *mut KMeansHandle,
    error: *mut ErrorHandle,
    with: impl FnOnce(KMeans) -> Outcome<KMeans>,
) -> StatusCode {
    // SAFETY: as the caller promises.
    unsafe {
        KMeansHandle::call(kmeans, error, |handle| {
            handle.change(|state| {
                state.model = with(state.model.clone())?;
                Ok(state.model.validate()?)
            })
        })
    }
}

pub(super) fn flag(value: i32, name: &str) -> Outcome<bool> {
    match value {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(invalid(format_args!("{name} must be 0 or 1, got {value}"))),
    }
}

/// The metric that `euclidean`, 1 or 0, stands for.
pub(super) fn metric(euclidean: i32) -> Outcome<Metric> {
    match flag(euclidean, "euclidean")? {
        true => Ok(Metric::Euclidean),
        false => Ok(Metric::Cosine),
    }
}

pub(super) fn invalid(detail: impl fmt::Display) -> Failure {
    Failure::new(KENTRO_STATUS_INVALID_PARAMETER, detail)
}

/// Iterations at most, at least 1; default 25. Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_kmeans_set_iterations(
    kmeans: *mut KMeansHandle,
    iterations: usize,
    error: *mut ErrorHandle,
) -> StatusCode {
    // SAFETY: as the caller promises.
    unsafe { set(kmeans, error, |model| Ok(model.with_iterations(iterations))) }
}

/// 1: Euclidean distance; 0, the default: cosine similarity. Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_kmeans_set_euclidean(
    kmeans: *mut KMeansHandle,
    euclidean: i32,
    error: *mut ErrorHandle,
) -> StatusCode {
    let with = |model: KMeans| Ok(model.with_euclidean(flag(euclidean, "euclidean")?));
    // SAFETY: as the caller promises.
    unsafe { set(kmeans, error, with) }
}

/// 1: cluster sizes are bounded, as `kentro_kmeans_set_max_balance_diff` or
/// `kentro_kmeans_set_size_bounds` says; default 0. Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_kmeans_set_balanced(
    kmeans: *mut KMeansHandle,
    balanced: i32,
    error: *mut ErrorHandle,
) -> StatusCode {
    let with = |model: KMeans| Ok(model.with_balanced(flag(balanced, "balanced")?));
    // SAFETY: as the caller promises.
    unsafe { set(kmeans, error, with) }
}

/// The largest difference of cluster sizes when balanced, at least 1;
/// default 16. Takes the place of `kentro_kmeans_set_size_bounds`. Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_kmeans_set_max_balance_diff(
    kmeans: *mut KMeansHandle,
    max_balance_diff: usize,
    error: *mut ErrorHandle,
) -> StatusCode {
    let with = |model: KMeans| Ok(model.with_max_balance_diff(max_balance_diff));
    // SAFETY: as the caller promises.
    unsafe { set(kmeans, error, with) }
}

/// Balanced, with `min_size` to `max_size` points in every cluster; a
/// `min_size` of 0 means 1, for no cluster is empty. Takes the place of
/// `kentro_kmeans_set_max_balance_diff`. Training fails unless there are at
/// least `min_size` and at most `max_size` points for each cluster. Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_kmeans_set_size_bounds(
    kmeans: *mut KMeansHandle,
    min_size: usize,
    max_size: usize,
    error: *mut ErrorHandle,
) -> StatusCode {
    let with = |model: KMeans| Ok(model.with_size_bounds(min_size, max_size));
    // SAFETY: as the caller promises.
    unsafe { set(kmeans, error, with) }
}

/// 1: a line an iteration goes to the log callback or, without one, to
/// standard output; default 0. Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_kmeans_set_verbose(
    kmeans: *mut KMeansHandle,
    verbose: i32,
    error: *mut ErrorHandle,
) -> StatusCode {
    let with = |model: KMeans| Ok(model.with_verbose(flag(verbose, "verbose")?));
    // SAFETY: as the caller promises.
    unsafe { set(kmeans, error, with) }
}

/// 1: K-medoids, whose centres are rows of the data; default 0. Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_kmeans_set_use_medoids(
    kmeans: *mut KMeansHandle,
    use_medoids: i32,
    error: *mut ErrorHandle,
) -> StatusCode {
    let with = |model: KMeans| Ok(model.with_use_medoids(flag(use_medoids, "use_medoids")?));
    // SAFETY: as the caller promises.
    unsafe { set(kmeans, error, with) }
}

/// The seed of every random choice; default 0. The same seed, data and
/// settings give the same result at any number of threads. Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_kmeans_set_seed(
    kmeans: *mut KMeansHandle,
    seed: u64,
    error: *mut ErrorHandle,
) -> StatusCode {
    // SAFETY: as the caller promises.
    unsafe { set(kmeans, error, |model| Ok(model.with_seed(seed))) }
}

/// Stops when an iteration lowers the inertia by less than this fraction; at
/// least 0; default 0: only when no assignment changes. Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_kmeans_set_tolerance(
    kmeans: *mut KMeansHandle,
    tolerance: f64,
    error: *mut ErrorHandle,
) -> StatusCode {
    // SAFETY: as the caller promises.
    unsafe { set(kmeans, error, |model| Ok(model.with_tolerance(tolerance))) }
}

/// Where the first centroids come from, one of `KENTRO_INIT_*`; default
/// `KENTRO_INIT_AUTO`: k-means++ on a sample for up to 500 clusters, random rows for more,
/// a tree from 8,192 clusters on where rows x clusters x dimensions are 2^38 or more, with
/// 16 to 2,048 dimensions (random rows from a source or if balanced). Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_kmeans_set_init(
    kmeans: *mut KMeansHandle,
    init: i32,
    error: *mut ErrorHandle,
) -> StatusCode {
    let with = |mut model: KMeans| {
        model.set_init(match init {
            KENTRO_INIT_AUTO => Init::Auto,
            KENTRO_INIT_KMEANS_PLUS_PLUS => Init::KMeansPlusPlus,
            KENTRO_INIT_KMEANS_PARALLEL => Init::KMeansParallel,
            KENTRO_INIT_RANDOM => Init::Random,
            KENTRO_INIT_TREE => Init::Tree,
            _ => {
                return Err(invalid(format_args!(
                    "init must be one of KENTRO_INIT_*, got {init}"
                )));
            }
        })?;
        Ok(model)
    };
    // SAFETY: as the caller promises.
    unsafe { set(kmeans, error, with) }
}

/// Starts from these centroids, `rows` (the number of clusters) x `cols`,
/// row-major without gaps, of type `dtype`: `KENTRO_DTYPE_F32`, or
/// `KENTRO_DTYPE_F64` where float32 has too few digits, as for points of a wide
/// type that lie far from 0. They are copied. Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_kmeans_set_init_centroids(
    kmeans: *mut KMeansHandle,
    centroids: *const c_void,
    dtype: i32,
    rows: usize,
    cols: usize,
    error: *mut ErrorHandle,
) -> StatusCode {
    let with = |mut model: KMeans| {
        model.check_init_rows(rows)?; // before anything is read: it may be a mistake
        // SAFETY: as the caller promises.
        let init = unsafe {
            match dtype {
                KENTRO_DTYPE_F32 => Init::Centroids(matrix(centroids.cast(), rows, cols)?),
                KENTRO_DTYPE_F64 => Init::CentroidsF64(matrix(centroids.cast(), rows, cols)?),
                _ => {
                    return Err(invalid(format_args!(
                        "init must be of KENTRO_DTYPE_F32 or KENTRO_DTYPE_F64, got dtype {dtype}"
                    )));
                }
            }
        };
        model.set_init(init)?;
        Ok(model)
    };
    // SAFETY: as the caller promises.
    unsafe { set(kmeans, error, with) }
}

/// A copy of centroids.
///
/// # Safety
/// `values` is NULL or rows x cols values that can be read.
unsafe fn matrix<T: Copy>(values: *const T, rows: usize, cols: usize) -> Outcome<Array2<T>> {
    let overflow = || invalid(format_args!("init of {rows} x {cols} values is too large"));
    let len = rows
        .checked_mul(cols)
        .filter(|&len| len <= isize::MAX as usize / size_of::<T>())
        .ok_or_else(overflow)?;
    // SAFETY: as the caller promises.
    let values = unsafe { borrow_slice(values, len, "centroids") }?;
    let values = allocate::copy(values, "init")?;
    Array2::from_shape_vec((rows, cols), values).map_err(|_| overflow())
}

/// Runs from this many starts and keeps the best, at least 1; default 1.
/// Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_kmeans_set_n_init(
    kmeans: *mut KMeansHandle,
    n_init: usize,
    error: *mut ErrorHandle,
) -> StatusCode {
    // SAFETY: as the caller promises.
    unsafe { set(kmeans, error, |model| Ok(model.with_n_init(n_init))) }
}

/// How much time to spend for a lower inertia, one of `KENTRO_QUALITY_*`;
/// default `KENTRO_QUALITY_DEFAULT`. Without effect on K-medoids that
/// are not balanced. Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_kmeans_set_quality(
    kmeans: *mut KMeansHandle,
    quality: i32,
    error: *mut ErrorHandle,
) -> StatusCode {
    let with = |model: KMeans| {
        Ok(model.with_quality(match quality {
            KENTRO_QUALITY_FAST => Quality::Fast,
            KENTRO_QUALITY_DEFAULT => Quality::Default,
            KENTRO_QUALITY_BEST => Quality::Best,
            _ => {
                return Err(invalid(format_args!(
                    "quality must be one of KENTRO_QUALITY_*, got {quality}"
                )));
            }
        }))
    };
    // SAFETY: as the caller promises.
    unsafe { set(kmeans, error, with) }
}

/// Bytes that a call may use beside the data, or as many as it must have: see
/// docs/nearest.md. By default what only saves time may take the smaller of
/// 2 GB and a quarter of the machine's memory. K-medoids takes a sample where all
/// distances exceed the limit; by default, 2 GB on every machine. Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_kmeans_set_memory_limit(
    kmeans: *mut KMeansHandle,
    bytes: u64,
    error: *mut ErrorHandle,
) -> StatusCode {
    // SAFETY: as the caller promises.
    unsafe { set(kmeans, error, |model| Ok(model.with_memory_limit(bytes))) }
}
