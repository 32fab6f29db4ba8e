//! What the rows of each cluster add up to: sums that know no order.
//!
//! A sum is exact: whole numbers of units that its [`Grid`] gives, not rounded
//! numbers. So it is the same whatever the order in which rows come, however
//! they are grouped, and if some are taken away again; threads, blocks and
//! instruction sets cannot change a bit.

mod columns;
mod exact_sum;
mod grid;
#[cfg(test)]
mod tests;
mod wide;

use crate::allocate::{copy, try_vec, with_capacity};
use crate::clusters::Clusters;
use crate::error::Result;
use crate::kernels::accumulate::{Sign, TOGETHER};
use crate::kernels::dispatch::{self, Work};
use crate::kernels::lanes::{LANES, Lanes};
use crate::kernels::weighted;
use crate::metric::Metric;
use crate::points::{Points, SparseRows};
use crate::threads::Threads;

pub(crate) use columns::ColumnSum;
pub(crate) use exact_sum::{ByLanes, ExactSum};
pub(crate) use grid::Grid;
pub(crate) use wide::WideSums;

/// Rows per task.
const TASK_ROWS: usize = 4096;

/// With cosine, rows cancel out where their sum is shorter than this a row
/// and a root of dimensions: no more than what rounding to the grid leaves.
const CANCELLED: f64 = 1.0 / (1u64 << 43) as f64;

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
        let tasks = rows.div_ceil(TASK_ROWS);
        // Each task adds to the clusters whose first row it has. What it has of
        // the cluster before goes to a sum of its own.
        let mut split = try_vec(0i64, tasks * grid.width(), "centroid sums")?;
        let mut jobs = with_capacity(tasks, "centroid sums")?;
        let mut starts = with_capacity(tasks, "centroid sums")?;
        let mut left = &mut self.sums[..];
        let mut first = 0;
        for (task, split) in split.chunks_exact_mut(grid.width()).enumerate() {
            let range = task * TASK_ROWS..rows.min((task + 1) * TASK_ROWS);
            let next = clusters.offsets[..clusters.n_clusters()]
                .partition_point(|&offset| offset < range.end);
            let (own, others) = left.split_at_mut((next - first) * grid.width());
            left = others;
            jobs.push((range, first..next, own, split));
            starts.push(first);
            first = next;
        }
        threads.run(
            jobs.into_iter(),
            Adder::default,
            |adder, (range, own, sums, split)| {
                let begun = own.start.checked_sub(1).map(|before| (before, split));
                let sums = sums.chunks_exact_mut(grid.width());
                for (j, sum) in begun.into_iter().chain(own.zip(sums)) {
                    let start = clusters.offsets[j].max(range.start);
                    let end = clusters.offsets[j + 1].min(range.end);
                    if start < end {
                        let members = &clusters.members[start..end];
                        adder.add(points, grid, members, sign, sum)?;
                    }
                }
                Ok(())
            },
        )?;
        let width = grid.width();
        for (start, split) in starts.into_iter().zip(split.chunks_exact(width)) {
            if start > 0 {
                add_to(&mut self.sums[(start - 1) * width..][..width], split);
            }
        }
        for (j, count) in self.counts.iter_mut().enumerate() {
            *count = match sign {
                Sign::Plus => *count + clusters.size(j),
                Sign::Minus => *count - clusters.size(j),
            };
        }
        Ok(())
    }

    /// Makes the changes.
    pub fn apply(&mut self, changes: &Changes) {
        let width = self.grid.width();
        for (j, sum) in self.sums.chunks_exact_mut(width).enumerate() {
            if changes.touched[j] {
                add_to(sum, &changes.sums[j * width..][..width]);
                self.counts[j] = self.counts[j].wrapping_add_signed(changes.counts[j]);
            }
        }
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

    /// Writes the mean of every cluster to `centroids` (n_clusters × dims);
    /// with cosine, the direction of the sum of its unit rows. A cluster that
    /// is empty, or whose unit rows cancel out, keeps the centroid it has.
    /// Returns whether any value changed.
    pub fn write_centroids(&self, centroids: &mut [f32]) -> bool {
        dispatch::work(Means {
            totals: self,
            centroids,
        })
    }

    /// Moves the centroid of a cluster to the mean of its rows and of what weighed
    /// `before` in the centroid's place.
    pub fn move_centroid(&self, cluster: usize, before: f64, centroid: &mut [f32]) -> Result<()> {
        let weight = self.weight(cluster);
        if weight > 0.0 {
            let (sum, count) = (self.sum(cluster), self.counts[cluster] as i64);
            let place = copy(centroid, "a centroid")?;
            let value =
                |t: usize| before * f64::from(place[t]) + self.grid.read_one(sum, t, count).0;
            write_centroid(self.grid.metric(), before + weight, value, centroid);
        }
        Ok(())
    }

    /// The sum of distances between all rows and their clusters' centroids,
    /// from sums alone: Σ‖x−c‖² = Σ‖x−o‖² − Σⱼ (2 (cⱼ−o)·(sⱼ−nⱼo) − nⱼ‖cⱼ−o‖²),
    /// and with cosine Σ 1 − cⱼ·sⱼ / ‖cⱼ‖, each row times its weight. `spread` is
    /// Σ‖x−o‖² about the origin o, or with cosine what all rows weigh. What cancels out is lost: the
    /// absolute error is a 10⁻¹⁰th of `spread` at most, and commonly a 10⁻¹⁴th.
    pub fn inertia(&self, centroids: &[f32], origin: &[f32], spread: f64) -> f64 {
        let gain = dispatch::work(Gain {
            totals: self,
            centroids,
            origin,
        });
        spread - gain
    }
}

/// See [`Totals::write_centroids`].
struct Means<'m> {
    totals: &'m Totals,
    centroids: &'m mut [f32],
}

impl Work for Means<'_> {
    type Output = bool;

    #[inline(always)]
    fn run<L: Lanes>(self, _: L) -> bool {
        let (totals, grid) = (self.totals, &self.totals.grid);
        let mut changed = false;
        let all = self.centroids.chunks_exact_mut(grid.dims());
        for (j, centroid) in all.enumerate() {
            let (sum, count) = (totals.sum(j), totals.counts[j] as i64);
            let (weight, _) = grid.read_weight(sum, count);
            if weight > 0.0 {
                let sum = Sum { grid, sum, count };
                changed |= write_centroid(grid.metric(), weight, sum, centroid);
            }
        }
        changed
    }
}

/// What the rows of a cluster add up to, rounded.
struct Sum<'s> {
    grid: &'s Grid,
    sum: &'s [i64],
    count: i64,
}

impl Columns for Sum<'_> {
    #[inline(always)]
    fn eight(&self, at: usize, _: usize) -> [f64; LANES] {
        self.grid.read(self.sum, at, self.count).0
    }
}

/// A value for each of some columns.
pub(crate) trait Columns {
    /// Those of eight columns from `at` on; 0 where there are fewer.
    fn eight(&self, at: usize, columns: usize) -> [f64; LANES];
}

impl<F: Fn(usize) -> f64> Columns for F {
    fn eight(&self, at: usize, columns: usize) -> [f64; LANES] {
        let value = |lane| {
            let column = at + lane;
            if column < columns { self(column) } else { 0.0 }
        };
        std::array::from_fn(value)
    }
}

/// What rows gain by being in clusters: see [`Totals::inertia`].
struct Gain<'g> {
    totals: &'g Totals,
    centroids: &'g [f32],
    origin: &'g [f32],
}

impl Work for Gain<'_> {
    type Output = f64;

    #[inline(always)]
    fn run<L: Lanes>(self, _: L) -> f64 {
        let (totals, grid) = (self.totals, &self.totals.grid);
        let mut gain = 0.0;
        for (j, centroid) in self.centroids.chunks_exact(grid.dims()).enumerate() {
            let (sum, count) = (totals.sum(j), totals.counts[j] as i64);
            let (weight, left) = grid.read_weight(sum, count);
            let (mut product, mut square) = (0.0, 0.0);
            let blocks = centroid.chunks(LANES).zip(self.origin.chunks(LANES));
            for (number, (centroid, origin)) in blocks.enumerate() {
                let (values, rests) = grid.read(sum, number * LANES, count);
                let (c, origin) = (eight(centroid), eight(origin));
                let (mut products, mut squares) = ([0.0; LANES], [0.0; LANES]);
                for lane in 0..LANES {
                    let c = c[lane] - origin[lane];
                    let (of_origin, more) = weighted::product(weight, origin[lane]);
                    let more = more + left * origin[lane];
                    products[lane] = c * ((values[lane] - of_origin) + (rests[lane] - more));
                    squares[lane] = c * c;
                }
                for lane in 0..centroid.len() {
                    product += products[lane];
                    square += squares[lane];
                }
            }
            gain += match grid.metric() {
                Metric::Euclidean => 2.0 * product - weight * square,
                Metric::Cosine if square > 0.0 => product / square.sqrt(),
                Metric::Cosine => 0.0,
            };
        }
        gain
    }
}

/// Eight values, or fewer and zeros.
#[inline(always)]
fn eight(values: &[f32]) -> [f64; LANES] {
    let mut all = [0.0; LANES];
    match values.first_chunk::<LANES>() {
        Some(values) => {
            for lane in 0..LANES {
                all[lane] = f64::from(values[lane]);
            }
        }
        None => {
            for (all, &value) in all.iter_mut().zip(values) {
                *all = f64::from(value);
            }
        }
    }
    all
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

/// Writes the centroid of rows that weigh `weight` and add up to `values`: see
/// [`Totals::write_centroids`]. Returns whether it changed.
#[inline(always)]
pub(crate) fn write_centroid(
    metric: Metric,
    weight: f64,
    values: impl Columns,
    centroid: &mut [f32],
) -> bool {
    let dims = centroid.len();
    let square = || {
        let mut square = 0.0;
        for at in (0..dims).step_by(LANES) {
            for value in values.eight(at, dims) {
                square += value * value;
            }
        }
        square
    };
    let Some(size) = size_of_sum(metric, dims, weight, square) else {
        return false;
    };
    let mut changed = false;
    for (number, centroid) in centroid.chunks_mut(LANES).enumerate() {
        let values = values.eight(number * LANES, dims);
        let means = values.map(|value| (value / size) as f32);
        for (centroid, mean) in centroid.iter_mut().zip(means) {
            changed |= *centroid != mean;
            *centroid = mean;
        }
    }
    changed
}

/// What the sum of rows that weigh `weight` is divided by to be a centroid: their
/// weight, or with cosine its length, given by its square. `None` where they cancel
/// out.
pub(crate) fn size_of_sum(
    metric: Metric,
    dims: usize,
    weight: f64,
    square: impl FnOnce() -> f64,
) -> Option<f64> {
    match metric {
        Metric::Euclidean => Some(weight),
        Metric::Cosine => {
            let length = square().sqrt();
            let cancelled = CANCELLED * (dims as f64).sqrt();
            (length > cancelled * weight).then_some(length)
        }
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
        if points.reads_sparse() {
            const BLOCK: usize = 256;
            for members in members.chunks(BLOCK) {
                let rows = points.select(members);
                rows.read_sparse(0..members.len(), &mut self.sparse)?;
                columns::add_sparse(grid, sum, self.sparse.rows(), sign);
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
    totals.write_centroids(centroids);
    Ok(())
}
