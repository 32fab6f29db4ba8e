//! The last step of k-means‖: which of the rows drawn become seeds.

use super::plus_plus::{next_seed, plus_plus, trials};
use super::potential::Potential;
use super::rows::copy_rows;
use crate::allocate::{collect, extend, push, try_vec, with_capacity};
use crate::clusters::{Clusters, UNASSIGNED};
use crate::error::Result;
use crate::nearest::{Centroids, Nearest, Request, Shared};
use crate::points::Points;
use crate::rng::Rng;
use crate::threads::Threads;

/// What a distance costs in greedy k-means++, in distances of an iteration: it
/// works in float64, a few seeds at a time.
const GREEDY_COST: usize = 16;

/// The last step may cost so many iterations before it works group by group,
/// and whatever it costs up to so many seeds: that is little.
const GREEDY_ITERATIONS: usize = 5;
const FEW: usize = 128;

/// At most `count` of the candidates by weighted k-means++, or [by
/// groups](pick_by_groups) where that would cost more than [`GREEDY_ITERATIONS`]
/// over all `rows`.
pub(crate) fn pick(
    (candidates, weights): (&Points<'_>, &[f64]),
    (count, rows): (usize, usize),
    shared: &Shared,
    rng: &mut Rng,
    threads: &Threads<'_>,
) -> Result<Vec<usize>> {
    let mut potential = Potential::new(candidates, shared.metric(), Some(weights), threads)?;
    let mut picked = with_capacity(count, "seeds")?;
    let cost = GREEDY_COST * (trials(count) + 1) * candidates.rows();
    if count <= FEW || cost <= GREEDY_ITERATIONS.saturating_mul(rows) {
        plus_plus(&mut potential, &mut picked, count, rng, threads)?;
    } else {
        let mut nearest = shared.nearest(candidates, 1);
        pick_by_groups(potential, &mut nearest, &mut picked, count, rng, threads)?;
    }
    Ok(picked)
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
    let centres = copy_rows(points, nearest.metric(), picked, threads)?;
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
