//! How far an assignment can be from the optimum, at most.

use super::candidates::Costs;
use super::window::Window;
use crate::allocate::try_vec;
use crate::error::Result;
use crate::nearest::{Nearest, UNASSIGNED};
use crate::threads::Threads;

/// Rows per task.
const TASK_ROWS: usize = 256;

/// The duality gap: cost of the assignment less the lower bound that `prices`
/// prove for every assignment within the window (weak duality), as a fraction
/// of the cost. It uses nothing of how the assignment was found.
///
/// `own` holds the cost of every row in its cluster.
pub(super) fn relative_gap(
    nearest: &mut Nearest<'_>,
    costs: &Costs<'_>,
    threads: &Threads<'_>,
    (window, prices): (Window, &[f64]),
    (labels, own): (&[u32], &[f64]),
) -> Result<f64> {
    let mut best = try_vec(UNASSIGNED, labels.len(), "labels")?;
    let mut best_costs = try_vec(0.0, labels.len(), "distances")?;
    cheapest(
        nearest,
        costs,
        threads,
        prices,
        (&mut best, &mut best_costs),
    )?;
    let mut sizes = vec![0usize; prices.len()];
    let mut gap = 0.0;
    for (row, (&label, &best)) in labels.iter().zip(&best).enumerate() {
        sizes[label as usize] += 1;
        if label != best {
            let dearer = prices[label as usize] - prices[best as usize];
            gap += own[row] - best_costs[row] + dearer;
        }
    }
    for (&size, &price) in sizes.iter().zip(prices) {
        // Room for more rows where the price keeps them out, or rows to spare
        // where it calls for them.
        gap += match price > 0.0 {
            true => (window.high - size) as f64 * price,
            false => (size - window.low) as f64 * -price,
        };
    }
    let total: f64 = own.iter().sum();
    // No cost is negative, so neither is the bound.
    let gap = gap.clamp(0.0, total.max(0.0));
    Ok(if gap > 0.0 { gap / total } else { 0.0 })
}

/// Writes the cheapest cluster of every row, price included, to `labels`, and
/// its cost without price to `values`.
pub(super) fn cheapest(
    nearest: &mut Nearest<'_>,
    costs: &Costs<'_>,
    threads: &Threads<'_>,
    prices: &[f64],
    (labels, values): (&mut [u32], &mut [f64]),
) -> Result<()> {
    if !costs.root {
        let centroids = costs.centroids.with_bias(prices);
        nearest.assign(centroids, threads, labels, Some(values))?;
        return Ok(());
    }
    let tasks = labels
        .chunks_mut(TASK_ROWS)
        .zip(values.chunks_mut(TASK_ROWS))
        .enumerate();
    threads.run(
        tasks,
        || (Vec::new(), Vec::new()),
        |(scratch, of_row), (task, (labels, values))| {
            let rows = task * TASK_ROWS..;
            for (row, (label, value)) in rows.zip(labels.iter_mut().zip(values)) {
                costs.of_row(row, scratch, of_row)?;
                let mut least = f64::INFINITY;
                for (j, (cost, price)) in of_row.iter().zip(prices).enumerate() {
                    if cost + price < least {
                        least = cost + price;
                        (*label, *value) = (j as u32, *cost);
                    }
                }
            }
            Ok(())
        },
    )
}
