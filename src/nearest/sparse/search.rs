//! The nearest centroids of a block of sparse rows.

use super::centroids::SparseCentroids;
use crate::allocate::{push, resize};
use crate::error::Result;
use crate::kernels::exact_sparse::{Rows, inverse_of_root};
use crate::kernels::isa::Isa;
use crate::kernels::sparse_columns::STEP;
use crate::kernels::sparse_scores::{Asked, Best, Scores, score_of};
use crate::metric::Metric;
use crate::threads::Poll;

/// What memory is for.
const PURPOSE: &str = "scores";

/// Rows of a task.
pub(super) const TASK_ROWS: usize = 1024;

/// Multiply-adds between two polls, about.
pub(super) const POLL_WORK: usize = 1 << 26;

/// Candidates of which many may have no column in common with the row.
const MANY: usize = 8;

/// Some rows.
pub(super) struct Block<'b> {
    pub rows: Rows<'b>,
    /// Σ x².
    pub squares: &'b [f64],
    pub labels: &'b mut [u32],
    /// How far all centroids but the one of the label are at least, or empty.
    pub bounds: &'b mut [f32],
}

/// A row with what its scores are compared by.
#[derive(Clone, Copy)]
struct Row {
    number: usize,
    square: f64,
    /// By how much scores may err; infinite where they can't be computed.
    error: f64,
}

/// A worker's buffers.
#[derive(Default)]
pub(super) struct Search {
    scores: Scores,
    asked: Vec<Asked>,
    best: Vec<Best>,
    /// The scores of the centroids that labels name, where there are bounds.
    own: Vec<f32>,
    candidates: Vec<u32>,
    /// Whether a row has a column in common with each centroid.
    met: Vec<bool>,
}

impl Search {
    /// Labels all rows by their nearest centroids. Returns how many labels changed.
    pub fn run(
        &mut self,
        isa: Isa,
        centroids: &SparseCentroids,
        block: Block<'_>,
        poll: Poll<'_>,
    ) -> Result<usize> {
        let Block {
            rows,
            squares,
            labels,
            bounds,
        } = block;
        let scored = centroids.scored();
        resize(&mut self.asked, rows.len(), Asked::default(), PURPOSE)?;
        for (asked, &square) in self.asked.iter_mut().zip(squares) {
            *asked = centroids.ask(square.sqrt());
        }
        // What is known of places is known of the labels of the search before.
        let narrowed = !bounds.is_empty() && !centroids.moves().0.is_empty();
        if narrowed {
            self.narrow(centroids, rows, squares, (labels, bounds))?;
        }
        resize(&mut self.best, rows.len(), Best::NONE, PURPOSE)?;
        self.scores
            .best(isa, scored, rows, &self.asked, &mut self.best)?;
        // No score of a row that is asked for errs by more, and that decides most rows.
        let farthest = squares.iter().copied().fold(0.0, f64::max).sqrt();
        let error = centroids.error_where(rows.longest(), farthest);
        let clear = !narrowed && bounds.is_empty();
        let mut changed = 0;
        for (number, &square) in squares.iter().enumerate() {
            let mut best = self.best[number];
            let asked = self.asked[number].scale > 0.0;
            if clear && asked && f64::from(best.score) - 2.0 * error > f64::from(best.second) {
                let found = scored.0.cluster(best.place);
                changed += usize::from(labels[number] != found);
                labels[number] = found;
                continue;
            }
            let row = Row::new(centroids, rows, number, square);
            let own = match narrowed {
                true => self.with_own(centroids, number, labels[number], &mut best),
                false => None,
            };
            let certain = f64::from(best.score) - 2.0 * row.error > f64::from(best.second);
            let found = match certain {
                true => scored.0.cluster(best.place),
                false => self.decide(isa, centroids, rows, row, (best.score, own), poll)?,
            };
            if let Some(bound) = bounds.get_mut(number) {
                let others = if certain { best.second } else { best.score };
                let width = self.asked[number].width as usize;
                *bound = row.bound(centroids, others, (*bound, width));
            }
            changed += usize::from(labels[number] != found);
            labels[number] = found;
        }
        Ok(changed)
    }

    /// Asks only for scores of those centroids that may have come nearer than the
    /// one of the label, which gets its score here.
    fn narrow(
        &mut self,
        centroids: &SparseCentroids,
        rows: Rows<'_>,
        squares: &[f64],
        (labels, bounds): (&[u32], &[f32]),
    ) -> Result<()> {
        let (moves, places) = centroids.moves();
        resize(&mut self.own, rows.len(), 0.0, PURPOSE)?;
        for (number, &square) in squares.iter().enumerate() {
            let bound = f64::from(bounds[number]);
            if bound == f64::NEG_INFINITY {
                continue;
            }
            let row = Row::new(centroids, rows, number, square);
            let asked = &mut self.asked[number];
            let place = places[labels[number] as usize];
            let own = score_of(centroids.scored(), rows.get(number), asked.scale, place);
            self.own[number] = own;
            let reach = row.distance(centroids, f64::from(own) - 2.0 * row.error);
            let near = moves.partition_point(|&moved| f64::from(moved) >= bound - reach);
            asked.width = near.next_multiple_of(STEP) as u32;
        }
        Ok(())
    }

    /// Counts the label's centroid among the best, unless scores were asked of it
    /// too. Returns its place and score then.
    fn with_own(
        &self,
        centroids: &SparseCentroids,
        number: usize,
        label: u32,
        best: &mut Best,
    ) -> Option<(u32, f32)> {
        let width = self.asked[number].width;
        if width as usize == centroids.scored().0.width() {
            return None;
        }
        let place = centroids.moves().1[label as usize];
        let score = self.own[number];
        if place < width {
            return None;
        }
        if score > best.score {
            best.second = best.score;
            (best.place, best.score) = (place, score);
        } else {
            best.second = best.second.max(score);
        }
        Some((place, score))
    }

    /// The nearest by D of the centroids whose scores are close to the best, or of
    /// all where scores can't be computed. `own`: place and score of one that no
    /// score was asked of.
    fn decide(
        &mut self,
        isa: Isa,
        centroids: &SparseCentroids,
        rows: Rows<'_>,
        row: Row,
        (score, own): (f32, Option<(u32, f32)>),
        poll: Poll<'_>,
    ) -> Result<u32> {
        let candidates = &mut self.candidates;
        let columns = centroids.scored().0;
        if row.error < f64::INFINITY {
            let limit = (f64::from(score) - 2.0 * row.error) as f32;
            let limit = limit.next_down();
            let (asked, mut best) = ([self.asked[row.number]], [Best::NONE]);
            let alone = rows.part(row.number..row.number + 1);
            self.scores
                .best(isa, centroids.scored(), alone, &asked, &mut best)?;
            self.scores.at_least(limit, asked[0].width, candidates)?;
            if let Some((place, score)) = own
                && score >= limit
            {
                push(candidates, place, PURPOSE)?;
            }
            for place in candidates.iter_mut() {
                *place = columns.cluster(*place);
            }
            candidates.sort_unstable();
        } else {
            candidates.clear();
            resize(candidates, centroids.len(), 0, PURPOSE)?;
            (0..)
                .zip(&mut *candidates)
                .for_each(|(j, candidate)| *candidate = j);
        }
        let inverse_norm = inverse_of_root(row.square);
        let values = rows.row(row.number);
        // With cosine the distance to centroids without a common column is 1.
        let met = &mut self.met;
        let leaves_out = centroids.metric() == Metric::Cosine && candidates.len() > MANY;
        if leaves_out {
            met.clear();
            resize(met, centroids.len(), false, PURPOSE)?;
            for &column in values.columns {
                centroids.each(column as usize, |j| met[j as usize] = true);
            }
        }
        let (mut nearest, mut least) = (0, f64::INFINITY);
        let mut work = 0;
        for &j in candidates.iter() {
            work += values.columns.len();
            if work >= POLL_WORK {
                poll()?;
                work = 0;
            }
            let value = match leaves_out && !met[j as usize] {
                true => 1.0,
                false => centroids.distance(values, inverse_norm, j),
            };
            let value = value + centroids.bias(j);
            if value < least {
                (nearest, least) = (j, value);
            }
        }
        Ok(nearest)
    }
}

impl Row {
    #[inline]
    fn new(centroids: &SparseCentroids, rows: Rows<'_>, number: usize, square: f64) -> Self {
        Row {
            number,
            square,
            error: centroids.error_where(rows.get(number).0.len(), square.sqrt()),
        }
    }

    /// What a score says of how far the centroid is: ‖x − c‖, or with cosine
    /// 1 − x̂·c. No centroid that moves by m changes it by more than m.
    fn distance(&self, centroids: &SparseCentroids, score: f64) -> f64 {
        match centroids.metric() {
            Metric::Euclidean => (self.square - 2.0 * score).max(0.0).sqrt(),
            Metric::Cosine => 1.0 - score,
        }
    }

    /// A lower bound of how far all centroids but the nearest are: `others` is the
    /// best of the scores that they got, and those without one have the bound
    /// before, and places from `width` on.
    fn bound(
        &self,
        centroids: &SparseCentroids,
        others: f32,
        (before, width): (f32, usize),
    ) -> f32 {
        if self.error == f64::INFINITY {
            return f32::NEG_INFINITY;
        }
        let scored = self.distance(centroids, f64::from(others) + self.error);
        let bound = match centroids.moves().0.get(width) {
            Some(&moved) => scored.min(f64::from(before) - f64::from(moved)),
            None => scored,
        };
        // Less than rounding could take away.
        let bound = bound.min(f64::from(f32::MAX));
        (bound - 1e-6 * bound.abs() - f64::from(f32::MIN_POSITIVE)) as f32
    }
}
