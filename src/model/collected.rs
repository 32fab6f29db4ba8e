//! Rows that partial_fit has got before there were enough for the first centroids.

use crate::allocate::{append, push, with_capacity};
use crate::error::{KMeansError, Result};
use crate::points::{Points, SparseRows};
use ndarray::ArrayView2;

/// What memory is for.
const PURPOSE: &str = "rows for the first centroids";

/// Rows of positive weight, sparse as long as all are.
#[derive(Debug, PartialEq)]
pub(super) struct Collected {
    cols: usize,
    numbers: Numbers,
    weights: Vec<f64>,
}

#[derive(Debug, PartialEq)]
enum Numbers {
    /// Row by row.
    Dense(Vec<f32>),
    Sparse {
        starts: Vec<u64>,
        columns: Vec<u32>,
        values: Vec<f32>,
    },
}

impl Collected {
    /// The rows of `before`, and of a block that follows them.
    pub fn new(before: Option<&Collected>, points: &Points<'_>) -> Result<Self> {
        let sparse_before =
            before.is_none_or(|before| matches!(before.numbers, Numbers::Sparse { .. }));
        let numbers = match sparse_before && points.reads_sparse() {
            false => Numbers::Dense(Vec::new()),
            true => {
                let mut starts = with_capacity(points.rows() + 1, PURPOSE)?;
                starts.push(0);
                Numbers::Sparse {
                    starts,
                    columns: Vec::new(),
                    values: Vec::new(),
                }
            }
        };
        let mut all = Collected {
            cols: points.cols(),
            numbers,
            weights: Vec::new(),
        };
        if let Some(before) = before {
            all.add(&before.points()?)?;
        }
        all.add(points)?;
        Ok(all)
    }

    /// How many rows.
    pub fn len(&self) -> usize {
        self.weights.len()
    }

    pub fn cols(&self) -> usize {
        self.cols
    }

    fn add(&mut self, points: &Points<'_>) -> Result<()> {
        let (mut scratch, mut rows) = (Vec::new(), SparseRows::default());
        for row in (0..points.rows()).filter(|&row| points.weight(row) > 0.0) {
            match &mut self.numbers {
                Numbers::Dense(numbers) => {
                    append(numbers, points.row(row, &mut scratch)?, PURPOSE)?;
                }
                Numbers::Sparse {
                    starts,
                    columns,
                    values,
                } => {
                    points.read_sparse(row..row + 1, &mut rows)?;
                    append(columns, rows.row(0).columns, PURPOSE)?;
                    append(values, rows.row(0).values, PURPOSE)?;
                    push(starts, columns.len() as u64, PURPOSE)?;
                }
            }
            push(&mut self.weights, points.weight(row), PURPOSE)?;
        }
        Ok(())
    }

    /// The rows, with weights if some are not 1.
    pub fn points(&self) -> Result<Points<'_>> {
        let points = match &self.numbers {
            Numbers::Dense(numbers) => {
                let view = ArrayView2::from_shape((self.len(), self.cols), numbers);
                Points::from(view.map_err(|_| KMeansError::invalid_data("too many rows"))?)
            }
            Numbers::Sparse {
                starts,
                columns,
                values,
            } => Points::csr(values, &columns[..], &starts[..], self.cols)?,
        };
        match self.weights.iter().any(|&weight| weight != 1.0) {
            true => points.with_weights(&self.weights[..]),
            false => Ok(points),
        }
    }
}
