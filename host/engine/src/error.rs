//! Why a build failed.

use std::path::PathBuf;
use std::time::Duration;

use lvhost_hcl::Diagnostics;
use lvhost_libvirt::{DomainState, VolumeId, virsh};
use lvhost_runtime::ComponentError;

use crate::boot::BootError;
use crate::boot_command::TypeError;
use crate::connect::SettingsError;
use crate::journal::JournalError;
use crate::ledger::LedgerError;
use crate::ownership::Doubt;
use crate::volumes::InspectError;

/// An error with everything behind it: `what failed: why: why that`.
pub fn with_causes(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        // Transparent errors repeat what they wrap.
        if !text.ends_with(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        cause = error.source();
    }
    text
}

/// The most names that are listed in an error: a pool may have thousands.
const NAMES_SHOWN: usize = 20;

/// What a pool has, in words.
fn held(pool: &str, names: &[String]) -> String {
    if names.is_empty() {
        return format!("the pool {pool} is empty");
    }
    let shown: Vec<_> = names.iter().take(NAMES_SHOWN).map(String::as_str).collect();
    let more = match names.len().saturating_sub(NAMES_SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("the pool {pool} has: {}{more}", shown.join(", "))
}

/// Whose a file is, if that is known.
fn used_by(user: Option<&str>) -> String {
    user.map_or(String::new(), |domain| {
        format!(" and the domain {domain:?} uses it")
    })
}

/// What ended a build.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The user stopped it.
    #[error("the build was cancelled")]
    Cancelled,
    /// Something in the template that only shows in the run; each has its place.
    #[error("the template can't be used")]
    Template(Diagnostics),
    /// The hypervisor refused.
    #[error(transparent)]
    Hypervisor(#[from] lvhost_libvirt::Error),
    /// A volume could not be made.
    #[error("the volume {volume} can't be prepared")]
    Volume {
        /// Which one.
        volume: VolumeId,
        /// Why.
        #[source]
        source: Box<VolumeError>,
    },
    /// A volume that the template has no source for is not there.
    #[error(
        "the volume {volume} does not exist; a volume without a `source` must be there before the \
         build, and {}", held(&volume.pool, existing)
    )]
    MissingVolume {
        /// Which one.
        volume: VolumeId,
        /// The names of those that its pool has.
        existing: Vec<String>,
    },
    /// A volume that the build is to make is there already.
    #[error(
        "the volume {volume} exists already and is not touched; if an earlier build has made it, replace \
         it with `-force`, or choose another `name`"
    )]
    VolumeExists {
        /// Which one.
        volume: VolumeId,
    },
    /// A volume that the build is to make is there already, and may be anybody's.
    #[error(
        "the volume {volume} is in the way, and `-force` removes only what lvhost has made: {doubt}; \
         choose another `name`, remove it yourself (`{}`), or, if it may \
         go, say so by its name: `-force -force-foreign={}`, with Packer LVHOST_FORCE_FOREIGN={} in the \
         environment", virsh(&["vol-delete", "--pool", &volume.pool, &volume.name]), volume.name, volume.name
    )]
    ForeignVolume {
        /// Which one.
        volume: VolumeId,
        /// Why it is not taken for lvhost's.
        doubt: Doubt,
    },
    /// A domain of the planned name is there already, and may be anybody's.
    #[error(
        "the domain {domain:?} is in the way, and `-force` removes only what lvhost has made: {doubt}; \
         choose another `domain_name`, remove it yourself (`{}; {}`), or, if it may go, say so by its \
         name: `-force -force-foreign={domain}`, with Packer LVHOST_FORCE_FOREIGN={domain} in the environment",
        virsh(&["destroy", domain]), virsh(&["undefine", "--nvram", domain])
    )]
    ForeignDomain {
        /// Its name.
        domain: String,
        /// Why it is not taken for lvhost's.
        doubt: Doubt,
    },
    /// What is in the way belongs to a build that runs.
    #[error(
        "the domain {domain:?} is in the way, and belongs to a build that still runs (process {pid} \
         on {host}); wait for its end, or end it"
    )]
    BuildRuns {
        /// The other build's domain.
        domain: String,
        /// The process that runs it.
        pid: u32,
        /// Where.
        host: String,
    },
    /// The file that the template names for the firmware's variables is somebody's.
    #[error(
        "`nvram_path` {path:?} is there already{}; it would be removed with the domain when the build \
         ends, so name a file that is not there yet", used_by(user.as_deref())
    )]
    NvramExists {
        /// The file.
        path: String,
        /// The domain that uses it, if one does.
        user: Option<String>,
    },
    /// What lvhost makes can't be written down.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A domain of the planned name is there already.
    #[error(
        "the domain {domain:?} exists already and is not touched; if an earlier build has made it, \
         replace it with `-force`, or choose another `domain_name`"
    )]
    DomainExists {
        /// Its name.
        domain: String,
    },
    /// Another build is making a volume of the same name.
    #[error(
        "another build, that of the domain {domain:?}, makes the volume {volume} too; wait for its \
         end, choose another `name`, or take it over with `-force`"
    )]
    Rival {
        /// The volume.
        volume: VolumeId,
        /// The other build's domain.
        domain: String,
    },
    /// The artifact's folder is not empty.
    #[error(
        "the `output_directory` {} is not empty; name another, or replace what the build writes into \
         it with `-force`", path.display()
    )]
    OutputExists {
        /// The folder.
        path: PathBuf,
    },
    /// What is at the place of the artifact's copy may be anybody's.
    #[error(
        "{} is in the way, and `-force` replaces only what lvhost has written: {doubt}; name another \
         `output_directory`, move the file away, or, if it may go, say so by its path: \
         `-force -force-foreign={}`, with Packer LVHOST_FORCE_FOREIGN={} in the environment",
        path.display(), path.display(), path.display()
    )]
    ForeignFile {
        /// The file.
        path: PathBuf,
        /// Why it is not taken for lvhost's.
        doubt: Doubt,
    },
    /// The artifact's folder can't be used.
    #[error("can't {action} {}, for `output_directory`", path.display())]
    Output {
        /// `look into`, `make`, `write into`.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A forwarded port has to be chosen on a host that is not this one.
    #[error(
        "`host_port` must be set in the `port_forward` block: the hypervisor is not on this \
         machine, so lvhost can't look for a free port"
    )]
    NoFreePort(#[source] Option<std::io::Error>),
    /// There is no interface that leads to the guest.
    #[error(
        "there is no way to reach the guest {domain}: set `ssh_host`, or add a `network_interface` \
         with the alias of `communicator_interface`"
    )]
    NoWay {
        /// The domain.
        domain: String,
    },
    /// The guest went off while it was needed.
    #[error("the guest stopped while lvhost {during} (its state is now: {state:?})")]
    GuestStopped {
        /// What lvhost was doing: `waited for its address`.
        during: &'static str,
        /// What libvirt says.
        state: DomainState,
    },
    /// The guest has got no address.
    #[error(
        "the guest has no address after {} s; asked for MAC {mac} by `network_address_source = \
         \"{asked}\"`, {answers}", waited.as_secs()
    )]
    NoAddress {
        /// The interface's.
        mac: String,
        /// `agent`, `lease` or `arp`.
        asked: &'static str,
        /// What was answered.
        answers: String,
        /// How long.
        waited: Duration,
    },
    /// The guest does not let us in.
    #[error(transparent)]
    Communicator(Box<lvhost_communicator::Error>),
    /// What the guest is installed with is not ready.
    #[error(transparent)]
    Boot(#[from] BootError),
    /// A key could not be typed.
    #[error(transparent)]
    Typing(#[from] TypeError),
    /// An option of the communicator can't be followed.
    #[error(transparent)]
    Connection(#[from] SettingsError),
    /// A provisioner failed.
    #[error("the provisioner `{provisioner}` failed")]
    Provisioner {
        /// Its type, and its name if it has one.
        provisioner: String,
        /// Why.
        #[source]
        source: ProvisionError,
    },
    /// What provisions the guest, and is none of lvhost's own provisioners, failed.
    #[error("provisioning failed")]
    Provisioning(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// With `communicator = "none"`, the guest has to end the build by powering off.
    #[error(
        "the guest has not powered itself off within {} s (`shutdown_timeout`)", waited.as_secs()
    )]
    NotPoweredOff {
        /// How long.
        waited: Duration,
    },
}

impl From<lvhost_communicator::Error> for Error {
    fn from(error: lvhost_communicator::Error) -> Self {
        Self::Communicator(Box::new(error))
    }
}

impl From<LedgerError> for Error {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::Hypervisor(error) => Self::Hypervisor(error),
            LedgerError::Journal(error) => Self::Journal(error),
        }
    }
}

impl From<LedgerError> for VolumeError {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::Hypervisor(error) => Self::Hypervisor(error),
            LedgerError::Journal(error) => Self::Journal(error),
        }
    }
}

/// Why one volume could not be made.
#[derive(Debug, thiserror::Error)]
pub enum VolumeError {
    /// The component failed or misbehaved.
    #[error(transparent)]
    Component(#[from] ComponentError),
    /// The hypervisor refused.
    #[error(transparent)]
    Hypervisor(#[from] lvhost_libvirt::Error),
    /// It can't be written down that it is made.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A volume that is there already can't be used as it is.
    #[error(transparent)]
    Inspect(#[from] InspectError),
    /// What the component wants is not possible or not granted.
    #[error("{0}")]
    Refused(String),
    /// The template asks for less than the image needs.
    #[error(
        "`capacity` is {wanted} bytes, but what the volume is made from has {needed} bytes; a \
         volume can't be smaller"
    )]
    Capacity {
        /// What the template says.
        wanted: u64,
        /// What there is.
        needed: u64,
    },
}

/// Why a provisioner failed.
#[derive(Debug, thiserror::Error)]
pub enum ProvisionError {
    /// Its options, once everything in them is known.
    #[error("its options can't be used")]
    Options(Diagnostics),
    /// The connection failed.
    #[error(transparent)]
    Communicator(Box<lvhost_communicator::Error>),
    /// Nothing in the guest matches.
    #[error(
        "nothing in the guest matches `{pattern}`; correct the pattern, or remove the download"
    )]
    NoMatch {
        /// The pattern.
        pattern: String,
    },
    /// A script or command ended with something else than success.
    #[error("{what} ended with {status}")]
    Status {
        /// The script or command.
        what: String,
        /// `exit code 3`, `signal KILL`.
        status: String,
    },
    /// The guest went away during a script.
    #[error(
        "the connection ended during {what}; if it is meant to (a reboot), set \
         `expect_disconnect = true`"
    )]
    Disconnected {
        /// The script.
        what: String,
    },
    /// A file of this machine can't be used.
    #[error("can't {action} {}", path.display())]
    File {
        /// `read`, `write`, `list`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A `{{ … }}` in an option.
    #[error("`{option}`: {message}")]
    Interpolation {
        /// The option.
        option: &'static str,
        /// Why.
        message: String,
    },
    /// The time its `timeout` gives it is over.
    #[error("it took longer than its `timeout` of {} s", .0.as_secs())]
    Timeout(Duration),
    /// Nobody could be asked.
    #[error("it can't wait for the user: {0}")]
    NoUser(String),
    /// The user stopped the build.
    #[error("the build was cancelled")]
    Cancelled,
}

impl From<lvhost_communicator::Error> for ProvisionError {
    fn from(error: lvhost_communicator::Error) -> Self {
        // Boxed, as it is many times as large as the others.
        Self::Communicator(Box::new(error))
    }
}
