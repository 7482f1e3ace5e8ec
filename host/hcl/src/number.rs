//! Numbers as the language has them: decimal, so that `0.1 + 0.2` is `0.3`.

use std::fmt;
use std::str::FromStr;

use bigdecimal::num_bigint::BigInt;
use bigdecimal::{BigDecimal, One, RoundingMode, Signed, ToPrimitive, Zero};

/// Significant digits kept by arithmetic; the language's own numbers have 512 bits, which is this
/// many decimal digits.
const PRECISION: u64 = 154;

/// Largest power of ten a number may have: `1e999999999` written out would fill the memory.
const MAX_EXPONENT: i64 = 4096;

/// A decimal number of bounded size.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Number(BigDecimal);

impl Number {
    /// Rounds to the digits that are kept; `None` when the number is out of range.
    pub(crate) fn new(value: BigDecimal) -> Option<Self> {
        if value.is_zero() {
            return Some(Self(BigDecimal::zero()));
        }
        let digits = i64::try_from(value.digits()).ok()?;
        let (_, scale) = value.as_bigint_and_exponent();
        if !(-MAX_EXPONENT..=MAX_EXPONENT).contains(&scale.checked_neg()?.checked_add(digits)?) {
            return None;
        }
        let value = if value.digits() > PRECISION {
            value.with_precision_round(
                std::num::NonZeroU64::new(PRECISION)?,
                RoundingMode::HalfEven,
            )
        } else {
            value
        };
        Some(Self(value.normalized()))
    }

    /// The nearest number; `None` for what is not finite.
    pub fn from_f64(value: f64) -> Option<Self> {
        // Through the shortest text, as 0.1 is meant to be 0.1 and not its binary neighbour.
        value
            .is_finite()
            .then(|| value.to_string().parse().ok())
            .flatten()
    }

    /// The nearest `f64`.
    pub fn to_f64(&self) -> f64 {
        self.0.to_f64().unwrap_or(f64::NAN)
    }

    /// The number as an `i64`, if it is whole and fits.
    pub fn to_i64(&self) -> Option<i64> {
        self.is_integer().then(|| self.0.to_i64()).flatten()
    }

    /// The number as a `u64`, if it is whole, not negative and fits.
    pub fn to_u64(&self) -> Option<u64> {
        self.is_integer().then(|| self.0.to_u64()).flatten()
    }

    /// Whether there is nothing behind the point.
    pub fn is_integer(&self) -> bool {
        self.0.is_integer()
    }

    /// The whole number, if there is nothing behind the point.
    pub(crate) fn to_integer(&self) -> Option<BigInt> {
        self.is_integer()
            .then(|| self.0.with_scale(0).into_bigint_and_exponent().0)
    }

    pub(crate) fn is_zero(&self) -> bool {
        self.0.is_zero()
    }

    pub(crate) fn is_negative(&self) -> bool {
        self.0.is_negative()
    }

    pub(crate) fn as_decimal(&self) -> &BigDecimal {
        &self.0
    }

    pub(crate) fn add(&self, other: &Self) -> Option<Self> {
        Self::new(&self.0 + &other.0)
    }

    pub(crate) fn subtract(&self, other: &Self) -> Option<Self> {
        Self::new(&self.0 - &other.0)
    }

    pub(crate) fn multiply(&self, other: &Self) -> Option<Self> {
        Self::new(&self.0 * &other.0)
    }

    /// `None` for a division by zero, too.
    pub(crate) fn divide(&self, other: &Self) -> Option<Self> {
        if other.is_zero() {
            return None;
        }
        // The library divides to a precision of its own; scaling the numerator first gives ours.
        let shift = i64::try_from(PRECISION + other.0.digits()).ok()?;
        let (numerator, scale) = self.0.as_bigint_and_exponent();
        let (denominator, other_scale) = other.0.as_bigint_and_exponent();
        let quotient = numerator * BigInt::from(10).pow(u32::try_from(shift).ok()?) / denominator;
        Self::new(BigDecimal::new(quotient, scale - other_scale + shift))
    }

    /// The remainder of truncated division, with the sign of `self`; `None` by zero.
    pub(crate) fn remainder(&self, other: &Self) -> Option<Self> {
        if other.is_zero() {
            None
        } else {
            Self::new(&self.0 % &other.0)
        }
    }

    #[must_use]
    pub(crate) fn negated(&self) -> Self {
        Self(-&self.0)
    }

    #[must_use]
    pub(crate) fn absolute(&self) -> Self {
        Self(self.0.abs())
    }

    #[must_use]
    pub(crate) fn floor(&self) -> Self {
        Self(self.0.with_scale_round(0, RoundingMode::Floor).normalized())
    }

    #[must_use]
    pub(crate) fn ceiling(&self) -> Self {
        Self(
            self.0
                .with_scale_round(0, RoundingMode::Ceiling)
                .normalized(),
        )
    }

    /// `self` to a whole power that is not negative, by squaring, within range at every step.
    pub(crate) fn power(&self, exponent: u64) -> Option<Self> {
        let mut result = Self(BigDecimal::one());
        let mut square = self.clone();
        let mut rest = exponent;
        while rest > 0 {
            if rest % 2 == 1 {
                result = result.multiply(&square)?;
            }
            rest /= 2;
            if rest > 0 {
                square = square.multiply(&square)?;
            }
        }
        Some(result)
    }
}

/// Not a number, or one out of range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a number")]
pub struct ParseNumberError;

impl FromStr for Number {
    type Err = ParseNumberError;

    /// Decimal, with an optional sign, point and exponent.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // First of all: whoever has a text for a number does not pay for its length.
        if text.len() > usize::try_from(MAX_EXPONENT).unwrap_or(usize::MAX) {
            return Err(ParseNumberError);
        }
        let plausible = |c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.' | 'e' | 'E');
        let exponent_length = text.find(['e', 'E']).map_or(0, |at| text.len() - at);
        if exponent_length > 8
            || !text.chars().all(plausible)
            || !text.contains(|c: char| c.is_ascii_digit())
        {
            return Err(ParseNumberError);
        }
        BigDecimal::from_str(text)
            .ok()
            .and_then(Self::new)
            .ok_or(ParseNumberError)
    }
}

macro_rules! from_integers {
    ($($integer:ty),*) => {$(
        impl From<$integer> for Number {
            fn from(value: $integer) -> Self {
                Self(BigDecimal::from(value).normalized())
            }
        }
    )*};
}
from_integers!(i32, i64, u8, u16, u32, u64);

impl From<usize> for Number {
    fn from(value: usize) -> Self {
        // Every platform's `usize` fits.
        Self::from(u64::try_from(value).unwrap_or(u64::MAX))
    }
}

impl From<BigInt> for Number {
    fn from(value: BigInt) -> Self {
        Self(BigDecimal::from(value).normalized())
    }
}

impl fmt::Display for Number {
    /// Written out, without an exponent and without trailing zeros.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.to_plain_string())
    }
}

impl fmt::Debug for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Number {
        text.parse().unwrap()
    }

    #[test]
    fn prints_plainly() {
        for (text, expected) in [
            ("1", "1"),
            ("1.50", "1.5"),
            ("100", "100"),
            ("1e3", "1000"),
            ("-0.10", "-0.1"),
            ("0.0", "0"),
            ("1e-3", "0.001"),
            ("18446744073709551616", "18446744073709551616"),
        ] {
            assert_eq!(number(text).to_string(), expected, "{text}");
        }
        assert_eq!(
            number("0.1").add(&number("0.2")).unwrap().to_string(),
            "0.3"
        );
        assert_eq!(Number::from_f64(0.1).unwrap().to_string(), "0.1");
    }

    #[test]
    fn stays_within_bounds() {
        for text in [
            "1e5000",
            "1e999999999",
            "-1e5000",
            "",
            "-",
            "x",
            "0x10",
            "1_000",
            "NaN",
        ] {
            assert!(text.parse::<Number>().is_err(), "{text}");
        }
        assert_eq!(number("1e4000").multiply(&number("1e4000")), None);
        assert_eq!(number("10").power(u64::MAX), None);
        assert_eq!(number("1").power(u64::MAX), Some(number("1")));
        assert_eq!(number("1").divide(&number("0")), None);
        let third = number("1").divide(&number("3")).unwrap();
        assert_eq!(third.to_string().len(), 2 + 154);
    }
}
