//! Rows in 8 bits: coordinates along the principal directions, with what the
//! bounds need to know of the rest.

use super::Row;
use super::basis::{Basis, LEVEL};
use super::frame::{FAR, Frame, ROUNDOFF};
use super::tile::Kernels;
use crate::error::{Result, try_vec};
use crate::metric::Metric;
use crate::points::Points;
use crate::threads::Threads;

/// Rows per task.
const TASK_ROWS: usize = 1008;

/// What a vector is beside its code, up to some dimension.
#[derive(Clone, Copy, Default)]
pub(super) struct Rest {
    /// Norm of what rounding to the code lost.
    pub residual: f32,
    /// Norm of what lies outside the dimensions.
    pub tail: f32,
}

/// Code, unit and rest of one vector: coordinates ≈ unit · code.
pub(super) struct Coder {
    pub dims: usize,
    /// Dimensions of a code.
    pub head: usize,
    /// Relative error of computed coordinates.
    pub slack: f64,
    /// ‖H Hᵀ − I‖.
    defect: f64,
}

impl Coder {
    pub fn levels(&self) -> usize {
        self.head / LEVEL
    }

    /// Encodes coordinates of a vector whose norm is at most `norm`. Returns
    /// the unit, 0 if all coordinates are 0.
    pub fn encode(
        &self,
        coordinates: &[f32],
        norm: f64,
        codes: &mut [i8],
        rests: &mut [Rest],
    ) -> f32 {
        let largest = coordinates.iter().fold(0.0f32, |most, v| most.max(v.abs()));
        let unit = (largest / 127.0).max(f32::MIN_POSITIVE);
        let inverse = 1.0 / unit;
        let (mut lost, mut kept) = (0.0f64, 0.0f64);
        let blocks = coordinates.chunks_exact(LEVEL);
        let codes = codes.chunks_exact_mut(LEVEL);
        for ((block, codes), rest) in blocks.zip(codes).zip(rests) {
            let (mut lost_here, mut kept_here) = ([0.0f32; 8], [0.0f32; 8]);
            for (i, (&value, code)) in block.iter().zip(codes).enumerate() {
                // Rounds to an integer: |value · inverse| ≤ 127.01.
                const ROUND: f32 = (3 << 22) as f32;
                let rounded = (value * inverse).clamp(-127.0, 127.0) + ROUND - ROUND;
                *code = rounded as i8;
                let residual = value - rounded * unit;
                lost_here[i % 8] += residual * residual;
                kept_here[i % 8] += value * value;
            }
            lost += lost_here.iter().map(|&v| f64::from(v)).sum::<f64>();
            kept += kept_here.iter().map(|&v| f64::from(v)).sum::<f64>();
            let inside = (0.99999 * kept.sqrt() - self.slack * norm).max(0.0);
            let tail = norm * norm - inside * inside * (1.0 - self.defect);
            rest.residual = (1.00001 * lost.sqrt() + 1e-6 * f64::from(unit)) as f32;
            rest.tail = (1.00001 * tail.max(0.0).sqrt()) as f32;
        }
        unit
    }

    /// An upper bound of the norm of the coordinates that `tail` leaves.
    pub fn head_norm(&self, norm: f64, rest: Rest) -> f64 {
        let tail = f64::from(rest.tail).min(norm);
        let inside = (norm * norm - 0.9999 * tail * tail) / (1.0 - self.defect);
        inside.max(0.0).sqrt() + self.slack * norm
    }

    /// Factor of ‖q‖·‖v‖ in the error of a score: what comes of computed
    /// coordinates, of a basis not quite orthonormal, of float32 arithmetic.
    pub fn cross_slack(&self) -> f64 {
        2.1 * self.slack + 2.1 * self.defect + 32.0 * ROUNDOFF
    }
}

/// The codes of all rows.
pub(super) struct RowCodes {
    pub coder: Coder,
    pub basis: Basis,
    /// Rows × head.
    pub codes: Vec<i8>,
    /// Of each row; 0 for one that has no code: too far for float32, or zero.
    pub units: Vec<f32>,
    /// Upper bounds of ‖q‖.
    pub norms: Vec<f32>,
    /// Score of centroid j = base − half · distance: see [`Frame::score_of`].
    pub bases: Vec<f64>,
    /// 1 / ‖x‖; with cosine only.
    inverse_norms: Vec<f64>,
    /// Sum of each row's code.
    pub sums: Vec<i32>,
    /// Upper bounds of the norms of the coordinates.
    pub head_norms: Vec<f32>,
    /// Rows × levels.
    pub rests: Vec<Rest>,
}

impl RowCodes {
    /// `None` if codes would take more than a byte a value of the data and
    /// 16 MB, or if the data has no directions to speak of.
    pub fn new(
        points: &Points<'_>,
        frame: &Frame,
        kernels: Kernels,
        threads: &Threads<'_>,
    ) -> Result<Option<Self>> {
        let (rows, dims) = (points.rows(), points.cols());
        let basis = Basis::new(points, frame, kernels)?;
        let head = basis.head;
        let coder = Coder {
            dims,
            head,
            slack: ROUNDOFF * (1.01 * (head as f64).sqrt() * (dims + 16) as f64 + 4.0),
            defect: basis.defect,
        };
        let levels = coder.levels();
        let bytes = head + 24 + 8 * usize::from(frame.metric == Metric::Cosine) + 8 * levels;
        let affordable = rows.saturating_mul(bytes) <= rows.saturating_mul(dims) + (16 << 20);
        if !affordable || coder.defect > 1e-3 || coder.slack > 1e-2 {
            return Ok(None);
        }
        const PURPOSE: &str = "8-bit codes";
        let mut codes = try_vec(0i8, rows * head, PURPOSE)?;
        let mut units = try_vec(0.0f32, rows, PURPOSE)?;
        let mut norms = try_vec(0.0f32, rows, PURPOSE)?;
        let mut bases = try_vec(0.0f64, rows, PURPOSE)?;
        let mut inverse_norms = match frame.metric {
            Metric::Euclidean => Vec::new(),
            Metric::Cosine => try_vec(0.0f64, rows, PURPOSE)?,
        };
        let mut rests = try_vec(Rest::default(), rows * levels, PURPOSE)?;
        let mut sums = try_vec(0i32, rows, PURPOSE)?;
        let mut head_norms = try_vec(0.0f32, rows, PURPOSE)?;
        let mut inverse_chunks = inverse_norms.chunks_mut(TASK_ROWS);
        let tasks: Vec<_> = codes
            .chunks_mut(TASK_ROWS * head)
            .zip(units.chunks_mut(TASK_ROWS))
            .zip(norms.chunks_mut(TASK_ROWS))
            .zip(bases.chunks_mut(TASK_ROWS))
            .zip(rests.chunks_mut(TASK_ROWS * levels))
            .map(|task| (task, inverse_chunks.next().unwrap_or_default()))
            .enumerate()
            .collect();
        threads.run(
            tasks.into_iter(),
            Buffers::default,
            |buffers, (task, (((((codes, units), norms), bases), rests), inverse))| {
                let first = task * TASK_ROWS;
                let count = units.len();
                let Buffers {
                    block,
                    packed,
                    squares,
                    scales,
                    scores,
                    coordinates,
                } = buffers;
                let block = points.block(first..first + count, block);
                let width = kernels.shape.width;
                packed.resize(width * dims, 0.0);
                squares.resize(width, 0.0);
                scores.resize(width * basis.panels.starts.len(), 0.0);
                coordinates.resize(head, 0.0);
                for (tile, values) in block.chunks(width * dims).enumerate() {
                    scales.clear();
                    for (i, values) in values.chunks_exact(dims).enumerate() {
                        let i = tile * width + i;
                        let row = Row::new(values, frame.metric);
                        scales.push(frame.row_scale(&row).unwrap_or(0.0));
                        bases[i] = frame.base(&row);
                        if let Some(slot) = inverse.get_mut(i) {
                            *slot = row.inverse_norm();
                        }
                    }
                    kernels.pack(values, scales, &frame.scaled_centre, packed, squares);
                    kernels.scores(packed, &basis.panels, scores);
                    for lane in 0..scales.len() {
                        let i = tile * width + lane;
                        let norm = frame.norm_bound(f64::from(squares[lane]).sqrt());
                        if scales[lane] <= 0.0 || !(norm <= FAR) {
                            continue;
                        }
                        for (t, value) in coordinates.iter_mut().enumerate() {
                            *value = scores[t * width + lane];
                        }
                        norms[i] = (1.000001 * norm) as f32;
                        units[i] = coder.encode(
                            coordinates,
                            f64::from(norms[i]),
                            &mut codes[i * head..][..head],
                            &mut rests[i * levels..][..levels],
                        );
                    }
                }
            },
        )?;
        for i in 0..rows {
            let code = &codes[i * head..][..head];
            sums[i] = code.iter().map(|&c| i32::from(c)).sum();
            let whole = rests[(i + 1) * levels - 1];
            head_norms[i] = (1.00001 * coder.head_norm(f64::from(norms[i]), whole)) as f32;
        }
        Ok(Some(RowCodes {
            coder,
            basis,
            codes,
            units,
            norms,
            bases,
            inverse_norms,
            sums,
            head_norms,
            rests,
        }))
    }

    /// Row i of the points, whose values the caller has at hand.
    pub fn row<'v>(&self, i: usize, values: &'v [f32], metric: Metric) -> Row<'v> {
        Row {
            values,
            metric,
            inverse_norm: self.inverse_norms.get(i).copied().unwrap_or(1.0),
        }
    }
}

/// A worker's buffers.
#[derive(Default)]
struct Buffers {
    block: Vec<f32>,
    packed: Vec<f32>,
    squares: Vec<f32>,
    scales: Vec<f32>,
    scores: Vec<f32>,
    coordinates: Vec<f32>,
}
