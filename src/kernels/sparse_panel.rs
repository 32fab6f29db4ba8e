//! Products of a sparse vector with some others at once.

use super::dispatch::{Work, work};
use super::exact_sparse::Vector;
use super::lanes::Lanes;
use crate::allocate::{push, resize};
use crate::error::Result;

/// Vectors of a panel.
pub(crate) const WIDTH: usize = 32;

/// What memory is for.
const PURPOSE: &str = "a panel of rows";

/// Vectors by column, in the columns that some of them have a number in.
#[derive(Default)]
pub(crate) struct Panel {
    /// Of each column its place and one more, or 0.
    places: Vec<u32>,
    columns: Vec<u32>,
    numbers: Vec<[f32; WIDTH]>,
}

impl Panel {
    /// Takes other vectors of `dims` columns, up to [`WIDTH`].
    pub fn set<'v>(
        &mut self,
        dims: usize,
        vectors: impl Iterator<Item = Vector<'v>>,
    ) -> Result<()> {
        for column in self.columns.drain(..) {
            self.places[column as usize] = 0;
        }
        self.numbers.clear();
        resize(&mut self.places, dims, 0, PURPOSE)?;
        for (i, vector) in vectors.enumerate() {
            for (&column, &value) in vector.columns.iter().zip(vector.values) {
                let place = &mut self.places[column as usize];
                if *place == 0 {
                    push(&mut self.columns, column, PURPOSE)?;
                    push(&mut self.numbers, [0.0; WIDTH], PURPOSE)?;
                    *place = self.columns.len() as u32;
                }
                self.numbers[*place as usize - 1][i] = value;
            }
        }
        Ok(())
    }

    /// Σ x·c of a vector with each of the panel, in float64.
    #[inline]
    pub fn products(&self, x: Vector<'_>) -> [f64; WIDTH] {
        work(Products { panel: self, x })
    }
}

struct Products<'p> {
    panel: &'p Panel,
    x: Vector<'p>,
}

impl Work for Products<'_> {
    type Output = [f64; WIDTH];

    #[inline(always)]
    fn run<L: Lanes>(self, _: L) -> [f64; WIDTH] {
        let mut sums = [0.0; WIDTH];
        for (&column, &x) in self.x.columns.iter().zip(self.x.values) {
            let place = self.panel.places[column as usize];
            if place > 0 {
                let numbers = &self.panel.numbers[place as usize - 1];
                for (sum, &c) in sums.iter_mut().zip(numbers) {
                    *sum += f64::from(x) * f64::from(c);
                }
            }
        }
        sums
    }
}

/// √(a + b − 2p) for each pair of a and p, and whether that cancels nowhere to less than
/// the part `least` of a + b.
#[inline]
pub(crate) fn distances(least: f64, b: f64, a: &[f64; WIDTH], products: &mut [f64; WIDTH]) -> bool {
    work(Distances {
        least,
        b,
        a,
        products,
    })
}

struct Distances<'d> {
    least: f64,
    b: f64,
    a: &'d [f64; WIDTH],
    products: &'d mut [f64; WIDTH],
}

impl Work for Distances<'_> {
    type Output = bool;

    #[inline(always)]
    fn run<L: Lanes>(self, _: L) -> bool {
        let mut cancels = 0u64;
        for (product, &a) in self.products.iter_mut().zip(self.a) {
            let size = a + self.b;
            let square = size - 2.0 * *product;
            cancels += u64::from(square < self.least * size);
            *product = square.max(0.0).sqrt();
        }
        cancels == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    fn vector((columns, values): &(Vec<u32>, Vec<f32>)) -> Vector<'_> {
        Vector { columns, values }
    }

    #[test]
    fn products_are_those_of_each() {
        let mut rng = Rng::new(3);
        let mut panel = Panel::default();
        for (dims, density) in [(50, 0.2), (7, 0.9), (300, 0.01)] {
            let mut numbers = || {
                let kept: Vec<u32> = (0..dims as u32).filter(|_| rng.unit() < density).collect();
                let values: Vec<f32> = kept.iter().map(|_| rng.unit() as f32).collect();
                (kept, values)
            };
            let own: Vec<_> = (0..WIDTH - 3).map(|_| numbers()).collect();
            panel.set(dims, own.iter().map(vector)).unwrap();
            for _ in 0..20 {
                let x = numbers();
                let x = vector(&x);
                let mut products = panel.products(x);
                let squares: Vec<f64> = own.iter().map(|own| vector(own).square()).collect();
                let a = std::array::from_fn(|i| squares.get(i).copied().unwrap_or(1.0));
                for (own, product) in own.iter().zip(products) {
                    assert!((vector(own).dot(x) - product).abs() < 1e-12);
                }
                assert!(products[own.len()..].iter().all(|&product| product == 0.0));
                assert!(distances(-1.0, x.square(), &a, &mut products));
                for (own, distance) in own.iter().zip(products) {
                    let exact = vector(own).squared_distance(x).sqrt();
                    assert!((exact - distance).abs() < 1e-7);
                }
            }
        }
    }
}
