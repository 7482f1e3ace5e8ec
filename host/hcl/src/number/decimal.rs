//! Binary numbers as decimal text.

use bigdecimal::num_bigint::BigUint;
use bigdecimal::{ToPrimitive, Zero};

use super::binary::{Binary, power_of_ten};

/// Decimal digits without zeros at either end, and where the point stands: `0.digits * 10^point`.
pub(super) struct Decimal {
    pub(super) digits: Vec<u8>,
    pub(super) point: i64,
}

/// Digits behind the point that are tried first: nobody writes more.
const USUAL_DIGITS: u64 = 18;

impl Decimal {
    fn new(number: &BigUint, scale: i64) -> Self {
        let text = number.to_str_radix(10);
        let point = i64::try_from(text.len()).unwrap_or(i64::MAX) - scale;
        let digits = text.trim_end_matches('0').as_bytes().to_vec();
        match digits.is_empty() {
            true => Self { digits, point: 0 },
            false => Self { digits, point },
        }
    }

    /// The shortest digits from which the number can be told again, at its precision.
    pub(super) fn shortest(number: &Binary) -> Self {
        if number.is_zero() {
            return Self::new(&BigUint::zero(), 0);
        }
        let precision = number.precision.max(number.mantissa.bits());
        if number.is_integer() && number.magnitude() <= i64::try_from(precision).unwrap_or(i64::MAX)
        {
            return Self::new(&number.integer(), 0);
        }
        if let Some(usual) = usual(number, precision) {
            return usual;
        }
        // Twice the last bit, to have a half of it, too.
        let mantissa = &number.mantissa << (precision + 1 - number.mantissa.bits());
        let exponent = number.magnitude() - i64::try_from(precision + 1).unwrap_or(i64::MAX);
        // So many digits behind the point that the last bit shows, and some more.
        let scale = (precision + 8 - 1) as f64 * std::f64::consts::LOG10_2 + 4.0
            - number.magnitude() as f64 * std::f64::consts::LOG10_2;
        let scale = scale as i64;
        let (middle, exact) = scaled(&mantissa, exponent, scale);
        let (low, low_exact) = scaled(&(&mantissa - 1u32), exponent, scale);
        let (high, high_exact) = scaled(&(&mantissa + 1u32), exponent, scale);
        let inclusive = !mantissa.bit(1);
        let ends = |digits: &BigUint, exact: bool| {
            let mut digits = digits.to_str_radix(10).into_bytes();
            if !exact {
                // Something follows.
                digits.push(b'1');
            }
            let end = digits.iter().rposition(|digit| *digit != b'0');
            digits.truncate(end.map_or(0, |end| end + 1));
            digits
        };
        let point = i64::try_from(middle.to_str_radix(10).len()).unwrap_or(i64::MAX) - scale;
        let (middle, low, high) = (
            ends(&middle, exact),
            ends(&low, low_exact),
            ends(&high, high_exact),
        );
        let mut decimal = Self {
            digits: middle,
            point,
        };
        for position in 0..decimal.digits.len() {
            let at = |digits: &[u8]| digits.get(position).copied().unwrap_or(b'0');
            let (digit, below, above) = (at(&decimal.digits), at(&low), at(&high));
            let down = below != digit || inclusive && position + 1 == low.len();
            let up =
                digit != above && (inclusive || digit + 1 < above || position + 1 < high.len());
            match (down, up) {
                (true, true) => decimal.round(position + 1),
                (true, false) => decimal.round_down(position + 1),
                (false, true) => decimal.round_up(position + 1),
                (false, false) => continue,
            }
            break;
        }
        decimal
    }

    /// The first `count` digits, rounded.
    pub(super) fn significant(number: &Binary, count: usize) -> Self {
        let mut decimal = Self::exact_to(number, |point| {
            i64::try_from(count)
                .unwrap_or(i64::MAX)
                .saturating_sub(point)
        });
        decimal.round(count);
        decimal
    }

    /// The number to `count` digits behind the point, rounded.
    pub(super) fn fixed(number: &Binary, count: usize) -> Self {
        let behind = i64::try_from(count).unwrap_or(i64::MAX);
        let mut decimal = Self::exact_to(number, |_| behind);
        let kept = decimal.point.saturating_add(behind);
        match usize::try_from(kept) {
            Ok(kept) => decimal.round(kept),
            Err(_) => decimal = Self::new(&BigUint::zero(), 0),
        }
        decimal
    }

    /// All digits up to so many behind the point, and what tells of the rest how to round.
    fn exact_to(number: &Binary, behind: impl Fn(i64) -> i64) -> Self {
        if number.is_zero() {
            return Self::new(&BigUint::zero(), 0);
        }
        let point = (number.magnitude() as f64 * std::f64::consts::LOG10_2) as i64;
        let scale = behind(point).saturating_add(4);
        let (digits, exact) = scaled(&number.mantissa, number.exponent, scale);
        // One more digit says that something follows.
        match exact {
            true => Self::new(&digits, scale),
            false => Self::new(&(digits * 10u32 + 1u32), scale + 1),
        }
    }

    fn round(&mut self, count: usize) {
        let up = match self.digits.get(count) {
            None => return,
            Some(b'5') if count + 1 == self.digits.len() => {
                count > 0
                    && self
                        .digits
                        .get(count - 1)
                        .is_some_and(|digit| digit % 2 == 1)
            }
            Some(digit) => *digit >= b'5',
        };
        match up {
            true => self.round_up(count),
            false => self.round_down(count),
        }
    }

    fn round_down(&mut self, count: usize) {
        self.digits.truncate(count);
        let end = self.digits.iter().rposition(|digit| *digit != b'0');
        self.digits.truncate(end.map_or(0, |end| end + 1));
        if self.digits.is_empty() {
            self.point = 0;
        }
    }

    fn round_up(&mut self, count: usize) {
        self.digits.truncate(count);
        while self.digits.last() == Some(&b'9') {
            self.digits.pop();
        }
        match self.digits.last_mut() {
            Some(digit) => *digit += 1,
            None => {
                self.digits.push(b'1');
                self.point += 1;
            }
        }
    }

    /// Written out, with at least `behind` digits behind the point.
    pub(super) fn plain(&self, behind: usize) -> String {
        let mut text = String::new();
        let whole = usize::try_from(self.point).unwrap_or(0);
        let digit = |at: usize| char::from(self.digits.get(at).copied().unwrap_or(b'0'));
        match whole {
            0 => text.push('0'),
            _ => text.extend((0..whole).map(digit)),
        }
        let zeros = usize::try_from(-self.point).unwrap_or(0);
        let rest = self.digits.len().saturating_sub(whole);
        let count = behind.max(match rest {
            0 => 0,
            _ => zeros + rest,
        });
        if count > 0 {
            text.push('.');
            text.extend((0..count).map(|at| match at.checked_sub(zeros) {
                Some(at) => digit(whole + at),
                None => '0',
            }));
        }
        text
    }

    /// With one digit before the point and at least `behind` behind it, and the power of ten.
    pub(super) fn scientific(&self, behind: usize) -> String {
        let digit = |at: usize| char::from(self.digits.get(at).copied().unwrap_or(b'0'));
        let mut text = String::from(digit(0));
        let count = behind.max(self.digits.len().saturating_sub(1));
        if count > 0 {
            text.push('.');
            text.extend((1..=count).map(digit));
        }
        let exponent = match self.digits.is_empty() {
            true => 0,
            false => self.point - 1,
        };
        let sign = if exponent < 0 { '-' } else { '+' };
        text.push_str(&format!("e{sign}{:02}", exponent.unsigned_abs()));
        text
    }
}

/// The digits of a number that has few behind the point.
fn usual(number: &Binary, precision: u64) -> Option<Decimal> {
    // With so few digits in sum no two texts are the same number.
    let most = (precision.checked_sub(2)? as f64 * std::f64::consts::LOG10_2) as usize;
    let scale = USUAL_DIGITS.min(most as u64);
    let power = power_of_ten(scale);
    let down = number.exponent.checked_neg()?.to_u64()?;
    let product = &number.mantissa * &power;
    let mut nearest = &product >> down;
    if down > 0 && product.bit(down - 1) {
        nearest += 1u32;
    }
    if nearest.is_zero() {
        return None;
    }
    let decimal = Decimal::new(&nearest, i64::try_from(scale).ok()?);
    if decimal.digits.len() > most {
        return None;
    }
    let again = Binary::quotient(number.negative, nearest, &power, 0, precision);
    let same = again.mantissa == number.mantissa && again.exponent == number.exponent;
    same.then_some(decimal)
}

/// `mantissa * 2^exponent * 10^scale` without what is behind the point, and whether nothing was there.
fn scaled(mantissa: &BigUint, exponent: i64, scale: i64) -> (BigUint, bool) {
    let power = power_of_ten(scale.unsigned_abs());
    let (mut numerator, mut denominator) = match scale >= 0 {
        true => (mantissa * power, BigUint::from(1u32)),
        false => (mantissa.clone(), power),
    };
    match exponent >= 0 {
        true => numerator <<= exponent.unsigned_abs(),
        false => denominator <<= exponent.unsigned_abs(),
    }
    let quotient = &numerator / &denominator;
    let exact = &quotient * &denominator == numerator;
    (quotient, exact)
}
