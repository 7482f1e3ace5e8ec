//! From text to a [`Document`].
//!
//! ```text
//! files ─► blocks by kind ─► variables ─► locals and data, each after what it refers to
//!                                              └─► sources ─► builds
//! ```
//! Each step goes on past the errors of the one before, as far as that makes sense. What is missing because
//! it could not be read is not reported again.

mod blocks;
mod brackets;
mod builds;
mod graph;
mod packer;
mod parse;
mod recover;
mod references;
mod settings;
mod sources;
mod syntax;
mod unread;
mod variable_files;
mod variables;

use std::path::Path;
use std::sync::Arc;

pub use self::settings::load_settings;
pub use self::unread::Unread;

use self::blocks::Blocks;
use self::builds::Builds;
use self::graph::Graph;
use crate::budget::VALUE;
use crate::diagnostic::Diagnostics;
use crate::document::Document;
use crate::environment::{DataSources, Environment};
use crate::evaluate::Context;
use crate::scope::Scope;
use crate::source_map::SourceMap;
use crate::value::Value;

/// A file the caller has read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputFile {
    /// What to call it in messages; the ending decides between HCL and JSON.
    pub name: String,
    /// Its content.
    pub text: String,
}

/// Everything a run is given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inputs {
    /// The template's files: one, or all `*.pkr.hcl` of a folder in order of name.
    pub templates: Vec<InputFile>,
    /// `*.auto.pkrvars.hcl` beside the template, in order of name.
    pub auto_variable_files: Vec<InputFile>,
    /// The `-var-file` arguments in order.
    pub variable_files: Vec<InputFile>,
    /// The `-var name=value` arguments in order.
    pub variables: Vec<(String, String)>,
    /// `path.root`: the folder of the template, as the user named it.
    pub root: String,
    /// `packer.version`: the version of Packer to be taken for.
    pub packer_version: String,
}

/// Loads a template.
///
/// A document is returned unless no file can be read at all. It can only be built from if the
/// diagnostics have no errors, but further checks can be made on it: what is wrong is unknown in
/// it or left out. It also holds unknown values where a data source was not run. The source map
/// is there in any case, for [`crate::render`].
pub fn load(
    inputs: &Inputs,
    environment: Arc<dyn Environment>,
    data_sources: &dyn DataSources,
) -> (Option<Document>, SourceMap, Diagnostics) {
    let mut files = SourceMap::default();
    let mut diagnostics = Diagnostics::default();
    let root = if inputs.root.is_empty() {
        "."
    } else {
        &inputs.root
    };
    let mut context = Context::new(Arc::clone(&environment));
    context.root = Path::new(root).into();
    let mut unread = Unread::default();
    let parsed = parse::templates(
        &inputs.templates,
        &context.budget,
        &mut files,
        &mut unread,
        &mut diagnostics,
    );
    if parsed.is_empty() {
        return (None, files, diagnostics);
    }
    let blocks = Blocks::sort(&parsed, &context, &mut unread, &mut diagnostics);
    context.unread = Arc::new(unread.clone());
    let (required_version, required_plugins) =
        packer::read(&blocks.packer, &context, &mut diagnostics);

    let variables = variables::resolve(&blocks, inputs, &context, &mut files, &mut diagnostics);
    let mut scope = Scope::default();
    let values = variables
        .iter()
        .map(|(name, variable)| (name, variable.value.clone()));
    scope.set("var", Value::object(values));
    let working_directory = environment.working_directory();
    scope.set(
        "path",
        Value::object([
            ("root", Value::string(root)),
            ("cwd", Value::string(working_directory.to_string_lossy())),
        ]),
    );
    scope.set(
        "packer",
        Value::object([("version", Value::string(&inputs.packer_version))]),
    );

    Graph::new(&blocks, &context, data_sources, &mut diagnostics).resolve(&mut scope);
    let secret_locals = secret_locals(&scope, &context);
    let sources = sources::read(&blocks.sources, &context, &scope, &mut diagnostics);
    let builds = Builds {
        sources: &sources,
        context: &context,
        scope: &scope,
    };
    let builds = builds.read(&blocks.builds, &mut diagnostics);
    diagnostics.extend(context.budget.error());

    let document = Document {
        required_version,
        required_plugins,
        variables,
        secret_locals,
        sources: sources.into_values().collect(),
        builds,
        unread,
    };
    (Some(document), files, diagnostics)
}

/// The locals that hold secrets, each paid for: whoever looks for secrets walks through all of it.
fn secret_locals(scope: &Scope<'_>, context: &Context) -> Vec<Value> {
    let locals = scope.get("local").and_then(Value::as_object);
    let secret = locals.into_iter().flat_map(|locals| locals.values());
    let secret = secret.filter(|value| value.is_sensitive());
    let paid = secret.filter(|value| {
        let (work, bytes) = (value.weight() / VALUE, value.weight());
        context.budget.charge(work, bytes).is_ok()
    });
    paid.cloned().collect()
}
