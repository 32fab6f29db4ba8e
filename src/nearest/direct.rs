//! Scores of rows against few centroids, straight from the caller's rows.
//!
//! With few centroids there is little to compute for each value that is read,
//! and transposing rows would cost as much. Here centroids lie across the
//! lanes, one vector of them at a time, and the values of as many rows are
//! broadcast; a square of sums stays in registers and is transposed in the end.
//!
//! Rows are not centred, which a constant of each centroid makes up for:
//! q·v + b = s x·v + (b − s m·v). See `docs/nearest.md` for the error.

use super::frame::{CentroidTerms, Frame, ROUNDOFF, RowBound};
use super::{Centroids, UNASSIGNED};
use crate::allocate::{copy, resize, try_vec};
use crate::error::Result;
use crate::kernels::aligned::Aligned;
#[cfg(target_arch = "aarch64")]
use crate::kernels::arm::Neon;
use crate::kernels::exact::dot;
use crate::kernels::isa::Isa;
use crate::kernels::simd::{Portable, Simd};
#[cfg(target_arch = "x86_64")]
use crate::kernels::x86::{Avx2, Avx512};
use crate::metric::Metric;

/// Dimensions that are summed in a row: sums of sums err less.
const PART: usize = 128;

/// Rows that lie a multiple of so many values apart share one set of a level-1
/// cache and push each other out; they are copied to where they don't.
const CROWDED: usize = 1024;
const ROOM: usize = 16;

/// Few centroids, prepared for the kernel.
pub(super) struct Direct {
    isa: Isa,
    dims: usize,
    lanes: usize,
    /// Vectors of centroids, each dims × lanes.
    values: Aligned<f32>,
    terms: Vec<Terms>,
    /// What rows are multiplied by; `None`: by 1 / ‖x‖.
    scale: Option<f32>,
    /// s m.
    centre: Vec<f32>,
    /// The bounds hold for rows with ‖x‖² in between.
    squares: (f32, f32),
    bound: RowBound,
}

/// Of a centroid.
#[derive(Clone, Copy)]
struct Terms {
    /// What is added to a sum.
    start: f32,
    /// By how much the score must exceed all others to be certain.
    spread: f32,
}

impl Direct {
    /// Of centroids that are not [`set`](Self::set) yet. `None` if float32
    /// could tell little of rows that are not centred.
    pub fn new(frame: &Frame, isa: Isa, centroids: Centroids<'_>) -> Result<Option<Self>> {
        let dims = frame.dims;
        let Some((squares, bound)) = frame.uncentred(dims.min(PART) + dims / PART) else {
            return Ok(None);
        };
        let lanes = match isa {
            Isa::Portable => Portable::LANES,
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 | Isa::AvxVnni => Avx2::LANES,
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 | Isa::Vnni => Avx512::LANES,
            #[cfg(target_arch = "aarch64")]
            Isa::Neon | Isa::NeonDot => Neon::LANES,
        };
        let none = Terms {
            start: f32::NEG_INFINITY,
            spread: f32::INFINITY,
        };
        let values = centroids.len().next_multiple_of(lanes) * dims;
        Ok(Some(Direct {
            isa,
            dims,
            lanes,
            values: Aligned::new(0.0, values, "centroid panels")?,
            terms: try_vec(none, centroids.len(), "centroid panels")?,
            scale: match frame.metric {
                Metric::Euclidean => Some(frame.scale),
                Metric::Cosine => None,
            },
            centre: copy(&frame.scaled_centre, "centroid panels")?,
            squares,
            bound,
        }))
    }

    /// `values` and `terms`: see [`Frame::centroid`].
    pub fn set(&mut self, j: usize, values: &[f32], terms: CentroidTerms) {
        let (dims, lanes) = (self.dims, self.lanes);
        let panel = &mut self.values[j / lanes * lanes * dims..][..lanes * dims];
        for (slot, &value) in panel[j % lanes..].iter_mut().step_by(lanes).zip(values) {
            *slot = value;
        }
        let along = dot(&self.centre, values);
        let rounding = ROUNDOFF * (dims + 16) as f64 * along.abs();
        let error = terms.error + rounding + self.bound.slope * terms.norm;
        self.terms[j] = Terms {
            start: (terms.offset - along + error) as f32,
            spread: (2.000002 * (error + self.bound.constant)) as f32,
        };
    }

    /// Writes each row's nearest centroid to `labels`, or [`UNASSIGNED`] where
    /// float32 can't tell.
    ///
    /// `copies`: scratch.
    pub fn label(&self, rows: &[f32], labels: &mut [u32], copies: &mut Vec<f32>) -> Result<()> {
        assert!(rows.len() == labels.len() * self.dims);
        match self.isa {
            // SAFETY: the CPU has the instruction set (checked by `new`).
            Isa::Portable => unsafe { label::<Portable, 8>(self, rows, labels, copies) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: as above.
            Isa::Avx2 | Isa::AvxVnni => unsafe { label_avx2(self, rows, labels, copies) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: as above.
            Isa::Avx512 | Isa::Vnni => unsafe { label_avx512(self, rows, labels, copies) },
            #[cfg(target_arch = "aarch64")]
            // SAFETY: as above.
            Isa::Neon | Isa::NeonDot => unsafe { label::<Neon, 8>(self, rows, labels, copies) },
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn label_avx2(
    direct: &Direct,
    rows: &[f32],
    labels: &mut [u32],
    copies: &mut Vec<f32>,
) -> Result<()> {
    // SAFETY: the features are enabled here.
    unsafe { label::<Avx2, 8>(direct, rows, labels, copies) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn label_avx512(
    direct: &Direct,
    rows: &[f32],
    labels: &mut [u32],
    copies: &mut Vec<f32>,
) -> Result<()> {
    // SAFETY: the features are enabled here.
    unsafe { label::<Avx512, 16>(direct, rows, labels, copies) }
}

/// # Safety
/// The CPU has `S`, and `N` is its number of lanes; `rows` holds
/// `labels.len()` rows.
#[inline(always)]
unsafe fn label<S: Simd, const N: usize>(
    direct: &Direct,
    rows: &[f32],
    labels: &mut [u32],
    copies: &mut Vec<f32>,
) -> Result<()> {
    let dims = direct.dims;
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
            let scales = match direct.scale {
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
            let mut number = S::splat(f32::from_bits(UNASSIGNED));
            let panels = direct.values.chunks_exact(N * dims);
            for (p, (panel, terms)) in panels.zip(direct.terms.chunks(N)).enumerate() {
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
            let (least, most) = direct.squares;
            let none = S::splat(f32::from_bits(UNASSIGNED));
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
