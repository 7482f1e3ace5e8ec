//! File transfer by the guest's `scp` program, for guests that have no SFTP: single files.
//!
//! The protocol has no specification; this follows OpenSSH's `scp.c`. The guest runs `scp -t`,
//! which takes what we send, or `scp -f`, which sends what we ask for:
//!
//! ```text
//!   scp -t     ◄─ 0    C0644 LENGTH NAME ─►  ◄─ 0    bytes, 0 ─►  ◄─ 0    end of file ─►
//!   scp -f     0 ─►    ◄─ C0644 LENGTH NAME  0 ─►    ◄─ bytes, 0  0 ─►    ◄─ end of file
//! ```
//!
//! In place of any 0 may come 1 or 2 and a line of text: something went wrong. Whatever the guest
//! sends is checked against what was asked for; of a name it sends no more than one path component
//! is ever used.

pub(super) mod folder;
mod record;
mod wire;

use std::io;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncSeekExt, AsyncWrite, AsyncWriteExt};

use record::Record;
pub(super) use wire::Wire;

use crate::communicator::Progress;
use crate::error::{Error, Result};

/// Bytes read from a local source and sent at a time.
const CHUNK: usize = 64 * 1024;
/// The mode of a new file for which none is given: the guest's umask takes from it.
const DEFAULT_MODE: u32 = 0o666;

/// The command that takes the file `destination`. Its mode is set exactly if one is given.
pub(super) fn upload_command(destination: &str, mode: Option<u32>) -> String {
    let preserve = if mode.is_some() { " -p" } else { "" };
    let (folder, _) = split(destination);
    // `-d`: a folder that is missing is an error instead of a file of its name.
    format!("scp{preserve} -t -d {}", quote(folder))
}

/// The command that sends the file `source`.
pub(super) fn download_command(source: &str) -> String {
    format!("scp -f {}", quote(source))
}

/// A source of a known length.
pub(super) struct Measured<R> {
    pub(super) reader: R,
    pub(super) length: u64,
}

/// Spools a source whose length is not known: the protocol wants it first.
pub(super) async fn measure(
    source: &mut (dyn AsyncRead + Send + Unpin),
    destination: &str,
) -> Result<Measured<tokio::fs::File>> {
    let failed = |source| Error::Stream {
        action: "set aside",
        path: destination.to_owned(),
        source,
    };
    let file = tokio::task::spawn_blocking(tempfile::tempfile)
        .await
        .map_err(|error| failed(io::Error::other(error)))?
        .map_err(failed)?;
    let mut reader = tokio::fs::File::from_std(file);
    let length = tokio::io::copy(source, &mut reader).await.map_err(failed)?;
    reader.flush().await.map_err(failed)?;
    reader.rewind().await.map_err(failed)?;
    Ok(Measured { reader, length })
}

/// Writes `source` to the guest's file `destination`, which [`upload_command`] named.
pub(super) async fn upload<R: AsyncRead + Send + Unpin>(
    wire: &mut Wire,
    mut source: Measured<R>,
    destination: &str,
    mode: Option<u32>,
    progress: &dyn Progress,
) -> Result<()> {
    let (_, name) = split(destination);
    wire.subject("create", destination);
    if name.is_empty() {
        return Err(wire.failed("it is a folder".to_owned()));
    }
    wire.accepted().await?;
    let mode = mode.unwrap_or(DEFAULT_MODE);
    send_file(wire, &mut source, name, mode, progress).await?;
    let mut more = [0];
    let rest = source.reader.read(&mut more).await;
    if rest.map_err(|error| unreadable(destination, error))? > 0 {
        let more = format!(
            "it has more than the {} bytes it was to have",
            source.length
        );
        return Err(unreadable(destination, io::Error::other(more)));
    }
    wire.finish().await
}

/// Sends one file; the wire's subject is its path in the guest.
async fn send_file<R: AsyncRead + Send + Unpin>(
    wire: &mut Wire,
    source: &mut Measured<R>,
    name: &str,
    mode: u32,
    progress: &dyn Progress,
) -> Result<()> {
    let length = source.length;
    let record = Record::File {
        mode,
        length,
        name: name.to_owned(),
    };
    wire.send(record.line(wire.path())?).await?;
    wire.accepted().await?;
    wire.doing("write");
    progress.started(wire.path(), Some(length));
    let mut left = length;
    while left > 0 {
        let mut chunk = vec![0; CHUNK.min(usize::try_from(left).unwrap_or(CHUNK))];
        let count = source
            .reader
            .read(&mut chunk)
            .await
            .map_err(|error| unreadable(wire.path(), error))?;
        if count == 0 {
            let short = format!("it ended {left} bytes before its {length} bytes were read");
            return Err(unreadable(wire.path(), io::Error::other(short)));
        }
        chunk.truncate(count);
        wire.send(Bytes::from(chunk)).await?;
        if wire.is_closed() {
            wire.accepted().await?;
            return Err(wire.ended());
        }
        left -= count as u64;
        progress.advanced(count as u64);
    }
    wire.send(Bytes::from_static(b"\0")).await?;
    wire.accepted().await?;
    progress.finished();
    Ok(())
}

/// Writes the guest's file `source`, which [`download_command`] named, to `destination`; returns
/// how many bytes it had.
pub(super) async fn download(
    wire: &mut Wire,
    source: &str,
    destination: &mut (dyn AsyncWrite + Send + Unpin),
    progress: &dyn Progress,
) -> Result<u64> {
    wire.subject("read", source);
    wire.accept().await?;
    let length = loop {
        match wire.record().await? {
            Some(Record::File { length, .. }) => break length,
            Some(Record::Times) => wire.accept().await?,
            Some(Record::Trouble { reason }) => return Err(wire.failed(reason)),
            Some(Record::Folder { .. } | Record::End) => {
                return Err(wire.refused("a folder came where a file was asked for"));
            }
            None => return Err(wire.ended()),
        }
    };
    wire.accept().await?;
    receive_file(wire, length, Some(destination), progress).await?;
    if wire.record().await?.is_some() {
        return Err(wire.refused("more came than the file that was asked for"));
    }
    wire.finish().await?;
    Ok(length)
}

/// Takes the bytes of a file and what follows them; without a destination they are thrown away.
async fn receive_file(
    wire: &mut Wire,
    length: u64,
    destination: Option<&mut (dyn AsyncWrite + Send + Unpin)>,
    progress: &dyn Progress,
) -> Result<()> {
    let path = wire.path().to_owned();
    let failed = |error| Error::Stream {
        action: "write",
        path: path.clone(),
        source: error,
    };
    wire.file(length);
    let Some(destination) = destination else {
        let mut left = length;
        while left > 0 {
            left -= wire.receive(left).await?.len() as u64;
        }
        wire.accepted().await?;
        return wire.accept().await;
    };
    progress.started(&path, Some(length));
    let mut left = length;
    while left > 0 {
        let bytes = wire.receive(left).await?;
        destination.write_all(&bytes).await.map_err(failed)?;
        left -= bytes.len() as u64;
        progress.advanced(bytes.len() as u64);
    }
    destination.flush().await.map_err(failed)?;
    // The guest says whether it could read all that it announced.
    wire.accepted().await?;
    wire.accept().await?;
    progress.finished();
    Ok(())
}

fn unreadable(path: &str, source: io::Error) -> Error {
    Error::Stream {
        action: "read",
        path: path.to_owned(),
        source,
    }
}

/// The folder a file is in and its name there.
fn split(path: &str) -> (&str, &str) {
    match path.rsplit_once('/') {
        Some(("", name)) => ("/", name),
        Some((folder, name)) => (folder, name),
        None => (".", path),
    }
}

/// A path for the guest's shell. One of ordinary characters goes as it is, since not every guest's
/// shell knows quotes the same way; and a `~` at the beginning stays the user's home.
pub(super) fn quote(path: &str) -> String {
    let (home, rest) = match path.split_once('/') {
        Some((home, _)) if home.starts_with('~') && is_plain(home.trim_start_matches('~')) => {
            path.split_at(home.len() + 1)
        }
        _ => ("", path),
    };
    // It must not look like an option.
    let lead = if path.starts_with('-') { "./" } else { "" };
    if is_plain(rest) && !path.is_empty() {
        return format!("{lead}{home}{rest}");
    }
    format!("{lead}{home}'{}'", rest.replace('\'', "'\\''"))
}

/// Whether no shell sees anything special in `text`.
fn is_plain(text: &str) -> bool {
    text.chars()
        .all(|character| character.is_ascii_alphanumeric() || "/._-+,:@%".contains(character))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn commands_name_the_folder_and_the_file() {
        for (path, mode, expected) in [
            ("/tmp/script.sh", None, "scp -t -d /tmp"),
            ("/script.sh", Some(0o755), "scp -p -t -d /"),
            ("script.sh", None, "scp -t -d ."),
            ("~/script.sh", None, "scp -t -d '~'"),
            ("~/in a/b", None, "scp -t -d ~/'in a'"),
            ("/in a/b", None, "scp -t -d '/in a'"),
            ("-x/b", None, "scp -t -d ./-x"),
            ("C:/Windows/Temp/x", None, "scp -t -d C:/Windows/Temp"),
        ] {
            assert_eq!(upload_command(path, mode), expected, "{path}");
        }
        assert_eq!(download_command("/a$b"), "scp -f '/a$b'");
        assert_eq!(download_command("~user/a*"), "scp -f ~user/'a*'");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn the_shell_reads_what_was_quoted(path in "[a-z '\"$`*?!;&|<>(){}\\\\#~/é-]{1,20}") {
            prop_assume!(!path.starts_with('~'));
            let script = format!("printf %s {}", quote(&path));
            let said = Command::new("sh").arg("-c").arg(script).output().unwrap();
            let said = String::from_utf8(said.stdout).unwrap();
            let lead = if path.starts_with('-') { "./" } else { "" };
            prop_assert_eq!(said, format!("{lead}{path}"));
        }
    }
}
