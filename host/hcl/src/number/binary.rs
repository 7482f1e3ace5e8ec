//! Binary numbers of bounded precision, rounded to the nearest and to the even one between two, as Go's
//! `big.Float` has them.

use std::cmp::Ordering;

use bigdecimal::num_bigint::BigUint;
use bigdecimal::{One, ToPrimitive, Zero};

/// `mantissa * 2^exponent`, with a sign. The mantissa is odd, or zero.
#[derive(Clone)]
pub(super) struct Binary {
    pub(super) negative: bool,
    pub(super) mantissa: BigUint,
    pub(super) exponent: i64,
    /// Bits that results keep which are made of this.
    pub(super) precision: u64,
}

impl Binary {
    pub(super) fn zero(precision: u64) -> Self {
        Self {
            negative: false,
            mantissa: BigUint::zero(),
            exponent: 0,
            precision,
        }
    }

    /// Rounds to `precision` bits; `more` says that something not zero follows the last bit.
    pub(super) fn rounded(
        negative: bool,
        mantissa: BigUint,
        exponent: i64,
        more: bool,
        precision: u64,
    ) -> Self {
        let (mut mantissa, mut exponent) = (mantissa, exponent);
        let cut = mantissa.bits().saturating_sub(precision);
        if cut > 0 {
            let half = mantissa.bit(cut - 1);
            let beyond = more
                || mantissa
                    .trailing_zeros()
                    .is_some_and(|zeros| zeros < cut - 1);
            mantissa >>= cut;
            exponent = exponent.saturating_add(signed(cut));
            if half && (beyond || mantissa.bit(0)) {
                mantissa += 1u32;
            }
        }
        let zeros = mantissa.trailing_zeros().unwrap_or(0);
        mantissa >>= zeros;
        exponent = match mantissa.is_zero() {
            true => 0,
            false => exponent.saturating_add(signed(zeros)),
        };
        Self {
            negative,
            mantissa,
            exponent,
            precision,
        }
    }

    /// `numerator / denominator * 2^exponent`, to so many bits. The denominator is not zero.
    pub(super) fn quotient(
        negative: bool,
        numerator: BigUint,
        denominator: &BigUint,
        exponent: i64,
        precision: u64,
    ) -> Self {
        let wanted = precision + 2 + denominator.bits();
        let shift = wanted.saturating_sub(numerator.bits());
        let numerator = numerator << shift;
        let quotient = &numerator / denominator;
        let more = &quotient * denominator != numerator;
        let exponent = exponent.saturating_sub(signed(shift));
        Self::rounded(negative, quotient, exponent, more, precision)
    }

    pub(super) fn is_zero(&self) -> bool {
        self.mantissa.is_zero()
    }

    pub(super) fn is_integer(&self) -> bool {
        self.exponent >= 0
    }

    /// The power of two that the number is smaller than, in size.
    pub(super) fn magnitude(&self) -> i64 {
        signed(self.mantissa.bits()).saturating_add(self.exponent)
    }

    pub(super) fn with_precision(self, precision: u64) -> Self {
        Self::rounded(
            self.negative,
            self.mantissa,
            self.exponent,
            false,
            precision,
        )
    }

    pub(super) fn negated(self) -> Self {
        Self {
            negative: !self.negative,
            ..self
        }
    }

    /// The sum, to so many bits.
    pub(super) fn add(&self, other: &Self, precision: u64) -> Self {
        match (self.is_zero(), other.is_zero()) {
            (true, true) => {
                return Self {
                    negative: self.negative && other.negative,
                    ..Self::zero(precision)
                };
            }
            (true, false) => return other.clone().with_precision(precision),
            (false, true) => return self.clone().with_precision(precision),
            (false, false) => {}
        }
        let (large, small) = match self.magnitude() >= other.magnitude() {
            true => (self, other),
            false => (other, self),
        };
        // One that is so small only pushes the other up or down: its own bits don't matter.
        let far = 2 * precision + 4;
        if large.exponent.saturating_sub(small.magnitude()) > signed(far) {
            let shifted = &large.mantissa << far;
            let mantissa = match large.negative == small.negative {
                true => shifted,
                false => shifted - 1u32,
            };
            let exponent = large.exponent.saturating_sub(signed(far));
            return Self::rounded(large.negative, mantissa, exponent, true, precision);
        }
        let exponent = self.exponent.min(other.exponent);
        let (left, right) = (self.in_units_of(exponent), other.in_units_of(exponent));
        let (negative, mantissa) = if self.negative == other.negative {
            (self.negative, left + right)
        } else if left >= right {
            (self.negative && left != right, left - right)
        } else {
            (other.negative, right - left)
        };
        Self::rounded(negative, mantissa, exponent, false, precision)
    }

    /// The mantissa for a smaller exponent.
    fn in_units_of(&self, exponent: i64) -> BigUint {
        &self.mantissa << self.exponent.saturating_sub(exponent).unsigned_abs()
    }

    /// The product, to so many bits.
    pub(super) fn multiply(&self, other: &Self, precision: u64) -> Self {
        Self::rounded(
            self.negative != other.negative,
            &self.mantissa * &other.mantissa,
            self.exponent.saturating_add(other.exponent),
            false,
            precision,
        )
    }

    /// The quotient, to so many bits. The other is not zero.
    pub(super) fn divide(&self, other: &Self, precision: u64) -> Self {
        Self::quotient(
            self.negative != other.negative,
            self.mantissa.clone(),
            &other.mantissa,
            self.exponent.saturating_sub(other.exponent),
            precision,
        )
    }

    /// The whole number, without its sign and what is behind the point.
    pub(super) fn integer(&self) -> BigUint {
        match self.is_integer() {
            true => &self.mantissa << self.exponent.unsigned_abs(),
            false => &self.mantissa >> self.exponent.unsigned_abs(),
        }
    }

    /// By size and sign.
    pub(super) fn compare(&self, other: &Self) -> Ordering {
        let sign = |number: &Self| match (number.is_zero(), number.negative) {
            (true, _) => 0,
            (false, true) => -1,
            (false, false) => 1,
        };
        sign(self).cmp(&sign(other)).then_with(|| match sign(self) {
            0 => Ordering::Equal,
            1 => self.compare_sizes(other),
            _ => other.compare_sizes(self),
        })
    }

    fn compare_sizes(&self, other: &Self) -> Ordering {
        self.magnitude().cmp(&other.magnitude()).then_with(|| {
            // With the same magnitude the exponents differ by no more than the bits of a mantissa.
            let exponent = self.exponent.min(other.exponent);
            self.in_units_of(exponent).cmp(&other.in_units_of(exponent))
        })
    }

    pub(super) fn to_f64(&self) -> f64 {
        let double = self.clone().with_precision(53);
        let mantissa = double.mantissa.to_f64().unwrap_or(f64::NAN);
        // What is beyond this is zero or infinite in any case.
        let exponent = i32::try_from(double.exponent.clamp(-2200, 2200)).unwrap_or_default();
        // In two steps, since a power of two alone may be out of range.
        let half = exponent / 2;
        let size = mantissa * 2f64.powi(half) * 2f64.powi(exponent - half);
        match double.negative {
            true => -size,
            false => size,
        }
    }
}

/// A number of bits, of which there are never so many that they would not fit.
pub(super) fn signed(bits: u64) -> i64 {
    i64::try_from(bits).unwrap_or(i64::MAX)
}

/// `10^exponent`.
pub(super) fn power_of_ten(exponent: u64) -> BigUint {
    match u32::try_from(exponent).unwrap_or(u32::MAX) {
        0 => BigUint::one(),
        exponent => BigUint::from(10u32).pow(exponent),
    }
}
