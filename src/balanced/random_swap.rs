//! Escape from local minima by random swaps (Fränti, 2018, *Efficiency of random
//! swap clustering*): a centroid moves to a random row, some iterations settle
//! it, and what is better stays.
//!
//! Prices tell where: a cluster that must draw rows from afar has a low one, a
//! cluster that many rows want to join a high one.

use super::fit::{Until, fit, fit_until};
use crate::allocate::copy;
use crate::config::Config;
use crate::error::Result;
use crate::fit::Fit;
use crate::nearest::Nearest;
use crate::rng::Rng;
use crate::seeding::copy_rows;
use crate::text::text;
use crate::threads::{Event, Threads};
use std::time::Instant;

/// Iterations at most between a swap and its verdict.
const TRIAL: usize = 20;

/// One centroid in so many moves at once, at first.
const BATCH: usize = 100;

/// A swap pays when it saves this fraction of the inertia.
const PAYS: f64 = 1e-5;

/// When to stop: after so many trials, or so many single swaps in a row that
/// don't pay.
const TRIALS: usize = 100;
const PATIENCE: usize = 20;

/// The best of so many random clusters gives its centroid, and the best of so
/// many random rows gets it.
const DRAWN: usize = 3;

/// Lowers the inertia of a balanced clustering. A trial takes what [`fit`] takes
/// for so few iterations, or less: it ends where it can't win any more.
pub(crate) fn random_swap(
    nearest: &mut Nearest<'_>,
    config: &Config,
    mut best: Fit,
    rng: &mut Rng,
    threads: &Threads<'_>,
    start: Instant,
) -> Result<Fit> {
    if config.n_clusters < 2 {
        return Ok(best);
    }
    let mut batch = (config.n_clusters / BATCH).max(1);
    let mut failures = 0;
    let mut found = false;
    for _ in 0..TRIALS {
        if threads.stopping() {
            return Ok(best);
        }
        let goal = (1.0 - PAYS) * best.inertia;
        let centroids = swapped(nearest, &best, batch, rng, threads)?;
        let until = Until {
            goal,
            iterations: config.iterations.min(TRIAL),
            verbose: false,
        };
        let trial = fit_until(until, nearest, config, centroids, threads, start)?;
        if let Some(trial) = trial.filter(|trial| trial.inertia < goal) {
            if config.verbose {
                let (from, to) = (best.inertia, trial.inertia);
                let text = text(format_args!(
                    "{batch} centroids moved: inertia {from:.6e} -> {to:.6e}"
                ));
                threads.tell(Event::Message(&text))?;
            }
            best = trial;
            found = true;
            failures = 0;
        } else if batch > 1 {
            batch /= 2;
        } else {
            failures += 1;
            if failures == PATIENCE {
                break;
            }
        }
    }
    if found {
        let centroids = copy(best.centroid_values()?, "centroids")?;
        let settled = fit(nearest, config, centroids, threads, start)?;
        if settled.inertia < best.inertia {
            best = settled;
        }
    }
    Ok(best)
}

/// The centroids of `best`, `count` of them moved to rows.
fn swapped(
    nearest: &Nearest<'_>,
    best: &Fit,
    count: usize,
    rng: &mut Rng,
    threads: &Threads<'_>,
) -> Result<Vec<f32>> {
    let (points, metric) = (nearest.points(), nearest.metric());
    let prices = best.prices.as_ref().expect("prices of balanced clusters");
    let price_of_row = |row: usize| match points.weight(row) > 0.0 {
        true => prices[best.labels[row] as usize],
        false => f64::NEG_INFINITY,
    };
    let mut centroids = copy(best.centroid_values()?, "centroids")?;
    for _ in 0..count {
        let mut removed = rng.below(prices.len());
        let mut row = rng.below(points.rows());
        for _ in 1..DRAWN {
            let (cluster, other) = (rng.below(prices.len()), rng.below(points.rows()));
            if prices[cluster] < prices[removed] {
                removed = cluster;
            }
            if price_of_row(other) > price_of_row(row) {
                row = other;
            }
        }
        let moved = copy_rows(points, metric, &[row], threads)?;
        centroids[removed * moved.len()..][..moved.len()].copy_from_slice(&moved);
    }
    Ok(centroids)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::Metric;
    use crate::nearest::Shared;
    use crate::points::Points;
    use ndarray::Array2;

    const CLUSTERS: usize = 40;

    /// Blobs of unequal size, far apart.
    fn blobs() -> Array2<f32> {
        let (blobs, dims) = (25, 6);
        let mut rng = Rng::new(5);
        let centres = Array2::from_shape_fn((blobs, dims), |_| 20.0 * rng.unit());
        let bounds: Vec<usize> = (0..1500).map(|_| rng.below(blobs * blobs)).collect();
        Array2::from_shape_fn((1500, dims), |(row, t)| {
            // The square root makes late blobs large and early ones small.
            let blob = (bounds[row] as f64).sqrt() as usize;
            (centres[[blob, t]] + rng.unit()) as f32
        })
    }

    #[test]
    fn swaps_from_one_start_do_as_well_as_twenty_starts() {
        let data = blobs();
        let points = Points::from(data.view());
        let shared = Shared::new(&points, Metric::Euclidean, None).unwrap();
        let mut nearest = shared.nearest(&points, 1);
        let threads = Threads::exactly(2, None).unwrap();
        let config = Config {
            balanced: true,
            max_balance_diff: 1,
            metric: Metric::Euclidean,
            ..Config::new(CLUSTERS)
        };
        let mut rng = Rng::new(1);
        let mut run = |rng: &mut Rng| {
            let first = rng.distinct(CLUSTERS, data.nrows()).unwrap();
            let first = first.iter().flat_map(|&row| data.row(row)).copied();
            let start = Instant::now();
            fit(&mut nearest, &config, first.collect(), &threads, start).unwrap()
        };
        let one = run(&mut rng);
        let inertia_of_one = one.inertia;
        let many = (0..20).map(|_| run(&mut rng).inertia);
        let best_of_many = many.fold(f64::INFINITY, f64::min);
        let (nearest, start) = (&mut nearest, Instant::now());
        let swapped = random_swap(nearest, &config, one, &mut rng, &threads, start).unwrap();
        assert!(swapped.inertia < 0.95 * inertia_of_one);
        assert!(swapped.inertia < 1.005 * best_of_many);
        assert!(swapped.balance_gap.unwrap() <= 1e-9);
        let sizes = swapped.counts;
        assert!(sizes.iter().all(|&size| size == 37 || size == 38));
    }
}
