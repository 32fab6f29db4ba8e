//! The float32 engine's way with few centroids: rows as they lie, not centred,
//! which a constant of each centroid makes up for: q·v + b = s x·v + (b − s m·v).
//! See `docs/nearest.md` for the error.

use crate::allocate::copy;
use crate::error::Result;
use crate::kernels::exact::dot;
use crate::kernels::few_centroids::{FewCentroids, Terms, steps};
use crate::kernels::isa::Isa;
use crate::metric::Metric;
use crate::nearest::scores::{AffineMap, CentroidTerms, ROUNDOFF, RowBound};
use crate::nearest::vectors::Centroids;

/// Few centroids, prepared for the kernel.
pub(in crate::nearest) struct FewSearch {
    few: FewCentroids,
    /// s m.
    centre: Vec<f32>,
    bound: RowBound,
}

impl FewSearch {
    /// Of centroids that are not [`set`](Self::set) yet. `None` if float32
    /// could tell little of rows that are not centred.
    pub fn new(affine: &AffineMap, isa: Isa, centroids: Centroids<'_>) -> Result<Option<Self>> {
        let Some((squares, bound)) = affine.uncentred(steps(affine.dims)) else {
            return Ok(None);
        };
        let scale = match affine.metric {
            Metric::Euclidean => Some(affine.scale),
            Metric::Cosine => None,
        };
        let shape = (centroids.len(), affine.dims);
        Ok(Some(FewSearch {
            few: FewCentroids::new(isa, shape, scale, squares)?,
            centre: copy(&affine.scaled_centre, "centroid panels")?,
            bound,
        }))
    }

    /// `values` and `terms`: see [`AffineMap::centroid`].
    pub fn set(&mut self, j: usize, values: &[f32], terms: CentroidTerms) {
        let along = dot(&self.centre, values);
        let rounding = ROUNDOFF * (values.len() + 16) as f64 * along.abs();
        let error = terms.error + rounding + self.bound.slope * terms.norm;
        let terms = Terms {
            start: (terms.offset - along + error) as f32,
            spread: (2.000002 * (error + self.bound.constant)) as f32,
        };
        self.few.set(j, values, terms);
    }

    /// Writes each row's nearest centroid to `labels`, or
    /// [`UNASSIGNED`](super::UNASSIGNED) where float32 can't tell.
    ///
    /// `copies`: scratch.
    pub fn label(&self, rows: &[f32], labels: &mut [u32], copies: &mut Vec<f32>) -> Result<()> {
        self.few.label(rows, labels, copies)
    }
}
