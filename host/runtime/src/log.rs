//! The log of one call: what a component says, line by line, bounded and made harmless.
//!
//! Lines go to [`Services::log`](crate::Services::log) while a volume is prepared, and to `tracing`
//! otherwise. What is over the limit is counted, and one last line tells how much it was.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::child::Connection;
use crate::crash::Written;
use crate::limits;
use crate::request::Request;
use crate::services::Services;
use crate::types::Level;
use crate::untrusted;

/// Shared by the call and the component's standard streams.
#[derive(Clone)]
pub(crate) struct SharedLog(Outlet);

#[derive(Clone)]
enum Outlet {
    Here(Arc<Mutex<Log>>),
    /// In a child process: all that is said goes to the parent as it is, and is bounded there.
    Parent(Connection),
}

struct Log {
    component: Arc<str>,
    services: Option<Arc<dyn Services>>,
    lines_left: usize,
    bytes_left: usize,
    dropped: u64,
    /// Begun lines of standard output and standard error.
    begun: [Vec<u8>; 2],
    /// For the case that it crashes.
    written: Written,
}

/// A component's standard streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Stream {
    Output,
    Error,
}

impl Stream {
    fn level(self) -> Level {
        match self {
            Self::Output => Level::Info,
            Self::Error => Level::Warning,
        }
    }
}

impl SharedLog {
    pub(crate) fn new(
        component: Arc<str>,
        services: Option<Arc<dyn Services>>,
        lines: usize,
        bytes: usize,
    ) -> Self {
        Self(Outlet::Here(Arc::new(Mutex::new(Log {
            component,
            services,
            lines_left: lines,
            bytes_left: bytes,
            dropped: 0,
            begun: Default::default(),
            written: Written::default(),
        }))))
    }

    /// The log of a component in this child process.
    pub(crate) fn of_parent(parent: Connection) -> Self {
        Self(Outlet::Parent(parent))
    }

    fn with<T>(log: &Mutex<Log>, act: impl FnOnce(&mut Log) -> T) -> T {
        act(&mut log.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A message, which may have several lines.
    pub(crate) fn message(&self, level: Level, message: &str) {
        if let Outlet::Here(log) = &self.0 {
            Self::with(log, |log| {
                message.lines().for_each(|line| log.line(level, line));
            });
        }
    }

    /// Bytes of a standard stream, which may begin and end in the middle of a line or a character.
    pub(crate) fn bytes(&self, stream: Stream, bytes: &[u8]) {
        match &self.0 {
            Outlet::Here(log) => Self::with(log, |log| log.bytes(stream, bytes)),
            Outlet::Parent(parent) => {
                // Without a parent this process ends at its next question.
                let _ = parent.ask(Request::Output(stream), Bytes::copy_from_slice(bytes));
            }
        }
    }

    /// Shows unfinished lines and how many were dropped. Answers what was written.
    pub(crate) fn finish(&self) -> Written {
        let Outlet::Here(log) = &self.0 else {
            return Written::default();
        };
        Self::with(log, |log| {
            for stream in [Stream::Output, Stream::Error] {
                if !log.begun[stream as usize].is_empty() {
                    log.end_line(stream);
                }
            }
            let dropped = std::mem::take(&mut log.dropped);
            if dropped > 0 {
                let more = format!("{dropped} more lines of its log were dropped");
                log.show(Level::Warning, &more);
            }
            std::mem::take(&mut log.written)
        })
    }
}

impl Log {
    fn bytes(&mut self, stream: Stream, bytes: &[u8]) {
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            let (line, ends) = match piece.split_last() {
                Some((b'\n', line)) => (line, true),
                _ => (piece, false),
            };
            // A line that never ends is cut: one byte more than is shown, so that this is seen.
            let begun = &mut self.begun[stream as usize];
            let room = (limits::SENTENCE + 1).saturating_sub(begun.len());
            begun.extend_from_slice(&line[..line.len().min(room)]);
            if ends {
                self.end_line(stream);
            }
        }
    }

    fn end_line(&mut self, stream: Stream) {
        let line = std::mem::take(&mut self.begun[stream as usize]);
        let line = String::from_utf8_lossy(&line);
        if !line.trim().is_empty() {
            self.written
                .push(untrusted::line(line.trim_end(), limits::SUMMARY));
        }
        self.line(stream.level(), &line);
    }

    fn line(&mut self, level: Level, line: &str) {
        let line = untrusted::line(line, limits::SENTENCE);
        if self.lines_left == 0 || self.bytes_left < line.len() {
            self.lines_left = 0;
            self.dropped += 1;
            return;
        }
        self.lines_left -= 1;
        self.bytes_left -= line.len();
        self.show(level, &line);
    }

    fn show(&self, level: Level, line: &str) {
        match (&self.services, level) {
            (Some(services), _) => services.log(level, line),
            (None, Level::Debug) => tracing::debug!(source = &*self.component, "{line}"),
            (None, Level::Info) => tracing::info!(source = &*self.component, "{line}"),
            (None, Level::Warning) => tracing::warn!(source = &*self.component, "{line}"),
        }
    }
}
