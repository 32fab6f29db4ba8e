//! Eight float64 values at a time.

/// Rows that lie side by side, for vector registers.
pub(crate) const LANES: usize = 8;

/// The label of a row that is there only to fill up the lanes.
pub(crate) const REPEATED: u32 = u32::MAX - 1;

/// Eight lanes of float64, in whatever registers there are. There is a value of
/// an implementor only where the CPU has its instruction set.
pub(crate) trait Lanes: Copy {
    type F: Copy;
    /// A yes or no for each lane.
    type Mask: Copy;
    /// Whole numbers of 64 bits.
    type I: Copy;

    fn splat(self, value: f64) -> Self::F;
    fn widen(self, values: &[f32; LANES]) -> Self::F;
    fn load(self, values: &[f64; LANES]) -> Self::F;
    fn store(self, values: Self::F) -> [f64; LANES];
    fn add(self, a: Self::F, b: Self::F) -> Self::F;
    fn sub(self, a: Self::F, b: Self::F) -> Self::F;
    fn mul(self, a: Self::F, b: Self::F) -> Self::F;
    fn less(self, a: Self::F, b: Self::F) -> Self::Mask;
    fn abs(self, a: Self::F) -> Self::F;
    /// The first lane with the least value, which must not be NaN.
    fn least_lane(self, a: Self::F) -> usize;
    /// Writes the lanes that `bits` names, in order; what follows them is unspecified.
    fn compress(self, to: &mut [f64; LANES], bits: u8, a: Self::F);
    fn equal(self, labels: &[u32; LANES], label: u32) -> Self::Mask;
    /// `a` where the mask says yes, else `b`.
    fn select(self, mask: Self::Mask, a: Self::F, b: Self::F) -> Self::F;
    /// Lane 0 is the lowest bit.
    fn bits(self, mask: Self::Mask) -> u8;
    /// Writes whole numbers to all labels but those that are [`REPEATED`].
    /// Returns how many that changed.
    fn relabel(self, labels: &mut [u32; LANES], new: Self::F) -> u32;

    /// The bits of each lane as a whole number.
    fn to_bits(self, a: Self::F) -> Self::I;
    fn zero(self) -> Self::I;
    fn load_whole(self, values: &[i64; LANES]) -> Self::I;
    fn store_whole(self, to: &mut [i64; LANES], values: Self::I);
    /// Wrapping.
    fn add_whole(self, a: Self::I, b: Self::I) -> Self::I;
    /// Wrapping.
    fn sub_whole(self, a: Self::I, b: Self::I) -> Self::I;
    fn and(self, a: Self::I, b: Self::I) -> Self::I;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::dispatch::{Work, work_on};
    use crate::kernels::isa::Isa;

    struct Compress(u8);

    impl Work for Compress {
        type Output = Vec<f64>;

        #[inline(always)]
        fn run<L: Lanes>(self, lanes: L) -> Vec<f64> {
            let values = lanes.load(&[0.5, 1.5, 2.5, 3.5, 4.5, 5.5, 6.5, 7.5]);
            let mut to = [0.0; LANES];
            lanes.compress(&mut to, self.0, values);
            to[..self.0.count_ones() as usize].to_vec()
        }
    }

    #[test]
    fn the_lanes_that_bits_name_move_to_the_front() {
        for bits in 0..=u8::MAX {
            let lanes = (0..LANES).filter(|lane| bits >> lane & 1 == 1);
            let expected: Vec<f64> = lanes.map(|lane| lane as f64 + 0.5).collect();
            for isa in Isa::available() {
                assert_eq!(work_on(isa, Compress(bits)), expected, "{isa:?} {bits:b}");
            }
        }
    }
}
