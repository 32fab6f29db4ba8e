//! The rows of a source, to draw first centroids among.

use super::stream::{Stream, Which};
use crate::allocate::collect;
use crate::config::{Config, Init, invalid};
use crate::error::Result;
use crate::nearest::Shared;
use crate::seeding::{Pass, Rows, See, Work};
use crate::threads::Threads;
use crate::unrepeated::Unrepeated;

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
        self.stream.with_rows((self.rows, rows), threads, work)
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

    fn place(&self, row: usize) -> usize {
        self.rows.place(row)
    }
}

impl Pass for Drawing<'_, '_> {
    fn pass(&mut self, threads: &Threads<'_>, see: &mut See<'_>) -> Result<()> {
        let shared = &self.shared;
        self.stream.pass(Which::Positive, threads, |part| {
            see(part.first, &mut shared.nearest(part.points, 1))
        })
    }
}
