//! What Packer is told of the options: the shape of a source in the words of its protocol.

use lvhost_config::{Shape, ValueType};
use lvhost_packer::{Entry, Spec, Type};

/// What Packer itself adds to every source. A template may have them as well, without effect.
fn of_packer() -> [(&'static str, Type); 8] {
    [
        ("packer_build_name", Type::String),
        ("packer_builder_type", Type::String),
        ("packer_core_version", Type::String),
        ("packer_debug", Type::Bool),
        ("packer_force", Type::Bool),
        ("packer_on_error", Type::String),
        ("packer_sensitive_variables", Type::list(Type::String)),
        ("packer_user_variables", Type::map(Type::String)),
    ]
}

/// The options of a source. Nothing is required as far as Packer is concerned: it would only say that
/// something is missing, and not what it is for.
pub(super) fn specification(shape: &Shape) -> Spec {
    let mut specification = of_block(shape);
    for (name, value_type) in of_packer() {
        specification.insert(name, Entry::attribute(value_type));
    }
    specification
}

fn of_block(shape: &Shape) -> Spec {
    let attributes = shape.attributes.iter().map(|(name, attribute)| {
        let entry = Entry::attribute(of_value(attribute.value_type));
        (name.clone(), entry)
    });
    let blocks = shape.blocks.iter().map(|(name, block)| {
        let inner = of_block(&block.shape);
        let entry = match block.repeated {
            true => Entry::block_list(inner),
            false => Entry::block(inner),
        };
        (name.clone(), entry)
    });
    attributes.chain(blocks).collect()
}

fn of_value(value_type: ValueType) -> Type {
    match value_type {
        ValueType::Text => Type::String,
        ValueType::Number => Type::Number,
        ValueType::Boolean => Type::Bool,
        ValueType::TextList => Type::list(Type::String),
        ValueType::NumberList => Type::list(Type::Number),
        ValueType::TextMap => Type::map(Type::String),
    }
}
