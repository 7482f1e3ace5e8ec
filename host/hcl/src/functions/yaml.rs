//! YAML.

mod read;
mod times;
mod write;

use super::{Cost, Function, FunctionError, Kind, parameter};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("yamldecode", &[parameter("text", Kind::String)], |a| {
        read::decode(a.string(0), a.budget())
            .map_err(|reason| FunctionError::at(0, format!("not YAML: {reason}")))
    })
    .costs(Cost::Reads),
    Function::new("yamlencode", &[parameter("value", Kind::Any)], |a| {
        Ok(write::encode(a.value(0), a.budget())?.into())
    })
    .costs(Cost::Multiplies),
];
