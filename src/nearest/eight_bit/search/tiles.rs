//! Where whole tiles are multiplied, comparing codes costs so little that they decide
//! alone, mostly: what some centroid's score is at least, by its code, is what others have
//! to reach, and distances are computed only of rows for which another one does.

use crate::allocate::{push, resize};
use crate::clusters::UNASSIGNED;
use crate::error::Result;
use crate::kernels::accumulate::prefetch;
use crate::kernels::codes::{CLASSES, Side, Sides, check_hits, products_with};
use crate::nearest::eight_bit::search::top::{MOST, insert};
use crate::nearest::eight_bit::search::{
    Block, CodeScratch, CodeSearch, Leader, PREFETCH, PURPOSE,
};
use crate::nearest::scores::CentroidTerms;

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
            ..
        } = scratch;
        self.set.panels.sweep_tiles(prefix, codes, terms, hits)?;
        let rows = block.labels.len();
        leaders.clear();
        resize(leaders, rows, Leader::unmeasured(UNASSIGNED), PURPOSE)?;
        left.clear();
        resize(left, rows, 0, PURPOSE)?;
        for hit in hits.iter() {
            let i = hit.row as usize;
            left[i] += hit.mask.count_ones();
            leaders[i].label = self.in_slot(hit.slot());
        }
        hits.retain(|hit| left[hit.row as usize] > 1);
        check_hits(hits, &sides, scores, pairs)?;
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
            let low = match has_code(label) {
                true => self.low(row, *label as usize, products[i]),
                false => self.swept_low(row, best[i]),
            };
            (terms.thresholds[i], scores[i]) = self.to_reach(row, low);
        }
        Ok(())
    }

    /// What a bound of the sweep has to reach, and what any other one, where so many
    /// centroids as are wanted have a score of at least `low`.
    fn to_reach(&self, row: &Side, low: f64) -> (f32, f32) {
        let (over, over_size) = self.over(row);
        let score = low - 2.0 * self.affine.row_bound(f64::from(row.norm)).constant;
        let threshold = score - over - 1e-6 * (over_size + score.abs());
        // Above −∞, which is the score of a slot without a centroid.
        let threshold = (threshold as f32).max(f32::MIN);
        (threshold, (score - 1e-6 * score.abs()) as f32)
    }

    /// A lower bound of a score, given one that a sweep found.
    fn swept_low(&self, row: &Side, low: f32) -> f64 {
        let (over, over_size) = self.over(row);
        f64::from(low) - over - 1e-6 * (over_size + f64::from(low.abs()))
    }

    /// Leaves each row's nearest centroids, among others, in `ranked`: a sweep for what the
    /// best of each class reach, one for all that reach as much.
    pub(super) fn search_top_tiles(
        &self,
        block: Block<'_>,
        scratch: &mut CodeScratch,
    ) -> Result<()> {
        let (count, codes) = (self.count, self.codes(block));
        let (prefix, sides) = (&self.prefix.terms, self.sides(block));
        self.row_terms(block, codes, &mut scratch.terms)?;
        let CodeScratch {
            terms,
            scores,
            hits,
            pairs,
            bounds,
            ranked,
            reached,
            ..
        } = scratch;
        let panels = &self.set.panels;
        panels.classes_of_tiles(prefix, codes, terms, bounds)?;
        let rows = block.labels.len();
        if ranked.len() < rows {
            resize(ranked, rows, Vec::new(), PURPOSE)?;
        }
        resize(reached, rows, [0.0; MOST], PURPOSE)?;
        scores.clear();
        resize(scores, rows, f32::INFINITY, PURPOSE)?;
        for (i, lows) in bounds.chunks_exact(CLASSES).enumerate() {
            let (row, best, ranked) = (&sides.rows[i], &mut reached[i][..count], &mut ranked[i]);
            ranked.clear();
            best.fill(f64::NEG_INFINITY);
            lows.iter().for_each(|&low| insert(best, f64::from(low)));
            let low = best[count - 1];
            if row.unit <= 0.0 || low == f64::NEG_INFINITY {
                self.rank_all(&self.row(block, i), ranked)?;
                continue;
            }
            let low = self.swept_low(row, low as f32);
            (terms.thresholds[i], scores[i]) = self.to_reach(row, low);
            // From now on what those that are measured reach.
            best.fill(f64::from(scores[i]));
            for &j in &self.set.always {
                let value = self.measure(block, i, &self.row(block, i), j).value;
                push(ranked, (value, j), PURPOSE)?;
            }
        }
        panels.sweep_tiles(prefix, codes, terms, hits)?;
        check_hits(hits, &sides, scores, pairs)?;
        for (p, pair) in pairs.iter().enumerate() {
            if let Some(ahead) = pairs.get(p + PREFETCH) {
                prefetch(self.centroids.row(ahead.centroid as usize));
            }
            let (i, j) = (pair.row as usize, pair.centroid);
            let (best, row) = (&mut reached[i][..count], self.row(block, i));
            let score = best[count - 1];
            if f64::from(pair.bound) >= score
                && self.float_bound(&row, sides.rows[i].norm, j as usize) >= score
            {
                let member = self.measure(block, i, &row, j);
                insert(best, member.score);
                push(&mut ranked[i], (member.value, j), PURPOSE)?;
            }
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
