//! Rows whose way on may lead over clusters that they don't know.
//!
//! One that a path needs looks at all clusters at once. Where these become
//! many, because prices of many clusters rise together, the rows that are next
//! get new candidates: the search for the nearest centroids of many rows takes
//! a tenth of the time.

use super::Transport;
use super::known_costs::{Known, REMEMBERED};
use crate::allocate::{collect, copy, extend, push, try_vec};
use crate::balanced::candidates::{Candidates, Costs};
use crate::error::Result;
use crate::threads::Threads;

/// One row in so many gets new candidates at once.
const BATCH: usize = 16;

/// Before that, rows look at all clusters about as long as it takes, but at
/// least so many. A search for new candidates takes a row about `SEARCH` and
/// one step for each cluster and dimension, looking at all clusters `LOOK`.
const LEAST_LOOKING: usize = 256;
const SEARCH: usize = 100_000;
const LOOK: usize = 90;
const LOOK_DIMENSIONS: usize = 8;

/// Rows that show how far bounds are, and rows per task.
const SAMPLED: usize = 1 << 14;
const TASK_ROWS: usize = 1 << 14;

/// A rise of prices by less than this part of them is no progress.
const TIED: f64 = 1e-9;

impl Transport<'_> {
    /// How many rows may look at all clusters before others are refilled, unless
    /// that has just been of no use.
    pub(super) fn least_patience(costs: &Costs<'_>) -> usize {
        let (clusters, dimensions) = (costs.clusters(), costs.points.cols());
        let search = (SEARCH + clusters * dimensions) as f64;
        let look = (LOOK * clusters * (dimensions + LOOK_DIMENSIONS)) as f64;
        let batch = costs.points.rows() / BATCH;
        ((batch as f64 * search / look) as usize).max(LEAST_LOOKING)
    }

    /// Queues the row of `from` that is the next to reach unknown clusters.
    pub(super) fn relax_unexplored(&mut self, from: usize) -> Result<()> {
        let (own, known) = (&*self.own, &self.known);
        let is_valid = |cost: f64, row: u32| {
            self.labels[row as usize] == from as u32 && cost == known.escape(row, own)
        };
        let moves = self.moves[from].as_mut().expect("built by now");
        if !moves.tidy_unexplored(is_valid) {
            self.find_unexplored(from)?;
        }
        let moves = self.moves[from].as_ref().expect("built by now");
        if let Some((cost, row)) = moves.cheapest_unexplored() {
            let cost = (cost + self.rise - self.prices[from]).max(0.0);
            let distance = self.search.distances[from] + cost;
            self.search.enqueue(distance, from, Some(row))?;
        }
        Ok(())
    }

    /// Finds the rows of `from` that are the next to reach unknown clusters.
    pub(super) fn find_unexplored(&mut self, from: usize) -> Result<()> {
        let (own, known) = (&*self.own, &self.known);
        let rows = self.members[from].iter();
        let rows = rows.map(|&row| (known.escape(row, own), row));
        let rows = rows.filter(|&(cost, _)| cost < f64::INFINITY);
        if let Some(moves) = &mut self.moves[from] {
            moves.set_unexplored(rows)?;
        }
        Ok(())
    }

    /// Lets a row of `from` look at all clusters.
    pub(super) fn explore(&mut self, from: usize, row: u32, distance: f64) -> Result<()> {
        self.looked += 1;
        self.looks[from] += 1;
        let (scratch, costs) = (&mut self.scratch, &mut self.of_row);
        self.costs.of_row(row as usize, scratch, costs)?;
        let here = self.own[row as usize] + self.prices[from];
        let start = self.search.distances[from];
        for (to, &cost) in costs.iter().enumerate() {
            let cost = (cost + self.prices[to] - here).max(0.0);
            // No nearer than the bound that led here.
            let there = (start + cost).max(distance);
            self.search.reach(to, there, Some((from as u32, row)))?;
        }
        self.known.look_at_all(row);
        let (known, beyond) = cheapest(&self.of_row, &self.prices, REMEMBERED)?;
        push(&mut self.explored, (row, known, beyond), "costs of rows")
    }

    /// Whether so many rows have looked at all clusters that others should get
    /// new candidates first.
    pub(super) fn is_stale(&self) -> bool {
        !self.costs.root && self.looked > self.patience
    }

    /// How many rows may look at all clusters until the next refill, after a
    /// search that came as far as `length`. Where it found no path, refills may
    /// be no use, as among ties: more, so that there is an end.
    pub(super) fn patience_after(&self, has_path: bool, length: f64) -> usize {
        let sizes = self.prices.iter().map(|price| price.abs());
        let greatest = sizes.fold(0.0, f64::max);
        match (has_path, length > TIED * greatest) {
            (true, _) => Self::least_patience(&self.costs),
            (false, true) => self.patience + self.patience.div_ceil(64),
            (false, false) => 2 * self.patience,
        }
    }

    /// New candidates, under the prices so far, for the rows whose bounds are
    /// the next to be reached.
    pub(super) fn refill(&mut self, threads: &Threads<'_>) -> Result<()> {
        self.looked = 0;
        self.note_prices();
        let rows = self.next_to_explore(threads)?;
        if rows.is_empty() {
            return Ok(());
        }
        let prices = &self.prices[..self.hub()];
        let found = Candidates::of_rows(&rows, &self.costs, prices, threads)?;
        let mut before: Vec<u32> = Vec::new();
        for (i, &row) in rows.iter().enumerate() {
            before.clear();
            let known = self.known.of_row(row);
            extend(&mut before, known.map(|(j, _)| j), "clusters of a row")?;
            self.known.replace(row, &found, i, self.rise);
            self.add_moves(row, &before)?;
            threads.poll()?;
        }
        Ok(())
    }

    /// About one in [`BATCH`] rows, those whose bounds are the next to be
    /// reached; ascending.
    fn next_to_explore(&self, threads: &Threads<'_>) -> Result<Vec<u32>> {
        // Prices of clusters that were not reached don't rise.
        let mut rises = try_vec(false, self.prices.len(), "prices")?;
        for &node in &self.search.done {
            let knows_all = self
                .cluster_moves
                .get(node as usize)
                .is_some_and(Option::is_some);
            rises[node as usize] = !knows_all;
        }
        let (own, known) = (&*self.own, &self.known);
        let slack = |row: u32| {
            let cluster = self.labels[row as usize] as usize;
            match rises.get(cluster) {
                Some(true) => known.escape(row, own) + self.rise - self.prices[cluster],
                // Or it is beneath an equal row.
                _ => f64::INFINITY,
            }
        };
        let rows = self.labels.len();
        let some = (0..rows as u32).step_by(rows / SAMPLED + 1);
        let mut slacks = collect(some.map(slack), "slacks")?;
        let few = slacks.len() / BATCH;
        let (_, &mut most, _) = slacks.select_nth_unstable_by(few, f64::total_cmp);
        let mut found = try_vec(Vec::new(), rows.div_ceil(TASK_ROWS), "rows to look at")?;
        threads.run(
            found.iter_mut().zip((0..rows as u32).step_by(TASK_ROWS)),
            || (),
            |(), (found, first)| {
                let rows = first..(first + TASK_ROWS as u32).min(rows as u32);
                let is_next = |&row: &u32| {
                    let slack = slack(row);
                    slack <= most && slack < f64::INFINITY
                };
                extend(found, rows.filter(is_next), "rows to look at")
            },
        )?;
        collect(found.into_iter().flatten(), "rows to look at")
    }

    /// Rows that looked at all clusters remember the cheapest.
    pub(super) fn refresh_explored(&mut self) -> Result<()> {
        for (row, known, beyond) in std::mem::take(&mut self.explored) {
            self.known.remember(row, known, beyond - self.past_rise)?;
            self.add_moves(row, &[])?;
        }
        Ok(())
    }
}

/// The cheapest clusters under `prices` with their costs, and what all others
/// cost at least, price included.
fn cheapest(costs: &[f64], prices: &[f64], count: usize) -> Result<(Known, f64)> {
    let priced = |&(j, cost): &(u32, f64)| cost + prices[j as usize];
    let all = (0u32..).zip(costs.iter().copied());
    let mut known = collect(all, "costs of a row")?;
    let mut beyond = f64::INFINITY;
    if count < known.len() {
        let order = |a: &(u32, f64), b: &(u32, f64)| priced(a).total_cmp(&priced(b));
        let (_, next, _) = known.select_nth_unstable_by(count, order);
        beyond = priced(next);
        known = copy(&known[..count], "costs of a row")?;
    }
    Ok((known, beyond))
}
