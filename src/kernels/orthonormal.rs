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

/// Takes off vectors what they have along orthonormal ones, one after the other.
pub(crate) fn remove(orthonormal: &[f64], vectors: &mut [f64], dims: usize) {
    work(Remove {
        orthonormal,
        vectors,
        dims,
    });
}

/// Makes the last of some vectors orthonormal to each other, of which the lengths
/// that they first had are given: the others are already, and were
/// [removed](remove). A unit vector takes the place of one that depends on those
/// before it.
pub(crate) fn orthonormalize(basis: &mut [f64], dims: usize, lengths: &[f64]) {
    work(GramSchmidt {
        basis,
        dims,
        lengths,
    });
}

struct Remove<'b> {
    orthonormal: &'b [f64],
    vectors: &'b mut [f64],
    dims: usize,
}

impl Work for Remove<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, _: L) {
        for vector in self.vectors.chunks_exact_mut(self.dims) {
            remove_from(vector, self.orthonormal);
        }
    }
}

#[inline(always)]
fn remove_from(vector: &mut [f64], orthonormal: &[f64]) {
    for other in orthonormal.chunks_exact(vector.len()) {
        let along = dot(vector, other);
        for (value, &other) in vector.iter_mut().zip(other) {
            *value -= along * other;
        }
    }
}

struct GramSchmidt<'b> {
    basis: &'b mut [f64],
    dims: usize,
    lengths: &'b [f64],
}

impl Work for GramSchmidt<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, _: L) {
        let (basis, dims) = (self.basis, self.dims);
        let first = basis.len() / dims - self.lengths.len();
        for (j, &length) in (first..).zip(self.lengths) {
            let (before, rest) = basis.split_at_mut(j * dims);
            let (before, vector) = (&*before, &mut rest[..dims]);
            let (mut length, mut others) = (length, &before[first * dims..]);
            for attempt in 1..=dims + 1 {
                remove_from(vector, others);
                let rest = dot(vector, vector).sqrt();
                if rest > 1e-6 * length {
                    vector.iter_mut().for_each(|value| *value /= rest);
                    break;
                }
                vector.fill(0.0);
                vector[(j + attempt) % dims] = 1.0;
                (length, others) = (1.0, before);
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
        let (dims, count, half) = (45, 12, 6);
        let mut rng = Rng::new(2);
        let mut start: Vec<f64> = (0..count * dims).map(|_| rng.unit()).collect();
        // One that depends on another.
        start.copy_within(3 * dims..4 * dims, 7 * dims);
        let run = |isa| {
            let mut basis = start.clone();
            for _ in 0..2 {
                let lengths: Vec<f64> = basis.chunks(dims).map(|v| dot(v, v).sqrt()).collect();
                let (first, others) = basis.split_at_mut(half * dims);
                let job = GramSchmidt {
                    basis: first,
                    dims,
                    lengths: &lengths[..half],
                };
                work_on(isa, job);
                let job = Remove {
                    orthonormal: first,
                    vectors: others,
                    dims,
                };
                work_on(isa, job);
                let job = GramSchmidt {
                    basis: &mut basis,
                    dims,
                    lengths: &lengths[half..],
                };
                work_on(isa, job);
            }
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
