//! A seeded stream of random numbers: xoshiro256++ (Blackman & Vigna, 2019),
//! its state filled by SplitMix64.
//!
//! Written out here, not taken from a crate, because the stream is part of
//! the promise that a seed gives the same clusters in every release.

use crate::allocate::{hash_set, with_capacity};
use crate::error::Result;

#[derive(Debug, Clone)]
pub(crate) struct Rng {
    state: [u64; 4],
}

impl Rng {
    pub fn new(seed: u64) -> Self {
        let mut z = seed;
        let state = std::array::from_fn(|_| {
            z = z.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut x = z;
            x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            x ^ (x >> 31)
        });
        Rng { state }
    }

    pub fn next(&mut self) -> u64 {
        let s = &mut self.state;
        let result = s[0].wrapping_add(s[3]).rotate_left(23).wrapping_add(s[0]);
        let t = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= t;
        s[3] = s[3].rotate_left(45);
        result
    }

    /// Uniform in `0..bound` (Lemire, 2019: the bias is below 2⁻³² for the
    /// bounds that occur here). `bound` must be positive.
    pub fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.next()) * bound as u128) >> 64) as usize
    }

    /// Uniform in [0, 1), with 53 bits.
    pub fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// `count` distinct numbers below `bound`, in random order (Floyd's
    /// method, then a shuffle): O(count) whatever the bound.
    pub fn distinct(&mut self, count: usize, bound: usize) -> Result<Vec<usize>> {
        let mut seen = hash_set(count, "drawn numbers")?;
        let mut out = with_capacity(count, "drawn numbers")?;
        for top in bound - count..bound {
            let candidate = self.below(top + 1);
            let pick = if seen.insert(candidate) {
                candidate
            } else {
                seen.insert(top);
                top
            };
            out.push(pick);
        }
        for i in (1..out.len()).rev() {
            out.swap(i, self.below(i + 1));
        }
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_never_changes() {
        let mut rng = Rng::new(0);
        let first: [u64; 3] = std::array::from_fn(|_| rng.next());
        // xoshiro256++ seeded by SplitMix64(0), as in the authors' C code.
        assert_eq!(first[0], 0x53175d61490b23df);
        assert_eq!(first[1], 0x61da6f3dc380d507);
        assert_eq!(first[2], 0x5c0fdf91ec9a7bfc);
    }

    #[test]
    fn distinct_numbers_are_distinct_and_in_range() {
        let mut rng = Rng::new(7);
        for (count, bound) in [(0, 1), (1, 1), (10, 10), (50, 1000)] {
            let mut picks = rng.distinct(count, bound).unwrap();
            picks.sort_unstable();
            picks.dedup();
            assert_eq!(picks.len(), count);
            assert!(picks.iter().all(|&p| p < bound));
        }
    }
}
