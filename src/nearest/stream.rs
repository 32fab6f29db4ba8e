//! Searches over rows that come block by block, again and again: what is found
//! out about a block is kept while its rows are gone.

use crate::allocate::refill;
use crate::error::Result;
use crate::nearest::Nearest;
use crate::nearest::assignment::{CACHED_BYTES, add_moved};
use crate::nearest::blocks::Visit;
use crate::nearest::eight_bit::bounds::Bounds;
use crate::nearest::followed::add_changed;
use crate::nearest::kept::{Blocks, Kept};
use crate::nearest::vectors::Centroids;
use crate::points::Points;
use crate::threads::Threads;
use crate::totals::{Changes, ExactSum};

impl Blocks {
    fn enter<'a>(&mut self, points: &'a Points<'a>, kept: &mut Option<Kept>) -> Nearest<'a> {
        let mut nearest = self.shared.nearest(points, self.searches);
        // A source may cut its rows elsewhere this time.
        if let Some(kept) = kept.take().filter(|kept| kept.rows == points.rows()) {
            (nearest.calls, nearest.changed) = (kept.calls, kept.changed);
            nearest.eight_bit = kept.eight_bit;
            nearest.bounds = match (kept.values, self.groups.take()) {
                (Some(values), Some(groups)) => Some(Bounds::resume(values, groups)),
                (_, groups) => {
                    self.groups = groups;
                    None
                }
            };
        }
        if nearest.bounds.is_none() {
            nearest.groups = self.groups.take();
        }
        if nearest.eight_bit.coder().is_none() {
            nearest.eight_bit.set_coder(self.coder.clone());
        }
        nearest
    }

    fn leave(&mut self, nearest: Nearest<'_>, kept: &mut Option<Kept>) {
        self.coder = nearest.eight_bit.coder();
        let (values, groups) = nearest.bounds.map(Bounds::leave).unzip();
        self.groups = groups.or(nearest.groups);
        *kept = Some(Kept {
            rows: nearest.points.rows(),
            calls: nearest.calls,
            changed: nearest.changed,
            eight_bit: nearest.eight_bit,
            values,
        });
    }

    /// Assigns the rows of a block to their nearest centroids, and makes the
    /// totals follow. Returns how many changed.
    pub fn assign(
        &mut self,
        (points, labels): (&Points<'_>, &mut [u32]),
        kept: &mut Option<Kept>,
        centroids: Centroids<'_>,
        threads: &Threads<'_>,
    ) -> Result<usize> {
        let mut nearest = self.enter(points, kept);
        let changed = match points.is_sparse() || self.totals.bytes() > CACHED_BYTES {
            true => {
                refill(&mut self.before, labels, "labels")?;
                let changed = nearest.by_blocks(centroids, (labels, None), None, threads)?;
                add_moved(
                    &mut self.totals,
                    (points, 0),
                    (&self.before, labels),
                    threads,
                )?;
                changed
            }
            false => {
                let (totals, workers) = (&self.totals, &mut self.workers);
                workers.all().for_each(Changes::clear);
                workers.ready(threads.count(), || Changes::new(totals))?;
                let see = |visit: Visit<'_>| {
                    workers
                        .with(|changes| add_changed(changes, totals.grid(), points, &visit, false));
                };
                let changed = nearest.by_blocks(centroids, (labels, None), Some(&see), threads)?;
                self.workers.apply(&mut self.totals, threads)?;
                changed
            }
        };
        self.leave(nearest, kept);
        Ok(changed)
    }

    /// Assigns the rows of a block to their nearest centroids, and adds their
    /// distances to `inertia`. Totals don't follow.
    pub fn label(
        &mut self,
        (points, labels): (&Points<'_>, &mut [u32]),
        kept: &mut Option<Kept>,
        (centroids, inertia): (Centroids<'_>, &mut ExactSum),
        threads: &Threads<'_>,
    ) -> Result<()> {
        let mut nearest = self.enter(points, kept);
        let (_, sum) = nearest.measure_labels(labels, centroids, threads)?;
        inertia.merge(&sum);
        self.leave(nearest, kept);
        Ok(())
    }

    /// A search over a block that keeps nothing.
    pub fn once<'a>(&self, points: &'a Points<'a>) -> Nearest<'a> {
        self.shared.nearest(points, 1)
    }
}
