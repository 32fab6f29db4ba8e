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

/// Codes of both sides and the terms of their scores, by pointers: what stands behind them is
/// looked up once, not for every vector.
#[derive(Clone, Copy)]
pub(super) struct Operands {
    stride: usize,
    dims: usize,
    centroid_codes: *const u8,
    centroid_units: *const f32,
    centroid_starts: *const f32,
    centroid_tails: *const f32,
    row_codes: *const i8,
    row_starts: *const i32,
    row_units: *const f32,
    row_tails: *const f32,
    thresholds: *const f32,
}

impl Operands {
    /// Valid as long as these are. Lengths as `CodePanels::check` wants them.
    pub fn new(panels: &CodePanels, terms: &Terms, codes: &[i8], rows: &CodeRows) -> Self {
        Operands {
            stride: panels.stride,
            dims: terms.dims,
            centroid_codes: panels.codes.as_ptr(),
            centroid_units: panels.units.as_ptr(),
            centroid_starts: terms.starts.as_ptr(),
            centroid_tails: terms.tails.as_ptr(),
            row_codes: codes.as_ptr(),
            row_starts: rows.starts.as_ptr(),
            row_units: rows.units.as_ptr(),
            row_tails: rows.tails.as_ptr(),
            thresholds: rows.thresholds.as_ptr(),
        }
    }

    /// Products of some rows with the vectors of centroids from `slot` on.
    ///
    /// # Safety
    /// The CPU has `D`; the operands are valid; the rows exist, and the slots in one panel.
    #[inline(always)]
    pub unsafe fn products<D: Dot, const ROWS: usize, const VECTORS: usize>(
        &self,
        rows: [usize; ROWS],
        slot: usize,
    ) -> [[Int<D>; VECTORS]; ROWS] {
        let (panel, within) = (slot / PANEL, slot % PANEL);
        // SAFETY: passed on.
        unsafe {
            let row_codes = rows.map(|i| self.row_codes.add(i * self.stride));
            let starts = rows.map(|i| *self.row_starts.add(i));
            let of_panel = panel * PANEL * self.stride + 4 * within;
            let codes = self.centroid_codes.add(of_panel);
            tile::<D, ROWS, VECTORS>(row_codes, starts, codes, self.dims)
        }
    }

    /// Of a row and the centroids from `slot` on: scores, and upper bounds of them.
    ///
    /// # Safety
    /// As for [`Operands::products`].
    #[inline(always)]
    pub unsafe fn scores<D: Dot>(
        &self,
        product: Int<D>,
        (unit, tail): (Float<D>, Float<D>),
        slot: usize,
    ) -> [Float<D>; 2] {
        // SAFETY: passed on.
        unsafe {
            let units = D::S::load(self.centroid_units.add(slot));
            let starts = D::S::load(self.centroid_starts.add(slot));
            let tails = D::S::load(self.centroid_tails.add(slot));
            let product = D::S::mul_add(D::S::floats(product), units, D::S::splat(0.0));
            let score = D::S::mul_add(product, unit, starts);
            [score, D::S::mul_add(tail, tails, score)]
        }
    }

    /// The unit and the tail of a row.
    ///
    /// # Safety
    /// As for [`Operands::products`].
    #[inline(always)]
    pub unsafe fn of_row<D: Dot>(&self, row: usize) -> (Float<D>, Float<D>) {
        // SAFETY: passed on.
        unsafe {
            let unit = D::S::splat(*self.row_units.add(row));
            (unit, D::S::splat(*self.row_tails.add(row)))
        }
    }
}

/// Which scores of some rows reach their thresholds, a bit for each centroid
/// of the panel; and the greatest score in each lane, above `most`. Of each row the
/// centroid in slot `own` is left out of both.
///
/// # Safety
/// The CPU has `D`; the operands are valid; the rows and the panel exist.
#[inline(always)]
pub(super) unsafe fn compare<D: Dot, const ROWS: usize, const VECTORS: usize>(
    operands: &Operands,
    panel: usize,
    (rows, own): ([usize; ROWS], [u32; ROWS]),
    most: &mut [Float<D>; ROWS],
) -> [u64; ROWS] {
    let lanes = D::S::LANES;
    let mut masks = [0u64; ROWS];
    let hidden = own.map(|slot| match (slot as usize).wrapping_sub(panel * PANEL) {
        lane @ 0..PANEL => PANEL - lane,
        _ => PANEL + 1,
    });
    // SAFETY: passed on; `HIDDEN` has a panel from there on.
    unsafe {
        for first in (0..PANEL).step_by(VECTORS * lanes) {
            let slot = panel * PANEL + first;
            let sums = operands.products::<D, ROWS, VECTORS>(rows, slot);
            for (r, sums) in sums.iter().enumerate() {
                let of_row = operands.of_row::<D>(rows[r]);
                let threshold = D::S::splat(*operands.thresholds.add(rows[r]));
                for (v, &sum) in sums.iter().enumerate() {
                    let within = first + v * lanes;
                    let [_, upper] = operands.scores::<D>(sum, of_row, slot + v * lanes);
                    let hidden = D::S::load(HIDDEN.as_ptr().add(hidden[r] + within));
                    let upper = D::S::mul_add(D::S::splat(1.0), upper, hidden);
                    most[r] = D::S::max(most[r], upper);
                    masks[r] |= u64::from(D::S::at_least(upper, threshold)) << within;
                }
            }
        }
    }
    masks
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
        let operands = Operands::new(self.panels, self.terms, self.codes, self.rows);
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
                        &operands,
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
