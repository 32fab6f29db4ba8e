//! Centroids as swaps handle them: with all their numbers, or those that are not zero.

use crate::allocate::{copy, resize, try_vec, with_capacity};
use crate::error::Result;
use crate::metric::Metric;
use crate::nearest::sparse::Vectors;
use crate::nearest::{Centroids, Request, Shared};
use crate::owned::TryArc;
use crate::threads::Threads;

/// What memory is for.
const PURPOSE: &str = "centroids";

/// A centroid is removed, and the members of another get two.
pub(crate) struct Swap<P> {
    pub removed: usize,
    pub split: usize,
    /// Two centroids.
    pub halves: P,
}

/// Centroids that are copied and replaced.
pub(crate) trait CentroidSet: Sized + Send + Sync {
    fn len(&self) -> usize;

    fn copy(&self) -> Result<Self>;

    /// Some of them.
    fn some(&self, which: &[usize]) -> Result<Self>;

    /// All numbers of one; `room` is for them.
    fn numbers<'p>(&'p self, j: usize, room: &'p mut Vec<f32>) -> Result<&'p [f32]>;

    /// Two others, given one after the other with all their numbers.
    fn pair(&self, values: Vec<f32>) -> Result<Self>;

    /// Puts the halves of clusters in the places of these and of those that are removed.
    fn put(&mut self, swaps: &[Swap<Self>]) -> Result<()>;

    /// The nearest two of each, and their distances.
    fn nearest_two(
        &self,
        shared: &Shared,
        found: (&mut [u32], &mut [f64]),
        threads: &Threads<'_>,
    ) -> Result<()>;
}

/// Clusters × dimensions numbers.
pub(crate) struct DenseSet {
    pub values: Vec<f32>,
    pub dims: usize,
}

impl DenseSet {
    pub fn lend(&self) -> Centroids<'_> {
        Centroids::new(&self.values, self.dims)
    }
}

impl CentroidSet for DenseSet {
    fn len(&self) -> usize {
        self.values.len() / self.dims
    }

    fn copy(&self) -> Result<Self> {
        self.pair(copy(&self.values, PURPOSE)?)
    }

    fn some(&self, which: &[usize]) -> Result<Self> {
        let mut values = with_capacity(which.len() * self.dims, PURPOSE)?;
        let rows = which.iter().map(|&j| self.lend().row(j));
        rows.for_each(|row| values.extend_from_slice(row));
        self.pair(values)
    }

    fn numbers<'p>(&'p self, j: usize, _: &'p mut Vec<f32>) -> Result<&'p [f32]> {
        Ok(self.lend().row(j))
    }

    fn pair(&self, values: Vec<f32>) -> Result<Self> {
        let dims = self.dims;
        Ok(DenseSet { values, dims })
    }

    fn put(&mut self, swaps: &[Swap<Self>]) -> Result<()> {
        for swap in swaps {
            for (half, j) in [swap.split, swap.removed].into_iter().enumerate() {
                let place = &mut self.values[j * self.dims..][..self.dims];
                place.copy_from_slice(swap.halves.lend().row(half));
            }
        }
        Ok(())
    }

    fn nearest_two(
        &self,
        shared: &Shared,
        (labels, distances): (&mut [u32], &mut [f64]),
        threads: &Threads<'_>,
    ) -> Result<()> {
        let sparse = sparse_copy(self.lend(), shared.metric())?;
        let points = match &sparse {
            Some(vectors) => vectors.points(self.dims)?,
            None => self.lend().as_points(),
        };
        let request = Request::few(self.lend(), 2, labels, Some(distances));
        shared.nearest(&points, 1).search(request, threads)?;
        Ok(())
    }
}

/// The centroids without zeros, where most of their numbers are these.
fn sparse_copy(centroids: Centroids<'_>, metric: Metric) -> Result<Option<Vectors>> {
    /// One number in so many.
    const SPARSE: usize = 8;
    let values = centroids.values;
    let numbers = values.iter().filter(|&&value| value != 0.0).count();
    match numbers * SPARSE < values.len() {
        true => Vectors::of_dense(values, centroids.dims, metric).map(Some),
        false => Ok(None),
    }
}

/// Those of sparse rows.
pub(crate) struct SparseSet {
    pub vectors: TryArc<Vectors>,
    pub dims: usize,
    pub metric: Metric,
}

impl SparseSet {
    /// Others of the same kind.
    fn of(&self, vectors: Vectors) -> Result<Self> {
        Ok(SparseSet {
            vectors: TryArc::new(vectors, PURPOSE)?,
            ..*self
        })
    }
}

impl CentroidSet for SparseSet {
    fn len(&self) -> usize {
        self.vectors.len()
    }

    fn copy(&self) -> Result<Self> {
        let vectors = self.vectors.clone();
        Ok(SparseSet { vectors, ..*self })
    }

    fn some(&self, which: &[usize]) -> Result<Self> {
        let vector = |place: usize| self.vectors.get(which[place] as u32);
        self.of(Vectors::of(which.len(), self.metric, vector)?)
    }

    fn numbers<'p>(&'p self, j: usize, room: &'p mut Vec<f32>) -> Result<&'p [f32]> {
        room.clear();
        resize(room, self.dims, 0.0, PURPOSE)?;
        self.vectors.write(j as u32, room);
        Ok(room)
    }

    fn pair(&self, values: Vec<f32>) -> Result<Self> {
        self.of(Vectors::of_dense(&values, self.dims, self.metric)?)
    }

    fn put(&mut self, swaps: &[Swap<Self>]) -> Result<()> {
        let mut other = try_vec(None, self.len(), PURPOSE)?;
        for swap in swaps {
            other[swap.split] = Some((&swap.halves.vectors, 0));
            other[swap.removed] = Some((&swap.halves.vectors, 1));
        }
        let vectors = Vectors::of(self.len(), self.metric, |j| match other[j] {
            Some((halves, half)) => halves.get(half),
            None => self.vectors.get(j as u32),
        })?;
        *self = self.of(vectors)?;
        Ok(())
    }

    fn nearest_two(
        &self,
        shared: &Shared,
        (labels, distances): (&mut [u32], &mut [f64]),
        threads: &Threads<'_>,
    ) -> Result<()> {
        let points = self.vectors.points(self.dims)?;
        let request = (2, labels, Some(distances));
        let nearest = shared.nearest(&points, 1);
        nearest.search_sparse(&self.vectors, request, threads)
    }
}
