//! The rows of a source, to draw first centroids among.

use super::clustering::unrepeated_of;
use super::stream::{Stream, Which};
use crate::allocate::collect;
use crate::clusters::UNASSIGNED;
use crate::config::{Config, Init, invalid};
use crate::error::Result;
use crate::nearest::{Centroids, Request, Shared};
use crate::points::Points;
use crate::seeding::{Rows, Work};
use crate::threads::Threads;
use crate::unrepeated::Unrepeated;
use ndarray::ArrayView2;

pub(super) struct Drawing<'d, 's> {
    pub stream: &'d mut Stream<'s>,
    pub rows: &'d Unrepeated,
    pub shared: Shared,
    pub config: &'d Config,
}

impl Rows for Drawing<'_, '_> {
    fn count(&self) -> usize {
        self.rows.count(self.stream.positive)
    }

    fn dims(&self) -> usize {
        self.stream.cols
    }

    fn weights(&self) -> Option<&[f64]> {
        self.rows.weights()
    }

    fn shared(&self) -> Shared {
        self.shared.clone()
    }

    fn with(&mut self, rows: &[u32], threads: &Threads<'_>, work: &mut Work<'_>) -> Result<()> {
        let rows = rows
            .iter()
            .map(|&place| self.rows.row(place as usize) as u32);
        let rows: Vec<u32> = collect(rows, "seeds")?;
        let values = self.stream.gather(&rows, threads)?;
        let view = ArrayView2::from_shape((rows.len(), self.stream.cols), &values);
        work(&Points::from(view.expect("rows x columns values")))
    }

    fn with_all(&mut self, threads: &Threads<'_>, work: &mut Work<'_>) -> Result<()> {
        let count = self.count();
        let bytes = (count as u64).saturating_mul(4 * self.stream.cols as u64);
        let budget = self.shared.budget();
        let reserved = match self.config.init() {
            // So few rows that there can be no sample of them.
            Init::Auto => Some(budget.reserve(bytes)),
            _ => budget.try_reserve(bytes),
        };
        let Some(_reserved) = reserved else {
            return Err(invalid(format_args!(
                "init \"{}\" looks at all rows again and again, and would keep {bytes} bytes of \
                 the source in memory, more than the memory limit leaves; use init \"random\", \
                 \"k-means||\" or centroids, or raise with_memory_limit",
                self.config.init().name()
            )));
        };
        let rows: Vec<u32> = collect(0..count as u32, "seeds")?;
        self.with(&rows, threads, work)
    }

    fn search(
        &mut self,
        centroids: Centroids<'_>,
        (labels, distances): (&mut [u32], &mut [f64]),
        threads: &Threads<'_>,
    ) -> Result<()> {
        labels.fill(UNASSIGNED);
        let (rows, shared) = (self.rows, &self.shared);
        self.stream.pass(Which::Positive, threads, |part| {
            let (places, own) = unrepeated_of(rows, part.first..part.first + part.points.rows())?;
            let points = part.points.without_weights();
            let points = match &own {
                Some(own) => points.select(own),
                None => points,
            };
            let (labels, distances) = (&mut labels[places.clone()], &mut distances[places]);
            let request = Request::nearest(centroids, labels, Some(distances));
            shared
                .nearest(&points, 1)
                .search(request, threads)
                .map(drop)
        })
    }
}
