//! What differs between the ways that rows and centroids are kept.

use crate::error::Result;
use crate::nearest::AnyCentroids;
use crate::threads::Threads;

/// What Lloyd's algorithm does with rows and centroids, however these are kept.
pub(crate) trait Steps: Sized {
    /// Assigns every row to its nearest centroid. Returns how many rows changed.
    fn assign(&mut self, threads: &Threads<'_>) -> Result<usize>;

    /// The sum of distances to the centroids last assigned to, from sums alone
    /// where these are precise enough.
    fn inertia(&mut self, threads: &Threads<'_>) -> Result<f64>;

    /// Moves the farthest rows to clusters that are empty.
    fn fill_empty(&mut self, threads: &Threads<'_>) -> Result<()>;

    /// Makes every centroid the mean of its rows.
    fn update(&mut self, threads: &Threads<'_>) -> Result<()>;

    /// The sum of distances to the centroids that labels name, row by row.
    fn exact_inertia(&mut self, threads: &Threads<'_>) -> Result<f64>;

    /// Labels every row by its nearest centroid. No update may follow. Returns the
    /// sum of distances.
    fn label(&mut self, threads: &Threads<'_>) -> Result<f64>;

    /// Puts the centroids of clusters that are empty on the farthest rows, which
    /// stay where they are. Returns whether there were any.
    fn place_empty(&mut self, threads: &Threads<'_>) -> Result<bool>;

    /// The centroids, and the labels in the order of the rows.
    fn finish(self, threads: &Threads<'_>) -> Result<(AnyCentroids, Vec<u32>)>;
}
