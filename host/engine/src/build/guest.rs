//! The guest's life, from its first instruction to its last.

use std::sync::Arc;
use std::time::Duration;

use lvhost_communicator::{Command, Communicator, ExitStatus, authorized_keys};
use lvhost_config::{CommunicatorType, LibvirtSource};
use lvhost_libvirt::{DomainId, DomainState, ShutdownMode};
use tokio::sync::watch;
use tokio::time::Instant;

use super::object::{self, Known};
use super::{Build, Guest, Session};
use crate::address::{self, stopped};
use crate::boot;
use crate::boot_command::{BootCommand, GuestKeyboard, TypeError};
use crate::error::{Error, with_causes};
use crate::key_pair::BuildKey;
use crate::plan::Plan;
use crate::provision::{Lines, ProvisionContext};
use crate::ui::{Step, Ui as _};

/// How often a guest is asked to shut down again: one that is still booting loses the first request.
const ASK_AGAIN: Duration = Duration::from_secs(15);

/// How long connections to a guest that goes off may take to notice.
const GOODBYE: Duration = Duration::from_secs(5);

/// How long the guest may take to give the build's key back: a lost connection is not waited for.
const CLEAR_KEY: Duration = Duration::from_secs(60);

/// How long a guest that answers no more may take to be known to be off.
const OFF_IS_KNOWN: Duration = Duration::from_secs(5);

/// Whether the reason that a guest answers no more is that it has gone off: QEMU ends before libvirt
/// says so.
async fn goes_off(state: &mut watch::Receiver<DomainState>) -> bool {
    tokio::time::timeout(OFF_IS_KNOWN, stopped(state))
        .await
        .is_ok()
}

impl Build {
    /// The guest's life, from its first instruction to its last.
    pub(super) async fn live(
        &self,
        source: &LibvirtSource,
        plan: &Plan,
        key: Option<&BuildKey>,
        guest: &mut Guest,
    ) -> Result<(), Error> {
        self.enter(source, plan, key, guest).await?;
        self.provision_until_settled(guest).await?;
        self.leave(source, key, guest).await
    }

    /// To the moment at which the guest can be provisioned.
    async fn enter(
        &self,
        source: &LibvirtSource,
        plan: &Plan,
        key: Option<&BuildKey>,
        guest: &mut Guest,
    ) -> Result<(), Error> {
        let Guest {
            domain,
            state,
            boot,
            session,
            ..
        } = guest;
        if !boot.command.is_empty() {
            let typing = self.type_boot_command(&boot.command, domain, state);
            self.step(Step::BootCommand, typing).await?;
        }
        let communicator = source.communicator.as_ref();
        let wanted = communicator.filter(|known| known.communicator != CommunicatorType::None);
        let reached = match wanted {
            Some(communicator) => {
                let connect = self.connect(source, communicator, plan, domain, state);
                let (connection, address) = self.step(Step::Connect, connect).await?;
                Some((communicator, Arc::from(connection), address))
            }
            None => None,
        };
        let known = Known {
            identity: &self.identity,
            key,
            domain,
            guest: reached
                .as_ref()
                .map(|(communicator, _, address)| (*communicator, address)),
            http_server: boot.address.as_ref(),
        };
        *session = Some(Session {
            build: object::build_object(&known),
            communicator: reached.map(|(_, connection, _)| connection),
        });
        Ok(())
    }

    /// From the guest that is provisioned to the one that is off.
    async fn leave(
        &self,
        source: &LibvirtSource,
        key: Option<&BuildKey>,
        guest: &mut Guest,
    ) -> Result<(), Error> {
        let Guest {
            domain,
            state,
            session,
            ..
        } = guest;
        let connection = session.as_ref().and_then(|it| it.communicator.as_deref());
        let Some(connection) = connection else {
            let wait = self.wait_for_power_off(source.shutdown_timeout, state);
            return self.step(Step::ShutDown, wait).await;
        };
        let clears = source
            .communicator
            .as_ref()
            .is_some_and(|communicator| communicator.ssh_clear_authorized_keys);
        if let Some(key) = key.filter(|key| clears && key.is_temporary) {
            self.clear_key(key, connection, state).await;
        }
        if let Some(command) = &source.shutdown_command {
            let down = self.command_down(command, connection, domain, source, state);
            return self.step(Step::ShutDown, down).await;
        }
        // The guest is about to go down: what the connection says of that is of no interest.
        let _ = tokio::time::timeout(GOODBYE, connection.disconnect()).await;
        let mode = source.shutdown_mode.map(shutdown_mode);
        let down = self.shut_down(domain, mode, source.shutdown_timeout, state);
        self.step(Step::ShutDown, down).await
    }

    /// Provisions the guest, again for as long as that is what the user wants of a failure.
    async fn provision_until_settled(&self, guest: &mut Guest) -> Result<(), Error> {
        loop {
            let Guest { session, state, .. } = &mut *guest;
            let Some(session) = session else {
                return Ok(());
            };
            let provision = self.provision(session, state);
            match self.step(Step::Provision, provision).await {
                Err(error) if self.repeats(&error, guest).await => {
                    self.ui.say("Provisioning the guest again");
                }
                result => return result,
            }
        }
    }

    /// Types until all is typed. What it means that the guest goes off meanwhile is for what follows to
    /// say: without a communicator it is the end that is waited for.
    async fn type_boot_command(
        &self,
        command: &BootCommand,
        domain: &DomainId,
        state: &mut watch::Receiver<DomainState>,
    ) -> Result<(), Error> {
        let keyboard = GuestKeyboard {
            hypervisor: self.hypervisor.as_ref(),
            domain,
        };
        let tell = |typing| self.ui.say(&boot::progress(typing));
        let typed = tokio::select! {
            typed = command.type_on(&keyboard, &self.cancel, tell) => typed,
            _ = stopped(state) => return Ok(()),
        };
        match typed {
            Err(TypeError::Keyboard { .. }) if goes_off(state).await => Ok(()),
            typed => Ok(typed?),
        }
    }

    async fn connect(
        &self,
        source: &LibvirtSource,
        communicator: &lvhost_config::Communicator,
        plan: &Plan,
        domain: &DomainId,
        state: &mut watch::Receiver<DomainState>,
    ) -> Result<(Box<dyn Communicator>, address::Address), Error> {
        let deadline = Instant::now() + communicator.timeout();
        let link = source.communicator_link_local_interface.as_deref();
        let link = link.or(self.link_local_interface.as_deref());
        let way = address::way(source, plan, link).ok_or(Error::NoWay {
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
            &self.ui,
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
        session: &Session,
        state: &mut watch::Receiver<DomainState>,
    ) -> Result<(), Error> {
        let context = ProvisionContext {
            communicator: session.communicator.as_ref(),
            build: &session.build,
            ui: &self.ui,
            cancel: &self.cancel,
        };
        let mut provision = self.provision.provision(&context);
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

    /// Takes the build's key out of the guest. Where that can't be done the image is good all the same,
    /// with a key in it that nobody has any more.
    async fn clear_key(
        &self,
        key: &BuildKey,
        connection: &dyn Communicator,
        state: &mut watch::Receiver<DomainState>,
    ) {
        self.ui
            .say("Taking the key of this build out of the guest's `authorized_keys`");
        let clear = authorized_keys::clear(connection, &key.pair.public_openssh);
        let failure = tokio::select! {
            biased;
            () = self.cancel.cancelled() => return,
            state = stopped(state) => format!("the guest has stopped ({state:?})"),
            result = tokio::time::timeout(CLEAR_KEY, clear) => match result {
                Ok(Ok(())) => return,
                Ok(Err(error)) => with_causes(&error),
                Err(_) => format!("the guest took longer than {} s", CLEAR_KEY.as_secs()),
            },
        };
        self.ui.warn(&format!(
            "the key of this build is still in the guest's `authorized_keys`: {failure}"
        ));
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
                _ = again.tick() => {
                    let asked = self.hypervisor.shutdown_domain(domain, mode).await;
                    if let Err(error) = asked && !goes_off(state).await {
                        return Err(error.into());
                    }
                }
            }
        }
        self.force_off(domain, timeout).await
    }

    /// Shuts the guest down by the user's own command, and waits until it is off. Nobody else asks it
    /// to: the command may have something to do first, such as removing the machine's identity.
    async fn command_down(
        &self,
        command: &str,
        connection: &dyn Communicator,
        domain: &DomainId,
        source: &LibvirtSource,
        state: &mut watch::Receiver<DomainState>,
    ) -> Result<(), Error> {
        self.ui
            .say("Shutting the guest down with `shutdown_command`");
        let deadline = Instant::now() + source.shutdown_timeout;
        let mut lines = Lines::new(&self.ui);
        let run = async {
            match connection.run(&Command::new(command), &mut lines).await {
                // A guest that goes down rarely finds the time to say how the command ended.
                Ok(ExitStatus::Code(0) | ExitStatus::Missing) => {}
                Ok(status) => self
                    .ui
                    .warn(&format!("`shutdown_command` ended with {status}")),
                Err(error) => self.ui.warn(&format!(
                    "`shutdown_command` failed: {}",
                    with_causes(&error)
                )),
            }
            std::future::pending().await
        };
        let stopped = tokio::select! {
            biased;
            stopped = stopped(state) => Some(stopped),
            () = tokio::time::sleep_until(deadline) => None,
            () = run => None,
        };
        lines.finish();
        match stopped {
            Some(DomainState::ShutOff | DomainState::Gone) => Ok(()),
            Some(state) => Err(Error::GuestStopped {
                during: "shut it down",
                state,
            }),
            None => self.force_off(domain, source.shutdown_timeout).await,
        }
    }

    async fn force_off(&self, domain: &DomainId, waited: Duration) -> Result<(), Error> {
        self.ui.warn(&format!(
            "the guest has not shut down within {} s (`shutdown_timeout`); it is forced off, and what \
             it had not written to its disk is lost",
            waited.as_secs()
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
