//! Which cluster every row is in, and what the clusters add up to: the state
//! of Lloyd's algorithm between two iterations.

use super::clustering::{Clustering, Complete, Spread, spread};
use super::empty_clusters::{put_on_rows, rows_for_empty_clusters};
use crate::error::Result;
use crate::metric::Metric;
use crate::nearest::{Assignment, Centroids, Nearest, Request};
use crate::points::Points;
use crate::threads::Threads;
use crate::totals::{ExactSum, Totals};

/// Rows in memory, in clusters.
pub(crate) struct Partition<'n, 'a> {
    nearest: &'n mut Nearest<'a>,
    assignment: Assignment,
    spread: Spread,
    /// That labels are hints: no row was assigned yet.
    hinted: bool,
}

impl<'n, 'a> Partition<'n, 'a> {
    /// Of rows that are in no cluster yet.
    pub fn new(
        nearest: &'n mut Nearest<'a>,
        centroids: Centroids<'_>,
        threads: &Threads<'_>,
    ) -> Result<Self> {
        Ok(Partition {
            assignment: nearest.unassigned(centroids.len(), threads)?,
            spread: Spread::new(centroids, nearest.metric())?,
            hinted: false,
            nearest,
        })
    }

    /// Before the first search, what the labels likely are: that saves time, and
    /// changes nothing else.
    pub fn expect(&mut self, labels: Vec<u32>) {
        self.assignment.expect(labels);
        self.hinted = true;
    }

    pub fn nearest(&self) -> &Nearest<'a> {
        self.nearest
    }

    /// In the order of the points.
    pub fn labels(&mut self, threads: &Threads<'_>) -> Result<&[u32]> {
        let labels = self.nearest.labels(&mut self.assignment, threads)?;
        Ok(labels)
    }

    /// Moves single rows: pairs of row and new cluster.
    pub fn move_rows(&mut self, moves: &[(u32, u32)], threads: &Threads<'_>) -> Result<()> {
        self.nearest.move_rows(&mut self.assignment, moves, threads)
    }

    /// Rows for clusters that are empty.
    fn moves(
        &mut self,
        centroids: Centroids<'_>,
        threads: &Threads<'_>,
    ) -> Result<Vec<(u32, u32)>> {
        let labels = &**self.nearest.labels(&mut self.assignment, threads)?;
        let nearest = &*self.nearest;
        rows_for_empty_clusters(nearest, (labels, centroids.len()), threads, |distances| {
            nearest.distances(centroids, threads, labels, distances)
        })
    }
}

impl Clustering for Partition<'_, '_> {
    fn assign(&mut self, centroids: Centroids<'_>, threads: &Threads<'_>) -> Result<usize> {
        let request = Request::totals(centroids, &mut self.assignment);
        let changed = self.nearest.search(request, threads)?;
        match std::mem::take(&mut self.hinted) {
            true => Ok(self.nearest.points().rows()),
            false => Ok(changed),
        }
    }

    fn totals(&self) -> &Totals {
        self.assignment.totals()
    }

    fn inertia(&mut self, centroids: Centroids<'_>, threads: &Threads<'_>) -> Result<f64> {
        if self.spread.sum.is_none() {
            self.spread.sum = Some(match self.nearest.metric() {
                Metric::Cosine => total_weight(self.nearest.points()),
                Metric::Euclidean => spread(self.nearest, &self.spread.origin, threads)?.value(),
            });
        }
        match self.spread.inertia(self.totals(), centroids, threads)? {
            Some(inertia) => Ok(inertia),
            None => self.exact_inertia(centroids, threads),
        }
    }
}

impl Complete for Partition<'_, '_> {
    fn exact_inertia(&mut self, centroids: Centroids<'_>, threads: &Threads<'_>) -> Result<f64> {
        let sum = self.nearest.inertia(&self.assignment, centroids, threads)?;
        Ok(sum.value())
    }

    fn label(&mut self, centroids: Centroids<'_>, threads: &Threads<'_>) -> Result<f64> {
        let mut inertia = 0.0;
        let request = Request::inertia(centroids, &mut self.assignment, &mut inertia);
        self.nearest.search(request, threads)?;
        Ok(inertia)
    }

    fn fill_empty(&mut self, centroids: Centroids<'_>, threads: &Threads<'_>) -> Result<()> {
        let moves = self.moves(centroids, threads)?;
        self.move_rows(&moves, threads)
    }

    fn place_empty(&mut self, centroids: &mut [f32], threads: &Threads<'_>) -> Result<bool> {
        let now = Centroids::new(centroids, self.nearest.points().cols());
        let moves = self.moves(now, threads)?;
        put_on_rows(self.nearest, &moves, centroids)?;
        Ok(!moves.is_empty())
    }

    fn into_labels(mut self, threads: &Threads<'_>) -> Result<Vec<u32>> {
        let labels = self.nearest.labels(&mut self.assignment, threads)?;
        Ok(std::mem::take(labels))
    }
}

fn total_weight(points: &Points<'_>) -> f64 {
    match points.is_weighted() {
        true => {
            let weights = (0..points.rows()).map(|row| points.weight(row));
            weights.collect::<ExactSum>().value()
        }
        false => points.rows() as f64,
    }
}
