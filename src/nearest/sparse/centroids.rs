//! Centroids by column, with what their scores and the bound on these need.

use super::vectors::Vectors;
use crate::allocate::{extend, refill, resize, try_vec};
use crate::error::Result;
use crate::kernels::aligned::Aligned;
use crate::kernels::exact_sparse::{Rows, Squares, Vector, inverse_of_root};
use crate::kernels::isa::Isa;
use crate::kernels::sparse_columns::Columns;
use crate::kernels::sparse_scores::{Asked, Best, Scores};
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

/// Centroids that sparse rows are compared with.
#[derive(Default)]
pub(crate) struct SparseCentroids {
    metric: Metric,
    /// Empty where there is none.
    bias: Vec<f64>,
    columns: Columns,
    /// Where scores start from: −½‖c‖² − ½w, with cosine −w; by place.
    base: Aligned<f32>,
    /// How far each has moved at most since the search before, by place,
    /// descending; empty if that isn't known.
    moves: Vec<f32>,
    /// The place of each centroid, where there are moves.
    places: Vec<u32>,
    /// Σ c², as D adds it up.
    squares: Vec<f64>,
    /// The greatest ‖c‖, |base| and |w|; with cosine by how much ‖c‖ misses 1.
    longest: f64,
    farthest: f64,
    dearest: f64,
    deviation: f64,
    vectors: OnceLock<Result<Vectors>>,
}

impl SparseCentroids {
    /// Of row-major centroids.
    pub fn of_dense(centroids: Centroids<'_>, metric: Metric) -> Result<Self> {
        let mut made = Self::new(metric);
        extend(
            &mut made.bias,
            centroids.bias.into_iter().flatten().copied(),
            PURPOSE,
        )?;
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
        let mut starts = try_vec(0usize, dims + 1, PURPOSE)?;
        for j in 0..vectors.len() as u32 {
            for &column in vectors.get(j).columns {
                starts[column as usize + 1] += 1;
            }
        }
        for column in 0..dims {
            starts[column + 1] += starts[column];
        }
        let mut numbers = try_vec((0, 0.0), vectors.stored(), PURPOSE)?;
        let mut next = Vec::new();
        refill(&mut next, &starts[..dims], PURPOSE)?;
        for j in 0..vectors.len() as u32 {
            let Vector { columns, values } = vectors.get(j);
            for (&column, &value) in columns.iter().zip(values) {
                let at = &mut next[column as usize];
                numbers[*at] = (j, value);
                *at += 1;
            }
        }
        self.set(vectors.len(), None, |columns| {
            for places in starts.windows(2) {
                for &(j, value) in &numbers[places[0]..places[1]] {
                    columns.push(j, value)?;
                }
                columns.end_column()?;
            }
            Ok(())
        })?;
        self.vectors = OnceLock::from(Ok(vectors));
        Ok(())
    }

    /// Takes other centroids, which `write` writes, in place of those that it had.
    /// They have moved from where `before` has them, if that matters.
    pub fn set(
        &mut self,
        clusters: usize,
        before: Option<&SparseCentroids>,
        write: impl FnOnce(&mut Columns) -> Result<()>,
    ) -> Result<()> {
        self.vectors = OnceLock::new();
        self.columns.begin(clusters)?;
        write(&mut self.columns)?;
        let mut squares = Squares::new(clusters)?;
        for column in 0..self.columns.cols() {
            let add = |cluster, value| squares.add(cluster, column as u32, value);
            self.columns.each(column, add);
        }
        self.squares.clear();
        extend(&mut self.squares, squares.values(), PURPOSE)?;
        let moves = before.map(|before| self.moves_from(before)).transpose()?;
        self.order(&moves.unwrap_or_default())?;
        let most = |values: &mut dyn Iterator<Item = f64>| values.fold(0.0, f64::max);
        let bias = |j: usize| self.bias.get(j).copied().unwrap_or(0.0);
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
        for (place, base) in self.base[..clusters].iter_mut().enumerate() {
            let j = self.columns.cluster(place as u32) as usize;
            let value = match self.metric {
                Metric::Euclidean => -0.5 * self.squares[j] - 0.5 * bias(j),
                Metric::Cosine => -bias(j),
            };
            self.farthest = self.farthest.max(value.abs());
            *base = value as f32;
        }
        Ok(())
    }

    /// How far each has moved from where `before` has it, at most.
    fn moves_from(&self, before: &SparseCentroids) -> Result<Vec<f64>> {
        let mut was = try_vec(0.0f32, self.len(), PURPOSE)?;
        let mut moves = try_vec(0.0f64, self.len(), PURPOSE)?;
        for column in 0..self.columns.cols() {
            before.each(column, |j, value| was[j as usize] = value);
            self.each(column, |j, value| {
                let was = std::mem::take(&mut was[j as usize]);
                let difference = f64::from(value) - f64::from(was);
                moves[j as usize] += difference * difference;
            });
            before.each(column, |j, _| {
                let gone = f64::from(std::mem::take(&mut was[j as usize]));
                moves[j as usize] += gone * gone;
            });
        }
        for square in &mut moves {
            *square = square.sqrt() * (1.0 + U32);
        }
        Ok(moves)
    }

    /// Puts those that moved farthest first.
    fn order(&mut self, moves: &[f64]) -> Result<()> {
        let mut order = Vec::new();
        resize(&mut order, moves.len(), 0u32, PURPOSE)?;
        (0..).zip(&mut order).for_each(|(j, place)| *place = j);
        order.sort_unstable_by(|&a, &b| {
            let farther = moves[b as usize].total_cmp(&moves[a as usize]);
            farther.then(a.cmp(&b))
        });
        self.columns.finish(&order)?;
        self.moves.clear();
        resize(&mut self.moves, order.len(), 0.0, PURPOSE)?;
        self.places.clear();
        resize(&mut self.places, order.len(), 0, PURPOSE)?;
        for (place, &j) in order.iter().enumerate() {
            self.moves[place] = (moves[j as usize] * (1.0 + 2.0 * U32)) as f32;
            self.places[j as usize] = place as u32;
        }
        Ok(())
    }

    pub fn len(&self) -> usize {
        self.columns.clusters()
    }

    pub fn metric(&self) -> Metric {
        self.metric
    }

    pub fn bias(&self, j: u32) -> f64 {
        self.bias.get(j as usize).copied().unwrap_or(0.0)
    }

    /// The centroids by column, and where scores start from, by place.
    pub fn scored(&self) -> (&Columns, &[f32]) {
        (&self.columns, &self.base)
    }

    /// How far centroids have moved, and their places; see the fields.
    pub fn moves(&self) -> (&[f32], &[u32]) {
        (&self.moves, &self.places)
    }

    /// Σ c², as D adds it up.
    pub fn square(&self, j: u32) -> f64 {
        self.squares[j as usize]
    }

    /// Calls `see` with each cluster that has a number in a column, and the number.
    pub fn each(&self, column: usize, see: impl FnMut(u32, f32)) {
        self.columns.each(column, see);
    }

    /// The centroids as vectors, made when they are first asked for.
    pub fn vectors(&self) -> Result<&Vectors> {
        let made = self
            .vectors
            .get_or_init(|| Vectors::of_columns(&self.columns, self.metric));
        made.as_ref().map_err(Clone::clone)
    }

    /// D of a row with 1 / ‖x‖, without bias.
    pub fn distance(&self, row: Vector<'_>, inverse_norm: f64, j: u32) -> Result<f64> {
        Ok(match self.metric {
            Metric::Euclidean => row.squared_distance(self.vectors()?.get(j)),
            Metric::Cosine => {
                // Only columns of the row count.
                let place = self.places.get(j as usize).map_or(j, |&place| place);
                let along = row.dot_with(|column| self.columns.number(column, place));
                1.0 - along * inverse_norm * inverse_of_root(self.square(j))
            }
        })
    }

    /// Whether scores of a row of length `norm` can be computed in float32.
    #[inline]
    pub fn fits(&self, norm: f64) -> bool {
        let length = match self.metric {
            Metric::Euclidean => norm,
            Metric::Cosine if norm > 0.0 && norm < 1.0 / LARGEST => return false,
            Metric::Cosine => 1.0,
        };
        norm <= LARGEST && length * self.longest + self.farthest <= LARGEST
    }

    /// What to ask of a row of that length to score it among all centroids; numbers of
    /// one that can't be scored count as 0.
    #[inline]
    pub fn ask(&self, norm: f64) -> Asked {
        let scale = match self.metric {
            _ if !self.fits(norm) => 0.0,
            Metric::Euclidean => 1.0,
            Metric::Cosine if norm > 0.0 => 1.0 / norm as f32,
            Metric::Cosine => 0.0,
        };
        Asked {
            scale,
            width: self.columns.width() as u32,
        }
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
        let error = self.error(row.columns.len(), norm);
        if !self.fits(norm) || error > LARGEST {
            return Ok(None);
        }
        let rows = Rows {
            starts: &[0, row.columns.len()],
            columns: row.columns,
            values: row.values,
        };
        let (asked, mut best) = ([self.ask(norm)], [Best::NONE]);
        scores.best(isa, self.scored(), rows, &asked, &mut best)?;
        Ok(Some(error))
    }

    /// By how much a score in float32 may differ from what the canonical distance
    /// makes of it, for a row of that length with so many numbers: see
    /// docs/nearest.md.
    #[inline]
    pub fn error(&self, numbers: usize, norm: f64) -> f64 {
        let length = match self.metric {
            Metric::Euclidean => norm,
            Metric::Cosine => 1.0,
        };
        let terms = (numbers + 16) as f64;
        let relative = terms * U32;
        if relative > 0.25 {
            return f64::INFINITY;
        }
        // 1 / (1 − r) ≤ 1 + 2r up to r = ½.
        let gamma = relative * (1.0 + 2.0 * relative);
        let scores = gamma * (self.farthest + 1.01 * length * self.longest);
        let underflow = terms * f64::from(f32::MIN_POSITIVE) * (1.0 + length);
        // Canonical sums have a sixteenth of all dimensions in a part, at most,
        // and ‖c‖² was added up in one.
        let rounds = self.columns.cols() as f64 / 16.0 + 16.0;
        let size = (length + self.longest) * (length + self.longest) + self.dearest + 1.0;
        scores + 1.01 * length * self.deviation + underflow + 40.0 * rounds * U64 * size
    }
}
