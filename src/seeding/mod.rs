//! First centroids.

pub(crate) mod by_weight;
mod drawn;
mod field;
mod parallel;
mod pick;
mod plus_plus;
mod potential;
mod rows;

use crate::allocate::{collect, extend as append, push, with_capacity};
use crate::config::{Config, Init};
use crate::error::Result;
use crate::metric::Metric;
use crate::nearest::sparse::Vectors;
use crate::nearest::{AnyCentroids, Nearest};
use crate::owned::TryArc;
use crate::points::Points;
use crate::rng::Rng;
use crate::threads::Threads;
use crate::unrepeated::Unrepeated;
use by_weight::draw_again;
pub(crate) use drawn::{InMemory, Rows, Work};
use drawn::{with_all, with_copy, with_rows};
pub(crate) use field::{Field, Pass, Question, See, Wanted};
use ndarray::Array2;
use parallel::parallel;
pub(crate) use parallel::{Plan, Step, without_repeats};
pub(crate) use pick::pick;
use plus_plus::{next_seed, plus_plus};
use potential::Potential;
pub(crate) use rows::{as_centroids, copy_rows};

/// Above this many clusters k-means++ costs more than the iterations it saves,
/// and random rows do as well.
const MAX_PLUS_PLUS: usize = 500;

/// Rows of the sample that [`Init::Auto`] runs k-means++ on: this many for a
/// cluster, and at least [`MIN_SAMPLE`].
const SAMPLE_PER_CLUSTER: usize = 16;

const MIN_SAMPLE: usize = 2048;

/// Candidates for each seed among [`few`] rows.
const FEW_TRIALS: usize = 3;

/// Which of a few rows, at most `count`, k-means++ takes: the best of three candidates
/// each time.
pub(crate) fn few(
    points: &Points<'_>,
    metric: Metric,
    count: usize,
    rng: &mut Rng,
    threads: &Threads<'_>,
) -> Result<Vec<usize>> {
    let mut potential = Potential::new(points, metric, None, threads)?;
    let mut picked = with_capacity(count, "seeds")?;
    while picked.len() < count
        && !threads.stopping()
        && let Some(seed) = next_seed(&mut potential, FEW_TRIALS, rng, threads)?
    {
        picked.push(seed);
    }
    Ok(picked)
}

/// The first centroids, drawn among `rows`; without zeros, if that is wanted, where rows
/// are sparse.
pub(crate) fn draw(
    rows: &mut dyn Rows,
    config: &Config,
    sparse: bool,
    rng: &mut Rng,
    threads: &Threads<'_>,
) -> Result<AnyCentroids> {
    let (all, metric) = (rows.count(), rows.shared().metric());
    let count = config.n_clusters;
    let draw_among_all = |rows: &mut dyn Rows, rng: &mut Rng| {
        with_all(rows, threads, |points, weights| {
            draw_plus_plus(points, weights, metric, count, rng, threads)
        })
    };
    let mut picked = match config.init() {
        Init::Centroids(given) => {
            return place(given, metric, sparse);
        }
        Init::CentroidsF64(_) => unreachable!("converted before training"),
        Init::Tree => unreachable!("grown by training"),
        Init::Random => random(all, rows.weights(), count, rng, threads)?,
        Init::KMeansPlusPlus => draw_among_all(rows, rng)?,
        Init::KMeansParallel => parallel(rows, count, rng, threads)?,
        Init::Auto if count > MAX_PLUS_PLUS => random(all, rows.weights(), count, rng, threads)?,
        Init::Auto => {
            let size = (count * SAMPLE_PER_CLUSTER).max(MIN_SAMPLE);
            if size <= all / 4 {
                let mut sampled = match rows.weights() {
                    None => rng.distinct(size, all)?,
                    Some(weights) => draw_again(weights, size, rng, threads)?,
                };
                sampled.sort_unstable();
                let picked = with_rows(rows, &sampled, threads, |points| {
                    with_copy(points, threads, |sample| {
                        draw_plus_plus(sample, None, metric, count, rng, threads)
                    })
                })?;
                collect(picked.into_iter().map(|pick| sampled[pick]), "seeds")?
            } else {
                draw_among_all(rows, rng)?
            }
        }
    };
    // Fewer distinct rows than clusters: the surplus clusters will be empty.
    while picked.len() < count {
        push(&mut picked, rng.below(all), "seeds")?;
    }
    with_rows(rows, &picked, threads, |points| {
        as_centroids(points, metric, sparse, threads)
    })
}

/// Given centroids, without their zeros if that is wanted.
fn place(given: &Array2<f32>, metric: Metric, sparse: bool) -> Result<AnyCentroids> {
    let (clusters, dims) = given.dim();
    let room = if sparse { dims } else { clusters * dims };
    let mut values = with_capacity(room, "centroids")?;
    let mut vectors = Vectors::none(clusters)?;
    for row in given.rows() {
        let start = values.len();
        values.extend(row.iter());
        metric.place(&mut values[start..]);
        if sparse {
            vectors.push_dense(&values)?;
            values.clear();
        }
    }
    match sparse {
        true => {
            let vectors = TryArc::new(vectors.finish(metric)?, "centroids")?;
            Ok(AnyCentroids::of_vectors(vectors, dims))
        }
        false => AnyCentroids::of_values(values, clusters),
    }
}

/// n_clusters × dimensions first centroids, of which the first are `fewer`; the others
/// are of `rows`, drawn one after another as k-means++ does: each the best of a few that are
/// likely far from all so far.
pub(crate) fn extend(
    nearest: &mut Nearest<'_>,
    rows: &Unrepeated,
    config: &Config,
    mut fewer: Vec<f32>,
    rng: &mut Rng,
    threads: &Threads<'_>,
) -> Result<Vec<f32>> {
    let (all, metric) = (nearest.points(), nearest.metric());
    let points = &rows.of(all);
    let missing = config.n_clusters - fewer.len() / points.cols();
    let mut picked = with_capacity(missing, "seeds")?;
    let mut potential = Potential::new(points, metric, rows.weights(), threads)?;
    match rows.are_all() {
        true => potential.start_from(&fewer, nearest, threads)?,
        false => potential.start_from(&fewer, &mut nearest.child(points, 1), threads)?,
    }
    plus_plus(&mut potential, &mut picked, missing, rng, threads)?;
    while picked.len() < missing {
        push(&mut picked, rng.below(points.rows()), "seeds")?;
    }
    let rows = copy_rows(points, metric, &picked, threads)?;
    append(&mut fewer, rows, "centroids")?;
    Ok(fewer)
}

/// Rows by weight, none twice; all where there are fewer.
fn random(
    rows: usize,
    weights: Option<&[f64]>,
    count: usize,
    rng: &mut Rng,
    threads: &Threads<'_>,
) -> Result<Vec<usize>> {
    let count = count.min(rows);
    let Some(weights) = weights else {
        return rng.distinct(count, rows);
    };
    let drawn = by_weight::draw(count, weights.len(), |row| weights[row], rng, threads)?;
    collect(drawn.rows.into_iter().map(|row| row as usize), "seeds")
}

fn draw_plus_plus(
    points: &Points<'_>,
    weights: Option<&[f64]>,
    metric: Metric,
    count: usize,
    rng: &mut Rng,
    threads: &Threads<'_>,
) -> Result<Vec<usize>> {
    let mut picked = with_capacity(count, "seeds")?;
    let mut potential = Potential::new(points, metric, weights, threads)?;
    plus_plus(&mut potential, &mut picked, count, rng, threads)?;
    Ok(picked)
}
