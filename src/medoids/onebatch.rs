//! What to compare where n² distances are too many: OneBatchPAM (de Mathelin
//! et al., "OneBatchPAM: a fast and frugal k-medoids algorithm", 2025). One
//! weighted batch of rows stands for all points, and medoids are sought among
//! a larger sample of candidates.

use super::distances::Scaled;
use crate::rng::Rng;
use std::collections::HashSet;

/// The most that the sampled matrix takes, whatever the memory limit.
const MOST_BYTES: u64 = 800_000_000;

/// Candidates are not more than this.
const MOST_CANDIDATES: usize = 50_000;

/// The rows that take part in the search.
pub(crate) struct Sample {
    /// The rows that may become medoids; the first `points` of them stand for
    /// all rows.
    pub candidates: Vec<usize>,
    pub points: usize,
}

impl Sample {
    /// All rows: possible where 4·n² bytes are within `budget`.
    pub fn whole(rows: usize, budget: u64) -> Option<Self> {
        let bytes = (rows as u64).checked_mul(rows as u64)?.checked_mul(4)?;
        (bytes <= budget).then(|| Sample {
            candidates: (0..rows).collect(),
            points: rows,
        })
    }

    /// 400 · ln(n·k) points, and as many candidates as the budget allows.
    /// `given` are the rows that must be among the points.
    pub fn draw(
        scaled: &Scaled<'_>,
        rows: usize,
        n_clusters: usize,
        given: &[usize],
        budget: u64,
        rng: &mut Rng,
    ) -> Self {
        let cells = matrix_cells(budget);
        // A batch of less than a few points a cluster would say nothing.
        let fewest = (5 * n_clusters).min(rows);
        let wanted = (400.0 * (rows as f64 * n_clusters as f64).ln()) as usize;
        let points = wanted.min(cells.isqrt()).max(fewest).min(rows);
        let count = (cells / points)
            .clamp(points, MOST_CANDIDATES.max(points))
            .min(rows);
        let known: HashSet<usize> = given.iter().copied().collect();
        let mut drawn = rng.distinct(count, rows);
        drawn.retain(|row| !known.contains(row));
        // A row without direction is of use only where others are too few.
        drawn.sort_by_key(|&row| !scaled.has_direction(row));
        let mut candidates = given.to_vec();
        candidates.extend(drawn);
        let useful = candidates
            .iter()
            .filter(|&&row| scaled.has_direction(row))
            .count();
        candidates.truncate(useful.max(n_clusters));
        Sample {
            points: points.min(candidates.len()),
            candidates,
        }
    }
}

/// Distances that a sampled matrix may hold.
pub(crate) fn matrix_cells(budget: u64) -> usize {
    (MOST_BYTES.min(budget) / 4) as usize
}
