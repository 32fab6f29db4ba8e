//! Training and assignment.

use super::clusters::ClustersHandle;
use super::error::ErrorHandle;
use super::handle::{KMeansHandle, Texts};
use super::observer::ObserverRecord;
use super::points::{PointsHandle, row_major};
use super::status::{Failure, KENTRO_STATUS_INVALID_DATA, Outcome, StatusCode};
use super::{borrow, borrow_slice_mut, require};
use crate::error::Result;
use crate::model::KMeans;
use crate::owned::TryArc;
use crate::points::Points;
use crate::threads::{Event, Observer, RunOptions};

/// All the cores that the machine grants, as a number of threads.
///
/// Not for cbindgen, which cannot write it: `tests/header.rs` does.
/// cbindgen:ignore
const KENTRO_ALL_THREADS: usize = usize::MAX;

/// Clusters the rows of `points`. A model trains once; after an error it is as
/// it was before.
///
/// `num_threads`: from 1, or `KENTRO_ALL_THREADS`; more than the machine
/// grants this process is capped. Has no influence on the result. Threads end
/// with the call, so that the process may fork before and after. `observer`:
/// who watches the call and may end it; NULL for nobody, here and elsewhere.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_kmeans_train(
    kmeans: *mut KMeansHandle,
    points: *const PointsHandle,
    num_threads: usize,
    observer: *const ObserverRecord,
    error: *mut ErrorHandle,
) -> StatusCode {
    // SAFETY: as the caller promises.
    unsafe {
        KMeansHandle::call(kmeans, error, |handle| {
            let points = &borrow(points, "points")?.points;
            train(
                handle,
                points,
                Call {
                    num_threads,
                    observer,
                },
            )
        })
    }
}

/// `kentro_kmeans_train` for float32 rows without gaps: see
/// `kentro_points_new_f32`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_kmeans_train_f32(
    kmeans: *mut KMeansHandle,
    data: *const f32,
    rows: usize,
    cols: usize,
    num_threads: usize,
    observer: *const ObserverRecord,
    error: *mut ErrorHandle,
) -> StatusCode {
    // SAFETY: as the caller promises.
    unsafe {
        KMeansHandle::call(kmeans, error, |handle| {
            let points = row_major(data, rows, cols)?;
            train(
                handle,
                &points,
                Call {
                    num_threads,
                    observer,
                },
            )
        })
    }
}

/// # Safety
/// As of [`Call::run`].
unsafe fn train(handle: &KMeansHandle, points: &Points<'_>, call: Call) -> Outcome {
    handle.change(|state| {
        // SAFETY: as the caller promises.
        unsafe { call.run(|options| Ok(state.model.fit(points, options)?)) }?;
        state.texts = Some(TryArc::new(Texts::of(&state.model)?, "warnings")?);
        Ok(())
    })
}

/// Assigns every row of `points` to its `k` nearest clusters (at least 1; more
/// than there are means all) and returns for each cluster the rows it got.
/// To be freed by `kentro_clusters_free`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_kmeans_assign(
    kmeans: *const KMeansHandle,
    points: *const PointsHandle,
    k: usize,
    num_threads: usize,
    observer: *const ObserverRecord,
    out_clusters: *mut *mut ClustersHandle,
    error: *mut ErrorHandle,
) -> StatusCode {
    // SAFETY: as the caller promises.
    unsafe {
        KMeansHandle::call(kmeans, error, |handle| {
            require(out_clusters, "out_clusters")?;
            let points = &borrow(points, "points")?.points;
            out_clusters.write(assign(
                handle,
                points,
                k,
                Call {
                    num_threads,
                    observer,
                },
            )?);
            Ok(())
        })
    }
}

/// `kentro_kmeans_assign` for float32 rows without gaps: see
/// `kentro_points_new_f32`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_kmeans_assign_f32(
    kmeans: *const KMeansHandle,
    data: *const f32,
    rows: usize,
    cols: usize,
    k: usize,
    num_threads: usize,
    observer: *const ObserverRecord,
    out_clusters: *mut *mut ClustersHandle,
    error: *mut ErrorHandle,
) -> StatusCode {
    // SAFETY: as the caller promises.
    unsafe {
        KMeansHandle::call(kmeans, error, |handle| {
            require(out_clusters, "out_clusters")?;
            let points = row_major(data, rows, cols)?;
            out_clusters.write(assign(
                handle,
                &points,
                k,
                Call {
                    num_threads,
                    observer,
                },
            )?);
            Ok(())
        })
    }
}

/// # Safety
/// As of [`Call::run`].
unsafe fn assign(
    handle: &KMeansHandle,
    points: &Points<'_>,
    k: usize,
    call: Call,
) -> Outcome<*mut ClustersHandle> {
    let state = handle.state();
    // SAFETY: as the caller promises.
    let clusters =
        unsafe { call.run(|options| Ok(state.model.assign_points(points, k, options)?)) };
    ClustersHandle::new(clusters?)
}

/// Writes the `k` nearest clusters of every row, nearest first, to
/// `out_labels` and, unless it is NULL, their distances to `out_distances`.
/// Each has room for rows x min(k, n_clusters) values, which do not overlap
/// the points. k = 1 is the plain case.
///
/// The distance is the squared Euclidean one, or 1 - cosine. After an error
/// the contents of both are undefined.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_kmeans_predict(
    kmeans: *const KMeansHandle,
    points: *const PointsHandle,
    k: usize,
    num_threads: usize,
    observer: *const ObserverRecord,
    out_labels: *mut u32,
    out_distances: *mut f64,
    error: *mut ErrorHandle,
) -> StatusCode {
    // SAFETY: as the caller promises.
    unsafe {
        KMeansHandle::call(kmeans, error, |handle| {
            let points = &borrow(points, "points")?.points;
            let outputs = (out_labels, out_distances);
            predict(
                handle,
                points,
                k,
                Call {
                    num_threads,
                    observer,
                },
                outputs,
                |model, labels, distances, options| {
                    model.predict_top(points, k, labels, distances, options)
                },
            )
        })
    }
}

/// `kentro_kmeans_predict` for float32 rows without gaps: see
/// `kentro_points_new_f32`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_kmeans_predict_f32(
    kmeans: *const KMeansHandle,
    data: *const f32,
    rows: usize,
    cols: usize,
    k: usize,
    num_threads: usize,
    observer: *const ObserverRecord,
    out_labels: *mut u32,
    out_distances: *mut f64,
    error: *mut ErrorHandle,
) -> StatusCode {
    // SAFETY: as the caller promises.
    unsafe {
        KMeansHandle::call(kmeans, error, |handle| {
            let points = &row_major(data, rows, cols)?;
            let outputs = (out_labels, out_distances);
            predict(
                handle,
                points,
                k,
                Call {
                    num_threads,
                    observer,
                },
                outputs,
                |model, labels, distances, options| {
                    model.predict_top(points, k, labels, distances, options)
                },
            )
        })
    }
}

/// Writes a cluster of every row to `out_labels` and, unless it is NULL, its
/// distance to `out_distances`, by the prices that a balanced model has
/// learnt: rows like the training data spread over the clusters as evenly as
/// it did, though nothing bounds the sizes here. Else like
/// `kentro_kmeans_predict` with k = 1.
///
/// `KENTRO_STATUS_INVALID_PARAMETER` unless the model was trained balanced.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_kmeans_predict_balanced(
    kmeans: *const KMeansHandle,
    points: *const PointsHandle,
    num_threads: usize,
    observer: *const ObserverRecord,
    out_labels: *mut u32,
    out_distances: *mut f64,
    error: *mut ErrorHandle,
) -> StatusCode {
    // SAFETY: as the caller promises.
    unsafe {
        KMeansHandle::call(kmeans, error, |handle| {
            let points = &borrow(points, "points")?.points;
            let outputs = (out_labels, out_distances);
            predict(
                handle,
                points,
                1,
                Call {
                    num_threads,
                    observer,
                },
                outputs,
                |model, labels, distances, options| {
                    model.predict_balanced(points, labels, distances, options)
                },
            )
        })
    }
}

/// Writes the distance of every row to every centroid, squared Euclidean or
/// 1 - cosine, to `out_distances`, row-major, which has room for `capacity` values:
/// rows x n_clusters.
///
/// `KENTRO_STATUS_INVALID_PARAMETER` if `capacity` is less. Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_kmeans_transform(
    kmeans: *const KMeansHandle,
    points: *const PointsHandle,
    num_threads: usize,
    observer: *const ObserverRecord,
    out_distances: *mut f64,
    capacity: usize,
    error: *mut ErrorHandle,
) -> StatusCode {
    // SAFETY: as the caller promises.
    unsafe {
        KMeansHandle::call(kmeans, error, |handle| {
            let points = &borrow(points, "points")?.points;
            let model = &handle.state().model;
            let len = points.rows().saturating_mul(model.n_clusters());
            let out = borrow_slice_mut(out_distances, capacity.min(len), "out_distances")?;
            let call = Call {
                num_threads,
                observer,
            };
            call.run(|options| Ok(model.transform(points, out, options)?))
        })
    }
}

/// Writes to `out` minus the sum over all points, times their weights, that the
/// model's inertia is of its training points: of the squared Euclidean distance to
/// the nearest centroid, of 1 - cosine, or with medoids of the (non-squared)
/// distance. Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_kmeans_score(
    kmeans: *const KMeansHandle,
    points: *const PointsHandle,
    num_threads: usize,
    observer: *const ObserverRecord,
    out: *mut f64,
    error: *mut ErrorHandle,
) -> StatusCode {
    // SAFETY: as the caller promises.
    unsafe {
        KMeansHandle::call(kmeans, error, |handle| {
            let points = &borrow(points, "points")?.points;
            require(out, "out")?;
            let model = &handle.state().model;
            let call = Call {
                num_threads,
                observer,
            };
            out.write(call.run(|options| Ok(model.score(points, options)?))?);
            Ok(())
        })
    }
}

/// Lends the outputs, `per_point` values a row, to a method of the model.
///
/// # Safety
/// The outputs are NULL or have room; and as of [`Call::run`].
unsafe fn predict(
    handle: &KMeansHandle,
    points: &Points<'_>,
    per_point: usize,
    call: Call,
    (out_labels, out_distances): (*mut u32, *mut f64),
    method: impl FnOnce(&KMeans, &mut [u32], Option<&mut [f64]>, RunOptions<'_>) -> Result<()>,
) -> Outcome {
    let state = handle.state();
    let len = points
        .rows()
        .checked_mul(per_point.min(state.model.n_clusters()))
        .filter(|&len| len <= isize::MAX as usize / size_of::<f64>())
        .ok_or_else(|| {
            let text = "Invalid data: rows times k overflows; predict in parts";
            Failure::new(KENTRO_STATUS_INVALID_DATA, text)
        })?;
    // SAFETY: as the caller promises.
    let (labels, distances) = unsafe {
        let labels = borrow_slice_mut(out_labels, len, "out_labels")?;
        let distances = match out_distances.is_null() {
            true => None,
            false => Some(borrow_slice_mut(out_distances, len, "out_distances")?),
        };
        (labels, distances)
    };
    // SAFETY: as the caller promises.
    unsafe { call.run(|options| Ok(method(&state.model, labels, distances, options)?)) }
}

/// How a call is to run.
#[derive(Clone, Copy)]
struct Call {
    num_threads: usize,
    observer: *const ObserverRecord,
}

impl Call {
    /// Runs `body` with these options.
    ///
    /// # Safety
    /// The observer is NULL or what its documentation asks for.
    unsafe fn run<T>(self, body: impl FnOnce(RunOptions<'_>) -> Outcome<T>) -> Outcome<T> {
        // SAFETY: as the caller promises.
        let record = unsafe { ObserverRecord::read(self.observer) }?;
        // SAFETY: as the caller promises.
        let mut tell = |event: Event<'_>| unsafe { record.tell(event) };
        let tell: &mut Observer<'_> = &mut tell;
        body(RunOptions {
            num_threads: (self.num_threads != KENTRO_ALL_THREADS).then_some(self.num_threads),
            observer: record.listens().then_some(tell),
            // SAFETY: as the caller promises.
            cancel: unsafe { record.cancel() },
        })
    }
}
