//! Float64 sums of rows that wait to join those of whole numbers: as long as they are
//! exact, which ranges tell.

use crate::allocate::{try_vec, with_capacity};
use crate::error::Result;
use crate::ranges::Range;
use crate::totals::Grid;
use std::mem;

const PURPOSE: &str = "a pass over trees";

/// The rows of some leaves, by cluster.
pub(super) struct Waiting<const D: usize> {
    sums: Vec<[f64; D]>,
    /// Clusters that may have rows here, each once, and whether one is among them.
    owners: Vec<u32>,
    is_owner: Vec<bool>,
    /// Of all rows here, and how many they are.
    ranges: [Range; D],
    rows: usize,
}

impl<const D: usize> Waiting<D> {
    pub fn new(n_clusters: usize) -> Result<Self> {
        Ok(Waiting {
            sums: try_vec([0.0; D], n_clusters, PURPOSE)?,
            owners: with_capacity(n_clusters, PURPOSE)?,
            is_owner: try_vec(false, n_clusters, PURPOSE)?,
            ranges: [Range::ZERO; D],
            rows: 0,
        })
    }

    /// Counts the rows of a leaf, of these ranges, among those here; if they are too many
    /// with it, they join `sums` before. `false` where the leaf by itself is too much.
    #[inline(always)]
    pub fn can_take(
        &mut self,
        (rows, ranges): (usize, &[Range; D]),
        magic: &[[f64; D]],
        sums: &mut [[i64; D]],
    ) -> bool {
        let joined = |to: &Self| std::array::from_fn(|t| to.ranges[t].join(ranges[t]));
        if !are_exact(&joined(self), self.rows + rows) {
            self.add_to(magic, sums);
        }
        let (ranges, rows) = (joined(self), self.rows + rows);
        let fits = are_exact(&ranges, rows);
        if fits {
            (self.ranges, self.rows) = (ranges, rows);
        }
        fits
    }

    /// The sum of a cluster, to be added to.
    #[inline(always)]
    pub fn sum(&mut self, owner: usize) -> &mut [f64; D] {
        if !mem::replace(&mut self.is_owner[owner], true) {
            self.owners.push(owner as u32);
        }
        &mut self.sums[owner]
    }

    /// The sums of clusters that [`sum`](Self::sum) was asked for.
    #[inline(always)]
    pub fn sums(&mut self) -> &mut [[f64; D]] {
        &mut self.sums
    }

    /// Adds all that is here to the limbs of the clusters' sums, less the bits of
    /// `magic`.
    #[inline(always)]
    pub fn add_to(&mut self, magic: &[[f64; D]], sums: &mut [[i64; D]]) {
        for owner in self.owners.drain(..) {
            let owner = owner as usize;
            self.is_owner[owner] = false;
            let sum = mem::replace(&mut self.sums[owner], [0.0; D]);
            add_sum(magic, sum, &mut sums[owner * magic.len()..][..magic.len()]);
        }
        (self.ranges, self.rows) = ([Range::ZERO; D], 0);
    }
}

/// Whether float64 holds all sums of so many rows of these ranges.
#[inline(always)]
pub(super) fn are_exact<const D: usize>(ranges: &[Range; D], rows: usize) -> bool {
    ranges.iter().all(|range| range.sums_are_exact(rows))
}

/// Adds a row to the limbs of a sum, less the bits of `magic`:
/// see [`add_rows`](crate::kernels::accumulate::add_rows).
#[inline(always)]
pub(super) fn add_numbers<const D: usize>(
    magic: &[[f64; D]],
    mut rest: [f64; D],
    sums: &mut [[i64; D]],
) {
    for (sum, magic) in sums.iter_mut().zip(magic) {
        for t in 0..D {
            let rounded = rest[t] + magic[t];
            sum[t] += rounded.to_bits() as i64 - magic[t].to_bits() as i64;
            rest[t] -= rounded - magic[t];
        }
    }
}

/// [`add_numbers`] of a sum of rows, whose first limb may be larger than a row's.
#[inline(always)]
pub(super) fn add_sum<const D: usize>(
    magic: &[[f64; D]],
    mut rest: [f64; D],
    sums: &mut [[i64; D]],
) {
    let (Some((first, others)), Some((sum, sums))) = (magic.split_first(), sums.split_first_mut())
    else {
        return;
    };
    for t in 0..D {
        let unit = Grid::unit(first[t]);
        let whole = (rest[t] / unit).round_ties_even();
        sum[t] += whole as i64;
        rest[t] -= whole * unit;
    }
    add_numbers(others, rest, sums);
}
