//! Where whole tiles are multiplied, comparing codes costs so little that they decide
//! alone, mostly: what some centroid's score is at least, by its code, is what others have
//! to reach, and distances are computed only of rows for which another one does.

use crate::allocate::resize;
use crate::clusters::UNASSIGNED;
use crate::error::Result;
use crate::kernels::codes::{Side, Sides, check_hits, products_with};
use crate::nearest::eight_bit::search::{Block, CodeScratch, CodeSearch, Leader, PURPOSE};
use crate::nearest::scores::CentroidTerms;

/// Nothing of it is known, and nothing needs to be.
const UNMEASURED: Leader = Leader {
    label: UNASSIGNED,
    distance: None,
    value: f64::NAN,
    score: f64::INFINITY,
};

impl CodeSearch<'_> {
    /// Finds each row's nearest centroid and leaves it in `leaders`.
    pub(super) fn search_tiles(&self, block: Block<'_>, scratch: &mut CodeScratch) -> Result<()> {
        let codes = self.codes(block);
        let (prefix, sides) = (&self.prefix.terms, self.sides(block));
        self.row_terms(block, codes, &mut scratch.terms)?;
        self.find_thresholds(block, codes, &sides, scratch)?;
        let CodeScratch {
            terms,
            scores,
            hits,
            pairs,
            leaders,
            best,
            left,
            passed,
            ..
        } = scratch;
        self.set.panels.sweep_tiles(prefix, codes, terms, hits)?;
        let rows = block.labels.len();
        leaders.clear();
        resize(leaders, rows, UNMEASURED, PURPOSE)?;
        left.clear();
        resize(left, rows, 0, PURPOSE)?;
        for hit in hits.iter() {
            let i = hit.row as usize;
            left[i] += hit.mask.count_ones();
            leaders[i].label = self.in_slot(hit.slot());
        }
        hits.retain(|hit| left[hit.row as usize] > 1);
        passed[0] += check_hits(hits, &sides, scores, pairs)?;
        best.fill(f32::NEG_INFINITY);
        for hit in hits.iter() {
            left[hit.row as usize] = 0;
        }
        for pair in pairs.iter() {
            let i = pair.row as usize;
            left[i] += 1;
            if pair.bound > best[i] {
                (best[i], leaders[i].label) = (pair.bound, pair.centroid);
            }
        }
        for (i, leader) in leaders.iter_mut().enumerate() {
            if left[i] == 1 {
                continue;
            }
            let row = self.row(block, i);
            let label = match left[i] {
                // Without a code; with one, something is left.
                0 => self.without_code(&row),
                _ => leader.label,
            };
            *leader = self.measure(block, i, &row, label);
            passed[1] += left[i].saturating_sub(1) as usize;
            passed[2] += 1;
        }
        self.decide(block, &sides, scratch);
        Ok(())
    }

    /// Sets what others have to reach: by the code of the centroid that a row belonged to, or
    /// of the best by codes.
    fn find_thresholds(
        &self,
        block: Block<'_>,
        codes: &[i8],
        sides: &Sides<'_>,
        scratch: &mut CodeScratch,
    ) -> Result<()> {
        let CodeScratch {
            terms,
            scores,
            bounds,
            products,
            best,
            ..
        } = scratch;
        let has_code = |&j: &u32| {
            let side = self.set.sides.get(j as usize);
            side.is_some_and(|side| side.start > f32::NEG_INFINITY)
        };
        resize(best, block.labels.len(), 0.0, PURPOSE)?;
        if !block.labels.iter().all(has_code) {
            let (panels, prefix) = (&self.set.panels, &self.prefix.terms);
            panels.best_of_tiles(prefix, codes, terms, (bounds, best))?;
        }
        products_with(block.labels, sides, products)?;
        scores.clear();
        resize(scores, block.labels.len(), f32::INFINITY, PURPOSE)?;
        for (i, label) in block.labels.iter().enumerate() {
            let row = &sides.rows[i];
            if row.unit <= 0.0 {
                continue;
            }
            let (over, over_size) = self.over(row);
            let low = match has_code(label) {
                true => self.low(row, *label as usize, products[i]),
                false => f64::from(best[i]) - over - 1e-6 * (over_size + best[i].abs() as f64),
            };
            let score = low - 2.0 * self.affine.row_bound(f64::from(row.norm)).constant;
            let threshold = score - over - 1e-6 * (over_size + score.abs());
            // Above −∞, which is the score of a slot without a centroid.
            terms.thresholds[i] = (threshold as f32).max(f32::MIN);
            scores[i] = (score - 1e-6 * score.abs()) as f32;
        }
        Ok(())
    }

    /// By how much the error of a row's scores may exceed what is folded into the constants
    /// of the centroids, and the sum of the magnitudes that this is made of.
    fn over(&self, row: &Side) -> (f64, f64) {
        let prefix = &self.prefix;
        let [residual, leading, tail, norm] =
            [row.residual, row.leading, row.tail, row.norm].map(f64::from);
        let parts = [
            prefix.residual.most_over(residual),
            prefix.leading.most_over(leading + residual),
            prefix.tail.most_over(tail),
            prefix.cross.most_over(norm),
        ];
        (parts.iter().sum(), parts.map(f64::abs).iter().sum())
    }

    /// A lower bound of the score of centroid j, which has a code, given the product of
    /// the codes.
    fn low(&self, row: &Side, j: usize, product: i32) -> f64 {
        let centroid = &self.set.sides[j];
        let error = row.residual * centroid.leading
            + (row.leading + row.residual) * centroid.residual
            + row.tail * centroid.tail
            + row.norm * centroid.norm;
        let unit = f64::from(row.unit) * f64::from(centroid.unit);
        unit * f64::from(product) + self.low_start(j) - 1.00001 * f64::from(error)
    }

    /// What a lower bound of the score of centroid j is made of beside the product.
    pub(super) fn low_start(&self, j: usize) -> f64 {
        let CentroidTerms { offset, error, .. } = self.set.terms[j];
        offset - error - 1e-6 * offset.abs()
    }
}
