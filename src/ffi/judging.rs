//! Choosing the number of clusters, and judging what came out.

use super::clusters::ClustersHandle;
use super::error::ErrorHandle;
use super::guard::guard;
use super::handle::KMeansHandle;
use super::observer::ObserverRecord;
use super::points::PointsHandle;
use super::run::Call;
use super::settings::metric;
use super::status::{Outcome, StatusCode};
use super::{borrow, borrow_slice, borrow_slice_mut, put, require};
use crate::allocate::with_capacity;
use crate::model::sweep::SweepStep;
use crate::silhouette::silhouette;

/// Writes to `out_score` the mean silhouette, from -1 to 1, of the rows of `points` in
/// the clusters that `labels` names: any numbers, at least two different ones, one a row.
/// The distance is Euclidean (not squared) if `euclidean` is 1, else 1 - cosine.
///
/// `sample`: how many rows to look at, each compared with all; 0: all up to 10,000 rows, of
/// more so many that there are 10^8 pairs, and at least 1,000. `seed` draws them.
/// `out_rows`: how many they were; if all, the score is exact. O(sample x rows x cols).
/// Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_silhouette(
    points: *const PointsHandle,
    labels: *const u32,
    n_labels: usize,
    euclidean: i32,
    sample: usize,
    seed: u64,
    num_threads: usize,
    observer: *const ObserverRecord,
    out_score: *mut f64,
    out_rows: *mut usize,
    error: *mut ErrorHandle,
) -> StatusCode {
    let body = || {
        require(out_score, "out_score")?;
        require(out_rows, "out_rows")?;
        let metric = metric(euclidean)?;
        let sample = (sample > 0).then_some(sample);
        // SAFETY: as the caller promises.
        unsafe {
            let points = &borrow(points, "points")?.points;
            let labels = borrow_slice(labels, n_labels, "labels")?;
            let found = Call::new(num_threads, observer)
                .run(|options| Ok(silhouette(points, labels, metric, sample, seed, options)?))?;
            out_score.write(found.score);
            out_rows.write(found.rows);
        }
        Ok(())
    };
    // SAFETY: as the caller promises.
    unsafe { guard(error, body) }
}

/// Finds the `m` (at least 1) rows of each cluster that are nearest to its centroid,
/// nearest first, no two with the same values (of equals the first counts); fewer where a
/// cluster has fewer. Rows are in the cluster whose centroid is nearest to them; those of
/// weight 0 do not count. To be freed by `kentro_clusters_free`. Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_kmeans_representatives(
    kmeans: *const KMeansHandle,
    points: *const PointsHandle,
    m: usize,
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
                    .run(|options| Ok(model.representatives(points, m, options)?))?;
                ClustersHandle::new(clusters)
            })
        })
    }
}

/// Trains a model for each of the `len` numbers of clusters in `ks`, which ascend, with
/// the settings of `kmeans`, whose own number and training play no part. Each begins with
/// the centroids of the one before and as many more, drawn by greedy k-means++; K-medoids
/// start afresh. The observer hears of each as of a further run.
///
/// `out_kmeans`, `out_seconds` and `out_silhouettes` have room for `len` values each: the
/// models, each to be freed by `kentro_kmeans_free`; how long training took; and the mean
/// of (b - a) / max(a, b) over all rows, where a is the distance to the row's own centroid
/// and b that to the nearest other one, 0 in a cluster of its own (NaN for a single one). The last two may be
/// NULL. Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_kmeans_sweep(
    kmeans: *const KMeansHandle,
    points: *const PointsHandle,
    ks: *const usize,
    len: usize,
    num_threads: usize,
    observer: *const ObserverRecord,
    out_kmeans: *mut *mut KMeansHandle,
    out_seconds: *mut f64,
    out_silhouettes: *mut f64,
    error: *mut ErrorHandle,
) -> StatusCode {
    // SAFETY: as the caller promises.
    unsafe {
        KMeansHandle::call(kmeans, error, |handle| {
            let points = &borrow(points, "points")?.points;
            let ks = borrow_slice(ks, len, "ks")?;
            let out_kmeans = borrow_slice_mut(out_kmeans, len, "out_kmeans")?;
            let [seconds, silhouettes] = [out_seconds, out_silhouettes].map(|out| {
                let room = if out.is_null() { 0 } else { len };
                borrow_slice_mut(out, room, "out_seconds and out_silhouettes")
            });
            let (seconds, silhouettes) = (seconds?, silhouettes?);
            let model = &handle.state().model;
            let steps = Call::new(num_threads, observer)
                .run(|options| Ok(model.sweep(points, ks, options)?))?;
            for (out, step) in seconds.iter_mut().zip(&steps) {
                *out = step.seconds;
            }
            for (out, step) in silhouettes.iter_mut().zip(&steps) {
                *out = step.silhouette.unwrap_or(f64::NAN);
            }
            for (out, handle) in out_kmeans.iter_mut().zip(handles(steps)?) {
                *out = handle;
            }
            Ok(())
        })
    }
}

/// A handle of the model of each step, or none.
fn handles(steps: Vec<SweepStep>) -> Outcome<Vec<*mut KMeansHandle>> {
    let mut handles = with_capacity(steps.len(), "models")?;
    for step in steps {
        match KMeansHandle::of(step.model) {
            Ok(handle) => handles.push(handle),
            Err(failure) => {
                for handle in handles {
                    // SAFETY: it has just come from `Box::into_raw`.
                    drop(unsafe { Box::from_raw(handle) });
                }
                return Err(failure);
            }
        }
    }
    Ok(handles)
}
