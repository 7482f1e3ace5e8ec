//! What components say, and what becomes of it: the only way from their types to ours.
//!
//! Names and sizes must be right, or the answer is refused with the reason; texts for the user are
//! made harmless instead (no control characters, no endless sentences). Grants are not looked at
//! here but behind [`Services`](crate::Services), at each call.
//!
//! The functions answer `Err(reason)`; the reason ends up after `source "x" misbehaved: `, or as
//! the `invalid` error of an import.

mod web;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::crash::{Crash, Written};
use crate::error::Fault;
use crate::limits;
use crate::services::ServiceError;
use crate::types::{
    Base, Configuration, Defaults, Description, Diagnostic, Download, Grant, Image, OptionSchema,
    Recipe, VolumeId,
};

pub(crate) use self::web::{checksum, secret_name, web_request};

/// What a component has said, before it is checked: the functions here alone look into it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Unchecked<T>(T);

impl<T> Unchecked<T> {
    /// What a component says.
    pub(crate) fn new(said: T) -> Self {
        Self(said)
    }
}

type Checked<T> = Result<T, String>;

/// A text for the user's eyes: at most `limit` bytes, and nothing in it that moves a terminal's
/// cursor or turns the direction of writing. Newlines stay.
pub(crate) fn text(text: &str, limit: usize) -> String {
    let mut clean = String::with_capacity(text.len().min(limit));
    for character in text.chars() {
        if clean.len() + character.len_utf8() > limit {
            clean.push('…');
            break;
        }
        clean.push(if is_harmful(character) {
            '\u{fffd}'
        } else {
            character
        });
    }
    clean
}

/// Like [`text`], on one line.
pub(crate) fn line(line: &str, limit: usize) -> String {
    text(line, limit).replace('\n', " ")
}

fn is_harmful(character: char) -> bool {
    let turns_direction = matches!(
        character,
        '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    );
    (character.is_control() && character != '\n') || turns_direction
}

/// Whether it is `[a-z][a-z0-9]*` with `more` allowed after the first, and no longer than a word.
fn is_word(word: &str, more: &[u8]) -> bool {
    word.len() <= limits::WORD
        && word
            .bytes()
            .next()
            .is_some_and(|first| first.is_ascii_lowercase())
        && word
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || more.contains(&b))
}

fn word(what: &str, value: String, more: &[u8]) -> Checked<String> {
    if is_word(&value, more) {
        Ok(value)
    } else {
        Err(format!(
            "{what} can't be called \"{}\"",
            line(&value, limits::WORD)
        ))
    }
}

fn few<T>(what: &str, items: Vec<T>, limit: usize) -> Checked<Vec<T>> {
    if items.len() > limit {
        return Err(format!(
            "{} {what}; at most {limit} are allowed",
            items.len()
        ));
    }
    Ok(items)
}

/// A path, pattern or URL: not empty, not endless, without control characters.
pub(crate) fn path(what: &str, value: String, limit: usize) -> Checked<String> {
    if value.is_empty() {
        return Err(format!("{what} is empty"));
    }
    if value.len() > limit {
        return Err(format!(
            "{what} has {} bytes; at most {limit} are allowed",
            value.len()
        ));
    }
    if value.chars().any(char::is_control) {
        return Err(format!(
            "{what} has control characters in it: \"{}\"",
            line(&value, 100)
        ));
    }
    Ok(value)
}

/// A URL below which there is something.
fn url_folder(value: String) -> Checked<String> {
    let value = path("a URL", value, limits::PATH)?;
    if !value.ends_with('/') || value.contains(['?', '#']) {
        return Err(
            "a URL for everything below it must end in / and have no query and fragment".to_owned(),
        );
    }
    Ok(value)
}

/// An absolute path on the hypervisor.
pub(crate) fn hypervisor_path(value: String) -> Checked<String> {
    let value = path("a path on the hypervisor", value, limits::PATH)?;
    if !value.starts_with('/') || value.split('/').any(|part| part == "..") {
        return Err(format!(
            "a path on the hypervisor must begin with / and go without ..: \"{value}\""
        ));
    }
    Ok(value)
}

fn name(what: &str, value: String) -> Checked<String> {
    let value = path(what, value, limits::NAME)?;
    if value.contains('/') || value == "." || value == ".." {
        return Err(format!("{what} can't be \"{value}\""));
    }
    Ok(value)
}

/// A volume's pool and name.
pub(crate) fn volume_id(said: Unchecked<VolumeId>) -> Checked<VolumeId> {
    checked_volume_id(said.0)
}

fn checked_volume_id(id: VolumeId) -> Checked<VolumeId> {
    Ok(VolumeId {
        pool: name("a pool's name", id.pool)?,
        name: name("a volume's name", id.name)?,
    })
}

fn format(value: String) -> Checked<String> {
    word("a format", value, b"-_.")
}

/// The answer of `describe`.
pub(crate) fn description(said: Unchecked<Description>) -> Checked<Description> {
    let said = said.0;
    // A stranger's is called what its user says.
    let source_type = match said.source_type {
        none if none.is_empty() => none,
        name => word("a source", name, b"-")?,
    };
    let aliases = few("aliases", said.aliases, limits::ALIASES)?
        .into_iter()
        .map(|alias| word("a source", alias, b"-"))
        .collect::<Checked<Vec<_>>>()?;
    let options = few("options", said.options, limits::OPTIONS)?
        .into_iter()
        .map(option_schema)
        .collect::<Checked<Vec<_>>>()?;
    let mut names = BTreeSet::new();
    for name in aliases.iter().chain([&source_type]) {
        if !names.insert(name) {
            return Err(format!("it is called \"{name}\" twice"));
        }
    }
    names.clear();
    for option in &options {
        if !names.insert(&option.name) {
            return Err(format!("two options are called \"{}\"", option.name));
        }
    }
    Ok(Description {
        source_type,
        aliases,
        summary: line(&said.summary, limits::SUMMARY),
        options,
    })
}

fn option_schema(said: OptionSchema) -> Checked<OptionSchema> {
    Ok(OptionSchema {
        name: word("an option", said.name, b"_")?,
        option_type: said.option_type,
        required: said.required,
        default: said.default.map(|default| line(&default, limits::SUMMARY)),
        sensitive: said.sensitive,
        documentation: text(&said.documentation, limits::DOCUMENTATION),
    })
}

/// The answer of `configure`.
pub(crate) fn configuration(said: Unchecked<Configuration>) -> Checked<Configuration> {
    let said = said.0;
    let diagnostics = few("diagnostics", said.diagnostics, limits::DIAGNOSTICS)?;
    let grants = few("grants", said.grants, limits::GRANTS)?;
    Ok(Configuration {
        diagnostics: diagnostics.into_iter().map(diagnostic).collect(),
        defaults: defaults(said.defaults)?,
        grants: grants.into_iter().map(grant).collect::<Checked<_>>()?,
    })
}

fn diagnostic(said: Diagnostic) -> Diagnostic {
    Diagnostic {
        severity: said.severity,
        path: line(&said.path, limits::SENTENCE),
        message: text(&said.message, limits::SENTENCE),
        help: said.help.map(|help| text(&help, limits::SENTENCE)),
    }
}

fn defaults(said: Defaults) -> Checked<Defaults> {
    let name_suffix = match said.name_suffix {
        Some(suffix) => {
            let suffix = name("a name's suffix", suffix)?;
            if suffix.len() > limits::WORD || suffix.contains(char::is_whitespace) {
                return Err(format!("a name's suffix can't be \"{suffix}\""));
            }
            Some(suffix)
        }
        None => None,
    };
    Ok(Defaults {
        name_suffix,
        device: said.device,
        format: said.format.map(format).transpose()?,
        bus: said.bus.map(|bus| word("a bus", bus, b"-_")).transpose()?,
        read_only: said.read_only,
    })
}

fn grant(said: Grant) -> Checked<Grant> {
    Ok(match said {
        Grant::Url(said) => Grant::Url(Download {
            url: path("a URL", said.url, limits::PATH)?,
            // As for the download itself, where an empty one is none.
            checksum: match said.checksum {
                Some(checksum) if checksum.is_empty() => Some("none".to_owned()),
                Some(checksum) => Some(path("a checksum", checksum, limits::CHECKSUM)?),
                None => None,
            },
        }),
        Grant::UrlsBelow(url) => Grant::UrlsBelow(url_folder(url)?),
        Grant::Files(files) => Grant::Files(path("a path", files, limits::PATH)?),
        Grant::Volume(id) => Grant::Volume(checked_volume_id(id)?),
        Grant::HypervisorPath(path) => Grant::HypervisorPath(hypervisor_path(path)?),
        Grant::Post(url) => Grant::Post(path("a URL", url, limits::PATH)?),
        Grant::Secret(name) => Grant::Secret(secret_name(name)?),
    })
}

/// The answer of `prepare`.
pub(crate) fn recipe(said: Unchecked<Recipe>) -> Checked<Recipe> {
    Ok(match said.0 {
        Recipe::Blank => Recipe::Blank,
        Recipe::Overlay(Base::Volume(id)) => Recipe::Overlay(Base::Volume(checked_volume_id(id)?)),
        Recipe::Overlay(Base::HypervisorPath(path)) => {
            Recipe::Overlay(Base::HypervisorPath(hypervisor_path(path)?))
        }
        Recipe::Clone(id) => Recipe::Clone(checked_volume_id(id)?),
        Recipe::Image => Recipe::Image,
    })
}

/// The image that a component is going to write.
pub(crate) fn image(said: Unchecked<Image>) -> Checked<Image> {
    let said = said.0;
    let format = format(said.format)?;
    for size in said.length.iter().chain([&said.capacity]) {
        if *size > limits::IMAGE_SIZE {
            return Err(format!(
                "an image of {size} bytes; at most {} are allowed",
                limits::IMAGE_SIZE
            ));
        }
    }
    if said.capacity == 0 {
        return Err("an image of no capacity".to_owned());
    }
    if format == "raw" && said.length != Some(said.capacity) {
        return Err(match said.length {
            Some(length) => format!(
                "a raw image of {length} bytes with a capacity of {}: these are the same thing",
                said.capacity
            ),
            None => "a raw image of unknown length".to_owned(),
        });
    }
    Ok(Image {
        format,
        length: said.length,
        capacity: said.capacity,
    })
}

/// The error a component gives up with.
pub(crate) fn service_error(said: Unchecked<ServiceError>) -> ServiceError {
    let sentence = |message: String| text(&message, limits::SENTENCE);
    match said.0 {
        ServiceError::Invalid(message) => ServiceError::Invalid(sentence(message)),
        ServiceError::Denied(message) => ServiceError::Denied(sentence(message)),
        ServiceError::NotFound(message) => ServiceError::NotFound(sentence(message)),
        ServiceError::Network(message) => ServiceError::Network(sentence(message)),
        ServiceError::Corrupt(message) => ServiceError::Corrupt(sentence(message)),
        ServiceError::Cancelled => ServiceError::Cancelled,
        ServiceError::Other(message) => ServiceError::Other(sentence(message)),
    }
}

/// The fault that a component's process says it has come to.
pub(crate) fn fault(said: Fault) -> Fault {
    let sentence = |message: String| line(&message, limits::SUMMARY);
    match said {
        Fault::Trap { crash } => Fault::Trap {
            crash: Box::new(Crash {
                message: sentence(crash.message),
                function: crash.function.map(sentence),
                // It is known here what was written.
                written: Written::default(),
            }),
        },
        Fault::OutOfMemory { limit } => Fault::OutOfMemory { limit },
        Fault::LimitExceeded(what) => Fault::LimitExceeded(sentence(what)),
        Fault::StackOverflow => Fault::StackOverflow,
        Fault::Misbehaved(how) => Fault::Misbehaved(sentence(how)),
        // All others are for this process to find.
        _ => Fault::Misbehaved("its process said something that is not its to say".to_owned()),
    }
}

#[cfg(test)]
mod tests;
