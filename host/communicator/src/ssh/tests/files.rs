//! The in-process guest's files: an SFTP server that misbehaves as told.
//!
//! Its tree: `/` holds what was uploaded; `/tree` is a folder whose entries are the point.

use std::collections::HashMap;

use russh::server::Handle as Guest;
use russh_sftp::protocol::{
    Attrs, Data, File, FileAttributes, FileMode, Handle, Name, OpenFlags, Status, StatusCode,
};
use russh_sftp::server::{Handler, StatusReply};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// What goes wrong.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Trouble {
    /// Nothing: files are kept in memory.
    None,
    /// The disk is full, which comes out at a write.
    FullAtWrite,
    /// The disk is full, which comes out when the file is closed.
    FullAtClose,
    /// The connection is lost at the first write.
    LostAtWrite,
    /// `/tree` holds one entry of this name; `endless` is a file without an end.
    Name(String),
    /// `/tree` holds one file of this name, with the content `new`.
    File(String),
    /// `/tree` never ends.
    EndlessFolder,
    /// `/tree` holds a folder that holds a folder, and so on.
    BottomlessFolder,
    /// `/endless` is said to have four bytes and never ends.
    EndlessFile,
    /// `/tree` names itself for ever.
    EndlessDots,
    /// `/tree` is listed in answers without a name, for ever.
    EndlessNothing,
    /// The real path of everything has this many bytes.
    LongPath(usize),
    /// SFTP is asked for in vain.
    Mute,
    /// `/tree` holds a device.
    Device,
    /// The agent is asked for while a file is written.
    GrabsAgent,
    /// What is said in the place of an answer, or behind it, breaks the protocol.
    Broken(Break),
}

/// How the server breaks the protocol.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Break {
    /// Answers that are right before it.
    pub(super) after: usize,
    /// What it says then.
    pub(super) says: Vec<u8>,
    /// Whether the answer that was due comes before it.
    pub(super) answers: bool,
    /// Whether it is gone then, or reads on and says nothing.
    pub(super) ends: bool,
}

/// Serves files to a client, until the protocol is to be broken.
pub(super) async fn serve_until(
    broken: Break,
    stream: impl AsyncRead + AsyncWrite + Send + 'static,
    guest: Guest,
) -> std::io::Result<()> {
    let (server, ours) = tokio::io::duplex(1 << 20);
    russh_sftp::server::run(server, Files::new(Trouble::EndlessFile, guest)).await;
    let (mut asked, mut answers) = tokio::io::split(stream);
    let (mut right, mut requests) = tokio::io::split(ours);
    let passed = tokio::io::copy(&mut asked, &mut requests);
    let answered = async {
        for number in 0.. {
            let length = right.read_u32().await?;
            let mut answer = length.to_be_bytes().to_vec();
            answer.resize(4 + length as usize, 0);
            right.read_exact(&mut answer[4..]).await?;
            let is_time = number == broken.after;
            if !is_time || broken.answers {
                answers.write_all(&answer).await?;
            }
            if is_time {
                break;
            }
        }
        answers.write_all(&broken.says).await?;
        if !broken.ends {
            std::future::pending::<()>().await;
        }
        answers.shutdown().await
    };
    tokio::select! {
        answered = answered => answered,
        passed = passed => passed.map(|_| ()),
    }
}

/// Bytes of each answer that a file without an end gives.
const ENDLESS_PIECE: u32 = 128 * 1024;

pub(super) struct Files {
    trouble: Trouble,
    guest: Guest,
    contents: HashMap<String, Vec<u8>>,
    listed: bool,
}

impl Files {
    pub(super) fn new(trouble: Trouble, guest: Guest) -> Self {
        let contents = match &trouble {
            Trouble::File(name) => [(format!("/tree/{name}"), b"new".to_vec())].into(),
            _ => HashMap::new(),
        };
        Self {
            trouble,
            guest,
            contents,
            listed: false,
        }
    }
}

fn full() -> StatusReply {
    StatusCode::Failure.with_message("No space left on device")
}

fn done(id: u32) -> Status {
    let (error_message, language_tag) = ("Ok".to_owned(), "en".to_owned());
    Status {
        id,
        status_code: StatusCode::Ok,
        error_message,
        language_tag,
    }
}

fn attributes(kind: FileMode, size: u64) -> FileAttributes {
    let permissions = Some(kind.bits() | 0o755);
    FileAttributes {
        size: Some(size),
        permissions,
        ..FileAttributes::empty()
    }
}

impl Handler for Files {
    type Error = StatusReply;

    fn unimplemented(&self) -> Self::Error {
        StatusCode::OpUnsupported.into()
    }

    async fn open(
        &mut self,
        id: u32,
        path: String,
        flags: OpenFlags,
        _: FileAttributes,
    ) -> Result<Handle, Self::Error> {
        if flags.contains(OpenFlags::WRITE) {
            if path.starts_with("/missing/") {
                return Err(StatusCode::NoSuchFile.into());
            }
            if path == "/tree" {
                return Err(StatusCode::Failure.into());
            }
            self.contents.insert(path.clone(), Vec::new());
        }
        Ok(Handle { id, handle: path })
    }

    async fn close(&mut self, id: u32, handle: String) -> Result<Status, Self::Error> {
        if self.trouble == Trouble::FullAtClose && self.contents.contains_key(&handle) {
            return Err(full());
        }
        Ok(done(id))
    }

    async fn write(
        &mut self,
        id: u32,
        handle: String,
        offset: u64,
        data: Vec<u8>,
    ) -> Result<Status, Self::Error> {
        match self.trouble {
            Trouble::FullAtWrite => return Err(full()),
            Trouble::GrabsAgent => {
                let said = match self.guest.channel_open_agent().await {
                    Ok(_) => "the agent",
                    Err(_) => "no agent",
                };
                return Err(StatusCode::Failure.with_message(said));
            }
            Trouble::LostAtWrite => {
                let reason = russh::Disconnect::ByApplication;
                let _ = self
                    .guest
                    .disconnect(reason, "cable".into(), String::new())
                    .await;
                std::future::pending::<()>().await;
            }
            _ => {}
        }
        let contents = self.contents.get_mut(&handle).ok_or(StatusCode::Failure)?;
        assert_eq!(contents.len() as u64, offset, "writes are in order");
        contents.extend(data);
        Ok(done(id))
    }

    async fn read(
        &mut self,
        id: u32,
        handle: String,
        offset: u64,
        length: u32,
    ) -> Result<Data, Self::Error> {
        if self.trouble == Trouble::EndlessFile || handle == "/tree/endless" {
            let data = vec![b'x'; length.min(ENDLESS_PIECE) as usize];
            return Ok(Data { id, data });
        }
        let contents = self.contents.get(&handle).ok_or(StatusCode::Failure)?;
        let rest = contents.get(offset as usize..).unwrap_or_default();
        if rest.is_empty() {
            return Err(StatusCode::Eof.into());
        }
        Ok(Data {
            id,
            data: rest[..rest.len().min(length as usize)].to_vec(),
        })
    }

    async fn fsetstat(
        &mut self,
        id: u32,
        _: String,
        _: FileAttributes,
    ) -> Result<Status, Self::Error> {
        Ok(done(id))
    }

    async fn stat(&mut self, id: u32, path: String) -> Result<Attrs, Self::Error> {
        let attrs = if let Some(contents) = self.contents.get(&path) {
            attributes(FileMode::REG, contents.len() as u64)
        } else if matches!(path.as_str(), "/endless" | "/tree/endless") {
            attributes(FileMode::REG, 4)
        } else if path == "/tree/device" {
            attributes(FileMode::CHR, 0)
        } else if path.starts_with("/tree") {
            attributes(FileMode::DIR, 0)
        } else {
            return Err(StatusCode::NoSuchFile.into());
        };
        Ok(Attrs { id, attrs })
    }

    async fn opendir(&mut self, id: u32, path: String) -> Result<Handle, Self::Error> {
        self.listed = false;
        Ok(Handle { id, handle: path })
    }

    async fn readdir(&mut self, id: u32, _: String) -> Result<Name, Self::Error> {
        let names = match &self.trouble {
            Trouble::EndlessDots => vec![".".to_owned()],
            Trouble::EndlessNothing => Vec::new(),
            Trouble::EndlessFolder => (0..400).map(|number| format!("{number:0>200}")).collect(),
            _ if self.listed => return Err(StatusCode::Eof.into()),
            Trouble::Name(name) | Trouble::File(name) => {
                vec![".".to_owned(), "..".to_owned(), name.clone()]
            }
            Trouble::BottomlessFolder => vec!["deeper".to_owned()],
            Trouble::Device => vec!["device".to_owned()],
            _ => Vec::new(),
        };
        self.listed = true;
        let file = |name| File::new(name, FileAttributes::empty());
        Ok(Name {
            id,
            files: names.into_iter().map(file).collect(),
        })
    }

    async fn realpath(&mut self, id: u32, path: String) -> Result<Name, Self::Error> {
        let path = match self.trouble {
            Trouble::LongPath(length) => "x".repeat(length),
            _ => path,
        };
        Ok(Name {
            id,
            files: vec![File::dummy(path)],
        })
    }
}
