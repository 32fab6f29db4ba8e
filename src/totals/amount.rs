//! Exact sums of numbers that are not negative, and places within them.

use super::exact_sum::{DIGITS, ExactSum};

/// A whole number of 2^-1074: its digits of 32 bits, the highest first, so that
/// amounts are ordered as their digits are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Amount([u32; DIGITS]);

impl Amount {
    pub(crate) const ZERO: Amount = Amount([0; DIGITS]);
    pub(crate) const DIGITS: usize = DIGITS;

    /// A sum of numbers of which none is negative.
    pub fn of(sum: &ExactSum) -> Self {
        let mut digits = sum.digits().map(|digit| digit as u32);
        digits.reverse();
        Amount(digits)
    }

    /// The digit of 2^(32 · `place` − 1074).
    pub fn digit(&self, place: usize) -> u32 {
        self.0[DIGITS - 1 - place]
    }

    /// The digits, the lowest first.
    fn digits(&self) -> impl DoubleEndedIterator<Item = u32> {
        self.0.into_iter().rev()
    }

    /// Of these digits, the lowest first, of which the first is that of
    /// 2^(32 · `lowest` − 1074); `None` if they are too many.
    pub fn from_digits(lowest: usize, digits: &[u32]) -> Option<Self> {
        let mut amount = Amount::ZERO;
        for (i, &digit) in digits.iter().enumerate() {
            let place = DIGITS.checked_sub(lowest.checked_add(i)?)?.checked_sub(1)?;
            amount.0[place] = digit;
        }
        // Room for sums of very many of them.
        (amount.0[0] < 1 << 16).then_some(amount)
    }

    pub fn is_zero(&self) -> bool {
        *self == Amount::ZERO
    }

    /// This times `share` / 2^64, rounded down.
    pub fn share(&self, share: u64) -> Self {
        let mut product = [0u32; DIGITS + 2];
        let mut carry = 0u128;
        for (place, digit) in self.digits().enumerate() {
            carry += u128::from(digit) * u128::from(share);
            product[place] = carry as u32;
            carry >>= 32;
        }
        for place in &mut product[DIGITS..] {
            *place = carry as u32;
            carry >>= 32;
        }
        let mut amount = Amount::ZERO;
        for (digit, &own) in amount.0.iter_mut().rev().zip(&product[2..]) {
            *digit = own;
        }
        amount
    }

    pub fn plus(&self, other: &Amount) -> Self {
        let mut sum = *self;
        let mut carry = 0;
        for (digit, other) in sum.0.iter_mut().rev().zip(other.digits()) {
            carry += u64::from(*digit) + u64::from(other);
            *digit = carry as u32;
            carry >>= 32;
        }
        sum
    }

    /// Less an amount that is no larger.
    pub fn minus(&self, other: &Amount) -> Self {
        let mut rest = *self;
        let mut borrow = 0;
        for (digit, other) in rest.0.iter_mut().rev().zip(other.digits()) {
            let difference = i64::from(*digit) - i64::from(other) - borrow;
            *digit = difference as u32;
            borrow = i64::from(difference < 0);
        }
        rest
    }

    /// Rounded once.
    pub fn value(&self) -> f64 {
        let mut digits = self.0.map(i64::from);
        digits.reverse();
        ExactSum::from_digits(&digits).map_or(f64::INFINITY, |sum| sum.value())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    fn amount(value: f64) -> Amount {
        Amount::of(&[value].into_iter().collect())
    }

    #[test]
    fn amounts_add_up_and_are_ordered_as_numbers() {
        let mut rng = Rng::new(4);
        for _ in 0..2000 {
            let number = |rng: &mut Rng| rng.unit() * 2f64.powi(rng.below(1900) as i32 - 1000);
            let (a, b) = (number(&mut rng), number(&mut rng));
            let (large, small) = (amount(a.max(b)), amount(a.min(b)));
            assert_eq!(large > small, a != b);
            let sum = large.plus(&small);
            assert_eq!(sum.minus(&small), large);
            assert_eq!(sum.minus(&large), small);
            assert_eq!(sum, Amount::of(&[a, b].into_iter().collect()));
            assert_eq!(large.value(), a.max(b));
            let digits: Vec<u32> = sum.digits().collect();
            assert_eq!(Amount::from_digits(0, &digits), Some(sum));
        }
        assert_eq!(Amount::from_digits(DIGITS - 1, &[1, 1]), None);
        assert_eq!(Amount::from_digits(usize::MAX, &[1, 1]), None);
    }

    #[test]
    fn shares_are_rounded_down() {
        for value in [1.0, 3.5e-300, 2f64.powi(900)] {
            assert_eq!(amount(value).share(1 << 63).value(), value / 2.0);
            assert_eq!(amount(value).share(3 << 62).value(), value * 0.75);
            assert!(amount(value).share(u64::MAX) < amount(value));
            assert!(amount(value).share(0).is_zero());
        }
        assert!(amount(5e-324).share(u64::MAX).is_zero());
        // A power of two more in all numbers is one more in the shares.
        let (one, other) = (amount(0.7), amount(0.7 * 2f64.powi(-30)));
        let share = 0x1234_5678_9abc_def1;
        let scaled = other.share(share).value() * 2f64.powi(30);
        assert_eq!(one.share(share).value(), scaled);
    }
}
