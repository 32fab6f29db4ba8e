//! Moves of single rows, which end in lower minima than Lloyd's iteration.
//!
//! Moving row x from cluster a to b changes both means, and so saves
//! n_a / (n_a − 1) · ‖x − m_a‖² − n_b / (n_b + 1) · ‖x − m_b‖² of the inertia:
//! it can pay although m_a is the nearer one (Hartigan & Wong, 1979).

use super::lloyd;
use crate::allocate::{collect, try_vec};
use crate::config::Config;
use crate::error::Result;
use crate::fit::Fit;
use crate::metric::Metric;
use crate::nearest::{Centroids, Nearest, Request};
use crate::threads::Threads;
use std::time::Instant;

/// Passes at most, each followed by Lloyd's iteration.
const ROUNDS: usize = 30;

/// A round that saves less than this part of the inertia is the last.
const STALLED: f64 = 1e-6;

/// A move must save more than this part of what the row costs: less may be
/// rounding.
const LEAST_GAIN: f64 = 1e-6;

/// Rows between two polls.
const POLL_ROWS: usize = 1 << 10;

/// Moves rows of a finished clustering as long as that lowers the inertia; with
/// squared Euclidean distance only.
///
/// O(n·k·d) a round.
pub(crate) fn move_single_rows(
    nearest: &mut Nearest<'_>,
    config: &Config,
    mut best: Fit,
    threads: &Threads<'_>,
    start: Instant,
) -> Result<Fit> {
    if nearest.metric() != Metric::Euclidean || config.n_clusters < 2 {
        return Ok(best);
    }
    for _ in 0..ROUNDS {
        if threads.stopping() {
            break;
        }
        let Some(centroids) = pass(nearest, &best, threads)? else {
            break;
        };
        let fit = lloyd::fit(nearest, config, centroids, threads, start)?;
        let gain = best.inertia - fit.inertia;
        if gain > 0.0 {
            best = fit;
        }
        if gain <= STALLED * best.inertia {
            break;
        }
    }
    Ok(best)
}

/// Moves rows between their two nearest clusters, in the order of rows, where
/// that pays. Returns the new means, or `None` if nothing moved.
fn pass(nearest: &mut Nearest<'_>, fit: &Fit, threads: &Threads<'_>) -> Result<Option<Vec<f32>>> {
    let points = nearest.points();
    let (rows, dims) = (points.rows(), points.cols());
    let mut pairs = threads.try_vec(0u32, 2 * rows, "nearest two")?;
    let mut distances = threads.try_vec(0.0f64, 2 * rows, "nearest two")?;
    let values = fit.centroid_values();
    let centroids = Centroids::new(values, dims);
    let request = Request::few(centroids, 2, &mut pairs, Some(&mut distances));
    nearest.search(request, threads)?;

    let mut sizes = try_vec(0.0f64, centroids.len(), "cluster sizes")?;
    for pair in pairs.chunks_exact(2) {
        sizes[pair[0] as usize] += 1.0;
    }
    let mut means: Vec<f64> = collect(values.iter().map(|&v| f64::from(v)), "means")?;
    let mut moved = false;
    let mut scratch = Vec::new();
    let both = pairs.chunks_exact(2).zip(distances.chunks_exact(2));
    for (i, (pair, distances)) in both.enumerate() {
        if i % POLL_ROWS == 0 {
            threads.poll()?;
        }
        let (from, to) = (pair[0] as usize, pair[1] as usize);
        if !pays((sizes[from], distances[0]), (sizes[to], distances[1])) {
            continue;
        }
        // Earlier moves have changed the means.
        let row = points.row(i, &mut scratch)?;
        let to_mean = |j: usize| {
            let mean = &means[j * dims..][..dims];
            let squares = row
                .iter()
                .zip(mean)
                .map(|(&x, m)| (f64::from(x) - m).powi(2));
            squares.sum::<f64>()
        };
        if !pays((sizes[from], to_mean(from)), (sizes[to], to_mean(to))) {
            continue;
        }
        for (t, &x) in row.iter().enumerate() {
            let (a, b) = (means[from * dims + t], means[to * dims + t]);
            means[from * dims + t] = a - (f64::from(x) - a) / (sizes[from] - 1.0);
            means[to * dims + t] = b + (f64::from(x) - b) / (sizes[to] + 1.0);
        }
        sizes[from] -= 1.0;
        sizes[to] += 1.0;
        moved = true;
    }
    match moved {
        true => Ok(Some(collect(means.iter().map(|&m| m as f32), "centroids")?)),
        false => Ok(None),
    }
}

/// Whether to move a row between clusters, given as their sizes and the squared
/// distances to their means.
fn pays(from: (f64, f64), to: (f64, f64)) -> bool {
    let saved = from.0 / (from.0 - 1.0) * from.1 - to.0 / (to.0 + 1.0) * to.1;
    from.0 > 1.0 && saved > LEAST_GAIN * from.1
}
