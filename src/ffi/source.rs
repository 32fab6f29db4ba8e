//! Rows that a caller yields block by block.

use super::error::ErrorHandle;
use super::handle::KMeansHandle;
use super::observer::ObserverRecord;
use super::points::PointsHandle;
use super::record;
use super::run::Call;
use super::status::{Failure, KENTRO_STATUS_INVALID_PARAMETER, Outcome, StatusCode};
use crate::error::{KMeansError, Result};
use crate::points::Points;
use crate::streamed::Source;
use crate::text::text;
use libc::{c_char, c_void};
use std::ffi::CStr;
use std::ptr;

/// Begins anew with the first row. Returns 0, or else anything: the call ends
/// with `KENTRO_STATUS_SOURCE`.
pub type RewindFn = Option<unsafe extern "C" fn(user_data: *mut c_void) -> i32>;

/// Writes the next block to `out_points`, or NULL after the last. Returns 0, or
/// else anything: the call ends with `KENTRO_STATUS_SOURCE`. The view and its memory
/// stay the source's, and must last until the next call of `next` or `rewind`, or
/// the end of the call that uses the source.
pub type NextFn = Option<
    unsafe extern "C" fn(out_points: *mut *const PointsHandle, user_data: *mut c_void) -> i32,
>;

/// Why `next` or `rewind` failed, as text; NULL if there is nothing to say.
pub type SourceMessageFn = Option<unsafe extern "C" fn(user_data: *mut c_void) -> *const c_char>;

/// Gets the labels of the next block of rows, valid only during the call.
/// Returns 0, or else anything: the call ends with `KENTRO_STATUS_SOURCE`.
pub type LabelsFn =
    Option<unsafe extern "C" fn(labels: *const u32, rows: usize, user_data: *mut c_void) -> i32>;

/// Rows that come block by block, as often as they are asked for: the same rows
/// in the same order each time, however they are cut. Set it all to zero, then
/// `size`, `rewind` and `next`; `message` may stay NULL.
///
/// All are called on the thread that made the call, during that call. They must
/// neither use the model that is trained nor jump out of the call (exceptions,
/// `longjmp`). A view may be used again with other memory, or be another one each
/// time; number type and columns stay the same.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct SourceRecord {
    /// `sizeof(kentro_source)`: later versions add fields at the end.
    size: usize,
    rewind: RewindFn,
    next: NextFn,
    message: SourceMessageFn,
    /// Handed to each of them.
    user_data: *mut c_void,
}

impl SourceRecord {
    /// What C gave us, of whatever version.
    ///
    /// # Safety
    /// `pointer` is NULL or points to a record that has the size it says.
    unsafe fn read(pointer: *const Self) -> Outcome<Self> {
        let empty = SourceRecord {
            size: size_of::<Self>(),
            rewind: None,
            next: None,
            message: None,
            user_data: ptr::null_mut(),
        };
        // SAFETY: as the caller promises; all fields may be zero.
        let record = unsafe { record::read(pointer, "source", empty) }?;
        if record.rewind.is_none() || record.next.is_none() {
            return Err(Failure::new(
                KENTRO_STATUS_INVALID_PARAMETER,
                "source->rewind and source->next must be set",
            ));
        }
        Ok(record)
    }

    /// What a failure is told as.
    fn failure(&self, function: &str, answer: i32) -> KMeansError {
        // SAFETY: as the caller of `read` promises.
        let message = self
            .message
            .map(|message| unsafe { message(self.user_data) });
        let message = message.filter(|message| !message.is_null());
        KMeansError::Source(match message {
            // SAFETY: a text, as the source promises.
            Some(message) => text(unsafe { CStr::from_ptr(message) }.to_string_lossy()),
            None => text(format_args!("its {function} returned {answer}")),
        })
    }
}

impl Source for SourceRecord {
    fn rewind(&mut self) -> Result<()> {
        // SAFETY: as the caller of `read` promises.
        let answer = self.rewind.map(|rewind| unsafe { rewind(self.user_data) });
        match answer {
            Some(0) => Ok(()),
            other => Err(self.failure("rewind", other.unwrap_or_default())),
        }
    }

    fn next_block(&mut self) -> Result<Option<Points<'_>>> {
        let mut points: *const PointsHandle = ptr::null();
        // SAFETY: as the caller of `read` promises.
        let answer = self
            .next
            .map(|next| unsafe { next(&raw mut points, self.user_data) });
        match answer {
            // SAFETY: NULL or a view that lasts until the next call.
            Some(0) => Ok(unsafe { points.as_ref() }.map(|handle| handle.points)),
            other => Err(self.failure("next", other.unwrap_or_default())),
        }
    }
}

/// `kentro_kmeans_train` on rows that come from a source: the same bits as from
/// all rows at once, unless `KENTRO_INIT_AUTO` takes a tree of these. Looks at all
/// rows once (twice where wide numbers lose an offset), once for the first centroids
/// (fifteen times with `k-means||`, not at all where they are given), then once an
/// iteration, some seven times an attempt at swaps, and once for the labels.
///
/// Beside the block it keeps 24 bytes a row, 48 with weights; codes and bounds of
/// each block that save time, as far as `kentro_kmeans_set_memory_limit` has room.
///
/// `KENTRO_STATUS_SOURCE` if the source fails; `KENTRO_STATUS_INVALID_PARAMETER` with
/// medoids, bounds on sizes, or quality `best`, and with `k-means++` where the rows
/// exceed the limit. After an error the model is as it was before. Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_kmeans_train_source(
    kmeans: *mut KMeansHandle,
    source: *const SourceRecord,
    num_threads: usize,
    observer: *const ObserverRecord,
    error: *mut ErrorHandle,
) -> StatusCode {
    // SAFETY: as the caller promises.
    unsafe {
        KMeansHandle::call(kmeans, error, |handle| {
            let mut source = SourceRecord::read(source)?;
            let call = Call::new(num_threads, observer);
            handle.train(|model| call.run(|options| Ok(model.fit_source(&mut source, options)?)))
        })
    }
}

/// The nearest cluster of every row of a source: `labels` gets those of a block
/// after the other, with `user_data`. Since 0.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kentro_kmeans_predict_source(
    kmeans: *const KMeansHandle,
    source: *const SourceRecord,
    labels: LabelsFn,
    user_data: *mut c_void,
    num_threads: usize,
    observer: *const ObserverRecord,
    error: *mut ErrorHandle,
) -> StatusCode {
    // SAFETY: as the caller promises.
    unsafe {
        KMeansHandle::call(kmeans, error, |handle| {
            let mut source = SourceRecord::read(source)?;
            let labels = labels.ok_or_else(|| Failure::null("labels"))?;
            let mut see = |found: &[u32]| match labels(found.as_ptr(), found.len(), user_data) {
                0 => Ok(()),
                answer => Err(KMeansError::Source(text(format_args!(
                    "labels returned {answer}"
                )))),
            };
            let call = Call::new(num_threads, observer);
            let model = &handle.state().model;
            call.run(|options| Ok(model.predict_source(&mut source, &mut see, options)?))
        })
    }
}
