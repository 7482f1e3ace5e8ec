//! What Packer is told of the options of a builder, and the two encodings of it.
//!
//! Packer checks names and types of an HCL template's options against this before a builder sees them.
//! Which encoding it wants follows from how it starts the plugin; see [`SpecEncoding`].

mod gob;
mod protobuf;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

/// The options of a block, or of the builder itself, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Spec(BTreeMap<String, Entry>);

/// One option.
///
/// These are all that Packer's protobuf encoding has; labelled blocks, sets and tuples can't be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// `name = value`.
    Attribute {
        /// What the value is converted to.
        type_: Type,
        /// Whether Packer reports it when it is missing. Such a report has no hint; a builder's own
        /// check in `prepare` can say more.
        required: bool,
    },
    /// `name { … }`, at most once.
    Block {
        /// What may stand in it.
        spec: Spec,
        /// Whether Packer reports it when it is missing.
        required: bool,
    },
    /// `name { … }`, any number of times, in order.
    BlockList {
        /// What may stand in each.
        spec: Spec,
    },
}

/// The type of an attribute's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Type {
    /// Text.
    String,
    /// A number, whole or not.
    Number,
    /// A boolean.
    Bool,
    /// A list of one type.
    List(Box<Type>),
    /// A map from text to one type.
    Map(Box<Type>),
}

/// How a [`Spec`] travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpecEncoding {
    /// Go's gob: Packer before 1.12, and a newer one as soon as one installed plugin knows no other.
    Gob,
    /// Protocol Buffers: Packer from 1.12 on, which says so with `--protobuf`.
    Protobuf,
}

impl Type {
    /// A list of `element`.
    pub fn list(element: Type) -> Self {
        Self::List(Box::new(element))
    }

    /// A map from text to `element`.
    pub fn map(element: Type) -> Self {
        Self::Map(Box::new(element))
    }
}

impl Entry {
    /// An attribute that may be left out.
    pub fn attribute(type_: Type) -> Self {
        Self::Attribute {
            type_,
            required: false,
        }
    }

    /// A block that may stand once.
    pub fn block(spec: Spec) -> Self {
        Self::Block {
            spec,
            required: false,
        }
    }

    /// A block that may stand any number of times.
    pub fn block_list(spec: Spec) -> Self {
        Self::BlockList { spec }
    }
}

impl Spec {
    /// A block without options.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same with one option more. A second one of the same name replaces the first.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, entry: Entry) -> Self {
        self.0.insert(name.into(), entry);
        self
    }

    /// Adds an option; one of the same name is replaced.
    pub fn insert(&mut self, name: impl Into<String>, entry: Entry) {
        self.0.insert(name.into(), entry);
    }

    /// The options in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.0.iter().map(|(name, entry)| (name.as_str(), entry))
    }

    /// How many options there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no option.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn encode(&self, encoding: SpecEncoding) -> Vec<u8> {
        match encoding {
            SpecEncoding::Gob => gob::encode(self),
            SpecEncoding::Protobuf => protobuf::encode(self),
        }
    }
}

impl<N: Into<String>> FromIterator<(N, Entry)> for Spec {
    fn from_iter<I: IntoIterator<Item = (N, Entry)>>(entries: I) -> Self {
        Self(
            entries
                .into_iter()
                .map(|(name, entry)| (name.into(), entry))
                .collect(),
        )
    }
}
