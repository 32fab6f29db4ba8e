//! First centroids.

use crate::config::{Config, Init};
use crate::error::{Result, try_vec};
use crate::metric::Metric;
use crate::nearest::{Centroids, Nearest, UNASSIGNED};
use crate::points::Points;
use crate::rng::Rng;
use crate::threads::Threads;

/// Above this many clusters k-means++ costs more than the iterations it saves.
const MAX_PLUS_PLUS: usize = 500;

/// n_clusters × dimensions first centroids.
pub(crate) fn seed(
    nearest: &mut Nearest<'_>,
    config: &Config,
    threads: &Threads<'_>,
) -> Result<Vec<f32>> {
    let points = nearest.points();
    let mut rng = Rng::new(config.seed);
    let rows = match &config.init {
        Init::Centroids(given) => {
            let mut centroids = given.iter().copied().collect::<Vec<f32>>();
            for centroid in centroids.chunks_exact_mut(points.cols()) {
                config.metric.normalize(centroid);
            }
            return Ok(centroids);
        }
        Init::Random => rng.distinct(config.n_clusters, points.rows()),
        Init::Auto if config.n_clusters > MAX_PLUS_PLUS => {
            rng.distinct(config.n_clusters, points.rows())
        }
        _ => plus_plus(nearest, config.n_clusters, &mut rng, threads)?,
    };
    copy_rows(points, config.metric, &rows)
}

/// k-means++ (Arthur & Vassilvitskii, 2007): each next row is drawn with
/// probability proportional to its distance from the nearest one so far.
fn plus_plus(
    nearest: &mut Nearest<'_>,
    count: usize,
    rng: &mut Rng,
    threads: &Threads<'_>,
) -> Result<Vec<usize>> {
    let points = nearest.points();
    let mut picked = vec![rng.below(points.rows())];
    let mut least = try_vec(f64::INFINITY, points.rows(), "seeding distances")?;
    let mut distances = try_vec(0.0f64, points.rows(), "seeding distances")?;
    let mut labels = try_vec(UNASSIGNED, points.rows(), "seeding labels")?;
    while picked.len() < count {
        let centroid = copy_rows(points, nearest.metric(), &picked[picked.len() - 1..])?;
        let centroid = Centroids::new(&centroid, points.cols());
        nearest.assign(centroid, threads, &mut labels, Some(&mut distances))?;
        for (least, &distance) in least.iter_mut().zip(&distances) {
            *least = least.min(distance.max(0.0));
        }
        let total: f64 = least.iter().sum();
        let mut target = rng.unit() * total;
        let row = least.iter().position(|&d| {
            target -= d;
            target < 0.0
        });
        // All rows are picked already, or copies of picked ones.
        picked.push(row.unwrap_or_else(|| rng.below(points.rows())));
    }
    Ok(picked)
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
