//! The affine map to the coordinates that the fast engines compute in, and the
//! error bounds there.
//!
//! With a centre m and a scale s, rows become q = s·(x − m) (cosine:
//! q = x/‖x‖ − m) and centroids v = s·(c − m) (c/‖c‖ − m). The nearest centroid
//! is the one with the greatest score q·v + b. `docs/nearest.md` derives this
//! and proves the bounds.

use crate::allocate::{collect, try_vec};
use crate::error::Result;
use crate::kernels::exact::{dot, inverse_norm, squared_distance};
use crate::metric::Metric;
use crate::nearest::vectors::{Centroids, Row};
use crate::points::Points;

/// Rows that the centre and the scale are estimated from.
const SAMPLE: usize = 1024;

/// Rows and centroids longer than this, in scaled units, are left to exact
/// arithmetic; so nothing overflows, and underflow drowns in the bound.
pub(super) const FAR: f64 = (1u64 << 40) as f64;

/// 2³⁰: scales up to this leave room in float32 for products of values that
/// are not scaled yet.
const MODERATE: f64 = (1u64 << 30) as f64;

/// 2⁻²⁴, the unit roundoff of float32.
pub(super) const ROUNDOFF: f64 = 1.0 / (1u64 << 24) as f64;

/// Numbers of sparse rows, zeros counted, that the coordinates are found by.
const SPARSE_SAMPLE: usize = 1 << 18;

/// Covers the rounding of the canonical float64 distances themselves, for up
/// to 2¹⁶ dimensions.
const CANONICAL: f64 = 1.0 / (1u64 << 38) as f64;

pub(super) struct AffineMap {
    pub metric: Metric,
    pub dims: usize,
    /// m, in the units of the rows (cosine: of unit rows).
    centre: Vec<f32>,
    /// s·m.
    pub scaled_centre: Vec<f32>,
    /// s, a power of two; 1 with cosine.
    pub scale: f32,
    /// The norm ‖q‖ that few rows exceed: the bounds in the kernels assume it.
    pub common_norm: f64,
}

impl AffineMap {
    pub fn new(points: &Points<'_>, metric: Metric) -> Result<Self> {
        const PURPOSE: &str = "the centre of the data";
        let (rows, dims) = (points.rows(), points.cols());
        // Few of wide sparse rows: their own engine has other coordinates.
        let most = match points.is_sparse() {
            true => (SPARSE_SAMPLE / dims).clamp(1, SAMPLE),
            false => SAMPLE,
        };
        let count = rows.min(most);
        let sample = |i: usize| (i as u128 * rows as u128 / count as u128) as usize;
        let mut scratch = Vec::new();
        let mut mean = try_vec(0.0f64, dims, PURPOSE)?;
        for i in 0..count {
            let row = Row::new(points.row(sample(i), &mut scratch)?, metric);
            for (mean, &value) in mean.iter_mut().zip(row.values) {
                *mean += f64::from(value) * row.inverse_norm;
            }
        }
        let mean = mean.iter().map(|&sum| (sum / count as f64) as f32);
        let centre = collect(mean, PURPOSE)?;
        let mut unit = try_vec(0.0f32, dims, PURPOSE)?;
        let mut norms = try_vec(0.0f64, count, PURPOSE)?;
        for (i, norm) in norms.iter_mut().enumerate() {
            let row = Row::new(points.row(sample(i), &mut scratch)?, metric);
            for (unit, &value) in unit.iter_mut().zip(row.values) {
                *unit = (f64::from(value) * row.inverse_norm) as f32;
            }
            *norm = squared_distance(&unit, &centre).sqrt();
        }
        norms.sort_unstable_by(f64::total_cmp);
        let largest = norms.last().copied().unwrap_or(0.0);
        let median = norms.get(count / 2).copied().unwrap_or(0.0);
        let typical = if median > 0.0 { median } else { largest };
        let scale = match metric {
            Metric::Euclidean if typical > 0.0 => {
                2f64.powi((-typical.log2().round()).clamp(-126.0, 126.0) as i32)
            }
            _ => 1.0,
        };
        Ok(AffineMap {
            metric,
            dims,
            scaled_centre: collect(centre.iter().map(|&m| m * scale as f32), PURPOSE)?,
            centre,
            scale: scale as f32,
            common_norm: scale * (1.5 * largest).min(8.0 * typical),
        })
    }

    /// What the row's values are multiplied by; `None` where float32 can't.
    pub fn row_scale(&self, row: &Row<'_>) -> Option<f32> {
        match self.metric {
            Metric::Euclidean => Some(self.scale),
            Metric::Cosine => Some(row.inverse_norm as f32).filter(|scale| scale.is_normal()),
        }
    }

    /// How far a float32 score of a row of norm `norm` may be off, an affine
    /// function of the centroid: see [`RowBound`].
    pub fn row_bound(&self, norm: f64) -> RowBound {
        let unit = match self.metric {
            Metric::Euclidean => 0.0,
            Metric::Cosine => 4.0,
        };
        RowBound {
            slope: ROUNDOFF * ((self.dims + 16) as f64 * 1.01 * norm + unit),
            constant: CANONICAL * (norm * norm + 1.0),
        }
    }

    /// For scores of rows that are not centred, each a sum of `steps` terms in
    /// a row at most: between which ‖x‖² they can be computed, and the bound for
    /// those rows. `None` if the rows are so far from the origin that float32
    /// could tell little.
    pub fn uncentred(&self, steps: usize) -> Option<((f32, f32), RowBound)> {
        let (scale, steps) = (f64::from(self.scale), steps as f64 + 16.0);
        let away = dot(&self.scaled_centre, &self.scaled_centre).sqrt();
        let norm = self.common_norm + away;
        let (squares, slope) = match self.metric {
            Metric::Euclidean => ((-1.0, (norm / scale).powi(2)), 1.01 * steps * norm),
            // 1 / ‖x‖ comes from a sum of squares in float32, in eight parts
            // or more.
            Metric::Cosine => {
                let steps = steps + self.dims as f64 / 16.0 + 8.0;
                ((MODERATE.powi(-2), MODERATE.powi(2)), 1.01 * steps)
            }
        };
        let bound = RowBound {
            slope: ROUNDOFF * slope,
            constant: CANONICAL * ((norm + away).powi(2) + 1.0),
        };
        let moderate = (MODERATE.recip()..=MODERATE).contains(&scale);
        let usable = moderate && norm > 0.0 && away <= 4.0 * self.common_norm;
        usable.then_some(((squares.0 as f32, squares.1 as f32), bound))
    }

    /// An upper bound of ‖q‖, given the norm computed in float32. With cosine
    /// so much more that `slack` times it covers the rounding of unit rows too.
    pub fn norm_bound(&self, norm: f64, slack: f64) -> f64 {
        let unit = match self.metric {
            Metric::Euclidean => 0.0,
            Metric::Cosine => 2.1 * ROUNDOFF / slack,
        };
        norm * (1.0 + ROUNDOFF * (self.dims + 8) as f64) + unit
    }

    /// What the score of a centroid at distance 0 would be.
    pub fn base(&self, row: &Row<'_>) -> f64 {
        match self.metric {
            Metric::Euclidean => {
                self.score_per_distance() * squared_distance(row.values, &self.centre)
            }
            Metric::Cosine => {
                let along = dot(row.values, &self.centre) * row.inverse_norm;
                1.0 - along + dot(&self.centre, &self.centre)
            }
        }
    }

    /// Score = base − this · distance.
    pub fn score_per_distance(&self) -> f64 {
        match self.metric {
            Metric::Euclidean => 0.5 * f64::from(self.scale) * f64::from(self.scale),
            Metric::Cosine => 1.0,
        }
    }

    /// Covers the rounding of a score that is computed as base − distance, and
    /// of canonical distances.
    pub fn score_slack(&self, base: f64, score: f64) -> f64 {
        2.0 * CANONICAL * (base.abs() + score.abs() + 1.0)
    }

    /// Writes v to `values`; the rest of what scores need is returned.
    /// `None` for a centroid too far away for float32.
    pub fn centroid(
        &self,
        centroids: Centroids<'_>,
        j: usize,
        values: &mut [f32],
    ) -> Option<CentroidTerms> {
        let row = centroids.row(j);
        let (scale, bias) = (f64::from(self.scale), centroids.bias(j));
        let factor = match self.metric {
            Metric::Euclidean => scale,
            Metric::Cosine => inverse_norm(row),
        };
        for ((value, &c), &m) in values.iter_mut().zip(row).zip(&self.scaled_centre) {
            *value = (f64::from(c) * factor - f64::from(m)) as f32;
        }
        let offset_squared = match self.metric {
            Metric::Euclidean => scale * scale * squared_distance(row, &self.centre),
            Metric::Cosine => dot(values, values),
        };
        let (offset, price) = match self.metric {
            Metric::Euclidean => (-0.5 * offset_squared, 0.5 * scale * scale * bias),
            Metric::Cosine => (dot(row, &self.centre) * factor, bias),
        };
        let norm = offset_squared.sqrt();
        let score = offset - price;
        if !(norm <= FAR && offset.abs() <= FAR * FAR && price.abs() <= FAR * FAR) {
            return None;
        }
        Some(CentroidTerms {
            offset: score,
            norm,
            error: ROUNDOFF * (self.dims + 16) as f64 * (offset.abs() + price.abs())
                + CANONICAL * (norm * norm + price.abs() + 1.0),
        })
    }
}

/// What the score of a centroid needs beside v.
#[derive(Clone, Copy, Default)]
pub(super) struct CentroidTerms {
    /// b.
    pub offset: f64,
    /// ‖v‖.
    pub norm: f64,
    /// The part of the error bound that does not depend on the row.
    pub error: f64,
}

/// |float32 score − true score| ≤ slope · ‖v‖ + constant + the centroid's error.
#[derive(Clone, Copy)]
pub(super) struct RowBound {
    pub slope: f64,
    pub constant: f64,
}
