//! Blocks of rows that remember.

use super::error::ErrorHandle;
use super::guard::{free, guard};
use super::observer::ObserverRecord;
use super::partial::{PartialHandle, matrix};
use super::points::PointsHandle;
use super::run::Call;
use super::seeding::MessageHandle;
use super::settings::metric;
use super::status::{Failure, KENTRO_STATUS_BUSY, Outcome, StatusCode};
use super::{borrow, borrow_slice, borrow_slice_mut, check_capacity, put};
use crate::owned::boxed;
use crate::partial::{Block, BlockOptions};
use crate::points::Points;
use std::sync::{Mutex, TryLockError};

/// Rows that are one part of the data, and what searches among them have found
/// out: a cache. One call at a time; others get `KENTRO_STATUS_BUSY`.
pub struct BlockHandle {
    block: Mutex<Block<'static>>,
}

const _: () = super::shareable::<BlockHandle>();

impl BlockHandle {
    fn new(points: &Points<'static>, options: BlockOptions) -> Outcome<*mut Self> {
        let block = Mutex::new(Block::new(points, options)?);
        Ok(Box::into_raw(boxed(BlockHandle { block }, "a block")?))
    }

    /// Runs `body` on the block that nobody else uses meanwhile.
    fn with<T>(&self, body: impl FnOnce(&mut Block<'static>) -> Outcome<T>) -> Outcome<T> {
        match self.block.try_lock() {
            Ok(mut block) => body(&mut block),
            // What a panic left half done is forgotten.
            Err(TryLockError::Poisoned(error)) => {
                self.block.clear_poison();
                let mut block = error.into_inner();
                block.forget();
                body(&mut block)
            }
            Err(TryLockError::WouldBlock) => Err(Failure::from(KENTRO_STATUS_BUSY)),
        }
    }
}

/// Makes a block of the rows of `points`, with their weights. The view may be
/// freed, but the rows' memory (and that of their weights) must outlive the
/// block and not change.
///
/// `euclidean` is 1 or 0 as for `kentro_kmeans_set_euclidean`. To be freed by
/// `kentro_block_free`. Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_block_new(
    points: *const PointsHandle,
    euclidean: i32,
    out_block: *mut *mut BlockHandle,
    error: *mut ErrorHandle,
) -> StatusCode {
    let make = || {
        let options = BlockOptions::new(metric(euclidean)?);
        // SAFETY: as the caller promises.
        let points = &unsafe { borrow(points, "points") }?.points;
        BlockHandle::new(points, options)
    };
    // SAFETY: as the caller promises.
    unsafe { guard(error, || put(out_block, "out_block", make)) }
}

/// Runs the body of a function on the block behind a pointer.
///
/// # Safety
/// `block` and `error` are NULL or live.
unsafe fn on_block(
    block: *const BlockHandle,
    error: *mut ErrorHandle,
    body: impl FnOnce(&mut Block<'static>) -> Outcome,
) -> StatusCode {
    // SAFETY: as the caller promises.
    unsafe { guard(error, || borrow(block, "block")?.with(body)) }
}

/// What the rows come to for these centroids: n_clusters x n_dimensions,
/// row-major; with cosine they are made unit vectors first. To be freed by
/// `kentro_partial_free`. `num_threads` and `observer` as for
/// `kentro_kmeans_train`; no progress is told.
///
/// After an error, being cancelled included, the block has forgotten its labels,
/// which costs time and nothing else. Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_block_partial(
    block: *mut BlockHandle,
    centroids: *const f32,
    n_clusters: usize,
    n_dimensions: usize,
    num_threads: usize,
    observer: *const ObserverRecord,
    out_partial: *mut *mut PartialHandle,
    error: *mut ErrorHandle,
) -> StatusCode {
    // SAFETY: as the caller promises.
    unsafe {
        on_block(block, error, |block| {
            put(out_partial, "out_partial", || {
                let centroids = matrix(centroids, n_clusters, n_dimensions, "centroids")?;
                let call = Call::new(num_threads, observer);
                let partial = call.run(|options| Ok(block.partial(centroids, options)?))?;
                PartialHandle::new(partial)
            })
        })
    }
}

/// Writes the least number of each column to `out`, then the greatest of each: of
/// the rows that weigh something, infinity and -infinity where there are none.
/// `out` has room for `capacity` values, 2 x n_dimensions at least. One pass over the
/// rows; ranges of several blocks merge by minimum and maximum.
/// `kentro_block_set_ranges` tells what they are for. Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_block_ranges(
    block: *mut BlockHandle,
    num_threads: usize,
    observer: *const ObserverRecord,
    out: *mut f64,
    capacity: usize,
    error: *mut ErrorHandle,
) -> StatusCode {
    // SAFETY: as the caller promises.
    unsafe {
        on_block(block, error, |block| {
            check_capacity(capacity, 2 * block.cols(), "ranges")?;
            let out = borrow_slice_mut(out, 2 * block.cols(), "out")?;
            let call = Call::new(num_threads, observer);
            let ranges = call.run(|options| Ok(block.ranges(options)?))?;
            for (out, end) in out.iter_mut().zip(&ranges) {
                *out = *end;
            }
            Ok(())
        })
    }
}

/// Takes the ranges of all blocks together, 2 x `n_dimensions` values as
/// `kentro_block_ranges` writes them, and with the Euclidean distance the offset
/// that training on all rows would subtract (see `kentro_kmeans_offset`). All blocks
/// must get the same, before the first partial: labels of others are forgotten.
/// Centroids are then those less `kentro_block_offset`, in
/// `kentro_partial_finalize` too.
///
/// `KENTRO_STATUS_INVALID_PARAMETER` unless each column has two finite numbers, the
/// lesser first, or infinity and -infinity. Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_block_set_ranges(
    block: *mut BlockHandle,
    ranges: *const f64,
    n_dimensions: usize,
    error: *mut ErrorHandle,
) -> StatusCode {
    // SAFETY: as the caller promises.
    unsafe {
        on_block(block, error, |block| {
            let ranges = matrix(ranges, 2, n_dimensions, "ranges")?;
            Ok(block.set_ranges(ranges)?)
        })
    }
}

/// Writes what each column loses before it is rounded to float32, 0 where that is
/// nothing, to `out`, which has room for `capacity` values. Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_block_offset(
    block: *const BlockHandle,
    out: *mut f64,
    capacity: usize,
    error: *mut ErrorHandle,
) -> StatusCode {
    // SAFETY: as the caller promises.
    unsafe {
        on_block(block, error, |block| {
            check_capacity(capacity, block.cols(), "values")?;
            let out = borrow_slice_mut(out, block.cols(), "out")?;
            match block.offset() {
                Some(offset) => out.copy_from_slice(offset),
                None => out.fill(0.0),
            }
            Ok(())
        })
    }
}

/// Answers a `kentro_seeding`, given its candidates (none at first) and the
/// `question_size` bytes of its question to this block. The answer is to be freed by
/// `kentro_message_free`. `num_threads` and `observer` as for
/// `kentro_block_partial`. Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_block_seed(
    block: *mut BlockHandle,
    candidates: *const f32,
    n_candidates: usize,
    n_dimensions: usize,
    question: *const u8,
    question_size: usize,
    num_threads: usize,
    observer: *const ObserverRecord,
    out_answer: *mut *mut MessageHandle,
    error: *mut ErrorHandle,
) -> StatusCode {
    // SAFETY: as the caller promises.
    unsafe {
        on_block(block, error, |block| {
            put(out_answer, "out_answer", || {
                let candidates = matrix(candidates, n_candidates, n_dimensions, "candidates")?;
                let question = borrow_slice(question, question_size, "question")?;
                let call = Call::new(num_threads, observer);
                let answer = call.run(|options| Ok(block.seed(candidates, question, options)?))?;
                MessageHandle::new(answer)
            })
        })
    }
}

/// The number of rows. Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_block_rows(
    block: *const BlockHandle,
    out: *mut usize,
    error: *mut ErrorHandle,
) -> StatusCode {
    // SAFETY: as the caller promises.
    unsafe { on_block(block, error, |block| put(out, "out", || Ok(block.rows()))) }
}

/// Writes the cluster of every row, as of the last partial, to `out`, which has
/// room for `capacity` values. `KENTRO_STATUS_INVALID_PARAMETER` if there was no
/// partial yet, or the room is too little. Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_block_labels(
    block: *mut BlockHandle,
    out: *mut u32,
    capacity: usize,
    error: *mut ErrorHandle,
) -> StatusCode {
    // SAFETY: as the caller promises.
    unsafe {
        on_block(block, error, |block| {
            let labels = block.labels()?;
            check_capacity(capacity, labels.len(), "labels")?;
            borrow_slice_mut(out, labels.len(), "out")?.copy_from_slice(labels);
            Ok(())
        })
    }
}

/// Forgets labels and sums. Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_block_forget(
    block: *mut BlockHandle,
    error: *mut ErrorHandle,
) -> StatusCode {
    // SAFETY: as the caller promises.
    unsafe {
        on_block(block, error, |block| {
            block.forget();
            Ok(())
        })
    }
}

/// Frees a block; NULL is fine. Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_block_free(block: *mut BlockHandle) {
    // SAFETY: as the caller promises.
    unsafe { free(block) }
}
