//! One pass down a tree.

use crate::allocate::{push, try_vec, with_capacity};
use crate::clusters::UNASSIGNED;
use crate::error::Result;
use crate::kernels::dispatch::Work;
use crate::kernels::lanes::Lanes;
use crate::nearest::trees::waiting::{Waiting, add_numbers};
use crate::nearest::trees::{
    Block, ByLanes, Centroids, ExactSum, Grid, LANES, Node, Pass, REPEATED, Tree,
};

const PURPOSE: &str = "a pass over trees";

/// With up to this many candidates, a leaf's rows are summed a candidate at a
/// time.
const FEW: usize = 8;

/// Centroids that may be the nearest to some row, by ascending index, a
/// dimension at a time.
#[derive(Clone)]
pub(super) struct Candidates<const D: usize> {
    len: usize,
    /// In each vector there are [`LANES`] more than `len`, of any value.
    centroids: [Vec<f64>; D],
    /// Whole numbers.
    indices: Vec<f64>,
}

impl<const D: usize> Candidates<D> {
    pub fn new(centroids: Centroids<'_>) -> Result<Self> {
        let rows = centroids.values.as_chunks::<D>().0;
        let mut candidates = Self::room_for(rows.len())?;
        for (j, row) in rows.iter().enumerate() {
            for (column, &value) in candidates.centroids.iter_mut().zip(row) {
                column[j] = f64::from(value);
            }
            candidates.indices[j] = j as f64;
        }
        candidates.len = rows.len();
        Ok(candidates)
    }

    fn room_for(count: usize) -> Result<Self> {
        let mut candidates = Candidates {
            len: 0,
            centroids: [const { Vec::new() }; D],
            indices: try_vec(0.0, count + LANES, PURPOSE)?,
        };
        for column in &mut candidates.centroids {
            *column = try_vec(0.0, count + LANES, PURPOSE)?;
        }
        Ok(candidates)
    }

    fn get(&self, at: usize) -> ([f64; D], f64) {
        (
            std::array::from_fn(|t| self.centroids[t][at]),
            self.indices[at],
        )
    }
}

/// The eight values from `at` on.
#[inline(always)]
fn eight(values: &[f64], at: usize) -> &[f64; LANES] {
    values[at..].first_chunk().expect("room for a vector more")
}

/// See [`eight`].
#[inline(always)]
fn eight_mut(values: &mut [f64], at: usize) -> &mut [f64; LANES] {
    values[at..]
        .first_chunk_mut()
        .expect("room for a vector more")
}

/// Assigns the rows of a tree; adds them to the sums and counts of their
/// clusters.
pub(super) struct Walk<'w, const D: usize> {
    pub tree: &'w mut Tree<D>,
    pub candidates: &'w Candidates<D>,
    /// Scratch: empty, or what an earlier pass with as many candidates left.
    pub lists: &'w mut Vec<Candidates<D>>,
    pub grid: &'w Grid,
    pub sums: &'w mut [[i64; D]],
    pub counts: &'w mut [usize],
}

impl<const D: usize> Work for Walk<'_, D> {
    type Output = Result<Pass>;

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) -> Result<Pass> {
        let Walk {
            tree,
            candidates,
            lists,
            grid,
            sums,
            counts,
        } = self;
        walk(lanes, tree, candidates, lists, grid, (sums, counts))
    }
}

#[inline(always)]
fn walk<L: Lanes, const D: usize>(
    l: L,
    tree: &mut Tree<D>,
    candidates: &Candidates<D>,
    lists: &mut Vec<Candidates<D>>,
    grid: &Grid,
    (sums, counts): (&mut [[i64; D]], &mut [usize]),
) -> Result<Pass> {
    let mut pass = Pass::default();
    let magic = grid.magic().as_chunks::<D>().0;
    let limbs = magic.len();
    // By height: the candidates of the nodes on the path to the current one.
    let height = tree.height as usize;
    while lists.len() <= height {
        push(lists, Candidates::room_for(candidates.len)?, PURPOSE)?;
    }
    let vectors = candidates.len.div_ceil(LANES);
    let mut distances = with_capacity(vectors, PURPOSE)?;
    let mut sharers = with_capacity(candidates.len, PURPOSE)?;
    let mut waiting = Waiting::new(candidates.len)?;
    let mut open = with_capacity(height + 2, PURPOSE)?;
    open.push((0, height));
    while let Some((at, height)) = open.pop() {
        let node = &tree.nodes[at];
        if node.rows == 0 {
            continue;
        }
        let (lower, upper) = lists.split_at_mut(height + 1);
        let (contenders, above) = (&mut lower[height], upper.first().unwrap_or(candidates));
        keep_contenders(l, node, above, contenders, &mut distances);
        let labels = &mut tree.labels[node.blocks.clone()];
        if contenders.len == 1 {
            let index = contenders.indices[0];
            let owner = index as u32;
            counts[owner as usize] += node.rows;
            let sums = &mut sums[owner as usize * limbs..][..limbs];
            for (sum, part) in sums.iter_mut().zip(&tree.sums[at * limbs..]) {
                add(sum, part);
            }
            if tree.owners[at] != owner {
                tree.owners[at..][..(2 << height) - 1].fill(owner);
                for labels in labels {
                    pass.changed += l.relabel(labels, l.splat(index)) as usize;
                }
            }
            continue;
        }
        tree.owners[at] = UNASSIGNED;
        if height > 0 {
            open.push((at + (1 << height), height - 1));
            open.push((at + 1, height - 1));
            continue;
        }
        pass.distances += node.rows * contenders.len;
        let blocks = &tree.blocks[node.blocks.clone()];
        sharers.clear();
        sharers.extend((0..contenders.len).map(|i| contenders.get(i)));
        pass.changed += share(l, blocks, labels, &sharers);
        if !waiting.can_take((node.rows, &node.ranges), magic, sums) {
            sum_rows(blocks, labels, magic, sums, counts);
            continue;
        }
        let few = contenders.len <= FEW;
        for (_, index) in &sharers {
            let owner = *index as usize;
            let sum = waiting.sum(owner);
            if few {
                counts[owner] += sum_owned(l, blocks, labels, owner as u32, sum);
            }
        }
        if !few {
            add_rows(blocks, labels, waiting.sums(), counts);
        }
    }
    waiting.add_to(magic, sums);
    Ok(pass)
}

/// Writes those of `list` to `contenders` that may be nearest to a point of the
/// node's box.
///
/// Let z be nearest to the middle m. For a point x of the box, at most r from
/// the middle in each dimension, ‖x−c‖² − ‖x−z‖² is at least
/// ‖m−c‖² − ‖m−z‖² − 2 Σ |c−z| r. Where that is positive, c is farther than z
/// from all points. Rounding here and in the canonical distances, each below
/// 2·‖m−c‖² + 2·‖r‖², is less than 100 units of ‖m−c‖² + ‖r‖².
#[inline(always)]
fn keep_contenders<L: Lanes, const D: usize>(
    l: L,
    node: &Node<D>,
    list: &Candidates<D>,
    contenders: &mut Candidates<D>,
    distances: &mut Vec<[f64; LANES]>,
) {
    distances.clear();
    let mut least = l.splat(f64::INFINITY);
    let mut nearest = l.splat(0.0);
    for at in (0..list.len).step_by(LANES) {
        let mut ways = [l.splat(0.0); D];
        for (t, way) in ways.iter_mut().enumerate() {
            let c = l.load(eight(&list.centroids[t], at));
            *way = l.sub(c, l.splat(node.middle[t]));
        }
        let distance = sum_squares(l, ways);
        let used = l.less(l.load(&LANE_NUMBERS), l.splat((list.len - at) as f64));
        let distance = l.select(used, distance, l.splat(f64::INFINITY));
        let less = l.less(distance, least);
        least = l.select(less, distance, least);
        nearest = l.select(less, l.splat(at as f64), nearest);
        distances.push(l.store(distance));
    }
    let lane = l.least_lane(least);
    let (least, nearest) = (l.store(least)[lane], l.store(nearest)[lane]);
    let z = nearest as usize + lane;

    contenders.len = 0;
    for (at, distance) in (0..list.len).step_by(LANES).zip(&*distances) {
        let mut terms = [l.splat(0.0); D];
        for (t, term) in terms.iter_mut().enumerate() {
            let c = l.load(eight(&list.centroids[t], at));
            let way = l.abs(l.sub(c, l.splat(list.centroids[t][z])));
            *term = l.mul(way, l.splat(node.reach[t]));
        }
        let detour = fold(l, terms);
        let distance = l.load(distance);
        let gain = l.sub(l.sub(distance, l.splat(least)), l.add(detour, detour));
        let units = l.add(distance, l.splat(node.size));
        let far = l.less(l.mul(units, l.splat(100.0 * f64::EPSILON)), gain);
        let used = LANES.min(list.len - at);
        let bits = !l.bits(far) & (u8::MAX >> (LANES - used));
        for t in 0..D {
            let c = l.load(eight(&list.centroids[t], at));
            l.compress(
                eight_mut(&mut contenders.centroids[t], contenders.len),
                bits,
                c,
            );
        }
        let indices = l.load(eight(&list.indices, at));
        l.compress(
            eight_mut(&mut contenders.indices, contenders.len),
            bits,
            indices,
        );
        contenders.len += bits.count_ones() as usize;
    }
}

const LANE_NUMBERS: [f64; LANES] = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0];

/// Assigns the rows of a leaf by canonical distances; ties go to the candidate
/// (centroid and index) that comes first. Returns how many labels changed.
#[inline(always)]
fn share<L: Lanes, const D: usize>(
    l: L,
    blocks: &[Block<D>],
    labels: &mut [[u32; LANES]],
    candidates: &[([f64; D], f64)],
) -> usize {
    let mut changed = 0;
    for (block, labels) in blocks.iter().zip(labels) {
        let x = widen(l, block);
        let mut least = l.splat(f64::INFINITY);
        let mut best = l.splat(0.0);
        for (centroid, index) in candidates {
            let mut terms = x;
            for t in 0..D {
                terms[t] = l.sub(x[t], l.splat(centroid[t]));
            }
            let distance = sum_squares(l, terms);
            let less = l.less(distance, least);
            least = l.select(less, distance, least);
            best = l.select(less, l.splat(*index), best);
        }
        changed += l.relabel(labels, best) as usize;
    }
    changed
}

/// Adds the rows of one cluster to its sum, where float64 is exact. Returns how many
/// there are.
#[inline(always)]
fn sum_owned<L: Lanes, const D: usize>(
    l: L,
    blocks: &[Block<D>],
    labels: &[[u32; LANES]],
    owner: u32,
    sum: &mut [f64; D],
) -> usize {
    let mut lanes = [l.splat(0.0); D];
    let mut count = 0;
    for (block, labels) in blocks.iter().zip(labels) {
        let owned = l.equal(labels, owner);
        count += l.bits(owned).count_ones();
        for t in 0..D {
            let value = l.select(owned, l.widen(&block[t]), l.splat(0.0));
            lanes[t] = l.add(lanes[t], value);
        }
    }
    for t in 0..D {
        sum[t] += l.store(lanes[t]).iter().sum::<f64>();
    }
    count as usize
}

/// Adds every row to the sum and count of its cluster, in float64.
#[inline(always)]
fn add_rows<const D: usize>(
    blocks: &[Block<D>],
    labels: &[[u32; LANES]],
    waiting: &mut [[f64; D]],
    counts: &mut [usize],
) {
    for (block, labels) in blocks.iter().zip(labels) {
        for (lane, &label) in labels.iter().enumerate() {
            if label != REPEATED {
                counts[label as usize] += 1;
                let sum = &mut waiting[label as usize];
                for t in 0..D {
                    sum[t] += f64::from(block[t][lane]);
                }
            }
        }
    }
}

/// Adds every row to the sum and count of its cluster.
#[inline(always)]
fn sum_rows<const D: usize>(
    blocks: &[Block<D>],
    labels: &[[u32; LANES]],
    magic: &[[f64; D]],
    sums: &mut [[i64; D]],
    counts: &mut [usize],
) {
    for (block, labels) in blocks.iter().zip(labels) {
        for (lane, &label) in labels.iter().enumerate() {
            if label != REPEATED {
                counts[label as usize] += 1;
                let row = block.map(|x| f64::from(x[lane]));
                add_numbers(magic, row, &mut sums[label as usize * magic.len()..]);
            }
        }
    }
}

#[inline(always)]
fn add<const D: usize>(sum: &mut [i64; D], other: &[i64; D]) {
    for t in 0..D {
        sum[t] += other[t];
    }
}

#[inline(always)]
fn widen<L: Lanes, const D: usize>(l: L, block: &Block<D>) -> [L::F; D] {
    let mut wide = [l.splat(0.0); D];
    for t in 0..D {
        wide[t] = l.widen(&block[t]);
    }
    wide
}

/// Of the differences in each dimension: the squared distance, by the order of
/// operations that makes it canonical: see
/// [`squared_distance`](crate::kernels::exact::squared_distance).
#[inline(always)]
fn sum_squares<L: Lanes, const D: usize>(l: L, mut ways: [L::F; D]) -> L::F {
    for way in &mut ways {
        *way = l.mul(*way, *way);
    }
    fold(l, ways)
}

/// The sum of all terms, in the canonical order.
#[inline(always)]
fn fold<L: Lanes, const D: usize>(l: L, mut terms: [L::F; D]) -> L::F {
    for width in [4, 2, 1] {
        for t in 0..width {
            if t + width < D {
                terms[t] = l.add(terms[t], terms[t + width]);
            }
        }
    }
    terms[0]
}

/// The sum of the canonical distances of a tree's rows to the centroids that
/// their labels name.
pub(super) struct Inertia<'w, const D: usize> {
    pub tree: &'w Tree<D>,
    pub centroids: &'w [[f32; D]],
}

impl<const D: usize> Work for Inertia<'_, D> {
    type Output = ExactSum;

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) -> ExactSum {
        sum_distances(lanes, self.tree, self.centroids)
    }
}

#[inline(always)]
fn sum_distances<L: Lanes, const D: usize>(
    l: L,
    tree: &Tree<D>,
    centroids: &[[f32; D]],
) -> ExactSum {
    let mut sum = ExactSum::default();
    let mut lanes = ByLanes::new(l);
    for (block, labels) in tree.blocks.iter().zip(&tree.labels) {
        let mut own: Block<D> = *block;
        for (lane, &label) in labels.iter().enumerate() {
            // A repetition stays at distance 0 from itself.
            if label != REPEATED {
                for t in 0..D {
                    own[t][lane] = centroids[label as usize][t];
                }
            }
        }
        let mut ways = widen(l, block);
        let own = widen(l, &own);
        for t in 0..D {
            ways[t] = l.sub(ways[t], own[t]);
        }
        lanes.add(l, &mut sum, sum_squares(l, ways));
    }
    lanes.finish(l, &mut sum);
    sum
}
