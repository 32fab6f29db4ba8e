//! Prices that follow their centroids.
//!
//! A cluster with rows far away has its centroid drawn towards them. These are
//! the rows on its border, which are now nearer by much more than the others:
//! under the old price far too many would come.

use super::candidates::Costs;
use super::prices::{Choice, push_least};
use crate::error::Result;
use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// Rows on the border of each cluster that tell how it moved.
const ROWS: usize = 32;

impl Choice {
    /// Raises each price by what the rows on the border of its cluster, inside
    /// and outside, pay less than before on average. `costs` are those of the
    /// centroids after they moved. O(n + k·d).
    pub fn follow(&self, costs: &Costs<'_>, prices: &mut [f64]) -> Result<()> {
        let mut borders = vec![BinaryHeap::new(); prices.len()];
        for (row, (&label, &cost)) in (0u32..).zip(self.labels.iter().zip(&self.costs)) {
            let Some((margin, next, there)) = self.next(row as usize, prices) else {
                continue;
            };
            for (j, cost) in [(label, cost), (next, there)] {
                let row = Border { margin, row, cost };
                push_least(&mut borders[j as usize], row, ROWS);
            }
        }
        let mut scratch = Vec::new();
        for (j, border) in borders.into_iter().enumerate() {
            let rows = border.into_sorted_vec();
            let mut nearer = 0.0;
            for &Border { row, cost, .. } in &rows {
                nearer += cost - costs.of(row as usize, j, &mut scratch)?;
            }
            prices[j] += nearer / rows.len().max(1) as f64;
        }
        Ok(())
    }
}

/// A row that is in a cluster or would be next.
#[derive(Clone, Copy, PartialEq)]
struct Border {
    /// By how much one is cheaper than the other.
    margin: f64,
    row: u32,
    /// In the cluster, before prices.
    cost: f64,
}

impl Eq for Border {}

impl Ord for Border {
    fn cmp(&self, other: &Self) -> Ordering {
        let rows = self.row.cmp(&other.row);
        self.margin.total_cmp(&other.margin).then(rows)
    }
}

impl PartialOrd for Border {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
