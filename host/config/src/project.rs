//! The settings of a project, `lvhost.hcl`: components that are not built in, with what they may reach
//! and use up.

use std::time::Duration;

use lvhost_hcl::{Body, Diagnostic, Diagnostics, Span};

use crate::declare::{Context, Declared, options};
use crate::size::Size;
use crate::volume_source::SourceSchemas;

/// The name of the file with a project's settings.
pub const PROJECT_FILE: &str = "lvhost.hcl";

/// The one kind of block in it.
const SOURCE_PLUGIN: &str = "source_plugin";

options! {
    /// A component that is not built in, under the name that templates use as `type`. Nothing that is
    /// not named here can be loaded, and a component reaches nothing that is not allowed here.
    pub struct SourcePlugin for "source_plugin" {
        options {
            /// The component: a path from the folder of `lvhost.hcl`. By default it is `NAME.wasm` in
            /// that folder, or else in `${XDG_DATA_HOME:-~/.local/share}/lvhost/sources`.
            file: Option<String>,
            /// The component's SHA-256 in hexadecimal digits. A file that has another is not loaded.
            /// It can't be left out; without it the error tells what the file has.
            sha256: Option<String>,
        }
        blocks {
            /// What it may reach. Without it: nothing.
            allow: Option<Allow>,
            /// What it may use up.
            limits: Option<SourceLimits>,
        }
    }
}

options! {
    /// What a component may reach, if it asks for it. `/` at the end of a URL or path stands for
    /// everything below.
    pub struct Allow for "allow" {
        options {
            /// URLs it may download. One that ends in `/` stands for everything below it, any other
            /// for itself alone.
            urls: Vec<String>,
            /// Hosts it may download from by http, https or smb: `example.org`, `example.org:8080`
            /// for a port of its own, `*.example.org` for all hosts below, `*` for all. Addresses of
            /// this machine and its link are only reached if they are named in full.
            hosts: Vec<String>,
            /// Files and folders of this machine it may read; a relative path is meant from where
            /// lvhost is called, as in a template. A path that ends in `/` stands for everything below
            /// it, any other for the very path or pattern that is asked for.
            files: Vec<String>,
            /// Volumes of the hypervisor it may look at, clone or put overlays on: `pool/name`, or
            /// `pool/*` for all of a pool.
            volumes: Vec<String>,
            /// The same by their paths on the hypervisor. A path that ends in `/` stands for everything
            /// below it.
            hypervisor_paths: Vec<String>,
            /// Whether it may have objects of S3 fetched with your AWS keys, where their hosts are allowed.
            /// Without it, what it asks for is asked for without a signature.
            aws_credentials: bool = false,
        }
    }
}

options! {
    /// What a component may use up.
    pub struct SourceLimits for "limits" {
        options {
            /// Memory of its own, all its memories and tables together, such as `"64MiB"`, which is the
            /// default; at most 1 GiB. Images don't count: their bytes stay in lvhost.
            memory: Option<Size>,
            /// Time it may compute while a command fills its volumes, all together, such as `"5m"`,
            /// which is the default; at most 1 h. What lvhost computes for it counts: listing files,
            /// decompressing, checksums. Waiting for downloads and the hypervisor does not.
            time: Option<Duration>,
        }
    }
}

/// A `source_plugin` block with its label.
#[derive(Debug, Clone)]
pub struct NamedPlugin {
    /// What templates call it.
    pub name: String,
    /// Where the name stands.
    pub name_span: Span,
    /// What is in the block.
    pub plugin: SourcePlugin,
}

/// All settings of a project.
#[derive(Debug, Clone, Default)]
pub struct Project {
    /// Each name occurs once.
    pub source_plugins: Vec<NamedPlugin>,
}

/// Decodes the body of a whole `lvhost.hcl`.
pub fn decode_project(body: &Body, report: &mut Diagnostics) -> Project {
    for (name, attribute) in &body.attributes {
        report.push(
            Diagnostic::error(
                attribute.name_span,
                format!("{PROJECT_FILE} has no option called `{name}`"),
            )
            .help(form("NAME")),
        );
    }
    let mut project = Project::default();
    for block in &body.blocks {
        if block.name != SOURCE_PLUGIN {
            report.push(
                Diagnostic::error(
                    block.name_span,
                    format!("{PROJECT_FILE} has no block called `{}`", block.name),
                )
                .suggest(&block.name, [SOURCE_PLUGIN]),
            );
            continue;
        }
        let [label] = &block.labels[..] else {
            report.push(
                Diagnostic::error(
                    block.name_span,
                    format!(
                        "a `{SOURCE_PLUGIN}` block takes one label, the name that templates use"
                    ),
                )
                .help(form("NAME")),
            );
            continue;
        };
        if !is_type_name(&label.text) {
            report.push(
                Diagnostic::error(
                    label.span,
                    format!("a volume source can't be called `{}`", label.text),
                )
                .help("use lower-case letters, digits and `-`, with a letter first"),
            );
            continue;
        }
        let mut known = project.source_plugins.iter();
        if known.any(|known| known.name == label.text) {
            report.push(
                Diagnostic::error(
                    label.span,
                    format!(
                        "there are two `{SOURCE_PLUGIN}` blocks for `{}`",
                        label.text
                    ),
                )
                .help("leave one of them"),
            );
            continue;
        }
        let sources = SourceSchemas::default();
        let context = Context { sources: &sources };
        project.source_plugins.push(NamedPlugin {
            name: label.text.clone(),
            name_span: label.span,
            plugin: SourcePlugin::decode(&block.body, &context, report),
        });
    }
    project
}

fn form(name: &str) -> String {
    format!("write `{SOURCE_PLUGIN} \"{name}\" {{ … }}`")
}

/// Characters of a name, as components themselves are bound to.
const NAME_LENGTH: usize = 64;

/// Whether a volume source can have this name: `[a-z][a-z0-9-]*`.
pub fn is_type_name(name: &str) -> bool {
    name.len() <= NAME_LENGTH
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}
