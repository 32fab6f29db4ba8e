//! Centroids by column, with what their scores and the bound on these need.

use super::vectors::Vectors;
use crate::allocate::{collect, extend, resize};
use crate::error::Result;
use crate::kernels::aligned::Aligned;
use crate::kernels::exact_sparse::{Rows, Vector, inverse_of_root};
use crate::kernels::isa::Isa;
use crate::kernels::sparse_columns::Columns;
use crate::kernels::sparse_scores::{Asked, Best, Scores};
use crate::metric::Metric;
use crate::nearest::vectors::Centroids;
use crate::owned::TryArc;

/// What memory is for.
const PURPOSE: &str = "sparse centroids";

/// Unit roundoff of float32, and of float64.
const U32: f64 = f32::EPSILON as f64 / 2.0;
const U64: f64 = f64::EPSILON / 2.0;

/// Scores are not computed in float32 beyond this: nothing may overflow.
const LARGEST: f64 = 1e30;

/// Centroids that sparse rows are compared with.
pub(crate) struct SparseCentroids {
    metric: Metric,
    dims: usize,
    /// Empty where there is none.
    bias: Vec<f64>,
    vectors: TryArc<Vectors>,
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
}

impl SparseCentroids {
    /// Of row-major centroids.
    pub fn of_dense(centroids: Centroids<'_>, metric: Metric) -> Result<Self> {
        let vectors = Vectors::of_dense(centroids.values, centroids.dims, metric)?;
        let vectors = TryArc::new(vectors, PURPOSE)?;
        Self::of_vectors(vectors, centroids.dims, centroids.bias, metric)
    }

    /// Of so many dimensions each.
    pub fn of_vectors(
        vectors: TryArc<Vectors>,
        dims: usize,
        bias: Option<&[f64]>,
        metric: Metric,
    ) -> Result<Self> {
        let mut made = SparseCentroids {
            metric,
            dims,
            bias: collect(bias.into_iter().flatten().copied(), PURPOSE)?,
            vectors,
            columns: Columns::default(),
            base: Aligned::default(),
            moves: Vec::new(),
            places: Vec::new(),
            squares: Vec::new(),
            longest: 0.0,
            farthest: 0.0,
            dearest: 0.0,
            deviation: 0.0,
        };
        made.prepare(&[])?;
        Ok(made)
    }

    /// Takes other centroids in place of those before. `follows` tells whether how far
    /// they have moved matters.
    pub fn set(&mut self, vectors: TryArc<Vectors>, follows: bool) -> Result<()> {
        let moves = match follows {
            true => self.moves_to(&vectors)?,
            false => Vec::new(),
        };
        self.vectors = vectors;
        self.prepare(&moves)
    }

    /// Whether rows can be searched among these centroids.
    pub fn are(&self, vectors: &TryArc<Vectors>) -> bool {
        std::ptr::eq(&**vectors, &*self.vectors) && self.columns.cols() > 0
    }

    /// Gives back the memory of what scores need, until others are [set](Self::set).
    pub fn rest(&mut self) {
        (self.columns, self.base) = (Columns::default(), Aligned::default());
    }

    /// Lets go of the vectors for others, that are [set](Self::set) before rows are searched.
    pub fn leave(&mut self, vectors: TryArc<Vectors>) {
        self.rest();
        self.vectors = vectors;
    }

    /// Makes of the vectors what scores need.
    fn prepare(&mut self, moves: &[f64]) -> Result<()> {
        let clusters = self.vectors.len();
        let order = self.order(moves)?;
        let shape = (clusters, self.dims);
        self.columns.set(shape, &order, |j| self.vectors.get(j))?;
        self.squares.clear();
        let squares = (0..clusters as u32).map(|j| self.vectors.get(j).square());
        extend(&mut self.squares, squares, PURPOSE)?;
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

    /// How far each is from where `next` has it, at most.
    fn moves_to(&self, next: &Vectors) -> Result<Vec<f64>> {
        let vectors = (0..self.vectors.len() as u32).map(|j| (self.vectors.get(j), next.get(j)));
        let moves = vectors.map(|(was, is)| was.squared_distance(is).sqrt() * (1.0 + U32));
        collect(moves, PURPOSE)
    }

    /// Has those that moved farthest first: lists the clusters so.
    fn order(&mut self, moves: &[f64]) -> Result<Vec<u32>> {
        let mut order = Vec::new();
        resize(&mut order, moves.len(), 0u32, PURPOSE)?;
        (0..).zip(&mut order).for_each(|(j, place)| *place = j);
        order.sort_unstable_by(|&a, &b| {
            let farther = moves[b as usize].total_cmp(&moves[a as usize]);
            farther.then(a.cmp(&b))
        });
        self.moves.clear();
        resize(&mut self.moves, order.len(), 0.0, PURPOSE)?;
        self.places.clear();
        resize(&mut self.places, order.len(), 0, PURPOSE)?;
        for (place, &j) in order.iter().enumerate() {
            self.moves[place] = (moves[j as usize] * (1.0 + 2.0 * U32)) as f32;
            self.places[j as usize] = place as u32;
        }
        Ok(order)
    }

    pub fn len(&self) -> usize {
        self.vectors.len()
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

    /// Calls `see` with each cluster that has a number in a column.
    pub fn each(&self, column: usize, see: impl FnMut(u32)) {
        self.columns.each(column, see);
    }

    /// The centroids as vectors.
    pub fn vectors(&self) -> &TryArc<Vectors> {
        &self.vectors
    }

    /// D of a row with 1 / ‖x‖, without bias.
    pub fn distance(&self, row: Vector<'_>, inverse_norm: f64, j: u32) -> f64 {
        match self.metric {
            Metric::Euclidean => row.squared_distance(self.vectors.get(j)),
            Metric::Cosine => {
                // Only columns of the row count.
                let place = self.places.get(j as usize).map_or(j, |&place| place);
                let along = row.dot_with(|column| self.columns.number(column, place));
                1.0 - along * inverse_norm * inverse_of_root(self.square(j))
            }
        }
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
        let error = self.error_where(row.columns.len(), norm);
        if error > LARGEST {
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

    /// [`error`](Self::error), infinite where scores can't be computed.
    #[inline]
    pub fn error_where(&self, numbers: usize, norm: f64) -> f64 {
        match self.fits(norm) {
            true => self.error(numbers, norm),
            false => f64::INFINITY,
        }
    }

    /// By how much a score in float32 may differ from what the canonical distance
    /// makes of it, for a row of that length with so many numbers: see
    /// docs/nearest.md.
    #[inline]
    fn error(&self, numbers: usize, norm: f64) -> f64 {
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
