//! The tile of the 8-bit kernels, and the sweep over all panels.

use super::dispatch::{Kernel, run};
use super::dot::{Dot, Ints};
use super::{CodePanels, CodeRows, Hit, PANEL, PURPOSE, Terms};
use crate::allocate::grow;
use crate::error::Result;
use crate::kernels::simd::Simd;

type Int<D> = <<D as Dot>::S as Ints>::I;
pub(super) type Float<D> = <<D as Dot>::S as Simd>::V;

/// Products of `ROWS` rows with `VECTORS` vectors of centroids, each sum
/// starting from what its row says. `codes` points to those of the first.
///
/// # Safety
/// The CPU has `D`; `rows` and the panel are valid for `dims` dimensions.
#[inline(always)]
pub(super) unsafe fn tile<D: Dot, const ROWS: usize, const VECTORS: usize>(
    rows: [*const i8; ROWS],
    starts: [i32; ROWS],
    codes: *const u8,
    dims: usize,
) -> [[Int<D>; VECTORS]; ROWS] {
    let bytes = 4 * D::S::LANES;
    // SAFETY: steps below `dims` lie within the panel and the rows.
    unsafe {
        let centroids =
            |t: usize, v: usize| D::S::load_codes(codes.add(t * PANEL + v * bytes), bytes);
        let row =
            |r: usize, t: usize| D::S::splat_int(rows[r].add(t).cast::<i32>().read_unaligned());
        let mut sums = starts.map(|start| [D::S::splat_int(start); VECTORS]);
        if D::PAIRED {
            for t in (0..dims).step_by(8) {
                let centroids: [_; VECTORS] =
                    std::array::from_fn(|v| [centroids(t, v), centroids(t + 4, v)]);
                for (r, sums) in sums.iter_mut().enumerate() {
                    let row = [row(r, t), row(r, t + 4)];
                    for (sum, &centroid) in sums.iter_mut().zip(&centroids) {
                        *sum = D::dot_pair(*sum, centroid, row);
                    }
                }
            }
        } else {
            for t in (0..dims).step_by(4) {
                let centroids: [_; VECTORS] = std::array::from_fn(|v| centroids(t, v));
                for (r, sums) in sums.iter_mut().enumerate() {
                    let row = row(r, t);
                    for (sum, &centroid) in sums.iter_mut().zip(&centroids) {
                        *sum = D::dot(*sum, centroid, row);
                    }
                }
            }
        }
        sums
    }
}

/// Added to scores it leaves out lane `PANEL` − i of those from i on; none from the end of
/// a panel on.
static HIDDEN: [f32; 3 * PANEL] = {
    let mut hidden = [0.0; 3 * PANEL];
    hidden[PANEL] = f32::NEG_INFINITY;
    hidden
};

/// Which scores of some rows reach their thresholds, a bit for each centroid
/// of the panel; and the greatest score in each lane, above `most`. Of each row the
/// centroid in slot `own` is left out of both.
///
/// # Safety
/// The CPU has `D`; the rows and the panel exist.
#[inline(always)]
pub(super) unsafe fn compare<D: Dot, const ROWS: usize, const VECTORS: usize>(
    (panels, terms): (&CodePanels, &Terms),
    (codes, of_rows): (&[i8], &CodeRows),
    panel: usize,
    (rows, own): ([usize; ROWS], [u32; ROWS]),
    most: &mut [Float<D>; ROWS],
) -> [u64; ROWS] {
    let (stride, lanes) = (panels.stride, D::S::LANES);
    let mut masks = [0u64; ROWS];
    let hidden = own.map(|slot| match (slot as usize).wrapping_sub(panel * PANEL) {
        lane @ 0..PANEL => PANEL - lane,
        _ => PANEL + 1,
    });
    // SAFETY: the panel's codes and terms, and those of the rows, exist.
    unsafe {
        let row_codes = rows.map(|i| codes.as_ptr().add(i * stride));
        let starts = rows.map(|i| *of_rows.starts.get_unchecked(i));
        for first in (0..PANEL).step_by(VECTORS * lanes) {
            let of_panel = panels
                .codes
                .as_ptr()
                .add(panel * PANEL * stride + 4 * first);
            let sums = tile::<D, ROWS, VECTORS>(row_codes, starts, of_panel, terms.dims);
            for (r, sums) in sums.iter().enumerate() {
                let i = rows[r];
                let unit = D::S::splat(*of_rows.units.get_unchecked(i));
                let tail = D::S::splat(*of_rows.tails.get_unchecked(i));
                let threshold = D::S::splat(*of_rows.thresholds.get_unchecked(i));
                for (v, &sum) in sums.iter().enumerate() {
                    let within = first + v * lanes;
                    let slot = panel * PANEL + within;
                    let score = score::<D>(sum, unit, slot, panels, terms);
                    let tails = D::S::load(terms.tails.as_ptr().add(slot));
                    let hidden = D::S::load(HIDDEN.as_ptr().add(hidden[r] + within));
                    let upper = D::S::mul_add(tail, tails, score);
                    let upper = D::S::mul_add(D::S::splat(1.0), upper, hidden);
                    most[r] = D::S::max(most[r], upper);
                    masks[r] |= u64::from(D::S::at_least(upper, threshold)) << within;
                }
            }
        }
    }
    masks
}

/// Scores of the centroids from `slot` on.
///
/// # Safety
/// The CPU has `D`; the slots exist.
#[inline(always)]
pub(super) unsafe fn score<D: Dot>(
    sum: Int<D>,
    unit: Float<D>,
    slot: usize,
    panels: &CodePanels,
    terms: &Terms,
) -> Float<D> {
    // SAFETY: passed on.
    unsafe {
        let units = D::S::load(panels.units.as_ptr().add(slot));
        let starts = D::S::load(terms.starts.as_ptr().add(slot));
        let product = D::S::mul_add(D::S::floats(sum), units, D::S::splat(0.0));
        D::S::mul_add(product, unit, starts)
    }
}

impl CodePanels {
    /// Finds all pairs that reach the row's threshold by the first dimensions.
    pub fn sweep(
        &self,
        terms: &Terms,
        codes: &[i8],
        rows: &CodeRows,
        hits: &mut Vec<Hit>,
    ) -> Result<()> {
        self.check(terms, codes, rows);
        hits.clear();
        let most = rows.units.len() * self.units.len() / PANEL + 1;
        grow(hits, most, PURPOSE)?;
        let sweep = Sweep {
            panels: self,
            terms,
            codes,
            rows,
            hits,
        };
        // SAFETY: the instruction set and the lengths are checked, and there
        // is room for a hit for every row and panel.
        unsafe { run(self.isa, sweep) };
        Ok(())
    }
}

/// Lengths as `CodePanels::check` wants them; room for all hits.
pub(super) struct Sweep<'a> {
    pub panels: &'a CodePanels,
    pub terms: &'a Terms,
    pub codes: &'a [i8],
    pub rows: &'a CodeRows,
    pub hits: &'a mut Vec<Hit>,
}

impl Kernel for Sweep<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<D: Dot, const ROWS: usize, const VECTORS: usize>(self) {
        let count = self.rows.units.len();
        let panels = self.panels.units.len() / PANEL;
        let (out, mut len) = (self.hits.as_mut_ptr(), 0);
        for panel in 0..panels {
            for first in (0..count).step_by(ROWS) {
                // A last tile that isn't full repeats the last row.
                let rows = std::array::from_fn(|r| (first + r).min(count - 1));
                // SAFETY: rows and panel exist; there is at most one hit for
                // each row and panel. The slot is kept only if the row is real
                // and reached.
                unsafe {
                    let mut most = [D::S::splat(f32::NEG_INFINITY); ROWS];
                    let masks = compare::<D, ROWS, VECTORS>(
                        (self.panels, self.terms),
                        (self.codes, self.rows),
                        panel,
                        (rows, rows.map(|i| *self.rows.own.get_unchecked(i))),
                        &mut most,
                    );
                    for (r, &mask) in masks.iter().enumerate() {
                        out.add(len).write(Hit {
                            row: (first + r) as u32,
                            panel: panel as u32,
                            mask,
                        });
                        len += usize::from(mask != 0 && first + r < count);
                    }
                }
            }
        }
        // SAFETY: `len` hits are written.
        unsafe { self.hits.set_len(len) };
    }
}
