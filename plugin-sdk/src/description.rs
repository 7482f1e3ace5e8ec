//! How a source says what it is: its description and the schema of its options.

use crate::bindings::lvhost::source::describe as wit;

/// What a source says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// What users write for `type`, `[a-z][a-z0-9-]*`, if lvhost ships the source. Any other is called what its
    /// entry in `lvhost.hcl` says.
    pub type_name: String,
    /// Other spellings of it.
    pub aliases: Vec<String>,
    /// What it does, in one line.
    pub summary: String,
    /// Its options.
    pub options: Vec<OptionSchema>,
}

/// What a user may write for an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OptionType {
    /// A text.
    Text,
    /// From -2^63 to 2^63-1.
    Integer,
    /// `true` or `false`.
    Boolean,
    /// A list of texts.
    TextList,
    /// A map from text to text.
    TextMap,
}

/// One option of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptionSchema {
    /// `[a-z][a-z0-9_]*`
    pub name: String,
    /// What its value must be.
    pub option_type: OptionType,
    /// The user must set it.
    pub required: bool,
    /// What holds if it is not set, for the documentation.
    pub default: Option<String>,
    /// The value is a secret that is shown nowhere.
    pub sensitive: bool,
    /// One or more sentences of Markdown.
    pub documentation: String,
}

impl Description {
    /// A source that users call `type_name` (`[a-z][a-z0-9-]*`), and what it does in one line.
    #[must_use]
    pub fn new(type_name: &str, summary: &str) -> Self {
        Self {
            type_name: type_name.to_owned(),
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

    /// Tells it to lvhost.
    pub(crate) fn tell(&self, description: &wit::Description) {
        description.name(&self.type_name);
        for alias in &self.aliases {
            description.alias(alias);
        }
        description.summary(&self.summary);
        let schema = description.options();
        for option in &self.options {
            option.tell(&schema);
        }
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

    fn new(name: &str, option_type: OptionType, documentation: &str) -> Self {
        Self {
            name: name.to_owned(),
            option_type,
            required: false,
            default: None,
            sensitive: false,
            documentation: documentation.to_owned(),
        }
    }

    fn tell(&self, schema: &wit::Schema) {
        let add = match self.option_type {
            OptionType::Text => wit::Schema::text,
            OptionType::Integer => wit::Schema::integer,
            OptionType::Boolean => wit::Schema::boolean,
            OptionType::TextList => wit::Schema::texts,
            OptionType::TextMap => wit::Schema::pairs,
        };
        let option = add(schema, &self.name, &self.documentation);
        if self.required {
            option.required();
        }
        if let Some(default) = &self.default {
            option.default(default);
        }
        if self.sensitive {
            option.sensitive();
        }
    }
}
