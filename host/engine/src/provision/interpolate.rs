//! The part of Go's templates that provisioners use: `{{ .Path }}`, `` {{ build `Host` }} ``.
//!
//! ```text
//! text      = { plain | action } ;
//! action    = "{{" , [ "-" ] , [ field | call | literal | comment ] , [ "-" ] , "}}" ;
//! call      = function , [ literal ] ;
//! field     = "." , name ;
//! literal   = '"' … '"' | "`" … "`" ;
//! ```
//!
//! What Packer's functions are for beyond that, the template language does itself; each of those is
//! refused with the expression that takes its place.

use lvhost_hcl::{BUILD_ATTRIBUTES, Source, Value, suggest};

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

/// Why an action can't be replaced.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct InterpolationError {
    /// What is wrong.
    pub(crate) message: String,
    /// What to do.
    pub(crate) help: Option<String>,
}

impl InterpolationError {
    fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            help: None,
        }
    }

    fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// How to write braces that are meant as they stand.
const LITERAL_BRACES: &str =
    "braces that are meant for the guest are written as a literal: {{`{{ … }}`}}";

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

/// Go's control structures.
const STATEMENTS: &[&str] = &[
    "block", "break", "continue", "define", "else", "end", "if", "range", "template", "with",
];

/// Replaces every action in `text`. A text without `{{` comes back as it is.
///
/// # Errors
/// The first action that can't be replaced.
pub(crate) fn render(text: &str, names: &Names<'_>) -> Result<Rendered, InterpolationError> {
    let mut output = String::with_capacity(text.len());
    let (mut sensitive, mut known) = (false, true);
    let mut rest = text;
    while let Some(start) = rest.find("{{") {
        let (before, action) = rest.split_at(start);
        let action = Action::parse(&action["{{".len()..])?;
        output.push_str(if action.trim_before {
            before.trim_end()
        } else {
            before
        });
        match action.evaluate(names)? {
            Rendered::Text {
                text,
                sensitive: marked,
            } => {
                output.push_str(&text);
                sensitive |= marked;
            }
            Rendered::Unknown => known = false,
        }
        rest = if action.trim_after {
            action.rest.trim_start()
        } else {
            action.rest
        };
    }
    output.push_str(rest);
    Ok(if known {
        Rendered::Text {
            text: output,
            sensitive,
        }
    } else {
        Rendered::Unknown
    })
}

struct Action<'a> {
    tokens: Vec<Token<'a>>,
    trim_before: bool,
    trim_after: bool,
    /// What follows the closing braces.
    rest: &'a str,
}

#[derive(Debug, PartialEq, Eq)]
enum Token<'a> {
    /// A run of anything but space, quotes and braces.
    Word(&'a str),
    Literal(String),
}

impl<'a> Action<'a> {
    /// Reads an action from behind its opening braces.
    fn parse(text: &'a str) -> Result<Self, InterpolationError> {
        let trimmed = text
            .strip_prefix('-')
            .filter(|text| text.starts_with(is_space));
        let mut action = Self {
            tokens: Vec::new(),
            trim_before: trimmed.is_some(),
            trim_after: false,
            rest: "",
        };
        let mut rest = trimmed.unwrap_or(text);
        loop {
            let behind_space = rest.trim_start_matches(is_space);
            let spaced = behind_space.len() < rest.len();
            rest = behind_space;
            if let Some(after) = rest.strip_prefix("}}") {
                action.rest = after;
                return Ok(action);
            }
            if spaced && let Some(after) = rest.strip_prefix("-}}") {
                action.trim_after = true;
                action.rest = after;
                return Ok(action);
            }
            rest = if let Some(comment) = rest.strip_prefix("/*") {
                comment.split_once("*/").ok_or_else(unclosed)?.1
            } else if let Some(raw) = rest.strip_prefix('`') {
                let (literal, after) = raw.split_once('`').ok_or_else(unclosed)?;
                action.tokens.push(Token::Literal(literal.to_string()));
                after
            } else if let Some(quoted) = rest.strip_prefix('"') {
                let (literal, after) = unquote(quoted)?;
                action.tokens.push(Token::Literal(literal));
                after
            } else {
                let end = rest
                    .find(|c: char| is_space(c) || matches!(c, '`' | '"' | '}'))
                    .ok_or_else(unclosed)?;
                // A lone brace ends a word as well and must not be read forever.
                let (word, after) = rest.split_at(end.max(1));
                action.tokens.push(Token::Word(word));
                after
            };
        }
    }

    fn evaluate(&self, names: &Names<'_>) -> Result<Rendered, InterpolationError> {
        let text = |text: &str| Rendered::Text {
            text: text.to_string(),
            sensitive: false,
        };
        match self.tokens.as_slice() {
            // A comment.
            [] => Ok(text("")),
            [Token::Literal(literal)] => Ok(text(literal)),
            [Token::Word(word)] if word.starts_with('.') => names.field(word).map(text),
            [Token::Word(word @ ("build_name" | "build_type"))] => match names.source {
                Some(source) if *word == "build_name" => Ok(text(&source.name)),
                Some(source) => Ok(text(&source.type_name)),
                None => Err(InterpolationError::new(format!(
                    "`{word}` can't be used in this option"
                ))),
            },
            [Token::Word("build"), Token::Literal(name)] => names.build_attribute(name),
            [Token::Word("build"), ..] => Err(InterpolationError::new(
                "`build` takes one name in quotes, such as {{ build `Host` }}",
            )),
            [Token::Word(name), ..] => Err(Names::no_function(name)),
            [Token::Literal(_), ..] => Err(InterpolationError::new(
                "there may be nothing behind the text in {{ }}",
            )),
        }
    }
}

impl<'a> Names<'a> {
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

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

fn unclosed() -> InterpolationError {
    InterpolationError::new("a {{ has no }} to it").help(LITERAL_BRACES)
}

/// Reads a quoted text from behind its opening quote; gives it and what follows the closing one.
fn unquote(text: &str) -> Result<(String, &str), InterpolationError> {
    let mut literal = String::new();
    let mut characters = text.char_indices();
    while let Some((position, character)) = characters.next() {
        match character {
            '"' => return Ok((literal, &text[position + 1..])),
            '\n' => break,
            '\\' => literal.push(match characters.next() {
                Some((_, same @ ('"' | '\\' | '\''))) => same,
                Some((_, 'n')) => '\n',
                Some((_, 'r')) => '\r',
                Some((_, 't')) => '\t',
                _ => {
                    return Err(InterpolationError::new(
                        "in a quoted text in {{ }}, only \\\" \\\\ \\n \\r \\t can be escaped",
                    )
                    .help("put the text between backquotes: nothing is escaped there"));
                }
            }),
            _ => literal.push(character),
        }
    }
    Err(unclosed())
}

#[cfg(test)]
mod tests;
