//! Sizes as users write them: `10`, `1.5G`, `10GiB`.

use std::str::FromStr;

/// A number of bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Size(pub u64);

/// Why a text is not a size.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SizeError {
    /// There is no number in front.
    #[error("a size begins with a number, such as \"10GiB\"")]
    NoNumber,
    /// What follows the number is not a unit.
    #[error(
        "`{0}` is not a unit of size; use one of B, K, M, G, T, P, E (also KiB, MiB, … of 1024, \
         or KB, MB, … of 1000)"
    )]
    Unit(String),
    /// The number does not come to whole bytes.
    #[error("that is not a whole number of bytes")]
    Fraction,
    /// More than 2⁶⁴ bytes.
    #[error("that is more than any disk can hold")]
    TooLarge,
}

const LETTERS: &str = "KMGTPE";

/// The units of libvirt: one letter or `…iB` count in 1024, `…B` in 1000, none means bytes.
/// Source: <https://libvirt.org/formatstorage.html>, `allocation`.
fn multiplier(unit: &str) -> Option<u128> {
    let upper = unit.to_ascii_uppercase();
    if matches!(upper.as_str(), "" | "B" | "BYTES") {
        return Some(1);
    }
    let letter = upper.chars().next()?;
    let power = u32::try_from(LETTERS.find(letter)?).ok()? + 1;
    match upper.get(1..)? {
        "" | "IB" | "I" => Some(1024u128.pow(power)),
        "B" => Some(1000u128.pow(power)),
        _ => None,
    }
}

impl FromStr for Size {
    type Err = SizeError;

    fn from_str(text: &str) -> Result<Self, SizeError> {
        let text = text.trim();
        let end = text
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(text.len());
        let (number, unit) = text.split_at(end);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if whole.is_empty() || fraction.contains('.') || number.ends_with('.') {
            return Err(SizeError::NoNumber);
        }
        let unit = unit.trim();
        let multiplier = multiplier(unit).ok_or_else(|| SizeError::Unit(unit.to_string()))?;
        let whole: u128 = whole.parse().map_err(|_| SizeError::TooLarge)?;
        let mut bytes = whole.checked_mul(multiplier).ok_or(SizeError::TooLarge)?;
        let fraction = fraction.trim_end_matches('0');
        if !fraction.is_empty() {
            let digits = u32::try_from(fraction.len()).map_err(|_| SizeError::Fraction)?;
            let scale = 10u128.checked_pow(digits).ok_or(SizeError::Fraction)?;
            let part: u128 = fraction.parse().map_err(|_| SizeError::Fraction)?;
            let part = part.checked_mul(multiplier).ok_or(SizeError::Fraction)?;
            // `0.1G` is a fine size although 1024³ / 10 is not whole; below one byte it is not.
            if multiplier == 1 {
                return Err(SizeError::Fraction);
            }
            bytes += part / scale;
        }
        u64::try_from(bytes)
            .map(Size)
            .map_err(|_| SizeError::TooLarge)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sizes_of_the_documentation_and_of_templates_in_the_wild() {
        let gibi = 1024 * 1024 * 1024;
        for (text, bytes) in [
            ("10", 10),
            ("0", 0),
            ("1.5G", 3 * gibi / 2),
            ("10GiB", 10 * gibi),
            ("10Gi", 10 * gibi),
            ("1T", 1024 * gibi),
            ("20g", 20 * gibi),
            ("37GB", 37_000_000_000),
            ("204800M", 200 * gibi),
            (" 8 G ", 8 * gibi),
            ("512 bytes", 512),
            ("0.1G", 107_374_182),
            ("2.50K", 2560),
            ("15E", 15 << 60),
        ] {
            assert_eq!(text.parse(), Ok(Size(bytes)), "{text}");
        }
    }

    #[test]
    fn what_is_not_a_size_says_why() {
        for (text, error) in [
            ("", SizeError::NoNumber),
            ("G", SizeError::NoNumber),
            ("-1G", SizeError::NoNumber),
            ("1.G", SizeError::NoNumber),
            ("1.2.3G", SizeError::NoNumber),
            ("10X", SizeError::Unit("X".to_string())),
            ("10GiBs", SizeError::Unit("GiBs".to_string())),
            ("1.5", SizeError::Fraction),
            ("16E", SizeError::TooLarge),
            (
                "99999999999999999999999999999999999999999999",
                SizeError::TooLarge,
            ),
        ] {
            assert_eq!(text.parse::<Size>(), Err(error), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_size_or_an_error(text in "\\PC{0,40}") {
            let _: Result<Size, _> = text.parse();
        }

        #[test]
        fn whole_bytes_come_back(bytes: u64) {
            prop_assert_eq!(bytes.to_string().parse(), Ok(Size(bytes)));
        }
    }
}
