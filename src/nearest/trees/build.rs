//! Sorting the rows into the leaves.
//!
//! A sample decides where cells are split, at the median of the widest
//! dimension; then each row finds its leaf in a few comparisons. Leaves get
//! unequal numbers of rows by that, which does no harm.

use crate::allocate::{collect, copy, try_vec, with_capacity};
use crate::clusters::UNASSIGNED;
use crate::error::Result;
use crate::kernels::accumulate::look_at;
use crate::kernels::dispatch::{self, Work};
use crate::kernels::lanes::Lanes;
use crate::nearest::trees::waiting::{add_numbers, add_sum, are_exact};
use crate::nearest::trees::{Block, Forest, Grid, Isa, LANES, Node, REPEATED, Tree};
use crate::points::Points;
use crate::ranges::Range as Magnitudes;
use crate::rng::Rng;
use crate::threads::Threads;
use std::ops::Range;

/// Rows per leaf, about.
const LEAF_ROWS: usize = 64;

/// Rows per leaf in the sample.
const SAMPLE_ROWS: usize = 4;

/// Levels above the trees of a forest, at most.
const MAX_TOP_LEVELS: u32 = 6;

/// Leaves per tree, at least, as levels.
const MIN_HEIGHT: u32 = 4;

/// Bytes for the sums that a pass keeps for each tree, about.
const SUM_BYTES: usize = 16 << 20;

/// Rows per task where rows are only looked at once.
const TASK_ROWS: usize = 8192;

/// Rows with less than `value` in dimension `dim` go left.
#[derive(Clone, Copy, Default)]
struct Split {
    dim: u32,
    value: f32,
}

impl<const D: usize> Forest<D> {
    pub(super) fn build(
        points: &Points<'_>,
        n_clusters: usize,
        isa: Isa,
        grid: Grid,
        threads: &Threads<'_>,
    ) -> Result<Self> {
        let levels = (points.rows() / LEAF_ROWS).max(1).ilog2();
        let most_trees = SUM_BYTES / (n_clusters * (D + 1) * size_of::<f64>());
        let top_levels = levels
            .saturating_sub(MIN_HEIGHT)
            .min(MAX_TOP_LEVELS)
            .min(most_trees.max(1).ilog2());
        let splits = split_sample::<D>(points, levels)?;
        let leaves = find_leaves::<D>(points, &splits, levels, threads)?;
        let (order, starts) = sort_by_leaf(&leaves, 1 << levels, threads)?;
        drop(leaves);

        let height = levels - top_levels;
        let mut trees = with_capacity(1 << top_levels, "trees")?;
        trees.resize_with(1 << top_levels, || None);
        let bounds = (0..1 << top_levels).map(|tree| &starts[tree << height..][..=1 << height]);
        threads.run(
            bounds.zip(&mut trees),
            Vec::new,
            |scratch, (bounds, tree)| {
                *tree = Some(Tree::build(points, &grid, &order, bounds, height, scratch)?);
                Ok(())
            },
        )?;
        let trees = collect(trees.into_iter().flatten(), "trees")?;
        Ok(Forest {
            trees,
            order,
            grid,
            isa,
        })
    }
}

/// 2^levels − 1 splits in the order of a heap: those below split s are
/// 2s + 1 and 2s + 2.
fn split_sample<const D: usize>(points: &Points<'_>, levels: u32) -> Result<Vec<Split>> {
    let count = points.rows().min(SAMPLE_ROWS << levels);
    let mut sample = try_vec([0.0f32; D], count, "sample of rows")?;
    let mut rng = Rng::new(0);
    let mut scratch = Vec::new();
    for row in &mut sample {
        let values = points.row(rng.below(points.rows()), &mut scratch)?;
        row.copy_from_slice(values);
    }
    let mut splits = try_vec(Split::default(), (1 << levels) - 1, "tree")?;
    let mut cells = with_capacity(levels as usize + 2, "tree")?;
    cells.push((0, &mut sample[..]));
    while let Some((at, cell)) = cells.pop() {
        if at >= splits.len() {
            continue;
        }
        let dim = widest(cell);
        let middle = cell.len() / 2;
        if middle == 0 {
            // Too few rows to tell: all go right.
            splits[at].value = f32::NEG_INFINITY;
            cells.push((2 * at + 1, &mut []));
            cells.push((2 * at + 2, cell));
            continue;
        }
        let (_, median, _) = cell.select_nth_unstable_by(middle, |a, b| a[dim].total_cmp(&b[dim]));
        splits[at] = Split {
            dim: dim as u32,
            value: median[dim],
        };
        let (left, right) = cell.split_at_mut(middle);
        cells.push((2 * at + 1, left));
        cells.push((2 * at + 2, right));
    }
    Ok(splits)
}

fn widest<const D: usize>(rows: &[[f32; D]]) -> usize {
    let (low, high) = bounds(rows);
    let width = |t: usize| f64::from(high[t]) - f64::from(low[t]);
    (0..D)
        .reduce(|best, t| if width(t) > width(best) { t } else { best })
        .unwrap_or(0)
}

fn bounds<const D: usize>(rows: &[[f32; D]]) -> ([f32; D], [f32; D]) {
    let (mut low, mut high) = ([f32::INFINITY; D], [f32::NEG_INFINITY; D]);
    for row in rows {
        for t in 0..D {
            low[t] = low[t].min(row[t]);
            high[t] = high[t].max(row[t]);
        }
    }
    (low, high)
}

/// The leaf of every row.
fn find_leaves<const D: usize>(
    points: &Points<'_>,
    splits: &[Split],
    levels: u32,
    threads: &Threads<'_>,
) -> Result<Vec<u32>> {
    let mut leaves = try_vec(0u32, points.rows(), "leaves of rows")?;
    threads.run(
        leaves.chunks_mut(TASK_ROWS).enumerate(),
        Vec::new,
        |scratch, (task, leaves)| {
            let first = task * TASK_ROWS;
            let block = points.block(first..first + leaves.len(), scratch)?;
            // Several rows at a time: each waits for the memory of its split.
            let rows = block.as_chunks::<D>().0.chunks(LANES);
            for (rows, leaves) in rows.zip(leaves.chunks_mut(LANES)) {
                let mut at = [0usize; LANES];
                for _ in 0..levels {
                    for (at, row) in at.iter_mut().zip(rows) {
                        let split = splits[*at];
                        let right = row[split.dim as usize % D] >= split.value;
                        *at = 2 * *at + 1 + usize::from(right);
                    }
                }
                for (leaf, at) in leaves.iter_mut().zip(at) {
                    *leaf = (at - splits.len()) as u32;
                }
            }
            Ok(())
        },
    )?;
    Ok(leaves)
}

/// Row indices leaf by leaf, and where each leaf starts; one entry more.
fn sort_by_leaf(
    leaves: &[u32],
    count: usize,
    threads: &Threads<'_>,
) -> Result<(Vec<u32>, Vec<u32>)> {
    let mut starts = try_vec(0u32, count + 1, "tree")?;
    threads.in_steps(leaves.len(), |rows| {
        for &leaf in &leaves[rows] {
            starts[leaf as usize + 1] += 1;
        }
        Ok(())
    })?;
    for leaf in 0..count {
        starts[leaf + 1] += starts[leaf];
    }
    let mut next = copy(&starts, "tree")?;
    let mut order = threads.try_vec(0u32, leaves.len(), "order of rows")?;
    threads.in_steps(leaves.len(), |rows| {
        for row in rows {
            let slot = &mut next[leaves[row] as usize];
            order[*slot as usize] = row as u32;
            *slot += 1;
        }
        Ok(())
    })?;
    Ok((order, starts))
}

impl<const D: usize> Tree<D> {
    /// Of the leaves whose rows are `order[bounds[i]..bounds[i + 1]]`.
    fn build(
        points: &Points<'_>,
        grid: &Grid,
        order: &[u32],
        bounds: &[u32],
        height: u32,
        scratch: &mut Vec<f32>,
    ) -> Result<Self> {
        let leaf = |i: usize| &order[bounds[i] as usize..bounds[i + 1] as usize];
        let leaves = bounds.len() - 1;
        let count = (0..leaves).map(|i| leaf(i).len().div_ceil(LANES)).sum();
        let mut tree = Tree {
            height,
            nodes: Vec::new(),
            sums: Vec::new(),
            owners: try_vec(UNASSIGNED, 2 * leaves - 1, "tree")?,
            blocks: try_vec([[0.0; LANES]; D], count, "sorted rows")?,
            labels: try_vec([UNASSIGNED; LANES], count, "labels")?,
        };
        let mut cells = with_capacity(leaves, "tree")?;
        let mut sums = try_vec([0i64; D], leaves * grid.limbs(), "tree")?;
        let mut first = 0;
        for (i, sum) in sums.chunks_exact_mut(grid.limbs()).enumerate() {
            let rows = leaf(i);
            let blocks = first..first + rows.len().div_ceil(LANES);
            first = blocks.end;
            cells.push(tree.fill_leaf(points, grid, rows, blocks, sum, scratch)?);
        }
        tree.in_preorder(cells, sums, grid.limbs())?;
        Ok(tree)
    }

    fn fill_leaf(
        &mut self,
        points: &Points<'_>,
        grid: &Grid,
        rows: &[u32],
        blocks: Range<usize>,
        limbs: &mut [[i64; D]],
        scratch: &mut Vec<f32>,
    ) -> Result<Cell<D>> {
        let (targets, labels) = (
            &mut self.blocks[blocks.clone()],
            &mut self.labels[blocks.clone()],
        );
        for ((block, labels), rows) in targets.iter_mut().zip(labels).zip(rows.chunks(LANES)) {
            labels[rows.len()..].fill(REPEATED);
            for lane in 0..LANES {
                let row = rows.get(lane).unwrap_or(&rows[0]);
                let values = points.row(*row as usize, scratch)?;
                for (column, &value) in block.iter_mut().zip(values) {
                    column[lane] = value;
                }
            }
        }
        let look = Look {
            blocks: targets,
            rows: rows.len(),
        };
        let (low, high, sum, ranges) = dispatch::work(look);
        let magic = grid.magic().as_chunks::<D>().0;
        if are_exact(&ranges, rows.len()) {
            add_sum(magic, sum, limbs);
        } else {
            for &row in rows {
                let row = points.row(row as usize, scratch)?;
                let numbers = std::array::from_fn(|t| f64::from(row[t]));
                add_numbers(magic, numbers, limbs);
            }
        }
        Ok(Cell {
            low,
            high,
            rows: rows.len(),
            blocks,
            ranges,
        })
    }

    /// All nodes above the given leaves, and these, in preorder.
    fn in_preorder(
        &mut self,
        leaves: Vec<Cell<D>>,
        sums: Vec<[i64; D]>,
        limbs: usize,
    ) -> Result<()> {
        let height = self.height as usize;
        let mut levels = with_capacity(height + 1, "tree")?;
        levels.push((leaves, sums));
        for level in 0..height {
            let (below, parts) = &levels[level];
            let mut cells = with_capacity(below.len() / 2, "tree")?;
            cells.extend(below.chunks(2).map(|pair| pair[0].join(&pair[1])));
            let mut sums = with_capacity(cells.len() * limbs, "tree")?;
            for pair in parts.chunks(2 * limbs) {
                let (left, right) = pair.split_at(limbs);
                let both = left.iter().zip(right);
                sums.extend(both.map(|(left, right)| std::array::from_fn(|t| left[t] + right[t])));
            }
            levels.push((cells, sums));
        }
        let count = (2 << height) - 1;
        self.nodes = with_capacity(count, "tree")?;
        self.sums = with_capacity(count * limbs, "tree")?;
        let mut open = with_capacity(height + 2, "tree")?;
        open.push((height, 0));
        while let Some((level, at)) = open.pop() {
            let (cells, sums) = &levels[level];
            self.nodes.push(cells[at].clone().into_node());
            self.sums.extend_from_slice(&sums[at * limbs..][..limbs]);
            if level > 0 {
                open.push((level - 1, 2 * at + 1));
                open.push((level - 1, 2 * at));
            }
        }
        Ok(())
    }
}

/// Looks at the rows of a leaf: the least and the greatest number in each dimension,
/// their sums in float64, and their ranges.
struct Look<'l, const D: usize> {
    blocks: &'l [Block<D>],
    /// What comes after so many repeats one.
    rows: usize,
}

impl<const D: usize> Work for Look<'_, D> {
    type Output = ([f32; D], [f32; D], [f64; D], [Magnitudes; D]);

    #[inline(always)]
    fn run<L: Lanes>(self, _: L) -> Self::Output {
        let mut low = [[f32::INFINITY; LANES]; D];
        let mut high = [[f32::NEG_INFINITY; LANES]; D];
        let mut sum = [[0.0f64; LANES]; D];
        let mut largest = [[0i32; LANES]; D];
        let mut finest = [[i32::MAX; LANES]; D];
        for (block, first) in self.blocks.iter().zip((0..).step_by(LANES)) {
            let mut counts = [1.0f64; LANES];
            counts[LANES.min(self.rows - first)..].fill(0.0);
            for t in 0..D {
                for lane in 0..LANES {
                    let value = block[t][lane];
                    let (low, high) = (&mut low[t][lane], &mut high[t][lane]);
                    *low = if value < *low { value } else { *low };
                    *high = if value > *high { value } else { *high };
                    sum[t][lane] += counts[lane] * f64::from(value);
                    look_at(value, &mut largest[t][lane], &mut finest[t][lane]);
                }
            }
        }
        (
            low.map(|lanes| lanes.into_iter().fold(f32::INFINITY, f32::min)),
            high.map(|lanes| lanes.into_iter().fold(f32::NEG_INFINITY, f32::max)),
            sum.map(|lanes| lanes.iter().sum()),
            std::array::from_fn(|t| {
                let largest = largest[t].into_iter().fold(0, i32::max);
                let finest = finest[t].into_iter().fold(i32::MAX, i32::min);
                Magnitudes::new(largest, finest)
            }),
        )
    }
}

/// What a node is made of.
#[derive(Clone)]
struct Cell<const D: usize> {
    low: [f32; D],
    high: [f32; D],
    rows: usize,
    blocks: Range<usize>,
    ranges: [Magnitudes; D],
}

impl<const D: usize> Cell<D> {
    fn join(&self, right: &Self) -> Self {
        Cell {
            low: std::array::from_fn(|t| self.low[t].min(right.low[t])),
            high: std::array::from_fn(|t| self.high[t].max(right.high[t])),
            rows: self.rows + right.rows,
            blocks: self.blocks.start..right.blocks.end,
            ranges: [Magnitudes::ZERO; D],
        }
    }

    fn into_node(self) -> Node<D> {
        let (low, high) = (self.low.map(f64::from), self.high.map(f64::from));
        let middle: [f64; D] = std::array::from_fn(|t| 0.5 * (low[t] + high[t]));
        let reach: [f64; D] =
            std::array::from_fn(|t| (high[t] - middle[t]).max(middle[t] - low[t]));
        Node {
            middle,
            reach,
            size: reach.iter().map(|r| r * r).sum(),
            rows: self.rows,
            blocks: self.blocks,
            ranges: self.ranges,
        }
    }
}
