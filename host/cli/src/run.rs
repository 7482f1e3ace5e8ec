//! `lvhost run`: one build after another.

use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lvhost_engine::{
    Artifact, Build, Contents, Error, Outcome, Provision, ProvisionError, Sources, SshConnector,
    Ui, plan,
};
use lvhost_fetch::{Fetcher, ProxySettings, Settings};
use lvhost_hcl::{Diagnostics, SourceMap, render};
use lvhost_libvirt::{ConnectionUri, Libvirt};
use tokio_util::sync::CancellationToken;

use crate::arguments::Template;
use crate::components;
use crate::data_sources::BuiltIn;
use crate::exit_code::{Failure, with_causes};
use crate::input::InputError;
use crate::printer::Printer;
use crate::signals::{self, AtRisk};
use crate::summary;
use crate::surroundings::Surroundings;
use crate::template::{Checked, Job, Loaded};
use crate::ui::{self, BuildUi, Screen};

/// Threads of the asynchronous runtime. The work is done elsewhere: by libvirt's threads, by those
/// that hash and decompress, and in the guest.
const WORKER_THREADS: usize = 2;

/// Builds everything the template describes.
///
/// # Errors
/// See [`Failure`].
pub(crate) fn run(
    arguments: &Template,
    is_logging: bool,
    surroundings: Surroundings,
    printer: &Printer,
) -> Result<(), Failure> {
    let surroundings = Arc::new(surroundings);
    let cache = surroundings.cache_directory().ok_or(InputError::NoCache)?;
    let fetcher = fetcher(&surroundings, &cache)?;
    let data_sources = BuiltIn::for_build(cache);
    let loaded = Loaded::read(arguments, &surroundings, &data_sources, printer)?;
    let sources = Arc::new(components::load(&surroundings)?);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKER_THREADS)
        .enable_all()
        .build()
        .map_err(|error| Failure::unable("the asynchronous runtime can't be started", error))?;
    let result = runtime.block_on(async {
        let checked = loaded.check(&sources, printer).await?;
        let screen = ui::screen(printer, &surroundings, is_logging);
        let run = Run {
            surroundings,
            sources,
            fetcher,
            files: Arc::clone(&checked.files),
            screen,
            printer: printer.clone(),
            cancel: CancellationToken::new(),
            at_risk: AtRisk::default(),
        };
        run.all(checked).await
    });
    // A thread may still wait for the user's Enter, of which nobody wants to know any more.
    runtime.shutdown_background();
    result
}

fn fetcher(surroundings: &Surroundings, cache: &Path) -> Result<Fetcher, InputError> {
    let mut settings = Settings::new(cache.join("downloads"));
    settings.proxy =
        ProxySettings::from_variables(&surroundings.variables).map_err(|(name, error)| {
            InputError::Variable {
                name,
                reason: format!("not a URL: {error}"),
            }
        })?;
    Ok(Fetcher::new(settings))
}

/// What all builds of a run share.
struct Run {
    surroundings: Arc<Surroundings>,
    sources: Arc<Sources>,
    fetcher: Fetcher,
    files: Arc<SourceMap>,
    screen: Arc<dyn Screen>,
    printer: Printer,
    cancel: CancellationToken,
    at_risk: AtRisk,
}

impl Run {
    /// One build after another. One that fails does not keep the next from running.
    async fn all(&self, checked: Checked) -> Result<(), Failure> {
        let (cancel, at_risk) = (self.cancel.clone(), self.at_risk.clone());
        signals::follow(
            cancel,
            at_risk,
            Arc::clone(&self.screen),
            self.printer.clone(),
        )
        .map_err(|error| Failure::unable("signals can't be received", error))?;
        let total = checked.jobs.len();
        let mut failed = 0;
        for job in checked.jobs {
            if !self.build(job).await {
                failed += 1;
            }
            if self.cancel.is_cancelled() {
                return Err(Failure::Cancelled);
            }
        }
        if failed > 0 {
            Err(Failure::Builds { failed, total })
        } else {
            Ok(())
        }
    }

    /// Runs one build and tells how it went; whether it has made its artifact.
    async fn build(&self, job: Job) -> bool {
        let uri = ConnectionUri::new(job.libvirt.libvirt_uri.as_str()).to_string();
        let ui = Arc::new(BuildUi::new(
            job.name.clone(),
            Arc::clone(&self.screen),
            self.printer.clone(),
        ));
        let begun = Instant::now();
        let hypervisor = tokio::select! {
            biased;
            () = self.cancel.cancelled() => Err(Error::Cancelled),
            connected = self.connect(&job, &ui, &uri) => connected,
        };
        let connecting = begun.elapsed();
        let outcome = match hypervisor {
            Err(error) => Outcome {
                result: Err(error),
                leftovers: Vec::new(),
            },
            Ok(hypervisor) => {
                self.at_risk.set(at_risk(&job, &uri));
                let build = self.prepare(&job, hypervisor, Arc::clone(&ui) as Arc<dyn Ui>);
                let outcome = build.run(&job.libvirt, &job.configured).await;
                self.at_risk.set(Vec::new());
                outcome
            }
        };
        self.tell(&outcome, &ui, &uri, connecting, begun.elapsed());
        outcome.result.is_ok()
    }

    async fn connect(&self, job: &Job, ui: &BuildUi, uri: &str) -> Result<Libvirt, Error> {
        ui.say(&format!("Connecting to {uri}"));
        Ok(Libvirt::connect(&job.libvirt.libvirt_uri).await?)
    }

    fn prepare(&self, job: &Job, hypervisor: Libvirt, ui: Arc<dyn Ui>) -> Build {
        let working_directory = self.surroundings.working_directory.clone();
        Build {
            hypervisor: Arc::new(hypervisor),
            sources: Arc::clone(&self.sources),
            fetcher: self.fetcher.clone(),
            connector: Arc::new(SshConnector {
                agent_socket: self.surroundings.set("SSH_AUTH_SOCK").map(Into::into),
                working_directory: working_directory.clone(),
                home_directory: self.surroundings.home(),
            }),
            provision: Arc::clone(&job.provision) as Arc<dyn Provision>,
            ui,
            cancel: self.cancel.clone(),
            working_directory,
            identity: job.identity,
        }
    }

    fn tell(
        &self,
        outcome: &Outcome,
        ui: &BuildUi,
        uri: &str,
        connecting: Duration,
        whole: Duration,
    ) {
        for line in summary::leftovers(&outcome.leftovers, uri) {
            ui.error(&line);
        }
        let whole = whole.as_secs_f64();
        match &outcome.result {
            Ok(artifact) => ui.say(&format!("Finished in {whole:.1} s: {}", artifact.volume)),
            Err(Error::Cancelled) => ui.say(&format!("Cancelled after {whole:.1} s")),
            Err(error) => {
                ui.error(&with_causes(error));
                if let Some(diagnostics) = diagnostics(error) {
                    ui.block(&render(
                        &self.files,
                        diagnostics,
                        self.printer.render_style(),
                    ));
                }
                ui.say(&format!("Failed after {whole:.1} s"));
            }
        }
        for line in summary::times(connecting, &ui.steps()) {
            ui.detail(&line);
        }
        if let Ok(artifact) = &outcome.result {
            tell_artifact(artifact, ui);
        }
    }
}

fn tell_artifact(artifact: &Artifact, ui: &BuildUi) {
    for line in summary::artifact(artifact) {
        ui.result(&line);
    }
}

/// What an error says of places in the template.
fn diagnostics(error: &Error) -> Option<&Diagnostics> {
    match error {
        Error::Template(diagnostics)
        | Error::Provisioner {
            source: ProvisionError::Options(diagnostics),
            ..
        } => Some(diagnostics),
        _ => None,
    }
}

/// What a build is going to make, for those who stop it in the middle.
fn at_risk(job: &Job, uri: &str) -> Vec<String> {
    // The port does not matter here.
    let planned = plan(&job.libvirt, &job.configured, &job.identity, || {
        Ok::<_, Infallible>(0)
    });
    let Ok(plan) = planned;
    let mut things = vec![format!("the domain {:?} at {uri}", plan.domain)];
    let made = plan
        .volumes
        .iter()
        .filter(|volume| !matches!(volume.contents, Contents::Existing));
    things.extend(made.map(|volume| format!("the volume {} at {uri}", volume.id)));
    things
}
