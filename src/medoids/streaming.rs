//! Swaps judged by many more points than a sample's matrix has room for:
//! distances are kept for the medoids alone, and computed for candidates when
//! their turn comes.

use super::distances::Scaled;
use super::fasterpam::Swapping;
use super::matrix::TILE;
use crate::allocate::{collect, extend, push, try_vec};
use crate::error::Result;
use crate::rng::Rng;
use crate::seeding::by_weight::draw;
use crate::threads::Threads;

/// Multiply-adds spent at most, beyond the first pass: some seconds.
const MOST_WORK: f64 = 4e11;

/// A pass or round that gains less than this fraction of the loss is the last.
pub(crate) const WORTHWHILE: f64 = 1e-4;

/// With fewer points a swap would be judged by chance.
const POINTS_A_CLUSTER: usize = 20;

/// Candidates whose distances are there at a time.
const AT_ONCE: usize = TILE;

/// Whether all rows can be tried against all rows.
pub(crate) fn can_try_all(scaled: &Scaled<'_>, n_clusters: usize, cells: usize) -> bool {
    let rows = scaled.rows();
    let work = rows as f64 * rows as f64 * scaled.dims() as f64;
    work <= MOST_WORK && (n_clusters + AT_ONCE).saturating_mul(rows) <= cells
}

/// Swaps the medoids with candidates, all rows of the data, where that lowers
/// the loss over as many points as the work and `cells`, the distances that
/// may be kept, allow.
pub(crate) fn swap(
    scaled: &Scaled<'_>,
    mut medoids: Vec<usize>,
    candidates: &[u32],
    cells: usize,
    rng: &mut Rng,
    threads: &Threads<'_>,
) -> Result<Vec<usize>> {
    let (rows, k) = (scaled.rows(), medoids.len());
    let pairs = MOST_WORK / scaled.dims() as f64;
    let affordable = (pairs / candidates.len() as f64) as usize;
    let count = affordable.min(cells / (k + AT_ONCE)).min(rows);
    if k == 1 || threads.stopping() {
        return Ok(medoids);
    }
    let (points, weights) = draw_points(count, scaled, candidates, &medoids, rng, threads)?;
    if points.len() < POINTS_A_CLUSTER * k {
        return Ok(medoids);
    }
    let work = candidates.len() as f64 * points.len() as f64;
    let passes = (pairs / work).max(1.0) as usize;

    // Cluster j's medoid is row j of the distances; candidates come after.
    let own = medoids.iter().map(|&row| row as u32);
    let first = candidates.iter().copied().take(AT_ONCE);
    let window = collect(own.chain(first), "candidates")?;
    let mut distances = scaled.between_weighted(&window, &points, &weights, threads)?;
    let mut swapping = Swapping::new(&distances, collect(0..k, "medoids")?, threads)?;
    for _ in 0..passes {
        let before = swapping.loss();
        for tried in candidates.chunks(AT_ONCE) {
            scaled.replace(&mut distances, k, tried, &points, threads)?;
            let places = (0..tried.len())
                .filter(|&place| !medoids.contains(&(tried[place] as usize)))
                .map(|place| k + place);
            let order = collect(places, "candidates")?;
            swapping.pass(&distances, &order, threads)?;
            for (cluster, medoid) in medoids.iter_mut().enumerate() {
                let place = swapping.medoids()[cluster];
                if place >= k {
                    distances.copy_candidate(place, cluster);
                    swapping.rename_medoid(cluster, cluster);
                    *medoid = tried[place - k] as usize;
                }
            }
            if threads.stopping() {
                break;
            }
        }
        if before - swapping.loss() <= WORTHWHILE * before || threads.stopping() {
            break;
        }
    }
    Ok(medoids)
}

/// Rows drawn by weight, ascending, and what each stands for; all, or else none
/// that stands for more than itself and may be a medoid: at no distance from
/// itself it would look too good.
fn draw_points(
    count: usize,
    scaled: &Scaled<'_>,
    candidates: &[u32],
    medoids: &[usize],
    rng: &mut Rng,
    threads: &Threads<'_>,
) -> Result<(Vec<u32>, Vec<f64>)> {
    let rows = scaled.rows();
    let purpose = "sampled rows";
    let drawn = draw(count, rows, |row| scaled.weight(row), rng, threads)?;
    let mut known = try_vec(false, rows, purpose)?;
    let candidates = candidates.iter().map(|&row| row as usize);
    for row in candidates.chain(medoids.iter().copied()) {
        known[row] = true;
    }
    let mut pairs = Vec::new();
    for (&row, &weight) in drawn.rows.iter().zip(&drawn.stand_for) {
        if !known[row as usize] || scaled.weight(row as usize) >= drawn.heavy {
            push(&mut pairs, (row, weight), purpose)?;
        }
    }
    pairs.sort_unstable_by_key(|&(row, _)| row);
    let (mut points, mut weights) = (Vec::new(), Vec::new());
    extend(&mut points, pairs.iter().map(|&(row, _)| row), purpose)?;
    extend(
        &mut weights,
        pairs.iter().map(|&(_, weight)| weight),
        purpose,
    )?;
    Ok((points, weights))
}
