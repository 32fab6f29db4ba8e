//! Adding rows to exact sums, and what must be known of numbers beforehand.
//!
//! Sums are whole numbers, several limbs a column: see [`Grid`](crate::totals::Grid).
//! Additions of whole numbers can be made in any order, so vectors of any width
//! give the same bits.

use super::dispatch::{self, Work};
use super::lanes::{LANES, Lanes};

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
        unsafe { crate::kernels::neon::Neon::prefetch(line.as_ptr()) };
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

/// Adds rows, each number times its row's scale, to the limbs of a sum, or
/// takes them away. `sum` and `magic` are limbs × columns, from the largest
/// unit to the last. A number plus `magic` has the limb's unit for its last
/// bit: the sum takes the bits, and the rest goes on to the next limb.
#[inline]
pub(crate) fn add_rows<const N: usize>(
    sum: &mut [i64],
    magic: &[f64],
    rows: [&[f32]; N],
    scales: Option<[f64; N]>,
    sign: Sign,
) {
    dispatch::work(AddRows {
        sum,
        magic,
        rows,
        scales,
        sign,
    });
}

struct AddRows<'a, const N: usize> {
    sum: &'a mut [i64],
    magic: &'a [f64],
    rows: [&'a [f32]; N],
    scales: Option<[f64; N]>,
    sign: Sign,
}

impl<const N: usize> Work for AddRows<'_, N> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(mut self, l: L) {
        let dims = self.rows[0].len();
        assert!(self.rows.iter().all(|row| row.len() == dims));
        assert!(self.sum.len() == self.magic.len());
        match self.sum.len() {
            _ if dims < LANES => self.add_columns(),
            // Most sums have one limb or two: these get loops of their own.
            len if len == dims => self.add_vectors::<L, 1>(l, 1),
            len if len == 2 * dims => self.add_vectors::<L, 2>(l, 2),
            len => self.add_vectors::<L, 0>(l, len / dims),
        }
    }
}

impl<const N: usize> AddRows<'_, N> {
    /// `LIMBS`: how many limbs there are, or 0 for any number. There are as many
    /// columns as a vector has lanes, at least.
    #[inline(always)]
    fn add_vectors<L: Lanes, const LIMBS: usize>(&mut self, l: L, limbs: usize) {
        let dims = self.rows[0].len();
        let left = dims % LANES;
        for at in (0..dims - left).step_by(LANES) {
            // SAFETY: a whole vector of columns follows; `run` has compared the
            // lengths of all rows and of sum and magic.
            unsafe { self.add_vector::<L, LIMBS, false>(l, limbs, at, MASK) };
        }
        if left > 0 {
            // The last vector of columns, of which some are done.
            // SAFETY: as above.
            unsafe { self.add_vector::<L, LIMBS, true>(l, limbs, dims - LANES, &MASK[left..]) };
        }
    }

    /// Adds the columns from `at` on, or if `MASKED` those of them that `mask`
    /// has ones for.
    ///
    /// # Safety
    /// Every row has [`LANES`] columns from `at` on, `sum` and `magic` have
    /// `limbs` times as many values as a row, and `mask` has a vector.
    #[inline(always)]
    unsafe fn add_vector<L: Lanes, const LIMBS: usize, const MASKED: bool>(
        &mut self,
        l: L,
        limbs: usize,
        at: usize,
        mask: &[i64],
    ) {
        let limbs = if LIMBS > 0 { LIMBS } else { limbs };
        let mut rest = [l.splat(0.0); N];
        for n in 0..N {
            // SAFETY: by this function's contract.
            rest[n] = l.widen(unsafe { eight(self.rows[n], at) });
            if let Some(scales) = &self.scales {
                rest[n] = l.mul(rest[n], l.splat(scales[n]));
            }
        }
        for limb in 0..limbs {
            let place = limb * self.rows[0].len() + at;
            // SAFETY: by this function's contract.
            let magic = l.load(unsafe { eight(self.magic, place) });
            let mut total = l.zero();
            for rest in &mut rest {
                let rounded = l.add(*rest, magic);
                total = l.add_whole(total, l.to_bits(rounded));
                *rest = l.sub(*rest, l.sub(rounded, magic));
            }
            if MASKED {
                // SAFETY: by this function's contract.
                total = l.and(total, l.load_whole(unsafe { eight(mask, 0) }));
            }
            // SAFETY: by this function's contract.
            let sum = unsafe { &mut *self.sum.as_mut_ptr().add(place).cast::<[i64; LANES]>() };
            let before = l.load_whole(sum);
            let after = match self.sign {
                Sign::Plus => l.add_whole(before, total),
                Sign::Minus => l.sub_whole(before, total),
            };
            l.store_whole(sum, after);
        }
    }

    /// A column after the other.
    #[inline(always)]
    fn add_columns(&mut self) {
        let dims = self.rows[0].len();
        for at in 0..dims {
            let mut rest = [0.0f64; N];
            for n in 0..N {
                let scale = self.scales.map_or(1.0, |scales| scales[n]);
                rest[n] = f64::from(self.rows[n][at]) * scale;
            }
            let places = (at..self.sum.len()).step_by(dims);
            for place in places {
                let magic = self.magic[place];
                let mut total = 0i64;
                for rest in &mut rest {
                    let rounded = *rest + magic;
                    total = total.wrapping_add(rounded.to_bits() as i64);
                    *rest -= rounded - magic;
                }
                let sum = &mut self.sum[place];
                *sum = match self.sign {
                    Sign::Plus => sum.wrapping_add(total),
                    Sign::Minus => sum.wrapping_sub(total),
                };
            }
        }
    }
}

/// From place r on, the last r of eight lanes are ones.
const MASK: &[i64; 2 * LANES] = &[0, 0, 0, 0, 0, 0, 0, 0, -1, -1, -1, -1, -1, -1, -1, -1];

/// # Safety
/// There are [`LANES`] values from `at` on.
#[inline(always)]
unsafe fn eight<T>(values: &[T], at: usize) -> &[T; LANES] {
    debug_assert!(at + LANES <= values.len());
    // SAFETY: by this function's contract.
    unsafe { &*values.as_ptr().add(at).cast::<[T; LANES]>() }
}

/// Of the numbers in each place of `largest` and `finest`, over which the block
/// is laid again and again: the largest magnitude, and the least that a number's
/// last bit stands for, or half of that. Float32 values by their bits, which
/// order as integers; of `finest` the bits less one, so that zeros, which have
/// no last bit, come last.
pub(crate) fn scan(block: &[f32], largest: &mut [i32], finest: &mut [i32]) {
    dispatch::work(Scan {
        block,
        largest,
        finest,
    });
}

struct Scan<'a> {
    block: &'a [f32],
    largest: &'a mut [i32],
    finest: &'a mut [i32],
}

impl Work for Scan<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, _: L) {
        look(self.block, self.largest, self.finest);
    }
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
    use crate::kernels::isa::Isa;
    use crate::rng::Rng;

    /// A row, number by number.
    fn add_plainly(sum: &mut [i64], magic: &[f64], row: &[f32], scale: f64, sign: Sign) {
        for (at, &value) in row.iter().enumerate() {
            let mut rest = f64::from(value) * scale;
            for place in (at..sum.len()).step_by(row.len()) {
                let rounded = rest + magic[place];
                let bits = rounded.to_bits() as i64;
                rest -= rounded - magic[place];
                sum[place] = match sign {
                    Sign::Plus => sum[place].wrapping_add(bits),
                    Sign::Minus => sum[place].wrapping_sub(bits),
                };
            }
        }
    }

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
                        add_plainly(&mut one_by_one, &magic, row, scale, sign);
                    }
                    for isa in Isa::available() {
                        let mut together = start.clone();
                        let scales = Some(scales);
                        dispatch::work_on(
                            isa,
                            AddRows {
                                sum: &mut together,
                                magic: &magic,
                                rows,
                                scales,
                                sign,
                            },
                        );
                        assert_eq!(together, one_by_one, "{isa:?}");
                        let mut single = start.clone();
                        for n in 0..TOGETHER {
                            let scales = scales.map(|scales| [scales[n]]);
                            let rows = [rows[n]];
                            dispatch::work_on(
                                isa,
                                AddRows {
                                    sum: &mut single,
                                    magic: &magic,
                                    rows,
                                    scales,
                                    sign,
                                },
                            );
                        }
                        assert_eq!(single, one_by_one, "{isa:?}");
                    }
                }
                let (mut largest, mut finest) = (vec![0; dims], vec![i32::MAX; dims]);
                let (mut plain_largest, mut plain_finest) = (largest.clone(), finest.clone());
                let block = rows.concat();
                look(&block, &mut plain_largest, &mut plain_finest);
                for isa in Isa::available() {
                    largest.fill(0);
                    finest.fill(i32::MAX);
                    dispatch::work_on(
                        isa,
                        Scan {
                            block: &block,
                            largest: &mut largest,
                            finest: &mut finest,
                        },
                    );
                    assert_eq!((&largest, &finest), (&plain_largest, &plain_finest));
                }
            }
        }
    }
}
