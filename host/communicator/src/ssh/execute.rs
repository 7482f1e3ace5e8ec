//! One command over one channel.
//!
//! ```text
//!   pty-req ─► exec ─► output … ─► exit-status ─► close
//!      │         │        │ connection lost          │
//!      ▼         ▼        ▼                          ▼
//!    refused   refused   Missing                Code or Signal
//! ```
//! A channel that is closed before the server has said yes or no to the command is
//! [`Error::Unanswered`]: nothing has been started.

use std::sync::Arc;

use bytes::Bytes;
use russh::client::Msg;
use russh::{Channel, ChannelMsg, ChannelWriteHalf, Sig};

use super::session::{Session, describe, readable};
use crate::communicator::{Command, ExitStatus, Output};
use crate::error::{Error, Result};

/// The stream of extended data that is standard error (RFC 4254, section 5.2).
const STDERR: u32 = 1;
/// The terminal a command sees when it is given one: the kind, and its size in characters.
const TERMINAL: (&str, u32, u32) = ("xterm", 80, 40);

/// Runs `command` and hands over its output until the guest closes the channel.
///
/// As with OpenSSH's own client that is when the last process that holds the command's output has
/// closed it: what a script leaves in the background must let go of its output.
pub(super) async fn execute(
    session: &Session,
    channel: Channel<Msg>,
    command: &Command,
    pty: bool,
    output: &mut dyn Output,
) -> Result<ExitStatus> {
    let (mut messages, writer) = channel.split();
    let writer = CloseOnDrop(Arc::new(writer));
    // What has been asked for and not been answered, the next answer last.
    let mut asked = vec![Request::Command];
    let not_sent =
        |error: russh::Error| session.lost("before the command was sent", Some(describe(&error)));
    if pty || command.pty {
        let (kind, columns, rows) = TERMINAL;
        writer
            .0
            .request_pty(true, kind, columns, rows, 0, 0, &[])
            .await
            .map_err(not_sent)?;
        asked.push(Request::Terminal);
    }
    writer
        .0
        .exec(true, command.text.as_bytes())
        .await
        .map_err(not_sent)?;

    let feeding = feed(Arc::clone(&writer.0), command.stdin.clone());
    tokio::pin!(feeding);
    let mut fed = false;
    let mut status = ExitStatus::Missing;
    loop {
        let message = tokio::select! {
            message = messages.wait() => message,
            () = &mut feeding, if !fed => {
                fed = true;
                continue;
            }
        };
        match message {
            Some(ChannelMsg::Data { data }) => output.stdout(&data),
            Some(ChannelMsg::ExtendedData { data, ext: STDERR }) => output.stderr(&data),
            Some(ChannelMsg::ExitStatus { exit_status }) => status = ExitStatus::Code(exit_status),
            Some(ChannelMsg::ExitSignal { signal_name, .. }) => {
                status = ExitStatus::Signal(signal(&signal_name));
            }
            Some(ChannelMsg::Success) => {
                asked.pop();
            }
            Some(ChannelMsg::Failure) => {
                if let Some(request) = asked.pop() {
                    return Err(request.refused(&session.address));
                }
            }
            Some(ChannelMsg::Close) | None => {
                let started = asked.is_empty() || status != ExitStatus::Missing;
                return if started || session.is_closed() {
                    Ok(status)
                } else {
                    Err(Error::Unanswered {
                        address: session.address.clone(),
                    })
                };
            }
            Some(_) => {}
        }
    }
}

/// Sends the command's input and its end. A command that does not read it all is within its rights.
async fn feed(writer: Arc<ChannelWriteHalf<Msg>>, input: Option<Bytes>) {
    if let Some(input) = input
        && let Err(error) = writer.data_bytes(input).await
    {
        tracing::debug!(%error, "the command's input was cut short");
        return;
    }
    if let Err(error) = writer.eof().await {
        tracing::debug!(%error, "the end of the command's input was not sent");
    }
}

/// Something the server answers with yes or no.
enum Request {
    Terminal,
    Command,
}

impl Request {
    fn refused(self, address: &str) -> Error {
        let (what, hint) = match self {
            Self::Terminal => (
                "a pseudo-terminal",
                "see PermitTTY in the guest's sshd_config, or do without ssh_pty",
            ),
            Self::Command => (
                "to run a command",
                "see ForceCommand and the login shell of the user in the guest",
            ),
        };
        Error::Refused {
            address: address.to_owned(),
            what: what.to_owned(),
            hint,
        }
    }
}

fn signal(signal: &Sig) -> String {
    match signal {
        Sig::Custom(name) => readable(name),
        known => format!("{known:?}"),
    }
}

/// Closes the channel when the command is done with or given up, so that the guest lets go as well.
struct CloseOnDrop(Arc<ChannelWriteHalf<Msg>>);

impl Drop for CloseOnDrop {
    fn drop(&mut self) {
        let writer = Arc::clone(&self.0);
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                if let Err(error) = writer.close().await {
                    tracing::debug!(%error, "the channel was not closed: the connection is gone");
                }
            });
        }
    }
}
