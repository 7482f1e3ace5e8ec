//! What can go wrong between host and guest, said so that a user can act on it.

use std::io;
use std::path::PathBuf;

use crate::keys;
use crate::ssh::{ConnectError, SftpTrouble};
use crate::winrm::WinRmError;

/// The crate's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a guest could not be reached, or did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The guest could not be reached or would not let us in.
    #[error(transparent)]
    Connect(#[from] ConnectError),

    /// WinRM: the guest could not be reached, would not let us in or refused something.
    #[error(transparent)]
    WinRm(#[from] WinRmError),

    /// The connection was there and went away.
    #[error("the connection to {address} was lost {during}")]
    ConnectionLost {
        /// Host and port.
        address: String,
        /// What was under way, such as "during the upload of /tmp/script.sh".
        during: String,
        /// What the transport said.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },

    /// The guest's server refused to start a command, a terminal or a subsystem.
    #[error("{address} refused {what}: {hint}")]
    Refused {
        /// Host and port.
        address: String,
        /// What was asked for.
        what: String,
        /// What to look at.
        hint: &'static str,
    },

    /// The guest closed a channel before it said yes or no to what was asked for on it.
    #[error("{address} closed a channel instead of answering; nothing was started")]
    Unanswered {
        /// Host and port.
        address: String,
    },

    /// The guest does not offer file transfer by SFTP.
    #[error("SFTP, which files go by, does not start at {address}: {trouble}")]
    NoSftp {
        /// Host and port.
        address: String,
        /// Why.
        trouble: SftpTrouble,
        /// What the library said, where no more is known.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },

    /// The guest has neither SFTP nor `scp`.
    #[error(
        "there is neither SFTP nor scp at {address}, and files go by one of them: install \
         sftp-server in the guest (package openssh-sftp-server), or scp (package openssh-client)"
    )]
    NoFileTransfer {
        /// Host and port.
        address: String,
        /// What the guest's shell said of `scp`.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },

    /// The guest has no `scp`.
    #[error(
        "there is no scp at {address}, which every file transfer was to go by: install it in the \
         guest (package openssh-client), or set ssh_file_transfer_method = \"sftp\""
    )]
    NoScp {
        /// Host and port.
        address: String,
        /// What the guest's shell said.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },

    /// This kind of connection cannot do it.
    #[error("this communicator does not support {what}")]
    NotSupported {
        /// What was asked for.
        what: &'static str,
    },

    /// The guest could not do one step of a file transfer.
    #[error("cannot {action} {path} in the guest: {reason}")]
    Remote {
        /// What was tried, such as "create".
        action: &'static str,
        /// The guest's path.
        path: String,
        /// The guest's own words.
        reason: String,
    },

    /// The host could not do its part of a file transfer.
    #[error("cannot {action} {}", path.display())]
    Local {
        /// What was tried, such as "read".
        action: &'static str,
        /// The local path.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },

    /// The bytes to send could not be read, or those received could not be written.
    #[error("cannot {action} the local side of the transfer of {path}")]
    Stream {
        /// "read" or "write".
        action: &'static str,
        /// The guest's path.
        path: String,
        /// Why.
        #[source]
        source: io::Error,
    },

    /// A guest's folder holds something that must not be copied to the host as it stands.
    #[error("will not copy {path} from the guest: {reason}")]
    Unsafe {
        /// The guest's path.
        path: String,
        /// What is wrong with it.
        reason: &'static str,
    },

    /// An exclude pattern is not a glob.
    #[error("the exclude pattern {pattern:?} is not a glob")]
    Pattern {
        /// The pattern.
        pattern: String,
        /// Where it is broken.
        #[source]
        source: globset::Error,
    },

    /// A key could not be read or made.
    #[error(transparent)]
    Key(#[from] keys::Error),
}

impl Error {
    /// Whether the connection was at fault, so that the same call may succeed once the guest is
    /// back.
    pub fn is_connection(&self) -> bool {
        matches!(
            self,
            Self::Connect(_) | Self::ConnectionLost { .. } | Self::WinRm(WinRmError::GaveUp { .. })
        )
    }
}
