//! How far an assignment can be from the optimum, at most.

use super::candidates::{Costs, data_changed};
use super::size_bounds::SizeBounds;
use super::weighted;
use crate::allocate::try_vec;
use crate::clusters::UNASSIGNED;
use crate::error::{KMeansError, Result};
use crate::nearest::{Nearest, Request, RowScratch};
use crate::threads::Threads;

/// Rows per task.
const TASK_ROWS: usize = 256;

/// The duality gap: cost of the assignment less the lower bound that `prices`
/// prove for every assignment within the bounds (weak duality), as a fraction
/// of the cost. It uses nothing of how the assignment was found. An error if a
/// size is not within the bounds.
///
/// `own` holds the cost of every row in its cluster.
pub(super) fn relative_gap(
    nearest: &mut Nearest<'_>,
    costs: &Costs<'_>,
    threads: &Threads<'_>,
    (bounds, prices): (SizeBounds, &[f64]),
    (labels, own): (&[u32], &[f64]),
) -> Result<f64> {
    let mut best = threads.try_vec(UNASSIGNED, labels.len(), "labels")?;
    let mut best_costs = threads.try_vec(0.0, labels.len(), "distances")?;
    cheapest(
        nearest,
        costs,
        threads,
        prices,
        (&mut best, &mut best_costs),
    )?;
    let mut sizes = try_vec(0usize, prices.len(), "cluster sizes")?;
    let mut gap = 0.0;
    threads.in_steps(labels.len(), |rows| {
        for row in rows {
            let (label, best) = (labels[row] as usize, best[row] as usize);
            sizes[label] += 1;
            if label != best {
                let price = prices.get(best).ok_or_else(data_changed)?;
                gap += own[row] - best_costs[row] + (prices[label] - price);
            }
        }
        Ok(())
    })?;
    for (cluster, (&size, &price)) in sizes.iter().zip(prices).enumerate() {
        if !(bounds.low..=bounds.high).contains(&size) {
            return Err(outside(bounds, cluster, size));
        }
        // Room for more rows where the price keeps them out, or rows to spare
        // where it calls for them.
        gap += match price > 0.0 {
            true => (bounds.high - size) as f64 * price,
            false => (size - bounds.low) as f64 * -price,
        };
    }
    let total: f64 = own.iter().sum();
    if !total.is_finite() || gap.is_nan() {
        return Err(data_changed());
    }
    // No cost is negative, so neither is the bound.
    let gap = gap.clamp(0.0, total.max(0.0));
    Ok(if gap > 0.0 { gap / total } else { 0.0 })
}

fn outside(SizeBounds { low, high }: SizeBounds, cluster: usize, size: usize) -> KMeansError {
    KMeansError::invalid_data(format_args!(
        "cluster {cluster} came out with {size} rows, but may have {low} to {high}: either the \
         data changed while it was being clustered, or this is a bug in Kentro; train again on a \
         copy that nothing writes to"
    ))
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
    if costs.points.is_weighted() && !costs.root {
        return weighted::cheapest(costs, threads, prices, (labels, values));
    }
    if !costs.root {
        let centroids = costs.centroids.with_bias(prices);
        nearest.search(Request::nearest(centroids, labels, Some(values)), threads)?;
        return Ok(());
    }
    let tasks = labels
        .chunks_mut(TASK_ROWS)
        .zip(values.chunks_mut(TASK_ROWS))
        .enumerate();
    threads.run_long(
        tasks,
        || (RowScratch::default(), Vec::new()),
        |(scratch, of_row), (task, (labels, values)), poll| {
            let rows = task * TASK_ROWS..;
            for (row, (label, value)) in rows.zip(labels.iter_mut().zip(values)) {
                costs.of_row(row, scratch, of_row)?;
                poll()?;
                let mut least = f64::INFINITY;
                for (j, (cost, price)) in of_row.iter().zip(prices).enumerate() {
                    if cost + price < least {
                        least = cost + price;
                        (*label, *value) = (j as u32, *cost);
                    }
                }
                if least == f64::INFINITY {
                    return Err(data_changed()); // no cost is a number
                }
            }
            Ok(())
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::metric::Metric;
    use crate::nearest::Shared;
    use crate::points::Points;
    use ndarray::array;

    /// The gap of an assignment of four rows on a line to centroids at 0 and 10.
    fn gap(bounds: SizeBounds, labels: [u32; 4], own: [f64; 4], prices: [f64; 2]) -> Result<f64> {
        let data = array![[0.0f32], [1.0], [2.0], [9.0]];
        let points = Points::from(data.view());
        let threads = Threads::exactly(1, None).unwrap();
        let shared = Shared::new(&points, Metric::Euclidean, None).unwrap();
        let mut nearest = shared.nearest(&points, 1);
        let costs = Costs::new(&nearest, &[0.0, 10.0], &Config::new(2)).unwrap();
        let assignment = (&labels[..], &own[..]);
        relative_gap(
            &mut nearest,
            &costs,
            &threads,
            (bounds, &prices),
            assignment,
        )
    }

    #[test]
    fn gaps_are_what_duality_says() {
        let halves = SizeBounds { low: 2, high: 2 };
        // Row 2 pays 64 - 4 for going to the far cluster.
        let (labels, own) = ([0, 0, 1, 1], [0.0, 1.0, 64.0, 1.0]);
        let with = |prices| gap(halves, labels, own, prices).unwrap();
        assert_eq!(with([60.0, 0.0]), 0.0);
        assert_eq!(with([30.0, -30.0]), 0.0);
        assert_eq!(with([50.0, 0.0]), 10.0 / 66.0);
        assert_eq!(with([0.0, 0.0]), 60.0 / 66.0);
    }

    #[test]
    fn sizes_are_certified_as_well() {
        let (labels, own) = ([0, 0, 0, 1], [0.0, 1.0, 4.0, 1.0]);
        let with = |low, high| gap(SizeBounds { low, high }, labels, own, [0.0, 0.0]);
        assert_eq!(with(1, 3), Ok(0.0));
        for (low, high, named) in [
            (1, 2, "cluster 0 came out with 3"),
            (2, 3, "cluster 1 came"),
        ] {
            let error = with(low, high).unwrap_err().to_string();
            assert!(error.contains(named), "{error}");
        }
    }

    #[test]
    fn costs_that_are_no_numbers_are_an_error() {
        let bounds = SizeBounds { low: 1, high: 3 };
        let own = [0.0, f64::NAN, 4.0, 1.0];
        let error = gap(bounds, [0, 0, 0, 1], own, [0.0, 0.0]).unwrap_err();
        assert_eq!(error, data_changed());
    }
}
