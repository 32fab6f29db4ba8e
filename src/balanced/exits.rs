//! The cheapest ways out of one cluster.
//!
//! What a move costs before prices, cost in the target minus cost here,
//! depends on the row alone; so the best rows for each target are kept while
//! prices change, and only joining and leaving rows matter. Rows that have
//! left are dropped when they come up.

/// The target of a move to a cluster that the row does not know.
pub(super) const UNEXPLORED: u32 = u32::MAX;

/// Rows kept for each target when the exits are built. Those of unexplored
/// moves are used up fast.
fn kept(target: u32) -> usize {
    if target == UNEXPLORED { 64 } else { 4 }
}

/// The rows that could go to one target.
struct Exit {
    target: u32,
    /// (cost of the move before prices, row), cheapest last.
    rows: Vec<(f64, u32)>,
    /// Moves dearer than this may be missing from `rows`.
    limit: f64,
}

#[derive(Default)]
pub(super) struct Exits {
    /// Ascending by target.
    exits: Vec<Exit>,
}

impl Exits {
    /// Out of all moves (target, cost, row).
    pub fn build(moves: impl Iterator<Item = (u32, f64, u32)>) -> Self {
        let mut exits = Exits::default();
        for (target, cost, row) in moves {
            let exit = exits.exit(target);
            exit.insert(cost, row);
            if exit.rows.len() > kept(target) {
                exit.rows.remove(0);
                exit.limit = exit.rows[0].0;
            }
        }
        exits
    }

    /// Adds a move of a row that joined the cluster.
    pub fn insert(&mut self, target: u32, cost: f64, row: u32) {
        self.exit(target).insert(cost, row);
    }

    /// Drops the rows that are no longer here; `false` if an exit has run out
    /// of the rows it kept, so that the exits must be built anew.
    pub fn tidy(&mut self, is_valid: impl Fn(u32, f64, u32) -> bool) -> bool {
        self.exits.iter_mut().all(|exit| {
            while let Some(&(cost, row)) = exit.rows.last()
                && !is_valid(exit.target, cost, row)
            {
                exit.rows.pop();
            }
            !exit.rows.is_empty() || exit.limit == f64::INFINITY
        })
    }

    /// The cheapest move to each target: (target, cost, row). Tidy first.
    pub fn cheapest(&self) -> impl Iterator<Item = (u32, f64, u32)> + '_ {
        self.exits.iter().filter_map(|exit| {
            let &(cost, row) = exit.rows.last()?;
            Some((exit.target, cost, row))
        })
    }

    fn exit(&mut self, target: u32) -> &mut Exit {
        let at = self.exits.binary_search_by_key(&target, |exit| exit.target);
        let at = at.unwrap_or_else(|at| {
            let rows = Vec::new();
            let limit = f64::INFINITY;
            self.exits.insert(
                at,
                Exit {
                    target,
                    rows,
                    limit,
                },
            );
            at
        });
        &mut self.exits[at]
    }
}

impl Exit {
    fn insert(&mut self, cost: f64, row: u32) {
        if cost <= self.limit {
            let at = self.rows.partition_point(|&other| other > (cost, row));
            self.rows.insert(at, (cost, row));
        }
    }
}
