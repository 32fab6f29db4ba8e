//! One pass down a tree.

use super::{Block, Isa, LANES, Node, Pass, REPEATED, Tree, UNASSIGNED};

/// A centroid that may be the nearest to some row.
#[derive(Clone, Copy)]
pub(super) struct Candidate<const D: usize> {
    pub centroid: [f64; D],
    pub index: u32,
}

/// With up to this many candidates, a leaf's rows are summed a candidate at a
/// time.
const FEW: usize = 8;

/// Assigns the rows of a tree; adds them to the sums and counts of their
/// clusters. `candidates`: all centroids, by index.
pub(super) fn run<const D: usize>(
    isa: Isa,
    tree: &mut Tree<D>,
    candidates: &[Candidate<D>],
    sums: &mut [[f64; D]],
    counts: &mut [usize],
) -> Pass {
    match isa {
        // SAFETY: the CPU has what `isa` says.
        #[cfg(target_arch = "x86_64")]
        Isa::Vnni | Isa::Avx512 => unsafe { run_avx512(tree, candidates, sums, counts) },
        // SAFETY: the CPU has what `isa` says.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => unsafe { run_avx2(tree, candidates, sums, counts) },
        _ => walk(tree, candidates, sums, counts),
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn run_avx512<const D: usize>(
    tree: &mut Tree<D>,
    candidates: &[Candidate<D>],
    sums: &mut [[f64; D]],
    counts: &mut [usize],
) -> Pass {
    walk(tree, candidates, sums, counts)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn run_avx2<const D: usize>(
    tree: &mut Tree<D>,
    candidates: &[Candidate<D>],
    sums: &mut [[f64; D]],
    counts: &mut [usize],
) -> Pass {
    walk(tree, candidates, sums, counts)
}

#[inline(always)]
fn walk<const D: usize>(
    tree: &mut Tree<D>,
    candidates: &[Candidate<D>],
    sums: &mut [[f64; D]],
    counts: &mut [usize],
) -> Pass {
    let mut pass = Pass::default();
    // A node's candidates are a range of `kept`, which ends with those of the
    // path to the current node.
    let mut kept = candidates.to_vec();
    let mut distances = Vec::new();
    let mut open = vec![(0, tree.height, 0..candidates.len())];
    while let Some((at, height, range)) = open.pop() {
        let node = &tree.nodes[at];
        if node.rows == 0 {
            continue;
        }
        kept.truncate(range.end);
        keep_near(node, range.start, &mut kept, &mut distances);
        let near = &kept[range.end..];
        if let [only] = near {
            let j = only.index as usize;
            counts[j] += node.rows;
            add(&mut sums[j], &node.sum);
            if tree.owners[at] != only.index {
                tree.owners[at..][..(2 << height) - 1].fill(only.index);
                pass.changed += own(&mut tree.labels[node.blocks.clone()], only.index);
            }
            continue;
        }
        tree.owners[at] = UNASSIGNED;
        if height > 0 {
            let near = range.end..kept.len();
            open.push((at + (1 << height), height - 1, near.clone()));
            open.push((at + 1, height - 1, near));
            continue;
        }
        pass.distances += node.rows * near.len();
        let blocks = &tree.blocks[node.blocks.clone()];
        let labels = &mut tree.labels[node.blocks.clone()];
        pass.changed += share(blocks, labels, near);
        if near.len() <= FEW {
            for candidate in near {
                let j = candidate.index as usize;
                counts[j] += sum_owned(blocks, labels, candidate.index, &mut sums[j]);
            }
        } else {
            for (block, labels) in blocks.iter().zip(&*labels) {
                for (lane, &label) in labels.iter().enumerate() {
                    if label != REPEATED {
                        counts[label as usize] += 1;
                        add(
                            &mut sums[label as usize],
                            &block.map(|x| f64::from(x[lane])),
                        );
                    }
                }
            }
        }
    }
    pass
}

/// Appends those of `kept[start..]` that may be nearest to a point of the
/// node's box.
///
/// Let z be nearest to the middle m. For a point x of the box, at most r from
/// the middle in each dimension, ‖x−c‖² − ‖x−z‖² is at least
/// ‖m−c‖² − ‖m−z‖² − 2 Σ |c−z| r. Where that is positive, c is farther than z
/// from all points, by more than rounding (here, and of the canonical
/// distances: below 100 units of the largest term) could make up for.
#[inline(always)]
fn keep_near<const D: usize>(
    node: &Node<D>,
    start: usize,
    kept: &mut Vec<Candidate<D>>,
    distances: &mut Vec<f64>,
) {
    let end = kept.len();
    distances.clear();
    distances.extend(
        kept[start..]
            .iter()
            .map(|c| distance(&node.middle, &c.centroid)),
    );
    let (mut nearest, mut least) = (0, f64::INFINITY);
    for (i, &distance) in distances.iter().enumerate() {
        if distance < least {
            (nearest, least) = (i, distance);
        }
    }
    let z = kept[start + nearest].centroid;
    let size = distance(&node.reach, &[0.0; D]);
    for i in start..end {
        let candidate = kept[i];
        let distance = distances[i - start];
        let mut gain = 0.0;
        for t in 0..D {
            gain += (candidate.centroid[t] - z[t]).abs() * node.reach[t];
        }
        let slack = 100.0 * f64::EPSILON * (distance + size);
        if distance - least - 2.0 * gain <= slack {
            kept.push(candidate);
        }
    }
}

/// Gives all rows to one cluster. Returns how many were in another one.
#[inline(always)]
fn own(labels: &mut [[u32; LANES]], owner: u32) -> usize {
    labels
        .iter_mut()
        .map(|labels| relabel(labels, [owner; LANES]))
        .sum()
}

/// Assigns the rows of a leaf by canonical distances; ties go to the candidate
/// that comes first. Returns how many labels changed.
#[inline(always)]
fn share<const D: usize>(
    blocks: &[Block<D>],
    labels: &mut [[u32; LANES]],
    candidates: &[Candidate<D>],
) -> usize {
    let mut changed = 0;
    for (block, labels) in blocks.iter().zip(labels) {
        let x = block.map(|x| x.map(f64::from));
        let mut least = [f64::INFINITY; LANES];
        let mut best = [0u64; LANES];
        for candidate in candidates {
            let distance = distances_to(&x, &candidate.centroid.map(|c| [c; LANES]));
            for lane in 0..LANES {
                let less = distance[lane] < least[lane];
                least[lane] = if less { distance[lane] } else { least[lane] };
                best[lane] = if less {
                    u64::from(candidate.index)
                } else {
                    best[lane]
                };
            }
        }
        changed += relabel(labels, best.map(|j| j as u32));
    }
    changed
}

/// Labels eight rows, but for repetitions. Returns how many changed.
#[inline(always)]
fn relabel(labels: &mut [u32; LANES], new: [u32; LANES]) -> usize {
    let mut changed = 0;
    for lane in 0..LANES {
        let old = labels[lane];
        let new = if old == REPEATED { old } else { new[lane] };
        changed += u32::from(old != new);
        labels[lane] = new;
    }
    changed as usize
}

/// Adds the rows of one cluster to its sum. Returns how many there are.
#[inline(always)]
fn sum_owned<const D: usize>(
    blocks: &[Block<D>],
    labels: &[[u32; LANES]],
    owner: u32,
    sum: &mut [f64; D],
) -> usize {
    let mut lanes = [[0.0f64; LANES]; D];
    let mut counts = [0u32; LANES];
    for (block, labels) in blocks.iter().zip(labels) {
        let owned = labels.map(|label| label == owner);
        for lane in 0..LANES {
            counts[lane] += u32::from(owned[lane]);
        }
        for t in 0..D {
            for lane in 0..LANES {
                lanes[t][lane] += if owned[lane] {
                    f64::from(block[t][lane])
                } else {
                    0.0
                };
            }
        }
    }
    add(sum, &lanes.map(|lanes| lanes.iter().sum()));
    counts.iter().sum::<u32>() as usize
}

#[inline(always)]
fn add<const D: usize>(sum: &mut [f64; D], other: &[f64; D]) {
    for t in 0..D {
        sum[t] += other[t];
    }
}

/// The sum of the canonical distances of a tree's rows to the centroids that
/// their labels name.
pub(super) fn inertia<const D: usize>(isa: Isa, tree: &Tree<D>, centroids: &[Candidate<D>]) -> f64 {
    match isa {
        // SAFETY: the CPU has what `isa` says.
        #[cfg(target_arch = "x86_64")]
        Isa::Vnni | Isa::Avx512 => unsafe { inertia_avx512(tree, centroids) },
        // SAFETY: the CPU has what `isa` says.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => unsafe { inertia_avx2(tree, centroids) },
        _ => sum_distances(tree, centroids),
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn inertia_avx512<const D: usize>(tree: &Tree<D>, centroids: &[Candidate<D>]) -> f64 {
    sum_distances(tree, centroids)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn inertia_avx2<const D: usize>(tree: &Tree<D>, centroids: &[Candidate<D>]) -> f64 {
    sum_distances(tree, centroids)
}

#[inline(always)]
fn sum_distances<const D: usize>(tree: &Tree<D>, centroids: &[Candidate<D>]) -> f64 {
    let mut sums = [0.0f64; LANES];
    for (block, labels) in tree.blocks.iter().zip(&tree.labels) {
        let mut own = [[0.0f64; LANES]; D];
        for lane in 0..LANES {
            let centroid = match labels[lane] {
                REPEATED => block.map(|x| f64::from(x[lane])),
                label => centroids[label as usize].centroid,
            };
            for t in 0..D {
                own[t][lane] = centroid[t];
            }
        }
        let distances = distances_to(&block.map(|x| x.map(f64::from)), &own);
        for lane in 0..LANES {
            sums[lane] += distances[lane];
        }
    }
    sums.iter().sum()
}

/// Squared distances of eight rows, in the order of operations that makes
/// them canonical: see [`squared_distance`](super::super::squared_distance).
#[inline(always)]
fn distances_to<const D: usize>(
    x: &[[f64; LANES]; D],
    centroids: &[[f64; LANES]; D],
) -> [f64; LANES] {
    let mut terms = [[0.0f64; LANES]; D];
    for t in 0..D {
        for lane in 0..LANES {
            let difference = x[t][lane] - centroids[t][lane];
            terms[t][lane] = difference * difference;
        }
    }
    let mut width = 4;
    while width > 0 {
        for t in 0..width {
            if t + width < D {
                for lane in 0..LANES {
                    terms[t][lane] += terms[t + width][lane];
                }
            }
        }
        width /= 2;
    }
    terms[0]
}

#[inline(always)]
fn distance<const D: usize>(x: &[f64; D], c: &[f64; D]) -> f64 {
    let mut sum = 0.0;
    for t in 0..D {
        sum += (x[t] - c[t]) * (x[t] - c[t]);
    }
    sum
}
