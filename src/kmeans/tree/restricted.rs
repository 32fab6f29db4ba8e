//! Passes that compare each row with the centroids of the cells that are near.

use super::cells::{Cells, Near};
use super::groups::{self, Group};
use crate::allocate::with_capacity;
use crate::clusters::{Clusters, UNASSIGNED};
use crate::error::Result;
use crate::nearest::{Centroids, Nearest};
use crate::threads::Threads;

/// What memory is for.
const PURPOSE: &str = "a tree of clusters";

/// Assigns every row to the nearest of the centroids whose cells are near that of its
/// own centroid. What `labels` holds before are hints too.
pub(super) fn assign(
    among: &Nearest<'_>,
    cells: &Cells,
    centroids: &[f32],
    near: &Near,
    labels: &mut [u32],
    threads: &Threads<'_>,
) -> Result<Clusters> {
    let centroids = Centroids::new(centroids, among.points().cols());
    let pairs = labels.iter().map(|&label| near.own[label as usize]);
    let rows = Clusters::from_pairs((0..).zip(pairs), cells.len(), threads)?;
    let mut found = threads.try_vec(UNASSIGNED, labels.len(), PURPOSE)?;
    let mut groups = with_capacity(cells.len(), PURPOSE)?;
    let mut rest = &mut found[..];
    for cell in 0..cells.len() {
        let (rows, candidates) = (rows.members(cell), near.candidates(cell));
        let (own, others) = rest.split_at_mut(rows.len());
        rest = others;
        for (own, &row) in own.iter_mut().zip(rows) {
            *own = labels[row as usize];
        }
        groups.push(Group {
            rows,
            candidates,
            labels: own,
        });
    }
    groups::search(
        &among.shared(),
        among.points(),
        centroids,
        groups,
        1,
        threads,
    )?;
    for (&row, label) in rows.members.iter().zip(found) {
        labels[row as usize] = label;
    }
    Clusters::from_labels(labels, 1, centroids.len(), threads)
}
