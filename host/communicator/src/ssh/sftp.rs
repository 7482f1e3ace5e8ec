//! File transfer by SFTP: single files, and the steps folders are made of.

use std::sync::{Arc, Mutex, PoisonError};

use russh_sftp::client::RawSftpSession;
use russh_sftp::client::error::Error as SftpError;
use russh_sftp::extensions::STATVFS;
use russh_sftp::protocol::{FileAttributes, FileType, OpenFlags, StatusCode};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::Instant;

use super::open_channels::OpenChannel;
use super::remote_file::RemoteFile;
use super::session::{Session, readable};
use super::subsystem::{End, GIVEN_UP, STARTING, Subsystem};
use super::tree::parent;
use crate::budget::Budget;
use crate::communicator::Progress;
use crate::error::{Error, Result};

/// Bytes read from one side and handed to the other at a time.
const CHUNK: usize = 64 * 1024;
/// The longest path that is taken from the guest: Linux's own bound.
const PATH_MAXIMUM: usize = 4096;
/// A file system of the guest's with less room than this, in bytes, is full: it may not give its last
/// blocks to everybody.
const ROOM: u64 = 64 * 1024;
/// What OpenSSH's answer about a file system has among its flags if nothing can be written to it.
const READ_ONLY: u64 = 1;
/// The permission bits of a mode.
pub(super) const PERMISSIONS: u32 = 0o7777;

/// An SFTP session with a guest, on a channel of its own.
pub(super) struct Sftp {
    session: Arc<Session>,
    client: RawSftpSession,
    end: End,
    /// Whether it can be asked about a file system: how full it is, and whether it is read-only.
    tells_space: bool,
    budget: Mutex<Budget>,
}

impl Sftp {
    /// Starts the guest's SFTP server.
    pub(super) async fn start(session: Arc<Session>, channel: OpenChannel) -> Result<Self> {
        let starting = async {
            let Subsystem {
                stream,
                configuration,
                end,
            } = Subsystem::start(&session, channel).await?;
            let client = RawSftpSession::new_with_config(stream, configuration);
            let tells_space = match client.init().await {
                Ok(version) => version
                    .extensions
                    .get(STATVFS)
                    .is_some_and(|version| version == "2"),
                Err(error) => {
                    drop(client);
                    return Err(session.no_sftp(&end.heard().await, Some(&error)));
                }
            };
            Ok((client, end, tells_space))
        };
        let (client, end, tells_space) = session.during(|| STARTING.to_owned(), starting).await?;
        Ok(Self {
            session,
            client,
            end,
            tells_space,
            budget: Mutex::default(),
        })
    }

    /// Ends the session, whose work has `done` this, and waits until the guest has ended it as well:
    /// one that allows one session at a time gives no other one before.
    pub(super) async fn finish<T>(self, done: Result<T>) -> Result<T> {
        let closed = self.client.close_session();
        if !self.session.is_closed() {
            self.end.closed(done.is_ok()).await;
        }
        let done = done?;
        closed.map_err(|error| remote("finish", "the transfer")(error))?;
        Ok(done)
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
                if let Err(error) = file.write(bytes).await {
                    return Err(self.not_done("write", destination, error).await);
                }
                progress.advanced(count as u64);
            }
            if let Err(error) = file.flush().await {
                return Err(self.not_done("write", destination, error).await);
            }
            if let Some(mode) = mode {
                // The mode given at creation is subject to the guest's umask, and not given to
                // a file that was there before.
                file.set(permissions(mode))
                    .await
                    .map_err(remote("set the mode of", destination))?;
            }
            if let Err(error) = file.close().await {
                return Err(self.not_done("write", destination, error).await);
            }
            progress.finished();
            Ok(())
        })
        .await
    }

    async fn create(&self, path: &str, mode: Option<u32>) -> Result<RemoteFile<'_>> {
        let flags = OpenFlags::CREATE | OpenFlags::TRUNCATE | OpenFlags::WRITE;
        let attributes = mode.map_or_else(FileAttributes::empty, permissions);
        match RemoteFile::open(&self.client, path, flags, attributes).await {
            Ok(file) => Ok(file),
            Err(error) => Err(self.not_done("create", path, error).await),
        }
    }

    /// The error for something that the guest could not do to `path`, with more than OpenSSH says, which
    /// has one word for most causes.
    async fn not_done(&self, action: &'static str, path: &str, failure: SftpError) -> Error {
        let code = match &failure {
            SftpError::Status(status) => Some(status.status_code),
            _ => None,
        };
        let mut error = remote(action, path)(failure);
        let Error::Remote { reason, .. } = &mut error else {
            return error;
        };
        match code {
            Some(StatusCode::PermissionDenied) => reason.push_str(
                ": upload to where this user may write, such as its home, and move it from there by a \
                 script that runs as root; where scripts themselves go, `remote_folder` says",
            ),
            Some(StatusCode::NoSuchFile) => reason.push_str(
                ": the folder that it goes into must be there; make it first, by a provisioner `shell`",
            ),
            Some(_) if action == "create" && self.is_folder(path).await => {
                "it is a folder: write a `/` at its end to copy into it".clone_into(reason);
            }
            Some(_) if action != "write" && self.is_folder(path).await => {
                "it is a folder".clone_into(reason);
            }
            Some(_) => {
                if let Some(trouble) = self.file_system_trouble(path).await {
                    trouble.clone_into(reason);
                }
            }
            // It answers no more, or not in time: there is no use in asking it what it meant.
            None => {}
        }
        error
    }

    async fn is_folder(&self, path: &str) -> bool {
        let kind = self.kind(path).await;
        kind.is_ok_and(|kind| kind == FileType::Dir)
    }

    /// What to say if nothing can be written to the file system of `path`, as far as the guest tells.
    async fn file_system_trouble(&self, path: &str) -> Option<&'static str> {
        if !self.tells_space {
            return None;
        }
        let folder = match parent(path) {
            "" if path.starts_with('/') => "/",
            "" => ".",
            folder => folder,
        };
        let space = self.client.statvfs(folder).await.ok()?;
        if space.flags & READ_ONLY != 0 {
            return Some(
                "this file system of the guest is read-only: upload to another one; where scripts \
                 themselves go, `remote_folder` says",
            );
        }
        if space.blocks_avail.saturating_mul(space.fragment_size) < ROOM {
            return Some(
                "no space is left in this file system of the guest: give it a larger disk, or \
                 upload to another one",
            );
        }
        (space.inodes > 0 && space.inodes_avail == 0)
            .then_some("no more files fit into this file system of the guest")
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
                    reason: "it is a folder: write a `/` at its end to copy what is in it"
                        .to_owned(),
                });
            }
            let opening = RemoteFile::open(
                &self.client,
                source,
                OpenFlags::READ,
                FileAttributes::empty(),
            );
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
            let mut total = 0;
            loop {
                let read = self.waiting(source, file.read()).await?;
                let bytes = read.map_err(remote("read", source))?;
                if bytes.is_empty() {
                    break;
                }
                let within = self.budget().bytes(bytes.len());
                within.map_err(excess(source))?;
                destination.write_all(&bytes).await.map_err(failed)?;
                total += bytes.len() as u64;
                progress.advanced(bytes.len() as u64);
            }
            destination.flush().await.map_err(failed)?;
            file.close().await.map_err(remote("read", source))?;
            progress.finished();
            Ok(total)
        })
        .await
    }

    /// What stands at `path`, symbolic links followed.
    pub(super) async fn attributes(&self, path: &str) -> Result<FileAttributes> {
        let found = self.waiting(path, self.client.stat(path)).await?;
        Ok(found.map_err(remote("find", path))?.attrs)
    }

    /// Whether there is something at `path`.
    pub(super) async fn exists(&self, path: &str) -> Result<bool> {
        match self.waiting(path, self.client.stat(path)).await? {
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
        match self.client.mkdir(path, FileAttributes::empty()).await {
            Ok(_) => Ok(true),
            // The protocol's servers do not tell "exists" from other failures.
            Err(error) if is_answer(&error) && self.is_folder(path).await => Ok(false),
            Err(error) => Err(self.not_done("create the folder", path, error).await),
        }
    }

    /// Gives `path` these permission bits.
    pub(super) async fn set_mode(&self, path: &str, mode: u32) -> Result<()> {
        let set = self.client.setstat(path, permissions(mode)).await;
        set.map(drop).map_err(remote("set the mode of", path))
    }

    /// The absolute path that `path` stands for, links resolved.
    pub(super) async fn resolve(&self, path: &str) -> Result<String> {
        let resolved = self.waiting(path, self.client.realpath(path)).await?;
        let names = resolved.map_err(remote("resolve", path))?.files;
        let real = names.into_iter().next().map(|file| file.filename);
        let real = real.ok_or_else(|| Error::Remote {
            action: "resolve",
            path: path.to_owned(),
            reason: "the guest's SFTP server gives it no name".to_owned(),
        })?;
        if real.len() > PATH_MAXIMUM {
            return Err(excess(path)("its real path is too long"));
        }
        Ok(real)
    }

    /// The library's side, for what the rest of this module does not do.
    pub(super) fn client(&self) -> &RawSftpSession {
        &self.client
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

/// Whether the guest's SFTP server has said no. After any other error it answers no more, or not in
/// time, so there is no use in asking it what it meant.
fn is_answer(error: &SftpError) -> bool {
    matches!(error, SftpError::Status(_))
}

/// An SFTP error in words.
pub(super) fn words(error: &SftpError) -> String {
    match error {
        SftpError::Status(status) => match status.status_code {
            StatusCode::NoSuchFile => "no such file or folder".to_owned(),
            StatusCode::PermissionDenied => "permission denied".to_owned(),
            StatusCode::OpUnsupported => "the guest's SFTP server does not support it".to_owned(),
            code if status.error_message.is_empty() => code.to_string(),
            StatusCode::Failure if status.error_message == "Failure" => {
                "the guest's SFTP server says \"Failure\" and not why".to_owned()
            }
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
