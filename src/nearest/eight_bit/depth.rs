//! How far the 8-bit engine's first sweep goes: bounds for a number of
//! dimensions, rows to try them on, and what steps cost.

use crate::allocate::{append, with_capacity};
use crate::error::Result;
use crate::kernels::codes::Terms;
use crate::nearest::eight_bit::codes::{Buffers, Coder, RowCodes};
use crate::nearest::scores::AffineMap;
use crate::points::Points;
use crate::threads::Threads;

/// Rows that the number of dimensions to sweep is chosen by, in groups of
/// neighbours.
const SAMPLE: usize = 128;
pub(in crate::nearest) const NEIGHBOURS: usize = 8;

/// Costs in nanoseconds, as measured on this machine; they guide choices and change no
/// result.
pub(in crate::nearest) mod cost {
    use crate::kernels::codes::Products;
    use crate::kernels::isa::Isa;
    use crate::nearest::eight_bit::rates::rates;

    /// Rows and centroids of pairs that pass come from farther away than those that are
    /// measured: steps on them take about so many times as long.
    const FARTHER: f64 = 1.5;

    /// What a value adds that comes from memory to be packed.
    const FROM_MEMORY: f64 = 0.3;

    /// Of the code of a row, dimension by dimension.
    pub(in crate::nearest) fn encode(isa: Isa, dims: usize) -> f64 {
        rates(isa).encode.of(dims)
    }

    /// Of a pair that is compared by whole codes.
    pub(in crate::nearest) fn code(isa: Isa) -> f64 {
        FARTHER * rates(isa).code
    }

    /// Of a pair that is compared in float32.
    pub(in crate::nearest) fn float(isa: Isa, dims: usize) -> f64 {
        FARTHER * rates(isa).float.of(dims)
    }

    /// Of a canonical distance.
    pub(in crate::nearest) fn exact(isa: Isa, dims: usize) -> f64 {
        FARTHER * rates(isa).exact.of(dims)
    }

    /// Of a row that is packed for float32 tiles.
    pub(in crate::nearest) fn pack(isa: Isa, dims: usize) -> f64 {
        (rates(isa).pack + FROM_MEMORY) * dims as f64
    }

    /// Of a centroid in the 8-bit sweep over `dims` dimensions.
    pub(in crate::nearest) fn sweep(isa: Isa, products: Products, dims: usize) -> f64 {
        match products.in_tiles() {
            true => 0.15 + dims as f64 / 2100.0, // as on Intel's Sapphire Rapids
            false => rates(isa).sweep.of(dims),
        }
    }

    /// Of a centroid's dimension in float32 tiles.
    pub(in crate::nearest) fn tile(isa: Isa) -> f64 {
        rates(isa).tile
    }

    /// What a row saves in a search by codes of the principal coordinates,
    /// against float32 tiles, where they help.
    pub(in crate::nearest) fn saved_by_codes(isa: Isa, dims: usize, centroids: usize) -> f64 {
        let tile = tile(isa) * dims as f64 - sweep(isa, Products::Vectors, dims.min(96));
        let exact = 5.0 * code(isa) + exact(isa, dims);
        tile * centroids as f64 + pack(isa, dims) - exact
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
pub(in crate::nearest) struct TrialRows(pub Vec<TrialPart>);

/// Two groups of neighbours.
#[derive(Default)]
pub(in crate::nearest) struct TrialPart {
    pub codes: RowCodes,
    pub values: Vec<f32>,
    pub labels: Vec<u32>,
}

impl TrialRows {
    pub fn new(
        points: &Points<'_>,
        affine: &AffineMap,
        coder: &Coder,
        labels: &[u32],
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
                    append(&mut part.labels, &labels[range.clone()], PURPOSE)?;
                    append(&mut part.values, points.block(range, scratch)?, PURPOSE)?;
                }
                part.codes.set(&part.values, affine, coder, scales, buffers)
            },
        )?;
        Ok(TrialRows(parts))
    }

    pub fn len(&self) -> usize {
        self.0.iter().map(|part| part.labels.len()).sum()
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
