//! What a search is asked for.

use crate::nearest::assignment::Assignment;
use crate::nearest::vectors::Centroids;

pub(crate) struct Request<'r> {
    pub centroids: Centroids<'r>,
    pub wanted: Wanted<'r>,
}

pub(crate) enum Wanted<'r> {
    /// The nearest centroid of every row. What `labels` holds before is a hint
    /// ([`UNASSIGNED`](crate::clusters::UNASSIGNED) for none). Distances are
    /// canonical, without bias.
    Nearest {
        labels: &'r mut [u32],
        distances: Option<&'r mut [f64]>,
    },
    /// The `count` nearest centroids of every row, nearest first, equals by
    /// index: rows × count. Distances are canonical, with bias.
    Few {
        count: usize,
        labels: &'r mut [u32],
        distances: Option<&'r mut [f64]>,
    },
    /// The nearest centroid of every row, and what the rows of each add up to.
    Totals(&'r mut Assignment),
    /// The nearest centroid of every row, and the sum of their distances,
    /// canonical and without bias. Totals need not follow.
    Inertia(&'r mut Assignment, &'r mut f64),
}

impl<'r> Request<'r> {
    pub fn nearest(
        centroids: Centroids<'r>,
        labels: &'r mut [u32],
        distances: Option<&'r mut [f64]>,
    ) -> Self {
        let wanted = Wanted::Nearest { labels, distances };
        Request { centroids, wanted }
    }

    pub fn few(
        centroids: Centroids<'r>,
        count: usize,
        labels: &'r mut [u32],
        distances: Option<&'r mut [f64]>,
    ) -> Self {
        debug_assert!(0 < count && count <= centroids.len());
        Request {
            centroids,
            wanted: Wanted::Few {
                count,
                labels,
                distances,
            },
        }
    }

    pub fn totals(centroids: Centroids<'r>, assignment: &'r mut Assignment) -> Self {
        let wanted = Wanted::Totals(assignment);
        Request { centroids, wanted }
    }

    pub fn inertia(
        centroids: Centroids<'r>,
        assignment: &'r mut Assignment,
        inertia: &'r mut f64,
    ) -> Self {
        let wanted = Wanted::Inertia(assignment, inertia);
        Request { centroids, wanted }
    }
}
