//! Numbers as the language has them: binary, with 512 bits where a template writes them, so that `10 / 3 * 3`
//! is `10`. Those that come from a function may have fewer: 64 where it counts, 53 where it takes logarithms.
//! Two numbers are the same if their texts are.

mod binary;
mod decimal;
#[cfg(test)]
mod tests;

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use bigdecimal::ToPrimitive;
use bigdecimal::num_bigint::{BigInt, BigUint, Sign};

use self::binary::{Binary, power_of_ten, signed};
use self::decimal::Decimal;

/// Bits of numbers that a template writes.
const PRECISION: u64 = 512;

/// Bits of whole numbers that functions count.
const OF_INTEGERS: u64 = 64;

/// Bits of an `f64`.
const OF_DOUBLES: u64 = 53;

/// Largest power of ten a number may have: `1e999999999` written out would fill the memory.
const MAX_EXPONENT: i64 = 4096;

/// The same as a power of two.
const MAX_MAGNITUDE: i64 = MAX_EXPONENT * 3322 / 1000;

/// A number of bounded size.
#[derive(Clone)]
pub struct Number(Binary);

impl Number {
    /// `None` when the number is out of range.
    fn new(value: Binary) -> Option<Self> {
        let in_range = (-MAX_MAGNITUDE..=MAX_MAGNITUDE).contains(&value.magnitude());
        (in_range || value.is_zero()).then_some(Self(value))
    }

    /// The same number, with the precision that an `f64` has; `None` for what is not finite.
    pub fn from_f64(value: f64) -> Option<Self> {
        if !value.is_finite() {
            return None;
        }
        let bits = value.to_bits();
        let fraction = bits & ((1 << 52) - 1);
        let exponent = i64::try_from((bits >> 52) & 0x7ff).ok()?;
        let (mantissa, exponent) = match exponent {
            0 => (fraction, -1074),
            exponent => (fraction | 1 << 52, exponent - 1075),
        };
        let negative = value.is_sign_negative();
        let mantissa = BigUint::from(mantissa);
        Self::new(Binary::rounded(
            negative, mantissa, exponent, false, OF_DOUBLES,
        ))
    }

    /// The nearest `f64`.
    pub fn to_f64(&self) -> f64 {
        self.0.to_f64()
    }

    /// The number as an `i64`, if it is whole and fits.
    pub fn to_i64(&self) -> Option<i64> {
        self.to_integer()?.to_i64()
    }

    /// The number as a `u64`, if it is whole, not negative and fits.
    pub fn to_u64(&self) -> Option<u64> {
        self.to_integer()?.to_u64()
    }

    /// Whether there is nothing behind the point.
    pub fn is_integer(&self) -> bool {
        self.0.is_integer()
    }

    /// The whole number, if there is nothing behind the point.
    pub(crate) fn to_integer(&self) -> Option<BigInt> {
        self.is_integer().then(|| self.whole())
    }

    /// The number without what is behind the point.
    fn whole(&self) -> BigInt {
        BigInt::from_biguint(self.sign(), self.0.integer())
    }

    fn sign(&self) -> Sign {
        match (self.0.is_zero(), self.0.negative) {
            (true, _) => Sign::NoSign,
            (false, true) => Sign::Minus,
            (false, false) => Sign::Plus,
        }
    }

    pub(crate) fn is_zero(&self) -> bool {
        self.0.is_zero()
    }

    pub(crate) fn is_negative(&self) -> bool {
        self.sign() == Sign::Minus
    }

    /// Work of counting with it or writing it, beyond that of a usual one.
    pub(crate) fn work(&self) -> u64 {
        let bits = self.0.mantissa.bits() + self.0.exponent.unsigned_abs();
        match bits > 2 * OF_INTEGERS {
            true => bits / 4,
            false => 0,
        }
    }

    /// Bits that a result of these two has.
    fn precision(&self, other: &Self) -> u64 {
        self.0.precision.max(other.0.precision)
    }

    pub(crate) fn add(&self, other: &Self) -> Option<Self> {
        Self::new(self.0.add(&other.0, self.precision(other)))
    }

    pub(crate) fn subtract(&self, other: &Self) -> Option<Self> {
        self.add(&other.negated())
    }

    pub(crate) fn multiply(&self, other: &Self) -> Option<Self> {
        // Kept whole as far as it goes.
        let product = self.0.multiply(&other.0, PRECISION);
        let precision = self.precision(other).max(product.mantissa.bits());
        Self::new(product.with_precision(precision))
    }

    /// `None` for a division by zero, too.
    pub(crate) fn divide(&self, other: &Self) -> Option<Self> {
        if other.is_zero() {
            return None;
        }
        Self::new(self.0.divide(&other.0, self.precision(other)))
    }

    /// What is left when the whole part of the quotient is taken away so often, with the rounding that the
    /// language does on the way; `None` by zero.
    pub(crate) fn remainder(&self, other: &Self) -> Option<Self> {
        let precision = self.0.precision;
        let times = self.divide(other)?.whole();
        let times = Self::of_integer(&times, precision);
        let taken = other.0.multiply(&times.0, precision).negated();
        Self::new(self.0.add(&taken, precision))
    }

    fn of_integer(integer: &BigInt, precision: u64) -> Self {
        let negative = integer.sign() == Sign::Minus;
        let size = integer.magnitude().clone();
        Self(Binary::rounded(negative, size, 0, false, precision))
    }

    #[must_use]
    pub(crate) fn negated(&self) -> Self {
        Self(self.0.clone().negated())
    }

    #[must_use]
    pub(crate) fn absolute(&self) -> Self {
        match self.0.negative {
            true => self.negated(),
            false => self.clone(),
        }
    }

    #[must_use]
    pub(crate) fn floor(&self) -> Self {
        self.to_whole(self.is_negative(), -1)
    }

    #[must_use]
    pub(crate) fn ceiling(&self) -> Self {
        self.to_whole(!self.is_negative(), 1)
    }

    /// Without what is behind the point, and one step further if that is away from zero.
    fn to_whole(&self, further: bool, step: i32) -> Self {
        if self.is_integer() {
            return self.clone();
        }
        let whole = match further {
            true => self.whole() + step,
            false => self.whole(),
        };
        Self::of_integer(&whole, self.0.precision)
    }

    /// Written to `count` digits behind the point, without its sign.
    pub(crate) fn fixed(&self, count: usize) -> String {
        Decimal::fixed(&self.0, count).plain(count)
    }

    /// Written with a power of ten and so many digits behind the point, without its sign.
    pub(crate) fn scientific(&self, count: usize) -> String {
        Decimal::significant(&self.0, count.saturating_add(1)).scientific(count)
    }

    /// Written with a power of ten or without, whatever Go takes for the better; to so many digits in sum,
    /// or with as many as it needs. Without its sign.
    pub(crate) fn general(&self, count: Option<usize>) -> String {
        let count = count.map(|count| count.max(1));
        let decimal = match count {
            Some(count) => Decimal::significant(&self.0, count),
            None => Decimal::shortest(&self.0),
        };
        let digits = signed(decimal.digits.len() as u64);
        let most = match count.map(|count| signed(count as u64)) {
            None => 6,
            Some(count) if count > digits && digits >= decimal.point => digits,
            Some(count) => count,
        };
        let exponent = decimal.point - 1;
        match !self.is_zero() && (exponent < -4 || exponent >= most) {
            true => decimal.scientific(0),
            false => decimal.plain(0),
        }
    }

    /// Whether it is written with a `-`: zero may be.
    pub(crate) fn has_sign(&self) -> bool {
        self.0.negative
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        let (left, right) = (&self.0, &other.0);
        if left.is_zero() || right.is_zero() || left.negative != right.negative {
            return left.is_zero() && right.is_zero();
        }
        let same = left.mantissa == right.mantissa && left.exponent == right.exponent;
        same || (left.precision != right.precision && self.to_string() == other.to_string())
    }
}

impl Eq for Number {}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        match self == other {
            true => Ordering::Equal,
            false => self.0.compare(&other.0),
        }
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
        read(text).and_then(Self::new).ok_or(ParseNumberError)
    }
}

/// A sign, digits with a point among them, and a power of ten.
fn read(text: &str) -> Option<Binary> {
    let (negative, text) = match text.strip_prefix('-') {
        Some(text) => (true, text),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (digits, exponent) = match text.split_once(['e', 'E']) {
        Some((digits, exponent)) => (digits, exponent.parse::<i64>().ok()?),
        None => (text, 0),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all = [whole, fraction].concat();
    if all.is_empty() || !all.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let point = signed(all.len() as u64);
    let number = BigUint::parse_bytes(all.as_bytes(), 10)?;
    let exponent = exponent.checked_sub(signed(fraction.len() as u64))?;
    if number.bits() == 0 {
        return Some(Binary {
            negative,
            ..Binary::zero(PRECISION)
        });
    }
    // Before a power of ten is made of it.
    if !(-2 * MAX_EXPONENT..=2 * MAX_EXPONENT).contains(&exponent.checked_add(point)?) {
        return None;
    }
    let power = power_of_ten(exponent.unsigned_abs());
    Some(match exponent >= 0 {
        true => Binary::rounded(negative, number * power, 0, false, PRECISION),
        false => Binary::quotient(negative, number, &power, 0, PRECISION),
    })
}

macro_rules! from_integers {
    ($($integer:ty),*) => {$(
        impl From<$integer> for Number {
            fn from(value: $integer) -> Self {
                Self::of_integer(&BigInt::from(value), OF_INTEGERS)
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
        let precision = value.bits().max(OF_INTEGERS);
        Self::of_integer(&value, precision)
    }
}

impl fmt::Display for Number {
    /// Written out, without an exponent and without trailing zeros.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.negative {
            f.write_str("-")?;
        }
        f.write_str(&Decimal::shortest(&self.0).plain(0))
    }
}

impl fmt::Debug for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
