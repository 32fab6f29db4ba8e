//! First centroids.

mod parallel;
mod plus_plus;
mod potential;
mod rows;

use crate::allocate::{collect, extend as append, push, with_capacity};
use crate::config::{Config, Init};
use crate::error::Result;
use crate::metric::Metric;
use crate::nearest::Nearest;
use crate::points::Points;
use crate::rng::Rng;
use crate::threads::Threads;
use ndarray::ArrayView2;
use parallel::parallel;
use plus_plus::plus_plus;
use potential::Potential;
pub(crate) use rows::copy_rows;

/// Above this many clusters k-means++ costs more than the iterations it saves,
/// and random rows do as well.
const MAX_PLUS_PLUS: usize = 500;

/// Rows of the sample that [`Init::Auto`] runs k-means++ on: this many for a
/// cluster, and at least [`MIN_SAMPLE`].
const SAMPLE_PER_CLUSTER: usize = 16;

const MIN_SAMPLE: usize = 2048;

/// n_clusters × dimensions first centroids.
pub(crate) fn draw(
    nearest: &mut Nearest<'_>,
    config: &Config,
    rng: &mut Rng,
    threads: &Threads<'_>,
) -> Result<Vec<f32>> {
    let (points, metric) = (nearest.points(), nearest.metric());
    let count = config.n_clusters;
    let mut picked = match config.init() {
        Init::Centroids(given) => {
            let mut centroids: Vec<f32> = collect(given.iter().copied(), "centroids")?;
            for centroid in centroids.chunks_exact_mut(points.cols()) {
                metric.place(centroid);
            }
            return Ok(centroids);
        }
        Init::CentroidsF64(_) => unreachable!("converted before training"),
        Init::Random => rng.distinct(count, points.rows())?,
        Init::KMeansPlusPlus => draw_plus_plus(points, metric, count, rng, threads)?,
        Init::KMeansParallel => parallel(nearest, count, rng, threads)?,
        Init::Auto if count > MAX_PLUS_PLUS => rng.distinct(count, points.rows())?,
        Init::Auto => {
            let size = (count * SAMPLE_PER_CLUSTER).max(MIN_SAMPLE);
            if size <= points.rows() / 4 {
                let mut rows = rng.distinct(size, points.rows())?;
                rows.sort_unstable();
                let copy = copy_rows(points, Metric::Euclidean, &rows)?;
                let sample = ArrayView2::from_shape((size, points.cols()), &copy)
                    .expect("size x cols values");
                let picked = draw_plus_plus(&sample.into(), metric, count, rng, threads)?;
                collect(picked.into_iter().map(|pick| rows[pick]), "seeds")?
            } else {
                draw_plus_plus(points, metric, count, rng, threads)?
            }
        }
    };
    // Fewer distinct rows than clusters: the surplus clusters will be empty.
    while picked.len() < count {
        push(&mut picked, rng.below(points.rows()), "seeds")?;
    }
    copy_rows(points, metric, &picked)
}

/// n_clusters × dimensions first centroids, of which the first are `fewer`; the others
/// are rows, drawn one after another as k-means++ does: each the best of a few that are
/// likely far from all so far.
pub(crate) fn extend(
    nearest: &mut Nearest<'_>,
    config: &Config,
    mut fewer: Vec<f32>,
    rng: &mut Rng,
    threads: &Threads<'_>,
) -> Result<Vec<f32>> {
    let (points, metric) = (nearest.points(), nearest.metric());
    let missing = config.n_clusters - fewer.len() / points.cols();
    let mut picked = with_capacity(missing, "seeds")?;
    let mut potential = Potential::new(points, metric, None, threads)?;
    potential.start_from(&fewer, nearest, threads)?;
    plus_plus(&mut potential, &mut picked, missing, rng, threads)?;
    while picked.len() < missing {
        push(&mut picked, rng.below(points.rows()), "seeds")?;
    }
    let rows = copy_rows(points, metric, &picked)?;
    append(&mut fewer, rows, "centroids")?;
    Ok(fewer)
}

fn draw_plus_plus(
    points: &Points<'_>,
    metric: Metric,
    count: usize,
    rng: &mut Rng,
    threads: &Threads<'_>,
) -> Result<Vec<usize>> {
    let mut picked = with_capacity(count, "seeds")?;
    let mut potential = Potential::new(points, metric, None, threads)?;
    plus_plus(&mut potential, &mut picked, count, rng, threads)?;
    Ok(picked)
}
