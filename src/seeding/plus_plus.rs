//! k-means++ (Arthur & Vassilvitskii, 2007), in the greedy form of the same
//! paper.

use super::potential::Potential;
use crate::allocate::{collect, push};
use crate::error::Result;
use crate::rng::Rng;
use crate::threads::Threads;

/// Candidates for each of `count` seeds but the first.
pub(super) fn trials(count: usize) -> usize {
    2 + (count as f64).ln() as usize
}

/// Extends `picked`, whose rows `potential` has as its seeds, to `count` rows.
/// Each next one is the best of 2 + ln `count` rows drawn with
/// probability proportional to the (weighted) distance from the nearest seed
/// so far: the one that leaves the least sum of these distances.
///
/// No row value comes twice; where there are no more, `picked` stays shorter.
/// O(n · count · d · log count).
pub(super) fn plus_plus(
    potential: &mut Potential<'_>,
    picked: &mut Vec<usize>,
    count: usize,
    rng: &mut Rng,
    threads: &Threads<'_>,
) -> Result<()> {
    // Before the first seed all rows are as good.
    if picked.is_empty()
        && count > 0
        && let Some(seed) = next_seed(potential, 1, rng, threads)?
    {
        push(picked, seed, "seeds")?;
    }
    while picked.len() < count
        && !threads.stopping()
        && let Some(seed) = next_seed(potential, trials(count), rng, threads)?
    {
        push(picked, seed, "seeds")?;
    }
    Ok(())
}

/// Makes the best of `trials` drawn rows a seed. `None`: all rows are seeds.
pub(super) fn next_seed(
    potential: &mut Potential<'_>,
    trials: usize,
    rng: &mut Rng,
    threads: &Threads<'_>,
) -> Result<Option<usize>> {
    let drawn = (0..trials).map_while(|_| potential.draw(rng));
    let mut candidates: Vec<usize> = collect(drawn, "candidates")?;
    candidates.sort_unstable();
    candidates.dedup();
    let best = match candidates[..] {
        [] => return Ok(None),
        [only] => only,
        _ => {
            let totals = potential.totals_with(&candidates, threads)?;
            let best = (0..totals.len()).min_by(|&a, &b| totals[a].total_cmp(&totals[b]));
            candidates[best.unwrap_or(0)]
        }
    };
    potential.add(best, threads)?;
    Ok(Some(best))
}
