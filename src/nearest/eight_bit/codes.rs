//! Rows in 8 bits, with what the bounds need to know of what 8 bits lose.
//!
//! Coordinates are those along the principal directions ([`Basis`]), or the
//! dimensions as they are.

use crate::allocate::{collect, push, resize};
use crate::error::Result;
use crate::kernels::aligned::Aligned;
use crate::kernels::codes::{CodeLimits, Products, Side, about, round_all};
use crate::kernels::isa::Isa;
use crate::kernels::tile::Kernels;
use crate::metric::Metric;
use crate::nearest::eight_bit::principal::{Basis, PREFIX};
use crate::nearest::scores::{AffineMap, FAR, ROUNDOFF};
use crate::nearest::vectors::Row;
use crate::points::{BLOCK_BYTES, Points};
use crate::threads::Threads;

const PURPOSE: &str = "8-bit codes";

/// Rows per task, at most.
const TASK_ROWS: usize = 1008;

/// Codes are whole multiples of this.
const STEP: usize = 32;

/// What the first dimensions of a code leave out.
#[derive(Clone, Copy, Default)]
pub(in crate::nearest) struct Rest {
    /// Norm of what rounding lost of them.
    pub residual: f32,
    /// Norm of what lies outside them.
    pub tail: f32,
}

/// Turns vectors into codes: coordinates ≈ unit · code.
pub(in crate::nearest) struct Coder {
    pub dims: usize,
    /// Dimensions of a code.
    pub leading: usize,
    /// Dimensions that each prefix has more than the last: sweeps can stop there.
    pub prefix: usize,
    basis: Option<Basis>,
    /// Relative error of computed coordinates.
    slack: f64,
    /// ‖H Hᵀ − I‖.
    defect: f64,
    kernels: Kernels,
    /// How they are multiplied.
    pub products: Products,
}

impl Coder {
    /// Codes of the dimensions as they are.
    pub fn plain(dims: usize, kernels: Kernels, products: Products) -> Self {
        let leading = dims.next_multiple_of(STEP);
        Coder {
            dims,
            leading,
            prefix: leading,
            basis: None,
            // Much more than rounding: what `AffineMap::norm_bound` adds is then
            // little.
            slack: 512.0 * ROUNDOFF,
            defect: 0.0,
            kernels,
            products,
        }
    }

    /// Bytes that finding the principal directions takes.
    pub fn bytes_to_make(points: &Points<'_>) -> u64 {
        Basis::bytes_to_make(points.rows(), points.cols())
    }

    /// Codes of the principal coordinates. `None` if they can't be computed
    /// well enough.
    pub fn principal(
        points: &Points<'_>,
        affine: &AffineMap,
        kernels: Kernels,
        threads: &Threads<'_>,
    ) -> Result<Option<Self>> {
        let basis = Basis::new(points, affine, kernels, threads)?;
        let (leading, dims) = (basis.leading, affine.dims);
        let coder = Coder {
            dims,
            leading,
            prefix: PREFIX,
            slack: ROUNDOFF * (1.01 * (leading as f64).sqrt() * (dims + 16) as f64 + 4.0),
            defect: basis.defect,
            basis: Some(basis),
            kernels,
            products: Products::Vectors,
        };
        Ok((coder.defect < 1e-3 && coder.slack < 1e-2).then_some(coder))
    }

    pub fn isa(&self) -> Isa {
        self.kernels.isa()
    }

    pub fn prefixes(&self) -> usize {
        self.leading / self.prefix
    }

    /// Bytes for the codes of a row and what goes with them.
    fn bytes_per_row(&self, metric: Metric) -> usize {
        let inverse_norm = 8 * usize::from(metric == Metric::Cosine);
        self.leading + 8 + size_of::<Side>() + inverse_norm + self.prefixes() * size_of::<Rest>()
    }

    /// Factor of ‖q‖·‖v‖ in the error of a score: what comes of computed
    /// coordinates, of a basis not quite orthonormal, of float32 arithmetic.
    pub fn cross_slack(&self) -> f64 {
        2.1 * self.slack + 2.1 * self.defect + 32.0 * ROUNDOFF
    }

    /// An upper bound of the norm of the coordinates that `tail` leaves, of a
    /// vector whose norm is at most `norm`.
    pub fn leading_norm(&self, norm: f64, tail: f32) -> f64 {
        let tail = f64::from(tail).min(norm);
        let inside = (norm * norm - 0.9999 * tail * tail) / (1.0 - self.defect);
        1.0002 * (inside.max(0.0).sqrt() + self.slack * norm)
    }

    /// Encodes rows of `values`, times `scales`, minus the centre; 0 stands
    /// for a row that has no code. Codes keep the `limits`, in the given
    /// units, or where there are none in one of their own each. Calls `done` with the row's number, code,
    /// side (its `start` is 0) and the rests of all prefixes.
    pub fn encode(
        &self,
        affine: &AffineMap,
        values: &[f32],
        scales: &[f32],
        (limits, units): (CodeLimits, &[f32]),
        buffers: &mut Buffers,
        mut done: impl FnMut(usize, &[i8], Side, &[Rest]),
    ) -> Result<()> {
        let Buffers {
            packed,
            squares,
            scores,
            coordinates,
            code,
            rests,
        } = buffers;
        let (dims, width) = (self.dims, self.kernels.shape.width);
        resize(coordinates, self.leading, 0.0, PURPOSE)?;
        resize(code, self.leading, 0, PURPOSE)?;
        resize(rests, self.prefixes(), Rest::default(), PURPOSE)?;
        if let Some(basis) = &self.basis {
            packed.resize(0.0, width * dims, PURPOSE)?;
            resize(squares, width, 0.0, PURPOSE)?;
            scores.resize(0.0, width * basis.panels.starts.len(), PURPOSE)?;
        }
        let tiles = values.chunks(width * dims).zip(scales.chunks(width));
        for (tile, (values, scales)) in tiles.enumerate() {
            if let Some(basis) = &self.basis {
                self.kernels
                    .pack(values, scales, &affine.scaled_centre, packed, squares);
                self.kernels.scores(packed, &basis.panels, scores);
            }
            for (lane, (values, &scale)) in values.chunks_exact(dims).zip(scales).enumerate() {
                let square = if self.basis.is_some() {
                    for (value, scores) in coordinates.iter_mut().zip(scores.chunks_exact(width)) {
                        *value = scores[lane];
                    }
                    squares[lane]
                } else {
                    centre_row(values, scale, &affine.scaled_centre, coordinates)
                };
                let norm = 1.000001 * affine.norm_bound(f64::from(square).sqrt(), self.slack);
                let i = tile * width + lane;
                if scale <= 0.0 || norm.is_nan() || norm > FAR {
                    code.fill(0);
                    rests.fill(Rest::default());
                    done(i, code, Side::default(), rests);
                } else {
                    let unit = units.get(i).copied().unwrap_or(0.0);
                    let side = self.encode_row(coordinates, norm, (limits, unit), code, rests);
                    done(i, code, side, rests);
                }
            }
        }
        Ok(())
    }

    fn encode_row(
        &self,
        coordinates: &[f32],
        norm: f64,
        scale: (CodeLimits, f32),
        code: &mut [i8],
        rests: &mut [Rest],
    ) -> Side {
        let mut kept = 0.0;
        let mut lost = 0.0;
        let isa = self.kernels.isa();
        let (unit, sum) = round_all(
            isa,
            coordinates,
            self.prefix,
            scale,
            code,
            |prefix, unit, here| {
                kept += here.0;
                lost += here.1;
                let inside = (0.9999 * kept.sqrt() - self.slack * norm).max(0.0);
                let tail = norm * norm - inside * inside * (1.0 - self.defect);
                let rounding = 1e-5 * (self.leading as f64).sqrt() * f64::from(unit);
                rests[prefix] = Rest {
                    residual: (1.0001 * lost.sqrt() + rounding) as f32,
                    tail: (1.00001 * tail.max(0.0).sqrt()) as f32,
                };
            },
        );
        let Rest { residual, tail } = rests.last().copied().unwrap_or_default();
        Side {
            unit,
            start: 0.0,
            residual,
            leading: (1.00001 * self.leading_norm(norm, tail)) as f32,
            tail,
            norm: (1.000001 * norm) as f32,
            sum,
        }
    }
}

/// Writes x · scale − centre; returns its squared norm.
fn centre_row(values: &[f32], scale: f32, centre: &[f32], out: &mut [f32]) -> f32 {
    for ((q, &x), &m) in out.iter_mut().zip(values).zip(centre) {
        *q = x * scale - m;
    }
    let mut squares = [0.0f32; 16];
    for values in out.chunks_exact(16) {
        for (square, value) in squares.iter_mut().zip(values) {
            *square += value * value;
        }
    }
    squares.iter().sum()
}

/// Buffers of [`Coder::encode`].
#[derive(Default)]
pub(in crate::nearest) struct Buffers {
    packed: Aligned<f32>,
    squares: Vec<f32>,
    scores: Aligned<f32>,
    coordinates: Vec<f32>,
    code: Vec<i8>,
    rests: Vec<Rest>,
}

/// The codes of consecutive rows.
#[derive(Default)]
pub(in crate::nearest) struct RowCodes {
    /// Rows × leading.
    pub codes: Vec<i8>,
    /// A unit of 0 marks a row without a code: zero, or too far for float32.
    pub sides: Vec<Side>,
    /// Score of centroid j = base − something · distance: [`AffineMap::base`].
    pub bases: Vec<f64>,
    /// 1 / ‖x‖; with cosine only.
    inverse_norms: Vec<f64>,
    /// Rows × prefixes.
    pub rests: Vec<Rest>,
}

/// Bytes of codes that are always worth their memory: so many, but no more than
/// these beside a byte for each value of the data.
const SMALL: u64 = 40 << 20;
const SPARE: u64 = 16_000_000;

/// Bytes that what is kept of the rows may take where they are few.
pub(in crate::nearest) fn small(points: &Points<'_>) -> u64 {
    SMALL.min(points.rows() as u64 * points.cols() as u64 + SPARE)
}

impl RowCodes {
    /// Bytes that the codes of all points take. `None` if that is more than three
    /// quarters of a byte for each value of the data and [`small`].
    pub fn bytes_for(points: &Points<'_>, metric: Metric, coder: &Coder) -> Option<u64> {
        let per_row = coder.bytes_per_row(metric);
        let bytes = points.rows() as u64 * per_row as u64;
        let much = 4 * per_row > 3 * points.cols() && bytes > small(points);
        (!much).then_some(bytes)
    }

    /// The same for codes of the dimensions as they are, of which a value of the data may
    /// take one and a half bytes.
    pub fn bytes_for_plain(points: &Points<'_>, metric: Metric, coder: &Coder) -> Option<u64> {
        let per_row = coder.bytes_per_row(metric);
        let bytes = points.rows() as u64 * per_row as u64;
        let much = 2 * per_row > 3 * points.cols() && bytes > small(points);
        (!much).then_some(bytes)
    }

    /// Codes of all points.
    pub fn of_points(
        points: &Points<'_>,
        affine: &AffineMap,
        coder: &Coder,
        threads: &Threads<'_>,
    ) -> Result<Self> {
        let rows = points.rows();
        let (leading, prefixes) = (coder.leading, coder.prefixes());
        let cosine = affine.metric == Metric::Cosine;
        let mut all = RowCodes {
            codes: threads.try_vec(0, rows * leading, PURPOSE)?,
            sides: threads.try_vec(Side::default(), rows, PURPOSE)?,
            bases: threads.try_vec(0.0, rows, PURPOSE)?,
            inverse_norms: threads.try_vec(0.0, if cosine { rows } else { 0 }, PURPOSE)?,
            rests: threads.try_vec(Rest::default(), rows * prefixes, PURPOSE)?,
        };
        // Whole tiles of rows.
        let width = coder.kernels.shape.width;
        let fitting = BLOCK_BYTES / (size_of::<f32>() * affine.dims);
        let most = threads.share(rows, width..=TASK_ROWS).min(fitting);
        let task_rows = (most / width).max(1) * width;
        let mut inverse_norms = all.inverse_norms.chunks_mut(task_rows);
        let tasks = all
            .codes
            .chunks_mut(task_rows * leading)
            .zip(all.sides.chunks_mut(task_rows))
            .zip(all.bases.chunks_mut(task_rows))
            .zip(all.rests.chunks_mut(task_rows * prefixes))
            .map(|(((codes, sides), bases), rests)| Slices {
                codes,
                sides,
                bases,
                inverse_norms: inverse_norms.next().unwrap_or_default(),
                rests,
            });
        let tasks = collect(tasks, PURPOSE)?;
        let scratch = || (Vec::new(), Vec::new(), Buffers::default());
        threads.run(
            tasks.into_iter().enumerate(),
            scratch,
            |(block, scales, buffers), (task, slices)| {
                let first = task * task_rows;
                let values = points.block(first..first + slices.sides.len(), block)?;
                slices.fill(values, affine, coder, scales, buffers)
            },
        )?;
        Ok(all)
    }

    /// Makes these the codes of the rows in `values`.
    pub fn set(
        &mut self,
        values: &[f32],
        affine: &AffineMap,
        coder: &Coder,
        scales: &mut Vec<f32>,
        buffers: &mut Buffers,
    ) -> Result<()> {
        let rows = values.len() / affine.dims;
        resize(&mut self.codes, rows * coder.leading, 0, PURPOSE)?;
        resize(&mut self.sides, rows, Side::default(), PURPOSE)?;
        resize(&mut self.bases, rows, 0.0, PURPOSE)?;
        let prefixes = rows * coder.prefixes();
        resize(&mut self.rests, prefixes, Rest::default(), PURPOSE)?;
        if affine.metric == Metric::Cosine {
            resize(&mut self.inverse_norms, rows, 0.0, PURPOSE)?;
        }
        let slices = Slices {
            codes: &mut self.codes,
            sides: &mut self.sides,
            bases: &mut self.bases,
            inverse_norms: &mut self.inverse_norms,
            rests: &mut self.rests,
        };
        slices.fill(values, affine, coder, scales, buffers)
    }

    /// Row i, whose values the caller has at hand.
    pub fn row<'v>(&self, i: usize, values: &'v [f32], metric: Metric) -> Row<'v> {
        Row {
            values,
            metric,
            inverse_norm: self.inverse_norms.get(i).copied().unwrap_or(1.0),
        }
    }
}

/// A part of [`RowCodes`].
struct Slices<'a> {
    codes: &'a mut [i8],
    sides: &'a mut [Side],
    bases: &'a mut [f64],
    inverse_norms: &'a mut [f64],
    rests: &'a mut [Rest],
}

impl Slices<'_> {
    fn fill(
        self,
        values: &[f32],
        affine: &AffineMap,
        coder: &Coder,
        scales: &mut Vec<f32>,
        buffers: &mut Buffers,
    ) -> Result<()> {
        let (leading, prefixes) = (coder.leading, coder.prefixes());
        scales.clear();
        for (i, values) in values.chunks_exact(affine.dims).enumerate() {
            let row = Row::new(values, affine.metric);
            push(scales, affine.row_scale(&row).unwrap_or(0.0), PURPOSE)?;
            self.bases[i] = affine.base(&row);
            if let Some(slot) = self.inverse_norms.get_mut(i) {
                *slot = row.inverse_norm();
            }
        }
        coder.encode(
            affine,
            values,
            scales,
            (about(coder.isa()).of_rows, &[]),
            buffers,
            |i, code, side, rests| {
                self.codes[i * leading..][..leading].copy_from_slice(code);
                self.rests[i * prefixes..][..prefixes].copy_from_slice(rests);
                self.sides[i] = side;
            },
        )
    }
}
