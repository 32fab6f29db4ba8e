//! Distances of many rows to a few rows, in float64.

use super::dispatch::{Work, work};
use super::exact::fold;
use super::lanes::Lanes;

/// Rows side by side in the vectors of the low-dimensional kernel, and
/// dimensions side by side in those of the other.
pub(crate) const LANES: usize = 16;

/// Where the sums of a block go: those of its first row to this place, those of
/// the others behind it, as many places for each of the few rows.
type Out<'o> = (&'o mut [f64], usize);

/// A few rows: count × dims values.
#[derive(Clone, Copy)]
pub(crate) struct Few<'f> {
    pub values: &'f [f64],
    pub dims: usize,
}

impl Few<'_> {
    fn len(self) -> usize {
        self.values.len() / self.dims
    }
}

/// Σ term(x, c) over the dimensions, for every row x of the block and every c of
/// `few`: the same bits on every instruction set.
#[inline]
pub(crate) fn sums(block: &[f32], few: Few<'_>, out: Out<'_>, term: impl Fn(f64, f64) -> f64) {
    work(Sums {
        block,
        few,
        out,
        term,
    });
}

struct Sums<'s, T> {
    block: &'s [f32],
    few: Few<'s>,
    out: Out<'s>,
    term: T,
}

impl<T: Fn(f64, f64) -> f64> Work for Sums<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, _: L) {
        let Sums {
            block,
            few,
            out,
            term,
        } = self;
        if few.dims < LANES {
            sums_across_rows(block, few, out, term)
        } else {
            sums_along_rows(block, few, out, term)
        }
    }
}

/// A lane a row: every lane adds its row's terms in the order of dimensions.
#[inline(always)]
fn sums_across_rows(block: &[f32], few: Few<'_>, out: Out<'_>, term: impl Fn(f64, f64) -> f64) {
    let dims = few.dims;
    let (rows, (out, at)) = (block.len() / dims, out);
    let places = out.len() / few.len();
    let mut tile = [[0.0f64; LANES]; LANES];
    for first in (0..rows).step_by(LANES) {
        let count = LANES.min(rows - first);
        let part = &block[first * dims..(first + count) * dims];
        for (lane, row) in part.chunks_exact(dims).enumerate() {
            for (column, &x) in tile.iter_mut().zip(row) {
                column[lane] = f64::from(x);
            }
        }
        for (c, out) in few
            .values
            .chunks_exact(dims)
            .zip(out.chunks_exact_mut(places))
        {
            let mut lanes = [0.0f64; LANES];
            for (column, &c) in tile.iter().zip(c) {
                for (lane, &x) in lanes.iter_mut().zip(column) {
                    *lane += term(x, c);
                }
            }
            out[at + first..][..count].copy_from_slice(&lanes[..count]);
        }
    }
}

/// A lane a dimension, modulo the number of lanes; folded in a fixed order.
#[inline(always)]
fn sums_along_rows(block: &[f32], few: Few<'_>, out: Out<'_>, term: impl Fn(f64, f64) -> f64) {
    let dims = few.dims;
    let (rows, (out, at)) = (block.len() / dims, out);
    let places = out.len() / few.len();
    // Lanes of several rows wait in memory to be folded: folded at once, the
    // compiler would also sum in the narrow vectors that folding needs.
    let mut tile = [[0.0f64; LANES]; LANES];
    for first in (0..rows).step_by(LANES) {
        let count = LANES.min(rows - first);
        let part = &block[first * dims..(first + count) * dims];
        for (c, out) in few
            .values
            .chunks_exact(dims)
            .zip(out.chunks_exact_mut(places))
        {
            let (c_blocks, c_rest) = c.as_chunks::<LANES>();
            for (x, tile) in part.chunks_exact(dims).zip(&mut tile) {
                let (x_blocks, x_rest) = x.as_chunks::<LANES>();
                let mut lanes = [0.0f64; LANES];
                for (x, c) in x_blocks.iter().zip(c_blocks) {
                    for lane in 0..LANES {
                        lanes[lane] += term(f64::from(x[lane]), c[lane]);
                    }
                }
                for (lane, (&x, &c)) in lanes.iter_mut().zip(x_rest.iter().zip(c_rest)) {
                    *lane += term(f64::from(x), c);
                }
                *tile = lanes;
            }
            for (lanes, out) in tile.iter().zip(&mut out[at + first..][..count]) {
                *out = fold(*lanes);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::dispatch::work_on;
    use crate::kernels::exact::squared_distance;
    use crate::kernels::isa::Isa;
    use crate::rng::Rng;

    #[test]
    fn every_instruction_set_gives_the_same_bits() {
        let mut rng = Rng::new(1);
        for dims in [1, 3, 15, 16, 17, 40, 100] {
            let block: Vec<f32> = (0..37 * dims).map(|_| rng.unit() as f32).collect();
            let centres: Vec<f32> = (0..3 * dims).map(|_| rng.unit() as f32).collect();
            let values: Vec<f64> = centres.iter().map(|&c| f64::from(c)).collect();
            let few = Few {
                values: &values,
                dims,
            };
            let run = |isa| {
                let mut sums = vec![0.0; 3 * 37];
                let (block, out) = (&block[..], (&mut sums[..], 0));
                let term = |x: f64, c: f64| (x - c) * (x - c);
                let job = Sums {
                    block,
                    few,
                    out,
                    term,
                };
                work_on(isa, job);
                sums
            };
            let expected = run(Isa::Portable);
            for isa in Isa::available() {
                assert_eq!(run(isa), expected, "{dims}, {isa:?}");
            }
            for (out, centre) in expected.chunks(37).zip(centres.chunks(dims)) {
                for (&sum, row) in out.iter().zip(block.chunks(dims)) {
                    let plain = squared_distance(row, centre);
                    assert!((sum - plain).abs() <= 1e-12 * plain);
                }
            }
        }
    }
}
