//! How rows are split between workers.

use crate::allocate::collect;
use crate::error::Result;
use crate::nearest::engine::MAX_TILE_DIMS;
use crate::points::BLOCK_BYTES;
use crate::threads::Threads;

/// Rows of a task where each is only looked at, and of a block, at most: what a
/// worker searches between two polls.
pub(super) const TASK_ROWS: usize = 1024;

/// Multiply-adds of a block, about, and rows that are worth a block whatever
/// they take; rows that have no bounds in float32 are searched one by one.
const BLOCK_WORK: usize = 1 << 32;
pub(super) const BLOCK_ROWS: usize = 64;

/// Rows of a block, where there are so many: few bytes and little work, however many
/// dimensions and centroids there are, and enough blocks for all threads. A power of
/// two, and in all searches of a call among as many centroids the same.
pub(super) fn block_rows(
    rows: usize,
    (dims, clusters): (usize, usize),
    threads: &Threads<'_>,
) -> usize {
    let fitting = BLOCK_BYTES / (size_of::<f32>() * dims);
    let quick = BLOCK_WORK / (dims * clusters);
    let least = match dims > MAX_TILE_DIMS {
        true => 1,
        false => BLOCK_ROWS,
    };
    let most = threads.share(rows, BLOCK_ROWS..=TASK_ROWS);
    let rows = fitting.min(quick).clamp(least, most);
    1 << rows.ilog2()
}

/// `count` parts of `len` values, or that many times none.
pub(super) fn parts<T>(
    values: Option<&mut [T]>,
    len: usize,
    count: usize,
) -> Result<Vec<Option<&mut [T]>>> {
    match values {
        Some(values) => collect(values.chunks_mut(len).map(Some), "tasks"),
        None => collect((0..count).map(|_| None), "tasks"),
    }
}
