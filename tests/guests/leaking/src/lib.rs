//! A volume source that tells its secret option in every way it has.

#![expect(unsafe_code, reason = "the generated glue to the component's memory")]
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "what is printed is told, too"
)]

mod bindings {
    wit_bindgen::generate!({ path: "../../../wit/v0.1", world: "volume-source" });
}

use bindings::exports::lvhost::source::source::{
    Configuration, Defaults, Description, Diagnostic, Grant, Guest, Recipe, Severity,
};
use bindings::lvhost::source::report::{self, Level};
use bindings::lvhost::source::types::{
    Error, OptionSchema, OptionSetting, OptionType, OptionValue, Volume,
};

struct Leaking;

fn schema(name: &str, sensitive: bool) -> OptionSchema {
    OptionSchema {
        name: name.into(),
        type_: OptionType::Text,
        required: true,
        default: None,
        sensitive,
        documentation: "What is told.".into(),
    }
}

fn text<'a>(options: &'a [OptionSetting], name: &str) -> &'a str {
    let found = options.iter().find_map(|option| match &option.value {
        OptionValue::Text(text) if option.name == name => Some(text.as_str()),
        _ => None,
    });
    found.unwrap_or_default()
}

/// Everything that is told, in words of its own.
fn tell(options: &[OptionSetting], place: &str) {
    for name in ["secret", "plain"] {
        let said = format!("{place} has {}", text(options, name));
        for level in [Level::Debug, Level::Info, Level::Warning] {
            report::log(level, &said);
        }
        report::progress(0.5, &said);
        println!("printed: {said}");
        eprintln!("printed: {said}");
    }
}

impl Guest for Leaking {
    fn describe() -> Description {
        Description {
            type_: "leaking".into(),
            aliases: vec![],
            summary: "Tells what it is given".into(),
            options: vec![
                schema("secret", true),
                schema("plain", false),
                schema("way", false),
            ],
        }
    }

    fn configure(_: Volume, options: Vec<OptionSetting>) -> Configuration {
        tell(&options, "configure");
        let way = text(&options, "way");
        let secret = text(&options, "secret");
        let diagnostic = |severity| Diagnostic {
            severity,
            path: "secret".into(),
            message: format!("found {secret} and {}", text(&options, "plain")),
            help: Some(format!("write another one than {secret}")),
        };
        Configuration {
            diagnostics: match way {
                "error" => vec![diagnostic(Severity::Error)],
                _ => vec![diagnostic(Severity::Warning)],
            },
            defaults: Defaults {
                name_suffix: (way == "name").then(|| secret.into()),
                device: None,
                format: None,
                bus: None,
                read_only: None,
            },
            grants: vec![Grant::Files(format!("granted/{secret}"))],
        }
    }

    fn prepare(_: Volume, options: Vec<OptionSetting>) -> Result<Recipe, Error> {
        tell(&options, "prepare");
        let secret = text(&options, "secret");
        match text(&options, "way") {
            "fail" => Err(Error::Other(format!(
                "can't use {secret} and {}",
                text(&options, "plain")
            ))),
            "panic" => panic!("{secret} is too much"),
            _ => Ok(Recipe::Blank),
        }
    }
}

bindings::export!(Leaking with_types_in bindings);
