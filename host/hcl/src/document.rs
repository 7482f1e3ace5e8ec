//! What a template says: Packer's document model.

use std::fmt;

use indexmap::IndexMap;

use crate::body::{Attribute, Body};
use crate::diagnostic::Diagnostics;
use crate::late::LateBody;
use crate::load::Unread;
use crate::source_map::Span;
use crate::value::Value;

/// The attributes of `build` that a provisioner can refer to, as Packer names them.
///
/// The object given to [`Provisioner::evaluate`] may leave out those it has no value for.
pub const BUILD_ATTRIBUTES: [&str; 16] = [
    "ConnType",
    "Host",
    "ID",
    "PackerHTTPAddr",
    "PackerHTTPIP",
    "PackerHTTPPort",
    "PackerRunUUID",
    "Password",
    "Port",
    "SSHPrivateKey",
    "SSHPrivateKeyFile",
    "SSHPublicKey",
    "User",
    "WinRMPassword",
    "name",
    "source",
];

/// A whole template: all of its files together.
#[derive(Debug)]
pub struct Document {
    /// `packer { required_version = … }`.
    pub required_version: Option<VersionConstraint>,
    /// `packer { required_plugins { … } }`.
    pub required_plugins: Vec<RequiredPlugin>,
    /// The variables with the values they have in this run.
    pub variables: IndexMap<String, Variable>,
    /// The values of those locals that are sensitive, or hold something that is.
    pub secret_locals: Vec<Value>,
    /// Every `source` block of the top level, built or not, in order.
    pub sources: Vec<Source>,
    /// The `build` blocks in order.
    pub builds: Vec<Build>,
    /// What may be missing here, because it could not be read.
    pub unread: Unread,
}

/// A version constraint, not judged here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionConstraint {
    /// As it is written, like `>= 0.5.0`.
    pub text: String,
    /// Where.
    pub span: Span,
}

/// An entry of `required_plugins`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequiredPlugin {
    /// The name the template gives the plugin.
    pub name: String,
    /// The versions it may have.
    pub version: Option<VersionConstraint>,
    /// Its address, like `github.com/thomasklein94/libvirt`.
    pub source: Option<String>,
    /// The entry.
    pub span: Span,
}

/// A `variable` block and the value it has in this run.
#[derive(Debug, Clone, PartialEq)]
pub struct Variable {
    /// The value, marked if the block says `sensitive`.
    pub value: Value,
    /// What it is for.
    pub description: Option<String>,
    /// Whether it is not to be shown.
    pub sensitive: bool,
    /// The block.
    pub span: Span,
}

/// A `source` block.
#[derive(Debug, Clone, PartialEq)]
pub struct Source {
    /// The builder, like `libvirt`.
    pub type_name: String,
    /// The label, or the `name` a build gives it.
    pub name: String,
    /// Its options, with those a build adds.
    pub body: Body,
    /// The block; for a source of a build, the place where the build names it.
    pub span: Span,
}

impl Source {
    /// The object behind `source.` in provisioners: `name` and `type`.
    pub fn to_value(&self) -> Value {
        Value::object([
            ("name", Value::string(&self.name)),
            ("type", Value::string(&self.type_name)),
        ])
    }

    /// `type.name`, as `only` and `except` call it.
    pub fn address(&self) -> String {
        format!("{}.{}", self.type_name, self.name)
    }
}

/// A `build` block.
#[derive(Debug)]
pub struct Build {
    /// Its name, if it has one; empty is none.
    pub name: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// What it builds, in order, merged with what the block adds.
    pub sources: Vec<Source>,
    /// What is done to each, in order.
    pub provisioners: Vec<Provisioner>,
    /// What is done when that fails.
    pub error_cleanup_provisioner: Option<Provisioner>,
    /// What is done with the artifacts: chains, each starting from the artifact.
    pub post_processors: Vec<Vec<PostProcessor>>,
    /// The block.
    pub span: Span,
}

/// For which sources of a build a provisioner or a post-processor runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// If there are any, only for these.
    pub only: Vec<String>,
    /// Not for these.
    pub except: Vec<String>,
}

impl Selection {
    /// Whether the source at `address` (`libvirt.example`) is among them.
    pub fn includes(&self, address: &str) -> bool {
        let is = |name: &String| {
            let plain = ["source.", "sources."]
                .iter()
                .find_map(|head| name.strip_prefix(head));
            plain.unwrap_or(name) == address
        };
        (self.only.is_empty() || self.only.iter().any(is)) && !self.except.iter().any(is)
    }
}

/// A `provisioner` block.
pub struct Provisioner {
    /// Which provisioner, like `shell`.
    pub type_name: String,
    /// A second name to tell it from others.
    pub name: Option<String>,
    /// For which sources it runs.
    pub selection: Selection,
    /// `pause_before`: how long to wait before it.
    pub pause_before: Option<Attribute>,
    /// `max_retries`: how often to repeat it when it fails.
    pub max_retries: Option<Attribute>,
    /// `timeout`: after how long it has failed.
    pub timeout: Option<Attribute>,
    /// `continue_on_error`: whether the build goes on when it has failed.
    pub continue_on_error: Option<Attribute>,
    /// `override`: other options for sources by name.
    pub overrides: Option<Attribute>,
    /// The block.
    pub span: Span,
    pub(crate) body: LateBody,
}

impl Provisioner {
    /// The options, now that the machine is there: `build` is the object behind `build.` (see
    /// [`BUILD_ATTRIBUTES`]), `source` the one behind `source.` (see [`Source::to_value`]).
    ///
    /// # Errors
    /// What is wrong with them, against the source map of the document.
    pub fn evaluate(&self, build: &Value, source: &Value) -> Result<Body, Diagnostics> {
        self.body.evaluate(build, source)
    }
}

impl fmt::Debug for Provisioner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Provisioner")
            .field("type_name", &self.type_name)
            .field("name", &self.name)
            .field("selection", &self.selection)
            .finish_non_exhaustive()
    }
}

/// A `post-processor` block.
pub struct PostProcessor {
    /// Which post-processor, like `manifest`.
    pub type_name: String,
    /// A second name to tell it from others.
    pub name: Option<String>,
    /// For which sources it runs.
    pub selection: Selection,
    /// `keep_input_artifact`.
    pub keep_input_artifact: Option<Attribute>,
    /// The block.
    pub span: Span,
    pub(crate) body: LateBody,
}

impl PostProcessor {
    /// The options; arguments and errors as [`Provisioner::evaluate`].
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn evaluate(&self, build: &Value, source: &Value) -> Result<Body, Diagnostics> {
        self.body.evaluate(build, source)
    }
}

impl fmt::Debug for PostProcessor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostProcessor")
            .field("type_name", &self.type_name)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
