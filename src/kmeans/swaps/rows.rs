//! Rows in clusters, of which some are looked up, wherever the rows are.

use super::centroid_set::{CentroidSet, DenseSet};
use crate::error::Result;
use crate::kmeans::clustering::Clustering;
use crate::kmeans::partition::Partition;
use crate::nearest::{Centroids, Nearest, Request, Shared};
use crate::seeding::Work;
use crate::threads::Threads;
use crate::unrepeated::Unrepeated;

/// What swaps ask of rows in clusters. Rows without repetitions are named by their
/// places among these.
pub(crate) trait Swappable {
    type Set: CentroidSet;

    /// Assigns every row to its nearest centroid. Returns how many rows changed.
    fn assign(&mut self, centroids: &Self::Set, threads: &Threads<'_>) -> Result<usize>;

    /// Makes every centroid the mean of its rows. Returns the sum of distances to these.
    fn settle(&mut self, centroids: &mut Self::Set, threads: &Threads<'_>) -> Result<f64>;

    /// In the order of all rows.
    fn labels(&mut self, threads: &Threads<'_>) -> Result<&[u32]>;

    fn unrepeated(&self) -> &Unrepeated;

    /// How many there are without repetitions.
    fn count(&self) -> usize;

    fn shared(&self) -> Shared;

    /// Places that [`with`](Self::with) may be asked for at once.
    fn most_at_once(&self) -> usize;

    /// Does work with the rows of some places, in the order given, without weights.
    fn with(&mut self, places: &[u32], threads: &Threads<'_>, work: &mut Work<'_>) -> Result<()>;

    /// The canonical distance of the row of every place to the centroid that its
    /// label names, given with the centroids.
    fn distances(
        &mut self,
        assigned: (&Self::Set, &[u32]),
        distances: &mut [f64],
        threads: &Threads<'_>,
    ) -> Result<()>;

    /// The nearest centroid of the rows of some places, and its distance.
    fn search(
        &mut self,
        places: &[u32],
        centroids: &Self::Set,
        found: (&mut [u32], &mut [f64]),
        threads: &Threads<'_>,
    ) -> Result<()>;
}

/// Rows that lie in memory.
pub(crate) struct InMemory<'p, 'n, 'a> {
    partition: Partition<'n, 'a>,
    rows: &'p Unrepeated,
}

impl<'p, 'n, 'a> InMemory<'p, 'n, 'a> {
    /// Of rows that are in no cluster yet.
    pub fn new(
        nearest: &'n mut Nearest<'a>,
        rows: &'p Unrepeated,
        centroids: Centroids<'_>,
        threads: &Threads<'_>,
    ) -> Result<Self> {
        let partition = Partition::new(nearest, centroids, threads)?;
        Ok(InMemory { partition, rows })
    }
}

/// [`Swappable::settle`] of rows with totals.
pub(crate) fn settle(
    rows: &mut impl Clustering,
    centroids: &mut DenseSet,
    threads: &Threads<'_>,
) -> Result<f64> {
    let values = &mut centroids.values;
    rows.totals().write_centroids(values, threads)?;
    rows.inertia(centroids.lend(), threads)
}

impl Swappable for InMemory<'_, '_, '_> {
    type Set = DenseSet;

    fn assign(&mut self, centroids: &DenseSet, threads: &Threads<'_>) -> Result<usize> {
        self.partition.assign(centroids.lend(), threads)
    }

    fn settle(&mut self, centroids: &mut DenseSet, threads: &Threads<'_>) -> Result<f64> {
        settle(&mut self.partition, centroids, threads)
    }

    fn labels(&mut self, threads: &Threads<'_>) -> Result<&[u32]> {
        self.partition.labels(threads)
    }

    fn unrepeated(&self) -> &Unrepeated {
        self.rows
    }

    fn count(&self) -> usize {
        self.rows.count(self.partition.nearest().points().rows())
    }

    fn shared(&self) -> Shared {
        self.partition.nearest().shared()
    }

    fn most_at_once(&self) -> usize {
        usize::MAX
    }

    fn with(&mut self, places: &[u32], _: &Threads<'_>, work: &mut Work<'_>) -> Result<()> {
        let points = self.partition.nearest().points();
        work(&self.rows.of(points).select(places))
    }

    fn distances(
        &mut self,
        (centroids, labels): (&DenseSet, &[u32]),
        distances: &mut [f64],
        threads: &Threads<'_>,
    ) -> Result<()> {
        let nearest = self.partition.nearest();
        let points = self.rows.of(nearest.points());
        let among = nearest.child(&points, 1);
        among.distances(centroids.lend(), threads, labels, distances)
    }

    fn search(
        &mut self,
        places: &[u32],
        centroids: &DenseSet,
        (labels, distances): (&mut [u32], &mut [f64]),
        threads: &Threads<'_>,
    ) -> Result<()> {
        let nearest = self.partition.nearest();
        let points = self.rows.of(nearest.points());
        let some = points.select(places);
        let request = Request::nearest(centroids.lend(), labels, Some(distances));
        nearest.child(&some, 1).search(request, threads).map(drop)
    }
}
