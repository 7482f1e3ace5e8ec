//! Commands in the guest, of which many may run at once.
//!
//! ```text
//!   dial stdin, stdout, stderr, response ─► run ─┬─► started ─► answered ─► ended: exit status on response
//!                                                └─► not started ─► answered with the error
//! ```
//! Packer reads the exit status when the output streams have ended, so these are closed first.

use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use futures::FutureExt;
use tokio::io::{AsyncWriteExt, empty, sink};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::service::Arguments;
use super::{CommandStreams, Communicator, ExitStatus, Started};
use crate::failure::{Failure, text};
use crate::gob::command_finished;
use crate::mux::{Mux, Stream};

/// How many commands may run at once: a quarter of the streams, since each takes four.
const MAX_COMMANDS: usize = 256;

/// The commands of one hook. They end when this is dropped.
#[derive(Default)]
pub(super) struct Commands(Mutex<JoinSet<()>>);

/// The streams of a command, and the one for its exit status.
pub(super) struct Dialled {
    streams: CommandStreams,
    response: Stream,
}

impl Commands {
    /// Opens the streams that core waits for.
    pub(super) async fn dial(&self, mux: &Mux, arguments: &Arguments) -> Result<Dialled, String> {
        let dial = async |name: &'static str| match arguments.optional_stream(name)? {
            Some(id) => mux.dial(id).await.map(Some).map_err(|error| text(&error)),
            None => Ok(None),
        };
        let (stdin, stdout, stderr, response) = tokio::try_join!(
            dial("StdinStreamId"),
            dial("StdoutStreamId"),
            dial("StderrStreamId"),
            dial("ResponseStreamId"),
        )?;
        Ok(Dialled {
            streams: CommandStreams {
                stdin: stdin.map_or_else(|| Box::new(empty()) as _, |stream| Box::new(stream) as _),
                stdout: stdout
                    .map_or_else(|| Box::new(sink()) as _, |stream| Box::new(stream) as _),
                stderr: stderr
                    .map_or_else(|| Box::new(sink()) as _, |stream| Box::new(stream) as _),
            },
            response: response.ok_or("a command came without a stream for its exit status")?,
        })
    }

    /// Starts a command and returns when it runs, or has run.
    pub(super) async fn start(
        &self,
        communicator: Arc<dyn Communicator>,
        command: String,
        dialled: Dialled,
    ) -> Result<(), String> {
        let told = Arc::new(AtomicBool::new(false));
        let (tell, running) = oneshot::channel();
        let (end, ended) = oneshot::channel();
        let started = Started {
            told: Arc::clone(&told),
            tell,
        };
        let run = async move {
            let Dialled { streams, response } = dialled;
            let run = AssertUnwindSafe(communicator.run(&command, streams, started)).catch_unwind();
            let result = run
                .await
                .unwrap_or_else(|_| Err("the plugin has panicked".into()));
            let status = match result {
                Ok(status) => status,
                Err(failure) if told.load(Ordering::Acquire) => {
                    tracing::warn!(error = text(failure.as_ref()), "a command lost its guest");
                    ExitStatus::Disconnected
                }
                // The answer has the error; the streams are closed without a word.
                Err(failure) => return drop(end.send(Err(failure))),
            };
            drop(end.send(Ok(())));
            if let Err(error) = finish(response, status).await {
                tracing::debug!(%error, "how a command ended did not reach Packer");
            }
        };
        self.spawn(run)?;
        if running.await.is_ok() {
            return Ok(());
        }
        // It ended without having told, or the hook is over.
        let ended: Result<Result<(), Failure>, _> = ended.await;
        ended
            .map_err(|_| "the command was given up with its provisioner".to_owned())?
            .map_err(|failure| text(failure.as_ref()))
    }

    fn spawn(&self, run: impl Future<Output = ()> + Send + 'static) -> Result<(), String> {
        let mut commands = self.0.lock().map_err(|_| "the plugin has panicked")?;
        while commands.try_join_next().is_some() {}
        if commands.len() >= MAX_COMMANDS {
            return Err(format!("more than {MAX_COMMANDS} commands at once"));
        }
        commands.spawn(run);
        Ok(())
    }
}

async fn finish(mut response: Stream, status: ExitStatus) -> std::io::Result<()> {
    response.write_all(&command_finished(status.code())).await?;
    response.shutdown().await
}
