//! Whole folders by scp. The rules are those of SFTP's [`directory`](crate::ssh::directory).

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::fs;

use super::record::Record;
use super::wire::Wire;
use super::{Measured, quote, receive_file, send_file};
use crate::communicator::Progress;
use crate::error::{Error, Result};
use crate::exclude::Exclude;
use crate::local_file::{NewFile, open_regular};
use crate::ssh::directory::{DEPTH_MAXIMUM, OWNER, PLAIN_PERMISSIONS, local, set_local_mode, utf8};
use crate::ssh::listing::safe_name;
use crate::ssh::sftp::PERMISSIONS;
use crate::ssh::tree::{Folder, Place, Step, join, steps};

/// The command that takes folders into `destination`, which is made. With the umask of zero new
/// files get the very modes that are sent; `-p`, which would do the same, also changes those of
/// folders that were there before.
pub(in crate::ssh) fn upload_command(destination: &str) -> String {
    let folder = quote(if destination.is_empty() {
        "."
    } else {
        destination
    });
    format!("mkdir -p {folder} && umask 0 && exec scp -r -t -d {folder}")
}

/// The command that sends the folder `source`.
pub(in crate::ssh) fn download_command(source: &str) -> String {
    format!("scp -r -f {}", quote(source))
}

/// Copies the local folder `source` into the guest's folder `destination`.
pub(in crate::ssh) async fn upload(
    wire: &mut Wire,
    source: &Path,
    destination: &str,
    exclude: &Exclude,
    progress: &dyn Progress,
) -> Result<()> {
    let contents_only = source.as_os_str().as_encoded_bytes().ends_with(b"/");
    wire.subject("create the folder", destination);
    wire.accepted().await?;
    let (remote, own_name) = match source.file_name() {
        Some(name) if !contents_only => (join(destination, utf8(name.as_ref())?), true),
        _ => (destination.to_owned(), false),
    };
    let root = Place {
        local: source.to_owned(),
        remote,
        path: String::new(),
    };
    let mut todo = upload_one(wire, root, None, own_name, exclude, progress).await?;
    while let Some(step) = todo.pop() {
        match step {
            Step::Copy { folder, name } => {
                let place = folder.place.entry(&name);
                todo.extend(upload_one(wire, place, Some(folder), true, exclude, progress).await?);
            }
            Step::Finish { folder, .. } => {
                wire.subject("set the mode of", &folder.place.remote);
                wire.send(Record::End.line(&folder.place.remote)?).await?;
                wire.accepted().await?;
            }
        }
    }
    wire.finish().await
}

/// Sends one file, or a folder's beginning, and returns what remains to be done for it. The folder
/// whose contents alone are sent is not `announced`.
async fn upload_one(
    wire: &mut Wire,
    place: Place,
    outer: Option<Arc<Folder<PathBuf>>>,
    announced: bool,
    exclude: &Exclude,
    progress: &dyn Progress,
) -> Result<Vec<Step<PathBuf>>> {
    let source = place.local.as_path();
    let failed = || local("read", source);
    let metadata = fs::metadata(source).await.map_err(failed())?;
    let mode = metadata.permissions().mode() & PERMISSIONS;
    let name = place
        .remote
        .rsplit('/')
        .next()
        .unwrap_or_default()
        .to_owned();
    if metadata.is_file() {
        let (reader, length) = open_regular(source).await.map_err(failed())?;
        let mut file = Measured { reader, length };
        wire.subject("create", &place.remote);
        send_file(wire, &mut file, &name, mode, progress).await?;
        return Ok(Vec::new());
    }
    if !metadata.is_dir() {
        let reason = "it is neither a file nor a folder: exclude it";
        return Err(failed()(io::Error::other(reason)));
    }
    let real = fs::canonicalize(source).await.map_err(failed())?;
    let mut names = Vec::new();
    let mut entries = fs::read_dir(source).await.map_err(failed())?;
    while let Some(entry) = entries.next_entry().await.map_err(failed())? {
        names.push(utf8(entry.file_name().as_ref())?.to_owned());
    }
    names.sort_unstable();
    let Some(folder) = Folder::enter(place.clone(), real, outer) else {
        tracing::warn!(path = %source.display(), "left out: a link to a folder that it stands in");
        return Ok(Vec::new());
    };
    if announced {
        wire.subject("create the folder", &place.remote);
        wire.send(Record::Folder { mode, name }.line(&place.remote)?)
            .await?;
        wire.accepted().await?;
    }
    Ok(steps(&folder, names, announced.then_some(mode), exclude))
}

/// A folder that the guest is sending.
struct Open {
    /// Where it goes; nothing for one that is left out.
    local: Option<PathBuf>,
    remote: String,
    /// Relative to the folder that is being copied.
    path: String,
    /// The mode it gets in the end, if it was made.
    finish: Option<u32>,
}

/// Copies the guest's folder `source` into the local folder `destination`.
pub(in crate::ssh) async fn download(
    wire: &mut Wire,
    source: &str,
    destination: &Path,
    exclude: &Exclude,
    progress: &dyn Progress,
) -> Result<()> {
    wire.subject("read the folder", source);
    wire.accept().await?;
    let root = loop {
        match wire.record().await? {
            Some(Record::Folder { mode, .. }) => break mode,
            Some(Record::Times) => wire.accept().await?,
            Some(Record::File { .. }) => return Err(wire.failed("it is not a folder".to_owned())),
            Some(Record::Trouble { reason }) => return Err(wire.failed(reason)),
            Some(Record::End) => return Err(wire.refused("a folder ended that did not begin")),
            None => return Err(wire.ended()),
        }
    };
    // The name it sends for this one is of no interest: we know what we asked for.
    let local = match source.rsplit('/').next() {
        Some(name) if safe_name(name) => destination.join(name),
        _ => destination.to_owned(),
    };
    let parent = local.parent().unwrap_or(&local);
    fs::create_dir_all(parent)
        .await
        .map_err(self::local("create", parent))?;
    let finish = make_folder(&local, root).await?;
    let mut open = vec![Open {
        local: Some(local),
        remote: source.to_owned(),
        path: String::new(),
        finish,
    }];
    wire.accept().await?;
    while let Some(folder) = open.last() {
        let Some(record) = wire.record().await? else {
            return Err(wire.ended());
        };
        let (name, mode) = match &record {
            Record::Times => {
                wire.accept().await?;
                continue;
            }
            // What is left out may not be readable either.
            Record::Trouble { .. } if folder.local.is_none() => {
                wire.entry()?;
                continue;
            }
            Record::Trouble { reason } => {
                wire.subject("read", &folder.remote);
                return Err(wire.failed(reason.clone()));
            }
            Record::End => {
                if let (Some(local), Some(mode)) = (&folder.local, folder.finish) {
                    set_local_mode(local, mode).await?;
                }
                open.pop();
                wire.accept().await?;
                continue;
            }
            Record::File { name, mode, .. } | Record::Folder { name, mode } => (name, *mode),
        };
        if !safe_name(name) {
            return Err(wire.refused("it holds a name that is no file name"));
        }
        wire.entry()?;
        if open.len() > DEPTH_MAXIMUM {
            return Err(wire.refused("it is nested too deeply"));
        }
        let place = Place {
            local: folder.local.clone().unwrap_or_default(),
            remote: folder.remote.clone(),
            path: folder.path.clone(),
        }
        .entry(name);
        let left_out = folder.local.is_none() || exclude.matches(&place.path);
        wire.subject("read", &place.remote);
        if let Record::File { length, .. } = record {
            if left_out {
                wire.accept().await?;
                receive_file(wire, length, None, progress).await?;
                continue;
            }
            let created = NewFile::begin(&place.local).await;
            let mut file = created.map_err(self::local("create", &place.local))?;
            wire.accept().await?;
            receive_file(wire, length, Some(file.writer()), progress).await?;
            file.finish()
                .await
                .map_err(self::local("write", &place.local))?;
            set_local_mode(&place.local, mode & PLAIN_PERMISSIONS).await?;
        } else {
            let finish = if left_out {
                None
            } else {
                make_folder(&place.local, mode).await?
            };
            open.push(Open {
                local: (!left_out).then_some(place.local),
                remote: place.remote,
                path: place.path,
                finish,
            });
            wire.accept().await?;
        }
    }
    if wire.record().await?.is_some() {
        return Err(wire.refused("more came than the folder that was asked for"));
    }
    wire.finish().await
}

/// Makes a local folder if it is missing; returns the mode it is to have when it has been filled.
/// Whoever runs the build must be able to remove what it made.
async fn make_folder(path: &Path, mode: u32) -> Result<Option<u32>, Error> {
    match fs::create_dir(path).await {
        Ok(()) => Ok(Some(mode & PLAIN_PERMISSIONS | OWNER)),
        Err(_) if fs::metadata(path).await.is_ok_and(|found| found.is_dir()) => Ok(None),
        Err(error) => Err(local("create", path)(error)),
    }
}
