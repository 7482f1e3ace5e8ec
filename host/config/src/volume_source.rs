//! The `source` block of a volume: its options are known only to the component that makes the volume.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use lvhost_hcl::{Attribute, Body, Diagnostic, Diagnostics, Span, Value};
use secrecy::{ExposeSecret, SecretString};

use crate::declare::{Context, Declared, is_left_out};
use crate::origin::Origin;
use crate::schema::{BlockSchema, Kind, OptionSchema};
use crate::setting::{Mismatch, Setting};

/// The type of an option of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceOptionType {
    /// A text.
    Text,
    /// A whole number, possibly below zero.
    Integer,
    /// True or false.
    Boolean,
    /// A list of texts.
    TextList,
    /// Texts by key.
    TextMap,
}

/// An option of a source, as its component describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceOption {
    /// Its name.
    pub name: String,
    /// What a user may write for it.
    pub option_type: SourceOptionType,
    /// A source without it is an error.
    pub required: bool,
    /// What it is when left out; for the docs.
    pub default: Option<String>,
    /// Its value is a secret.
    pub sensitive: bool,
    /// What it is for.
    pub documentation: String,
}

/// A kind of source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceSchema {
    /// What a user writes for `type`.
    pub type_name: String,
    /// Other spellings of it.
    pub aliases: Vec<String>,
    /// One line on what it does.
    pub summary: String,
    /// Its options.
    pub options: Vec<SourceOption>,
}

/// All kinds of sources there are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SourceSchemas {
    kinds: Vec<SourceSchema>,
    advice: BTreeMap<String, String>,
    excused: ExcusedTypes,
}

/// Types without a kind of which nothing is said, since it was said elsewhere why there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExcusedTypes {
    /// These.
    Types(BTreeSet<String>),
    /// Each: what kinds there would be is not known.
    All,
}

impl Default for ExcusedTypes {
    fn default() -> Self {
        Self::Types(BTreeSet::new())
    }
}

impl ExcusedTypes {
    /// Excuses `type_name`, too.
    pub fn add(&mut self, type_name: impl Into<String>) {
        if let Self::Types(types) = self {
            types.insert(type_name.into());
        }
    }

    /// Whether nothing is said of `type_name`.
    pub fn includes(&self, type_name: &str) -> bool {
        match self {
            Self::Types(types) => types.contains(type_name),
            Self::All => true,
        }
    }
}

impl SourceSchemas {
    /// These kinds.
    pub fn new(kinds: Vec<SourceSchema>) -> Self {
        Self {
            kinds,
            ..Self::default()
        }
    }

    /// Says nothing of these types, of which there is no kind.
    pub fn excuse(&mut self, excused: ExcusedTypes) {
        self.excused = excused;
    }

    /// Tells what a user can do about `type_name`, of which there is no source.
    pub fn advise(&mut self, type_name: impl Into<String>, advice: impl Into<String>) {
        self.advice.insert(type_name.into(), advice.into());
    }

    /// All kinds, in the order of the docs.
    pub fn kinds(&self) -> &[SourceSchema] {
        &self.kinds
    }

    /// The kind a user means by `type_name`.
    pub fn find(&self, type_name: &str) -> Option<&SourceSchema> {
        self.kinds.iter().find(|schema| {
            schema.type_name == type_name || schema.aliases.iter().any(|alias| alias == type_name)
        })
    }

    fn type_names(&self) -> impl Iterator<Item = &str> {
        self.kinds.iter().flat_map(|schema| {
            std::iter::once(&schema.type_name)
                .chain(&schema.aliases)
                .map(String::as_str)
        })
    }

    /// Kinds of sources that have an option of that name.
    fn owners(&self, option: &str) -> Vec<&str> {
        self.kinds
            .iter()
            .filter(|schema| schema.options.iter().any(|known| known.name == option))
            .map(|schema| schema.type_name.as_str())
            .collect()
    }
}

/// The value of an option of a source. Each text is a secret type: only its component knows what it means,
/// and only to its component it is shown. Its `Debug` shows the type alone.
#[derive(Clone)]
pub enum SourceValue {
    /// A text.
    Text(SecretString),
    /// A whole number.
    Integer(i64),
    /// True or false.
    Boolean(bool),
    /// Texts in order.
    TextList(Vec<SecretString>),
    /// Texts by key, in the order of the keys.
    TextMap(Vec<(String, SecretString)>),
}

impl SourceValue {
    /// The texts that can name something to reach: those of a map are contents.
    pub fn names(&self) -> Vec<&str> {
        match self {
            Self::Text(text) => vec![text.expose_secret()],
            Self::TextList(texts) => texts.iter().map(ExposeSecret::expose_secret).collect(),
            Self::TextMap(_) | Self::Integer(_) | Self::Boolean(_) => Vec::new(),
        }
    }

    /// What of it is not to be shown, if it is a secret.
    fn secrets(&self) -> Vec<SecretString> {
        match self {
            Self::Text(text) => vec![text.clone()],
            Self::Integer(number) => vec![SecretString::from(number.to_string())],
            Self::Boolean(_) => Vec::new(),
            Self::TextList(texts) => texts.clone(),
            Self::TextMap(entries) => entries.iter().map(|(_, text)| text.clone()).collect(),
        }
    }
}

impl fmt::Debug for SourceValue {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Text(_) => "(text)",
            Self::Integer(_) => "(integer)",
            Self::Boolean(_) => "(boolean)",
            Self::TextList(_) => "(list of texts)",
            Self::TextMap(_) => "(map of texts)",
        })
    }
}

/// An option the user has set.
#[derive(Clone)]
pub struct SourceSetting {
    /// Its name.
    pub name: String,
    /// Its value; `None` for one that will only be known when the build runs.
    pub value: Option<SourceValue>,
    sensitive: bool,
    attribute: Attribute,
}

impl SourceSetting {
    /// Whether the component or the template calls its value sensitive.
    pub fn is_sensitive(&self) -> bool {
        self.sensitive
    }
}

impl fmt::Debug for SourceSetting {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("SourceSetting");
        shown.field("name", &self.name);
        shown.field("value", &self.value);
        shown.finish_non_exhaustive()
    }
}

/// Where the bytes of a volume come from.
#[derive(Debug, Clone)]
pub struct VolumeSource {
    /// The kind of source; not an alias. Empty when the template only says at run time.
    pub type_name: String,
    /// The options the user has set, in the order of the schema.
    pub settings: Vec<SourceSetting>,
    /// Where it stands.
    pub origin: Origin,
}

impl VolumeSource {
    /// Whether everything in it is known already.
    pub fn is_known(&self) -> bool {
        !self.type_name.is_empty() && self.settings.iter().all(|setting| setting.value.is_some())
    }

    /// What of its options is not to be shown, whoever tells it.
    pub fn secrets(&self) -> impl Iterator<Item = SecretString> + '_ {
        let sensitive = self.settings.iter().filter(|setting| setting.sensitive);
        sensitive
            .filter_map(|setting| setting.value.as_ref())
            .flat_map(SourceValue::secrets)
    }

    /// Where the option at `path` stands, with `path` as components write it: `checksum`,
    /// `urls[1]`; the block for an empty one and for options that are left out.
    pub fn span_of(&self, path: &str) -> Span {
        let end = path.find(['.', '[']).unwrap_or(path.len());
        let (name, inside) = path.split_at(end);
        self.settings
            .iter()
            .find(|setting| setting.name == name)
            .map_or(self.origin.span(), |setting| {
                setting.attribute.element_span(inside)
            })
    }
}

static TYPE: OptionSchema = OptionSchema {
    name: "type",
    kind: Kind::Text,
    required: true,
    default: None,
    documentation: &["The kind of source: the name of a built-in or installed component."],
};

static SCHEMA: BlockSchema = BlockSchema {
    name: "source",
    documentation: &[
        "Where the bytes of the volume come from. Beside `type` it has the options \
        of that kind of source.",
    ],
    options: &[OptionSchema {
        name: TYPE.name,
        kind: TYPE.kind,
        required: TYPE.required,
        default: TYPE.default,
        documentation: TYPE.documentation,
    }],
    blocks: &[],
    not_supported: &[],
};

impl Declared for VolumeSource {
    const SCHEMA: &'static BlockSchema = &SCHEMA;

    fn decode(body: &Body, context: &Context<'_>, report: &mut Diagnostics) -> Self {
        let mut origin = Origin::new(body.span);
        let written: String =
            crate::declare::option(body, &SCHEMA, "type", None, &mut origin, report);
        for block in &body.blocks {
            let error = Diagnostic::error(
                block.name_span,
                format!("a volume's source has no block called `{}`", block.name),
            );
            report.push(if context.sources.owners(&block.name).is_empty() {
                error
            } else {
                error.help(format!(
                    "`{0}` is an option: write `{0} = {{ … }}`",
                    block.name
                ))
            });
        }
        let Some(schema) = context.sources.find(&written) else {
            if !written.is_empty() && !context.sources.excused.includes(&written) {
                report.push(unknown_type(&written, origin.span_of("type"), context));
            }
            return Self {
                type_name: String::new(),
                settings: Vec::new(),
                origin,
            };
        };
        Self {
            type_name: schema.type_name.clone(),
            settings: settings(schema, body, context, report),
            origin,
        }
    }
}

fn unknown_type(written: &str, span: Span, context: &Context<'_>) -> Diagnostic {
    let sources = context.sources;
    let known: Vec<_> = sources
        .kinds
        .iter()
        .map(|schema| schema.type_name.as_str())
        .collect();
    let error = Diagnostic::error(
        span,
        format!("there is no volume source called `{written}`"),
    )
    .detail(format!("there are: {}", known.join(", ")))
    .suggest(written, sources.type_names());
    match (&error.help, sources.advice.get(written)) {
        (None, Some(advice)) => error.help(advice),
        _ => error,
    }
}

/// An option there is not, by which `option` was meant.
fn misspelt<'a>(
    schema: &SourceSchema,
    option: &str,
    body: &'a Body,
    context: &Context<'_>,
) -> Option<&'a Attribute> {
    let names = || schema.options.iter().map(|option| option.name.as_str());
    let of_volume = |name: &str| crate::volume::Volume::SCHEMA.option(name).is_some();
    let mut foreign = body.attributes.iter().filter(|(name, _)| {
        *name != TYPE.name && context.sources.owners(name).is_empty() && !of_volume(name)
    });
    let meant = foreign.find(|(name, _)| lvhost_hcl::suggest(name, names()) == Some(option));
    meant.map(|(_, attribute)| attribute)
}

fn settings(
    schema: &SourceSchema,
    body: &Body,
    context: &Context<'_>,
    report: &mut Diagnostics,
) -> Vec<SourceSetting> {
    for (name, attribute) in &body.attributes {
        let known = schema.options.iter().any(|option| option.name == *name);
        if known || name == TYPE.name || attribute.value.is_null() {
            continue;
        }
        report.push(foreign_option(schema, name, attribute, context));
    }
    let mut settings = Vec::new();
    for option in &schema.options {
        let set = body
            .attribute(&option.name)
            .filter(|attribute| !is_left_out(&attribute.value));
        let Some(attribute) = set else {
            if let Some(attribute) = misspelt(schema, &option.name, body, context) {
                settings.push(SourceSetting {
                    name: option.name.clone(),
                    value: None,
                    sensitive: true,
                    attribute: attribute.clone(),
                });
            } else if option.required {
                report.push(
                    Diagnostic::error(body.span, format!("`{}` is missing", option.name)).detail(
                        format!("a volume source of type `{}` needs it", schema.type_name),
                    ),
                );
            }
            continue;
        };
        let value = if attribute.value.is_wholly_known() {
            match convert(option.option_type, &attribute.value) {
                Ok(value) => Some(value),
                Err(mismatch) => {
                    let Mismatch { path, message } = mismatch;
                    report.push(Diagnostic::error(
                        attribute.element_span(&path),
                        format!("`{}{path}`: {message}", option.name),
                    ));
                    None
                }
            }
        } else {
            None
        };
        let sensitive = option.sensitive || attribute.value.is_sensitive();
        let mut attribute = attribute.clone();
        if sensitive {
            attribute.value = attribute.value.sensitive();
        }
        settings.push(SourceSetting {
            name: option.name.clone(),
            value,
            sensitive,
            attribute,
        });
    }
    settings
}

/// In the Go plugin the options of all kinds are one flat set, and templates have some that belong
/// to another kind. They never had an effect there, so they are a warning and not an error.
fn foreign_option(
    schema: &SourceSchema,
    name: &str,
    attribute: &Attribute,
    context: &Context<'_>,
) -> Diagnostic {
    let owners = context.sources.owners(name);
    if owners.is_empty() && crate::volume::Volume::SCHEMA.option(name).is_some() {
        return Diagnostic::error(
            attribute.name_span,
            format!("`{name}` is an option of the volume, not of its source"),
        )
        .help("write it outside of the `source` block");
    }
    if owners.is_empty() {
        let options = schema.options.iter().map(|option| option.name.as_str());
        return Diagnostic::error(
            attribute.name_span,
            format!(
                "a volume source of type `{}` has no option called `{name}`",
                schema.type_name
            ),
        )
        .suggest(name, options.chain([TYPE.name]));
    }
    Diagnostic::warning(
        attribute.name_span,
        format!(
            "`{name}` has no effect in a volume source of type `{}`",
            schema.type_name
        ),
    )
    .detail(format!("it belongs to: {}", owners.join(", ")))
}

fn convert(option_type: SourceOptionType, value: &Value) -> Result<SourceValue, Mismatch> {
    Ok(match option_type {
        SourceOptionType::Text => SourceValue::Text(SecretString::decode(value)?),
        SourceOptionType::Integer => SourceValue::Integer(i64::decode(value)?),
        SourceOptionType::Boolean => SourceValue::Boolean(bool::decode(value)?),
        SourceOptionType::TextList => SourceValue::TextList(texts(Vec::decode(value)?).collect()),
        SourceOptionType::TextMap => {
            let map = BTreeMap::<String, String>::decode(value)?;
            let (keys, values): (Vec<_>, Vec<_>) = map.into_iter().unzip();
            SourceValue::TextMap(keys.into_iter().zip(texts(values)).collect())
        }
    })
}

fn texts(plain: Vec<String>) -> impl Iterator<Item = SecretString> {
    plain.into_iter().map(SecretString::from)
}
