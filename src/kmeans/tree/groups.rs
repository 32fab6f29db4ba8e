//! Searches of some rows each among some centroids each.

use crate::allocate::{append, push, with_capacity};
use crate::clusters::UNASSIGNED;
use crate::error::Result;
use crate::nearest::{Centroids, Request, Shared};
use crate::points::Points;
use crate::threads::Threads;

/// What memory is for.
const PURPOSE: &str = "a tree of clusters";

/// Multiply-adds of a search that all threads share.
const LARGE: usize = 1 << 33;

/// Rows, and the centroids that each of them is compared with.
pub(super) struct Group<'g> {
    pub rows: &'g [u32],
    /// Ascending.
    pub candidates: &'g [u32],
    /// Rows × count. Where one is wanted, what they hold before are hints.
    pub labels: &'g mut [u32],
}

/// Finds the `count` nearest candidates of every group's rows, the nearest first;
/// [`UNASSIGNED`] where there are fewer.
pub(super) fn search(
    shared: &Shared,
    points: &Points<'_>,
    centroids: Centroids<'_>,
    groups: Vec<Group<'_>>,
    count: usize,
    threads: &Threads<'_>,
) -> Result<()> {
    let (mut large, mut small) = (Vec::new(), with_capacity(groups.len(), PURPOSE)?);
    for group in groups {
        let work = group.rows.len() * group.candidates.len() * centroids.dims;
        match work > LARGE {
            true => push(&mut large, group, PURPOSE)?,
            false => small.push(group),
        }
    }
    for group in large {
        group.search(shared, points, centroids, count, threads)?;
    }
    threads.run(
        small.into_iter(),
        || (),
        |(), group| {
            let own = Threads::exactly(1, None)?;
            group.search(shared, points, centroids, count, &own)
        },
    )
}

impl Group<'_> {
    fn search(
        self,
        shared: &Shared,
        points: &Points<'_>,
        centroids: Centroids<'_>,
        count: usize,
        threads: &Threads<'_>,
    ) -> Result<()> {
        if self.rows.is_empty() || self.candidates.is_empty() {
            return Ok(());
        }
        let mut values = with_capacity(self.candidates.len() * centroids.dims, PURPOSE)?;
        for &j in self.candidates {
            append(&mut values, centroids.row(j as usize), PURPOSE)?;
        }
        let among = Centroids::new(&values, centroids.dims);
        let rows = points.select(self.rows);
        let mut nearest = shared.nearest(&rows, 1);
        let found = count.min(among.len());
        let labels = &mut self.labels[..self.rows.len() * found];
        if count == 1 {
            for label in &mut *labels {
                let place = self.candidates.binary_search(label);
                *label = place.map_or(UNASSIGNED, |place| place as u32);
            }
        }
        let request = match count {
            1 => Request::nearest(among, labels, None),
            _ => Request::few(among, found, labels, None),
        };
        nearest.search(request, threads)?;
        for label in labels {
            *label = self.candidates[*label as usize];
        }
        // Fewer than wanted: to the places of their rows.
        if found < count {
            for row in (0..self.rows.len()).rev() {
                self.labels
                    .copy_within(row * found..(row + 1) * found, row * count);
                self.labels[row * count + found..(row + 1) * count].fill(UNASSIGNED);
            }
        }
        Ok(())
    }
}
