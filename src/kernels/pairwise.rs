//! Blocks of pairwise squared distances in float32, for the distance matrices
//! of K-medoids.
//!
//! Differences are taken before they are squared: equal rows are at exactly 0
//! and an offset of the data cancels nothing. Each distance is one chain of
//! fused multiply-adds over the dimensions in order, so every instruction set
//! gives the same bits.

use super::dispatch::{Kernel, run};
use super::isa::Isa;
use super::simd::Simd;
use crate::allocate::resize;
use crate::error::Result;

/// Rows of a panel. Vector lanes run along them.
pub(crate) const PANEL: usize = 32;

/// Rows of a strip. As many as AVX-512 has registers for beside a panel.
pub(crate) const STRIP: usize = 12;

/// Stores rows of `dims` values transposed, `LANES` at a time: value t of row
/// l of a bundle goes to place `t * LANES + l`. Missing rows are zero.
pub(crate) fn pack<const LANES: usize>(
    rows: &[f32],
    dims: usize,
    packed: &mut Vec<f32>,
) -> Result<()> {
    packed.clear();
    let len = (rows.len() / dims).next_multiple_of(LANES) * dims;
    resize(packed, len, 0.0, "packed rows")?;
    let bundles = rows.chunks(LANES * dims);
    for (rows, packed) in bundles.zip(packed.chunks_exact_mut(LANES * dims)) {
        let (packed, _) = packed.as_chunks_mut::<LANES>();
        for (lane, row) in rows.chunks_exact(dims).enumerate() {
            for (&value, lanes) in row.iter().zip(packed.iter_mut()) {
                lanes[lane] = value;
            }
        }
    }
    Ok(())
}

/// Squared Euclidean distances of the rows of some strips to those of a
/// panel: `out[m * PANEL + l]` is that of row m to row l of the panel.
pub(crate) fn squared_distances(strips: &[f32], panel: &[f32], out: &mut [f32]) {
    squared_distances_on(Isa::chosen(), strips, panel, out);
}

fn squared_distances_on(isa: Isa, strips: &[f32], panel: &[f32], out: &mut [f32]) {
    assert!(isa.is_available());
    // SAFETY: the CPU has the instruction set; the kernel asks for nothing.
    unsafe { run(isa, SquaredDistances { strips, panel, out }) }
}

struct SquaredDistances<'d> {
    strips: &'d [f32],
    panel: &'d [f32],
    out: &'d mut [f32],
}

impl Kernel for SquaredDistances<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd, const NV: usize, const MR: usize>(self) {
        // SAFETY: passed on; a panel is so many vectors wide.
        unsafe {
            match S::LANES {
                16 => tiles::<S, 2, STRIP>(self),
                8 => tiles::<S, 4, 2>(self),
                lanes => unreachable!("no vectors have {lanes} lanes"),
            }
        }
    }
}

/// `ROWS` rows at a time: as many as keep all sums in registers.
///
/// # Safety
/// The CPU has `S`; a panel is `WIDTH` vectors wide.
#[inline(always)]
unsafe fn tiles<S: Simd, const WIDTH: usize, const ROWS: usize>(job: SquaredDistances<'_>) {
    let (columns, _) = job.panel.as_chunks::<PANEL>();
    let outs = job.out.chunks_exact_mut(STRIP * PANEL);
    let strips = job.strips.chunks_exact(STRIP * columns.len());
    for (strip, out) in strips.zip(outs) {
        let (rows, _) = strip.as_chunks::<STRIP>();
        for (part, out) in out.chunks_exact_mut(ROWS * PANEL).enumerate() {
            // SAFETY: a column and a row of `out` hold WIDTH vectors.
            unsafe {
                let mut sums = [[S::splat(0.0); WIDTH]; ROWS];
                for (values, column) in rows.iter().zip(columns) {
                    let mut vectors = [S::splat(0.0); WIDTH];
                    for (v, vector) in vectors.iter_mut().enumerate() {
                        *vector = S::load(column.as_ptr().add(v * S::LANES));
                    }
                    for m in 0..ROWS {
                        let value = S::splat(values[part * ROWS + m]);
                        for v in 0..WIDTH {
                            let difference = S::sub(vectors[v], value);
                            sums[m][v] = S::fused(difference, difference, sums[m][v]);
                        }
                    }
                }
                let (out, _) = out.as_chunks_mut::<PANEL>();
                for (out, sums) in out.iter_mut().zip(sums) {
                    for (v, &sum) in sums.iter().enumerate() {
                        S::store(out.as_mut_ptr().add(v * S::LANES), sum);
                    }
                }
            }
        }
    }
}

/// Sets bit i of `bits` where `values[i] < bounds[i]`, and clears the others.
pub(crate) fn mark_below(values: &[f32], bounds: &[f32], bits: &mut [u64]) {
    mark_below_on(Isa::chosen(), values, bounds, bits);
}

fn mark_below_on(isa: Isa, values: &[f32], bounds: &[f32], bits: &mut [u64]) {
    assert!(isa.is_available() && values.len() == bounds.len());
    let mark = MarkBelow {
        values,
        bounds,
        bits,
    };
    // SAFETY: the CPU has the instruction set; the kernel asks for nothing.
    unsafe { run(isa, mark) }
}

struct MarkBelow<'m> {
    values: &'m [f32],
    bounds: &'m [f32],
    bits: &'m mut [u64],
}

impl Kernel for MarkBelow<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd, const NV: usize, const MR: usize>(self) {
        let (values, values_rest) = self.values.as_chunks::<64>();
        let (bounds, bounds_rest) = self.bounds.as_chunks::<64>();
        for ((values, bounds), bits) in values.iter().zip(bounds).zip(self.bits.iter_mut()) {
            *bits = 0;
            for at in (0..64).step_by(S::LANES) {
                // SAFETY: the CPU has `S`; lanes divide 64.
                let below = unsafe {
                    let value = S::load(values.as_ptr().add(at));
                    S::below(value, S::load(bounds.as_ptr().add(at)))
                };
                *bits |= u64::from(below) << at;
            }
        }
        if !values_rest.is_empty() {
            let pairs = values_rest.iter().zip(bounds_rest).enumerate();
            let bits_of_rest = pairs.fold(0, |bits, (i, (v, b))| bits | u64::from(v < b) << i);
            self.bits[values.len()] = bits_of_rest;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    #[test]
    fn every_instruction_set_gives_the_same_bits() {
        let mut rng = Rng::new(3);
        for dims in [1, 2, 7, 64] {
            let mut values =
                |rows| -> Vec<f32> { (0..rows * dims).map(|_| rng.unit() as f32).collect() };
            let (rows, columns) = (values(STRIP + 5), values(PANEL - 3));
            let (mut strips, mut panel) = (Vec::new(), Vec::new());
            pack::<STRIP>(&rows, dims, &mut strips).unwrap();
            pack::<PANEL>(&columns, dims, &mut panel).unwrap();
            let mut out = vec![0.0; 2 * STRIP * PANEL];
            squared_distances(&strips, &panel, &mut out);
            for (out, row) in out.chunks(PANEL).zip(rows.chunks(dims)) {
                for (out, column) in out.iter().zip(columns.chunks(dims)) {
                    let expected = row
                        .iter()
                        .zip(column)
                        .fold(0.0f32, |sum, (x, y)| (x - y).mul_add(x - y, sum));
                    assert_eq!(out.to_bits(), expected.to_bits());
                }
            }
            for isa in Isa::available() {
                let mut again = vec![0.0; out.len()];
                squared_distances_on(isa, &strips, &panel, &mut again);
                assert_eq!(again, out, "{isa:?}");
            }
        }
    }

    #[test]
    fn marks_what_lies_below() {
        let mut rng = Rng::new(4);
        for len in [0usize, 1, 63, 64, 65, 200] {
            let values: Vec<f32> = (0..len).map(|_| rng.unit() as f32).collect();
            let bounds: Vec<f32> = (0..len).map(|_| rng.unit() as f32).collect();
            for isa in Isa::available() {
                let mut bits = vec![u64::MAX; len.div_ceil(64)];
                mark_below_on(isa, &values, &bounds, &mut bits);
                for i in 0..len {
                    assert_eq!(bits[i / 64] >> (i % 64) & 1 == 1, values[i] < bounds[i]);
                }
            }
        }
    }
}
