//! The volume sources of a run, by the names a template uses.

use std::collections::BTreeMap;
use std::sync::Arc;

use lvhost_config::{ExcusedTypes, SourceOption, SourceOptionType, SourceSchema, SourceSchemas};
use lvhost_runtime::{OptionType, Source};

use crate::permission::Permission;

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

/// A component, the name it goes by, and what it is allowed.
#[derive(Clone)]
pub struct SourceKind {
    /// What a template calls it.
    pub type_name: String,
    /// Other names of it. Only the built-in ones have any: a stranger's component goes by the name its
    /// user has given it, and by no other.
    pub aliases: Vec<String>,
    /// What is called.
    pub component: Arc<Source>,
    /// What it may reach.
    pub permission: Permission,
}

impl SourceKind {
    /// A component that is built in.
    pub fn built_in(component: Source) -> Self {
        Self {
            type_name: component.description().source_type.clone(),
            aliases: component.description().aliases.clone(),
            component: Arc::new(component),
            permission: Permission::Template,
        }
    }

    /// A component that is not built in, which was loaded by the name that templates use.
    pub fn third_party(component: Source, permission: Permission) -> Self {
        Self {
            type_name: component.name().to_owned(),
            aliases: Vec::new(),
            component: Arc::new(component),
            permission,
        }
    }

    fn names(&self) -> impl Iterator<Item = &String> {
        std::iter::once(&self.type_name).chain(&self.aliases)
    }
}

/// All components of a run. Cheap to clone.
#[derive(Clone, Default)]
pub struct Sources {
    kinds: Vec<SourceKind>,
    advice: BTreeMap<String, String>,
    excused: ExcusedTypes,
}

impl Sources {
    /// Takes the built-in components in.
    ///
    /// # Errors
    /// Two of them have a type name or an alias in common.
    pub fn new(sources: impl IntoIterator<Item = Source>) -> Result<Self, NameClash> {
        let mut known = Self::default();
        for source in sources {
            known.add(SourceKind::built_in(source))?;
        }
        Ok(known)
    }

    /// Takes a component in.
    ///
    /// # Errors
    /// Another one has its name already.
    pub fn add(&mut self, kind: SourceKind) -> Result<(), NameClash> {
        for name in kind.names() {
            if let Some(first) = self.kind(name) {
                return Err(NameClash {
                    type_name: name.clone(),
                    first: first.component.name().to_string(),
                    second: kind.component.name().to_string(),
                });
            }
        }
        self.kinds.push(kind);
        Ok(())
    }

    /// What a user can do about a type of which there is no component.
    pub fn advise(&mut self, type_name: impl Into<String>, advice: impl Into<String>) {
        self.advice.insert(type_name.into(), advice.into());
    }

    /// Says nothing of a type of which there is no component: it was said why.
    pub fn excuse(&mut self, type_name: impl Into<String>) {
        self.excused.add(type_name);
    }

    /// Says nothing of any type of which there is no component: what there would be is not known, and it was said
    /// why.
    pub fn excuse_all(&mut self) {
        self.excused = ExcusedTypes::All;
    }

    /// Whether nothing is said of `type_name` if there is no component of it.
    pub fn is_excused(&self, type_name: &str) -> bool {
        self.excused.includes(type_name)
    }

    /// What a template means by `type_name`.
    pub fn kind(&self, type_name: &str) -> Option<&SourceKind> {
        let mut kinds = self.kinds.iter();
        kinds.find(|kind| kind.names().any(|name| name == type_name))
    }

    /// The component a template means by `type_name`.
    pub fn find(&self, type_name: &str) -> Option<&Arc<Source>> {
        self.kind(type_name).map(|kind| &kind.component)
    }

    /// What the component of this type may reach.
    pub(crate) fn permission(&self, type_name: &str) -> &Permission {
        self.kind(type_name)
            .map_or(&Permission::Missing, |kind| &kind.permission)
    }

    /// All components, in the order they were given.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Source>> + Clone {
        self.kinds.iter().map(|kind| &kind.component)
    }

    /// What their options are, for decoding a template.
    pub fn schemas(&self) -> SourceSchemas {
        let mut schemas = SourceSchemas::new(self.kinds.iter().map(schema).collect());
        for (type_name, advice) in &self.advice {
            schemas.advise(type_name, advice);
        }
        schemas.excuse(self.excused.clone());
        schemas
    }
}

fn schema(kind: &SourceKind) -> SourceSchema {
    let description = kind.component.description();
    SourceSchema {
        type_name: kind.type_name.clone(),
        aliases: kind.aliases.clone(),
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
