//! A volume source that uploads what its options say: any first bytes, called by any format.

#![expect(unsafe_code, reason = "the generated glue to the component's memory")]

mod bindings {
    wit_bindgen::generate!({ path: "../../../wit/v0.1", world: "volume-source" });
}

use bindings::exports::lvhost::source::source::{
    Configuration, Defaults, Description, Guest, Recipe,
};
use bindings::lvhost::source::types::{
    Error, OptionSchema, OptionSetting, OptionType, OptionValue, Volume,
};
use bindings::lvhost::source::{report, target};

/// The size of the image, in bytes.
const LENGTH: u64 = 1 << 20;

struct Uploading;

fn schema(name: &str, documentation: &str) -> OptionSchema {
    OptionSchema {
        name: name.into(),
        type_: OptionType::Text,
        required: true,
        default: None,
        sensitive: false,
        documentation: documentation.into(),
    }
}

fn text<'a>(options: &'a [OptionSetting], name: &str) -> Result<&'a str, Error> {
    options
        .iter()
        .find_map(|option| match &option.value {
            OptionValue::Text(text) if option.name == name => Some(text.as_str()),
            _ => None,
        })
        .ok_or_else(|| Error::Invalid(format!("`{name}` is missing")))
}

/// Bytes out of hexadecimal digits.
fn bytes(digits: &str) -> Option<Vec<u8>> {
    let pairs = digits.as_bytes().chunks(2);
    pairs
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}

impl Guest for Uploading {
    fn describe() -> Description {
        Description {
            type_: "uploading".into(),
            aliases: vec![],
            summary: "Uploads what it is told".into(),
            options: vec![
                schema("said", "What the bytes are said to be."),
                schema("head", "The first bytes, in hexadecimal digits."),
                schema("pieces", "How many bytes go at once."),
            ],
        }
    }

    fn configure(_: Volume, _: Vec<OptionSetting>) -> Configuration {
        Configuration {
            diagnostics: vec![],
            defaults: Defaults {
                name_suffix: None,
                device: None,
                format: None,
                bus: None,
                read_only: None,
            },
            grants: vec![],
        }
    }

    fn prepare(_: Volume, options: Vec<OptionSetting>) -> Result<Recipe, Error> {
        let invalid = || Error::Invalid("an option can't be read".into());
        let head = bytes(text(&options, "head")?).ok_or_else(invalid)?;
        let pieces = text(&options, "pieces")?.parse().map_err(|_| invalid())?;
        let sink = target::create(&target::Image {
            format: text(&options, "said")?.into(),
            length: Some(LENGTH),
            capacity: LENGTH,
        })?;
        report::progress(0.5, "writing what it was told");
        for piece in head.chunks(pieces) {
            sink.write(piece)?;
        }
        sink.zeros(LENGTH - head.len() as u64)?;
        Ok(Recipe::Image)
    }
}

bindings::export!(Uploading with_types_in bindings);
