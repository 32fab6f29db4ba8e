//! The 8-bit kernels: scores of row codes against centroid codes.
//!
//! Centroids lie across lanes, `PANEL` to a panel, packed as steps of four
//! dimensions; rows are broadcast from their codes as they lie in memory. Row
//! codes are signed, centroid codes are offset where the instructions want them
//! unsigned; `start` takes the offset back.

pub(crate) mod bounded;
mod dispatch;
mod dot;
pub(crate) mod products;
mod round;
pub(crate) mod scores;
mod sweep;
mod tiles;

use super::aligned::Aligned;
use super::isa::Isa;
use super::simd::Simd;
use crate::allocate::{grow, resize};
use crate::error::Result;
use dispatch::{Kernel, run};
use dot::{Dot, Ints};

pub(crate) use dispatch::about;
pub(crate) use products::{PANEL, Products, ROWS};
pub(crate) use round::{CodeLimits, round_all};

const PURPOSE: &str = "a search in 8 bits";

/// Classes of centroids, by slot, the best of which tell what others must reach.
pub(crate) const CLASSES: usize = PANEL;

/// Centroid codes in panels.
#[derive(Default)]
pub(crate) struct CodePanels {
    pub isa: Isa,
    pub products: Products,
    /// Panels × (stride / 4) × PANEL × 4, offset by [`offset`]; where whole tiles are
    /// multiplied, not offset but signed.
    pub codes: Aligned<u8>,
    /// Code unit of each centroid; of tiles that of the panel.
    pub units: Aligned<f32>,
    /// Dimensions of a code.
    pub stride: usize,
}

/// What the scores of the centroids need when `dims` dimensions are compared.
#[derive(Default)]
pub(crate) struct Terms {
    pub dims: usize,
    pub starts: Aligned<f32>,
    /// Factors of the rows' tail norms; none of tiles, whose starts hold all.
    pub tails: Aligned<f32>,
    /// Of tiles: what stands for `starts` in lower bounds.
    pub lows: Aligned<f32>,
}

/// Row codes of one block, with the terms of their scores: for each row
/// unit · centroid unit · (codes · codes) + centroid start + tail · centroid
/// tail is compared with the threshold.
#[derive(Default)]
pub(crate) struct CodeRows {
    /// −offset · the sum of the row's codes, over the dimensions compared.
    pub starts: Vec<i32>,
    pub units: Vec<f32>,
    pub tails: Vec<f32>,
    pub thresholds: Vec<f32>,
    /// The slot of a centroid of each row that a sweep leaves out.
    pub own: Vec<u32>,
    /// Of tiles: the codes of the last rows and zeros, 16 rows.
    pub last: Vec<i8>,
}

/// Centroids of a panel that reach a row's threshold, a bit each.
#[derive(Clone, Copy)]
pub(crate) struct Hit {
    pub row: u32,
    pub panel: u32,
    pub mask: u64,
}

impl Hit {
    /// The slot of the first.
    pub fn slot(&self) -> u32 {
        self.panel * PANEL as u32 + self.mask.trailing_zeros()
    }
}

impl CodePanels {
    fn check(&self, terms: &Terms, codes: &[i8], rows: &CodeRows) {
        let (count, padded) = (rows.units.len(), self.units.len());
        assert!(self.isa.is_available() && !self.products.in_tiles());
        assert!(terms.dims.is_multiple_of(8) && terms.dims <= self.stride);
        assert!(padded.is_multiple_of(PANEL) && self.codes.len() == padded * self.stride);
        assert!(terms.starts.len() == padded && terms.tails.len() == padded);
        assert!(codes.len() == count * self.stride && rows.starts.len() == count);
        assert!(rows.tails.len() == count && rows.thresholds.len() == count);
        assert!(rows.own.len() == count);
    }
}

/// What the bound of a pair needs of one side, rows as well as centroids.
#[derive(Clone, Copy, Default)]
#[repr(C)]
pub(crate) struct Side {
    /// Coordinates ≈ unit · code.
    pub unit: f32,
    /// Added to the score; centroids only.
    pub start: f32,
    /// Norm of what rounding to the code lost.
    pub residual: f32,
    /// Norm of the coordinates.
    pub leading: f32,
    /// Norm of what the coordinates leave out.
    pub tail: f32,
    /// Norm of the vector; for centroids times the factor of ‖q‖·‖v‖.
    pub norm: f32,
    /// Sum of the code; rows only.
    pub sum: i32,
}

/// A pair of row and centroid that is still open, with the upper bound of its
/// score.
#[derive(Clone, Copy)]
pub(crate) struct Pair {
    pub row: u32,
    pub centroid: u32,
    pub bound: f32,
}

/// Both sides of the pairs to check: codes of `leading` dimensions and [`Side`]s.
pub(crate) struct Sides<'a> {
    pub isa: Isa,
    pub leading: usize,
    pub row_codes: &'a [i8],
    pub rows: &'a [Side],
    pub centroid_codes: &'a [u8],
    pub centroids: &'a [Side],
    /// The centroid in each slot of the panels.
    pub order: &'a [u32],
}

/// Collects the pairs of `hits` whose bound by the whole codes reaches the
/// row's score.
pub(crate) fn check_hits(
    hits: &[Hit],
    sides: &Sides<'_>,
    scores: &[f32],
    pairs: &mut Vec<Pair>,
) -> Result<()> {
    assert!(sides.isa.is_available());
    assert!(sides.leading.is_multiple_of(32));
    assert!(sides.row_codes.len() == sides.rows.len() * sides.leading);
    assert!(sides.centroid_codes.len() == sides.centroids.len() * sides.leading);
    assert!(scores.len() == sides.rows.len());
    let count: usize = hits.iter().map(|hit| hit.mask.count_ones() as usize).sum();
    pairs.clear();
    grow(pairs, count + 1, PURPOSE)?;
    let check = Check {
        hits,
        sides,
        scores,
        pairs,
    };
    // SAFETY: the instruction set and the lengths are checked, and there is
    // room for all pairs and one.
    unsafe { run(sides.isa, check) };
    Ok(())
}

/// `pairs` has room for all pairs of `hits` and one more.
struct Check<'a> {
    hits: &'a [Hit],
    sides: &'a Sides<'a>,
    scores: &'a [f32],
    pairs: &'a mut Vec<Pair>,
}

impl Kernel for Check<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<D: Dot, const ROWS: usize, const VECTORS: usize>(self) {
        let Check {
            hits,
            sides,
            scores,
            pairs,
        } = self;
        let leading = sides.leading;
        let (out, mut len) = (pairs.as_mut_ptr(), 0);
        for hit in hits {
            let i = hit.row as usize;
            let (row, score) = (&sides.rows[i], scores[i]);
            let row_code = &sides.row_codes[i * leading..][..leading];
            let start = D::OFFSET * row.sum;
            let mut mask = hit.mask;
            while mask != 0 {
                let slot = hit.panel as usize * PANEL + mask.trailing_zeros() as usize;
                let j = sides.order[slot] as usize;
                mask &= mask - 1;
                let centroid = &sides.centroids[j];
                let code = &sides.centroid_codes[j * leading..][..leading];
                // SAFETY: whole multiples of 32 codes.
                let product = unsafe { product::<D>(code, row_code) } - start;
                let error = row.residual * centroid.leading
                    + (row.leading + row.residual) * centroid.residual
                    + row.tail * centroid.tail
                    + row.norm * centroid.norm;
                let bound =
                    row.unit * centroid.unit * product as f32 + (centroid.start + 1.00001 * error);
                // SAFETY: `len` is at most the number of pairs so far. Written
                // always and kept if it counts: cheaper than a branch.
                unsafe {
                    out.add(len).write(Pair {
                        row: hit.row,
                        centroid: j as u32,
                        bound,
                    });
                }
                len += usize::from(bound >= score);
            }
        }
        // SAFETY: `len` pairs are written.
        unsafe { pairs.set_len(len) };
    }
}

/// Σ centroid · row for each row and the centroid that `labels` names; where there is
/// none of that number, anything.
pub(crate) fn products_with(
    labels: &[u32],
    sides: &Sides<'_>,
    products: &mut Vec<i32>,
) -> Result<()> {
    assert!(sides.isa.is_available() && labels.len() == sides.rows.len());
    assert!(sides.leading.is_multiple_of(32));
    assert!(sides.row_codes.len() == sides.rows.len() * sides.leading);
    assert!(sides.centroid_codes.len() == sides.centroids.len() * sides.leading);
    resize(products, labels.len(), 0, PURPOSE)?;
    let multiply = Multiply {
        labels,
        sides,
        products,
    };
    // SAFETY: the instruction set and the lengths are checked.
    unsafe { run(sides.isa, multiply) };
    Ok(())
}

/// A label and a product for each row.
struct Multiply<'a> {
    labels: &'a [u32],
    sides: &'a Sides<'a>,
    products: &'a mut [i32],
}

impl Kernel for Multiply<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<D: Dot, const ROWS: usize, const VECTORS: usize>(self) {
        let (sides, leading) = (self.sides, self.sides.leading);
        let rows = sides.rows.iter().zip(sides.row_codes.chunks_exact(leading));
        for ((&j, (side, row)), out) in self.labels.iter().zip(rows).zip(self.products) {
            let j = j as usize;
            if j < sides.centroids.len() {
                let codes = &sides.centroid_codes[j * leading..][..leading];
                // SAFETY: whole multiples of 32 codes.
                *out = unsafe { product::<D>(codes, row) } - D::OFFSET * side.sum;
            }
        }
    }
}

/// Σ centroid · row.
///
/// # Safety
/// The CPU has `D`; as many codes of both, a multiple of 32.
#[inline(always)]
unsafe fn product<D: Dot>(centroid: &[u8], row: &[i8]) -> i32 {
    let bytes = 4 * D::S::LANES;
    // SAFETY: each chunk holds as many codes as are loaded.
    unsafe {
        let mut sum = D::S::splat_int(0);
        for (c, r) in centroid.chunks(bytes).zip(row.chunks(bytes)) {
            let centroid = D::S::load_codes(c.as_ptr(), c.len());
            let row = D::S::load_codes(r.as_ptr().cast(), c.len());
            sum = D::dot(sum, centroid, row);
        }
        D::S::total(sum)
    }
}

/// The sum of codes, a multiple of 32 of them.
#[inline]
pub(crate) fn sum_codes(isa: Isa, codes: &[i8]) -> i32 {
    assert!(isa.is_available() && codes.len().is_multiple_of(32));
    // SAFETY: both are checked.
    unsafe { run(isa, Sum(codes)) }
}

struct Sum<'a>(&'a [i8]);

impl Kernel for Sum<'_> {
    type Output = i32;

    #[inline(always)]
    unsafe fn run<D: Dot, const ROWS: usize, const VECTORS: usize>(self) -> i32 {
        // SAFETY: each chunk holds as many codes as are loaded.
        unsafe {
            let ones = D::S::splat_int(i32::from_ne_bytes([1; 4]));
            let mut sum = D::S::splat_int(0);
            for codes in self.0.chunks(4 * D::S::LANES) {
                let codes = D::S::load_codes(codes.as_ptr().cast(), codes.len());
                sum = D::dot(sum, ones, codes);
            }
            D::S::total(sum)
        }
    }
}
