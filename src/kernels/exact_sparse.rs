//! The canonical float64 arithmetic of [`exact`](super::exact) for vectors of
//! which only some numbers are kept: the others are zeros, and what adds zero to
//! a sum doesn't change its bits.

use super::exact::{LANES, fold};

/// Numbers and their columns, which ascend; the other columns are zero.
#[derive(Clone, Copy)]
pub(crate) struct Vector<'v> {
    pub columns: &'v [u32],
    pub values: &'v [f32],
}

/// Some vectors, one after the other.
#[derive(Clone, Copy)]
pub(crate) struct Rows<'r> {
    /// Where each starts, and the last ends.
    pub starts: &'r [usize],
    pub columns: &'r [u32],
    pub values: &'r [f32],
}

impl<'r> Rows<'r> {
    /// How many.
    pub fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// The columns and values of one.
    #[inline(always)]
    pub fn get(&self, i: usize) -> (&'r [u32], &'r [f32]) {
        let places = self.starts[i]..self.starts[i + 1];
        (&self.columns[places.clone()], &self.values[places])
    }

    #[inline(always)]
    pub fn row(&self, i: usize) -> Vector<'r> {
        let (columns, values) = self.get(i);
        Vector { columns, values }
    }

    pub fn rows(self) -> impl ExactSizeIterator<Item = Vector<'r>> {
        (0..self.len()).map(move |i| self.row(i))
    }

    /// Some of them.
    pub fn part(&self, rows: std::ops::Range<usize>) -> Self {
        Rows {
            starts: &self.starts[rows.start..=rows.end],
            ..*self
        }
    }

    /// The most numbers that one has.
    pub fn longest(&self) -> usize {
        let lengths = self.starts.windows(2).map(|ends| ends[1] - ends[0]);
        lengths.max().unwrap_or(0)
    }
}

/// Sixteen partial sums, by dimension.
struct Sum([f64; LANES]);

impl Sum {
    fn new() -> Self {
        Sum([0.0; LANES])
    }

    #[inline(always)]
    fn add(&mut self, column: u32, term: f64) {
        self.0[column as usize % LANES] += term;
    }

    fn value(self) -> f64 {
        fold(self.0)
    }
}

/// 1 / ‖x‖ by Σ x², or 0 for zeros.
#[inline]
pub(crate) fn inverse_of_root(square: f64) -> f64 {
    let norm = square.sqrt();
    if norm > 0.0 { 1.0 / norm } else { 0.0 }
}

impl Vector<'_> {
    fn entries(&self) -> impl Iterator<Item = (u32, f64)> {
        let values = self.values.iter().map(|&value| f64::from(value));
        self.columns.iter().copied().zip(values)
    }

    /// Σ x²
    pub fn square(&self) -> f64 {
        let mut sum = Sum::new();
        self.entries()
            .for_each(|(column, x)| sum.add(column, x * x));
        sum.value()
    }

    /// 1 / ‖x‖, or 0 for zeros.
    pub fn inverse_norm(&self) -> f64 {
        inverse_of_root(self.square())
    }

    /// Σ x·c
    pub fn dot(&self, c: Vector<'_>) -> f64 {
        let mut sum = Sum::new();
        let mut at = 0;
        for (column, x) in self.entries() {
            at += c.columns[at..].partition_point(|&other| other < column);
            if c.columns.get(at) == Some(&column) {
                sum.add(column, x * f64::from(c.values[at]));
            }
        }
        sum.value()
    }

    /// [`dot`](Vector::dot) with a vector of which all numbers are kept.
    #[inline]
    pub fn dot_dense(&self, c: &[f32]) -> f64 {
        self.dot_with(|column| c[column as usize])
    }

    /// [`dot`](Vector::dot) with the numbers that `c` gives of columns.
    #[inline]
    pub fn dot_with(&self, c: impl Fn(u32) -> f32) -> f64 {
        let mut sum = Sum::new();
        for (column, x) in self.entries() {
            sum.add(column, x * f64::from(c(column)));
        }
        sum.value()
    }

    /// Σ (x − c)²
    pub fn squared_distance(&self, c: Vector<'_>) -> f64 {
        let mut sum = Sum::new();
        let mut at = 0;
        for (column, x) in self.entries() {
            while at < c.columns.len() && c.columns[at] < column {
                let c_value = f64::from(c.values[at]);
                sum.add(c.columns[at], c_value * c_value);
                at += 1;
            }
            let mut difference = x;
            if c.columns.get(at) == Some(&column) {
                difference -= f64::from(c.values[at]);
                at += 1;
            }
            sum.add(column, difference * difference);
        }
        for (&column, &value) in c.columns[at..].iter().zip(&c.values[at..]) {
            sum.add(column, f64::from(value) * f64::from(value));
        }
        sum.value()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::exact;
    use crate::rng::Rng;

    #[test]
    fn gives_the_bits_of_all_numbers() {
        let mut rng = Rng::new(4);
        for dims in [1, 2, 3, 4, 5, 16, 17, 40, 300] {
            for density in [0.0, 0.1, 0.5, 1.0] {
                let mut vector = || {
                    let mut dense = vec![0.0f32; dims];
                    let (mut columns, mut values) = (Vec::new(), Vec::new());
                    for (column, value) in dense.iter_mut().enumerate() {
                        if rng.unit() < density {
                            *value = (rng.unit() * 9.0 - 4.0) as f32;
                            if rng.unit() < 0.1 {
                                *value = 0.0;
                            }
                            columns.push(column as u32);
                            values.push(*value);
                        }
                    }
                    (dense, columns, values)
                };
                let ((x, columns, values), c) = (vector(), vector());
                let sparse = Vector {
                    columns: &columns,
                    values: &values,
                };
                let other = Vector {
                    columns: &c.1,
                    values: &c.2,
                };
                let bits = f64::to_bits;
                assert_eq!(bits(sparse.dot(other)), bits(exact::dot(&x, &c.0)));
                assert_eq!(bits(sparse.dot_dense(&c.0)), bits(exact::dot(&x, &c.0)));
                assert_eq!(
                    bits(sparse.squared_distance(other)),
                    bits(exact::squared_distance(&x, &c.0))
                );
                assert_eq!(sparse.inverse_norm(), exact::inverse_norm(&x));
            }
        }
    }
}
