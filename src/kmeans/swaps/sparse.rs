//! Sparse rows in clusters whose centroids are swapped.

use super::centroid_set::SparseSet;
use super::rows::Swappable;
use crate::error::Result;
use crate::kernels::isa::Isa;
use crate::kmeans::lloyd::Sparse;
use crate::nearest::sparse::{Vectors, measure};
use crate::nearest::{Nearest, Shared};
use crate::owned::TryArc;
use crate::seeding::Work;
use crate::threads::Threads;
use crate::unrepeated::Unrepeated;

/// Rows of clusters that are split at once: the halves of all that might be worth it could
/// take more memory than the rest.
const MOST_AT_ONCE: usize = 1 << 14;

/// Sparse rows that lie in memory.
pub(crate) struct SparseInMemory<'p, 'n, 'a> {
    nearest: &'n Nearest<'a>,
    clusters: Sparse<'n, 'a>,
    rows: &'p Unrepeated,
}

impl<'p, 'n, 'a> SparseInMemory<'p, 'n, 'a> {
    /// Of rows that are in no cluster yet.
    pub fn new(
        (nearest, isa): (&'n Nearest<'a>, Isa),
        rows: &'p Unrepeated,
        centroids: &TryArc<Vectors>,
        threads: &Threads<'_>,
    ) -> Result<Self> {
        let clusters = Sparse::new(nearest, isa, centroids.clone(), threads)?;
        Ok(SparseInMemory {
            nearest,
            clusters,
            rows,
        })
    }
}

impl Swappable for SparseInMemory<'_, '_, '_> {
    type Set = SparseSet;

    fn assign(&mut self, centroids: &SparseSet, threads: &Threads<'_>) -> Result<usize> {
        self.clusters.assign_to(&centroids.vectors, threads)
    }

    fn settle(&mut self, centroids: &mut SparseSet, threads: &Threads<'_>) -> Result<f64> {
        let (means, inertia) = self.clusters.means(threads)?;
        centroids.vectors = means;
        Ok(inertia)
    }

    fn labels(&mut self, _: &Threads<'_>) -> Result<&[u32]> {
        Ok(self.clusters.labels())
    }

    fn unrepeated(&self) -> &Unrepeated {
        self.rows
    }

    fn count(&self) -> usize {
        self.rows.count(self.nearest.points().rows())
    }

    fn shared(&self) -> Shared {
        self.nearest.shared()
    }

    fn most_at_once(&self) -> usize {
        MOST_AT_ONCE
    }

    fn with(&mut self, places: &[u32], _: &Threads<'_>, work: &mut Work<'_>) -> Result<()> {
        work(&self.rows.of(self.nearest.points()).select(places))
    }

    fn distances(
        &mut self,
        (centroids, labels): (&SparseSet, &[u32]),
        distances: &mut [f64],
        threads: &Threads<'_>,
    ) -> Result<()> {
        let points = self.rows.of(self.nearest.points());
        let model = (&*centroids.vectors, centroids.metric);
        measure(&points, model, threads, labels, distances)
    }

    fn search(
        &mut self,
        places: &[u32],
        centroids: &SparseSet,
        (labels, distances): (&mut [u32], &mut [f64]),
        threads: &Threads<'_>,
    ) -> Result<()> {
        let points = self.rows.of(self.nearest.points());
        let some = points.select(places);
        let request = (1, labels, Some(distances));
        let nearest = self.nearest.child(&some, 1);
        nearest.search_sparse(&centroids.vectors, request, threads)
    }
}
