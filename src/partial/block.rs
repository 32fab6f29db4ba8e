//! A block of rows that remembers.

use super::answers::Seeded;
use super::candidates::Candidates;
use super::messages::Question;
use super::{Partial, checked};
use crate::allocate::try_vec;
use crate::config::invalid;
use crate::equal_rows::fingerprint;
use crate::error::{KMeansError, Result};
use crate::metric::Metric;
use crate::nearest::{Assignment, Centroids, Nearest, Request, Resting, Shared};
use crate::owned::TryArc;
use crate::points::{Extents, Points};
use crate::threads::{RunOptions, Threads};
use crate::totals::{Grid, WideSums};
use ndarray::{Array2, ArrayView2};

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
    points: Points<'a>,
    options: BlockOptions,
    /// What each column loses.
    offset: Option<TryArc<Vec<f64>>>,
    resting: Option<Resting>,
    /// Of as many clusters as last time.
    known: Option<Assignment>,
    distances: Vec<f64>,
    seeded: Option<Seeded>,
    checked: bool,
}

impl<'a> Block<'a> {
    /// The rows are neither copied nor looked at yet. Weights of the points count.
    pub fn new(points: &Points<'a>, options: BlockOptions) -> Result<Self> {
        Ok(Block {
            points: *points,
            options,
            offset: None,
            resting: None,
            known: None,
            distances: Vec::new(),
            seeded: None,
            checked: false,
        })
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.points.rows()
    }

    /// Number of columns.
    pub(crate) fn cols(&self) -> usize {
        self.points.cols()
    }

    /// The least number of each column in the first row, the greatest in the second:
    /// of the rows that weigh something, ∞ and −∞ where there are none. One pass;
    /// O(d) numbers, which merge by their minimum and their maximum.
    ///
    /// [`set_ranges`](Block::set_ranges) tells what they are for.
    pub fn ranges(&mut self, options: RunOptions<'_>) -> Result<Array2<f64>> {
        let work = self.rows() as f64 * self.points.cols() as f64;
        let threads = Threads::new(options, work)?;
        let mut extents = Extents::default();
        self.points.check_extents(&mut extents, &threads)?;
        self.points.check_each_weight()?;
        self.checked = true;
        Array2::from_shape_vec((2, self.points.cols()), extents.ends()?)
            .map_err(|_| KMeansError::invalid_data("too many columns"))
    }

    /// Takes the [`ranges`](Block::ranges) of all blocks together, and with the
    /// Euclidean distance the [`offset`](Block::offset) that training on all rows
    /// would subtract: of a column of float64 or of integers of 32 bits and more that
    /// lies farther from 0 than four times its range, so that rounding to float32
    /// doesn't lose what tells rows apart. Of other number types nothing is subtracted.
    ///
    /// All blocks must get the same ranges, before the first partial: others are
    /// forgotten. Centroids are then those less the offset, here and in
    /// [`finalize`](Partial::finalize).
    pub fn set_ranges(&mut self, ranges: ArrayView2<'_, f64>) -> Result<()> {
        let cols = self.points.cols();
        if ranges.dim() != (2, cols) {
            let (rows, given) = ranges.dim();
            return Err(invalid(format_args!(
                "ranges must be 2 x {cols}, the least number of each column and the greatest, \
                 got {rows} x {given}"
            )));
        }
        let nothing = [f64::INFINITY, f64::NEG_INFINITY];
        let is_range = |ends: &[f64; 2]| {
            *ends == nothing || ends.iter().all(|end| end.is_finite()) && ends[0] <= ends[1]
        };
        let columns = ranges.columns().into_iter().map(|ends| [ends[0], ends[1]]);
        if let Some((column, ends)) = columns.enumerate().find(|(_, ends)| !is_range(ends)) {
            return Err(invalid(format_args!(
                "ranges must be two finite numbers for each column, the lesser first, got {} and \
                 {} for column {column}",
                ends[0], ends[1]
            )));
        }
        let threads = Threads::exactly(1, None)?;
        let offset = self
            .points
            .offset_within(ranges, self.options.metric, &threads)?;
        if offset.as_deref() != self.offset() {
            self.forget();
            self.resting = None;
            self.offset = match offset {
                Some(offset) => Some(TryArc::new(offset, "offset")?),
                None => None,
            };
        }
        Ok(())
    }

    /// What each column loses before it is rounded to float32; `None` if nothing:
    /// see [`set_ranges`](Block::set_ranges). Added to centroids in float64, it gives
    /// where they are.
    pub fn offset(&self) -> Option<&[f64]> {
        self.offset.as_deref().map(|offset| &offset[..])
    }

    /// What the rows come to for these centroids, n_clusters × dimensions; with
    /// cosine they are made unit vectors first.
    ///
    /// O(n·k·d), mostly less when the block knows labels of centroids nearby;
    /// memory O(n + k·d). After an error, being cancelled included, the block
    /// has forgotten its labels.
    pub fn partial(
        &mut self,
        centroids: ArrayView2<'_, f32>,
        options: RunOptions<'_>,
    ) -> Result<Partial> {
        let values = checked(centroids, self.options.metric)?;
        let (rows, cols) = (self.points.rows(), self.points.cols());
        if centroids.ncols() != cols {
            return Err(KMeansError::DimensionMismatch {
                expected: cols,
                actual: centroids.ncols(),
            });
        }
        let threads = Threads::new(options, rows as f64 * values.len() as f64)?;
        self.check(&threads)?;
        self.seeded = None;
        let known = self.known.take();
        let known = known.filter(|known| known.totals().counts.len() == centroids.nrows());
        let offset = self.offset.clone();
        let points = self
            .points
            .less(offset.as_deref().map(|offset| &offset[..]));
        let mut nearest = self.nearest(&points)?;
        let centroids = Centroids::new(&values, cols);
        let found = search(
            &mut nearest,
            (known, &mut self.distances),
            centroids,
            &threads,
        );
        self.resting = Some(nearest.rest());
        let (assignment, partial) = found?;
        self.known = Some(assignment);
        Ok(Partial {
            offset: offset.map_or(0, |offset| mark_of_offset(&offset)),
            ..partial
        })
    }

    /// Answers a [`Seeding`](super::Seeding), given its candidates and its question to
    /// this block.
    ///
    /// O(n·c·d) for c candidates that the block was not told of before; memory
    /// O(n + c·d), until the first partial.
    pub fn seed(
        &mut self,
        candidates: ArrayView2<'_, f32>,
        question: &[u8],
        options: RunOptions<'_>,
    ) -> Result<Vec<u8>> {
        let question = Question::from_bytes(question)?;
        let metric = self.options.metric;
        let work = self.rows() as f64 * candidates.len() as f64;
        let threads = Threads::new(options, work)?;
        self.check(&threads)?;
        let seeded = self.seeded.take().unwrap_or_else(|| Seeded::new(metric));
        let offset = self.offset.clone();
        let points = self
            .points
            .less(offset.as_deref().map(|offset| &offset[..]));
        let mut nearest = self.nearest(&points)?;
        let answer = seeded.answer(&mut nearest, (candidates, &question), &threads);
        self.resting = Some(nearest.rest());
        let (seeded, answer) = answer?;
        self.seeded = Some(seeded);
        answer.to_bytes(metric)
    }

    /// Looks at the rows, once.
    fn check(&mut self, threads: &Threads<'_>) -> Result<()> {
        if !self.checked {
            self.points.check(threads)?;
            self.points.check_each_weight()?;
            self.checked = true;
        }
        Ok(())
    }

    /// The search over the block's rows, less the offset.
    fn nearest<'p>(&mut self, points: &'p Points<'p>) -> Result<Nearest<'p>> {
        if let Some(resting) = self.resting.take() {
            return Ok(resting.over(points));
        }
        let BlockOptions {
            metric,
            memory_limit,
        } = self.options;
        Ok(Shared::new(points, metric, memory_limit)?.nearest(points, SEARCHES))
    }

    /// The cluster of every row, as of the last partial; an error if there is
    /// none, or if it failed.
    pub fn labels(&mut self) -> Result<&[u32]> {
        let threads = Threads::exactly(1, None)?;
        let points = self.points;
        let nearest = self.nearest(&points)?;
        let labels = match &mut self.known {
            Some(assignment) => nearest.labels(assignment, &threads).map(|labels| &**labels),
            None => Err(invalid(
                "the block knows no labels yet; ask it for a partial first",
            )),
        };
        self.resting = Some(nearest.rest());
        labels
    }

    /// Forgets labels and sums.
    pub fn forget(&mut self) {
        self.known = None;
        self.seeded = None;
        self.distances = Vec::new();
    }
}

/// What rows come to, of which a search before knows labels, or none.
fn search(
    nearest: &mut Nearest<'_>,
    (known, distances): (Option<Assignment>, &mut Vec<f64>),
    centroids: Centroids<'_>,
    threads: &Threads<'_>,
) -> Result<(Assignment, Partial)> {
    let points = nearest.points();
    let is_known = known.is_some();
    let mut assignment = match known {
        Some(assignment) => assignment,
        None => nearest.unassigned(centroids.len(), threads)?,
    };
    let request = Request::totals(centroids, &mut assignment);
    let moved = nearest.search(request, threads)?;
    let inertia = nearest.inertia(&assignment, centroids, threads)?;
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
            let labels = nearest.labels(&mut assignment, threads)?;
            for (row, &label) in labels.iter().enumerate() {
                counts[label as usize] += u64::from(points.weight(row) > 0.0);
            }
        }
    }
    let candidates = match counts.contains(&0) {
        true => {
            let grid = assignment.totals().grid().try_clone()?;
            let labels = nearest.labels(&mut assignment, threads)?;
            candidates(
                nearest,
                centroids,
                (labels, distances),
                (grid, &counts),
                threads,
            )?
        }
        false => Candidates::none(),
    };
    let partial = Partial {
        metric: nearest.metric(),
        centroids: fingerprint(centroids.values),
        offset: 0,
        sums,
        counts,
        inertia,
        changed: is_known.then_some(moved as u64),
        candidates,
    };
    Ok((assignment, partial))
}

/// Rows for clusters that are empty.
fn candidates(
    nearest: &Nearest<'_>,
    centroids: Centroids<'_>,
    (labels, distances): (&[u32], &mut Vec<f64>),
    sums: (Grid, &[u64]),
    threads: &Threads<'_>,
) -> Result<Candidates> {
    let points = nearest.points();
    if distances.len() != points.rows() {
        *distances = threads.try_vec(0.0, points.rows(), "distances")?;
    }
    nearest.distances(centroids, threads, labels, distances)?;
    if points.is_weighted() {
        // Rows of weight 0 are no candidates.
        for (row, distance) in distances.iter_mut().enumerate() {
            if points.weight(row) == 0.0 {
                *distance = 0.0;
            }
        }
    }
    Ok(Candidates::find(nearest, sums, labels, distances, threads)?.0)
}

/// What an offset is known by; not 0.
fn mark_of_offset(offset: &[f64]) -> u32 {
    let mix = |mark: u32, half: u64| (mark.rotate_left(13) ^ half as u32).wrapping_mul(0x9e37_79b1);
    let bits = offset.iter().map(|value| value.to_bits());
    bits.fold(1, |mark, bits| mix(mix(mark, bits), bits >> 32))
        .max(1)
}
