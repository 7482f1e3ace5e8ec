//! File identifiers: what a name becomes where it cannot stand as it is.
//!
//! Only systems that know neither Rock Ridge nor Joliet see the level 1 names, and only those
//! without Rock Ridge (Windows) the Joliet ones; so what cannot be stored is replaced, not refused.

use crate::catalog::{CatalogDirectory, Child};
use crate::unique::UniqueNames;

/// Most UCS-2 characters in a Joliet name. Joliet's own limit is 64; Windows, Linux and macOS read
/// longer names, and 103 is what other tools write when asked for long Joliet names
/// (`mkisofs -joliet-long`).
pub(super) const MAX_JOLIET_UNITS: usize = 103;

const LEVEL_1_BASE: usize = 8;
const LEVEL_1_EXTENSION: usize = 3;

/// Which of a disc's two hierarchies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Naming {
    /// ISO 9660 level 1 (8.3, `A`-`Z`, `0`-`9`, `_`), with Rock Ridge beside it.
    Primary,
    /// Joliet level 3: UCS-2.
    Joliet,
}

/// The identifiers of a directory's children, in the order of the children.
pub(super) fn identifiers(naming: Naming, directory: &CatalogDirectory<'_>) -> Vec<Vec<u8>> {
    match naming {
        Naming::Primary => {
            let names = assign(directory, level_1, |(base, extension), number| {
                let digits = format!("{number:03}");
                let keep = base.len().min(LEVEL_1_BASE - digits.len());
                (format!("{}{digits}", &base[..keep]), extension.clone())
            });
            let mut identifiers = Vec::with_capacity(names.len());
            for ((base, extension), (_, child)) in names.into_iter().zip(&directory.children) {
                identifiers.push(match child {
                    Child::Directory(_) => base.into_bytes(),
                    Child::File(_) => format!("{base}.{extension};1").into_bytes(),
                });
            }
            identifiers
        }
        // No version behind the name, as mkisofs and xorriso have it: readers that do not strip
        // the version would not find the file.
        Naming::Joliet => assign(directory, joliet, |units, number| {
            let tail: Vec<u16> = format!("~{number}").encode_utf16().collect();
            cut(units, &tail)
        })
        .into_iter()
        .map(|units| units.into_iter().flat_map(u16::to_be_bytes).collect())
        .collect(),
    }
}

/// The part of an identifier that records are sorted by (ECMA-119 §9.3): without the version, which
/// would sort `B;1` behind `B1;1`.
pub(super) fn sort_key(naming: Naming, identifier: &[u8]) -> &[u8] {
    match naming {
        Naming::Primary => identifier.strip_suffix(b";1").unwrap_or(identifier),
        Naming::Joliet => identifier,
    }
}

/// Gives each child a name of its own. Names that can stand as they are come first, so that none of
/// them is changed for the sake of one that must change anyway.
fn assign<Name: Ord + Clone>(
    directory: &CatalogDirectory<'_>,
    convert: impl Fn(&str, Child) -> (Name, bool),
    numbered: impl Fn(&Name, u32) -> Name,
) -> Vec<Name> {
    let converted: Vec<(Name, bool)> = directory
        .children
        .iter()
        .map(|(name, child)| convert(name, *child))
        .collect();
    let mut unique = UniqueNames::new();
    let mut names: Vec<Option<Name>> = converted
        .iter()
        .map(|(name, unchanged)| (*unchanged && unique.take(name)).then(|| name.clone()))
        .collect();
    for (slot, (name, _)) in names.iter_mut().zip(&converted) {
        if slot.is_none() {
            let free = unique.take(name);
            *slot = Some(match free {
                true => name.clone(),
                // One counter for the directory: names that begin alike are cut to the same
                // few characters, and would try each other's numbers over and over.
                false => unique.number((), |number| numbered(name, number)),
            });
        }
    }
    names.into_iter().flatten().collect()
}

/// A name as level 1 base and extension, and whether that is the very same name.
fn level_1(name: &str, child: Child) -> ((String, String), bool) {
    // A leading dot does not begin an extension.
    let dot = match child {
        Child::File(_) => name.rfind('.').filter(|&at| at > 0),
        Child::Directory(_) => None,
    };
    let (base, extension) = dot.map_or((name, ""), |at| (&name[..at], &name[at + 1..]));
    let field = |text: &str, limit| -> String {
        let d_character = |c: char| match c.to_ascii_uppercase() {
            c @ ('A'..='Z' | '0'..='9' | '_') => c,
            _ => '_',
        };
        text.chars().take(limit).map(d_character).collect()
    };
    let result = (
        field(base, LEVEL_1_BASE),
        field(extension, LEVEL_1_EXTENSION),
    );
    let unchanged = result.0 == base && result.1 == extension;
    (result, unchanged)
}

/// A name as Joliet takes it, and whether that is the very same name.
fn joliet(name: &str, _: Child) -> (Vec<u16>, bool) {
    let units: Vec<u16> = name.encode_utf16().collect();
    let allowed: Vec<u16> = units
        .iter()
        .map(|&unit| match char::from_u32(u32::from(unit)) {
            // The characters Joliet's specification excludes; control characters are excluded
            // from every tree.
            Some('*' | '/' | ':' | ';' | '?' | '\\') => u16::from(b'_'),
            _ => unit,
        })
        .collect();
    let result = cut(&allowed, &[]);
    let unchanged = result == units;
    (result, unchanged)
}

/// Cuts a Joliet name so that it fits with `tail` added before its extension.
fn cut(units: &[u16], tail: &[u16]) -> Vec<u16> {
    const LONGEST_EXTENSION_KEPT: usize = 16;
    let dot = units.iter().rposition(|&unit| unit == u16::from(b'.'));
    let (base, extension) = match dot {
        Some(at) if at > 0 && units.len() - at <= LONGEST_EXTENSION_KEPT => units.split_at(at),
        _ => (units, &[][..]),
    };
    let mut keep = base
        .len()
        .min(MAX_JOLIET_UNITS - extension.len() - tail.len());
    if keep < base.len() && (0xD800..0xDC00).contains(&base[keep - 1]) {
        keep -= 1; // not between the halves of a surrogate pair
    }
    [&base[..keep], tail, extension].concat()
}
