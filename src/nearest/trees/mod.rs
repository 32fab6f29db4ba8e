//! Few dimensions: trees over the rows (the filtering algorithm: Kanungo et
//! al., 2002).
//!
//! The rows are sorted once into the leaves of a k-d tree. Every node knows
//! the box around its rows and their sum. A pass walks down from the root and
//! drops every centroid that is farther from all points of a node's box than
//! some other one; where a single centroid is left, the whole subtree is its
//! own, and joins its sum in O(dims). Leaves that several centroids share are
//! decided by canonical distances, row by row.
//!
//! So a pass costs what lies near the borders between clusters, not n·k. In
//! more than a few dimensions nearly everything lies near a border.

mod build;
mod pass;
#[cfg(test)]
mod tests;
mod waiting;

use crate::allocate::{optional, try_vec};
use crate::clusters::UNASSIGNED;
use crate::error::Result;
use crate::kernels::dispatch;
use crate::kernels::isa::Isa;
use crate::kernels::lanes::{LANES, REPEATED};
use crate::memory::Reserved;
use crate::metric::Metric;
use crate::nearest::shared::Shared;
use crate::nearest::vectors::Centroids;
use crate::owned::boxed;
use crate::points::Points;
use crate::ranges::Range as Magnitudes;
use crate::threads::Threads;
use crate::totals::{ByLanes, ExactSum, Grid, Totals};
use pass::{Candidates, Inertia, Walk};
use std::ops::Range;

/// More dimensions have no tree.
const MAX_DIMS: usize = 8;

/// Fewer rows or centroids have no tree: brute force is faster.
const MIN_ROWS: usize = 2048;
const MIN_CENTROIDS: usize = 6;

/// They are given up when a pass computes more than this fraction of all
/// distances: brute force is faster.
const LIMIT: f64 = 0.25;

/// Rows that are kept in the order of a k-d tree, and the clusters they are in.
trait SortedRows: Send + Sync {
    /// How many there are.
    fn len(&self) -> usize;

    /// Forgets all labels.
    fn reset(&mut self);

    /// Assigns every row to its nearest centroid, the lowest among equals, and
    /// writes what the clusters add up to.
    fn assign(
        &mut self,
        centroids: Centroids<'_>,
        threads: &Threads<'_>,
        totals: &mut Totals,
    ) -> Result<Pass>;

    /// Writes the labels of the last pass, in the order of the points.
    fn write_labels(&self, labels: &mut [u32], threads: &Threads<'_>) -> Result<()>;

    /// The sum of canonical distances to the centroids of the last pass.
    fn inertia(&self, centroids: Centroids<'_>, threads: &Threads<'_>) -> Result<ExactSum>;
}

/// What a pass did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Pass {
    /// Rows that went to another cluster.
    pub changed: usize,
    /// Distances that were computed for single rows.
    pub distances: usize,
}

/// What the sorted points take, and their nodes, roughly; `None` if trees are of
/// no use for them.
fn bytes(points: &Points<'_>, n_clusters: usize) -> Option<u64> {
    let (rows, dims) = (points.rows(), points.cols());
    let clusters = MIN_CENTROIDS..=i32::MAX as usize;
    let useful = rows >= MIN_ROWS && clusters.contains(&n_clusters) && dims <= MAX_DIMS;
    useful.then_some(rows as u64 * (5 * dims as u64 + 20))
}

/// The points, sorted, where [`bytes`] tells that it is of use; unless they are
/// too many for the memory at hand.
fn sort(
    points: &Points<'_>,
    n_clusters: usize,
    isa: Isa,
    grid: Grid,
    threads: &Threads<'_>,
) -> Result<Option<Box<dyn SortedRows>>> {
    let sorted = match points.cols() {
        1 => Forest::<1>::boxed(points, n_clusters, isa, grid, threads),
        2 => Forest::<2>::boxed(points, n_clusters, isa, grid, threads),
        3 => Forest::<3>::boxed(points, n_clusters, isa, grid, threads),
        4 => Forest::<4>::boxed(points, n_clusters, isa, grid, threads),
        5 => Forest::<5>::boxed(points, n_clusters, isa, grid, threads),
        6 => Forest::<6>::boxed(points, n_clusters, isa, grid, threads),
        7 => Forest::<7>::boxed(points, n_clusters, isa, grid, threads),
        _ => Forest::<8>::boxed(points, n_clusters, isa, grid, threads),
    };
    optional(sorted)
}

/// The rows in trees, where these serve a search: one for sums, without bias, by
/// no engine that was asked for.
#[derive(Default)]
pub(in crate::nearest) struct Trees {
    rows: Option<(Box<dyn SortedRows>, Reserved)>,
    /// What the last pass computed, as a fraction of all distances.
    computed: f64,
    /// They didn't pay, and won't.
    given_up: bool,
}

impl Trees {
    /// Readies them for rows that are in no cluster yet. `false` if they can't
    /// serve, or are not worth it.
    pub fn ready(
        &mut self,
        points: &Points<'_>,
        shared: &Shared,
        centroids: Centroids<'_>,
        threads: &Threads<'_>,
    ) -> Result<bool> {
        let free = shared.setting.engine.is_none()
            && shared.metric() == Metric::Euclidean
            && !points.is_weighted()
            && centroids.bias.is_none()
            && !self.given_up;
        let n_clusters = centroids.len();
        if free
            && self.rows.is_none()
            && let Some(bytes) = bytes(points, n_clusters)
            && let Some(reserved) = shared.budget().try_reserve(bytes)
        {
            let (isa, grid) = (shared.setting.isa, shared.grid(points, threads)?);
            let rows = sort(points, n_clusters, isa, grid, threads)?;
            self.rows = rows.map(|rows| (rows, reserved));
        }
        if let Some((rows, _)) = &mut self.rows {
            rows.reset();
        }
        Ok(self.can_serve(centroids))
    }

    /// Whether they can go on.
    pub fn can_serve(&self, centroids: Centroids<'_>) -> bool {
        self.rows.is_some() && centroids.bias.is_none()
    }

    /// Assigns every row of [those that are ready](Self::ready) to its nearest
    /// centroid, and writes what the clusters add up to. Returns how many rows
    /// changed.
    pub fn assign(
        &mut self,
        centroids: Centroids<'_>,
        threads: &Threads<'_>,
        totals: &mut Totals,
    ) -> Result<usize> {
        let Some((rows, _)) = &mut self.rows else {
            return Ok(0);
        };
        let pass = rows.assign(centroids, threads, totals)?;
        let all = rows.len() as f64 * centroids.len() as f64;
        self.computed = pass.distances as f64 / all;
        Ok(pass.changed)
    }

    /// Whether the last pass was faster than by other engines.
    pub fn pay(&self) -> bool {
        self.computed <= LIMIT
    }

    /// They are of no use any more.
    pub fn give_up(&mut self) {
        self.given_up = true;
        self.rows = None;
    }

    /// Frees their memory until they are ready again.
    pub fn drop_rows(&mut self) {
        self.rows = None;
    }

    /// Writes the labels of the last pass, in the order of the points.
    pub fn write_labels(&self, labels: &mut [u32], threads: &Threads<'_>) -> Result<()> {
        match &self.rows {
            Some((rows, _)) => rows.write_labels(labels, threads),
            None => Ok(()),
        }
    }

    /// The sum of canonical distances to the centroids of the last pass.
    pub fn inertia(&self, centroids: Centroids<'_>, threads: &Threads<'_>) -> Result<ExactSum> {
        match &self.rows {
            Some((rows, _)) => rows.inertia(centroids, threads),
            None => Ok(ExactSum::default()),
        }
    }
}

/// The subtrees of a k-d tree some levels below its root, so that threads can
/// take one each.
struct Forest<const D: usize> {
    trees: Vec<Tree<D>>,
    /// The points' index of every row, tree by tree, leaf by leaf.
    order: Vec<u32>,
    /// What sums are made of.
    grid: Grid,
    isa: Isa,
}

/// Coordinates of eight rows, a dimension at a time.
type Block<const D: usize> = [[f32; LANES]; D];

/// A complete binary tree, its nodes in preorder: a node at height h (leaves:
/// 0) is followed by its left subtree of 2^h − 1 nodes, then by its right one.
struct Tree<const D: usize> {
    height: u32,
    nodes: Vec<Node<D>>,
    /// Nodes × limbs: what the rows of each node add up to.
    sums: Vec<[i64; D]>,
    /// For every node the cluster of all its rows; [`UNASSIGNED`] where there
    /// may be several.
    owners: Vec<u32>,
    /// Rows leaf by leaf; the last block of a leaf repeats a row to be full.
    blocks: Vec<Block<D>>,
    /// The cluster of every row in `blocks`; [`REPEATED`] for repetitions.
    labels: Vec<[u32; LANES]>,
}

/// The rows of a subtree, and a box around them.
struct Node<const D: usize> {
    middle: [f64; D],
    /// Half the box's widths.
    reach: [f64; D],
    /// ‖reach‖².
    size: f64,
    rows: usize,
    /// Of the numbers in each dimension; only known of leaves.
    ranges: [Magnitudes; D],
    blocks: Range<usize>,
}

impl<const D: usize> Forest<D> {
    fn boxed(
        points: &Points<'_>,
        n_clusters: usize,
        isa: Isa,
        grid: Grid,
        threads: &Threads<'_>,
    ) -> Result<Box<dyn SortedRows>> {
        let forest = Self::build(points, n_clusters, isa, grid, threads)?;
        Ok(boxed(forest, "trees")?)
    }
}

impl<const D: usize> SortedRows for Forest<D> {
    fn len(&self) -> usize {
        self.order.len()
    }

    fn reset(&mut self) {
        for tree in &mut self.trees {
            tree.owners.fill(UNASSIGNED);
            for label in tree.labels.as_flattened_mut() {
                if *label != REPEATED {
                    *label = UNASSIGNED;
                }
            }
        }
    }

    fn assign(
        &mut self,
        centroids: Centroids<'_>,
        threads: &Threads<'_>,
        totals: &mut Totals,
    ) -> Result<Pass> {
        let k = centroids.len();
        let candidates = Candidates::<D>::new(centroids)?;
        let limbs = self.grid.limbs();
        let mut sums = try_vec([0i64; D], self.trees.len() * k * limbs, "centroid sums")?;
        let mut counts = try_vec(0usize, self.trees.len() * k, "cluster sizes")?;
        let mut passes = try_vec(Pass::default(), self.trees.len(), "passes")?;
        let (isa, grid) = (self.isa, &self.grid);
        let outputs = sums
            .chunks_mut(k * limbs)
            .zip(counts.chunks_mut(k))
            .zip(&mut passes);
        threads.run(
            self.trees.iter_mut().zip(outputs),
            Vec::new,
            |lists, (tree, ((sums, counts), pass))| {
                let candidates = &candidates;
                let walk = Walk {
                    tree,
                    candidates,
                    lists,
                    grid,
                    sums,
                    counts,
                };
                *pass = dispatch::work_on(isa, walk)?;
                Ok(())
            },
        )?;
        totals.clear();
        for (sums, counts) in sums.chunks(k * limbs).zip(counts.chunks(k)) {
            for (j, (sum, &count)) in sums.chunks_exact(limbs).zip(counts).enumerate() {
                if count > 0 {
                    totals.add_sum(j, sum.as_flattened(), count);
                }
            }
        }
        Ok(passes.iter().fold(Pass::default(), |all, pass| Pass {
            changed: all.changed + pass.changed,
            distances: all.distances + pass.distances,
        }))
    }

    fn write_labels(&self, labels: &mut [u32], threads: &Threads<'_>) -> Result<()> {
        let sorted = self
            .trees
            .iter()
            .flat_map(|tree| tree.labels.as_flattened());
        let mut sorted = sorted.filter(|&&label| label != REPEATED);
        threads.in_steps(self.order.len(), |places| {
            for (&row, &label) in self.order[places].iter().zip(&mut sorted) {
                labels[row as usize] = label;
            }
            Ok(())
        })
    }

    fn inertia(&self, centroids: Centroids<'_>, threads: &Threads<'_>) -> Result<ExactSum> {
        let centroids = centroids.values.as_chunks::<D>().0;
        let mut parts = try_vec(ExactSum::default(), self.trees.len(), "sums of distances")?;
        threads.run(
            self.trees.iter().zip(&mut parts),
            || (),
            |(), (tree, part)| *part = dispatch::work_on(self.isa, Inertia { tree, centroids }),
        )?;
        Ok(ExactSum::merged(&parts))
    }
}
