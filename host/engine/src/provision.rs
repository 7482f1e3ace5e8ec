//! What is done inside the guest between its first answer and its shutdown.
//!
//! Each provisioner goes through the same states, one provisioner after the other:
//!
//! ```text
//!  selected? ──► options ──► pause_before ──► run (at most `timeout`) ──► done
//!      │            │             ▲                 │
//!      ▼            ▼             └── max_retries ──┤ failed
//!   skipped      Options                            ▼
//!                   └──────────► Error ◄────────────┘
//!                                  └─ continue_on_error ─► a warning, done
//! ```
//! Its options are evaluated when it is its turn: they may read files that an earlier one has made.
//! A cancelled build leaves it at once, which ends what it has started on this machine.

mod breakpoint;
mod environment;
mod execute_command;
mod file;
pub(crate) mod interpolate;
mod lines;
mod options;
mod progress;
mod runnable_file;
mod script;
mod script_upload;
mod shell;
mod shell_local;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use lvhost_communicator::Communicator;
use lvhost_hcl::{BUILD_ATTRIBUTES, Diagnostics, Provisioner, Source, Value};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub(crate) use self::lines::Lines;
use self::options::Prepared;
use crate::error::{Error, ProvisionError};
use crate::go_template::Functions;
use crate::masked_ui::MaskedUi;
use crate::secrets::secrets_in;
use crate::ui::Ui;

/// What a guest is provisioned with.
#[async_trait]
pub trait Provision: Send + Sync {
    /// Runs everything in order and stops at the first failure.
    ///
    /// # Errors
    /// [`Error::Provisioner`], [`Error::Provisioning`], [`Error::Cancelled`].
    async fn provision(&self, context: &ProvisionContext<'_>) -> Result<(), Error>;

    /// Runs what is to be done in a guest whose build has failed, before it is removed. Only called
    /// after [`provision`](Self::provision), and not in a build that was cancelled.
    ///
    /// # Errors
    /// As [`provision`](Self::provision).
    async fn clean_up(&self, context: &ProvisionContext<'_>) -> Result<(), Error> {
        let _ = context;
        Ok(())
    }
}

/// The guest as a provisioner sees it.
pub struct ProvisionContext<'a> {
    /// The way into the guest; `None` where nothing leads there, or not any more.
    pub communicator: Option<&'a Arc<dyn Communicator>>,
    /// The object behind `build.` in a template. What is marked as sensitive in it is not shown.
    pub build: &'a Value,
    /// The user.
    pub ui: &'a MaskedUi,
    /// Stops whatever runs.
    pub cancel: &'a CancellationToken,
}

/// The provisioners of a template's `build` block, run by lvhost itself.
pub struct TemplateProvisioners {
    /// In the order of the template.
    pub provisioners: Arc<[Provisioner]>,
    /// The source they run for.
    pub source: Source,
    /// Packer's functions for their options.
    pub functions: Functions,
    /// The name of the `build` block; empty if it has none.
    pub build_name: String,
    /// What relative paths are relative to.
    pub working_directory: PathBuf,
}

/// What one run of a provisioner works with.
struct Job<'a> {
    communicator: &'a dyn Communicator,
    ui: &'a dyn Ui,
    build: &'a Value,
    source: &'a Source,
    functions: &'a Functions,
    /// What relative paths of this machine are relative to.
    folder: &'a Path,
    /// A random word for names in the guest. The same for every retry, so that what an earlier try
    /// has left there is replaced and removed.
    word: String,
}

impl TemplateProvisioners {
    /// What is wrong with the provisioners of this source, as far as that shows before there is a
    /// guest: unknown types and options, references to nothing, missing files. Nothing is run.
    pub fn check(&self) -> Diagnostics {
        let build = Value::object(BUILD_ATTRIBUTES.map(|name| (name, Value::UNKNOWN)));
        let build = self.named(&build);
        let mut report = Diagnostics::default();
        for block in self.selected() {
            options::prepare(
                block,
                &self.source,
                &self.functions,
                &build,
                &self.working_directory,
                &mut report,
            );
        }
        report
    }

    fn selected(&self) -> impl Iterator<Item = &Provisioner> {
        let address = self.source.address();
        self.provisioners
            .iter()
            .filter(move |block| block.selection.includes(&address))
    }

    /// The object behind `build.` with the name of the block.
    fn named(&self, build: &Value) -> Value {
        let mut attributes = build.as_object().cloned().unwrap_or_default();
        attributes.insert("name".to_string(), Value::string(&self.build_name));
        Value::object(attributes)
    }

    /// Runs a provisioner. One that may fail has done what it can when it has.
    async fn run(
        &self,
        block: &Provisioner,
        build: &Value,
        communicator: &dyn Communicator,
        context: &ProvisionContext<'_>,
    ) -> Result<(), ProvisionError> {
        let mut report = Diagnostics::default();
        let folder = &self.working_directory;
        let prepared = options::prepare(
            block,
            &self.source,
            &self.functions,
            build,
            folder,
            &mut report,
        );
        let prepared = match prepared {
            Some(prepared) if !report.has_errors() => Ok(prepared),
            _ => Err(ProvisionError::Options(report)),
        };
        let ui = context.ui;
        ui.secrets().add(secrets_in(build));
        if let Ok(prepared) = &prepared {
            ui.secrets().add(prepared.secrets.iter().cloned());
        }
        let result = match &prepared {
            Ok(prepared) => {
                let job = Job {
                    communicator,
                    ui,
                    build,
                    source: &self.source,
                    functions: &self.functions,
                    folder,
                    word: Uuid::new_v4().simple().to_string(),
                };
                ui.say(&format!("Provisioning with {}", title(block)));
                prepared.repeat(&job, &title(block)).await
            }
            Err(_) => Ok(()),
        };
        let error = match prepared.and(result) {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        let continues = options::continues_on_error(block, &mut Diagnostics::default());
        if !continues || matches!(error, ProvisionError::Cancelled) {
            return Err(error);
        }
        ui.warn(&format!(
            "{} failed: {}; the build goes on, since `continue_on_error` is set",
            title(block),
            reason(&error)
        ));
        Ok(())
    }
}

#[async_trait]
impl Provision for TemplateProvisioners {
    async fn provision(&self, context: &ProvisionContext<'_>) -> Result<(), Error> {
        // Without a communicator nothing is provisioned.
        let Some(communicator) = context.communicator else {
            return Ok(());
        };
        let build = self.named(context.build);
        for block in self.selected() {
            tokio::select! {
                biased;
                () = context.cancel.cancelled() => return Err(Error::Cancelled),
                result = self.run(block, &build, communicator.as_ref(), context) => result.map_err(|source| {
                    Error::Provisioner { provisioner: title(block), source }
                })?,
            }
        }
        Ok(())
    }
}

impl Prepared {
    /// Runs, and again after a failure, as often as that is wanted.
    async fn repeat(&self, job: &Job<'_>, title: &str) -> Result<(), ProvisionError> {
        let mut failures = 0;
        loop {
            let error = match self.attempt(job).await {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            if failures == self.max_retries {
                return Err(error);
            }
            failures += 1;
            job.ui.warn(&format!(
                "{title} failed: {}; retry {failures} of {}",
                with_causes(&error),
                self.max_retries
            ));
        }
    }

    /// Pauses and runs once.
    async fn attempt(&self, job: &Job<'_>) -> Result<(), ProvisionError> {
        if !self.pause_before.is_zero() {
            job.ui.say(&format!(
                "Waiting {} s (`pause_before`)",
                self.pause_before.as_secs_f64()
            ));
            tokio::time::sleep(self.pause_before).await;
        }
        let run = async {
            match &self.options {
                lvhost_config::Provisioner::Shell(shell) => shell::run(shell, job).await,
                lvhost_config::Provisioner::ShellLocal(shell) => shell_local::run(shell, job).await,
                lvhost_config::Provisioner::File(file) => file::run(file, job).await,
                lvhost_config::Provisioner::Breakpoint(stop) => breakpoint::run(stop, job).await,
            }
        };
        match self.timeout {
            None => run.await,
            Some(timeout) => tokio::time::timeout(timeout, run)
                .await
                .unwrap_or(Err(ProvisionError::Timeout(timeout))),
        }
    }
}

/// `shell`, or `shell (name)`.
fn title(block: &Provisioner) -> String {
    match &block.name {
        Some(name) => format!("{} ({name})", block.type_name),
        None => block.type_name.clone(),
    }
}

/// Why it failed, on one line.
fn reason(error: &ProvisionError) -> String {
    let mut text = with_causes(error);
    if let ProvisionError::Options(report) = error {
        for diagnostic in report {
            text.push_str(&format!(": {}", diagnostic.summary));
        }
    }
    text
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}
