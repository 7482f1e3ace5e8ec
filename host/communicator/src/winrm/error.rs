//! What can go wrong on the way to the guest's WinRM service, in words for the user.

use std::io;
use std::time::Duration;

/// Why there is no WinRM connection, or the service did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WinRmError {
    /// No way to log in over TLS could be prepared.
    #[error("TLS can't be prepared")]
    Tls(#[source] rustls::Error),
    /// The user's name or password can't be sent by basic authentication.
    #[error("the user name of WinRM's basic authentication has a colon or a control character")]
    Username,
    /// The deadline passed.
    #[error(
        "no WinRM connection to {username}@{address} after {attempts} attempts in {} s: {reason}",
        waited.as_secs()
    )]
    GaveUp {
        /// Host and port.
        address: String,
        /// The user.
        username: String,
        /// How many attempts were made.
        attempts: u32,
        /// How long it took.
        waited: Duration,
        /// What the last attempt met.
        reason: String,
    },
    /// A request failed.
    #[error("the WinRM service at {address} did not {what}: {reason}")]
    Failed {
        /// Host and port.
        address: String,
        /// What was asked for, such as "start the command".
        what: &'static str,
        /// Why, in words for the user.
        reason: String,
    },
}

/// What became of a single request.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    #[error("no connection")]
    Reach {
        #[source]
        source: io::Error,
    },
    #[error(
        "no TLS connection (set winrm_insecure to accept a certificate that the guest signed itself)"
    )]
    Tls {
        #[source]
        source: io::Error,
    },
    #[error("the HTTP connection failed")]
    Http {
        #[source]
        source: hyper::Error,
    },
    #[error("the answer can't be read")]
    Answer {
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error("no answer within {seconds} s")]
    Silence { seconds: u64 },
    #[error("{0}")]
    Refused(String),
    #[error("{}", if .0.reason.is_empty() { "it failed without a reason" } else { .0.reason.as_str() })]
    Fault(super::answer::Fault),
    #[error("HTTP status {0}")]
    Status(hyper::StatusCode),
    #[error("the answer is not one of WinRM: is another server listening there?")]
    Malformed,
}

impl Trouble {
    /// Whether the way there is at fault, so that nothing is known of what was asked for.
    pub(super) fn is_connection(&self) -> bool {
        matches!(
            self,
            Self::Reach { .. }
                | Self::Tls { .. }
                | Self::Http { .. }
                | Self::Answer { .. }
                | Self::Silence { .. }
        )
    }

    /// With its causes, in one line.
    pub(super) fn reason(&self) -> String {
        let mut reason = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            reason.push_str(": ");
            reason.push_str(&error.to_string());
            cause = error.source();
        }
        reason
    }
}
