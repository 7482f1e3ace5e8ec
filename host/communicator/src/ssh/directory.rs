//! Whole folders, in both directions, entry by entry and in the order of their names.
//!
//! Symbolic links are followed, those to folders as well: the other side gets what they point at.
//! One that leads back to a folder it stands in is left out, else the copy would have no end. A
//! folder that is made gets its final permission bits after its contents, because it may be one
//! that cannot be written to.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use russh_sftp::protocol::FileType;
use tokio::fs;

use super::listing::safe_name;
use super::sftp::{PERMISSIONS, Sftp};
use super::tree::{Folder, Place, Step, join, parent, steps};
use crate::communicator::Progress;
use crate::error::{Error, Result};
use crate::exclude::Exclude;
use crate::local_file::{GuestsFolder, open_regular};

/// What the host needs in a folder it fills: the owner may read, write and enter.
const OWNER: u32 = 0o700;
/// How deep a folder in the guest may be nested. No real tree comes near; a hostile one has no
/// bottom.
pub(super) const DEPTH_MAXIMUM: usize = 128;

/// Copies the local folder `source` into the guest's folder `destination`.
pub(super) async fn upload(
    sftp: &Sftp,
    source: &Path,
    destination: &str,
    exclude: &Exclude,
    progress: &dyn Progress,
) -> Result<()> {
    let during = || format!("during the upload of {} to {destination}", source.display());
    let work = async {
        see_folder(source).await?;
        let contents_only = source.as_os_str().as_encoded_bytes().ends_with(b"/");
        let remote = match source.file_name() {
            Some(name) if !contents_only => {
                make_folders(sftp, destination).await?;
                join(destination, utf8(name.as_ref())?)
            }
            _ => destination.to_owned(),
        };
        make_folders(sftp, parent(&remote)).await?;
        let root = Place {
            local: source.to_owned(),
            remote,
            path: String::new(),
        };
        let mut todo = upload_one(sftp, root, None, exclude, progress).await?;
        while let Some(step) = todo.pop() {
            match step {
                Step::Copy { folder, name } => {
                    let place = folder.place.entry(&name);
                    todo.extend(upload_one(sftp, place, Some(folder), exclude, progress).await?);
                }
                Step::Finish { folder, mode } => sftp.set_mode(&folder.place.remote, mode).await?,
            }
        }
        Ok(())
    };
    sftp.during(during, work).await
}

/// Sees that the local folder `source` is one.
pub(super) async fn see_folder(source: &Path) -> Result<()> {
    let metadata = fs::metadata(source).await.map_err(local("read", source))?;
    if metadata.is_dir() {
        return Ok(());
    }
    let kind = io::ErrorKind::NotADirectory;
    Err(local("read", source)(io::Error::from(kind)))
}

/// Copies one file, or makes one folder and returns what remains to be done for it.
async fn upload_one(
    sftp: &Sftp,
    place: Place,
    outer: Option<Arc<Folder<PathBuf>>>,
    exclude: &Exclude,
    progress: &dyn Progress,
) -> Result<Vec<Step<PathBuf>>> {
    let source = place.local.as_path();
    let failed = || local("read", source);
    let metadata = fs::metadata(source).await.map_err(failed())?;
    let mode = metadata.permissions().mode() & PERMISSIONS;
    if metadata.is_file() {
        let (mut file, length) = open_regular(source).await.map_err(failed())?;
        sftp.upload(&mut file, Some(length), &place.remote, Some(mode), progress)
            .await?;
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
    let made = sftp.make_folder(&place.remote).await?;
    if made {
        sftp.set_mode(&place.remote, mode | OWNER).await?;
    }
    let finish = (made && mode & OWNER != OWNER).then_some(mode);
    Ok(steps(&folder, names, finish, exclude))
}

/// Copies the guest's folder `source` into the local folder `destination`.
pub(super) async fn download(
    sftp: &Sftp,
    source: &str,
    destination: &Path,
    exclude: &Exclude,
    progress: &dyn Progress,
) -> Result<()> {
    let during = || {
        format!(
            "during the download of {source} to {}",
            destination.display()
        )
    };
    let work = async {
        let attributes = sftp.attributes(source).await?;
        if attributes.file_type() != FileType::Dir {
            return Err(Error::Remote {
                action: "read the folder",
                path: source.to_owned(),
                reason: "it is not a folder".to_owned(),
            });
        }
        let real = sftp.resolve(source).await?;
        let names = sftp.names(source, 0).await?;
        let (local, taker, made) = receiving(source, destination).await?;
        let root = Place {
            local,
            remote: source.to_owned(),
            path: String::new(),
        };
        let finish = finish(made, attributes.permissions);
        let root = Folder::new(root, real, taker, None);
        let mut todo = steps(&root, names, finish, exclude);
        let copy = Download {
            sftp,
            exclude,
            progress,
        };
        while let Some(step) = todo.pop() {
            match step {
                Step::Copy { folder, name } => {
                    let place = folder.place.entry(&name);
                    todo.extend(copy.one(place, &name, folder, todo.len()).await?);
                }
                Step::Finish { folder, mode } => {
                    let set = folder.taker.set_rights(mode).await;
                    set.map_err(self::local("set the mode of", &folder.place.local))?;
                }
            }
        }
        Ok(())
    };
    sftp.during(during, work).await
}

/// What the download of one entry needs besides the entry.
struct Download<'a> {
    sftp: &'a Sftp,
    exclude: &'a Exclude,
    progress: &'a dyn Progress,
}

/// The folder that a copy of the guest's folder `source` is made in: `destination`, or in it one of the same name.
/// With its path, and whether it was made.
pub(super) async fn receiving(
    source: &str,
    destination: &Path,
) -> Result<(PathBuf, GuestsFolder, bool)> {
    let made = GuestsFolder::make(destination).await;
    let (folder, made) = made.map_err(local("create", destination))?;
    let Some(name) = source.rsplit('/').next().filter(|name| safe_name(name)) else {
        return Ok((destination.to_owned(), folder, made));
    };
    let path = destination.join(name);
    let made = folder.folder(name).await;
    let (folder, made) = made.map_err(local("create", &path))?;
    Ok((path, folder, made))
}

/// What remains to be done of a download.
type Steps = Vec<Step<String, GuestsFolder>>;
/// A folder of a download.
type Outer = Arc<Folder<String, GuestsFolder>>;

impl Download<'_> {
    /// Downloads an entry of a folder; what is in it, if it is a folder, remains to be done.
    async fn one(&self, place: Place, name: &str, outer: Outer, pending: usize) -> Result<Steps> {
        let attributes = self.sftp.attributes(&place.remote).await?;
        match attributes.file_type() {
            FileType::File => {
                let created = outer.taker.file(name).await;
                let mut file = created.map_err(local("create", &place.local))?;
                self.sftp
                    .download(&place.remote, file.writer(), self.progress)
                    .await?;
                if let Some(mode) = attributes.permissions {
                    let set = file.set_rights(mode);
                    set.map_err(local("set the mode of", &place.local))?;
                }
                file.finish().await.map_err(local("write", &place.local))?;
                Ok(Vec::new())
            }
            FileType::Dir => {
                let real = self.sftp.resolve(&place.remote).await?;
                if Folder::is_in(&real, Some(&outer)) {
                    tracing::warn!(
                        path = place.remote,
                        "left out: a link to a folder that it stands in"
                    );
                    return Ok(Vec::new());
                }
                if Folder::depth(Some(&outer)) > DEPTH_MAXIMUM {
                    return Err(refused(&place, "it is nested too deeply"));
                }
                let names = self.sftp.names(&place.remote, pending).await?;
                let made = outer.taker.folder(name).await;
                let (taker, made) = made.map_err(local("create", &place.local))?;
                let finish = finish(made, attributes.permissions);
                let folder = Folder::new(place, real, taker, Some(outer));
                Ok(steps(&folder, names, finish, self.exclude))
            }
            FileType::Symlink | FileType::Other => Err(refused(
                &place,
                "it is neither a file nor a folder: exclude it",
            )),
        }
    }
}

/// The permission bits that a folder gets when all is in it: one that was there keeps its own, and whoever runs
/// the build must be able to remove what it made.
pub(super) fn finish(made: bool, mode: Option<u32>) -> Option<u32> {
    mode.filter(|_| made).map(|mode| mode | OWNER)
}

fn refused(place: &Place, reason: &'static str) -> Error {
    Error::Unsafe {
        path: place.remote.clone(),
        reason,
    }
}

/// Makes the guest's folder `path` and those it is in, as far as they are missing.
async fn make_folders(sftp: &Sftp, path: &str) -> Result<()> {
    let mut missing = Vec::new();
    let mut folder = path;
    while !folder.is_empty() && !sftp.exists(folder).await? {
        missing.push(folder);
        folder = parent(folder);
    }
    for folder in missing.into_iter().rev() {
        sftp.make_folder(folder).await?;
    }
    Ok(())
}

/// SFTP's text is UTF-8 to the library that speaks it.
pub(super) fn utf8(path: &Path) -> Result<&str> {
    path.to_str().ok_or_else(|| {
        local("send", path)(io::Error::new(
            io::ErrorKind::InvalidData,
            "its name is not UTF-8",
        ))
    })
}

pub(super) fn local(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Local {
        action,
        path,
        source,
    }
}
