//! K-medoids: centres are rows of the data. What is minimised is the sum of
//! distances, not squared, of all rows to their medoids: ‖x − m‖, or 1 − cos,
//! each times the row's weight.
//!
//! Equal rows are taken together as one that weighs as much. Where all n²
//! distances between different rows are affordable, medoids are swapped
//! eagerly over the full matrix ([`fasterpam`]). Above, the same search runs
//! over a weighted sample ([`onebatch`]), then over more points than fit into
//! a matrix ([`streaming`]); at last medoids are moved by all rows of their
//! clusters ([`refine`]).

mod assignment;
mod distances;
mod fasterpam;
mod matrix;
mod onebatch;
mod refine;
mod sparse_tiles;
mod start;
mod streaming;
mod tiles;

use crate::allocate::{collect, extend, text, try_vec};
use crate::clusters::Clusters;
use crate::clusters::UNASSIGNED;
use crate::config::{Config, Init};
use crate::equal_rows::DistinctRows;
use crate::error::Result;
use crate::fit::Fit;
use crate::nearest::{AnyCentroids, Centroids, Nearest, Request};
use crate::rng::Rng;
use crate::seeding::by_weight;
use crate::seeding::copy_rows;
use crate::threads::{Event, Iteration, Phase, Threads};
use assignment::Assignment;
use distances::Scaled;
use fasterpam::Swapping;
use matrix::Distances;
use onebatch::Batch;
use std::time::Instant;

/// Finds the medoids, then labels every row by them.
pub(crate) fn fit(
    nearest: &mut Nearest<'_>,
    config: &Config,
    threads: &Threads<'_>,
    start: Instant,
) -> Result<Fit> {
    let points = nearest.points();
    let distinct = DistinctRows::find(points, threads)?;
    let search = Search {
        config,
        weights: &distinct.weights,
        n_clusters: config.n_clusters.min(distinct.first.len()),
        rows: points.rows(),
        threads,
        start,
    };
    let found = if distinct.first.len() == points.rows() {
        search.run(nearest)?
    } else {
        let others = points.select(&distinct.first);
        let others = others.with_weights(&distinct.weights[..])?;
        search.run(&mut nearest.child(&others, 1))?
    };

    let Found {
        assignment,
        n_iter,
        info,
    } = found;
    let mut inertia = 0.0;
    threads.in_steps(assignment.distances.len(), |part| {
        let distances = assignment.distances[part.clone()].iter();
        let costs = distances.zip(&distinct.weights[part]);
        costs.for_each(|(distance, weight)| inertia += weight * distance);
        Ok(())
    })?;
    let rows = assignment.medoids.iter();
    let rows = rows.map(|&place| distinct.first[place] as usize);
    let mut medoids = collect(rows, "medoids")?;
    let mut centroids = assignment.centroids;
    let labels = spread(nearest, &distinct, &centroids, assignment.labels, threads)?;
    let missing = config.n_clusters - medoids.len();
    if missing > 0 {
        let surplus = surplus(&distinct, missing, threads)?;
        let values = copy_rows(points, nearest.metric(), &surplus, threads)?;
        extend(&mut centroids, values, "centroids")?;
        extend(&mut medoids, surplus, "medoids")?;
    }
    Ok(Fit {
        inertia,
        n_iter,
        medoids: Some(medoids),
        info: Some(info),
        ..Fit::new(
            AnyCentroids::of_values(centroids, config.n_clusters)?,
            labels,
            config.n_clusters,
        )?
    })
}

/// The labels of all rows from those of the different ones. Rows of weight 0
/// get the label of the nearest centroid.
fn spread(
    nearest: &Nearest<'_>,
    distinct: &DistinctRows,
    centroids: &[f32],
    known: Vec<u32>,
    threads: &Threads<'_>,
) -> Result<Vec<u32>> {
    let places = &distinct.places;
    if known.len() == places.len() {
        return Ok(known);
    }
    let mut labels = threads.try_vec(UNASSIGNED, places.len(), "labels")?;
    let mut left = Vec::new();
    threads.in_steps(places.len(), |part| {
        for row in part {
            match places[row] {
                UNASSIGNED => extend(&mut left, [row as u32], "rows of no weight")?,
                place => labels[row] = known[place as usize],
            }
        }
        Ok(())
    })?;
    if !left.is_empty() {
        let others = nearest.points().select(&left);
        let mut among = nearest.child(&others, 1);
        let mut found = threads.try_vec(UNASSIGNED, left.len(), "labels")?;
        let centroids = Centroids::new(centroids, others.cols());
        among.search(Request::nearest(centroids, &mut found, None), threads)?;
        for (&row, label) in left.iter().zip(found) {
            labels[row as usize] = label;
        }
    }
    Ok(labels)
}

/// Medoids of clusters that no different row is left for: further rows of the
/// same values, first those of the first value. A row that weighs as much as
/// two can be two medoids, like two equal rows.
fn surplus(distinct: &DistinctRows, count: usize, threads: &Threads<'_>) -> Result<Vec<usize>> {
    let values = distinct.first.len();
    let pairs = (0u32..).zip(distinct.places.iter().copied());
    let pairs = pairs.filter(|&(_, place)| place != UNASSIGNED);
    let equals = Clusters::from_pairs(pairs, values, threads)?;
    let further = (0..values).flat_map(|value| {
        let rows = equals.members(value);
        let most = rows.len().max(distinct.weights[value] as usize);
        (1..most).map(|number| *rows.get(number).unwrap_or(&rows[0]))
    });
    let again = distinct.first.iter().copied().cycle();
    let all = further.chain(again).map(|row| row as usize);
    collect(all.take(count), "medoids")
}

/// What the search returns, among the different rows.
struct Found {
    assignment: Assignment,
    n_iter: usize,
    info: String,
}

/// A search among different rows.
struct Search<'s, 'o> {
    config: &'s Config,
    /// One a row, all positive.
    weights: &'s [f64],
    n_clusters: usize,
    /// All rows of the data.
    rows: usize,
    threads: &'s Threads<'o>,
    start: Instant,
}

impl Search<'_, '_> {
    fn run(&self, nearest: &mut Nearest<'_>) -> Result<Found> {
        let (config, threads, n_clusters) = (self.config, self.threads, self.n_clusters);
        let points = nearest.points();
        let rows = points.rows();
        let mut rng = Rng::new(config.seed);
        let given = match config.init() {
            Init::Centroids(centroids) => {
                start::rows_near(points, config.metric, centroids, threads)?
            }
            _ => Vec::new(),
        };
        let scaled = Scaled::new(points, config.metric, self.weights, threads)?;
        let limit = nearest.budget().portable();
        let whole = Batch::whole(rows, n_clusters, limit)?;
        let is_whole = whole.is_some();
        let sample = match whole {
            Some(whole) => whole,
            None => Batch::draw(&scaled, n_clusters, &given, limit, &mut rng, threads)?,
        };
        let info = self.describe(&sample, rows)?;
        if config.verbose {
            threads.tell(Event::Message(&info))?;
        }

        let cells = sample.candidates.len() as u64 * sample.points as u64;
        let kept = onebatch::matrix_cells(limit);
        // Also for the distances that refining keeps.
        let reserved = nearest.budget().reserve(4 * cells.max(kept as u64));
        let distances = if is_whole {
            scaled.all_pairs(threads)?
        } else {
            let points = &sample.candidates[..sample.points];
            let mut distances = scaled.between(&sample.candidates, points, threads)?;
            let own = |point: usize| scaled.weight(points[point] as usize);
            distances.weigh(&sample.stand_for, own, threads)?;
            distances
        };
        // Without direction: only where others are too few, and as a candidate
        // it is its own place in all rows.
        let last = scaled.without_direction().filter(|_| is_whole);
        let mut best: Option<Swapped> = None;
        for _ in 0..self.starts() {
            let named = match config.init() {
                Init::Centroids(_) if is_whole => collect(given.iter().copied(), "medoids")?,
                Init::Centroids(_) => collect(0..given.len(), "medoids")?,
                Init::Random => {
                    let weight = |point: usize| f64::from(distances.weights()[point]);
                    let points = sample.points;
                    let drawn = by_weight::draw(n_clusters, points, weight, &mut rng, threads)?;
                    collect(drawn.rows.into_iter().map(|row| row as usize), "medoids")?
                }
                _ => Vec::new(),
            };
            let first = start::complete(&distances, &named, n_clusters, last, &mut rng, threads)?;
            let found = self.swap(&distances, first, &mut rng)?;
            if best.as_ref().is_none_or(|best| found.loss < best.loss) {
                best = Some(found);
            }
            if threads.stopping() {
                break;
            }
        }
        threads.enter(Phase::Labelling);
        drop(distances);
        let best = best.expect("n_init is positive");
        let medoids = best.medoids.iter().map(|&c| sample.candidates[c] as usize);
        let medoids = collect(medoids, "medoids")?;
        let assignment = if is_whole {
            drop(reserved);
            let assignment = Assignment::new(nearest, &scaled, medoids, threads)?;
            assignment.filled(nearest, &scaled, threads)?
        } else {
            refine::refine(nearest, &scaled, medoids, kept, &mut rng, threads)?
        };
        Ok(Found {
            assignment,
            n_iter: best.n_iter,
            info,
        })
    }

    fn describe(&self, sample: &Batch, rows: usize) -> Result<String> {
        let (candidates, points) = (sample.candidates.len(), sample.points);
        let distinct = match rows == self.rows {
            true => "",
            false => "distinct ",
        };
        if sample.stand_for.is_empty() {
            let between = match distinct {
                "" => "",
                _ => " between distinct rows",
            };
            text(
                format_args!("K-medoids by FasterPAM: all {rows} x {rows} distances{between}"),
                "the model",
            )
        } else {
            text(
                format_args!(
                    "K-medoids by OneBatchPAM: {candidates} candidates and {points} weighted points \
                 of {rows} {distinct}rows, then refined on all rows"
                ),
                "the model",
            )
        }
    }

    /// Runs worth making: given medoids lead to the same end every time.
    fn starts(&self) -> usize {
        match self.config.init() {
            Init::Centroids(_) => 1,
            _ => self.config.n_init,
        }
    }

    /// Swaps from the given medoids until a pass brings no more, or hardly any.
    fn swap(&self, distances: &Distances, medoids: Vec<usize>, rng: &mut Rng) -> Result<Swapped> {
        let (config, threads) = (self.config, self.threads);
        let report = |number, loss, changed| {
            let iteration = Iteration {
                number,
                inertia: loss,
                changed,
                seconds: self.start.elapsed().as_secs_f64(),
            };
            config.report(threads, iteration)
        };
        if medoids.len() == 1 {
            let (medoid, sum) = fasterpam::best_single(distances, threads)?;
            let loss = distances.loss(sum);
            report(1, loss, distances.points())?;
            return Ok(Swapped {
                medoids: collect([medoid], "medoids")?,
                loss,
                n_iter: 1,
            });
        }
        let mut swapping = Swapping::new(distances, medoids, threads)?;
        let mut labels = try_vec(UNASSIGNED, distances.points(), "labels")?;
        let mut n_iter = 0;
        let mut converged = false;
        while n_iter < config.iterations && !converged {
            n_iter += 1;
            let before = swapping.loss();
            // At random: neighbours in the data are often alike.
            let order = rng.distinct(distances.candidates(), distances.candidates())?;
            let swaps = swapping.pass(distances, &order, threads)?;
            let changes = labels.iter().zip(swapping.nearest());
            let changed = changes.filter(|(old, new)| old != new).count();
            labels.copy_from_slice(swapping.nearest());
            report(n_iter, distances.loss(swapping.loss()), changed)?;
            let gain = before - swapping.loss();
            converged = swaps == 0 || gain < config.tolerance * before || threads.stopping();
        }
        Ok(Swapped {
            loss: distances.loss(swapping.loss()),
            medoids: swapping.into_medoids(),
            n_iter,
        })
    }
}

/// Where a search ended.
struct Swapped {
    medoids: Vec<usize>,
    loss: f64,
    n_iter: usize,
}
