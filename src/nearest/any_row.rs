//! Rows that may be dense or sparse, one by one.

use super::vectors::Row;
use crate::allocate::collect;
use crate::error::Result;
use crate::kernels::exact_sparse::Vector;
use crate::kernels::sparse_dense;
use crate::metric::Metric;
use crate::points::{Points, SparseRows};

/// A row with what its distances need: those of a sparse row have the bits of the dense
/// one.
pub(crate) enum AnyRow<'a> {
    Dense(Row<'a>),
    /// With 1 / ‖x‖, or 0 for a row of zeros.
    Sparse(Vector<'a>, Metric, f64),
}

/// Room for rows.
#[derive(Default)]
pub(crate) struct RowScratch {
    dense: Vec<f32>,
    sparse: SparseRows,
}

impl RowScratch {
    /// Reads a row.
    pub fn row<'s>(
        &'s mut self,
        points: &'s Points<'_>,
        row: usize,
        metric: Metric,
    ) -> Result<AnyRow<'s>> {
        if points.reads_sparse() {
            points.read_sparse(row..row + 1, &mut self.sparse)?;
            return Ok(AnyRow::sparse(self.sparse.row(0), metric));
        }
        let values = points.row(row, &mut self.dense)?;
        Ok(AnyRow::Dense(Row::new(values, metric)))
    }

    /// Reads some rows, all at once.
    pub fn rows<'s>(
        &'s mut self,
        points: &'s Points<'_>,
        metric: Metric,
    ) -> Result<Vec<AnyRow<'s>>> {
        const PURPOSE: &str = "rows";
        if points.reads_sparse() {
            points.read_sparse(0..points.rows(), &mut self.sparse)?;
            let rows = self.sparse.rows().map(|row| AnyRow::sparse(row, metric));
            return collect(rows, PURPOSE);
        }
        let values = points.block(0..points.rows(), &mut self.dense)?;
        let rows = values.chunks_exact(points.cols());
        collect(
            rows.map(|row| AnyRow::Dense(Row::new(row, metric))),
            PURPOSE,
        )
    }
}

impl<'a> AnyRow<'a> {
    fn sparse(row: Vector<'a>, metric: Metric) -> Self {
        let inverse_norm = match metric {
            Metric::Euclidean => 1.0,
            Metric::Cosine => row.inverse_norm(),
        };
        AnyRow::Sparse(row, metric, inverse_norm)
    }

    pub fn inverse_norm(&self) -> f64 {
        match self {
            AnyRow::Dense(row) => row.inverse_norm(),
            AnyRow::Sparse(_, _, inverse_norm) => *inverse_norm,
        }
    }

    /// Adds the values times two factors.
    pub fn add_to(&self, sums: &mut [f64], norm: f64, weight: f64) {
        match self {
            AnyRow::Dense(row) => {
                for (sum, &value) in sums.iter_mut().zip(row.values) {
                    *sum += f64::from(value) * norm * weight;
                }
            }
            AnyRow::Sparse(..) => {
                self.each(|t, value| sums[t] += f64::from(value) * norm * weight);
            }
        }
    }

    /// The canonical distance.
    pub fn distance_to(&self, place: &Row<'_>) -> f64 {
        match self {
            AnyRow::Dense(row) => row.distance_to(place),
            AnyRow::Sparse(row, Metric::Euclidean, _) => {
                sparse_dense::squared_distance(*row, place.values)
            }
            AnyRow::Sparse(row, Metric::Cosine, inverse_norm) => {
                let along = row.dot_dense(place.values) * inverse_norm;
                1.0 - along * place.inverse_norm()
            }
        }
    }

    /// Calls `see` with every column and its number, but for zeros that are not kept.
    pub fn each(&self, mut see: impl FnMut(usize, f32)) {
        match self {
            AnyRow::Dense(row) => {
                let numbers = row.values.iter().enumerate();
                numbers.for_each(|(column, &value)| see(column, value));
            }
            AnyRow::Sparse(row, _, _) => {
                let numbers = row.columns.iter().zip(row.values);
                numbers.for_each(|(&column, &value)| see(column as usize, value));
            }
        }
    }
}
