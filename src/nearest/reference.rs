//! Brute force in canonical float64: what every other engine must equal, and
//! the arbiter among their candidates.

use super::{Centroids, Row};

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

/// Keeps the `count` least pairs, in order: a selection, not a full sort.
pub(super) fn keep_least(ranked: &mut Vec<(f64, u32)>, count: usize) {
    let order = |a: &(f64, u32), b: &(f64, u32)| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1));
    if count < ranked.len() {
        ranked.select_nth_unstable_by(count - 1, order);
        ranked.truncate(count);
    }
    ranked.sort_unstable_by(order);
}
