//! Swaps judged by many more points than a sample's matrix has room for:
//! distances are kept for the medoids alone, and computed for candidates when
//! their turn comes.

use super::distances::{Scaled, TILE};
use super::fasterpam::Swapping;
use crate::error::Result;
use crate::rng::Rng;
use crate::threads::Threads;
use std::collections::HashSet;

/// Multiply-adds spent at most, beyond the first pass: some seconds.
const MOST_WORK: f64 = 4e11;

/// A pass or round that gains less than this fraction of the loss is the last.
pub(crate) const WORTHWHILE: f64 = 1e-4;

/// With fewer points a swap would be judged by chance.
const POINTS_A_CLUSTER: usize = 20;

/// Candidates whose distances are there at a time.
const WINDOW: usize = TILE;

/// Whether all rows can be tried against all rows.
pub(crate) fn can_try_all(scaled: &Scaled<'_>, n_clusters: usize, cells: usize) -> bool {
    let rows = scaled.rows();
    let work = rows as f64 * rows as f64 * scaled.dims() as f64;
    work <= MOST_WORK && (n_clusters + WINDOW).saturating_mul(rows) <= cells
}

/// Swaps the medoids with candidates, all rows of the data, where that lowers
/// the loss over as many points as the work and `cells`, the distances that
/// may be kept, allow.
pub(crate) fn swap(
    scaled: &Scaled<'_>,
    mut medoids: Vec<usize>,
    candidates: &[usize],
    cells: usize,
    rng: &mut Rng,
    threads: &Threads<'_>,
) -> Result<Vec<usize>> {
    let (rows, k) = (scaled.rows(), medoids.len());
    let pairs = MOST_WORK / scaled.dims() as f64;
    let affordable = (pairs / candidates.len() as f64) as usize;
    let count = affordable.min(cells / (k + WINDOW)).min(rows);
    let points = draw_points(count, rows, candidates, &medoids, rng);
    if k == 1 || points.len() < POINTS_A_CLUSTER * k {
        return Ok(medoids);
    }
    let work = candidates.len() as f64 * points.len() as f64;
    let passes = (pairs / work).max(1.0) as usize;

    // Cluster j's medoid is row j of the distances; candidates come after.
    let mut window = medoids.clone();
    window.extend(&candidates[..WINDOW.min(candidates.len())]);
    let mut distances = scaled.between(&window, &points, threads)?;
    let mut swapping = Swapping::new(&distances, (0..k).collect())?;
    for _ in 0..passes {
        let before = swapping.loss();
        for tried in candidates.chunks(WINDOW) {
            scaled.replace(&mut distances, k, tried, &points, threads)?;
            let order: Vec<usize> = (0..tried.len())
                .filter(|&place| !medoids.contains(&tried[place]))
                .map(|place| k + place)
                .collect();
            swapping.pass(&distances, &order, threads)?;
            for (cluster, medoid) in medoids.iter_mut().enumerate() {
                let place = swapping.medoids()[cluster];
                if place >= k {
                    distances.copy_candidate(place, cluster);
                    swapping.rename_medoid(cluster, cluster);
                    *medoid = tried[place - k];
                }
            }
        }
        if before - swapping.loss() <= WORTHWHILE * before {
            break;
        }
    }
    Ok(medoids)
}

/// Random rows; all, or else none that may be a medoid: at no distance from
/// itself it would look too good.
fn draw_points(
    count: usize,
    rows: usize,
    candidates: &[usize],
    medoids: &[usize],
    rng: &mut Rng,
) -> Vec<usize> {
    let mut points = rng.distinct(count, rows);
    if count < rows {
        let known: HashSet<usize> = candidates.iter().chain(medoids).copied().collect();
        points.retain(|row| !known.contains(row));
    }
    points.sort_unstable();
    points
}
