//! Prices from the exact assignment of one row in so many.
//!
//! Sweeps are quick where rows have to move to the next cluster, and slow
//! where surplus and shortage are far apart: what moves on moves through all
//! clusters between. A part of the rows has the same surpluses, and is exact
//! in much less time, as both paths and rows to look at are fewer.

use super::Choice;
use crate::allocate::{collect, extend, try_vec, with_capacity};
use crate::balanced::candidates::Costs;
use crate::balanced::size_bounds::{self, SizeBounds, SlidingBounds};
use crate::balanced::transport::{EqualRows, Transport};
use crate::error::Result;
use crate::nearest::Nearest;
use crate::sort::sort;
use crate::threads::Threads;

/// One row in so many is taken, where that leaves so many for each cluster.
const FRACTION: usize = 8;
const PER_CLUSTER: usize = 6;

/// Better prices are looked for where more than one row in so many has to move.
const FEW: usize = 64;

impl Choice {
    /// [`balance`](Choice::balance), and better where many rows would still have
    /// to move and prices can do something about it. `bounds` is about that of
    /// every cluster.
    pub fn balance_by_part(
        &mut self,
        nearest: &mut Nearest<'_>,
        costs: &Costs<'_>,
        (each_bounds, bounds): (&[SizeBounds], SizeBounds),
        prices: &mut [f64],
        threads: &Threads<'_>,
    ) -> Result<()> {
        self.balance(nearest, costs, each_bounds, prices, threads)?;
        let (rows, clusters) = (self.labels.len(), prices.len());
        let left = size_bounds::violation(each_bounds, &self.sizes);
        let has_part = rows >= FRACTION * PER_CLUSTER * clusters;
        if !has_part || left < (rows / FEW).max(2 * self.tied) {
            return Ok(());
        }
        let drawn = draw(self, prices, threads)?;
        balance_part(costs, &drawn, bounds, prices, threads)?;
        self.balance(nearest, costs, each_bounds, prices, threads)?;
        let still_left = size_bounds::violation(each_bounds, &self.sizes);
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
    bounds: SizeBounds,
    prices: &mut [f64],
    threads: &Threads<'_>,
) -> Result<()> {
    let points = costs.points.select(drawn);
    let costs = Costs {
        points: &points,
        ..costs.clone()
    };
    let (low, width) = (bounds.low / FRACTION, bounds.width() / FRACTION);
    let sliding = SlidingBounds::of_width(width.max(1), drawn.len(), prices.len());
    let bounds = sliding.near(low);
    let each_bounds = try_vec(bounds, prices.len(), "size bounds")?;
    let mut nearest = costs.shared.nearest(&points, 1);
    let mut part = Choice::new(drawn.len(), prices.len(), threads)?;
    let target = (&each_bounds[..], bounds);
    part.balance_by_part(&mut nearest, &costs, target, prices, threads)?;
    let equal_rows = EqualRows::find(&points, threads)?;
    let mut transport = Transport::new(costs, &mut part, &equal_rows, (prices, bounds), threads)?;
    transport.solve(threads)?;
    prices.copy_from_slice(&transport.end(threads)?);
    Ok(())
}

/// An even part of the rows of each cluster, of those with the same next one,
/// and of those near and far from its border; ascending.
fn draw(choice: &Choice, prices: &[f64], threads: &Threads<'_>) -> Result<Vec<u32>> {
    let purpose = "rows in order";
    let mut order = with_capacity(choice.labels.len(), purpose)?;
    threads.in_steps(choice.labels.len(), |rows| {
        let rows = rows.map(|row| {
            let next = choice.next(row, prices);
            let (margin, next, _) = next.unwrap_or((f64::INFINITY, u32::MAX, 0.0));
            // Margins aren't negative, so their bits are in order.
            (
                choice.labels[row],
                next,
                (margin as f32).to_bits(),
                row as u32,
            )
        });
        extend(&mut order, rows, purpose)
    })?;
    sort(&mut order, threads, purpose)?;
    let chosen = order.iter().skip(FRACTION / 2).step_by(FRACTION);
    let mut chosen = collect(chosen.map(|&(.., row)| row), purpose)?;
    sort(&mut chosen, threads, purpose)?;
    Ok(chosen)
}
