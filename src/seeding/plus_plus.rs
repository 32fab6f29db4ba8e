//! k-means++ (Arthur & Vassilvitskii, 2007), in the greedy form of the same
//! paper.

use super::potential::Potential;
use crate::error::Result;
use crate::rng::Rng;
use crate::threads::Threads;

/// Extends `picked`, whose rows `potential` has as its seeds, to `count` rows.
/// Each next one is the best of 2 + ln `count` rows drawn with
/// probability proportional to the (weighted) distance from the nearest seed
/// so far: the one that leaves the least sum of these distances.
///
/// No row value comes twice; where there are no more, `picked` stays shorter.
/// O(n · count · d · log count).
pub(super) fn plus_plus(
    mut potential: Potential<'_>,
    picked: &mut Vec<usize>,
    count: usize,
    rng: &mut Rng,
    threads: &Threads<'_>,
) -> Result<()> {
    let trials = 2 + (count as f64).ln() as usize;
    while picked.len() < count && !threads.stopping() {
        // Before the first seed all rows are as good.
        let trials = if picked.is_empty() { 1 } else { trials };
        let mut candidates: Vec<usize> = (0..trials).map_while(|_| potential.draw(rng)).collect();
        candidates.sort_unstable();
        candidates.dedup();
        let best = match candidates[..] {
            [] => break,
            [only] => only,
            _ => {
                let totals = potential.totals_with(&candidates, threads)?;
                let best = (0..totals.len()).min_by(|&a, &b| totals[a].total_cmp(&totals[b]));
                candidates[best.unwrap_or(0)]
            }
        };
        potential.add(best, threads)?;
        picked.push(best);
    }
    Ok(())
}
