//! K-medoids: centres are rows of the data. What is minimised is the sum of
//! distances, not squared, of all rows to their medoids: ‖x − m‖, or 1 − cos.
//!
//! Where all n² distances fit into the memory limit, medoids are swapped
//! eagerly over the full matrix ([`fasterpam`]).

mod distances;
mod fasterpam;
mod start;

use crate::config::{Config, Init};
use crate::error::{Result, try_vec};
use crate::fit::Fit;
use crate::metric::Metric;
use crate::nearest::{Centroids, Nearest, UNASSIGNED};
use crate::rng::Rng;
use crate::seeding::copy_rows;
use crate::threads::{Event, Iteration, Threads};
use distances::{Distances, Scaled};
use fasterpam::Swapping;
use std::time::Instant;

/// Finds the medoids, then labels every row by them.
pub(crate) fn fit(
    nearest: &mut Nearest<'_>,
    config: &Config,
    threads: &Threads<'_>,
    start: Instant,
) -> Result<Fit> {
    let points = nearest.points();
    let scaled = Scaled::new(points, config.metric, threads)?;
    let rows = points.rows() as u64;
    let info = format!("K-medoids: swaps over all {rows} x {rows} distances (FasterPAM)");
    if config.verbose {
        threads.tell(Event::Message(&info))?;
    }
    let distances = scaled.all_pairs(threads)?;
    let mut rng = Rng::new(config.seed);
    let mut best: Option<Search> = None;
    for _ in 0..starts(config) {
        let named = start::named_rows(
            points,
            config.metric,
            &config.init,
            config.n_clusters,
            &mut rng,
            threads,
        )?;
        let first = start::complete(&distances, &named, config.n_clusters, &mut rng)?;
        let found = search(&distances, first, &mut rng, config, threads, start)?;
        if best.as_ref().is_none_or(|best| found.loss < best.loss) {
            best = Some(found);
        }
    }
    let found = best.expect("n_init is positive");
    drop(distances);
    finish(nearest, config, threads, found, info)
}

/// Runs worth making: given medoids lead to the same end every time.
fn starts(config: &Config) -> usize {
    match config.init {
        Init::Centroids(_) => 1,
        _ => config.n_init,
    }
}

/// Where a search ended.
struct Search {
    medoids: Vec<usize>,
    loss: f64,
    n_iter: usize,
}

/// Swaps from the given medoids until a pass brings no more, or hardly any.
fn search(
    distances: &Distances,
    medoids: Vec<usize>,
    rng: &mut Rng,
    config: &Config,
    threads: &Threads<'_>,
    start: Instant,
) -> Result<Search> {
    let report = |number, loss, changed| {
        let iteration = Iteration {
            number,
            inertia: loss,
            changed,
            seconds: start.elapsed().as_secs_f64(),
        };
        config.report(threads, iteration)
    };
    if medoids.len() == 1 {
        let (medoid, sum) = fasterpam::best_single(distances, threads)?;
        let loss = distances.loss(sum);
        report(1, loss, distances.points())?;
        return Ok(Search {
            medoids: vec![medoid],
            loss,
            n_iter: 1,
        });
    }
    let mut swapping = Swapping::new(distances, medoids)?;
    let mut labels = try_vec(UNASSIGNED, distances.points(), "labels")?;
    let mut n_iter = 0;
    let mut converged = false;
    while n_iter < config.iterations && !converged {
        n_iter += 1;
        let before = swapping.loss();
        let swaps = swapping.pass(rng, threads)?;
        let changes = labels.iter().zip(swapping.nearest());
        let changed = changes.filter(|(old, new)| old != new).count();
        labels.copy_from_slice(swapping.nearest());
        report(n_iter, distances.loss(swapping.loss()), changed)?;
        let gain = before - swapping.loss();
        converged = swaps == 0 || gain < config.tolerance * before;
    }
    Ok(Search {
        medoids: swapping.medoids().to_vec(),
        loss: distances.loss(swapping.loss()),
        n_iter,
    })
}

/// Labels and inertia by canonical distances, as `assign` would find them.
fn finish(
    nearest: &mut Nearest<'_>,
    config: &Config,
    threads: &Threads<'_>,
    found: Search,
    info: String,
) -> Result<Fit> {
    let points = nearest.points();
    let values = copy_rows(points, config.metric, &found.medoids)?;
    let mut labels = try_vec(UNASSIGNED, points.rows(), "labels")?;
    let mut distances = try_vec(0.0f64, points.rows(), "distances")?;
    let centroids = Centroids::new(&values, points.cols());
    nearest.assign(centroids, threads, &mut labels, Some(&mut distances))?;
    let inertia = match config.metric {
        Metric::Euclidean => distances.iter().map(|squared| squared.sqrt()).sum(),
        Metric::Cosine => distances.iter().sum(),
    };
    Ok(Fit {
        inertia,
        n_iter: found.n_iter,
        medoids: Some(found.medoids),
        info: Some(info),
        ..Fit::new(values, labels, config.n_clusters)
    })
}
