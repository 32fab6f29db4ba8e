//! A search for shortest paths over the nodes of the transport problem
//! (Dijkstra, 1959).

use crate::allocate::{push, push_to_heap, try_vec};
use crate::error::Result;
use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// The shortest paths from some nodes.
pub(super) struct Search {
    pub distances: Vec<f64>,
    /// How each node was reached: from which, by moving which row.
    pub steps: Vec<Option<(u32, u32)>>,
    pub queue: BinaryHeap<Reached>,
    /// Nodes whose distance is final.
    pub done: Vec<u32>,
    /// Nodes that have a distance.
    touched: Vec<u32>,
}

#[derive(Clone, Copy)]
pub(super) struct Reached {
    pub distance: f64,
    pub node: u32,
    /// Set where the way on leads over clusters this row does not know.
    pub explore: Option<u32>,
}

impl Search {
    pub fn new(nodes: usize) -> Result<Self> {
        Ok(Search {
            distances: try_vec(f64::INFINITY, nodes, "nodes of a search")?,
            steps: try_vec(None, nodes, "nodes of a search")?,
            queue: BinaryHeap::new(),
            done: Vec::new(),
            touched: Vec::new(),
        })
    }

    pub fn clear(&mut self) {
        for node in self.touched.drain(..) {
            self.distances[node as usize] = f64::INFINITY;
            self.steps[node as usize] = None;
        }
        self.queue.clear();
        self.done.clear();
    }

    pub fn reach(&mut self, node: usize, distance: f64, step: Option<(u32, u32)>) -> Result<()> {
        if distance < self.distances[node] {
            if self.distances[node] == f64::INFINITY {
                push(&mut self.touched, node as u32, "nodes of a search")?;
            }
            self.distances[node] = distance;
            self.steps[node] = step;
            self.enqueue(distance, node, None)?;
        }
        Ok(())
    }

    pub fn enqueue(&mut self, distance: f64, node: usize, explore: Option<u32>) -> Result<()> {
        let reached = Reached {
            distance,
            node: node as u32,
            explore,
        };
        push_to_heap(&mut self.queue, reached, "nodes of a search")
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
