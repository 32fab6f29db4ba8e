//! Which cluster every row is in, and what the clusters add up to: the state
//! of Lloyd's algorithm between two iterations.

use crate::allocate::try_vec;
use crate::error::Result;
use crate::kernels::exact::squared_distance;
use crate::metric::Metric;
use crate::nearest::{Assignment, Centroids, Nearest, Request};
use crate::points::Points;
use crate::threads::Threads;
use crate::totals::{ExactSum, Totals, add_weighted};

pub(crate) struct Partition<'n, 'a> {
    nearest: &'n mut Nearest<'a>,
    assignment: Assignment,
    /// A point amid the data, about which distances are summed.
    origin: Vec<f32>,
    /// Σ‖x − origin‖², or with cosine what all rows weigh; once it was needed.
    spread: Option<f64>,
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
            origin: match nearest.metric() {
                Metric::Euclidean => mean(centroids)?,
                Metric::Cosine => try_vec(0.0, centroids.dims, "origin")?,
            },
            spread: None,
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

    pub fn totals(&self) -> &Totals {
        self.assignment.totals()
    }

    /// The labels are in the order of the points.
    pub fn nearest_and_labels(&mut self, threads: &Threads<'_>) -> Result<(&Nearest<'a>, &[u32])> {
        let labels = self.nearest.labels(&mut self.assignment, threads)?;
        Ok((self.nearest, labels))
    }

    /// In the order of the points.
    pub fn labels(&mut self, threads: &Threads<'_>) -> Result<&[u32]> {
        let labels = self.nearest.labels(&mut self.assignment, threads)?;
        Ok(labels)
    }

    pub fn into_labels(mut self, threads: &Threads<'_>) -> Result<Vec<u32>> {
        let labels = self.nearest.labels(&mut self.assignment, threads)?;
        Ok(std::mem::take(labels))
    }

    /// Assigns every row to its nearest centroid, and makes the totals follow.
    /// Returns how many rows changed.
    pub fn assign(&mut self, centroids: Centroids<'_>, threads: &Threads<'_>) -> Result<usize> {
        let request = Request::totals(centroids, &mut self.assignment);
        let changed = self.nearest.search(request, threads)?;
        match std::mem::take(&mut self.hinted) {
            true => Ok(self.nearest.points().rows()),
            false => Ok(changed),
        }
    }

    /// Labels every row by its nearest centroid. The totals need not follow.
    /// Returns the sum of distances.
    pub fn label(&mut self, centroids: Centroids<'_>, threads: &Threads<'_>) -> Result<f64> {
        let mut inertia = 0.0;
        let request = Request::inertia(centroids, &mut self.assignment, &mut inertia);
        self.nearest.search(request, threads)?;
        Ok(inertia)
    }

    /// Moves single rows: pairs of row and new cluster.
    pub fn move_rows(&mut self, moves: &[(u32, u32)], threads: &Threads<'_>) -> Result<()> {
        self.nearest.move_rows(&mut self.assignment, moves, threads)
    }

    /// The sum of distances to `centroids`, the ones last assigned to: from
    /// sums alone where these are precise enough.
    pub fn inertia(&mut self, centroids: Centroids<'_>, threads: &Threads<'_>) -> Result<f64> {
        let spread = match (self.spread, self.nearest.metric()) {
            (Some(spread), _) => spread,
            (None, Metric::Cosine) => total_weight(self.nearest.points()),
            (None, Metric::Euclidean) => spread(self.nearest, &self.origin, threads)?.value(),
        };
        self.spread = Some(spread);
        match inertia_of_sums(self.totals(), centroids, &self.origin, spread) {
            Some(inertia) => Ok(inertia),
            None => self.exact_inertia(centroids, threads),
        }
    }

    /// The sum of canonical distances: one pass over the data.
    pub fn exact_inertia(&self, centroids: Centroids<'_>, threads: &Threads<'_>) -> Result<f64> {
        Ok(self
            .nearest
            .inertia(&self.assignment, centroids, threads)?
            .value())
    }
}

/// The sum of distances from sums alone, about an origin: see [`Totals::inertia`].
/// `None` where these are not precise enough.
pub(crate) fn inertia_of_sums(
    totals: &Totals,
    centroids: Centroids<'_>,
    origin: &[f32],
    spread: f64,
) -> Option<f64> {
    let inertia = totals.inertia(centroids.values, origin, spread);
    (inertia > spread * 1e-4).then_some(inertia)
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
pub(crate) fn mean(centroids: Centroids<'_>) -> Result<Vec<f32>> {
    let mut mean = try_vec(0.0f32, centroids.dims, "origin")?;
    let count = centroids.len() as f64;
    for (t, mean) in mean.iter_mut().enumerate() {
        let column = centroids.values[t..].iter().step_by(centroids.dims);
        *mean = (column.map(|&c| f64::from(c)).sum::<f64>() / count) as f32;
    }
    Ok(mean)
}
