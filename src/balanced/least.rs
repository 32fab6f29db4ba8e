//! The least of many values.

use crate::allocate::push;
use crate::error::Result;

/// Values that are kept beyond those wanted, so that few are compared often.
const SPARE: usize = 64;

/// Keeps the least `count` of the values that it is shown.
pub(super) struct Least<T> {
    values: Vec<T>,
    count: usize,
    /// So many are no greater than this, once it is known.
    limit: Option<T>,
}

impl<T: Ord + Copy> Least<T> {
    /// `count` is at least 1.
    pub fn new(count: usize) -> Self {
        Least {
            values: Vec::new(),
            count,
            limit: None,
        }
    }

    /// Amortised O(1).
    pub fn show(&mut self, value: T) -> Result<()> {
        if self.limit.is_some_and(|limit| value >= limit) {
            return Ok(());
        }
        if self.values.len() >= 2 * self.count + SPARE {
            self.drop_others();
        }
        push(&mut self.values, value, "least values")
    }

    fn drop_others(&mut self) {
        if self.values.len() > self.count {
            let (_, &mut last, _) = self.values.select_nth_unstable(self.count - 1);
            self.limit = Some(last);
            self.values.truncate(self.count);
        }
    }

    /// In any order.
    pub fn into_values(mut self) -> Vec<T> {
        self.drop_others();
        self.values
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    #[test]
    fn the_least_are_kept() {
        let mut rng = Rng::new(1);
        for (count, shown) in [(1, 0), (1, 900), (5, 3), (7, 7), (40, 1000)] {
            let mut all: Vec<usize> = (0..shown).map(|_| rng.below(300)).collect();
            let mut least = Least::new(count);
            all.iter().for_each(|&value| least.show(value).unwrap());
            let mut found = least.into_values();
            found.sort_unstable();
            all.sort_unstable();
            all.truncate(count);
            assert_eq!(found, all);
        }
    }
}
