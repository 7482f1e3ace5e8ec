//! A builder behind a connection, from its first stream to its end.

use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::builder::{Builder, BuilderService};
use crate::mux::{Mux, StreamError};
use crate::rpc;
use crate::spec::SpecEncoding;

/// Serves `builder` to Packer until it hangs up, and until what is running then has ended.
///
/// Packer does not hang up, it kills the process, unless Packer itself was killed or the user's terminal
/// is gone. A build that is running then is cancelled, and this returns when it has cleaned up. The
/// process may end afterwards, and not before.
///
/// # Errors
/// [`StreamError::Disconnected`] if Packer hung up without a word.
pub async fn serve<T>(
    socket: T,
    builder: Arc<dyn Builder>,
    encoding: SpecEncoding,
) -> Result<(), StreamError>
where
    T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (mux, main) = Mux::start(socket);
    let stream = main.accept().await?;
    let service = Arc::new(BuilderService::new(builder, encoding, mux.clone()));
    let mut calls = rpc::serve(stream, Arc::clone(&service)).await;
    // Core leaves its first stream only together with the connection.
    service.cancel();
    while calls.join_next().await.is_some() {}
    mux.closed().await;
    Ok(())
}
