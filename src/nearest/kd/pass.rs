//! One pass down a tree.

#[cfg(target_arch = "x86_64")]
use super::lanes::{Avx2, Avx512};
use super::lanes::{Lanes, Portable};
use super::{Block, Centroids, ExactSum, Grid, Isa, LANES, Node, Pass, REPEATED, Tree, UNASSIGNED};
use crate::allocate::{push, try_vec, with_capacity};
use crate::error::Result;

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
/// clusters (n_clusters × the grid's limbs). `lists` is scratch: empty, or what an earlier call with as many
/// candidates left.
pub(super) fn run<const D: usize>(
    isa: Isa,
    tree: &mut Tree<D>,
    candidates: &Candidates<D>,
    lists: &mut Vec<Candidates<D>>,
    grid: &Grid,
    sums: &mut [[i64; D]],
    counts: &mut [usize],
) -> Result<Pass> {
    match isa {
        // SAFETY: the CPU has what `isa` says.
        #[cfg(target_arch = "x86_64")]
        Isa::Vnni | Isa::Avx512 => unsafe {
            run_avx512(tree, candidates, lists, grid, sums, counts)
        },
        // SAFETY: the CPU has what `isa` says.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 | Isa::AvxVnni => unsafe {
            run_avx2(tree, candidates, lists, grid, sums, counts)
        },
        // SAFETY: any CPU can run it.
        _ => unsafe { walk::<Portable, D>(tree, candidates, lists, grid, sums, counts) },
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,popcnt")]
fn run_avx512<const D: usize>(
    tree: &mut Tree<D>,
    candidates: &Candidates<D>,
    lists: &mut Vec<Candidates<D>>,
    grid: &Grid,
    sums: &mut [[i64; D]],
    counts: &mut [usize],
) -> Result<Pass> {
    // SAFETY: as the attribute says.
    unsafe { walk::<Avx512, D>(tree, candidates, lists, grid, sums, counts) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,popcnt")]
fn run_avx2<const D: usize>(
    tree: &mut Tree<D>,
    candidates: &Candidates<D>,
    lists: &mut Vec<Candidates<D>>,
    grid: &Grid,
    sums: &mut [[i64; D]],
    counts: &mut [usize],
) -> Result<Pass> {
    // SAFETY: as the attribute says.
    unsafe { walk::<Avx2, D>(tree, candidates, lists, grid, sums, counts) }
}

/// # Safety
/// The CPU must have the instructions of `L`.
#[inline(always)]
unsafe fn walk<L: Lanes, const D: usize>(
    tree: &mut Tree<D>,
    candidates: &Candidates<D>,
    lists: &mut Vec<Candidates<D>>,
    grid: &Grid,
    sums: &mut [[i64; D]],
    counts: &mut [usize],
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
    let mut open = with_capacity(height + 2, PURPOSE)?;
    open.push((0, height));
    while let Some((at, height)) = open.pop() {
        let node = &tree.nodes[at];
        if node.rows == 0 {
            continue;
        }
        let (lower, upper) = lists.split_at_mut(height + 1);
        let (near, above) = (&mut lower[height], upper.first().unwrap_or(candidates));
        // SAFETY: by this function's contract.
        unsafe { keep_near::<L, D>(node, above, near, &mut distances) };
        let labels = &mut tree.labels[node.blocks.clone()];
        if near.len == 1 {
            let index = near.indices[0];
            let owner = index as u32;
            counts[owner as usize] += node.rows;
            let sums = &mut sums[owner as usize * limbs..][..limbs];
            for (sum, part) in sums.iter_mut().zip(&tree.sums[at * limbs..]) {
                add(sum, part);
            }
            if tree.owners[at] != owner {
                tree.owners[at..][..(2 << height) - 1].fill(owner);
                for labels in labels {
                    // SAFETY: by this function's contract.
                    pass.changed += unsafe { L::relabel(labels, L::splat(index)) } as usize;
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
        pass.distances += node.rows * near.len;
        let blocks = &tree.blocks[node.blocks.clone()];
        sharers.clear();
        sharers.extend((0..near.len).map(|i| near.get(i)));
        // SAFETY: by this function's contract.
        unsafe {
            pass.changed += share::<L, D>(blocks, labels, &sharers);
            if near.len <= FEW && node.exact {
                for (_, index) in &sharers {
                    let owner = *index as u32;
                    let (sum, count) = sum_owned::<L, D>(blocks, labels, owner);
                    counts[owner as usize] += count;
                    let sums = &mut sums[owner as usize * limbs..][..limbs];
                    add_numbers(magic, sum, sums);
                }
            } else {
                sum_rows(blocks, labels, magic, sums, counts);
            }
        }
    }
    Ok(pass)
}

/// Writes those of `list` to `near` that may be nearest to a point of the
/// node's box.
///
/// Let z be nearest to the middle m. For a point x of the box, at most r from
/// the middle in each dimension, ‖x−c‖² − ‖x−z‖² is at least
/// ‖m−c‖² − ‖m−z‖² − 2 Σ |c−z| r. Where that is positive, c is farther than z
/// from all points. Rounding here and in the canonical distances, each below
/// 2·‖m−c‖² + 2·‖r‖², is less than 100 units of ‖m−c‖² + ‖r‖².
///
/// # Safety
/// The CPU must have the instructions of `L`.
#[inline(always)]
unsafe fn keep_near<L: Lanes, const D: usize>(
    node: &Node<D>,
    list: &Candidates<D>,
    near: &mut Candidates<D>,
    distances: &mut Vec<[f64; LANES]>,
) {
    // SAFETY: by this function's contract.
    unsafe {
        distances.clear();
        let mut least = L::splat(f64::INFINITY);
        let mut nearest = L::splat(0.0);
        for at in (0..list.len).step_by(LANES) {
            let mut ways = [L::splat(0.0); D];
            for (t, way) in ways.iter_mut().enumerate() {
                let c = L::load(eight(&list.centroids[t], at));
                *way = L::sub(c, L::splat(node.middle[t]));
            }
            let distance = sum_squares::<L, D>(ways);
            let used = L::less(L::load(&LANE_NUMBERS), L::splat((list.len - at) as f64));
            let distance = L::select(used, distance, L::splat(f64::INFINITY));
            let less = L::less(distance, least);
            least = L::select(less, distance, least);
            nearest = L::select(less, L::splat(at as f64), nearest);
            distances.push(L::store(distance));
        }
        let lane = L::least_lane(least);
        let (least, nearest) = (L::store(least)[lane], L::store(nearest)[lane]);
        let z = nearest as usize + lane;

        near.len = 0;
        for (at, distance) in (0..list.len).step_by(LANES).zip(&*distances) {
            let mut terms = [L::splat(0.0); D];
            for (t, term) in terms.iter_mut().enumerate() {
                let c = L::load(eight(&list.centroids[t], at));
                let way = L::abs(L::sub(c, L::splat(list.centroids[t][z])));
                *term = L::mul(way, L::splat(node.reach[t]));
            }
            let detour = fold::<L, D>(terms);
            let distance = L::load(distance);
            let gain = L::sub(L::sub(distance, L::splat(least)), L::add(detour, detour));
            let units = L::add(distance, L::splat(node.size));
            let far = L::less(L::mul(units, L::splat(100.0 * f64::EPSILON)), gain);
            let used = LANES.min(list.len - at);
            let bits = !L::bits(far) & (u8::MAX >> (LANES - used));
            for t in 0..D {
                let c = L::load(eight(&list.centroids[t], at));
                *eight_mut(&mut near.centroids[t], near.len) = L::store(L::compress(bits, c));
            }
            let indices = L::load(eight(&list.indices, at));
            *eight_mut(&mut near.indices, near.len) = L::store(L::compress(bits, indices));
            near.len += bits.count_ones() as usize;
        }
    }
}

const LANE_NUMBERS: [f64; LANES] = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0];

/// Assigns the rows of a leaf by canonical distances; ties go to the candidate
/// (centroid and index) that comes first. Returns how many labels changed.
///
/// # Safety
/// The CPU must have the instructions of `L`.
#[inline(always)]
unsafe fn share<L: Lanes, const D: usize>(
    blocks: &[Block<D>],
    labels: &mut [[u32; LANES]],
    candidates: &[([f64; D], f64)],
) -> usize {
    let mut changed = 0;
    for (block, labels) in blocks.iter().zip(labels) {
        // SAFETY: by this function's contract.
        unsafe {
            let x = widen::<L, D>(block);
            let mut least = L::splat(f64::INFINITY);
            let mut best = L::splat(0.0);
            for (centroid, index) in candidates {
                let mut terms = x;
                for t in 0..D {
                    terms[t] = L::sub(x[t], L::splat(centroid[t]));
                }
                let distance = sum_squares::<L, D>(terms);
                let less = L::less(distance, least);
                least = L::select(less, distance, least);
                best = L::select(less, L::splat(*index), best);
            }
            changed += L::relabel(labels, best) as usize;
        }
    }
    changed
}

/// The sum of the rows of one cluster, where float64 is exact, and how many
/// there are.
///
/// # Safety
/// The CPU must have the instructions of `L`.
#[inline(always)]
unsafe fn sum_owned<L: Lanes, const D: usize>(
    blocks: &[Block<D>],
    labels: &[[u32; LANES]],
    owner: u32,
) -> ([f64; D], usize) {
    // SAFETY: by this function's contract.
    unsafe {
        let mut lanes = [L::splat(0.0); D];
        let mut count = 0;
        for (block, labels) in blocks.iter().zip(labels) {
            let owned = L::equal(labels, owner);
            count += L::bits(owned).count_ones();
            for t in 0..D {
                let value = L::select(owned, L::widen(&block[t]), L::splat(0.0));
                lanes[t] = L::add(lanes[t], value);
            }
        }
        let sum = lanes.map(|lanes| L::store(lanes).iter().sum());
        (sum, count as usize)
    }
}

/// Adds every row to the sum and count of its cluster.
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

/// Adds a row, or a sum of rows, to the limbs of a sum, less the bits of `magic`:
/// see [`add_rows`](crate::kernels::accumulate::add_rows).
#[inline(always)]
pub(super) fn add_numbers<const D: usize>(
    magic: &[[f64; D]],
    mut rest: [f64; D],
    sums: &mut [[i64; D]],
) {
    for (sum, magic) in sums.iter_mut().zip(magic) {
        for t in 0..D {
            let rounded = rest[t] + magic[t];
            sum[t] += rounded.to_bits() as i64 - magic[t].to_bits() as i64;
            rest[t] -= rounded - magic[t];
        }
    }
}

#[inline(always)]
fn add<const D: usize>(sum: &mut [i64; D], other: &[i64; D]) {
    for t in 0..D {
        sum[t] += other[t];
    }
}

/// # Safety
/// The CPU must have the instructions of `L`.
#[inline(always)]
unsafe fn widen<L: Lanes, const D: usize>(block: &Block<D>) -> [L::F; D] {
    // SAFETY: by this function's contract.
    unsafe {
        let mut wide = [L::splat(0.0); D];
        for t in 0..D {
            wide[t] = L::widen(&block[t]);
        }
        wide
    }
}

/// Of the differences in each dimension: the squared distance, by the order of
/// operations that makes it canonical: see
/// [`squared_distance`](crate::kernels::exact::squared_distance).
///
/// # Safety
/// The CPU must have the instructions of `L`.
#[inline(always)]
unsafe fn sum_squares<L: Lanes, const D: usize>(mut ways: [L::F; D]) -> L::F {
    // SAFETY: by this function's contract.
    unsafe {
        for way in &mut ways {
            *way = L::mul(*way, *way);
        }
        fold::<L, D>(ways)
    }
}

/// The sum of all terms, in the canonical order.
///
/// # Safety
/// The CPU must have the instructions of `L`.
#[inline(always)]
unsafe fn fold<L: Lanes, const D: usize>(mut terms: [L::F; D]) -> L::F {
    for width in [4, 2, 1] {
        for t in 0..width {
            if t + width < D {
                // SAFETY: by this function's contract.
                terms[t] = unsafe { L::add(terms[t], terms[t + width]) };
            }
        }
    }
    terms[0]
}

/// The sum of the canonical distances of a tree's rows to the centroids that
/// their labels name.
pub(super) fn inertia<const D: usize>(
    isa: Isa,
    tree: &Tree<D>,
    centroids: &[[f32; D]],
) -> ExactSum {
    match isa {
        // SAFETY: the CPU has what `isa` says.
        #[cfg(target_arch = "x86_64")]
        Isa::Vnni | Isa::Avx512 => unsafe { inertia_avx512(tree, centroids) },
        // SAFETY: the CPU has what `isa` says.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 | Isa::AvxVnni => unsafe { inertia_avx2(tree, centroids) },
        // SAFETY: any CPU can run it.
        _ => unsafe { sum_distances::<Portable, D>(tree, centroids) },
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,popcnt")]
fn inertia_avx512<const D: usize>(tree: &Tree<D>, centroids: &[[f32; D]]) -> ExactSum {
    // SAFETY: as the attribute says.
    unsafe { sum_distances::<Avx512, D>(tree, centroids) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,popcnt")]
fn inertia_avx2<const D: usize>(tree: &Tree<D>, centroids: &[[f32; D]]) -> ExactSum {
    // SAFETY: as the attribute says.
    unsafe { sum_distances::<Avx2, D>(tree, centroids) }
}

/// # Safety
/// The CPU must have the instructions of `L`.
#[inline(always)]
unsafe fn sum_distances<L: Lanes, const D: usize>(
    tree: &Tree<D>,
    centroids: &[[f32; D]],
) -> ExactSum {
    // SAFETY: by this function's contract.
    unsafe {
        let mut sum = ExactSum::default();
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
            let mut ways = widen::<L, D>(block);
            let own = widen::<L, D>(&own);
            for t in 0..D {
                ways[t] = L::sub(ways[t], own[t]);
            }
            for distance in L::store(sum_squares::<L, D>(ways)) {
                sum.add(distance);
            }
        }
        sum
    }
}
