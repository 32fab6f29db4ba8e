//! Rows of the data as centroids.

use crate::allocate::{collect, try_vec};
use crate::error::Result;
use crate::metric::Metric;
use crate::nearest::AnyCentroids;
use crate::nearest::sparse::Vectors;
use crate::owned::TryArc;
use crate::points::Points;

/// All of some rows as centroids: those that are sparse without zeros, if that is wanted.
pub(crate) fn as_centroids(
    points: &Points<'_>,
    metric: Metric,
    sparse: bool,
) -> Result<AnyCentroids> {
    if sparse && points.reads_sparse() {
        let vectors = TryArc::new(Vectors::of_rows(points, metric, |_| false)?, "centroids")?;
        return Ok(AnyCentroids::of_vectors(vectors, points.cols()));
    }
    let all: Vec<usize> = collect(0..points.rows(), "centroids")?;
    AnyCentroids::of_values(copy_rows(points, metric, &all)?, points.rows())
}

/// The given rows as centroids: of unit length where the metric wants it.
pub(crate) fn copy_rows(points: &Points<'_>, metric: Metric, rows: &[usize]) -> Result<Vec<f32>> {
    let mut centroids = try_vec(0.0f32, rows.len() * points.cols(), "centroids")?;
    let mut scratch = Vec::new();
    for (centroid, &row) in centroids.chunks_exact_mut(points.cols()).zip(rows) {
        centroid.copy_from_slice(points.row(row, &mut scratch)?);
        metric.normalize(centroid);
    }
    Ok(centroids)
}
