//! One build, from a checked template to an artifact.
//!
//! ```text
//!                              BootCommand
//!                                   ┊
//!  Check ─► Volumes ─► Start ─► Connect ─► Provision ─► ShutDown ─► Download ─► CleanUp ─► Artifact
//!    │         │         │         │           │           │           │           ▲
//!    └─────────┴─────────┴─────────┴───────────┴───────────┴───────────┴─ failed, ─┘─► Error
//!                                                                        cancelled
//! ```
//!
//! * **Check** looks at pools, networks and names, and finds or makes the [key pair](crate::key_pair) of
//!   the log-in; nothing has been made yet that would have to be removed. What is in the way is removed
//!   here, if [`Build::force`] allows it.
//! * **Volumes** defines the domain, whose metadata claims what the build makes, and makes the volumes,
//!   several at a time.
//! * **Start** begins to serve files over HTTP, gives the domain its disks and starts it. From here on its
//!   state is followed by events.
//! * **BootCommand** types the `boot_command`, if there is one, beside the first wait of Connect.
//! * **Connect** waits for an address and for the guest to let us in, at most `ssh_timeout` or
//!   `winrm_timeout` in all. With `communicator = "none"` there is nothing to connect to, and the guest
//!   ends the build by powering off.
//! * **Provision** is repeated when the user, asked about a failure, wants that.
//! * **ShutDown** asks the guest to go down until it is, at most `shutdown_timeout`; then it is forced.
//!   A guest that powered itself off is as good.
//! * **Download** copies the artifact into the `output_directory`, if there is one, and compacts the copy
//!   if that is wanted.
//! * **CleanUp** runs cancelled or not, and removes what the [ledger](crate::ledger) lists: after
//!   success everything but the artifact, else everything, unless [`OnError`] says otherwise. Before that,
//!   [`Provision::clean_up`] has its turn in a guest whose build has failed.

mod compact;
mod consoles;
mod failure;
mod guest;
mod object;
mod obstacles;
mod output;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use lvhost_communicator::Communicator;
use lvhost_config::LibvirtSource;
use lvhost_fetch::Fetcher;
use lvhost_hcl::Value;
use lvhost_image::Container;
use lvhost_image::qcow2::HEADER_BYTES;
use lvhost_libvirt::{
    DomainId, DomainState, Hypervisor, InterfaceSource, Owner, VolumeFacts, VolumeId,
};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::consoles::Consoles;
use self::failure::Answer;
pub use self::failure::OnError;
use crate::boot::{self, Boot};
use crate::configure::Configured;
use crate::connect::Connector;
use crate::disk_image::DiskImage;
use crate::error::Error;
use crate::identity::Identity;
use crate::journal::{BuildJournal, HypervisorId, Journal};
use crate::key_pair::{self, BuildKey};
use crate::ledger::{KeptItem, Ledger, Leftover};
use crate::masked_ui::MaskedUi;
use crate::plan::{self, Plan};
use crate::provision::Provision;
use crate::sources::Sources;
use crate::ui::{Step, Ui};
use crate::volumes::Volumes;

/// How long the event of a start may lag behind the start: far more than it ever does.
const START_EVENT: Duration = Duration::from_secs(10);

/// Everything a build needs of the outside.
#[derive(Clone)]
pub struct Build {
    /// Where the machine is built.
    pub hypervisor: Arc<dyn Hypervisor>,
    /// What makes the volumes.
    pub sources: Arc<Sources>,
    /// What downloads.
    pub fetcher: Fetcher,
    /// The way into the guest.
    pub connector: Arc<dyn Connector>,
    /// What is done in the guest.
    pub provision: Arc<dyn Provision>,
    /// The user, who sees no secrets.
    pub ui: MaskedUi,
    /// Stops the build; it cleans up and ends with [`Error::Cancelled`].
    pub cancel: CancellationToken,
    /// What relative paths of files are relative to.
    pub working_directory: PathBuf,
    /// Which build this is.
    pub identity: Identity,
    /// Where it is written down what the build makes.
    pub journal: Arc<dyn Journal>,
    /// Whether volumes and a domain that are in the way and that an earlier build has made are replaced.
    pub force: bool,
    /// The names of volumes (also as `POOL/NAME`) and domains that [`force`](Self::force) replaces
    /// although nothing shows that a build has made them.
    pub force_foreign: Vec<String>,
    /// What becomes of what a failed build has made.
    pub on_error: OnError,
    /// Whether the user is waited for after each step, to look at what there is.
    pub pauses: bool,
    /// The process that runs the build, for the metadata of what it makes. Without it nobody can tell
    /// later whether the build is dead.
    pub owner: Option<Owner>,
    /// A folder for what is kept of the guest's console and screen; made when it is needed.
    pub log_directory: Option<PathBuf>,
    /// A console whose lines the user wants to see as they come.
    pub watched_console: Option<lvhost_config::Console>,
    /// The interface of this machine that link-local addresses of guests are reached through, where the
    /// template names none.
    pub link_local_interface: Option<String>,
}

/// What a build has made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact {
    /// The volume that was kept.
    pub volume: VolumeId,
    /// What libvirt knows of it.
    pub facts: VolumeFacts,
    /// Its format, as the build has made it.
    pub format: String,
    /// Its copy in the `output_directory`, if there is one.
    pub file: Option<PathBuf>,
}

/// What a build goes by once it has been checked.
struct Checked {
    plan: Plan,
    hypervisor: HypervisorId,
    /// The template's, with the build's key in it.
    source: LibvirtSource,
    key: Option<BuildKey>,
}

/// The guest, from its start on.
struct Guest {
    domain: DomainId,
    state: watch::Receiver<DomainState>,
    consoles: Consoles,
    boot: Boot,
    /// From the moment on at which it can be provisioned.
    session: Option<Session>,
    /// What the user has said, when asked about provisioners that failed.
    answer: Option<Answer>,
}

/// A guest that can be provisioned.
struct Session {
    /// The way in, if there is one.
    communicator: Option<Arc<dyn Communicator>>,
    /// The object behind `build.` in a template.
    build: Value,
}

/// How a build ended.
#[derive(Debug)]
pub struct Outcome {
    /// The artifact, or why there is none.
    pub result: Result<Artifact, Error>,
    /// What could not be removed.
    pub leftovers: Vec<Leftover>,
    /// What a failed build leaves because of [`Build::on_error`].
    pub kept: Vec<KeptItem>,
}

impl Build {
    /// Builds `source`, whose components have said `configured` of it. Returns when everything the
    /// build made, except the artifact and what [`on_error`](Self::on_error) keeps, is gone again; it
    /// must be awaited to the end and is stopped by [`cancel`](Self::cancel).
    pub async fn run(&self, source: &LibvirtSource, configured: &Configured) -> Outcome {
        let ledger = Ledger::new(
            Arc::clone(&self.hypervisor),
            &source.libvirt_uri,
            Arc::new(self.ui.clone()),
        );
        let mut guest = None;
        let result = self.steps(source, configured, &ledger, &mut guest).await;
        if let Some(guest) = &guest {
            guest.consoles.settle().await;
        }
        let answer = guest.as_ref().and_then(|guest| guest.answer);
        // Who has answered has seen the guest.
        if let (Err(error), Some(guest), None) = (&result, &guest, answer) {
            self.show_guest(error, guest).await;
        }
        if let Err(error) = &result {
            let keeps = self.keeps(error, answer, &ledger).await;
            if let Some(guest) = &guest {
                self.clean_up_guest(error, guest, keeps).await;
            }
            if keeps {
                return Outcome {
                    result,
                    leftovers: Vec::new(),
                    kept: ledger.keep().await,
                };
            }
        }
        if let Some(guest) = &mut guest {
            // Nobody reaches into it any more.
            guest.session = None;
        }
        let keep = result
            .as_ref()
            .ok()
            .map(|artifact: &Artifact| &artifact.volume);
        let mut leftovers = Vec::new();
        if !ledger.is_empty_but_for(keep) {
            let begun = Instant::now();
            self.ui.say("Cleaning up");
            leftovers = ledger.clean_up(keep).await;
            self.ui.step_finished(Step::CleanUp, begun.elapsed());
        }
        Outcome {
            result,
            leftovers,
            kept: Vec::new(),
        }
    }

    /// Runs one step; a cancelled build leaves it at once.
    async fn step<T>(
        &self,
        step: Step,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let begun = Instant::now();
        let result = tokio::select! {
            biased;
            () = self.cancel.cancelled() => Err(Error::Cancelled),
            result = work => result,
        };
        self.ui.step_finished(step, begun.elapsed());
        if self.pauses {
            self.pause(step).await;
        }
        // What fails because it was told to stop has not failed.
        if result.is_err() && self.cancel.is_cancelled() {
            Err(Error::Cancelled)
        } else {
            result
        }
    }

    /// Waits for the user, who can look at what the step has left. One who can't be asked is not waited for.
    async fn pause(&self, step: Step) {
        let note = format!("Pausing after the step \"{step}\" (debug mode)");
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => {}
            answer = self.ui.wait_for_user(&note) => if let Err(reason) = answer {
                self.ui.warn(&format!("nobody can be waited for: {reason}"));
            }
        }
    }

    async fn steps(
        &self,
        source: &LibvirtSource,
        configured: &Configured,
        ledger: &Ledger,
        guest: &mut Option<Guest>,
    ) -> Result<Artifact, Error> {
        self.hide(source, None);
        let Checked {
            plan,
            hypervisor,
            source,
            key,
        } = self
            .step(Step::Check, self.check(source, configured))
            .await?;
        let source = &source;
        self.hide(source, key.as_ref());
        let volumes = self.volumes(source, &plan, hypervisor, ledger);
        let images = self.step(Step::Volumes, volumes).await?;
        let start = self.start(source, &plan, &images, ledger);
        let guest = guest.insert(self.step(Step::Start, start).await?);
        self.live(source, &plan, key.as_ref(), guest).await?;
        let volume = plan.volumes[plan.artifact].id.clone();
        let format = images[plan.artifact].format.name.clone();
        let facts = self.hypervisor.volume(&volume).await?;
        let facts =
            facts.ok_or_else(|| lvhost_libvirt::Error::NoSuchVolume { id: volume.clone() })?;
        // By now libvirt may have been led to take it for something else.
        let facts = VolumeFacts {
            capacity: facts.capacity_as(&format),
            ..facts
        };
        self.warn_of_resemblance(&volume, &format).await;
        let file = match &source.output_directory {
            Some(directory) => {
                let directory = self.working_directory.join(directory);
                let compact = source.output_compact;
                let download =
                    output::download(self, &volume, &facts, &format, &directory, compact);
                Some(self.step(Step::Download, download).await?)
            }
            None => None,
        };
        Ok(Artifact {
            volume,
            facts,
            format,
            file,
        })
    }

    /// Hides what the guest is made and entered with. From the first step of the build on, and not earlier: a
    /// password such as `debian` stands in many other words, those of a plan among them.
    fn hide(&self, source: &LibvirtSource, key: Option<&BuildKey>) {
        let secrets = self.ui.secrets();
        secrets.add_sources(source);
        secrets.add(source.passwords().cloned());
        secrets.add(key.map(|key| key.pair.private_openssh.clone()));
    }

    /// Tells of a raw artifact in which the guest has written what other programs take for a header.
    async fn warn_of_resemblance(&self, volume: &VolumeId, format: &str) {
        if format != "raw" {
            return;
        }
        let head = self.hypervisor.volume_head(volume, HEADER_BYTES).await;
        // Where it can't be read, somebody else is told why.
        let Some(container) = head.ok().and_then(|head| Container::recognise(&head)) else {
            return;
        };
        self.ui.warn(&format!(
            "{}: the guest has written bytes to the beginning of its disk that make programs take it \
             for an image of format {container}; say that it is raw wherever you use it (here: \
             `format` or `source_format`)",
            volume.name
        ));
    }

    async fn volumes(
        &self,
        source: &LibvirtSource,
        plan: &Plan,
        hypervisor: HypervisorId,
        ledger: &Ledger,
    ) -> Result<Vec<DiskImage>, Error> {
        self.ui.say("Preparing the volumes");
        let journal = BuildJournal {
            journal: Arc::clone(&self.journal),
            hypervisor,
            build: self.identity.build_id(),
        };
        let spec = plan.domain_spec(source, &self.identity, self.owner.clone(), &[]);
        ledger.begin(spec, journal).await?;
        let volumes = Volumes {
            build: self,
            source,
            plan,
            ledger,
        };
        volumes.prepare().await
    }

    async fn check(
        &self,
        source: &LibvirtSource,
        configured: &Configured,
    ) -> Result<Checked, Error> {
        // What can't be written down is not begun.
        self.journal.prepare().await?;
        let connector = self.connector.as_ref();
        let key = key_pair::find(source, connector, &self.identity, &self.ui).await?;
        let source = match &key {
            Some(key) => key.settle(source),
            None => source.clone(),
        };
        let facts = self.hypervisor.facts().await?;
        let plan = plan::plan(&source, configured, &self.identity, || {
            if facts.is_local {
                free_port()
            } else {
                Err(Error::NoFreePort(None))
            }
        })?;
        for interface in &plan.interfaces {
            if let InterfaceSource::Network { network } = &interface.source {
                self.hypervisor.network(network).await?;
            }
        }
        if let Some(directory) = &source.output_directory {
            output::check(&self.working_directory.join(directory), &plan, self).await?;
        }
        let hypervisor = HypervisorId::of(self.hypervisor.as_ref()).await?;
        let nvram = source.nvram_path.as_deref();
        let in_the_way = obstacles::find(&plan, nvram, &hypervisor, self).await?;
        obstacles::remove(in_the_way, &hypervisor, self).await?;
        Ok(Checked {
            plan,
            hypervisor,
            source,
            key,
        })
    }

    async fn start(
        &self,
        source: &LibvirtSource,
        plan: &Plan,
        images: &[DiskImage],
        ledger: &Ledger,
    ) -> Result<Guest, Error> {
        self.ui.say(&format!("Starting the domain {}", plan.domain));
        let boot = boot::prepare(
            source,
            plan,
            self.hypervisor.as_ref(),
            &self.working_directory,
            &self.ui,
        )
        .await?;
        let domain = ledger
            .complete(plan.domain_spec(source, &self.identity, self.owner.clone(), images))
            .await?;
        // Before the start, so that not even a guest that ends at once is missed.
        let mut state = self.hypervisor.watch_domain(&domain).await?;
        state.borrow_and_update();
        // What a guest writes to a console before somebody listens is lost.
        let is_paused = match self.hypervisor.start_domain_paused(&domain).await {
            Ok(()) => true,
            Err(lvhost_libvirt::Error::NotSupported { .. }) => {
                self.hypervisor.start_domain(&domain).await?;
                false
            }
            Err(error) => return Err(error.into()),
        };
        // The event may come after the answer. Until it does, the receiver still says that the domain
        // is off, which from here on means that the guest has stopped.
        let _ = tokio::time::timeout(START_EVENT, state.changed()).await;
        let consoles = self.listen(source, &domain).await;
        if is_paused {
            self.hypervisor.resume_domain(&domain).await?;
        }
        Ok(Guest {
            domain,
            state,
            consoles,
            boot,
            session: None,
            answer: None,
        })
    }
}

/// A port that nobody listens on at this moment.
fn free_port() -> Result<u16, Error> {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0))
        .and_then(|listener| listener.local_addr())
        .map_err(|error| Error::NoFreePort(Some(error)))?;
    Ok(listener.port())
}
