//! Rows by their distances, the farthest first.

use crate::allocate::{reserve, try_vec, with_capacity};
use crate::error::Result;
use crate::threads::Threads;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;

/// Rows that hand over their farthest together.
const BLOCK: usize = 1 << 15;

/// Rows that a block hands over at first, at least.
const FEWEST: usize = 64;

/// A distance that isn't negative, as bits, which sort like it, and its row.
pub(super) type Far = (u64, Reverse<u32>);

/// All rows that are not in the place of their centroids, the farthest first,
/// equals by index. Blocks hand them over a few at a time.
pub(super) struct Farthest<'a> {
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
    pub fn new(distances: &'a [f64], count: usize, threads: &Threads<'_>) -> Result<Self> {
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

    pub fn first(&self) -> Option<Far> {
        self.next.peek().map(|&(far, _)| far)
    }

    pub fn remove_first(&mut self) -> Result<()> {
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
    use crate::rng::Rng;

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
}
