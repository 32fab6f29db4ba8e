//! The update step: centroids from what the members of each cluster add up to.
//!
//! Sums are float64 and run over a cluster's members in ascending order, in
//! segments whose borders depend on the member's rank alone; so the bits do
//! not depend on the number of threads.

use crate::allocate::try_vec;
use crate::clusters::Clusters;
use crate::error::Result;
use crate::metric::Metric;
use crate::nearest::{Row, UNASSIGNED, Visit, accumulate, squared_distance};
use crate::points::Points;
use crate::threads::Threads;

/// Members per segment.
const SEGMENT: usize = 2048;

/// Rows of a cluster lie anywhere: they are fetched this many ahead.
const AHEAD: usize = 3;

/// What the members of each cluster add up to.
///
/// Rows are taken relative to an origin near the data, so that an offset
/// common to all rows costs no precision; with cosine they are taken as unit
/// vectors, and the origin is zero.
#[derive(Clone)]
pub(crate) struct Totals {
    metric: Metric,
    /// dims values.
    origin: Vec<f32>,
    /// n_clusters × dims.
    pub sums: Vec<f64>,
    pub counts: Vec<usize>,
}

impl Totals {
    /// Of empty clusters. `centroids` (n_clusters × cols) tell where the data is.
    pub fn new(metric: Metric, centroids: &[f32], dims: usize) -> Result<Self> {
        let n_clusters = centroids.len() / dims;
        let mut origin = try_vec(0.0f32, dims, "origin")?;
        if metric == Metric::Euclidean {
            for (t, origin) in origin.iter_mut().enumerate() {
                let column = centroids[t..].iter().step_by(dims);
                *origin = (column.map(|&c| f64::from(c)).sum::<f64>() / n_clusters as f64) as f32;
            }
        }
        Ok(Totals {
            metric,
            origin,
            sums: try_vec(0.0, centroids.len(), "centroid sums")?,
            counts: try_vec(0, n_clusters, "cluster sizes")?,
        })
    }

    pub fn dims(&self) -> usize {
        self.origin.len()
    }

    pub fn sum(&self, cluster: usize) -> &[f64] {
        &self.sums[cluster * self.dims()..][..self.dims()]
    }

    /// Adds every row that `clusters` lists to its cluster, or takes it away.
    /// Returns the largest magnitude among each cluster's rows.
    pub fn add(
        &mut self,
        points: &Points<'_>,
        clusters: &Clusters,
        sign: Sign,
        threads: &Threads<'_>,
    ) -> Result<Vec<f32>> {
        let dims = self.dims();
        let extra: usize = (0..clusters.n_clusters())
            .map(|j| clusters.size(j).div_ceil(SEGMENT).saturating_sub(1))
            .sum();
        let mut largest = try_vec(0.0f32, clusters.n_clusters() + extra, "largest values")?;
        let mut extra_sums = try_vec(0.0f64, extra * dims, "centroid sums")?;

        // A cluster's first segment goes to its sum at once, further ones
        // to sums of their own that are added in order.
        let (largest_first, largest_extra) = largest.split_at_mut(clusters.n_clusters());
        let mut first = self.sums.chunks_exact_mut(dims).zip(largest_first);
        let mut further = extra_sums.chunks_exact_mut(dims).zip(largest_extra);
        let mut jobs = Vec::with_capacity(clusters.n_clusters() + extra);
        for j in 0..clusters.n_clusters() {
            let mut out = first.next();
            for members in clusters.members(j).chunks(SEGMENT) {
                jobs.push((members, out.take().or_else(|| further.next())));
            }
        }
        let group = jobs.len().div_ceil(64 * threads.count()).max(1);
        let (metric, origin) = (self.metric, &self.origin);
        threads.run(jobs.chunks_mut(group), Vec::new, |scratch, jobs| {
            for (members, out) in jobs {
                let Some((sum, largest)) = out else { continue };
                for (at, &i) in members.iter().enumerate() {
                    if let Some(&next) = members.get(at + AHEAD) {
                        points.prefetch(next as usize);
                    }
                    let values = points.row(i as usize, scratch)?;
                    **largest = largest.max(add_row(values, metric, origin, sign, sum));
                }
            }
            Ok(())
        })?;

        let mut further = extra_sums
            .chunks_exact(dims)
            .zip(&largest[clusters.n_clusters()..]);
        let mut found = largest[..clusters.n_clusters()].to_vec();
        for (j, sum) in self.sums.chunks_exact_mut(dims).enumerate() {
            let segments = clusters.size(j).div_ceil(SEGMENT);
            for (part, &largest) in further.by_ref().take(segments.saturating_sub(1)) {
                add_to(sum, part);
                found[j] = found[j].max(largest);
            }
            match sign {
                Sign::Plus => self.counts[j] += clusters.size(j),
                Sign::Minus => self.counts[j] -= clusters.size(j),
            }
        }
        Ok(found)
    }

    /// Makes the changes, in order. Adds to `drift` what rounding may have
    /// done to each sum: with m rows, none larger than x, at most m·m·x units
    /// when they were added up, and m·x and the sum's own size now.
    pub fn apply(&mut self, changes: &[Changes], drift: &mut [f64]) {
        let dims = self.dims();
        for (j, sum) in self.sums.chunks_exact_mut(dims).enumerate() {
            for part in changes.iter().filter(|part| part.moved[j] > 0) {
                let (moved, largest) = (part.moved[j] as f64, f64::from(part.largest[j]));
                let size = sum.iter().fold(0.0, |size: f64, v| size.max(v.abs()));
                drift[j] += f64::EPSILON * (size + (moved + 1.0) * moved * largest);
                add_to(sum, &part.sums[j * dims..][..dims]);
                self.counts[j] = self.counts[j].wrapping_add_signed(part.counts[j]);
            }
        }
    }

    /// Adds `count` rows that add up to `sum`, as they are, to a cluster.
    pub fn add_sum(&mut self, cluster: usize, sum: &[f64], count: usize) {
        let dims = self.dims();
        let total = &mut self.sums[cluster * dims..][..dims];
        for ((total, &sum), &origin) in total.iter_mut().zip(sum).zip(&self.origin) {
            *total += sum - count as f64 * f64::from(origin);
        }
        self.counts[cluster] += count;
    }

    /// The largest magnitude in a cluster's sum.
    pub fn norm(&self, cluster: usize) -> f64 {
        self.sum(cluster)
            .iter()
            .fold(0.0, |norm, v| v.abs().max(norm))
    }

    /// Empties a cluster.
    pub fn clear(&mut self, cluster: usize) {
        let dims = self.dims();
        self.sums[cluster * dims..][..dims].fill(0.0);
        self.counts[cluster] = 0;
    }

    /// Writes the mean of every cluster to `centroids` (n_clusters × dims);
    /// with cosine, the direction of the sum of its unit rows. A cluster that
    /// is empty, or whose unit rows cancel out, keeps the centroid it has.
    /// Returns whether any value changed.
    pub fn write_centroids(&self, centroids: &mut [f32]) -> bool {
        let dims = self.dims();
        let mut changed = false;
        for (j, centroid) in centroids.chunks_exact_mut(dims).enumerate() {
            let (sum, count) = (self.sum(j), self.counts[j] as f64);
            let scale = match self.metric {
                _ if count == 0.0 => continue,
                Metric::Euclidean => 1.0 / count,
                Metric::Cosine => {
                    let norm = sum.iter().map(|v| v * v).sum::<f64>().sqrt();
                    if norm <= f64::EPSILON * count {
                        continue;
                    }
                    1.0 / norm
                }
            };
            for ((centroid, &sum), &origin) in centroid.iter_mut().zip(sum).zip(&self.origin) {
                let value = (f64::from(origin) + sum * scale) as f32;
                changed |= *centroid != value;
                *centroid = value;
            }
        }
        changed
    }

    /// What [`inertia`](Self::inertia) needs to know of the rows: Σ‖x‖² about
    /// the origin, or with cosine their number. One pass over the data.
    pub fn spread(&self, points: &Points<'_>, threads: &Threads<'_>) -> Result<f64> {
        if self.metric == Metric::Cosine {
            return Ok(points.rows() as f64);
        }
        let mut parts = try_vec(0.0, points.rows().div_ceil(SEGMENT), "sums of squares")?;
        threads.run_long(
            parts.iter_mut().enumerate(),
            Vec::new,
            |scratch, (task, part), poll| {
                let first = task * SEGMENT;
                let rows = first..points.rows().min(first + SEGMENT);
                points.in_blocks(rows, scratch, poll, |_, block| {
                    let rows = block.chunks_exact(self.dims());
                    let squares = rows.map(|row| squared_distance(row, &self.origin));
                    *part = squares.fold(*part, |sum, square| sum + square);
                    Ok(())
                })
            },
        )?;
        Ok(parts.iter().sum())
    }

    /// The sum of distances between all rows and their clusters' centroids,
    /// from sums alone: Σ‖x−c‖² = Σ‖x‖² − Σⱼ (2 cⱼ·sⱼ − nⱼ‖cⱼ‖²), and with
    /// cosine Σ 1 − cⱼ·sⱼ / ‖cⱼ‖. `spread` is Σ‖x‖² about the origin. What cancels
    /// out is lost: the absolute error is a 10⁻¹⁰th of `spread` at most, and
    /// commonly a 10⁻¹⁴th.
    pub fn inertia(&self, centroids: &[f32], spread: f64) -> f64 {
        let mut gain = 0.0;
        for (j, centroid) in centroids.chunks_exact(self.dims()).enumerate() {
            let (mut product, mut square) = (0.0, 0.0);
            for ((&c, &sum), &origin) in centroid.iter().zip(self.sum(j)).zip(&self.origin) {
                let c = f64::from(c) - f64::from(origin);
                product += c * sum;
                square += c * c;
            }
            gain += match self.metric {
                Metric::Euclidean => 2.0 * product - self.counts[j] as f64 * square,
                Metric::Cosine if square > 0.0 => product / square.sqrt(),
                Metric::Cosine => 0.0,
            };
        }
        spread - gain
    }
}

/// What clusters gain and lose among some of the rows.
pub(crate) struct Changes {
    metric: Metric,
    origin: Vec<f32>,
    /// n_clusters × dims; meaningless where nothing moved.
    sums: Vec<f64>,
    counts: Vec<isize>,
    /// Rows that were added or taken away.
    moved: Vec<usize>,
    largest: Vec<f32>,
}

impl Changes {
    /// None yet, of the clusters that `totals` are of.
    pub fn new(totals: &Totals) -> Result<Self> {
        let n_clusters = totals.counts.len();
        Ok(Changes {
            metric: totals.metric,
            origin: totals.origin.clone(),
            sums: try_vec(0.0, totals.sums.len(), "centroid sums")?,
            counts: try_vec(0, n_clusters, "cluster sizes")?,
            moved: try_vec(0, n_clusters, "cluster sizes")?,
            largest: try_vec(0.0, n_clusters, "largest values")?,
        })
    }

    pub fn clear(&mut self) {
        self.moved.fill(0);
    }

    /// Adds the rows whose label changed; with `anew`, all rows as if they had
    /// had none.
    pub fn see(&mut self, visit: &Visit<'_>, anew: bool) {
        let rows = visit.block.chunks_exact(self.origin.len());
        for ((values, &from), &to) in rows.zip(visit.before).zip(visit.labels) {
            if anew || from == UNASSIGNED {
                self.add(values, to, Sign::Plus);
            } else if from != to {
                self.add(values, from, Sign::Minus);
                self.add(values, to, Sign::Plus);
            }
        }
    }

    pub fn add(&mut self, values: &[f32], cluster: u32, sign: Sign) {
        let (j, dims) = (cluster as usize, self.origin.len());
        let sum = &mut self.sums[j * dims..][..dims];
        if self.moved[j] == 0 {
            sum.fill(0.0);
            (self.counts[j], self.largest[j]) = (0, 0.0);
        }
        let largest = add_row(values, self.metric, &self.origin, sign, sum);
        self.largest[j] = largest.max(self.largest[j]);
        self.moved[j] += 1;
        self.counts[j] += match sign {
            Sign::Plus => 1,
            Sign::Minus => -1,
        };
    }
}

/// Whether rows join a cluster or leave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sign {
    Plus,
    Minus,
}

/// Writes the mean of every non-empty cluster to `centroids`: see
/// [`Totals::write_centroids`].
pub(crate) fn update_centroids(
    points: &Points<'_>,
    metric: Metric,
    clusters: &Clusters,
    threads: &Threads<'_>,
    centroids: &mut [f32],
) -> Result<()> {
    let mut totals = Totals::new(metric, centroids, points.cols())?;
    totals.add(points, clusters, Sign::Plus, threads)?;
    totals.write_centroids(centroids);
    Ok(())
}

/// Returns the largest magnitude that was added.
fn add_row(values: &[f32], metric: Metric, origin: &[f32], sign: Sign, sum: &mut [f64]) -> f32 {
    let sign = match sign {
        Sign::Plus => 1.0,
        Sign::Minus => -1.0,
    };
    match metric {
        Metric::Euclidean => accumulate(sum, values, origin, sign),
        Metric::Cosine => {
            let scale = sign * Row::new(values, metric).inverse_norm();
            accumulate(sum, values, origin, scale);
            1.0
        }
    }
}

fn add_to(sum: &mut [f64], part: &[f64]) {
    for (sum, part) in sum.iter_mut().zip(part) {
        *sum += *part;
    }
}
