//! YAML.

use serde::de::DeserializeSeed as _;
use serde::ser::{Serialize, SerializeMap as _, SerializeSeq as _, Serializer};

use super::json::Decode;
use super::{Cost, Function, FunctionError, Kind, parameter};
use crate::budget::VALUE;
use crate::evaluate::MAX_STRING;
use crate::value::{Value, ValueKind};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("yamldecode", &[parameter("text", Kind::String)], |a| {
        let decode = Decode(a.budget());
        serde_saphyr::with_deserializer_from_str(a.string(0), |deserializer| {
            decode.deserialize(deserializer)
        })
        .map_err(|error| {
            let reason = error.to_string();
            let reason = reason.lines().next().unwrap_or_default().to_owned();
            FunctionError::at(0, format!("not YAML: {reason}"))
        })
    })
    .costs(Cost::Reads),
    // Strings are always quoted, so a reader can't take one for something else.
    Function::new("yamlencode", &[parameter("value", Kind::Any)], |a| {
        // Each value on a line of its own, which begins with blanks for each level.
        let value = a.value(0);
        let margin = (value.weight() / VALUE).saturating_mul(2 * u64::from(value.depth()));
        a.budget().charge(margin / 16, margin)?;
        let options = serde_saphyr::ser_options! {
            quote_all: true,
            compact_list_indent: true,
            prefer_block_scalars: false,
        };
        let text = serde_saphyr::to_string_with_options(&Encoded(a.value(0)), options)
            .map_err(|error| error.to_string())?;
        if text.len() > MAX_STRING {
            Err("the text gets too long".into())
        } else {
            Ok(text.into())
        }
    })
    .costs(Cost::Multiplies),
];

struct Encoded<'a>(&'a Value);

impl Serialize for Encoded<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.kind() {
            ValueKind::Null | ValueKind::Unknown => serializer.serialize_unit(),
            ValueKind::Bool(truth) => serializer.serialize_bool(*truth),
            ValueKind::Number(number) => match (number.to_i64(), number.to_u64()) {
                (Some(number), _) => serializer.serialize_i64(number),
                (None, Some(number)) => serializer.serialize_u64(number),
                (None, None) => serializer.serialize_f64(number.to_f64()),
            },
            ValueKind::String(text) => serializer.serialize_str(text),
            ValueKind::List(elements) => {
                let mut sequence = serializer.serialize_seq(Some(elements.len()))?;
                for element in elements.iter() {
                    sequence.serialize_element(&Encoded(element))?;
                }
                sequence.end()
            }
            ValueKind::Object(entries) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                for (key, value) in entries.iter() {
                    map.serialize_entry(key, &Encoded(value))?;
                }
                map.end()
            }
        }
    }
}
