//! Prices that follow their centroids.
//!
//! A cluster with rows far away has its centroid drawn towards them. These are
//! the rows on its border, which are now nearer by much more than the others:
//! under the old price far too many would come.

use super::Choice;
use crate::allocate::collect;
use crate::balanced::candidates::Costs;
use crate::balanced::least::Least;
use crate::error::Result;
use crate::nearest::RowScratch;
use crate::threads::Threads;
use std::cmp::Ordering;

/// Rows on the border of each cluster that tell how it moved.
const ROWS: usize = 32;

impl Choice {
    /// Raises each price by what the rows on the border of its cluster, inside
    /// and outside, pay less than before on average. `costs` are those of the
    /// centroids after they moved. O(n + k·d).
    pub fn follow(
        &self,
        costs: &Costs<'_>,
        prices: &mut [f64],
        threads: &Threads<'_>,
    ) -> Result<()> {
        let mut borders = collect(prices.iter().map(|_| Least::new(ROWS)), "border rows")?;
        threads.in_steps(self.labels.len(), |rows| {
            for row in rows {
                let Some((margin, next, there)) = self.next(row, prices) else {
                    continue;
                };
                let (label, here) = (self.labels[row], self.costs[row]);
                let row = row as u32;
                for (j, cost) in [(label, here), (next, there)] {
                    borders[j as usize].show(Border { margin, row, cost })?;
                }
            }
            Ok(())
        })?;
        let mut scratch = RowScratch::default();
        for (j, border) in borders.into_iter().enumerate() {
            let mut rows = border.into_values();
            rows.sort_unstable();
            let mut nearer = 0.0;
            for &Border { row, cost, .. } in &rows {
                nearer += cost - costs.of(row as usize, j, &mut scratch)?;
            }
            prices[j] += nearer / rows.len().max(1) as f64;
            threads.poll()?;
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
