//! The `provisioner` blocks that lvhost runs itself.

use std::time::Duration;

use lvhost_hcl::{Body, Diagnostic, Diagnostics};

use crate::declare::{Context, Declared, options};
use crate::origin::Origin;
use crate::schema::BlockSchema;
use crate::setting::choices;
use crate::volume_source::SourceSchemas;

options! {
    /// Runs commands or scripts in the guest. They have `PACKER_BUILD_NAME` and `PACKER_BUILDER_TYPE` in their
    /// environment and, where there is an HTTP server, `PACKER_HTTP_ADDR`, `PACKER_HTTP_IP` and `PACKER_HTTP_PORT`.
    pub struct Shell for "provisioner \"shell\"" {
        options {
            /// Commands, run as one script in this order.
            inline: Vec<String>,
            /// The first line of the script made of `inline`. Not needed where the first command begins
            /// with `#!`.
            inline_shebang: String = "/bin/sh -e",
            /// Path of a script on this machine.
            script: Option<String>,
            /// Paths of scripts on this machine, run in this order.
            scripts: Vec<String>,
            /// Environment variables as `NAME=value`.
            environment_vars: Vec<String>,
            /// Environment variables by name.
            env: std::collections::BTreeMap<String, String>,
            /// The variables are written to a file that is sourced, not put before the command.
            use_env_var_file: bool = false,
            /// How variables are written into that file: `%s` stands for the name, the next `%s` for
            /// the value.
            env_var_format: Option<String>,
            /// The command that runs a script: `{{ .Vars }}` stands for the variables and
            /// `{{ .Path }}` for the script's path in the guest. `chmod +x {{ .Path }}; {{ .Vars }} {{ .Path }}`
            /// if left out, with `env` before the variables of a script that begins with `#!`, so that csh
            /// understands it as well. In csh, values with line ends or `!` need `use_env_var_file`.
            execute_command: Option<String>,
            /// Scripts are uploaded as they are, without turning CRLF into LF.
            binary: bool = false,
            /// Folder in the guest that scripts are uploaded into and run from. It must be there, in a file
            /// system that is not mounted `noexec`. `~/` is the home of the user that logs in.
            remote_folder: String = "/tmp",
            /// File name of an uploaded script. A random one if left out.
            remote_file: Option<String>,
            /// Whole path of an uploaded script, instead of the two above.
            remote_path: Option<String>,
            /// Uploaded scripts stay in the guest.
            skip_clean: bool = false,
            /// The script may end the connection, as one that reboots the guest does.
            expect_disconnect: bool = false,
            /// How long to wait for the guest to come back before a script is uploaded again.
            start_retry_timeout: Duration = "5m",
            /// How long to wait after the last script, once all have succeeded.
            pause_after: Duration = "0s",
            /// Exit codes that count as success; `0` if left out.
            valid_exit_codes: Vec<u32>,
        }
    }
}

options! {
    /// Runs commands or scripts on this machine. They have the variables of `shell` in their environment, and
    /// `PACKER_RUN_UUID`.
    pub struct ShellLocal for "provisioner \"shell-local\"" {
        options {
            /// Commands, run as one script in this order.
            inline: Vec<String>,
            /// The first line of the script made of `inline`.
            inline_shebang: String = "/bin/sh -e",
            /// One command line.
            command: Option<String>,
            /// Path of a script.
            script: Option<String>,
            /// Paths of scripts, run in this order.
            scripts: Vec<String>,
            /// Environment variables as `NAME=value`.
            environment_vars: Vec<String>,
            /// Environment variables by name.
            env: std::collections::BTreeMap<String, String>,
            /// The program and arguments that run a script: `{{ .Vars }}` and `{{ .Script }}` stand
            /// for the variables and the script.
            execute_command: Vec<String>,
            /// Operating systems this runs on, such as `linux`; elsewhere it is skipped.
            only_on: Vec<String>,
            /// Exit codes that count as success; `0` if left out.
            valid_exit_codes: Vec<u32>,
        }
        not_supported {
            "env_var_format",
            "tempfile_extension",
            "use_linux_pathing",
        }
    }
}

choices! {
    /// Which way files go.
    pub enum Direction {
        /// Into the guest.
        Upload = "upload",
        /// Out of the guest.
        Download = "download",
    }
}

options! {
    /// Copies files or folders into the guest or out of it.
    pub struct File for "provisioner \"file\"" {
        options {
            /// What to copy. A folder with a trailing slash stands for what is in it. Of a download,
            /// `*`, `?` and `[…]` make a pattern, over SSH: all that matches goes into `destination`.
            source: Option<String>,
            /// Several things to copy, before `source`. With an empty list, and nothing else, nothing is copied.
            sources: Vec<String>,
            /// The text to write, instead of a source. The empty text counts as left out, as it does with Packer: it
            /// makes no file.
            content: Option<String>,
            /// Where to copy it. In the guest, `~/` is the home of the user that logs in, and so is the folder
            /// that a path without `/` at its beginning starts in. A file of this machine is replaced when its
            /// download is whole, and stays if that fails.
            destination: String,
            /// Which way: `upload` or `download`.
            direction: Direction = "upload",
            /// The source is made by an earlier provisioner and need not be there yet.
            generated: bool = false,
        }
    }
}

options! {
    /// Stops and waits for Enter, so that the guest can be looked at.
    pub struct Breakpoint for "provisioner \"breakpoint\"" {
        options {
            /// A text to show.
            note: Option<String>,
            /// Do not stop.
            disable: bool = false,
        }
    }
}

/// A provisioner that lvhost can run.
#[derive(Debug, Clone)]
pub enum Provisioner {
    /// Commands in the guest.
    Shell(Shell),
    /// Commands on this machine.
    ShellLocal(ShellLocal),
    /// Files and folders.
    File(File),
    /// A stop.
    Breakpoint(Breakpoint),
}

/// The types of provisioners there are.
pub const PROVISIONER_TYPES: &[&str] = &["shell", "shell-local", "file", "breakpoint"];

/// What may be in each of them, in the same order.
pub(crate) const SCHEMAS: [&BlockSchema; 4] = [
    Shell::SCHEMA,
    ShellLocal::SCHEMA,
    File::SCHEMA,
    Breakpoint::SCHEMA,
];

/// Provisioners that are programs of their own under Packer.
const FOREIGN: &[&str] = &[
    "ansible",
    "ansible-local",
    "chef-client",
    "chef-solo",
    "converge",
    "hcp-sbom",
    "inspec",
    "powershell",
    "puppet-masterless",
    "puppet-server",
    "salt-masterless",
    "windows-restart",
    "windows-shell",
    "windows-update",
];

impl Provisioner {
    /// Decodes the options of a provisioner; `None` when there is no such type.
    pub fn decode(type_name: &str, body: &Body, report: &mut Diagnostics) -> Option<Self> {
        let sources = SourceSchemas::default();
        let context = Context { sources: &sources };
        Some(match type_name {
            "shell" => {
                let shell = Shell::decode(body, &context, report);
                one_of(
                    "`inline`, `script` or `scripts`",
                    &[
                        ("inline", !shell.inline.is_empty()),
                        ("script", shell.script.is_some()),
                        ("scripts", !shell.scripts.is_empty()),
                    ],
                    &shell.origin,
                    report,
                );
                variables(&shell.environment_vars, &shell.origin, report);
                Self::Shell(shell)
            }
            "shell-local" => {
                let shell = ShellLocal::decode(body, &context, report);
                one_of(
                    "`inline`, `command`, `script` or `scripts`",
                    &[
                        ("inline", !shell.inline.is_empty()),
                        ("command", shell.command.is_some()),
                        ("script", shell.script.is_some()),
                        ("scripts", !shell.scripts.is_empty()),
                    ],
                    &shell.origin,
                    report,
                );
                variables(&shell.environment_vars, &shell.origin, report);
                Self::ShellLocal(shell)
            }
            "file" => {
                let file = File::decode(body, &context, report);
                what_to_copy(&file, body, report);
                if file.content.is_some() && file.direction == Direction::Download {
                    report.push(Diagnostic::error(
                        file.origin.span_of("content"),
                        "`content` can't be downloaded",
                    ));
                }
                Self::File(file)
            }
            "breakpoint" => Self::Breakpoint(Breakpoint::decode(body, &context, report)),
            _ => {
                let error = Diagnostic::error(
                    body.span,
                    format!("there is no provisioner called `{type_name}`"),
                );
                report.push(if FOREIGN.contains(&type_name) {
                    Diagnostic::error(
                        body.span,
                        format!("the provisioner `{type_name}` is not supported by lvhost"),
                    )
                    .help("run it with `shell` or `shell-local`, or build with Packer")
                } else {
                    error
                        .detail(format!("there are: {}", PROVISIONER_TYPES.join(", ")))
                        .suggest(type_name, PROVISIONER_TYPES.iter().copied())
                });
                return None;
            }
        })
    }
}

/// Warns of a `file` that copies nothing, which is right to Packer, unless an empty list of sources asks for that.
fn what_to_copy(file: &File, body: &Body, report: &mut Diagnostics) {
    let origin = &file.origin;
    let has_source = ["source", "sources"]
        .iter()
        .any(|name| origin.is_unknown(name))
        || file.source.is_some()
        || !file.sources.is_empty();
    let has_content = file.content.is_some() || origin.is_unknown("content");
    if has_source && has_content {
        report.push(Diagnostic::error(
            origin.span_of("content"),
            "`content` can't stand beside `source` or `sources`",
        ));
    }
    if has_source || has_content || origin.is_set("sources") {
        return;
    }
    let empty = |name| body.attribute(name).filter(|it| !it.value.is_null());
    report.push(if let Some(content) = empty("content") {
        Diagnostic::warning(
            content.element_span(""),
            "no file is made: an empty `content` counts as left out",
        )
        .detail("Packer makes none either")
        .help("to make an empty file, name one as `source`, or run `: > PATH` with `shell`")
    } else if let Some(source) = empty("source") {
        Diagnostic::warning(
            source.element_span(""),
            "nothing is copied: `source` is empty",
        )
    } else {
        Diagnostic::warning(
            origin.span(),
            "nothing is copied: there is neither `source`, `sources` nor `content`",
        )
    });
}

/// Exactly one of several options must be set.
fn one_of(names: &str, options: &[(&str, bool)], origin: &Origin, report: &mut Diagnostics) {
    let set: Vec<_> = options
        .iter()
        .filter(|(name, filled)| *filled || origin.is_unknown(name))
        .map(|(name, _)| *name)
        .collect();
    match set.as_slice() {
        [] => report.push(Diagnostic::error(
            origin.span(),
            format!("one of {names} is needed"),
        )),
        [_] => {}
        [_, second, ..] => report.push(Diagnostic::error(
            origin.span_of(second),
            format!("only one of {names} may be set"),
        )),
    }
}

/// The message leaves the text itself out: what is meant for the environment may be a secret.
fn variables(variables: &[String], origin: &Origin, report: &mut Diagnostics) {
    if origin.is_unknown("environment_vars") {
        return;
    }
    for (index, variable) in variables.iter().enumerate() {
        if !variable.contains('=') {
            let path = format!("[{index}]");
            report.push(
                Diagnostic::error(
                    origin.span_of_element("environment_vars", &path),
                    format!("`environment_vars{path}` is not an environment variable"),
                )
                .help("write `NAME=value`"),
            );
        }
    }
}
