//! Which cluster every row is in, and what the clusters add up to: the state
//! of Lloyd's algorithm between two iterations.

use crate::allocate::{push, try_vec};
use crate::clusters::Clusters;
use crate::clusters::UNASSIGNED;
use crate::error::Result;
use crate::kernels::accumulate::Sign;
use crate::kernels::exact::squared_distance;
use crate::metric::Metric;
use crate::nearest::{Centroids, Nearest, Row, Visit};
use crate::points::Points;
use crate::threads::Threads;
use crate::totals::{Changes, ExactSum, Grid, Totals};
use std::sync::{Mutex, PoisonError};

/// Rows per task.
const TASK_ROWS: usize = 4096;

/// Sums of so many bytes fit into a core's cache, and rows are added as they
/// come; larger ones cluster by cluster.
const CACHED_BYTES: usize = 1 << 20;

pub(crate) struct Partition {
    /// In the order of the points; behind if only sorted rows know the labels.
    labels: Vec<u32>,
    behind: bool,
    totals: Totals,
    method: Method,
    /// A point amid the data, about which distances are summed.
    origin: Vec<f32>,
    /// Σ‖x − origin‖², or with cosine what all rows weigh; once it was needed.
    spread: Option<f64>,
}

/// How totals follow the labels.
enum Method {
    /// Row by row while they are assigned.
    Rows {
        workers: Workers,
        /// Whether the totals are not those of the labels.
        stale: bool,
    },
    /// Cluster by cluster, after all rows are assigned. Holds the labels that
    /// the totals stand for.
    Clusters { summed: Vec<u32> },
}

impl Partition {
    /// Of rows that are in no cluster yet.
    pub fn new(
        nearest: &mut Nearest<'_>,
        centroids: &[f32],
        threads: &Threads<'_>,
    ) -> Result<Self> {
        let n_clusters = centroids.len() / nearest.points().cols();
        nearest.sort_rows(n_clusters, threads)?;
        Self::unsorted(nearest, centroids, threads)
    }

    /// Of rows that are in no cluster yet, for searches with a bias: sorted
    /// rows have none.
    pub fn unsorted(
        nearest: &Nearest<'_>,
        centroids: &[f32],
        threads: &Threads<'_>,
    ) -> Result<Self> {
        let (points, metric) = (nearest.points(), nearest.metric());
        let (rows, dims) = (points.rows(), points.cols());
        let totals = Totals::new(nearest.grid(threads)?, centroids.len() / dims)?;
        let method = match totals.bytes() <= CACHED_BYTES {
            true => Method::Rows {
                workers: Workers(Vec::new()),
                stale: false,
            },
            false => Method::Clusters {
                summed: try_vec(UNASSIGNED, rows, "labels")?,
            },
        };
        Ok(Partition {
            labels: try_vec(UNASSIGNED, rows, "labels")?,
            behind: false,
            totals,
            method,
            origin: match metric {
                Metric::Euclidean => mean(centroids, dims)?,
                Metric::Cosine => try_vec(0.0, dims, "origin")?,
            },
            spread: None,
        })
    }

    pub fn totals(&self) -> &Totals {
        &self.totals
    }

    /// In the order of the points.
    pub fn labels(&mut self, nearest: &Nearest<'_>, threads: &Threads<'_>) -> Result<&[u32]> {
        if self.behind
            && let Some(sorted) = nearest.sorted()
        {
            sorted.write_labels(&mut self.labels, threads)?;
            self.behind = false;
        }
        Ok(&self.labels)
    }

    pub fn into_labels(mut self, nearest: &Nearest<'_>, threads: &Threads<'_>) -> Result<Vec<u32>> {
        self.labels(nearest, threads)?;
        Ok(self.labels)
    }

    /// Assigns every row to its nearest centroid, and makes the totals follow.
    /// Returns how many rows changed.
    pub fn assign(
        &mut self,
        nearest: &mut Nearest<'_>,
        centroids: &[f32],
        threads: &Threads<'_>,
    ) -> Result<usize> {
        let centroids = Centroids::new(centroids, self.origin.len());
        let (labels, totals) = (&mut self.labels, &mut self.totals);
        let Some(pass) = nearest.assign_sorted(centroids, threads, labels, totals)? else {
            return self.assign_unsorted(nearest, centroids, threads);
        };
        self.behind = !pass.wrote_labels;
        if pass.wrote_labels {
            self.method.note(&self.labels);
        }
        Ok(pass.changed)
    }

    /// [`assign`](Self::assign) for rows that are not sorted.
    pub fn assign_unsorted(
        &mut self,
        nearest: &mut Nearest<'_>,
        centroids: Centroids<'_>,
        threads: &Threads<'_>,
    ) -> Result<usize> {
        match &mut self.method {
            Method::Rows { workers, stale } => {
                workers.ready(threads.count(), &self.totals)?;
                let anew = std::mem::take(stale);
                let (labels, grid) = (&mut self.labels, self.totals.grid());
                let points = nearest.points();
                let mut none = Vec::new();
                let visitors = (TASK_ROWS, &mut none, || Ok(()));
                let see = |_: &mut (), visit: Visit<'_>| {
                    workers.with(|changes| add_changed(changes, grid, points, &visit, anew));
                };
                let changed = nearest.assign_visiting(centroids, threads, labels, visitors, see)?;
                if anew {
                    self.totals.clear();
                }
                workers.all().for_each(|part| self.totals.apply(part));
                Ok(changed)
            }
            Method::Clusters { summed } => {
                let changed = nearest.assign(centroids, threads, &mut self.labels, None)?;
                // Rows that moved are taken from one sum and added to another,
                // unless adding all rows is less work.
                if 2 * changed >= self.labels.len() {
                    summed.fill(UNASSIGNED);
                    self.totals.clear();
                }
                if changed > 0 {
                    self.follow(nearest.points(), threads)?;
                }
                Ok(changed)
            }
        }
    }

    /// Labels every row by its nearest centroid. The totals don't follow.
    /// Returns the sum of distances.
    pub fn label(
        &mut self,
        nearest: &mut Nearest<'_>,
        centroids: &[f32],
        threads: &Threads<'_>,
    ) -> Result<f64> {
        if nearest.sorted().is_some() {
            self.assign(nearest, centroids, threads)?;
            return self.exact_inertia(nearest, centroids, threads);
        }
        let (points, metric) = (nearest.points(), nearest.metric());
        let centroids = Centroids::new(centroids, self.origin.len());
        if let Method::Rows { stale, .. } = &mut self.method {
            *stale = true;
        }
        let mut parts = Vec::new();
        let measure = |part: &mut ExactSum, visit: Visit<'_>| {
            add_distances(
                part,
                points,
                metric,
                centroids,
                (visit.first, visit.block, visit.labels),
            );
        };
        let labels = &mut self.labels;
        let visitors = (TASK_ROWS, &mut parts, || Ok(ExactSum::default()));
        nearest.assign_visiting(centroids, threads, labels, visitors, measure)?;
        Ok(ExactSum::total(&parts))
    }

    /// Moves single rows: pairs of row and new cluster.
    pub fn move_rows(
        &mut self,
        nearest: &Nearest<'_>,
        moves: &[(u32, u32)],
        threads: &Threads<'_>,
    ) -> Result<()> {
        self.labels(nearest, threads)?;
        let mut changes = Changes::new(&self.totals)?;
        let mut scratch = Vec::new();
        for &(row, cluster) in moves {
            let weight = nearest.points().weight(row as usize);
            let row_and_weight = (nearest.points().row(row as usize, &mut scratch)?, weight);
            let grid = self.totals.grid();
            changes.add(grid, row_and_weight, self.labels[row as usize], Sign::Minus);
            changes.add(grid, row_and_weight, cluster, Sign::Plus);
            self.labels[row as usize] = cluster;
        }
        self.totals.apply(&changes);
        self.method.note(&self.labels);
        Ok(())
    }

    /// Makes the totals follow the labels, cluster by cluster.
    fn follow(&mut self, points: &Points<'_>, threads: &Threads<'_>) -> Result<()> {
        let Method::Clusters { summed } = &mut self.method else {
            return Ok(());
        };
        let n_clusters = self.totals.counts.len();
        let pairs = || (0u32..).zip(self.labels.iter().copied().zip(summed.iter().copied()));
        let moved = pairs().filter(|&(_, (to, from))| to != from);
        let left = moved.clone().filter(|&(_, (_, from))| from != UNASSIGNED);
        let left = Clusters::from_pairs(
            left.map(|(row, (_, from))| (row, from)),
            n_clusters,
            threads,
        )?;
        let joined =
            Clusters::from_pairs(moved.map(|(row, (to, _))| (row, to)), n_clusters, threads)?;
        self.totals.add(points, &joined, Sign::Plus, threads)?;
        self.totals.add(points, &left, Sign::Minus, threads)?;
        summed.copy_from_slice(&self.labels);
        Ok(())
    }

    /// The sum of distances to `centroids`, the ones last assigned to: from
    /// sums alone where these are precise enough.
    pub fn inertia(
        &mut self,
        nearest: &Nearest<'_>,
        centroids: &[f32],
        threads: &Threads<'_>,
    ) -> Result<f64> {
        let spread = match (self.spread, nearest.metric()) {
            (Some(spread), _) => spread,
            (None, Metric::Cosine) => total_weight(nearest.points()),
            (None, Metric::Euclidean) => self.measure_spread(nearest.points(), threads)?,
        };
        self.spread = Some(spread);
        let inertia = self.totals.inertia(centroids, &self.origin, spread);
        if inertia > spread * 1e-4 {
            return Ok(inertia);
        }
        self.exact_inertia(nearest, centroids, threads)
    }

    /// Σ‖x − origin‖². One pass over the data.
    fn measure_spread(&self, points: &Points<'_>, threads: &Threads<'_>) -> Result<f64> {
        let mut parts = self.distance_sums()?;
        let tasks = parts.iter_mut().enumerate();
        threads.run_long(tasks, Vec::new, |scratch, (task, part), poll| {
            let rows = task * TASK_ROWS..points.rows().min((task + 1) * TASK_ROWS);
            points.in_blocks(rows, scratch, poll, |at, block| {
                for (row, values) in (at..).zip(block.chunks_exact(self.origin.len())) {
                    add_weighted(part, points, row, squared_distance(values, &self.origin));
                }
                Ok(())
            })
        })?;
        Ok(ExactSum::total(&parts))
    }

    /// The sum of canonical distances: one pass over the data.
    pub fn exact_inertia(
        &self,
        nearest: &Nearest<'_>,
        centroids: &[f32],
        threads: &Threads<'_>,
    ) -> Result<f64> {
        let (points, metric) = (nearest.points(), nearest.metric());
        let centroids = Centroids::new(centroids, self.origin.len());
        if let Some(sorted) = nearest.sorted() {
            return sorted.inertia(centroids, threads);
        }
        let mut parts = self.distance_sums()?;
        let tasks = self.labels.chunks(TASK_ROWS).zip(&mut parts).enumerate();
        threads.run_long(tasks, Vec::new, |scratch, (task, (labels, part)), poll| {
            let first = task * TASK_ROWS;
            let rows = first..first + labels.len();
            points.in_blocks(rows, scratch, poll, |at, block| {
                let rows = (at, block, &labels[at - first..]);
                add_distances(part, points, metric, centroids, rows);
                Ok(())
            })
        })?;
        Ok(ExactSum::total(&parts))
    }

    /// One for each task.
    fn distance_sums(&self) -> Result<Vec<ExactSum>> {
        let tasks = self.labels.len().div_ceil(TASK_ROWS);
        try_vec(ExactSum::default(), tasks, "sums of distances")
    }
}

impl Method {
    /// Notes that the totals stand for the labels.
    fn note(&mut self, labels: &[u32]) {
        match self {
            Method::Rows { stale, .. } => *stale = false,
            Method::Clusters { summed } => summed.copy_from_slice(labels),
        }
    }
}

/// What each thread has seen change: they take any that is free.
struct Workers(Vec<Mutex<Changes>>);

impl Workers {
    /// Clears all, of which there are to be `count`.
    fn ready(&mut self, count: usize, totals: &Totals) -> Result<()> {
        self.all().for_each(Changes::clear);
        while self.0.len() < count {
            let changes = Mutex::new(Changes::new(totals)?);
            push(&mut self.0, changes, "centroid sums")?;
        }
        Ok(())
    }

    fn with(&self, work: impl FnOnce(&mut Changes)) {
        let free = self.0.iter().find_map(|changes| changes.try_lock().ok());
        match free {
            Some(mut changes) => work(&mut changes),
            None => work(&mut self.0[0].lock().unwrap_or_else(PoisonError::into_inner)),
        }
    }

    fn all(&mut self) -> impl Iterator<Item = &mut Changes> {
        let all = self.0.iter_mut();
        all.map(|changes| changes.get_mut().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Adds the rows whose label changed; with `anew`, all rows as if they had had
/// none.
fn add_changed(
    changes: &mut Changes,
    grid: &Grid,
    points: &Points<'_>,
    visit: &Visit<'_>,
    anew: bool,
) {
    let rows = (visit.first..).zip(visit.block.chunks_exact(grid.dims()));
    for (((row, values), &from), &to) in rows.zip(visit.before).zip(visit.labels) {
        let joins = anew || from == UNASSIGNED;
        if joins || from != to {
            let row = (values, points.weight(row));
            changes.add(grid, row, to, Sign::Plus);
            if !joins {
                changes.add(grid, row, from, Sign::Minus);
            }
        }
    }
}

/// Adds a distance, times the row's weight.
fn add_weighted(sum: &mut ExactSum, points: &Points<'_>, row: usize, distance: f64) {
    match points.is_weighted() {
        true => sum.add_product(points.weight(row), distance),
        false => sum.add(distance),
    }
}

/// Adds the distances of a block of rows, given with the number of the first.
fn add_distances(
    sum: &mut ExactSum,
    points: &Points<'_>,
    metric: Metric,
    centroids: Centroids<'_>,
    (first, block, labels): (usize, &[f32], &[u32]),
) {
    let rows = block.chunks_exact(centroids.dims).zip(labels);
    for (row, (values, &j)) in (first..).zip(rows) {
        let distance = Row::new(values, metric).distance(centroids.row(j as usize));
        add_weighted(sum, points, row, distance);
    }
}

fn total_weight(points: &Points<'_>) -> f64 {
    match points.is_weighted() {
        true => {
            let weights = (0..points.rows()).map(|row| points.weight(row));
            weights.collect::<ExactSum>().value()
        }
        false => points.rows() as f64,
    }
}

/// The mean of all centroids, as float32.
fn mean(centroids: &[f32], dims: usize) -> Result<Vec<f32>> {
    let mut mean = try_vec(0.0f32, dims, "origin")?;
    let count = (centroids.len() / dims) as f64;
    for (t, mean) in mean.iter_mut().enumerate() {
        let column = centroids[t..].iter().step_by(dims);
        *mean = (column.map(|&c| f64::from(c)).sum::<f64>() / count) as f32;
    }
    Ok(mean)
}
