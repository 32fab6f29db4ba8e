//! A search in the making: how many of the dimensions to sweep over, and what a
//! row will likely cost.

use crate::allocate::with_capacity;
use crate::error::Result;
use crate::kernels::aligned::Aligned;
use crate::kernels::codes::Terms;
use crate::kernels::tile::Kernels;
use crate::nearest::eight_bit::codes::{Coder, RowCodes};
use crate::nearest::eight_bit::depth::{Fold, Prefix, TrialRows, cost};
use crate::nearest::eight_bit::search::{
    Block, CodeScratch, CodeSearch, CodedCentroids, Held, Query, Source,
};
use crate::nearest::scores::AffineMap;
use crate::nearest::vectors::Centroids;
use crate::threads::Threads;
use std::sync::atomic::{AtomicUsize, Ordering};

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
        let sample = TrialRows::new(points, affine, coder, labels, threads)?;
        // The most prefixes first: where those are bad, the others cost much
        // to try.
        let mut prefixes = with_capacity(coder.prefixes(), "centroid bounds")?;
        prefixes.resize_with(coder.prefixes(), Prefix::default);
        threads.run(
            prefixes.iter_mut().enumerate(),
            || (),
            |(), (number, prefix)| {
                *prefix = search.prefix(number + 1, &sample)?;
                Ok(())
            },
        )?;
        let mut least = f64::INFINITY;
        for prefix in prefixes.into_iter().rev() {
            let before = std::mem::replace(&mut search.prefix, Held::Own(prefix));
            let cost = search.cost(&sample, threads)?;
            if cost < least {
                least = cost;
                continue;
            }
            search.prefix = before;
            if cost > 1.3 * least {
                break;
            }
        }
        Ok((search, least))
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

    /// What a row costs with float32 tiles.
    pub fn tile_cost(centroids: Centroids<'_>, kernels: Kernels) -> f64 {
        let tiles = cost::tile(kernels.isa()) * centroids.values.len() as f64;
        tiles + cost::pack(kernels.isa(), centroids.dims)
    }

    /// What a row costs at least with these codes, made for each block.
    pub fn least_cost(coder: &Coder, centroids: Centroids<'_>) -> f64 {
        let (isa, dims) = (coder.isa(), centroids.dims);
        let sweep = cost::sweep(isa, coder.products, coder.leading);
        let exact = match coder.products.in_tiles() {
            true => 0.0,
            false => cost::exact(isa, dims),
        };
        centroids.len() as f64 * sweep + cost::encode(isa, dims) + exact
    }

    /// What sweeps over the first `count` prefixes need.
    fn prefix(&self, count: usize, sample: &TrialRows) -> Result<Prefix> {
        let (coder, prefixes, at) = (self.coder, self.coder.prefixes(), count - 1);
        let padded = self.set.panels.units.len();
        let row_rest = |codes: &RowCodes, i: usize| codes.rests[i * prefixes + at];
        let row_leading = |codes: &RowCodes, i: usize| {
            let (norm, rest) = (f64::from(codes.sides[i].norm), row_rest(codes, i));
            coder.leading_norm(norm, rest.tail) + f64::from(rest.residual)
        };
        let used =
            || (0..self.set.sides.len()).filter(|&j| self.set.sides[j].start > f32::NEG_INFINITY);
        let rest = |j: usize| self.set.rests[j * prefixes + at];
        let leading =
            |j: usize| 1.00001 * coder.leading_norm(self.set.terms[j].norm * 1.0001, rest(j).tail);
        let residual = |j: usize| f64::from(rest(j).residual);
        let cross = |j: usize| f64::from(self.set.sides[j].norm);
        let mean_residual = sample.mean(|codes, i| f64::from(row_rest(codes, i).residual));
        let mean_leading = sample.mean(row_leading);
        let mean_norm = sample.mean(|codes, i| f64::from(codes.sides[i].norm));
        // Of tiles the error is all folded into what a centroid adds.
        let (in_tiles, tail) = (coder.products.in_tiles(), |j: usize| 1.00001 * rest(j).tail);
        let (mean_tail, in_lows) = match in_tiles {
            true => (
                sample.mean(|codes, i| f64::from(row_rest(codes, i).tail)),
                padded,
            ),
            false => (0.0, 0),
        };
        const PURPOSE: &str = "centroid bounds";
        let mut starts = Aligned::new(f32::NEG_INFINITY, padded, PURPOSE)?;
        let mut tails = Aligned::new(0.0f32, padded - in_lows, PURPOSE)?;
        let mut lows = Aligned::new(f32::NEG_INFINITY, in_lows, PURPOSE)?;
        for (slot, &j) in self.set.order.iter().enumerate() {
            let j = j as usize;
            if self.set.sides[j].start == f32::NEG_INFINITY {
                continue;
            }
            let error = mean_residual * leading(j)
                + mean_leading * residual(j)
                + mean_norm * cross(j)
                + mean_tail * f64::from(tail(j));
            let start = f64::from(self.set.sides[j].start);
            starts[slot] = (start + error + 1e-6 * (start.abs() + error)) as f32;
            if in_tiles {
                let low = self.low_start(j);
                lows[slot] = (low - error - 1e-6 * (low.abs() + error)) as f32;
            } else {
                tails[slot] = tail(j);
            }
        }
        let tail = match in_tiles {
            true => Fold::new(mean_tail, used().map(|j| f64::from(tail(j)))),
            false => Fold::default(),
        };
        Ok(Prefix {
            count,
            residual: Fold::new(mean_residual, used().map(leading)),
            leading: Fold::new(mean_leading, used().map(residual)),
            cross: Fold::new(mean_norm, used().map(cross)),
            terms: Terms {
                dims: count * coder.prefix,
                starts,
                tails,
                lows,
            },
            tail,
        })
    }

    /// What a row costs, by the pairs of the sample that pass.
    fn cost(&self, sample: &TrialRows, threads: &Threads<'_>) -> Result<f64> {
        let passed = [const { AtomicUsize::new(0) }; 3];
        threads.run(sample.0.iter(), CodeScratch::default, |scratch, part| {
            let block = Block {
                codes: &part.codes,
                at: 0,
                values: &part.values,
                labels: &part.labels,
            };
            scratch.passed = [0; 3];
            match self.count {
                1 => self.search(block, None, scratch)?,
                _ => self.search_top(block, scratch)?,
            }
            for (all, here) in passed.iter().zip(scratch.passed) {
                all.fetch_add(here, Ordering::Relaxed);
            }
            Ok(())
        })?;
        // Centroids of each row whose distance is computed in any case.
        let measured = match self.coder.products.in_tiles() && self.count == 1 {
            true => 0,
            false => self.count,
        };
        let rows = sample.len() as f64;
        let [pairs, close, exact] = passed.map(|pairs| pairs.into_inner() as f64 / rows);
        let (isa, dims) = (self.kernels.isa(), self.centroids.dims);
        let sweep = cost::sweep(isa, self.coder.products, self.prefix.terms.dims);
        let encode = match self.source {
            Source::Kept(_) => 0.0,
            Source::Made => cost::encode(isa, dims),
        };
        Ok(encode
            + self.centroids.len() as f64 * sweep
            + pairs * cost::code(isa)
            + close * cost::float(isa, dims)
            + (measured as f64 + exact) * cost::exact(isa, dims))
    }
}
