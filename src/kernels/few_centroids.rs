//! Scores of rows against few centroids, straight from the caller's rows.
//!
//! With few centroids there is little to compute for each value that is read,
//! and transposing rows would cost as much. Here centroids lie across the
//! lanes, one vector of them at a time, and the values of as many rows are
//! broadcast; a square of sums stays in registers and is transposed in the end.

use super::aligned::Aligned;
use super::dispatch::{Kernel, lanes, run};
use super::isa::Isa;
use super::simd::Simd;
use crate::allocate::{resize, try_vec};
use crate::error::Result;

/// Dimensions that are summed in a row: sums of sums err less.
const PART: usize = 128;

/// Rows that lie a multiple of so many values apart share one set of a level-1
/// cache and push each other out; they are copied to where they don't.
const CROWDED: usize = 1024;
const ROOM: usize = 16;

/// A row whose nearest centroid float32 can't tell.
pub(crate) const UNCERTAIN: u32 = u32::MAX;

/// Terms in a row of the sums that make a score, at most.
pub(crate) fn steps(dims: usize) -> usize {
    dims.min(PART) + dims / PART
}

/// Few centroids, in vectors.
pub(crate) struct FewCentroids {
    isa: Isa,
    dims: usize,
    lanes: usize,
    /// Vectors of centroids, each dims × lanes.
    values: Aligned<f32>,
    terms: Vec<Terms>,
    /// What rows are multiplied by; `None`: by 1 / ‖x‖.
    scale: Option<f32>,
    /// Rows with ‖x‖² in between can be told.
    squares: (f32, f32),
}

/// Of a centroid.
#[derive(Clone, Copy)]
pub(crate) struct Terms {
    /// What is added to a sum.
    pub start: f32,
    /// By how much the score must exceed all others to be certain.
    pub spread: f32,
}

impl FewCentroids {
    /// `count` centroids that are never found, until they are
    /// [`set`](Self::set).
    pub fn new(
        isa: Isa,
        (count, dims): (usize, usize),
        scale: Option<f32>,
        squares: (f32, f32),
    ) -> Result<Self> {
        let lanes = lanes(isa);
        let none = Terms {
            start: f32::NEG_INFINITY,
            spread: f32::INFINITY,
        };
        let values = count.next_multiple_of(lanes) * dims;
        Ok(FewCentroids {
            isa,
            dims,
            lanes,
            values: Aligned::new(0.0, values, "centroid panels")?,
            terms: try_vec(none, count, "centroid panels")?,
            scale,
            squares,
        })
    }

    pub fn set(&mut self, j: usize, values: &[f32], terms: Terms) {
        let (dims, lanes) = (self.dims, self.lanes);
        let panel = &mut self.values[j / lanes * lanes * dims..][..lanes * dims];
        for (slot, &value) in panel[j % lanes..].iter_mut().step_by(lanes).zip(values) {
            *slot = value;
        }
        self.terms[j] = terms;
    }

    /// Writes each row's nearest centroid to `labels`, or [`UNCERTAIN`].
    ///
    /// `copies`: scratch.
    pub fn label(&self, rows: &[f32], labels: &mut [u32], copies: &mut Vec<f32>) -> Result<()> {
        assert!(rows.len() == labels.len() * self.dims);
        let label = Label {
            few: self,
            rows,
            labels,
            copies,
        };
        // SAFETY: the CPU has the instruction set (checked by `new`), and there are
        // as many rows as labels.
        unsafe { run(self.isa, label) }
    }
}

/// Rows as [`FewCentroids::label`] checks them.
struct Label<'l> {
    few: &'l FewCentroids,
    rows: &'l [f32],
    labels: &'l mut [u32],
    copies: &'l mut Vec<f32>,
}

impl Kernel for Label<'_> {
    type Output = Result<()>;

    #[inline(always)]
    unsafe fn run<S: Simd, const NV: usize, const MR: usize>(self) -> Result<()> {
        let Label {
            few,
            rows,
            labels,
            copies,
        } = self;
        // SAFETY: passed on.
        unsafe {
            match S::LANES {
                16 => label::<S, 16>(few, rows, labels, copies),
                8 => label::<S, 8>(few, rows, labels, copies),
                lanes => unreachable!("no vectors have {lanes} lanes"),
            }
        }
    }
}

/// # Safety
/// The CPU has `S`, and `N` is its number of lanes; `rows` holds
/// `labels.len()` rows.
#[inline(always)]
unsafe fn label<S: Simd, const N: usize>(
    few: &FewCentroids,
    rows: &[f32],
    labels: &mut [u32],
    copies: &mut Vec<f32>,
) -> Result<()> {
    let dims = few.dims;
    for (rows, labels) in rows.chunks(N * dims).zip(labels.chunks_mut(N)) {
        let ahead = rows.as_ptr_range().end;
        let (rows, stride) = match labels.len() == N && !dims.is_multiple_of(CROWDED) {
            true => (rows, dims),
            false => {
                resize(copies, N * (dims + ROOM), 0.0, "copies of rows")?;
                let places = copies.chunks_exact_mut(dims + ROOM);
                for (row, place) in rows.chunks_exact(dims).zip(places) {
                    place[..dims].copy_from_slice(row);
                }
                (&copies[..], dims + ROOM)
            }
        };
        let x = Rows {
            first: rows.as_ptr(),
            stride,
            dims,
        };
        let mut found = [0.0f32; N];
        // SAFETY: `rows` holds N rows, and a panel a vector for each dimension.
        unsafe {
            let squares = squares::<S, N>(x);
            let scales = match few.scale {
                Some(scale) => S::splat(scale),
                None => {
                    S::store(found.as_mut_ptr(), squares);
                    S::load(found.map(|square| 1.0 / square.sqrt()).as_ptr())
                }
            };
            // In the lane of each row: the best and the second best score, and
            // the spread and number (as bits) of the best.
            let mut best = S::splat(f32::NEG_INFINITY);
            let mut second = best;
            let mut spread = best;
            let mut number = S::splat(f32::from_bits(UNCERTAIN));
            let panels = few.values.chunks_exact(N * dims);
            for (p, (panel, terms)) in panels.zip(few.terms.chunks(N)).enumerate() {
                let sums = products::<S, N>(x, panel.as_ptr(), ahead);
                for (j, (&sum, terms)) in sums.iter().zip(terms).enumerate() {
                    let score = S::mul_add(sum, scales, S::splat(terms.start));
                    let here = S::splat(f32::from_bits((p * N + j) as u32));
                    second = S::max(second, S::min(best, score));
                    spread = S::if_greater(score, best, S::splat(terms.spread), spread);
                    number = S::if_greater(score, best, here, number);
                    best = S::max(best, score);
                }
            }
            let (least, most) = few.squares;
            let none = S::splat(f32::from_bits(UNCERTAIN));
            let gap = S::mul_add(second, S::splat(-1.0), best);
            number = S::if_greater(gap, spread, number, none);
            number = S::if_greater(squares, S::splat(least), number, none);
            number = S::if_greater(S::splat(most), squares, number, none);
            S::store(found.as_mut_ptr(), number);
        }
        for (label, number) in labels.iter_mut().zip(found) {
            *label = number.to_bits();
        }
    }
    Ok(())
}

/// As many rows as a vector has lanes.
#[derive(Clone, Copy)]
struct Rows {
    first: *const f32,
    stride: usize,
    dims: usize,
}

/// Row · centroid: a vector for each centroid of the panel, a lane for each
/// row. Meanwhile fetches the rows `ahead`, which may be any address.
///
/// # Safety
/// The CPU has `S`, and `N` is its number of lanes; there are N rows, and a
/// vector of the panel for each dimension.
#[inline(always)]
unsafe fn products<S: Simd, const N: usize>(
    rows: Rows,
    panel: *const f32,
    ahead: *const f32,
) -> [S::V; N] {
    // SAFETY: t < rows.dims.
    unsafe {
        let mut totals = [S::splat(0.0); N];
        for part in (0..rows.dims).step_by(PART) {
            let mut sums = [S::splat(0.0); N];
            for t in part..rows.dims.min(part + PART) {
                S::prefetch(ahead.wrapping_add(t * N));
                let v = S::load(panel.add(t * N));
                for (r, sum) in sums.iter_mut().enumerate() {
                    *sum = S::mul_add(S::splat(*rows.first.add(r * rows.stride + t)), v, *sum);
                }
            }
            for (total, sum) in totals.iter_mut().zip(sums) {
                *total = S::mul_add(sum, S::splat(1.0), *total);
            }
        }
        S::transpose(&mut totals);
        totals
    }
}

/// ‖x‖² of each row.
///
/// # Safety
/// The CPU has `S`, and `N` is its number of lanes; there are N rows.
#[inline(always)]
unsafe fn squares<S: Simd, const N: usize>(rows: Rows) -> S::V {
    // SAFETY: vectors that end within a row are read as a whole, and of the
    // last one what is left.
    unsafe {
        let mut sums = [S::splat(0.0); N];
        for t in (0..rows.dims).step_by(N) {
            for (r, sum) in sums.iter_mut().enumerate() {
                let at = rows.first.add(r * rows.stride + t);
                let x = match rows.dims - t {
                    left if left < N => S::load_first(at, left),
                    _ => S::load(at),
                };
                *sum = S::mul_add(x, x, *sum);
            }
        }
        S::sums(&sums)
    }
}
