//! The canonical squared distance of a sparse vector to one of which all numbers are
//! kept: the bits of [`exact`](super::exact), in vectors.

use super::dispatch::{Work, work};
use super::exact::fold;
use super::exact_sparse::Vector;
use super::lanes::Lanes;

const LANES: usize = 16;

/// Σ (x − c)²
#[inline]
pub(crate) fn squared_distance(x: Vector<'_>, c: &[f32]) -> f64 {
    work(SquaredDistance { x, c })
}

struct SquaredDistance<'s> {
    x: Vector<'s>,
    c: &'s [f32],
}

impl Work for SquaredDistance<'_> {
    type Output = f64;

    #[inline(always)]
    fn run<L: Lanes>(self, _: L) -> f64 {
        let Vector { columns, values } = self.x;
        let (blocks, rest) = self.c.as_chunks::<LANES>();
        let mut lanes = [0.0f64; LANES];
        let (mut at, mut next) = (0, 0);
        while next < columns.len() {
            let block = columns[next] as usize / LANES;
            if block >= blocks.len() {
                break;
            }
            // Up to here x has zeros: the sign of a difference doesn't matter.
            for c in &blocks[at..block] {
                add(&mut lanes, c);
            }
            let mut differences = [0.0f64; LANES];
            for (difference, &c) in differences.iter_mut().zip(&blocks[block]) {
                *difference = 0.0 - f64::from(c);
            }
            while next < columns.len() && columns[next] as usize / LANES == block {
                let lane = columns[next] as usize % LANES;
                differences[lane] = f64::from(values[next]) - f64::from(blocks[block][lane]);
                next += 1;
            }
            for (lane, difference) in lanes.iter_mut().zip(differences) {
                *lane += difference * difference;
            }
            at = block + 1;
        }
        for c in &blocks[at..] {
            add(&mut lanes, c);
        }
        let mut differences = [0.0f64; LANES];
        for (difference, &c) in differences.iter_mut().zip(rest) {
            *difference = 0.0 - f64::from(c);
        }
        for (&column, &x) in columns[next..].iter().zip(&values[next..]) {
            let lane = column as usize % LANES;
            differences[lane] = f64::from(x) - f64::from(rest[lane]);
        }
        for (lane, difference) in lanes.iter_mut().zip(differences) {
            *lane += difference * difference;
        }
        fold(lanes)
    }
}

#[inline(always)]
fn add(lanes: &mut [f64; LANES], c: &[f32; LANES]) {
    for lane in 0..LANES {
        let c = f64::from(c[lane]);
        lanes[lane] += c * c;
    }
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
                for isa in Isa::available() {
                    let job = SquaredDistance { x: vector, c: &c };
                    assert_eq!(work_on(isa, job).to_bits(), expected, "{isa:?}");
                }
            }
        }
    }
}
