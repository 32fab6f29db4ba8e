//! Brute force in canonical float64: what every other engine must equal, and
//! the arbiter among their candidates.

use crate::allocate::push;
use crate::error::Result;
use crate::nearest::vectors::{Centroids, Row};
use crate::threads::Poll;

/// The nearest of the centroids that `candidates` names in ascending order;
/// the first among equals.
pub(super) fn nearest_of(
    row: &Row<'_>,
    centroids: Centroids<'_>,
    candidates: impl Iterator<Item = u32>,
) -> u32 {
    let (mut best, mut least) = (0, f64::INFINITY);
    for j in candidates {
        let value = row.distance(centroids.row(j as usize)) + centroids.bias(j as usize);
        if value < least {
            (best, least) = (j, value);
        }
    }
    best
}

/// Multiply-adds between two polls.
const POLL_WORK: usize = 1 << 24;

/// The nearest of all centroids; the first among equals.
pub(super) fn nearest_of_all(
    row: &Row<'_>,
    centroids: Centroids<'_>,
    poll: Poll<'_>,
) -> Result<u32> {
    let (mut best, mut least) = (0, f64::INFINITY);
    each(row, centroids, poll, |value, j| {
        if value < least {
            (best, least) = (j, value);
        }
        Ok(())
    })?;
    Ok(best)
}

/// Writes the distances of all centroids, with bias, to `measured`.
pub(super) fn measure_all(
    row: &Row<'_>,
    centroids: Centroids<'_>,
    measured: &mut Vec<(f64, u32)>,
    poll: Poll<'_>,
) -> Result<()> {
    measured.clear();
    each(row, centroids, poll, |value, j| {
        push(measured, (value, j), "distances")
    })
}

/// Calls `see` with the distance, with bias, and number of each centroid.
fn each(
    row: &Row<'_>,
    centroids: Centroids<'_>,
    poll: Poll<'_>,
    mut see: impl FnMut(f64, u32) -> Result<()>,
) -> Result<()> {
    let step = (POLL_WORK / centroids.dims).max(1);
    for first in (0..centroids.len()).step_by(step) {
        for j in first..centroids.len().min(first + step) {
            let value = row.distance(centroids.row(j)) + centroids.bias(j);
            see(value, j as u32)?;
        }
        poll()?;
    }
    Ok(())
}

/// Keeps the `count` least pairs, in order: a selection, not a full sort.
pub(super) fn keep_least(ranked: &mut Vec<(f64, u32)>, count: usize) {
    let order = |a: &(f64, u32), b: &(f64, u32)| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1));
    if count < ranked.len() {
        ranked.select_nth_unstable_by(count - 1, order);
        ranked.truncate(count);
    }
    ranked.sort_unstable_by(order);
}
