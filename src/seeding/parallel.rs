//! k-means‖ (Bahmani, Moseley, Vattani, Kumar & Vassilvitskii, 2012).

use super::copy_rows;
use super::plus_plus::plus_plus;
use super::potential::Potential;
use crate::allocate::try_vec;
use crate::error::Result;
use crate::nearest::{Centroids, Nearest, UNASSIGNED};
use crate::rng::Rng;
use crate::threads::Threads;

const ROUNDS: usize = 5;

/// `count` rows, in [`ROUNDS`] passes over the data. Each pass takes every row
/// independently with a probability proportional to its distance from those
/// taken so far, about `count` rows in all; weighted k-means++ then picks among
/// the rows taken, each counting as many as it is the nearest of.
///
/// O(n · count · d · [`ROUNDS`]): as much as [`ROUNDS`] iterations.
pub(super) fn parallel(
    nearest: &mut Nearest<'_>,
    count: usize,
    rng: &mut Rng,
    threads: &Threads<'_>,
) -> Result<Vec<usize>> {
    let (points, metric) = (nearest.points(), nearest.metric());
    let mut taken = vec![rng.below(points.rows())];
    let mut least = try_vec(f64::INFINITY, points.rows(), "seeding distances")?;
    let mut owners = try_vec(0u32, points.rows(), "seeding labels")?;
    let mut labels = try_vec(UNASSIGNED, points.rows(), "seeding labels")?;
    let mut distances = try_vec(0.0f64, points.rows(), "seeding distances")?;
    let mut known = 0;
    for round in 0..=ROUNDS {
        let new = copy_rows(points, metric, &taken[known..])?;
        let centroids = Centroids::new(&new, points.cols());
        labels.fill(UNASSIGNED);
        nearest.assign(centroids, threads, &mut labels, Some(&mut distances))?;
        for (i, &distance) in distances.iter().enumerate() {
            if distance < least[i] {
                least[i] = distance.max(0.0);
                owners[i] = known as u32 + labels[i];
            }
        }
        known = taken.len();
        let total: f64 = least.iter().sum();
        if round == ROUNDS || total <= 0.0 {
            break;
        }
        let scale = count as f64 / total;
        taken.extend((0..points.rows()).filter(|&i| rng.unit() < least[i] * scale));
        if taken.len() == known {
            break;
        }
    }
    let mut weights = try_vec(0.0f64, taken.len(), "seeding weights")?;
    for &owner in &owners {
        weights[owner as usize] += 1.0;
    }
    let rows: Vec<u32> = taken.iter().map(|&row| row as u32).collect();
    let candidates = points.select(&rows);
    let potential = Potential::new(&candidates, metric, Some(&weights), threads)?;
    let mut picked = Vec::with_capacity(count);
    plus_plus(potential, &mut picked, count, rng, threads)?;
    for pick in &mut picked {
        *pick = taken[*pick];
    }
    if picked.len() < count {
        // Hardly more distinct rows than seeds: the sample missed some.
        let mut potential = Potential::new(points, metric, None, threads)?;
        for &row in &picked {
            potential.add(row, threads)?;
        }
        plus_plus(potential, &mut picked, count, rng, threads)?;
    }
    Ok(picked)
}
