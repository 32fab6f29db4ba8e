//! How far the 8-bit engine's first sweep goes: bounds for a number of
//! dimensions, rows to try them on, and what steps cost.

use crate::allocate::append;
use crate::error::Result;
use crate::kernels::codes::Terms;
use crate::nearest::eight_bit::codes::{Buffers, Coder, RowCodes};
use crate::nearest::scores::AffineMap;
use crate::points::Points;

/// Rows that the number of dimensions to sweep is chosen by, in groups of
/// neighbours.
const SAMPLE: usize = 128;
pub(in crate::nearest) const NEIGHBOURS: usize = 8;

/// Costs in cycles, roughly; they guide choices and change no result.
pub(in crate::nearest) mod cost {
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
    pub(in crate::nearest) fn sweep(isa: Isa, dims: usize) -> f64 {
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
        let tile = tile(isa) * dims as f64 - sweep(isa, dims.min(96));
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
}

const PURPOSE: &str = "a sample of rows";

/// Rows by which a search is tuned.
pub(in crate::nearest) struct TrialRows {
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
    ) -> Result<Self> {
        let rows = points.rows();
        let groups = rows.min(SAMPLE).div_ceil(NEIGHBOURS);
        let mut sample = TrialRows {
            codes: RowCodes::default(),
            values: Vec::new(),
            labels: Vec::new(),
        };
        let mut scratch = Vec::new();
        for group in 0..groups {
            let first = (group as u128 * rows as u128 / groups as u128) as usize;
            let range = first..rows.min(first + NEIGHBOURS);
            append(&mut sample.labels, &labels[range.clone()], PURPOSE)?;
            append(
                &mut sample.values,
                points.block(range, &mut scratch)?,
                PURPOSE,
            )?;
        }
        let (mut scales, mut buffers) = (Vec::new(), Buffers::default());
        sample
            .codes
            .set(&sample.values, affine, coder, &mut scales, &mut buffers)?;
        Ok(sample)
    }

    /// The mean over rows that have a code.
    pub fn mean(&self, of: impl Fn(usize) -> f64) -> f64 {
        let coded = || (0..self.labels.len()).filter(|&i| self.codes.sides[i].unit > 0.0);
        coded().map(of).sum::<f64>() / coded().count().max(1) as f64
    }
}
