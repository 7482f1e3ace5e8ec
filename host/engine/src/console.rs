//! What the guest writes to its serial console: all of it in a file, the last lines at hand for when
//! the build fails, and each line to the user if asked for.
//!
//! ```text
//!  domain ──stream──► task ──┬─► file   (at most LOG_MAXIMUM bytes)
//!                            ├─► tail   (the last LINES_KEPT lines)
//!                            └─► Ui     (where the user wants to watch)
//! ```

use std::collections::VecDeque;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lvhost_libvirt::Console;
use tokio::fs::File;
use tokio::io::AsyncWriteExt;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::private_file;
use crate::ui::{Stream, Ui};

/// The end of the console that is shown of a failed build: about one screen.
const LINES_KEPT: usize = 25;

/// The longest line, in bytes. A guest can write without ever ending a line.
const LINE_MAXIMUM: usize = 1024;

/// The largest log: hours of a chatty kernel, and still no danger to the user's disk.
const LOG_MAXIMUM: u64 = 64 << 20;

/// How long a console says nothing before it counts as quiet: more than a stream takes from the
/// hypervisor to here.
const QUIET: Duration = Duration::from_millis(100);

/// How long the end of a build may wait for a console to be quiet.
const SETTLED: Duration = Duration::from_secs(1);

/// Listens to a console until it is dropped or the domain ends.
pub(crate) struct Recorder {
    tail: Arc<Mutex<Tail>>,
    /// How many bytes have come. Closed when no more will.
    received: watch::Receiver<u64>,
    task: JoinHandle<()>,
}

impl Recorder {
    /// Begins to listen. `path` is where all that comes is kept.
    pub(crate) async fn start(
        console: Box<dyn Console>,
        path: Option<&Path>,
        watcher: Option<Arc<dyn Ui>>,
    ) -> io::Result<Self> {
        let log = match path {
            Some(path) => Some(Log::create(path).await?),
            None => None,
        };
        let tail = Arc::default();
        let (count, received) = watch::channel(0);
        let task = tokio::spawn(record(console, log, Arc::clone(&tail), count, watcher));
        Ok(Self {
            tail,
            received,
            task,
        })
    }

    /// Waits for what is still on its way: until the console has ended or is quiet.
    pub(crate) async fn settle(&self) {
        let mut received = self.received.clone();
        let quiet = async { while let Ok(Ok(())) = timeout(QUIET, received.changed()).await {} };
        // One that is never quiet has been heard enough.
        let _ = timeout(SETTLED, quiet).await;
    }

    /// The last lines that came, the one that has not ended included.
    pub(crate) fn last_lines(&self) -> Vec<String> {
        self.tail
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .last_lines()
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn record(
    mut console: Box<dyn Console>,
    mut log: Option<Log>,
    tail: Arc<Mutex<Tail>>,
    count: watch::Sender<u64>,
    watcher: Option<Arc<dyn Ui>>,
) {
    loop {
        let bytes = match console.read().await {
            Ok(Some(bytes)) => bytes,
            Ok(None) => break,
            Err(error) => {
                tracing::debug!(%error, "the guest's console can't be read any more");
                break;
            }
        };
        if let Some(log) = &mut log {
            log.write(&bytes).await;
        }
        let lines = tail
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take(&bytes);
        count.send_modify(|count| *count += bytes.len() as u64);
        if let Some(ui) = &watcher {
            for line in lines {
                ui.output(Stream::Stdout, &line);
            }
        }
    }
}

/// The file of all that came.
struct Log {
    file: File,
    written: u64,
}

impl Log {
    /// A new file: a console shows passwords that are typed, and those that cloud-init makes.
    async fn create(path: &Path) -> io::Result<Self> {
        Ok(Self {
            file: private_file::create(path).await?,
            written: 0,
        })
    }

    async fn write(&mut self, bytes: &[u8]) {
        let room = usize::try_from(LOG_MAXIMUM - self.written).unwrap_or(usize::MAX);
        let bytes = &bytes[..bytes.len().min(room)];
        if bytes.is_empty() {
            return;
        }
        let written = async {
            self.file.write_all(bytes).await?;
            self.file.flush().await
        };
        match written.await {
            Ok(()) => self.written += bytes.len() as u64,
            Err(error) => {
                tracing::warn!(%error, "the log of the guest's console can't be written any more");
                self.written = LOG_MAXIMUM;
            }
        }
    }
}

/// The end of what came, in lines.
#[derive(Default)]
struct Tail {
    ended: VecDeque<String>,
    unfinished: Vec<u8>,
}

impl Tail {
    /// Takes what came; returns the lines that ended with it.
    fn take(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        for byte in bytes {
            if *byte != b'\n' {
                self.unfinished.push(*byte);
            }
            if *byte == b'\n' || self.unfinished.len() >= LINE_MAXIMUM {
                let line = text(&self.unfinished);
                self.unfinished.clear();
                lines.push(line.clone());
                self.ended.push_back(line);
            }
        }
        let surplus = self.ended.len().saturating_sub(LINES_KEPT);
        self.ended.drain(..surplus);
        lines
    }

    fn last_lines(&self) -> Vec<String> {
        let mut lines: Vec<_> = self.ended.iter().cloned().collect();
        if !self.unfinished.is_empty() {
            lines.push(text(&self.unfinished));
        }
        lines
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes)
        .trim_end_matches('\r')
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_where_the_guest_ends_them() {
        let mut tail = Tail::default();
        assert_eq!(tail.take(b"boo"), Vec::<String>::new());
        assert_eq!(tail.last_lines(), ["boo"]);
        assert_eq!(tail.take(b"ting\r\nlog"), ["booting"]);
        assert_eq!(tail.take(b"in: \xff"), Vec::<String>::new());
        assert_eq!(tail.last_lines(), ["booting", "login: \u{fffd}"]);
    }

    #[test]
    fn only_the_end_is_kept() {
        let mut tail = Tail::default();
        for number in 0..1000 {
            tail.take(format!("line {number}\n").as_bytes());
        }
        let lines = tail.last_lines();
        assert_eq!(lines.len(), LINES_KEPT);
        assert_eq!(lines.last().map(String::as_str), Some("line 999"));
    }

    #[test]
    fn a_line_without_an_end_is_cut() {
        let mut tail = Tail::default();
        let lines = tail.take(&vec![b'x'; 10 * LINE_MAXIMUM + 5]);
        assert_eq!(lines.len(), 10);
        assert!(lines.iter().all(|line| line.len() == LINE_MAXIMUM));
        assert_eq!(tail.last_lines().last().map(String::len), Some(5));
    }
}
