//! The exact assignment within a size window: a transport problem, solved by
//! successive shortest paths (Busacker & Gowen, 1960; with potentials:
//! Edmonds & Karp, 1972; Tomizawa, 1971).
//!
//! Nodes are the clusters and a hub. A row is a unit of flow that sits in its
//! cluster; moving it on costs the difference of the two costs. Every cluster
//! passes between `low` and `high` units on to the hub. Prices are the
//! potentials: no row is ever cheaper, price included, in another cluster. So
//! any prices will do to start from, and good ones leave little to repair.
//!
//! A row knows its cheapest clusters only. A path that gets dearer than the
//! bound on the others makes the row look at all clusters, hence the result
//! is exact.

use super::candidates::{Candidates, Costs};
use super::exits::Exits;
use super::window::Window;
use crate::error::{Result, try_vec};
use crate::threads::Threads;
use std::cmp::Ordering;
use std::collections::{BinaryHeap, HashMap};

/// Stands for the hub where a step names a row.
const NO_ROW: u32 = u32::MAX;

/// Clusters that a row keeps once it has looked at all.
const REMEMBERED: usize = 16;

/// Clusters with a row's costs there.
type Known = Vec<(u32, f64)>;

pub(super) struct Transport<'a> {
    costs: Costs<'a>,
    candidates: &'a mut Candidates,
    labels: &'a mut [u32],
    /// The cost of every row in its cluster.
    own: &'a mut [f64],
    /// Of the clusters, then of the hub. They only rise.
    prices: Vec<f64>,
    /// Bounds of the candidates hold with `rise` added: by how much all prices
    /// had risen at least until rows last explored, and since then.
    rise: f64,
    past_rise: f64,
    past_prices: Vec<f64>,
    window: Window,
    members: Vec<Vec<u32>>,
    /// What each cluster passes on to the hub.
    flows: Vec<usize>,
    exits: Vec<Option<Exits>>,
    search: Search,
    /// More candidates of rows that looked at all clusters.
    remembered: HashMap<u32, Known>,
    scratch: Vec<f32>,
}

/// A solved problem.
pub(super) struct Solution {
    pub total: f64,
    window: Window,
    prices: Vec<f64>,
    labels: Vec<u32>,
    own: Vec<f64>,
}

/// A shortest-path search (Dijkstra, 1959) from all nodes with an excess.
struct Search {
    distances: Vec<f64>,
    /// How each node was reached: from which, by moving which row.
    steps: Vec<Option<(u32, u32)>>,
    queue: BinaryHeap<Reached>,
    done: Vec<u32>,
    /// Rows that looked at all clusters: what they remember, and what all other
    /// clusters cost at least, price included.
    explored: Vec<(u32, Known, f64)>,
}

#[derive(Clone, Copy)]
struct Reached {
    distance: f64,
    node: u32,
    /// Set where the way on leads over clusters this row does not know.
    explore: Option<u32>,
}

impl<'a> Transport<'a> {
    /// `labels` must name a cheapest cluster of every row under `prices`, and
    /// `own` its cost there.
    pub fn new(
        costs: Costs<'a>,
        candidates: &'a mut Candidates,
        labels: &'a mut [u32],
        own: &'a mut [f64],
        prices: &[f64],
        window: Window,
    ) -> Self {
        let clusters = prices.len();
        let mut members = vec![Vec::new(); clusters];
        for (row, &label) in labels.iter().enumerate() {
            members[label as usize].push(row as u32);
        }
        // What is dear must be full, what is cheap must be no larger than
        // it has to be.
        let flow = |(members, price): (&Vec<u32>, &f64)| match price.total_cmp(&0.0) {
            Ordering::Greater => window.high,
            Ordering::Less => window.low,
            Ordering::Equal => members.len().clamp(window.low, window.high),
        };
        let flows = members.iter().zip(prices).map(flow).collect();
        let past_prices = prices.to_vec();
        let mut prices = prices.to_vec();
        prices.push(0.0);
        Transport {
            costs,
            candidates,
            labels,
            own,
            prices,
            rise: 0.0,
            past_rise: 0.0,
            past_prices,
            window,
            members,
            flows,
            exits: (0..clusters).map(|_| None).collect(),
            search: Search::new(clusters + 1),
            remembered: HashMap::new(),
            scratch: Vec::new(),
        }
    }

    /// Moves the window; [`Transport::solve`] then repairs what this breaks.
    pub fn move_window(&mut self, window: Window) {
        let old = std::mem::replace(&mut self.window, window);
        for flow in &mut self.flows {
            *flow = match *flow {
                flow if flow == old.high => window.high,
                flow if flow == old.low => window.low,
                flow => flow.clamp(window.low, window.high),
            };
        }
    }

    pub fn window(&self) -> Window {
        self.window
    }

    /// The prices of the clusters, relative to the hub's.
    pub fn prices(&self) -> Vec<f64> {
        let hub = self.hub();
        self.prices[..hub]
            .iter()
            .map(|price| price - self.prices[hub])
            .collect()
    }

    /// The sum of all rows' costs.
    pub fn total(&self) -> f64 {
        self.own.iter().sum()
    }

    /// A copy of where the problem stands.
    pub fn solution(&self) -> Result<Solution> {
        let mut labels = try_vec(0, self.labels.len(), "labels")?;
        labels.copy_from_slice(self.labels);
        let mut own = try_vec(0.0, self.own.len(), "costs")?;
        own.copy_from_slice(self.own);
        Ok(Solution {
            total: self.total(),
            window: self.window,
            prices: self.prices(),
            labels,
            own,
        })
    }

    /// Ends with a solution from earlier on: its window and prices.
    pub fn into_best(self, solution: Solution) -> (Window, Vec<f64>) {
        self.labels.copy_from_slice(&solution.labels);
        self.own.copy_from_slice(&solution.own);
        (solution.window, solution.prices)
    }

    /// Brings all sizes into the window at the least total cost.
    pub fn solve(&mut self, threads: &Threads<'_>) -> Result<()> {
        let mut excess = self.excess();
        let hub = self.hub();
        while excess.iter().any(|&units| units > 0) {
            let end = self.find_path(&excess);
            if !self.search.explored.is_empty() {
                self.past_rise = self.rise;
                self.past_prices.copy_from_slice(&self.prices[..hub]);
            }
            self.raise_prices(end);
            self.move_along(end, &mut excess);
            self.refresh_explored();
            threads.poll()?;
        }
        Ok(())
    }

    fn hub(&self) -> usize {
        self.members.len()
    }

    /// Units that each node has too many of; they sum to 0.
    fn excess(&self) -> Vec<i64> {
        let mut excess: Vec<i64> = self
            .members
            .iter()
            .zip(&self.flows)
            .map(|(members, &flow)| members.len() as i64 - flow as i64)
            .collect();
        excess.push(-excess.iter().sum::<i64>());
        excess
    }

    /// Searches from all nodes with an excess for the nearest with a lack.
    fn find_path(&mut self, excess: &[i64]) -> usize {
        self.search.clear();
        for (node, &units) in excess.iter().enumerate() {
            if units > 0 {
                self.search.reach(node, 0.0, None);
            }
        }
        loop {
            let reached = self.search.queue.pop();
            let Reached {
                distance,
                node,
                explore,
            } = reached.expect("every cluster can be reached from every other");
            let at = node as usize;
            if let Some(row) = explore {
                self.explore(at, row, distance);
                self.relax_unexplored(at);
                continue;
            }
            if distance > self.search.distances[at] {
                continue;
            }
            self.search.done.push(node);
            if excess[at] < 0 {
                return at;
            }
            if at == self.hub() {
                self.relax_hub();
            } else {
                self.relax_cluster(at);
            }
        }
    }

    fn relax_hub(&mut self) {
        let hub = self.hub();
        let distance = self.search.distances[hub];
        for j in 0..hub {
            if self.flows[j] > self.window.low {
                let cost = (self.prices[j] - self.prices[hub]).max(0.0);
                self.search
                    .reach(j, distance + cost, Some((hub as u32, NO_ROW)));
            }
        }
    }

    fn relax_cluster(&mut self, from: usize) {
        let (hub, distance) = (self.hub(), self.search.distances[from]);
        if self.flows[from] < self.window.high {
            let cost = (self.prices[hub] - self.prices[from]).max(0.0);
            self.search
                .reach(hub, distance + cost, Some((from as u32, NO_ROW)));
        }
        self.update_exits(from);
        let exits = self.exits[from].as_ref().expect("just updated");
        for (target, cost, row) in exits.cheapest() {
            let to = target as usize;
            let cost = (cost + (self.prices[to] - self.prices[from])).max(0.0);
            self.search
                .reach(to, distance + cost, Some((from as u32, row)));
        }
        self.relax_unexplored(from);
    }

    /// Queues the row of `from` that is the next to reach unknown clusters.
    fn relax_unexplored(&mut self, from: usize) {
        let (own, candidates) = (&*self.own, &*self.candidates);
        let is_valid = |cost: f64, row: u32| {
            self.labels[row as usize] == from as u32 && cost == escape(candidates, own, row)
        };
        let exits = self.exits[from].as_mut();
        if !exits.is_some_and(|exits| exits.tidy_unexplored(is_valid)) {
            self.build_exits(from);
        }
        let exits = self.exits[from].as_ref().expect("just built");
        if let Some((cost, row)) = exits.cheapest_unexplored() {
            let cost = (cost + self.rise - self.prices[from]).max(0.0);
            self.search.queue.push(Reached {
                distance: self.search.distances[from] + cost,
                node: from as u32,
                explore: Some(row),
            });
        }
    }

    /// Lets a row of `from` look at all clusters.
    fn explore(&mut self, from: usize, row: u32, distance: f64) {
        let mut costs = Vec::with_capacity(self.hub());
        self.costs
            .of_row(row as usize, &mut self.scratch, &mut costs);
        let here = self.own[row as usize] + self.prices[from];
        let start = self.search.distances[from];
        for (to, &cost) in costs.iter().enumerate() {
            let cost = (cost + self.prices[to] - here).max(0.0);
            // No nearer than the bound that led here.
            let there = (start + cost).max(distance);
            self.search.reach(to, there, Some((from as u32, row)));
        }
        self.candidates.set_beyond(row as usize, f64::INFINITY);
        let (known, beyond) = cheapest(&costs, &self.prices[..self.hub()], REMEMBERED);
        self.search.explored.push((row, known, beyond));
    }

    /// Makes sure that the cheapest exits of `from` are up to date.
    fn update_exits(&mut self, from: usize) {
        let labels = &*self.labels;
        let is_here = |row: u32| labels[row as usize] == from as u32;
        let exits = self.exits[from].as_mut();
        if !exits.is_some_and(|exits| exits.tidy(is_here)) {
            self.build_exits(from);
        }
    }

    fn build_exits(&mut self, from: usize) {
        let (own, candidates, remembered) = (&*self.own, &*self.candidates, &self.remembered);
        let moves = self.members[from].iter().flat_map(|&row| {
            let here = own[row as usize];
            let known = known_costs(candidates, remembered, row)
                .filter(|&(target, _)| target != from as u32)
                .map(move |(target, cost)| (Some(target), cost - here, row));
            let unknown = Some((None, escape(candidates, own, row), row));
            known.chain(unknown.filter(|&(_, cost, _)| cost < f64::INFINITY))
        });
        self.exits[from] = Some(Exits::build(moves));
    }

    /// Raises the price of every node nearer than the end of the path by the
    /// difference: moves along the path then cost nothing, others nothing less.
    fn raise_prices(&mut self, end: usize) {
        let length = self.search.distances[end];
        for &node in &self.search.done {
            let distance = self.search.distances[node as usize];
            self.prices[node as usize] += (length - distance).max(0.0);
        }
        let rises = self
            .prices
            .iter()
            .zip(&self.past_prices)
            .map(|(new, old)| new - old);
        self.rise = self.past_rise + rises.fold(f64::INFINITY, f64::min);
    }

    /// Moves one unit along the path that was found; several where no row is
    /// on it.
    fn move_along(&mut self, end: usize, excess: &mut [i64]) {
        let mut path = Vec::new();
        let mut node = end;
        while let Some((from, row)) = self.search.steps[node] {
            path.push((from as usize, row, node));
            node = from as usize;
        }
        let units = if path.iter().all(|&(_, row, _)| row == NO_ROW) {
            let room = path.iter().map(|&(from, _, to)| match to == self.hub() {
                true => self.window.high - self.flows[from],
                false => self.flows[to] - self.window.low,
            });
            room.fold((-excess[end]).min(excess[node]) as usize, usize::min)
        } else {
            1
        };
        excess[node] -= units as i64;
        excess[end] += units as i64;
        for (from, row, to) in path {
            if row != NO_ROW {
                self.move_row(row, from, to);
            } else if to == self.hub() {
                self.flows[from] += units;
            } else {
                self.flows[to] -= units;
            }
        }
    }

    fn move_row(&mut self, row: u32, from: usize, to: usize) {
        let at = self.members[from].iter().position(|&member| member == row);
        self.members[from].swap_remove(at.expect("the row sits in its cluster"));
        self.members[to].push(row);
        self.labels[row as usize] = to as u32;
        self.own[row as usize] = self.costs.of(row as usize, to, &mut self.scratch);
        self.add_exits(row);
    }

    fn add_exits(&mut self, row: u32) {
        let cluster = self.labels[row as usize];
        let Some(exits) = &mut self.exits[cluster as usize] else {
            return;
        };
        let here = self.own[row as usize];
        for (target, cost) in known_costs(self.candidates, &self.remembered, row) {
            if target != cluster {
                exits.insert(target, cost - here, row);
            }
        }
        let escape = escape(self.candidates, self.own, row);
        if escape < f64::INFINITY {
            exits.insert_unexplored(escape, row);
        }
    }

    /// Rows that looked at all clusters remember the cheapest.
    fn refresh_explored(&mut self) {
        for (row, known, beyond) in std::mem::take(&mut self.search.explored) {
            self.candidates
                .set_beyond(row as usize, beyond - self.past_rise);
            self.remembered.insert(row, known);
            self.add_exits(row);
        }
    }
}

/// The cheapest clusters under `prices` with their costs, and what all others
/// cost at least, price included.
fn cheapest(costs: &[f64], prices: &[f64], count: usize) -> (Known, f64) {
    let priced = |&(j, cost): &(u32, f64)| cost + prices[j as usize];
    let mut known: Vec<(u32, f64)> = (0u32..).zip(costs.iter().copied()).collect();
    let mut beyond = f64::INFINITY;
    if count < known.len() {
        let order = |a: &(u32, f64), b: &(u32, f64)| priced(a).total_cmp(&priced(b));
        let (_, next, _) = known.select_nth_unstable_by(count, order);
        beyond = priced(next);
        known.truncate(count);
        known.shrink_to_fit();
    }
    (known, beyond)
}

/// What a move to a cluster that the row does not know costs at least, before
/// the price here and what all prices have risen by.
fn escape(candidates: &Candidates, own: &[f64], row: u32) -> f64 {
    candidates.beyond(row as usize) - own[row as usize]
}

/// The clusters that a row knows, with its costs there.
fn known_costs<'k>(
    candidates: &'k Candidates,
    remembered: &'k HashMap<u32, Known>,
    row: u32,
) -> impl Iterator<Item = (u32, f64)> + 'k {
    let more = match remembered.is_empty() {
        true => None,
        false => remembered.get(&row),
    };
    let few = candidates.of_row(row as usize);
    let few = few.take(if more.is_some() { 0 } else { usize::MAX });
    few.chain(more.into_iter().flatten().copied())
}

impl Search {
    fn new(nodes: usize) -> Self {
        Search {
            distances: vec![f64::INFINITY; nodes],
            steps: vec![None; nodes],
            queue: BinaryHeap::new(),
            done: Vec::new(),
            explored: Vec::new(),
        }
    }

    fn clear(&mut self) {
        self.distances.fill(f64::INFINITY);
        self.steps.fill(None);
        self.queue.clear();
        self.done.clear();
    }

    fn reach(&mut self, node: usize, distance: f64, step: Option<(u32, u32)>) {
        if distance < self.distances[node] {
            self.distances[node] = distance;
            self.steps[node] = step;
            self.queue.push(Reached {
                distance,
                node: node as u32,
                explore: None,
            });
        }
    }
}

/// Nearest first, ways that are known before those to be explored, then by
/// node: [`BinaryHeap`] pops the greatest.
impl Ord for Reached {
    fn cmp(&self, other: &Self) -> Ordering {
        let key = |reached: &Reached| (reached.explore, reached.node);
        other
            .distance
            .total_cmp(&self.distance)
            .then_with(|| key(other).cmp(&key(self)))
    }
}

impl PartialOrd for Reached {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Reached {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Reached {}
