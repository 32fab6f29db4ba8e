//! Scores of rows against few centroids, straight from the caller's rows.
//!
//! With few centroids there is little to compute for each value that is read,
//! and packing it would cost as much. Here lanes lie along the dimensions: 4
//! centroids by as many rows as make `LANES` sums, which stay in registers
//! until they are folded.
//!
//! Rows are not centred, which a constant of each centroid makes up for:
//! q·v + b = s x·v + (b − s m·v). See `docs/nearest.md` for the error.

use super::exact::dot;
use super::frame::{CentroidTerms, Frame, ROUNDOFF, RowBound};
use super::isa::Isa;
use super::simd::{Portable, Simd};
#[cfg(target_arch = "x86_64")]
use super::x86::{Avx2, Avx512};
use super::{Centroids, UNASSIGNED};
use crate::error::{Result, try_vec};
use crate::metric::Metric;

/// Centroids per tile.
const HEIGHT: usize = 4;

const MAX_LANES: usize = 16;

/// Few centroids, prepared for the kernel.
pub(super) struct Direct {
    isa: Isa,
    panels: Panels,
    /// What rows are multiplied by; `None`: by 1 / ‖x‖.
    scale: Option<f32>,
    /// s m.
    centre: Vec<f32>,
    /// The bounds hold for rows with ‖x‖² in between.
    squares: (f32, f32),
    bound: RowBound,
}

struct Panels {
    dims: usize,
    lanes: usize,
    /// dims, rounded up to whole vectors.
    stride: usize,
    /// Centroids × stride, in whole tiles.
    values: Vec<f32>,
    /// Three vectors for each tile: where the sums start, by how much a
    /// centroid must be ahead to be certain, and its number, as bits; the same
    /// `HEIGHT` values for every row.
    terms: Vec<f32>,
}

impl Direct {
    /// Of centroids that are not [`set`](Self::set) yet. `None` if float32
    /// could tell little of rows that are not centred.
    pub fn new(frame: &Frame, isa: Isa, centroids: Centroids<'_>) -> Result<Option<Self>> {
        let Some((squares, bound)) = frame.uncentred() else {
            return Ok(None);
        };
        let lanes = match isa {
            Isa::Portable => Portable::LANES,
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => Avx2::LANES,
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 | Isa::Vnni => Avx512::LANES,
            #[cfg(not(target_arch = "x86_64"))]
            _ => unreachable!("Isa::detect returns Portable"),
        };
        let (dims, tiles) = (frame.dims, centroids.len().div_ceil(HEIGHT));
        let stride = dims.next_multiple_of(lanes);
        Ok(Some(Direct {
            isa,
            panels: Panels {
                dims,
                lanes,
                stride,
                values: try_vec(0.0, tiles * HEIGHT * stride, "centroid panels")?,
                terms: try_vec(f32::NEG_INFINITY, tiles * 3 * lanes, "centroid panels")?,
            },
            scale: match frame.metric {
                Metric::Euclidean => Some(frame.scale),
                Metric::Cosine => None,
            },
            centre: frame.scaled_centre.clone(),
            squares,
            bound,
        }))
    }

    /// `values` and `terms`: see [`Frame::centroid`].
    pub fn set(&mut self, j: usize, values: &[f32], terms: CentroidTerms) {
        let (dims, lanes) = (self.panels.dims, self.panels.lanes);
        self.panels.values[j * self.panels.stride..][..dims].copy_from_slice(values);
        let along = dot(&self.centre, values);
        let rounding = ROUNDOFF * (dims + 16) as f64 * along.abs();
        let error = terms.error + rounding + self.bound.slope * terms.norm;
        let start = (terms.offset - along + error) as f32;
        let spread = (2.000002 * (error + self.bound.constant)) as f32;
        let vectors = &mut self.panels.terms[j / HEIGHT * 3 * lanes..][..3 * lanes];
        let (starts, vectors) = vectors.split_at_mut(lanes);
        let (spreads, numbers) = vectors.split_at_mut(lanes);
        for lane in (j % HEIGHT..lanes).step_by(HEIGHT) {
            starts[lane] = start;
            spreads[lane] = spread;
            numbers[lane] = f32::from_bits(j as u32);
        }
    }

    /// Writes each row's nearest centroid to `labels`, or [`UNASSIGNED`] where
    /// float32 can't tell.
    pub fn label(&self, rows: &[f32], labels: &mut [u32]) {
        assert!(rows.len() == labels.len() * self.panels.dims);
        match self.isa {
            // SAFETY: the CPU has the instruction set (checked by `new`).
            Isa::Portable => unsafe { label::<Portable, 2>(self, rows, labels) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: as above.
            Isa::Avx2 => unsafe { label_avx2(self, rows, labels) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: as above.
            Isa::Avx512 | Isa::Vnni => unsafe { label_avx512(self, rows, labels) },
            #[cfg(not(target_arch = "x86_64"))]
            _ => unreachable!("Isa::detect returns Portable"),
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn label_avx2(direct: &Direct, rows: &[f32], labels: &mut [u32]) {
    // SAFETY: the features are enabled here.
    unsafe { label::<Avx2, 2>(direct, rows, labels) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn label_avx512(direct: &Direct, rows: &[f32], labels: &mut [u32]) {
    // SAFETY: the features are enabled here.
    unsafe { label::<Avx512, 4>(direct, rows, labels) }
}

/// # Safety
/// The CPU has `S`; `R` is its number of lanes over [`HEIGHT`]; `rows` holds
/// `labels.len()` rows.
#[inline(always)]
unsafe fn label<S: Simd, const R: usize>(direct: &Direct, rows: &[f32], labels: &mut [u32]) {
    let Panels { dims, stride, .. } = direct.panels;
    let panels = direct.panels.values.chunks_exact(HEIGHT * stride);
    let terms = direct.panels.terms.chunks_exact(3 * S::LANES);
    let last = labels.len().saturating_sub(1);
    for (group, labels) in labels.chunks_mut(R).enumerate() {
        // SAFETY: rows up to the last are there; where a group ends early, the
        // last row fills it up. The terms are whole vectors.
        let labelled = unsafe {
            let row = |r: usize| rows.as_ptr().add((group * R + r).min(last) * dims);
            let x: [_; R] = std::array::from_fn(row);
            let squares = squares::<S, R>(dims, x);
            let scales = match direct.scale {
                Some(scale) => S::splat(scale),
                None => S::load(lanes::<S>(squares).map(|v| 1.0 / v.sqrt()).as_ptr()),
            };
            let mut best = Best::<S>::none();
            for (number, (panel, terms)) in panels.clone().zip(terms.clone()).enumerate() {
                // Two groups ahead; row by row, so that memory keeps up.
                let ahead = x[0].wrapping_add((2 * R + number) * dims);
                let sums = fold::<S, R>(tile::<S, R>(dims, x, panel, ahead));
                let term = |i: usize| terms.as_ptr().add(i * S::LANES);
                best = best.or(Best {
                    first: S::mul_add(sums, scales, S::load(term(0))),
                    second: S::splat(f32::NEG_INFINITY),
                    spread: S::load(term(1)),
                    number: S::load(term(2)),
                });
            }
            // The lanes of each row meet.
            best = best.or(best.swap::<1>());
            best = best.or(best.swap::<2>());
            lanes::<S>(best.certain(squares, direct.squares))
        };
        for (label, number) in labels.iter_mut().zip(labelled.iter().step_by(HEIGHT)) {
            *label = number.to_bits();
        }
    }
}

/// In each lane, the best of some centroids.
#[derive(Clone, Copy)]
struct Best<S: Simd> {
    first: S::V,
    /// The second best score.
    second: S::V,
    spread: S::V,
    number: S::V,
}

// SAFETY of all methods, and of what they call: the CPU has `S`.
impl<S: Simd> Best<S> {
    #[inline(always)]
    unsafe fn none() -> Self {
        // SAFETY: see above.
        unsafe {
            Best {
                first: S::splat(f32::NEG_INFINITY),
                second: S::splat(f32::NEG_INFINITY),
                spread: S::splat(0.0),
                number: S::splat(f32::from_bits(UNASSIGNED)),
            }
        }
    }

    #[inline(always)]
    unsafe fn or(self, other: Self) -> Self {
        // SAFETY: see above.
        unsafe {
            let lesser = S::min(self.first, other.first);
            Best {
                first: S::max(self.first, other.first),
                second: S::max(lesser, S::max(self.second, other.second)),
                spread: S::if_greater(other.first, self.first, other.spread, self.spread),
                number: S::if_greater(other.first, self.first, other.number, self.number),
            }
        }
    }

    #[inline(always)]
    unsafe fn swap<const BIT: usize>(self) -> Self {
        // SAFETY: see above.
        unsafe {
            Best {
                first: S::swap::<BIT>(self.first),
                second: S::swap::<BIT>(self.second),
                spread: S::swap::<BIT>(self.spread),
                number: S::swap::<BIT>(self.number),
            }
        }
    }

    /// The numbers of the best that are certain, else [`UNASSIGNED`].
    #[inline(always)]
    unsafe fn certain(self, squares: S::V, (least, most): (f32, f32)) -> S::V {
        // SAFETY: see above.
        unsafe {
            let none = S::splat(f32::from_bits(UNASSIGNED));
            let gap = S::mul_add(self.second, S::splat(-1.0), self.first);
            let number = S::if_greater(gap, self.spread, self.number, none);
            let number = S::if_greater(squares, S::splat(least), number, none);
            S::if_greater(S::splat(most), squares, number, none)
        }
    }
}

/// Σ row · centroid of each pair, in partial sums, by centroid.
///
/// # Safety
/// The CPU has `S`; the rows are readable for `dims` values, and `panel` holds
/// `HEIGHT` centroids in whole vectors.
#[inline(always)]
unsafe fn tile<S: Simd, const R: usize>(
    dims: usize,
    rows: [*const f32; R],
    panel: &[f32],
    ahead: *const f32,
) -> [[S::V; R]; HEIGHT] {
    let stride = panel.len() / HEIGHT;
    // SAFETY: `at` reads within the rows.
    unsafe {
        let mut sums = [[S::splat(0.0); R]; HEIGHT];
        for t in (0..dims).step_by(S::LANES) {
            S::prefetch(ahead.wrapping_add(t));
            let x = at::<S, R>(dims, rows, t);
            for (j, sums) in sums.iter_mut().enumerate() {
                let v = S::load(panel.as_ptr().add(j * stride + t));
                for (sum, &x) in sums.iter_mut().zip(&x) {
                    *sum = S::mul_add(x, v, *sum);
                }
            }
        }
        sums
    }
}

/// ‖x‖² of each row, in the lanes of the row.
///
/// # Safety
/// As for [`tile`].
#[inline(always)]
unsafe fn squares<S: Simd, const R: usize>(dims: usize, rows: [*const f32; R]) -> S::V {
    // SAFETY: `at` reads within the rows.
    unsafe {
        let mut sums = [S::splat(0.0); R];
        for t in (0..dims).step_by(S::LANES) {
            for (sum, x) in sums.iter_mut().zip(at::<S, R>(dims, rows, t)) {
                *sum = S::mul_add(x, x, *sum);
            }
        }
        fold::<S, R>([sums; HEIGHT])
    }
}

/// Vectors of the rows from dimension `t` on, filled up with zeros.
///
/// # Safety
/// As for [`tile`]; `t` is less than `dims`.
#[inline(always)]
unsafe fn at<S: Simd, const R: usize>(dims: usize, rows: [*const f32; R], t: usize) -> [S::V; R] {
    // SAFETY: vectors that end within a row are read as a whole, and of the
    // last one what is left.
    unsafe {
        let mut x = [S::splat(0.0); R];
        for (x, row) in x.iter_mut().zip(rows) {
            *x = match dims - t {
                left if left < S::LANES => S::load_first(row.add(t), left),
                _ => S::load(row.add(t)),
            };
        }
        x
    }
}

/// The sum of the lanes of each vector: lane r · `HEIGHT` + j is that of row r
/// and centroid j.
///
/// # Safety
/// The CPU has `S`; `R` is its number of lanes over [`HEIGHT`].
#[inline(always)]
unsafe fn fold<S: Simd, const R: usize>(sums: [[S::V; R]; HEIGHT]) -> S::V {
    // SAFETY: as many vectors as lanes.
    unsafe {
        let mut vectors = [S::splat(0.0); MAX_LANES];
        for (i, vector) in vectors[..R * HEIGHT].iter_mut().enumerate() {
            *vector = sums[i % HEIGHT][i / HEIGHT];
        }
        S::sums(&vectors[..S::LANES])
    }
}

/// # Safety
/// The CPU has `S`.
#[inline(always)]
unsafe fn lanes<S: Simd>(v: S::V) -> [f32; MAX_LANES] {
    let mut lanes = [0.0; MAX_LANES];
    // SAFETY: there is room for the widest vector.
    unsafe { S::store(lanes.as_mut_ptr(), v) };
    lanes
}
