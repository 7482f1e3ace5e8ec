//! What a template says about a download's integrity, taken apart.

use crate::{Algorithm, Digest, Fault, Location};

const DIGITS: &str = "write `sha256:` and the 64 digits";

/// The option `checksum`, or what `checksum=` says in a query.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Checksum {
    /// Nothing is known.
    None,
    /// The file must have this digest.
    Digest(Digest),
    /// The digest stands in a list there, such as `SHA256SUMS`.
    List(Box<Location>),
}

impl Checksum {
    /// Parses `md5:…`, `sha1:…`, `sha256:…`, `sha512:…`, bare hexadecimal digits (the algorithm follows
    /// from their number), `file:` and the URL or path of a list of checksums, `none`, or nothing at all,
    /// which is the same as `none`.
    ///
    /// # Errors
    /// Any other text.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let text = text.trim();
        if text.is_empty() || text.eq_ignore_ascii_case("none") {
            return Ok(Self::None);
        }
        let (algorithm, digits) = match text.split_once(':') {
            Some((prefix, list)) if prefix.eq_ignore_ascii_case("file") => return list_at(list),
            Some((prefix, digits)) => match Algorithm::from_name(prefix) {
                Some(algorithm) => (Some(algorithm), digits),
                None => {
                    return Err(Fault::new(
                        format!("`{prefix}` is no checksum algorithm"),
                        "use `md5`, `sha1`, `sha256`, `sha512` or `file`",
                    ));
                }
            },
            None => (None, text),
        };
        if let Some(other) = digits.chars().find(|digit| !digit.is_ascii_hexdigit()) {
            let message = format!("{other:?} is no hexadecimal digit");
            return Err(Fault::new(message, DIGITS));
        }
        let of_length = || {
            let mut all = Algorithm::ALL.into_iter();
            all.find(|algorithm| algorithm.length() * 2 == digits.len())
        };
        let digest = algorithm
            .or_else(of_length)
            .and_then(|algorithm| Digest::from_hex(algorithm, digits));
        digest.map(Self::Digest).ok_or_else(|| {
            let message = match algorithm.map(|algorithm| algorithm.length() * 2) {
                Some(expected) => {
                    format!("it has {} digits and should have {expected}", digits.len())
                }
                None => format!("no algorithm has {} digits", digits.len()),
            };
            Fault::new(message, DIGITS)
        })
    }
}

/// A list is a plain file.
fn list_at(text: &str) -> Result<Checksum, Fault> {
    let location = Location::parse(text).map_err(|fault| Fault {
        message: format!("where the checksums are: {}", fault.message),
        ..fault
    })?;
    if location.steering.is_plain() {
        return Ok(Checksum::List(Box::new(location)));
    }
    Err(Fault::new(
        "where the checksums are: `archive=`, `checksum=` and `//` mean nothing there",
        "give the location of the list alone",
    ))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn refused_texts_say_why_and_what_to_write() {
        let cases = [
            (
                "file:",
                "where the checksums are: the location is empty; give",
            ),
            ("file:git::https://h/a", "would run `git`"),
            ("file:https://h/a?checksum=none", "mean nothing there"),
            ("file:/srv/sums.zip//a", "mean nothing there"),
            ("crc32:00", "`crc32` is no checksum algorithm; use `md5`"),
            ("md5:00", "it has 2 digits and should have 32; write"),
            ("sha256:abc", "it has 3 digits and should have 64"),
            ("abcd", "no algorithm has 4 digits"),
            ("sha256:xyz", "'x' is no hexadecimal digit"),
            ("hello", "'h' is no hexadecimal digit"),
        ];
        for (text, part) in cases {
            let fault = Checksum::parse(text).unwrap_err().to_string();
            assert!(fault.contains(part), "{text}: {fault}");
        }
    }

    #[test]
    fn nothing_is_none() {
        for text in ["", "  ", "none", "NONE"] {
            assert_eq!(Checksum::parse(text).unwrap(), Checksum::None);
        }
    }

    #[test]
    fn a_list_is_a_url_or_a_path() {
        for (text, address) in [
            ("file:https://h/SHA256SUMS", "https://h/SHA256SUMS"),
            ("FILE:SHA256SUMS", "SHA256SUMS"),
            ("file:///srv/SHA256SUMS", "///srv/SHA256SUMS"),
            ("file:file:///srv/a%20b", "file:///srv/a%20b"),
        ] {
            match Checksum::parse(text).unwrap() {
                Checksum::List(list) => assert_eq!(list.address, address),
                other => panic!("{text}: {other:?}"),
            }
        }
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_or_refused(text in "\\PC*") {
            let _ = Checksum::parse(&text);
        }

        #[test]
        fn bare_and_prefixed_digits_mean_the_same(
            algorithm in proptest::sample::select(&Algorithm::ALL[..]),
            seed in "[0-9a-fA-F]{128}",
        ) {
            let digits = &seed[..algorithm.length() * 2];
            let bare = Checksum::parse(digits).unwrap();
            let prefixed = Checksum::parse(&format!(" {algorithm}:{digits} ")).unwrap();
            prop_assert_eq!(&bare, &prefixed);
            let digest = Digest::from_hex(algorithm, digits).unwrap();
            prop_assert_eq!(digest.to_string(), digits.to_lowercase());
            prop_assert_eq!(bare, Checksum::Digest(digest));
        }
    }
}
