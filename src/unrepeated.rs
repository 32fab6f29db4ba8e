//! Rows without those that repeat the row before.
//!
//! Whatever draws rows, counts them or adds up rounded numbers of them looks at
//! these and at what they weigh. So a row of weight 2 and a row that is there
//! twice in place come to the same, whichever draws are made.

use crate::allocate::{push, try_vec, with_capacity};
use crate::error::Result;
use crate::points::Points;
use crate::threads::Threads;

/// Rows and values per task, at most.
const TASK_ROWS: usize = 4096;
const TASK_VALUES: usize = 1 << 20;

/// The first of all rows that follow each other and are equal, and what they
/// weigh together.
pub(crate) struct Unrepeated {
    /// Ascending; `None`: no row repeats the one before.
    first: Option<Vec<u32>>,
    /// `None`: they all weigh the same.
    weights: Option<Vec<f64>>,
}

impl Unrepeated {
    /// One pass over the data, of which it mostly sees the first numbers of rows.
    pub fn find(points: &Points<'_>, threads: &Threads<'_>) -> Result<Self> {
        const PURPOSE: &str = "rows without repetitions";
        let rows = points.rows();
        let size = (TASK_VALUES / points.cols()).clamp(1, TASK_ROWS);
        let mut repeated = try_vec(Vec::new(), rows.div_ceil(size), PURPOSE)?;
        threads.run(
            repeated.iter_mut().enumerate(),
            || (),
            |(), (task, repeated)| {
                let first = task * size;
                for row in first.max(1)..rows.min(first + size) {
                    if points.are_equal(row - 1, row)? {
                        push(repeated, row as u32, PURPOSE)?;
                    }
                }
                Ok(())
            },
        )?;
        let count: usize = repeated.iter().map(Vec::len).sum();
        let repeated = repeated.iter().flatten().copied();
        let weight = |row| points.weight(row);
        let weight: Option<&dyn Fn(usize) -> f64> = points.is_weighted().then_some(&weight);
        Self::new(rows, (count, repeated), weight, threads)
    }

    /// Of so many rows, those that repeat the one before, counted and ascending, and
    /// what each weighs; no weights: 1.
    pub fn new(
        rows: usize,
        (count, repeated): (usize, impl Iterator<Item = u32>),
        weight: Option<&dyn Fn(usize) -> f64>,
        threads: &Threads<'_>,
    ) -> Result<Self> {
        const PURPOSE: &str = "rows without repetitions";
        if count == 0 && weight.is_none() {
            return Ok(Unrepeated {
                first: None,
                weights: None,
            });
        }
        let mut first = with_capacity(rows - count, PURPOSE)?;
        let mut weights: Vec<f64> = with_capacity(rows - count, PURPOSE)?;
        let mut repeated = repeated.peekable();
        threads.in_steps(rows, |part| {
            for row in part {
                let weight = weight.map_or(1.0, |weight| weight(row));
                match (repeated.next_if_eq(&(row as u32)), weights.last_mut()) {
                    (Some(_), Some(together)) => *together += weight,
                    _ => {
                        first.push(row as u32);
                        weights.push(weight);
                    }
                }
            }
            Ok(())
        })?;
        let alike = weights.iter().all(|&weight| weight == weights[0]);
        Ok(Unrepeated {
            first: (count > 0).then_some(first),
            weights: (!alike).then_some(weights),
        })
    }

    /// These rows, without their weights. `all` are the points they are of.
    pub fn of<'s>(&'s self, all: &'s Points<'s>) -> Points<'s> {
        match &self.first {
            Some(first) => all.select(first).without_weights(),
            None => all.without_weights(),
        }
    }

    /// Whether no row repeats the one before.
    pub fn are_all(&self) -> bool {
        self.first.is_none()
    }

    /// How many they are, of so many rows.
    pub fn count(&self, rows: usize) -> usize {
        self.first.as_ref().map_or(rows, Vec::len)
    }

    /// The places among these of the rows `range` of all points.
    pub fn places(&self, range: std::ops::Range<usize>) -> std::ops::Range<usize> {
        let place = |row: usize| match &self.first {
            Some(first) => first.partition_point(|&first| (first as usize) < row),
            None => row,
        };
        place(range.start)..place(range.end)
    }

    /// The place of the one of these that a row of all points is equal to.
    pub fn place(&self, row: usize) -> usize {
        self.places(0..row + 1).end - 1
    }

    /// The number among all points of one of these rows.
    pub fn row(&self, place: usize) -> usize {
        self.first
            .as_ref()
            .map_or(place, |first| first[place] as usize)
    }

    /// One for each of these rows; `None` if all weigh the same.
    pub fn weights(&self) -> Option<&[f64]> {
        self.weights.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, Axis, array};

    #[test]
    fn weights_and_repetitions_are_the_same() {
        let mut rng = crate::rng::Rng::new(3);
        let data = Array2::from_shape_fn((9000, 2), |_| rng.below(3) as f32);
        let weights: Vec<f64> = (0..9000).map(|_| (1 + rng.below(3)) as f64).collect();
        let each = (0..9000).flat_map(|row| std::iter::repeat_n(row, weights[row] as usize));
        let many = data.select(Axis(0), &each.collect::<Vec<_>>());
        let expected: Vec<usize> = (0..9000)
            .filter(|&row| row == 0 || data.row(row) != data.row(row - 1))
            .collect();
        for count in [1, 2] {
            let threads = Threads::exactly(count, None).unwrap();
            let points = Points::from(data.view()).with_weights(&weights[..]);
            let points = points.unwrap();
            let by_weight = Unrepeated::find(&points, &threads).unwrap();
            let repeated = Points::from(many.view());
            let by_rows = Unrepeated::find(&repeated, &threads).unwrap();
            assert_eq!(by_weight.weights(), by_rows.weights());
            let total: f64 = by_weight.weights().unwrap().iter().sum();
            assert_eq!(total, weights.iter().sum());
            let (few, others) = (by_weight.of(&points), by_rows.of(&repeated));
            assert_eq!([few.rows(), others.rows()], [expected.len(); 2]);
            let (mut a, mut b) = (Vec::new(), Vec::new());
            for (place, &row) in expected.iter().enumerate() {
                assert_eq!(by_weight.row(place), row);
                assert_eq!(few.row(place, &mut a), others.row(place, &mut b));
            }
        }
    }

    #[test]
    fn equal_weights_are_none() {
        let threads = Threads::exactly(1, None).unwrap();
        let data = array![[1.0f32], [2.0], [2.0], [1.0], [1.0]];
        let points = Points::from(data.view());
        let weights = [2.0, 0.5, 1.5, 1.0, 1.0];
        let weighted = points.with_weights(&weights[..]).unwrap();
        let found = Unrepeated::find(&weighted, &threads).unwrap();
        assert!(found.weights().is_none());
        assert_eq!(found.of(&weighted).rows(), 3);
        let found = Unrepeated::find(&points, &threads).unwrap();
        assert_eq!(found.weights(), Some(&[1.0, 2.0, 2.0][..]));
    }
}
