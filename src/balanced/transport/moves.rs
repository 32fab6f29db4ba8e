//! The cheapest moves out of one cluster.
//!
//! What a move costs before prices, cost in the target minus cost here,
//! depends on the row alone; so the best rows for each target are kept while
//! prices change, and only joining and leaving rows matter. Rows that have
//! left are dropped when they come up.

use crate::allocate::{collect, insert, push};
use crate::balanced::least::Least;
use crate::error::Result;
use std::cmp::Ordering;

/// Rows kept for each target when the moves are built; for one whose rows were
/// used up; and for unexplored moves, whose rows are used up fast.
const KEPT: usize = 3;
pub(super) const KEPT_AGAIN: usize = 32;
const KEPT_UNEXPLORED: usize = 64;

/// Rows kept at most.
const LONGEST: usize = 256;

/// The cheapest moves to one target.
pub(super) struct MovesTo {
    /// (cost of the move before prices, row), cheapest last.
    rows: Vec<(f64, u32)>,
    /// Moves dearer than this may be missing from `rows`.
    limit: f64,
}

#[derive(Default)]
pub(super) struct Moves {
    /// Clusters that rows here know, ascending, and what the cheapest move
    /// there costs, or cost before its row left.
    targets: Vec<u32>,
    least: Vec<f64>,
    known: Vec<MovesTo>,
    /// To clusters that the row does not know.
    unexplored: MovesTo,
}

impl Moves {
    /// Replaces the unexplored moves by the cheapest of all, (cost, row).
    pub fn set_unexplored(&mut self, moves: impl Iterator<Item = (f64, u32)>) -> Result<()> {
        self.unexplored = MovesTo::cheapest_of(moves, KEPT_UNEXPLORED)?;
        Ok(())
    }

    /// Replaces the moves to a known cluster by the cheapest of all, (cost, row).
    pub fn set_known(&mut self, at: usize, moves: impl Iterator<Item = (f64, u32)>) -> Result<()> {
        self.known[at] = MovesTo::cheapest_of(moves, KEPT_AGAIN)?;
        self.least[at] = self.known[at].least();
        Ok(())
    }

    /// Adds a move of a row that joined the cluster.
    pub fn insert(&mut self, target: u32, cost: f64, row: u32) -> Result<()> {
        let at = self.targets.partition_point(|&other| other < target);
        if self.targets.get(at) != Some(&target) {
            insert(&mut self.targets, at, target, "moves")?;
            insert(&mut self.least, at, f64::INFINITY, "moves")?;
            insert(&mut self.known, at, MovesTo::default(), "moves")?;
        }
        self.known[at].insert(cost, row)?;
        self.least[at] = self.known[at].least();
        Ok(())
    }

    /// Adds an unexplored move.
    pub fn insert_unexplored(&mut self, cost: f64, row: u32) -> Result<()> {
        self.unexplored.insert(cost, row)
    }

    /// The clusters that rows here know: (number, cluster, what the cheapest
    /// move there costs at least).
    pub fn known(&self) -> impl Iterator<Item = (usize, u32, f64)> + '_ {
        let known = self.targets.iter().zip(&self.least).enumerate();
        known.map(|(at, (&target, &least))| (at, target, least))
    }

    /// Drops the rows that are no longer here from the moves to the known
    /// cluster with this number; `false` if none is left of those that were kept.
    pub fn tidy(&mut self, at: usize, is_here: impl Fn(u32) -> bool) -> bool {
        let has_rows = self.known[at].tidy(|_, row| is_here(row));
        self.least[at] = self.known[at].least();
        has_rows
    }

    /// The same for unexplored moves.
    pub fn tidy_unexplored(&mut self, is_valid: impl Fn(f64, u32) -> bool) -> bool {
        self.unexplored.tidy(is_valid)
    }

    /// The cheapest move to a known cluster: (cost, row). Tidy first.
    pub fn cheapest(&self, at: usize) -> Option<(f64, u32)> {
        self.known[at].cheapest()
    }

    /// The cheapest unexplored move: (cost, row). Tidy first.
    pub fn cheapest_unexplored(&self) -> Option<(f64, u32)> {
        self.unexplored.cheapest()
    }
}

impl Default for MovesTo {
    fn default() -> Self {
        MovesTo {
            rows: Vec::new(),
            limit: f64::INFINITY,
        }
    }
}

impl MovesTo {
    /// Of which no row is known.
    pub fn used_up() -> Self {
        MovesTo {
            rows: Vec::new(),
            limit: f64::NEG_INFINITY,
        }
    }

    /// The cheapest of all moves, (cost, row).
    pub fn cheapest_of(moves: impl Iterator<Item = (f64, u32)>, kept: usize) -> Result<Self> {
        let mut cheapest = Cheapest::new(kept);
        for (cost, row) in moves {
            cheapest.show(cost, row)?;
        }
        cheapest.finish()
    }

    /// The cheapest move, (cost, row). Tidy first.
    pub fn cheapest(&self) -> Option<(f64, u32)> {
        self.rows.last().copied()
    }

    /// What the cheapest move costs.
    fn least(&self) -> f64 {
        self.rows.last().map_or(f64::INFINITY, |&(cost, _)| cost)
    }

    pub fn tidy(&mut self, is_valid: impl Fn(f64, u32) -> bool) -> bool {
        while let Some(&(cost, row)) = self.rows.last()
            && !is_valid(cost, row)
        {
            self.rows.pop();
        }
        !self.rows.is_empty() || self.limit == f64::INFINITY
    }

    pub fn insert(&mut self, cost: f64, row: u32) -> Result<()> {
        if cost <= self.limit {
            let at = self.rows.partition_point(|&other| other > (cost, row));
            insert(&mut self.rows, at, (cost, row), "moves")?;
            // Copies of one row would make it as long as there are copies.
            if self.rows.len() > LONGEST {
                self.rows.drain(..LONGEST / 2);
                self.limit = self.rows[0].0;
            }
        }
        Ok(())
    }
}

/// Finds the cheapest of many moves to one target.
struct Cheapest {
    least: Least<Move>,
    kept: usize,
    shown: usize,
}

impl Cheapest {
    fn new(kept: usize) -> Self {
        Cheapest {
            least: Least::new(kept),
            kept,
            shown: 0,
        }
    }

    fn show(&mut self, cost: f64, row: u32) -> Result<()> {
        self.shown += 1;
        self.least.show(Move { cost, row })
    }

    fn finish(self) -> Result<MovesTo> {
        let mut moves = self.least.into_values();
        moves.sort_unstable_by(|a, b| b.cmp(a));
        let limit = match self.shown > self.kept {
            true => moves[0].cost,
            false => f64::INFINITY,
        };
        let rows = moves.iter().map(|&Move { cost, row }| (cost, row));
        Ok(MovesTo {
            rows: collect(rows, "moves")?,
            limit,
        })
    }
}

#[derive(Clone, Copy, PartialEq)]
struct Move {
    cost: f64,
    row: u32,
}

impl Eq for Move {}

impl Ord for Move {
    fn cmp(&self, other: &Self) -> Ordering {
        let rows = self.row.cmp(&other.row);
        self.cost.total_cmp(&other.cost).then(rows)
    }
}

impl PartialOrd for Move {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Finds the cheapest moves to every target of one cluster.
pub(super) struct Finder<'s> {
    /// Of each cluster its place among `targets`, or [`NO_PLACE`].
    places: &'s mut [u32],
    targets: Vec<u32>,
    cheapest: Vec<Cheapest>,
}

pub(super) const NO_PLACE: u32 = u32::MAX;

impl<'s> Finder<'s> {
    /// `places`: [`NO_PLACE`] for every cluster, and again at the end.
    pub fn new(places: &'s mut [u32]) -> Self {
        Finder {
            places,
            targets: Vec::new(),
            cheapest: Vec::new(),
        }
    }

    pub fn show(&mut self, target: u32, cost: f64, row: u32) -> Result<()> {
        let place = &mut self.places[target as usize];
        if *place == NO_PLACE {
            *place = self.targets.len() as u32;
            push(&mut self.targets, target, "moves")?;
            push(&mut self.cheapest, Cheapest::new(KEPT), "moves")?;
        }
        self.cheapest[*place as usize].show(cost, row)
    }

    /// No unexplored moves yet.
    pub fn finish(self) -> Result<Moves> {
        let targets = self.targets.iter().copied();
        let mut found = collect(targets.zip(self.cheapest), "moves")?;
        found.sort_unstable_by_key(|&(target, _)| target);
        let mut moves = Moves::default();
        for (target, cheapest) in found {
            self.places[target as usize] = NO_PLACE;
            let to = cheapest.finish()?;
            push(&mut moves.targets, target, "moves")?;
            push(&mut moves.least, to.least(), "moves")?;
            push(&mut moves.known, to, "moves")?;
        }
        Ok(moves)
    }
}
