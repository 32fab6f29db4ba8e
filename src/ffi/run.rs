//! Training and assignment.

use super::clusters::ClustersHandle;
use super::error::ErrorHandle;
use super::handle::KMeansHandle;
use super::observer::ObserverRecord;
use super::points::{PointsHandle, row_major};
use super::status::{
    Failure, KENTRO_STATUS_INVALID_DATA, KENTRO_STATUS_INVALID_PARAMETER, Outcome, StatusCode,
};
use super::{borrow, borrow_slice_mut, may_be_null, put, put_if_wanted, require};
use crate::points::Points;
use crate::threads::{Event, Observer, RunOptions};
use std::ptr;

/// As many threads as `kentro_default_threads` says.
///
/// Not for cbindgen, which cannot write it: `tests/header.rs` does.
/// cbindgen:ignore
pub(super) const KENTRO_ALL_THREADS: usize = usize::MAX;

/// Clusters the rows of `points`. A model trains once; after an error it is as
/// it was before.
///
/// `num_threads`: from 1, or `KENTRO_ALL_THREADS` for `kentro_default_threads`;
/// more than the machine grants this process is capped. Has no influence on the result. Threads end
/// with the call, so that the process may fork before and after. `observer`:
/// who watches the call and may end it; NULL for nobody, here and elsewhere.
/// Since 0.3.
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
            let call = Call::new(num_threads, observer);
            handle.train(|model| call.run(|options| Ok(model.fit(points, options)?)))
        })
    }
}

/// Learns from one more block of rows, and keeps nothing of it but what it did
/// to the centroids: mini-batch K-means.
///
/// The first block trains the model by its settings; blocks before there are as
/// many rows as clusters are collected. After that each centroid moves to the mean
/// of all rows that it has got. A trained model goes on from its centroids and
/// `kentro_kmeans_cluster_weights`. `forgetting`: what fraction of these weights
/// is forgotten before the block counts, 0 to 1. Labels are empty and the
/// inertia is NaN afterwards, sizes and weights add up, and `kentro_kmeans_n_iter`
/// counts blocks.
///
/// `KENTRO_STATUS_INVALID_PARAMETER` with medoids or bounds on sizes. Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_kmeans_partial_fit(
    kmeans: *mut KMeansHandle,
    points: *const PointsHandle,
    forgetting: f64,
    num_threads: usize,
    observer: *const ObserverRecord,
    error: *mut ErrorHandle,
) -> StatusCode {
    // SAFETY: as the caller promises.
    unsafe {
        KMeansHandle::call(kmeans, error, |handle| {
            let points = &borrow(points, "points")?.points;
            let call = Call::new(num_threads, observer);
            handle.train(|model| {
                call.run(|options| Ok(model.partial_fit(points, forgetting, options)?))
            })
        })
    }
}

/// Assigns every row of `points` to its `k` nearest clusters (at least 1; more
/// than there are means all) and returns for each cluster the rows it got.
/// To be freed by `kentro_clusters_free`. Since 0.3.
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
            put(out_clusters, "out_clusters", || {
                let points = &borrow(points, "points")?.points;
                let model = &handle.state().model;
                let clusters = Call::new(num_threads, observer)
                    .run(|options| Ok(model.assign_points(points, k, options)?))?;
                ClustersHandle::new(clusters)
            })
        })
    }
}

/// Writes the `k` nearest clusters of every row (at least 1; more than there
/// are means all), nearest first, to `out_labels` and their distances, squared
/// Euclidean or 1 - cosine, to `out_distances`: rows x width values, row-major,
/// width = min(k, n_clusters), which `out_width` gets. The outputs have room for
/// `labels_capacity` and `distances_capacity` values and do not overlap the
/// points. `out_distances` with capacity 0, and `out_width`, may be NULL.
///
/// `KENTRO_STATUS_INVALID_PARAMETER` if a capacity is less, before anything is
/// written. After any other error the contents of both buffers are undefined.
/// Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_kmeans_predict(
    kmeans: *const KMeansHandle,
    points: *const PointsHandle,
    k: usize,
    num_threads: usize,
    observer: *const ObserverRecord,
    out_labels: *mut u32,
    labels_capacity: usize,
    out_distances: *mut f64,
    distances_capacity: usize,
    out_width: *mut usize,
    error: *mut ErrorHandle,
) -> StatusCode {
    // SAFETY: as the caller promises.
    unsafe {
        KMeansHandle::call(kmeans, error, |handle| {
            let points = &borrow(points, "points")?.points;
            let outputs = Outputs {
                labels: (out_labels, labels_capacity),
                distances: (out_distances, distances_capacity),
                width: out_width,
            };
            let call = Call::new(num_threads, observer);
            predict_top(handle, points, k, call, outputs)
        })
    }
}

/// `kentro_kmeans_predict` for float32 rows without gaps, as of
/// `kentro_points_new_f32`: where there are few, as in answering one query, the
/// view of them would be one more thing to make and to free. Since 0.3.
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
    labels_capacity: usize,
    out_distances: *mut f64,
    distances_capacity: usize,
    out_width: *mut usize,
    error: *mut ErrorHandle,
) -> StatusCode {
    // SAFETY: as the caller promises.
    unsafe {
        KMeansHandle::call(kmeans, error, |handle| {
            let points = &row_major(data, rows, cols)?;
            let outputs = Outputs {
                labels: (out_labels, labels_capacity),
                distances: (out_distances, distances_capacity),
                width: out_width,
            };
            let call = Call::new(num_threads, observer);
            predict_top(handle, points, k, call, outputs)
        })
    }
}

/// # Safety
/// As of [`Call::run`] and [`Outputs`].
unsafe fn predict_top(
    handle: &KMeansHandle,
    points: &Points<'_>,
    k: usize,
    call: Call,
    outputs: Outputs,
) -> Outcome {
    let model = &handle.state().model;
    let width = model.width(k)?;
    // SAFETY: as the caller promises.
    unsafe {
        let (labels, distances) = outputs.borrow(points.rows(), width)?;
        call.run(|options| Ok(model.predict_top(points, k, labels, distances, options)?))?;
        put_if_wanted(outputs.width, width);
    }
    Ok(())
}

/// Writes a cluster of every row to `out_labels` and its distance to
/// `out_distances`, by the prices that a balanced model has learnt: rows like
/// the training data spread over the clusters as evenly as it did, though
/// nothing bounds the sizes here. Else like `kentro_kmeans_predict` with k = 1.
///
/// `KENTRO_STATUS_INVALID_PARAMETER` unless the model was trained balanced.
/// Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_kmeans_predict_balanced(
    kmeans: *const KMeansHandle,
    points: *const PointsHandle,
    num_threads: usize,
    observer: *const ObserverRecord,
    out_labels: *mut u32,
    labels_capacity: usize,
    out_distances: *mut f64,
    distances_capacity: usize,
    error: *mut ErrorHandle,
) -> StatusCode {
    // SAFETY: as the caller promises.
    unsafe {
        KMeansHandle::call(kmeans, error, |handle| {
            let points = &borrow(points, "points")?.points;
            let model = &handle.state().model;
            let outputs = Outputs {
                labels: (out_labels, labels_capacity),
                distances: (out_distances, distances_capacity),
                width: ptr::null_mut(),
            };
            let (labels, distances) = outputs.borrow(points.rows(), model.width(1)?)?;
            let call = Call::new(num_threads, observer);
            call.run(|options| Ok(model.predict_balanced(points, labels, distances, options)?))
        })
    }
}

/// Writes the distance of every row to every centroid, squared Euclidean or
/// 1 - cosine, to `out_distances`, row-major, which has room for
/// `distances_capacity` values: rows x width, width = n_clusters, which
/// `out_width` gets unless it is NULL.
///
/// `KENTRO_STATUS_INVALID_PARAMETER` if the capacity is less. Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_kmeans_transform(
    kmeans: *const KMeansHandle,
    points: *const PointsHandle,
    num_threads: usize,
    observer: *const ObserverRecord,
    out_distances: *mut f64,
    distances_capacity: usize,
    out_width: *mut usize,
    error: *mut ErrorHandle,
) -> StatusCode {
    // SAFETY: as the caller promises.
    unsafe {
        KMeansHandle::call(kmeans, error, |handle| {
            let points = &borrow(points, "points")?.points;
            may_be_null(out_width, "out_width")?;
            let model = &handle.state().model;
            let width = model.width(usize::MAX)?;
            let distances = (out_distances, distances_capacity);
            let distances = output(distances, points.rows(), width, "out_distances")?;
            let call = Call::new(num_threads, observer);
            call.run(|options| Ok(model.transform(points, distances, options)?))?;
            put_if_wanted(out_width, width);
            Ok(())
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
            let model = &handle.state().model;
            let call = Call::new(num_threads, observer);
            put(out, "out", || {
                call.run(|options| Ok(model.score(points, options)?))
            })
        })
    }
}

/// Where a prediction goes: buffers with their capacities in values.
struct Outputs {
    labels: (*mut u32, usize),
    distances: (*mut f64, usize),
    width: *mut usize,
}

impl Outputs {
    /// The buffers for `width` values a row; the distances where wanted.
    ///
    /// # Safety
    /// Each is NULL or has the room it says, for `'a`, and nobody else uses it.
    #[allow(clippy::type_complexity)]
    unsafe fn borrow<'a>(
        &self,
        rows: usize,
        width: usize,
    ) -> Outcome<(&'a mut [u32], Option<&'a mut [f64]>)> {
        may_be_null(self.width, "out_width")?;
        // SAFETY: as the caller promises.
        unsafe {
            let labels = output(self.labels, rows, width, "out_labels")?;
            let distances = match self.distances {
                (pointer, 0) if pointer.is_null() => None,
                distances => Some(output(distances, rows, width, "out_distances")?),
            };
            Ok((labels, distances))
        }
    }
}

/// The part of a buffer that takes `width` values a row.
///
/// # Safety
/// The buffer is NULL or has the room it says, for `'a`, and nobody else uses it.
unsafe fn output<'a, T>(
    (pointer, capacity): (*mut T, usize),
    rows: usize,
    width: usize,
    argument: &'static str,
) -> Outcome<&'a mut [T]> {
    let len = rows
        .checked_mul(width)
        .filter(|&len| len <= isize::MAX as usize / size_of::<T>())
        .ok_or_else(|| {
            let text = "Invalid data: rows times k overflows; predict in parts";
            Failure::new(KENTRO_STATUS_INVALID_DATA, text)
        })?;
    if len > 0 {
        require(pointer, argument)?;
    }
    if capacity < len {
        let name = argument.trim_start_matches("out_");
        let text = format_args!(
            "{name}_capacity is {capacity}, but {rows} rows x {width} {name} are {len}; \
             give room for as many"
        );
        return Err(Failure::new(KENTRO_STATUS_INVALID_PARAMETER, text));
    }
    // SAFETY: as the caller promises.
    unsafe { borrow_slice_mut(pointer, len, argument) }
}

/// How a call is to run.
#[derive(Clone, Copy)]
pub(super) struct Call {
    num_threads: usize,
    observer: *const ObserverRecord,
}

impl Call {
    pub fn new(num_threads: usize, observer: *const ObserverRecord) -> Self {
        Call {
            num_threads,
            observer,
        }
    }

    /// Runs `body` with these options.
    ///
    /// # Safety
    /// The observer is NULL or what its documentation asks for.
    pub unsafe fn run<T>(self, body: impl FnOnce(RunOptions<'_>) -> Outcome<T>) -> Outcome<T> {
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
