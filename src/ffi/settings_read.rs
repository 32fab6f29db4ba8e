//! Reading the settings of a model back.

use super::error::ErrorHandle;
use super::handle::KMeansHandle;
use super::settings::{
    KENTRO_INIT_AUTO, KENTRO_INIT_CENTROIDS, KENTRO_INIT_KMEANS_PARALLEL,
    KENTRO_INIT_KMEANS_PLUS_PLUS, KENTRO_INIT_RANDOM, KENTRO_INIT_TREE, KENTRO_QUALITY_BEST,
    KENTRO_QUALITY_DEFAULT, KENTRO_QUALITY_FAST, invalid,
};
use super::status::StatusCode;
use super::{borrow_slice_mut, put, require};
use crate::config::{Init, Quality};
use crate::model::KMeans;
use ndarray::Array2;

/// Writes a setting of a model to `out`.
///
/// # Safety
/// `kmeans` and `error` are NULL or live; `out` is NULL or can be written.
unsafe fn get<T>(
    kmeans: *const KMeansHandle,
    out: *mut T,
    error: *mut ErrorHandle,
    read: impl FnOnce(&KMeans) -> T,
) -> StatusCode {
    // SAFETY: as the caller promises.
    unsafe {
        KMeansHandle::call(kmeans, error, |handle| {
            put(out, "out", || Ok(read(&handle.state().model)))
        })
    }
}

/// The number of clusters. Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_kmeans_n_clusters(
    kmeans: *const KMeansHandle,
    out: *mut usize,
    error: *mut ErrorHandle,
) -> StatusCode {
    // SAFETY: as the caller promises.
    unsafe { get(kmeans, out, error, KMeans::n_clusters) }
}

/// Iterations at most. Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_kmeans_iterations(
    kmeans: *const KMeansHandle,
    out: *mut usize,
    error: *mut ErrorHandle,
) -> StatusCode {
    // SAFETY: as the caller promises.
    unsafe { get(kmeans, out, error, KMeans::iterations) }
}

/// The largest difference of cluster sizes when balanced; without effect where
/// there are size bounds. Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_kmeans_max_balance_diff(
    kmeans: *const KMeansHandle,
    out: *mut usize,
    error: *mut ErrorHandle,
) -> StatusCode {
    // SAFETY: as the caller promises.
    unsafe { get(kmeans, out, error, KMeans::max_balance_diff) }
}

/// The least number of points in a cluster; 0 unless
/// `kentro_kmeans_set_size_bounds` was the last to be set. Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_kmeans_min_size(
    kmeans: *const KMeansHandle,
    out: *mut usize,
    error: *mut ErrorHandle,
) -> StatusCode {
    let read = |model: &KMeans| model.size_bounds().map_or(0, |(min_size, _)| min_size);
    // SAFETY: as the caller promises.
    unsafe { get(kmeans, out, error, read) }
}

/// The largest number of points in a cluster; `SIZE_MAX` unless
/// `kentro_kmeans_set_size_bounds` was the last to be set. Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_kmeans_max_size(
    kmeans: *const KMeansHandle,
    out: *mut usize,
    error: *mut ErrorHandle,
) -> StatusCode {
    let read = |model: &KMeans| {
        model
            .size_bounds()
            .map_or(usize::MAX, |(_, max_size)| max_size)
    };
    // SAFETY: as the caller promises.
    unsafe { get(kmeans, out, error, read) }
}

/// 1 if the distance is Euclidean, 0 if it is cosine. Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_kmeans_is_euclidean(
    kmeans: *const KMeansHandle,
    out: *mut i32,
    error: *mut ErrorHandle,
) -> StatusCode {
    // SAFETY: as the caller promises.
    unsafe { get(kmeans, out, error, |model| model.is_euclidean().into()) }
}

/// 1 if cluster sizes are balanced, else 0. Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_kmeans_is_balanced(
    kmeans: *const KMeansHandle,
    out: *mut i32,
    error: *mut ErrorHandle,
) -> StatusCode {
    // SAFETY: as the caller promises.
    unsafe { get(kmeans, out, error, |model| model.is_balanced().into()) }
}

/// 1 if the centres are medoids, else 0. Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_kmeans_is_use_medoids(
    kmeans: *const KMeansHandle,
    out: *mut i32,
    error: *mut ErrorHandle,
) -> StatusCode {
    // SAFETY: as the caller promises.
    unsafe { get(kmeans, out, error, |model| model.is_use_medoids().into()) }
}

/// 1 if the model is verbose, else 0. Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_kmeans_is_verbose(
    kmeans: *const KMeansHandle,
    out: *mut i32,
    error: *mut ErrorHandle,
) -> StatusCode {
    // SAFETY: as the caller promises.
    unsafe { get(kmeans, out, error, |model| model.is_verbose().into()) }
}

/// 1 if the model is trained, else 0. Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_kmeans_is_trained(
    kmeans: *const KMeansHandle,
    out: *mut i32,
    error: *mut ErrorHandle,
) -> StatusCode {
    // SAFETY: as the caller promises.
    unsafe { get(kmeans, out, error, |model| model.is_trained().into()) }
}

/// The seed of every random choice. Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_kmeans_seed(
    kmeans: *const KMeansHandle,
    out: *mut u64,
    error: *mut ErrorHandle,
) -> StatusCode {
    // SAFETY: as the caller promises.
    unsafe { get(kmeans, out, error, KMeans::seed) }
}

/// The fraction of the inertia that an iteration must gain. Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_kmeans_tolerance(
    kmeans: *const KMeansHandle,
    out: *mut f64,
    error: *mut ErrorHandle,
) -> StatusCode {
    // SAFETY: as the caller promises.
    unsafe { get(kmeans, out, error, KMeans::tolerance) }
}

/// Where the first centroids come from, one of `KENTRO_INIT_*`. Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_kmeans_init(
    kmeans: *const KMeansHandle,
    out: *mut i32,
    error: *mut ErrorHandle,
) -> StatusCode {
    let read = |model: &KMeans| match model.init() {
        Init::Auto => KENTRO_INIT_AUTO,
        Init::KMeansPlusPlus => KENTRO_INIT_KMEANS_PLUS_PLUS,
        Init::KMeansParallel => KENTRO_INIT_KMEANS_PARALLEL,
        Init::Random => KENTRO_INIT_RANDOM,
        Init::Tree => KENTRO_INIT_TREE,
        Init::Centroids(_) | Init::CentroidsF64(_) => KENTRO_INIT_CENTROIDS,
    };
    // SAFETY: as the caller promises.
    unsafe { get(kmeans, out, error, read) }
}

/// Writes given first centroids, row-major, as float64 to `out`, which has room
/// for `capacity` values, and their shape, 0 x 0 if none were given. `out` may be
/// NULL to ask for the shape alone.
///
/// `KENTRO_STATUS_INVALID_PARAMETER` if `capacity` is less than there are values.
/// Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_kmeans_init_centroids(
    kmeans: *const KMeansHandle,
    out: *mut f64,
    capacity: usize,
    out_rows: *mut usize,
    out_cols: *mut usize,
    error: *mut ErrorHandle,
) -> StatusCode {
    // SAFETY: as the caller promises.
    unsafe {
        KMeansHandle::call(kmeans, error, |handle| {
            require(out_rows, "out_rows")?;
            require(out_cols, "out_cols")?;
            let state = handle.state();
            let init = state.model.init();
            let (rows, cols) = init.shape().unwrap_or((0, 0));
            if !out.is_null() {
                if capacity < rows * cols {
                    return Err(invalid(format_args!(
                        "capacity is {capacity}, but there are {rows} x {cols} values"
                    )));
                }
                let out = borrow_slice_mut(out, rows * cols, "out")?;
                match init {
                    Init::Centroids(given) => write_f64(given, out),
                    Init::CentroidsF64(given) => write_f64(given, out),
                    _ => (),
                }
            }
            out_rows.write(rows);
            out_cols.write(cols);
            Ok(())
        })
    }
}

fn write_f64<T: Copy + Into<f64>>(values: &Array2<T>, out: &mut [f64]) {
    for (&value, out) in values.iter().zip(out) {
        *out = value.into();
    }
}

/// Runs from how many starts. Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_kmeans_n_init(
    kmeans: *const KMeansHandle,
    out: *mut usize,
    error: *mut ErrorHandle,
) -> StatusCode {
    // SAFETY: as the caller promises.
    unsafe { get(kmeans, out, error, KMeans::n_init) }
}

/// How much time to spend for a lower inertia, one of `KENTRO_QUALITY_*`.
/// Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_kmeans_quality(
    kmeans: *const KMeansHandle,
    out: *mut i32,
    error: *mut ErrorHandle,
) -> StatusCode {
    let read = |model: &KMeans| match model.quality() {
        Quality::Fast => KENTRO_QUALITY_FAST,
        Quality::Default => KENTRO_QUALITY_DEFAULT,
        Quality::Best => KENTRO_QUALITY_BEST,
    };
    // SAFETY: as the caller promises.
    unsafe { get(kmeans, out, error, read) }
}

/// The memory limit in bytes, and whether there is one (1, or 0 and then 0
/// bytes): without, the default holds. Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_kmeans_memory_limit(
    kmeans: *const KMeansHandle,
    out: *mut u64,
    out_is_set: *mut i32,
    error: *mut ErrorHandle,
) -> StatusCode {
    // SAFETY: as the caller promises.
    unsafe {
        KMeansHandle::call(kmeans, error, |handle| {
            require(out, "out")?;
            require(out_is_set, "out_is_set")?;
            let limit = handle.state().model.memory_limit();
            out.write(limit.unwrap_or(0));
            out_is_set.write(limit.is_some().into());
            Ok(())
        })
    }
}
