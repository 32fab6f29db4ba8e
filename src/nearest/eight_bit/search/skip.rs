//! Sweeps only where distance bounds leave a row's nearest centroid open.

use crate::allocate::{push, resize};
use crate::error::Result;
use crate::kernels::codes::bounded::Group;
use crate::nearest::eight_bit::bounds::{RowBounds, STEPS, WITHIN, steps};
use crate::nearest::eight_bit::search::{Block, CodeScratch, CodeSearch, PURPOSE};

impl CodeSearch<'_> {
    /// Whether bounds hold: all centroids are compared, and scores are
    /// distances.
    pub fn can_bound(&self) -> bool {
        let all = self.set.sides.iter().all(|side| side.start.is_finite());
        let zero = self.set.inverse_norms.contains(&0.0);
        all && !zero && self.count == 1 && self.centroids.bias.is_none()
    }

    /// Marks the rows that need not be looked at, where bounds tell.
    pub(super) fn find_settled(
        &self,
        block: Block<'_>,
        bounds: &mut Option<(&mut RowBounds<'_>, usize)>,
        settled: &mut Vec<f32>,
    ) -> Result<()> {
        let count = block.labels.len();
        match bounds {
            Some((bounds, first)) => {
                let labels = (block.labels, &self.set.slots[..]);
                bounds.mark_settled(*first..*first + count, labels, settled)
            }
            None => {
                settled.clear();
                resize(settled, count, f32::INFINITY, PURPOSE)
            }
        }
    }

    /// Finds the hits of the groups that are near, and renews their bounds.
    /// `first` is the number of the block's first row among the bounds'.
    pub(super) fn sweep_bounded(
        &self,
        block: Block<'_>,
        codes: &[i8],
        (bounds, first): (&mut RowBounds<'_>, usize),
        scratch: &mut CodeScratch,
    ) -> Result<()> {
        let CodeScratch {
            terms,
            hits,
            leaders,
            settled,
            reaches,
            ..
        } = scratch;
        reaches.reaches.clear();
        reaches.offsets.clear();
        for (i, leader) in leaders.iter().enumerate() {
            if settled[i].is_finite() || terms.units[i] <= 0.0 {
                push(&mut reaches.reaches, f32::NEG_INFINITY, PURPOSE)?;
                push(&mut reaches.offsets, 0.0, PURPOSE)?;
                continue;
            }
            let base = block.codes.bases[block.at + i];
            let square = 2.0 * (base - leader.score);
            // So that rounding is paid for wherever the centroid moves while it is within
            // reach of bounds.
            let slack = self.affine.score_slack(base, base + WITHIN * WITHIN);
            let most = (square + 8.0 * slack).max(0.0).sqrt();
            bounds.set_own(first + i, terms.own[i], most);
            let reach = steps(square.max(0.0).sqrt());
            push(&mut reaches.reaches, reach, PURPOSE)?;
            // What the sweep leaves out of a score is in the threshold.
            let left_out = leader.score - f64::from(terms.thresholds[i]);
            let slack = self.affine.score_slack(base, leader.score);
            let offset = base - left_out - slack;
            let offset = (offset - 1e-6 * offset.abs()) as f32;
            push(&mut reaches.offsets, offset, PURPOSE)?;
        }
        hits.clear();
        for panel in 0..bounds.groups() {
            let rows = first..first + leaders.len();
            let (moved, bounds) = bounds.group(panel, rows);
            let group = Group {
                panel,
                moved,
                bounds,
            };
            let prefix = &self.prefix.terms;
            self.set.panels.sweep_bounded(
                prefix,
                codes,
                terms,
                reaches,
                (group, STEPS as f32),
                hits,
            )?;
        }
        Ok(())
    }
}
