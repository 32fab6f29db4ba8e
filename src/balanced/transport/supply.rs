//! Which nodes of the transport problem have rows to give and which lack some,
//! and from where to search for paths between them.

/// How much of what is known of one way to search is forgotten by a search of
/// the other kind, and how much the last search of a kind counts.
const FORGOTTEN: f64 = 0.02;
const LAST: f64 = 0.25;

/// The units that each node has too many of, negative where it lacks some.
/// They sum to 0.
pub(super) struct Supply {
    units: Vec<i64>,
    giving: usize,
    lacking: usize,
    /// No node before this one gives.
    first: usize,
    /// Nodes searched of late for a row moved, from one giver and from all.
    one: f64,
    all: f64,
}

impl Supply {
    pub fn new(units: Vec<i64>) -> Self {
        Supply {
            giving: units.iter().filter(|&&units| units > 0).count(),
            lacking: units.iter().filter(|&&units| units < 0).count(),
            units,
            first: 0,
            one: 0.0,
            all: 0.0,
        }
    }

    pub fn is_settled(&self) -> bool {
        self.giving == 0
    }

    pub fn lacks(&self, node: usize) -> bool {
        self.units[node] < 0
    }

    /// The nodes to search from, and how many ends are enough.
    ///
    /// One of them where a lack is near. All of them where few nodes lack rows:
    /// then half of all ends, for not all their paths will do.
    pub fn sources(&mut self) -> (impl Iterator<Item = usize>, usize) {
        while self.first < self.units.len() && self.units[self.first] <= 0 {
            self.first += 1;
        }
        let (count, enough) = match self.prefers_one() {
            true => (1, 1),
            false => (self.giving, self.giving.min(self.lacking).div_ceil(2)),
        };
        let nodes = self.first..self.units.len();
        (
            nodes.filter(|&node| self.units[node] > 0).take(count),
            enough,
        )
    }

    /// How many units can go from one node to another.
    pub fn room(&self, from: usize, to: usize) -> usize {
        self.units[from].min(-self.units[to]).max(0) as usize
    }

    pub fn shift(&mut self, from: usize, to: usize, units: usize) {
        self.units[from] -= units as i64;
        self.units[to] += units as i64;
        self.giving -= usize::from(self.units[from] == 0);
        self.lacking -= usize::from(self.units[to] == 0);
    }

    /// Learns from a search that settled so many nodes and led to so many
    /// moves.
    pub fn learn(&mut self, settled: usize, moved: usize) {
        let effort = settled as f64 / moved.max(1) as f64;
        let (used, other) = match self.prefers_one() {
            true => (&mut self.one, &mut self.all),
            false => (&mut self.all, &mut self.one),
        };
        *used += LAST * (effort - *used);
        *other -= FORGOTTEN * *other;
    }

    fn prefers_one(&self) -> bool {
        self.one <= self.all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_shift_until_nothing_is_left_to_give() {
        let mut supply = Supply::new(vec![0, 3, -1, 1, -3]);
        let (sources, enough) = supply.sources();
        assert_eq!((sources.collect::<Vec<_>>(), enough), (vec![1], 1));
        assert_eq!((supply.room(1, 4), supply.room(3, 4)), (3, 1));
        supply.shift(1, 4, 3);
        assert!(!supply.lacks(4) && supply.lacks(2) && !supply.is_settled());
        let (sources, _) = supply.sources();
        assert_eq!(sources.collect::<Vec<_>>(), [3]);
        supply.shift(3, 2, 1);
        assert!(supply.is_settled());
    }

    #[test]
    fn searches_start_where_less_effort_has_moved_a_row() {
        let mut supply = Supply::new(vec![1, 1, 1, -2, -1]);
        supply.learn(500, 1);
        let (sources, enough) = supply.sources();
        assert_eq!((sources.collect::<Vec<_>>(), enough), (vec![0, 1, 2], 1));
        supply.learn(5_000, 2);
        let (sources, _) = supply.sources();
        assert_eq!(sources.collect::<Vec<_>>(), [0]);
    }
}
