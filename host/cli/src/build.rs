//! One build: connect, hand everything over to the engine, tell how it ended.

use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use lvhost_config::Console;
use lvhost_engine::{
    Build, Contents, Error, GuestConnector, Identity, Journal, MaskedUi, OnError, Outcome,
    Provision, ProvisionError, Sources, Ui as _, plan, with_causes,
};
use lvhost_fetch::Fetcher;
use lvhost_hcl::{Diagnostics, SourceMap};
use lvhost_libvirt::{ConnectionUri, Libvirt, Owner, in_quotes};
use tokio_util::sync::CancellationToken;

use crate::findings::findings;
use crate::logs;
use crate::printer::Printer;
use crate::signals::AtRisk;
use crate::surroundings::Surroundings;
use crate::template::Job;
use crate::ui::{ArtifactFacts, BuildResult, BuildUi, Event, Questions, Screen, StepTime};

/// Names the interface that link-local addresses of guests are reached through, where a template does
/// not; users know it from Packer.
pub(crate) const LINK_LOCAL_INTERFACE: &str = "PACKER_LIBVIRT_COMMUNICATOR_LINK_LOCAL_INTERFACE";

/// What all builds of a run share.
pub(crate) struct Builder {
    pub(crate) surroundings: Arc<Surroundings>,
    pub(crate) sources: Arc<Sources>,
    pub(crate) fetcher: Fetcher,
    /// The template's, for what only shows in a build.
    pub(crate) files: Arc<SourceMap>,
    pub(crate) screen: Arc<dyn Screen>,
    pub(crate) questions: Arc<Questions>,
    pub(crate) printer: Printer,
    pub(crate) cancel: CancellationToken,
    pub(crate) at_risk: AtRisk,
    pub(crate) journal: Arc<dyn Journal>,
    pub(crate) force: bool,
    pub(crate) force_foreign: Vec<String>,
    pub(crate) on_error: OnError,
    /// A console that is shown line by line.
    pub(crate) watched_console: Option<Console>,
}

impl Builder {
    /// Runs one build and tells how it went.
    pub(crate) async fn build(&self, job: Job) -> BuildResult {
        // One whose turn comes when all is being cancelled does not even begin.
        if self.cancel.is_cancelled() {
            return BuildResult::Cancelled;
        }
        let uri = ConnectionUri::new(job.libvirt.libvirt_uri.as_str()).to_string();
        let ui = Arc::new(BuildUi::new(
            job.name.clone(),
            Arc::clone(&self.screen),
            Arc::clone(&self.questions),
        ));
        let begun = Instant::now();
        let uri = self.masked(&uri);
        ui.show(&Event::BuildStarted {
            build: &job.name,
            build_id: job.identity.build_id().to_string(),
            uri: &uri,
        });
        let hypervisor = tokio::select! {
            biased;
            () = self.cancel.cancelled() => Err(Error::Cancelled),
            connected = Libvirt::connect(&job.libvirt.libvirt_uri) => connected.map_err(Error::from),
        };
        ui.step(StepTime::of_connecting(begun.elapsed()));
        let outcome = match hypervisor {
            Err(error) => {
                if !matches!(error, Error::Cancelled) {
                    // The URI is the template's: it must not become another command where it is pasted.
                    let uri = in_quotes(&uri);
                    ui.say(&format!("What to do is told by: lvhost doctor {uri}"));
                }
                Outcome {
                    result: Err(error),
                    leftovers: Vec::new(),
                    kept: Vec::new(),
                }
            }
            Ok(hypervisor) => {
                let things = at_risk(&job, &uri);
                let things = things.iter().map(|thing| self.masked(thing));
                self.at_risk.set(&job.name, things.collect());
                let build = self.prepare(&job, hypervisor, &ui);
                let outcome = build.run(&job.libvirt, &job.configured).await;
                self.at_risk.clear(&job.name);
                outcome
            }
        };
        self.tell(&job.name, &outcome, &ui, &uri, begun)
    }

    /// What the build's user sees of a text that does not come by way of the build.
    fn masked(&self, text: &str) -> String {
        self.surroundings.secrets.mask(text).into_owned()
    }

    fn prepare(&self, job: &Job, hypervisor: Libvirt, ui: &Arc<BuildUi>) -> Build {
        let working_directory = self.surroundings.working_directory.clone();
        let masked = MaskedUi::new(Arc::clone(ui) as _, self.surroundings.secrets.clone());
        let questions = ui.bastion_questions(masked.clone());
        Build {
            hypervisor: Arc::new(hypervisor),
            sources: Arc::clone(&self.sources),
            fetcher: self.fetcher.clone(),
            connector: Arc::new(GuestConnector {
                questions: questions.map(|asked| Arc::new(asked) as _),
                ..connector(&self.surroundings, &job.libvirt.libvirt_uri)
            }),
            provision: Arc::clone(&job.provision) as Arc<dyn Provision>,
            ui: masked,
            cancel: self.cancel.clone(),
            working_directory,
            identity: job.identity,
            journal: Arc::clone(&self.journal),
            force: self.force,
            force_foreign: self.force_foreign.clone(),
            on_error: self.on_error,
            pauses: false,
            owner: Owner::this_process().ok(),
            log_directory: log_directory(&self.surroundings, &job.identity),
            watched_console: self.watched_console,
            link_local_interface: self
                .surroundings
                .set(LINK_LOCAL_INTERFACE)
                .map(str::to_owned),
        }
    }

    fn tell(
        &self,
        name: &str,
        outcome: &Outcome,
        ui: &BuildUi,
        uri: &str,
        begun: Instant,
    ) -> BuildResult {
        let masked = |text: &str| self.masked(text);
        for leftover in &outcome.leftovers {
            ui.show(&Event::Leftover {
                build: name,
                uri,
                what: masked(&leftover.what),
                reason: masked(&with_causes(&leftover.reason)),
                command: masked(&leftover.command),
            });
        }
        for kept in &outcome.kept {
            ui.show(&Event::Kept {
                build: name,
                uri,
                what: masked(&kept.what),
                command: masked(&kept.command),
            });
        }
        let result = match &outcome.result {
            Ok(_) => BuildResult::Succeeded,
            Err(Error::Cancelled) => BuildResult::Cancelled,
            Err(_) => BuildResult::Failed,
        };
        let error = outcome.result.as_ref().err();
        if let Some(diagnostics) = error.and_then(diagnostics) {
            let diagnostics = self
                .surroundings
                .secrets
                .mask_diagnostics(diagnostics.clone());
            let diagnostics = &diagnostics;
            ui.show(&Event::Diagnostics {
                build: Some(name),
                diagnostics: findings(&self.files, diagnostics),
                text: self.printer.drawn(&self.files, diagnostics),
            });
        }
        ui.show(&Event::BuildFinished {
            build: name,
            result,
            error: error
                .filter(|_| result == BuildResult::Failed)
                .map(|error| masked(&with_causes(error))),
            seconds: begun.elapsed().as_secs_f64(),
            steps: &ui.steps(),
            artifact: outcome
                .result
                .as_ref()
                .ok()
                .map(|artifact| ArtifactFacts::new(artifact, masked)),
        });
        result
    }
}

/// The way into the guests of the hypervisor at `uri`. Nobody is asked anything.
pub(crate) fn connector(surroundings: &Surroundings, uri: &str) -> GuestConnector {
    GuestConnector {
        agent_socket: surroundings.set("SSH_AUTH_SOCK").map(Into::into),
        working_directory: surroundings.working_directory.clone(),
        home_directory: surroundings.home(),
        user: surroundings.set("USER").map(str::to_owned),
        hypervisor: ConnectionUri::new(uri),
        known_hosts: surroundings.known_hosts(),
        questions: None,
    }
}

/// Where the logs of a build go: a folder of its own, since the console of one that failed shall
/// still be there after the next has been tried.
pub(crate) fn log_directory(surroundings: &Surroundings, identity: &Identity) -> Option<PathBuf> {
    let logs = surroundings.state_directory()?.join(logs::FOLDER);
    Some(logs.join(identity.build_id().to_string()))
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
