//! The coarse level of a tree, and the first clusters of each cell.

use super::groups::{self, Group};
use crate::allocate::{append, collect, extend, push, try_vec, with_capacity};
use crate::clusters::{Clusters, UNASSIGNED};
use crate::error::Result;
use crate::kmeans::clustering::{Clustering, Complete};
use crate::kmeans::partition::Partition;
use crate::metric::Metric;
use crate::nearest::{Centroids, Nearest, Request, Shared};
use crate::points::Points;
use crate::rng::Rng;
use crate::seeding::by_weight::draw_again;
use crate::seeding::{copy_rows, few};
use crate::threads::Threads;

/// What memory is for.
const PURPOSE: &str = "a tree of clusters";

/// Rows that a cell is found by, about.
const SAMPLE_PER_CELL: usize = 32;

/// Rows that the first clusters of a cell are picked among, for each.
const SAMPLE_PER_CLUSTER: usize = 4;

/// Iterations among the cells, and among the clusters of a cell.
const CELL_ITERATIONS: usize = 5;
const CLUSTER_ITERATIONS: usize = 2;

/// A cluster's neighbours are sought in eight cells, or in a sixteenth of many: with more
/// clusters the iterations after, which compare all, cost that much more.
const NEAR_CELLS: usize = 8;
const NEAR_PART: usize = 16;

/// Clusters of a finer cell, about, and how many of these cells their neighbours are
/// sought in.
const FINER: usize = 8;
const NEAR_FINER: usize = 12;

/// Rows × clusters × dimensions of a cell that all threads share.
const LARGE: usize = 1 << 33;

/// The coarse level, or a finer one.
pub(super) struct Cells {
    /// Cells × dimensions.
    centroids: Vec<f32>,
    dims: usize,
    /// How many cells are near to each.
    near: usize,
}

/// Which centroids are near which.
pub(super) struct Near {
    /// The cell of each centroid.
    pub own: Vec<u32>,
    /// For each cell, ascending, the centroids of the cells near it.
    of_cells: Vec<Vec<u32>>,
    /// k × count: the nearest centroids of each, itself among them, the nearest first;
    /// [`UNASSIGNED`] where there are fewer.
    pub neighbours: Vec<u32>,
    pub count: usize,
}

impl Near {
    pub fn candidates(&self, cell: usize) -> &[u32] {
        &self.of_cells[cell]
    }
}

impl Cells {
    /// 1.5·√k cells, of a sample of the rows.
    pub fn find(
        among: &Nearest<'_>,
        n_clusters: usize,
        rng: &mut Rng,
        threads: &Threads<'_>,
    ) -> Result<Self> {
        let points = among.points();
        let (rows, dims) = (points.rows(), points.cols());
        let root = (1.5 * (n_clusters as f64).sqrt()).ceil() as usize;
        let count = root.min(n_clusters).min(rows);
        let size = (SAMPLE_PER_CELL * count).min(rows);
        let mut sampled = match weights_of(points)? {
            None => rng.distinct(size, rows)?,
            Some(weights) => draw_again(&weights, size, rng, threads)?,
        };
        sampled.sort_unstable();
        let first = rng.distinct(count, size)?;
        let first: Vec<usize> = collect(first.into_iter().map(|place| sampled[place]), PURPOSE)?;
        let mut centroids = copy_rows(points, among.metric(), &first, threads)?;
        let sampled: Vec<u32> = collect(sampled.iter().map(|&row| row as u32), PURPOSE)?;
        let sample = points.select(&sampled).without_weights();
        let mut child = among.child(&sample, CELL_ITERATIONS);
        iterate(&mut child, &mut centroids, CELL_ITERATIONS, threads)?;
        Ok(Cells {
            near: NEAR_CELLS.max(count / NEAR_PART),
            centroids,
            dims,
        })
    }

    /// Cells of a few clusters, about every eighth of them.
    pub fn among(clusters: &[f32], dims: usize) -> Result<Self> {
        let mut centroids = Vec::new();
        for centroid in clusters.chunks_exact(dims).step_by(FINER) {
            append(&mut centroids, centroid, PURPOSE)?;
        }
        Ok(Cells {
            near: NEAR_FINER,
            centroids,
            dims,
        })
    }

    pub fn len(&self) -> usize {
        self.centroids.len() / self.dims
    }

    pub fn into_centroids(self) -> Vec<f32> {
        self.centroids
    }

    /// Which of the centroids are near which: those whose cells are near.
    pub fn near(
        &self,
        among: &Nearest<'_>,
        centroids: &[f32],
        count: usize,
        threads: &Threads<'_>,
    ) -> Result<Near> {
        let cells = Centroids::new(&self.centroids, self.dims);
        let centroids = Centroids::new(centroids, self.dims);
        let clusters = centroids.len();
        let mut own = try_vec(UNASSIGNED, clusters, PURPOSE)?;
        let points = centroids.as_points();
        let request = Request::nearest(cells, &mut own, None);
        among.child(&points, 1).search(request, threads)?;
        let members = Clusters::from_labels(&own, 1, self.len(), threads)?;

        let near = self.near.min(self.len());
        let mut near_cells = try_vec(UNASSIGNED, self.len() * near, PURPOSE)?;
        let request = Request::few(cells, near, &mut near_cells, None);
        let cells_as_points = cells.as_points();
        among.child(&cells_as_points, 1).search(request, threads)?;
        let mut of_cells = with_capacity(self.len(), PURPOSE)?;
        for near in near_cells.chunks_exact(near) {
            let mut some: Vec<u32> = Vec::new();
            for &cell in near {
                let members = members.members(cell as usize).iter();
                extend(&mut some, members.copied(), PURPOSE)?;
            }
            some.sort_unstable();
            of_cells.push(some);
        }

        let count = count.min(clusters);
        let mut found = try_vec(UNASSIGNED, clusters * count, PURPOSE)?;
        let mut rest = &mut found[..];
        let mut groups = with_capacity(self.len(), PURPOSE)?;
        for (cell, candidates) in of_cells.iter().enumerate() {
            let rows = members.members(cell);
            let (labels, others) = rest.split_at_mut(rows.len() * count);
            rest = others;
            groups.push(Group {
                rows,
                candidates,
                labels,
            });
        }
        groups::search(&among.shared(), &points, centroids, groups, count, threads)?;
        let mut neighbours = try_vec(UNASSIGNED, clusters * count, PURPOSE)?;
        for (&cluster, found) in members.members.iter().zip(found.chunks_exact(count)) {
            neighbours[cluster as usize * count..][..count].copy_from_slice(found);
        }
        Ok(Near {
            own,
            of_cells,
            neighbours,
            count,
        })
    }
}

/// The first clusters: every cell has as many as its part of the rows, by weight,
/// from random rows. Returns centroids and labels.
pub(super) fn plant(
    among: &mut Nearest<'_>,
    cells: &Cells,
    n_clusters: usize,
    rng: &mut Rng,
    threads: &Threads<'_>,
) -> Result<(Vec<f32>, Vec<u32>)> {
    let (points, shared) = (among.points(), among.shared());
    let rows = points.rows();
    let mut found = threads.try_vec(UNASSIGNED, rows, PURPOSE)?;
    let coarse = Centroids::new(&cells.centroids, cells.dims);
    among.search(Request::nearest(coarse, &mut found, None), threads)?;
    let clusters = Clusters::from_labels(&found, 1, cells.len(), threads)?;
    let counts = allot(points, &clusters, n_clusters)?;
    let mut centroids = try_vec(0.0f32, n_clusters * points.cols(), PURPOSE)?;
    let (mut large, mut small) = (Vec::new(), with_capacity(cells.len(), PURPOSE)?);
    let (mut values, mut labels) = (&mut centroids[..], &mut found[..]);
    let mut first = 0;
    for (cell, &count) in counts.iter().enumerate() {
        let members = clusters.members(cell);
        let (own, others) = values.split_at_mut(count * points.cols());
        values = others;
        let (own_labels, others) = labels.split_at_mut(members.len());
        labels = others;
        let work = members.len().saturating_mul(own.len());
        let planting = Planting {
            members,
            first,
            centroids: own,
            labels: own_labels,
            seed: rng.next(),
        };
        first += count as u32;
        if count > 0 {
            match work > LARGE {
                true => push(&mut large, planting, PURPOSE)?,
                false => small.push(planting),
            }
        }
    }
    for planting in large {
        planting.run(points, &shared, threads)?;
    }
    threads.run(
        small.into_iter(),
        || (),
        |(), planting| planting.run(points, &shared, &Threads::exactly(1, None)?),
    )?;
    let mut labels = threads.try_vec(UNASSIGNED, rows, PURPOSE)?;
    for (&row, label) in clusters.members.iter().zip(found) {
        labels[row as usize] = label;
    }
    Ok((centroids, labels))
}

/// How many of the clusters each cell gets: its part by weight, at least one and at
/// most its rows.
fn allot(points: &Points<'_>, cells: &Clusters, n_clusters: usize) -> Result<Vec<usize>> {
    let weight = |cell: usize| {
        let members = cells.members(cell).iter();
        members.map(|&row| points.weight(row as usize)).sum::<f64>()
    };
    let weights: Vec<f64> = collect((0..cells.n_clusters()).map(weight), PURPOSE)?;
    let total: f64 = weights.iter().sum();
    let mut counts = try_vec(0usize, cells.n_clusters(), PURPOSE)?;
    let part = |cell: usize| weights[cell] / total * n_clusters as f64;
    for (cell, count) in counts.iter_mut().enumerate() {
        let size = cells.size(cell);
        *count = (part(cell) as usize).max(1).min(size);
    }
    // Who has least of what is due to it comes first, or most where there are too many.
    let mut order: Vec<usize> = collect(0..counts.len(), PURPOSE)?;
    let mut given: usize = counts.iter().sum();
    while given != n_clusters {
        let (short, before) = (given < n_clusters, given);
        let lack = |cell: &usize| part(*cell) - counts[*cell] as f64;
        order.sort_unstable_by(|a, b| lack(b).total_cmp(&lack(a)).then(a.cmp(b)));
        if !short {
            order.reverse();
        }
        for &cell in &order {
            if given == n_clusters {
                break;
            }
            if short && counts[cell] < cells.size(cell) {
                counts[cell] += 1;
                given += 1;
            } else if !short && counts[cell] > 1 {
                counts[cell] -= 1;
                given -= 1;
            }
        }
        if given == before {
            // Fewer rows than clusters: some will be empty.
            counts[order[0]] += n_clusters - given;
            break;
        }
    }
    Ok(counts)
}

/// The clusters of a cell, from `first` on.
struct Planting<'p> {
    members: &'p [u32],
    first: u32,
    centroids: &'p mut [f32],
    labels: &'p mut [u32],
    seed: u64,
}

impl Planting<'_> {
    fn run(self, points: &Points<'_>, shared: &Shared, threads: &Threads<'_>) -> Result<()> {
        let (dims, members) = (points.cols(), self.members);
        let mut rng = Rng::new(self.seed);
        let count = self.centroids.len() / dims;
        let size = SAMPLE_PER_CLUSTER.saturating_mul(count).min(members.len());
        let sampled = rng.distinct(size, members.len())?;
        let sampled: Vec<usize> =
            collect(sampled.into_iter().map(|at| members[at] as usize), PURPOSE)?;
        let picked = pick(points, shared.metric(), &sampled, count, &mut rng, threads)?;
        let mut picked: Vec<usize> = collect(picked.into_iter().map(|at| sampled[at]), PURPOSE)?;
        while picked.len() < count {
            let row = members[rng.below(members.len())] as usize;
            push(&mut picked, row, PURPOSE)?;
        }
        let rows = copy_rows(points, shared.metric(), &picked, threads)?;
        self.centroids.copy_from_slice(&rows);
        let own = points.select(members);
        let mut nearest = shared.nearest(&own, CLUSTER_ITERATIONS);
        let found = iterate(&mut nearest, self.centroids, CLUSTER_ITERATIONS, threads)?;
        for (label, found) in self.labels.iter_mut().zip(found) {
            *label = self.first + found;
        }
        Ok(())
    }
}

/// First clusters among some of the rows, by k-means++.
fn pick(
    points: &Points<'_>,
    metric: Metric,
    sampled: &[usize],
    count: usize,
    rng: &mut Rng,
    threads: &Threads<'_>,
) -> Result<Vec<usize>> {
    let rows: Vec<u32> = collect(sampled.iter().map(|&row| row as u32), PURPOSE)?;
    let rows = points.select(&rows);
    if rows.reads_sparse() {
        return few(&rows, metric, count, rng, threads);
    }
    // They are read for each cluster anew, so that they should lie together.
    let mut scratch = Vec::new();
    let rows = rows.block(0..rows.rows(), &mut scratch)?;
    let rows = Centroids::new(rows, points.cols());
    few(&rows.as_points(), metric, count, rng, threads)
}

/// Iterations of Lloyd's algorithm, until nothing changes; clusters that are empty
/// stay where they are. Returns the labels of the last.
fn iterate(
    nearest: &mut Nearest<'_>,
    centroids: &mut [f32],
    iterations: usize,
    threads: &Threads<'_>,
) -> Result<Vec<u32>> {
    let dims = nearest.points().cols();
    let mut partition = Partition::new(nearest, Centroids::new(centroids, dims), threads)?;
    for _ in 0..iterations {
        let changed = partition.assign(Centroids::new(centroids, dims), threads)?;
        if changed == 0 || !partition.totals().write_centroids(centroids, threads)? {
            break;
        }
    }
    partition.into_labels(threads)
}

fn weights_of(points: &Points<'_>) -> Result<Option<Vec<f64>>> {
    match points.is_weighted() {
        true => Ok(Some(collect(
            (0..points.rows()).map(|row| points.weight(row)),
            PURPOSE,
        )?)),
        false => Ok(None),
    }
}
