//! The output of a guest's console.
use async_trait::async_trait;
use bytes::Bytes;

use crate::Result;

/// What a guest writes to a console, as it comes.
///
/// A guest that writes faster than it is read waits: no more than
/// [`CONSOLE_BUFFER`](crate::CONSOLE_BUFFER) bytes are kept here. Dropping it closes the console.
#[async_trait]
pub trait Console: Send {
    /// The next bytes, at least one; `None` when the console has ended, as it does with the domain.
    ///
    /// Can be dropped and called again without a loss.
    ///
    /// # Errors
    /// [`Disconnected`](crate::Error::Disconnected) if the connection was lost.
    async fn read(&mut self) -> Result<Option<Bytes>>;
}

/// Bytes of a console that are kept for a reader who is slow: thousands of lines, and next to
/// nothing beside a disk image's buffers.
pub const CONSOLE_BUFFER: usize = 1 << 20;
