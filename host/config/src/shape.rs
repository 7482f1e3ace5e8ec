//! The bare shape of a source: names and types of all that may stand in it. This is what a program that
//! reads templates by itself, as Packer does, has to know of it.

use std::collections::BTreeMap;

use crate::declare::Declared;
use crate::libvirt_source::LibvirtSource;
use crate::schema::{BlockSchema, ValueType};
use crate::volume_source::{SourceOptionType, SourceSchemas, VolumeSource};

/// What may stand in a block, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shape {
    /// The options.
    pub attributes: BTreeMap<String, AttributeShape>,
    /// The blocks.
    pub blocks: BTreeMap<String, InnerShape>,
}

/// An option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AttributeShape {
    /// Its type.
    pub value_type: ValueType,
    /// A block without it is an error.
    pub required: bool,
}

/// A block inside of a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InnerShape {
    /// It may stand there more than once.
    pub repeated: bool,
    /// What may be in it.
    pub shape: Shape,
}

/// The shape of a `source "libvirt"`.
///
/// What is marked as not supported is in it, so that lvhost is the one to speak of it. A volume's
/// `source` has the options of all kinds of sources together, none of them required; where two kinds
/// don't agree on the type of an option, the first one has its way. The communicator's options, which
/// lvhost takes directly in the source as well, stand in their block only.
pub fn source_shape(sources: &SourceSchemas) -> Shape {
    shape(LibvirtSource::SCHEMA, sources)
}

fn shape(schema: &BlockSchema, sources: &SourceSchemas) -> Shape {
    let mut shape = Shape::default();
    for option in schema.options {
        let attribute = AttributeShape {
            value_type: option.kind.value_type(),
            required: option.required,
        };
        shape.attributes.insert(option.name.to_string(), attribute);
    }
    if std::ptr::eq(schema, VolumeSource::SCHEMA) {
        for option in sources.kinds().iter().flat_map(|kind| &kind.options) {
            shape
                .attributes
                .entry(option.name.clone())
                .or_insert(AttributeShape {
                    value_type: option.option_type.value_type(),
                    required: false,
                });
        }
    }
    for block in schema.blocks {
        let inner = InnerShape {
            repeated: block.repeated,
            shape: self::shape(block.schema, sources),
        };
        shape.blocks.insert(block.name.to_string(), inner);
    }
    shape
}

impl SourceOptionType {
    /// The type of the values that a user may write.
    pub const fn value_type(self) -> ValueType {
        match self {
            Self::Text => ValueType::Text,
            Self::Integer => ValueType::Number,
            Self::Boolean => ValueType::Boolean,
            Self::TextList => ValueType::TextList,
            Self::TextMap => ValueType::TextMap,
        }
    }
}
