//! Types as a `variable` block or `convert` names them, and conversion to them.

mod convert;
mod parse;
mod unify;

use std::collections::BTreeMap;
use std::fmt;

pub use self::convert::ConversionError;
pub(crate) use self::convert::{Ordered, set};
pub(crate) use self::unify::unify;
use crate::value::Value;

/// A type constraint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Type {
    /// Whatever it is.
    Any,
    /// `bool`.
    Bool,
    /// `number`.
    Number,
    /// `string`.
    String,
    /// `list(…)`.
    List(Box<Type>),
    /// `set(…)`: a list without duplicates, in order.
    Set(Box<Type>),
    /// `map(…)`.
    Map(Box<Type>),
    /// `tuple([…])`.
    Tuple(Vec<Type>),
    /// `object({…})`.
    Object(BTreeMap<String, ObjectAttribute>),
}

/// An attribute of an object type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectAttribute {
    /// Its type.
    pub value_type: Type,
    /// For `optional(…)`: what it is when it is missing, `null` if the type doesn't say.
    pub default: Option<Value>,
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any"),
            Self::Bool => f.write_str("bool"),
            Self::Number => f.write_str("number"),
            Self::String => f.write_str("string"),
            Self::List(element) => write!(f, "list({element})"),
            Self::Set(element) => write!(f, "set({element})"),
            Self::Map(element) => write!(f, "map({element})"),
            Self::Tuple(elements) => {
                f.write_str("tuple([")?;
                for (position, element) in elements.iter().enumerate() {
                    let comma = if position > 0 { ", " } else { "" };
                    write!(f, "{comma}{element}")?;
                }
                f.write_str("])")
            }
            Self::Object(attributes) => {
                f.write_str("object({")?;
                for (position, (name, attribute)) in attributes.iter().enumerate() {
                    let comma = if position > 0 { ", " } else { "" };
                    let value_type = &attribute.value_type;
                    match attribute.default {
                        Some(_) => write!(f, "{comma}{name}=optional({value_type})")?,
                        None => write!(f, "{comma}{name}={value_type}")?,
                    }
                }
                f.write_str("})")
            }
        }
    }
}
