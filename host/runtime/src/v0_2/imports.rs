//! The imports of this version as wasmtime calls them. What a component says of itself and its volume is
//! [`Collected`](super::Collected); what it wants done becomes a [`Request`] to whoever answers.

pub(super) mod blobs;
pub(super) mod configure;
pub(super) mod describe;
pub(super) mod image;
pub(super) mod listing;
pub(super) mod prepare;
pub(super) mod requests;
pub(super) mod types;

use bytes::Bytes;
use wasmtime::component::Resource;

use self::blobs::{BlobHandle, ReaderHandle};
use self::types::{OptionsHandle, VolumeHandle};
use super::bindings::{log, types as wit};
use super::convert;
use crate::request::{Answer, Request};
use crate::state::State;

/// What a component is answered.
type Result<T> = wasmtime::Result<std::result::Result<T, wit::Error>>;

/// The host has answered another question.
fn unexpected() -> wasmtime::Error {
    wasmtime::Error::msg("the host answered something else")
}

/// Asks, and takes the answer apart: the error that a component is told, or the one pattern that is expected.
macro_rules! answered {
    ($state:expr, $request:expr, $pattern:pat => $value:expr) => {
        match $state.host.ask($request, Bytes::new()).await?.0 {
            $pattern => Ok(Ok($value)),
            Answer::Failed(error) => Ok(Err(convert::error(error))),
            _ => Err(unexpected()),
        }
    };
}
use answered;

impl State {
    /// What `request` makes, which is a blob.
    async fn new_blob(&mut self, request: Request) -> Result<Resource<BlobHandle>> {
        let blob = answered!(self, request, Answer::Blob { blob, name, size } => BlobHandle { blob, name, size });
        match blob? {
            Ok(blob) => Ok(Ok(self.table.push(blob)?)),
            Err(error) => Ok(Err(error)),
        }
    }

    /// The bytes that come beside the answer.
    async fn bytes_of(&mut self, request: Request) -> Result<Vec<u8>> {
        match self.host.ask(request, Bytes::new()).await? {
            (Answer::Bytes, bytes) => Ok(Ok(bytes.into())),
            (Answer::Failed(error), _) => Ok(Err(convert::error(error))),
            _ => Err(unexpected()),
        }
    }
}

impl log::Host for State {
    async fn log(&mut self, level: log::Level, message: String) -> wasmtime::Result<()> {
        let level = convert::level(level);
        self.tell(Request::Log { level, message }).await
    }
}
