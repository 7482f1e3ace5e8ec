//! Why a file on a share can't be had, and what can be done about it. The name that was logged in with
//! is in no message: in a URL it may be a secret.

use std::io;

use smb2::ErrorKind;
use thiserror::Error;

use super::Place;
use crate::LocationError;

/// Why a file on a share can't be had.
#[derive(Debug, Error)]
pub enum ShareError {
    /// No connection came about.
    #[error("can't connect to {host}: {why}")]
    Unreachable {
        /// The host.
        host: String,
        /// What became of each of its addresses.
        why: String,
    },
    /// The server was silent for too long.
    #[error("{host} did not answer in time")]
    Timeout {
        /// The host.
        host: String,
        /// What it was asked.
        #[source]
        source: smb2::Error,
    },
    /// The exchange broke off.
    #[error("the connection to {host} broke")]
    Broken {
        /// The host.
        host: String,
        /// How.
        #[source]
        source: smb2::Error,
    },
    /// The server lets nobody in by this name and password.
    #[error("{host} refused the login; {advice}")]
    Login {
        /// The host.
        host: String,
        /// What to do.
        advice: &'static str,
    },
    /// The login is good for something else.
    #[error("{host} gives no access to `{path}` on the share `{share}`; {advice}")]
    Denied {
        /// The host.
        host: String,
        /// The share.
        share: String,
        /// The file on it.
        path: String,
        /// What to do.
        advice: &'static str,
    },
    /// The share is not there.
    #[error("{host} has no share `{share}`")]
    NoShare {
        /// The host.
        host: String,
        /// The share.
        share: String,
    },
    /// The file is not there.
    #[error("the share `{share}` of {host} has no file `{path}`")]
    NoFile {
        /// The host.
        host: String,
        /// The share.
        share: String,
        /// The file on it.
        path: String,
    },
    /// It is a folder.
    #[error("`{path}` on the share `{share}` of {host} is no file")]
    NotAFile {
        /// The host.
        host: String,
        /// The share.
        share: String,
        /// The path on it.
        path: String,
    },
    /// Somebody has it open and lets nobody read it.
    #[error("`{path}` on the share `{share}` of {host} is in use by another client")]
    InUse {
        /// The host.
        host: String,
        /// The share.
        share: String,
        /// The file on it.
        path: String,
    },
    /// It was written to while it was read.
    #[error("`{path}` on the share `{share}` of {host} changed while it was read")]
    Changed {
        /// The host.
        host: String,
        /// The share.
        share: String,
        /// The file on it.
        path: String,
    },
    /// It is on another server, which is not followed.
    #[error(
        "`{path}` on the share `{share}` of {host} is on another server by its distributed file \
         system (DFS), which is not followed; give the address on the server that has it"
    )]
    Elsewhere {
        /// The host.
        host: String,
        /// The share.
        share: String,
        /// The file on it.
        path: String,
    },
    /// Anything else.
    #[error("{host} can't give `{path}` on the share `{share}`")]
    Failed {
        /// The host.
        host: String,
        /// The share.
        share: String,
        /// The file on it.
        path: String,
        /// Why.
        #[source]
        source: smb2::Error,
    },
}

/// What was being done when an error came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Connecting and logging in.
    Session,
    /// Asking for the share.
    Share,
    /// Opening or reading the file.
    File,
}

impl ShareError {
    /// Sorts an error of the client.
    pub(super) fn of(stage: Stage, error: smb2::Error, place: &Place, anonymous: bool) -> Self {
        let host = || place.host.clone();
        match (error.kind(), stage) {
            (
                ErrorKind::AuthRequired
                | ErrorKind::GuestSessionRefused
                | ErrorKind::SigningRequired,
                _,
            )
            | (ErrorKind::AccessDenied, Stage::Session) => Self::Login {
                host: host(),
                advice: advice(anonymous),
            },
            (ErrorKind::AccessDenied, _) => place.error(|host, share, path| Self::Denied {
                host,
                share,
                path,
                advice: advice(anonymous),
            }),
            (ErrorKind::NotFound, Stage::Share) => Self::NoShare {
                host: host(),
                share: place.share.clone(),
            },
            (ErrorKind::NotFound | ErrorKind::NotADirectory, Stage::File) => {
                place.error(|host, share, path| Self::NoFile { host, share, path })
            }
            (ErrorKind::IsADirectory, _) => Self::not_a_file(place),
            (ErrorKind::SharingViolation, _) => {
                place.error(|host, share, path| Self::InUse { host, share, path })
            }
            (
                ErrorKind::DfsReferral
                | ErrorKind::DfsTargetUnreachable
                | ErrorKind::DfsTargetNotAllowed,
                _,
            ) => place.error(|host, share, path| Self::Elsewhere { host, share, path }),
            (ErrorKind::TimedOut, _) => Self::Timeout {
                host: host(),
                source: error,
            },
            (ErrorKind::ConnectionLost | ErrorKind::Io, Stage::Session) => Self::Unreachable {
                host: host(),
                why: attempts(&error),
            },
            (ErrorKind::ConnectionLost | ErrorKind::Io | ErrorKind::SessionExpired, _) => {
                Self::Broken {
                    host: host(),
                    source: error,
                }
            }
            _ => place.error(|host, share, path| Self::Failed {
                host,
                share,
                path,
                source: error,
            }),
        }
    }

    /// The name of the host leads nowhere.
    pub(super) fn unresolved(place: &Place, error: &io::Error) -> Self {
        Self::Unreachable {
            host: place.host.clone(),
            why: error.to_string(),
        }
    }

    pub(super) fn not_a_file(place: &Place) -> Self {
        place.error(|host, share, path| Self::NotAFile { host, share, path })
    }

    pub(super) fn changed(place: &Place) -> Self {
        place.error(|host, share, path| Self::Changed { host, share, path })
    }

    /// Whether no connection came about at all.
    pub(crate) fn is_unreachable(&self) -> bool {
        matches!(self, Self::Unreachable { .. })
    }

    /// Whether it may be better the next time.
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable { .. }
            | Self::Timeout { .. }
            | Self::Broken { .. }
            | Self::InUse { .. }
            | Self::Changed { .. } => true,
            Self::Failed { source, .. } => source.is_retryable(),
            _ => false,
        }
    }
}

impl From<ShareError> for LocationError {
    fn from(error: ShareError) -> Self {
        Self::Share(Box::new(error))
    }
}

impl Place {
    fn error(&self, make: impl FnOnce(String, String, String) -> ShareError) -> ShareError {
        make(self.host.clone(), self.share.clone(), self.path.clone())
    }
}

fn advice(anonymous: bool) -> &'static str {
    if anonymous {
        "give name and password in the netrc file, or in the URL: smb://USER:PASSWORD@HOST/SHARE/…"
    } else {
        "check name and password, in the URL or in the netrc file; a domain is written in front of \
         the name: smb://DOMAIN;USER:PASSWORD@HOST/SHARE/…"
    }
}

/// The client's own text says only how many addresses there were.
fn attempts(error: &smb2::Error) -> String {
    match error {
        smb2::Error::ConnectFailed { attempts, .. } => {
            let attempts: Vec<_> = attempts.iter().map(ToString::to_string).collect();
            attempts.join(", ")
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use smb2::types::Command;
    use smb2::types::status::NtStatus;

    use super::*;

    #[test]
    fn errors_name_what_they_are_about_and_are_retried_where_it_helps() {
        let place = Place {
            host: "nas".to_owned(),
            port: 445,
            share: "images".to_owned(),
            path: "a/b.img".to_owned(),
        };
        let status = |status| smb2::Error::Protocol {
            status,
            command: Command::Create,
        };
        let file = "`a/b.img` on the share `images`";
        let url = "in the URL: smb://USER:PASSWORD@";
        for (stage, error, anonymous, message, again) in [
            (
                Stage::File,
                status(NtStatus::OBJECT_NAME_NOT_FOUND),
                false,
                "the share `images` of nas has no file `a/b.img`",
                false,
            ),
            (
                Stage::Share,
                status(NtStatus::BAD_NETWORK_NAME),
                false,
                "nas has no share `images`",
                false,
            ),
            (
                Stage::Session,
                status(NtStatus::LOGON_FAILURE),
                false,
                "nas refused the login; check name and password",
                false,
            ),
            (
                Stage::Session,
                smb2::Error::GuestSessionRefused {
                    username: "hunter2".to_owned(),
                    anonymous: false,
                },
                false,
                "nas refused the login; check name and password",
                false,
            ),
            (
                Stage::Share,
                status(NtStatus::ACCESS_DENIED),
                true,
                url,
                false,
            ),
            (
                Stage::File,
                status(NtStatus::ACCESS_DENIED),
                false,
                file,
                false,
            ),
            (
                Stage::File,
                status(NtStatus::SHARING_VIOLATION),
                false,
                "is in use",
                true,
            ),
            (
                Stage::File,
                status(NtStatus::PATH_NOT_COVERED),
                false,
                "is not followed",
                false,
            ),
            (
                Stage::Session,
                smb2::Error::Disconnected,
                true,
                "can't connect to nas: ",
                true,
            ),
            (
                Stage::File,
                smb2::Error::Disconnected,
                true,
                "the connection to nas broke",
                true,
            ),
            (
                Stage::File,
                smb2::Error::Timeout,
                true,
                "nas did not answer in time",
                true,
            ),
            (
                Stage::File,
                status(NtStatus::NOT_SUPPORTED),
                true,
                "nas can't give `a/b.img`",
                false,
            ),
        ] {
            let error = ShareError::of(stage, error, &place, anonymous);
            assert!(error.to_string().contains(message), "{error}");
            assert_eq!(error.may_pass(), again, "{error}");
            assert!(!format!("{error} {error:?}").contains("hunter2"));
        }
    }
}
