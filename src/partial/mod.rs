//! Statistics of blocks of rows that merge: an iteration of K-means whose rows
//! need not be together, in memory or on one machine.
//!
//! For given centroids a [`Block`] yields a [`Partial`]: what its rows add up
//! to in each cluster, exactly. Partials merge in any order, and
//! [`finalize`](Partial::finalize) makes the next centroids of them: the bits
//! that training makes of all rows together.

mod answers;
mod block;
mod bytes;
pub(crate) mod candidates;
mod messages;
mod seeding;

pub use block::{Block, BlockOptions};
use candidates::Candidates;
pub use seeding::Seeding;

use crate::allocate::{collect, copy};
use crate::config::invalid;
use crate::equal_rows::fingerprint;
use crate::error::{KMeansError, Result};
use crate::metric::Metric;
use crate::threads::Threads;
use crate::totals::{ExactSum, WideSums, write_centroid};
use ndarray::{Array2, ArrayView2};

/// What the rows of one block, or of several, come to for given centroids.
///
/// Nothing in it is rounded: merging adds whole numbers, each partial carries
/// its own units, and the order of merging changes no bit. Bytes: see
/// [`to_bytes`](Partial::to_bytes).
#[derive(Debug, Clone, PartialEq)]
pub struct Partial {
    pub(crate) metric: Metric,
    /// The fingerprint of the centroids.
    pub(crate) centroids: u32,
    /// That of the offset that columns lost; 0 for none.
    pub(crate) offset: u32,
    /// n_clusters × (dimensions + 1): what the rows of each cluster add up to,
    /// times their weights, and what they weigh.
    pub(crate) sums: WideSums,
    /// Rows of each cluster.
    pub(crate) counts: Vec<u64>,
    pub(crate) inertia: ExactSum,
    /// Rows that have changed their cluster; `None` where a block did not know
    /// of any labels before.
    pub(crate) changed: Option<u64>,
    pub(crate) candidates: Candidates,
}

/// The next centroids, and what the rows said of the ones before.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Update {
    /// n_clusters × dimensions: the mean of each cluster's rows; with cosine
    /// the direction of the sum of their unit vectors. Clusters that had no rows
    /// get the farthest ones.
    pub centroids: Array2<f32>,
    /// The sum of weighted distances to the centroids before: see
    /// [`Metric`].
    pub inertia: f64,
    /// Rows that have changed their cluster since the partial before; `None`
    /// where a block did not know of any.
    pub changed: Option<u64>,
    /// Whether the centroids are those before, bit for bit.
    pub converged: bool,
}

impl Partial {
    /// Number of clusters.
    pub fn n_clusters(&self) -> usize {
        self.counts.len()
    }

    /// Number of columns.
    pub fn n_dimensions(&self) -> usize {
        self.sums.cols() - 1
    }

    /// Rows of each cluster, those of weight 0 aside.
    pub fn cluster_sizes(&self) -> &[u64] {
        &self.counts
    }

    /// The sum of weighted distances to the centroids, rounded once.
    pub fn inertia(&self) -> f64 {
        self.inertia.value()
    }

    /// Rows that have changed their cluster since the partial before; `None`
    /// where a block did not know of any.
    pub fn changed(&self) -> Option<u64> {
        self.changed
    }

    /// Adds what other rows come to for the same centroids. O(k·d), and for
    /// clusters that are empty O(d) more; the result is the same in any order.
    ///
    /// An error, and no change, if the other is of another shape or metric, of other
    /// centroids, or of rows that lost another offset.
    pub fn merge(&mut self, other: &Partial) -> Result<()> {
        self.check_same(other)?;
        let dims = self.n_dimensions();
        let both = self.counts.iter().zip(&other.counts);
        let counts = both.map(|(a, b)| a.checked_add(*b));
        let counts: Vec<u64> = collect(counts.map(|count| count.unwrap_or(u64::MAX)), "counts")?;
        let empty = counts.iter().filter(|&&count| count == 0).count();
        let candidates = self
            .candidates
            .merge(&other.candidates, self.metric, empty, dims)?;
        self.sums.merge(&other.sums)?;
        self.inertia.merge(&other.inertia);
        self.changed = match (self.changed, other.changed) {
            (Some(mine), Some(its)) => mine.checked_add(its),
            _ => None,
        };
        (self.counts, self.candidates) = (counts, candidates);
        Ok(())
    }

    fn check_same(&self, other: &Partial) -> Result<()> {
        if self.metric != other.metric {
            return Err(invalid(format_args!(
                "a partial with the {} distance can't take one with the {}; make both with the same",
                self.metric.name(),
                other.metric.name()
            )));
        }
        let shapes = [self, other].map(|partial| (partial.n_clusters(), partial.n_dimensions()));
        if shapes[0] != shapes[1] {
            let [(rows, cols), (its_rows, its_cols)] = shapes;
            return Err(invalid(format_args!(
                "a partial of {rows} x {cols} centroids can't take one of {its_rows} x {its_cols}"
            )));
        }
        if self.centroids != other.centroids {
            return Err(invalid(
                "the partials are of different centroids; ask all blocks for the same ones",
            ));
        }
        if self.offset != other.offset {
            return Err(invalid(
                "the partials are of rows that lost different offsets; give all blocks the same \
                 ranges",
            ));
        }
        Ok(())
    }

    /// The next centroids, of those that all blocks were asked for. O(k·d);
    /// with cosine and e empty clusters also a search of up to 2e + 256 rows
    /// among as many.
    ///
    /// An error if the partials are not of these centroids.
    pub fn finalize(&self, centroids: ArrayView2<'_, f32>) -> Result<Update> {
        let dims = self.n_dimensions();
        let values = self.own(centroids)?;
        let mut next = copy(&values, "centroids")?;
        let moved = self.fill_empty()?;
        let (sums, counts) = match &moved {
            Some((sums, counts)) => (sums, counts),
            None => (&self.sums, &self.counts),
        };
        for (j, centroid) in next.chunks_exact_mut(dims).enumerate() {
            let value = |t: usize| sums.read(j, t);
            if counts[j] > 0 {
                write_centroid(self.metric, value(dims), value, centroid);
            }
        }
        let same = next.iter().zip(&values);
        let converged = same
            .clone()
            .all(|(next, value)| next.to_bits() == value.to_bits());
        Ok(Update {
            centroids: self.matrix(next)?,
            inertia: self.inertia(),
            changed: self.changed,
            converged,
        })
    }

    /// These centroids with those of empty clusters on the farthest rows, which stay
    /// where they are; `None` if no cluster is empty, or no row may be.
    ///
    /// Training ends so: after the last iteration it does this again as long as
    /// [`inertia`](Self::inertia) falls, and takes what came last.
    ///
    /// An error if the partial is not of these centroids.
    pub fn place_empty(&self, centroids: ArrayView2<'_, f32>) -> Result<Option<Array2<f32>>> {
        let dims = self.n_dimensions();
        let mut next = self.own(centroids)?;
        let threads = Threads::exactly(1, None)?;
        let chosen = self.candidates.chosen(self.metric, dims, &threads)?;
        let empty = (0..self.n_clusters()).filter(|&j| self.counts[j] == 0);
        let mut any = false;
        for (rank, cluster) in chosen.into_iter().zip(empty) {
            let centroid = &mut next[cluster * dims..][..dims];
            centroid.copy_from_slice(self.candidates.row(rank, dims));
            self.metric.normalize(centroid);
            any = true;
        }
        Ok(match any {
            true => Some(self.matrix(next)?),
            false => None,
        })
    }

    /// The centroids row by row, if the partial is of them.
    fn own(&self, centroids: ArrayView2<'_, f32>) -> Result<Vec<f32>> {
        let values = checked(centroids, self.metric)?;
        let shape = (self.n_clusters(), self.n_dimensions());
        if centroids.dim() != shape || fingerprint(&values) != self.centroids {
            return Err(invalid(
                "these are not the centroids that the partial is of; pass what the blocks got",
            ));
        }
        Ok(values)
    }

    fn matrix(&self, centroids: Vec<f32>) -> Result<Array2<f32>> {
        Array2::from_shape_vec((self.n_clusters(), self.n_dimensions()), centroids)
            .map_err(|_| KMeansError::invalid_data("too many centroids"))
    }

    /// Sums and counts after the farthest rows have gone to empty clusters;
    /// `None` where there are no such rows or clusters.
    fn fill_empty(&self) -> Result<Option<(WideSums, Vec<u64>)>> {
        let far = &self.candidates;
        let Some(of_far) = &far.sums else {
            return Ok(None);
        };
        let threads = Threads::exactly(1, None)?;
        let chosen = far.chosen(self.metric, self.n_dimensions(), &threads)?;
        let mut sums = self.sums.try_clone()?;
        let mut counts = copy(&self.counts, "counts")?;
        let empty = (0..self.n_clusters()).filter(|&j| self.counts[j] == 0);
        for (rank, to) in chosen.into_iter().zip(empty) {
            let (from, count) = (far.rows[rank].cluster as usize, far.rows[rank].count);
            sums.add_row(from, of_far, rank, true)?;
            sums.add_row(to, of_far, rank, false)?;
            counts[from] = counts[from].saturating_sub(count);
            counts[to] = counts[to].saturating_add(count);
        }
        Ok(Some((sums, counts)))
    }
}

/// Centroids row by row, made unit vectors where the metric wants that and they
/// aren't yet.
fn checked(centroids: ArrayView2<'_, f32>, metric: Metric) -> Result<Vec<f32>> {
    let (clusters, dims) = centroids.dim();
    if clusters == 0 || dims == 0 {
        return Err(invalid(format_args!(
            "the centroids' shape is {clusters} x {dims}; there must be at least one, of at least one column"
        )));
    }
    let mut values: Vec<f32> = collect(centroids.iter().copied(), "centroids")?;
    if let Some(at) = values.iter().position(|value| !value.is_finite()) {
        return Err(KMeansError::NotFinite {
            row: at / dims,
            column: at % dims,
            value: f64::from(values[at]),
        });
    }
    for centroid in values.chunks_exact_mut(dims) {
        metric.place(centroid);
    }
    Ok(values)
}
