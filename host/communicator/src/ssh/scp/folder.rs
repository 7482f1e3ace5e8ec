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
use crate::error::Result;
use crate::exclude::Exclude;
use crate::local_file::{GuestsFolder, open_regular};
use crate::ssh::directory::{DEPTH_MAXIMUM, finish, local, receiving, utf8};
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
    /// Where it goes, and what takes it; nothing for one that is left out.
    local: Option<(PathBuf, GuestsFolder)>,
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
    let (path, taker, made) = receiving(source, destination).await?;
    let mut open = vec![Open {
        local: Some((path, taker)),
        remote: source.to_owned(),
        path: String::new(),
        finish: finish(made, Some(root)),
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
                if let (Some((path, taker)), Some(mode)) = (&folder.local, folder.finish) {
                    let set = taker.set_rights(mode).await;
                    set.map_err(local("set the mode of", path))?;
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
        let outer = folder.local.as_ref();
        let place = Place {
            local: outer.map(|(path, _)| path.clone()).unwrap_or_default(),
            remote: folder.remote.clone(),
            path: folder.path.clone(),
        }
        .entry(name);
        let taker = outer.map(|(_, taker)| taker);
        let taker = taker.filter(|_| !exclude.matches(&place.path));
        wire.subject("read", &place.remote);
        if let Record::File { length, .. } = record {
            let Some(taker) = taker else {
                wire.accept().await?;
                receive_file(wire, length, None, progress).await?;
                continue;
            };
            let created = taker.file(name).await;
            let mut file = created.map_err(local("create", &place.local))?;
            wire.accept().await?;
            receive_file(wire, length, Some(file.writer()), progress).await?;
            let set = file.set_rights(mode);
            set.map_err(local("set the mode of", &place.local))?;
            file.finish().await.map_err(local("write", &place.local))?;
        } else {
            let (taken, made) = match taker {
                None => (None, false),
                Some(taker) => {
                    let made = taker.folder(name).await;
                    let (taker, made) = made.map_err(local("create", &place.local))?;
                    (Some((place.local, taker)), made)
                }
            };
            open.push(Open {
                local: taken,
                remote: place.remote,
                path: place.path,
                finish: finish(made, Some(mode)),
            });
            wire.accept().await?;
        }
    }
    if wire.record().await?.is_some() {
        return Err(wire.refused("more came than the folder that was asked for"));
    }
    wire.finish().await
}
