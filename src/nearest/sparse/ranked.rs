//! The nearest few centroids of sparse rows.

use super::centroids::SparseCentroids;
use super::measure::Measure;
use super::search::{POLL_WORK, TASK_ROWS};
use crate::allocate::{extend, resize};
use crate::error::Result;
use crate::kernels::exact_sparse::Vector;
use crate::kernels::isa::Isa;
use crate::kernels::sparse_scores::Scores;
use crate::nearest::brute_force::keep_least;
use crate::nearest::tasks::parts;
use crate::nearest::vectors::Centroids;
use crate::points::{Points, SparseRows};
use crate::threads::Threads;

const PURPOSE: &str = "candidates";

/// A worker's buffers.
#[derive(Default)]
struct Scratch {
    scores: Scores,
    ordered: Vec<f32>,
    candidates: Vec<u32>,
    ranked: Vec<(f64, u32)>,
}

/// Writes the `count` nearest centroids of every row, nearest first, equals by index,
/// to `labels`, and their distances with bias to `distances`.
pub(super) fn few(
    points: &Points<'_>,
    (sparse, dense): (&SparseCentroids, Option<Centroids<'_>>),
    isa: Isa,
    threads: &Threads<'_>,
    (count, labels, distances): (usize, &mut [u32], Option<&mut [f64]>),
) -> Result<()> {
    let measure = Measure::new(sparse.vectors(), sparse.metric(), dense);
    let (rows, chunk) = (labels.len() / count, TASK_ROWS * count);
    let distances = parts(distances, chunk, rows.div_ceil(TASK_ROWS))?;
    threads.run_long(
        labels.chunks_mut(chunk).zip(distances).enumerate(),
        || (Scratch::default(), SparseRows::default()),
        |scratch, (task, (labels, mut distances)), poll| {
            let first = task * TASK_ROWS;
            let rows = first..first + labels.len() / count;
            let (scratch, block) = scratch;
            let mut work = 0;
            points.in_sparse_blocks(rows, block, poll, |at, rows| {
                for (number, row) in (at - first..).zip(rows.rows()) {
                    let is_measured = distances.is_some();
                    scratch.rank(sparse, &measure, isa, row, (count, is_measured))?;
                    let places = number * count..(number + 1) * count;
                    let ranked = scratch.ranked.iter();
                    for (label, &(_, j)) in labels[places.clone()].iter_mut().zip(ranked) {
                        *label = j;
                    }
                    if let Some(distances) = distances.as_deref_mut() {
                        let pairs = distances[places].iter_mut().zip(&scratch.ranked);
                        pairs.for_each(|(out, &(distance, _))| *out = distance);
                    }
                    work += (row.columns.len() + 1) * sparse.len();
                    if work >= POLL_WORK {
                        poll()?;
                        work = 0;
                    }
                }
                Ok(())
            })
        },
    )
}

impl Scratch {
    /// Finds the `count` nearest centroids of a row, nearest first, equals by index, with
    /// their distances and biases, unless these are not to be measured.
    fn rank(
        &mut self,
        centroids: &SparseCentroids,
        measure: &Measure<'_>,
        isa: Isa,
        row: Vector<'_>,
        (count, is_measured): (usize, bool),
    ) -> Result<()> {
        let square = row.square();
        self.ranked.clear();
        match centroids.score(isa, row, square, &mut self.scores)? {
            Some(error) => {
                let scores = &self.scores.values()[..centroids.len()];
                let least = least_of_greatest(scores, count, &mut self.ordered)?;
                let limit = (f64::from(least) - 2.0 * error) as f32;
                let width = centroids.scored().0.width() as u32;
                self.scores
                    .at_least(limit.next_down(), width, &mut self.candidates)?;
                let score = |&j: &u32| (-f64::from(scores[j as usize]), j);
                extend(&mut self.ranked, self.candidates.iter().map(score), PURPOSE)?;
                keep_least(&mut self.ranked, centroids.len());
                let mut pairs = self.ranked.windows(2).take(count);
                if !is_measured && pairs.all(|pair| pair[1].0 - pair[0].0 > 2.0 * error) {
                    self.ranked.truncate(count);
                    return Ok(());
                }
            }
            None => {
                let all = (0..centroids.len() as u32).map(|j| (0.0, j));
                extend(&mut self.ranked, all, PURPOSE)?;
            }
        }
        let inverse_norm = measure.inverse_norm(square);
        for (value, j) in &mut self.ranked {
            *value = measure.distance(row, inverse_norm, *j) + centroids.bias(*j);
        }
        keep_least(&mut self.ranked, count);
        Ok(())
    }
}

/// A number that is at most the `count`th greatest score, and often that.
fn least_of_greatest(scores: &[f32], count: usize, ordered: &mut Vec<f32>) -> Result<f32> {
    /// Of the scores whose places are alike modulo this, one counts.
    const CLASSES: usize = 64;
    let most = f32::NEG_INFINITY;
    ordered.clear();
    if count * 4 > CLASSES || scores.len() <= CLASSES {
        extend(ordered, scores.iter().copied(), PURPOSE)?;
    } else {
        resize(ordered, CLASSES, most, PURPOSE)?;
        for scores in scores.chunks(CLASSES) {
            for (greatest, &score) in ordered.iter_mut().zip(scores) {
                *greatest = if score > *greatest { score } else { *greatest };
            }
        }
    }
    let place = count.min(ordered.len()) - 1;
    let (_, &mut found, _) = ordered.select_nth_unstable_by(place, |a, b| b.total_cmp(a));
    Ok(found)
}
