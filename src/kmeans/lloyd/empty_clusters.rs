//! Rows for clusters that have none.
//!
//! The farthest rows get clusters of their own: the order is that of their
//! distances, equals by index, whatever blocks they come from.

use super::row_set::RowSet;
use crate::allocate::{collect, extend, push, reserve, try_vec, with_capacity};
use crate::clusters::UNASSIGNED;
use crate::error::Result;
use crate::metric::Metric;
use crate::nearest::{Centroids, Nearest, Row};
use crate::points::Points;
use crate::seeding::copy_rows;
use crate::threads::Threads;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;

/// Rows that hand over their farthest together.
const BLOCK: usize = 1 << 15;

/// Rows that a block hands over at first, at least.
const FEWEST: usize = 64;

/// With cosine, candidates that are compared with each other at a time, at
/// least.
const FEWEST_RIVALS: usize = 256;

/// Rows for the empty clusters, as (row, cluster) with all rows of equal
/// values: those that lie farthest from their centroids, equals by index. Each
/// would be nearer to a centroid in its own place than to any other. The
/// nearest row of a cluster stays. There may be too few such rows.
///
/// A pass over the data, and for each cluster that is empty some
/// O(dims + log rows); with cosine also a search of as many rows among as many
/// centroids.
pub(super) fn rows_for_empty_clusters(
    nearest: &Nearest<'_>,
    centroids: &[f32],
    labels: &[u32],
    threads: &Threads<'_>,
) -> Result<Vec<(u32, u32)>> {
    let (points, metric) = (nearest.points(), nearest.metric());
    let centroids = Centroids::new(centroids, points.cols());
    let empty = empty_clusters(labels, centroids.len(), threads)?;
    if empty.is_empty() {
        return Ok(Vec::new());
    }
    let mut distances = threads.try_vec(0.0f64, labels.len(), "distances")?;
    nearest.distances(centroids, threads, labels, &mut distances)?;
    let mut candidates = Candidates {
        nearest,
        points,
        metric,
        labels,
        stays: nearest_rows(labels, &distances, centroids.len(), threads)?,
        farthest: Farthest::new(&distances, empty.len(), threads)?,
        distances: &distances,
        distinct: RowSet::new(points)?,
        found: Vec::new(),
        values: (Vec::new(), Vec::new()),
    };
    let chosen = choose(&mut candidates, empty.len(), threads)?;

    // The cluster of each candidate.
    let mut clusters = try_vec(UNASSIGNED, candidates.distinct.len(), "empty clusters")?;
    for (&place, &cluster) in chosen.iter().zip(&empty) {
        clusters[place] = cluster;
    }
    let moves = candidates.found.iter();
    let moves = moves.map(|&(row, place)| (row, clusters[place as usize]));
    collect(
        moves.filter(|&(_, cluster)| cluster != UNASSIGNED),
        "moved rows",
    )
}

fn empty_clusters(labels: &[u32], n_clusters: usize, threads: &Threads<'_>) -> Result<Vec<u32>> {
    let mut is_empty = try_vec(true, n_clusters, "cluster sizes")?;
    threads.in_steps(labels.len(), |rows| {
        for &label in &labels[rows] {
            is_empty[label as usize] = false;
        }
        Ok(())
    })?;
    let clusters = (0..n_clusters as u32).filter(|&j| is_empty[j as usize]);
    collect(clusters, "empty clusters")
}

/// The row of each cluster that is nearest to its centroid, the first of
/// equals.
fn nearest_rows(
    labels: &[u32],
    distances: &[f64],
    n_clusters: usize,
    threads: &Threads<'_>,
) -> Result<Vec<u32>> {
    let mut rows = try_vec(UNASSIGNED, n_clusters, "nearest rows")?;
    threads.in_steps(labels.len(), |part| {
        for row in part {
            let nearest = &mut rows[labels[row] as usize];
            if *nearest == UNASSIGNED || distances[row] < distances[*nearest as usize] {
                *nearest = row as u32;
            }
        }
        Ok(())
    })?;
    Ok(rows)
}

/// The places, among the distinct rows that were found, of at most `count`
/// candidates, of which each keeps a row when all of them are centroids.
fn choose(
    candidates: &mut Candidates<'_>,
    count: usize,
    threads: &Threads<'_>,
) -> Result<Vec<usize>> {
    let mut chosen = Vec::new();
    let mut known = 0;
    loop {
        let more = match candidates.metric {
            // A distance is 0 between equal rows alone.
            Metric::Euclidean => count,
            Metric::Cosine => (count - chosen.len()).max(FEWEST_RIVALS),
        };
        candidates.find(known + more, threads)?;
        let found = candidates.distinct.len();
        if found == known {
            return Ok(chosen);
        }
        extend(&mut chosen, known..found, "chosen rows")?;
        known = found;
        if candidates.metric == Metric::Cosine {
            candidates.keep_winners(&mut chosen, threads)?;
        }
        chosen.truncate(count);
        if chosen.len() == count {
            return Ok(chosen);
        }
    }
}

/// Rows that may leave their clusters, the farthest first.
struct Candidates<'a> {
    nearest: &'a Nearest<'a>,
    points: &'a Points<'a>,
    metric: Metric,
    labels: &'a [u32],
    /// The row that stays in each cluster.
    stays: Vec<u32>,
    farthest: Farthest<'a>,
    distances: &'a [f64],
    distinct: RowSet<'a>,
    /// Rows, with the place of their values among the distinct.
    found: Vec<(u32, u32)>,
    values: (Vec<f32>, Vec<f32>),
}

impl Candidates<'_> {
    /// Finds on until `count` rows differ, and all rows that equal them.
    fn find(&mut self, count: usize, threads: &Threads<'_>) -> Result<()> {
        let mut last = None;
        while let Some((distance, Reverse(row))) = self.farthest.first() {
            // Equal rows are at the same distance, so they come together.
            if self.distinct.len() >= count && last != Some(distance) {
                break;
            }
            last = Some(distance);
            self.farthest.remove_first()?;
            if self.may_leave(row)? {
                let values = self.points.row(row as usize, &mut self.values.0)?;
                let place = self.distinct.insert(row, values)?;
                push(&mut self.found, (row, place as u32), "moved rows")?;
            }
            threads.poll()?;
        }
        Ok(())
    }

    fn may_leave(&mut self, row: u32) -> Result<bool> {
        let distance = self.distances[row as usize];
        let stays = self.stays[self.labels[row as usize] as usize];
        let values = self.points.row(row as usize, &mut self.values.0)?;
        let stays_too = distance == self.distances[stays as usize]
            && values == self.points.row(stays as usize, &mut self.values.1)?;
        if stays_too || self.metric == Metric::Euclidean {
            return Ok(!stays_too);
        }
        let place = &mut self.values.1;
        place.clear();
        extend(place, values.iter().copied(), "a row")?;
        self.metric.normalize(place);
        Ok(Row::new(values, self.metric).distance(place) < distance)
    }

    /// Keeps the candidates (places among the distinct rows) in whose own
    /// place a centroid would be the nearest of some candidate.
    fn keep_winners(&self, chosen: &mut Vec<usize>, threads: &Threads<'_>) -> Result<()> {
        let rows = collect(
            chosen.iter().map(|&place| self.distinct.row(place)),
            "chosen rows",
        )?;
        let places = collect(rows.iter().map(|&row| row as usize), "chosen rows")?;
        let places = copy_rows(self.points, self.metric, &places)?;
        let points = self.points.select(&rows);
        let mut labels = try_vec(UNASSIGNED, rows.len(), "labels")?;
        let centroids = Centroids::new(&places, points.cols());
        self.nearest
            .child(&points)
            .assign(centroids, threads, &mut labels, None)?;
        let mut wins = try_vec(false, rows.len(), "chosen rows")?;
        for label in labels {
            wins[label as usize] = true;
        }
        let mut wins = wins.into_iter();
        chosen.retain(|_| wins.next() == Some(true));
        Ok(())
    }
}

/// A distance that isn't negative, as bits, which sort like it, and its row.
type Far = (u64, Reverse<u32>);

/// All rows that are not in the place of their centroids, the farthest first,
/// equals by index. Blocks hand them over a few at a time.
struct Farthest<'a> {
    distances: &'a [f64],
    blocks: Vec<Block>,
    /// The next of each block, with the block's number.
    next: BinaryHeap<(Far, u32)>,
}

#[derive(Clone, Default)]
struct Block {
    /// Ascending.
    ready: Vec<Far>,
    /// How many were handed over last.
    count: usize,
    /// What comes next is less.
    last: Option<Far>,
}

impl<'a> Farthest<'a> {
    /// `count`: how many are likely wanted.
    fn new(distances: &'a [f64], count: usize, threads: &Threads<'_>) -> Result<Self> {
        let n_blocks = distances.len().div_ceil(BLOCK);
        let mut blocks = try_vec(Block::default(), n_blocks, "farthest rows")?;
        let tasks = blocks.iter_mut().zip(distances.chunks(BLOCK)).enumerate();
        let each = (2 * count / n_blocks.max(1)).max(FEWEST);
        threads.run(
            tasks,
            || (),
            |(), (number, (block, distances))| block.hand_over(number * BLOCK, distances, each),
        )?;
        let mut first = with_capacity(n_blocks, "farthest rows")?;
        for (number, block) in (0..).zip(&mut blocks) {
            first.extend(block.ready.pop().map(|far| (far, number)));
        }
        Ok(Farthest {
            distances,
            blocks,
            next: BinaryHeap::from(first),
        })
    }

    fn first(&self) -> Option<Far> {
        self.next.peek().map(|&(far, _)| far)
    }

    fn remove_first(&mut self) -> Result<()> {
        let Some(mut top) = self.next.peek_mut() else {
            return Ok(());
        };
        let number = top.1 as usize;
        let first = number * BLOCK;
        let end = self.distances.len().min(first + BLOCK);
        let block = &mut self.blocks[number];
        if block.ready.is_empty() {
            block.hand_over(first, &self.distances[first..end], 2 * block.count)?;
        }
        match block.ready.pop() {
            Some(far) => top.0 = far,
            None => _ = PeekMut::pop(top),
        }
        Ok(())
    }
}

impl Block {
    /// Readies the next `count` of the rows `first..`.
    fn hand_over(&mut self, first: usize, distances: &[f64], count: usize) -> Result<()> {
        let all = (first as u32..).zip(distances);
        let all = all.filter(|&(_, &distance)| distance > 0.0);
        let all = all.map(|(row, distance)| (distance.to_bits(), Reverse(row)));
        let last = self.last;
        let mut left = with_capacity(distances.len(), "farthest rows")?;
        left.extend(all.filter(|far| last.is_none_or(|last| *far < last)));
        if left.len() > count {
            left.select_nth_unstable_by(count - 1, |a, b| b.cmp(a));
            left.truncate(count);
        }
        left.sort_unstable();
        self.ready.clear();
        reserve(&mut self.ready, left.len(), "farthest rows")?;
        self.ready.extend_from_slice(&left);
        self.last = left.first().copied().or(self.last);
        self.count = count;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::KMeansError;
    use crate::nearest::Shared;
    use crate::rng::Rng;
    use ndarray::Array2;
    use std::ops::ControlFlow;

    /// What the documentation says, every row compared with every other.
    fn plainly(
        data: &Array2<f32>,
        metric: Metric,
        centroids: &[f32],
        labels: &[u32],
    ) -> Vec<(u32, u32)> {
        let dims = data.ncols();
        let row = |i: usize| data.row(i).to_slice().unwrap().to_vec();
        let distances: Vec<f64> = (0..data.nrows())
            .map(|i| {
                let centroid = &centroids[labels[i] as usize * dims..][..dims];
                Row::new(&row(i), metric).distance(centroid)
            })
            .collect();
        let mut order: Vec<usize> = (0..data.nrows()).collect();
        order.sort_by(|&a, &b| distances[b].total_cmp(&distances[a]).then(a.cmp(&b)));
        let mut empty = (0..(centroids.len() / dims) as u32).filter(|j| !labels.contains(j));
        let mut taken: Vec<(usize, u32)> = Vec::new();
        let mut moves = Vec::new();
        for &i in &order {
            let mates = (0..order.len()).filter(|&other| labels[other] == labels[i]);
            let stays = mates
                .min_by(|&a, &b| distances[a].total_cmp(&distances[b]))
                .unwrap();
            if distances[i] <= 0.0 || row(i) == row(stays) {
                continue;
            }
            let equal = taken.iter().find(|&&(other, _)| row(other) == row(i));
            let cluster = equal.map(|&(_, cluster)| cluster).or_else(|| empty.next());
            if let Some(cluster) = cluster {
                taken.push((i, cluster));
                moves.push((i as u32, cluster));
            }
        }
        moves
    }

    /// Rows of few different values, and how they are assigned to centroids of
    /// which only the first `near` are near.
    fn problem(
        rows: usize,
        k: usize,
        near: usize,
        metric: Metric,
    ) -> (Array2<f32>, Vec<f32>, Vec<u32>) {
        let mut rng = Rng::new((rows + k) as u64);
        let data = Array2::from_shape_fn((rows, 3), |_| 1.0 + rng.below(12) as f32);
        let mut centroids: Vec<f32> = (0..3 * k)
            .map(|at| {
                if at < 3 * near {
                    (1 + at % 7) as f32
                } else {
                    -1e3 - at as f32
                }
            })
            .collect();
        centroids
            .chunks_exact_mut(3)
            .for_each(|c| metric.normalize(c));
        let points = Points::from(data.view());
        let mut labels = vec![UNASSIGNED; rows];
        let threads = Threads::exactly(1, None).unwrap();
        let shared = Shared::new(&points, metric, None).unwrap();
        shared
            .nearest(&points)
            .assign(Centroids::new(&centroids, 3), &threads, &mut labels, None)
            .unwrap();
        (data, centroids, labels)
    }

    #[test]
    fn the_farthest_rows_are_found_whatever_the_blocks() {
        for (rows, k, near) in [(300, 40, 3), (500, 490, 20), (90, 80, 1), (2000, 300, 5)] {
            let (data, centroids, labels) = problem(rows, k, near, Metric::Euclidean);
            let expected = plainly(&data, Metric::Euclidean, &centroids, &labels);
            let points = Points::from(data.view());
            let shared = Shared::new(&points, Metric::Euclidean, None).unwrap();
            let nearest = shared.nearest(&points);
            for count in [1, 3] {
                let threads = Threads::exactly(count, None).unwrap();
                let moves = rows_for_empty_clusters(&nearest, &centroids, &labels, &threads);
                assert_eq!(moves.unwrap(), expected);
            }
        }
    }

    #[test]
    fn blocks_hand_over_all_rows_in_order() {
        let mut rng = Rng::new(3);
        let distances: Vec<f64> = (0..3 * BLOCK + 5).map(|_| rng.below(5000) as f64).collect();
        let threads = Threads::exactly(2, None).unwrap();
        let mut farthest = Farthest::new(&distances, 1000, &threads).unwrap();
        let mut found = Vec::new();
        while let Some(far) = farthest.first() {
            found.push(far);
            farthest.remove_first().unwrap();
        }
        let mut expected: Vec<Far> = (0..)
            .zip(&distances)
            .filter(|&(_, &distance)| distance > 0.0)
            .map(|(row, distance)| (distance.to_bits(), Reverse(row)))
            .collect();
        expected.sort_by(|a, b| b.cmp(a));
        assert_eq!(found, expected);
    }

    #[test]
    fn every_place_is_the_nearest_of_a_row() {
        for metric in [Metric::Euclidean, Metric::Cosine] {
            let (data, mut centroids, labels) = problem(3000, 400, 2, metric);
            let points = Points::from(data.view());
            let shared = Shared::new(&points, metric, None).unwrap();
            let mut nearest = shared.nearest(&points);
            let threads = Threads::exactly(1, None).unwrap();
            let moves = rows_for_empty_clusters(&nearest, &centroids, &labels, &threads).unwrap();
            for &(row, cluster) in &moves {
                let place = &mut centroids[3 * cluster as usize..][..3];
                place.copy_from_slice(data.row(row as usize).to_slice().unwrap());
                metric.normalize(place);
            }
            let mut after = vec![UNASSIGNED; labels.len()];
            let centroids = Centroids::new(&centroids, 3);
            nearest
                .assign(centroids, &threads, &mut after, None)
                .unwrap();
            let mut filled: Vec<u32> = moves.iter().map(|&(_, cluster)| cluster).collect();
            filled.sort_unstable();
            filled.dedup();
            assert!(filled.len() > 390, "{}", filled.len());
            for cluster in filled {
                assert!(after.contains(&cluster));
            }
        }
    }

    #[test]
    fn can_be_cancelled() {
        let (data, centroids, labels) = problem(900, 60, 2, Metric::Cosine);
        let points = Points::from(data.view());
        let shared = Shared::new(&points, Metric::Cosine, None).unwrap();
        let nearest = shared.nearest(&points);
        let mut stop =
            |_: crate::threads::Event<'_>| ControlFlow::Break(crate::threads::End::Cancel);
        let threads = Threads::exactly(1, Some(&mut stop)).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(25));
        let result = rows_for_empty_clusters(&nearest, &centroids, &labels, &threads);
        assert_eq!(result, Err(KMeansError::Cancelled));
    }
}
