//! What k-means‖ keeps of rows, wherever they are.

use crate::allocate::{append, collect, push, resize, try_vec};
use crate::clusters::UNASSIGNED;
use crate::error::Result;
use crate::metric::Metric;
use crate::nearest::{Centroids, NOISE, Nearest, Request, RowDistances};
use crate::points::Points;
use crate::threads::Threads;
use crate::totals::{Amount, ExactSum};

/// What memory is for.
const PURPOSE: &str = "seeding distances";

/// Rows whose sum is compared with positions at a time.
const STEP: usize = 256;

/// What is done with some rows: the number of the first, and a search among them.
pub(crate) type See<'w> = dyn FnMut(usize, &mut Nearest<'_>) -> Result<()> + 'w;

/// Rows in their order, with their weights, some at a time.
pub(crate) trait Pass {
    fn pass(&mut self, threads: &Threads<'_>, see: &mut See<'_>) -> Result<()>;
}

/// The distance of each row to the nearest of the candidates so far, and which
/// that is.
pub(crate) struct Field {
    metric: Metric,
    known: usize,
    /// As searches found it; of zero rows with cosine, which want no seed, less
    /// than any.
    least: Vec<f64>,
    owners: Vec<u32>,
}

/// What rows are asked.
pub(crate) struct Question<'q> {
    /// Candidates after those that are known, as centroids.
    pub new: &'q [f32],
    pub wanted: Wanted<'q>,
}

pub(crate) enum Wanted<'q> {
    /// The sum alone.
    Sum,
    /// The rows at these places of the sum, which ascend.
    Rows(&'q [Amount]),
    /// What those rows weigh that each candidate is the nearest of.
    Weights,
}

pub(crate) struct Answer {
    /// Of the weighted distances of all rows; before there is a candidate, of
    /// their weights.
    pub sum: Amount,
    /// Ascending.
    pub rows: Vec<u32>,
    /// Their values, rows × dimensions.
    pub values: Vec<f32>,
    pub weights: Vec<Amount>,
}

impl Field {
    /// Of rows that know of no candidates.
    pub fn new(metric: Metric) -> Self {
        Field {
            metric,
            known: 0,
            least: Vec::new(),
            owners: Vec::new(),
        }
    }

    /// One pass over the rows.
    pub fn ask(
        &mut self,
        rows: &mut dyn Pass,
        question: &Question<'_>,
        threads: &Threads<'_>,
    ) -> Result<Answer> {
        let mut sum = ExactSum::default();
        let mut known = self.known;
        let mut own = Vec::new();
        let mut left = match question.wanted {
            Wanted::Rows(places) => places,
            _ => &[],
        };
        let mut answer = Answer {
            sum: Amount::ZERO,
            rows: Vec::new(),
            values: Vec::new(),
            weights: Vec::new(),
        };
        rows.pass(threads, &mut |first, nearest| {
            let points = nearest.points();
            self.begin(first, points, threads)?;
            known = self.known + question.new.len() / points.cols();
            if !question.new.is_empty() {
                self.lower(first, nearest, question.new, threads)?;
            }
            let measure = |row: usize| self.measure(first + row, known);
            walk(
                points,
                measure,
                (&mut sum, &mut left),
                threads,
                |row, values| {
                    push(&mut answer.rows, (first + row) as u32, PURPOSE)?;
                    append(&mut answer.values, values, PURPOSE)
                },
            )?;
            if matches!(question.wanted, Wanted::Weights) {
                resize(&mut own, known, ExactSum::default(), "seeding weights")?;
                let owners = &self.owners[first..];
                return threads.in_steps(points.rows(), |part| {
                    for row in part {
                        own[owners[row] as usize].add(points.weight(row));
                    }
                    Ok(())
                });
            }
            Ok(())
        })?;
        self.known = known;
        answer.sum = Amount::of(&sum);
        answer.weights = collect(own.iter().map(Amount::of), "seeding weights")?;
        Ok(answer)
    }

    /// Takes in rows that were not seen yet.
    fn begin(&mut self, first: usize, points: &Points<'_>, threads: &Threads<'_>) -> Result<()> {
        let (seen, end) = (self.least.len(), first + points.rows());
        if end <= seen {
            return Ok(());
        }
        resize(&mut self.least, end, f64::INFINITY, PURPOSE)?;
        resize(&mut self.owners, end, 0, PURPOSE)?;
        if self.metric == Metric::Cosine {
            let distances = RowDistances::new(points, self.metric, threads)?;
            let least = self.least[first..].iter_mut().enumerate();
            for (_, least) in least.filter(|&(row, _)| distances.is_zero(row)) {
                *least = f64::NEG_INFINITY;
            }
        }
        Ok(())
    }

    /// Takes new candidates into account.
    fn lower(
        &mut self,
        first: usize,
        nearest: &mut Nearest<'_>,
        new: &[f32],
        threads: &Threads<'_>,
    ) -> Result<()> {
        let (rows, dims) = (nearest.points().rows(), nearest.points().cols());
        let mut labels = threads.try_vec(UNASSIGNED, rows, "seeding labels")?;
        let mut distances = threads.try_vec(0.0f64, rows, PURPOSE)?;
        let centroids = Centroids::new(new, dims);
        let request = Request::nearest(centroids, &mut labels, Some(&mut distances));
        nearest.search(request, threads)?;
        let known = self.known as u32;
        threads.in_steps(rows, |part| {
            for row in part {
                if distances[row] < self.least[first + row] {
                    self.least[first + row] = distances[row];
                    self.owners[first + row] = known + labels[row];
                }
            }
            Ok(())
        })
    }

    /// What is drawn by, before weights: 1 before there is a candidate.
    fn measure(&self, row: usize, known: usize) -> f64 {
        let noise = match self.metric {
            Metric::Cosine => NOISE,
            Metric::Euclidean => 0.0,
        };
        match self.least[row] {
            _ if known == 0 => 1.0,
            least if least < noise => 0.0,
            least => least,
        }
    }
}

/// Adds up rows, and takes those at the next places of the sum.
fn walk(
    points: &Points<'_>,
    measure: impl Fn(usize) -> f64,
    (sum, left): (&mut ExactSum, &mut &[Amount]),
    threads: &Threads<'_>,
    mut take: impl FnMut(usize, &[f32]) -> Result<()>,
) -> Result<()> {
    let add = |sum: &mut ExactSum, row: usize| match points.weight(row) {
        1.0 => sum.add(measure(row)),
        weight => sum.add_product(weight, measure(row)),
    };
    let mut scratch = Vec::new();
    for first in (0..points.rows()).step_by(STEP) {
        let rows = first..points.rows().min(first + STEP);
        let mut running = (!left.is_empty()).then(|| sum.clone());
        rows.clone().for_each(|row| add(sum, row));
        let end = Amount::of(sum);
        for row in rows {
            let (Some(running), Some(next)) = (&mut running, left.first()) else {
                break;
            };
            if *next >= end {
                break;
            }
            add(running, row);
            let reached = Amount::of(running);
            let before = left.len();
            while let Some((next, others)) = left.split_first()
                && *next < reached
            {
                *left = others;
            }
            if left.len() < before {
                take(row, points.row(row, &mut scratch)?)?;
            }
        }
        threads.poll()?;
    }
    Ok(())
}

/// Positions among the rows of blocks, in their order, with the sums of these:
/// `count` for each of which a number of `next` stands, ascending.
pub(crate) fn positions(
    sums: &[Amount],
    count: usize,
    mut next: impl FnMut() -> u64,
) -> Result<Vec<Vec<Amount>>> {
    const PURPOSE: &str = "seeding positions";
    let total = sums.iter().fold(Amount::ZERO, |total, sum| total.plus(sum));
    let mut all = try_vec(Amount::ZERO, count, PURPOSE)?;
    all.iter_mut()
        .for_each(|place| *place = total.share(next()));
    all.sort_unstable();
    let mut left = &all[..];
    let mut before = Amount::ZERO;
    let mut positions = try_vec(Vec::new(), sums.len(), PURPOSE)?;
    for (own, sum) in positions.iter_mut().zip(sums) {
        let end = before.plus(sum);
        let (here, others) = left.split_at(left.partition_point(|place| *place < end));
        let here = here.iter().map(|place| place.minus(&before));
        *own = collect(here, PURPOSE)?;
        (left, before) = (others, end);
    }
    Ok(positions)
}
