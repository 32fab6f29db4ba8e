//! Models in files and in memory, and models of given centroids.

use super::error::ErrorHandle;
use super::guard::guard;
use super::handle::KMeansHandle;
use super::partial::matrix;
use super::points::PointsHandle;
use super::settings::flag;
use super::status::{Failure, KENTRO_STATUS_INVALID_PARAMETER, Outcome, StatusCode};
use super::{borrow, borrow_slice, borrow_slice_mut, check_capacity, put, require};
use crate::allocate::text;
use crate::model::KMeans;
use crate::model::saving::SaveOptions;
use libc::c_char;
use std::ffi::CStr;
use std::path::Path;

fn options(labels: i32) -> Outcome<SaveOptions> {
    Ok(SaveOptions {
        labels: flag(labels, "labels")?,
    })
}

/// The path that a text of C's stands for.
///
/// # Safety
/// `path` is NULL or ends in NUL, and lives for `'a`.
unsafe fn to_path<'a>(path: *const c_char) -> Outcome<&'a Path> {
    require(path, "path")?;
    // SAFETY: as the caller promises.
    let bytes = unsafe { CStr::from_ptr(path) };
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt;
        Ok(Path::new(std::ffi::OsStr::from_bytes(bytes.to_bytes())))
    }
    #[cfg(not(unix))]
    {
        let invalid = |_| Failure::new(KENTRO_STATUS_INVALID_PARAMETER, "path is not UTF-8");
        Ok(Path::new(bytes.to_str().map_err(invalid)?))
    }
}

/// Gives C the model that `make` makes.
///
/// # Safety
/// `out_kmeans` is NULL or can be written; `error` is NULL or live.
unsafe fn new_model(
    out_kmeans: *mut *mut KMeansHandle,
    error: *mut ErrorHandle,
    make: impl FnOnce() -> Outcome<KMeans>,
) -> StatusCode {
    let make = || KMeansHandle::of(make()?);
    // SAFETY: as the caller promises.
    unsafe { guard(error, || put(out_kmeans, "out_kmeans", make)) }
}

/// Writes a model to a file, in the place of any that is there: its settings
/// and, if it is trained, all results, of the labels only if `labels` is 1, not
/// 0. The file is one of safetensors; docs/format.md tells what is in it.
///
/// `path`: any bytes on Unix, UTF-8 on Windows. Whenever the process ends, and
/// after an error, the old file or the new one is there, whole.
/// `KENTRO_STATUS_IO` if the system refuses: see `kentro_error_os_code`.
/// Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_kmeans_save(
    kmeans: *const KMeansHandle,
    path: *const c_char,
    labels: i32,
    error: *mut ErrorHandle,
) -> StatusCode {
    // SAFETY: as the caller promises.
    unsafe {
        KMeansHandle::call(kmeans, error, |handle| {
            let (path, options) = (to_path(path)?, options(labels)?);
            Ok(handle.state().model.save(path, options)?)
        })
    }
}

/// Reads a model from a file that `kentro_kmeans_save` wrote. It is as it was,
/// but for its callbacks and, if they were left out, the labels. To be freed by
/// `kentro_kmeans_free`.
///
/// `KENTRO_STATUS_IO` if the system refuses, `KENTRO_STATUS_INVALID_FILE` if
/// the file is not whole or no model, `KENTRO_STATUS_NEWER_FILE` if it is of a
/// later version of the format. Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_kmeans_load(
    path: *const c_char,
    out_kmeans: *mut *mut KMeansHandle,
    error: *mut ErrorHandle,
) -> StatusCode {
    // SAFETY: as the caller promises.
    unsafe { new_model(out_kmeans, error, || Ok(KMeans::load(to_path(path)?)?)) }
}

/// The length in bytes of what `kentro_kmeans_serialize` writes. Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_kmeans_serialized_size(
    kmeans: *const KMeansHandle,
    labels: i32,
    out_size: *mut usize,
    error: *mut ErrorHandle,
) -> StatusCode {
    // SAFETY: as the caller promises.
    unsafe {
        KMeansHandle::call(kmeans, error, |handle| {
            put(out_size, "out_size", || {
                Ok(handle.state().model.serialized_size(options(labels)?)?)
            })
        })
    }
}

/// Writes the bytes of the file that `kentro_kmeans_save` would write to `out`,
/// which has room for `capacity`, and how many they are to `out_size`.
///
/// `KENTRO_STATUS_INVALID_PARAMETER`, and nothing is written, if `capacity` is
/// less than `kentro_kmeans_serialized_size`. Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_kmeans_serialize(
    kmeans: *const KMeansHandle,
    labels: i32,
    out: *mut u8,
    capacity: usize,
    out_size: *mut usize,
    error: *mut ErrorHandle,
) -> StatusCode {
    // SAFETY: as the caller promises.
    unsafe {
        KMeansHandle::call(kmeans, error, |handle| {
            put(out_size, "out_size", || {
                let (state, options) = (handle.state(), options(labels)?);
                let size = state.model.serialized_size(options)?;
                check_capacity(capacity, size, "bytes")?;
                let out = borrow_slice_mut(out, size, "out")?;
                state.model.write_bytes(options, out)?;
                Ok(size)
            })
        })
    }
}

/// Reads a model from the `size` bytes that `kentro_kmeans_serialize` wrote, or
/// of a file: see `kentro_kmeans_load`. They are not needed afterwards.
/// Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_kmeans_deserialize(
    bytes: *const u8,
    size: usize,
    out_kmeans: *mut *mut KMeansHandle,
    error: *mut ErrorHandle,
) -> StatusCode {
    let make = || {
        // SAFETY: as the caller promises.
        let bytes = unsafe { borrow_slice(bytes, size, "bytes") }?;
        Ok(KMeans::from_bytes(bytes)?)
    };
    // SAFETY: as the caller promises.
    unsafe { new_model(out_kmeans, error, make) }
}

/// Makes a trained model of these centroids, one a row, which are copied: to
/// predict and assign with, and to be saved. To be freed by
/// `kentro_kmeans_free`.
///
/// `euclidean` is 1 or 0 as for `kentro_kmeans_set_euclidean`; for 0 the
/// centroids are made unit vectors. `prices`: NULL and 0, or one for each
/// centroid, for `kentro_kmeans_predict_balanced`. There are no labels, sizes,
/// medoids and inertia (NaN), and 0 iterations. Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_kmeans_from_centroids(
    centroids: *const PointsHandle,
    euclidean: i32,
    prices: *const f64,
    n_prices: usize,
    out_kmeans: *mut *mut KMeansHandle,
    error: *mut ErrorHandle,
) -> StatusCode {
    let make = || {
        // SAFETY: as the caller promises.
        let (centroids, prices) = unsafe {
            let centroids = &borrow(centroids, "centroids")?.points;
            let prices = match n_prices {
                0 if prices.is_null() => None,
                n if n > isize::MAX as usize / size_of::<f64>() => {
                    let text = format_args!("n_prices is {n}; give a price for each centroid");
                    return Err(Failure::new(KENTRO_STATUS_INVALID_PARAMETER, text));
                }
                _ => Some(borrow_slice(prices, n_prices, "prices")?),
            };
            (centroids, prices)
        };
        let euclidean = flag(euclidean, "euclidean")?;
        Ok(KMeans::from_centroids(centroids, euclidean, prices)?)
    };
    // SAFETY: as the caller promises.
    unsafe { new_model(out_kmeans, error, make) }
}

/// Makes a trained model of Euclidean centroids that have lost an offset, and of that:
/// `n_dimensions` values, as `kentro_block_offset` writes them. Rows to predict lose it
/// too, so that those of blocks get the labels that the blocks have. Otherwise as
/// `kentro_kmeans_from_centroids`. Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_kmeans_from_centroids_less(
    centroids: *const f32,
    n_clusters: usize,
    n_dimensions: usize,
    offset: *const f64,
    out_kmeans: *mut *mut KMeansHandle,
    error: *mut ErrorHandle,
) -> StatusCode {
    let make = || {
        // SAFETY: as the caller promises.
        let (centroids, offset) = unsafe {
            let centroids = matrix(centroids, n_clusters, n_dimensions, "centroids")?;
            (centroids, matrix(offset, 1, n_dimensions, "offset")?)
        };
        let offset = offset.to_slice().unwrap_or_default();
        Ok(KMeans::from_centroids_less(centroids, offset)?)
    };
    // SAFETY: as the caller promises.
    unsafe { new_model(out_kmeans, error, make) }
}

/// Makes an untrained model with the settings of
/// `kmeans`, settings that were changed after training included. To be freed by
/// `kentro_kmeans_free`. Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_kmeans_clone_untrained(
    kmeans: *const KMeansHandle,
    out_kmeans: *mut *mut KMeansHandle,
    error: *mut ErrorHandle,
) -> StatusCode {
    // SAFETY: as the caller promises.
    unsafe {
        KMeansHandle::call(kmeans, error, |handle| {
            put(out_kmeans, "out_kmeans", || handle.untrained())
        })
    }
}

/// Writes a line about the model to `out`, which has room for `capacity` bytes,
/// such as "KMeans(n_clusters=3, iterations=25, euclidean=false,
/// balanced=false, use_medoids=false, trained=true, seed=7)": six words, then
/// what is not the default; of a trained model what training used. It ends in
/// NUL, which `out_len` doesn't count. 1024 bytes are always enough.
/// Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_kmeans_describe(
    kmeans: *const KMeansHandle,
    out: *mut c_char,
    capacity: usize,
    out_len: *mut usize,
    error: *mut ErrorHandle,
) -> StatusCode {
    // SAFETY: as the caller promises.
    unsafe {
        KMeansHandle::call(kmeans, error, |handle| {
            put(out_len, "out_len", || {
                let text = text(&handle.state().model, "a line about the model")?;
                check_capacity(capacity, text.len() + 1, "bytes")?;
                let out = borrow_slice_mut(out.cast::<u8>(), text.len() + 1, "out")?;
                out[..text.len()].copy_from_slice(text.as_bytes());
                out[text.len()] = 0;
                Ok(text.len())
            })
        })
    }
}
