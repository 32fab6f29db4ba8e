//! Sparse rows cluster by cluster: the means of their clusters, and how far they are
//! from these.

use crate::allocate::{collect, push, try_vec, with_capacity};
use crate::clusters::Clusters;
use crate::error::Result;
use crate::kernels::exact_sparse::{Vector, inverse_of_root};
use crate::metric::Metric;
use crate::nearest::sparse::{SparseCentroids, Vectors};
use crate::owned::TryArc;
use crate::points::{Points, SparseRows};
use crate::threads::{Poll, Threads};
use crate::totals::{ExactSum, Grid, SparseSum, size_of_sum};
use std::ops::Range;

/// Parts of the clusters, of about as many rows each: so many, or where there are many
/// threads four for each.
const PARTS: usize = 64;

/// Rows that are measured in a task.
const TASK_ROWS: usize = 4096;

/// What memory is for.
const PURPOSE: &str = "sums of sparse rows";

/// ‖x‖² − 2x·c + ‖c‖² below this part of its terms is computed as ‖x − c‖².
const CANCELLED: f64 = 1e-6;

/// Rows of which it is known which cluster they are in.
pub(super) struct RowsByCluster<'r> {
    pub points: &'r Points<'r>,
    pub grid: &'r Grid,
    /// Σ x².
    pub squares: &'r [f64],
    pub clusters: &'r Clusters,
    /// Where they are, or were.
    pub centroids: &'r SparseCentroids,
}

/// Where clusters are to be.
pub(super) struct Means {
    pub vectors: TryArc<Vectors>,
    /// How much the sum of distances is less than that to 0, if that was wanted: Σ 2 c·s −
    /// w‖c‖² for centroids c and sums s of rows that weigh w, with cosine Σ c·s / ‖c‖.
    pub gain: f64,
}

/// Of which centroids the [gain](Means::gain) is wanted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Gain {
    None,
    /// Where they are, or were.
    Before,
    /// The means.
    After,
}

/// A worker's buffers.
#[derive(Default)]
struct Scratch {
    rows: SparseRows,
    sum: Option<SparseSum>,
    /// Of a cluster, each column and its sum.
    sums: Vec<(u32, f64)>,
}

/// A part of the clusters, and what it comes to.
struct Part {
    clusters: Range<usize>,
    /// Of its clusters that are large, what they add up to.
    large: Vec<SparseSum>,
    vectors: Option<Vectors>,
    gain: ExactSum,
}

impl RowsByCluster<'_> {
    /// The means of all clusters. One that is empty, or whose unit rows cancel out,
    /// stays where it is.
    pub fn means(&self, gain: Gain, threads: &Threads<'_>) -> Result<Means> {
        // A larger cluster would keep one thread busy while others wait.
        let most = match threads.count() {
            1 => usize::MAX,
            count => (self.clusters.members.len() / (2 * count)).max(TASK_ROWS),
        };
        let mut parts = self.parts(threads)?;
        for part in &mut parts {
            for j in part.clusters.clone() {
                if self.clusters.size(j) > most {
                    let sum = self.sum_of_large(j, threads)?;
                    push(&mut part.large, sum, PURPOSE)?;
                }
            }
        }
        threads.run_long(parts.iter_mut(), Scratch::default, |scratch, part, poll| {
            let Scratch { rows, sum, sums } = scratch;
            let own = match sum {
                Some(sum) => sum,
                none => none.insert(SparseSum::new(self.grid)?),
            };
            let mut large = std::mem::take(&mut part.large).into_iter();
            let mut vectors = Vectors::none(part.clusters.len())?;
            vectors.reserve_as(self.centroids.vectors(), part.clusters.clone())?;
            for j in part.clusters.clone() {
                let mut of_large = match self.clusters.size(j) > most {
                    true => large.next(),
                    false => None,
                };
                let sum = match &mut of_large {
                    Some(sum) => sum,
                    None => {
                        self.add_rows(self.clusters.members(j), own, (rows, poll))?;
                        &mut *own
                    }
                };
                if gain == Gain::Before {
                    part.gain.add(self.gain(j as u32, sum));
                }
                let gained = self.write_mean(j as u32, (sum, sums), &mut vectors, gain)?;
                part.gain.add(gained);
            }
            part.vectors = Some(vectors);
            Ok(())
        })?;
        let mut gained = ExactSum::default();
        parts.iter().for_each(|part| gained.merge(&part.gain));
        let mut parts = parts.into_iter().filter_map(|part| part.vectors);
        let mut vectors = match parts.next() {
            Some(first) => first,
            None => Vectors::none(0)?,
        };
        for part in parts {
            vectors.append(&part)?;
        }
        let vectors = vectors.finish(self.grid.metric())?;
        Ok(Means {
            vectors: TryArc::new(vectors, PURPOSE)?,
            gain: gained.value(),
        })
    }

    /// Parts of about as many rows.
    fn parts(&self, threads: &Threads<'_>) -> Result<Vec<Part>> {
        let (rows, k) = (self.clusters.members.len(), self.clusters.n_clusters());
        let count = if threads.count() == 1 {
            1
        } else {
            PARTS.max(4 * threads.count()).min(k)
        };
        let mut parts = with_capacity(count, PURPOSE)?;
        let mut first = 0;
        for part in 1..=count {
            let ends = &self.clusters.offsets;
            let end = ends.partition_point(|&end| end < rows * part / count);
            let end = if part == count {
                k
            } else {
                end.clamp(first, k)
            };
            parts.push(Part {
                clusters: first..end,
                large: Vec::new(),
                vectors: None,
                gain: ExactSum::default(),
            });
            first = end;
        }
        Ok(parts)
    }

    /// Adds up the rows of a large cluster on all threads.
    fn sum_of_large(&self, j: usize, threads: &Threads<'_>) -> Result<SparseSum> {
        let members = self.clusters.members(j);
        let step = members.len().div_ceil(threads.count());
        let mut sums = with_capacity(threads.count(), PURPOSE)?;
        for _ in 0..members.len().div_ceil(step) {
            sums.push(SparseSum::new(self.grid)?);
        }
        threads.run_long(
            members.chunks(step).zip(&mut sums),
            SparseRows::default,
            |rows, (members, sum), poll| self.add_rows(members, sum, (rows, poll)),
        )?;
        let mut sums = sums.into_iter();
        let mut all = match sums.next() {
            Some(first) => first,
            None => SparseSum::new(self.grid)?,
        };
        sums.for_each(|sum| all.merge(&sum));
        Ok(all)
    }

    fn add_rows(
        &self,
        members: &[u32],
        sum: &mut SparseSum,
        (rows, poll): (&mut SparseRows, Poll<'_>),
    ) -> Result<()> {
        self.points.each_sparse(members, rows, poll, |number, row| {
            let number = number as usize;
            let weight = self.points.weight(number);
            sum.add(self.grid, row, self.scale(number), weight);
            Ok(())
        })
    }

    /// 1 / ‖x‖ of a row, without cosine 1.
    #[inline]
    fn scale(&self, row: usize) -> f64 {
        match self.grid.metric() {
            Metric::Euclidean => 1.0,
            Metric::Cosine => inverse_of_root(self.squares[row]),
        }
    }

    /// What the rows of a cluster weigh.
    fn weight(&self, j: u32, sum: &SparseSum) -> f64 {
        match self.grid.is_weighted() {
            true => sum.read(self.grid, self.grid.dims()),
            false => self.clusters.size(j as usize) as f64,
        }
    }

    /// See [`Means::gain`].
    fn gain(&self, j: u32, sum: &SparseSum) -> f64 {
        let Vector { columns, values } = self.centroids.vectors().get(j);
        let numbers = columns.iter().zip(values);
        let products = numbers.map(|(&t, &c)| f64::from(c) * sum.read(self.grid, t as usize));
        self.gain_of(
            products.sum(),
            self.weight(j, sum),
            self.centroids.square(j),
        )
    }

    /// By c·s, w and ‖c‖².
    fn gain_of(&self, product: f64, weight: f64, square: f64) -> f64 {
        match self.grid.metric() {
            Metric::Euclidean => 2.0 * product - weight * square,
            Metric::Cosine => product * inverse_of_root(square),
        }
    }

    /// Writes where a cluster is to be, and empties its sum. Returns the gain if that is
    /// wanted of the means.
    fn write_mean(
        &self,
        j: u32,
        (sum, sums): (&mut SparseSum, &mut Vec<(u32, f64)>),
        vectors: &mut Vectors,
        gain: Gain,
    ) -> Result<f64> {
        let (grid, weight) = (self.grid, self.weight(j, sum));
        sums.clear();
        let mut square = 0.0;
        sum.take(grid, |column, sum| {
            if (column as usize) < grid.dims() {
                push(sums, (column, sum), PURPOSE)?;
                square += sum * sum;
            }
            Ok(())
        })?;
        let size = match weight > 0.0 {
            true => size_of_sum(grid.metric(), grid.dims(), weight, || square),
            false => None,
        };
        let (mut product, mut square) = (0.0, 0.0);
        let mut add = |value: f32, sum: f64| {
            let value = f64::from(value);
            product += value * sum;
            square += value * value;
        };
        match size {
            None => {
                let own = self.centroids.vectors().get(j);
                vectors.push_all(own)?;
                for (column, &value) in own.columns.iter().zip(own.values) {
                    let at = sums.binary_search_by_key(column, |&(column, _)| column);
                    add(value, at.map_or(0.0, |at| sums[at].1));
                }
            }
            Some(size) => {
                for &(column, sum) in &*sums {
                    let value = (sum / size) as f32;
                    vectors.push(column, value)?;
                    if gain == Gain::After {
                        add(value, sum);
                    }
                }
            }
        }
        vectors.end()?;
        match gain {
            Gain::After => Ok(self.gain_of(product, weight, square)),
            Gain::None | Gain::Before => Ok(0.0),
        }
    }

    /// The sum of distances of all rows to the centroids of their clusters, each times
    /// its weight.
    pub fn inertia(&self, threads: &Threads<'_>) -> Result<ExactSum> {
        let k = self.clusters.n_clusters();
        let parts = (0..k).flat_map(|j| {
            let members = self.clusters.members(j);
            members.chunks(TASK_ROWS).map(move |members| (j, members))
        });
        let parts = collect(parts, PURPOSE)?;
        let mut sums = try_vec(ExactSum::default(), parts.len(), PURPOSE)?;
        threads.run_long(
            parts.into_iter().zip(&mut sums),
            || (SparseRows::default(), Vec::new()),
            |(rows, centroid), ((j, members), sum), poll| {
                self.add_distances(j as u32, members, (rows, centroid, sum), poll)
            },
        )?;
        let mut all = ExactSum::default();
        sums.iter().for_each(|sum| all.merge(sum));
        Ok(all)
    }

    /// Adds the distances of some rows to the centroid of their cluster, each times its
    /// weight.
    fn add_distances(
        &self,
        j: u32,
        members: &[u32],
        (rows, centroid, sum): (&mut SparseRows, &mut Vec<f32>, &mut ExactSum),
        poll: Poll<'_>,
    ) -> Result<()> {
        let metric = self.centroids.metric();
        if centroid.is_empty() {
            *centroid = try_vec(0.0f32, self.points.cols(), PURPOSE)?;
        }
        let vectors = self.centroids.vectors();
        vectors.write(j, centroid);
        let centroid_square = self.centroids.square(j);
        self.points
            .each_sparse(members, rows, poll, |number, row| {
                let number = number as usize;
                let square = self.squares[number];
                let scale = self.scale(number);
                let mut product = 0.0;
                for (&column, &value) in row.columns.iter().zip(row.values) {
                    let c = f64::from(centroid[column as usize]);
                    product += f64::from(value) * scale * c;
                }
                let terms = square + centroid_square;
                let distance = match metric {
                    Metric::Cosine => 1.0 - product * inverse_of_root(centroid_square),
                    Metric::Euclidean if terms - 2.0 * product >= CANCELLED * terms => {
                        terms - 2.0 * product
                    }
                    Metric::Euclidean => vectors.canonical(metric, row, j),
                };
                match self.points.is_weighted() {
                    true => sum.add_product(self.points.weight(number), distance),
                    false => sum.add(distance),
                }
                Ok(())
            })?;
        vectors.erase(j, centroid);
        Ok(())
    }
}
