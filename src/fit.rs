//! What training leaves behind.

use crate::allocate::{self, push, text, try_vec};
use crate::config::invalid;
use crate::error::{KMeansError, Result};
use crate::metric::Metric;
use crate::nearest::AnyCentroids;
use crate::points::Points;
use ndarray::Array2;
use std::fmt;

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Fit {
    /// n_clusters × dimensions, less the offset.
    pub centroids: AnyCentroids,
    /// What each column of the points lost before it was rounded to float32:
    /// see [`Points::check_for_offset`].
    pub offset: Option<Vec<f64>>,
    /// The centroids with the offset; `None` where nothing was lost.
    pub placed: Option<Array2<f32>>,
    /// The cluster of every training point; empty where they are not known.
    pub labels: Vec<u32>,
    /// Training points in each cluster; empty where they are not known.
    pub counts: Vec<usize>,
    /// What the training points of each cluster weigh together: their number if
    /// they have no weights. Empty where it is not known.
    pub weights: Vec<f64>,
    /// The final objective: see [`crate::Iteration::inertia`]. Infinite where
    /// it is not known.
    pub inertia: f64,
    pub n_iter: usize,
    /// The row that is each cluster's medoid.
    pub medoids: Option<Vec<usize>>,
    /// The coarse cluster that each cluster is in, where it grew from a tree.
    pub parents: Option<Vec<u32>>,
    /// What balancing adds to the distance to each centroid.
    pub prices: Option<Vec<f64>>,
    /// The duality gap of the balanced assignment, relative to the inertia.
    pub balance_gap: Option<f64>,
    /// How the result was found, where there is more than one way.
    pub info: Option<String>,
    pub warnings: Vec<String>,
}

impl Fit {
    /// A result without the extras of one kind of model.
    pub fn new(centroids: AnyCentroids, labels: Vec<u32>, n_clusters: usize) -> Result<Self> {
        let mut fit = Fit {
            counts: try_vec(0, n_clusters, "cluster sizes")?,
            weights: try_vec(0.0, n_clusters, "cluster sizes")?,
            ..Fit::of_centroids(centroids)
        };
        fit.set_labels(labels);
        Ok(fit)
    }

    /// Nothing but centroids.
    pub fn of_centroids(centroids: AnyCentroids) -> Self {
        Fit {
            centroids,
            offset: None,
            placed: None,
            labels: Vec::new(),
            counts: Vec::new(),
            weights: Vec::new(),
            inertia: 0.0,
            n_iter: 0,
            medoids: None,
            parents: None,
            prices: None,
            balance_gap: None,
            info: None,
            warnings: Vec::new(),
        }
    }

    /// Takes the labels of all training points, and counts them.
    pub fn set_labels(&mut self, labels: Vec<u32>) {
        self.counts.fill(0);
        for &label in &labels {
            self.counts[label as usize] += 1;
        }
        for (weight, &count) in self.weights.iter_mut().zip(&self.counts) {
            *weight = count as f64;
        }
        self.labels = labels;
    }

    /// Whether training points weighed anything else than 1.
    pub fn is_weighted(&self) -> bool {
        let counts = self.counts.iter().map(|&count| count as f64);
        !counts.eq(self.weights.iter().copied())
    }

    /// Warns of clusters that stayed empty. `points` are the training points,
    /// less the offset.
    pub fn warn_of_empty(&mut self, points: &Points<'_>, metric: Metric) -> Result<()> {
        match self.counts.contains(&0) {
            true => {
                let merged = points.merged_by_rounding(&self.labels, self.counts.len())?;
                self.warn_of_empty_as(merged, metric)
            }
            false => Ok(()),
        }
    }

    /// [`warn_of_empty`](Self::warn_of_empty) where clusters are. `merged`: the number
    /// type of points that rounding made equal.
    pub fn warn_of_empty_as(&mut self, merged: Option<&'static str>, metric: Metric) -> Result<()> {
        let clusters = self.counts.len();
        let empty = self.counts.iter().filter(|&&count| count == 0).count();
        let warn = |reason: fmt::Arguments<'_>| {
            let warning = format_args!("{empty} of {clusters} clusters are empty: {reason}");
            text(warning, "warnings")
        };
        let warning = match merged {
            Some(number) => warn(format_args!(
                "some points differ as {number} but not as float32, which has 24 bits; \
                 rescale the columns, or split those that hold very large and very small \
                 differences in two"
            )),
            None if metric == Metric::Cosine => warn(format_args!(
                "the data has fewer distinct directions than clusters; use fewer clusters, \
                 or the Euclidean distance if lengths matter"
            )),
            None => warn(format_args!(
                "the data has fewer distinct points than clusters; use fewer clusters"
            )),
        }?;
        push(&mut self.warnings, warning, "warnings")?;
        self.warnings.rotate_right(1);
        Ok(())
    }

    /// Warns where all numbers of the centroids take more bytes than the limit: those of
    /// sparse rows may take far more than the rows.
    pub fn warn_of_large_centroids(&mut self, limit: u64) -> Result<()> {
        let (clusters, dims) = self.centroids.dim();
        let bytes = (clusters as u64 * dims as u64).saturating_mul(size_of::<f32>() as u64);
        if bytes > limit {
            let warning = text(
                format_args!(
                    "the centroids, {clusters} x {dims} numbers, take {bytes} bytes, more than the \
                     memory limit of {limit}; use fewer clusters, or leave out rare columns"
                ),
                "warnings",
            )?;
            push(&mut self.warnings, warning, "warnings")?;
        }
        Ok(())
    }

    /// Notes what the points had lost, if anything.
    pub fn set_offset(&mut self, offset: Option<Vec<f64>>) -> Result<()> {
        if let Some(offset) = &offset {
            self.placed = Some(placed(self.centroids.dense()?, offset)?);
        }
        self.offset = offset;
        Ok(())
    }

    /// The same model with other centroids, less the offset, and without what it
    /// knows of single rows.
    pub fn without_rows(&self, centroids: Vec<f32>) -> Result<Fit> {
        let centroids = AnyCentroids::of_values(centroids, self.centroids.dim().0)?;
        let mut fit = Fit {
            counts: allocate::copy(&self.counts, "cluster sizes")?,
            weights: allocate::copy(&self.weights, "cluster sizes")?,
            inertia: f64::INFINITY,
            n_iter: self.n_iter,
            ..Fit::of_centroids(centroids)
        };
        for warning in &self.warnings {
            push(&mut fit.warnings, text(warning, "warnings")?, "warnings")?;
        }
        let offset = self.offset.as_deref();
        fit.set_offset(
            offset
                .map(|offset| allocate::copy(offset, "offsets"))
                .transpose()?,
        )?;
        Ok(fit)
    }

    pub fn dims(&self) -> usize {
        self.centroids.dim().1
    }

    /// The centroids as the caller knows them.
    pub fn placed(&self) -> Result<&Array2<f32>> {
        match &self.placed {
            Some(placed) => Ok(placed),
            None => self.centroids.dense(),
        }
    }

    /// The same in float64, where an offset leaves more digits; row-major into
    /// `out`, which holds n_clusters × dimensions values.
    pub fn write_placed_f64(&self, out: &mut [f64]) {
        let offset = self.offset.iter().flatten().copied();
        let mut values = self.centroids.numbers();
        for out in out.chunks_exact_mut(self.dims()) {
            let offset = offset.clone().chain(std::iter::repeat(0.0));
            for ((out, value), offset) in out.iter_mut().zip(&mut values).zip(offset) {
                *out = f64::from(value) + offset;
            }
        }
    }

    /// The centroids, one after the other.
    pub fn centroid_values(&self) -> Result<&[f32]> {
        self.centroids.values()
    }

    /// An error unless the points have as many columns as the centroids.
    pub fn check_dims(&self, points: &Points<'_>) -> Result<()> {
        if points.cols() != self.dims() {
            return Err(KMeansError::DimensionMismatch {
                expected: self.dims(),
                actual: points.cols(),
            });
        }
        Ok(())
    }

    /// Checks what is to be assigned, and that there is room for `per_point`
    /// labels (and distances, where wanted) a row.
    pub fn check_prediction(
        &self,
        points: &Points<'_>,
        per_point: usize,
        (labels, distances): (usize, Option<usize>),
    ) -> Result<()> {
        self.check_dims(points)?;
        let expected = points.rows().saturating_mul(per_point);
        for (name, len) in [("labels", Some(labels)), ("distances", distances)] {
            if let Some(len) = len
                && len != expected
            {
                return Err(invalid(format_args!(
                    "{name} has room for {len} values, but {} rows x {per_point} clusters need {expected}",
                    points.rows(),
                )));
            }
        }
        Ok(())
    }
}

/// Centroids with the offset of each column added.
fn placed(centroids: &Array2<f32>, offset: &[f64]) -> Result<Array2<f32>> {
    let mut values = allocate::with_capacity(centroids.len(), "centroids")?;
    for row in centroids.rows() {
        let row = row.into_iter().zip(offset);
        values.extend(row.map(|(&value, &offset)| (f64::from(value) + offset) as f32));
    }
    Ok(Array2::from_shape_vec(centroids.dim(), values).expect("as many values as before"))
}
