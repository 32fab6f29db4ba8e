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

/// Candidates at most, even where the work would allow more.
const MOST_CANDIDATES: usize = 50_000;

/// Candidates whose distances are there at a time.
const WINDOW: usize = TILE;

/// Swaps the medoids (rows of the data) with candidates drawn at random, or
/// with all rows where these are few enough; `cells` bounds the distances
/// that are kept.
pub(crate) fn swap(
    scaled: &Scaled<'_>,
    mut medoids: Vec<usize>,
    cells: usize,
    rng: &mut Rng,
    threads: &Threads<'_>,
) -> Result<Vec<usize>> {
    let (rows, k) = (scaled.rows(), medoids.len());
    let pairs = MOST_WORK / scaled.dims() as f64;
    // More points than candidates: they decide how well a swap is judged.
    let most = (0.4 * pairs).sqrt() as usize;
    let candidates = rng.distinct(most.clamp(1, MOST_CANDIDATES).min(rows), rows);
    let affordable = (pairs / candidates.len() as f64) as usize;
    let count = affordable.min(cells / (k + WINDOW)).min(rows);
    if k == 1 || count < 2 * k {
        return Ok(medoids);
    }
    let points = draw_points(count, rows, &candidates, &medoids, rng);
    let work = candidates.len() as f64 * points.len() as f64;
    let passes = (pairs / work).max(1.0) as usize;

    // Cluster j's medoid is row j of the distances; candidates come after.
    let mut window = medoids.clone();
    window.extend(&candidates[..WINDOW.min(candidates.len())]);
    let mut distances = scaled.between(&window, &points, threads)?;
    let mut swapping = Swapping::new(&distances, (0..k).collect())?;
    for _ in 0..passes {
        let mut swaps = 0;
        for tried in candidates.chunks(WINDOW) {
            scaled.replace(&mut distances, k, tried, &points, threads)?;
            let order: Vec<usize> = (0..tried.len())
                .filter(|&place| !medoids.contains(&tried[place]))
                .map(|place| k + place)
                .collect();
            swaps += swapping.pass(&distances, &order, threads)?;
            for (cluster, medoid) in medoids.iter_mut().enumerate() {
                let place = swapping.medoids()[cluster];
                if place >= k {
                    distances.copy_candidate(place, cluster);
                    swapping.rename_medoid(cluster, cluster);
                    *medoid = tried[place - k];
                }
            }
        }
        if swaps == 0 {
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
