//! How far the 8-bit engine's first sweep goes: bounds for a number of
//! dimensions, rows to try them on, and what steps cost.

use crate::allocate::{append, collect, push, try_vec, with_capacity};
use crate::error::Result;
use crate::kernels::codes::Terms;
use crate::nearest::eight_bit::codes::{Buffers, Coder, RowCodes};
use crate::nearest::scores::AffineMap;
use crate::points::Points;
use crate::threads::Threads;
use std::ops::Range;
use std::time::Instant;

/// Rows that the number of dimensions to sweep is chosen by, in groups of
/// neighbours.
const SAMPLE: usize = 128;
pub(in crate::nearest) const NEIGHBOURS: usize = 8;

/// A part of the sample counts at most so many times what is usual.
const SPIKE: f64 = 3.0;

/// Costs in nanoseconds, as measured on this machine; they guide choices and change no
/// result.
pub(in crate::nearest) mod cost {
    use crate::kernels::codes::Products;
    use crate::kernels::isa::Isa;
    use crate::nearest::eight_bit::rates::{rates, sweep_rate};

    /// Rows and centroids whose distance is computed come from farther away than those that
    /// are measured: it takes about so many times as long.
    const FARTHER: f64 = 1.5;

    /// What a value adds that comes from memory.
    const FROM_MEMORY: f64 = 0.3;

    /// Of values that come from memory, beside what is done with them.
    pub(in crate::nearest) fn read(values: usize) -> f64 {
        FROM_MEMORY * values as f64
    }

    /// Of the code of a row, dimension by dimension.
    pub(in crate::nearest) fn encode(isa: Isa, dims: usize) -> f64 {
        rates(isa).encode.of(dims)
    }

    /// Of a canonical distance.
    pub(in crate::nearest) fn exact(isa: Isa, dims: usize) -> f64 {
        FARTHER * rates(isa).exact.of(dims)
    }

    /// Of a row that is packed for float32 tiles.
    pub(in crate::nearest) fn pack(isa: Isa, dims: usize) -> f64 {
        rates(isa).pack * dims as f64 + read(dims)
    }

    /// Of a centroid in the 8-bit sweep over `dims` dimensions.
    pub(in crate::nearest) fn sweep(isa: Isa, products: Products, dims: usize) -> f64 {
        sweep_rate(isa, products).of(dims)
    }

    /// Of a centroid's dimension in float32 tiles.
    pub(in crate::nearest) fn tile(isa: Isa) -> f64 {
        rates(isa).tile
    }

    /// Of a row in a search by codes of the principal coordinates, where they help.
    pub(in crate::nearest) fn least_by_principal(isa: Isa, dims: usize, centroids: usize) -> f64 {
        let sweep = sweep(isa, Products::Vectors, dims.min(96));
        centroids as f64 * sweep + 2.0 * exact(isa, dims)
    }

    /// Of finding the principal directions and the codes of `rows` rows, for
    /// each of these.
    pub(in crate::nearest) fn making_codes(isa: Isa, dims: usize, rows: usize) -> f64 {
        let (leading, sample) = (dims.min(192), rows.clamp(1, 1008));
        // Times that each row of the sample is multiplied with all directions, about.
        const TIMES: f64 = 15.0;
        let basis = TIMES * tile(isa) * (leading * dims) as f64;
        coding(isa, dims, leading) + basis * sample as f64 / rows.max(1) as f64
    }

    /// Of the code of a row.
    pub(in crate::nearest) fn coding(isa: Isa, dims: usize, leading: usize) -> f64 {
        let products = tile(isa) * (leading * dims) as f64;
        pack(isa, dims) + products + encode(isa, leading) + exact(isa, dims)
    }
}

/// A typical value, and the extremes of the factor that it is multiplied with.
#[derive(Clone, Copy, Default)]
pub(in crate::nearest) struct Fold {
    typical: f64,
    least: f64,
    most: f64,
}

impl Fold {
    pub fn new(typical: f64, factors: impl Iterator<Item = f64>) -> Self {
        let (least, most) = factors.fold((f64::INFINITY, 0.0f64), |(least, most), factor| {
            (least.min(factor), most.max(factor))
        });
        Fold {
            typical,
            least: least.min(most),
            most,
        }
    }

    /// How much `value` · factor may exceed `typical` · factor.
    pub fn most_over(&self, value: f64) -> f64 {
        let over = value - self.typical;
        over * if over > 0.0 { self.most } else { self.least }
    }
}

/// Bounds for a sweep over the first prefixes of the codes.
#[derive(Default)]
pub(in crate::nearest) struct Prefix {
    /// Prefixes swept: as many times the dimensions of one.
    pub count: usize,
    pub terms: Terms,
    /// Row residual × centroid leading norm.
    pub residual: Fold,
    /// Row leading norm × centroid residual.
    pub leading: Fold,
    /// Row norm × centroid norm: rounding.
    pub cross: Fold,
    /// Row tail × centroid tail, where whole tiles are multiplied; else the sweep adds it.
    pub tail: Fold,
}

const PURPOSE: &str = "a sample of rows";

/// Rows by which a search is tuned, in parts that are tried on whatever thread is free.
#[derive(Default)]
pub(in crate::nearest) struct TrialRows(Vec<TrialPart>);

/// Two groups of neighbours.
#[derive(Default)]
pub(in crate::nearest) struct TrialPart {
    groups: Vec<Range<usize>>,
    pub codes: RowCodes,
    pub values: Vec<f32>,
    pub labels: Vec<u32>,
}

impl TrialRows {
    pub fn new(
        points: &Points<'_>,
        affine: &AffineMap,
        coder: &Coder,
        threads: &Threads<'_>,
    ) -> Result<Self> {
        let rows = points.rows();
        let groups = rows.min(SAMPLE).div_ceil(NEIGHBOURS);
        let mut parts = with_capacity(groups.div_ceil(2), PURPOSE)?;
        parts.resize_with(groups.div_ceil(2), TrialPart::default);
        threads.run(
            parts.iter_mut().enumerate(),
            || (Vec::new(), Vec::new(), Buffers::default()),
            |(scratch, scales, buffers), (number, part)| {
                for group in 2 * number..groups.min(2 * number + 2) {
                    let first = (group as u128 * rows as u128 / groups as u128) as usize;
                    let range = first..rows.min(first + NEIGHBOURS);
                    append(
                        &mut part.values,
                        points.block(range.clone(), scratch)?,
                        PURPOSE,
                    )?;
                    push(&mut part.groups, range, PURPOSE)?;
                }
                part.codes.set(&part.values, affine, coder, scales, buffers)
            },
        )?;
        Ok(TrialRows(parts))
    }

    /// What the rows belonged to before: `labels` are of all.
    pub fn set_labels(&mut self, labels: &[u32]) -> Result<()> {
        for part in &mut self.0 {
            part.labels.clear();
            for range in &part.groups {
                append(&mut part.labels, &labels[range.clone()], PURPOSE)?;
            }
        }
        Ok(())
    }

    /// What `count` searches, given by their numbers, take of a row, in nanoseconds. A part
    /// tries one after the other as long as what it found so far says that this `goes_on`;
    /// those that are left count as the last.
    pub fn times<S: Default>(
        &self,
        (count, goes_on): (usize, impl Fn(&[f64]) -> bool + Sync),
        threads: &Threads<'_>,
        search: impl Fn(&mut S, usize, &TrialPart) -> Result<()> + Sync,
    ) -> Result<Vec<f64>> {
        let mut times = try_vec(0.0f64, count * self.0.len(), PURPOSE)?;
        threads.run(
            self.0.iter().zip(times.chunks_mut(count)),
            || (S::default(), false),
            |(scratch, warm), (part, times)| {
                // A worker's first fetches code and memory.
                if !std::mem::replace(warm, true) {
                    search(scratch, 0, part)?;
                }
                for number in 0..count {
                    let start = Instant::now();
                    search(scratch, number, part)?;
                    let taken = start.elapsed().as_nanos() as f64;
                    times[number] = taken / part.labels.len().max(1) as f64;
                    if !goes_on(&times[..=number]) {
                        let last = times[number];
                        times[number..].fill(last);
                        break;
                    }
                }
                Ok(())
            },
        )?;
        let mut means = try_vec(0.0, count, PURPOSE)?;
        for (number, mean) in means.iter_mut().enumerate() {
            *mean = self.mean_time(times.iter().skip(number).step_by(count))?;
        }
        Ok(means)
    }

    /// What a row takes, given what those of each part did.
    fn mean_time<'t>(&self, times: impl Iterator<Item = &'t f64> + Clone) -> Result<f64> {
        // One that was interrupted tells nothing.
        let mut ordered = collect(times.clone().copied(), PURPOSE)?;
        ordered.sort_unstable_by(f64::total_cmp);
        let most = SPIKE * ordered.get(ordered.len() / 2).copied().unwrap_or(0.0);
        let (mut sum, mut rows) = (0.0, 0);
        for (part, time) in self.0.iter().zip(times) {
            sum += part.labels.len() as f64 * time.min(most);
            rows += part.labels.len();
        }
        Ok(sum / rows.max(1) as f64)
    }

    /// The mean over rows that have a code, each given by its number among these.
    pub fn mean(&self, of: impl Fn(&RowCodes, usize) -> f64) -> f64 {
        let (mut sum, mut count) = (0.0, 0);
        for TrialPart { codes, .. } in &self.0 {
            let sides = codes.sides.iter().enumerate();
            for (i, _) in sides.filter(|(_, side)| side.unit > 0.0) {
                sum += of(codes, i);
                count += 1;
            }
        }
        sum / f64::from(count.max(1))
    }
}
