//! Clusters whose every way out is known.
//!
//! Where the prices of many clusters rise by much, the bounds of rows on the
//! clusters that they don't know are soon of no use, and the same rows look at
//! all clusters again and again. Once the rows of a cluster have done so about
//! once each, the cluster takes note of the cheapest move to every other
//! instead, for all its rows, which takes no longer.

use super::Transport;
use super::moves::{KEPT_AGAIN, MovesTo};
use crate::allocate::{collect, extend, insert, try_vec, with_capacity};
use crate::balanced::candidates::Costs;
use crate::error::Result;
use crate::nearest::RowScratch;
use crate::threads::Threads;

/// Bytes that these take at most: so many for each row, or so many in all.
const BYTES_PER_ROW: usize = 32;
const BYTES: usize = 1 << 24;

/// The cheapest moves out of one cluster.
pub(super) struct ClusterMoves {
    /// What the cheapest move to each cluster costs before prices, or cost
    /// before its row left.
    least: Vec<f64>,
    rows: Vec<u32>,
    /// More moves to clusters whose cheapest row has left; ascending.
    more: Vec<(u32, MovesTo)>,
}

impl ClusterMoves {
    /// How many clusters may know all their moves.
    pub fn room(costs: &Costs<'_>) -> usize {
        let bytes = BYTES.max(costs.points.rows() * BYTES_PER_ROW);
        bytes / (costs.clusters() * (size_of::<f64>() + size_of::<u32>()))
    }

    fn new(clusters: usize) -> Result<Self> {
        Ok(ClusterMoves {
            least: try_vec(f64::INFINITY, clusters, "moves of clusters")?,
            rows: try_vec(u32::MAX, clusters, "moves of clusters")?,
            more: Vec::new(),
        })
    }

    /// Takes note of a row that is or comes here, with its costs everywhere.
    fn add(&mut self, row: u32, own: f64, costs: &[f64]) -> Result<()> {
        let clusters = self.least.iter_mut().zip(&mut self.rows).zip(costs);
        for ((least, first), cost) in clusters {
            let cost = cost - own;
            if (cost, row) < (*least, *first) {
                (*least, *first) = (cost, row);
            }
        }
        for (to, moves) in &mut self.more {
            moves.insert(costs[*to as usize] - own, row)?;
        }
        Ok(())
    }

    /// More moves to a cluster; none are known at first.
    fn more(&mut self, to: u32) -> Result<&mut MovesTo> {
        let at = self.more.partition_point(|&(other, _)| other < to);
        if self.more.get(at).is_none_or(|&(other, _)| other != to) {
            insert(
                &mut self.more,
                at,
                (to, MovesTo::used_up()),
                "moves of clusters",
            )?;
        }
        Ok(&mut self.more[at].1)
    }
}

impl Transport<'_> {
    /// Finds all moves out of the clusters that are due, as many as there is room for.
    /// Returns whether there were any.
    pub(super) fn find_cluster_moves(&mut self, threads: &Threads<'_>) -> Result<bool> {
        let is_due = |&j: &usize| {
            self.cluster_moves[j].is_none()
                && self.looks[j] as usize >= self.members[j].len().max(1)
        };
        let due = (0..self.hub()).filter(is_due).take(self.room);
        let due = collect(due, "clusters in order")?;
        self.room -= due.len();
        let mut found = with_capacity(due.len(), "moves of clusters")?;
        for _ in &due {
            found.push(ClusterMoves::new(self.hub())?);
            threads.poll()?;
        }
        let (costs, members, own) = (&self.costs, &self.members, &*self.own);
        threads.run_long(
            due.iter().zip(&mut found),
            || (RowScratch::default(), Vec::new()),
            |(scratch, of_row), (&j, moves), poll| {
                for &row in &members[j] {
                    costs.of_row(row as usize, scratch, of_row)?;
                    moves.add(row, own[row as usize], of_row)?;
                    poll()?;
                }
                Ok(())
            },
        )?;
        for (&j, moves) in due.iter().zip(found) {
            self.cluster_moves[j] = Some(moves);
            self.moves[j] = None;
        }
        if !due.is_empty() {
            self.looked = 0;
        }
        Ok(!due.is_empty())
    }

    /// Reaches all clusters that rows of `from` make nearer.
    pub(super) fn relax_cluster_moves(&mut self, from: usize) -> Result<()> {
        let all = self.cluster_moves[from].as_mut().expect("all are known");
        let (start, price) = (self.search.distances[from], self.prices[from]);
        let there = |cost: f64, to_price: f64| start + (cost + (to_price - price)).max(0.0);
        self.targets.clear();
        let targets = all.least.iter().zip(&self.prices);
        let targets = targets.zip(&self.search.distances).enumerate();
        let targets = targets.filter_map(|(to, ((&least, &price), &distance))| {
            (to != from && there(least, price) < distance).then_some(to as u32)
        });
        extend(&mut self.targets, targets, "moves")?;
        for &to in &self.targets {
            let at = to as usize;
            let is_here = |row: u32| self.labels.get(row as usize) == Some(&(from as u32));
            if !is_here(all.rows[at]) {
                let moves = all.more(to)?;
                if !moves.tidy(|_, row| is_here(row)) {
                    let members = &self.members[from];
                    let mut rows = with_capacity(members.len(), "moves")?;
                    for &row in members {
                        let cost = self.costs.of(row as usize, at, &mut self.scratch)?;
                        rows.push((cost - self.own[row as usize], row));
                    }
                    *moves = MovesTo::cheapest_of(rows.into_iter(), KEPT_AGAIN)?;
                }
                let first = moves.cheapest().unwrap_or((f64::INFINITY, u32::MAX));
                (all.least[at], all.rows[at]) = first;
            }
            let there = there(all.least[at], self.prices[at]);
            let step = Some((from as u32, all.rows[at]));
            self.search.reach(at, there, step)?;
        }
        Ok(())
    }

    /// Tells the moves of its cluster, if all are known, of a row that came.
    pub(super) fn join_cluster_moves(&mut self, row: u32) -> Result<()> {
        let cluster = self.labels[row as usize] as usize;
        if let Some(moves) = &mut self.cluster_moves[cluster] {
            let (scratch, of_row) = (&mut self.scratch, &mut self.of_row);
            self.costs.of_row(row as usize, scratch, of_row)?;
            moves.add(row, self.own[row as usize], of_row)?;
        }
        Ok(())
    }
}
