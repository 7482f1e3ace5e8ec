//! Packer's template language and document model.
//!
//! [`load`] takes the text of a template and its variable files and gives back a [`Document`]:
//! sources with every option evaluated, builds with provisioners that are evaluated when the
//! machine is there. Everything keeps its [`Span`], so whoever reads an option can point at it;
//! everything wrong is collected in [`Diagnostics`] and shown by [`render`].
//!
//! The crate does nothing by itself: files, clock, environment and data sources come in through
//! [`Environment`] and [`DataSources`]. What a load may cost in time and memory is one budget in sum, and
//! going beyond it is an error at its place.
//!
//! ```text
//! text ─ hcl-edit ─► blocks ─► variables ─► data and locals, as they need each other
//!                                               └─► sources ─► builds ─► provisioners (late)
//! ```

#![forbid(unsafe_code)]

mod body;
mod budget;
mod diagnostic;
mod document;
mod environment;
mod evaluate;
mod functions;
mod late;
mod literals;
mod load;
mod number;
mod render;
mod scope;
mod source_map;
mod suggest;
mod types;
mod value;
mod visible;

pub use body::{Attribute, Block, Body, Label};
pub use diagnostic::{Diagnostic, Diagnostics, MAX_DIAGNOSTICS, Severity};
pub use document::{
    BUILD_ATTRIBUTES, Build, Document, PostProcessor, Provisioner, RequiredPlugin, Selection,
    Source, Variable, VersionConstraint,
};
pub use environment::{DataOutcome, DataSources, Environment};
pub use functions::{TIMES_FORMAT, legacy_isotime, legacy_strftime, lower, upper};
pub use load::{InputFile, Inputs, Unread, load, load_settings};
pub use number::{Number, ParseNumberError};
pub use render::{RenderStyle, render};
pub use source_map::{FileId, SourceMap, Span};
pub use suggest::suggest;
pub use types::{ConversionError, ObjectAttribute, Type};
pub use value::{Value, ValueKind};
pub use visible::{CONTINUATION, is_unseen};
