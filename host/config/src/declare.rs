//! One declaration for each block: the Rust struct, its schema and its decoder come out of it.
//!
//! ```text
//! options! {
//!     /// What the block is for.
//!     pub struct Volume for "volume" {
//!         options {
//!             /// The pool's name.
//!             pool: String = "default",
//!             /// A name unique to the pool.
//!             name: Option<String>,
//!         }
//!         blocks {
//!             /// Where its bytes come from.
//!             source: Option<VolumeSource>,
//!         }
//!         not_supported {
//!             "encryption",
//!             "device" = "lun",
//!         }
//!     }
//! }
//! ```
//!
//! A field without a default whose type has no value for "left out" is required. The doc comments
//! are the user's documentation. What `not_supported` names is an error in a template: an option, be it
//! declared or not, or one word of it. A declared one is decoded all the same, so that it is supported
//! as soon as its line is gone.

use lvhost_hcl::{Block, Body, Diagnostic, Diagnostics, Value};

use crate::origin::Origin;
use crate::schema::{BlockSchema, InnerBlockSchema, Kind};
use crate::setting::{Mismatch, Setting};

/// A block that can be decoded.
pub trait Declared: Sized {
    /// What may be in it.
    const SCHEMA: &'static BlockSchema;

    /// Decodes `body`, telling everything that is wrong with it.
    fn decode(body: &Body, context: &Context<'_>, report: &mut Diagnostics) -> Self;
}

/// What decoding needs beside the body.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The kinds of volume sources there are.
    pub sources: &'a crate::volume_source::SourceSchemas,
}

/// How often a block may stand inside of another.
pub trait InnerBlocks: Sized {
    /// What is in each.
    const SCHEMA: &'static BlockSchema;
    /// It may stand there more than once.
    const REPEATED: bool;

    /// Decodes all blocks of that name.
    fn decode(blocks: &[&Block], context: &Context<'_>, report: &mut Diagnostics) -> Self;
}

impl<T: Declared> InnerBlocks for Vec<T> {
    const SCHEMA: &'static BlockSchema = T::SCHEMA;
    const REPEATED: bool = true;

    fn decode(blocks: &[&Block], context: &Context<'_>, report: &mut Diagnostics) -> Self {
        blocks
            .iter()
            .map(|block| T::decode(&block.body, context, report))
            .collect()
    }
}

impl<T: Declared> InnerBlocks for Option<T> {
    const SCHEMA: &'static BlockSchema = T::SCHEMA;
    const REPEATED: bool = false;

    fn decode(blocks: &[&Block], context: &Context<'_>, report: &mut Diagnostics) -> Self {
        for block in blocks.iter().skip(1) {
            report.push(
                Diagnostic::error(block.name_span, format!("a second `{}` block", block.name))
                    .help("only one may stand here: put all options into one block"),
            );
        }
        blocks
            .first()
            .map(|block| T::decode(&block.body, context, report))
    }
}

/// Takes one option out of a body.
pub(crate) fn option<T: Setting>(
    body: &Body,
    schema: &'static BlockSchema,
    name: &'static str,
    default: Option<Value>,
    origin: &mut Origin,
    report: &mut Diagnostics,
) -> T {
    let fallback = |default: &Option<Value>| {
        default
            .as_ref()
            .and_then(|default| T::decode(default).ok())
            .unwrap_or_default()
    };
    let Some(attribute) = body
        .attribute(name)
        .filter(|attribute| !is_left_out(&attribute.value))
    else {
        if T::REQUIRED && default.is_none() && !origin.is_unknown(name) {
            report.push(
                Diagnostic::error(body.span, format!("`{name}` is missing")).detail(format!(
                    "{} needs it{}",
                    schema.name,
                    first_sentence(schema, name)
                )),
            );
        }
        return fallback(&default);
    };
    if attribute.value.is_unknown() {
        origin.note(name, attribute, false);
        return fallback(&default);
    }
    match T::decode(&attribute.value) {
        Ok(value) => {
            origin.note(name, attribute, attribute.value.is_wholly_known());
            value
        }
        Err(Mismatch { path, message }) => {
            origin.note(name, attribute, false);
            report.push(Diagnostic::error(
                attribute.element_span(&path),
                format!("`{name}{path}`: {message}"),
            ));
            fallback(&default)
        }
    }
}

/// What the option is for, ready to be put behind "needs it".
fn first_sentence(schema: &BlockSchema, name: &str) -> String {
    let Some(option) = schema.option(name) else {
        return String::new();
    };
    let documentation = option.prose();
    let sentence = documentation.split(". ").next().unwrap_or_default();
    let mut characters = sentence.trim_end_matches('.').chars();
    let Some(first) = characters.next() else {
        return String::new();
    };
    let words = match option.kind {
        Kind::Choice(_) => format!(", {}", option.kind),
        _ => String::new(),
    };
    format!(": {}{}{words}", first.to_lowercase(), characters.as_str())
}

/// Null and the empty text count as left out. In the Go plugin there is no difference either, and
/// templates rely on it: `loader_path = var.loader_path` with a variable that is `""` by default.
pub(crate) fn is_left_out(value: &Value) -> bool {
    value.is_null() || value.as_str() == Some("")
}

/// Takes all blocks of one name out of a body.
pub(crate) fn inner_blocks<T: InnerBlocks>(
    body: &Body,
    name: &'static str,
    context: &Context<'_>,
    report: &mut Diagnostics,
) -> T {
    let blocks: Vec<&Block> = body.blocks(name).collect();
    T::decode(&blocks, context, report)
}

/// Complains about everything in the body that the schema calls not supported.
pub(crate) fn not_supported(body: &Body, schema: &'static BlockSchema, report: &mut Diagnostics) {
    for mark in schema.not_supported {
        let Some(attribute) = body.attribute(mark.option) else {
            continue;
        };
        let value = &attribute.value;
        let span = match mark.word {
            None if is_left_out(value) || asks_for_nothing(schema, mark.option, value) => continue,
            None => attribute.name_span,
            Some(word) if value.as_str() == Some(word) => attribute.element_span(""),
            Some(_) => continue,
        };
        let error = Diagnostic::error(
            span,
            format!("`{mark}` is not supported by this version of lvhost"),
        );
        report.push(match instead(mark.option) {
            Some(help) => error.help(help),
            None => error,
        });
    }
}

/// What does here what an option is for elsewhere.
fn instead(option: &str) -> Option<&'static str> {
    // Builders for clouds choose between addresses that the cloud knows of.
    (option == "ssh_interface").then_some(
        "set `communicator_interface` to the alias of a `network_interface`, or `ssh_host` to an \
         address",
    )
}

/// Switching off what can't be switched on is no wish.
fn asks_for_nothing(schema: &BlockSchema, name: &str, value: &Value) -> bool {
    schema
        .option(name)
        .is_some_and(|option| option.kind == Kind::Boolean)
        && value.to_bool() == Some(false)
}

/// Complains about everything in the body that the schema doesn't know, and tells what was meant by it.
pub(crate) fn unknown_names(
    body: &Body,
    schema: &'static BlockSchema,
    report: &mut Diagnostics,
) -> Vec<&'static str> {
    let mut meant = Vec::new();
    let options = || schema.options.iter().map(|option| option.name);
    let blocks = || schema.blocks.iter().map(|block| block.name);
    for (name, attribute) in &body.attributes {
        if schema.knows(name) {
            continue;
        }
        let error = Diagnostic::error(
            attribute.name_span,
            format!("{} has no option called `{name}`", schema.name),
        );
        let owners: Vec<_> = schema
            .blocks
            .iter()
            .filter(|block| block.schema.option(name).is_some())
            .map(|block| format!("`{}`", block.name))
            .collect();
        report.push(if let Some(block) = schema.block(name) {
            meant.push(block.name);
            error.help(format!(
                "`{name}` is a block: write `{name} {{ … }}` without `=`"
            ))
        } else if owners.is_empty() {
            meant.extend(lvhost_hcl::suggest(name, options().chain(blocks())));
            error.suggest(name, options().chain(blocks()))
        } else {
            error.help(format!("it belongs into a block {}", owners.join(" or ")))
        });
    }
    for block in &body.blocks {
        if schema.block(&block.name).is_some() {
            if let Some(label) = block.labels.first() {
                report.push(
                    Diagnostic::error(label.span, format!("`{}` takes no label", block.name))
                        .help(format!("write `{} {{ … }}`", block.name)),
                );
            }
            continue;
        }
        let name = &block.name;
        let error = Diagnostic::error(
            block.name_span,
            format!("{} has no block called `{name}`", schema.name),
        );
        report.push(if let Some(option) = schema.option(name) {
            meant.push(option.name);
            error.help(format!("`{name}` is an option: write `{name} = …`"))
        } else {
            meant.extend(lvhost_hcl::suggest(name, blocks().chain(options())));
            error.suggest(name, blocks().chain(options()))
        });
    }
    meant
}

/// The name a user writes for a field: `type` for `r#type`.
pub(crate) const fn plain(field: &'static str) -> &'static str {
    match field.as_bytes() {
        [b'r', b'#', ..] => field.split_at(2).1,
        _ => field,
    }
}

/// What a default is written as in a declaration.
pub(crate) trait Literal {
    fn into_value(self) -> Value;
}

impl Literal for &'static str {
    fn into_value(self) -> Value {
        Value::string(self)
    }
}

impl Literal for bool {
    fn into_value(self) -> Value {
        Value::from(self)
    }
}

impl Literal for i32 {
    fn into_value(self) -> Value {
        Value::from(i64::from(self))
    }
}

/// The schema of a field's block, for the macro.
pub(crate) const fn inner_schema<T: InnerBlocks>(
    name: &'static str,
    documentation: &'static [&'static str],
) -> InnerBlockSchema {
    InnerBlockSchema {
        name,
        repeated: T::REPEATED,
        documentation,
        schema: T::SCHEMA,
    }
}

macro_rules! options {
    (
        $(#[doc = $about:literal])*
        pub struct $struct:ident for $block:literal {
            options {
                $($(#[doc = $doc:literal])* $field:ident : $type:ty $(= $default:literal)?),* $(,)?
            }
            $(blocks {
                $($(#[doc = $inner_doc:literal])* $inner:ident : $inner_type:ty),* $(,)?
            })?
            $(not_supported { $($mark:literal $(= $word:literal)?),* $(,)? })?
        }
    ) => {
        $(#[doc = $about])*
        #[derive(Debug, Clone)]
        pub struct $struct {
            $($(#[doc = $doc])* pub $field: $type,)*
            $($($(#[doc = $inner_doc])* pub $inner: $inner_type,)*)?
            /// Where it stands.
            pub origin: $crate::origin::Origin,
        }

        impl $crate::declare::Declared for $struct {
            const SCHEMA: &'static $crate::schema::BlockSchema = &$crate::schema::BlockSchema {
                name: $block,
                documentation: &[$($about),*],
                options: &[$($crate::schema::OptionSchema {
                    name: $crate::declare::plain(stringify!($field)),
                    kind: <$type as $crate::setting::Setting>::KIND,
                    required: <$type as $crate::setting::Setting>::REQUIRED
                        && options!(@default $($default)?).is_none(),
                    documentation: &[$($doc),*],
                    default: options!(@default $($default)?),
                }),*],
                blocks: &[$($($crate::declare::inner_schema::<$inner_type>(
                    stringify!($inner),
                    &[$($inner_doc),*],
                )),*)?],
                not_supported: &[$($($crate::schema::NotSupported {
                    option: $mark,
                    word: options!(@word $($word)?),
                }),*)?],
            };

            fn decode(
                body: &lvhost_hcl::Body,
                #[allow(unused_variables, reason = "not every block has blocks in it")]
                context: &$crate::declare::Context<'_>,
                report: &mut lvhost_hcl::Diagnostics,
            ) -> Self {
                let misspelt = $crate::declare::unknown_names(body, Self::SCHEMA, report);
                $crate::declare::not_supported(body, Self::SCHEMA, report);
                let mut origin = $crate::origin::Origin::new(body.span).with_misspelt(misspelt);
                Self {
                    $($field: $crate::declare::option(
                        body,
                        Self::SCHEMA,
                        $crate::declare::plain(stringify!($field)),
                        options!(@value $($default)?),
                        &mut origin,
                        report,
                    ),)*
                    $($($inner: $crate::declare::inner_blocks(
                        body, stringify!($inner), context, report,
                    ),)*)?
                    origin,
                }
            }
        }
    };
    (@default) => { None::<&'static str> };
    (@default $default:literal) => { Some(stringify!($default)) };
    (@word) => { None };
    (@word $word:literal) => { Some($word) };
    (@value) => { None };
    (@value $default:literal) => { Some($crate::declare::Literal::into_value($default)) };
}

pub(crate) use options;
