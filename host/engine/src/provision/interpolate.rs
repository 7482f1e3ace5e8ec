//! What the actions of [Go's templates](crate::go_template) mean to provisioners: `{{ .Path }}`,
//! `` {{ build `Host` }} ``.
//!
//! [Packer's functions](crate::go_template::Functions) come beside that.

use lvhost_hcl::{BUILD_ATTRIBUTES, Value, suggest};

use crate::go_template::{
    Action, FUNCTIONS, Functions, InterpolationError, LITERAL_BRACES, Piece, Room, Token, parse,
    refusal,
};

/// What actions can refer to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Names<'a> {
    /// The names behind a dot, with what they stand for.
    pub(crate) fields: &'a [(&'a str, &'a str)],
    /// The object that the function `build` looks into.
    pub(crate) build: &'a Value,
    /// Packer's functions, where they have not been called before.
    pub(crate) functions: Option<&'a Functions>,
}

/// A text with its actions replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RenderedText {
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

/// Replaces every action in `text`. A text without `{{` comes back as it is.
///
/// # Errors
/// The first action that can't be replaced.
pub(crate) fn render(text: &str, names: &Names<'_>) -> Result<RenderedText, InterpolationError> {
    let mut output = String::with_capacity(text.len());
    let (mut sensitive, mut known) = (false, true);
    let room = Room::default();
    for piece in parse(text)? {
        match piece {
            Piece::Text(text) => output.push_str(text),
            Piece::Action(action) => match names
                .evaluate(&action)
                .map_err(|error| error.about(&action))?
            {
                RenderedText::Text {
                    text,
                    sensitive: marked,
                } => {
                    room.take(text.len())?;
                    output.push_str(&text);
                    sensitive |= marked;
                }
                RenderedText::Unknown => known = false,
            },
        }
    }
    Ok(if known {
        RenderedText::Text {
            text: output,
            sensitive,
        }
    } else {
        RenderedText::Unknown
    })
}

impl<'a> Names<'a> {
    fn evaluate(&self, action: &Action<'_>) -> Result<RenderedText, InterpolationError> {
        let text = |text: &str| RenderedText::Text {
            text: text.to_string(),
            sensitive: false,
        };
        match action.tokens.as_slice() {
            // A comment.
            [] => Ok(text("")),
            [Token::Literal(literal)] => Ok(text(literal)),
            [Token::Word(word)] if word.starts_with('.') => self.field(word).map(text),
            [Token::Word("build"), Token::Literal(name)] => self.build_attribute(name),
            [Token::Word("build"), ..] => Err(InterpolationError::new(
                "`build` takes one name in quotes, such as {{ build `Host` }}",
            )),
            tokens => match (self.functions, tokens) {
                (_, [Token::Word(name), ..])
                    if !FUNCTIONS.contains(name) && suggest(name, ["build"]).is_some() =>
                {
                    Err(refusal(name).help("did you mean `build`?"))
                }
                (Some(functions), _) => functions.evaluate(action).map(|made| text(&made)),
                (None, [Token::Word(name), ..]) => Err(refusal(name)),
                (None, _) => Err(InterpolationError::new("a function is missing in {{ }}")),
            },
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
            format!("it can use: build, {}", FUNCTIONS.join(", "))
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

    fn build_attribute(&self, name: &str) -> Result<RenderedText, InterpolationError> {
        let value = match self.build.as_object() {
            _ if !BUILD_ATTRIBUTES.contains(&name) => None,
            // Nothing is known of the guest yet.
            None => return Ok(RenderedText::Unknown),
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
            Some(text) => Ok(RenderedText::Text {
                text,
                sensitive: value.is_sensitive(),
            }),
            None if value.is_unknown() => Ok(RenderedText::Unknown),
            None => Err(InterpolationError::new(format!(
                "`{name}` of `build` is not a text"
            ))),
        }
    }
}

#[cfg(test)]
mod tests;
