//! Scores of a block of rows against all centroids in float32, fused with the
//! search for the greatest: the distance matrix never reaches memory.
//!
//! Rows lie across the lanes of `NV` vectors, packed as dims × width; `MR`
//! centroids are broadcast from a panel packed as dims × `MR`. The
//! `NV` × `MR` sums stay in registers for the whole dot product.

use super::dispatch::{Kernel, run};
use super::isa::Isa;
use super::simd::Simd;
use crate::allocate::{resize, try_vec};
use crate::error::Result;

/// The shape of a tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shape {
    /// Rows per tile.
    pub width: usize,
    /// Centroids per tile.
    pub height: usize,
}

/// Centroids, in panels of `height`, with the start value of each sum. The
/// last panel is filled up with centroids whose start value is −∞.
pub(crate) struct Panels {
    pub dims: usize,
    pub values: Vec<f32>,
    pub starts: Vec<f32>,
}

impl Panels {
    /// `rows` (count × dims), with sums that start at 0.
    pub fn of_rows(rows: &[f32], dims: usize, kernels: Kernels) -> Result<Self> {
        let height = kernels.shape.height;
        let count = rows.len() / dims;
        let padded = count.next_multiple_of(height);
        let mut values = try_vec(0.0f32, padded * dims, "panels")?;
        for (j, row) in rows.chunks_exact(dims).enumerate() {
            let panel = &mut values[j / height * height * dims..][..height * dims];
            for (t, &value) in row.iter().enumerate() {
                panel[t * height + j % height] = value;
            }
        }
        Ok(Panels {
            dims,
            values,
            starts: try_vec(0.0, padded, "panels")?,
        })
    }
}

/// Per packed row: the greatest score, the second greatest, and where the
/// greatest is.
#[derive(Default)]
pub(crate) struct Best {
    pub first: Vec<f32>,
    pub second: Vec<f32>,
    /// Bits of a u32, moved about by float operations.
    index: Vec<f32>,
}

impl Best {
    pub fn reset(&mut self, rows: usize) -> Result<()> {
        let none = f32::NEG_INFINITY;
        for (values, value) in [
            (&mut self.first, none),
            (&mut self.second, none),
            (&mut self.index, f32::from_bits(u32::MAX)),
        ] {
            values.clear();
            resize(values, rows, value, "best scores")?;
        }
        Ok(())
    }

    pub fn index(&self, row: usize) -> u32 {
        self.index[row].to_bits()
    }
}

/// Packs rows and runs tiles with the kernels of one instruction set.
#[derive(Clone, Copy)]
pub(crate) struct Kernels {
    isa: Isa,
    /// The instruction set of the float32 tiles.
    tiles: Isa,
    pub shape: Shape,
}

impl Kernels {
    /// Both must be instruction sets that this CPU has.
    pub fn new(isa: Isa, tiles: Isa) -> Self {
        assert!(isa.is_available() && tiles.is_available());
        // SAFETY: the CPU has it; the kernel asks for nothing.
        let shape = unsafe { run(tiles, FindShape) };
        Kernels { isa, tiles, shape }
    }

    pub fn isa(self) -> Isa {
        self.isa
    }

    pub fn tiles(self) -> Isa {
        self.tiles
    }

    /// Packs up to `shape.width` rows as dims × width: x · scale − centre, a
    /// scale for each row. Missing rows become zero. Writes ‖q‖² to `norms`.
    pub fn pack(
        self,
        rows: &[f32],
        scales: &[f32],
        centre: &[f32],
        packed: &mut [f32],
        norms: &mut [f32],
    ) {
        let (dims, Shape { width, .. }) = (centre.len(), self.shape);
        let count = scales.len();
        assert!(count <= width && rows.len() == count * dims);
        assert!(packed.len() == width * dims && norms.len() == width);
        let pack = Pack {
            rows,
            scales,
            centre,
            packed,
            norms,
        };
        // SAFETY: the CPU has the instruction set (checked by `new`) and the
        // lengths are those that the kernel asks for.
        unsafe { run(self.tiles, pack) }
    }

    /// Updates `best` of every packed row by the scores of all centroids.
    /// Meanwhile fetches as many values from `ahead`, which may be any address.
    pub fn find_best(self, packed: &[f32], panels: &Panels, best: &mut Best, ahead: *const f32) {
        self.check(packed, panels);
        assert!(best.first.len() * panels.dims == packed.len());
        let find = FindBest {
            packed,
            panels,
            best,
            ahead,
        };
        // SAFETY: as in `pack`.
        unsafe { run(self.tiles, find) }
    }

    /// Writes the scores of one tile of packed rows: centroids × width.
    pub fn scores(self, packed: &[f32], panels: &Panels, scores: &mut [f32]) {
        self.check(packed, panels);
        assert!(packed.len() == self.shape.width * panels.dims);
        assert!(scores.len() == self.shape.width * panels.starts.len());
        let all = AllScores {
            packed,
            panels,
            scores,
        };
        // SAFETY: as in `pack`.
        unsafe { run(self.tiles, all) }
    }

    /// Σ (x · scale − centre) · v of one pair.
    pub fn pair(self, x: &[f32], scale: f32, centre: &[f32], v: &[f32]) -> f32 {
        assert!(x.len() == v.len() && centre.len() == v.len());
        let pair = Pair {
            x,
            scale,
            centre,
            v,
        };
        // SAFETY: as in `pack`.
        unsafe { run(self.isa, pair) }
    }

    fn check(self, packed: &[f32], panels: &Panels) {
        let Shape { width, height } = self.shape;
        assert!(panels.dims > 0 && packed.len().is_multiple_of(width * panels.dims));
        assert!(panels.starts.len().is_multiple_of(height));
        assert!(panels.values.len() == panels.starts.len() * panels.dims);
    }
}

struct FindShape;

impl Kernel for FindShape {
    type Output = Shape;

    #[inline(always)]
    unsafe fn run<S: Simd, const NV: usize, const MR: usize>(self) -> Shape {
        Shape {
            width: NV * S::LANES,
            height: MR,
        }
    }
}

/// Lengths as [`Kernels::pack`] checks them.
struct Pack<'a> {
    rows: &'a [f32],
    scales: &'a [f32],
    centre: &'a [f32],
    packed: &'a mut [f32],
    norms: &'a mut [f32],
}

impl Kernel for Pack<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd, const NV: usize, const MR: usize>(self) {
        let Pack {
            rows,
            scales,
            centre,
            packed,
            norms,
        } = self;
        const MAX_LANES: usize = 16;
        let (dims, width, lanes) = (centre.len(), norms.len(), S::LANES);
        let whole = dims - dims % lanes;
        for first in (0..width).step_by(lanes) {
            let count = scales.len().saturating_sub(first).min(lanes);
            // SAFETY: columns below `whole` leave room for a vector in each of the
            // `count` rows; the square is written at rows t < dims, lanes < width.
            unsafe {
                let mut norm = S::splat(0.0);
                for t in (0..whole).step_by(lanes) {
                    let m = S::load(centre.as_ptr().add(t));
                    let minus_m = S::mul_add(m, S::splat(-1.0), S::splat(0.0));
                    let mut square = [S::splat(0.0); MAX_LANES];
                    for (r, row) in square[..count].iter_mut().enumerate() {
                        let x = S::load(rows.as_ptr().add((first + r) * dims + t));
                        *row = S::mul_add(x, S::splat(scales[first + r]), minus_m);
                    }
                    S::transpose(&mut square[..lanes]);
                    for (c, &column) in square[..lanes].iter().enumerate() {
                        norm = S::mul_add(column, column, norm);
                        S::store(packed.as_mut_ptr().add((t + c) * width + first), column);
                    }
                }
                S::store(norms.as_mut_ptr().add(first), norm);
            }
            for t in whole..dims {
                for lane in 0..lanes {
                    let i = first + lane;
                    let q = match lane < count {
                        true => rows[i * dims + t] * scales[i] - centre[t],
                        false => 0.0,
                    };
                    packed[t * width + i] = q;
                    norms[i] += q * q;
                }
            }
        }
    }
}

/// The sums of one tile: start + Σ row · centroid. With `FETCH`, fetches as many
/// values as the rows have from `ahead`, little by little.
///
/// # Safety
/// The CPU has `S`; `packed` holds dims × NV vectors, `panel` dims × MR
/// values, `starts` MR values.
#[inline(always)]
unsafe fn tile<S: Simd, const NV: usize, const MR: usize, const FETCH: bool>(
    dims: usize,
    packed: *const f32,
    panel: *const f32,
    starts: *const f32,
    ahead: *const f32,
) -> [[S::V; NV]; MR] {
    // SAFETY: every pointer stays inside what the caller vouches for.
    unsafe {
        let mut sums = [[S::splat(0.0); NV]; MR];
        for (j, sums) in sums.iter_mut().enumerate() {
            *sums = [S::splat(*starts.add(j)); NV];
        }
        for t in 0..dims {
            let mut rows = [S::splat(0.0); NV];
            for (v, row) in rows.iter_mut().enumerate() {
                let at = (t * NV + v) * S::LANES;
                *row = S::load(packed.add(at));
                if FETCH {
                    S::prefetch(ahead.wrapping_add(at));
                }
            }
            for (j, sums) in sums.iter_mut().enumerate() {
                let c = S::splat(*panel.add(t * MR + j));
                for (sum, &row) in sums.iter_mut().zip(&rows) {
                    *sum = S::mul_add(row, c, *sum);
                }
            }
        }
        sums
    }
}

/// Lengths as [`Kernels::find_best`] checks them.
struct FindBest<'a> {
    packed: &'a [f32],
    panels: &'a Panels,
    best: &'a mut Best,
    ahead: *const f32,
}

impl Kernel for FindBest<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd, const NV: usize, const MR: usize>(self) {
        let FindBest {
            packed,
            panels,
            best,
            ahead,
        } = self;
        let (dims, width) = (panels.dims, NV * S::LANES);
        let starts = panels.starts.chunks_exact(MR);
        let values = panels.values.chunks_exact(MR * dims);
        for (p, (starts, panel)) in starts.zip(values).enumerate() {
            for (r, packed) in packed.chunks_exact(width * dims).enumerate() {
                // SAFETY: the chunks have the lengths that `tile` asks for, and
                // `best` holds a value for each packed row.
                unsafe {
                    let (rows, panel, starts) = (packed.as_ptr(), panel.as_ptr(), starts.as_ptr());
                    let sums = match p {
                        0 => {
                            let ahead = ahead.wrapping_add(r * width * dims);
                            tile::<S, NV, MR, true>(dims, rows, panel, starts, ahead)
                        }
                        _ => tile::<S, NV, MR, false>(dims, rows, panel, starts, ahead),
                    };
                    for v in 0..NV {
                        let at = r * width + v * S::LANES;
                        let mut first = S::load(best.first.as_ptr().add(at));
                        let mut second = S::load(best.second.as_ptr().add(at));
                        let mut index = S::load(best.index.as_ptr().add(at));
                        for (j, sums) in sums.iter().enumerate() {
                            let score = sums[v];
                            let here = S::splat(f32::from_bits((p * MR + j) as u32));
                            second = S::max(second, S::min(first, score));
                            index = S::if_greater(score, first, here, index);
                            first = S::max(first, score);
                        }
                        S::store(best.first.as_mut_ptr().add(at), first);
                        S::store(best.second.as_mut_ptr().add(at), second);
                        S::store(best.index.as_mut_ptr().add(at), index);
                    }
                }
            }
        }
    }
}

/// Lengths as [`Kernels::scores`] checks them.
struct AllScores<'a> {
    packed: &'a [f32],
    panels: &'a Panels,
    scores: &'a mut [f32],
}

impl Kernel for AllScores<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd, const NV: usize, const MR: usize>(self) {
        let AllScores {
            packed,
            panels,
            scores,
        } = self;
        let (dims, width) = (panels.dims, NV * S::LANES);
        let starts = panels.starts.chunks_exact(MR);
        let values = panels.values.chunks_exact(MR * dims);
        let scores = scores.chunks_exact_mut(MR * width);
        for ((starts, panel), scores) in starts.zip(values).zip(scores) {
            // SAFETY: the chunks have the lengths that `tile` asks for.
            unsafe {
                let (rows, panel, starts) = (packed.as_ptr(), panel.as_ptr(), starts.as_ptr());
                let sums = tile::<S, NV, MR, false>(dims, rows, panel, starts, rows);
                for (j, sums) in sums.iter().enumerate() {
                    for (v, &sum) in sums.iter().enumerate() {
                        S::store(scores.as_mut_ptr().add((j * NV + v) * S::LANES), sum);
                    }
                }
            }
        }
    }
}

/// Slices of one length.
struct Pair<'a> {
    x: &'a [f32],
    scale: f32,
    centre: &'a [f32],
    v: &'a [f32],
}

impl Kernel for Pair<'_> {
    type Output = f32;

    #[inline(always)]
    unsafe fn run<S: Simd, const NV: usize, const MR: usize>(self) -> f32 {
        let Pair {
            x,
            scale,
            centre,
            v,
        } = self;
        const SUMS: usize = 4;
        let dims = v.len();
        let step = SUMS * S::LANES;
        let whole = dims - dims % step;
        // SAFETY: vectors below `whole` lie within the slices.
        let mut sum = unsafe {
            let (scales, minus) = (S::splat(scale), S::splat(-1.0));
            let mut sums = [S::splat(0.0); SUMS];
            for t in (0..whole).step_by(step) {
                for (i, sum) in sums.iter_mut().enumerate() {
                    let at = t + i * S::LANES;
                    let m = S::load(centre.as_ptr().add(at));
                    let minus_m = S::mul_add(m, minus, S::splat(0.0));
                    let q = S::mul_add(S::load(x.as_ptr().add(at)), scales, minus_m);
                    *sum = S::mul_add(q, S::load(v.as_ptr().add(at)), *sum);
                }
            }
            // By halves, since each addition waits for the one before.
            let add = |a, b| S::mul_add(S::splat(1.0), a, b);
            let total = add(add(sums[0], sums[1]), add(sums[2], sums[3]));
            let mut lanes = [0.0f32; 16];
            S::store(lanes.as_mut_ptr(), total);
            let mut half = S::LANES / 2;
            while half > 0 {
                for lane in 0..half {
                    lanes[lane] += lanes[lane + half];
                }
                half /= 2;
            }
            lanes[0]
        };
        for t in whole..dims {
            sum += (x[t] * scale - centre[t]) * v[t];
        }
        sum
    }
}
