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
use crate::totals::Totals;
use empty_clusters::rows_for_empty_clusters;
pub(crate) use empty_clusters::{Candidate, FarthestRows, compare, most_candidates, winners};
pub(crate) use row_set::RowSet;
use std::time::Instant;

/// Iterates from the given centroids, and the labels that rows are likely to have
/// with them, until no assignment changes, the
/// relative gain falls below the tolerance, or `config.iterations` are done.
/// In the end every label is that of the nearest of the final centroids, and
/// these are the means of what the last iteration assigned to them.
///
/// O(n·k·d) an iteration; memory O(n + k·d) beside the data.
pub(crate) fn fit(
    nearest: &mut Nearest<'_>,
    config: &Config,
    (mut centroids, likely): (Vec<f32>, Option<Vec<u32>>),
    threads: &Threads<'_>,
    start: Instant,
) -> Result<Fit> {
    if let Some(fit) = sparse::fit(nearest, config, &mut centroids, threads, start)? {
        return Ok(fit);
    }
    let dims = nearest.points().cols();
    let mut partition = Partition::new(nearest, Centroids::new(&centroids, dims), threads)?;
    if let Some(labels) = likely {
        partition.expect(labels);
    }
    iterate(partition, config, centroids, threads, start)
}

/// Rows in clusters, wherever the rows are.
pub(crate) trait Clustering: Sized {
    /// Assigns every row to its nearest centroid, and makes the totals follow.
    /// Returns how many rows changed.
    fn assign(&mut self, centroids: Centroids<'_>, threads: &Threads<'_>) -> Result<usize>;

    fn totals(&self) -> &Totals;

    /// The sum of distances to the centroids last assigned to, from sums alone
    /// where these are precise enough.
    fn inertia(&mut self, centroids: Centroids<'_>, threads: &Threads<'_>) -> Result<f64>;
}

/// What Lloyd's algorithm asks of rows in clusters, in the end too.
pub(crate) trait Complete: Clustering {
    /// The sum of canonical distances to the centroids that labels name.
    fn exact_inertia(&mut self, centroids: Centroids<'_>, threads: &Threads<'_>) -> Result<f64>;

    /// Labels every row by its nearest centroid. The totals need not follow.
    /// Returns the sum of distances.
    fn label(&mut self, centroids: Centroids<'_>, threads: &Threads<'_>) -> Result<f64>;

    /// Moves the farthest rows to clusters that are empty.
    fn fill_empty(&mut self, centroids: Centroids<'_>, threads: &Threads<'_>) -> Result<()>;

    /// Puts the centroids of clusters that are empty on the farthest rows, which
    /// stay where they are. Returns whether there were any.
    fn place_empty(&mut self, centroids: &mut [f32], threads: &Threads<'_>) -> Result<bool>;

    /// In the order of the rows.
    fn into_labels(self, threads: &Threads<'_>) -> Result<Vec<u32>>;
}

/// [`fit`], whatever holds the rows.
pub(crate) fn iterate(
    mut partition: impl Complete,
    config: &Config,
    mut centroids: Vec<f32>,
    threads: &Threads<'_>,
    start: Instant,
) -> Result<Fit> {
    threads.enter(Phase::Iterating);
    let dims = centroids.len() / config.n_clusters;
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
            partition.fill_empty(now, threads)?;
        }
        let moved = partition.totals().write_centroids(&mut centroids);
        settled = changed == 0 && !moved;
    }
    threads.enter(Phase::Labelling);
    let now = Centroids::new(&centroids, dims);
    let mut inertia = match settled {
        true => partition.exact_inertia(now, threads)?,
        false => partition.label(now, threads)?,
    };
    // As long as that lowers the inertia.
    while partition.place_empty(&mut centroids, threads)? {
        let before = inertia;
        inertia = partition.label(Centroids::new(&centroids, dims), threads)?;
        if inertia >= before {
            break;
        }
    }
    let labels = partition.into_labels(threads)?;

    Ok(Fit {
        inertia,
        n_iter,
        ..Fit::new(centroids, labels, config.n_clusters)?
    })
}

impl Clustering for Partition<'_, '_> {
    fn assign(&mut self, centroids: Centroids<'_>, threads: &Threads<'_>) -> Result<usize> {
        Partition::assign(self, centroids, threads)
    }

    fn totals(&self) -> &Totals {
        Partition::totals(self)
    }

    fn inertia(&mut self, centroids: Centroids<'_>, threads: &Threads<'_>) -> Result<f64> {
        Partition::inertia(self, centroids, threads)
    }
}

impl Complete for Partition<'_, '_> {
    fn exact_inertia(&mut self, centroids: Centroids<'_>, threads: &Threads<'_>) -> Result<f64> {
        Partition::exact_inertia(self, centroids, threads)
    }

    fn label(&mut self, centroids: Centroids<'_>, threads: &Threads<'_>) -> Result<f64> {
        Partition::label(self, centroids, threads)
    }

    fn fill_empty(&mut self, centroids: Centroids<'_>, threads: &Threads<'_>) -> Result<()> {
        let (nearest, labels) = self.nearest_and_labels(threads)?;
        let moves = rows_for_empty_clusters(nearest, centroids, labels, threads)?;
        self.move_rows(&moves, threads)
    }

    fn place_empty(&mut self, centroids: &mut [f32], threads: &Threads<'_>) -> Result<bool> {
        let dims = self.nearest().points().cols();
        let (nearest, labels) = self.nearest_and_labels(threads)?;
        let now = Centroids::new(centroids, dims);
        let moves = rows_for_empty_clusters(nearest, now, labels, threads)?;
        for &(row, cluster) in &moves {
            let centroid = &mut centroids[cluster as usize * dims..][..dims];
            copy_row(self.nearest(), row, centroid)?;
        }
        Ok(!moves.is_empty())
    }

    fn into_labels(self, threads: &Threads<'_>) -> Result<Vec<u32>> {
        Partition::into_labels(self, threads)
    }
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
