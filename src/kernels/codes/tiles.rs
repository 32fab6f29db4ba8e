//! The 8-bit kernels where products are made a whole tile at a time: what becomes of
//! the sums.
//!
//! Rows and panels lie as in the other kernels, but for the codes of the panels, which
//! are signed.

use super::dispatch::{Kernel, run};
use super::dot::{Dot, Ints};
use super::products::{Emulated, PANEL, Products, ROWS, Sums, Tile};
use super::{CLASSES, CodePanels, CodeRows, Hit, PURPOSE, Terms};
use crate::allocate::{grow, resize};
use crate::error::Result;
use crate::kernels::aligned::Aligned;
use std::marker::PhantomData;

/// Lanes of the widest vectors.
const MOST_LANES: usize = 16;

/// What becomes of the sums.
trait EachRow {
    /// # Safety
    /// The CPU has `S`; row and panel exist.
    unsafe fn row<S: Ints>(&mut self, row: usize, panel: usize, sums: &[i32; PANEL]);

    /// # Safety
    /// The CPU has `S`; all rows have been seen with all panels.
    unsafe fn done<S: Ints>(self);
}

/// All rows with all panels. Lengths are those of [`CodePanels::check_tiles`].
struct Sweep<'a, E> {
    panels: &'a CodePanels,
    dims: usize,
    codes: &'a [i8],
    rows: &'a CodeRows,
    each: E,
}

impl<E: EachRow> Sweep<'_, E> {
    /// # Safety
    /// What `E` asks for.
    unsafe fn run(self) {
        let isa = self.panels.isa;
        // SAFETY: `check_tiles` has seen that the CPU has the instruction set, and that
        // products can be made so.
        unsafe {
            match self.panels.products {
                #[cfg(target_arch = "x86_64")]
                Products::Amx => run(isa, In::<super::products::Amx, E>(self, PhantomData)),
                Products::Vectors | Products::Emulated => {
                    run(isa, In::<Emulated, E>(self, PhantomData))
                }
            }
        }
    }
}

/// A sweep by a kind of tiles.
struct In<'a, T, E>(Sweep<'a, E>, PhantomData<T>);

impl<T: Tile, E: EachRow> Kernel for In<'_, T, E> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<D: Dot, const A: usize, const B: usize>(self) {
        let Sweep {
            panels,
            dims,
            codes,
            rows,
            mut each,
        } = self.0;
        let (stride, count) = (panels.stride, rows.units.len());
        let whole = count / ROWS * ROWS;
        let mut sums = Sums([[0; PANEL]; ROWS]);
        // SAFETY: the tile exists, as the caller of `Sweep::run` has made sure. The codes
        // of whole tiles of rows, those of the last rows and of the panels are there.
        unsafe {
            let tile = T::new();
            for panel in 0..panels.units.len() / PANEL {
                let of_panel = panels.codes.as_ptr().add(panel * PANEL * stride);
                for first in (0..count).step_by(ROWS) {
                    let of_rows = match first < whole {
                        true => codes.as_ptr().add(first * stride),
                        false => rows.last.as_ptr(),
                    };
                    tile.multiply(of_rows, stride, of_panel, dims, &mut sums);
                    for (row, sums) in (first..count).zip(&sums.0) {
                        each.row::<D::S>(row, panel, sums);
                    }
                }
            }
            drop(tile);
            each.done::<D::S>();
        }
    }
}

/// Bounds of scores: unit of the row · unit of the panel · sum + what the centroid adds.
/// As many units and constants as rows and slots.
struct Bounds<'a> {
    rows: &'a [f32],
    panels: &'a [f32],
    constants: &'a [f32],
}

impl<'a> Bounds<'a> {
    fn new(panels: &'a CodePanels, rows: &'a CodeRows, constants: &'a [f32]) -> Self {
        Bounds {
            rows: &rows.units,
            panels: &panels.units,
            constants,
        }
    }

    /// Of a row and a panel, a vector for each `S::LANES` centroids.
    ///
    /// # Safety
    /// The CPU has `S`; row and panel exist.
    #[inline(always)]
    unsafe fn factor<S: Ints>(&self, row: usize, panel: usize) -> S::V {
        // SAFETY: as the caller promises.
        unsafe { S::splat(self.rows.get_unchecked(row) * self.panels.get_unchecked(panel * PANEL)) }
    }

    /// Those from `lane` on.
    ///
    /// # Safety
    /// As above; `lane` begins a vector of the panel.
    #[inline(always)]
    unsafe fn at<S: Ints>(
        &self,
        factor: S::V,
        panel: usize,
        lane: usize,
        sums: &[i32; PANEL],
    ) -> S::V {
        // SAFETY: as the caller promises.
        unsafe {
            let sums = S::load_codes(sums.as_ptr().add(lane).cast(), 4 * S::LANES);
            let constants = S::load(self.constants.as_ptr().add(panel * PANEL + lane));
            S::mul_add(S::floats(sums), factor, constants)
        }
    }
}

/// There is room for a hit for each row and panel after `out`, where `hits` begin.
struct Compare<'a> {
    bounds: Bounds<'a>,
    thresholds: &'a [f32],
    out: *mut Hit,
    hits: &'a mut Vec<Hit>,
}

impl EachRow for Compare<'_> {
    #[inline(always)]
    unsafe fn row<S: Ints>(&mut self, row: usize, panel: usize, sums: &[i32; PANEL]) {
        // SAFETY: row and panel exist; at most one hit for each is kept.
        unsafe {
            let threshold = S::splat(*self.thresholds.get_unchecked(row));
            let factor = self.bounds.factor::<S>(row, panel);
            let mut mask = 0;
            for lane in (0..PANEL).step_by(S::LANES) {
                let bounds = self.bounds.at::<S>(factor, panel, lane, sums);
                mask |= u64::from(S::at_least(bounds, threshold)) << lane;
            }
            self.out.write(Hit {
                row: row as u32,
                panel: panel as u32,
                mask,
            });
            self.out = self.out.add(usize::from(mask != 0));
        }
    }

    #[inline(always)]
    unsafe fn done<S: Ints>(self) {
        // SAFETY: so many are written.
        unsafe {
            let len = self.out.offset_from(self.hits.as_ptr());
            self.hits.set_len(len as usize);
        }
    }
}

/// `MOST_LANES` for each row.
struct Best<'a> {
    bounds: Bounds<'a>,
    lanes: &'a mut [f32],
}

impl EachRow for Best<'_> {
    #[inline(always)]
    unsafe fn row<S: Ints>(&mut self, row: usize, panel: usize, sums: &[i32; PANEL]) {
        // SAFETY: row and panel exist, and a vector fits into the row's lanes.
        unsafe {
            let lanes = self.lanes.as_mut_ptr().add(row * MOST_LANES);
            let factor = self.bounds.factor::<S>(row, panel);
            let mut most = S::load(lanes);
            for lane in (0..PANEL).step_by(S::LANES) {
                most = S::max(self.bounds.at::<S>(factor, panel, lane, sums), most);
            }
            S::store(lanes, most);
        }
    }

    #[inline(always)]
    unsafe fn done<S: Ints>(self) {}
}

/// [`CLASSES`] for each row.
struct Classes<'a> {
    bounds: Bounds<'a>,
    most: &'a mut [f32],
}

impl EachRow for Classes<'_> {
    #[inline(always)]
    unsafe fn row<S: Ints>(&mut self, row: usize, panel: usize, sums: &[i32; PANEL]) {
        // SAFETY: row and panel exist, and a panel has a centroid for each class.
        unsafe {
            let most = self.most.as_mut_ptr().add(row * CLASSES);
            let factor = self.bounds.factor::<S>(row, panel);
            for lane in (0..PANEL).step_by(S::LANES) {
                let bounds = self.bounds.at::<S>(factor, panel, lane, sums);
                let most = most.add(lane);
                S::store(most, S::max(bounds, S::load(most)));
            }
        }
    }

    #[inline(always)]
    unsafe fn done<S: Ints>(self) {}
}

impl CodePanels {
    /// Finds all pairs whose upper bound reaches the row's threshold.
    pub fn sweep_tiles(
        &self,
        terms: &Terms,
        codes: &[i8],
        rows: &CodeRows,
        hits: &mut Vec<Hit>,
    ) -> Result<()> {
        self.check_tiles(terms, codes, rows);
        hits.clear();
        let most = rows.units.len() * self.units.len() / PANEL + 1;
        grow(hits, most, PURPOSE)?;
        let each = Compare {
            bounds: Bounds::new(self, rows, &terms.starts),
            thresholds: &rows.thresholds,
            out: hits.as_mut_ptr(),
            hits,
        };
        // SAFETY: there is room for a hit for every row and panel.
        unsafe { self.over_tiles(terms, codes, rows, each) };
        Ok(())
    }

    /// The greatest lower bound of each row's scores.
    pub fn best_of_tiles(
        &self,
        terms: &Terms,
        codes: &[i8],
        rows: &CodeRows,
        (lanes, best): (&mut Aligned<f32>, &mut Vec<f32>),
    ) -> Result<()> {
        self.check_tiles(terms, codes, rows);
        let count = rows.units.len();
        resize(best, count, 0.0, PURPOSE)?;
        lanes.resize(0.0, count * MOST_LANES, PURPOSE)?;
        lanes.fill(f32::NEG_INFINITY);
        let each = Best {
            bounds: Bounds::new(self, rows, &terms.lows),
            lanes: &mut lanes[..],
        };
        // SAFETY: there are lanes for each row.
        unsafe { self.over_tiles(terms, codes, rows, each) };
        for (best, lanes) in best.iter_mut().zip(lanes.chunks_exact(MOST_LANES)) {
            *best = lanes.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        }
        Ok(())
    }

    /// The greatest lower bound of each row's scores in each class of centroids.
    pub fn classes_of_tiles(
        &self,
        terms: &Terms,
        codes: &[i8],
        rows: &CodeRows,
        most: &mut Aligned<f32>,
    ) -> Result<()> {
        self.check_tiles(terms, codes, rows);
        most.resize(0.0, rows.units.len() * CLASSES, PURPOSE)?;
        most.fill(f32::NEG_INFINITY);
        let each = Classes {
            bounds: Bounds::new(self, rows, &terms.lows),
            most: &mut most[..],
        };
        // SAFETY: there is a number for each row and class.
        unsafe { self.over_tiles(terms, codes, rows, each) };
        Ok(())
    }

    /// # Safety
    /// What `E` asks for; lengths are checked.
    unsafe fn over_tiles<E: EachRow>(&self, terms: &Terms, codes: &[i8], rows: &CodeRows, each: E) {
        let sweep = Sweep {
            panels: self,
            dims: terms.dims,
            codes,
            rows,
            each,
        };
        // SAFETY: passed on.
        unsafe { sweep.run() };
    }

    fn check_tiles(&self, terms: &Terms, codes: &[i8], rows: &CodeRows) {
        let (count, padded) = (rows.units.len(), self.units.len());
        assert!(self.isa.is_available() && self.products.in_tiles());
        assert!(self.products.can_be_made());
        assert!(terms.dims.is_multiple_of(32) && terms.dims <= self.stride);
        assert!(padded.is_multiple_of(PANEL) && self.codes.len() == padded * self.stride);
        assert!(terms.starts.len() == padded && terms.lows.len() == padded);
        assert!(codes.len() == count * self.stride && rows.thresholds.len() == count);
        assert!(count.is_multiple_of(ROWS) || rows.last.len() == ROWS * self.stride);
    }
}

impl CodeRows {
    /// Fills the last rows up to a whole tile.
    pub fn fill_last(&mut self, codes: &[i8], stride: usize) -> Result<()> {
        let rest = codes.chunks_exact(ROWS * stride).remainder();
        resize(&mut self.last, ROWS * stride, 0, PURPOSE)?;
        self.last[..rest.len()].copy_from_slice(rest);
        Ok(())
    }
}
