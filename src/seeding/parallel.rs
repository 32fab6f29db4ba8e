//! k-means‖ (Bahmani, Moseley, Vattani, Kumar & Vassilvitskii, 2012).

use super::by_weight::draw_again;
use super::drawn::{Rows, copy_some, with_all, with_rows};
use super::plus_plus::{next_seed, plus_plus, trials};
use super::potential::Potential;
use super::rows::copy_rows;
use crate::allocate::{collect, extend, push, try_vec, with_capacity};
use crate::clusters::Clusters;
use crate::clusters::UNASSIGNED;
use crate::error::Result;
use crate::nearest::{Centroids, Nearest, Request};
use crate::points::Points;
use crate::rng::Rng;
use crate::threads::Threads;
use std::ops::Range;

const ROUNDS: usize = 5;

/// What a distance costs in greedy k-means++, in distances of an iteration: it
/// works in float64, a few seeds at a time.
const GREEDY_COST: usize = 16;

/// The last step may cost so many iterations before it works group by group,
/// and whatever it costs up to so many seeds: that is little.
const GREEDY_ITERATIONS: usize = 5;
const FEW: usize = 128;

/// `count` of `of`, in [`ROUNDS`] passes over the data. Each pass takes every row
/// independently with a probability proportional to its weighted distance from
/// those taken so far, about `count` rows in all; weighted k-means++ then picks
/// among the rows taken, each counting as much as those weigh that it is the
/// nearest of.
///
/// The last step would take 5 · `count`² · (3 + ln `count`) distances: where that
/// is more than [`GREEDY_ITERATIONS`], it goes [by groups](pick_by_groups).
///
/// O(n · count · d).
pub(super) fn parallel(
    rows: &mut dyn Rows,
    count: usize,
    rng: &mut Rng,
    threads: &Threads<'_>,
) -> Result<Vec<usize>> {
    let (all, shared) = (rows.count(), rows.shared());
    let metric = shared.metric();
    let (taken, weights) = take(rows, count, rng, threads)?;
    let mut picked = with_rows(rows, &taken, threads, |candidates| {
        let mut potential = Potential::new(candidates, metric, Some(&weights), threads)?;
        let mut picked = with_capacity(count, "seeds")?;
        let cost = GREEDY_COST * (trials(count) + 1) * taken.len();
        if count <= FEW || cost <= GREEDY_ITERATIONS * all {
            plus_plus(&mut potential, &mut picked, count, rng, threads)?;
        } else {
            let mut nearest = shared.nearest(candidates, 1);
            pick_by_groups(potential, &mut nearest, &mut picked, count, rng, threads)?;
        }
        Ok(picked)
    })?;
    for pick in &mut picked {
        *pick = taken[*pick];
    }
    if picked.len() < count && !threads.stopping() {
        // Hardly more distinct rows than seeds: the sample missed some.
        with_all(rows, threads, |points, weights| {
            let mut potential = Potential::new(points, metric, weights, threads)?;
            for &row in &picked {
                potential.add(row, threads)?;
            }
            plus_plus(&mut potential, &mut picked, count, rng, threads)
        })?;
    }
    Ok(picked)
}

/// Rows taken in all passes, and what those weigh that each is the nearest of.
fn take(
    of: &mut dyn Rows,
    count: usize,
    rng: &mut Rng,
    threads: &Threads<'_>,
) -> Result<(Vec<usize>, Vec<f64>)> {
    let (rows, dims, metric) = (of.count(), of.dims(), of.shared().metric());
    let mut taken = with_capacity(ROUNDS * count + 1, "seeding candidates")?;
    match of.weights() {
        None => taken.push(rng.below(rows)),
        Some(weights) => taken = draw_again(weights, 1, rng, threads)?,
    }
    let mut least = threads.try_vec(f64::INFINITY, rows, "seeding distances")?;
    let mut owners = threads.try_vec(0u32, rows, "seeding labels")?;
    let mut labels = threads.try_vec(UNASSIGNED, rows, "seeding labels")?;
    let mut distances = threads.try_vec(0.0f64, rows, "seeding distances")?;
    let mut known = 0;
    for round in 0..=ROUNDS {
        let new = copy_some(of, &taken[known..], metric, threads)?;
        let centroids = Centroids::new(&new, dims);
        of.search(centroids, (&mut labels, &mut distances), threads)?;
        let mut total = 0.0;
        let weight = |row: usize| of.weights().map_or(1.0, |weights| weights[row]);
        threads.in_steps(rows, |part| {
            for row in part {
                if distances[row] < least[row] {
                    least[row] = distances[row].max(0.0);
                    owners[row] = known as u32 + labels[row];
                }
                total += weight(row) * least[row];
            }
            Ok(())
        })?;
        known = taken.len();
        if round == ROUNDS || total <= 0.0 {
            break;
        }
        let scale = count as f64 / total;
        threads.in_steps(rows, |part: Range<usize>| {
            let drawn = part.filter(|&row| rng.unit() < weight(row) * least[row] * scale);
            extend(&mut taken, drawn, "seeding candidates")
        })?;
        if taken.len() == known {
            break;
        }
    }
    let mut weights = try_vec(0.0f64, taken.len(), "seeding weights")?;
    threads.in_steps(rows, |part| {
        for row in part {
            weights[owners[row] as usize] += of.weights().map_or(1.0, |weights| weights[row]);
        }
        Ok(())
    })?;
    Ok((taken, weights))
}

/// k-means++ where most of it is local. [`plus_plus`] picks √`count` rows; the
/// rows nearest to each of them are a group, and picks on as if there were no
/// others. Of what the groups pick, those rows become seeds that lower the
/// potential most, a quarter of the seeds so far at a time, and all groups take
/// note of them.
///
/// Some 4 · rows · √`count` · (3 + ln `count`) distances and a search.
fn pick_by_groups(
    mut potential: Potential<'_>,
    nearest: &mut Nearest<'_>,
    picked: &mut Vec<usize>,
    count: usize,
    rng: &mut Rng,
    threads: &Threads<'_>,
) -> Result<()> {
    let points = nearest.points();
    plus_plus(&mut potential, picked, count.isqrt(), rng, threads)?;
    if picked.is_empty() {
        return Ok(()); // with cosine, zeros alone
    }
    let mut labels = try_vec(UNASSIGNED, points.rows(), "seeding labels")?;
    let centres = copy_rows(points, nearest.metric(), picked)?;
    let centroids = Centroids::new(&centres, points.cols());
    nearest.search(Request::nearest(centroids, &mut labels, None), threads)?;
    let clusters = Clusters::from_labels(&labels, 1, picked.len(), threads)?;
    let mut groups = with_capacity(picked.len(), "seeding groups")?;
    for _ in 0..picked.len() {
        groups.push((Rng::new(rng.next()), Vec::new()));
    }
    while picked.len() < count && !threads.stopping() {
        let size = (picked.len() / 4).clamp(1, count - picked.len());
        // Some groups will pick more than their share.
        let each = (3 * size / 2).div_ceil(groups.len());
        threads.run(
            groups.iter_mut().enumerate(),
            || (),
            |(), (j, (rng, picks))| {
                let rows = clusters.members(j);
                *picks = pick_in_group(&potential, points, rows, each, trials(count), rng)?;
                Ok(())
            },
        )?;
        let mut picks = collect(groups.iter().flat_map(|(_, picks)| picks), "seeds")?;
        picks.sort_unstable_by(|a, b| b.gain.total_cmp(&a.gain).then(a.row.cmp(&b.row)));
        let rows = picks.iter().take(size).map(|pick| pick.row as usize);
        let rows = collect(rows, "seeds")?;
        if rows.is_empty() {
            break;
        }
        potential.add_all(&rows, nearest, threads)?;
        extend(picked, rows, "seeds")?;
    }
    Ok(())
}

struct Pick {
    row: u32,
    /// By how much it, or one before it, lowers the potential of its group,
    /// whichever is less.
    gain: f64,
}

/// At most `count` seeds of [`plus_plus`] among some of the rows.
fn pick_in_group(
    potential: &Potential<'_>,
    points: &Points<'_>,
    rows: &[u32],
    count: usize,
    trials: usize,
    rng: &mut Rng,
) -> Result<Vec<Pick>> {
    let threads = Threads::exactly(1, None)?;
    let points = points.select(rows);
    let mut potential = potential.part(rows, &points, &threads)?;
    let mut picks = with_capacity(count.min(rows.len()), "seeds")?;
    let mut gain = f64::INFINITY;
    while picks.len() < count {
        let before = potential.total();
        let Some(seed) = next_seed(&mut potential, trials, rng, &threads)? else {
            break;
        };
        gain = gain.min(before - potential.total());
        let row = rows[seed];
        push(&mut picks, Pick { row, gain }, "seeds")?;
    }
    Ok(picks)
}
