//! First centroids.

mod parallel;
mod plus_plus;
mod potential;

use crate::config::{Config, Init};
use crate::error::{Result, try_vec};
use crate::metric::Metric;
use crate::nearest::Nearest;
use crate::points::Points;
use crate::rng::Rng;
use crate::threads::Threads;
use potential::Potential;

/// Above this many clusters k-means++ costs more than the iterations it saves.
const MAX_PLUS_PLUS: usize = 500;

/// n_clusters × dimensions first centroids, drawn with the configured seed.
pub(crate) fn seed(
    nearest: &mut Nearest<'_>,
    config: &Config,
    threads: &Threads<'_>,
) -> Result<Vec<f32>> {
    draw(nearest, config, &mut Rng::new(config.seed), threads)
}

/// n_clusters × dimensions first centroids.
pub(crate) fn draw(
    nearest: &mut Nearest<'_>,
    config: &Config,
    rng: &mut Rng,
    threads: &Threads<'_>,
) -> Result<Vec<f32>> {
    let (points, metric) = (nearest.points(), nearest.metric());
    let count = config.n_clusters;
    let mut picked = match &config.init {
        Init::Centroids(given) => {
            let mut centroids = given.iter().copied().collect::<Vec<f32>>();
            for centroid in centroids.chunks_exact_mut(points.cols()) {
                metric.normalize(centroid);
            }
            return Ok(centroids);
        }
        Init::KMeansParallel => parallel::parallel(nearest, count, rng, threads)?,
        Init::Auto if count > MAX_PLUS_PLUS => rng.distinct(count, points.rows()),
        Init::Random => rng.distinct(count, points.rows()),
        Init::Auto | Init::KMeansPlusPlus => {
            let mut picked = Vec::with_capacity(count);
            let potential = Potential::new(points, metric, None, threads)?;
            plus_plus::plus_plus(potential, &mut picked, count, rng, threads)?;
            picked
        }
    };
    // Fewer distinct rows than clusters: the surplus clusters will be empty.
    picked.resize_with(count, || rng.below(points.rows()));
    copy_rows(points, metric, &picked)
}

/// The given rows as centroids: of unit length where the metric wants it.
pub(crate) fn copy_rows(points: &Points<'_>, metric: Metric, rows: &[usize]) -> Result<Vec<f32>> {
    let mut centroids = try_vec(0.0f32, rows.len() * points.cols(), "centroids")?;
    let mut scratch = Vec::new();
    for (centroid, &row) in centroids.chunks_exact_mut(points.cols()).zip(rows) {
        centroid.copy_from_slice(points.row(row, &mut scratch));
        metric.normalize(centroid);
    }
    Ok(centroids)
}
