//! Keys that stand in the template itself.

use lvhost_hcl::Value;
use secrecy::SecretString;

use crate::schema::Kind;
use crate::setting::{Mismatch, Setting, unfit};

/// The text of a key. Packer wants it as the numbers of its bytes; here it may be a text, too.
#[derive(Debug, Clone, Default)]
pub struct KeyText(pub SecretString);

impl Setting for KeyText {
    const KIND: Kind = Kind::IntegerList;

    /// What is wrong is told without showing anything of the key.
    fn decode(value: &Value) -> Result<Self, Mismatch> {
        if let Some(text) = value.as_str() {
            return Ok(Self(text.into()));
        }
        let Some(elements) = value.as_list() else {
            return unfit(Self::KIND, value);
        };
        let mut bytes = Vec::with_capacity(elements.len());
        for element in elements {
            // What is not known yet has no byte to go by.
            let number = match element.is_unknown() {
                true => Some(0),
                false => element.to_number().and_then(|number| number.to_u64()),
            };
            match number.and_then(|number| u8::try_from(number).ok()) {
                Some(byte) => bytes.push(byte),
                None => return Err(Mismatch::new("a key is a list of bytes, from 0 to 255")),
            }
        }
        match String::from_utf8(bytes) {
            Ok(text) => Ok(Self(text.into())),
            Err(_) => Err(Mismatch::new("the bytes of a key are those of a text")),
        }
    }
}
