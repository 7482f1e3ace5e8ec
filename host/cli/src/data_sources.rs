//! The `data` blocks a template can use: `sshkey`, and `null`, which gives back what it is given.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use lvhost_engine::with_causes;
use lvhost_hcl::{Body, DataOutcome, DataSources, Value, suggest};

use crate::ssh_key::{KeyStore, KeyType};

/// The data sources that are built in.
pub(crate) enum BuiltIn {
    /// Options are checked, nothing is made.
    CheckOnly {
        /// Whether anything was asked for that only a build makes.
        was_asked: AtomicBool,
    },
    /// For a look ahead: a key that is there is used, none is made.
    Existing {
        /// Where SSH keys are kept.
        keys: KeyStore,
    },
    /// For a build.
    ForBuild {
        /// Where SSH keys are kept.
        keys: KeyStore,
    },
}

/// What `data "sshkey"` is told. The names and defaults are those of the plugin it stands for,
/// <https://github.com/ivoronin/packer-plugin-sshkey>.
#[derive(Debug, PartialEq, Eq)]
struct KeyOptions {
    name: String,
    key_type: KeyType,
}

impl BuiltIn {
    /// To check a template.
    pub(crate) fn check_only() -> Self {
        Self::CheckOnly {
            was_asked: AtomicBool::new(false),
        }
    }

    /// For a look ahead; keys are below `cache`.
    pub(crate) fn existing(cache: PathBuf) -> Self {
        Self::Existing {
            keys: KeyStore::new(cache.join("sshkey")),
        }
    }

    /// For a build; keys are kept below `cache`.
    pub(crate) fn for_build(cache: PathBuf) -> Self {
        Self::ForBuild {
            keys: KeyStore::new(cache.join("sshkey")),
        }
    }

    /// Whether the template asked for something that a check does not make.
    pub(crate) fn was_asked(&self) -> bool {
        matches!(self, Self::CheckOnly { was_asked } if was_asked.load(Ordering::Relaxed))
    }

    fn ssh_key(&self, options: &KeyOptions) -> DataOutcome {
        let key = match self {
            Self::CheckOnly { was_asked } => {
                was_asked.store(true, Ordering::Relaxed);
                return DataOutcome::Unknown;
            }
            Self::Existing { keys } => match keys.existing_key(&options.name, options.key_type) {
                Ok(None) => return DataOutcome::Unknown,
                Ok(Some(key)) => Ok(key),
                Err(error) => Err(error),
            },
            Self::ForBuild { keys } => keys.key(&options.name, options.key_type),
        };
        match key {
            Ok(key) => DataOutcome::Value(Value::object([
                (
                    "private_key_path",
                    Value::string(key.private_key_path.to_string_lossy()),
                ),
                ("public_key", Value::string(key.public_key)),
            ])),
            Err(error) => DataOutcome::Failed(with_causes(&error)),
        }
    }
}

impl DataSources for BuiltIn {
    fn evaluate(&self, type_name: &str, _name: &str, body: &Body) -> DataOutcome {
        match type_name {
            "sshkey" => match key_options(body) {
                Ok(Some(options)) => self.ssh_key(&options),
                Ok(None) => DataOutcome::Unknown,
                Err(message) => DataOutcome::Failed(message),
            },
            "null" => null(body).unwrap_or_else(DataOutcome::Failed),
            other => DataOutcome::NotSupported(not_supported(other)),
        }
    }
}

/// Whose a data source is that lvhost does not have, and what to do instead.
fn not_supported(type_name: &str) -> String {
    if let Some(close) = suggest(type_name, ["null", "sshkey"]) {
        return format!("did you mean `{close}`?");
    }
    const INSTEAD: &str = "get the value before the build, and hand it over as a variable";
    let owner = match type_name.split_once('-') {
        _ if type_name == "http" => {
            "it is one of Packer's own, and lvhost does not have it yet".to_owned()
        }
        Some(("hcp", _)) => "it is one of Packer's own and asks HCP Packer".to_owned(),
        // A data source begins with the name of its plugin.
        Some((plugin, _)) => format!("it belongs to the Packer plugin `{plugin}`"),
        None => format!("it belongs to the Packer plugin `{type_name}`"),
    };
    format!("{owner}; there are `null` and `sshkey`; {INSTEAD}")
}

/// `data "null"`: its `input` is its `output`.
fn null(body: &Body) -> Result<DataOutcome, String> {
    check_names(body, &["input"])?;
    let input = body.value("input").filter(|input| !input.is_null());
    let input = input.ok_or("`input` is missing")?;
    if input.is_unknown() {
        return Ok(DataOutcome::Unknown);
    }
    let text = input.to_text().ok_or("`input` must be a string")?;
    if text.is_empty() {
        return Err("`input` is empty".to_owned());
    }
    let output = match input.is_sensitive() {
        true => Value::string(text).sensitive(),
        false => Value::string(text),
    };
    Ok(DataOutcome::Value(Value::object([("output", output)])))
}

/// What there is in the block besides these options.
fn check_names(body: &Body, options: &[&str]) -> Result<(), String> {
    for name in body.attributes.keys() {
        if !options.contains(&name.as_str()) {
            let close = suggest(name, options.iter().copied());
            let close = close.map(|close| format!("; did you mean `{close}`?"));
            return Err(format!(
                "it has no option `{name}`{}",
                close.unwrap_or_default()
            ));
        }
    }
    match body.blocks.first() {
        Some(block) => Err(format!("it has no block `{}`", block.name)),
        None => Ok(()),
    }
}

/// Reads the options; `None` while one of them is not known.
fn key_options(body: &Body) -> Result<Option<KeyOptions>, String> {
    const OPTIONS: [&str; 2] = ["name", "type"];
    check_names(body, &OPTIONS)?;
    let mut options = KeyOptions {
        name: "packer".to_owned(),
        key_type: KeyType::Rsa,
    };
    for option in OPTIONS {
        let Some(value) = body.value(option).filter(|value| !value.is_null()) else {
            continue;
        };
        if value.is_unknown() {
            return Ok(None);
        }
        let text = value
            .as_str()
            .ok_or_else(|| format!("`{option}` must be a string"))?;
        match option {
            "name" => options.name = text.to_owned(),
            _ => {
                options.key_type = KeyType::from_name(text).ok_or_else(|| {
                    format!(
                        "there is no type of key called `{text}`; there are `rsa` and `ed25519`"
                    )
                })?;
            }
        }
    }
    KeyStore::check_name(&options.name).map_err(|error| error.to_string())?;
    Ok(Some(options))
}

#[cfg(test)]
mod tests {
    use lvhost_hcl::{Attribute, SourceMap, Span};

    use super::*;

    fn body(options: &[(&str, Value)]) -> Body {
        let file = SourceMap::default().add("t", "");
        let span = Span::new(file, 0..0);
        let mut body = Body::empty(span);
        for (name, value) in options {
            let attribute = Attribute::new(span, value.clone(), span);
            body.attributes.insert((*name).to_owned(), attribute);
        }
        body
    }

    fn options(name: &str, key_type: KeyType) -> Result<Option<KeyOptions>, String> {
        Ok(Some(KeyOptions {
            name: name.to_owned(),
            key_type,
        }))
    }

    #[test]
    fn options_are_read_as_the_plugin_has_them() {
        let cases = [
            (body(&[]), options("packer", KeyType::Rsa)),
            (
                body(&[("name", "web".into())]),
                options("web", KeyType::Rsa),
            ),
            (
                body(&[("type", "ed25519".into())]),
                options("packer", KeyType::Ed25519),
            ),
            (
                body(&[("type", Value::NULL)]),
                options("packer", KeyType::Rsa),
            ),
            (body(&[("name", Value::UNKNOWN)]), Ok(None)),
            (body(&[("nmae", "x".into())]), {
                Err("it has no option `nmae`; did you mean `name`?".to_owned())
            }),
            (body(&[("type", "dsa".into())]), {
                Err(
                    "there is no type of key called `dsa`; there are `rsa` and `ed25519`"
                        .to_owned(),
                )
            }),
            (
                body(&[("name", true.into())]),
                Err("`name` must be a string".to_owned()),
            ),
        ];
        for (body, expected) in cases {
            assert_eq!(key_options(&body), expected, "{body:?}");
        }
    }

    #[test]
    fn null_gives_back_its_input() {
        let data = BuiltIn::check_only();
        let output = |value: Value| DataOutcome::Value(Value::object([("output", value)]));
        let failed = |why: &str| DataOutcome::Failed(why.to_owned());
        let cases = [
            (body(&[("input", "x".into())]), output("x".into())),
            (body(&[("input", 5_i64.into())]), output("5".into())),
            (
                body(&[("input", Value::from("x").sensitive())]),
                output(Value::from("x").sensitive()),
            ),
            (body(&[("input", Value::UNKNOWN)]), DataOutcome::Unknown),
            (body(&[]), failed("`input` is missing")),
            (body(&[("input", "".into())]), failed("`input` is empty")),
            (
                body(&[("input", Value::object([("a", Value::NULL)]))]),
                failed("`input` must be a string"),
            ),
            (
                body(&[("inptu", "x".into())]),
                failed("it has no option `inptu`; did you mean `input`?"),
            ),
        ];
        for (body, expected) in cases {
            assert_eq!(data.evaluate("null", "x", &body), expected, "{body:?}");
        }
        assert!(!data.was_asked());
    }

    #[test]
    fn a_data_source_that_is_not_there_is_told_of_with_its_owner() {
        for (type_name, expected) in [
            (
                "http",
                "one of Packer's own, and lvhost does not have it yet",
            ),
            ("hcp-packer-version", "asks HCP Packer"),
            ("amazon-ami", "belongs to the Packer plugin `amazon`"),
            ("sskey", "did you mean `sshkey`?"),
            ("external", "belongs to the Packer plugin `external`"),
        ] {
            let outcome = BuiltIn::check_only().evaluate(type_name, "x", &body(&[]));
            let DataOutcome::NotSupported(said) = outcome else {
                panic!("{type_name}: {outcome:?}");
            };
            assert!(said.contains(expected), "{said}");
        }
    }

    #[test]
    fn a_check_makes_nothing_and_remembers_that_there_is_something_to_make() {
        let data = BuiltIn::check_only();
        assert!(!data.was_asked());
        let outcome = data.evaluate("sshkey", "x", &body(&[]));
        assert_eq!(outcome, DataOutcome::Unknown);
        assert!(data.was_asked());
    }

    #[test]
    fn a_look_ahead_finds_keys_and_makes_none() {
        let cache = tempfile::tempdir().unwrap();
        let options = body(&[("type", "ed25519".into())]);
        let ahead = BuiltIn::existing(cache.path().to_owned());
        let outcome = ahead.evaluate("sshkey", "x", &options);
        assert_eq!(outcome, DataOutcome::Unknown);
        assert_eq!(std::fs::read_dir(cache.path()).unwrap().count(), 0);
        let build = BuiltIn::for_build(cache.path().to_owned());
        let made = build.evaluate("sshkey", "x", &options);
        assert_eq!(ahead.evaluate("sshkey", "x", &options), made);
    }

    #[test]
    fn a_build_gets_the_same_key_every_time() {
        let cache = tempfile::tempdir().unwrap();
        let data = BuiltIn::for_build(cache.path().to_owned());
        let options = body(&[("type", "ed25519".into())]);
        let DataOutcome::Value(first) = data.evaluate("sshkey", "install", &options) else {
            panic!("no key");
        };
        let fields = first.as_object().unwrap();
        assert!(
            fields["public_key"]
                .as_str()
                .unwrap()
                .starts_with("ssh-ed25519 ")
        );
        let path = cache
            .path()
            .join("sshkey/ssh_private_key_packer_ed25519.pem");
        assert_eq!(fields["private_key_path"].as_str(), path.to_str());
        let again = data.evaluate("sshkey", "other", &options);
        assert_eq!(again, DataOutcome::Value(first));
    }
}
