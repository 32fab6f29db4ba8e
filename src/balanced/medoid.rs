//! The update step of balanced K-medoids: the best row of each cluster
//! (Park & Jun, 2009), the sizes being fixed.

use crate::clusters::Clusters;
use crate::error::Result;
use crate::metric::Metric;
use crate::nearest::Row;
use crate::points::Points;
use crate::threads::Threads;
use crate::update::update_centroids;

/// In larger clusters only this many rows, the nearest to the mean, are tried.
const MAX_TRIED: usize = 64;

/// Finds the row of each cluster with the least sum of (non-squared)
/// distances to the others and makes it the centroid. `medoids` holds those
/// of the iteration before, if any; they are tried too.
///
/// O(n·d·min(size, 64)).
pub(super) fn update_medoids(
    points: &Points<'_>,
    metric: Metric,
    clusters: &Clusters,
    threads: &Threads<'_>,
    medoids: &mut [Option<u32>],
    centroids: &mut [f32],
) -> Result<()> {
    update_centroids(points, metric, clusters, threads, centroids)?;
    let tasks = centroids
        .chunks_exact_mut(points.cols())
        .zip(medoids.iter_mut())
        .enumerate();
    threads.run(tasks, Vec::new, |scratch, (j, (centroid, medoid))| {
        let members = clusters.members(j);
        let mut tried: Vec<(f64, u32)> = members
            .iter()
            .map(|&row| {
                let values = points.row(row as usize, scratch)?;
                Ok((Row::new(values, metric).distance(centroid), row))
            })
            .collect::<Result<_>>()?;
        let order = |a: &(f64, u32), b: &(f64, u32)| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1));
        if tried.len() > MAX_TRIED {
            tried.select_nth_unstable_by(MAX_TRIED, order);
            tried.truncate(MAX_TRIED);
        }
        let mut best = (f64::INFINITY, u32::MAX);
        let mut candidate = vec![0.0f32; centroid.len()];
        // Only members, so that no row is the medoid of two clusters.
        let last = medoid.filter(|row| members.binary_search(row).is_ok());
        for row in tried.into_iter().map(|(_, row)| row).chain(last) {
            candidate.copy_from_slice(points.row(row as usize, scratch)?);
            metric.normalize(&mut candidate);
            let sum = sum_to(points, metric, members, &candidate, best.0, scratch)?;
            if (sum, row) < best {
                best = (sum, row);
                centroid.copy_from_slice(&candidate);
            }
        }
        *medoid = Some(best.1);
        Ok(())
    })
}

/// The sum of the members' distances to `centroid`; may stop at `enough`.
fn sum_to(
    points: &Points<'_>,
    metric: Metric,
    members: &[u32],
    centroid: &[f32],
    enough: f64,
    scratch: &mut Vec<f32>,
) -> Result<f64> {
    let mut sum = 0.0;
    for &row in members {
        let distance = Row::new(points.row(row as usize, scratch)?, metric).distance(centroid);
        sum += match metric {
            Metric::Euclidean => distance.sqrt(),
            Metric::Cosine => distance,
        };
        if sum > enough {
            break;
        }
    }
    Ok(sum)
}
