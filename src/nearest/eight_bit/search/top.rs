//! The nearest few centroids of every row by 8-bit codes.
//!
//! A sweep keeps the scores of all centroids and names a good one in each of
//! [`CLASSES`] classes. The canonical distances of the best of those give the
//! score that a further one must reach; the scores tell which may, and canonical
//! distances rank them.

use crate::allocate::{extend, push, resize};
use crate::clusters::UNASSIGNED;
use crate::error::Result;
use crate::kernels::accumulate::prefetch;
use crate::kernels::codes::scores::Guess;
use crate::kernels::codes::{CLASSES, check_hits};
use crate::nearest::brute_force::keep_least;
use crate::nearest::eight_bit::search::{Block, CodeScratch, CodeSearch, PURPOSE};
use crate::nearest::vectors::Row;

/// More centroids than this a row are left to float32: the threshold that
/// [`CLASSES`] guesses give becomes too low.
pub(in crate::nearest) const MOST: usize = CLASSES / 2;

impl CodeSearch<'_> {
    /// Calls `found` with each row's number in `values` and its
    /// nearest centroids, with their distances and bias, nearest first.
    /// `first` is the number of the first row among all.
    pub fn top(
        &self,
        first: usize,
        values: &[f32],
        scratch: &mut CodeScratch,
        mut found: impl FnMut(usize, &[(f64, u32)]),
    ) -> Result<()> {
        let mut unassigned = std::mem::take(&mut scratch.unassigned);
        let rows = values.len() / self.centroids.dims;
        resize(&mut unassigned, rows, UNASSIGNED, PURPOSE)?;
        self.for_blocks(
            first,
            values,
            &unassigned,
            scratch,
            |number, block, scratch| {
                let rows = block.labels.len();
                self.search_top(block, scratch)?;
                for (i, ranked) in scratch.ranked[..rows].iter_mut().enumerate() {
                    keep_least(ranked, self.count);
                    found(number + i, ranked);
                }
                Ok(())
            },
        )?;
        scratch.unassigned = unassigned;
        Ok(())
    }

    /// Leaves each row's nearest centroids, among others, in `ranked`.
    pub(super) fn search_top(&self, block: Block<'_>, scratch: &mut CodeScratch) -> Result<()> {
        if self.coder.products.in_tiles() {
            return self.search_top_tiles(block, scratch);
        }
        let (count, codes) = (self.count, self.codes(block));
        let CodeScratch {
            terms,
            scores,
            hits,
            pairs,
            guesses,
            bounds,
            ranked,
            reached,
            ..
        } = scratch;
        self.row_terms(block, codes, terms)?;
        let prefix = &self.prefix.terms;
        self.set
            .panels
            .score_all(prefix, codes, terms, guesses, bounds)?;
        scores.clear();
        if ranked.len() < block.labels.len() {
            resize(ranked, block.labels.len(), Vec::new(), PURPOSE)?;
        }
        resize(reached, block.labels.len(), [0.0; MOST], PURPOSE)?;
        for (i, (guess, ranked)) in guesses.iter().zip(ranked.iter_mut()).enumerate() {
            let row = self.row(block, i);
            ranked.clear();
            let mut good = [0; MOST];
            let good = &mut good[..count];
            if terms.units[i] <= 0.0 || !best_guesses(guess, good) {
                self.rank_all(&row, ranked)?;
                push(scores, f32::INFINITY, PURPOSE)?;
                continue;
            }
            for &guess in good.iter().skip(1) {
                prefetch(self.centroids.row(self.in_slot(guess as u32) as usize));
            }
            let best = &mut reached[i][..count];
            best.fill(f64::NEG_INFINITY);
            for &guess in good.iter() {
                let j = self.in_slot(guess as u32);
                let member = self.measure(block, i, &row, j);
                insert(best, member.score);
                push(ranked, (member.value, member.label), PURPOSE)?;
            }
            let score = best[count - 1];
            terms.thresholds[i] = self.threshold(block, i, score);
            push(scores, (score - 1e-6 * score.abs()) as f32, PURPOSE)?;
            for &j in &self.set.always {
                let value = self.measure(block, i, &row, j).value;
                push(ranked, (value, j), PURPOSE)?;
            }
        }
        self.set.panels.reached(terms, bounds, hits)?;
        let sides = self.sides(block);
        check_hits(hits, &sides, scores, pairs)?;
        for pair in pairs.iter() {
            let (i, j) = (pair.row as usize, pair.centroid);
            let score = reached[i][count - 1];
            let guessed = ranked[i][..count].iter().any(|&(_, label)| label == j);
            if guessed || f64::from(pair.bound) < score {
                continue;
            }
            let row = self.row(block, i);
            if self.float_bound(&row, sides.rows[i].norm, j as usize) >= score {
                let rival = self.measure(block, i, &row, j);
                insert(&mut reached[i][..count], rival.score);
                push(&mut ranked[i], (rival.value, j), PURPOSE)?;
            }
        }
        Ok(())
    }

    /// All centroids, for a row without a code or with too few guesses.
    pub(super) fn rank_all(&self, row: &Row<'_>, ranked: &mut Vec<(f64, u32)>) -> Result<()> {
        let all = (0..self.centroids.len()).map(|j| {
            let distance = row.distance(self.centroids.row(j));
            (distance + self.centroids.bias(j), j as u32)
        });
        extend(ranked, all, PURPOSE)
    }
}

/// The slots of the greatest scores, greatest first, in `good`; `false` if not
/// so many classes have a centroid.
fn best_guesses(guess: &Guess, good: &mut [u64]) -> bool {
    good.fill(0);
    for (&score, &slot) in guess.scores.iter().zip(&guess.slots) {
        let mut ranked = u64::from(rank(score)) << 32 | u64::from(slot);
        for place in good.iter_mut() {
            (*place, ranked) = (ranked.max(*place), ranked.min(*place));
        }
    }
    good.iter()
        .all(|&ranked| ranked >> 32 > u64::from(rank(f32::NEG_INFINITY)))
}

/// A number that is the greater the greater the score.
fn rank(score: f32) -> u32 {
    let bits = score.to_bits();
    bits ^ if bits >> 31 == 1 { !0 } else { 1 << 31 }
}

/// Puts a value in its place among the greatest so far, which are in order.
pub(super) fn insert(greatest: &mut [f64], mut value: f64) {
    for place in greatest {
        if value > *place {
            std::mem::swap(place, &mut value);
        }
    }
}
