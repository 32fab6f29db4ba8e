//! The 8-bit engine: codes rule out nearly all centroids by a proven bound;
//! canonical distances decide the rest.
//!
//! For each row, the canonical distance to the centroid it belonged to before
//! gives the score to beat. A sweep over all centroids compares the first
//! dimensions of the codes; a look at the whole codes, float32 and at last
//! float64 arithmetic follow for the ever fewer pairs that pass.

mod centroids;
mod leaders;
pub(in crate::nearest) mod setup;
mod skip;
mod tiles;
pub(in crate::nearest) mod top;

use crate::error::Result;
use crate::kernels::accumulate::prefetch;
use crate::kernels::aligned::Aligned;
use crate::kernels::cache::level_2;
use crate::kernels::codes::bounded::Reaches;
use crate::kernels::codes::scores::Guess;
use crate::kernels::codes::{
    CodePanels, CodeRows, Hit, Pair, ROWS, Side, Sides, about, check_hits,
};
use crate::kernels::tile::Kernels;
use crate::nearest::eight_bit::bounds::RowBounds;
use crate::nearest::eight_bit::codes::{Buffers, Coder, Rest, RowCodes};
use crate::nearest::eight_bit::depth::{NEIGHBOURS, Prefix};
use crate::nearest::scores::{AffineMap, CentroidTerms};
use crate::nearest::vectors::{Centroids, Row};
use crate::points::Points;

/// Pairs between fetching a centroid and needing it.
const PREFETCH: usize = 3;

const PURPOSE: &str = "a search in 8 bits";

/// Where the codes of the rows come from.
#[derive(Clone, Copy)]
pub(in crate::nearest) enum Source<'a> {
    /// Codes of all rows.
    Kept(&'a RowCodes),
    /// Made for each block of rows, and forgotten.
    Made,
}

/// What is searched for.
#[derive(Clone, Copy)]
pub(in crate::nearest) struct Query<'q, 'a> {
    pub points: &'q Points<'q>,
    pub affine: &'a AffineMap,
    pub centroids: Centroids<'a>,
    /// What the rows belonged to before.
    pub labels: &'q [u32],
    /// How to lay out the centroids.
    pub order: Option<&'q [u32]>,
    /// Centroids wanted for each row. Where one is, all but the first of
    /// identical centroids are left out.
    pub count: usize,
    pub kernels: Kernels,
}

pub(in crate::nearest) struct CodeSearch<'a> {
    /// Centroids wanted for each row.
    count: usize,
    affine: &'a AffineMap,
    coder: &'a Coder,
    source: Source<'a>,
    centroids: Centroids<'a>,
    kernels: Kernels,
    set: &'a CodedCentroids,
    prefix: &'a Prefix,
}

/// Centroids in 8 bits and in float32, with what bounds their scores.
#[derive(Default)]
pub(in crate::nearest) struct CodedCentroids {
    /// The centroid in each slot of the panels.
    order: Vec<u32>,
    /// The slot of each.
    slots: Vec<u32>,
    panels: CodePanels,
    /// k × leading, offset as in the panels.
    codes: Vec<u8>,
    /// A start of −∞ marks a centroid that is left out.
    sides: Vec<Side>,
    /// k × prefixes.
    rests: Vec<Rest>,
    /// k × dims: v, for float32 scores, with their terms.
    values: Vec<f32>,
    terms: Vec<CentroidTerms>,
    /// 1 / ‖c‖, for distances; 1 unless the metric is cosine.
    inverse_norms: Vec<f64>,
    /// Centroids too far for float32.
    always: Vec<u32>,
    zero_label: u32,
}

/// A worker's buffers.
#[derive(Default)]
pub(in crate::nearest) struct CodeScratch {
    made: RowCodes,
    scales: Vec<f32>,
    buffers: Buffers,
    terms: CodeRows,
    scores: Vec<f32>,
    hits: Vec<Hit>,
    pairs: Vec<Pair>,
    guesses: Vec<Guess>,
    bounds: Aligned<f32>,
    leaders: Vec<Leader>,
    /// Of each row: a number if it need not be looked at, else infinity.
    settled: Vec<f32>,
    reaches: Reaches,
    unassigned: Vec<u32>,
    ranked: Vec<Vec<(f64, u32)>>,
    /// Lower bounds of the scores of each row's best centroids, best first.
    reached: Vec<[f64; top::MOST]>,
    /// Of codes, where whole tiles are multiplied: of each row with one centroid; the
    /// best bound of each row, and how many centroids are left to it.
    products: Vec<i32>,
    best: Vec<f32>,
    left: Vec<u32>,
}

/// The best centroid of a row so far.
#[derive(Clone, Copy)]
struct Leader {
    label: u32,
    /// If it was computed.
    distance: Option<f64>,
    /// With bias.
    value: f64,
    /// A lower bound of its score, so what others must reach.
    score: f64,
}

impl Leader {
    /// Nothing else of it is known, and nothing needs to be.
    fn unmeasured(label: u32) -> Self {
        Leader {
            label,
            distance: None,
            value: f64::NAN,
            score: f64::INFINITY,
        }
    }
}

/// Rows under search: the codes from `at` on are theirs.
#[derive(Clone, Copy)]
struct Block<'b> {
    codes: &'b RowCodes,
    at: usize,
    values: &'b [f32],
    labels: &'b [u32],
}

impl<'a> CodeSearch<'a> {
    /// Calls `found` with each row's number in the block, its nearest centroid, and what
    /// tells the distance. `first` is the number of the first row
    /// among all, `labels` says what the rows belonged to before.
    pub fn assign(
        &self,
        first: usize,
        values: &[f32],
        labels: &[u32],
        mut bounds: Option<RowBounds<'_>>,
        scratch: &mut CodeScratch,
        mut found: impl FnMut(usize, u32, &dyn Fn() -> f64),
    ) -> Result<()> {
        self.for_blocks(first, values, labels, scratch, |number, block, scratch| {
            let bounds = bounds.as_mut().map(|bounds| (bounds, number));
            self.search(block, bounds, scratch)?;
            for (i, leader) in scratch.leaders.iter().enumerate() {
                let distance = || match leader.distance {
                    Some(distance) => distance,
                    None => self.distance(&self.row(block, i), leader.label),
                };
                found(number + i, leader.label, &distance);
            }
            Ok(())
        })
    }

    /// Calls `visit` with the number of its first row in `values`, and a
    /// block, for one block after the other.
    fn for_blocks(
        &self,
        first: usize,
        values: &[f32],
        labels: &[u32],
        scratch: &mut CodeScratch,
        mut visit: impl FnMut(usize, Block<'_>, &mut CodeScratch) -> Result<()>,
    ) -> Result<()> {
        let (dims, in_tiles) = (self.centroids.dims, self.coder.products.in_tiles());
        let tile = about(self.kernels.isa()).rows;
        let (row_bytes, step) = match in_tiles {
            true => (self.coder.leading, ROWS),
            false if NEIGHBOURS.is_multiple_of(tile) => (4 * dims, NEIGHBOURS),
            false => (4 * dims, NEIGHBOURS * tile),
        };
        // The part of the cache that the rows of a block may have (their codes where tiles
        // are multiplied), or the scores of all centroids where these are kept.
        let part = level_2() / 4;
        let least = step.max(16);
        let mut rows = (part / row_bytes).clamp(least, 512);
        let keeps_scores = !in_tiles || self.count > 1;
        if keeps_scores && !self.all_known(labels) {
            rows = (part / self.set.panels.score_bytes()).clamp(least, rows);
        }
        let rows = rows / step * step;
        let blocks = values.chunks(rows * dims).zip(labels.chunks(rows));
        let mut made = std::mem::take(&mut scratch.made);
        for (number, (values, labels)) in blocks.enumerate() {
            let (codes, at) = match self.source {
                Source::Kept(codes) => (codes, first + number * rows),
                Source::Made => {
                    let CodeScratch {
                        scales, buffers, ..
                    } = scratch;
                    made.set(values, self.affine, self.coder, scales, buffers)?;
                    (&made, 0)
                }
            };
            let block = Block {
                codes,
                at,
                values,
                labels,
            };
            visit(number * rows, block, scratch)?;
        }
        scratch.made = made;
        Ok(())
    }

    /// Finds each row's nearest centroid and leaves it in `leaders`.
    /// With `bounds` goes the number of the block's first row among them.
    fn search(
        &self,
        block: Block<'_>,
        mut bounds: Option<(&mut RowBounds<'_>, usize)>,
        scratch: &mut CodeScratch,
    ) -> Result<()> {
        if self.coder.products.in_tiles() {
            return self.search_tiles(block, scratch);
        }
        let codes = self.codes(block);
        self.row_terms(block, codes, &mut scratch.terms)?;
        self.find_settled(block, &mut bounds, &mut scratch.settled)?;
        self.first_leaders(block, codes, scratch)?;
        match bounds {
            Some(bounds) => self.sweep_bounded(block, codes, bounds, scratch)?,
            None => {
                let CodeScratch {
                    terms,
                    hits,
                    bounds,
                    ..
                } = scratch;
                match self.all_known(block.labels) {
                    true => self
                        .set
                        .panels
                        .sweep(&self.prefix.terms, codes, terms, hits)?,
                    false => self.set.panels.reached(terms, bounds, hits)?,
                }
            }
        }
        let CodeScratch {
            scores,
            hits,
            pairs,
            ..
        } = scratch;
        let sides = self.sides(block);
        check_hits(hits, &sides, scores, pairs)?;
        self.decide(block, &sides, scratch);
        Ok(())
    }

    /// Compares the leaders with the pairs that the codes have let pass.
    fn decide(&self, block: Block<'_>, sides: &Sides<'_>, scratch: &mut CodeScratch) {
        let CodeScratch { pairs, leaders, .. } = scratch;
        for (p, pair) in pairs.iter().enumerate() {
            if let Some(ahead) = pairs.get(p + PREFETCH) {
                let dims = self.centroids.dims;
                prefetch(&self.set.values[ahead.centroid as usize * dims..][..dims]);
            }
            let leader = &mut leaders[pair.row as usize];
            if pair.centroid == leader.label || f64::from(pair.bound) < leader.score {
                continue;
            }
            let row = self.row(block, pair.row as usize);
            let norm = sides.rows[pair.row as usize].norm;
            if self.float_bound(&row, norm, pair.centroid as usize) >= leader.score {
                self.challenge(block, pair.row as usize, &row, pair.centroid, leader);
            }
        }
        if !self.set.always.is_empty() {
            for (i, leader) in leaders.iter_mut().enumerate() {
                let row = self.row(block, i);
                if leader.distance.is_none() {
                    *leader = self.measure(block, i, &row, leader.label);
                }
                for &j in &self.set.always {
                    self.challenge(block, i, &row, j, leader);
                }
            }
        }
    }

    /// What bounds by the whole codes need.
    fn sides<'s>(&'s self, block: Block<'s>) -> Sides<'s> {
        let (at, end, leading) = (block.at, block.at + block.labels.len(), self.coder.leading);
        Sides {
            isa: self.kernels.isa(),
            leading,
            row_codes: self.codes(block),
            rows: &block.codes.sides[at..end],
            centroid_codes: &self.set.codes,
            centroids: &self.set.sides,
            order: &self.set.order,
        }
    }

    fn codes<'b>(&self, block: Block<'b>) -> &'b [i8] {
        let (at, end, leading) = (block.at, block.at + block.labels.len(), self.coder.leading);
        &block.codes.codes[at * leading..end * leading]
    }

    fn row<'b>(&self, block: Block<'b>, i: usize) -> Row<'b> {
        let dims = self.centroids.dims;
        let values = &block.values[i * dims..][..dims];
        block.codes.row(block.at + i, values, self.affine.metric)
    }

    /// Whether a row belonged to one of the centroids before.
    fn is_known(&self, label: u32) -> bool {
        (label as usize) < self.centroids.len()
    }

    fn all_known(&self, labels: &[u32]) -> bool {
        labels.iter().all(|&label| self.is_known(label))
    }
}
