//! K-medoids: centres are rows of the data. What is minimised is the sum of
//! distances, not squared, of all rows to their medoids: ‖x − m‖, or 1 − cos.
//!
//! Where all n² distances fit into the memory limit, medoids are swapped
//! eagerly over the full matrix ([`fasterpam`]). Above, the same search runs
//! over a weighted sample ([`onebatch`]), then over more points than fit into
//! a matrix ([`streaming`]); at last medoids are moved by all rows of their
//! clusters ([`refine`]).

mod distances;
mod fasterpam;
mod onebatch;
mod refine;
mod start;
mod streaming;

use crate::allocate::try_vec;
use crate::config::{Config, Init};
use crate::error::Result;
use crate::fit::Fit;
use crate::nearest::{Nearest, UNASSIGNED};
use crate::rng::Rng;
use crate::threads::{Event, Iteration, Threads};
use distances::{Distances, Scaled};
use fasterpam::Swapping;
use onebatch::Sample;
use refine::Assignment;
use std::time::Instant;

/// Finds the medoids, then labels every row by them.
pub(crate) fn fit(
    nearest: &mut Nearest<'_>,
    config: &Config,
    threads: &Threads<'_>,
    start: Instant,
) -> Result<Fit> {
    let points = nearest.points();
    let rows = points.rows();
    let mut rng = Rng::new(config.seed);
    let given = match config.init() {
        Init::Centroids(centroids) => start::rows_near(points, config.metric, centroids, threads)?,
        _ => Vec::new(),
    };
    let scaled = Scaled::new(points, config.metric, threads)?;
    let budget = nearest.budget().portable();
    let whole = Sample::whole(rows, budget);
    let is_whole = whole.is_some();
    let sample = whole.unwrap_or_else(|| {
        Sample::draw(&scaled, rows, config.n_clusters, &given, budget, &mut rng)
    });
    let info = describe(&sample, rows, is_whole);
    if config.verbose {
        threads.tell(Event::Message(&info))?;
    }

    let distances = if is_whole {
        scaled.all_pairs(threads)?
    } else {
        let points = &sample.candidates[..sample.points];
        let mut distances = scaled.between(&sample.candidates, points, threads)?;
        distances.weigh(rows - scaled.without_direction(), threads)?;
        distances
    };
    let mut best: Option<Search> = None;
    for _ in 0..starts(config) {
        let named = match config.init() {
            Init::Centroids(_) if is_whole => given.clone(),
            Init::Centroids(_) => (0..given.len()).collect(),
            Init::Random => rng.distinct(config.n_clusters, sample.points),
            _ => Vec::new(),
        };
        let first = start::complete(&distances, &named, config.n_clusters, &mut rng)?;
        let found = search(&distances, first, &mut rng, config, threads, start)?;
        if best.as_ref().is_none_or(|best| found.loss < best.loss) {
            best = Some(found);
        }
    }
    drop(distances);
    let best = best.expect("n_init is positive");
    let medoids = best.medoids.iter().map(|&c| sample.candidates[c]).collect();
    let assignment = if is_whole {
        Assignment::new(nearest, medoids, threads)?
    } else {
        let cells = onebatch::matrix_cells(budget);
        refine::refine(nearest, &scaled, medoids, cells, &mut rng, threads)?
    };
    Ok(Fit {
        inertia: assignment.inertia,
        n_iter: best.n_iter,
        medoids: Some(assignment.medoids),
        info: Some(info),
        ..Fit::new(assignment.centroids, assignment.labels, config.n_clusters)
    })
}

fn describe(sample: &Sample, rows: usize, is_whole: bool) -> String {
    let (candidates, points) = (sample.candidates.len(), sample.points);
    if is_whole {
        format!("K-medoids by FasterPAM: all {rows} x {rows} distances")
    } else {
        format!(
            "K-medoids by OneBatchPAM: {candidates} candidates and {points} weighted points \
             of {rows} rows, then refined on all rows"
        )
    }
}

/// Runs worth making: given medoids lead to the same end every time.
fn starts(config: &Config) -> usize {
    match config.init() {
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
        // At random: neighbours in the data are often alike.
        let order = rng.distinct(distances.candidates(), distances.candidates());
        let swaps = swapping.pass(distances, &order, threads)?;
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
