//! Rows in clusters with their sums, wherever the rows are.

use crate::allocate::{collect, try_vec};
use crate::error::Result;
use crate::kernels::exact::squared_distance;
use crate::metric::Metric;
use crate::nearest::{Centroids, Nearest};
use crate::threads::Threads;
use crate::totals::{ExactSum, Totals, add_weighted};

/// Rows in clusters, and what the rows of each add up to.
pub(crate) trait Clustering {
    /// Assigns every row to its nearest centroid, and makes the totals follow.
    /// Returns how many rows changed.
    fn assign(&mut self, centroids: Centroids<'_>, threads: &Threads<'_>) -> Result<usize>;

    fn totals(&self) -> &Totals;

    /// The sum of distances to the centroids last assigned to, from sums alone
    /// where these are precise enough.
    fn inertia(&mut self, centroids: Centroids<'_>, threads: &Threads<'_>) -> Result<f64>;
}

/// What else Lloyd's algorithm asks of them.
pub(crate) trait Complete: Clustering {
    /// The sum of canonical distances to the centroids that labels name: one pass over
    /// the data.
    fn exact_inertia(&mut self, centroids: Centroids<'_>, threads: &Threads<'_>) -> Result<f64>;

    /// Labels every row by its nearest centroid. The totals need not follow.
    /// Returns the sum of distances.
    fn label(&mut self, centroids: Centroids<'_>, threads: &Threads<'_>) -> Result<f64>;

    /// Moves the farthest rows to clusters that are empty.
    fn fill_empty(&mut self, centroids: Centroids<'_>, threads: &Threads<'_>) -> Result<()>;

    /// Puts the centroids of clusters that are empty on the farthest rows, which
    /// stay where they are. Returns whether there were any.
    fn place_empty(&mut self, centroids: &mut [f32], threads: &Threads<'_>) -> Result<bool>;

    /// In the order of the rows.
    fn into_labels(self, threads: &Threads<'_>) -> Result<Vec<u32>>;
}

/// What sums say of the inertia is taken from this part of the spread on.
pub(crate) const PRECISE: f64 = 1e-4;

/// How far rows lie apart: with it the inertia comes from sums alone.
pub(crate) struct Spread {
    /// A point amid the data, about which distances are summed.
    pub origin: Vec<f32>,
    /// Σ‖x − origin‖², or with cosine what all rows weigh; once it was needed.
    pub sum: Option<f64>,
}

impl Spread {
    /// Of rows about these centroids.
    pub fn new(centroids: Centroids<'_>, metric: Metric) -> Result<Self> {
        let origin = match metric {
            Metric::Euclidean => mean(centroids)?,
            Metric::Cosine => try_vec(0.0, centroids.dims, "origin")?,
        };
        Ok(Spread { origin, sum: None })
    }

    /// The sum of distances to `centroids` from sums alone, where the spread is known:
    /// see [`Totals::inertia`]. `None` where these are not precise enough.
    pub fn inertia(
        &self,
        totals: &Totals,
        centroids: Centroids<'_>,
        threads: &Threads<'_>,
    ) -> Result<Option<f64>> {
        let Some(sum) = self.sum else {
            return Ok(None);
        };
        let inertia = totals.inertia(centroids.values, (&self.origin, sum), threads)?;
        Ok((inertia > sum * PRECISE).then_some(inertia))
    }
}

/// Σ‖x − origin‖², each row times its weight. One pass over the data.
pub(crate) fn spread(
    nearest: &Nearest<'_>,
    origin: &[f32],
    threads: &Threads<'_>,
) -> Result<ExactSum> {
    let points = nearest.points();
    nearest.sum_rows(threads, |sum, first, block| {
        let rows = block.chunks_exact(origin.len());
        let distances = rows.map(|row| squared_distance(row, origin));
        add_weighted(sum, points, first, distances);
    })
}

/// The mean of all centroids, as float32.
fn mean(centroids: Centroids<'_>) -> Result<Vec<f32>> {
    let mut sums = try_vec(0.0f64, centroids.dims, "origin")?;
    for centroid in centroids.values.chunks_exact(centroids.dims) {
        for (sum, &c) in sums.iter_mut().zip(centroid) {
            *sum += f64::from(c);
        }
    }
    let count = centroids.len() as f64;
    collect(sums.iter().map(|&sum| (sum / count) as f32), "origin")
}
