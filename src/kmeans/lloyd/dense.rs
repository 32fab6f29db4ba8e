//! Lloyd's algorithm where clusters have sums, and centroids are an array.

use super::steps::Steps;
use crate::error::Result;
use crate::kmeans::clustering::Complete;
use crate::nearest::{AnyCentroids, Centroids};
use crate::threads::Threads;

/// Rows in clusters, with the centroids of these.
pub(crate) struct Dense<C> {
    pub rows: C,
    /// Clusters × dimensions.
    pub centroids: Vec<f32>,
}

impl<C: Complete> Dense<C> {
    fn both(&mut self) -> (&mut C, Centroids<'_>) {
        let dims = self.rows.totals().grid().dims();
        (&mut self.rows, Centroids::new(&self.centroids, dims))
    }
}

impl<C: Complete> Steps for Dense<C> {
    fn assign(&mut self, threads: &Threads<'_>) -> Result<usize> {
        let (rows, centroids) = self.both();
        rows.assign(centroids, threads)
    }

    fn inertia(&mut self, threads: &Threads<'_>) -> Result<f64> {
        let (rows, centroids) = self.both();
        rows.inertia(centroids, threads)
    }

    fn fill_empty(&mut self, threads: &Threads<'_>) -> Result<()> {
        let (rows, centroids) = self.both();
        match rows.totals().counts.contains(&0) {
            true => rows.fill_empty(centroids, threads),
            false => Ok(()),
        }
    }

    fn update(&mut self, threads: &Threads<'_>) -> Result<()> {
        let totals = self.rows.totals();
        totals.write_centroids(&mut self.centroids, threads)?;
        Ok(())
    }

    fn exact_inertia(&mut self, threads: &Threads<'_>) -> Result<f64> {
        let (rows, centroids) = self.both();
        rows.exact_inertia(centroids, threads)
    }

    fn label(&mut self, threads: &Threads<'_>) -> Result<f64> {
        let (rows, centroids) = self.both();
        rows.label(centroids, threads)
    }

    fn place_empty(&mut self, threads: &Threads<'_>) -> Result<bool> {
        self.rows.place_empty(&mut self.centroids, threads)
    }

    fn finish(self, threads: &Threads<'_>) -> Result<(AnyCentroids, Vec<u32>)> {
        let clusters = self.rows.totals().counts.len();
        let centroids = AnyCentroids::of_values(self.centroids, clusters)?;
        Ok((centroids, self.rows.into_labels(threads)?))
    }
}
