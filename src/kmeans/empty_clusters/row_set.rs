//! A set of rows by their values.

use crate::allocate::{push, refill, try_vec};
use crate::equal_rows::fingerprint;
use crate::error::Result;
use crate::metric::Metric;
use crate::points::Points;

/// A set of rows that differ in their values, or in what a metric makes of them
/// as centroids: a hash table that compares rows where their fingerprints meet,
/// so it is exact.
pub(crate) struct RowSet<'a> {
    points: &'a Points<'a>,
    metric: Metric,
    /// In the order of their insertion, with their fingerprints.
    rows: Vec<(u32, u32)>,
    /// Index into `rows`, or [`VACANT`]; a power of two of them, at most half
    /// taken.
    slots: Vec<u32>,
    scratch: (Vec<f32>, Vec<f32>),
}

const VACANT: u32 = u32::MAX;

impl<'a> RowSet<'a> {
    pub fn new(points: &'a Points<'a>, metric: Metric) -> Result<Self> {
        Ok(RowSet {
            points,
            metric,
            rows: Vec::new(),
            slots: try_vec(VACANT, 64, "distinct rows")?,
            scratch: (Vec::new(), Vec::new()),
        })
    }

    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// The first of the rows with the values of this place.
    pub fn row(&self, place: usize) -> u32 {
        self.rows[place].0
    }

    /// Adds a row, given with its values as a centroid. Returns the place, in the order of
    /// insertion, of the row of these values.
    pub fn insert(&mut self, row: u32, values: &[f32]) -> Result<usize> {
        if 2 * self.rows.len() >= self.slots.len() {
            self.grow()?;
        }
        let mark = fingerprint(values);
        let mark = mark ^ (mark >> 15);
        let mask = self.slots.len() - 1;
        let mut slot = mark as usize & mask;
        while self.slots[slot] != VACANT {
            let place = self.slots[slot] as usize;
            let (other, its_mark) = self.rows[place];
            if its_mark == mark && self.equals(other, values)? {
                return Ok(place);
            }
            slot = (slot + 1) & mask;
        }
        self.slots[slot] = self.rows.len() as u32;
        push(&mut self.rows, (row, mark), "distinct rows")?;
        Ok(self.rows.len() - 1)
    }

    fn equals(&mut self, row: u32, values: &[f32]) -> Result<bool> {
        let (scratch, own) = &mut self.scratch;
        let row = self.points.row(row as usize, scratch)?;
        if self.metric == Metric::Euclidean {
            return Ok(row == values);
        }
        refill(own, row, "a row")?;
        self.metric.normalize(own);
        Ok(own == values)
    }

    fn grow(&mut self) -> Result<()> {
        self.slots = try_vec(VACANT, 4 * self.slots.len(), "distinct rows")?;
        let mask = self.slots.len() - 1;
        for (place, &(_, mark)) in self.rows.iter().enumerate() {
            let mut slot = mark as usize & mask;
            while self.slots[slot] != VACANT {
                slot = (slot + 1) & mask;
            }
            self.slots[slot] = place as u32;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;
    use std::collections::HashSet;

    #[test]
    fn tell_rows_apart_by_their_values_alone() {
        let mut rng = crate::rng::Rng::new(5);
        for dims in [1, 3, 17] {
            let data = Array2::from_shape_fn((4000, dims), |_| match rng.below(4) {
                0 => -0.0f32,
                other => other as f32 - 1.0,
            });
            let points = Points::from(data.view());
            let mut rows = RowSet::new(&points, Metric::Euclidean).unwrap();
            let mut seen = HashSet::new();
            let mut first = Vec::new();
            for (i, row) in data.outer_iter().enumerate() {
                let values = row.to_slice().unwrap();
                let place = rows.insert(i as u32, values).unwrap();
                let bits: Vec<u32> = values.iter().map(|v| (v + 0.0).to_bits()).collect();
                if seen.insert(bits) {
                    assert_eq!(place, first.len());
                    first.push(i);
                } else {
                    assert_eq!(data.row(first[place]), row);
                }
                assert_eq!(rows.len(), seen.len());
            }
        }
    }
}
