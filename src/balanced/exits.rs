//! The cheapest ways out of one cluster.
//!
//! What a move costs before prices, cost in the target minus cost here,
//! depends on the row alone; so the best rows for each target are kept while
//! prices change, and only joining and leaving rows matter. Rows that have
//! left are dropped when they come up.

/// Rows kept for each target when the exits are built. Those of unexplored
/// moves are used up fast.
const KEPT: usize = 4;
const KEPT_UNEXPLORED: usize = 64;

/// The rows that could go to one target.
struct Exit {
    /// (cost of the move before prices, row), cheapest last.
    rows: Vec<(f64, u32)>,
    /// Moves dearer than this may be missing from `rows`.
    limit: f64,
}

#[derive(Default)]
pub(super) struct Exits {
    /// Ascending by target.
    known: Vec<(u32, Exit)>,
    /// To clusters that the row does not know.
    unexplored: Exit,
}

impl Exits {
    /// Out of all moves (target, cost, row); no unexplored ones.
    pub fn build(moves: impl Iterator<Item = (u32, f64, u32)>) -> Self {
        let mut exits = Exits::default();
        for (target, cost, row) in moves {
            let exit = exits.exit(target);
            exit.insert(cost, row);
            if exit.rows.len() > KEPT {
                exit.rows.remove(0);
                exit.limit = exit.rows[0].0;
            }
        }
        exits
    }

    /// Replaces the unexplored moves by the cheapest of all, (cost, row).
    pub fn set_unexplored(&mut self, mut rows: Vec<(f64, u32)>) {
        let order = |a: &(f64, u32), b: &(f64, u32)| b.0.total_cmp(&a.0).then(b.1.cmp(&a.1));
        let dropped = rows.len().saturating_sub(KEPT_UNEXPLORED);
        let mut limit = f64::INFINITY;
        if dropped > 0 {
            rows.select_nth_unstable_by(dropped, order);
            limit = rows[dropped].0;
            rows.drain(..dropped);
            rows.shrink_to_fit();
        }
        rows.sort_unstable_by(order);
        self.unexplored = Exit { rows, limit };
    }

    /// Adds a move of a row that joined the cluster.
    pub fn insert(&mut self, target: u32, cost: f64, row: u32) {
        self.exit(target).insert(cost, row);
    }

    /// Adds an unexplored move.
    pub fn insert_unexplored(&mut self, cost: f64, row: u32) {
        self.unexplored.insert(cost, row);
    }

    /// Drops the rows that are no longer here; `false` if an exit has run out
    /// of the rows it kept, so that the exits must be built anew.
    pub fn tidy(&mut self, is_here: impl Fn(u32) -> bool) -> bool {
        let mut exits = self.known.iter_mut();
        exits.all(|(_, exit)| exit.tidy(|_, row| is_here(row)))
    }

    /// The same for unexplored moves.
    pub fn tidy_unexplored(&mut self, is_valid: impl Fn(f64, u32) -> bool) -> bool {
        self.unexplored.tidy(is_valid)
    }

    /// The cheapest move to each target: (target, cost, row). Tidy first.
    pub fn cheapest(&self) -> impl Iterator<Item = (u32, f64, u32)> + '_ {
        self.known.iter().filter_map(|(target, exit)| {
            let &(cost, row) = exit.rows.last()?;
            Some((*target, cost, row))
        })
    }

    /// The cheapest unexplored move: (cost, row). Tidy first.
    pub fn cheapest_unexplored(&self) -> Option<(f64, u32)> {
        self.unexplored.rows.last().copied()
    }

    fn exit(&mut self, target: u32) -> &mut Exit {
        let at = self.known.binary_search_by_key(&target, |exit| exit.0);
        let at = at.unwrap_or_else(|at| {
            self.known.insert(at, (target, Exit::default()));
            at
        });
        &mut self.known[at].1
    }
}

impl Default for Exit {
    fn default() -> Self {
        Exit {
            rows: Vec::new(),
            limit: f64::INFINITY,
        }
    }
}

impl Exit {
    fn tidy(&mut self, is_valid: impl Fn(f64, u32) -> bool) -> bool {
        while let Some(&(cost, row)) = self.rows.last()
            && !is_valid(cost, row)
        {
            self.rows.pop();
        }
        !self.rows.is_empty() || self.limit == f64::INFINITY
    }

    fn insert(&mut self, cost: f64, row: u32) {
        if cost <= self.limit {
            let at = self.rows.partition_point(|&other| other > (cost, row));
            self.rows.insert(at, (cost, row));
        }
    }
}
