//! The guest as Packer's provisioners reach it: the engine's connection behind the protocol's trait.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use lvhost_communicator::{Command, Progress, Streams};
use lvhost_engine::with_causes;
use lvhost_packer::{CommandStreams, Communicator, ExitStatus, Failure, FileInfo, Started};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::shown::continued;

/// The signals that SSH has names for (RFC 4254, section 6.10), with their numbers on Linux.
const SIGNALS: [(&str, u8); 13] = [
    ("ABRT", 6),
    ("ALRM", 14),
    ("FPE", 8),
    ("HUP", 1),
    ("ILL", 4),
    ("INT", 2),
    ("KILL", 9),
    ("PIPE", 13),
    ("QUIT", 3),
    ("SEGV", 11),
    ("TERM", 15),
    ("USR1", 10),
    ("USR2", 12),
];

/// A guest that lets us in, by this connection.
pub(super) struct Guest(pub(super) Arc<dyn lvhost_communicator::Communicator>);

/// Packer's provisioners show how far they are by themselves.
struct Unseen;

impl Progress for Unseen {
    fn started(&self, _: &str, _: Option<u64>) {}
    fn advanced(&self, _: u64) {}
    fn finished(&self) {}
}

#[async_trait]
impl Communicator for Guest {
    async fn run(
        &self,
        command: &str,
        mut streams: CommandStreams,
        started: Started,
    ) -> Result<ExitStatus, Failure> {
        let command = Command::new(command);
        let mut started = Some(started);
        let mut tell = || {
            if let Some(started) = started.take() {
                started.now();
            }
        };
        let streams = Streams {
            stdin: Some(&mut streams.stdin),
            stdout: Some(&mut streams.stdout),
            stderr: Some(&mut streams.stderr),
            started: Some(&mut tell),
        };
        let status = self.0.run_streaming(&command, streams).await;
        let status = status.map_err(told)?;
        Ok(exit_status(&status))
    }

    async fn upload(
        &self,
        source: &mut (dyn AsyncRead + Send + Unpin),
        destination: &str,
        file: Option<&FileInfo>,
    ) -> Result<(), Failure> {
        let (length, mode) = (
            file.map(|file| file.size),
            file.map(|file| file.permissions),
        );
        self.0
            .upload(source, length, destination, mode, &Unseen)
            .await
            .map_err(told)
    }

    async fn upload_directory(
        &self,
        source: &Path,
        destination: &str,
        exclude: &[String],
    ) -> Result<(), Failure> {
        self.0
            .upload_directory(source, destination, exclude, &Unseen)
            .await
            .map_err(told)
    }

    async fn download(
        &self,
        source: &str,
        destination: &mut (dyn AsyncWrite + Send + Unpin),
    ) -> Result<(), Failure> {
        self.0
            .download(source, destination, &Unseen)
            .await
            .map_err(told)?;
        Ok(())
    }

    async fn download_directory(
        &self,
        source: &str,
        destination: &Path,
        exclude: &[String],
    ) -> Result<(), Failure> {
        self.0
            .download_directory(source, destination, exclude, &Unseen)
            .await
            .map_err(told)
    }
}

/// What Packer's provisioners say of an error: parts of it are a guest's words.
fn told(error: lvhost_communicator::Error) -> Failure {
    continued(&with_causes(&error)).into()
}

fn exit_status(status: &lvhost_communicator::ExitStatus) -> ExitStatus {
    match status {
        lvhost_communicator::ExitStatus::Code(code) => ExitStatus::Code(*code),
        lvhost_communicator::ExitStatus::Missing => ExitStatus::Disconnected,
        lvhost_communicator::ExitStatus::Signal(name) => {
            let known = SIGNALS.iter().find(|(known, _)| known == name);
            // One that only this guest has: what a shell says of a command that was killed.
            ExitStatus::Signal(known.map_or(9, |(_, number)| *number))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_ends_as_a_shell_would_have_it() {
        use lvhost_communicator::ExitStatus as Ended;
        for (ended, expected) in [
            (Ended::Code(0), ExitStatus::Code(0)),
            (Ended::Code(255), ExitStatus::Code(255)),
            (Ended::Signal("TERM".to_owned()), ExitStatus::Signal(15)),
            (Ended::Signal("WINCH@x".to_owned()), ExitStatus::Signal(9)),
            (Ended::Missing, ExitStatus::Disconnected),
        ] {
            assert_eq!(exit_status(&ended), expected);
        }
    }
}
