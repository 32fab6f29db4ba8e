//! Searches of sparse rows that [`Nearest`] serves.

use super::{SparseCentroids, Vectors, few, label, measure, search};
use crate::error::Result;
use crate::kernels::isa::Isa;
use crate::nearest::vectors::Centroids;
use crate::nearest::{AnyCentroids, Nearest, Request};
use crate::owned::TryArc;
use crate::threads::Threads;

impl Nearest<'_> {
    /// The instruction set for the engine of sparse rows, if they are sparse and no
    /// other engine is asked for.
    pub fn sparse_engine(&self) -> Option<Isa> {
        let setting = self.shared.setting;
        let free = setting.engine.is_none() && self.points.reads_sparse();
        free.then_some(setting.isa)
    }

    /// [`by_blocks`](Self::by_blocks) of sparse rows.
    pub(in crate::nearest) fn by_sparse(
        &self,
        centroids: Centroids<'_>,
        (labels, distances): (&mut [u32], Option<&mut [f64]>),
        threads: &Threads<'_>,
    ) -> Result<usize> {
        let sparse = SparseCentroids::of_dense(centroids, self.metric())?;
        let isa = self.shared.setting.isa;
        label(self.points, &sparse, isa, threads, (labels, distances))
    }

    /// [`few_by_blocks`](Self::few_by_blocks) of sparse rows.
    pub(in crate::nearest) fn few_by_sparse(
        &self,
        centroids: Centroids<'_>,
        count: usize,
        (labels, distances): (&mut [u32], Option<&mut [f64]>),
        threads: &Threads<'_>,
    ) -> Result<()> {
        let sparse = SparseCentroids::of_dense(centroids, self.metric())?;
        let isa = self.shared.setting.isa;
        let model = (&sparse, Some(centroids));
        few(self.points, model, isa, threads, (count, labels, distances))
    }

    /// [`distances`](Self::distances) of sparse rows.
    pub(in crate::nearest) fn sparse_distances(
        &self,
        centroids: Centroids<'_>,
        labels: &[u32],
        out: &mut [f64],
        threads: &Threads<'_>,
    ) -> Result<()> {
        let vectors = Vectors::of_dense(centroids.values, centroids.dims, self.metric())?;
        measure(self.points, (&vectors, self.metric()), threads, labels, out)
    }

    /// The nearest few of sparse centroids, of rows that are sparse, too.
    pub fn search_sparse(
        &self,
        vectors: &TryArc<Vectors>,
        request: (usize, &mut [u32], Option<&mut [f64]>),
        threads: &Threads<'_>,
    ) -> Result<()> {
        let (dims, isa) = (self.points.cols(), self.shared.setting.isa);
        let sparse = SparseCentroids::of_vectors(vectors.clone(), dims, None, self.metric())?;
        search(self.points, (&sparse, None), isa, threads, request)
    }

    /// Labels every row by the nearest of the centroids that training left, and measures
    /// how far it is.
    pub fn label(
        &mut self,
        centroids: &AnyCentroids,
        (labels, distances): (&mut [u32], Option<&mut [f64]>),
        threads: &Threads<'_>,
    ) -> Result<()> {
        if let (Some(_), Some(vectors)) = (self.sparse_engine(), centroids.sparse()) {
            return self.search_sparse(vectors, (1, labels, distances), threads);
        }
        let centroids = Centroids::new(centroids.values()?, self.points.cols());
        let request = Request::nearest(centroids, labels, distances);
        self.search(request, threads).map(drop)
    }
}
