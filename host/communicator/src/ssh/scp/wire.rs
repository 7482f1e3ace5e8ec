//! The guest's `scp` at the other end of a channel: its bytes, its answers and its end.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use russh::{ChannelMsg, ChannelReadHalf};
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

use super::record::Record;
use crate::budget::Budget;
use crate::error::{Error, Result};
use crate::ssh::open_channels::{OpenChannel, OpenWriter};
use crate::ssh::session::{Server, Session, describe, readable};
use crate::ssh::sftp_trouble::{EXPIRED_ADVICE, TALKS_ADVICE, is_expiry, is_not_run};

/// The longest line that is taken: a path's longest is 4096 bytes, and OpenSSH's buffer little
/// more.
const LINE_MAXIMUM: usize = 8 * 1024;
/// Bytes that may wait to be read while we send: two messages of a channel.
const UNREAD_MAXIMUM: usize = 64 * 1024;
/// Bytes of the guest's standard error that are kept for a message.
const WORDS_MAXIMUM: usize = 1024;
/// Bytes of it in all: a scp that warns of every file it leaves out stays below.
const NOISE_MAXIMUM: usize = 4 * 1024 * 1024;
const STARTING: &str = "while scp was starting";
/// Time for the guest's scp to end when something went wrong.
const ENDING: Duration = Duration::from_secs(2);

/// A running `scp` in the guest. It ends when this is dropped.
pub(in crate::ssh) struct Wire {
    session: Arc<Session>,
    messages: ChannelReadHalf,
    writer: OpenWriter,
    unread: BytesMut,
    /// Nothing more comes, and nobody hears what is sent.
    closed: bool,
    words: Vec<u8>,
    /// Bytes of standard error that came.
    noise: usize,
    /// Whether the last line told times.
    told_times: bool,
    budget: Budget,
    exit: Option<u32>,
    /// What the wire is at, for messages.
    action: &'static str,
    path: String,
}

impl Wire {
    /// Starts `command`.
    pub(in crate::ssh) async fn start(
        session: Arc<Session>,
        channel: OpenChannel,
        command: &str,
    ) -> Result<Self> {
        let OpenChannel { messages, writer } = channel;
        let mut wire = Self {
            session,
            messages,
            writer,
            unread: BytesMut::new(),
            closed: false,
            words: Vec::new(),
            noise: 0,
            told_times: false,
            budget: Budget::default(),
            exit: None,
            action: "start",
            path: "scp".to_owned(),
        };
        let session = Arc::clone(&wire.session);
        session
            .during(|| STARTING.to_owned(), wire.ask(command))
            .await?;
        Ok(wire)
    }

    async fn ask(&mut self, command: &str) -> Result<()> {
        self.writer
            .exec(true, command)
            .await
            .map_err(|error| self.lost(&error))?;
        loop {
            let answer = timeout(self.session.answer_timeout, self.messages.wait()).await;
            match answer.map_err(|_| self.session.silent("start", "scp"))? {
                Some(ChannelMsg::Success) => return Ok(()),
                Some(ChannelMsg::Failure) => {
                    return Err(Error::Refused {
                        address: self.session.address.clone(),
                        what: "to run scp".to_owned(),
                        hint: "see ForceCommand and the login shell of the user in the guest",
                    });
                }
                Some(ChannelMsg::Close) if !self.session.is_closed() => {
                    return Err(Error::Unanswered {
                        address: self.session.address.clone(),
                    });
                }
                Some(ChannelMsg::Close) | None => {
                    return Err(self.session.lost(STARTING, None));
                }
                Some(_) => {}
            }
        }
    }

    /// The connection this goes over.
    pub(in crate::ssh) fn session(&self) -> &Arc<Session> {
        &self.session
    }

    /// From now on it is about doing this to that.
    pub(super) fn subject(&mut self, action: &'static str, path: &str) {
        self.action = action;
        path.clone_into(&mut self.path);
    }

    /// From now on this is done to it.
    pub(super) fn doing(&mut self, action: &'static str) {
        self.action = action;
    }

    /// What it is about.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// The error for a step that the guest did not do.
    pub(super) fn failed(&self, reason: String) -> Error {
        // The guest's scp begins with the path, which the message has already.
        let bare = reason
            .strip_prefix(self.path.as_str())
            .and_then(|rest| rest.strip_prefix(": "));
        Error::Remote {
            action: self.action,
            path: self.path.clone(),
            reason: bare.unwrap_or(&reason).to_owned(),
        }
    }

    /// The error for what a guest's scp may not send.
    pub(super) fn refused(&self, reason: &'static str) -> Error {
        Error::Unsafe {
            path: self.path.clone(),
            reason,
        }
    }

    /// The error for a guest's scp that ended too early.
    pub(super) fn ended(&self) -> Error {
        let words = readable(String::from_utf8_lossy(&self.words).trim());
        if is_expiry(&words) {
            return self.failed(format!("{words} {EXPIRED_ADVICE}"));
        }
        if self.exit.is_some_and(is_not_run) {
            return Error::NoScp {
                address: self.session.address.clone(),
                source: (!words.is_empty()).then(|| words.into()),
            };
        }
        self.failed(if words.is_empty() {
            "the guest's scp ended before it was done".to_owned()
        } else {
            words
        })
    }

    fn lost(&self, error: &russh::Error) -> Error {
        let during = format!("during the transfer of {}", self.path);
        self.session
            .lost(during, Some(describe(error, Server::Guest)))
    }

    /// Sends these bytes. To a guest that has ended nothing is sent, and it is no error yet: what
    /// it said before is still to be read.
    pub(super) async fn send(&mut self, bytes: Bytes) -> Result<()> {
        let writer = self.writer.half();
        let sending = writer.data_bytes(bytes);
        tokio::pin!(sending);
        let taken_by = Instant::now() + self.session.answer_timeout;
        while !self.closed {
            if self.unread.len() > UNREAD_MAXIMUM || self.noise > NOISE_MAXIMUM {
                return Err(self.failed("its scp speaks without listening".to_owned()));
            }
            tokio::select! {
                sent = &mut sending => return sent.map_err(|error| self.lost(&error)),
                // A guest that ends would never take the rest.
                message = self.messages.wait() => self.note(message),
                () = sleep_until(taken_by) => return Err(self.silent()),
            }
        }
        Ok(())
    }

    /// Whether the guest has ended.
    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Says that all is well so far.
    pub(super) async fn accept(&mut self) -> Result<()> {
        self.send(Bytes::from_static(b"\0")).await
    }

    fn note(&mut self, message: Option<ChannelMsg>) {
        match message {
            Some(ChannelMsg::Data { data }) => self.unread.extend_from_slice(&data),
            Some(ChannelMsg::ExtendedData { data, .. }) => {
                self.noise = self.noise.saturating_add(data.len());
                let room = WORDS_MAXIMUM.saturating_sub(self.words.len());
                self.words.extend(data.iter().take(room));
            }
            Some(ChannelMsg::ExitStatus { exit_status }) => self.exit = Some(exit_status),
            // The exit status may come after the end of the bytes, but not after this.
            Some(ChannelMsg::Close) | None => self.closed = true,
            Some(_) => {}
        }
    }

    /// Waits until there are bytes to read; false at their end.
    async fn fill(&mut self) -> Result<bool> {
        let began = Instant::now();
        while self.unread.is_empty() && !self.closed {
            let message =
                timeout_at(began + self.session.answer_timeout, self.messages.wait()).await;
            self.note(message.map_err(|_| self.silent())?);
            if self.noise > NOISE_MAXIMUM {
                return Err(self.failed("its scp does not stop complaining".to_owned()));
            }
        }
        let within = self.budget.waited(began.elapsed());
        within.map_err(|reason| self.refused(reason))?;
        Ok(!self.unread.is_empty())
    }

    fn silent(&self) -> Error {
        self.failed(self.session.no_answer())
    }

    /// A file comes, so long as it says.
    pub(super) fn file(&mut self, length: u64) {
        self.budget.file(Some(length));
    }

    /// A file or folder comes.
    pub(super) fn entry(&mut self) -> Result<()> {
        let within = self.budget.entry();
        within.map_err(|reason| self.refused(reason))
    }

    async fn byte(&mut self) -> Result<u8> {
        if !self.fill().await? {
            return Err(self.ended());
        }
        Ok(self.unread.get_u8())
    }

    /// Bytes of a file, at least one and no more than `most`.
    pub(super) async fn receive(&mut self, most: u64) -> Result<Bytes> {
        if !self.fill().await? {
            return Err(self.ended());
        }
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let count = self.unread.len().min(most);
        let within = self.budget.bytes(count);
        within.map_err(|reason| self.refused(reason))?;
        Ok(self.unread.split_to(count).freeze())
    }

    /// The rest of a line.
    async fn line(&mut self, mut line: Vec<u8>) -> Result<Vec<u8>> {
        loop {
            match self.byte().await? {
                b'\n' => return Ok(line),
                _ if line.len() >= LINE_MAXIMUM => {
                    return Err(self.failed("a line came that is too long".to_owned()));
                }
                byte => line.push(byte),
            }
        }
    }

    /// Waits for the other side to say that all is well.
    pub(super) async fn accepted(&mut self) -> Result<()> {
        match self.byte().await? {
            0 => Ok(()),
            1 | 2 => {
                let line = self.line(Vec::new()).await?;
                match Record::trouble(&line) {
                    Record::Trouble { reason } => Err(self.failed(reason)),
                    _ => Err(self.ended()),
                }
            }
            // A shell that greets, even where nobody is at a terminal.
            first => {
                let line = self.line(vec![first]).await?;
                let text = readable(&String::from_utf8_lossy(&line));
                let advice = match is_expiry(&text) {
                    true => EXPIRED_ADVICE,
                    false => TALKS_ADVICE,
                };
                Err(self.failed(format!("instead of scp's answer came {text:?}: {advice}")))
            }
        }
    }

    /// The next line of what is sent to us; nothing at its end.
    pub(super) async fn record(&mut self) -> Result<Option<Record>> {
        if !self.fill().await? {
            return Ok(None);
        }
        let line = self.line(Vec::new()).await?;
        let record = Record::parse(&line).map_err(|reason| self.refused(reason))?;
        let times = record == Record::Times;
        // They are those of what comes next.
        if std::mem::replace(&mut self.told_times, times) && times {
            return Err(self.refused("times came that are of nothing"));
        }
        Ok(Some(record))
    }

    /// Lets the guest's scp end, whose work has `done` this: a server that allows one session at a time
    /// gives no other one before.
    pub(in crate::ssh) async fn over<T>(mut self, done: Result<T>) -> Result<T> {
        if !self.closed && !self.session.is_closed() {
            let bound = ENDING.min(self.session.answer_timeout);
            let ending = async {
                let said = self.writer.eof().await;
                while said.is_ok()
                    && !matches!(self.messages.wait().await, Some(ChannelMsg::Close) | None)
                {
                }
            };
            if timeout(bound, ending).await.is_err() {
                tracing::debug!("the guest's scp does not end");
            }
        }
        done
    }

    /// Says that nothing follows, and waits for the end.
    pub(super) async fn finish(&mut self) -> Result<()> {
        let said = self.writer.eof().await;
        said.map_err(|error| self.lost(&error))?;
        if self.fill().await? {
            return Err(self.refused("more came than was asked for"));
        }
        match self.exit {
            Some(0) | None => Ok(()),
            Some(_) => Err(self.ended()),
        }
    }
}
