//! Training on rows that come from a source, block by block: passes in place of
//! memory, and the bits of training in memory.

mod clustering;
mod seeds;
mod source;
mod stream;

pub use source::Source;

use crate::clusters::UNASSIGNED;
use crate::config::{Config, Init, Quality, invalid};
use crate::error::{KMeansError, Result};
use crate::fit::Fit;
use crate::kmeans::clustering::Clustering;
use crate::kmeans::lloyd::{self, Dense};
use crate::kmeans::swaps::{DenseSet, swap_centroids};
use crate::metric::Metric;
use crate::nearest::{Blocks, Centroids, Kept, Request, Shared};
use crate::owned::TryArc;
use crate::rng::Rng;
use crate::threads::{Phase, Threads};
use crate::totals::{Grid, Totals};
use crate::unrepeated::Unrepeated;
use crate::{memory, seeding, train};
use clustering::Streamed;
use seeds::Drawing;
use std::time::Instant;
use stream::{Stream, Which};

/// An error where training needs rows at hand.
fn check(config: &Config) -> Result<()> {
    if matches!(config.init(), Init::Tree) {
        return Err(invalid(
            "init \"tree\" needs all rows at hand; with a source, init must be \"auto\", \
             \"k-means++\", \"k-means||\", \"random\" or centroids",
        ));
    }
    let at_hand = match (config.use_medoids, config.balanced) {
        (true, _) => "medoids (with_use_medoids)",
        (_, true) => "bounds on cluster sizes (with_balanced, with_size_bounds)",
        _ => "",
    };
    if !at_hand.is_empty() {
        return Err(invalid(format_args!(
            "{at_hand} need all rows at hand; leave them out with a source, or train on as many \
             rows as memory holds, and assign all of them by predict_source"
        )));
    }
    if config.quality == Quality::Best {
        return Err(invalid(
            "quality \"best\" moves single rows, which it looks up one by one; with a source use \
             with_quality(\"default\") or \"fast\"",
        ));
    }
    Ok(())
}

/// Trains on the rows of a source.
pub(crate) fn fit(source: &mut dyn Source, config: &Config, threads: &Threads<'_>) -> Result<Fit> {
    let start = Instant::now();
    check(config)?;
    let (metric, limit) = (config.metric, config.memory_limit);
    let mut stream = Stream::survey(source, (metric, limit), threads)?;
    check_rows(&stream, config)?;
    let mut config = config.clone();
    if let Some(init) = config.init().less(stream.offset.as_deref())? {
        config.init = Some(TryArc::new(init, "init")?);
    }
    let Some(shared) = stream.shared.clone() else {
        return Err(KMeansError::InsufficientPoints(0, config.n_clusters));
    };
    let shape = (config.n_clusters, stream.cols);
    let per_row = if stream.weights.is_some() { 48 } else { 24 };
    let least = memory::floor(stream.rows, per_row, shape, threads.count());
    let _reserved = shared.budget().reserve(least);
    let rows = unrepeated(&stream, threads)?;
    let mut fit = best_run(&mut stream, &rows, &shared, &config, threads, start)?;
    if fit.counts.contains(&0) {
        let merged = merged_by_rounding(&mut stream, &fit.labels, threads)?;
        fit.warn_of_empty_as(merged, metric)?;
    }
    if stream.is_sparse
        && let Some(limit) = limit
    {
        fit.warn_of_large_centroids(limit)?;
    }
    label_all(&mut stream, &mut fit, &shared, threads)?;
    if let Some(weights) = &stream.weights {
        let weight = |row: usize| weights[row];
        fit.weights = train::cluster_weights(weight, &fit.labels, config.n_clusters, threads)?;
    }
    fit.set_offset(stream.offset.take())?;
    Ok(fit)
}

/// An error unless there are rows enough, of as many columns as the first
/// centroids.
fn check_rows(stream: &Stream<'_>, config: &Config) -> Result<()> {
    let clusters = config.n_clusters;
    if let Some((_, dims)) = config.init().shape()
        && dims != stream.cols
    {
        return Err(KMeansError::DimensionMismatch {
            expected: stream.cols,
            actual: dims,
        });
    }
    let enough = match &stream.weights {
        None => stream.rows >= clusters,
        Some(_) if stream.positive == 0 => {
            return Err(KMeansError::invalid_data(
                "the weights of all rows of the source are zero; leave them out, or make some \
                 positive",
            ));
        }
        Some(weights) => {
            stream.positive >= clusters || weights.iter().sum::<f64>() >= clusters as f64
        }
    };
    match enough {
        true => Ok(()),
        false => Err(KMeansError::InsufficientPoints(stream.positive, clusters)),
    }
}

/// The positive rows without repetitions.
fn unrepeated(stream: &Stream<'_>, threads: &Threads<'_>) -> Result<Unrepeated> {
    let repeated = (stream.repeated.len(), stream.repeated.iter().copied());
    let Some(all) = &stream.weights else {
        return Unrepeated::new(stream.positive, repeated, None, threads);
    };
    let weights = all.iter().copied().filter(|&weight| weight > 0.0);
    let weights: Vec<f64> = crate::allocate::collect(weights, "weights")?;
    let weight = |row: usize| weights[row];
    Unrepeated::new(stream.positive, repeated, Some(&weight), threads)
}

/// The best of `n_init` runs, each from seeds of its own.
fn best_run(
    stream: &mut Stream<'_>,
    rows: &Unrepeated,
    shared: &Shared,
    config: &Config,
    threads: &Threads<'_>,
    start: Instant,
) -> Result<Fit> {
    let runs = match config.init() {
        Init::Centroids(_) => 1, // all would be the same: there are no swaps from them
        _ => config.n_init,
    };
    let mut rng = Rng::new(config.seed);
    let mut kept = Vec::new();
    train::best_of(runs, config, threads, |best| {
        let mut drawing = Drawing {
            stream,
            rows,
            shared: shared.clone(),
            config,
        };
        let seeds = seeding::draw(&mut drawing, config, false, &mut rng, threads)?.into_values()?;
        let seeds = match train::effort(config, false) {
            None => seeds,
            Some(effort) => {
                let setting = (shared, config, true);
                let mut rows = clustering((stream, rows), setting, &mut kept, &seeds, threads)?;
                let dims = rows.totals().grid().dims();
                let seeds = DenseSet {
                    values: seeds,
                    dims,
                };
                swap_centroids(&mut rows, config, seeds, effort, &mut rng, threads)?.values
            }
        };
        let measures = threads.observed() || config.tolerance > 0.0;
        let setting = (shared, config, measures);
        let rows = clustering((stream, rows), setting, &mut kept, &seeds, threads)?;
        threads.enter(Phase::Iterating);
        let steps = Dense {
            rows,
            centroids: seeds,
        };
        let fit = lloyd::iterate(steps, config, threads, start)?;
        train::keep_better(best, fit);
        Ok(())
    })
}

/// The rows in no cluster yet.
fn clustering<'c, 's>(
    (stream, rows): (&'c mut Stream<'s>, &'c Unrepeated),
    (shared, config, measures): (&Shared, &Config, bool),
    kept: &'c mut Vec<Option<Kept>>,
    centroids: &[f32],
    threads: &Threads<'_>,
) -> Result<Streamed<'c, 's>> {
    let totals = Totals::new(grid(stream, config.metric)?, config.n_clusters)?;
    let blocks = Blocks::new(shared, train::searches(config, false), totals);
    let centroids = Centroids::new(centroids, stream.cols);
    Streamed::new((stream, rows), (blocks, kept), centroids, measures, threads)
}

/// For sums of the positive rows.
fn grid(stream: &Stream<'_>, metric: Metric) -> Result<Grid> {
    let rows = stream.positive;
    match (metric, stream.weight_range()) {
        (Metric::Cosine, None) => Grid::of_unit_rows(stream.cols, rows),
        (Metric::Cosine, Some(weights)) => Grid::of_weighted_unit_rows(stream.cols, weights, rows),
        (Metric::Euclidean, None) => Grid::of_rows(&stream.ranges, rows),
        (Metric::Euclidean, Some(weights)) => Grid::of_weighted_rows(&stream.ranges, weights, rows),
    }
}

/// Whether rows of a cluster are equal as float32 but not as they are, as far as
/// one block tells: their number type if so.
fn merged_by_rounding(
    stream: &mut Stream<'_>,
    labels: &[u32],
    threads: &Threads<'_>,
) -> Result<Option<&'static str>> {
    let clusters = labels.iter().max().map_or(0, |&label| label as usize + 1);
    let mut merged = None;
    stream.pass(Which::Positive, threads, |part| {
        if merged.is_none() && part.points.is_wide() {
            let labels = &labels[part.first..][..part.points.rows()];
            merged = part.points.merged_by_rounding(labels, clusters)?;
        }
        Ok(())
    })?;
    Ok(merged)
}

/// Labels rows of weight 0 too, by what was found among the others.
fn label_all(
    stream: &mut Stream<'_>,
    fit: &mut Fit,
    shared: &Shared,
    threads: &Threads<'_>,
) -> Result<()> {
    if stream.positive == stream.rows {
        return Ok(());
    }
    let others = stream.rows - stream.positive;
    let mut found = threads.try_vec(UNASSIGNED, others, "labels")?;
    let centroids = Centroids::new(fit.centroid_values()?, stream.cols);
    stream.pass(Which::Weightless, threads, |part| {
        let labels = &mut found[part.first..][..part.points.rows()];
        let request = Request::nearest(centroids, labels, None);
        let mut nearest = shared.nearest(part.points, 1);
        nearest.search(request, threads).map(drop)
    })?;
    let mut labels = threads.try_vec(UNASSIGNED, stream.rows, "labels")?;
    let (mut positive, mut others) = (fit.labels.iter(), found.iter());
    let weights = stream.weights.iter().flatten();
    for (label, &weight) in labels.iter_mut().zip(weights) {
        let next = match weight > 0.0 {
            true => positive.next(),
            false => others.next(),
        };
        *label = next.copied().unwrap_or(UNASSIGNED);
    }
    fit.set_labels(labels);
    Ok(())
}
