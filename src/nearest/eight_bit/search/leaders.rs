//! The best centroid of a row so far: which one a search sets out with, what
//! others must reach, and whether one is better.

use crate::allocate::{extend, push, resize};
use crate::error::Result;
use crate::kernels::codes::scores::Guess;
use crate::kernels::codes::{CodeRows, about, sum_codes};
use crate::nearest::brute_force::nearest_of;
use crate::nearest::eight_bit::codes::Rest;
use crate::nearest::eight_bit::search::{Block, CodeScratch, CodeSearch, Leader, PURPOSE};
use crate::nearest::scores::{CentroidTerms, RowBound};
use crate::nearest::vectors::Row;

impl CodeSearch<'_> {
    /// Fills in what the sweep needs of the rows, with thresholds that nothing
    /// reaches.
    pub(super) fn row_terms(
        &self,
        block: Block<'_>,
        codes: &[i8],
        terms: &mut CodeRows,
    ) -> Result<()> {
        let (leading, prefixes, at) = (
            self.coder.leading,
            self.coder.prefixes(),
            self.prefix.count - 1,
        );
        let rows = block.at..block.at + block.labels.len();
        let swept = self.prefix.terms.dims;
        terms.starts.clear();
        if self.coder.products.in_tiles() {
            terms.fill_last(codes, leading)?;
        } else {
            let isa = self.kernels.isa();
            let offset = about(isa).offset;
            let sums = codes
                .chunks_exact(leading)
                .map(|code| sum_codes(isa, &code[..swept]));
            extend(&mut terms.starts, sums.map(|sum| -offset * sum), PURPOSE)?;
        }
        terms.units.clear();
        let sides = block.codes.sides[rows.clone()].iter();
        extend(&mut terms.units, sides.map(|side| side.unit), PURPOSE)?;
        terms.tails.clear();
        let tails = rows.map(|i| block.codes.rests[i * prefixes + at].tail);
        extend(&mut terms.tails, tails, PURPOSE)?;
        let count = block.labels.len();
        terms.own.clear();
        resize(&mut terms.own, count, u32::MAX, PURPOSE)?;
        terms.thresholds.clear();
        resize(&mut terms.thresholds, count, f32::INFINITY, PURPOSE)
    }

    /// Sets out with the centroid that each row belonged to, or a guess; sets
    /// the thresholds and scores that others have to reach.
    pub(super) fn first_leaders(
        &self,
        block: Block<'_>,
        codes: &[i8],
        scratch: &mut CodeScratch,
    ) -> Result<()> {
        let CodeScratch {
            terms,
            scores,
            guesses,
            bounds,
            leaders,
            settled,
            ..
        } = scratch;
        if !self.all_known(block.labels) {
            let prefix = &self.prefix.terms;
            self.set
                .panels
                .score_all(prefix, codes, terms, guesses, bounds)?;
        }
        leaders.clear();
        scores.clear();
        for (i, &label) in block.labels.iter().enumerate() {
            if settled[i].is_finite() {
                push(scores, f32::INFINITY, PURPOSE)?;
                push(leaders, Leader::unmeasured(label), PURPOSE)?;
                continue;
            }
            let row = self.row(block, i);
            let coded = terms.units[i] > 0.0;
            let label = if !coded {
                self.without_code(&row)
            } else if self.is_known(label) {
                label
            } else {
                self.in_slot(best_guess(&guesses[i]))
            };
            let leader = self.measure(block, i, &row, label);
            if coded {
                terms.thresholds[i] = self.threshold(block, i, leader.score);
                terms.own[i] = self.set.slots[leader.label as usize];
            }
            let score = (leader.score - 1e-6 * leader.score.abs()) as f32;
            push(scores, score, PURPOSE)?;
            push(leaders, leader, PURPOSE)?;
        }
        Ok(())
    }

    pub(super) fn in_slot(&self, slot: u32) -> u32 {
        self.set.order[(slot as usize).min(self.set.order.len() - 1)]
    }

    /// The label of a row that float32 can't hold, or of a zero row.
    pub(super) fn without_code(&self, row: &Row<'_>) -> u32 {
        if row.inverse_norm() == 0.0 {
            self.set.zero_label
        } else {
            nearest_of(row, self.centroids, 0..self.centroids.len() as u32)
        }
    }

    pub(super) fn distance(&self, row: &Row<'_>, j: u32) -> f64 {
        row.distance_to(&Row {
            values: self.centroids.row(j as usize),
            metric: self.affine.metric,
            inverse_norm: self.set.inverse_norms[j as usize],
        })
    }

    /// Centroid j as a leader.
    pub(super) fn measure(&self, block: Block<'_>, i: usize, row: &Row<'_>, j: u32) -> Leader {
        let distance = self.distance(row, j);
        let value = distance + self.centroids.bias(j as usize);
        let base = block.codes.bases[block.at + i];
        let score = base - self.affine.score_per_distance() * value;
        let price = self.affine.score_per_distance() * self.centroids.bias(j as usize);
        Leader {
            label: j,
            distance: Some(distance),
            value,
            score: score - self.affine.score_slack(base + price.abs(), score),
        }
    }

    pub(super) fn challenge(
        &self,
        block: Block<'_>,
        i: usize,
        row: &Row<'_>,
        j: u32,
        leader: &mut Leader,
    ) {
        let rival = self.measure(block, i, row, j);
        if (rival.value, rival.label) < (leader.value, leader.label) {
            *leader = rival;
        }
    }

    /// What the sweep compares the row's bounds with.
    pub(super) fn threshold(&self, block: Block<'_>, i: usize, score: f64) -> f32 {
        let (prefixes, at) = (self.coder.prefixes(), self.prefix.count - 1);
        let norm = f64::from(block.codes.sides[block.at + i].norm);
        let Rest { residual, tail } = block.codes.rests[(block.at + i) * prefixes + at];
        let residual = f64::from(residual);
        let residuals = self.prefix.residual.most_over(residual);
        let leadings = self
            .prefix
            .leading
            .most_over(self.coder.leading_norm(norm, tail) + residual);
        let cross = self.prefix.cross.most_over(norm);
        let tails = self.prefix.tail.most_over(f64::from(tail));
        let size = residuals.abs() + leadings.abs() + cross.abs() + tails.abs() + score.abs();
        let threshold = score - residuals - leadings - cross - tails - 1e-6 * size;
        // Above −∞, which is the score of a slot without a centroid.
        (threshold as f32).max(f32::MIN)
    }

    /// An upper bound of the score by float32 arithmetic in all dimensions.
    pub(super) fn float_bound(&self, row: &Row<'_>, norm: f32, j: usize) -> f64 {
        let dims = row.values.len();
        let v = &self.set.values[j * dims..][..dims];
        let scale = self.affine.row_scale(row).unwrap_or(0.0);
        let product = self
            .kernels
            .pair(row.values, scale, &self.affine.scaled_centre, v);
        let CentroidTerms {
            offset,
            norm: v_norm,
            error,
        } = self.set.terms[j];
        let RowBound { slope, constant } = self.affine.row_bound(f64::from(norm));
        f64::from(product) + offset + slope * v_norm + constant + error
    }
}

/// The slot of the greatest score.
fn best_guess(guess: &Guess) -> u32 {
    let pairs = guess.scores.iter().zip(guess.slots);
    let best = pairs.reduce(|best, pair| if pair.0 > best.0 { pair } else { best });
    best.map_or(0, |(_, slot)| slot)
}
