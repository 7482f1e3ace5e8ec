//! What tells an element of a fragment's apart from its namesakes.
use super::{Element, Fragment};
use crate::xml::domain::ALIAS_PREFIX;

/// What a fragment's element states of its key.
pub(super) fn stated(own: &Element, children: &[Fragment]) -> Vec<Key> {
    let child = |name: &str| children.iter().find(|child| child.element.name == name);
    let alias = child("alias").and_then(|alias| alias.element.value("name"));
    if let Some(alias) = alias {
        return vec![Key {
            part: KeyPart::ALIAS,
            value: alias.to_owned(),
        }];
    }
    parts(&own.name)
        .iter()
        .filter_map(|part| {
            let element = match part.child {
                Some(name) => &child(name)?.element,
                None => own,
            };
            Some(Key {
                part: *part,
                value: element.value(part.attribute)?.to_owned(),
            })
        })
        .collect()
}

/// An attribute that is part of a key: of the element itself, or of a child.
#[derive(Clone, Copy)]
pub(super) struct KeyPart {
    child: Option<&'static str>,
    attribute: &'static str,
}

impl KeyPart {
    const ALIAS: Self = Self {
        child: Some("alias"),
        attribute: "name",
    };

    const fn own(attribute: &'static str) -> Self {
        Self {
            child: None,
            attribute,
        }
    }

    const fn of(child: &'static str, attribute: &'static str) -> Self {
        Self {
            child: Some(child),
            attribute,
        }
    }

    pub(super) fn list(parts: &[Self]) -> String {
        let parts: Vec<String> = parts.iter().map(ToString::to_string).collect();
        parts.join(", ")
    }
}

impl std::fmt::Display for KeyPart {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.child {
            Some(child) => write!(f, "<{child} {}>", self.attribute),
            None => f.write_str(self.attribute),
        }
    }
}

/// A key with the value a fragment states.
pub(super) struct Key {
    part: KeyPart,
    value: String,
}

impl Key {
    pub(super) fn fits(&self, element: &Element) -> bool {
        let element = match self.part.child {
            Some(name) => element.find(name),
            None => Some(element),
        };
        let value = element.and_then(|element| element.value(self.part.attribute));
        value.is_some_and(|value| {
            if self.part.child == KeyPart::ALIAS.child {
                plain_alias(value) == plain_alias(&self.value)
            } else {
                // Hardware addresses are written in both cases; nothing else differs by case alone.
                value.eq_ignore_ascii_case(&self.value)
            }
        })
    }
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let attribute = self.part.attribute;
        match self.part.child {
            Some(child) => write!(f, "<{child} {attribute}={:?}>", self.value),
            None => write!(f, "{attribute}={:?}", self.value),
        }
    }
}

/// The table of the overlay's documentation.
pub(super) fn parts(name: &str) -> &'static [KeyPart] {
    const TARGET: &[KeyPart] = &[
        KeyPart::of("target", "type"),
        KeyPart::of("target", "name"),
        KeyPart::of("target", "port"),
    ];
    match name {
        "controller" => &const { [KeyPart::own("type"), KeyPart::own("index")] },
        "disk" => &const { [KeyPart::of("target", "dev")] },
        "interface" => &const { [KeyPart::of("mac", "address")] },
        "filesystem" => &const { [KeyPart::of("target", "dir")] },
        "console" | "serial" | "parallel" | "channel" => TARGET,
        "graphics" | "input" => &const { [KeyPart::own("type"), KeyPart::own("bus")] },
        "sound" => &const { [KeyPart::own("model")] },
        "feature" | "timer" | "entry" | "qemu:env" => &const { [KeyPart::own("name")] },
        "boot" => &const { [KeyPart::own("dev")] },
        _ => &[],
    }
}

fn plain_alias(name: &str) -> &str {
    name.strip_prefix(ALIAS_PREFIX).unwrap_or(name)
}
