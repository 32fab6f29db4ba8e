//! What training found. Everything is lent until the handle is freed; a model
//! trains once, so nothing invalidates it earlier.

use super::clusters::ClustersHandle;
use super::error::ErrorHandle;
use super::handle::{KMeansHandle, State};
use super::status::{Failure, KENTRO_STATUS_INVALID_PARAMETER, Outcome, StatusCode};
use super::text::Text;
use super::{borrow_slice_mut, put, require};
use crate::error::KMeansError;
use crate::model::KMeans;
use libc::c_char;

/// A result that only a trained model has.
fn trained<T>(result: Option<T>) -> Outcome<T> {
    result.ok_or_else(|| KMeansError::NotTrained.into())
}

/// A trained model.
fn require_trained(state: &State) -> Outcome<&KMeans> {
    trained(state.model.is_trained().then_some(&state.model))
}

/// Writes a result of a model to `out`.
///
/// # Safety
/// `kmeans` and `error` are NULL or live; `out` is NULL or can be written.
unsafe fn get<T>(
    kmeans: *const KMeansHandle,
    out: *mut T,
    error: *mut ErrorHandle,
    read: impl FnOnce(&State) -> Outcome<T>,
) -> StatusCode {
    // SAFETY: as the caller promises.
    unsafe {
        KMeansHandle::call(kmeans, error, |handle| {
            put(out, "out", || read(&handle.state()))
        })
    }
}

/// Lends a slice of a trained model to `out` and `out_len`.
///
/// # Safety
/// `kmeans` and `error` are NULL or live; the outputs are NULL or can be written.
unsafe fn lend<T>(
    kmeans: *const KMeansHandle,
    out: *mut *const T,
    out_len: *mut usize,
    error: *mut ErrorHandle,
    read: impl FnOnce(&KMeans) -> Option<&[T]>,
) -> StatusCode {
    // SAFETY: as the caller promises.
    unsafe {
        KMeansHandle::call(kmeans, error, |handle| {
            let state = handle.state();
            super::lend(out, out_len, require_trained(&state).map(read))
        })
    }
}

/// Lends the cluster of every training point; NULL and 0 in a model that was
/// saved without labels or made of centroids. Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_kmeans_labels(
    kmeans: *const KMeansHandle,
    out: *mut *const u32,
    out_len: *mut usize,
    error: *mut ErrorHandle,
) -> StatusCode {
    // SAFETY: as the caller promises.
    unsafe { lend(kmeans, out, out_len, error, KMeans::labels) }
}

/// Lends the row of the training data that is each cluster's medoid; NULL and
/// 0 if the model does not use medoids. Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_kmeans_medoid_indices(
    kmeans: *const KMeansHandle,
    out: *mut *const usize,
    out_len: *mut usize,
    error: *mut ErrorHandle,
) -> StatusCode {
    // SAFETY: as the caller promises.
    unsafe { lend(kmeans, out, out_len, error, KMeans::medoid_indices) }
}

/// Lends the coarse cluster that each cluster is in, where the first centroids
/// came from a tree (`KENTRO_INIT_TREE`); NULL and 0 if they did not. Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_kmeans_cluster_parents(
    kmeans: *const KMeansHandle,
    out: *mut *const u32,
    out_len: *mut usize,
    error: *mut ErrorHandle,
) -> StatusCode {
    // SAFETY: as the caller promises.
    unsafe { lend(kmeans, out, out_len, error, KMeans::cluster_parents) }
}

/// The number of columns of the centroids, and of the points that fit them.
/// Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_kmeans_n_dimensions(
    kmeans: *const KMeansHandle,
    out: *mut usize,
    error: *mut ErrorHandle,
) -> StatusCode {
    // SAFETY: as the caller promises.
    unsafe {
        get(kmeans, out, error, |state| {
            trained(state.model.n_dimensions())
        })
    }
}

/// The number of training points; 0 in a model that was made of centroids.
/// Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_kmeans_n_points(
    kmeans: *const KMeansHandle,
    out: *mut usize,
    error: *mut ErrorHandle,
) -> StatusCode {
    // SAFETY: as the caller promises.
    unsafe {
        get(kmeans, out, error, |state| {
            Ok(require_trained(state)?.n_points().unwrap_or(0))
        })
    }
}

/// Lends what balancing has learnt to add to the distance to each centroid:
/// see `kentro_kmeans_predict_balanced`. NULL and 0 if the model is not
/// balanced. Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_kmeans_prices(
    kmeans: *const KMeansHandle,
    out: *mut *const f64,
    out_len: *mut usize,
    error: *mut ErrorHandle,
) -> StatusCode {
    // SAFETY: as the caller promises.
    unsafe { lend(kmeans, out, out_len, error, KMeans::prices) }
}

/// Lends the centroids, n_clusters x dimensions, row-major: means, unit
/// vectors (cosine) or medoids. A model of sparse rows keeps what is not zero of
/// them, and makes all when they are first asked for:
/// `KENTRO_STATUS_OUT_OF_MEMORY` if there is no room. Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_kmeans_centroids(
    kmeans: *const KMeansHandle,
    out: *mut *const f32,
    out_rows: *mut usize,
    out_cols: *mut usize,
    error: *mut ErrorHandle,
) -> StatusCode {
    // SAFETY: as the caller promises.
    unsafe {
        KMeansHandle::call(kmeans, error, |handle| {
            require(out, "out")?;
            require(out_rows, "out_rows")?;
            require(out_cols, "out_cols")?;
            let state = handle.state();
            let centroids = state.model.try_centroids()?;
            let (rows, cols) = centroids.dim();
            out.write(centroids.as_ptr());
            out_rows.write(rows);
            out_cols.write(cols);
            Ok(())
        })
    }
}

/// Writes the centroids with more digits, row-major, to `out`, which has room
/// for `capacity` values, n_clusters x dimensions. They differ from
/// `kentro_kmeans_centroids` where columns lost an offset: see
/// `kentro_kmeans_offset`.
///
/// `KENTRO_STATUS_INVALID_PARAMETER` if `capacity` is less. Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_kmeans_centroids_f64(
    kmeans: *const KMeansHandle,
    out: *mut f64,
    capacity: usize,
    error: *mut ErrorHandle,
) -> StatusCode {
    // SAFETY: as the caller promises.
    unsafe {
        KMeansHandle::call(kmeans, error, |handle| {
            let state = handle.state();
            let (rows, cols) = trained(state.model.shape_of_centroids())?;
            let len = rows * cols;
            let out = borrow_slice_mut(out, capacity.min(len), "out")?;
            Ok(state.model.write_centroids_f64(out)?)
        })
    }
}

/// Lends what was subtracted from each column before it was rounded to float32;
/// NULL and 0 if nothing was. With the Euclidean distance a column of a wide
/// number type (float64, 32- or 64-bit integers) whose largest magnitude is
/// more than four times its range loses the middle of its range. Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_kmeans_offset(
    kmeans: *const KMeansHandle,
    out: *mut *const f64,
    out_len: *mut usize,
    error: *mut ErrorHandle,
) -> StatusCode {
    // SAFETY: as the caller promises.
    unsafe { lend(kmeans, out, out_len, error, KMeans::offset) }
}

/// Lends the number of training points in each cluster; NULL and 0 if the model
/// was made of centroids. Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_kmeans_cluster_sizes(
    kmeans: *const KMeansHandle,
    out: *mut *const usize,
    out_len: *mut usize,
    error: *mut ErrorHandle,
) -> StatusCode {
    // SAFETY: as the caller promises.
    unsafe { lend(kmeans, out, out_len, error, KMeans::cluster_sizes) }
}

/// Lends what the training points of each cluster weigh together: their number
/// where they had no weights (`kentro_points_set_weights`). NULL and 0 if the
/// model was made of centroids. Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_kmeans_cluster_weights(
    kmeans: *const KMeansHandle,
    out: *mut *const f64,
    out_len: *mut usize,
    error: *mut ErrorHandle,
) -> StatusCode {
    // SAFETY: as the caller promises.
    unsafe { lend(kmeans, out, out_len, error, KMeans::cluster_weights) }
}

/// Makes the lists of training points by cluster. To be freed by
/// `kentro_clusters_free`. `KENTRO_STATUS_INVALID_PARAMETER` in a model without
/// labels: see `kentro_kmeans_labels`. Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_kmeans_clusters(
    kmeans: *const KMeansHandle,
    out_clusters: *mut *mut ClustersHandle,
    error: *mut ErrorHandle,
) -> StatusCode {
    // SAFETY: as the caller promises.
    unsafe {
        get(kmeans, out_clusters, error, |state| {
            ClustersHandle::new(state.model.clusters()?)
        })
    }
}

/// The objective that was reached: the sum over all training points of the
/// squared Euclidean distance, of 1 - cosine, or with medoids of the
/// (non-squared) distance to the medoid. NaN in a model that was made of
/// centroids. Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_kmeans_inertia(
    kmeans: *const KMeansHandle,
    out: *mut f64,
    error: *mut ErrorHandle,
) -> StatusCode {
    // SAFETY: as the caller promises.
    unsafe {
        get(kmeans, out, error, |state| {
            Ok(require_trained(state)?.inertia().unwrap_or(f64::NAN))
        })
    }
}

/// By what fraction of the inertia at most a balanced assignment is dearer than
/// the best one with cluster sizes in the same range, for the final centroids:
/// proved, and 0 up to rounding. NaN if the model is not balanced. Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_kmeans_balance_gap(
    kmeans: *const KMeansHandle,
    out: *mut f64,
    error: *mut ErrorHandle,
) -> StatusCode {
    // SAFETY: as the caller promises.
    unsafe {
        get(kmeans, out, error, |state| {
            Ok(require_trained(state)?.balance_gap().unwrap_or(f64::NAN))
        })
    }
}

/// Iterations that ran; 0 in a model that was made of centroids. Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_kmeans_n_iter(
    kmeans: *const KMeansHandle,
    out: *mut usize,
    error: *mut ErrorHandle,
) -> StatusCode {
    // SAFETY: as the caller promises.
    unsafe { get(kmeans, out, error, |state| trained(state.model.n_iter())) }
}

/// Lends a line on how the result was found, where there is more than one way:
/// with medoids, whether all distances were compared or a sample of them. ""
/// where there is nothing to say. Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_kmeans_info(
    kmeans: *const KMeansHandle,
    out: *mut *const c_char,
    error: *mut ErrorHandle,
) -> StatusCode {
    // SAFETY: as the caller promises.
    unsafe {
        get(kmeans, out, error, |state| {
            Ok(trained(state.texts.as_ref())?.info.as_ptr())
        })
    }
}

fn warnings(state: &State) -> &[Text] {
    state.texts.as_ref().map_or(&[], |texts| &texts.warnings)
}

/// The number of warnings that training left; 0 before. Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_kmeans_n_warnings(
    kmeans: *const KMeansHandle,
    out: *mut usize,
    error: *mut ErrorHandle,
) -> StatusCode {
    // SAFETY: as the caller promises.
    unsafe { get(kmeans, out, error, |state| Ok(warnings(state).len())) }
}

/// Lends a warning that training left, such as that there are fewer distinct
/// points than clusters. Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_kmeans_warning(
    kmeans: *const KMeansHandle,
    index: usize,
    out: *mut *const c_char,
    error: *mut ErrorHandle,
) -> StatusCode {
    // SAFETY: as the caller promises.
    unsafe {
        get(kmeans, out, error, |state| {
            let warnings = warnings(state);
            let text = warnings.get(index).ok_or_else(|| {
                let text = format_args!(
                    "index is {index}, but there are {} warnings",
                    warnings.len()
                );
                Failure::new(KENTRO_STATUS_INVALID_PARAMETER, text)
            })?;
            Ok(text.as_ptr())
        })
    }
}
