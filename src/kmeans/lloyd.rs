//! Lloyd's algorithm (Lloyd, 1957/1982; spherical form: Dhillon & Modha, 2001).

mod by_column;
mod empty_clusters;
mod farthest;
mod row_set;
mod sparse;
#[cfg(test)]
mod tests;

use crate::config::Config;
use crate::error::Result;
use crate::fit::Fit;
use crate::kmeans::partition::Partition;
use crate::nearest::{Centroids, Nearest};
use crate::threads::{Iteration, Phase, Threads};
use empty_clusters::rows_for_empty_clusters;
pub(crate) use empty_clusters::{Candidate, FarthestRows, compare, most_candidates, winners};
pub(crate) use row_set::RowSet;
use std::time::Instant;

/// Iterates from the given centroids until no assignment changes, the
/// relative gain falls below the tolerance, or `config.iterations` are done.
/// In the end every label is that of the nearest of the final centroids, and
/// these are the means of what the last iteration assigned to them.
///
/// O(n·k·d) an iteration; memory O(n + k·d) beside the data.
pub(crate) fn fit(
    nearest: &mut Nearest<'_>,
    config: &Config,
    mut centroids: Vec<f32>,
    threads: &Threads<'_>,
    start: Instant,
) -> Result<Fit> {
    if let Some(fit) = sparse::fit(nearest, config, &mut centroids, threads, start)? {
        return Ok(fit);
    }
    threads.enter(Phase::Iterating);
    let dims = nearest.points().cols();
    let mut partition = Partition::new(nearest, Centroids::new(&centroids, dims), threads)?;
    let mut last_inertia = f64::INFINITY;
    let mut n_iter = 0;
    let mut last = false;
    let mut settled = false;
    while !last {
        n_iter += 1;
        let now = Centroids::new(&centroids, dims);
        let changed = partition.assign(now, threads)?;
        last = changed == 0 || n_iter == config.iterations;
        if threads.observed() || config.tolerance > 0.0 {
            let inertia = partition.inertia(now, threads)?;
            let iteration = Iteration {
                number: n_iter,
                inertia,
                changed,
                seconds: start.elapsed().as_secs_f64(),
            };
            config.report(threads, iteration)?;
            last |= n_iter > 1 && last_inertia - inertia < config.tolerance * last_inertia;
            last_inertia = inertia;
        }
        last |= threads.stopping();
        if changed > 0 && partition.totals().counts.contains(&0) {
            let (nearest, labels) = partition.nearest_and_labels(threads)?;
            let moves = rows_for_empty_clusters(nearest, now, labels, threads)?;
            partition.move_rows(&moves, threads)?;
        }
        let moved = partition.totals().write_centroids(&mut centroids);
        settled = changed == 0 && !moved;
    }
    threads.enter(Phase::Labelling);
    let now = Centroids::new(&centroids, dims);
    let inertia = match settled {
        true => partition.exact_inertia(now, threads)?,
        false => partition.label(now, threads)?,
    };
    let (labels, inertia) = fill_empty_clusters(partition, &mut centroids, inertia, threads)?;

    Ok(Fit {
        inertia,
        n_iter,
        ..Fit::new(centroids, labels, config.n_clusters)?
    })
}

/// Puts the centroids of empty clusters on rows, which they then win, and
/// assigns again, as long as that lowers the inertia. Returns the labels and
/// the inertia.
fn fill_empty_clusters(
    mut partition: Partition<'_, '_>,
    centroids: &mut [f32],
    mut inertia: f64,
    threads: &Threads<'_>,
) -> Result<(Vec<u32>, f64)> {
    let dims = partition.nearest().points().cols();
    loop {
        let now = Centroids::new(centroids, dims);
        let (nearest, labels) = partition.nearest_and_labels(threads)?;
        let moves = rows_for_empty_clusters(nearest, now, labels, threads)?;
        if moves.is_empty() {
            break;
        }
        for (row, cluster) in moves {
            let centroid = &mut centroids[cluster as usize * dims..][..dims];
            copy_row(partition.nearest(), row, centroid)?;
        }
        let before = inertia;
        inertia = partition.label(Centroids::new(centroids, dims), threads)?;
        if inertia >= before {
            break;
        }
    }
    Ok((partition.into_labels(threads)?, inertia))
}

/// Counts the rows of each cluster.
fn count(labels: &[u32], counts: &mut [usize]) {
    counts.fill(0);
    labels.iter().for_each(|&label| counts[label as usize] += 1);
}

/// A row as a centroid.
fn copy_row(nearest: &Nearest<'_>, row: u32, centroid: &mut [f32]) -> Result<()> {
    let mut scratch = Vec::new();
    centroid.copy_from_slice(nearest.points().row(row as usize, &mut scratch)?);
    nearest.metric().normalize(centroid);
    Ok(())
}
