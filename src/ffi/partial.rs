//! Statistics of blocks that merge.

use super::error::ErrorHandle;
use super::guard::{free, guard};
use super::status::{Failure, KENTRO_STATUS_INVALID_PARAMETER, Outcome, StatusCode};
use super::{
    borrow, borrow_slice, borrow_slice_mut, check_capacity, lend, may_be_null, put, put_if_wanted,
    require,
};
use crate::owned::boxed;
use crate::partial::Partial;
use ndarray::{Array2, ArrayView2};
use std::ptr;

/// What the rows of one block, or of several, come to for given centroids.
/// Nothing in it is rounded.
pub struct PartialHandle {
    partial: Partial,
}

const _: () = super::shareable::<PartialHandle>();

impl PartialHandle {
    /// A handle for C to keep.
    pub fn new(partial: Partial) -> Outcome<*mut Self> {
        Ok(Box::into_raw(boxed(
            PartialHandle { partial },
            "a partial",
        )?))
    }
}

/// `rows` x `cols` values without gaps.
///
/// # Safety
/// `values` is NULL or points to so many, which live for `'a`.
pub(super) unsafe fn matrix<'a, T>(
    values: *const T,
    rows: usize,
    cols: usize,
    name: &'static str,
) -> Outcome<ArrayView2<'a, T>> {
    let len = rows
        .checked_mul(cols)
        .filter(|&len| len <= isize::MAX as usize / size_of::<T>());
    let too_many = || {
        let text = format_args!("{rows} x {cols} {name} are more than memory can hold");
        Failure::new(KENTRO_STATUS_INVALID_PARAMETER, text)
    };
    // SAFETY: as the caller promises.
    let values = unsafe { borrow_slice(values, len.ok_or_else(too_many)?, name) }?;
    ArrayView2::from_shape((rows, cols), values).map_err(|_| too_many())
}

/// Runs the body of a function on the partial behind a pointer.
///
/// # Safety
/// `partial` and `error` are NULL or live.
unsafe fn on_partial(
    partial: *const PartialHandle,
    error: *mut ErrorHandle,
    body: impl FnOnce(&Partial) -> Outcome,
) -> StatusCode {
    // SAFETY: as the caller promises.
    unsafe { guard(error, || body(&borrow(partial, "partial")?.partial)) }
}

/// Adds what the rows of `other` come to, for the same centroids; the result is
/// the same in any order of merging. `other` stays as it is, and may not be
/// `partial` itself.
///
/// `KENTRO_STATUS_INVALID_PARAMETER`, and no change, if the other is of another
/// shape or metric, or of other centroids. Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_partial_merge(
    partial: *mut PartialHandle,
    other: *const PartialHandle,
    error: *mut ErrorHandle,
) -> StatusCode {
    let body = || {
        require(partial, "partial")?;
        if ptr::eq(partial, other) {
            let text = "other is the partial itself; each block counts once";
            return Err(Failure::new(KENTRO_STATUS_INVALID_PARAMETER, text));
        }
        // SAFETY: as the caller promises.
        let (partial, other) = unsafe { (&mut *partial, borrow(other, "other")?) };
        Ok(partial.partial.merge(&other.partial)?)
    };
    // SAFETY: as the caller promises.
    unsafe { guard(error, body) }
}

/// Writes the next centroids, n_clusters x n_dimensions, to `out_centroids`,
/// which has room for `capacity` values: the means of the clusters, with cosine
/// directions; clusters without rows get the farthest ones. `centroids` are those
/// that the blocks got, and may be the same memory. `out_converged` gets 1 if
/// the next are the same bit for bit, else 0; it may be NULL.
///
/// `KENTRO_STATUS_INVALID_PARAMETER` if the partial is not of these centroids,
/// or the room is too little. Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_partial_finalize(
    partial: *const PartialHandle,
    centroids: *const f32,
    out_centroids: *mut f32,
    capacity: usize,
    out_converged: *mut i32,
    error: *mut ErrorHandle,
) -> StatusCode {
    // SAFETY: as the caller promises.
    unsafe {
        on_partial(partial, error, |partial| {
            let (rows, cols) = (partial.n_clusters(), partial.n_dimensions());
            require(out_centroids, "out_centroids")?;
            may_be_null(out_converged, "out_converged")?;
            check_capacity(capacity, rows * cols, "values")?;
            let update = partial.finalize(matrix(centroids, rows, cols, "centroids")?)?;
            write(out_centroids, &update.centroids)?;
            put_if_wanted(out_converged, update.converged.into());
            Ok(())
        })
    }
}

/// Writes these centroids, with those of empty clusters on the farthest rows, to
/// `out_centroids`, which has room for `capacity` values, and 1 to `out_placed`; 0,
/// and nothing else, if no cluster is empty or no row may be there. `centroids` are
/// those that the blocks got, and may be the same memory.
///
/// Training ends so: after the last iteration it does this again as long as the
/// inertia falls, and takes what came last. Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_partial_place_empty(
    partial: *const PartialHandle,
    centroids: *const f32,
    out_centroids: *mut f32,
    capacity: usize,
    out_placed: *mut i32,
    error: *mut ErrorHandle,
) -> StatusCode {
    // SAFETY: as the caller promises.
    unsafe {
        on_partial(partial, error, |partial| {
            let (rows, cols) = (partial.n_clusters(), partial.n_dimensions());
            require(out_centroids, "out_centroids")?;
            put(out_placed, "out_placed", || {
                check_capacity(capacity, rows * cols, "values")?;
                let placed = partial.place_empty(matrix(centroids, rows, cols, "centroids")?)?;
                if let Some(placed) = &placed {
                    write(out_centroids, placed)?;
                }
                Ok(placed.is_some().into())
            })
        })
    }
}

/// Writes a matrix row by row.
///
/// # Safety
/// `out` points to room for it.
unsafe fn write(out: *mut f32, values: &Array2<f32>) -> Outcome {
    // SAFETY: as the caller promises.
    let out = unsafe { borrow_slice_mut(out, values.len(), "out_centroids") }?;
    for (out, value) in out.iter_mut().zip(values) {
        *out = *value;
    }
    Ok(())
}

/// The number of clusters and of columns; either may be NULL. Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_partial_shape(
    partial: *const PartialHandle,
    out_n_clusters: *mut usize,
    out_n_dimensions: *mut usize,
    error: *mut ErrorHandle,
) -> StatusCode {
    // SAFETY: as the caller promises.
    unsafe {
        on_partial(partial, error, |partial| {
            may_be_null(out_n_clusters, "out_n_clusters")?;
            may_be_null(out_n_dimensions, "out_n_dimensions")?;
            put_if_wanted(out_n_clusters, partial.n_clusters());
            put_if_wanted(out_n_dimensions, partial.n_dimensions());
            Ok(())
        })
    }
}

/// Lends the number of rows of each cluster until the partial is merged into or
/// freed. Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_partial_cluster_sizes(
    partial: *const PartialHandle,
    out: *mut *const u64,
    out_len: *mut usize,
    error: *mut ErrorHandle,
) -> StatusCode {
    // SAFETY: as the caller promises.
    unsafe {
        on_partial(partial, error, |partial| {
            lend(out, out_len, Ok(Some(partial.cluster_sizes())))
        })
    }
}

/// The sum of weighted distances to the centroids: squared Euclidean, or
/// 1 - cosine. Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_partial_inertia(
    partial: *const PartialHandle,
    out: *mut f64,
    error: *mut ErrorHandle,
) -> StatusCode {
    // SAFETY: as the caller promises.
    unsafe {
        on_partial(partial, error, |partial| {
            put(out, "out", || Ok(partial.inertia()))
        })
    }
}

/// Rows that have changed their cluster since the partial before; -1 where a
/// block knew of none. Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_partial_changed(
    partial: *const PartialHandle,
    out: *mut i64,
    error: *mut ErrorHandle,
) -> StatusCode {
    // SAFETY: as the caller promises.
    unsafe {
        on_partial(partial, error, |partial| {
            let changed = partial.changed().map(i64::try_from);
            let changed = changed.map_or(-1, |changed| changed.unwrap_or(i64::MAX));
            put(out, "out", || Ok(changed))
        })
    }
}

/// The length in bytes of what `kentro_partial_serialize` writes. Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_partial_serialized_size(
    partial: *const PartialHandle,
    out_size: *mut usize,
    error: *mut ErrorHandle,
) -> StatusCode {
    // SAFETY: as the caller promises.
    unsafe {
        on_partial(partial, error, |partial| {
            put(out_size, "out_size", || Ok(partial.serialized_size()?))
        })
    }
}

/// Writes the partial as bytes (docs/format.md) to `out`, which has room for
/// `capacity`, and how many they are to `out_size`.
/// `KENTRO_STATUS_INVALID_PARAMETER`, and nothing is written, if `capacity` is
/// less than `kentro_partial_serialized_size`. Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_partial_serialize(
    partial: *const PartialHandle,
    out: *mut u8,
    capacity: usize,
    out_size: *mut usize,
    error: *mut ErrorHandle,
) -> StatusCode {
    // SAFETY: as the caller promises.
    unsafe {
        on_partial(partial, error, |partial| {
            put(out_size, "out_size", || {
                let size = partial.serialized_size()?;
                check_capacity(capacity, size, "bytes")?;
                partial.write_bytes(borrow_slice_mut(out, size, "out")?)?;
                Ok(size)
            })
        })
    }
}

/// Reads a partial from the `size` bytes that `kentro_partial_serialize` wrote,
/// which are not needed afterwards. They may be anything:
/// `KENTRO_STATUS_INVALID_FILE` if they are no whole partial,
/// `KENTRO_STATUS_NEWER_FILE` if they are of a later version. To be freed by
/// `kentro_partial_free`. Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_partial_deserialize(
    bytes: *const u8,
    size: usize,
    out_partial: *mut *mut PartialHandle,
    error: *mut ErrorHandle,
) -> StatusCode {
    // SAFETY: as the caller promises.
    let read = || unsafe {
        let bytes = borrow_slice(bytes, size, "bytes")?;
        PartialHandle::new(Partial::from_bytes(bytes)?)
    };
    // SAFETY: as the caller promises.
    unsafe { guard(error, || put(out_partial, "out_partial", read)) }
}

/// Frees a partial; NULL is fine. Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_partial_free(partial: *mut PartialHandle) {
    // SAFETY: as the caller promises.
    unsafe { free(partial) }
}
