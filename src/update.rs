//! The update step: centroids from the members of each cluster.
//!
//! Sums are float64 and run over a cluster's members in ascending order, in
//! segments whose borders depend on the member's rank alone; so the bits do
//! not depend on the number of threads.

use crate::clusters::Clusters;
use crate::error::{Result, try_vec};
use crate::metric::Metric;
use crate::nearest::Row;
use crate::points::Points;
use crate::threads::Threads;

/// Members per segment.
const SEGMENT: usize = 2048;

/// Writes the mean of every non-empty cluster to `centroids` (n_clusters ×
/// cols); with cosine, the direction of the sum of its unit rows. A cluster
/// that is empty, or whose unit rows cancel out, keeps the centroid it has.
pub(crate) fn update_centroids(
    points: &Points<'_>,
    metric: Metric,
    clusters: &Clusters,
    threads: &Threads<'_>,
    centroids: &mut [f32],
) -> Result<()> {
    let dims = points.cols();
    // Segments of one cluster go to one task group; long clusters are split.
    let segments: Vec<(usize, usize)> = (0..clusters.n_clusters())
        .flat_map(|j| (0..clusters.size(j).div_ceil(SEGMENT)).map(move |part| (j, part)))
        .collect();
    let group = segments.len().div_ceil(64 * threads.count()).max(1);
    let mut sums = try_vec(0.0f64, segments.len() * dims, "centroid sums")?;
    let tasks = segments
        .chunks(group)
        .zip(sums.chunks_mut(group * dims))
        .collect::<Vec<_>>();
    threads.run(tasks.into_iter(), Vec::new, |scratch, (segments, sums)| {
        for (&(cluster, part), sum) in segments.iter().zip(sums.chunks_exact_mut(dims)) {
            let members = clusters.members(cluster);
            let first = part * SEGMENT;
            for &i in &members[first..members.len().min(first + SEGMENT)] {
                add_row(points.row(i as usize, scratch), metric, sum);
            }
        }
    })?;
    let mut sums = sums.chunks_exact_mut(dims);
    for (j, centroid) in centroids.chunks_exact_mut(dims).enumerate() {
        let Some(total) = (0..clusters.size(j).div_ceil(SEGMENT))
            .filter_map(|_| sums.next())
            .reduce(|total, part| {
                for (total, part) in total.iter_mut().zip(part) {
                    *total += *part;
                }
                total
            })
        else {
            continue;
        };
        write_centroid(total, clusters.size(j), metric, centroid);
    }
    Ok(())
}

fn add_row(values: &[f32], metric: Metric, sum: &mut [f64]) {
    match metric {
        Metric::Euclidean => {
            for (sum, &value) in sum.iter_mut().zip(values) {
                *sum += f64::from(value);
            }
        }
        Metric::Cosine => {
            let scale = Row::new(values, metric).inverse_norm();
            for (sum, &value) in sum.iter_mut().zip(values) {
                *sum += f64::from(value) * scale;
            }
        }
    }
}

fn write_centroid(sum: &[f64], count: usize, metric: Metric, centroid: &mut [f32]) {
    let scale = match metric {
        Metric::Euclidean => 1.0 / count as f64,
        Metric::Cosine => {
            let norm = sum.iter().map(|v| v * v).sum::<f64>().sqrt();
            if norm <= f64::EPSILON * count as f64 {
                return;
            }
            1.0 / norm
        }
    };
    for (centroid, &sum) in centroid.iter_mut().zip(sum) {
        *centroid = (sum * scale) as f32;
    }
}
