//! Likely good centroids, by a few dimensions and without bounds.

use super::sweep::{score, tile};
use super::{CLASSES, CodePanels, CodeRows, Dot, Kernel, PANEL, Terms, offset, sum_codes};
use crate::nearest::simd::Simd;

/// For each residue of the centroids' slots modulo [`CLASSES`], the slot that
/// looks best and its score; −∞ where there is none.
#[derive(Clone, Copy, Default)]
pub(in crate::nearest) struct Guess {
    pub scores: [f32; CLASSES],
    pub slots: [u32; CLASSES],
}

/// Lengths as `CodePanels::check` wants them; a guess for each row; `dims` at
/// most those of the codes.
pub(super) struct Guesses<'a> {
    pub panels: &'a CodePanels,
    pub terms: &'a Terms,
    pub dims: usize,
    pub codes: &'a [i8],
    pub rows: &'a CodeRows,
    pub guesses: &'a mut [Guess],
}

impl Kernel for Guesses<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<D: Dot, const ROWS: usize, const VECTORS: usize>(self) {
        /// Vectors that hold a value for each class, at most.
        const MOST: usize = 2;
        let Guesses {
            panels,
            terms,
            dims,
            codes,
            rows: of_rows,
            guesses,
        } = self;
        let (count, stride, lanes) = (of_rows.units.len(), panels.stride, D::S::LANES);
        let classes = CLASSES / lanes;
        for first in (0..count).step_by(ROWS) {
            let rows: [usize; ROWS] = std::array::from_fn(|r| (first + r).min(count - 1));
            let starts = rows
                .map(|i| -offset(panels.isa) * sum_codes(panels.isa, &codes[i * stride..][..dims]));
            // SAFETY: rows and panels exist and hold `stride` ≥ `dims` codes;
            // a guess has room for all classes.
            unsafe {
                let row_codes = rows.map(|i| codes.as_ptr().add(i * stride));
                let mut most = [[D::S::splat(f32::NEG_INFINITY); MOST]; ROWS];
                // Bits of a u32, moved about by float operations.
                let mut slots = [[D::S::splat(0.0); MOST]; ROWS];
                for part in (0..panels.units.len()).step_by(VECTORS * lanes) {
                    let (panel, within) = (part / PANEL, part % PANEL);
                    let of_panel = panels
                        .codes
                        .as_ptr()
                        .add(panel * PANEL * stride + 4 * within);
                    let sums = tile::<D, ROWS, VECTORS>(row_codes, starts, of_panel, dims);
                    for (r, sums) in sums.iter().enumerate() {
                        let unit = D::S::splat(of_rows.units[rows[r]]);
                        for (v, &sum) in sums.iter().enumerate() {
                            let slot = part + v * lanes;
                            let score = score::<D>(sum, unit, slot, panels, terms);
                            let (most, slots) =
                                (&mut most[r][v % classes], &mut slots[r][v % classes]);
                            let here = D::S::splat(f32::from_bits(slot as u32));
                            *slots = D::S::if_greater(score, *most, here, *slots);
                            *most = D::S::max(score, *most);
                        }
                    }
                }
                for (r, guess) in guesses[first..].iter_mut().take(ROWS).enumerate() {
                    for class in 0..classes {
                        let at = class * lanes;
                        D::S::store(guess.scores.as_mut_ptr().add(at), most[r][class]);
                        D::S::store(guess.slots.as_mut_ptr().add(at).cast(), slots[r][class]);
                    }
                    for (lane, slot) in guess.slots.iter_mut().enumerate() {
                        *slot += (lane % lanes) as u32;
                    }
                }
            }
        }
    }
}
