//! Rows for clusters that are empty in all blocks.
//!
//! A block tells of its farthest rows no more than the clusters that are empty
//! in it could take: a cluster that is empty everywhere is empty in each. What
//! comes of merging is what one block of all rows would tell, for the order of
//! rows is one of their distances and values.

use crate::allocate::{append, collect, copy, extend, push, refill, try_vec, with_capacity};
use crate::error::Result;
use crate::kernels::accumulate::Sign;
use crate::kmeans::empty_clusters::{
    Candidate, FarthestRows, RowSet, compare, most_candidates, winners,
};
use crate::metric::Metric;
use crate::nearest::{Nearest, Shared};
use crate::points::Points;
use crate::threads::Threads;
use crate::totals::{Changes, Grid, Totals, WideSums};
use ndarray::ArrayView2;
use std::cmp::Ordering;

/// What memory is for.
const PURPOSE: &str = "farthest rows";

/// The rank of a row here and there.
type Ranks = (Option<usize>, Option<usize>);

/// A value that may leave its cluster, with all rows that have it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct FarRow {
    /// To the centroid of its cluster; positive.
    pub distance: f64,
    pub fingerprint: u32,
    pub cluster: u32,
    /// Rows of this value.
    pub count: u64,
}

/// The last row of a cluster, which stays: the nearest to its centroid.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct LastRow {
    /// Infinite where the cluster is empty.
    pub distance: f64,
    pub fingerprint: u32,
}

impl LastRow {
    pub fn none() -> Self {
        LastRow {
            distance: f64::INFINITY,
            fingerprint: 0,
        }
    }

    /// Whether it comes after another in the order of rows.
    fn is_after(&self, other: &LastRow) -> bool {
        let order = self.distance.total_cmp(&other.distance);
        order.then(other.fingerprint.cmp(&self.fingerprint)) == Ordering::Less
    }
}

/// The farthest rows of a block, or of several.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Candidates {
    /// In order; empty where no cluster is.
    pub rows: Vec<FarRow>,
    /// Rows × dimensions.
    pub values: Vec<f32>,
    /// What all rows of each value add up to, with cosine their unit vectors,
    /// and what they weigh; `None` where there are none.
    pub sums: Option<WideSums>,
    /// Of each cluster; empty where no cluster is.
    pub last: Vec<LastRow>,
}

impl Candidates {
    pub fn none() -> Self {
        Candidates {
            rows: Vec::new(),
            values: Vec::new(),
            sums: None,
            last: Vec::new(),
        }
    }

    /// Of the rows of a block, with the grid of their sums and the sizes of
    /// clusters, labels and distances. Also all rows of these values, and perhaps
    /// others.
    pub fn find(
        nearest: &Nearest<'_>,
        (grid, counts): (Grid, &[u64]),
        labels: &[u32],
        distances: &[f64],
        threads: &Threads<'_>,
    ) -> Result<(Self, Vec<u32>)> {
        let empty = counts.iter().filter(|&&count| count == 0).count();
        if empty == 0 {
            return Ok((Self::none(), Vec::new()));
        }
        let (points, clusters) = (nearest.points(), counts.len());
        let mut search = FarthestRows::new(nearest, labels, distances, clusters, threads)?;
        search.find(most_candidates(nearest.metric(), empty), threads)?;

        let mut found = Candidates::none();
        let mut scratch = Vec::new();
        for candidate in &search.ranked {
            let Candidate {
                row,
                distance,
                fingerprint,
                ..
            } = *candidate;
            let values = points.row(row as usize, &mut scratch)?;
            // Zeros of either sign are equal, but their bits are not.
            extend(&mut found.values, values.iter().map(|v| v + 0.0), PURPOSE)?;
            let cluster = labels[row as usize];
            let row = FarRow {
                distance,
                fingerprint,
                cluster,
                count: 0,
            };
            push(&mut found.rows, row, PURPOSE)?;
        }
        found.add_up(&search, grid, points, threads)?;
        for &row in &search.last {
            let last = match distances.get(row as usize) {
                Some(&distance) => LastRow {
                    distance,
                    fingerprint: search.fingerprint(row)?,
                },
                None => LastRow::none(),
            };
            push(&mut found.last, last, PURPOSE)?;
        }
        let rows = search.found.iter().map(|&(row, _)| row);
        Ok((found, collect(rows, PURPOSE)?))
    }

    /// Counts all rows of each value, and adds them up.
    fn add_up(
        &mut self,
        search: &FarthestRows<'_>,
        grid: Grid,
        points: &Points<'_>,
        threads: &Threads<'_>,
    ) -> Result<()> {
        const UNRANKED: u32 = u32::MAX;
        let places = search.found.iter().map(|&(_, place)| place + 1).max();
        let mut ranks = try_vec(UNRANKED, places.unwrap_or(0) as usize, PURPOSE)?;
        for (rank, candidate) in (0u32..).zip(&search.ranked) {
            ranks[candidate.place as usize] = rank;
        }
        let mut sums = Totals::new(grid, self.rows.len())?;
        let mut changes = Changes::new(&sums)?;
        let mut scratch = Vec::new();
        for &(row, place) in &search.found {
            let rank = ranks[place as usize];
            if rank != UNRANKED {
                let values = points.row(row as usize, &mut scratch)?;
                let weight = points.weight(row as usize);
                changes.add(sums.grid(), (values, weight), rank, Sign::Plus);
            }
            threads.poll()?;
        }
        sums.apply(&changes);
        for (row, &count) in self.rows.iter_mut().zip(&sums.counts) {
            row.count = count as u64;
        }
        if !self.rows.is_empty() {
            self.sums = Some(WideSums::of_totals(&sums)?);
        }
        Ok(())
    }

    pub fn row(&self, rank: usize, dims: usize) -> &[f32] {
        &self.values[rank * dims..][..dims]
    }

    /// The order of a row of these and one of others.
    fn order(&self, rank: usize, other: &Candidates, its_rank: usize, dims: usize) -> Ordering {
        let (a, b) = (&self.rows[rank], &other.rows[its_rank]);
        let order = b.distance.total_cmp(&a.distance);
        let order = order.then(a.fingerprint.cmp(&b.fingerprint));
        order.then_with(|| compare(self.row(rank, dims), other.row(its_rank, dims)))
    }

    /// What both tell together, where so many clusters are empty in both.
    pub fn merge(
        &self,
        other: &Candidates,
        metric: Metric,
        empty: usize,
        dims: usize,
    ) -> Result<Self> {
        let mut merged = Candidates::none();
        if empty == 0 {
            return Ok(merged);
        }
        merged.last = copy(&self.last, PURPOSE)?;
        for (last, other) in merged.last.iter_mut().zip(&other.last) {
            if other.is_after(last) {
                *last = *other;
            }
        }
        let (ranks, values) = self.in_order(other, dims)?;
        let view = ArrayView2::from_shape((ranks.len(), dims), &values);
        let points = Points::from(view.expect("ranks x dims values"));
        let mut directions = RowSet::new(&points, metric)?;
        let (mut place, mut leaving) = (Vec::new(), 0);
        for (number, &(mine, its)) in ranks.iter().enumerate() {
            if leaving == most_candidates(metric, empty) {
                break;
            }
            let mut row = match (mine, its) {
                (Some(mine), _) => self.rows[mine],
                (None, Some(its)) => other.rows[its],
                (None, None) => continue,
            };
            if let (Some(_), Some(its)) = (mine, its) {
                // Bytes from elsewhere may tell any count.
                row.count = row.count.saturating_add(other.rows[its].count);
            }
            if !merged.stays(&row) {
                refill(&mut place, &values[number * dims..][..dims], PURPOSE)?;
                metric.normalize(&mut place);
                let known = directions.len();
                if directions.insert(number as u32, &place)? < known {
                    continue;
                }
                leaving += 1;
            }
            merged.push(
                row,
                &values[number * dims..][..dims],
                [(self, mine), (other, its)],
            )?;
        }
        Ok(merged)
    }

    /// The ranks of all rows, here and there, in their common order; and their
    /// values.
    fn in_order(&self, other: &Candidates, dims: usize) -> Result<(Vec<Ranks>, Vec<f32>)> {
        let (mine, its) = (self.rows.len(), other.rows.len());
        let mut ranks = with_capacity(mine + its, PURPOSE)?;
        let mut values = with_capacity((mine + its) * dims, PURPOSE)?;
        let (mut a, mut b) = (0, 0);
        while a < mine || b < its {
            let order = match (a < mine, b < its) {
                (true, true) => self.order(a, other, b, dims),
                (true, false) => Ordering::Less,
                (false, _) => Ordering::Greater,
            };
            let (here, there) = (order != Ordering::Greater, order != Ordering::Less);
            ranks.push((here.then_some(a), there.then_some(b)));
            values.extend_from_slice(match here {
                true => self.row(a, dims),
                false => other.row(b, dims),
            });
            a += usize::from(here);
            b += usize::from(there);
        }
        Ok((ranks, values))
    }

    /// Appends a row, whose sum is that of its parts.
    fn push(
        &mut self,
        row: FarRow,
        values: &[f32],
        parts: [(&Candidates, Option<usize>); 2],
    ) -> Result<()> {
        let number = self.rows.len();
        push(&mut self.rows, row, PURPOSE)?;
        append(&mut self.values, values, PURPOSE)?;
        for (part, rank) in parts {
            let (Some(rank), Some(sums)) = (rank, &part.sums) else {
                continue;
            };
            if self.sums.is_none() {
                self.sums = Some(WideSums::like(sums, 0)?);
            }
            if let Some(all) = &mut self.sums {
                match all.rows() > number {
                    true => all.add_row(number, sums, rank, false)?,
                    false => all.push_row(sums, rank)?,
                }
            }
        }
        Ok(())
    }

    fn stays(&self, row: &FarRow) -> bool {
        let last = &self.last[row.cluster as usize];
        last.distance == row.distance && last.fingerprint == row.fingerprint
    }

    /// The ranks of those that get a cluster of their own, in order.
    pub fn chosen(&self, metric: Metric, dims: usize, threads: &Threads<'_>) -> Result<Vec<usize>> {
        let ranks = 0..self.rows.len();
        let mut leaving = with_capacity(self.rows.len(), PURPOSE)?;
        leaving.extend(ranks.filter(|&rank| !self.stays(&self.rows[rank])));
        if metric == Metric::Euclidean || leaving.is_empty() {
            return Ok(leaving);
        }
        let mut values = with_capacity(leaving.len() * dims, PURPOSE)?;
        for &rank in &leaving {
            values.extend_from_slice(self.row(rank, dims));
        }
        let view =
            ArrayView2::from_shape((leaving.len(), dims), &values).expect("rows x dims values");
        let points = Points::from(view);
        let shared = Shared::new(&points, metric, None)?;
        let mut wins = winners(shared.nearest(&points, 1), threads)?.into_iter();
        leaving.retain(|_| wins.next() == Some(true));
        Ok(leaving)
    }
}
