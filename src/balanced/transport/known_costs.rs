//! What is known of a row's cost in other clusters than its own.

use crate::allocate::{copy, set};
use crate::balanced::candidates::Candidates;
use crate::error::Result;
use crate::memory::{Budget, Reserved};
use std::collections::HashMap;

/// Clusters with a row's costs there.
pub(super) type Known = Vec<(u32, f64)>;

/// Clusters that a row keeps once it has looked at all.
pub(super) const REMEMBERED: usize = 16;

/// Bytes that a row takes in memory once it has looked at all clusters.
const BYTES: usize = REMEMBERED * size_of::<(u32, f64)>() + 2 * size_of::<(u32, Known)>();

pub(super) struct KnownCosts<'a> {
    candidates: &'a mut Candidates,
    /// In place of the candidates, of rows that looked at all clusters.
    more: HashMap<u32, Known>,
    /// What these take.
    budget: Budget,
    reserved: Option<Reserved>,
}

impl<'a> KnownCosts<'a> {
    pub fn new(candidates: &'a mut Candidates, budget: Budget) -> Self {
        KnownCosts {
            candidates,
            more: HashMap::new(),
            budget,
            reserved: None,
        }
    }

    /// The clusters that a row knows, with its costs there.
    pub fn of_row(&self, row: u32) -> impl Iterator<Item = (u32, f64)> + '_ {
        let more = match self.more.is_empty() {
            true => None,
            false => self.more.get(&row),
        };
        let few = self.candidates.of_row(row as usize);
        let few = few.take(if more.is_some() { 0 } else { usize::MAX });
        few.chain(more.into_iter().flatten().copied())
    }

    /// What a move to a cluster that the row does not know costs at least,
    /// before the price here and what all prices have risen by.
    pub fn escape(&self, row: u32, own: &[f64]) -> f64 {
        self.candidates.beyond(row as usize) - own[row as usize]
    }

    /// For now the row knows all clusters.
    pub fn look_at_all(&mut self, row: u32) {
        self.candidates.set_beyond(row as usize, f64::INFINITY);
    }

    /// The row remembers these, and that all others cost at least `beyond`.
    pub fn remember(&mut self, row: u32, known: Known, beyond: f64) -> Result<()> {
        self.candidates.set_beyond(row as usize, beyond);
        let bytes = (self.more.len() * BYTES) as u64;
        if self.reserved.as_ref().map_or(0, Reserved::bytes) < bytes {
            self.reserved = None;
            self.reserved = Some(self.budget.reserve(2 * bytes));
        }
        set(&mut self.more, row, known, "costs of rows")
    }

    /// The row knows what was found instead; its bound is to hold with `rise`
    /// added.
    pub fn replace(&mut self, row: u32, found: &Candidates, number: usize, rise: f64) {
        self.candidates.replace(row, found, number, rise);
        self.more.remove(&row);
    }

    /// Lets a row know what an equal one knows.
    pub fn copy(&mut self, from: u32, to: u32) -> Result<()> {
        self.candidates.copy(from, to);
        match self.more.get(&from) {
            Some(known) => {
                let known = copy(known, "costs of a row")?;
                set(&mut self.more, to, known, "costs of rows")
            }
            None => {
                self.more.remove(&to);
                Ok(())
            }
        }
    }
}
