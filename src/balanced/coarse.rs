//! Prices from the exact assignment of one row in so many.
//!
//! Sweeps are quick where rows have to move to the next cluster, and slow
//! where surplus and shortage are far apart: what moves on moves through all
//! clusters between. A part of the rows has the same surpluses, and is exact
//! in much less time, as both paths and rows to look at are fewer.

use super::candidates::Costs;
use super::prices::Choice;
use super::transport::{Copies, Transport};
use super::window::{self, Window};
use crate::error::Result;
use crate::nearest::Nearest;
use crate::threads::Threads;

/// One row in so many is taken, where that leaves so many for each cluster.
const FRACTION: usize = 8;
const PER_CLUSTER: usize = 6;

/// Better prices are looked for where more than one row in so many has to move.
const FEW: usize = 64;

impl Choice {
    /// [`balance`](Choice::balance), and better where many rows would still have
    /// to move and prices can do something about it. `window` is about that of
    /// every cluster.
    pub fn balance_by_part(
        &mut self,
        nearest: &mut Nearest<'_>,
        costs: &Costs<'_>,
        (windows, window): (&[Window], Window),
        prices: &mut [f64],
        threads: &Threads<'_>,
    ) -> Result<()> {
        self.balance(nearest, costs, windows, prices, threads)?;
        let (rows, clusters) = (self.labels.len(), prices.len());
        let left = window::violation(windows, &self.sizes);
        let has_part = rows >= FRACTION * PER_CLUSTER * clusters;
        if !has_part || left < (rows / FEW).max(2 * self.tied) {
            return Ok(());
        }
        balance_part(costs, &draw(self, prices), window, prices, threads)?;
        self.balance(nearest, costs, windows, prices, threads)?;
        let still_left = window::violation(windows, &self.sizes);
        if still_left > left / 2 {
            self.tied = still_left;
        }
        Ok(())
    }
}

/// Brings `prices` to where the drawn rows are balanced exactly.
fn balance_part(
    costs: &Costs<'_>,
    drawn: &[u32],
    window: Window,
    prices: &mut [f64],
    threads: &Threads<'_>,
) -> Result<()> {
    let points = costs.points.select(drawn);
    let costs = Costs {
        points: &points,
        ..*costs
    };
    let (low, width) = (window.low / FRACTION, window.width() / FRACTION);
    let window = Window::near(low, width.max(1), drawn.len(), prices.len());
    let windows = vec![window; prices.len()];
    let mut nearest = costs.shared.nearest(&points);
    let mut part = Choice::new(drawn.len(), prices.len())?;
    let target = (&windows[..], window);
    part.balance_by_part(&mut nearest, &costs, target, prices, threads)?;
    let copies = Copies::find(&points, threads)?;
    let mut transport = Transport::new(costs, &mut part, &copies, prices, window);
    transport.solve(threads)?;
    prices.copy_from_slice(&transport.end());
    Ok(())
}

/// An even part of the rows of each cluster, of those with the same next one,
/// and of those near and far from its border; ascending.
fn draw(choice: &Choice, prices: &[f64]) -> Vec<u32> {
    let rows = 0..choice.labels.len() as u32;
    let mut order: Vec<(u32, u32, f32, u32)> = rows
        .map(|row| {
            let label = choice.labels[row as usize];
            let next = choice.next(row as usize, prices);
            let (margin, next, _) = next.unwrap_or((f64::INFINITY, u32::MAX, 0.0));
            (label, next, margin as f32, row)
        })
        .collect();
    // Margins aren't negative, so their bits are in order.
    order.sort_unstable_by_key(|&(label, next, margin, row)| (label, next, margin.to_bits(), row));
    let chosen = order.iter().skip(FRACTION / 2).step_by(FRACTION);
    let mut chosen: Vec<u32> = chosen.map(|&(.., row)| row).collect();
    chosen.sort_unstable();
    chosen
}
