//! Centroids as sparse vectors, for canonical distances.

use crate::allocate::{extend, push, reserve, with_capacity};
use crate::error::Result;
use crate::kernels::exact_sparse::Vector;
use crate::metric::Metric;
use crate::points::{Points, SparseRows};
use std::ops::Range;

/// What memory is for.
const PURPOSE: &str = "sparse centroids";

/// Sparse vectors, one after the other.
#[derive(Debug, PartialEq)]
pub(crate) struct Vectors {
    starts: Vec<u64>,
    columns: Vec<u32>,
    values: Vec<f32>,
    inverse_norms: Vec<f64>,
}

impl Vectors {
    /// What is not zero of row-major vectors.
    pub fn of_dense(values: &[f32], dims: usize, metric: Metric) -> Result<Self> {
        let mut vectors = Self::none(values.len() / dims)?;
        let mut rows = values.chunks_exact(dims);
        rows.try_for_each(|row| vectors.push_dense(row))?;
        vectors.finish(metric)
    }

    /// All of some sparse rows as centroids: of unit length where the metric wants it, but
    /// for those for which `stays` holds of their length.
    pub fn of_rows(
        points: &Points<'_>,
        metric: Metric,
        stays: impl Fn(f64) -> bool,
    ) -> Result<Self> {
        let mut vectors = Self::none(points.rows())?;
        let mut scratch = SparseRows::default();
        for row in 0..points.rows() {
            points.read_sparse(row..row + 1, &mut scratch)?;
            let row = scratch.row(0);
            let norm = match metric {
                Metric::Euclidean => 0.0,
                Metric::Cosine => row.square().sqrt(),
            };
            for (&column, &value) in row.columns.iter().zip(row.values) {
                // As `Metric::normalize` has it.
                let value = match norm > 0.0 && !stays(norm) {
                    true => (f64::from(value) / norm) as f32,
                    false => value,
                };
                vectors.push(column, value)?;
            }
            vectors.end()?;
        }
        vectors.finish(metric)
    }

    /// So many vectors that others have.
    pub fn of<'v>(
        count: usize,
        metric: Metric,
        vector: impl Fn(usize) -> Vector<'v>,
    ) -> Result<Self> {
        let mut vectors = Self::none(count)?;
        let numbers = (0..count).map(|j| vector(j).columns.len()).sum();
        reserve(&mut vectors.columns, numbers, PURPOSE)?;
        reserve(&mut vectors.values, numbers, PURPOSE)?;
        for j in 0..count {
            vectors.push_all(vector(j))?;
            vectors.end()?;
        }
        vectors.finish(metric)
    }

    /// None yet, with room for so many.
    pub fn none(count: usize) -> Result<Self> {
        let mut starts = with_capacity(count + 1, PURPOSE)?;
        starts.push(0);
        Ok(Vectors {
            starts,
            columns: Vec::new(),
            values: Vec::new(),
            inverse_norms: Vec::new(),
        })
    }

    /// Takes room for about as many numbers as some other vectors have: growing by and by
    /// would take up to three times as much.
    pub fn reserve_as(&mut self, others: &Vectors, range: Range<usize>) -> Result<()> {
        let numbers = (others.starts[range.end] - others.starts[range.start]) as usize;
        let numbers = numbers + numbers / 16;
        reserve(&mut self.columns, numbers, PURPOSE)?;
        reserve(&mut self.values, numbers, PURPOSE)
    }

    /// Adds a number to the vector that is being written, unless it is zero.
    #[inline]
    pub fn push(&mut self, column: u32, value: f32) -> Result<()> {
        if value.to_bits() == 0 {
            return Ok(());
        }
        push(&mut self.columns, column, PURPOSE)?;
        push(&mut self.values, value, PURPOSE)
    }

    /// Adds a vector of which all numbers are given.
    pub fn push_dense(&mut self, row: &[f32]) -> Result<()> {
        let mut numbers = (0u32..).zip(row);
        numbers.try_for_each(|(column, &value)| self.push(column, value))?;
        self.end()
    }

    /// Adds all numbers of a vector.
    pub fn push_all(&mut self, vector: Vector<'_>) -> Result<()> {
        extend(&mut self.columns, vector.columns.iter().copied(), PURPOSE)?;
        extend(&mut self.values, vector.values.iter().copied(), PURPOSE)
    }

    /// Ends a vector.
    pub fn end(&mut self) -> Result<()> {
        push(&mut self.starts, self.columns.len() as u64, PURPOSE)
    }

    /// Adds other vectors, which aren't finished either.
    pub fn append(&mut self, others: &Vectors) -> Result<()> {
        let before = self.columns.len() as u64;
        let ends = others.starts[1..].iter().map(|end| before + end);
        extend(&mut self.starts, ends, PURPOSE)?;
        extend(&mut self.columns, others.columns.iter().copied(), PURPOSE)?;
        extend(&mut self.values, others.values.iter().copied(), PURPOSE)
    }

    /// After the last vector.
    pub fn finish(mut self, metric: Metric) -> Result<Self> {
        if metric == Metric::Cosine {
            self.inverse_norms = with_capacity(self.len(), PURPOSE)?;
            for j in 0..self.len() {
                let norm = self.get(j as u32).inverse_norm();
                self.inverse_norms.push(norm);
            }
        }
        Ok(self)
    }

    pub fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// As rows of so many columns.
    pub fn points(&self, dims: usize) -> Result<Points<'_>> {
        Points::csr(&self.values, &self.columns[..], &self.starts[..], dims)
    }

    pub fn get(&self, j: u32) -> Vector<'_> {
        let places = self.starts[j as usize] as usize..self.starts[j as usize + 1] as usize;
        Vector {
            columns: &self.columns[places.clone()],
            values: &self.values[places],
        }
    }

    /// Numbers that are kept of all of them.
    pub fn numbers(&self) -> usize {
        self.values.len()
    }

    /// Writes a vector into as many zeros as there are columns.
    pub fn write(&self, j: u32, out: &mut [f32]) {
        let Vector { columns, values } = self.get(j);
        let numbers = columns.iter().zip(values);
        numbers.for_each(|(&column, &value)| out[column as usize] = value);
    }

    /// Makes zeros of what [`write`](Self::write) wrote.
    pub fn erase(&self, j: u32, out: &mut [f32]) {
        let columns = self.get(j).columns.iter();
        columns.for_each(|&column| out[column as usize] = 0.0);
    }

    /// With cosine, 1 / ‖c‖.
    pub fn inverse_norm(&self, j: u32) -> f64 {
        self.inverse_norms[j as usize]
    }

    /// The canonical distance, without bias.
    pub fn canonical(&self, metric: Metric, row: Vector<'_>, j: u32) -> f64 {
        let inverse_norm = match metric {
            Metric::Euclidean => 1.0,
            Metric::Cosine => row.inverse_norm(),
        };
        self.distance(metric, row, inverse_norm, j)
    }

    /// The canonical distance, without bias, of a row with 1 / ‖x‖.
    pub fn distance(&self, metric: Metric, row: Vector<'_>, inverse_norm: f64, j: u32) -> f64 {
        match metric {
            Metric::Euclidean => row.squared_distance(self.get(j)),
            Metric::Cosine => {
                let along = row.dot(self.get(j)) * inverse_norm;
                1.0 - along * self.inverse_norms[j as usize]
            }
        }
    }
}
