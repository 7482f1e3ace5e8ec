//! Which names fit, and which of two is the newer one.

use std::cmp::Ordering;

/// A pattern for names: `*` stands for any text, `?` for any character.
pub(crate) struct Pattern(Vec<char>);

impl Pattern {
    pub(crate) fn new(text: &str) -> Self {
        Self(text.chars().collect())
    }

    /// Whether the whole name fits.
    pub(crate) fn fits(&self, name: &str) -> bool {
        let name: Vec<char> = name.chars().collect();
        let (mut p, mut n) = (0, 0);
        // Where the last `*` stands, and how much of the name it has taken so far.
        let mut star: Option<(usize, usize)> = None;
        while n < name.len() {
            match self.0.get(p) {
                Some('*') => {
                    star = Some((p, n));
                    p += 1;
                }
                Some(&wanted) if wanted == '?' || wanted == name[n] => {
                    p += 1;
                    n += 1;
                }
                _ => match star {
                    Some((at, taken)) => {
                        star = Some((at, taken + 1));
                        p = at + 1;
                        n = taken + 1;
                    }
                    None => return false,
                },
            }
        }
        self.0[p..].iter().all(|rest| *rest == '*')
    }
}

/// Orders names so that the newest is the greatest: by characters, where digits in a row are a number.
pub(crate) fn by_age(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (a, b);
    loop {
        let (number_left, after_left) = split_number(left);
        let (number_right, after_right) = split_number(right);
        let order = if number_left.is_empty() || number_right.is_empty() {
            let (first_left, first_right) = (left.chars().next(), right.chars().next());
            if first_left.is_none() && first_right.is_none() {
                // `1` and `01` are the same number; any order will do, as long as it is one.
                return a.cmp(b);
            }
            left = &left[first_left.map_or(0, char::len_utf8)..];
            right = &right[first_right.map_or(0, char::len_utf8)..];
            first_left.cmp(&first_right)
        } else {
            (left, right) = (after_left, after_right);
            // However many digits: without leading zeros the longer number is the greater one.
            let lengths = number_left.len().cmp(&number_right.len());
            lengths.then(number_left.cmp(number_right))
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

/// The number a text begins with, without leading zeros but its last digit, and what is behind it.
fn split_number(text: &str) -> (&str, &str) {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    let stripped = digits.trim_start_matches('0');
    match (digits.is_empty(), stripped.is_empty()) {
        (false, true) => (&digits[digits.len() - 1..], rest),
        _ => (stripped, rest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_name_has_to_fit() {
        for (pattern, name, expected) in [
            ("disk.img", "disk.img", true),
            ("disk.img", "disk.img.sig", false),
            ("disk-*.img", "disk-.img", true),
            ("disk-*.img", "disk-a.img.b.img", true),
            ("disk-*.img", "disk-a.img.sig", false),
            ("*", "", true),
            ("?", "ü", true),
            ("?", "", false),
            ("a*b*c", "axxbyybc", true),
            ("a*b*c", "axxbyyb", false),
            ("", "a", false),
            ("**a", "ba", true),
        ] {
            assert_eq!(
                Pattern::new(pattern).fits(name),
                expected,
                "{pattern} {name}"
            );
        }
    }

    #[test]
    fn numbers_count_as_numbers() {
        for (older, newer) in [
            ("disk-9.img", "disk-10.img"),
            ("disk-20240507-1740.img", "disk-20240508-0100.img"),
            ("disk-1.9.2.img", "disk-1.10.0.img"),
            ("disk-009.img", "disk-10.img"),
            (
                "disk-99999999999999999999.img",
                "disk-100000000000000000000.img",
            ),
            ("disk", "disk-1"),
            ("a0", "a00"),
            ("disk-a", "disk-b"),
        ] {
            let order = by_age(older, newer);
            let back = by_age(newer, older);
            if older == "a0" {
                assert_ne!(order, Ordering::Equal, "{older} {newer}");
                assert_eq!(order, back.reverse());
                continue;
            }
            assert_eq!(order, Ordering::Less, "{older} {newer}");
            assert_eq!(back, Ordering::Greater, "{older} {newer}");
        }
        assert_eq!(by_age("disk-1", "disk-1"), Ordering::Equal);
    }
}
