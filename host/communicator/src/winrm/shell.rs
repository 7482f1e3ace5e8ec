//! One command in a shell of its own.
//!
//! ```text
//!   create ─► command ─► receive … ─► exit code ─► delete
//!     │ retried            │  ▲ send …               ▲
//!     ▼                    ▼  │ the input             │
//!   gave up              Missing: the shell or the guest is gone, or the caller lost interest
//! ```

use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::{Instant, sleep, timeout};

use super::answer;
use super::error::{Trouble, WinRmError};
use super::message::{PIECE, Request};
use super::service::{Service, Target};
use super::{PAUSE, WinRm};
use crate::communicator::ExitStatus;
use crate::error::{Error, Result};
use crate::taker::{Origin, Taker};

/// How long a guest that runs a command may be out of reach before the command counts as gone: a
/// guest that reboots answers that its shell is gone; one that was shut down never answers.
const LOST_TIMEOUT: Duration = Duration::from_secs(30);
/// Time for the guest to remove a shell that is not needed any more.
const DELETE_TIMEOUT: Duration = Duration::from_secs(10);

/// A command with all that belongs to it.
pub(super) struct Execution<'a> {
    pub(super) text: &'a str,
    pub(super) input: Option<&'a mut (dyn AsyncRead + Send + Unpin)>,
    pub(super) taker: Taker<'a>,
    /// Called when the guest has said that the command runs.
    pub(super) started: Option<&'a mut (dyn FnMut() + Send)>,
}

/// A shell in the guest, which is removed with this.
pub(super) struct Shell {
    target: Arc<Target>,
    pub(super) name: String,
    removed: bool,
}

impl Shell {
    /// Makes one.
    pub(super) async fn create(
        service: &mut Service,
        target: &Arc<Target>,
    ) -> Result<Self, Trouble> {
        let answer = service.call(Request::Create).await?;
        Ok(Self {
            target: Arc::clone(target),
            name: answer::shell(&answer).ok_or(Trouble::Malformed)?,
            removed: false,
        })
    }

    /// Removes it. A guest that can't is let alone: it does by itself after some idle hours.
    pub(super) async fn remove(mut self, service: &mut Service) {
        self.removed = true;
        remove(service, &self.name).await;
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        if self.removed {
            return;
        }
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let (mut service, name) = (Service::new(&self.target), std::mem::take(&mut self.name));
            runtime.spawn(async move { remove(&mut service, &name).await });
        }
    }
}

async fn remove(service: &mut Service, shell: &str) {
    let removed = timeout(DELETE_TIMEOUT, service.call(Request::Delete { shell })).await;
    if !matches!(removed, Ok(Ok(_))) {
        tracing::debug!(shell, ?removed, "a WinRM shell was not removed");
    }
}

/// Runs a command and hands over its output until it has ended.
pub(super) async fn execute(winrm: &WinRm, execution: Execution<'_>) -> Result<ExitStatus> {
    let Execution {
        text,
        input,
        mut taker,
        started,
    } = execution;
    let mut service = Service::new(&winrm.target);
    let shell = winrm.shell(&mut service).await?;
    let request = Request::Command {
        shell: &shell.name,
        text,
        input: input.is_some(),
    };
    let answer = service.call(request).await;
    let answer = answer.map_err(|trouble| winrm.failed("start the command", &trouble))?;
    let command = answer::command(&answer)
        .ok_or_else(|| winrm.failed("start the command", &Trouble::Malformed))?;
    if let Some(started) = started {
        started();
    }

    let status = {
        let receiving = receive(winrm, &mut service, &shell.name, &command, &mut taker);
        let feeding = feed(winrm, &shell.name, &command, input);
        tokio::pin!(receiving, feeding);
        let mut fed = false;
        loop {
            tokio::select! {
                status = &mut receiving => break status,
                () = &mut feeding, if !fed => fed = true,
            }
        }
    };
    shell.remove(&mut service).await;
    status
}

async fn receive(
    winrm: &WinRm,
    service: &mut Service,
    shell: &str,
    command: &str,
    taker: &mut Taker<'_>,
) -> Result<ExitStatus> {
    let mut lost: Option<Instant> = None;
    loop {
        let answer = match service.call(Request::Receive { shell, command }).await {
            Ok(answer) => answer,
            Err(Trouble::Fault(fault)) if fault.timed_out() => {
                lost = None;
                continue;
            }
            Err(Trouble::Fault(fault)) if fault.no_such_shell() => return Ok(ExitStatus::Missing),
            Err(trouble) if trouble.is_connection() => {
                if lost.get_or_insert_with(Instant::now).elapsed() > LOST_TIMEOUT {
                    tracing::debug!(reason = trouble.reason(), "a command's guest is gone");
                    return Ok(ExitStatus::Missing);
                }
                sleep(PAUSE).await;
                continue;
            }
            Err(trouble) => return Err(winrm.failed("hand over the command's output", &trouble)),
        };
        lost = None;
        let received = answer::received(&answer)
            .ok_or_else(|| winrm.failed("hand over the command's output", &Trouble::Malformed))?;
        for (error, bytes) in received.output {
            let origin = if error { Origin::Error } else { Origin::Output };
            taker.take(origin, &bytes).await;
        }
        if let Some(code) = received.exit_code {
            return Ok(ExitStatus::Code(code));
        }
    }
}

/// Sends the command's input and its end, over a connection of its own: the other one waits for
/// output. A command that does not read it all is within its rights.
async fn feed(
    winrm: &WinRm,
    shell: &str,
    command: &str,
    input: Option<&mut (dyn AsyncRead + Send + Unpin)>,
) {
    let Some(reader) = input else {
        return;
    };
    let mut service = Service::new(&winrm.target);
    let mut piece = BytesMut::with_capacity(PIECE);
    let mut end = false;
    while !end {
        piece.clear();
        while piece.len() < PIECE && !end {
            let room = PIECE - piece.len();
            match (&mut *reader).take(room as u64).read_buf(&mut piece).await {
                Ok(0) => end = true,
                Ok(_) => {}
                Err(error) => {
                    // To the command it is the end of its input.
                    tracing::warn!(%error, "a command's input could not be read to its end");
                    end = true;
                }
            }
        }
        let request = Request::Send {
            shell,
            command,
            bytes: &piece,
            end,
        };
        if let Err(trouble) = service.call(request).await {
            tracing::debug!(reason = trouble.reason(), "a command's input was cut short");
            return;
        }
    }
}

impl WinRm {
    /// A shell; the guest may be away for a while.
    async fn shell(&self, service: &mut Service) -> Result<Shell> {
        let begun = Instant::now();
        loop {
            match Shell::create(service, &self.target).await {
                Ok(shell) => return Ok(shell),
                Err(trouble)
                    if trouble.is_connection() && begun.elapsed() < self.reconnect_timeout =>
                {
                    sleep(PAUSE).await;
                }
                Err(trouble) => return Err(self.failed("make a shell", &trouble)),
            }
        }
    }

    /// The error of a request.
    pub(super) fn failed(&self, what: &'static str, trouble: &Trouble) -> Error {
        let address = self.target.endpoint.address();
        if trouble.is_connection() {
            return Error::ConnectionLost {
                address,
                during: format!("when the guest was to {what}"),
                source: Some(trouble.reason().into()),
            };
        }
        WinRmError::Failed {
            address,
            what,
            reason: trouble.reason(),
        }
        .into()
    }
}
