//! A search in the making: how many of the dimensions to sweep over, and what a
//! row will likely cost.

use crate::error::Result;
use crate::kernels::aligned::Aligned;
use crate::kernels::codes::Terms;
use crate::kernels::tile::Kernels;
use crate::nearest::eight_bit::codes::Coder;
use crate::nearest::eight_bit::depth::{Fold, Prefix, TrialRows, cost};
use crate::nearest::eight_bit::search::{
    Block, CodeScratch, CodeSearch, CodedCentroids, Held, Query, Source,
};
use crate::nearest::scores::AffineMap;
use crate::nearest::vectors::Centroids;
use crate::threads::Threads;

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
        let tiles = cost::tile(kernels.isa()) * centroids.values.len() as f64;
        tiles + cost::PACK_PER_DIM * centroids.dims as f64
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
}
