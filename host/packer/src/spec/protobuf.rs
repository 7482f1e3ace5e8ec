//! A [`Spec`] in Protocol Buffers: the messages of the SDK's `hcl_spec.proto`.
//!
//! ```text
//!   Spec      = one of 1 object: Object, 2 attr: Attr, 3 block_value: Block, 4 block_list: BlockList
//!   Object    = 1 attributes: map<string, Spec>
//!   Attr      = 1 name, 2 type: CtyType, 3 required: bool
//!   Block     = 1 name, 2 required: bool, 3 nested: Spec
//!   BlockList = 1 name, 2 nested: Spec
//!   CtyType   = one of 1 primitive: {1 typeString}, 2 list: {1 elementType}, 3 map: {1 elementType}
//! ```

use super::{Entry, Spec, Type};

pub(super) fn encode(spec: &Spec) -> Vec<u8> {
    object(spec)
}

/// A `Spec` that is an object.
fn object(spec: &Spec) -> Vec<u8> {
    let mut entries = Vec::new();
    for (name, entry) in spec.iter() {
        let mut pair = Vec::new();
        field(&mut pair, 1, name.as_bytes());
        field(&mut pair, 2, &self::entry(name, entry));
        field(&mut entries, 1, &pair);
    }
    message(1, &entries)
}

/// A `Spec` that is one option.
fn entry(name: &str, entry: &Entry) -> Vec<u8> {
    let mut fields = Vec::new();
    field(&mut fields, 1, name.as_bytes());
    match entry {
        Entry::Attribute { type_, required } => {
            field(&mut fields, 2, &self::type_(type_));
            flag(&mut fields, 3, *required);
            message(2, &fields)
        }
        Entry::Block { spec, required } => {
            flag(&mut fields, 2, *required);
            field(&mut fields, 3, &object(spec));
            message(3, &fields)
        }
        Entry::BlockList { spec } => {
            field(&mut fields, 2, &object(spec));
            message(4, &fields)
        }
    }
}

fn type_(type_: &Type) -> Vec<u8> {
    match type_ {
        Type::String => message(1, &message(1, b"cty.String")),
        Type::Number => message(1, &message(1, b"cty.Number")),
        Type::Bool => message(1, &message(1, b"cty.Bool")),
        Type::List(element) => message(2, &message(1, &self::type_(element))),
        Type::Map(element) => message(3, &message(1, &self::type_(element))),
    }
}

/// A message with one field.
fn message(number: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(content.len() + 6);
    field(&mut bytes, number, content);
    bytes
}

fn field(out: &mut Vec<u8>, number: u8, content: &[u8]) {
    const LENGTH_DELIMITED: u8 = 2;
    out.push(number << 3 | LENGTH_DELIMITED);
    let mut length = content.len();
    while length >= 0x80 {
        out.push(length as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
    out.extend_from_slice(content);
}

/// A boolean, which is left out when it is false.
fn flag(out: &mut Vec<u8>, number: u8, value: bool) {
    if value {
        out.extend([number << 3, 1]);
    }
}
