//! How a source says what it is: its description, the schema of its options, and what it makes of
//! the options a user has set.

use std::fmt::Display;

use crate::{
    Configuration, Defaults, Description, Diagnostic, Download, Error, Grant, OptionSchema,
    OptionType, Severity,
};

impl Description {
    /// A source that users call `type_name` (`[a-z][a-z0-9-]*`), and what it does in one line.
    #[must_use]
    pub fn new(type_name: &str, summary: &str) -> Self {
        Self {
            type_: type_name.to_owned(),
            aliases: Vec::new(),
            summary: summary.to_owned(),
            options: Vec::new(),
        }
    }

    /// Adds another name for the type.
    #[must_use]
    pub fn alias(mut self, alias: &str) -> Self {
        self.aliases.push(alias.to_owned());
        self
    }

    /// Adds an option.
    #[must_use]
    pub fn option(mut self, option: OptionSchema) -> Self {
        self.options.push(option);
        self
    }
}

impl OptionSchema {
    /// An option that is a text. The name is `[a-z][a-z0-9_]*`, the documentation Markdown.
    #[must_use]
    pub fn text(name: &str, documentation: &str) -> Self {
        Self::new(name, OptionType::Text, documentation)
    }

    /// An option that is an integer.
    #[must_use]
    pub fn integer(name: &str, documentation: &str) -> Self {
        Self::new(name, OptionType::Integer, documentation)
    }

    /// An option that is true or false.
    #[must_use]
    pub fn boolean(name: &str, documentation: &str) -> Self {
        Self::new(name, OptionType::Boolean, documentation)
    }

    /// An option that is a list of texts.
    #[must_use]
    pub fn text_list(name: &str, documentation: &str) -> Self {
        Self::new(name, OptionType::TextList, documentation)
    }

    /// An option that is a map from text to text.
    #[must_use]
    pub fn text_map(name: &str, documentation: &str) -> Self {
        Self::new(name, OptionType::TextMap, documentation)
    }

    /// The user must set it.
    #[must_use]
    pub fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// What holds when it is not set, for the documentation.
    #[must_use]
    pub fn default_is(mut self, default: &str) -> Self {
        self.default = Some(default.to_owned());
        self
    }

    /// The value is a secret that appears in no log or error.
    #[must_use]
    pub fn sensitive(mut self) -> Self {
        self.sensitive = true;
        self
    }

    fn new(name: &str, type_: OptionType, documentation: &str) -> Self {
        Self {
            name: name.to_owned(),
            type_,
            required: false,
            default: None,
            sensitive: false,
            documentation: documentation.to_owned(),
        }
    }
}

#[expect(clippy::derivable_impls, reason = "the type is generated")]
impl Default for Defaults {
    fn default() -> Self {
        Self {
            name_suffix: None,
            device: None,
            format: None,
            bus: None,
            read_only: None,
        }
    }
}

#[expect(clippy::derivable_impls, reason = "the type is generated")]
impl Default for Configuration {
    fn default() -> Self {
        Self {
            diagnostics: Vec::new(),
            defaults: Defaults::default(),
            grants: Vec::new(),
        }
    }
}

impl Configuration {
    /// Adds a diagnostic.
    pub fn report(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    /// Asks for something to be reachable in [`prepare`](crate::VolumeSource::prepare).
    pub fn need(&mut self, grant: Grant) {
        self.grants.push(grant);
    }

    /// Whether a diagnostic is an error, so that there will be no build.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.diagnostics
            .iter()
            .any(|diagnostic| diagnostic.severity == Severity::Error)
    }
}

impl Grant {
    /// One file, which will be checked by `checksum`: as a user writes it, `none` for not at all. lvhost tells
    /// the user of both before the build, and whether it has the file already. It takes no other checksum
    /// later.
    #[must_use]
    pub fn download(url: impl Into<String>, checksum: impl Into<String>) -> Self {
        Self::Url(Download {
            url: url.into(),
            checksum: Some(checksum.into()),
        })
    }

    /// One file whose checksum is only known in [`prepare`](crate::VolumeSource::prepare).
    #[must_use]
    pub fn download_with_later_checksum(url: impl Into<String>) -> Self {
        Self::Url(Download {
            url: url.into(),
            checksum: None,
        })
    }
}

impl Diagnostic {
    /// Something that must be put right. The path is that of the option: `checksum`, `urls[1]`,
    /// `contents["a/b"]`; empty for the whole block.
    #[must_use]
    pub fn error(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            path: path.into(),
            message: message.into(),
            help: None,
        }
    }

    /// Something that is probably not what the user wants, and yet possible.
    #[must_use]
    pub fn warning(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(path, message)
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl Error {
    /// Bytes are not what they should be.
    #[must_use]
    pub fn corrupt(message: impl Display) -> Self {
        Self::Corrupt(message.to_string())
    }

    /// The thing asked for does not exist.
    #[must_use]
    pub fn not_found(message: impl Display) -> Self {
        Self::NotFound(message.to_string())
    }

    /// Any other reason why the volume can't be made. Say what failed, on which thing, and what to
    /// do: in lower case, without a period at the end.
    #[must_use]
    pub fn other(message: impl Display) -> Self {
        Self::Other(message.to_string())
    }

    /// The text for the user.
    #[must_use]
    pub fn message(&self) -> &str {
        match self {
            Self::Invalid(message)
            | Self::Denied(message)
            | Self::NotFound(message)
            | Self::Network(message)
            | Self::Corrupt(message)
            | Self::Other(message) => message,
            Self::Cancelled => "cancelled",
        }
    }
}
