//! Moves of single rows, which end in lower minima than Lloyd's iteration.
//!
//! Moving row x from cluster a to b changes both means, and so saves
//! n_a / (n_a − 1) · ‖x − m_a‖² − n_b / (n_b + 1) · ‖x − m_b‖² of the inertia:
//! it can pay although m_a is the nearer one (Hartigan & Wong, 1979). A row of
//! weight w takes the place of the 1, and saves w times as much. Rows that are
//! repeated move together.

use super::lloyd;
use crate::allocate::{collect, try_vec};
use crate::config::Config;
use crate::error::Result;
use crate::fit::Fit;
use crate::metric::Metric;
use crate::nearest::{AnyCentroids, Centroids, Nearest, Request};
use crate::threads::Threads;
use crate::unrepeated::Unrepeated;
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
    rows: &Unrepeated,
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
        let Some(means) = pass(nearest, rows, &best, threads)? else {
            break;
        };
        let centroids = AnyCentroids::of_values(means, config.n_clusters)?;
        let fit = lloyd::fit(nearest, config, (centroids, None), threads, start)?;
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
fn pass(
    nearest: &mut Nearest<'_>,
    rows: &Unrepeated,
    fit: &Fit,
    threads: &Threads<'_>,
) -> Result<Option<Vec<f32>>> {
    let all = nearest.points();
    let (points, dims) = (&rows.of(all), all.cols());
    let weight = |row: usize| rows.weights().map_or(1.0, |weights| weights[row]);
    let mut pairs = threads.try_vec(0u32, 2 * all.rows(), "nearest two")?;
    let mut distances = threads.try_vec(0.0f64, 2 * all.rows(), "nearest two")?;
    let values = fit.centroid_values()?;
    let centroids = Centroids::new(values, dims);
    let request = Request::few(centroids, 2, &mut pairs, Some(&mut distances));
    nearest.search(request, threads)?;

    let mut sizes = try_vec(0.0f64, centroids.len(), "cluster sizes")?;
    for row in 0..points.rows() {
        sizes[pairs[2 * rows.row(row)] as usize] += weight(row);
    }
    let mut means: Vec<f64> = collect(values.iter().map(|&v| f64::from(v)), "means")?;
    let mut moved = false;
    let mut scratch = Vec::new();
    for i in 0..points.rows() {
        if i % POLL_ROWS == 0 {
            threads.poll()?;
        }
        let (two, own) = (2 * rows.row(i)..2 * rows.row(i) + 2, weight(i));
        let (pair, distances) = (&pairs[two.clone()], &distances[two]);
        let (from, to) = (pair[0] as usize, pair[1] as usize);
        if !pays(own, (sizes[from], distances[0]), (sizes[to], distances[1])) {
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
        if !pays(own, (sizes[from], to_mean(from)), (sizes[to], to_mean(to))) {
            continue;
        }
        for (t, &x) in row.iter().enumerate() {
            let (a, b) = (means[from * dims + t], means[to * dims + t]);
            means[from * dims + t] = a - (f64::from(x) - a) * own / (sizes[from] - own);
            means[to * dims + t] = b + (f64::from(x) - b) * own / (sizes[to] + own);
        }
        sizes[from] -= own;
        sizes[to] += own;
        moved = true;
    }
    match moved {
        true => Ok(Some(collect(means.iter().map(|&m| m as f32), "centroids")?)),
        false => Ok(None),
    }
}

/// Whether to move a row of some weight between clusters, given as their sizes
/// and the squared distances to their means.
fn pays(weight: f64, from: (f64, f64), to: (f64, f64)) -> bool {
    let saved = from.0 / (from.0 - weight) * from.1 - to.0 / (to.0 + weight) * to.1;
    from.0 > weight && saved > LEAST_GAIN * from.1
}
