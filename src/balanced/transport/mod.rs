//! The exact assignment within size bounds: a transport problem, solved by
//! successive shortest paths (Busacker & Gowen, 1960; with potentials:
//! Edmonds & Karp, 1972; Tomizawa, 1971).
//!
//! Nodes are the clusters and a hub. A row is a unit of flow that sits in its
//! cluster; moving it on costs the difference of the two costs. Every cluster
//! passes between `low` and `high` units on to the hub. Prices are the
//! potentials: no row is ever cheaper, price included, in another cluster. So
//! any prices will do to start from, and good ones leave little to repair. While
//! they rise the hub has a price as well; those that come out are relative to it.
//!
//! A row knows its cheapest clusters only. A path that gets dearer than the
//! bound on the others makes the row look at all clusters, hence the result
//! is exact.

mod cluster_moves;
mod equal_rows;
mod known_costs;
mod moves;
mod paths;
pub(super) mod place;
mod search;
mod supply;
mod unknown_clusters;

use super::candidates::Costs;
use super::prices::Choice;
use super::size_bounds::SizeBounds;
use crate::allocate::{collect, copy, push, try_vec, with_capacity};
use crate::clusters::UNASSIGNED;
use crate::error::Result;
use crate::nearest::RowScratch;
use crate::threads::Threads;
use cluster_moves::ClusterMoves;
pub(super) use equal_rows::EqualRows;
use equal_rows::Stacks;
use known_costs::{Known, KnownCosts};
use moves::Moves;
use search::Search;
use std::cmp::Ordering;
use supply::Supply;

/// Stands for the hub where a step names a row.
const NO_ROW: u32 = u32::MAX;

pub(super) struct Transport<'a> {
    costs: Costs<'a>,
    known: KnownCosts<'a>,
    labels: &'a mut [u32],
    /// The cost of every row in its cluster.
    own: &'a mut [f64],
    /// Rows that move as one. Those beneath another have neither label nor cost.
    stacks: Stacks<'a>,
    /// Of the clusters, then of the hub. They only rise.
    prices: Vec<f64>,
    /// Bounds of the candidates hold with `rise` added: by how much all prices
    /// had risen at least until rows last explored, and since then.
    rise: f64,
    past_rise: f64,
    past_prices: Vec<f64>,
    bounds: SizeBounds,
    members: Vec<Vec<u32>>,
    /// How many rows these stand for.
    sizes: Vec<usize>,
    /// What each cluster passes on to the hub.
    flows: Vec<usize>,
    moves: Vec<Option<Moves>>,
    /// For a [`Finder`](moves::Finder).
    places: Vec<u32>,
    search: Search,
    /// Rows that looked at all clusters in this search: what they remember,
    /// and what all other clusters cost at least, price included.
    explored: Vec<(u32, Known, f64)>,
    /// How many did since the last refill, and how many may before the next.
    looked: usize,
    patience: usize,
    /// Clusters whose ways out are all known, how many more there may be, and
    /// how often rows of each cluster looked at all clusters.
    cluster_moves: Vec<Option<ClusterMoves>>,
    room: usize,
    looks: Vec<u32>,
    scratch: RowScratch,
    of_row: Vec<f64>,
    targets: Vec<u32>,
    nearer: Vec<(usize, u32, f64)>,
}

/// A solved problem.
pub(super) struct Solution {
    pub total: f64,
    bounds: SizeBounds,
    prices: Vec<f64>,
    labels: Vec<u32>,
    own: Vec<f64>,
}

impl<'a> Transport<'a> {
    /// The choice must name a cheapest cluster of every row under `prices`, and
    /// its cost there. [`Transport::end`] tells how all rows moved.
    pub fn new(
        costs: Costs<'a>,
        choice: &'a mut Choice,
        equal_rows: &'a EqualRows,
        (prices, bounds): (&[f64], SizeBounds),
        threads: &Threads<'_>,
    ) -> Result<Self> {
        let clusters = prices.len();
        let (candidates, labels) = (&mut choice.candidates, &mut choice.labels);
        let own = &mut choice.costs;
        let mut sizes = try_vec(0, clusters, "cluster sizes")?;
        threads.in_steps(labels.len(), |rows| {
            for &label in &labels[rows] {
                sizes[label as usize] += 1;
            }
            Ok(())
        })?;
        let stacks = Stacks::pile(equal_rows, labels, own, threads)?;
        let mut members = with_capacity(clusters, "cluster members")?;
        for &size in &sizes {
            members.push(with_capacity(size, "cluster members")?);
        }
        threads.in_steps(labels.len(), |rows| {
            for row in rows {
                let label = labels[row];
                if label != UNASSIGNED {
                    push(&mut members[label as usize], row as u32, "cluster members")?;
                }
            }
            Ok(())
        })?;
        let past_prices = copy(prices, "prices")?;
        let mut prices = collect(prices.iter().copied(), "prices")?;
        push(&mut prices, 0.0, "prices")?;
        let patience = Self::least_patience(&costs);
        let (budget, room) = (costs.shared.budget().clone(), ClusterMoves::room(&costs));
        let mut transport = Transport {
            costs,
            known: KnownCosts::new(candidates, budget),
            labels,
            own,
            stacks,
            prices,
            rise: 0.0,
            past_rise: 0.0,
            past_prices,
            bounds,
            members,
            sizes,
            flows: try_vec(0, clusters, "flows")?,
            moves: collect((0..clusters).map(|_| None), "moves")?,
            places: try_vec(moves::NO_PLACE, clusters, "moves")?,
            search: Search::new(clusters + 1)?,
            explored: Vec::new(),
            looked: 0,
            patience,
            cluster_moves: collect((0..clusters).map(|_| None), "moves of clusters")?,
            room,
            looks: try_vec(0, clusters, "looks")?,
            scratch: RowScratch::default(),
            of_row: Vec::new(),
            targets: Vec::new(),
            nearer: Vec::new(),
        };
        transport.set_flows();
        Ok(transport)
    }

    /// What is dear must be full, what is cheap must be no larger than it has
    /// to be.
    fn set_flows(&mut self) {
        let (bounds, hub) = (self.bounds, self.prices[self.hub()]);
        let clusters = self.sizes.iter().zip(&self.prices);
        for (flow, (&size, price)) in self.flows.iter_mut().zip(clusters) {
            *flow = match price.total_cmp(&hub) {
                Ordering::Greater => bounds.high,
                Ordering::Less => bounds.low,
                Ordering::Equal => size.clamp(bounds.low, bounds.high),
            };
        }
        self.spread_hub();
    }

    /// Lets clusters for which the hub is free pass on more or less, one row at
    /// a time, as long as the hub has too few or too many: the paths then have
    /// many ends.
    fn spread_hub(&mut self) {
        let (bounds, hub) = (self.bounds, self.prices[self.hub()]);
        let (mut total, rows) = (self.flows.iter().sum::<usize>(), self.labels.len());
        let mut before = None;
        while total != rows && before.replace(total) != Some(total) {
            for (flow, &price) in self.flows.iter_mut().zip(&self.prices) {
                if price == hub && total < rows && *flow < bounds.high {
                    (*flow, total) = (*flow + 1, total + 1);
                } else if price == hub && total > rows && *flow > bounds.low {
                    (*flow, total) = (*flow - 1, total - 1);
                }
            }
        }
    }

    /// Moves the bounds; [`Transport::solve`] then repairs what this breaks.
    pub fn move_bounds(&mut self, bounds: SizeBounds) -> Result<()> {
        self.bounds = bounds;
        // As many clusters are to be full as there are rows for.
        let hub = self.hub();
        let mut prices = copy(&self.prices[..hub], "prices")?;
        let spare = self.labels.len() - bounds.low * hub;
        let full = spare.checked_div(bounds.width()).unwrap_or(0).min(hub - 1);
        let (_, &mut price, _) = prices.select_nth_unstable_by(full, |a, b| b.total_cmp(a));
        self.prices[hub] = price;
        self.set_flows();
        Ok(())
    }

    pub fn bounds(&self) -> SizeBounds {
        self.bounds
    }

    /// The prices of the clusters, relative to the hub's.
    pub fn prices(&self) -> Result<Vec<f64>> {
        let (hub, prices) = (self.prices[self.hub()], &self.prices[..self.hub()]);
        collect(prices.iter().map(|price| price - hub), "prices")
    }

    /// The sum of all rows' costs.
    pub fn total(&self) -> f64 {
        let beneath = self.stacks.tops();
        let beneath = beneath.map(|(top, rows)| rows as f64 * self.own[top as usize]);
        self.own.iter().sum::<f64>() + beneath.sum::<f64>()
    }

    /// A copy of where the problem stands.
    pub fn solution(&self, threads: &Threads<'_>) -> Result<Solution> {
        let mut labels = with_capacity(self.labels.len(), "labels")?;
        let mut own = with_capacity(self.own.len(), "costs")?;
        threads.in_steps(self.labels.len(), |rows| {
            labels.extend_from_slice(&self.labels[rows.clone()]);
            own.extend_from_slice(&self.own[rows]);
            Ok(())
        })?;
        self.stacks.spread(&mut labels, &mut own, threads)?;
        Ok(Solution {
            total: self.total(),
            bounds: self.bounds,
            prices: self.prices()?,
            labels,
            own,
        })
    }

    /// Ends here. Returns the prices of the clusters, relative to the hub's.
    pub fn end(self, threads: &Threads<'_>) -> Result<Vec<f64>> {
        self.stacks.spread(self.labels, self.own, threads)?;
        self.prices()
    }

    /// Ends with a solution from earlier on: its bounds and prices.
    pub fn into_best(
        self,
        solution: Solution,
        threads: &Threads<'_>,
    ) -> Result<(SizeBounds, Vec<f64>)> {
        threads.in_steps(self.labels.len(), |rows| {
            self.labels[rows.clone()].copy_from_slice(&solution.labels[rows.clone()]);
            self.own[rows.clone()].copy_from_slice(&solution.own[rows]);
            Ok(())
        })?;
        Ok((solution.bounds, solution.prices))
    }

    /// Brings all sizes into the bounds at the least total cost.
    pub fn solve(&mut self, threads: &Threads<'_>) -> Result<()> {
        let mut supply = self.supply()?;
        while !supply.is_settled() {
            let (ends, length) = self.find_paths(&mut supply, threads)?;
            let has_path = !ends.is_empty();
            if !self.explored.is_empty() {
                self.note_prices();
            }
            self.raise_prices(length);
            self.refresh_explored()?;
            let mut moved = 0;
            for end in ends {
                moved += self.move_along(end, &mut supply)?;
            }
            supply.learn(self.search.done.len(), moved);
            if self.is_stale() && !self.find_cluster_moves(threads)? {
                self.refill(threads)?;
                self.patience = self.patience_after(has_path, length);
            }
            threads.poll()?;
        }
        Ok(())
    }

    /// Bounds of candidates that come now are under the prices of now.
    fn note_prices(&mut self) {
        self.past_rise = self.rise;
        let hub = self.hub();
        self.past_prices.copy_from_slice(&self.prices[..hub]);
    }

    fn hub(&self) -> usize {
        self.members.len()
    }

    fn supply(&self) -> Result<Supply> {
        let clusters = self.sizes.iter().zip(&self.flows);
        let supply = clusters.map(|(&size, &flow)| size as i64 - flow as i64);
        let mut supply = collect(supply, "surpluses")?;
        let hub = -supply.iter().sum::<i64>();
        push(&mut supply, hub, "surpluses")?;
        Ok(Supply::new(supply))
    }

    /// Raises the price of every node nearer than `length` by the difference:
    /// moves along the paths up to there then cost nothing, others nothing
    /// less.
    fn raise_prices(&mut self, length: f64) {
        for &node in &self.search.done {
            let distance = self.search.distances[node as usize];
            self.prices[node as usize] += (length - distance).max(0.0);
        }
        // It is 0 as long as few rise. A bound that is behind holds as well.
        if 2 * self.search.done.len() > self.prices.len() {
            let rises = self.prices.iter().zip(&self.past_prices);
            let rises = rises.map(|(new, old)| new - old);
            self.rise = self.past_rise + rises.fold(f64::INFINITY, f64::min);
        }
    }

    /// Moves units along the path to `end`: one, or as many as the rows on it
    /// stand for; none where a path before has used up a part of this one.
    /// Returns how many.
    fn move_along(&mut self, end: usize, supply: &mut Supply) -> Result<usize> {
        let mut path = Vec::new();
        let mut node = end;
        while let Some((from, row)) = self.search.steps[node] {
            push(&mut path, (from as usize, row, node), "a path")?;
            node = from as usize;
        }
        let room = path.iter().map(|&(from, row, to)| match row {
            NO_ROW if to == self.hub() => self.bounds.high - self.flows[from],
            NO_ROW => self.flows[to] - self.bounds.low,
            row if self.labels[row as usize] == from as u32 => self.stacks.height(row),
            _ => 0,
        });
        let units = room.fold(supply.room(node, end), usize::min);
        if units == 0 {
            return Ok(0);
        }
        supply.shift(node, end, units);
        for (from, row, to) in path {
            if row != NO_ROW {
                self.move_rows(row, from, to, units)?;
            } else if to == self.hub() {
                self.flows[from] += units;
            } else {
                self.flows[to] -= units;
            }
        }
        Ok(units)
    }

    /// Moves `units` of the rows that `row` stands for.
    fn move_rows(&mut self, row: u32, from: usize, to: usize, units: usize) -> Result<()> {
        self.sizes[from] -= units;
        self.sizes[to] += units;
        let (is_empty, entered) = self.stacks.shift(row, from as u32, to as u32, units)?;
        if is_empty {
            let at = self.members[from].iter().position(|&member| member == row);
            self.members[from].swap_remove(at.expect("the row sits in its cluster"));
            (self.labels[row as usize], self.own[row as usize]) = (UNASSIGNED, 0.0);
        }
        let Some(entered) = entered else {
            return Ok(());
        };
        if entered != row {
            self.known.copy(row, entered)?;
        }
        push(&mut self.members[to], entered, "cluster members")?;
        self.labels[entered as usize] = to as u32;
        self.own[entered as usize] = self.costs.of(row as usize, to, &mut self.scratch)?;
        self.add_moves(entered, &[])?;
        self.join_cluster_moves(entered)
    }

    /// Adds what a row knows to the moves of its cluster, but the targets in
    /// `old`.
    fn add_moves(&mut self, row: u32, old: &[u32]) -> Result<()> {
        let cluster = self.labels[row as usize];
        let Some(moves) = &mut self.moves[cluster as usize] else {
            return Ok(());
        };
        let here = self.own[row as usize];
        for (target, cost) in self.known.of_row(row) {
            if target != cluster && !old.contains(&target) {
                moves.insert(target, cost - here, row)?;
            }
        }
        let escape = self.known.escape(row, self.own);
        if escape < f64::INFINITY {
            moves.insert_unexplored(escape, row)?;
        }
        Ok(())
    }
}
