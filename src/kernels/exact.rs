//! The canonical float64 arithmetic that decides every assignment.
//!
//! Sums run in sixteen lanes, lane = dimension mod 16, multiplied and added
//! without fusing, and are folded in one fixed order. Vector width changes how
//! many lanes a register holds, not what is added to what, so every
//! instruction set gives the same bits.

use super::dispatch::{Work, work};
use super::lanes::Lanes;
use std::marker::PhantomData;

pub(super) const LANES: usize = 16;
/// So many dimensions at most go without the other lanes.
const FEW: usize = 4;

/// Σ (x − c)², every operation in float64.
pub(crate) fn squared_distance(x: &[f32], c: &[f32]) -> f64 {
    sum::<SquaredDifference>(x, c)
}

/// Σ x·c, every operation in float64.
pub(crate) fn dot(x: &[f32], c: &[f32]) -> f64 {
    sum::<Product>(x, c)
}

/// What is summed. A trait, because closures are not compiled for the vectors
/// of the function that they are passed to.
trait Term {
    fn of(x: f64, c: f64) -> f64;
}

struct SquaredDifference;
struct Product;

impl Term for SquaredDifference {
    #[inline(always)]
    fn of(x: f64, c: f64) -> f64 {
        let difference = x - c;
        difference * difference
    }
}

impl Term for Product {
    #[inline(always)]
    fn of(x: f64, c: f64) -> f64 {
        x * c
    }
}

#[inline(always)]
fn sum_lanes<T: Term>(x: &[f32], c: &[f32]) -> f64 {
    let (x_blocks, x_rest) = x.as_chunks::<LANES>();
    let (c_blocks, c_rest) = c.as_chunks::<LANES>();
    let mut lanes = [0.0_f64; LANES];
    for (x, c) in x_blocks.iter().zip(c_blocks) {
        for lane in 0..LANES {
            lanes[lane] += T::of(f64::from(x[lane]), f64::from(c[lane]));
        }
    }
    for (lane, (&x, &c)) in lanes.iter_mut().zip(x_rest.iter().zip(c_rest)) {
        *lane += T::of(f64::from(x), f64::from(c));
    }
    fold(lanes)
}

/// The sum of all lanes, by halves: always in this order.
#[inline(always)]
pub(super) fn fold(mut lanes: [f64; LANES]) -> f64 {
    let mut width = LANES / 2;
    while width > 0 {
        for lane in 0..width {
            lanes[lane] += lanes[lane + width];
        }
        width /= 2;
    }
    lanes[0]
}

/// The same sum where the other lanes would stay empty.
#[inline(always)]
fn sum_few<T: Term>(x: &[f32], c: &[f32]) -> f64 {
    let mut lanes = [0.0; FEW];
    for (lane, (&x, &c)) in lanes.iter_mut().zip(x.iter().zip(c)) {
        *lane = T::of(f64::from(x), f64::from(c));
    }
    // Not of negative zeros.
    0.0 + ((lanes[0] + lanes[2]) + (lanes[1] + lanes[3]))
}

/// The sum, by vectors as wide as there are.
#[inline]
fn sum<T: Term>(x: &[f32], c: &[f32]) -> f64 {
    if x.len() <= FEW {
        return sum_few::<T>(x, c);
    }
    work(Sum::<T>(x, c, PhantomData))
}

struct Sum<'s, T>(&'s [f32], &'s [f32], PhantomData<T>);

impl<T: Term> Work for Sum<'_, T> {
    type Output = f64;

    #[inline(always)]
    fn run<L: Lanes>(self, _: L) -> f64 {
        sum_lanes::<T>(self.0, self.1)
    }
}

/// 1 / ‖values‖, or 0 for zeros.
pub(crate) fn inverse_norm(values: &[f32]) -> f64 {
    let norm = dot(values, values).sqrt();
    if norm > 0.0 { 1.0 / norm } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::dispatch::work_on;
    use crate::kernels::isa::Isa;

    #[test]
    fn every_instruction_set_gives_the_same_bits() {
        let mut rng = crate::rng::Rng::new(1);
        for d in [0, 1, 2, 3, 4, 5, 15, 16, 17, 100, 384] {
            let x: Vec<f32> = (0..d).map(|_| rng.unit() as f32 * 1e3).collect();
            let c: Vec<f32> = (0..d).map(|_| rng.unit() as f32).collect();
            let product = sum_lanes::<Product>(&x, &c);
            let square = sum_lanes::<SquaredDifference>(&x, &c);
            for isa in Isa::available() {
                let on = Sum::<Product>(&x, &c, PhantomData);
                assert_eq!(work_on(isa, on).to_bits(), product.to_bits());
                let on = Sum::<SquaredDifference>(&x, &c, PhantomData);
                assert_eq!(work_on(isa, on).to_bits(), square.to_bits());
            }
            assert_eq!(dot(&x, &c).to_bits(), product.to_bits());
            assert_eq!(squared_distance(&x, &c).to_bits(), square.to_bits());
            let plain: f64 = (0..d)
                .map(|t| (f64::from(x[t]) - f64::from(c[t])).powi(2))
                .sum();
            assert!((squared_distance(&x, &c) - plain).abs() <= 1e-12 * plain);
        }
    }
}
