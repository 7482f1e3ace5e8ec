//! The settings of a project, `lvhost.hcl`: components that are not built in, with what they may reach
//! and use up, and the user's secrets that they may have sent.

use std::time::Duration;

use lvhost_hcl::{Block, Body, Diagnostic, Diagnostics, Label, Span};

use crate::declare::{Context, Declared, options};
use crate::size::Size;
use crate::volume_source::SourceSchemas;

/// The name of the file with a project's settings.
pub const PROJECT_FILE: &str = "lvhost.hcl";

/// The kinds of blocks in it.
const SOURCE_PLUGIN: &str = "source_plugin";
const SECRET: &str = "secret";

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
            /// URLs it may send something to, by the method `POST`, and ask otherwise. One that ends in `/`
            /// stands for everything below it. `urls` and `hosts` allow to ask and to download, and no more.
            posts: Vec<String>,
            /// Secrets that it may have sent, by the names of their `secret` blocks. It never sees their values.
            secrets: Vec<String>,
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
    /// One of your secrets, such as a token, under the name that components ask for it by. A component that is
    /// allowed to can have it sent, by header, to the addresses named here, and never sees its value.
    pub struct SecretBlock for "secret" {
        options {
            /// The environment variable that holds it.
            env: Option<String>,
            /// The file that holds it, alone: a path from the folder of `lvhost.hcl`. Line ends behind it do not
            /// count. It is read when the secret is sent.
            file: Option<String>,
            /// Where it may be sent: `HOST` or `https://HOST:PORT`, or `http://HOST:PORT` for a server without
            /// encryption. It is sent to no other scheme, host or port, whatever redirects say.
            addresses: Vec<String>,
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

/// A `secret` block with its label.
#[derive(Debug, Clone)]
pub struct NamedSecret {
    /// What components call it.
    pub name: String,
    /// Where the name stands.
    pub name_span: Span,
    /// What is in the block.
    pub secret: SecretBlock,
}

/// All settings of a project.
#[derive(Debug, Clone, Default)]
pub struct Project {
    /// Each name occurs once.
    pub source_plugins: Vec<NamedPlugin>,
    /// Each name occurs once.
    pub secrets: Vec<NamedSecret>,
}

/// Decodes the body of a whole `lvhost.hcl`.
pub fn decode_project(body: &Body, report: &mut Diagnostics) -> Project {
    for (name, attribute) in &body.attributes {
        report.push(
            Diagnostic::error(
                attribute.name_span,
                format!("{PROJECT_FILE} has no option called `{name}`"),
            )
            .help(form(SOURCE_PLUGIN)),
        );
    }
    let sources = SourceSchemas::default();
    let context = Context { sources: &sources };
    let mut project = Project::default();
    for block in &body.blocks {
        match block.name.as_str() {
            SOURCE_PLUGIN => {
                let known = project.source_plugins.iter().map(|known| &*known.name);
                let is_name = is_type_name;
                let what = "a volume source";
                if let Some(label) = label(block, what, is_name, known, report) {
                    project.source_plugins.push(NamedPlugin {
                        name: label.text.clone(),
                        name_span: label.span,
                        plugin: SourcePlugin::decode(&block.body, &context, report),
                    });
                }
            }
            SECRET => {
                let known = project.secrets.iter().map(|known| &*known.name);
                if let Some(label) = label(block, "a secret", is_secret_name, known, report) {
                    project.secrets.push(NamedSecret {
                        name: label.text.clone(),
                        name_span: label.span,
                        secret: SecretBlock::decode(&block.body, &context, report),
                    });
                }
            }
            other => report.push(
                Diagnostic::error(
                    block.name_span,
                    format!("{PROJECT_FILE} has no block called `{other}`"),
                )
                .suggest(other, [SOURCE_PLUGIN, SECRET]),
            ),
        }
    }
    project
}

/// The one label of a block, a name that no other block of its kind has.
fn label<'a>(
    block: &'a Block,
    what: &str,
    is_name: fn(&str) -> bool,
    mut known: impl Iterator<Item = &'a str>,
    report: &mut Diagnostics,
) -> Option<&'a Label> {
    let [label] = &block.labels[..] else {
        let message = format!("a `{}` block takes one label, its name", block.name);
        report.push(Diagnostic::error(block.name_span, message).help(form(&block.name)));
        return None;
    };
    if !is_name(&label.text) {
        let message = format!("{what} can't be called `{}`", label.text);
        let also = if is_name("a_") { ", `_`" } else { "" };
        report.push(Diagnostic::error(label.span, message).help(format!(
            "use lower-case letters, digits{also} and `-`, with a letter first"
        )));
        return None;
    }
    if known.any(|known| known == label.text) {
        let message = format!("there are two `{}` blocks for `{}`", block.name, label.text);
        report.push(Diagnostic::error(label.span, message).help("leave one of them"));
        return None;
    }
    Some(label)
}

fn form(block: &str) -> String {
    format!("write `{block} \"NAME\" {{ … }}`")
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

/// Whether a secret can have this name: `[a-z][a-z0-9_-]*`.
pub fn is_secret_name(name: &str) -> bool {
    is_type_name(&name.replace('_', "-"))
}
