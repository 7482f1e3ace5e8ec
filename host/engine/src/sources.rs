//! The volume sources of a run, by the names a template uses.

use std::sync::Arc;

use lvhost_config::{SourceOption, SourceOptionType, SourceSchema, SourceSchemas};
use lvhost_runtime::{OptionType, Source};

/// Two components claim the same name.
#[derive(Debug, thiserror::Error)]
#[error(
    "the volume sources \"{first}\" and \"{second}\" both call themselves `{type_name}`; \
     remove one of them"
)]
pub struct NameClash {
    /// The name a template would use.
    pub type_name: String,
    /// The component that has it.
    pub first: String,
    /// The component that wants it, too.
    pub second: String,
}

/// All components that were loaded.
#[derive(Default)]
pub struct Sources {
    sources: Vec<Arc<Source>>,
}

impl Sources {
    /// Takes components in.
    ///
    /// # Errors
    /// Two of them have a type name or an alias in common.
    pub fn new(sources: impl IntoIterator<Item = Source>) -> Result<Self, NameClash> {
        let mut known = Self::default();
        for source in sources {
            let description = source.description();
            let names = std::iter::once(&description.source_type).chain(&description.aliases);
            for name in names {
                if let Some(first) = known.find(name) {
                    return Err(NameClash {
                        type_name: name.clone(),
                        first: first.name().to_string(),
                        second: source.name().to_string(),
                    });
                }
            }
            known.sources.push(Arc::new(source));
        }
        Ok(known)
    }

    /// The component a template means by `type_name`.
    pub fn find(&self, type_name: &str) -> Option<&Arc<Source>> {
        self.sources.iter().find(|source| {
            let description = source.description();
            description.source_type == type_name
                || description.aliases.iter().any(|alias| alias == type_name)
        })
    }

    /// All components, in the order they were given.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Source>> {
        self.sources.iter()
    }

    /// What their options are, for decoding a template.
    pub fn schemas(&self) -> SourceSchemas {
        SourceSchemas::new(self.sources.iter().map(|source| schema(source)).collect())
    }
}

fn schema(source: &Source) -> SourceSchema {
    let description = source.description();
    SourceSchema {
        type_name: description.source_type.clone(),
        aliases: description.aliases.clone(),
        summary: description.summary.clone(),
        options: description
            .options
            .iter()
            .map(|option| SourceOption {
                name: option.name.clone(),
                option_type: match option.option_type {
                    OptionType::Text => SourceOptionType::Text,
                    OptionType::Integer => SourceOptionType::Integer,
                    OptionType::Boolean => SourceOptionType::Boolean,
                    OptionType::TextList => SourceOptionType::TextList,
                    OptionType::TextMap => SourceOptionType::TextMap,
                },
                required: option.required,
                default: option.default.clone(),
                sensitive: option.sensitive,
                documentation: option.documentation.clone(),
            })
            .collect(),
    }
}
