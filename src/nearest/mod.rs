//! The hot core: for each row, its nearest centroid or centroids.
//!
//! **Contract.** Whatever engine runs, the answer for row i is the centroid j
//! with the least canonical distance D(i, j), the lowest j among equals.
//! D is computed in float64 by [`exact`]:
//!
//! * Euclidean: Σ (x − c)²;
//! * cosine: 1 − x·c / (‖x‖ ‖c‖) (1 for a zero row);
//! * plus the centroid's bias, where one is given.
//!
//! Engines filter by fast, approximate arithmetic with a proven error bound
//! and let canonical distances decide among what survives. Labels are
//! therefore the float64 brute-force labels: the same at any number of
//! threads, on any instruction set, and from any engine.

mod any_centroids;
mod any_row;
mod assignment;
mod blocks;
mod brute_force;
mod choice;
mod eight_bit;
mod engine;
mod few;
mod float32;
mod followed;
mod kept;
mod prepared;
mod request;
mod scan;
mod scores;
mod shared;
pub(crate) mod sparse;
mod stream;
mod tasks;
#[cfg(test)]
mod tests;
mod trees;
mod vectors;

use crate::error::Result;
use crate::memory::Budget;
use crate::metric::Metric;
use crate::points::Points;
use crate::threads::Threads;
use crate::totals::Grid;
use eight_bit::EightBit;
use eight_bit::bounds::{Bounds, Groups};
use trees::Trees;

pub(crate) use any_centroids::AnyCentroids;
pub(crate) use any_row::{AnyRow, RowScratch};
pub(crate) use assignment::Assignment;
pub(crate) use few::{Enough, NOISE, RowDistances, Scratch as FewScratch};
pub(crate) use kept::{Blocks, Kept, Resting};
pub(crate) use prepared::Prepared;
pub(crate) use request::Request;
pub(crate) use shared::Shared;
pub(crate) use vectors::{Centroids, Row};

use request::Wanted;

/// Searches over the same rows again and again. Keeps between them what the
/// engines can reuse, and what they found out about how they pay.
pub(crate) struct Nearest<'a> {
    points: &'a Points<'a>,
    shared: Shared,
    /// Searches so far, and how many are likely to come, at most.
    calls: usize,
    searches: usize,
    eight_bit: EightBit,
    trees: Trees,
    /// What the searches before rule out for the next.
    bounds: Option<Bounds>,
    /// Groups of centroids that bounds of other rows are for.
    groups: Option<Groups>,
    /// The fraction of labels that the last search changed.
    changed: f64,
}

impl Shared {
    /// For up to so many searches over these rows.
    pub fn nearest<'a>(&self, points: &'a Points<'a>, searches: usize) -> Nearest<'a> {
        Nearest {
            points,
            shared: self.clone(),
            calls: 0,
            searches,
            eight_bit: EightBit::new(self.setting),
            trees: Trees::default(),
            bounds: None,
            groups: None,
            changed: 1.0,
        }
    }
}

impl<'a> Nearest<'a> {
    /// Up to so many searches over other rows of the same space: they share
    /// settings, coordinates and memory.
    pub fn child<'b>(&self, points: &'b Points<'b>, searches: usize) -> Nearest<'b>
    where
        'a: 'b,
    {
        self.shared.nearest(points, searches)
    }

    pub fn shared(&self) -> Shared {
        self.shared.clone()
    }

    /// The memory of the call.
    pub fn budget(&self) -> &Budget {
        self.shared.budget()
    }

    pub fn points(&self) -> &'a Points<'a> {
        self.points
    }

    pub fn metric(&self) -> Metric {
        self.shared.metric()
    }

    /// The grid for sums of these rows.
    pub fn grid(&self, threads: &Threads<'_>) -> Result<Grid> {
        self.shared.grid(self.points, threads)
    }

    /// Does what is asked, by whichever engine can and is likely the fastest.
    /// Returns how many labels changed, where these are hints.
    pub fn search(&mut self, request: Request<'_>, threads: &Threads<'_>) -> Result<usize> {
        let Request {
            centroids,
            mut wanted,
        } = request;
        if centroids.bias.is_some() {
            // Only searches without bias use them.
            self.bounds = None;
            if let Wanted::Totals(assignment) | Wanted::Inertia(assignment, _) = &mut wanted {
                self.leave_trees(assignment, threads)?;
            }
            self.trees.drop_rows();
        }
        match wanted {
            Wanted::Nearest { labels, distances } => {
                self.by_blocks(centroids, (labels, distances), None, threads)
            }
            Wanted::Few {
                count,
                labels,
                distances,
            } => {
                self.few_by_blocks(centroids, count, (labels, distances), threads)?;
                Ok(0)
            }
            Wanted::Totals(assignment) => self.follow(assignment, centroids, threads),
            Wanted::Inertia(assignment, inertia) => {
                let (changed, sum) = self.measure(assignment, centroids, threads)?;
                *inertia = sum;
                Ok(changed)
            }
        }
    }
}
