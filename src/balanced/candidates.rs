//! What it costs to put a row into a cluster, and the few cheapest clusters
//! of every row.

use crate::allocate::{collect, extend};
use crate::config::Config;
use crate::error::{KMeansError, Result};
use crate::kernels::exact::inverse_norm;
use crate::metric::Metric;
use crate::nearest::{AnyRow, Centroids, Nearest, Request, Row, RowScratch, Shared};
use crate::owned::TryArc;
use crate::points::Points;
use crate::threads::Threads;

/// Rows per task.
const TASK_ROWS: usize = 1024;

/// Clusters of each row that are looked at before all others.
const WIDTH: usize = 4;

/// The cost of every row in every cluster: its weight times the metric's distance,
/// or with medoids its root, so that Euclidean distances are not squared.
#[derive(Clone)]
pub(super) struct Costs<'a> {
    pub points: &'a Points<'a>,
    pub metric: Metric,
    pub centroids: Centroids<'a>,
    pub root: bool,
    pub shared: Shared,
    /// With cosine, 1 / ‖c‖ of every centroid.
    pub inverse_norms: Option<TryArc<Vec<f64>>>,
}

/// Whether costs are distances that are not squared.
pub(crate) fn takes_roots(config: &Config) -> bool {
    config.use_medoids && config.metric == Metric::Euclidean
}

impl<'a> Costs<'a> {
    pub fn new<'p: 'a>(
        nearest: &Nearest<'p>,
        centroids: &'a [f32],
        config: &Config,
    ) -> Result<Self> {
        let (points, metric) = (nearest.points(), nearest.metric());
        let mut inverse_norms = None;
        if metric == Metric::Cosine {
            let norms = centroids.chunks_exact(points.cols()).map(inverse_norm);
            let norms = collect(norms, "norms of centroids")?;
            inverse_norms = Some(TryArc::new(norms, "norms of centroids")?);
        }
        Ok(Costs {
            points,
            metric,
            centroids: Centroids::new(centroids, points.cols()),
            root: takes_roots(config),
            shared: nearest.shared(),
            inverse_norms,
        })
    }

    pub fn clusters(&self) -> usize {
        self.centroids.len()
    }

    /// The costs of one row in all clusters.
    pub fn of_row(&self, row: usize, scratch: &mut RowScratch, costs: &mut Vec<f64>) -> Result<()> {
        let weight = self.points.weight(row);
        let row = scratch.row(self.points, row, self.metric)?;
        costs.clear();
        let all = (0..self.clusters()).map(|j| weight * self.unweighted(&row, j));
        extend(costs, all, "costs of a row")
    }

    /// The cost of one row in one cluster.
    pub fn of(&self, row: usize, cluster: usize, scratch: &mut RowScratch) -> Result<f64> {
        let weight = self.points.weight(row);
        let row = scratch.row(self.points, row, self.metric)?;
        Ok(weight * self.unweighted(&row, cluster))
    }

    /// The costs of all rows in one cluster.
    pub fn of_cluster(&self, cluster: usize, threads: &Threads<'_>, out: &mut [f64]) -> Result<()> {
        let tasks = out.chunks_mut(TASK_ROWS).enumerate();
        threads.run(tasks, RowScratch::default, |scratch, (task, out)| {
            for (row, out) in (task * TASK_ROWS..).zip(out) {
                *out = self.of(row, cluster, scratch)?;
            }
            Ok(())
        })
    }

    fn unweighted(&self, row: &AnyRow<'_>, cluster: usize) -> f64 {
        let inverse_norm = match &self.inverse_norms {
            Some(norms) => norms[cluster],
            None => 1.0,
        };
        let place = Row::with_norm(self.centroids.row(cluster), self.metric, inverse_norm);
        let distance = row.distance_to(&place);
        if self.root { distance.sqrt() } else { distance }
    }
}

/// Costs that no fixed data has.
pub(super) fn data_changed() -> KMeansError {
    KMeansError::InvalidData(
        "it changed while it was being clustered; let nothing write to it until the call \
         returns, or pass a copy"
            .into(),
    )
}

/// For every row, `width` clusters with their costs, and a bound on all other
/// clusters.
pub(super) struct Candidates {
    pub(super) width: usize,
    pub(super) clusters: Vec<u32>,
    pub(super) costs: Vec<f64>,
    /// Every cluster that is not a candidate of the row has at least this
    /// cost plus price.
    pub(super) beyond: Vec<f64>,
}

/// [`Candidates`] of rows from `first` on.
pub(super) struct Part<'c> {
    first: usize,
    width: usize,
    clusters: &'c mut [u32],
    costs: &'c mut [f64],
    beyond: &'c mut [f64],
}

impl<'c> Part<'c> {
    /// Each row with its clusters, their costs and its bound.
    pub fn rows(self) -> impl Iterator<Item = (usize, &'c mut [u32], &'c mut [f64], &'c mut f64)> {
        let clusters = self.clusters.chunks_exact_mut(self.width);
        let costs = self.costs.chunks_exact_mut(self.width);
        let rows = clusters.zip(costs).zip(self.beyond).enumerate();
        rows.map(move |(i, ((clusters, costs), beyond))| (self.first + i, clusters, costs, beyond))
    }
}

impl Candidates {
    pub fn new(rows: usize, clusters: usize, threads: &Threads<'_>) -> Result<Self> {
        let width = WIDTH.min(clusters);
        Ok(Candidates {
            width,
            clusters: threads.try_vec(0, rows * width, "candidate clusters")?,
            costs: threads.try_vec(0.0, rows * width, "candidate costs")?,
            beyond: threads.try_vec(f64::INFINITY, rows, "candidate bounds")?,
        })
    }

    /// All rows, a task's at a time.
    pub(super) fn parts(&mut self) -> impl ExactSizeIterator<Item = Part<'_>> {
        let width = self.width;
        self.clusters
            .chunks_mut(TASK_ROWS * width)
            .zip(self.costs.chunks_mut(TASK_ROWS * width))
            .zip(self.beyond.chunks_mut(TASK_ROWS))
            .enumerate()
            .map(move |(task, ((clusters, costs), beyond))| Part {
                first: task * TASK_ROWS,
                width,
                clusters,
                costs,
                beyond,
            })
    }

    /// The candidates of a row: (cluster, cost).
    pub fn of_row(&self, row: usize) -> impl Iterator<Item = (u32, f64)> + '_ {
        let range = row * self.width..(row + 1) * self.width;
        let clusters = self.clusters[range.clone()].iter().copied();
        clusters.zip(self.costs[range].iter().copied())
    }

    pub fn beyond(&self, row: usize) -> f64 {
        self.beyond[row]
    }

    /// Takes the `width` cheapest clusters of every row under `prices`.
    pub fn fill(
        &mut self,
        nearest: &mut Nearest<'_>,
        costs: &Costs<'_>,
        prices: &[f64],
        threads: &Threads<'_>,
    ) -> Result<()> {
        if costs.points.is_weighted() && !costs.root {
            return self.fill_weighted(costs, prices, threads);
        }
        let (clusters, values) = (&mut self.clusters, &mut self.costs);
        let centroids = match costs.root {
            true => costs.centroids,
            false => costs.centroids.with_bias(prices),
        };
        let request = Request::few(centroids, self.width, clusters, Some(values));
        nearest.search(request, threads)?;
        let least_price = prices.iter().copied().fold(f64::INFINITY, f64::min);
        let complete = self.width == costs.clusters();
        let width = self.width;
        threads.run(
            self.parts(),
            || (),
            |(), part| {
                for (row, clusters, values, beyond) in part.rows() {
                    let (last, weight) = (values[width - 1], costs.points.weight(row));
                    *beyond = match (complete, costs.root) {
                        (true, _) => f64::INFINITY,
                        (false, true) => weight * last.sqrt() + least_price,
                        (false, false) => last,
                    };
                    for (value, &mut cluster) in values.iter_mut().zip(clusters) {
                        let price = prices.get(cluster as usize).ok_or_else(data_changed)?;
                        *value = match costs.root {
                            true => weight * value.sqrt(),
                            false => *value - price,
                        };
                    }
                }
                Ok(())
            },
        )
    }

    /// Writes the cheapest candidate of every row under `prices` to `labels`,
    /// equals by index, its cost to `costs`, and by how much any other cluster
    /// is dearer, at least, to `margins`.
    pub fn choose(
        &self,
        prices: &[f64],
        threads: &Threads<'_>,
        labels: &mut [u32],
        costs: &mut [f64],
        margins: &mut [f64],
    ) -> Result<()> {
        let tasks = labels
            .chunks_mut(TASK_ROWS)
            .zip(costs.chunks_mut(TASK_ROWS))
            .zip(margins.chunks_mut(TASK_ROWS))
            .enumerate();
        threads.run(
            tasks,
            || (),
            |(), (task, ((labels, costs), margins))| {
                let rows = task * TASK_ROWS..;
                let outputs = labels.iter_mut().zip(costs).zip(margins);
                for (row, ((label, cost), margin)) in rows.zip(outputs) {
                    let mut best = (f64::INFINITY, u32::MAX, 0.0);
                    let mut second = self.beyond[row];
                    for (cluster, cost) in self.of_row(row) {
                        let value = cost + prices[cluster as usize];
                        if (value, cluster) < (best.0, best.1) {
                            second = best.0;
                            best = (value, cluster, cost);
                        } else if value < second {
                            second = value;
                        }
                    }
                    if best.1 == u32::MAX {
                        return Err(data_changed()); // no cost is a number
                    }
                    *label = best.1;
                    *cost = best.2;
                    *margin = (second - best.0).max(0.0);
                }
                Ok(())
            },
        )
    }

    /// Tells that no price has fallen by more than `fall` since the bounds
    /// were set (negative: all have risen by at least that much).
    pub fn prices_fell(&mut self, fall: f64) {
        for beyond in &mut self.beyond {
            *beyond -= fall;
        }
    }

    /// Rows that may have a cheaper cluster than `labels` says, beyond their
    /// candidates; ascending.
    pub fn doubtful(
        &self,
        prices: &[f64],
        labels: &[u32],
        own: &[f64],
        threads: &Threads<'_>,
    ) -> Result<Vec<u32>> {
        let is_doubtful = |&row: &usize| own[row] + prices[labels[row] as usize] > self.beyond[row];
        let mut found = Vec::new();
        threads.in_steps(labels.len(), |rows| {
            let rows = rows.filter(is_doubtful).map(|row| row as u32);
            extend(&mut found, rows, "rows to look at")
        })?;
        Ok(found)
    }

    /// The candidates of some rows under `prices`.
    pub fn of_rows(
        rows: &[u32],
        costs: &Costs<'_>,
        prices: &[f64],
        threads: &Threads<'_>,
    ) -> Result<Self> {
        let points = costs.points.select(rows);
        let costs = Costs {
            points: &points,
            ..costs.clone()
        };
        let mut found = Candidates::new(rows.len(), costs.clusters(), threads)?;
        if costs.root {
            found.rank_all(&costs, prices, threads)?;
        } else {
            let mut nearest = costs.shared.nearest(&points, 1);
            found.fill(&mut nearest, &costs, prices, threads)?;
        }
        Ok(found)
    }

    /// [`fill`](Self::fill) for one row, by its costs in all clusters.
    pub(super) fn rank(&mut self, row: usize, costs: &[f64], prices: &[f64]) -> Result<()> {
        let range = row * self.width..(row + 1) * self.width;
        let mut ranked = collect(0..costs.len() as u32, "clusters of a row")?;
        let out = (&mut self.clusters[range.clone()], &mut self.costs[range]);
        self.beyond[row] = keep_cheapest(costs, prices, &mut ranked, out);
        Ok(())
    }

    /// [`fill`](Self::fill) by all costs of every row.
    pub(super) fn rank_all(
        &mut self,
        costs: &Costs<'_>,
        prices: &[f64],
        threads: &Threads<'_>,
    ) -> Result<()> {
        threads.run_long(
            self.parts(),
            || (RowScratch::default(), Vec::new(), Vec::new()),
            |(scratch, of_row, ranked), part, poll| {
                for (row, clusters, values, beyond) in part.rows() {
                    costs.of_row(row, scratch, of_row)?;
                    ranked.clear();
                    extend(ranked, 0..of_row.len() as u32, "clusters of a row")?;
                    *beyond = keep_cheapest(of_row, prices, ranked, (clusters, values));
                    poll()?;
                }
                Ok(())
            },
        )
    }

    /// Makes a cluster, with these costs, a candidate of all rows to which it
    /// is cheaper than their dearest candidate; mends the bounds of others.
    pub fn offer(
        &mut self,
        cluster: u32,
        costs: &[f64],
        prices: &[f64],
        threads: &Threads<'_>,
    ) -> Result<()> {
        let priced = |j: u32, cost: f64| cost + prices[j as usize];
        threads.run(
            self.parts(),
            || (),
            |(), part| {
                for (row, clusters, values, beyond) in part.rows() {
                    let cost = costs[row];
                    let value = priced(cluster, cost);
                    if value >= *beyond || clusters.contains(&cluster) {
                        continue;
                    }
                    let dearest = (0..clusters.len())
                        .map(|slot| (priced(clusters[slot], values[slot]), slot))
                        .fold((f64::NEG_INFINITY, 0), |a, b| if b.0 > a.0 { b } else { a });
                    *beyond = beyond.min(value.max(dearest.0));
                    if value < dearest.0 {
                        (clusters[dearest.1], values[dearest.1]) = (cluster, cost);
                    }
                }
            },
        )
    }

    /// Takes over what `found` has for a row; its bound is to hold with `rise`
    /// added.
    pub fn replace(&mut self, row: u32, found: &Candidates, number: usize, rise: f64) {
        let (from, to) = (number * self.width, row as usize * self.width);
        let (from, to) = (from..from + self.width, to..to + self.width);
        self.clusters[to.clone()].copy_from_slice(&found.clusters[from.clone()]);
        self.costs[to].copy_from_slice(&found.costs[from]);
        self.beyond[row as usize] = found.beyond[number] - rise;
    }

    /// Lets a row have what an equal one has.
    pub fn copy(&mut self, from: u32, to: u32) {
        let (from, to) = (from as usize, to as usize);
        let range = from * self.width..(from + 1) * self.width;
        self.clusters.copy_within(range.clone(), to * self.width);
        self.costs.copy_within(range, to * self.width);
        self.beyond[to] = self.beyond[from];
    }

    /// Replaces a row's bound, by infinity where all clusters are known.
    pub fn set_beyond(&mut self, row: usize, beyond: f64) {
        self.beyond[row] = beyond;
    }
}

/// Writes the cheapest clusters under `prices`, in order, and their costs;
/// returns what all others cost at least, price included. `ranked` names all
/// clusters, and is left in any state.
fn keep_cheapest(
    costs: &[f64],
    prices: &[f64],
    ranked: &mut Vec<u32>,
    (clusters, values): (&mut [u32], &mut [f64]),
) -> f64 {
    let priced = |j: u32| costs[j as usize] + prices[j as usize];
    let order = |&a: &u32, &b: &u32| priced(a).total_cmp(&priced(b)).then(a.cmp(&b));
    let mut beyond = f64::INFINITY;
    if clusters.len() < ranked.len() {
        ranked.select_nth_unstable_by(clusters.len() - 1, order);
        ranked.truncate(clusters.len());
        beyond = priced(ranked[clusters.len() - 1]);
    }
    ranked.sort_unstable_by(order);
    for ((slot, value), &mut cluster) in clusters.iter_mut().zip(values).zip(ranked) {
        *slot = cluster;
        *value = costs[cluster as usize];
    }
    beyond
}
