//! What training leaves behind.

use crate::config::invalid;
use crate::error::{KMeansError, Result};
use crate::points::Points;
use ndarray::Array2;

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Fit {
    /// n_clusters × dimensions.
    pub centroids: Array2<f32>,
    /// The cluster of every training point; empty where they are not known.
    pub labels: Vec<u32>,
    /// Training points in each cluster; empty where they are not known.
    pub counts: Vec<usize>,
    /// The final objective: see [`crate::Iteration::inertia`]. Infinite where
    /// it is not known.
    pub inertia: f64,
    pub n_iter: usize,
    /// The row that is each cluster's medoid.
    pub medoids: Option<Vec<usize>>,
    /// What balancing adds to the distance to each centroid.
    pub prices: Option<Vec<f64>>,
    /// The duality gap of the balanced assignment, relative to the inertia.
    pub balance_gap: Option<f64>,
    /// How the result was found, where there is more than one way.
    pub info: Option<String>,
    pub warnings: Vec<String>,
}

impl Fit {
    /// A result without the extras of one kind of model. Warns of clusters
    /// that stayed empty.
    pub fn new(centroids: Vec<f32>, labels: Vec<u32>, n_clusters: usize) -> Self {
        let dims = centroids.len() / n_clusters;
        let mut counts = vec![0; n_clusters];
        for &label in &labels {
            counts[label as usize] += 1;
        }
        let empty = counts.iter().filter(|&&count| count == 0).count();
        let mut fit = Fit {
            centroids: Array2::from_shape_vec((n_clusters, dims), centroids)
                .expect("n_clusters x dims values"),
            labels,
            counts,
            inertia: 0.0,
            n_iter: 0,
            medoids: None,
            prices: None,
            balance_gap: None,
            info: None,
            warnings: Vec::new(),
        };
        if empty > 0 {
            fit.warnings.push(format!(
                "{empty} of {n_clusters} clusters are empty: the data has fewer distinct points than clusters; use fewer clusters"
            ));
        }
        fit
    }

    /// The centroids, one after the other.
    pub fn centroid_values(&self) -> &[f32] {
        self.centroids.as_slice().expect("row-major centroids")
    }

    /// Checks what is to be assigned, and that there is room for `per_point`
    /// labels (and distances, where wanted) a row.
    pub fn check_prediction(
        &self,
        points: &Points<'_>,
        per_point: usize,
        (labels, distances): (usize, Option<usize>),
    ) -> Result<()> {
        if points.cols() != self.centroids.ncols() {
            return Err(KMeansError::DimensionMismatch {
                expected: self.centroids.ncols(),
                actual: points.cols(),
            });
        }
        let expected = points.rows().saturating_mul(per_point);
        for (name, len) in [("labels", Some(labels)), ("distances", distances)] {
            if let Some(len) = len
                && len != expected
            {
                return Err(invalid(format!(
                    "{name} has room for {len} values, but {} rows x {per_point} clusters need {expected}",
                    points.rows(),
                )));
            }
        }
        Ok(())
    }
}
