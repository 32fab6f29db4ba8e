//! The canonical squared distance of a sparse vector to one of which all numbers are
//! kept: the bits of [`exact`](super::exact), in vectors.

use super::dispatch::{Work, work};
use super::exact::fold;
use super::exact_sparse::Vector;
use super::lanes::{LANES, Lanes};

/// Dimensions whose partial sums are apart.
const BLOCK: usize = 2 * LANES;

/// Vectors that are compared at a time: they share the squares of c.
pub(crate) const TOGETHER: usize = 4;

/// Σ (x − c)²
#[inline]
pub(crate) fn squared_distance(x: Vector<'_>, c: &[f32]) -> f64 {
    let [distance] = squared_distances([x], c);
    distance
}

/// [`squared_distance`] of some vectors.
#[inline]
pub(crate) fn squared_distances<const N: usize>(rows: [Vector<'_>; N], c: &[f32]) -> [f64; N] {
    work(SquaredDistances { rows, c })
}

struct SquaredDistances<'s, const N: usize> {
    rows: [Vector<'s>; N],
    c: &'s [f32],
}

impl<const N: usize> Work for SquaredDistances<'_, N> {
    type Output = [f64; N];

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) -> [f64; N] {
        let (blocks, rest) = self.c.as_chunks::<BLOCK>();
        let mut sums = [[lanes.splat(0.0); 2]; N];
        let mut next = [0; N];
        let mut at = 0;
        loop {
            let mut block = blocks.len();
            for (row, &next) in self.rows.iter().zip(&next) {
                if let Some(&column) = row.columns.get(next) {
                    block = block.min(column as usize / BLOCK);
                }
            }
            // Up to here all have zeros; the sign of a difference doesn't matter.
            for c in &blocks[at..block] {
                let (halves, _) = c.as_chunks::<LANES>();
                for half in 0..2 {
                    let c = lanes.widen(&halves[half]);
                    let square = lanes.mul(c, c);
                    for sums in &mut sums {
                        sums[half] = lanes.add(sums[half], square);
                    }
                }
            }
            if block == blocks.len() {
                break;
            }
            for ((row, next), sums) in self.rows.iter().zip(&mut next).zip(&mut sums) {
                let differences = differences(row, next, (block, &blocks[block]));
                let (halves, _) = differences.as_chunks::<LANES>();
                for half in 0..2 {
                    let difference = lanes.load(&halves[half]);
                    let square = lanes.mul(difference, difference);
                    sums[half] = lanes.add(sums[half], square);
                }
            }
            at = block + 1;
        }
        let mut distances = [0.0; N];
        for (n, distance) in distances.iter_mut().enumerate() {
            let [low, high] = sums[n].map(|sum| lanes.store(sum));
            let mut all = [0.0; BLOCK];
            all[..LANES].copy_from_slice(&low);
            all[LANES..].copy_from_slice(&high);
            let rest = differences(&self.rows[n], &mut next[n], (blocks.len(), rest));
            for (sum, difference) in all.iter_mut().zip(rest) {
                *sum += difference * difference;
            }
            *distance = fold(all);
        }
        distances
    }
}

/// x − c in a block, given by its number and the numbers of c: the row's numbers from
/// `next` on are in it or behind it. Zeros where there are fewer columns.
#[inline(always)]
fn differences(row: &Vector<'_>, next: &mut usize, (block, c): (usize, &[f32])) -> [f64; BLOCK] {
    let mut differences = [0.0; BLOCK];
    for (difference, &c) in differences.iter_mut().zip(c) {
        *difference = -f64::from(c);
    }
    while let Some(&column) = row.columns.get(*next)
        && column as usize / BLOCK == block
    {
        differences[column as usize % BLOCK] += f64::from(row.values[*next]);
        *next += 1;
    }
    differences
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::dispatch::work_on;
    use crate::kernels::exact;
    use crate::kernels::isa::Isa;
    use crate::rng::Rng;

    #[test]
    fn gives_the_bits_of_all_numbers() {
        let mut rng = Rng::new(4);
        for dims in [1, 2, 5, 15, 16, 17, 31, 40, 300, 301] {
            for density in [0.0, 0.02, 0.1, 0.5, 1.0] {
                let mut number = |density| match rng.unit() < density {
                    true => (rng.unit() * 9.0 - 4.0) as f32,
                    false => 0.0,
                };
                let x: Vec<f32> = (0..dims).map(|_| number(density)).collect();
                let c: Vec<f32> = (0..dims).map(|_| number(0.7)).collect();
                let kept: Vec<u32> = (0..dims as u32).filter(|&t| x[t as usize] != 0.0).collect();
                let values: Vec<f32> = kept.iter().map(|&t| x[t as usize]).collect();
                let vector = Vector {
                    columns: &kept,
                    values: &values,
                };
                let expected = exact::squared_distance(&x, &c).to_bits();
                assert_eq!(squared_distance(vector, &c).to_bits(), expected);
                let none = Vector {
                    columns: &[],
                    values: &[],
                };
                let zeros = exact::squared_distance(&vec![0.0; dims], &c).to_bits();
                for isa in Isa::available() {
                    let rows = [none, vector, none, vector];
                    let job = SquaredDistances { rows, c: &c };
                    let found = work_on(isa, job).map(f64::to_bits);
                    assert_eq!(found, [zeros, expected, zeros, expected], "{isa:?}");
                }
            }
        }
    }
}
