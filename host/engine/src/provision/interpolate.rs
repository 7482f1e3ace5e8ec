//! What the actions of [Go's templates](crate::go_template) mean to provisioners: `{{ .Path }}`,
//! `` {{ build `Host` }} ``.
//!
//! What Packer's functions are for beyond that, the template language does itself; each of those is
//! refused with the expression that takes its place.

use lvhost_hcl::{BUILD_ATTRIBUTES, Source, Value, suggest};

use crate::go_template::{
    Action, InterpolationError, LITERAL_BRACES, Piece, Room, STATEMENTS, Token, parse,
};

/// What actions can refer to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Names<'a> {
    /// The names behind a dot, with what they stand for.
    pub(crate) fields: &'a [(&'a str, &'a str)],
    /// The object that the function `build` looks into.
    pub(crate) build: &'a Value,
    /// The source that `build_name` and `build_type` speak of, where they can be used.
    pub(crate) source: Option<&'a Source>,
}

/// A text with its actions replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Rendered {
    /// The text.
    Text {
        /// It.
        text: String,
        /// Something in it is not to be shown.
        sensitive: bool,
    },
    /// It depends on what is only known in the run.
    Unknown,
}

const FUNCTIONS: &[&str] = &["build", "build_name", "build_type"];

/// Packer's functions that the template language has a better way for.
const REPLACED: &[(&str, &str)] = &[
    ("clean_resource_name", "write ${regex_replace(…)}"),
    (
        "consul_key",
        "read it before and hand it over as a variable",
    ),
    (
        "env",
        "declare a variable with `default = env(\"NAME\")` and write ${var.NAME}",
    ),
    (
        "isotime",
        "write ${formatdate(\"YYYY-MM-DD'T'hh:mm:ssZ\", timestamp())}",
    ),
    ("lower", "write ${lower(…)}"),
    ("pwd", "write ${path.cwd}"),
    ("replace", "write ${replace(…)}"),
    ("split", "write ${split(…)}"),
    ("template_dir", "write ${path.root}"),
    ("timestamp", "write ${formatdate(…, timestamp())}"),
    ("upper", "write ${upper(…)}"),
    ("user", "write ${var.NAME}"),
    ("uuid", "write ${uuidv4()}"),
    (
        "vault",
        "read it before and hand it over as a sensitive variable",
    ),
];

/// Replaces every action in `text`. A text without `{{` comes back as it is.
///
/// # Errors
/// The first action that can't be replaced.
pub(crate) fn render(text: &str, names: &Names<'_>) -> Result<Rendered, InterpolationError> {
    let mut output = String::with_capacity(text.len());
    let (mut sensitive, mut known) = (false, true);
    let room = Room::default();
    for piece in parse(text)? {
        match piece {
            Piece::Text(text) => output.push_str(text),
            Piece::Action(action) => match names.evaluate(&action)? {
                Rendered::Text {
                    text,
                    sensitive: marked,
                } => {
                    room.take(text.len())?;
                    output.push_str(&text);
                    sensitive |= marked;
                }
                Rendered::Unknown => known = false,
            },
        }
    }
    Ok(if known {
        Rendered::Text {
            text: output,
            sensitive,
        }
    } else {
        Rendered::Unknown
    })
}

impl<'a> Names<'a> {
    fn evaluate(&self, action: &Action<'_>) -> Result<Rendered, InterpolationError> {
        let text = |text: &str| Rendered::Text {
            text: text.to_string(),
            sensitive: false,
        };
        match action.tokens.as_slice() {
            // A comment.
            [] => Ok(text("")),
            [Token::Literal(literal)] => Ok(text(literal)),
            [Token::Word(word)] if word.starts_with('.') => self.field(word).map(text),
            [Token::Word(word @ ("build_name" | "build_type"))] => match self.source {
                Some(source) if *word == "build_name" => Ok(text(&source.name)),
                Some(source) => Ok(text(&source.type_name)),
                None => Err(InterpolationError::new(format!(
                    "`{word}` can't be used in this option"
                ))),
            },
            [Token::Word("build"), Token::Literal(name)] => self.build_attribute(name),
            [Token::Word("build"), ..] => Err(InterpolationError::new(
                "`build` takes one name in quotes, such as {{ build `Host` }}",
            )),
            [Token::Word(name), ..] => Err(Names::no_function(name)),
            [Token::Pipe, ..] => Err(Names::no_function("|")),
            [Token::Literal(_), ..] => Err(InterpolationError::new(
                "there may be nothing behind the text in {{ }}",
            )),
        }
    }

    fn field(&self, word: &str) -> Result<&'a str, InterpolationError> {
        let name = word.trim_start_matches('.');
        if let Some((_, value)) = self.fields.iter().find(|(known, _)| *known == name) {
            return Ok(value);
        }
        let known: Vec<String> = self
            .fields
            .iter()
            .map(|(name, _)| format!("{{{{ .{name} }}}}"))
            .collect();
        let there_is = if known.is_empty() {
            format!("it can use: {}", FUNCTIONS.join(", "))
        } else {
            format!("it can use: {}", known.join(", "))
        };
        let error = InterpolationError::new(format!("there is no `{word}` here; {there_is}"));
        Err(
            match suggest(name, self.fields.iter().map(|(name, _)| *name)) {
                Some(close) => error.help(format!("did you mean {{{{ .{close} }}}}?")),
                None => error.help(LITERAL_BRACES),
            },
        )
    }

    fn build_attribute(&self, name: &str) -> Result<Rendered, InterpolationError> {
        let value = match self.build.as_object() {
            _ if !BUILD_ATTRIBUTES.contains(&name) => None,
            // Nothing is known of the guest yet.
            None => return Ok(Rendered::Unknown),
            Some(attributes) => attributes.get(name),
        };
        let Some(value) = value else {
            let mut known = BUILD_ATTRIBUTES.to_vec();
            if let Some(attributes) = self.build.as_object() {
                known.retain(|name| attributes.contains_key(*name));
            }
            let error = InterpolationError::new(format!(
                "`build` has no `{name}`; there are: {}",
                known.join(", ")
            ));
            return Err(match suggest(name, known) {
                Some(close) => error.help(format!("did you mean `{close}`?")),
                None => error,
            });
        };
        match value.to_text() {
            Some(text) => Ok(Rendered::Text {
                text,
                sensitive: value.is_sensitive(),
            }),
            None if value.is_unknown() => Ok(Rendered::Unknown),
            None => Err(InterpolationError::new(format!(
                "`{name}` of `build` is not a text"
            ))),
        }
    }

    fn no_function(name: &str) -> InterpolationError {
        if STATEMENTS.contains(&name) {
            return InterpolationError::new(format!("{{{{ {name} … }}}} is not supported"))
                .help("use the template language: %{ if … } and %{ for … }");
        }
        if let Some((_, instead)) = REPLACED.iter().find(|(replaced, _)| *replaced == name) {
            let message = format!("the function `{name}` of {{{{ }}}} is not supported");
            return InterpolationError::new(message).help(*instead);
        }
        let error = InterpolationError::new(format!(
            "there is no function `{name}` in {{{{ }}}}; there are: {}",
            FUNCTIONS.join(", ")
        ));
        match suggest(name, FUNCTIONS.iter().copied()) {
            Some(close) => error.help(format!("did you mean `{close}`?")),
            None => error.help(LITERAL_BRACES),
        }
    }
}

#[cfg(test)]
mod tests;
