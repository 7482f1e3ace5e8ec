//! `{{ … }}` in the options of a source: the same for `lvhost` and for Packer, which leaves it to its plugins.
//!
//! ```text
//!  template in HCL ─► lvhost-hcl ─┐
//!                                 ├─► a body ─► interpolated ─► the options' decoder
//!  Packer ─► packer_plugin ───────┘
//! ```
//! Every text of a source is rendered, in templates of either language. The texts of provisioners are
//! rendered by the engine, with the same functions and the guest's values beside them.

use lvhost_engine::go_template::{
    Action, Functions, InterpolationError, Piece, Token, has_braces, parse,
};
use lvhost_hcl::{Attribute, Body, Diagnostic, Diagnostics, SourceMap, Span, Value, ValueKind};

/// What becomes of `{{ .Name }}` and of literals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fields {
    /// They are left for later, when what they stand for is known.
    Kept,
    /// `{{ .SSHPublicKey }}`, the key of the build, is left for later.
    PublicKey,
    /// There is nothing that a field could stand for.
    Refused,
}

/// `body` with every `{{ … }}` replaced but those that the build replaces. What can't be replaced goes to
/// `report`, and is not known in what is returned. The file of a place is looked up in `files`, to tell
/// which braces of it are meant.
pub(crate) fn interpolated(
    body: &Body,
    functions: &Functions,
    files: &SourceMap,
    report: &mut Diagnostics,
) -> Body {
    let mut walk = Walk {
        functions,
        files,
        report,
    };
    let mut body = body.clone();
    walk.body(&mut body, "");
    body
}

struct Walk<'a> {
    functions: &'a Functions,
    files: &'a SourceMap,
    report: &'a mut Diagnostics,
}

impl Walk<'_> {
    fn body(&mut self, body: &mut Body, block: &str) {
        for (name, attribute) in &mut body.attributes {
            if has_braces(&attribute.value) {
                let fields = fields_of(block, name);
                attribute.value = self.value(&attribute.value, attribute, fields, String::new());
            }
        }
        for inner in &mut body.blocks {
            let name = inner.name.clone();
            self.body(&mut inner.body, &name);
        }
    }

    /// `value`, which stands at `path` of `attribute`.
    fn value(
        &mut self,
        value: &Value,
        attribute: &Attribute,
        fields: Fields,
        path: String,
    ) -> Value {
        let new = match value.kind() {
            ValueKind::String(text) => match render(text, self.functions, fields) {
                Ok(text) => Value::string(text),
                Err(error) => {
                    self.refuse(error, attribute.element_span(&path), value.is_marked());
                    Value::UNKNOWN
                }
            },
            ValueKind::List(elements) => {
                let mut new = Vec::with_capacity(elements.len());
                for (index, element) in elements.iter().enumerate() {
                    let path = format!("{path}[{index}]");
                    new.push(self.value(element, attribute, fields, path));
                }
                Value::list(new)
            }
            ValueKind::Object(entries) => {
                let mut new = Vec::with_capacity(entries.len());
                for (key, entry) in entries.iter() {
                    let path = format!("{path}[{key:?}]");
                    new.push((key.clone(), self.value(entry, attribute, fields, path)));
                }
                Value::object(new)
            }
            _ => return value.clone(),
        };
        match value.is_marked() {
            true => new.sensitive(),
            false => new,
        }
    }

    fn refuse(&mut self, error: InterpolationError, place: Span, is_secret: bool) {
        let place = error.action.as_deref().map_or(place, |action| {
            action_in(place, self.files.slice(place), action)
        });
        let message = match is_secret {
            // It may show a part of the value.
            true => "a {{ … }} of a sensitive value can't be replaced".to_owned(),
            false => error.message,
        };
        let diagnostic = Diagnostic::error(place, message);
        self.report.push(match error.help {
            Some(help) => diagnostic.help(help),
            None => diagnostic,
        });
    }
}

/// Where `action` stands in the expression `written` at `place`: as it is, or with its quotes escaped. The
/// whole expression if it comes from elsewhere.
fn action_in(place: Span, written: &str, action: &str) -> Span {
    let escaped = action.replace('\\', "\\\\").replace('"', "\\\"");
    let found = [action, escaped.as_str()]
        .into_iter()
        .find_map(|text| Some((written.find(text)?, text.len())));
    match found {
        Some((offset, length)) => {
            let start = place.start + offset;
            Span::new(place.file, start..start + length)
        }
        None => place,
    }
}

/// What `{{ .Name }}` can mean in the option `name` of `block`, which is empty for the source itself.
fn fields_of(block: &str, name: &str) -> Fields {
    match (block, name) {
        ("", "boot_command") => Fields::Kept,
        ("", "http_content") | ("source", _) => Fields::PublicKey,
        _ => Fields::Refused,
    }
}

/// Replaces the actions in `text`.
fn render(text: &str, functions: &Functions, fields: Fields) -> Result<String, InterpolationError> {
    let mut output = String::with_capacity(text.len());
    for piece in parse(text)? {
        match piece {
            Piece::Text(text) => output.push_str(text),
            Piece::Action(action) if is_for_later(&action, fields) => output.push_str(action.text),
            Piece::Action(action) => {
                let text = functions.evaluate(&action);
                output.push_str(&text.map_err(|error| error.about(&action))?);
            }
        }
    }
    Ok(output)
}

/// Whether the build replaces the action. Where it reads a text once more, that goes for literals too.
fn is_for_later(action: &Action<'_>, fields: Fields) -> bool {
    match (fields, action.tokens.as_slice()) {
        (Fields::Refused, _) => false,
        (Fields::PublicKey, tokens) => tokens.first() == Some(&Token::Word(".SSHPublicKey")),
        (Fields::Kept, [Token::Literal(_)]) => true,
        (Fields::Kept, [Token::Word(word), ..]) => word.starts_with('.'),
        (Fields::Kept, _) => false,
    }
}

#[cfg(test)]
mod tests;
