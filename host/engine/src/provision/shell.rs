//! `provisioner "shell"`: scripts in the guest.
//!
//! ```text
//!  upload ──► run ──► judge the status ──► remove ──► next script ──► … ──► pause_after
//!    ▲         │
//!    └─────────┘ the guest was away before the script began: again, until `start_retry_timeout`
//! ```
//! Once a script has begun it is never begun again by itself. What was uploaded is removed, whether
//! the script failed or not.

use lvhost_communicator::{Command, ExitStatus};
use lvhost_config::Shell;
use lvhost_hcl::Diagnostics;
use tokio::time::Instant;

use super::Job;
use super::environment::{ASSIGNMENT, Environment, path_word};
use super::execute_command;
use super::interpolate::Names;
use super::lines::Lines;
use super::options::{check_later, render_later};
use super::progress::Silent;
use super::script::{Script, has_shebang, is_valid};
use super::script_upload::Upload;
use crate::error::ProvisionError;

/// How a script is run if the template does not say, as Packer has it.
const EXECUTE: &str = "chmod +x {{.Path}}; {{.Vars}} {{.Path}}";
const EXECUTE_WITH_FILE: &str = "chmod +x {{.Path}}; . {{.EnvVarFile}} && {{.Path}}";

/// The same in words that csh and its kind understand as well, for a script that says by its first line what runs
/// it. Another one is run by the shell that starts it, and that has to stay the user's.
const EXECUTE_BY_ANY_SHELL: &str = "chmod +x {{.Path}}; env {{.Vars}} {{.Path}}";
const EXECUTE_WITH_FILE_BY_ANY_SHELL: &str =
    "chmod +x {{.Path}}; sh -c '. \"$0\" && \"$1\"' {{.EnvVarFile}} {{.Path}}";

/// How long a guest that is away is left alone. The communicator tries for a while each time.
const RETRY_PAUSE: std::time::Duration = std::time::Duration::from_secs(1);

/// What `execute_command` can refer to, before there are values.
pub(super) const EXAMPLE: &[(&str, &str)] = &[
    ("Vars", ""),
    ("EnvVarFile", "/tmp/varfile.sh"),
    ("Path", "/tmp/script.sh"),
];

/// Reports what is wrong with `execute_command`.
pub(super) fn check(shell: &Shell, names: Names<'_>, report: &mut Diagnostics) {
    check_later(
        "execute_command",
        execute_command(shell),
        &names,
        &shell.origin,
        report,
    );
    check_effect(shell, report);
}

/// Reports an `execute_command` by which scripts would not run, or without their variables.
fn check_effect(shell: &Shell, report: &mut Diagnostics) {
    let origin = &shell.origin;
    let template = execute_command(shell);
    let is_known = |option| !origin.is_unknown(option);
    if !is_known("execute_command") {
        return;
    }
    let paths = [&shell.remote_path, &shell.remote_file];
    let is_named = paths
        .into_iter()
        .flatten()
        .any(|path| template.contains(path.as_str()));
    if !is_named && !execute_command::names_one_of(template, &[".Path"]) {
        execute_command::script_is_missing(".Path", origin, report);
        return;
    }
    let environment = Environment::of_template(&shell.environment_vars, &shell.env);
    if environment.is_empty() || !is_known("environment_vars") || !is_known("env") {
        return;
    }
    let what = if shell.use_env_var_file {
        ".EnvVarFile"
    } else {
        ".Vars"
    };
    if !execute_command::names_one_of(template, &[what]) {
        execute_command::variables_are_missing(what, origin, report);
    } else if !shell.use_env_var_file && is_known("env_var_format") {
        let format = shell.env_var_format.as_deref().unwrap_or(ASSIGNMENT);
        execute_command::check_quotes(template, format, environment.iter(), origin, report);
    }
}

/// Runs every script.
pub(super) async fn run(shell: &Shell, job: &Job<'_>) -> Result<(), ProvisionError> {
    let script = shell.script.as_ref();
    let scripts = Script::all(
        &shell.inline,
        shebang(shell),
        script,
        &shell.scripts,
        job.folder,
    );
    let run = Run::new(shell, job)?;
    for script in &scripts {
        job.ui
            .say(&format!("Running {} in the guest", script.title()));
        run.script(script).await?;
    }
    if !shell.pause_after.is_zero() {
        job.ui.say(&format!(
            "Waiting {} s (`pause_after`)",
            shell.pause_after.as_secs_f64()
        ));
        tokio::time::sleep(shell.pause_after).await;
    }
    Ok(())
}

/// The first line of the inline script: as in Packer since 1.13, that of the commands if they have one and the
/// template asks for no other.
fn shebang(shell: &Shell) -> Option<&str> {
    let is_theirs = has_shebang(&shell.inline) && !shell.origin.is_set("inline_shebang");
    (!is_theirs).then_some(shell.inline_shebang.as_str())
}

/// The command for scripts that do not say what runs them.
fn execute_command(shell: &Shell) -> &str {
    match &shell.execute_command {
        Some(command) => command,
        None if shell.use_env_var_file => EXECUTE_WITH_FILE,
        None => EXECUTE,
    }
}

/// The command for scripts that say by their first line what runs them. What a template writes variables as may be
/// meant for the login shell.
fn execute_command_by_any_shell(shell: &Shell) -> &str {
    let is_open = shell.execute_command.is_none() && shell.env_var_format.is_none();
    match (is_open, shell.use_env_var_file) {
        (true, true) => EXECUTE_WITH_FILE_BY_ANY_SHELL,
        (true, false) => EXECUTE_BY_ANY_SHELL,
        (false, _) => execute_command(shell),
    }
}

/// What all scripts of a provisioner have in common.
struct Run<'a> {
    shell: &'a Shell,
    job: &'a Job<'a>,
    /// Path of the script in the guest.
    path: String,
    /// Path and text of the file with the variables, if there is to be one.
    variables: Option<(String, String)>,
    /// For scripts that do not say what runs them.
    command: Command,
    /// For those that do.
    command_by_any_shell: Command,
}

impl<'a> Run<'a> {
    fn new(shell: &'a Shell, job: &'a Job<'a>) -> Result<Self, ProvisionError> {
        let folder = shell.remote_folder.trim_end_matches('/');
        let path = match (&shell.remote_path, &shell.remote_file) {
            (Some(path), _) => path.clone(),
            (None, Some(file)) => format!("{folder}/{file}"),
            (None, None) => format!("{folder}/script_{}.sh", job.word),
        };
        let environment =
            Environment::new(job.source, job.build, &shell.environment_vars, &shell.env);
        let format = shell.env_var_format.as_deref();
        let variables = shell.use_env_var_file.then(|| {
            (
                format!("{folder}/varfile_{}.sh", job.word),
                environment.exports(format),
            )
        });
        let assignments = match variables {
            Some(_) => String::new(),
            None => environment.assignments(format),
        };
        // A command of the template's own gets the paths as they are, and quotes them itself.
        let in_command = |path: &str| match shell.execute_command {
            Some(_) => path.to_owned(),
            None => path_word(path),
        };
        let script = in_command(&path);
        let file = variables.as_ref().map(|(path, _)| in_command(path));
        let fields = [
            ("Vars", assignments.as_str()),
            ("EnvVarFile", file.as_deref().unwrap_or_default()),
            ("Path", script.as_str()),
        ];
        let names = Names {
            fields: &fields,
            build: job.build,
            functions: Some(job.functions),
        };
        let render = |command| render_later("execute_command", command, &names).map(Command::new);
        let command = render(execute_command(shell))?;
        let command_by_any_shell = render(execute_command_by_any_shell(shell))?;
        Ok(Self {
            shell,
            job,
            path,
            variables,
            command,
            command_by_any_shell,
        })
    }

    async fn script(&self, script: &Script) -> Result<(), ProvisionError> {
        let ended = self.start(script).await;
        let verdict = ended.and_then(|status| self.judge(script, &status).map(|()| status));
        if self.shell.skip_clean {
            return verdict.map(drop);
        }
        match verdict {
            Ok(ExitStatus::Missing) => {
                // It may have been meant to turn the guest off for good.
                if let Err(error) = self.remove().await {
                    let error = super::with_causes(&error);
                    self.job
                        .ui
                        .warn(&format!("{} can't be removed: {error}", self.path));
                }
                Ok(())
            }
            Ok(_) => self.remove().await,
            Err(error) => {
                if !is_connection(&error)
                    && !is_before_upload(&error)
                    && let Err(second) = self.try_to_remove().await
                {
                    let second = super::with_causes(&second);
                    self.job
                        .ui
                        .warn(&format!("{} can't be removed: {second}", self.path));
                }
                Err(error)
            }
        }
    }

    /// Uploads and runs, again if the guest is away before the script has begun.
    async fn start(&self, script: &Script) -> Result<ExitStatus, ProvisionError> {
        let deadline = Instant::now() + self.shell.start_retry_timeout;
        loop {
            match self.try_to_start(script).await {
                Err(error) if is_connection(&error) && Instant::now() < deadline => {
                    self.wait_for_guest(&error).await;
                }
                ended => return ended,
            }
        }
    }

    async fn wait_for_guest(&self, error: &ProvisionError) {
        tracing::info!(error = super::with_causes(error), "the guest is away");
        tokio::time::sleep(RETRY_PAUSE).await;
    }

    async fn try_to_start(&self, script: &Script) -> Result<ExitStatus, ProvisionError> {
        let communicator = self.job.communicator;
        let Upload {
            mut bytes,
            length,
            has_first_line,
        } = Upload::open(script, self.shell.binary).await?;
        communicator
            .upload(&mut bytes, Some(length), &self.path, Some(0o755), &Silent)
            .await?;
        if let Some((path, text)) = &self.variables {
            let length = u64::try_from(text.len()).ok();
            // Variables are where secrets are handed over.
            communicator
                .upload(&mut text.as_bytes(), length, path, Some(0o600), &Silent)
                .await?;
        }
        let mut lines = Lines::new(self.job.ui);
        let command = match has_first_line {
            true => &self.command_by_any_shell,
            false => &self.command,
        };
        let status = communicator.run(command, &mut lines).await;
        lines.finish();
        Ok(status?)
    }

    fn judge(&self, script: &Script, status: &ExitStatus) -> Result<(), ProvisionError> {
        let what = script.title();
        match status {
            ExitStatus::Code(code) if is_valid(*code, &self.shell.valid_exit_codes) => Ok(()),
            ExitStatus::Missing if self.shell.expect_disconnect => Ok(()),
            ExitStatus::Missing => Err(ProvisionError::Disconnected { what }),
            ExitStatus::Code(_) | ExitStatus::Signal(_) => Err(ProvisionError::Status {
                what,
                status: format!("{status}{}", meaning(status)),
            }),
        }
    }

    /// Removes what was uploaded, once the guest is back if it is away.
    async fn remove(&self) -> Result<(), ProvisionError> {
        let deadline = Instant::now() + self.shell.start_retry_timeout;
        loop {
            match self.try_to_remove().await {
                Err(error) if is_connection(&error) && Instant::now() < deadline => {
                    self.wait_for_guest(&error).await;
                }
                removed => return removed,
            }
        }
    }

    async fn try_to_remove(&self) -> Result<(), ProvisionError> {
        let mut command = format!("rm -f {}", path_word(&self.path));
        if let Some((path, _)) = &self.variables {
            command.push_str(&format!(" {}", path_word(path)));
        }
        let mut lines = Lines::new(self.job.ui);
        let status = self
            .job
            .communicator
            .run(&Command::new(&command), &mut lines)
            .await;
        lines.finish();
        match status? {
            ExitStatus::Code(0) => Ok(()),
            ExitStatus::Missing => Err(ProvisionError::Disconnected {
                what: format!("`{command}`"),
            }),
            status => {
                let what = format!("`{command}`");
                Err(ProvisionError::Status {
                    what,
                    status: status.to_string(),
                })
            }
        }
    }
}

/// Whether the guest was away, so that nothing has happened in it.
fn is_connection(error: &ProvisionError) -> bool {
    matches!(error, ProvisionError::Communicator(error) if error.is_connection())
}

/// Whether no file can have come into the guest yet.
fn is_before_upload(error: &ProvisionError) -> bool {
    matches!(error, ProvisionError::Communicator(error)
        if matches!(**error, lvhost_communicator::Error::NoSftp { .. }))
}

/// What shells mean by an exit code that they give themselves, and what to do about it.
fn meaning(status: &ExitStatus) -> &'static str {
    match status {
        ExitStatus::Code(126) => {
            ", which a shell gives for a file that it can't run: the program in its first line may be missing, \
             or its file system be mounted `noexec`; for the latter, set `remote_folder`"
        }
        ExitStatus::Code(127) => {
            ", which a shell gives for a command that it does not find: the guest may lack a program that the \
             script runs, or the one in its first line"
        }
        _ => "",
    }
}
