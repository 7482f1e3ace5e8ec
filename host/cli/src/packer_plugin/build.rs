//! One build for Packer: connect, hand everything over to the engine, tell how it ended.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use lvhost_engine::{Build, Error, MaskedUi, Outcome, Provision, Sources, Ui, with_causes};
use lvhost_libvirt::{ConnectionUri, Hypervisor, Libvirt, Owner};
use lvhost_packer::{Failure, Run};

use super::artifact::{BuiltVolume, Origin};
use super::examine::ExaminedSource;
use super::hook::{Provisioners, Terms};
use super::request::Request;
use super::ui::PackerUi;
use crate::build::{LINK_LOCAL_INTERFACE, connector, log_directory};
use crate::downloads;
use crate::input::InputError;
use crate::logs;
use crate::surroundings::Surroundings;
use crate::watched_console::watched_console;

/// Builds, and returns when everything that must go is gone.
///
/// # Errors
/// Why there is no artifact.
pub(super) async fn build(
    request: &Request,
    examined: &ExaminedSource,
    sources: Arc<Sources>,
    surroundings: &Surroundings,
    run: Run,
) -> Result<BuiltVolume, Failure> {
    let cache = cache_directory(surroundings).ok_or(InputError::NoCache)?;
    let fetcher = downloads::fetcher(surroundings, &cache)?;
    let watched_console = watched_console(surroundings)?;
    let journal = surroundings.journal()?;
    if let Some(state) = surroundings.state_directory() {
        logs::prune(&state.join(logs::FOLDER), SystemTime::now());
    }
    let (ui, screen) = PackerUi::start(run.ui);
    let secrets = &surroundings.secrets;
    let ui = MaskedUi::new(Arc::new(ui), secrets.clone());
    let terms = terms(examined, surroundings);
    let provisioners = Arc::new(Provisioners::new(run.hook, run.cancel.clone(), terms));

    let uri = examined.libvirt.libvirt_uri.as_str();
    let shown_uri = ConnectionUri::new(uri).to_string();
    ui.say(&format!("Connecting to {shown_uri}"));
    let connected = tokio::select! {
        biased;
        () = run.cancel.cancelled() => Err(Error::Cancelled),
        connected = Libvirt::connect(uri) => connected.map_err(Error::from),
    };
    let result = match connected {
        Err(error) => Err(error),
        Ok(hypervisor) => {
            let hypervisor = Arc::new(hypervisor);
            let build = Build {
                hypervisor: Arc::clone(&hypervisor) as Arc<dyn Hypervisor>,
                sources,
                fetcher,
                connector: Arc::new(connector(surroundings, uri)),
                provision: Arc::clone(&provisioners) as Arc<dyn Provision>,
                ui: ui.clone(),
                cancel: run.cancel.clone(),
                working_directory: surroundings.working_directory.clone(),
                identity: request.identity,
                journal: Arc::clone(&journal),
                force: request.force,
                force_foreign: surroundings.force_foreign(),
                on_error: request.on_error,
                pauses: request.debug,
                owner: Owner::this_process().ok(),
                log_directory: log_directory(surroundings, &request.identity),
                watched_console,
                link_local_interface: surroundings.set(LINK_LOCAL_INTERFACE).map(str::to_owned),
            };
            let outcome = build.run(&examined.libvirt, &examined.configured).await;
            tell(&outcome, &ui);
            match outcome.result {
                Ok(artifact) => {
                    let is_local = match hypervisor.facts().await {
                        Ok(facts) => facts.is_local,
                        // The build is done; its files just can't be told.
                        Err(_) => false,
                    };
                    let origin = Origin {
                        uri: uri.to_owned(),
                        is_local,
                        build: request.identity.build_id(),
                        journal,
                    };
                    let variables = provisioners.variables();
                    let folder = &surroundings.working_directory;
                    Ok(BuiltVolume::new(origin, folder, &artifact, variables))
                }
                Err(error) => Err(error),
            }
        }
    };
    provisioners.settle().await;
    screen.end().await;
    result.map_err(|error| secrets.mask(&with_causes(&error)).into())
}

/// What did not go, and what stays on purpose.
fn tell(outcome: &Outcome, ui: &dyn Ui) {
    for leftover in &outcome.leftovers {
        ui.error(&format!(
            "{} could not be removed: {}\nremove it with: {}",
            leftover.what,
            with_causes(&leftover.reason),
            leftover.command
        ));
    }
    for kept in &outcome.kept {
        ui.say(&format!(
            "{} is left for you to look at\nremove it with: {}",
            kept.what, kept.command
        ));
    }
}

fn terms(examined: &ExaminedSource, surroundings: &Surroundings) -> Terms {
    let communicator = examined.libvirt.communicator.as_ref();
    Terms {
        run_uuid: surroundings.set("PACKER_RUN_UUID").map(str::to_owned),
        agent_auth: communicator.is_some_and(|communicator| communicator.ssh_agent_auth),
    }
}

/// Downloads are kept where Packer's user wants its caches, or else where `lvhost run` keeps them.
pub(super) fn cache_directory(surroundings: &Surroundings) -> Option<PathBuf> {
    match surroundings.set("PACKER_CACHE_DIR") {
        Some(folder) => Some(surroundings.working_directory.join(folder).join("lvhost")),
        None => surroundings.cache_directory(),
    }
}
