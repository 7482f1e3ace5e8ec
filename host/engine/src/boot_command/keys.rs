//! The keys of a keyboard with the US layout, as the numbers of Linux' input events.
//!
//! The numbers are those of `linux/input-event-codes.h`; libvirt takes them as the code set
//! `linux`, see <https://libvirt.org/manpages/virkeycode-linux.html>. The guest has to be set to
//! the US layout while it is typed at, as every installer and boot loader is unless told otherwise.

/// A key by its number, and whether it takes the shift key to get the character.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) code: u32,
    pub(super) shift: bool,
}

/// The shift key that is pressed for a character that needs it.
pub(super) const LEFT_SHIFT: u32 = 42;
/// The other one; with it down, the left one isn't needed.
pub(super) const RIGHT_SHIFT: u32 = 54;

/// Keys with a name, as Packer's documentation spells them.
const NAMED: &[(&str, u32)] = &[
    ("bs", 14),
    ("del", 111),
    ("down", 108),
    ("end", 107),
    ("enter", 28),
    ("esc", 1),
    ("f1", 59),
    ("f2", 60),
    ("f3", 61),
    ("f4", 62),
    ("f5", 63),
    ("f6", 64),
    ("f7", 65),
    ("f8", 66),
    ("f9", 67),
    ("f10", 68),
    ("f11", 87),
    ("f12", 88),
    ("home", 102),
    ("insert", 110),
    ("left", 105),
    ("leftAlt", 56),
    ("leftCtrl", 29),
    ("leftMeta", 125),
    ("leftShift", LEFT_SHIFT),
    ("leftSuper", 125),
    ("menu", 127),
    ("pageDown", 109),
    ("pageUp", 104),
    ("return", 28),
    ("right", 106),
    ("rightAlt", 100),
    ("rightCtrl", 97),
    ("rightMeta", 126),
    ("rightShift", RIGHT_SHIFT),
    ("rightSuper", 126),
    ("spacebar", 57),
    ("tab", 15),
    ("up", 103),
];

/// Runs of keys that lie side by side: the number of the first, what they type, and what they type
/// with shift.
const ROWS: &[(u32, &str, &str)] = &[
    (2, "1234567890-=", "!@#$%^&*()_+"),
    (16, "qwertyuiop[]", "QWERTYUIOP{}"),
    (30, "asdfghjkl;'`", "ASDFGHJKL:\"~"),
    (43, "\\zxcvbnm,./", "|ZXCVBNM<>?"),
    (57, " ", ""),
];

/// The key with a name, such as `leftCtrl`, in any case.
pub(super) fn named(name: &str) -> Option<Key> {
    NAMED
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(name))
        .map(|&(_, code)| Key { code, shift: false })
}

/// All names.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    NAMED.iter().map(|(name, _)| *name)
}

/// The key that types a character.
pub(super) fn typing(character: char) -> Option<Key> {
    ROWS.iter().find_map(|&(first, plain, shifted)| {
        let position = |row: &str| {
            let index = row.chars().position(|known| known == character)?;
            u32::try_from(index).ok()
        };
        let plain = position(plain).map(|index| (index, false));
        let (index, shift) = plain.or_else(|| Some((position(shifted)?, true)))?;
        Some(Key {
            code: first + index,
            shift,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_character_of_the_layout_has_its_key() {
        for character in ' '..='~' {
            assert!(typing(character).is_some(), "{character}");
        }
        for character in ['\n', '\t', '\0', '\u{7f}', 'é', 'ß', '界', '😀', '\u{a0}'] {
            assert!(typing(character).is_none(), "{character:?}");
        }
    }

    #[test]
    fn no_key_types_two_characters_the_same_way() {
        let mut taken = std::collections::BTreeMap::new();
        for character in ' '..='~' {
            let key = typing(character).unwrap();
            let other = taken.insert((key.code, key.shift), character);
            assert_eq!(other, None, "{character}");
        }
    }

    #[test]
    fn characters_are_where_the_kernel_has_them() {
        // KEY_… of linux/input-event-codes.h.
        for (character, code, shift) in [
            ('1', 2, false),
            ('!', 2, true),
            ('0', 11, false),
            (')', 11, true),
            ('-', 12, false),
            ('_', 12, true),
            ('=', 13, false),
            ('+', 13, true),
            ('q', 16, false),
            ('P', 25, true),
            ('[', 26, false),
            ('}', 27, true),
            ('a', 30, false),
            ('L', 38, true),
            (';', 39, false),
            (':', 39, true),
            ('\'', 40, false),
            ('"', 40, true),
            ('`', 41, false),
            ('~', 41, true),
            ('\\', 43, false),
            ('|', 43, true),
            ('z', 44, false),
            ('M', 50, true),
            (',', 51, false),
            ('<', 51, true),
            ('.', 52, false),
            ('>', 52, true),
            ('/', 53, false),
            ('?', 53, true),
            (' ', 57, false),
        ] {
            let key = typing(character).unwrap();
            assert_eq!((key.code, key.shift), (code, shift), "{character}");
        }
    }

    #[test]
    fn names_are_found_in_any_case() {
        for (name, code) in [
            ("enter", 28),
            ("ENTER", 28),
            ("leftCtrl", 29),
            ("pageUp", 104),
            ("F12", 88),
        ] {
            assert_eq!(named(name).map(|key| key.code), Some(code), "{name}");
        }
        for name in ["", "ente", "f13", "f0", "a", "wait", " enter"] {
            assert!(named(name).is_none(), "{name}");
        }
    }
}
