//! Rows of the data as centroids.

use crate::allocate::try_vec;
use crate::error::Result;
use crate::metric::Metric;
use crate::points::Points;

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
