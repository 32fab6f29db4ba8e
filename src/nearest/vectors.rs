//! Rows and centroids, with the canonical distance between them.

use crate::kernels::exact::{dot, inverse_norm, squared_distance};
use crate::metric::Metric;
use crate::points::Points;
use ndarray::ArrayView2;

/// The centroids of one search: k rows of d values, row-major, with an
/// optional bias (a price) that is added to every distance.
#[derive(Clone, Copy)]
pub(crate) struct Centroids<'a> {
    pub values: &'a [f32],
    pub dims: usize,
    pub bias: Option<&'a [f64]>,
}

impl<'a> Centroids<'a> {
    pub fn new(values: &'a [f32], dims: usize) -> Self {
        debug_assert!(dims > 0 && values.len().is_multiple_of(dims));
        Centroids {
            values,
            dims,
            bias: None,
        }
    }

    pub fn with_bias(self, bias: &'a [f64]) -> Self {
        debug_assert_eq!(bias.len(), self.len());
        Centroids {
            bias: Some(bias),
            ..self
        }
    }

    /// The centroids as rows.
    pub fn as_points(&self) -> Points<'a> {
        let shape = (self.len(), self.dims);
        Points::from(ArrayView2::from_shape(shape, self.values).expect("k x dims values"))
    }

    pub fn len(&self) -> usize {
        self.values.len() / self.dims
    }

    pub fn row(&self, j: usize) -> &'a [f32] {
        &self.values[j * self.dims..][..self.dims]
    }

    pub fn bias(&self, j: usize) -> f64 {
        self.bias.map_or(0.0, |bias| bias[j])
    }
}

/// A row with what its distances need.
pub(crate) struct Row<'a> {
    pub values: &'a [f32],
    pub(super) metric: Metric,
    /// 1 / ‖x‖, or 0 for a zero row; only used by cosine.
    pub(super) inverse_norm: f64,
}

impl<'a> Row<'a> {
    pub fn new(values: &'a [f32], metric: Metric) -> Self {
        let inverse_norm = match metric {
            Metric::Euclidean => 1.0,
            Metric::Cosine => inverse_norm(values),
        };
        Row {
            values,
            metric,
            inverse_norm,
        }
    }

    /// With what [`new`](Self::new) would compute.
    pub fn with_norm(values: &'a [f32], metric: Metric, inverse_norm: f64) -> Self {
        Row {
            values,
            metric,
            inverse_norm,
        }
    }

    pub fn inverse_norm(&self) -> f64 {
        self.inverse_norm
    }

    /// The canonical distance, without bias.
    pub fn distance(&self, centroid: &[f32]) -> f64 {
        self.distance_to(&Row::new(centroid, self.metric))
    }

    /// The canonical distance, without bias.
    pub fn distance_to(&self, centroid: &Row<'_>) -> f64 {
        match self.metric {
            Metric::Euclidean => squared_distance(self.values, centroid.values),
            Metric::Cosine => {
                // A unit vector rounded to float32 isn't one: between rows far
                // from the origin its error would outweigh the angles.
                let along = dot(self.values, centroid.values) * self.inverse_norm;
                1.0 - along * centroid.inverse_norm
            }
        }
    }
}
