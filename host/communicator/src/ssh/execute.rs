//! One command over one channel.
//!
//! ```text
//!   pty-req ─► exec ─► output … ─► exit-status ─► close
//!      │         │        │ connection lost          │
//!      ▼         ▼        ▼                          ▼
//!    refused   refused   Missing                Code or Signal
//! ```
//! A command may take any time and say any amount, but the answer whether it runs may not. A channel
//! that is closed before the server has said yes or no to the command is
//! [`Error::Unanswered`]: nothing has been started. The input is sent, and so used up, only once
//! the server has said yes.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use russh::client::Msg;
use russh::{ChannelMsg, ChannelWriteHalf, Pty, Sig};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::{Instant, sleep_until};

use super::open_channels::OpenChannel;
use super::session::{Server, Session, describe, readable};
use crate::communicator::{Command, ExitStatus};
use crate::error::{Error, Result};
use crate::taker::{Origin, Taker};

/// The stream of extended data that is standard error (RFC 4254, section 5.2).
const STDERR: u32 = 1;
/// The terminal a command sees when it is given one: the kind, and its size in characters.
const TERMINAL: (&str, u32, u32) = ("xterm", 80, 40);
/// It does not repeat the command's input in its output, as in Packer.
const TERMINAL_MODES: [(Pty, u32); 1] = [(Pty::ECHO, 0)];
/// Bytes of input that are read and sent at a time: one packet's worth.
const PIECE: usize = 32 * 1024;

/// Where a command's input comes from.
pub(super) enum Input<'a> {
    /// All of it is here already.
    Bytes(Option<Bytes>),
    /// It comes bit by bit.
    Reader(&'a mut (dyn AsyncRead + Send + Unpin)),
}

/// A command with all that belongs to it.
pub(super) struct Execution<'a> {
    pub(super) command: &'a Command,
    /// Give it a terminal whatever the command says.
    pub(super) pty: bool,
    /// Let it use the SSH agent that the connection forwards.
    pub(super) agent: bool,
    pub(super) input: Input<'a>,
    pub(super) taker: Taker<'a>,
    /// Called when the server has said that the command runs.
    pub(super) started: Option<&'a mut (dyn FnMut() + Send)>,
}

/// Runs a command and hands over its output until the guest closes the channel.
///
/// As with OpenSSH's own client that is when the last process that holds the command's output has
/// closed it: what a script leaves in the background must let go of its output.
pub(super) async fn execute(
    session: &Session,
    channel: OpenChannel,
    execution: Execution<'_>,
) -> Result<ExitStatus> {
    let Execution {
        command,
        pty,
        agent,
        input,
        mut taker,
        mut started,
    } = execution;
    let OpenChannel {
        mut messages,
        writer,
    } = channel;
    // What has been asked for and not been answered, the next answer last.
    let mut asked = vec![Request::Command];
    let not_sent = |error: russh::Error| {
        session.lost(
            "before the command was sent",
            Some(describe(&error, Server::Guest)),
        )
    };
    let _lent = agent.then(|| session.loan.lend());
    if agent {
        // A guest that forbids it runs the command all the same, as with OpenSSH's client.
        writer.agent_forward(false).await.map_err(not_sent)?;
    }
    if pty || command.pty {
        let (kind, columns, rows) = TERMINAL;
        writer
            .request_pty(true, kind, columns, rows, 0, 0, &TERMINAL_MODES)
            .await
            .map_err(not_sent)?;
        asked.push(Request::Terminal);
    }
    writer
        .exec(true, command.text.as_bytes())
        .await
        .map_err(not_sent)?;

    let feeding = feed(writer.half(), input);
    tokio::pin!(feeding);
    let mut fed = false;
    let answered_by = Instant::now() + session.answer_timeout;
    let mut status = ExitStatus::Missing;
    loop {
        let runs = asked.is_empty();
        let message = tokio::select! {
            message = messages.wait() => message,
            () = &mut feeding, if runs && !fed => {
                fed = true;
                continue;
            }
            () = sleep_until(answered_by), if !runs => {
                return Err(session.silent("run", "a command"));
            }
        };
        {
            let handing_over = hand_over(&message, &mut taker);
            tokio::pin!(handing_over);
            // Whoever takes the output may wait for the command to get its input.
            loop {
                tokio::select! {
                    () = &mut handing_over => break,
                    () = &mut feeding, if runs && !fed => fed = true,
                }
            }
        }
        match message {
            Some(ChannelMsg::ExitStatus { exit_status }) => status = ExitStatus::Code(exit_status),
            Some(ChannelMsg::ExitSignal { signal_name, .. }) => {
                status = ExitStatus::Signal(signal(&signal_name));
            }
            Some(ChannelMsg::Success) => {
                asked.pop();
                if asked.is_empty()
                    && let Some(started) = started.take()
                {
                    started();
                }
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

/// Hands over the output in `message`, if that is what it is.
async fn hand_over(message: &Option<ChannelMsg>, taker: &mut Taker<'_>) {
    match message {
        Some(ChannelMsg::Data { data }) => taker.take(Origin::Output, data).await,
        Some(ChannelMsg::ExtendedData { data, ext: STDERR }) => {
            taker.take(Origin::Error, data).await;
        }
        _ => {}
    }
}

/// Sends the command's input and its end. A command that does not read it all is within its rights.
async fn feed(writer: Arc<ChannelWriteHalf<Msg>>, input: Input<'_>) {
    let sent = match input {
        Input::Bytes(None) => Ok(()),
        Input::Bytes(Some(input)) => writer.data_bytes(input).await,
        Input::Reader(reader) => pump(&writer, reader).await,
    };
    if let Err(error) = sent {
        tracing::debug!(%error, "the command's input was cut short");
        return;
    }
    if let Err(error) = writer.eof().await {
        tracing::debug!(%error, "the end of the command's input was not sent");
    }
}

async fn pump(
    writer: &ChannelWriteHalf<Msg>,
    reader: &mut (dyn AsyncRead + Send + Unpin),
) -> Result<(), russh::Error> {
    let mut piece = BytesMut::new();
    loop {
        piece.reserve(PIECE);
        match reader.read_buf(&mut piece).await {
            Ok(0) => return Ok(()),
            Ok(_) => writer.data_bytes(piece.split().freeze()).await?,
            Err(error) => {
                // To the command it is the end of its input.
                tracing::warn!(%error, "a command's input could not be read to its end");
                return Ok(());
            }
        }
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
