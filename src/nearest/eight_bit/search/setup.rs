//! A search in the making: how many of the dimensions to sweep over, and what a
//! row will likely cost.

use crate::allocate::{try_vec, with_capacity};
use crate::error::Result;
use crate::kernels::aligned::Aligned;
use crate::kernels::codes::{Products, Terms};
use crate::kernels::tile::Kernels;
use crate::nearest::eight_bit::codes::{Coder, RowCodes};
use crate::nearest::eight_bit::depth::{Fold, Prefix, TrialPart, TrialRows, cost};
use crate::nearest::eight_bit::search::{
    Block, CodeScratch, CodeSearch, CodedCentroids, Query, Source,
};
use crate::nearest::float32::{TileScratch, TileSearch};
use crate::nearest::scores::AffineMap;
use crate::nearest::vectors::Centroids;
use crate::threads::Threads;

/// Centroids in the codes of a search that was tried on a sample of rows.
pub(in crate::nearest) struct Tried {
    set: CodedCentroids,
    /// The rows of the sample, kept for the next search.
    sample: TrialRows,
    prefix: Prefix,
    /// What the search takes of a row, in nanoseconds, beside making its code.
    pub cost: f64,
    /// The search is over.
    pub is_over: bool,
}

impl Tried {
    /// In the memory of another one `before`. Tries no more once it is clear that a row will
    /// take more than `limit`.
    pub fn new(
        query: Query<'_, '_>,
        coder: &Coder,
        (before, limit): (Option<Self>, f64),
        threads: &Threads<'_>,
    ) -> Result<Self> {
        let before = before.map(|before| (before.set, before.sample));
        let (set, sample) = before.unzip();
        let set = CodedCentroids::new(query, coder, set, threads)?;
        let mut sample = match sample {
            Some(sample) => sample,
            None => TrialRows::new(query.points, query.affine, coder, threads)?,
        };
        sample.set_labels(query.labels)?;
        let search = |prefix| CodeSearch {
            count: query.count,
            affine: query.affine,
            coder,
            source: Source::Made,
            centroids: query.centroids,
            kernels: query.kernels,
            set: &set,
            prefix,
        };
        let mut prefixes = with_capacity(coder.prefixes(), "centroid bounds")?;
        prefixes.resize_with(coder.prefixes(), Prefix::default);
        let no_prefix = Prefix::default();
        let without = search(&no_prefix);
        threads.run(
            prefixes.iter_mut().enumerate(),
            || (),
            |(), (number, prefix)| {
                *prefix = without.prefix(number + 1, &sample)?;
                Ok(())
            },
        )?;
        let sweep = |dims| {
            let step = cost::sweep(coder.isa(), coder.products, dims);
            query.centroids.len() as f64 * step
        };
        // The most prefixes first: where those are bad, the others cost much
        // to try.
        prefixes.reverse();
        let goes_on = |costs: &[f64]| {
            let (number, cost) = (costs.len() - 1, costs[costs.len() - 1]);
            let least = costs.iter().copied().fold(f64::INFINITY, f64::min);
            // Shorter sweeps alone save no more than that.
            let hope = cost - sweep(prefixes[number].terms.dims) + sweep(coder.prefix);
            cost <= 1.5 * least && hope <= limit
        };
        let costs = match coder.products {
            Products::Emulated => try_vec(0.0, prefixes.len(), "costs")?, // tests are to run it
            _ => sample.times(
                (prefixes.len(), goes_on),
                threads,
                |scratch: &mut CodeScratch, number, part| {
                    search(&prefixes[number]).try_out(part, scratch)
                },
            )?,
        };
        let numbered = costs.into_iter().enumerate();
        let best = numbered.min_by(|a, b| a.1.total_cmp(&b.1));
        let (number, cost) = best.unwrap_or_default();
        let prefix = prefixes.swap_remove(number);
        Ok(Tried {
            set,
            sample,
            prefix,
            cost,
            is_over: false,
        })
    }

    /// Frees the rows of the sample: it is the only search that they are for.
    pub fn forget_rows(&mut self) {
        self.sample = TrialRows::default();
    }

    /// What it takes of a row whose code is made for the search.
    pub fn cost_made(&self, coder: &Coder) -> f64 {
        let dims = coder.dims;
        self.cost + cost::encode(coder.isa(), dims) + cost::read(dims)
    }

    /// What it takes of a row whose code is kept.
    pub fn cost_kept(&self, coder: &Coder) -> f64 {
        self.cost
            + match coder.products.in_tiles() {
                true => cost::read(coder.leading / size_of::<f32>()),
                false => cost::read(coder.dims),
            }
    }

    /// Whether it is of the search at hand, with the centroids in the order that is asked for.
    pub fn is_of(&self, order: Option<&[u32]>) -> bool {
        !self.is_over && order.is_none_or(|order| *order == *self.set.order)
    }
}

impl<'a> CodeSearch<'a> {
    pub fn new(
        tried: &'a Tried,
        (affine, coder, kernels): (&'a AffineMap, &'a Coder, Kernels),
        source: Source<'a>,
        centroids: Centroids<'a>,
        count: usize,
    ) -> Self {
        CodeSearch {
            count,
            affine,
            coder,
            source,
            centroids,
            kernels,
            set: &tried.set,
            prefix: &tried.prefix,
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

    /// Searches for the rows of a part of the sample.
    fn try_out(&self, part: &TrialPart, scratch: &mut CodeScratch) -> Result<()> {
        let block = Block {
            codes: &part.codes,
            at: 0,
            values: &part.values,
            labels: &part.labels,
        };
        match self.count {
            1 => self.search(block, None, scratch),
            _ => self.search_top(block, scratch),
        }
    }
}

/// What a search with float32 tiles takes of a row, in nanoseconds, as a sample tells.
pub(in crate::nearest) fn time_tiles(
    query: Query<'_, '_>,
    coder: &Coder,
    threads: &Threads<'_>,
) -> Result<f64> {
    let Query {
        points,
        affine,
        centroids,
        labels,
        count,
        kernels,
        ..
    } = query;
    let mut sample = TrialRows::new(points, affine, coder, threads)?;
    sample.set_labels(labels)?;
    let search = TileSearch::new(affine, centroids, kernels, (count == 1, None), threads)?;
    let once = (1, |_: &[f64]| true);
    let taken = sample.times(
        once,
        threads,
        |scratch: &mut TileScratch, _, part| match count {
            1 => search.assign(&part.values, scratch, |_, _| ()),
            _ => search.top(&part.values, count, scratch, |_, _| ()),
        },
    )?;
    Ok(taken[0] + cost::read(centroids.dims))
}
