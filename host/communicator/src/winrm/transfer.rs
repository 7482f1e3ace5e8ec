//! Files to and from a Windows guest: the lines of [`powershell`](super::powershell) over a
//! command's input or output, with the digest of every file compared.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use tokio::io::{
    AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader, DuplexStream,
    duplex,
};
use tokio::time::Instant;
use walkdir::WalkDir;

use super::WinRm;
use super::powershell::{LINE_BYTES, Line, command_line, receiver, sender};
use super::shell::{Execution, execute};
use crate::budget::Budget;
use crate::communicator::{ExitStatus, Output, Progress};
use crate::error::{Error, Result};
use crate::exclude::Exclude;
use crate::local_file::{GuestsFolder, open_regular};
use crate::taker::Taker;

/// Bytes that wait between a file and the connection.
const BUFFER: usize = 256 * 1024;
/// The bytes of a line from the guest: a piece of a file in base64, and nothing is longer.
const LINE_MAXIMUM: u64 = 64 * 1024;
/// The bytes that the guest may say about an upload: a digest a file, for a hundred thousand files.
const ANSWER_MAXIMUM: usize = 8 * 1024 * 1024;
/// How deep a folder in the guest may be nested, as with SSH.
const DEPTH_MAXIMUM: usize = 128;
/// The end of what PowerShell says about an error.
const COMPLAINT_MAXIMUM: usize = 4 * 1024;

/// Writes `source` to the guest's file `destination`.
pub(super) async fn upload(
    winrm: &WinRm,
    source: &mut (dyn AsyncRead + Send + Unpin),
    length: Option<u64>,
    destination: &str,
    progress: &dyn Progress,
) -> Result<()> {
    let (mut lines, reader) = Lines::new();
    let sending = async move {
        lines
            .file(String::new(), destination, source, length, progress)
            .await?;
        Ok(lines.digests)
    };
    receive(winrm, destination, sending, reader).await
}

/// Copies the local folder `source` into the guest's folder `destination`.
pub(super) async fn upload_directory(
    winrm: &WinRm,
    source: &Path,
    destination: &str,
    exclude: &[String],
    progress: &dyn Progress,
) -> Result<()> {
    let exclude = Exclude::new(exclude)?;
    let contents_only = source.as_os_str().as_encoded_bytes().ends_with(b"/");
    let destination = match source.file_name().and_then(|name| name.to_str()) {
        Some(name) if !contents_only => format!("{}/{name}", destination.trim_end_matches('/')),
        _ => destination.to_owned(),
    };
    let (mut lines, reader) = Lines::new();
    let root = destination.clone();
    let sending = async move {
        lines.line(&Line::Folder(String::new())).await;
        for entry in entries(source, &exclude)? {
            match entry {
                Entry::Folder(path) => lines.line(&Line::Folder(path)).await,
                Entry::File(path, local) => {
                    let failed = |error| local_error("read", &local, error);
                    let (mut file, length) = open_regular(&local).await.map_err(failed)?;
                    let remote = format!("{root}/{path}");
                    lines
                        .file(path, &remote, &mut file, Some(length), progress)
                        .await?;
                }
            }
        }
        Ok(lines.digests)
    };
    receive(winrm, &destination, sending, reader).await
}

/// Something in a local folder, with its path below that, in slashes.
enum Entry {
    Folder(String),
    File(String, PathBuf),
}

/// What is in a folder, in order. Links are followed; one that leads back to a folder it stands in is
/// left out, else there would be no end.
fn entries(source: &Path, exclude: &Exclude) -> Result<Vec<Entry>> {
    let name = |path: &Path| -> Option<String> {
        let parts: Option<Vec<&str>> = path
            .strip_prefix(source)
            .ok()?
            .iter()
            .map(|part| part.to_str())
            .collect();
        Some(parts?.join("/"))
    };
    let walk = WalkDir::new(source)
        .follow_links(true)
        .sort_by_file_name()
        .min_depth(1);
    let mut entries = Vec::new();
    for entry in walk
        .into_iter()
        .filter_entry(|entry| !name(entry.path()).is_some_and(|path| exclude.matches(&path)))
    {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) if error.loop_ancestor().is_some() => continue,
            Err(error) => {
                let path = error.path().unwrap_or(source).to_owned();
                return Err(local_error("read", &path, error.into()));
            }
        };
        let unusable = |reason| {
            let error = std::io::Error::new(std::io::ErrorKind::InvalidInput, reason);
            local_error("upload", entry.path(), error)
        };
        let path = name(entry.path()).ok_or_else(|| unusable("its name is not UTF-8"))?;
        let kind = entry.file_type();
        if kind.is_dir() {
            entries.push(Entry::Folder(path));
        } else if kind.is_file() {
            entries.push(Entry::File(path, entry.path().to_owned()));
        } else {
            return Err(unusable("it is neither a file nor a folder: exclude it"));
        }
    }
    Ok(entries)
}

/// The lines of an upload on their way to the command's input. A command that has ended takes none:
/// why, it says itself.
struct Lines {
    writer: DuplexStream,
    /// Of the files that were sent.
    digests: Vec<String>,
}

impl Lines {
    fn new() -> (Self, DuplexStream) {
        let (writer, reader) = duplex(BUFFER);
        let digests = Vec::new();
        (Self { writer, digests }, reader)
    }

    async fn line(&mut self, line: &Line) {
        if let Err(error) = self.writer.write_all(line.encode().as_bytes()).await {
            tracing::debug!(%error, "the guest takes no more of an upload");
        }
    }

    async fn file(
        &mut self,
        path: String,
        remote: &str,
        source: &mut (dyn AsyncRead + Send + Unpin),
        length: Option<u64>,
        progress: &dyn Progress,
    ) -> Result<()> {
        progress.started(remote, length);
        self.line(&Line::File(path)).await;
        let mut digest = Sha256::new();
        let mut bytes = vec![0; LINE_BYTES];
        loop {
            let count = source
                .read(&mut bytes)
                .await
                .map_err(|source| Error::Stream {
                    action: "read",
                    path: remote.to_owned(),
                    source,
                })?;
            if count == 0 {
                break;
            }
            digest.update(&bytes[..count]);
            self.line(&Line::Bytes(bytes[..count].to_vec())).await;
            progress.advanced(count as u64);
        }
        self.line(&Line::End(String::new())).await;
        self.digests.push(hex(&digest.finalize()));
        progress.finished();
        Ok(())
    }
}

/// Runs the receiving script in the guest, fed by `sending`, and compares the digests.
async fn receive(
    winrm: &WinRm,
    destination: &str,
    sending: impl Future<Output = Result<Vec<String>>> + Send,
    mut reader: DuplexStream,
) -> Result<()> {
    let command = command_line(&receiver(destination));
    let mut said = Said::default();
    let running = async {
        let execution = Execution {
            text: &command,
            input: Some(&mut reader),
            taker: Taker::Output(&mut said),
            started: None,
        };
        let status = execute(winrm, execution).await;
        // Whoever still writes learns that nobody reads.
        drop(reader);
        status
    };
    let (sent, status) = tokio::join!(sending, running);
    let status = status?;
    let sent = sent?;
    said.expect_success("write", destination, &status)?;
    let received: Vec<String> = String::from_utf8_lossy(&said.output)
        .lines()
        .filter_map(Line::decode)
        .filter_map(|line| match line {
            Line::End(digest) => Some(digest),
            _ => None,
        })
        .collect();
    if received == sent {
        return Ok(());
    }
    Err(Error::Remote {
        action: "write",
        path: destination.to_owned(),
        reason: "the SHA-256 of what arrived is not that of what was sent".to_owned(),
    })
}

/// Writes the guest's file `source` to `destination`.
pub(super) async fn download(
    winrm: &WinRm,
    source: &str,
    destination: &mut (dyn AsyncWrite + Send + Unpin),
    progress: &dyn Progress,
) -> Result<u64> {
    let mut count = 0;
    let mut taking = async |mut lines: Incoming| {
        let path = source.to_owned();
        if lines.next(source).await? != Some(Line::File(String::new())) {
            return Err(lines.broken(source));
        }
        progress.started(source, None);
        count = lines.body(&path, destination, progress).await?;
        progress.finished();
        lines.end(source).await
    };
    let (writer, lines) = Incoming::new();
    send(winrm, source, false, writer, taking(lines)).await?;
    Ok(count)
}

/// Copies the guest's folder `source` into the local folder `destination`.
pub(super) async fn download_directory(
    winrm: &WinRm,
    source: &str,
    destination: &Path,
    exclude: &[String],
    progress: &dyn Progress,
) -> Result<()> {
    let exclude = Exclude::new(exclude)?;
    let separators = ['/', '\\'];
    let name = source.rsplit(separators).next().filter(|name| safe(name));
    let root = name.map_or_else(|| destination.to_owned(), |name| destination.join(name));
    let taking = async |mut lines: Incoming| {
        let failed = |error| local_error("create", &root, error);
        let (mut folder, _) = GuestsFolder::make(destination).await.map_err(failed)?;
        if let Some(name) = name {
            (folder, _) = folder.folder(name).await.map_err(failed)?;
        }
        while let Some(line) = lines.next(source).await? {
            let (Line::Folder(path) | Line::File(path)) = &line else {
                return Err(lines.broken(source));
            };
            if !path.split('/').all(safe) {
                return Err(excess(path, "it leads out of the folder"));
            }
            if path.split('/').count() > DEPTH_MAXIMUM {
                return Err(excess(path, "it is nested too deeply"));
            }
            let within = lines.budget.entry();
            within.map_err(|reason| excess(path, reason))?;
            let remote = format!("{source}/{path}");
            // What is in an excluded folder is excluded with it.
            let ends = path.match_indices('/').map(|(end, _)| end);
            if ends
                .chain([path.len()])
                .any(|end| exclude.matches(&path[..end]))
            {
                if matches!(line, Line::File(_)) {
                    lines.body(&remote, &mut tokio::io::sink(), &Unseen).await?;
                }
                continue;
            }
            let local = root.join(path);
            let failed = |error| local_error("create", &local, error);
            let (above, name) = match &line {
                Line::File(_) => path.rsplit_once('/').unwrap_or(("", path)),
                _ => (&**path, ""),
            };
            let mut taker = folder.clone();
            for part in above.split('/').filter(|part| !part.is_empty()) {
                (taker, _) = taker.folder(part).await.map_err(failed)?;
            }
            if matches!(line, Line::Folder(_)) {
                continue;
            }
            let mut file = taker.file(name).await.map_err(failed)?;
            progress.started(&remote, None);
            lines.body(&remote, file.writer(), progress).await?;
            file.finish()
                .await
                .map_err(|error| local_error("write", &local, error))?;
            progress.finished();
        }
        Ok(())
    };
    let (writer, lines) = Incoming::new();
    send(winrm, source, true, writer, taking(lines)).await
}

/// The error for what is not taken from a guest.
fn excess(path: &str, reason: &'static str) -> Error {
    Error::Unsafe {
        path: path.to_owned(),
        reason,
    }
}

/// Whether a name from the guest names something in the folder it is put into.
fn safe(name: &str) -> bool {
    !matches!(name, "" | "." | "..") && !name.contains('\0')
}

/// The lines of a download.
struct Incoming {
    reader: BufReader<DuplexStream>,
    budget: Budget,
}

impl Incoming {
    fn new() -> (DuplexStream, Self) {
        let (writer, reader) = duplex(BUFFER);
        let (reader, budget) = (BufReader::new(reader), Budget::default());
        (writer, Self { reader, budget })
    }

    /// The next line; `None` at the end.
    async fn next(&mut self, path: &str) -> Result<Option<Line>> {
        let mut line = Vec::new();
        let mut bounded = (&mut self.reader).take(LINE_MAXIMUM);
        let began = Instant::now();
        let read = bounded.read_until(b'\n', &mut line).await;
        let within = self.budget.waited(began.elapsed());
        within.map_err(|reason| excess(path, reason))?;
        read.map_err(|source| Error::Stream {
            action: "read",
            path: path.to_owned(),
            source,
        })?;
        if line.is_empty() {
            return Ok(None);
        }
        let text = String::from_utf8_lossy(&line);
        match Line::decode(&text) {
            Some(line) => Ok(Some(line)),
            None => Err(self.broken(path)),
        }
    }

    /// The rest of a file, to its end.
    async fn body(
        &mut self,
        path: &str,
        destination: &mut (dyn AsyncWrite + Send + Unpin),
        progress: &dyn Progress,
    ) -> Result<u64> {
        self.budget.file(None);
        let mut digest = Sha256::new();
        let mut count = 0;
        loop {
            match self.next(path).await? {
                Some(Line::Bytes(bytes)) => {
                    let within = self.budget.bytes(bytes.len());
                    within.map_err(|reason| excess(path, reason))?;
                    digest.update(&bytes);
                    count += bytes.len() as u64;
                    let written = destination.write_all(&bytes).await;
                    written.map_err(|source| Error::Stream {
                        action: "write",
                        path: path.to_owned(),
                        source,
                    })?;
                    progress.advanced(bytes.len() as u64);
                }
                Some(Line::End(theirs)) if theirs == hex(&digest.finalize_reset()) => {
                    return Ok(count);
                }
                Some(Line::End(_)) => {
                    return Err(Error::Remote {
                        action: "read",
                        path: path.to_owned(),
                        reason: "the SHA-256 of what arrived is not that of what was sent"
                            .to_owned(),
                    });
                }
                _ => return Err(self.broken(path)),
            }
        }
    }

    async fn end(&mut self, path: &str) -> Result<()> {
        match self.next(path).await? {
            None => Ok(()),
            Some(_) => Err(self.broken(path)),
        }
    }

    fn broken(&self, path: &str) -> Error {
        Error::Remote {
            action: "read",
            path: path.to_owned(),
            reason: "what the guest sent is not what its script sends".to_owned(),
        }
    }
}

/// Runs the sending script in the guest; `taking` takes its lines.
async fn send(
    winrm: &WinRm,
    source: &str,
    folder: bool,
    mut writer: DuplexStream,
    taking: impl Future<Output = Result<()>>,
) -> Result<()> {
    let command = command_line(&sender(source, folder));
    let (mut complaint, mut complaints) = duplex(COMPLAINT_MAXIMUM);
    let running = async {
        let execution = Execution {
            text: &command,
            input: None,
            taker: Taker::Streams {
                stdout: Some(&mut writer),
                stderr: Some(&mut complaint),
            },
            started: None,
        };
        let status = execute(winrm, execution).await;
        drop((writer, complaint));
        status
    };
    let mut said = Said::default();
    let complaining = async {
        let mut piece = [0; 1024];
        while let Ok(count @ 1..) = complaints.read(&mut piece).await {
            said.stderr(&piece[..count]);
        }
    };
    let (taken, status, ()) = tokio::join!(taking, running, complaining);
    // A script that failed says more than its lines that are missing.
    said.expect_success("read", source, &status?)?;
    taken
}

/// What a script says.
#[derive(Default)]
struct Said {
    output: Vec<u8>,
    /// The end of it.
    complaint: Vec<u8>,
}

impl Output for Said {
    fn stdout(&mut self, bytes: &[u8]) {
        let room = ANSWER_MAXIMUM.saturating_sub(self.output.len());
        self.output
            .extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn stderr(&mut self, bytes: &[u8]) {
        self.complaint.extend_from_slice(bytes);
        let surplus = self.complaint.len().saturating_sub(COMPLAINT_MAXIMUM);
        self.complaint.drain(..surplus);
    }
}

impl Said {
    fn expect_success(&self, action: &'static str, path: &str, status: &ExitStatus) -> Result<()> {
        if status.success() {
            return Ok(());
        }
        let complaint = String::from_utf8_lossy(&self.complaint);
        let complaint = crate::ssh::readable(complaint.trim());
        Err(Error::Remote {
            action,
            path: path.to_owned(),
            reason: match complaint.is_empty() {
                true => format!("PowerShell ended with {status}"),
                false => complaint,
            },
        })
    }
}

/// The progress of what is thrown away.
pub(super) struct Unseen;

impl Progress for Unseen {
    fn started(&self, _name: &str, _total: Option<u64>) {}
    fn advanced(&self, _bytes: u64) {}
    fn finished(&self) {}
}

pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a text can't fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn local_error(action: &'static str, path: &Path, source: std::io::Error) -> Error {
    Error::Local {
        action,
        path: path.to_owned(),
        source,
    }
}
