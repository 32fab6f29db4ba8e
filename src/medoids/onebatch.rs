//! What to compare where n² distances are too many: OneBatchPAM (de Mathelin
//! et al., "OneBatchPAM: a fast and frugal k-medoids algorithm", 2025). One
//! weighted batch of rows stands for all points, and medoids are sought among
//! a larger sample of candidates.

use super::distances::Scaled;
use crate::allocate::{collect, extend, try_vec};
use crate::error::Result;
use crate::rng::Rng;
use crate::seeding::by_weight::draw;
use crate::threads::Threads;

/// The most that the sampled matrix takes, whatever the memory limit, unless
/// it needs more.
const MOST_BYTES: u64 = 800_000_000;

/// Candidates are not more than this, unless more points are needed.
const MOST_CANDIDATES: usize = 50_000;

/// Points for each cluster at least: fewer would say nothing.
const FEWEST_POINTS: usize = 5;

/// The rows that take part in the search.
pub(crate) struct Batch {
    /// The rows that may become medoids; the first `points` of them stand for
    /// all rows.
    pub candidates: Vec<u32>,
    pub points: usize,
    /// What each candidate stands for; of a sample only.
    pub stand_for: Vec<f64>,
}

impl Batch {
    /// All rows: where 4·n² bytes are within `limit`, or no more than a sample
    /// takes at least.
    pub fn whole(rows: usize, n_clusters: usize, limit: u64) -> Result<Option<Self>> {
        let cells = (rows as u64).saturating_mul(rows as u64);
        let is_small = rows <= FEWEST_POINTS.saturating_mul(n_clusters);
        if !is_small && cells.saturating_mul(4) > limit {
            return Ok(None);
        }
        Ok(Some(Batch {
            candidates: collect(0..rows as u32, "candidates")?,
            points: rows,
            stand_for: Vec::new(),
        }))
    }

    /// 400 · ln(n·k) points, and as many candidates as the limit allows.
    /// `given` are the rows that must be among the points.
    pub fn draw(
        scaled: &Scaled<'_>,
        n_clusters: usize,
        given: &[usize],
        limit: u64,
        rng: &mut Rng,
        threads: &Threads<'_>,
    ) -> Result<Self> {
        let rows = scaled.rows();
        let cells = matrix_cells(limit);
        let fewest = (FEWEST_POINTS * n_clusters).min(rows);
        let wanted = (400.0 * (rows as f64 * n_clusters as f64).ln()) as usize;
        let points = wanted.min(cells.isqrt()).max(fewest).min(rows);
        let count = (cells / points)
            .clamp(points, MOST_CANDIDATES.max(points))
            .min(rows);
        let mut is_given = try_vec(false, rows, "given rows")?;
        given.iter().for_each(|&row| is_given[row] = true);
        // A row without direction weighs nothing: it is not a candidate.
        let weight = |row: usize| match is_given[row] {
            true => 0.0,
            false => scaled.weight(row),
        };
        let drawn = draw(
            count.saturating_sub(given.len()),
            rows,
            weight,
            rng,
            threads,
        )?;
        let mut candidates = collect(given.iter().map(|&row| row as u32), "candidates")?;
        let own = given.iter().map(|&row| scaled.weight(row));
        let mut stand_for = collect(own, "candidates")?;
        extend(&mut candidates, drawn.rows, "candidates")?;
        extend(&mut stand_for, drawn.stand_for, "candidates")?;
        Ok(Batch {
            points: points.min(candidates.len()),
            candidates,
            stand_for,
        })
    }
}

/// Distances that a sampled matrix may hold.
pub(crate) fn matrix_cells(limit: u64) -> usize {
    (MOST_BYTES.min(limit) / 4) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_matrix_is_whole_where_it_is_affordable_or_small() {
        let is_whole = |rows, n_clusters, limit| {
            let sample = Batch::whole(rows, n_clusters, limit).unwrap();
            sample
                .inspect(|s| assert_eq!(s.candidates.len(), rows))
                .is_some()
        };
        let limit = crate::memory::Budget::new(None).unwrap().portable();
        assert!(is_whole(22_360, 10, limit));
        assert!(!is_whole(22_361, 10, limit));
        assert!(is_whole(50, 10, 0));
        assert!(!is_whole(51, 10, 0));
        assert!(!is_whole(u32::MAX as usize, 10, u64::MAX / 2));
    }
}
