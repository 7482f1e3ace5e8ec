//! File transfer by SFTP: single files, and the steps folders are made of.

use std::sync::{Arc, Mutex, PoisonError};

use russh::Channel;
use russh::client::Msg;
use russh_sftp::client::SftpSession;
use russh_sftp::client::error::Error as SftpError;
use russh_sftp::client::fs::{File, Metadata};
use russh_sftp::protocol::{FileAttributes, FileType, OpenFlags, StatusCode};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::Instant;

use super::session::{Session, readable};
use super::subsystem::{End, GIVEN_UP, STARTING, Subsystem};
use crate::budget::Budget;
use crate::communicator::Progress;
use crate::error::{Error, Result};

/// Bytes read from one side and handed to the other at a time.
const CHUNK: usize = 64 * 1024;
/// The longest path that is taken from the guest: Linux's own bound.
const PATH_MAXIMUM: usize = 4096;
/// The permission bits of a mode.
pub(super) const PERMISSIONS: u32 = 0o7777;

/// An SFTP session with a guest, on a channel of its own.
pub(super) struct Sftp {
    session: Arc<Session>,
    client: SftpSession,
    end: End,
    budget: Mutex<Budget>,
}

impl Sftp {
    /// Starts the guest's SFTP server.
    pub(super) async fn start(session: Arc<Session>, channel: Channel<Msg>) -> Result<Self> {
        let starting = async {
            let Subsystem {
                stream,
                configuration,
                end,
            } = Subsystem::start(&session, channel).await?;
            let client = SftpSession::new_with_config(stream, configuration).await;
            let client = client.map_err(|error| session.no_sftp(Some(error)))?;
            Ok((client, end))
        };
        let (client, end) = session.during(|| STARTING.to_owned(), starting).await?;
        Ok(Self {
            session,
            client,
            end,
            budget: Mutex::default(),
        })
    }

    /// Ends the session; what was transferred has been confirmed before.
    pub(super) async fn finish(self) -> Result<()> {
        self.client
            .close()
            .await
            .map_err(|error| remote("finish", "the transfer")(error))
    }

    /// Writes `source` to the guest's file `destination`.
    pub(super) async fn upload(
        &self,
        source: &mut (dyn AsyncRead + Send + Unpin),
        length: Option<u64>,
        destination: &str,
        mode: Option<u32>,
        progress: &dyn Progress,
    ) -> Result<()> {
        let during = || format!("during the upload of {destination}");
        self.during(during, async {
            let mut file = self.create(destination, mode).await?;
            progress.started(destination, length);
            let failed = |source| Error::Stream {
                action: "read",
                path: destination.to_owned(),
                source,
            };
            let mut buffer = vec![0; CHUNK];
            loop {
                let count = source.read(&mut buffer).await.map_err(failed)?;
                if count == 0 {
                    break;
                }
                let bytes = buffer.get(..count).unwrap_or_default();
                file.write_all(bytes)
                    .await
                    .map_err(remote_io("write", destination))?;
                progress.advanced(count as u64);
            }
            if let Some(mode) = mode {
                // The mode given at creation is subject to the guest's umask, and not given to
                // a file that was there before.
                file.set_metadata(permissions(mode))
                    .await
                    .map_err(remote("set the mode of", destination))?;
            }
            file.close()
                .await
                .map_err(remote_io("write", destination))?;
            progress.finished();
            Ok(())
        })
        .await
    }

    async fn create(&self, path: &str, mode: Option<u32>) -> Result<File> {
        let flags = OpenFlags::CREATE | OpenFlags::TRUNCATE | OpenFlags::WRITE;
        let attributes = mode.map_or_else(FileAttributes::empty, permissions);
        match self
            .client
            .open_with_flags_and_attributes(path, flags, attributes)
            .await
        {
            Ok(file) => Ok(file),
            Err(error) => {
                let is_answer = is_answer(&error);
                let mut error = remote("create", path)(error);
                // OpenSSH has no more to say than "Failure".
                if let Error::Remote { reason, .. } = &mut error
                    && is_answer
                    && self
                        .kind(path)
                        .await
                        .is_ok_and(|kind| kind == FileType::Dir)
                {
                    "it is a folder".clone_into(reason);
                }
                Err(error)
            }
        }
    }

    /// Writes the guest's file `source` to `destination`; returns how many bytes it had.
    pub(super) async fn download(
        &self,
        source: &str,
        destination: &mut (dyn AsyncWrite + Send + Unpin),
        progress: &dyn Progress,
    ) -> Result<u64> {
        let during = || format!("during the download of {source}");
        self.during(during, async {
            let attributes = self.attributes(source).await?;
            if attributes.file_type() == FileType::Dir {
                return Err(Error::Remote {
                    action: "read",
                    path: source.to_owned(),
                    reason: "it is a folder".to_owned(),
                });
            }
            let opening = self.client.open(source);
            let opened = self.waiting(source, opening).await?;
            let mut file = opened.map_err(remote("read", source))?;
            progress.started(source, attributes.size);
            self.budget()
                .file(Some(attributes.size.unwrap_or_default()));
            let failed = |error| Error::Stream {
                action: "write",
                path: source.to_owned(),
                source: error,
            };
            let mut buffer = vec![0; CHUNK];
            let mut total = 0;
            loop {
                let read = self.waiting(source, file.read(&mut buffer)).await?;
                let count = read.map_err(remote_io("read", source))?;
                if count == 0 {
                    break;
                }
                let within = self.budget().bytes(count);
                within.map_err(excess(source))?;
                let bytes = buffer.get(..count).unwrap_or_default();
                destination.write_all(bytes).await.map_err(failed)?;
                total += count as u64;
                progress.advanced(count as u64);
            }
            destination.flush().await.map_err(failed)?;
            file.close().await.map_err(remote_io("read", source))?;
            progress.finished();
            Ok(total)
        })
        .await
    }

    /// What stands at `path`, symbolic links followed.
    pub(super) async fn attributes(&self, path: &str) -> Result<Metadata> {
        let found = self.waiting(path, self.client.metadata(path)).await?;
        found.map_err(remote("find", path))
    }

    /// Whether there is something at `path`.
    pub(super) async fn exists(&self, path: &str) -> Result<bool> {
        match self.waiting(path, self.client.metadata(path)).await? {
            Ok(_) => Ok(true),
            Err(error) if is_answer(&error) => Ok(false),
            Err(error) => Err(remote("find", path)(error)),
        }
    }

    async fn kind(&self, path: &str) -> Result<FileType> {
        Ok(self.attributes(path).await?.file_type())
    }

    /// Makes the folder `path` if it is missing; returns whether it was.
    pub(super) async fn make_folder(&self, path: &str) -> Result<bool> {
        match self.client.create_dir(path).await {
            Ok(()) => Ok(true),
            // The protocol's servers do not tell "exists" from other failures.
            Err(error)
                if is_answer(&error)
                    && self
                        .kind(path)
                        .await
                        .is_ok_and(|kind| kind == FileType::Dir) =>
            {
                Ok(false)
            }
            Err(error) => Err(remote("create the folder", path)(error)),
        }
    }

    /// Gives `path` these permission bits.
    pub(super) async fn set_mode(&self, path: &str, mode: u32) -> Result<()> {
        let set = self.client.set_metadata(path, permissions(mode)).await;
        set.map_err(remote("set the mode of", path))
    }

    /// The absolute path that `path` stands for, links resolved.
    pub(super) async fn resolve(&self, path: &str) -> Result<String> {
        let resolved = self.waiting(path, self.client.canonicalize(path)).await?;
        let real = resolved.map_err(remote("resolve", path))?;
        if real.len() > PATH_MAXIMUM {
            return Err(excess(path)("its real path is too long"));
        }
        Ok(real)
    }

    /// What may still come from the guest.
    pub(super) fn budget(&self) -> std::sync::MutexGuard<'_, Budget> {
        self.budget.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What comes of waiting for the guest, which must not be in vain for too long.
    pub(super) async fn waiting<T>(
        &self,
        path: &str,
        answer: impl Future<Output = T>,
    ) -> Result<T> {
        let began = Instant::now();
        let answer = answer.await;
        let within = self.budget().waited(began.elapsed());
        within.map_err(excess(path))?;
        Ok(answer)
    }

    /// Runs `work`, which fails as soon as the connection or the guest's SFTP server does.
    pub(super) async fn during<T>(
        &self,
        what: impl Fn() -> String,
        work: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        self.session.during(what, self.end.or(work)).await
    }

    /// The connection this goes over.
    pub(super) fn session(&self) -> &Arc<Session> {
        &self.session
    }
}

impl Session {
    /// The error for a guest whose SFTP server does not come up.
    pub(super) fn no_sftp(&self, error: Option<SftpError>) -> Error {
        if self.is_closed() {
            return self.lost(STARTING, error.as_ref().map(words));
        }
        let source = error.map(|error| words(&error).into());
        Error::NoSftp {
            address: self.address.clone(),
            source,
        }
    }
}

fn permissions(mode: u32) -> FileAttributes {
    FileAttributes {
        permissions: Some(mode & PERMISSIONS),
        ..FileAttributes::empty()
    }
}

/// The error for what is more than is taken from a guest.
pub(super) fn excess(path: &str) -> impl Fn(&'static str) -> Error {
    move |reason| Error::Unsafe {
        path: path.to_owned(),
        reason,
    }
}

/// The error for a step that the guest did not do.
pub(super) fn remote(action: &'static str, path: &str) -> impl FnOnce(SftpError) -> Error {
    let path = path.to_owned();
    move |error| Error::Remote {
        action,
        path,
        reason: words(&error),
    }
}

fn remote_io(action: &'static str, path: &str) -> impl FnOnce(std::io::Error) -> Error {
    let path = path.to_owned();
    move |error| {
        let inner = error
            .get_ref()
            .and_then(|inner| inner.downcast_ref::<SftpError>());
        let reason = inner.map_or_else(|| readable(&error.to_string()), words);
        Error::Remote {
            action,
            path,
            reason,
        }
    }
}

/// Whether the guest's SFTP server has said no. After any other error it answers no more, or not in
/// time, so there is no use in asking it what it meant.
fn is_answer(error: &SftpError) -> bool {
    matches!(error, SftpError::Status(_))
}

/// An SFTP error in words.
fn words(error: &SftpError) -> String {
    match error {
        SftpError::Status(status) => match status.status_code {
            StatusCode::NoSuchFile => "no such file or folder".to_owned(),
            StatusCode::PermissionDenied => "permission denied".to_owned(),
            StatusCode::OpUnsupported => "the guest's SFTP server does not support it".to_owned(),
            code if status.error_message.is_empty() => code.to_string(),
            _ => readable(&status.error_message),
        },
        SftpError::Timeout => "no answer for too long".to_owned(),
        SftpError::UnexpectedPacket => {
            "the guest's SFTP server answers something else than it was asked".to_owned()
        }
        // The library's own words for requests that it gave up.
        SftpError::UnexpectedBehavior(_) | SftpError::IO(_) => GIVEN_UP.to_owned(),
        limit @ SftpError::Limited(_) => readable(&limit.to_string()),
    }
}
