//! What a block answers a [`Seeding`](super::Seeding).

use super::messages::{Answer, Asked, Ends, Question};
use crate::allocate::{append, collect, copy};
use crate::config::invalid;
use crate::error::{KMeansError, Result};
use crate::metric::Metric;
use crate::nearest::Nearest;
use crate::points::Points;
use crate::seeding::{self, Field, Pass, See, Wanted};
use crate::threads::Threads;
use ndarray::ArrayView2;

/// What memory is for.
const PURPOSE: &str = "seeding candidates";

/// What a block knows of its rows and the candidates that it was told of: a cache.
pub(super) struct Seeded {
    metric: Metric,
    candidates: Vec<f32>,
    field: Field,
}

/// The rows of a block.
struct Rows<'r, 'a>(&'r mut Nearest<'a>);

impl Pass for Rows<'_, '_> {
    fn pass(&mut self, _: &Threads<'_>, see: &mut See<'_>) -> Result<()> {
        see(0, self.0)
    }
}

impl Seeded {
    pub fn new(metric: Metric) -> Self {
        Seeded {
            metric,
            candidates: Vec::new(),
            field: Field::new(metric),
        }
    }

    /// Answers a question, given all candidates so far.
    pub fn answer(
        mut self,
        nearest: &mut Nearest<'_>,
        (candidates, question): (ArrayView2<'_, f32>, &Question),
        threads: &Threads<'_>,
    ) -> Result<(Self, Answer)> {
        let (points, dims) = (nearest.points(), nearest.points().cols());
        let (count, cols) = candidates.dim();
        if count > 0 && cols != dims {
            return Err(KMeansError::DimensionMismatch {
                expected: dims,
                actual: cols,
            });
        }
        if question.metric != self.metric {
            return Err(invalid(format_args!(
                "a seeding with the {} distance can't ask a block with the {}; make both with \
                 the same",
                question.metric.name(),
                self.metric.name()
            )));
        }
        let all: Vec<f32> = collect(candidates.iter().copied(), PURPOSE)?;
        check(&all, dims)?;
        let mut both = all.iter().zip(&self.candidates);
        let same = both.all(|(value, known)| value.to_bits() == known.to_bits());
        if !same || self.candidates.len() > all.len() {
            self = Seeded::new(self.metric);
        }
        let mut new = copy(&all[self.candidates.len()..], PURPOSE)?;
        for seed in new.chunks_exact_mut(dims) {
            self.metric.normalize(seed);
        }
        let wanted = match &question.wanted {
            Asked::Sum => Wanted::Sum,
            Asked::Rows(positions) => Wanted::Rows(positions),
            Asked::Weights => Wanted::Weights,
        };
        let question = seeding::Question { new: &new, wanted };
        let found = self.field.ask(&mut Rows(nearest), &question, threads)?;
        if let Wanted::Rows(positions) = question.wanted
            && positions.last().is_some_and(|last| *last >= found.sum)
        {
            return Err(invalid(
                "the question is one to another block; pass each its own",
            ));
        }
        self.candidates = all;
        let answer = Answer {
            dims,
            candidates: count,
            sum: found.sum,
            values: found.values,
            weights: found.weights,
            ends: match count {
                0 => ends(points, threads)?,
                _ => Ends::default(),
            },
        };
        Ok((self, answer))
    }
}

fn check(values: &[f32], dims: usize) -> Result<()> {
    match values.iter().position(|value| !value.is_finite()) {
        Some(at) => Err(KMeansError::NotFinite {
            row: at / dims,
            column: at % dims,
            value: f64::from(values[at]),
        }),
        None => Ok(()),
    }
}

/// Counts rows, those of weight 0 aside.
fn ends(points: &Points<'_>, threads: &Threads<'_>) -> Result<Ends> {
    let mut ends = Ends::default();
    let (mut first, mut last) = (None, None);
    threads.in_steps(points.rows(), |part| {
        for row in part.filter(|&row| points.weight(row) > 0.0) {
            let repeats = match last {
                Some(last) => points.are_equal(last, row)?,
                None => false,
            };
            ends.rows += 1;
            ends.unrepeated += u64::from(!repeats);
            (first, last) = (first.or(Some(row)), Some(row));
        }
        Ok(())
    })?;
    let mut scratch = Vec::new();
    for row in first.into_iter().chain(last) {
        append(&mut ends.values, points.row(row, &mut scratch)?, PURPOSE)?;
    }
    Ok(ends)
}
