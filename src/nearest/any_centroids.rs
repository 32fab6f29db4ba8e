//! Centroids as seeding and training leave them.

use super::sparse::Vectors;
use crate::allocate::try_vec;
use crate::error::{KMeansError, Result};
use crate::metric::Metric;
use crate::owned::TryArc;
use ndarray::Array2;
use std::sync::OnceLock;

/// What memory is for.
const PURPOSE: &str = "centroids";

/// Centroids with all their numbers, or of sparse rows with those alone that are not zero,
/// until somebody asks for all.
#[derive(Debug, Clone)]
pub(crate) struct AnyCentroids {
    shape: (usize, usize),
    sparse: Option<TryArc<Vectors>>,
    dense: OnceLock<Array2<f32>>,
}

impl AnyCentroids {
    /// So many, one after the other.
    pub fn of_values(values: Vec<f32>, clusters: usize) -> Result<Self> {
        let dims = values.len() / clusters.max(1);
        Array2::from_shape_vec((clusters, dims), values)
            .map(Self::from)
            .map_err(|_| KMeansError::invalid_data("too many centroids"))
    }

    /// Of so many dimensions each.
    pub fn of_vectors(vectors: TryArc<Vectors>, dims: usize) -> Self {
        AnyCentroids {
            shape: (vectors.len(), dims),
            sparse: Some(vectors),
            dense: OnceLock::new(),
        }
    }

    /// Clusters and dimensions.
    pub fn dim(&self) -> (usize, usize) {
        self.shape
    }

    /// Those of sparse rows.
    pub fn sparse(&self) -> Option<&TryArc<Vectors>> {
        self.sparse.as_ref()
    }

    /// Without their zeros.
    pub fn vectors(&self, metric: Metric) -> Result<TryArc<Vectors>> {
        match &self.sparse {
            Some(vectors) => Ok(vectors.clone()),
            None => {
                let vectors = Vectors::of_dense(self.values()?, self.shape.1, metric)?;
                TryArc::new(vectors, PURPOSE)
            }
        }
    }

    /// All numbers, which stay once they are made.
    pub fn dense(&self) -> Result<&Array2<f32>> {
        match (self.dense.get(), &self.sparse) {
            (None, Some(vectors)) => {
                // Nobody waits for who makes them, nor a child that was forked meanwhile.
                let made = dense(vectors, self.shape)?;
                Ok(self.dense.get_or_init(|| made))
            }
            (known, _) => Ok(known.expect("some of both is known")),
        }
    }

    /// [`dense`](Self::dense), one after the other.
    pub fn values(&self) -> Result<&[f32]> {
        Ok(self.dense()?.as_slice().expect("row-major centroids"))
    }

    pub fn into_values(self) -> Result<Vec<f32>> {
        let made = match (self.dense.into_inner(), &self.sparse) {
            (None, Some(vectors)) => dense(vectors, self.shape)?,
            (known, _) => known.expect("some of both is known"),
        };
        Ok(made.into_raw_vec_and_offset().0)
    }

    /// All numbers, without memory for them.
    pub fn numbers(&self) -> impl Iterator<Item = f32> {
        (0..self.shape.0).flat_map(move |j| self.row(j))
    }

    fn row(&self, j: usize) -> impl Iterator<Item = f32> {
        let dense = self.dense.get().and_then(|dense| dense.as_slice());
        let dims = self.shape.1;
        let (values, vector) = match (dense, &self.sparse) {
            (Some(values), _) => (&values[j * dims..][..dims], None),
            (None, sparse) => (
                &[][..],
                sparse.as_ref().map(|vectors| vectors.get(j as u32)),
            ),
        };
        let mut at = 0;
        (0..dims).map(move |column| match vector {
            None => values[column],
            Some(vector) if vector.columns.get(at) == Some(&(column as u32)) => {
                at += 1;
                vector.values[at - 1]
            }
            Some(_) => 0.0,
        })
    }
}

impl From<Array2<f32>> for AnyCentroids {
    /// Of rows that lie one after the other.
    fn from(dense: Array2<f32>) -> Self {
        AnyCentroids {
            shape: dense.dim(),
            sparse: None,
            dense: dense.into(),
        }
    }
}

impl PartialEq for AnyCentroids {
    fn eq(&self, other: &Self) -> bool {
        match (&self.sparse, &other.sparse) {
            (Some(own), Some(others)) if self.shape == other.shape => own == others,
            _ => self.shape == other.shape && self.numbers().eq(other.numbers()),
        }
    }
}

fn dense(vectors: &Vectors, (clusters, dims): (usize, usize)) -> Result<Array2<f32>> {
    let size = clusters
        .checked_mul(dims)
        .ok_or_else(|| KMeansError::out_of_memory(usize::MAX, PURPOSE))?;
    let mut values = try_vec(0.0, size, PURPOSE)?;
    for (j, row) in (0..).zip(values.chunks_exact_mut(dims)) {
        vectors.write(j, row);
    }
    Ok(Array2::from_shape_vec((clusters, dims), values).expect("clusters x dims values"))
}
