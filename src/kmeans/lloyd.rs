//! Lloyd's algorithm (Lloyd, 1957/1982; spherical form: Dhillon & Modha, 2001).

mod by_cluster;
mod dense;
mod sparse;
mod steps;
#[cfg(test)]
mod tests;

use crate::config::Config;
use crate::error::Result;
use crate::fit::Fit;
use crate::kmeans::partition::Partition;
use crate::nearest::{AnyCentroids, Centroids, Nearest};
use crate::threads::{Iteration, Phase, Threads};
pub(crate) use dense::Dense;
pub(crate) use sparse::Sparse;
use std::time::Instant;
use steps::Steps;

/// Iterates from the given centroids, and the labels that rows are likely to have
/// with them, until no assignment changes, the
/// relative gain falls below the tolerance, or `config.iterations` are done.
/// In the end every label is that of the nearest of the final centroids, and
/// these are the means of what the last iteration assigned to them.
///
/// O(n·k·d) an iteration; memory O(n + k·d) beside the data, for sparse rows O(n + d)
/// and what centroids have that is not zero.
pub(crate) fn fit(
    nearest: &mut Nearest<'_>,
    config: &Config,
    (centroids, likely): (AnyCentroids, Option<Vec<u32>>),
    threads: &Threads<'_>,
    start: Instant,
) -> Result<Fit> {
    threads.enter(Phase::Iterating);
    if let Some(isa) = nearest.sparse_engine() {
        let vectors = centroids.vectors(nearest.metric())?;
        drop(centroids);
        let rows = Sparse::new(nearest, isa, vectors, threads)?;
        return iterate(rows, config, threads, start);
    }
    let centroids = centroids.into_values()?;
    let first = Centroids::new(&centroids, nearest.points().cols());
    let mut rows = Partition::new(nearest, first, threads)?;
    if let Some(labels) = likely {
        rows.expect(labels);
    }
    iterate(Dense { rows, centroids }, config, threads, start)
}

/// [`fit`], whatever holds rows and centroids.
pub(crate) fn iterate(
    mut rows: impl Steps,
    config: &Config,
    threads: &Threads<'_>,
    start: Instant,
) -> Result<Fit> {
    let mut last_inertia = f64::INFINITY;
    let mut n_iter = 0;
    let mut last = false;
    let mut settled = false;
    while !last {
        n_iter += 1;
        let changed = rows.assign(threads)?;
        last = changed == 0 || n_iter == config.iterations;
        if threads.observed() || config.tolerance > 0.0 {
            let inertia = rows.inertia(threads)?;
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
        // Where no row moved, neither do centroids.
        settled = changed == 0;
        if !settled {
            rows.fill_empty(threads)?;
            rows.update(threads)?;
        }
    }
    threads.enter(Phase::Labelling);
    let mut inertia = match settled {
        true => rows.exact_inertia(threads)?,
        false => rows.label(threads)?,
    };
    // As long as that lowers the inertia.
    while rows.place_empty(threads)? {
        let before = inertia;
        inertia = rows.label(threads)?;
        if inertia >= before {
            break;
        }
    }
    let (centroids, labels) = rows.finish(threads)?;

    Ok(Fit {
        inertia,
        n_iter,
        ..Fit::new(centroids, labels, config.n_clusters)?
    })
}
