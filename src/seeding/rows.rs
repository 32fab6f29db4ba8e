//! Rows of the data as centroids.

use crate::allocate::collect;
use crate::error::Result;
use crate::metric::Metric;
use crate::nearest::AnyCentroids;
use crate::nearest::sparse::Vectors;
use crate::owned::TryArc;
use crate::points::Points;
use crate::threads::Threads;

/// Rows per task.
const TASK_ROWS: usize = 128;

/// All of some rows as centroids: those that are sparse without zeros, if that is wanted.
pub(crate) fn as_centroids(
    points: &Points<'_>,
    metric: Metric,
    sparse: bool,
    threads: &Threads<'_>,
) -> Result<AnyCentroids> {
    if sparse && points.reads_sparse() {
        let vectors = TryArc::new(Vectors::of_rows(points, metric, |_| false)?, "centroids")?;
        return Ok(AnyCentroids::of_vectors(vectors, points.cols()));
    }
    let all: Vec<usize> = collect(0..points.rows(), "centroids")?;
    AnyCentroids::of_values(copy_rows(points, metric, &all, threads)?, points.rows())
}

/// The given rows as centroids: of unit length where the metric wants it.
pub(crate) fn copy_rows(
    points: &Points<'_>,
    metric: Metric,
    rows: &[usize],
    threads: &Threads<'_>,
) -> Result<Vec<f32>> {
    let dims = points.cols();
    let mut centroids = threads.try_vec(0.0f32, rows.len() * dims, "centroids")?;
    threads.run(
        centroids
            .chunks_mut(TASK_ROWS * dims)
            .zip(rows.chunks(TASK_ROWS)),
        Vec::new,
        |scratch, (centroids, rows)| {
            for (centroid, &row) in centroids.chunks_exact_mut(dims).zip(rows) {
                centroid.copy_from_slice(points.row(row, scratch)?);
                metric.normalize(centroid);
            }
            Ok(())
        },
    )?;
    Ok(centroids)
}
