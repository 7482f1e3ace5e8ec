//! Why a source can't go on.

use std::fmt::{self, Display};

use crate::bindings::lvhost::source::types as wit;

/// Why a function of the host failed, or why a source gives up. The text is for the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// Something was asked for that makes no sense: a fault of the source.
    Invalid(String),
    /// Not allowed by the user, or not asked for in [`configure`](crate::VolumeSource::configure).
    Denied(String),
    /// The thing asked for does not exist.
    NotFound(String),
    /// A download or a connection failed.
    Network(String),
    /// Bytes are not what they should be.
    Corrupt(String),
    /// Everything else.
    Other(String),
}

impl Error {
    /// Bytes are not what they should be.
    #[must_use]
    pub fn corrupt(message: impl Display) -> Self {
        Self::Corrupt(message.to_string())
    }

    /// The thing asked for does not exist.
    #[must_use]
    pub fn not_found(message: impl Display) -> Self {
        Self::NotFound(message.to_string())
    }

    /// Any other reason why the volume can't be made. Say what failed, on which thing, and what to
    /// do: in lower case, without a period at the end.
    #[must_use]
    pub fn other(message: impl Display) -> Self {
        Self::Other(message.to_string())
    }

    /// The text for the user.
    #[must_use]
    pub fn message(&self) -> &str {
        match self {
            Self::Invalid(message)
            | Self::Denied(message)
            | Self::NotFound(message)
            | Self::Network(message)
            | Self::Corrupt(message)
            | Self::Other(message) => message,
        }
    }
}

impl Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.message())
    }
}

impl std::error::Error for Error {}

impl From<wit::Error> for Error {
    fn from(error: wit::Error) -> Self {
        match error {
            wit::Error::Invalid(message) => Self::Invalid(message),
            wit::Error::Denied(message) => Self::Denied(message),
            wit::Error::NotFound(message) => Self::NotFound(message),
            wit::Error::Network(message) => Self::Network(message),
            wit::Error::Corrupt(message) => Self::Corrupt(message),
            wit::Error::Other(message) => Self::Other(message),
        }
    }
}

impl From<Error> for wit::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Invalid(message) => Self::Invalid(message),
            Error::Denied(message) => Self::Denied(message),
            Error::NotFound(message) => Self::NotFound(message),
            Error::Network(message) => Self::Network(message),
            Error::Corrupt(message) => Self::Corrupt(message),
            Error::Other(message) => Self::Other(message),
        }
    }
}
