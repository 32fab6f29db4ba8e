//! What training leaves behind.

use ndarray::Array2;

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Fit {
    /// n_clusters × dimensions.
    pub centroids: Array2<f32>,
    /// The cluster of every training point.
    pub labels: Vec<u32>,
    /// The final objective: see [`crate::Iteration::inertia`].
    pub inertia: f64,
    pub n_iter: usize,
    /// The row that is each cluster's medoid.
    pub medoids: Option<Vec<usize>>,
    /// How the result was found, where there is more than one way.
    pub info: Option<String>,
    pub warnings: Vec<String>,
}

impl Fit {
    pub fn cluster_sizes(&self) -> Vec<usize> {
        let mut sizes = vec![0; self.centroids.nrows()];
        for &label in &self.labels {
            sizes[label as usize] += 1;
        }
        sizes
    }
}
