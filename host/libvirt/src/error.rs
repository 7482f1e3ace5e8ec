//! What can go wrong at the hypervisor, in kinds the engine can match on.
use crate::virsh::virsh;
use crate::{ConnectionUri, MAX_KEYS, OverlayError, VolumeId};

/// The result of every call to a hypervisor.
pub type Result<T> = std::result::Result<T, Error>;

/// A call to the hypervisor failed.
///
/// The text says what failed, on which thing, why, and where there is one, what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No connection could be made.
    #[error("cannot connect to the hypervisor at {uri}: {message}")]
    Connect {
        /// Where the connection was tried, shown without passwords.
        uri: ConnectionUri,
        /// libvirt's reason.
        message: String,
    },
    /// libvirt's client library is not installed, or too old.
    #[error(
        "cannot load libvirt's client library {library}: {message}; install it (Debian and Ubuntu: \
         libvirt0, Fedora: libvirt-libs)"
    )]
    NoLibrary {
        /// Its file name.
        library: &'static str,
        /// The loader's reason.
        message: String,
    },
    /// The connection was lost, or the daemon went away.
    #[error("the connection to the hypervisor was lost while trying to {action}: {message}")]
    Disconnected {
        /// What was tried.
        action: String,
        /// libvirt's reason.
        message: String,
    },
    /// There is no storage pool of that name.
    #[error(
        "there is no storage pool {name:?}; {}",
        existing_names(existing, "pool")
    )]
    NoSuchPool {
        /// The name asked for.
        name: String,
        /// The names that exist, sorted.
        existing: Vec<String>,
    },
    /// The storage pool exists but is not started.
    #[error("the storage pool {name:?} is not active; start it with `{}`", virsh(&["pool-start", name]))]
    PoolInactive {
        /// The pool's name.
        name: String,
    },
    /// There is no network of that name.
    #[error(
        "there is no network {name:?}; {}",
        existing_names(existing, "network")
    )]
    NoSuchNetwork {
        /// The name asked for.
        name: String,
        /// The names that exist, sorted.
        existing: Vec<String>,
    },
    /// The network exists but is not started.
    #[error("the network {name:?} is not active; start it with `{}`", virsh(&["net-start", name]))]
    NetworkInactive {
        /// The network's name.
        name: String,
    },
    /// A volume of that name is already there.
    #[error("the volume {id} already exists")]
    VolumeExists {
        /// The volume.
        id: VolumeId,
    },
    /// There is no such volume.
    #[error(
        "there is no volume {id}; correct the name, or put the image into the pool (`{}` shows what \
         it has)",
        virsh(&["vol-list", &id.pool])
    )]
    NoSuchVolume {
        /// The volume.
        id: VolumeId,
    },
    /// The volume is being made, copied, filled, downloaded or wiped.
    #[error("the volume {id} is in use: {message}")]
    VolumeInUse {
        /// The volume.
        id: VolumeId,
        /// By what.
        message: String,
    },
    /// libvirt takes a volume for something else than it is, because of what somebody wrote into it.
    #[error(
        "the volume {id} is {format}, but its first bytes make libvirt take it for {guessed} and \
         open what they name; libvirt is not asked to work on it"
    )]
    TakenForOther {
        /// The volume.
        id: VolumeId,
        /// What it is.
        format: String,
        /// libvirt's name of what it takes it for.
        guessed: String,
    },
    /// libvirt takes a volume for a folder because of what somebody wrote into it, and can't delete it.
    #[error(
        "cannot delete the volume {id}: its first bytes make libvirt take it for a folder, which it is \
         not ({message}); delete {path} on the hypervisor's host, then run `{}`",
        virsh(&["pool-refresh", &id.pool])
    )]
    TakenForFolder {
        /// The volume.
        id: VolumeId,
        /// Its file on the hypervisor's host.
        path: String,
        /// Why it could not be deleted from here.
        message: String,
    },
    /// A domain of that name is already there.
    #[error("a domain named {name:?} already exists")]
    DomainExists {
        /// The domain's name.
        name: String,
    },
    /// There is no such domain (any more).
    #[error("there is no domain {name:?}")]
    NoSuchDomain {
        /// The domain's name.
        name: String,
    },
    /// The domain is not in a state that allows what was asked.
    #[error("cannot {action}: {message}")]
    DomainState {
        /// What was tried.
        action: String,
        /// Why the state forbids it.
        message: String,
    },
    /// The hypervisor's driver cannot do that. `test:///` answers this to uploads, resizes and most
    /// flags.
    #[error("cannot {action}: this hypervisor does not support it: {message}")]
    NotSupported {
        /// What was tried.
        action: String,
        /// libvirt's reason.
        message: String,
    },
    /// The pool is full.
    #[error(
        "cannot {action}: no space left{}: {message}",
        space(needed, available)
    )]
    NoSpace {
        /// What was tried.
        action: String,
        /// libvirt's reason.
        message: String,
        /// Bytes that were asked for, if that is known. A sparse volume needs less at first.
        needed: Option<u64>,
        /// Bytes that are free in the pool, if that could be asked.
        available: Option<u64>,
    },
    /// libvirt still works at what somebody has asked for before, perhaps somebody who is gone.
    #[error("cannot {action}: libvirt is still busy with it: {message}")]
    Busy {
        /// What was tried.
        action: String,
        /// libvirt's reason.
        message: String,
    },
    /// The domain is not the build's own.
    #[error("cannot {action}: the domain does not belong to this build")]
    NotOurs {
        /// What was tried.
        action: String,
    },
    /// A fragment of domain XML cannot be merged.
    #[error("the domain {name:?} cannot be given the XML of its overlay {number}")]
    Overlay {
        /// The domain's name.
        name: String,
        /// Which of the domain's overlays, counted from 1.
        number: usize,
        /// What is wrong, and where in the fragment.
        #[source]
        source: OverlayError,
    },
    /// The domain is of type `kvm`, and KVM cannot run guests on that host.
    #[error(
        "kvm does not work here: {message}; set domain_type = \"qemu\" to emulate the CPU instead"
    )]
    KvmUnusable {
        /// QEMU's or libvirt's reason.
        message: String,
    },
    /// A value was refused before libvirt saw it.
    #[error("cannot {action}: {message}")]
    InvalidValue {
        /// What was tried.
        action: String,
        /// What is wrong with the value.
        message: String,
    },
    /// An upload was given more or fewer bytes than were announced, or was ended before.
    #[error("the upload to {id} went wrong: {message}")]
    Upload {
        /// The volume uploaded to.
        id: VolumeId,
        /// What happened.
        message: String,
    },
    /// The file an upload reads from could not be read.
    #[error("cannot read the file that is uploaded to {id}")]
    ReadSource {
        /// The volume uploaded to.
        id: VolumeId,
        /// The system's reason.
        #[source]
        source: std::io::Error,
    },
    /// A download went wrong.
    #[error("the download of {id} went wrong: {message}")]
    Download {
        /// The volume downloaded.
        id: VolumeId,
        /// What happened.
        message: String,
    },
    /// What a download is written to could not be written.
    #[error("cannot write what is downloaded from {id}")]
    WriteTarget {
        /// The volume downloaded.
        id: VolumeId,
        /// The system's reason.
        #[source]
        source: std::io::Error,
    },
    /// Anything else libvirt said.
    #[error("cannot {action}: {message}")]
    Libvirt {
        /// What was tried.
        action: String,
        /// libvirt's error number (`virErrorNumber`).
        code: i32,
        /// libvirt's message.
        message: String,
    },
}

/// "the pools are: a, b" or that there are none.
fn existing_names(existing: &[String], kind: &str) -> String {
    if existing.is_empty() {
        format!("there is no {kind} at all")
    } else {
        format!("the {kind}s are: {}", existing.join(", "))
    }
}

/// What is known of the sizes, in bytes as users write them in templates.
fn space(needed: &Option<u64>, available: &Option<u64>) -> String {
    match (needed, available) {
        (Some(needed), Some(available)) => {
            format!(" ({needed} bytes are needed, {available} are free)")
        }
        (Some(needed), None) => format!(" ({needed} bytes are needed)"),
        (None, Some(available)) => format!(" ({available} bytes are free)"),
        (None, None) => String::new(),
    }
}

impl Error {
    /// Whether libvirt is still at work on the thing, so that the same call may succeed later.
    pub fn is_busy(&self) -> bool {
        matches!(self, Self::Busy { .. } | Self::VolumeInUse { .. })
    }

    /// An upload was given more than was announced.
    pub(crate) fn too_long(id: &VolumeId) -> Self {
        Self::Upload {
            id: id.clone(),
            message: "more bytes came than were announced".into(),
        }
    }

    /// An upload ended before everything came.
    pub(crate) fn too_short(id: &VolumeId, missing: u64) -> Self {
        Self::Upload {
            id: id.clone(),
            message: format!("it ended {missing} bytes too early"),
        }
    }

    /// Keys that cannot be pressed at once.
    pub(crate) fn check_keys(action: &str, codes: &[u32]) -> Result<()> {
        if (1..=MAX_KEYS).contains(&codes.len()) {
            return Ok(());
        }
        Err(Self::InvalidValue {
            action: action.to_owned(),
            message: format!(
                "{} keys were given; between 1 and {MAX_KEYS} can be pressed at once",
                codes.len()
            ),
        })
    }

    /// A volume was asked to become smaller.
    pub(crate) fn shrink(id: &VolumeId, from: u64, to: u64) -> Self {
        Self::InvalidValue {
            action: format!("resize the volume {id}"),
            message: format!(
                "it has {from} bytes and would lose data by shrinking to {to}; \
                 set a capacity of at least {from}"
            ),
        }
    }
}
