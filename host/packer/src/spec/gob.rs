//! A [`Spec`] in gob: Go's `hcldec.ObjectSpec` with the types that its packages register.
//!
//! The type of an attribute is a stream of gob of its own within the value, with ids of its own.

use super::{Entry, Spec, Type};
use crate::gob::{
    SINGLETON, bytes, define_map, define_opaque, define_struct, id, int, interface, message, uint,
};

/// Ids of the types defined here. Any number that is free would do.
const OBJECT_SPEC: i64 = 65;
const ATTR_SPEC: i64 = 66;
const TYPE: i64 = 67;
const BLOCK_SPEC: i64 = 68;
const BLOCK_LIST_SPEC: i64 = 69;

/// Ids within the description of a type.
const GOB_TYPE: i64 = 65;
const IMPLEMENTATION: i64 = 66;
const ELEMENT: i64 = 67;

pub(super) fn encode(spec: &Spec) -> Vec<u8> {
    let mut out = Vec::new();
    define_map(
        &mut out,
        OBJECT_SPEC,
        "ObjectSpec",
        id::STRING,
        id::INTERFACE,
    );
    define_opaque(&mut out, TYPE, "Type");
    define_struct(
        &mut out,
        ATTR_SPEC,
        "AttrSpec",
        &[("Name", id::STRING), ("Type", TYPE), ("Required", id::BOOL)],
    );
    define_struct(
        &mut out,
        BLOCK_SPEC,
        "BlockSpec",
        &[
            ("TypeName", id::STRING),
            ("Nested", id::INTERFACE),
            ("Required", id::BOOL),
        ],
    );
    define_struct(
        &mut out,
        BLOCK_LIST_SPEC,
        "BlockListSpec",
        &[
            ("TypeName", id::STRING),
            ("Nested", id::INTERFACE),
            ("MinItems", id::INT),
            ("MaxItems", id::INT),
        ],
    );
    let mut value = Vec::new();
    int(&mut value, OBJECT_SPEC);
    value.extend(object(spec));
    message(&mut out, &value);
    out
}

fn object(spec: &Spec) -> Vec<u8> {
    let mut out = vec![SINGLETON];
    uint(&mut out, spec.len() as u64);
    for (name, entry) in spec.iter() {
        bytes(&mut out, name.as_bytes());
        self::entry(&mut out, name, entry);
    }
    out
}

fn entry(out: &mut Vec<u8>, name: &str, entry: &Entry) {
    // Each field is preceded by its distance from the one before.
    let mut fields = vec![1];
    bytes(&mut fields, name.as_bytes());
    fields.push(1);
    let (registered, type_id) = match entry {
        Entry::Attribute { type_, required } => {
            bytes(&mut fields, &self::type_(type_));
            flag(&mut fields, *required);
            ("*hcldec.AttrSpec", ATTR_SPEC)
        }
        Entry::Block { spec, required } => {
            nested(&mut fields, spec);
            flag(&mut fields, *required);
            ("*hcldec.BlockSpec", BLOCK_SPEC)
        }
        Entry::BlockList { spec } => {
            nested(&mut fields, spec);
            ("*hcldec.BlockListSpec", BLOCK_LIST_SPEC)
        }
    };
    fields.push(0);
    interface(out, registered, type_id, &fields);
}

fn nested(out: &mut Vec<u8>, spec: &Spec) {
    interface(
        out,
        "github.com/hashicorp/hcl/v2/hcldec.ObjectSpec",
        OBJECT_SPEC,
        &object(spec),
    );
}

/// A boolean, which is left out when it is false.
fn flag(out: &mut Vec<u8>, value: bool) {
    if value {
        out.extend([1, 1]);
    }
}

/// A whole stream that describes a type.
fn type_(type_: &Type) -> Vec<u8> {
    let mut out = Vec::new();
    define_struct(
        &mut out,
        GOB_TYPE,
        "gobType",
        &[("Version", id::INT), ("Impl", id::INTERFACE)],
    );
    let mut fields = vec![1];
    let registered = match type_ {
        Type::String => primitive(&mut out, &mut fields, b'S'),
        Type::Number => primitive(&mut out, &mut fields, b'N'),
        Type::Bool => primitive(&mut out, &mut fields, b'B'),
        Type::List(element) => collection(&mut out, &mut fields, "typeList", element),
        Type::Map(element) => collection(&mut out, &mut fields, "typeMap", element),
    };
    fields.push(0);
    let mut value = Vec::new();
    int(&mut value, GOB_TYPE);
    // The version is zero and left out.
    value.push(2);
    let registered = format!("github.com/zclconf/go-cty/cty.{registered}");
    interface(&mut value, &registered, IMPLEMENTATION, &fields);
    value.push(0);
    message(&mut out, &value);
    out
}

fn primitive(out: &mut Vec<u8>, fields: &mut Vec<u8>, kind: u8) -> &'static str {
    define_struct(out, IMPLEMENTATION, "primitiveType", &[("Kind", id::UINT)]);
    uint(fields, kind.into());
    "primitiveType"
}

fn collection(
    out: &mut Vec<u8>,
    fields: &mut Vec<u8>,
    name: &'static str,
    element: &Type,
) -> &'static str {
    define_opaque(out, ELEMENT, "Type");
    define_struct(out, IMPLEMENTATION, name, &[("ElementTypeT", ELEMENT)]);
    bytes(fields, &type_(element));
    name
}
