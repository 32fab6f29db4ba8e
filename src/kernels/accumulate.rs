//! Adding rows to exact sums, and what must be known of numbers beforehand.
//!
//! Sums are whole numbers, several limbs a column: see [`Grid`](crate::totals::Grid).
//! Additions of whole numbers can be made in any order, so vectors of any width
//! give the same bits.

/// Asks for the values to be fetched from memory, where the CPU can be asked.
#[inline]
pub(crate) fn prefetch(values: &[f32]) {
    #[cfg(target_arch = "x86_64")]
    for line in values.chunks(16) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: prefetching has no effect but on time.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast()) };
    }
    #[cfg(target_arch = "aarch64")]
    for line in values.chunks(16) {
        use crate::kernels::simd::Simd;
        // SAFETY: as above.
        unsafe { crate::kernels::arm::Neon::prefetch(line.as_ptr()) };
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let _ = values;
}

/// Whether rows join a cluster or leave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sign {
    Plus,
    Minus,
}

/// Rows that are added to a sum in one pass over it.
pub(crate) const TOGETHER: usize = 4;

/// Columns side by side.
pub(super) const LANES: usize = 8;

/// Adds rows, each number times its row's scale, to the limbs of a sum, or
/// takes them away. `sum` and `magic` are limbs × columns, from the largest
/// unit to the last. A number plus `magic` has the limb's unit for its last
/// bit: the sum takes the bits, and the rest goes on to the next limb.
pub(crate) fn add_rows<const N: usize>(
    sum: &mut [i64],
    magic: &[f64],
    rows: [&[f32]; N],
    scales: [f64; N],
    sign: Sign,
) {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512dq") {
            // SAFETY: the CPU has AVX-512 F and DQ.
            return unsafe { add_avx512(sum, magic, rows, scales, sign) };
        }
        if is_x86_feature_detected!("avx2") {
            // SAFETY: the CPU has AVX2.
            return unsafe { add_avx2(sum, magic, rows, scales, sign) };
        }
    }
    add(sum, magic, rows, scales, sign);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512dq")]
fn add_avx512<const N: usize>(
    sum: &mut [i64],
    magic: &[f64],
    rows: [&[f32]; N],
    scales: [f64; N],
    sign: Sign,
) {
    add(sum, magic, rows, scales, sign);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn add_avx2<const N: usize>(
    sum: &mut [i64],
    magic: &[f64],
    rows: [&[f32]; N],
    scales: [f64; N],
    sign: Sign,
) {
    add(sum, magic, rows, scales, sign);
}

#[inline(always)]
fn add<const N: usize>(
    sum: &mut [i64],
    magic: &[f64],
    rows: [&[f32]; N],
    scales: [f64; N],
    sign: Sign,
) {
    match sign {
        Sign::Plus => add_signed::<N, false>(sum, magic, rows, scales),
        Sign::Minus => add_signed::<N, true>(sum, magic, rows, scales),
    }
}

#[inline(always)]
fn add_signed<const N: usize, const MINUS: bool>(
    sum: &mut [i64],
    magic: &[f64],
    rows: [&[f32]; N],
    scales: [f64; N],
) {
    let dims = rows[0].len();
    let whole = dims - dims % LANES;
    for at in (0..whole).step_by(LANES) {
        let mut rest = [[0.0f64; LANES]; N];
        for n in 0..N {
            let values = eight(rows[n], at);
            for lane in 0..LANES {
                rest[n][lane] = f64::from(values[lane]) * scales[n];
            }
        }
        let mut limb = at;
        while limb < sum.len() {
            let total = deposit(&mut rest, eight(magic, limb));
            let sum: &mut [i64; LANES] = sum[limb..].first_chunk_mut().expect("whole vectors");
            for lane in 0..LANES {
                sum[lane] = match MINUS {
                    true => sum[lane].wrapping_sub(total[lane]),
                    false => sum[lane].wrapping_add(total[lane]),
                };
            }
            limb += dims;
        }
    }
    for at in whole..dims {
        let mut rest = [[0.0f64; 1]; N];
        for ((rest, row), scale) in rest.iter_mut().zip(rows).zip(scales) {
            *rest = [f64::from(row[at]) * scale];
        }
        let mut limb = at;
        while limb < sum.len() {
            let [total] = deposit(&mut rest, &[magic[limb]]);
            sum[limb] = match MINUS {
                true => sum[limb].wrapping_sub(total),
                false => sum[limb].wrapping_add(total),
            };
            limb += dims;
        }
    }
}

#[inline(always)]
pub(super) fn eight<T>(values: &[T], at: usize) -> &[T; LANES] {
    values[at..].first_chunk().expect("whole vectors")
}

/// What one limb takes of the numbers of some rows, all rows together.
#[inline(always)]
pub(super) fn deposit<const N: usize, const W: usize>(
    rest: &mut [[f64; W]; N],
    magic: &[f64; W],
) -> [i64; W] {
    let mut total = [0i64; W];
    for rest in rest {
        for lane in 0..W {
            let rounded = rest[lane] + magic[lane];
            total[lane] = total[lane].wrapping_add(rounded.to_bits() as i64);
            rest[lane] -= rounded - magic[lane];
        }
    }
    total
}

/// Of the numbers in each place of `largest` and `finest`, over which the block
/// is laid again and again: the largest magnitude, and the least that a number's
/// last bit stands for, or half of that. Float32 values by their bits, which
/// order as integers; of `finest` the bits less one, so that zeros, which have
/// no last bit, come last.
pub(crate) fn scan(block: &[f32], largest: &mut [i32], finest: &mut [i32]) {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f") {
            // SAFETY: the CPU has AVX-512F.
            return unsafe { scan_avx512(block, largest, finest) };
        }
        if is_x86_feature_detected!("avx2") {
            // SAFETY: the CPU has AVX2.
            return unsafe { scan_avx2(block, largest, finest) };
        }
    }
    look(block, largest, finest);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn scan_avx512(block: &[f32], largest: &mut [i32], finest: &mut [i32]) {
    look(block, largest, finest);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn scan_avx2(block: &[f32], largest: &mut [i32], finest: &mut [i32]) {
    look(block, largest, finest);
}

#[inline(always)]
fn look(block: &[f32], largest: &mut [i32], finest: &mut [i32]) {
    for values in block.chunks(largest.len()) {
        let both = largest.iter_mut().zip(finest.iter_mut());
        for (&value, (largest, finest)) in values.iter().zip(both) {
            look_at(value, largest, finest);
        }
    }
}

/// [`scan`] of one number.
#[inline(always)]
pub(crate) fn look_at(value: f32, largest: &mut i32, finest: &mut i32) {
    let bits = value.to_bits() & 0x7fff_ffff;
    // Without its last bit, which is one of the exponent's in powers of
    // two; these differ by half the number or more.
    let without = f32::from_bits(bits & bits.wrapping_sub(1));
    let last_bit = (f32::from_bits(bits) - without).to_bits();
    let last_bit = last_bit.wrapping_sub(1) & 0x7fff_ffff;
    *largest = (*largest).max(bits as i32);
    *finest = (*finest).min(last_bit as i32);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    #[test]
    fn every_instruction_set_gives_the_same_bits() {
        let mut rng = Rng::new(1);
        for dims in [1, 2, 7, 8, 9, 31, 100] {
            for limbs in [1, 2, 5] {
                let mut number = |scale: f64| ((rng.unit() - 0.5) * scale) as f32;
                let rows: [Vec<f32>; TOGETHER] =
                    std::array::from_fn(|_| (0..dims).map(|_| number(9.0)).collect());
                let rows = rows.each_ref().map(Vec::as_slice);
                let scales = rows.map(|_| f64::from(number(1.0)));
                let magic: Vec<f64> = (0..limbs * dims)
                    .map(|at| 1.5 * 2f64.powi(10 - 20 * (at / dims) as i32))
                    .collect();
                let start: Vec<i64> = magic.iter().map(|m| m.to_bits() as i64).collect();
                for sign in [Sign::Plus, Sign::Minus] {
                    let mut one_by_one = start.clone();
                    for (row, scale) in rows.iter().zip(scales) {
                        add(&mut one_by_one, &magic, [row], [scale], sign);
                    }
                    let mut together = start.clone();
                    add(&mut together, &magic, rows, scales, sign);
                    assert_eq!(together, one_by_one);
                    let mut best = start.clone();
                    add_rows(&mut best, &magic, rows, scales, sign);
                    assert_eq!(best, together);
                    #[cfg(target_arch = "x86_64")]
                    if is_x86_feature_detected!("avx2") {
                        let mut avx2 = start.clone();
                        // SAFETY: the CPU has AVX2.
                        unsafe { add_avx2(&mut avx2, &magic, rows, scales, sign) };
                        assert_eq!(avx2, together);
                    }
                }
                let (mut largest, mut finest) = (vec![0; dims], vec![i32::MAX; dims]);
                let (mut plain_largest, mut plain_finest) = (largest.clone(), finest.clone());
                let block = rows.concat();
                scan(&block, &mut largest, &mut finest);
                look(&block, &mut plain_largest, &mut plain_finest);
                assert_eq!((largest, finest), (plain_largest, plain_finest));
            }
        }
    }
}
