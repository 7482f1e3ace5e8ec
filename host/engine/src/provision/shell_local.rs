//! `provisioner "shell-local"`: scripts on this machine.
//!
//! Each runs as a process group of its own. When the build is cancelled or the provisioner's time
//! is over, its future is dropped and with it the whole group is killed, so that nothing a script has
//! started goes on behind the build's back.
//!
//! Variables reach a script by its environment only, which nobody else can read; what stands in a
//! command line, every user of this machine can.

use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use lvhost_config::ShellLocal;
use lvhost_hcl::{Diagnostic, Diagnostics};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};

use super::Job;
use super::environment::{ASSIGNMENT, Environment, word};
use super::execute_command;
use super::interpolate::Names;
use super::lines::Lines;
use super::options::{check_later, render_later};
use super::runnable_file;
use super::script::{Script, has_shebang, is_valid};
use crate::error::ProvisionError;
use crate::ui::Stream;

const SHELL: [&str; 2] = ["/bin/sh", "-c"];
const EXECUTE: &str = "{{.Script}}";

/// Programs that run a text after `-c` as commands, in which assignments at the beginning do no more
/// than the environment does.
const SHELLS: [&str; 7] = ["sh", "ash", "bash", "dash", "ksh", "mksh", "zsh"];

/// How much of a command's output is read at a time, in bytes.
const READ_SIZE: usize = 16 * 1024;

/// What `execute_command` can refer to, before there are values.
pub(super) const EXAMPLE: &[(&str, &str)] =
    &[("Vars", ""), ("Script", "/tmp/script.sh"), ("Command", "")];

/// Reports what is wrong with `execute_command`.
pub(super) fn check(shell: &ShellLocal, names: Names<'_>, report: &mut Diagnostics) {
    for argument in &shell.execute_command {
        check_later("execute_command", argument, &names, &shell.origin, report);
    }
    let command = without_variables(&shell.execute_command);
    if command.iter().any(|argument| argument.contains(".Vars")) {
        report.push(
            Diagnostic::warning(
                shell.origin.span_of("execute_command"),
                "`{{ .Vars }}` in `execute_command` can be read by every user of this machine",
            )
            .detail("it stands in the command line of a program, which `ps` shows")
            .help(
                "leave it out: scripts have the variables in their environment (with `sudo`, \
                 `--preserve-env` keeps them)",
            ),
        );
    }
    check_effect(shell, report);
}

/// Reports an `execute_command` by which scripts would not run, or with other variables, and a first line that
/// decides nothing.
fn check_effect(shell: &ShellLocal, report: &mut Diagnostics) {
    let origin = &shell.origin;
    let is_known = |option| !origin.is_unknown(option);
    let written = [
        ("inline", shell.inline.as_slice()),
        ("command", shell.command.as_slice()),
    ];
    for (option, inline) in written {
        if is_known(option) && has_shebang(inline) && !origin.is_set("inline_shebang") {
            report.push(
                Diagnostic::warning(
                    origin.span_of(option),
                    format!(
                        "the first line of `{option}` has no effect: the script begins with `#!{}`",
                        shell.inline_shebang
                    ),
                )
                .detail("Packer's `shell-local` does the same, other than its `shell`")
                .help("write it into `inline_shebang`"),
            );
        }
    }
    if shell.execute_command.is_empty() || !is_known("execute_command") {
        return;
    }
    let is_run = |argument: &String| {
        let mut scripts = shell.script.iter().chain(&shell.scripts);
        execute_command::names_one_of(argument, &[".Script", ".Command"])
            || scripts.any(|script| argument.contains(script.as_str()))
    };
    if !shell.execute_command.iter().any(is_run) {
        execute_command::script_is_missing(".Script", origin, report);
        return;
    }
    // Several arguments go to no shell of ours.
    if let [command] = without_variables(&shell.execute_command).as_slice()
        && is_known("environment_vars")
        && is_known("env")
    {
        let environment = Environment::of_template(&shell.environment_vars, &shell.env);
        execute_command::check_quotes(command, ASSIGNMENT, environment.iter(), origin, report);
    }
}

/// Runs every script.
pub(super) async fn run(shell: &ShellLocal, job: &Job<'_>) -> Result<(), ProvisionError> {
    if !shell.only_on.is_empty() && !shell.only_on.iter().any(|system| system == this_system()) {
        job.ui.say(&format!(
            "Skipped: it runs on {} only (`only_on`)",
            shell.only_on.join(", ")
        ));
        return Ok(());
    }
    let (shebang, script) = (Some(shell.inline_shebang.as_str()), shell.script.as_ref());
    let mut scripts = Script::all(&shell.inline, shebang, script, &shell.scripts, job.folder);
    if let Some(command) = &shell.command {
        scripts.extend(Script::all(
            std::slice::from_ref(command),
            shebang,
            None,
            &[],
            job.folder,
        ));
    }
    for script in &scripts {
        job.ui
            .say(&format!("Running {} on this machine", script.title()));
        run_script(shell, job, script).await?;
    }
    Ok(())
}

/// This operating system, as Go calls it.
fn this_system() -> &'static str {
    match std::env::consts::OS {
        "macos" => "darwin",
        other => other,
    }
}

async fn run_script(
    shell: &ShellLocal,
    job: &Job<'_>,
    script: &Script,
) -> Result<(), ProvisionError> {
    let (path, _temporary) = match script {
        Script::File { path, .. } => (path.clone(), None),
        Script::Inline(text) => {
            let temporary = runnable_file::write(text).await?;
            (temporary.to_path_buf(), Some(temporary))
        }
    };
    let environment = Environment::here(job.source, job.build, &shell.environment_vars, &shell.env);
    let arguments = arguments(shell, job, &path, &environment)?;
    let [program, arguments @ ..] = arguments.as_slice() else {
        return Ok(());
    };
    let mut command = Command::new(program);
    command
        .args(arguments)
        .envs(environment.iter())
        .current_dir(job.folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    let failed = |source| ProvisionError::File {
        action: "run",
        path: PathBuf::from(program),
        source,
    };
    let child = command.spawn().map_err(failed)?;
    let status = ProcessGroup(child).end(job).await.map_err(failed)?;
    match status.code().and_then(|code| u32::try_from(code).ok()) {
        Some(code) if is_valid(code, &shell.valid_exit_codes) => Ok(()),
        _ => Err(ProvisionError::Status {
            what: script.title(),
            status: said(status),
        }),
    }
}

fn said(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => status.to_string(),
    }
}

/// The program that runs the script, and its arguments.
fn arguments(
    shell: &ShellLocal,
    job: &Job<'_>,
    path: &Path,
    environment: &Environment,
) -> Result<Vec<String>, ProvisionError> {
    let path = path.to_string_lossy();
    let assignments = environment.assignments(None);
    let render = |template: &str, path: &str| {
        let fields = [
            ("Vars", assignments.as_str()),
            ("Script", path),
            ("Command", path),
        ];
        let names = Names {
            fields: &fields,
            build: job.build,
            functions: Some(job.functions),
        };
        render_later("execute_command", template, &names)
    };
    let through_shell = |command: String| {
        let mut arguments: Vec<String> = SHELL.map(str::to_string).into();
        arguments.push(command);
        arguments
    };
    match without_variables(&shell.execute_command).as_slice() {
        [] => render(EXECUTE, &word(&path)).map(through_shell),
        [command] => render(command, &path).map(through_shell),
        arguments => arguments
            .iter()
            .map(|argument| render(argument, &path))
            .collect(),
    }
}

/// `execute_command` without those `{{ .Vars }}` that stand at the beginning of a shell's commands: it
/// has the variables in its environment, and gives them to what it runs.
fn without_variables(command: &[String]) -> Vec<&str> {
    let is_shell = |program: &str| SHELLS.contains(&program.rsplit('/').next().unwrap_or(program));
    let mut parts: Vec<&str> = command.iter().map(String::as_str).collect();
    match parts.as_mut_slice() {
        [text] => *text = without_first_variables(text),
        [program, arguments @ ..] if is_shell(program) => {
            let option = |argument: &&str| argument.starts_with('-') && argument.ends_with('c');
            if let Some(text) = arguments
                .iter()
                .position(option)
                .and_then(|index| arguments.get_mut(index + 1))
            {
                *text = without_first_variables(text);
            }
        }
        _ => {}
    }
    parts
}

fn without_first_variables(text: &str) -> &str {
    let rest = || {
        let inner = text.trim_start().strip_prefix("{{")?.trim_start();
        let after = inner.strip_prefix(".Vars")?.trim_start();
        after.strip_prefix("}}")
    };
    rest().unwrap_or(text)
}

/// A running process with all that it has started.
struct ProcessGroup(Child);

impl ProcessGroup {
    /// Shows the output and waits for the end: of the process, and of whatever holds its output.
    async fn end(mut self, job: &Job<'_>) -> std::io::Result<ExitStatus> {
        let (mut stdout, mut stderr) = (self.0.stdout.take(), self.0.stderr.take());
        let mut lines = Lines::new(job.ui);
        let (mut from_stdout, mut from_stderr) = (vec![0; READ_SIZE], vec![0; READ_SIZE]);
        while stdout.is_some() || stderr.is_some() {
            tokio::select! {
                read = read(&mut stdout, &mut from_stdout), if stdout.is_some() => {
                    lines.add(Stream::Stdout, &from_stdout[..read?]);
                }
                read = read(&mut stderr, &mut from_stderr), if stderr.is_some() => {
                    lines.add(Stream::Stderr, &from_stderr[..read?]);
                }
            }
        }
        lines.finish();
        self.0.wait().await
    }
}

/// Reads from `pipe`, which is gone once it is at its end.
async fn read(
    pipe: &mut Option<impl AsyncRead + Unpin>,
    buffer: &mut [u8],
) -> std::io::Result<usize> {
    let Some(reader) = pipe else { return Ok(0) };
    let length = reader.read(buffer).await?;
    if length == 0 {
        *pipe = None;
    }
    Ok(length)
}

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        // There is no id once the process was waited for; until then nobody else can get it.
        let group = self.0.id().and_then(|id| i32::try_from(id).ok());
        if let Some(group) = group.and_then(rustix::process::Pid::from_raw)
            && let Err(error) =
                rustix::process::kill_process_group(group, rustix::process::Signal::KILL)
        {
            tracing::warn!(%error, "a local script can't be stopped");
        }
    }
}
