//! What the rows of each cluster add up to: sums that know no order.
//!
//! A sum is exact: whole numbers of units that its [`Grid`] gives, not rounded
//! numbers. So it is the same whatever the order in which rows come, however
//! they are grouped, and if some are taken away again; threads, blocks and
//! instruction sets cannot change a bit.

mod amount;
mod centroid;
mod exact_sum;
mod grid;
mod inertia;
mod means;
mod sparse;
#[cfg(test)]
mod tests;
mod wide;

use crate::allocate::{try_vec, with_capacity};
use crate::clusters::Clusters;
use crate::error::Result;
use crate::kernels::accumulate::{Sign, TOGETHER};
use crate::points::{Points, SparseRows};
use crate::threads::Threads;
use std::ops::RangeInclusive;

pub(crate) use amount::Amount;
pub(crate) use centroid::{size_of_sum, write_centroid};
pub(crate) use exact_sum::{ByLanes, ExactSum};
pub(crate) use grid::Grid;
pub(crate) use sparse::SparseSum;
pub(crate) use wide::WideSums;

/// Rows per task.
const TASK_ROWS: RangeInclusive<usize> = 128..=4096;

/// Numbers of sums that are read or added up in a task, about.
const TASK_NUMBERS: usize = 1 << 14;

/// What the members of each cluster add up to; with cosine, their unit vectors.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Totals {
    grid: Grid,
    /// n_clusters × the grid's width.
    sums: Vec<i64>,
    pub counts: Vec<usize>,
}

impl Totals {
    /// Of empty clusters, which rows for which the grid is may join.
    pub fn new(grid: Grid, n_clusters: usize) -> Result<Self> {
        Ok(Totals {
            sums: try_vec(0, n_clusters * grid.width(), "centroid sums")?,
            counts: try_vec(0, n_clusters, "cluster sizes")?,
            grid,
        })
    }

    /// The same, whose memory several threads write to first.
    pub fn shared(grid: Grid, n_clusters: usize, threads: &Threads<'_>) -> Result<Self> {
        Ok(Totals {
            sums: threads.try_vec(0, n_clusters * grid.width(), "centroid sums")?,
            counts: try_vec(0, n_clusters, "cluster sizes")?,
            grid,
        })
    }

    pub fn grid(&self) -> &Grid {
        &self.grid
    }

    /// Bytes that the sums take.
    pub fn bytes(&self) -> usize {
        size_of_val(&self.sums[..])
    }

    /// Empties all clusters.
    pub fn clear(&mut self) {
        self.sums.fill(0);
        self.counts.fill(0);
    }

    /// What the rows of a cluster weigh together: their number if they have no
    /// weights.
    pub fn weight(&self, cluster: usize) -> f64 {
        let count = self.counts[cluster] as i64;
        self.grid.read_weight(self.sum(cluster), count).0
    }

    fn sum(&self, cluster: usize) -> &[i64] {
        &self.sums[cluster * self.grid.width()..][..self.grid.width()]
    }

    /// Limb l of column t of a cluster's sum.
    fn limb(&self, cluster: usize, l: usize, t: usize) -> i64 {
        let count = self.counts[cluster] as i64;
        self.grid.limb(self.sum(cluster), l, t, count)
    }

    /// Adds every row that `clusters` lists to its cluster, or takes it away.
    pub fn add(
        &mut self,
        points: &Points<'_>,
        clusters: &Clusters,
        sign: Sign,
        threads: &Threads<'_>,
    ) -> Result<()> {
        let grid = &self.grid;
        let rows = clusters.members.len();
        let task_rows = threads.share(rows, TASK_ROWS);
        // Each task adds to the clusters whose first row it has, all of their rows unless
        // these are very many. What it has of the cluster before goes to a sum of its own.
        let (offsets, n_clusters) = (&clusters.offsets, clusters.n_clusters());
        let mut tasks = with_capacity(rows.div_ceil(task_rows), "centroid sums")?;
        let (mut start, mut first, mut begun) = (0, 0, 0);
        while start < rows {
            let end = rows.min(start + task_rows);
            let next = first + offsets[first..n_clusters].partition_point(|&offset| offset < end);
            let whole = offsets[next];
            let end = match whole - end <= task_rows {
                true => whole,
                false => end,
            };
            let begins = start == offsets[first];
            begun += usize::from(!begins);
            tasks.push((start..end, first..next, begins));
            (start, first) = (end, next);
        }
        let width = grid.width();
        let mut split = threads.try_vec(0i64, begun * width, "centroid sums")?;
        let mut splits = split.chunks_exact_mut(width);
        let mut left = &mut self.sums[..];
        let jobs = tasks.iter().map(|task @ (_, own, begins)| {
            let (sums, others) = std::mem::take(&mut left).split_at_mut(own.len() * width);
            left = others;
            let split = match begins {
                true => None,
                false => splits.next(),
            };
            (task, sums, split)
        });
        threads.run(
            jobs,
            Adder::default,
            |adder, ((range, own, _), sums, split)| {
                let begun = own.start.checked_sub(1).zip(split);
                let sums = sums.chunks_exact_mut(width);
                for (j, sum) in begun.into_iter().chain(own.clone().zip(sums)) {
                    let start = offsets[j].max(range.start);
                    let end = offsets[j + 1].min(range.end);
                    if start < end {
                        let members = &clusters.members[start..end];
                        adder.add(points, grid, members, sign, sum)?;
                    }
                }
                Ok(())
            },
        )?;
        let begun = tasks.iter().filter(|(_, _, begins)| !begins);
        for ((_, own, _), split) in begun.zip(split.chunks_exact(width)) {
            add_to(&mut self.sums[(own.start - 1) * width..][..width], split);
        }
        for (j, count) in self.counts.iter_mut().enumerate() {
            *count = match sign {
                Sign::Plus => *count + clusters.size(j),
                Sign::Minus => *count - clusters.size(j),
            };
        }
        Ok(())
    }

    /// Clusters whose sums are a task.
    fn clusters_of_task(&self) -> usize {
        (TASK_NUMBERS / self.grid.width()).max(1)
    }

    /// Makes the changes of all workers.
    pub fn apply_all(&mut self, changes: &[&Changes], threads: &Threads<'_>) -> Result<()> {
        let (width, clusters) = (self.grid.width(), self.clusters_of_task());
        threads.run(
            self.sums
                .chunks_mut(clusters * width)
                .zip(self.counts.chunks_mut(clusters))
                .enumerate(),
            || (),
            |(), (task, (sums, counts))| {
                for changes in changes {
                    changes.add_to(width, task * clusters, sums, counts);
                }
            },
        )
    }

    /// Makes the changes.
    pub fn apply(&mut self, changes: &Changes) {
        let width = self.grid.width();
        changes.add_to(width, 0, &mut self.sums, &mut self.counts);
    }

    /// Adds `count` rows to a cluster that add up to `sum`: whole numbers, less
    /// the bits of [`Grid::magic`].
    pub fn add_sum(&mut self, cluster: usize, sum: &[i64], count: usize) {
        let width = self.grid.width();
        let total = &mut self.sums[cluster * width..][..width];
        for ((total, part), magic) in total.iter_mut().zip(sum).zip(self.grid.magic()) {
            let bias = (count as i64).wrapping_mul(magic.to_bits() as i64);
            *total = total.wrapping_add(part.wrapping_add(bias));
        }
        self.counts[cluster] += count;
    }
}

/// What clusters gain and lose among some of the rows.
pub(crate) struct Changes {
    /// n_clusters × the grid's width; meaningless where nothing was touched.
    sums: Vec<i64>,
    counts: Vec<isize>,
    touched: Vec<bool>,
}

impl Changes {
    /// None yet, of the clusters that `totals` are of.
    pub fn new(totals: &Totals) -> Result<Self> {
        let n_clusters = totals.counts.len();
        Ok(Changes {
            sums: try_vec(0, totals.sums.len(), "centroid sums")?,
            counts: try_vec(0, n_clusters, "cluster sizes")?,
            touched: try_vec(false, n_clusters, "cluster sizes")?,
        })
    }

    pub fn clear(&mut self) {
        self.touched.fill(false);
    }

    /// Makes the changes to the sums and sizes of the clusters from `first` on.
    fn add_to(&self, width: usize, first: usize, sums: &mut [i64], counts: &mut [usize]) {
        let all = sums.chunks_exact_mut(width).zip(counts);
        for (j, (sum, count)) in (first..).zip(all) {
            if self.touched[j] {
                add_to(sum, &self.sums[j * width..][..width]);
                *count = count.wrapping_add_signed(self.counts[j]);
            }
        }
    }

    /// A row, given with its weight, joins a cluster or leaves it.
    pub fn add(&mut self, grid: &Grid, row: (&[f32], f64), cluster: u32, sign: Sign) {
        let (j, width) = (cluster as usize, grid.width());
        let sum = &mut self.sums[j * width..][..width];
        if !self.touched[j] {
            sum.fill(0);
            self.counts[j] = 0;
            self.touched[j] = true;
        }
        grid.add_row(sum, row.0, row.1, sign);
        self.counts[j] += match sign {
            Sign::Plus => 1,
            Sign::Minus => -1,
        };
    }
}

/// Adds listed rows, some at a time.
#[derive(Default)]
struct Adder {
    scratch: [Vec<f32>; TOGETHER],
    sparse: SparseRows,
}

impl Adder {
    fn add(
        &mut self,
        points: &Points<'_>,
        grid: &Grid,
        members: &[u32],
        sign: Sign,
        sum: &mut [i64],
    ) -> Result<()> {
        if points.reads_sparse() {
            const BLOCK: usize = 256;
            for members in members.chunks(BLOCK) {
                let rows = points.select(members);
                rows.read_sparse(0..members.len(), &mut self.sparse)?;
                let weights = members.iter().map(|&row| points.weight(row as usize));
                let rows = self.sparse.rows().zip(weights);
                sparse::add_sparse(grid, sum, rows, sign);
            }
            return Ok(());
        }
        if grid.is_weighted() {
            let ahead = members.iter().skip(TOGETHER);
            let mut ahead = ahead.map(|&row| row as usize);
            for &row in members {
                ahead
                    .next()
                    .into_iter()
                    .for_each(|row| points.prefetch(row));
                let values = points.row(row as usize, &mut self.scratch[0])?;
                grid.add_row(sum, values, points.weight(row as usize), sign);
            }
            return Ok(());
        }
        let (together, single) = members.as_chunks::<TOGETHER>();
        for (number, members) in together.iter().enumerate() {
            let next = together.get(number + 1).map_or(single, |next| next);
            next.iter().for_each(|&row| points.prefetch(row as usize));
            let [a, b, c, d] = &mut self.scratch;
            let rows = [
                points.row(members[0] as usize, a)?,
                points.row(members[1] as usize, b)?,
                points.row(members[2] as usize, c)?,
                points.row(members[3] as usize, d)?,
            ];
            grid.add_rows(sum, rows, sign);
        }
        for &row in single {
            let values = points.row(row as usize, &mut self.scratch[0])?;
            grid.add_rows(sum, [values], sign);
        }
        Ok(())
    }
}

fn add_to(sum: &mut [i64], part: &[i64]) {
    for (sum, part) in sum.iter_mut().zip(part) {
        *sum = sum.wrapping_add(*part);
    }
}

/// Adds distances of rows from `first` on, each times the row's weight.
pub(crate) fn add_weighted(
    sum: &mut ExactSum,
    points: &Points<'_>,
    first: usize,
    mut distances: impl Iterator<Item = f64>,
) {
    if points.is_weighted() {
        for (row, distance) in (first..).zip(distances) {
            sum.add_product(points.weight(row), distance);
        }
        return;
    }
    let mut some = [0.0; 256];
    loop {
        let mut count = 0;
        for (place, distance) in some.iter_mut().zip(&mut distances) {
            *place = distance;
            count += 1;
        }
        if count == 0 {
            return;
        }
        sum.add_all(&some[..count]);
    }
}

/// Writes the mean of every non-empty cluster to `centroids`: see
/// [`Totals::write_centroids`].
pub(crate) fn update_centroids(
    points: &Points<'_>,
    grid: Grid,
    clusters: &Clusters,
    threads: &Threads<'_>,
    centroids: &mut [f32],
) -> Result<()> {
    let mut totals = Totals::new(grid, clusters.n_clusters())?;
    totals.add(points, clusters, Sign::Plus, threads)?;
    totals.write_centroids(centroids, threads)?;
    Ok(())
}
