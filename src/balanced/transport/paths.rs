//! The search for paths along which rows can move (Dijkstra, 1959).

use super::moves::Finder;
use super::search::Reached;
use super::supply::Supply;
use super::{NO_ROW, Transport};
use crate::allocate::{extend, push};
use crate::balanced::candidates::data_changed;
use crate::error::Result;
use crate::threads::Threads;

/// Nodes of a search between two polls.
const NODES: usize = 64;

impl Transport<'_> {
    /// Searches from nodes with too many rows for those that lack some, until enough
    /// are found or too many rows have to look at all clusters. Returns the
    /// found and how far the search came.
    pub(super) fn find_paths(
        &mut self,
        supply: &mut Supply,
        threads: &Threads<'_>,
    ) -> Result<(Vec<usize>, f64)> {
        self.search.clear();
        let (sources, enough) = supply.sources();
        for node in sources {
            self.search.reach(node, 0.0, None)?;
        }
        let mut ends = Vec::new();
        loop {
            // Every cluster can be reached from every other.
            let Reached {
                distance,
                node,
                explore,
            } = self.search.queue.pop().ok_or_else(data_changed)?;
            let at = node as usize;
            if let Some(row) = explore {
                if self.is_stale() {
                    return Ok((ends, distance));
                }
                self.explore(at, row, distance)?;
                threads.poll()?;
                self.relax_unexplored(at)?;
                continue;
            }
            if distance > self.search.distances[at] {
                continue;
            }
            push(&mut self.search.done, node, "nodes of a search")?;
            if self.search.done.len().is_multiple_of(NODES) {
                threads.poll()?;
            }
            if supply.lacks(at) {
                push(&mut ends, at, "ends of paths")?;
                if ends.len() == enough {
                    return Ok((ends, distance));
                }
            }
            if at == self.hub() {
                self.relax_hub()?;
            } else {
                self.relax_cluster(at, threads)?;
            }
        }
    }

    fn relax_hub(&mut self) -> Result<()> {
        let hub = self.hub();
        let distance = self.search.distances[hub];
        for j in 0..hub {
            if self.flows[j] > self.bounds.low {
                let cost = (self.prices[j] - self.prices[hub]).max(0.0);
                self.search
                    .reach(j, distance + cost, Some((hub as u32, NO_ROW)))?;
            }
        }
        Ok(())
    }

    fn relax_cluster(&mut self, from: usize, threads: &Threads<'_>) -> Result<()> {
        let (hub, distance) = (self.hub(), self.search.distances[from]);
        if self.flows[from] < self.bounds.high {
            let cost = (self.prices[hub] - self.prices[from]).max(0.0);
            self.search
                .reach(hub, distance + cost, Some((from as u32, NO_ROW)))?;
        }
        if self.cluster_moves[from].is_some() {
            return self.relax_cluster_moves(from);
        }
        if self.moves[from].is_none() {
            self.build_moves(from, threads)?;
        }
        self.relax_known(from)?;
        self.relax_unexplored(from)
    }

    /// Reaches the clusters that rows of `from` know.
    fn relax_known(&mut self, from: usize) -> Result<()> {
        let moves = self.moves[from].as_mut().expect("built by now");
        let (start, price) = (self.search.distances[from], self.prices[from]);
        let there = |prices: &[f64], to: u32, cost: f64| {
            start + (cost + (prices[to as usize] - price)).max(0.0)
        };
        // Most moves bring nothing, and need not be up to date.
        self.nearer.clear();
        let nearer = moves.known().filter(|&(_, to, cost)| {
            there(&self.prices, to, cost) < self.search.distances[to as usize]
        });
        extend(&mut self.nearer, nearer, "moves")?;
        for &(at, to, _) in &self.nearer {
            let is_here = |row: u32| self.labels[row as usize] == from as u32;
            if !moves.tidy(at, is_here) {
                let all = self.members[from].iter().filter_map(|&row| {
                    let mut known = self.known.of_row(row);
                    let (_, cost) = known.find(|&(target, _)| target == to)?;
                    Some((cost - self.own[row as usize], row))
                });
                moves.set_known(at, all)?;
            }
            if let Some((cost, row)) = moves.cheapest(at) {
                let there = there(&self.prices, to, cost);
                let step = Some((from as u32, row));
                self.search.reach(to as usize, there, step)?;
            }
        }
        Ok(())
    }

    fn build_moves(&mut self, from: usize, threads: &Threads<'_>) -> Result<()> {
        let (own, known, members) = (&*self.own, &self.known, &self.members[from]);
        let mut found = Finder::new(&mut self.places);
        threads.in_steps(members.len(), |part| {
            for &row in &members[part] {
                let here = own[row as usize];
                for (target, cost) in known.of_row(row) {
                    if target != from as u32 {
                        found.show(target, cost - here, row)?;
                    }
                }
            }
            Ok(())
        })?;
        self.moves[from] = Some(found.finish()?);
        self.find_unexplored(from)
    }
}
