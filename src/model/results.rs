//! What a trained model found.

use super::KMeans;
use crate::allocate::try_vec;
use crate::clusters::Clusters;
use crate::config::invalid;
use crate::error::Result;
use crate::threads::Threads;
use ndarray::Array2;

/// Results; `None` until the model is trained.
impl KMeans {
    /// Columns of the points and of the centroids.
    pub fn n_dimensions(&self) -> Option<usize> {
        Some(self.fit_of_training()?.dims())
    }

    /// Training points; `None` also in a model that was made of centroids.
    pub fn n_points(&self) -> Option<usize> {
        Some(self.cluster_sizes()?.iter().sum())
    }

    /// n_clusters × dimensions: means, unit vectors (cosine) or medoids.
    ///
    /// A model of sparse rows keeps what is not zero and makes the matrix when it is first
    /// asked for: `None` also where memory for it is refused, which
    /// [`try_centroids`](KMeans::try_centroids) tells.
    pub fn centroids(&self) -> Option<&Array2<f32>> {
        self.try_centroids().ok()
    }

    /// [`centroids`](KMeans::centroids), or why there are none.
    pub fn try_centroids(&self) -> Result<&Array2<f32>> {
        self.trained()?.fit.placed()
    }

    pub(crate) fn shape_of_centroids(&self) -> Option<(usize, usize)> {
        Some(self.fit_of_training()?.centroids.dim())
    }

    /// The centroids with more digits. They differ from
    /// [`centroids`](KMeans::centroids) where columns lost an
    /// [`offset`](KMeans::offset).
    pub fn centroids_f64(&self) -> Result<Array2<f64>> {
        let shape = self.trained()?.fit.centroids.dim();
        let mut values = try_vec(0.0, shape.0 * shape.1, "centroids")?;
        self.write_centroids_f64(&mut values)?;
        Ok(Array2::from_shape_vec(shape, values).expect("n_clusters x dims values"))
    }

    /// Writes [`centroids_f64`](KMeans::centroids_f64), row-major, to `out`,
    /// which must hold n_clusters × dimensions values.
    pub fn write_centroids_f64(&self, out: &mut [f64]) -> Result<()> {
        let fit = &self.trained()?.fit;
        let (rows, cols) = fit.centroids.dim();
        if out.len() != rows * cols {
            return Err(invalid(format_args!(
                "there is room for {} values, but {rows} centroids x {cols} dimensions need {}",
                out.len(),
                rows * cols
            )));
        }
        fit.write_placed_f64(out);
        Ok(())
    }

    /// What was subtracted from each column before it was rounded to float32,
    /// so that what tells points apart is kept; `None` if nothing was. With the
    /// Euclidean distance a column of float64 or of 32- or 64-bit integers whose
    /// largest magnitude is more than four times its range loses the middle of
    /// its range.
    pub fn offset(&self) -> Option<&[f64]> {
        self.fit_of_training()?.offset.as_deref()
    }

    /// The row of the training data that is each cluster's medoid.
    pub fn medoid_indices(&self) -> Option<&[usize]> {
        self.fit_of_training()?.medoids.as_deref()
    }

    /// The parent of each cluster, where the first centroids came from a tree
    /// ([`Init::Tree`](crate::Init::Tree)): the coarse cluster nearest to its centroid.
    /// Coarse clusters are numbered from 0, and each is somebody's parent. `None`
    /// without a tree, and after [`partial_fit`](KMeans::partial_fit), which moves
    /// centroids.
    pub fn cluster_parents(&self) -> Option<&[u32]> {
        self.fit_of_training()?.parents.as_deref()
    }

    /// The cluster of every training point; `None` also in a model that was
    /// saved without labels or made of centroids.
    pub fn labels(&self) -> Option<&[u32]> {
        known(&self.fit_of_training()?.labels)
    }

    /// The objective that was reached: the sum over all training points of
    /// the squared Euclidean distance, of 1 − cosine, or with medoids of the
    /// (non-squared) distance to the medoid. `None` also in a model that was
    /// made of centroids.
    pub fn inertia(&self) -> Option<f64> {
        let inertia = self.fit_of_training()?.inertia;
        inertia.is_finite().then_some(inertia)
    }

    /// By what fraction of the inertia at most the balanced assignment is
    /// dearer than the best one with cluster sizes in the same range, for the
    /// final centroids: proved by linear programming duality, and 0 up to
    /// rounding. `None` unless the model is balanced.
    pub fn balance_gap(&self) -> Option<f64> {
        self.fit_of_training()?.balance_gap
    }

    /// What balancing has learnt to add to the distance to each centroid; `None`
    /// unless the model is balanced.
    pub fn prices(&self) -> Option<&[f64]> {
        self.fit_of_training()?.prices.as_deref()
    }

    /// Iterations that ran; 0 in a model that was made of centroids.
    pub fn n_iter(&self) -> Option<usize> {
        Some(self.fit_of_training()?.n_iter)
    }

    /// Training points in each cluster; `None` also in a model that was made of
    /// centroids.
    pub fn cluster_sizes(&self) -> Option<&[usize]> {
        known(&self.fit_of_training()?.counts)
    }

    /// What the training points of each cluster weigh together: their number
    /// where points had no weights. `None` also in a model that was made of
    /// centroids.
    pub fn cluster_weights(&self) -> Option<&[f64]> {
        known(&self.fit_of_training()?.weights)
    }

    /// How the result was found, where there is more than one way: with
    /// medoids, whether all distances were compared or a sample of them.
    pub fn info(&self) -> Option<&str> {
        self.fit_of_training()?.info.as_deref()
    }

    /// What is usable but perhaps not what was expected of the result.
    pub fn warnings(&self) -> &[String] {
        self.fit_of_training().map_or(&[], |fit| &fit.warnings)
    }

    /// The training points of each cluster; an error where the model doesn't
    /// know its [`labels`](KMeans::labels).
    pub fn clusters(&self) -> Result<Clusters> {
        let fit = &self.trained()?.fit;
        if fit.labels.is_empty() {
            return Err(invalid(
                "the model has no labels: it was saved without them, made of centroids, or \
                 trained block by block; predict the points again",
            ));
        }
        let threads = Threads::exactly(1, None)?;
        Clusters::from_labels(&fit.labels, 1, self.config.n_clusters, &threads)
    }
}

/// A trained model knows either all values or none, and there is no model of
/// none.
fn known<T>(values: &[T]) -> Option<&[T]> {
    (!values.is_empty()).then_some(values)
}
