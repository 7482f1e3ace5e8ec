//! One build, from a checked template to an artifact.
//!
//! ```text
//!  Check ──► Volumes ──► Start ──► Connect ──► Provision ──► ShutDown ──► CleanUp ──► Artifact
//!    │          │          │          │            │            │            ▲
//!    └──────────┴──────────┴──────────┴────────────┴────────────┴── failed, ─┘──► Error
//!                                                                  cancelled
//! ```
//!
//! * **Check** looks at pools, networks and names; nothing has been made yet.
//! * **Volumes** makes the volumes, several at a time.
//! * **Start** defines the domain and starts it. From here on its state is followed by events.
//! * **Connect** waits for an address and for the guest to let us in, at most `ssh_timeout` in all. With
//!   `communicator = "none"` there is nothing to connect to, and the guest ends the build by powering off.
//! * **ShutDown** asks the guest to go down until it is, at most `shutdown_timeout`; then it is forced.
//!   A guest that powered itself off is as good.
//! * **CleanUp** always runs, cancelled or not, and removes what the [ledger](crate::ledger) lists: after
//!   success everything but the artifact, else everything.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use lvhost_communicator::Communicator;
use lvhost_config::{CommunicatorType, LibvirtSource};
use lvhost_fetch::Fetcher;
use lvhost_hcl::Value;
use lvhost_libvirt::{
    DomainId, DomainState, Hypervisor, InterfaceSource, ShutdownMode, VolumeFacts, VolumeId,
};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::address::{self, stopped};
use crate::configure::Configured;
use crate::connect::Connector;
use crate::error::Error;
use crate::identity::Identity;
use crate::ledger::{Ledger, Leftover};
use crate::plan::{self, Plan};
use crate::provision::{Provision, ProvisionContext};
use crate::sources::Sources;
use crate::ui::{Step, Ui};
use crate::volumes::{self, Volumes};

/// How often a guest is asked to shut down again: one that is still booting loses the first request.
const ASK_AGAIN: Duration = Duration::from_secs(15);

/// How long connections to a guest that goes off may take to notice.
const GOODBYE: Duration = Duration::from_secs(5);

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
    /// The user.
    pub ui: Arc<dyn Ui>,
    /// Stops the build; it cleans up and ends with [`Error::Cancelled`].
    pub cancel: CancellationToken,
    /// What relative paths of files are relative to.
    pub working_directory: PathBuf,
    /// Which build this is.
    pub identity: Identity,
}

/// What a build has made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact {
    /// The volume that was kept.
    pub volume: VolumeId,
    /// What libvirt knows of it.
    pub facts: VolumeFacts,
}

/// How a build ended.
#[derive(Debug)]
pub struct Outcome {
    /// The artifact, or why there is none.
    pub result: Result<Artifact, Error>,
    /// What could not be removed.
    pub leftovers: Vec<Leftover>,
}

impl Build {
    /// Builds `source`, whose components have said `configured` of it. Returns when everything the
    /// build made, except the artifact, is gone again; it must be awaited to the end and is stopped by
    /// [`cancel`](Self::cancel).
    pub async fn run(&self, source: &LibvirtSource, configured: &Configured) -> Outcome {
        let ledger = Ledger::new(Arc::clone(&self.hypervisor));
        let result = self.steps(source, configured, &ledger).await;
        let keep = result
            .as_ref()
            .ok()
            .map(|artifact: &Artifact| &artifact.volume);
        let begun = Instant::now();
        if ledger.is_empty_but_for(keep) {
            return Outcome {
                result,
                leftovers: Vec::new(),
            };
        }
        self.ui.say("Cleaning up");
        let leftovers = ledger.clean_up(keep).await;
        self.ui.step_finished(Step::CleanUp, begun.elapsed());
        Outcome { result, leftovers }
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
        // What fails because it was told to stop has not failed.
        if result.is_err() && self.cancel.is_cancelled() {
            Err(Error::Cancelled)
        } else {
            result
        }
    }

    async fn steps(
        &self,
        source: &LibvirtSource,
        configured: &Configured,
        ledger: &Ledger,
    ) -> Result<Artifact, Error> {
        let plan = self
            .step(Step::Check, self.check(source, configured))
            .await?;
        self.ui.say("Preparing the volumes");
        let volumes = Volumes {
            build: self,
            source,
            plan: &plan,
            ledger,
        };
        let facts = self.step(Step::Volumes, volumes.prepare()).await?;
        let start = self.start(source, &plan, &facts, ledger);
        let (domain, mut state) = self.step(Step::Start, start).await?;
        self.live(source, &plan, &domain, &mut state).await?;
        let volume = plan.volumes[plan.artifact].id.clone();
        let facts = self.hypervisor.volume(&volume).await?;
        let facts =
            facts.ok_or_else(|| lvhost_libvirt::Error::NoSuchVolume { id: volume.clone() })?;
        Ok(Artifact { volume, facts })
    }

    async fn check(&self, source: &LibvirtSource, configured: &Configured) -> Result<Plan, Error> {
        let facts = self.hypervisor.facts().await?;
        let plan = plan::plan(source, configured, &self.identity, || {
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
        volumes::check(&plan, self.hypervisor.as_ref()).await?;
        Ok(plan)
    }

    async fn start(
        &self,
        source: &LibvirtSource,
        plan: &Plan,
        facts: &[VolumeFacts],
        ledger: &Ledger,
    ) -> Result<(DomainId, watch::Receiver<DomainState>), Error> {
        self.ui.say(&format!("Starting the domain {}", plan.domain));
        let spec = plan.domain_spec(source, &self.identity, facts);
        let domain = ledger.define_domain(spec).await?;
        // Before the start, so that not even a guest that ends at once is missed.
        let mut state = self.hypervisor.watch_domain(&domain).await?;
        state.borrow_and_update();
        self.hypervisor.start_domain(&domain).await?;
        // The event may come after the answer. Until it does, the receiver still says that the domain
        // is off, which from here on means that the guest has stopped.
        let _ = tokio::time::timeout(START_EVENT, state.changed()).await;
        Ok((domain, state))
    }

    /// The guest's life, from its first instruction to its last.
    async fn live(
        &self,
        source: &LibvirtSource,
        plan: &Plan,
        domain: &DomainId,
        state: &mut watch::Receiver<DomainState>,
    ) -> Result<(), Error> {
        let communicator = source.communicator.as_ref();
        let ssh = communicator.filter(|known| known.communicator != CommunicatorType::None);
        let Some(ssh) = ssh else {
            let wait = self.wait_for_power_off(source.shutdown_timeout, state);
            return self.step(Step::ShutDown, wait).await;
        };
        let connect = self.connect(source, ssh, plan, domain, state);
        let (connection, address) = self.step(Step::Connect, connect).await?;
        let build = self.build_object(ssh, domain, &address);
        let context = ProvisionContext {
            communicator: connection.as_ref(),
            build: &build,
            ui: self.ui.as_ref(),
            cancel: &self.cancel,
        };
        self.step(Step::Provision, self.provision(&context, state))
            .await?;
        // The guest is about to go down: what the connection says of that is of no interest.
        let _ = tokio::time::timeout(GOODBYE, connection.disconnect()).await;
        let mode = source.shutdown_mode.map(shutdown_mode);
        let down = self.shut_down(domain, mode, source.shutdown_timeout, state);
        self.step(Step::ShutDown, down).await
    }

    async fn connect(
        &self,
        source: &LibvirtSource,
        communicator: &lvhost_config::Communicator,
        plan: &Plan,
        domain: &DomainId,
        state: &mut watch::Receiver<DomainState>,
    ) -> Result<(Box<dyn Communicator>, address::Address), Error> {
        let timeout = communicator
            .ssh_wait_timeout
            .unwrap_or(communicator.ssh_timeout);
        let deadline = Instant::now() + timeout;
        let way = address::way(source, plan, communicator.ssh_port).ok_or(Error::NoWay {
            domain: plan.domain.clone(),
        })?;
        self.ui.say("Waiting for the guest's address");
        let address = address::find(way, self.hypervisor.as_ref(), domain, state, deadline).await?;
        self.ui.say(&format!("Connecting to {}", address));
        let connect = self.connector.connect(
            communicator,
            &address.host,
            address.port,
            deadline,
            self.ui.as_ref(),
        );
        let connection = tokio::select! {
            connection = connect => connection?,
            stopped = stopped(state) => {
                return Err(Error::GuestStopped { during: "connected to it", state: stopped });
            }
        };
        self.ui.say("Connected");
        if let Some(pause) = communicator.pause_before_connecting {
            tokio::time::sleep(pause).await;
        }
        Ok((connection, address))
    }

    /// Provisions the guest. One that goes off meanwhile may have been told to by its last provisioner;
    /// anything else would wait for it in vain.
    async fn provision(
        &self,
        context: &ProvisionContext<'_>,
        state: &mut watch::Receiver<DomainState>,
    ) -> Result<(), Error> {
        let mut provision = self.provision.provision(context);
        let state = tokio::select! {
            result = &mut provision => return result,
            state = stopped(state) => state,
        };
        let stopped = Error::GuestStopped {
            during: "provisioned it",
            state,
        };
        match tokio::time::timeout(GOODBYE, provision).await {
            Ok(result) if state == DomainState::ShutOff => result,
            _ => Err(stopped),
        }
    }

    /// The object behind `build.` in provisioners.
    fn build_object(
        &self,
        communicator: &lvhost_config::Communicator,
        domain: &DomainId,
        address: &address::Address,
    ) -> Value {
        use secrecy::ExposeSecret;
        let text = |text: &Option<String>| Value::string(text.as_deref().unwrap_or(""));
        let password = match &communicator.ssh_password {
            Some(password) => Value::string(password.expose_secret()).sensitive(),
            None => Value::string(""),
        };
        Value::object([
            (
                "ConnType",
                Value::string(communicator.communicator.as_str()),
            ),
            ("Host", Value::string(&address.host)),
            ("ID", Value::string(domain.uuid.to_string())),
            (
                "PackerRunUUID",
                Value::string(self.identity.build_id().to_string()),
            ),
            ("Password", password),
            ("Port", Value::from(i64::from(address.port))),
            (
                "SSHPrivateKeyFile",
                text(&communicator.ssh_private_key_file),
            ),
            ("User", text(&communicator.ssh_username)),
        ])
    }

    async fn wait_for_power_off(
        &self,
        timeout: Duration,
        state: &mut watch::Receiver<DomainState>,
    ) -> Result<(), Error> {
        self.ui.say("Waiting for the guest to power itself off");
        match tokio::time::timeout(timeout, stopped(state)).await {
            Ok(DomainState::ShutOff) => Ok(()),
            Ok(state) => Err(Error::GuestStopped {
                during: "waited for it to power off",
                state,
            }),
            Err(_) => Err(Error::NotPoweredOff { waited: timeout }),
        }
    }

    async fn shut_down(
        &self,
        domain: &DomainId,
        mode: Option<ShutdownMode>,
        timeout: Duration,
        state: &mut watch::Receiver<DomainState>,
    ) -> Result<(), Error> {
        self.ui.say("Shutting the guest down");
        let deadline = Instant::now() + timeout;
        let mut again = tokio::time::interval(ASK_AGAIN);
        loop {
            tokio::select! {
                biased;
                stopped = stopped(state) => {
                    return match stopped {
                        DomainState::ShutOff | DomainState::Gone => Ok(()),
                        state => Err(Error::GuestStopped { during: "shut it down", state }),
                    };
                }
                () = tokio::time::sleep_until(deadline) => break,
                _ = again.tick() => self.hypervisor.shutdown_domain(domain, mode).await?,
            }
        }
        self.ui.warn(&format!(
            "the guest has not shut down within {} s (`shutdown_timeout`); it is forced off, and what \
             it had not written to its disk is lost",
            timeout.as_secs()
        ));
        self.hypervisor.destroy_domain(domain).await?;
        Ok(())
    }
}

fn shutdown_mode(mode: lvhost_config::ShutdownMode) -> ShutdownMode {
    match mode {
        lvhost_config::ShutdownMode::Acpi => ShutdownMode::Acpi,
        lvhost_config::ShutdownMode::Guest => ShutdownMode::Guest,
        lvhost_config::ShutdownMode::Initctl => ShutdownMode::Initctl,
        lvhost_config::ShutdownMode::Signal => ShutdownMode::Signal,
        lvhost_config::ShutdownMode::Paravirt => ShutdownMode::Paravirt,
    }
}

/// A port that nobody listens on at this moment.
fn free_port() -> Result<u16, Error> {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0))
        .and_then(|listener| listener.local_addr())
        .map_err(|error| Error::NoFreePort(Some(error)))?;
    Ok(listener.port())
}
