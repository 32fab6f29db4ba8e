//! A start for very many clusters: a tree of two levels.
//!
//! Comparing all rows with all centroids takes n·k·d a pass. Here few coarse cells
//! split the rows first, and each cell has clusters of its own (hierarchical k-means:
//! Nistér & Stewénius, Scalable recognition with a vocabulary tree, 2006). Then every
//! row is compared with the centroids that are near, and centroids move from where two
//! are hardly better than one (Ward, 1963) to where one serves rows apart. What passes
//! over all pairs follow begin where hardly any row changes its cluster.
//!
//! Decisions go by canonical distances, exact sums and a stream of random numbers for
//! each cell, so that threads and instruction sets change nothing.

mod cells;
mod exchange;
mod groups;
mod restricted;

use crate::allocate::try_vec;
use crate::clusters::UNASSIGNED;
use crate::config::{Config, Quality};
use crate::error::Result;
use crate::nearest::{Centroids, Nearest, Request};
use crate::rng::Rng;
use crate::threads::Threads;
use crate::totals::update_centroids;
use crate::unrepeated::Unrepeated;
use cells::{Cells, plant};
use exchange::{NEIGHBOURS, exchange};
use std::ops::RangeInclusive;

/// Rounds of a restricted pass and exchanges, and of such by finer cells that follow the
/// first of [`MANY`].
const ROUNDS: usize = 3;
const FINER_ROUNDS: usize = 5;

/// From so many clusters on finer cells pay; half as many where more exchanges stand for
/// swaps.
const MANY: usize = 16_384;

/// Multiply-adds of an iteration over all pairs from which a tree pays, and dimensions: with
/// fewer, all pairs are quickly compared; more are mostly those of sparse rows.
const LEAST_WORK: u64 = 1 << 38;
const PAYING_DIMS: RangeInclusive<usize> = 16..=2048;

/// What memory is for.
const PURPOSE: &str = "a tree of clusters";

/// Where iterations can start.
pub(crate) struct Tree {
    /// n_clusters × dimensions.
    pub centroids: Vec<f32>,
    /// What each row's label will likely be.
    pub labels: Vec<u32>,
    /// The coarse cells' centroids.
    pub cells: Vec<f32>,
}

/// Whether [`Init::Auto`](crate::Init::Auto) takes a tree: where that was found to make
/// training much shorter, at about a percent of the inertia.
pub(crate) fn pays(rows: usize, n_clusters: usize, dims: usize) -> bool {
    let pairs = (rows as u64).saturating_mul(n_clusters as u64);
    let work = pairs.saturating_mul(dims as u64);
    n_clusters >= MANY / 2 && PAYING_DIMS.contains(&dims) && work >= LEAST_WORK
}

/// Some n·√k·d and O(n) more; memory is 40 bytes a row. `rows` are what
/// everything is decided by.
pub(crate) fn grow(
    nearest: &mut Nearest<'_>,
    rows: &Unrepeated,
    config: &Config,
    rng: &mut Rng,
    threads: &Threads<'_>,
) -> Result<Tree> {
    let all = nearest.points();
    let points = match rows.weights() {
        Some(weights) => rows.of(all).with_weights(weights)?,
        None => rows.of(all),
    };
    let among = &mut nearest.child(&points, 1);
    let cells = Cells::find(among, config.n_clusters, rng, threads)?;
    let (mut centroids, mut labels) = plant(among, &cells, config.n_clusters, rng, threads)?;
    let finer_from = match config.quality {
        Quality::Fast => MANY,
        Quality::Default | Quality::Best => MANY / 2,
    };
    let (coarse, rounds) = match config.n_clusters < finer_from {
        true => (ROUNDS, ROUNDS),
        false => (1, 1 + FINER_ROUNDS),
    };
    for round in 0..rounds {
        if threads.stopping() {
            break;
        }
        let finer;
        let cells = match round < coarse {
            true => &cells,
            false => {
                finer = Cells::among(&centroids, points.cols())?;
                &finer
            }
        };
        let near = cells.near(among, &centroids, NEIGHBOURS + 1, threads)?;
        let clusters = restricted::assign(among, cells, &centroids, &near, &mut labels, threads)?;
        let grid = among.grid(threads)?;
        update_centroids(&points, grid, &clusters, threads, &mut centroids)?;
        let both = (&clusters, &mut labels[..]);
        let weights = rows.weights();
        exchange(among, weights, &mut centroids, both, &near, rng, threads)?;
    }
    Ok(Tree {
        centroids,
        labels: spread(labels, rows, all.rows(), threads)?,
        cells: cells.into_centroids(),
    })
}

/// Labels of all rows, given those of rows that don't repeat the one before.
fn spread(
    labels: Vec<u32>,
    rows: &Unrepeated,
    count: usize,
    threads: &Threads<'_>,
) -> Result<Vec<u32>> {
    if rows.are_all() {
        return Ok(labels);
    }
    let mut all = threads.try_vec(UNASSIGNED, count, "labels")?;
    for (place, label) in labels.iter().enumerate() {
        let end = match place + 1 < labels.len() {
            true => rows.row(place + 1),
            false => count,
        };
        all[rows.row(place)..end].fill(*label);
    }
    Ok(all)
}

/// The parent of each cluster: the coarse cell nearest to its centroid. Those of no
/// cluster are left out, and the others are numbered in their order.
pub(crate) fn parents(
    nearest: &Nearest<'_>,
    cells: &[f32],
    centroids: Centroids<'_>,
    threads: &Threads<'_>,
) -> Result<Vec<u32>> {
    let mut parents = try_vec(UNASSIGNED, centroids.len(), PURPOSE)?;
    let points = centroids.as_points();
    let cells = Centroids::new(cells, centroids.dims);
    let request = Request::nearest(cells, &mut parents, None);
    nearest.child(&points, 1).search(request, threads)?;
    let mut numbers = try_vec(UNASSIGNED, cells.len(), PURPOSE)?;
    for &parent in &parents {
        numbers[parent as usize] = 0;
    }
    let used = numbers.iter_mut().filter(|number| **number == 0);
    used.zip(0..).for_each(|(number, next)| *number = next);
    for parent in &mut parents {
        *parent = numbers[*parent as usize];
    }
    Ok(parents)
}
