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

/// Costs in cycles, roughly; they guide choices and change no result.
pub(in crate::nearest) mod cost {
    use crate::kernels::codes::Products;
    use crate::kernels::isa::Isa;

    pub(in crate::nearest) const ENCODE_PER_DIM: f64 = 1.5;
    pub(in crate::nearest) const CODE: f64 = 60.0;
    pub(in crate::nearest) const FLOAT: f64 = 60.0;
    pub(in crate::nearest) const FLOAT_PER_DIM: f64 = 0.6;
    /// Of a row that is packed for float32 tiles, from memory: as much as comparing it
    /// with some sixty centroids where a cycle multiplies and adds 28 times.
    pub(in crate::nearest) const PACK_PER_DIM: f64 = 2.0;
    pub(in crate::nearest) const EXACT: f64 = 60.0;
    pub(in crate::nearest) const EXACT_PER_DIM: f64 = 0.8;

    /// Of a centroid in the 8-bit sweep over `dims` dimensions.
    pub(in crate::nearest) fn sweep(isa: Isa, products: Products, dims: usize) -> f64 {
        if products.in_tiles() {
            return 0.4 + dims as f64 / 700.0;
        }
        let slower = match isa {
            #[cfg(target_arch = "x86_64")]
            Isa::Vnni => passes(),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => 2.0 * passes(),
            #[cfg(target_arch = "x86_64")]
            Isa::AvxVnni => 2.0,
            _ => 4.0,
        };
        slower * (0.15 + dims as f64 / 120.0)
    }

    /// Of a centroid's dimension in float32 tiles.
    pub(in crate::nearest) fn tile(isa: Isa) -> f64 {
        let slower = match isa {
            #[cfg(target_arch = "x86_64")]
            Isa::Vnni | Isa::Avx512 => passes(),
            #[cfg(target_arch = "x86_64")]
            Isa::AvxVnni | Isa::Avx2 => 2.0,
            _ => 4.0,
        };
        slower / 28.0
    }

    /// What a row saves in a search by codes of the principal coordinates,
    /// against float32 tiles, where they help.
    pub(in crate::nearest) fn saved_by_codes(isa: Isa, dims: usize, centroids: usize) -> f64 {
        let tile = tile(isa) * dims as f64 - sweep(isa, Products::Vectors, dims.min(96));
        let exact = 6.0 * EXACT + EXACT_PER_DIM * dims as f64;
        tile * centroids as f64 + PACK_PER_DIM * dims as f64 - exact
    }

    /// Of finding the principal directions and the codes of `rows` rows, for
    /// each of these.
    pub(in crate::nearest) fn making_codes(isa: Isa, dims: usize, rows: usize) -> f64 {
        let (leading, sample) = (dims.min(192), rows.clamp(1, 1008));
        let basis = 200.0 * sample as f64 / rows.max(1) as f64 * dims as f64;
        coding(isa, dims, leading) + basis
    }

    /// Of the code of a row.
    pub(in crate::nearest) fn coding(isa: Isa, dims: usize, leading: usize) -> f64 {
        (10.0 + tile(isa) * leading as f64) * dims as f64
    }

    /// How often the CPU goes over a vector of 512 bits.
    #[cfg(target_arch = "x86_64")]
    fn passes() -> f64 {
        if crate::kernels::isa::half_width() {
            2.0
        } else {
            1.0
        }
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
