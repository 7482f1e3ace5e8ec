//! What is known of a block before anybody writes one: its options, their types, defaults and docs.

use std::fmt;

/// What a user may write for an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Any text.
    Text,
    /// A text that is not shown in logs and errors.
    Secret,
    /// A whole number of zero or more.
    Integer,
    /// `true` or `false`.
    Boolean,
    /// A duration such as `1h5m2s`.
    Duration,
    /// A number of bytes such as `10`, `1.5G` or `10GiB`.
    Size,
    /// One of these words.
    Choice(&'static [Choice]),
    /// A list of these words.
    ChoiceList(&'static [Choice]),
    /// A list of texts.
    TextList,
    /// A list of whole numbers.
    IntegerList,
    /// Texts by key.
    TextMap,
}

/// A word that stands for something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Choice {
    /// The word.
    pub word: &'static str,
    /// What it stands for.
    pub documentation: &'static [&'static str],
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text | Self::Secret => formatter.write_str("a text"),
            Self::Integer => formatter.write_str("a whole number"),
            Self::Boolean => formatter.write_str("true or false"),
            Self::Duration => formatter.write_str("a duration such as \"1h5m2s\""),
            Self::Size => formatter.write_str("a size such as \"10GiB\""),
            Self::Choice(choices) | Self::ChoiceList(choices) => {
                let list = matches!(self, Self::ChoiceList(_));
                formatter.write_str(if list { "a list of " } else { "one of " })?;
                for (index, Choice { word, .. }) in choices.iter().enumerate() {
                    let separator = if index == 0 { "" } else { ", " };
                    write!(formatter, "{separator}\"{word}\"")?;
                }
                Ok(())
            }
            Self::TextList => formatter.write_str("a list of texts"),
            Self::IntegerList => formatter.write_str("a list of whole numbers"),
            Self::TextMap => formatter.write_str("a map of texts"),
        }
    }
}

/// What a value is to a program that knows nothing of durations, sizes and words, such as Packer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ValueType {
    /// A text.
    Text,
    /// A number.
    Number,
    /// True or false.
    Boolean,
    /// Texts in order.
    TextList,
    /// Numbers in order.
    NumberList,
    /// Texts by key.
    TextMap,
}

impl Kind {
    /// The type of the values that a user may write.
    pub const fn value_type(self) -> ValueType {
        match self {
            Self::Text | Self::Secret | Self::Duration | Self::Size | Self::Choice(_) => {
                ValueType::Text
            }
            Self::Integer => ValueType::Number,
            Self::Boolean => ValueType::Boolean,
            Self::TextList | Self::ChoiceList(_) => ValueType::TextList,
            Self::IntegerList => ValueType::NumberList,
            Self::TextMap => ValueType::TextMap,
        }
    }
}

/// An option of a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OptionSchema {
    /// Its name.
    pub name: &'static str,
    /// What a user may write for it.
    pub kind: Kind,
    /// A block without it is an error.
    pub required: bool,
    /// What it is when left out, as a user would write it.
    pub default: Option<&'static str>,
    /// What it is for: one or more sentences of Markdown.
    pub documentation: &'static [&'static str],
}

impl OptionSchema {
    /// What it is for, in one line.
    pub fn prose(&self) -> String {
        prose(self.documentation)
    }
}

/// The lines of a doc comment as one.
pub(crate) fn prose(documentation: &[&str]) -> String {
    let lines: Vec<_> = documentation.iter().map(|line| line.trim()).collect();
    lines.join(" ").trim().to_string()
}

/// The mark of an option, or of one of its words, that is known but that this version of lvhost can't
/// do. A template that has it is told so, and not that it is misspelt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotSupported {
    /// The option's name. It need not be declared.
    pub option: &'static str,
    /// The only word that is not supported; `None` where it is the whole option.
    pub word: Option<&'static str>,
}

impl fmt::Display for NotSupported {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.word {
            None => formatter.write_str(self.option),
            Some(word) => write!(formatter, "{} = \"{word}\"", self.option),
        }
    }
}

/// A block inside of a block.
#[derive(Debug, Clone)]
pub struct InnerBlockSchema {
    /// Its name.
    pub name: &'static str,
    /// It may stand there more than once.
    pub repeated: bool,
    /// What it is for.
    pub documentation: &'static [&'static str],
    /// What may be in it.
    pub schema: &'static BlockSchema,
}

/// A block: what may be in it.
#[derive(Debug, Clone)]
pub struct BlockSchema {
    /// Its name as an error calls it: `source "libvirt"`, `volume`, `provisioner "shell"`.
    pub name: &'static str,
    /// What it is for.
    pub documentation: &'static [&'static str],
    /// Its options, in the order in which the docs show them.
    pub options: &'static [OptionSchema],
    /// The blocks in it.
    pub blocks: &'static [InnerBlockSchema],
    /// Options and words that this version can't do. The options among them may be declared, so that
    /// taking the mark off is all it takes to support them.
    pub not_supported: &'static [NotSupported],
}

impl BlockSchema {
    /// The option called `name`.
    pub fn option(&self, name: &str) -> Option<&'static OptionSchema> {
        self.options.iter().find(|option| option.name == name)
    }

    /// Whether the option `name` as a whole is marked as not supported.
    pub fn lacks(&self, name: &str) -> bool {
        let mut marks = self.not_supported.iter();
        marks.any(|mark| mark.option == name && mark.word.is_none())
    }

    /// Whether a user may mean this block by an option called `name`.
    pub fn knows(&self, name: &str) -> bool {
        self.option(name).is_some() || self.lacks(name)
    }

    /// The words of the option `name` that are marked as not supported.
    pub fn words_not_supported(&self, name: &str) -> impl Iterator<Item = &'static str> {
        let marks = self.not_supported.iter();
        marks.filter_map(move |mark| mark.word.filter(|_| mark.option == name))
    }

    /// The inner block called `name`.
    pub fn block(&self, name: &str) -> Option<&'static InnerBlockSchema> {
        self.blocks.iter().find(|block| block.name == name)
    }
}
