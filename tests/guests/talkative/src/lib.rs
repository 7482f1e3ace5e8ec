//! A volume source that describes itself with a million options.

#![expect(unsafe_code, reason = "the generated glue to the component's memory")]

mod bindings {
    wit_bindgen::generate!({ path: "../../../wit/v0.1", world: "volume-source" });
}

use bindings::exports::lvhost::source::source::{Configuration, Description, Guest, Recipe};
use bindings::lvhost::source::types::{Error, OptionSchema, OptionSetting, OptionType, Volume};

struct Talkative;

impl Guest for Talkative {
    fn describe() -> Description {
        let option = |_| OptionSchema {
            name: String::new(),
            type_: OptionType::Text,
            required: false,
            default: None,
            sensitive: false,
            documentation: String::new(),
        };
        Description {
            type_: "talkative".into(),
            aliases: vec![],
            summary: "Has a million options".into(),
            options: (0..1_000_000).map(option).collect(),
        }
    }

    fn configure(_volume: Volume, _options: Vec<OptionSetting>) -> Configuration {
        unreachable!("its description is refused")
    }

    fn prepare(_volume: Volume, _options: Vec<OptionSetting>) -> Result<Recipe, Error> {
        unreachable!("its description is refused")
    }
}

bindings::export!(Talkative with_types_in bindings);
