//! Searches of sparse rows that [`Nearest`] serves.

use super::{SparseCentroids, few, label, measure};
use crate::error::Result;
use crate::kernels::isa::Isa;
use crate::nearest::Nearest;
use crate::nearest::vectors::Centroids;
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
        let model = (centroids, &sparse);
        label(self.points, model, isa, threads, (labels, distances))
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
        let model = (centroids, &sparse);
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
        let sparse = SparseCentroids::of_dense(centroids, self.metric())?;
        measure(self.points, (centroids, &sparse), threads, labels, out)
    }
}
