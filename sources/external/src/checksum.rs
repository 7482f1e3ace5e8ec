//! Whether a checksum is one. The host computes it; here it is only read, so that a slip shows
//! before the download.

use lvhost_location::Checksum;
use lvhost_plugin_sdk::Diagnostic;

/// What there is to say about the option `checksum`. It isn't missed where the URLs bring their
/// own.
pub(crate) fn check(checksum: Option<&str>, is_in_urls: bool) -> Option<Diagnostic> {
    let Some(text) = checksum.map(str::trim).filter(|text| !text.is_empty()) else {
        if is_in_urls {
            return None;
        }
        let message = "without a checksum nobody notices when the image is changed or damaged";
        return Some(Diagnostic::warning("checksum", message).help(
            "set `checksum = \"sha256:DIGITS\"`, or `checksum = \"file:URL\"` with the list that most \
             sites publish beside their images, or `checksum = \"none\"`",
        ));
    };
    let fault = Checksum::parse(text).err()?;
    Some(Diagnostic::error("checksum", fault.message).help(fault.help))
}

#[cfg(test)]
mod tests {
    use lvhost_plugin_sdk::Severity;

    use super::*;

    #[test]
    fn checksums_and_none_pass() {
        let digits = "0123456789abcdefABCDEF0123456789";
        let cases = [
            "none".to_owned(),
            "NONE".to_owned(),
            digits.to_owned(),
            format!("md5:{digits}"),
            format!(" sha256:{digits}{digits} "),
            format!("SHA512:{}", digits.repeat(4)),
            digits.repeat(2),
            "file:https://example.org/SHA256SUMS".to_owned(),
            "file:./SHA256SUMS".to_owned(),
        ];
        for checksum in cases {
            assert_eq!(check(Some(&checksum), false), None, "{checksum}");
        }
    }

    #[test]
    fn no_checksum_is_warned_of() {
        for checksum in [None, Some(""), Some(" ")] {
            let diagnostic = check(checksum, false).unwrap();
            assert_eq!(diagnostic.severity, Severity::Warning);
            assert_eq!(check(checksum, true), None);
        }
    }

    #[test]
    fn slips_are_errors() {
        let cases = [
            ("sha256:abc", "has 3 digits and should have 64"),
            ("abc", "no algorithm has 3 digits"),
            ("sha256:xyz", "'x' is no hexadecimal digit"),
            ("crc32:00", "`crc32` is no checksum algorithm"),
            ("file:", "where the checksums are: the location is empty"),
            ("file:git::https://h/a", "would run `git`"),
        ];
        for (checksum, message) in cases {
            let diagnostic = check(Some(checksum), true).unwrap();
            assert_eq!(diagnostic.severity, Severity::Error);
            assert!(
                diagnostic.message.contains(message),
                "{checksum}: {diagnostic:?}"
            );
        }
    }
}
