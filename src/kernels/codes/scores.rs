//! Scores of all centroids, kept for a while: the best of them say what the
//! others must reach, and then need not be computed again.

use super::sweep::Operands;
use super::{CLASSES, CodePanels, CodeRows, Dot, Hit, Ints, Kernel, PANEL, PURPOSE, Terms, run};
use crate::allocate::{grow, resize};
use crate::error::Result;
use crate::kernels::aligned::Aligned;
use crate::kernels::simd::Simd;

/// For each residue of the centroids' slots modulo [`CLASSES`], the slot that
/// looks best and its score; −∞ where there is none.
/// Aligned, for vectors of it are read and written again and again.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(crate) struct Guess {
    pub scores: [f32; CLASSES],
    pub slots: [u32; CLASSES],
}

const NONE: Guess = Guess {
    scores: [f32::NEG_INFINITY; CLASSES],
    slots: [0; CLASSES],
};

impl CodePanels {
    /// Bytes of the scores of a row.
    pub fn score_bytes(&self) -> usize {
        size_of_val(&*self.units)
    }

    /// Writes the upper bounds of all scores, rows × slots, and likely good
    /// centroids of every row.
    pub fn score_all(
        &self,
        terms: &Terms,
        codes: &[i8],
        rows: &CodeRows,
        guesses: &mut Vec<Guess>,
        bounds: &mut Aligned<f32>,
    ) -> Result<()> {
        let count = rows.units.len();
        guesses.clear();
        resize(guesses, count, NONE, PURPOSE)?;
        bounds.resize(0.0, count * self.units.len(), PURPOSE)?;
        self.check(terms, codes, rows);
        let kernel = ScoreAll {
            panels: self,
            terms,
            codes,
            rows,
            guesses,
            bounds,
        };
        // SAFETY: the instruction set and the lengths are checked.
        unsafe { run(self.isa, kernel) };
        Ok(())
    }

    /// Finds all pairs whose `bounds` reach the row's threshold.
    pub fn reached(&self, rows: &CodeRows, bounds: &[f32], hits: &mut Vec<Hit>) -> Result<()> {
        let count = rows.units.len();
        assert!(self.isa.is_available() && rows.thresholds.len() == count);
        assert!(bounds.len() == count * self.units.len());
        hits.clear();
        grow(hits, bounds.len() / PANEL + 1, PURPOSE)?;
        let kernel = Reached {
            thresholds: &rows.thresholds,
            bounds,
            hits,
        };
        // SAFETY: as above, and there is room for a hit for every row and panel.
        unsafe { run(self.isa, kernel) };
        Ok(())
    }
}

/// Lengths as `CodePanels::check` wants them; a guess for each row, and a bound
/// for each row and slot.
struct ScoreAll<'a> {
    panels: &'a CodePanels,
    terms: &'a Terms,
    codes: &'a [i8],
    rows: &'a CodeRows,
    guesses: &'a mut [Guess],
    bounds: &'a mut [f32],
}

impl Kernel for ScoreAll<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<D: Dot, const ROWS: usize, const VECTORS: usize>(self) {
        let ScoreAll {
            panels,
            terms,
            codes,
            rows: of_rows,
            guesses,
            bounds,
        } = self;
        let (count, slots) = (of_rows.units.len(), panels.units.len());
        let operands = Operands::new(panels, terms, codes, of_rows);
        let (lanes, bounds, noted) = (D::S::LANES, bounds.as_mut_ptr(), guesses.as_mut_ptr());
        for part in (0..slots).step_by(VECTORS * lanes) {
            for first in (0..count).step_by(ROWS) {
                // A last tile that isn't full repeats the last row.
                let rows: [usize; ROWS] = std::array::from_fn(|r| (first + r).min(count - 1));
                // SAFETY: rows and panels exist; a guess has room for all
                // classes, and there is a bound for each slot of each row.
                unsafe {
                    let sums = operands.products::<D, ROWS, VECTORS>(rows, part);
                    for (&i, sums) in rows.iter().zip(&sums) {
                        let of_row = operands.of_row::<D>(i);
                        for (v, &sum) in sums.iter().enumerate() {
                            let slot = part + v * lanes;
                            let [score, upper] = operands.scores::<D>(sum, of_row, slot);
                            D::S::store(bounds.add(i * slots + slot), upper);
                            note::<D::S>(noted.add(i), slot, score);
                        }
                    }
                }
            }
        }
        number_slots(guesses, lanes);
    }
}

/// Takes note of the scores from a slot on. Of a vector the first slot is noted:
/// [`number_slots`] adds the lane in the end.
///
/// # Safety
/// The CPU has `S`; the guess exists; the vector lies within a panel.
#[inline(always)]
unsafe fn note<S: Simd>(guess: *mut Guess, slot: usize, scores: S::V) {
    let class = slot % CLASSES;
    // SAFETY: a guess has room for all classes.
    unsafe {
        let best = (&raw mut (*guess).scores).cast::<f32>().add(class);
        // Bits of a u32, moved about by float operations.
        let place = (&raw mut (*guess).slots).cast::<f32>().add(class);
        let (most, here) = (S::load(best), S::splat(f32::from_bits(slot as u32)));
        S::store_if_greater(place, scores, most, here);
        S::store(best, S::max(scores, most));
    }
}

#[inline(always)]
fn number_slots(guesses: &mut [Guess], lanes: usize) {
    for guess in guesses {
        for (lane, slot) in guess.slots.iter_mut().enumerate() {
            *slot += (lane % lanes) as u32;
        }
    }
}

/// As many bounds for each threshold, whole panels; room for all hits.
struct Reached<'a> {
    thresholds: &'a [f32],
    bounds: &'a [f32],
    hits: &'a mut Vec<Hit>,
}

impl Kernel for Reached<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<D: Dot, const ROWS: usize, const VECTORS: usize>(self) {
        let (out, mut len) = (self.hits.as_mut_ptr(), 0);
        let slots = self.bounds.len() / self.thresholds.len().max(1);
        let rows = self.bounds.chunks_exact(slots.max(1));
        for (row, (bounds, &threshold)) in rows.zip(self.thresholds).enumerate() {
            for (panel, bounds) in bounds.chunks_exact(PANEL).enumerate() {
                // SAFETY: a panel is whole vectors; at most one hit for each
                // row and panel, kept only if it counts.
                unsafe {
                    let threshold = D::S::splat(threshold);
                    let mut mask = 0;
                    for lane in (0..PANEL).step_by(D::S::LANES) {
                        let bounds = D::S::load(bounds.as_ptr().add(lane));
                        mask |= u64::from(D::S::at_least(bounds, threshold)) << lane;
                    }
                    out.add(len).write(Hit {
                        row: row as u32,
                        panel: panel as u32,
                        mask,
                    });
                    len += usize::from(mask != 0);
                }
            }
        }
        // SAFETY: `len` hits are written.
        unsafe { self.hits.set_len(len) };
    }
}
