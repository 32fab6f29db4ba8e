//! Centroids by column, with what their scores and the bound on these need.

use super::vectors::Vectors;
use crate::allocate::{refill, resize, try_vec};
use crate::error::Result;
use crate::kernels::aligned::Aligned;
use crate::kernels::exact_sparse::Vector;
use crate::kernels::isa::Isa;
use crate::kernels::sparse_scores::{Columns, Scores};
use crate::metric::Metric;
use crate::nearest::vectors::Centroids;
use std::sync::OnceLock;

/// What memory is for.
const PURPOSE: &str = "sparse centroids";

/// Unit roundoff of float32, and of float64.
const U32: f64 = f32::EPSILON as f64 / 2.0;
const U64: f64 = f64::EPSILON / 2.0;

/// Scores are not computed in float32 beyond this: nothing may overflow.
const LARGEST: f64 = 1e30;

/// The numbers of centroids, column by column: pairs of cluster and value.
#[derive(Default)]
pub(crate) struct ByColumn {
    /// Where each column starts, and the last ends.
    pub starts: Vec<usize>,
    pub numbers: Vec<(u32, f32)>,
}

impl ByColumn {
    pub fn column(&self, column: usize) -> &[(u32, f32)] {
        &self.numbers[self.starts[column]..self.starts[column + 1]]
    }

    /// Those of sparse vectors.
    fn of_vectors(vectors: &Vectors, cols: usize) -> Result<Self> {
        let mut starts = try_vec(0, cols + 1, PURPOSE)?;
        for j in 0..vectors.len() as u32 {
            for &column in vectors.get(j).columns {
                starts[column as usize + 1] += 1;
            }
        }
        for column in 0..cols {
            starts[column + 1] += starts[column];
        }
        let mut numbers = try_vec((0, 0.0), vectors.stored(), PURPOSE)?;
        let mut next = Vec::new();
        refill(&mut next, &starts[..cols], PURPOSE)?;
        for j in 0..vectors.len() as u32 {
            let Vector { columns, values } = vectors.get(j);
            for (&column, &value) in columns.iter().zip(values) {
                let at = &mut next[column as usize];
                numbers[*at] = (j, value);
                *at += 1;
            }
        }
        Ok(ByColumn { starts, numbers })
    }
}

/// Centroids that sparse rows are compared with.
#[derive(Default)]
pub(crate) struct SparseCentroids<'b> {
    metric: Metric,
    bias: Option<&'b [f64]>,
    columns: Columns,
    /// Where scores start from: −½‖c‖² − ½w, with cosine −w.
    base: Aligned<f32>,
    /// ‖c‖², up to rounding.
    squares: Vec<f64>,
    /// The greatest ‖c‖, |base| and |w|; with cosine by how much ‖c‖ misses 1.
    longest: f64,
    farthest: f64,
    dearest: f64,
    deviation: f64,
    vectors: OnceLock<Result<Vectors>>,
}

impl<'b> SparseCentroids<'b> {
    /// Of row-major centroids.
    pub fn of_dense(centroids: Centroids<'b>, metric: Metric) -> Result<Self> {
        let mut made = SparseCentroids {
            metric,
            bias: centroids.bias,
            ..Default::default()
        };
        made.set_dense(centroids.values, centroids.dims)?;
        Ok(made)
    }

    /// None yet.
    pub fn new(metric: Metric) -> Self {
        SparseCentroids {
            metric,
            ..Default::default()
        }
    }

    /// Takes row-major centroids in place of those before.
    pub fn set_dense(&mut self, values: &[f32], dims: usize) -> Result<()> {
        let vectors = Vectors::of_dense(values, dims, self.metric)?;
        self.set(&ByColumn::of_vectors(&vectors, dims)?, vectors.len())?;
        self.vectors = OnceLock::from(Ok(vectors));
        Ok(())
    }

    /// Takes other centroids, in the memory of those before.
    pub fn set(&mut self, by_column: &ByColumn, clusters: usize) -> Result<()> {
        let cols = by_column.starts.len() - 1;
        self.vectors = OnceLock::new();
        self.squares.clear();
        resize(&mut self.squares, clusters, 0.0, PURPOSE)?;
        let is_run = |column: &usize| Columns::is_run(clusters, by_column.column(*column).len());
        let runs = (0..cols).filter(is_run).count();
        self.columns.start(clusters, cols, runs)?;
        for column in 0..cols {
            let numbers = by_column.column(column);
            for &(cluster, value) in numbers {
                self.squares[cluster as usize] += f64::from(value) * f64::from(value);
            }
            self.columns.write(column, numbers.iter().copied())?;
        }
        let most = |values: &mut dyn Iterator<Item = f64>| values.fold(0.0, f64::max);
        let bias = |j: usize| self.bias.map_or(0.0, |bias| bias[j]);
        self.longest = most(&mut self.squares.iter().copied()).sqrt();
        self.dearest = most(&mut (0..clusters).map(|j| bias(j).abs()));
        let lengths = self.squares.iter().filter(|&&square| square > 0.0);
        self.deviation = match self.metric {
            Metric::Euclidean => 0.0,
            Metric::Cosine => most(&mut lengths.map(|square| (square.sqrt() - 1.0).abs())),
        };
        self.base
            .resize(f32::NEG_INFINITY, self.columns.width(), PURPOSE)?;
        self.base.fill(f32::NEG_INFINITY);
        self.farthest = 0.0;
        for (j, base) in self.base[..clusters].iter_mut().enumerate() {
            let value = match self.metric {
                Metric::Euclidean => -0.5 * self.squares[j] - 0.5 * bias(j),
                Metric::Cosine => -bias(j),
            };
            self.farthest = self.farthest.max(value.abs());
            *base = value as f32;
        }
        Ok(())
    }

    pub fn len(&self) -> usize {
        self.columns.clusters()
    }

    pub fn metric(&self) -> Metric {
        self.metric
    }

    /// ‖c‖², up to rounding.
    pub fn square(&self, j: u32) -> f64 {
        self.squares[j as usize]
    }

    /// Calls `see` with each cluster that has a number in a column, and the number.
    pub fn each(&self, column: usize, see: impl FnMut(u32, f32)) {
        self.columns.each(column, see);
    }

    /// The centroids as vectors, made when they are first asked for.
    pub fn vectors(&self) -> Result<&Vectors> {
        let made = self.vectors.get_or_init(|| {
            Vectors::of_columns(self.len(), self.metric, |see| {
                for column in 0..self.columns.cols() {
                    let each = |j, value| see(j, column as u32, value);
                    self.columns.each(column, each);
                }
            })
        });
        made.as_ref().map_err(Clone::clone)
    }

    /// The nearest centroid of a row with Σ x² = `square`.
    pub fn nearest(
        &self,
        isa: Isa,
        row: Vector<'_>,
        square: f64,
        scores: &mut Scores,
        candidates: &mut Vec<u32>,
    ) -> Result<u32> {
        let norm = square.sqrt();
        let inverse_norm = if norm > 0.0 { 1.0 / norm } else { 0.0 };
        let (scale, length) = match self.metric {
            Metric::Euclidean => (1.0, norm),
            Metric::Cosine => (inverse_norm, 1.0),
        };
        let error = self.error(row.columns.len(), length);
        let fits = length * self.longest + self.farthest <= LARGEST && error <= LARGEST;
        if fits && norm <= LARGEST && (scale == 1.0 || inverse_norm <= LARGEST) {
            let best = scores.of(isa, &self.columns, &self.base, row, scale)?;
            let limit = (f64::from(best) - 2.0 * error) as f32;
            scores.at_least(limit.next_down(), candidates)?;
            if let [found] = candidates[..] {
                return Ok(found);
            }
        } else {
            candidates.clear();
            resize(candidates, self.len(), 0, "candidates")?;
            (0..)
                .zip(candidates.iter_mut())
                .for_each(|(j, candidate)| *candidate = j);
        }
        let vectors = self.vectors()?;
        let inverse_norm = match self.metric {
            Metric::Euclidean => 1.0,
            Metric::Cosine => inverse_norm,
        };
        let (mut nearest, mut least) = (0, f64::INFINITY);
        for &j in candidates.iter() {
            let bias = self.bias.map_or(0.0, |bias| bias[j as usize]);
            let value = vectors.distance(self.metric, row, inverse_norm, j) + bias;
            if value < least {
                (nearest, least) = (j, value);
            }
        }
        Ok(nearest)
    }

    /// Scores a row with Σ x² = `square` among all centroids, in float32, and tells by how
    /// much a score may be wrong; `None` where that means nothing.
    pub fn score(
        &self,
        isa: Isa,
        row: Vector<'_>,
        square: f64,
        scores: &mut Scores,
    ) -> Result<Option<f64>> {
        let norm = square.sqrt();
        let inverse_norm = if norm > 0.0 { 1.0 / norm } else { 0.0 };
        let (scale, length) = match self.metric {
            Metric::Euclidean => (1.0, norm),
            Metric::Cosine => (inverse_norm, 1.0),
        };
        let error = self.error(row.columns.len(), length);
        let fits = length * self.longest + self.farthest <= LARGEST && error <= LARGEST;
        if !fits || norm > LARGEST || (scale != 1.0 && inverse_norm > LARGEST) {
            return Ok(None);
        }
        scores.of(isa, &self.columns, &self.base, row, scale)?;
        Ok(Some(error))
    }

    /// By how much a score in float32 may differ from what the canonical distance
    /// makes of it, for a row of that length with so many numbers: see
    /// docs/nearest.md.
    fn error(&self, numbers: usize, length: f64) -> f64 {
        let terms = (numbers + 16) as f64;
        let relative = terms * U32;
        if relative > 0.25 {
            return f64::INFINITY;
        }
        let gamma = relative / (1.0 - relative);
        let scores = gamma * (self.farthest + 1.01 * length * self.longest);
        let underflow = terms * f64::from(f32::MIN_POSITIVE) * (1.0 + length);
        // Canonical sums have a sixteenth of all dimensions in a part, at most,
        // and ‖c‖² was added up in one.
        let rounds = self.columns.cols() as f64 / 16.0 + 16.0;
        let size = (length + self.longest).powi(2) + self.dearest + 1.0;
        scores + 1.01 * length * self.deviation + underflow + 40.0 * rounds * U64 * size
    }
}
