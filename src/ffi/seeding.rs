//! First centroids of rows in blocks.

use super::error::ErrorHandle;
use super::guard::{free, guard};
use super::observer::ObserverRecord;
use super::run::Call;
use super::settings::metric;
use super::status::{Outcome, StatusCode};
use super::{borrow, borrow_slice, lend, put, require};
use crate::owned::boxed;
use crate::partial::Seeding;
use ndarray::ArrayView2;
use std::ptr;

/// k-means|| over blocks: what was asked and drawn so far.
pub struct SeedingHandle {
    seeding: Seeding,
}

/// A question or an answer: bytes that go from one process to another.
pub struct MessageHandle {
    bytes: Vec<u8>,
}

const _: () = super::shareable::<SeedingHandle>();
const _: () = super::shareable::<MessageHandle>();

impl MessageHandle {
    /// A handle for C to keep.
    pub fn new(bytes: Vec<u8>) -> Outcome<*mut Self> {
        Ok(Box::into_raw(boxed(MessageHandle { bytes }, "a message")?))
    }
}

/// Begins to draw first centroids of rows in blocks: those of
/// `KENTRO_INIT_KMEANS_PARALLEL` of all rows together, with the same seed, bit for
/// bit, however rows are cut.
///
/// While `kentro_seeding_centroids` gives none, each block gets the candidates and
/// its `kentro_seeding_question`, by `kentro_block_seed`, and
/// `kentro_seeding_take` takes the answers of all. `euclidean` is 1 or 0 as for
/// `kentro_kmeans_set_euclidean`. To be freed by `kentro_seeding_free`. Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_seeding_new(
    n_clusters: usize,
    euclidean: i32,
    seed: u64,
    out_seeding: *mut *mut SeedingHandle,
    error: *mut ErrorHandle,
) -> StatusCode {
    let make = || {
        let seeding = Seeding::new(n_clusters, metric(euclidean)?, seed)?;
        Ok(Box::into_raw(boxed(
            SeedingHandle { seeding },
            "a seeding",
        )?))
    };
    // SAFETY: as the caller promises.
    unsafe { guard(error, || put(out_seeding, "out_seeding", make)) }
}

/// Runs the body of a function on the seeding behind a pointer.
///
/// # Safety
/// `seeding` and `error` are NULL or live.
unsafe fn on_seeding(
    seeding: *const SeedingHandle,
    error: *mut ErrorHandle,
    body: impl FnOnce(&Seeding) -> Outcome,
) -> StatusCode {
    // SAFETY: as the caller promises.
    unsafe { guard(error, || body(&borrow(seeding, "seeding")?.seeding)) }
}

/// Lends a matrix, if there is one, with its shape.
///
/// # Safety
/// The outputs are NULL or can be written.
unsafe fn lend_matrix(
    matrix: Option<ArrayView2<'_, f32>>,
    out: *mut *const f32,
    out_rows: *mut usize,
    out_n_dimensions: *mut usize,
) -> Outcome {
    require(out, "out")?;
    require(out_rows, "out")?;
    let (rows, dims) = matrix.map_or((0, 0), |matrix| matrix.dim());
    // SAFETY: as the caller promises.
    unsafe {
        put(out_n_dimensions, "out_n_dimensions", || Ok(dims))?;
        out.write(matrix.map_or(ptr::null(), |matrix| matrix.as_ptr()));
        out_rows.write(rows);
    }
    Ok(())
}

/// Lends the rows that were drawn so far, `*out_len` x `*out_n_dimensions`, until
/// the next answers are taken; at first there are none. Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_seeding_candidates(
    seeding: *const SeedingHandle,
    out: *mut *const f32,
    out_len: *mut usize,
    out_n_dimensions: *mut usize,
    error: *mut ErrorHandle,
) -> StatusCode {
    // SAFETY: as the caller promises.
    unsafe {
        on_seeding(seeding, error, |seeding| {
            lend_matrix(Some(seeding.candidates()), out, out_len, out_n_dimensions)
        })
    }
}

/// What to ask the block of this number, from 0, in the order of rows. To be freed
/// by `kentro_message_free`. Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_seeding_question(
    seeding: *const SeedingHandle,
    block: usize,
    out_question: *mut *mut MessageHandle,
    error: *mut ErrorHandle,
) -> StatusCode {
    // SAFETY: as the caller promises.
    unsafe {
        on_seeding(seeding, error, |seeding| {
            let question = || MessageHandle::new(seeding.question(block)?);
            put(out_question, "out_question", question)
        })
    }
}

/// Takes the answers of all blocks, in the order of their rows: `answers` points to
/// the bytes of each of `n_blocks`, and `sizes` to their lengths. `num_threads`
/// and `observer` as for `kentro_kmeans_train`; no progress is told.
///
/// An error, and no change, unless all answer what was asked, or if there are fewer
/// rows than clusters. Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_seeding_take(
    seeding: *mut SeedingHandle,
    answers: *const *const u8,
    sizes: *const usize,
    n_blocks: usize,
    num_threads: usize,
    observer: *const ObserverRecord,
    error: *mut ErrorHandle,
) -> StatusCode {
    let body = || {
        require(seeding, "seeding")?;
        // SAFETY: as the caller promises.
        let (seeding, given) = unsafe {
            let answers = borrow_slice(answers, n_blocks, "answers")?;
            let sizes = borrow_slice(sizes, n_blocks, "sizes")?;
            let mut given: Vec<&[u8]> =
                crate::allocate::with_capacity(n_blocks, "answers of blocks")?;
            for (&answer, &size) in answers.iter().zip(sizes) {
                given.push(borrow_slice(answer, size, "answers")?);
            }
            (&mut (*seeding).seeding, given)
        };
        let call = Call::new(num_threads, observer);
        // SAFETY: as the caller promises.
        unsafe { call.run(|options| Ok(seeding.take(&given, options)?)) }
    };
    // SAFETY: as the caller promises.
    unsafe { guard(error, body) }
}

/// Lends the first centroids, `*out_n_clusters` x `*out_n_dimensions`, until the
/// seeding is freed; `*out` is NULL while there are more questions. Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_seeding_centroids(
    seeding: *const SeedingHandle,
    out: *mut *const f32,
    out_n_clusters: *mut usize,
    out_n_dimensions: *mut usize,
    error: *mut ErrorHandle,
) -> StatusCode {
    // SAFETY: as the caller promises.
    unsafe {
        on_seeding(seeding, error, |seeding| {
            lend_matrix(seeding.centroids(), out, out_n_clusters, out_n_dimensions)
        })
    }
}

/// Frees a seeding; NULL is fine. Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_seeding_free(seeding: *mut SeedingHandle) {
    // SAFETY: as the caller promises.
    unsafe { free(seeding) }
}

/// Lends the bytes of a message until it is freed. Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_message_bytes(
    message: *const MessageHandle,
    out: *mut *const u8,
    out_size: *mut usize,
    error: *mut ErrorHandle,
) -> StatusCode {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let bytes = borrow(message, "message").map(|message| Some(&message.bytes[..]));
            lend(out, out_size, bytes)
        })
    }
}

/// Frees a message; NULL is fine. Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_message_free(message: *mut MessageHandle) {
    // SAFETY: as the caller promises.
    unsafe { free(message) }
}
