//! Vectors of float64 made orthonormal.

use super::dispatch::{Work, work};
use super::lanes::Lanes;

/// The same sum on every instruction set.
#[inline(always)]
pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    const LANES: usize = 32;
    let (a, a_rest) = a.as_chunks::<LANES>();
    let (b, b_rest) = b.as_chunks::<LANES>();
    let mut sums = [0.0; LANES];
    for (a, b) in a.iter().zip(b) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    let mut rest = 0.0;
    for (a, b) in a_rest.iter().zip(b_rest) {
        rest += a * b;
    }
    for sum in sums {
        rest += sum;
    }
    rest
}

/// Gram-Schmidt; a unit vector takes the place of one that depends on those
/// before it. `passes`: 2 for accuracy, 1 where a sketch will do.
pub(crate) fn orthonormalize(basis: &mut [f64], dims: usize, passes: usize) {
    work(GramSchmidt {
        basis,
        dims,
        passes,
    });
}

struct GramSchmidt<'b> {
    basis: &'b mut [f64],
    dims: usize,
    passes: usize,
}

impl Work for GramSchmidt<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, _: L) {
        gram_schmidt(self.basis, self.dims, self.passes);
    }
}

#[inline(always)]
fn gram_schmidt(basis: &mut [f64], dims: usize, passes: usize) {
    for j in 0..basis.len() / dims {
        let (before, rest) = basis.split_at_mut(j * dims);
        let vector = &mut rest[..dims];
        for attempt in 0..=dims {
            if attempt > 0 {
                vector.fill(0.0);
                vector[(j + attempt) % dims] = 1.0;
            }
            let length = dot(vector, vector).sqrt();
            for _ in 0..passes {
                for other in before.chunks_exact(dims) {
                    let along = dot(vector, other);
                    for (value, &other) in vector.iter_mut().zip(other) {
                        *value -= along * other;
                    }
                }
            }
            let rest = dot(vector, vector).sqrt();
            if rest > 1e-6 * length {
                for value in vector.iter_mut() {
                    *value /= rest;
                }
                break;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::dispatch::work_on;
    use crate::kernels::isa::Isa;
    use crate::rng::Rng;

    #[test]
    fn every_instruction_set_gives_the_same_orthonormal_vectors() {
        let (dims, count) = (45, 12);
        let mut rng = Rng::new(2);
        let mut start: Vec<f64> = (0..count * dims).map(|_| rng.unit()).collect();
        // One that depends on another.
        start.copy_within(3 * dims..4 * dims, 7 * dims);
        let run = |isa| {
            let mut basis = start.clone();
            let job = GramSchmidt {
                basis: &mut basis,
                dims,
                passes: 2,
            };
            work_on(isa, job);
            basis
        };
        let expected = run(Isa::Portable);
        for isa in Isa::available() {
            assert_eq!(run(isa), expected, "{isa:?}");
        }
        for (i, a) in expected.chunks(dims).enumerate() {
            for (j, b) in expected.chunks(dims).enumerate() {
                let product = if i == j { 1.0 } else { 0.0 };
                assert!((dot(a, b) - product).abs() < 1e-12);
            }
        }
    }
}
