//! The 8-bit engine: codes rule out nearly all centroids by a proven bound;
//! canonical distances decide the rest.
//!
//! For each row, the canonical distance to the centroid it belonged to before
//! gives the score to beat. A sweep over all centroids compares the first
//! dimensions of the codes; a look at the whole codes, float32 and at last
//! float64 arithmetic follow for the ever fewer pairs that pass.

mod centroids;
mod skip;
pub(in crate::nearest) mod top;

use crate::allocate::{extend, push, resize};
use crate::error::Result;
use crate::kernels::accumulate::prefetch;
use crate::kernels::aligned::Aligned;
use crate::kernels::codes::bounded::Reaches;
use crate::kernels::codes::scores::Guess;
use crate::kernels::codes::{
    CodePanels, CodeRows, Hit, Pair, Side, Sides, Terms, check_hits, offset, sum_codes,
};
use crate::kernels::tile::Kernels;
use crate::nearest::brute_force::nearest_of;
use crate::nearest::eight_bit::bounds::RowBounds;
use crate::nearest::eight_bit::codes::{Buffers, Coder, Rest, RowCodes};
use crate::nearest::eight_bit::depth::{Fold, NEIGHBOURS, Prefix, TrialRows, cost};
use crate::nearest::scores::{AffineMap, CentroidTerms, RowBound};
use crate::nearest::vectors::{Centroids, Row};
use crate::points::Points;
use crate::threads::Threads;
use std::ops::Deref;

/// Rows of a block, in bytes of float32, and where the scores of all centroids
/// are kept, in bytes of these.
const BLOCK_BYTES: usize = 256 << 10;
const SCORE_BYTES: usize = 256 << 10;
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
    set: Held<'a, CodedCentroids>,
    prefix: Held<'a, Prefix>,
}

/// Centroids in 8 bits and in float32, with what bounds their scores.
pub(in crate::nearest) struct CodedCentroids {
    /// The centroid in each slot of the panels.
    order: Vec<u32>,
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

/// The search's own, or one that lives longer.
#[allow(clippy::large_enum_variant)] // there is one of it
enum Held<'a, T> {
    Own(T),
    Lent(&'a T),
}

impl<T> Deref for Held<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        match self {
            Held::Own(own) => own,
            Held::Lent(lent) => lent,
        }
    }
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
    reaches: Reaches,
    unassigned: Vec<u32>,
    ranked: Vec<Vec<(f64, u32)>>,
    /// Lower bounds of the scores of each row's best centroids, best first.
    reached: Vec<[f64; top::MOST]>,
    /// Pairs that the sweep, the codes and float32 let pass.
    passed: [usize; 3],
}

/// The best centroid of a row so far.
#[derive(Clone, Copy)]
struct Leader {
    label: u32,
    distance: f64,
    /// With bias.
    value: f64,
    /// A lower bound of its score, so what others must reach.
    score: f64,
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
    /// With what a row will likely cost.
    pub fn new(
        query: Query<'_, 'a>,
        (coder, source): (&'a Coder, Source<'a>),
        threads: &Threads<'_>,
    ) -> Result<(Self, f64)> {
        let Query {
            points,
            affine,
            centroids,
            labels,
            count,
            kernels,
            ..
        } = query;
        let mut search = CodeSearch {
            count,
            affine,
            coder,
            source,
            centroids,
            kernels,
            set: Held::Own(CodedCentroids::new(query, coder, threads)?),
            prefix: Held::Own(Prefix::default()),
        };
        let sample = TrialRows::new(points, affine, coder, labels)?;
        // The most prefixes first: where those are bad, the others cost much
        // to try.
        let mut best = (f64::INFINITY, 1);
        for prefixes in (1..=coder.prefixes()).rev() {
            search.sweep_prefix(prefixes, &sample)?;
            let cost = search.cost(&sample)?;
            if cost < best.0 {
                best = (cost, prefixes);
            } else if cost > 1.3 * best.0 {
                break;
            }
        }
        search.sweep_prefix(best.1, &sample)?;
        Ok((search, best.0))
    }

    /// Of centroids that were encoded before, and are the same; rows are encoded
    /// block by block.
    pub fn of_kept(
        (set, prefix): (&'a CodedCentroids, &'a Prefix),
        (affine, coder, kernels): (&'a AffineMap, &'a Coder, Kernels),
        centroids: Centroids<'a>,
        count: usize,
    ) -> Self {
        CodeSearch {
            count,
            affine,
            coder,
            source: Source::Made,
            centroids,
            kernels,
            set: Held::Lent(set),
            prefix: Held::Lent(prefix),
        }
    }

    /// What other searches among the same centroids can use.
    pub fn into_kept(self) -> Option<(CodedCentroids, Prefix)> {
        match (self.set, self.prefix) {
            (Held::Own(set), Held::Own(prefix)) => Some((set, prefix)),
            _ => None,
        }
    }

    /// Cycles a row takes with float32 tiles.
    pub fn tile_cost(centroids: Centroids<'_>, kernels: Kernels) -> f64 {
        cost::tile(kernels.isa()) * centroids.values.len() as f64
    }

    /// Cycles that a row takes at least with these codes, made for each block.
    pub fn least_cost(coder: &Coder, centroids: Centroids<'_>) -> f64 {
        let sweep = cost::sweep(coder.isa(), coder.leading);
        let exact = cost::EXACT + cost::EXACT_PER_DIM * centroids.dims as f64;
        centroids.len() as f64 * sweep + cost::ENCODE_PER_DIM * centroids.dims as f64 + exact
    }

    /// Readies sweeps over the first `count` prefixes.
    fn sweep_prefix(&mut self, count: usize, sample: &TrialRows) -> Result<()> {
        let (coder, prefixes, at) = (self.coder, self.coder.prefixes(), count - 1);
        let padded = self.set.panels.units.len();
        let row_rest = |i: usize| sample.codes.rests[i * prefixes + at];
        let row_leading = |i: usize| {
            let norm = f64::from(sample.codes.sides[i].norm);
            coder.leading_norm(norm, row_rest(i).tail) + f64::from(row_rest(i).residual)
        };
        let used =
            || (0..self.set.sides.len()).filter(|&j| self.set.sides[j].start > f32::NEG_INFINITY);
        let rest = |j: usize| self.set.rests[j * prefixes + at];
        let leading =
            |j: usize| 1.00001 * coder.leading_norm(self.set.terms[j].norm * 1.0001, rest(j).tail);
        let residual = |j: usize| f64::from(rest(j).residual);
        let cross = |j: usize| f64::from(self.set.sides[j].norm);
        let mean_residual = sample.mean(|i| f64::from(row_rest(i).residual));
        let mean_leading = sample.mean(row_leading);
        let mean_norm = sample.mean(|i| f64::from(sample.codes.sides[i].norm));
        let mut starts = Aligned::new(f32::NEG_INFINITY, padded, "centroid bounds")?;
        let mut tails = Aligned::new(0.0f32, padded, "centroid bounds")?;
        for (slot, &j) in self.set.order.iter().enumerate() {
            let j = j as usize;
            if self.set.sides[j].start == f32::NEG_INFINITY {
                continue;
            }
            let error =
                mean_residual * leading(j) + mean_leading * residual(j) + mean_norm * cross(j);
            let start = f64::from(self.set.sides[j].start);
            starts[slot] = (start + error + 1e-6 * (start.abs() + error)) as f32;
            tails[slot] = 1.00001 * rest(j).tail;
        }
        self.prefix = Held::Own(Prefix {
            count,
            residual: Fold::new(mean_residual, used().map(leading)),
            leading: Fold::new(mean_leading, used().map(residual)),
            cross: Fold::new(mean_norm, used().map(cross)),
            terms: Terms {
                dims: count * coder.prefix,
                starts,
                tails,
            },
        });
        Ok(())
    }

    /// Cycles a row takes, by the pairs of the sample that pass.
    fn cost(&self, sample: &TrialRows) -> Result<f64> {
        let mut scratch = CodeScratch::default();
        let block = Block {
            codes: &sample.codes,
            at: 0,
            values: &sample.values,
            labels: &sample.labels,
        };
        match self.count {
            1 => self.search(block, None, &mut scratch)?,
            _ => self.search_top(block, &mut scratch)?,
        }
        let rows = sample.labels.len() as f64;
        let [pairs, close, exact] = scratch.passed.map(|pairs| pairs as f64 / rows);
        let dims = self.centroids.dims as f64;
        let sweep = cost::sweep(self.kernels.isa(), self.prefix.terms.dims);
        let encode = match self.source {
            Source::Kept(_) => 0.0,
            Source::Made => cost::ENCODE_PER_DIM * dims,
        };
        Ok(encode
            + self.centroids.len() as f64 * sweep
            + pairs * cost::CODE
            + close * (cost::FLOAT + cost::FLOAT_PER_DIM * dims)
            + (self.count as f64 + exact) * (cost::EXACT + cost::EXACT_PER_DIM * dims))
    }

    /// Calls `found` with each row's number in the block, the distance of its
    /// nearest centroid, and that. `first` is the number of the first row
    /// among all, `labels` says what the rows belonged to before.
    pub fn assign(
        &self,
        first: usize,
        values: &[f32],
        labels: &[u32],
        mut bounds: Option<RowBounds<'_>>,
        scratch: &mut CodeScratch,
        mut found: impl FnMut(usize, f64, u32),
    ) -> Result<()> {
        self.for_blocks(first, values, labels, scratch, |number, block, scratch| {
            let bounds = bounds.as_mut().map(|bounds| (bounds, number));
            self.search(block, bounds, scratch)?;
            for (i, leader) in scratch.leaders.iter().enumerate() {
                found(number + i, leader.distance, leader.label);
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
        let dims = self.centroids.dims;
        let mut rows = (BLOCK_BYTES / (4 * dims)).clamp(16, 512);
        if !self.all_known(labels) {
            rows = (SCORE_BYTES / self.set.panels.score_bytes()).clamp(16, rows);
        }
        let rows = rows / NEIGHBOURS * NEIGHBOURS;
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
        bounds: Option<(&mut RowBounds<'_>, usize)>,
        scratch: &mut CodeScratch,
    ) -> Result<()> {
        let leading = self.coder.leading;
        let (at, end) = (block.at, block.at + block.labels.len());
        let codes = &block.codes.codes[at * leading..end * leading];
        self.row_terms(block, codes, &mut scratch.terms)?;
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
            leaders,
            passed,
            ..
        } = scratch;
        let sides = self.sides(block);
        passed[0] += check_hits(hits, &sides, scores, pairs)?;
        passed[1] += pairs.len().saturating_sub(leaders.len());
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
                passed[2] += 1;
                self.challenge(block, pair.row as usize, &row, pair.centroid, leader);
            }
        }
        if !self.set.always.is_empty() {
            for (i, leader) in leaders.iter_mut().enumerate() {
                for &j in &self.set.always {
                    self.challenge(block, i, &self.row(block, i), j, leader);
                }
            }
        }
        Ok(())
    }

    /// What bounds by the whole codes need.
    fn sides<'s>(&'s self, block: Block<'s>) -> Sides<'s> {
        let (at, end, leading) = (block.at, block.at + block.labels.len(), self.coder.leading);
        Sides {
            isa: self.kernels.isa(),
            leading,
            row_codes: &block.codes.codes[at * leading..end * leading],
            rows: &block.codes.sides[at..end],
            centroid_codes: &self.set.codes,
            centroids: &self.set.sides,
            order: &self.set.order,
        }
    }

    fn row<'b>(&self, block: Block<'b>, i: usize) -> Row<'b> {
        let dims = self.centroids.dims;
        let values = &block.values[i * dims..][..dims];
        block.codes.row(block.at + i, values, self.affine.metric)
    }

    /// Fills in what the sweep needs of the rows, with thresholds that nothing
    /// reaches.
    fn row_terms(&self, block: Block<'_>, codes: &[i8], terms: &mut CodeRows) -> Result<()> {
        let (leading, prefixes, at) = (
            self.coder.leading,
            self.coder.prefixes(),
            self.prefix.count - 1,
        );
        let rows = block.at..block.at + block.labels.len();
        let swept = self.prefix.terms.dims;
        terms.starts.clear();
        let isa = self.kernels.isa();
        let offset = offset(isa);
        let sums = codes
            .chunks_exact(leading)
            .map(|code| sum_codes(isa, &code[..swept]));
        extend(&mut terms.starts, sums.map(|sum| -offset * sum), PURPOSE)?;
        terms.units.clear();
        let sides = block.codes.sides[rows.clone()].iter();
        extend(&mut terms.units, sides.map(|side| side.unit), PURPOSE)?;
        terms.tails.clear();
        let tails = rows.map(|i| block.codes.rests[i * prefixes + at].tail);
        extend(&mut terms.tails, tails, PURPOSE)?;
        terms.thresholds.clear();
        let count = block.labels.len();
        resize(&mut terms.thresholds, count, f32::INFINITY, PURPOSE)
    }

    /// Sets out with the centroid that each row belonged to, or a guess; sets
    /// the thresholds and scores that others have to reach.
    fn first_leaders(
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
            }
            let score = (leader.score - 1e-6 * leader.score.abs()) as f32;
            push(scores, score, PURPOSE)?;
            push(leaders, leader, PURPOSE)?;
        }
        Ok(())
    }

    fn in_slot(&self, slot: u32) -> u32 {
        self.set.order[(slot as usize).min(self.set.order.len() - 1)]
    }

    /// Whether a row belonged to one of the centroids before.
    fn is_known(&self, label: u32) -> bool {
        (label as usize) < self.centroids.len()
    }

    fn all_known(&self, labels: &[u32]) -> bool {
        labels.iter().all(|&label| self.is_known(label))
    }

    /// The label of a row that float32 can't hold, or of a zero row.
    fn without_code(&self, row: &Row<'_>) -> u32 {
        if row.inverse_norm() == 0.0 {
            self.set.zero_label
        } else {
            nearest_of(row, self.centroids, 0..self.centroids.len() as u32)
        }
    }

    /// Centroid j as a leader.
    fn measure(&self, block: Block<'_>, i: usize, row: &Row<'_>, j: u32) -> Leader {
        let centroid = Row {
            values: self.centroids.row(j as usize),
            metric: self.affine.metric,
            inverse_norm: self.set.inverse_norms[j as usize],
        };
        let distance = row.distance_to(&centroid);
        let value = distance + self.centroids.bias(j as usize);
        let base = block.codes.bases[block.at + i];
        let score = base - self.affine.score_per_distance() * value;
        let price = self.affine.score_per_distance() * self.centroids.bias(j as usize);
        Leader {
            label: j,
            distance,
            value,
            score: score - self.affine.score_slack(base + price.abs(), score),
        }
    }

    fn challenge(&self, block: Block<'_>, i: usize, row: &Row<'_>, j: u32, leader: &mut Leader) {
        let rival = self.measure(block, i, row, j);
        if (rival.value, rival.label) < (leader.value, leader.label) {
            *leader = rival;
        }
    }

    /// What the sweep compares the row's bounds with.
    fn threshold(&self, block: Block<'_>, i: usize, score: f64) -> f32 {
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
        let size = residuals.abs() + leadings.abs() + cross.abs() + score.abs();
        let threshold = score - residuals - leadings - cross - 1e-6 * size;
        // Above −∞, which is the score of a slot without a centroid.
        (threshold as f32).max(f32::MIN)
    }

    /// An upper bound of the score by float32 arithmetic in all dimensions.
    fn float_bound(&self, row: &Row<'_>, norm: f32, j: usize) -> f64 {
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
