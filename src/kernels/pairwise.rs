//! Blocks of pairwise squared distances in float32, for the distance matrices
//! of K-medoids.
//!
//! Differences are taken before they are squared: equal rows are at exactly 0
//! and an offset of the data cancels nothing. Each distance is one chain of
//! fused multiply-adds over the dimensions in order, so every instruction set
//! gives the same bits.

use crate::allocate::resize;
use crate::error::Result;
#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::*;

/// Rows of a panel. Vector lanes run along them.
pub(crate) const PANEL: usize = 32;

/// Rows of a group. As many as AVX-512 has registers for beside a panel.
pub(crate) const GROUP: usize = 12;

/// Stores rows of `dims` values transposed, `LANES` at a time: value t of row
/// l of a bundle goes to place `t * LANES + l`. Missing rows are zero.
pub(crate) fn pack<const LANES: usize>(
    rows: &[f32],
    dims: usize,
    packed: &mut Vec<f32>,
) -> Result<()> {
    packed.clear();
    let len = (rows.len() / dims).next_multiple_of(LANES) * dims;
    resize(packed, len, 0.0, "packed rows")?;
    let bundles = rows.chunks(LANES * dims);
    for (rows, packed) in bundles.zip(packed.chunks_exact_mut(LANES * dims)) {
        let (packed, _) = packed.as_chunks_mut::<LANES>();
        for (lane, row) in rows.chunks_exact(dims).enumerate() {
            for (&value, lanes) in row.iter().zip(packed.iter_mut()) {
                lanes[lane] = value;
            }
        }
    }
    Ok(())
}

/// Squared Euclidean distances of the rows of some groups to those of a
/// panel: `out[m * PANEL + l]` is that of row m to row l of the panel.
pub(crate) fn squared_distances(groups: &[f32], panel: &[f32], out: &mut [f32]) {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f") {
            // SAFETY: the CPU has AVX-512F.
            return unsafe { with_avx512(groups, panel, out) };
        }
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            // SAFETY: the CPU has AVX2 and FMA.
            return unsafe { with_avx2(groups, panel, out) };
        }
    }
    tiles::<[f32; 8], 4, 2>(groups, panel, out)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn with_avx512(groups: &[f32], panel: &[f32], out: &mut [f32]) {
    tiles::<__m512, 2, GROUP>(groups, panel, out)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn with_avx2(groups: &[f32], panel: &[f32], out: &mut [f32]) {
    tiles::<__m256, 4, 2>(groups, panel, out)
}

/// `ROWS` rows at a time: as many as keep all sums in registers. A panel is
/// `WIDTH` vectors wide.
#[inline(always)]
fn tiles<V: Vector, const WIDTH: usize, const ROWS: usize>(
    groups: &[f32],
    panel: &[f32],
    out: &mut [f32],
) {
    let (columns, _) = panel.as_chunks::<PANEL>();
    let outs = out.chunks_exact_mut(GROUP * PANEL);
    for (group, out) in groups.chunks_exact(GROUP * columns.len()).zip(outs) {
        let (rows, _) = group.as_chunks::<GROUP>();
        for (part, out) in out.chunks_exact_mut(ROWS * PANEL).enumerate() {
            let mut sums = [[V::splat(0.0); WIDTH]; ROWS];
            for (values, column) in rows.iter().zip(columns) {
                let column: [V; WIDTH] = std::array::from_fn(|v| V::load(column, v));
                for m in 0..ROWS {
                    let value = V::splat(values[part * ROWS + m]);
                    for v in 0..WIDTH {
                        sums[m][v] = sums[m][v].add_square(column[v].minus(value));
                    }
                }
            }
            let (out, _) = out.as_chunks_mut::<PANEL>();
            for (out, sums) in out.iter_mut().zip(sums) {
                (0..WIDTH).for_each(|v| sums[v].store(out, v));
            }
        }
    }
}

/// A vector register. Only used where the CPU has it.
trait Vector: Copy {
    fn splat(value: f32) -> Self;
    /// Vector number `v` of `from`.
    fn load(from: &[f32; PANEL], v: usize) -> Self;
    fn store(self, to: &mut [f32; PANEL], v: usize);
    fn minus(self, other: Self) -> Self;
    /// self + x², rounded once.
    fn add_square(self, x: Self) -> Self;
}

impl Vector for [f32; 8] {
    #[inline(always)]
    fn splat(value: f32) -> Self {
        [value; 8]
    }
    #[inline(always)]
    fn load(from: &[f32; PANEL], v: usize) -> Self {
        std::array::from_fn(|lane| from[8 * v + lane])
    }
    #[inline(always)]
    fn store(self, to: &mut [f32; PANEL], v: usize) {
        to[8 * v..][..8].copy_from_slice(&self);
    }
    #[inline(always)]
    fn minus(self, other: Self) -> Self {
        std::array::from_fn(|lane| self[lane] - other[lane])
    }
    #[inline(always)]
    fn add_square(self, x: Self) -> Self {
        std::array::from_fn(|lane| x[lane].mul_add(x[lane], self[lane]))
    }
}

#[cfg(target_arch = "x86_64")]
impl Vector for __m256 {
    #[inline(always)]
    fn splat(value: f32) -> Self {
        // SAFETY: a function with AVX2 and FMA is the only caller, also below.
        unsafe { _mm256_set1_ps(value) }
    }
    #[inline(always)]
    fn load(from: &[f32; PANEL], v: usize) -> Self {
        // SAFETY: the slice holds eight values.
        unsafe { _mm256_loadu_ps(from[8 * v..][..8].as_ptr()) }
    }
    #[inline(always)]
    fn store(self, to: &mut [f32; PANEL], v: usize) {
        // SAFETY: the slice holds eight values.
        unsafe { _mm256_storeu_ps(to[8 * v..][..8].as_mut_ptr(), self) }
    }
    #[inline(always)]
    fn minus(self, other: Self) -> Self {
        // SAFETY: as above.
        unsafe { _mm256_sub_ps(self, other) }
    }
    #[inline(always)]
    fn add_square(self, x: Self) -> Self {
        // SAFETY: as above.
        unsafe { _mm256_fmadd_ps(x, x, self) }
    }
}

#[cfg(target_arch = "x86_64")]
impl Vector for __m512 {
    #[inline(always)]
    fn splat(value: f32) -> Self {
        // SAFETY: a function with AVX-512F is the only caller, also below.
        unsafe { _mm512_set1_ps(value) }
    }
    #[inline(always)]
    fn load(from: &[f32; PANEL], v: usize) -> Self {
        // SAFETY: the slice holds sixteen values.
        unsafe { _mm512_loadu_ps(from[16 * v..][..16].as_ptr()) }
    }
    #[inline(always)]
    fn store(self, to: &mut [f32; PANEL], v: usize) {
        // SAFETY: the slice holds sixteen values.
        unsafe { _mm512_storeu_ps(to[16 * v..][..16].as_mut_ptr(), self) }
    }
    #[inline(always)]
    fn minus(self, other: Self) -> Self {
        // SAFETY: as above.
        unsafe { _mm512_sub_ps(self, other) }
    }
    #[inline(always)]
    fn add_square(self, x: Self) -> Self {
        // SAFETY: as above.
        unsafe { _mm512_fmadd_ps(x, x, self) }
    }
}

/// Sets bit i of `bits` where `values[i] < bounds[i]`, and clears the others.
pub(crate) fn mark_below(values: &[f32], bounds: &[f32], bits: &mut [u64]) {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f") {
            // SAFETY: the CPU has AVX-512F.
            return unsafe { mark_below_avx512(values, bounds, bits) };
        }
        if is_x86_feature_detected!("avx2") {
            // SAFETY: the CPU has AVX2.
            return unsafe { mark_below_avx2(values, bounds, bits) };
        }
    }
    mark_below_portable(values, bounds, bits)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn mark_below_avx512(values: &[f32], bounds: &[f32], bits: &mut [u64]) {
    mark(values, bounds, bits, |values, bounds| {
        (0..4).fold(0, |bits, v| {
            // SAFETY: 64 values of each are four vectors.
            let (value, bound) = unsafe {
                (
                    _mm512_loadu_ps(values.as_ptr().add(16 * v)),
                    _mm512_loadu_ps(bounds.as_ptr().add(16 * v)),
                )
            };
            let below = _mm512_cmp_ps_mask::<_CMP_LT_OQ>(value, bound);
            bits | u64::from(below) << (16 * v)
        })
    })
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn mark_below_avx2(values: &[f32], bounds: &[f32], bits: &mut [u64]) {
    mark(values, bounds, bits, |values, bounds| {
        (0..8).fold(0, |bits, v| {
            // SAFETY: 64 values of each are eight vectors.
            let (value, bound) = unsafe {
                (
                    _mm256_loadu_ps(values.as_ptr().add(8 * v)),
                    _mm256_loadu_ps(bounds.as_ptr().add(8 * v)),
                )
            };
            let below = _mm256_cmp_ps::<_CMP_LT_OQ>(value, bound);
            bits | (_mm256_movemask_ps(below) as u64) << (8 * v)
        })
    })
}

fn mark_below_portable(values: &[f32], bounds: &[f32], bits: &mut [u64]) {
    mark(values, bounds, bits, |values, bounds| {
        (0..64).fold(0, |bits, i| bits | u64::from(values[i] < bounds[i]) << i)
    })
}

/// `word` makes the bits of 64 values.
#[inline(always)]
fn mark(
    values: &[f32],
    bounds: &[f32],
    bits: &mut [u64],
    word: impl Fn(&[f32; 64], &[f32; 64]) -> u64,
) {
    let (values, values_rest) = values.as_chunks::<64>();
    let (bounds, bounds_rest) = bounds.as_chunks::<64>();
    for ((values, bounds), bits) in values.iter().zip(bounds).zip(bits.iter_mut()) {
        *bits = word(values, bounds);
    }
    if !values_rest.is_empty() {
        let pairs = values_rest.iter().zip(bounds_rest).enumerate();
        bits[values.len()] = pairs.fold(0, |bits, (i, (v, b))| bits | u64::from(v < b) << i);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    #[test]
    fn every_instruction_set_gives_the_same_bits() {
        let mut rng = Rng::new(3);
        for dims in [1, 2, 7, 64] {
            let mut values =
                |rows| -> Vec<f32> { (0..rows * dims).map(|_| rng.unit() as f32).collect() };
            let (rows, columns) = (values(GROUP + 5), values(PANEL - 3));
            let (mut groups, mut panel) = (Vec::new(), Vec::new());
            pack::<GROUP>(&rows, dims, &mut groups).unwrap();
            pack::<PANEL>(&columns, dims, &mut panel).unwrap();
            let mut out = vec![0.0; 2 * GROUP * PANEL];
            squared_distances(&groups, &panel, &mut out);
            for (out, row) in out.chunks(PANEL).zip(rows.chunks(dims)) {
                for (out, column) in out.iter().zip(columns.chunks(dims)) {
                    let expected = row
                        .iter()
                        .zip(column)
                        .fold(0.0f32, |sum, (x, y)| (x - y).mul_add(x - y, sum));
                    assert_eq!(out.to_bits(), expected.to_bits());
                }
            }
            let mut portable = vec![0.0; out.len()];
            tiles::<[f32; 8], 4, 2>(&groups, &panel, &mut portable);
            assert_eq!(out, portable);
            #[cfg(target_arch = "x86_64")]
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                let mut narrow = vec![0.0; out.len()];
                // SAFETY: the CPU has AVX2 and FMA.
                unsafe { with_avx2(&groups, &panel, &mut narrow) };
                assert_eq!(out, narrow);
            }
        }
    }

    #[test]
    fn marks_what_lies_below() {
        let mut rng = Rng::new(4);
        for len in [0usize, 1, 63, 64, 65, 200] {
            let values: Vec<f32> = (0..len).map(|_| rng.unit() as f32).collect();
            let bounds: Vec<f32> = (0..len).map(|_| rng.unit() as f32).collect();
            let mut bits = vec![u64::MAX; len.div_ceil(64)];
            mark_below(&values, &bounds, &mut bits);
            for i in 0..len {
                assert_eq!(bits[i / 64] >> (i % 64) & 1 == 1, values[i] < bounds[i]);
            }
        }
    }
}
