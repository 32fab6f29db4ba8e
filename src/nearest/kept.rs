//! What searches among rows that come block by block keep of them.

use crate::nearest::Nearest;
use crate::nearest::assignment::Workers;
use crate::nearest::eight_bit::EightBit;
use crate::nearest::eight_bit::bounds::{Bounds, Groups, Values};
use crate::nearest::eight_bit::codes::Coder;
use crate::nearest::shared::Shared;
use crate::nearest::trees::Trees;
use crate::owned::TryArc;
use crate::points::Points;
use crate::totals::{Changes, Grid, Totals};

/// What all blocks share from search to search.
pub(crate) struct Blocks {
    pub(super) shared: Shared,
    pub(super) searches: usize,
    pub(super) totals: Totals,
    pub(super) workers: Workers<Changes>,
    /// The labels of a block before it is searched.
    pub(super) before: Vec<u32>,
    pub(super) coder: Option<TryArc<Coder>>,
    pub(super) groups: Option<Groups>,
}

/// What is kept of one block.
pub(crate) struct Kept {
    pub(super) rows: usize,
    pub(super) calls: usize,
    pub(super) changed: f64,
    pub(super) eight_bit: EightBit,
    pub(super) values: Option<Values>,
}

impl Blocks {
    /// Of rows that are in no cluster yet, for up to so many searches.
    pub fn new(shared: &Shared, searches: usize, totals: Totals) -> Self {
        Blocks {
            shared: shared.clone(),
            searches,
            totals,
            workers: Workers::none(),
            before: Vec::new(),
            coder: None,
            groups: None,
        }
    }

    pub fn totals(&self) -> &Totals {
        &self.totals
    }

    /// Makes the changes.
    pub fn apply(&mut self, changes: &Changes) {
        self.totals.apply(changes);
    }

    /// Settings and memory of all searches.
    pub fn shared(&self) -> Shared {
        self.shared.clone()
    }

    pub fn grid(&self) -> &Grid {
        self.totals.grid()
    }
}

/// [`Nearest`] while nobody lends the rows.
pub(crate) struct Resting {
    shared: Shared,
    calls: usize,
    searches: usize,
    eight_bit: EightBit,
    trees: Trees,
    bounds: Option<Bounds>,
    groups: Option<Groups>,
    changed: f64,
}

impl Nearest<'_> {
    /// Gives the rows back.
    pub fn rest(self) -> Resting {
        Resting {
            shared: self.shared,
            calls: self.calls,
            searches: self.searches,
            eight_bit: self.eight_bit,
            trees: self.trees,
            bounds: self.bounds,
            groups: self.groups,
            changed: self.changed,
        }
    }
}

impl Resting {
    /// Goes on with the same rows.
    pub fn over<'a>(self, points: &'a Points<'a>) -> Nearest<'a> {
        Nearest {
            points,
            shared: self.shared,
            calls: self.calls,
            searches: self.searches,
            eight_bit: self.eight_bit,
            trees: self.trees,
            bounds: self.bounds,
            groups: self.groups,
            changed: self.changed,
        }
    }
}
