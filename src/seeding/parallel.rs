//! k-means‖ (Bahmani, Moseley, Vattani, Kumar & Vassilvitskii, 2012), which sees
//! of rows only their sums and the few that it draws: they may be in memory, come
//! from a source, or lie in blocks on many machines, and the seeds are the same.

use super::drawn::{Rows, with_rows};
use super::field::{Field, Question, Wanted, positions};
use super::pick::pick;
use crate::allocate::{collect, copy, push};
use crate::error::Result;
use crate::rng::Rng;
use crate::threads::Threads;
use crate::totals::Amount;

/// Draws after the first row, of as many rows as seeds are wanted each.
const ROUNDS: usize = 5;

/// What comes next, and what is known of it.
///
/// The first row is drawn by its weight. In each of [`ROUNDS`] rounds positions are
/// drawn in the exact sum of the weighted distances of all rows from the nearest
/// candidate, and the rows there become candidates. Weighted k-means++ then
/// [picks](pick) among them, each counting as much as those rows weigh that it is
/// the nearest of. Where it finds too few, more rounds follow, each of which adds
/// at least one row unlike all others, if there is one.
pub(crate) struct Plan {
    count: usize,
    step: Step,
    round: usize,
    /// In each block, in this round.
    positions: Vec<Vec<Amount>>,
    /// Candidates, the seeds.
    picked: Vec<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Sum,
    Rows,
    Weights,
    Done,
}

impl Plan {
    pub fn new(count: usize) -> Self {
        Plan {
            count,
            step: Step::Sum,
            round: 0,
            positions: Vec::new(),
            picked: Vec::new(),
        }
    }

    pub fn step(&self) -> Step {
        self.step
    }

    /// What to ask the rows of a block.
    pub fn wanted(&self, block: usize) -> Wanted<'_> {
        match self.step {
            Step::Rows => Wanted::Rows(self.positions.get(block).map_or(&[], |own| own)),
            Step::Weights => Wanted::Weights,
            Step::Sum | Step::Done => Wanted::Sum,
        }
    }

    /// Takes the sums of all blocks.
    pub fn summed(&mut self, sums: &[Amount], rng: &mut Rng) -> Result<()> {
        let count = match self.round {
            0 => 1,
            _ => self.count,
        };
        self.step = match sums.iter().all(Amount::is_zero) {
            true => Step::Weights,
            false => {
                self.positions = positions(sums, count, || rng.next())?;
                Step::Rows
            }
        };
        Ok(())
    }

    /// Takes the number of candidates that were drawn.
    pub fn drawn(&mut self, new: usize) {
        self.round += 1;
        self.positions = Vec::new();
        self.step = match self.round > ROUNDS || new == 0 {
            true => Step::Weights,
            false => Step::Sum,
        };
    }

    /// Takes the candidates that were picked, and what sums were left.
    pub fn weighed(
        &mut self,
        picked: Vec<usize>,
        sums: &[Amount],
        rng: &mut Rng,
        stopping: bool,
    ) -> Result<()> {
        let gains = picked.len() > self.picked.len();
        self.picked = picked;
        self.step = Step::Done;
        match self.picked.len() < self.count && gains && !stopping {
            true => self.summed(sums, rng).map(|()| match self.step {
                Step::Rows => {}
                _ => self.step = Step::Done,
            }),
            false => Ok(()),
        }
    }

    /// The candidates that are the seeds, of so many. Where rows have fewer values
    /// than there are seeds, some come again.
    pub fn seeds(&self, candidates: usize, rng: &mut Rng) -> Result<Vec<usize>> {
        let mut seeds = copy(&self.picked, "seeds")?;
        while seeds.len() < self.count {
            push(&mut seeds, rng.below(candidates), "seeds")?;
        }
        Ok(seeds)
    }
}

/// Leaves those of drawn rows that are not equal to the one before, and calls
/// `keep` with their numbers: so a row that is there twice in place counts as one
/// of twice the weight.
pub(crate) fn without_repeats(
    values: &mut Vec<f32>,
    dims: usize,
    mut keep: impl FnMut(usize) -> Result<()>,
) -> Result<()> {
    let (mut kept, mut last) = (0, None);
    for row in 0..values.len() / dims {
        let own = row * dims..(row + 1) * dims;
        let repeats =
            last.is_some_and(|last: usize| values[last * dims..][..dims] == values[own.clone()]);
        if !repeats {
            keep(row)?;
            values.copy_within(own, kept * dims);
            (last, kept) = (Some(kept), kept + 1);
        }
    }
    values.truncate(kept * dims);
    Ok(())
}

/// `count` of the rows. O(n · count · d).
pub(super) fn parallel(
    rows: &mut dyn Rows,
    count: usize,
    rng: &mut Rng,
    threads: &Threads<'_>,
) -> Result<Vec<usize>> {
    let (all, dims, shared) = (rows.count(), rows.dims(), rows.shared());
    let mut field = Field::new(shared.metric());
    let mut plan = Plan::new(count);
    let (mut taken, mut new) = (Vec::new(), Vec::new());
    while plan.step() != Step::Done {
        let wanted = plan.wanted(0);
        let mut answer = field.ask(rows, &Question { new: &new, wanted }, threads)?;
        new = Vec::new();
        match plan.step() {
            Step::Rows => {
                let before = taken.len();
                without_repeats(&mut answer.values, dims, |row| {
                    let place = rows.place(answer.rows[row] as usize);
                    push(&mut taken, place, "seeding candidates")
                })?;
                new = answer.values;
                for seed in new.chunks_exact_mut(dims) {
                    shared.metric().normalize(seed);
                }
                plan.drawn(taken.len() - before);
            }
            Step::Weights => {
                let weights = answer.weights.iter().map(Amount::value);
                let weights: Vec<f64> = collect(weights, "seeding weights")?;
                let picked = with_rows(rows, &taken, threads, |candidates| {
                    let candidates = (candidates, &weights[..]);
                    pick(candidates, (count, all), &shared, rng, threads)
                })?;
                plan.weighed(picked, &[answer.sum], rng, threads.stopping())?;
            }
            Step::Sum | Step::Done => plan.summed(&[answer.sum], rng)?,
        }
    }
    let mut seeds = plan.seeds(taken.len(), rng)?;
    seeds.iter_mut().for_each(|seed| *seed = taken[*seed]);
    Ok(seeds)
}
