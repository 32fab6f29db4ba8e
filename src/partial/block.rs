//! A block of rows that remembers.

use super::candidates::Candidates;
use super::{Partial, checked};
use crate::allocate::try_vec;
use crate::config::invalid;
use crate::equal_rows::fingerprint;
use crate::error::{KMeansError, Result};
use crate::metric::Metric;
use crate::nearest::{Assignment, Centroids, Nearest, Request, Shared};
use crate::points::Points;
use crate::threads::{RunOptions, Threads};
use crate::totals::WideSums;
use ndarray::ArrayView2;

/// Searches that are likely to come: iterations.
const SEARCHES: usize = 25;

/// How a block computes.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[non_exhaustive]
pub struct BlockOptions {
    /// Cosine, unless this says otherwise.
    pub metric: Metric,
    /// Bytes for what the block keeps to save time:
    /// see [`KMeans::with_memory_limit`](crate::KMeans::with_memory_limit).
    pub memory_limit: Option<u64>,
}

impl BlockOptions {
    /// Options for a metric.
    pub fn new(metric: Metric) -> Self {
        BlockOptions {
            metric,
            memory_limit: None,
        }
    }
}

/// Rows that are one part of the data, with what searches among them have found
/// out: labels, sums, distance bounds, codes. All that is a cache: losing it
/// costs time, and [`changed`](Partial::changed) for one partial, never a
/// result.
///
/// ```
/// use kentro::{Block, BlockOptions, Metric, Points, RunOptions};
/// use ndarray::{array, s};
///
/// let data = array![[0.0_f32], [1.0], [8.0], [9.0], [10.0]];
/// let parts = [data.slice(s![..2, ..]), data.slice(s![2.., ..])].map(Points::from);
/// let options = BlockOptions::new(Metric::Euclidean);
/// let mut blocks = [Block::new(&parts[0], options)?, Block::new(&parts[1], options)?];
/// let mut centroids = array![[0.0_f32], [1.0]];
/// for _ in 0..10 {
///     let mut all = blocks[0].partial(centroids.view(), RunOptions::default())?;
///     all.merge(&blocks[1].partial(centroids.view(), RunOptions::default())?)?;
///     let update = all.finalize(centroids.view())?;
///     centroids = update.centroids;
///     if update.converged {
///         break;
///     }
/// }
/// assert_eq!(centroids, array![[0.5], [9.0]]);
/// # Ok::<(), kentro::KMeansError>(())
/// ```
pub struct Block<'a> {
    nearest: Nearest<'a>,
    /// Of as many clusters as last time.
    known: Option<Assignment>,
    distances: Vec<f64>,
    checked: bool,
}

impl<'a> Block<'a> {
    /// The rows are neither copied nor looked at yet. Weights of the points count.
    pub fn new(points: &'a Points<'a>, options: BlockOptions) -> Result<Self> {
        let shared = Shared::new(points, options.metric, options.memory_limit)?;
        Ok(Block {
            nearest: shared.nearest(points, SEARCHES),
            known: None,
            distances: Vec::new(),
            checked: false,
        })
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.nearest.points().rows()
    }

    /// What the rows come to for these centroids, n_clusters × dimensions; with
    /// cosine they are made unit vectors first.
    ///
    /// O(n·k·d), mostly less when the block knows labels of centroids nearby;
    /// memory O(n + k·d). After an error, being cancelled included, the block
    /// has forgotten what it knew.
    pub fn partial(
        &mut self,
        centroids: ArrayView2<'_, f32>,
        options: RunOptions<'_>,
    ) -> Result<Partial> {
        let values = checked(centroids, self.nearest.metric())?;
        let points = self.nearest.points();
        if centroids.ncols() != points.cols() {
            return Err(KMeansError::DimensionMismatch {
                expected: points.cols(),
                actual: centroids.ncols(),
            });
        }
        let work = points.rows() as f64 * values.len() as f64;
        let threads = Threads::new(options, work)?;
        if !self.checked {
            points.check(&threads)?;
            points.check_each_weight()?;
            self.checked = true;
        }
        let known = self.known.take();
        let known = known.filter(|known| known.totals().counts.len() == centroids.nrows());
        let is_known = known.is_some();
        let mut assignment = match known {
            Some(assignment) => assignment,
            None => self.nearest.unassigned(centroids.nrows(), &threads)?,
        };
        let centroids = Centroids::new(&values, points.cols());
        let request = Request::totals(centroids, &mut assignment);
        let moved = self.nearest.search(request, &threads)?;
        let inertia = self.nearest.inertia(&assignment, centroids, &threads)?;
        let totals = assignment.totals();
        let sums = WideSums::of_totals(totals)?;
        let mut counts = try_vec(0u64, totals.counts.len(), "counts")?;
        match points.is_weighted() {
            false => {
                for (count, &rows) in counts.iter_mut().zip(&totals.counts) {
                    *count = rows as u64;
                }
            }
            // Rows of weight 0 are as good as absent.
            true => {
                let labels = self.nearest.labels(&mut assignment, &threads)?;
                for (row, &label) in labels.iter().enumerate() {
                    counts[label as usize] += u64::from(points.weight(row) > 0.0);
                }
            }
        }
        let candidates = match counts.contains(&0) {
            true => self.candidates(&mut assignment, centroids, &counts, &threads)?,
            false => Candidates::none(),
        };
        self.known = Some(assignment);
        Ok(Partial {
            metric: self.nearest.metric(),
            centroids: fingerprint(&values),
            sums,
            counts,
            inertia,
            changed: is_known.then_some(moved as u64),
            candidates,
        })
    }

    fn candidates(
        &mut self,
        assignment: &mut Assignment,
        centroids: Centroids<'_>,
        counts: &[u64],
        threads: &Threads<'_>,
    ) -> Result<Candidates> {
        let grid = assignment.totals().grid().try_clone()?;
        let rows = self.rows();
        if self.distances.len() != rows {
            self.distances = threads.try_vec(0.0, rows, "distances")?;
        }
        let labels = self.nearest.labels(assignment, threads)?;
        self.nearest
            .distances(centroids, threads, labels, &mut self.distances)?;
        let points = self.nearest.points();
        if points.is_weighted() {
            // Rows of weight 0 are no candidates.
            for (row, distance) in self.distances.iter_mut().enumerate() {
                if points.weight(row) == 0.0 {
                    *distance = 0.0;
                }
            }
        }
        let found = Candidates::find(
            &self.nearest,
            (grid, counts),
            labels,
            &self.distances,
            threads,
        );
        Ok(found?.0)
    }

    /// The cluster of every row, as of the last partial; an error if there is
    /// none, or if it failed.
    pub fn labels(&mut self) -> Result<&[u32]> {
        let threads = Threads::exactly(1, None)?;
        match &mut self.known {
            Some(assignment) => Ok(self.nearest.labels(assignment, &threads)?),
            None => Err(invalid(
                "the block knows no labels yet; ask it for a partial first",
            )),
        }
    }

    /// Forgets labels and sums.
    pub fn forget(&mut self) {
        self.known = None;
        self.distances = Vec::new();
    }
}
