//! `lvhost run`: all builds of a template, several at the same time.
//!
//! ```text
//!  examine, making nothing ─► errors? ─► end
//!      └─► make the SSH keys it asks for, examine again ─► one Builder.build a job, N at a time ─► sum
//! ```

use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use futures::StreamExt;
use futures::stream;
use lvhost_config::Console;
use lvhost_engine::Journal;
use lvhost_engine::with_causes;
use lvhost_fetch::Fetcher;
use tokio_util::sync::CancellationToken;

use crate::arguments::{self, OnError};
use crate::async_runtime;
use crate::build::Builder;
use crate::components::Components;
use crate::data_sources::BuiltIn;
use crate::downloads;
use crate::exit_code::Failure;
use crate::input::InputError;
use crate::logs;
use crate::printer::Printer;
use crate::signals::{self, AtRisk};
use crate::surroundings::Surroundings;
use crate::template::{ExaminedTemplate, Examiner, Job};
use crate::ui::{self, BuildResult, Event, Questions, Screen, Style};
use crate::watched_console::watched_console;

/// Builds everything the template describes.
///
/// # Errors
/// See [`Failure`].
pub(crate) fn run(
    arguments: &arguments::Run,
    is_logging: bool,
    surroundings: Surroundings,
    printer: &Printer,
) -> Result<(), Failure> {
    let style = Style {
        json: arguments.output.json,
        is_logging,
    };
    let screen = ui::screen(style, printer, &surroundings);
    let run = Run {
        arguments,
        surroundings: Arc::new(surroundings),
        screen: Arc::clone(&screen),
        printer: printer.clone(),
    };
    let result = run.all();
    let failure = result.as_ref().err();
    screen.show(&Event::RunFinished {
        exit_code: failure.map_or(0, Failure::code),
        error: failure.map(|failure| {
            let secrets = &run.surroundings.secrets;
            secrets.mask(&with_causes(failure)).into_owned()
        }),
    });
    screen.leave();
    result
}

/// One call of the command.
struct Run<'a> {
    arguments: &'a arguments::Run,
    surroundings: Arc<Surroundings>,
    screen: Arc<dyn Screen>,
    printer: Printer,
}

impl Run<'_> {
    fn all(&self) -> Result<(), Failure> {
        let cache = self.surroundings.cache_directory();
        let cache = cache.ok_or(InputError::NoCache)?;
        let watched_console = watched_console(&self.surroundings)?;
        let journal = self.surroundings.journal()?;
        let fetcher = downloads::fetcher(&self.surroundings, &cache)?;
        let components = Components::new(&self.surroundings, self.printer.notice())?;
        if let Some(state) = self.surroundings.state_directory() {
            logs::prune(&state.join(logs::FOLDER), SystemTime::now());
        }
        let runtime = async_runtime::for_builds()?;
        let result = runtime.block_on(async {
            let mut examined = self.examine(&components, &cache).await?;
            self.tell_diagnostics(&examined);
            let jobs = std::mem::replace(&mut examined.jobs, Ok(Vec::new()))?;
            let builder = self.builder(examined, fetcher, watched_console, journal);
            self.builds(jobs, builder).await
        });
        // A thread may still read the user's answers, of which nobody wants to know any more.
        runtime.shutdown_background();
        result
    }

    /// Checks everything first, and makes what the template's `data` blocks ask for only if a build
    /// will follow.
    async fn examine(
        &self,
        components: &Components,
        cache: &Path,
    ) -> Result<ExaminedTemplate, InputError> {
        let examiner = Examiner::new(&self.arguments.template, components, &self.surroundings)?;
        let check_only = BuiltIn::check_only();
        let checked = examiner.examine(&check_only).await;
        if checked.jobs.is_ok() && check_only.was_asked() {
            let for_build = BuiltIn::for_build(cache.to_owned());
            return Ok(examiner.examine(&for_build).await);
        }
        Ok(checked)
    }

    fn tell_diagnostics(&self, examined: &ExaminedTemplate) {
        if let Some(text) = examined.text(&self.printer) {
            self.screen.show(&Event::Diagnostics {
                build: None,
                diagnostics: examined.findings(),
                text,
            });
        }
    }

    fn builder(
        &self,
        examined: ExaminedTemplate,
        fetcher: Fetcher,
        watched_console: Option<Console>,
        journal: Arc<dyn Journal>,
    ) -> Builder {
        let mut force_foreign = self.surroundings.force_foreign();
        force_foreign.extend(self.arguments.force_foreign.iter().cloned());
        let questions = Questions::new(Arc::clone(&self.screen), !self.arguments.output.json);
        Builder {
            surroundings: Arc::clone(&self.surroundings),
            sources: examined.sources,
            fetcher,
            files: examined.files,
            screen: Arc::clone(&self.screen),
            questions: Arc::new(questions),
            printer: self.printer.clone(),
            cancel: CancellationToken::new(),
            at_risk: AtRisk::default(),
            journal,
            force: self.arguments.force,
            force_foreign,
            on_error: on_error(self.arguments.on_error),
            watched_console,
        }
    }

    /// Runs the builds. One that fails does not keep the others from running.
    async fn builds(&self, jobs: Vec<Job>, builder: Builder) -> Result<(), Failure> {
        let names: Vec<String> = jobs.iter().map(|job| job.name.clone()).collect();
        self.screen.show(&Event::RunStarted {
            version: env!("CARGO_PKG_VERSION"),
            builds: &names,
        });
        signals::follow(
            builder.cancel.clone(),
            builder.at_risk.clone(),
            Arc::clone(&self.screen),
            self.printer.clone(),
        )
        .map_err(|error| Failure::unable("signals can't be received", error))?;
        let builder = Arc::new(builder);
        let total = jobs.len();
        let at_once = match self.arguments.parallel_builds {
            0 => total.max(1),
            limit => limit,
        };
        let results = stream::iter(jobs)
            .map(|job| {
                let builder = Arc::clone(&builder);
                tokio::spawn(async move { builder.build(job).await })
            })
            .buffer_unordered(at_once)
            .collect::<Vec<_>>()
            .await;
        if builder.cancel.is_cancelled() {
            return Err(Failure::Cancelled);
        }
        let succeeded =
            |result: &&Result<BuildResult, _>| matches!(result, Ok(BuildResult::Succeeded));
        let failed = total - results.iter().filter(succeeded).count();
        if failed > 0 {
            Err(Failure::Builds { failed, total })
        } else {
            Ok(())
        }
    }
}

fn on_error(said: OnError) -> lvhost_engine::OnError {
    match said {
        OnError::Cleanup => lvhost_engine::OnError::CleanUp,
        OnError::Abort => lvhost_engine::OnError::Abort,
        OnError::Ask => lvhost_engine::OnError::Ask,
    }
}
