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
use crate::local_file::{NewFile, open_regular};

/// What the host needs in a folder it fills: the owner may read, write and enter.
pub(super) const OWNER: u32 = 0o700;
/// The permission bits that come over from a guest: not set-user-id and its like, which would make
/// a program of the guest run with the rights of whoever runs the build.
pub(super) const PLAIN_PERMISSIONS: u32 = 0o777;
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
        let local = match source.rsplit('/').next() {
            Some(name) if safe_name(name) => destination.join(name),
            _ => destination.to_owned(),
        };
        let folder = local.parent().unwrap_or(&local);
        fs::create_dir_all(folder)
            .await
            .map_err(self::local("create", folder))?;
        let copy = Download {
            sftp,
            exclude,
            progress,
        };
        let root = Place {
            local,
            remote: source.to_owned(),
            path: String::new(),
        };
        let mut todo = copy.one(root, None, 0).await?;
        while let Some(step) = todo.pop() {
            match step {
                Step::Copy { folder, name } => {
                    let place = folder.place.entry(&name);
                    todo.extend(copy.one(place, Some(folder), todo.len()).await?);
                }
                Step::Finish { folder, mode } => set_local_mode(&folder.place.local, mode).await?,
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

impl Download<'_> {
    /// Copies one file, or makes one folder and returns what remains to be done for it. `pending`
    /// is how many steps are waiting.
    async fn one(
        &self,
        place: Place,
        outer: Option<Arc<Folder<String>>>,
        pending: usize,
    ) -> Result<Vec<Step<String>>> {
        let Place {
            local: destination,
            remote: source,
            ..
        } = &place;
        let refused = |reason| Error::Unsafe {
            path: source.clone(),
            reason,
        };
        let attributes = self.sftp.attributes(source).await?;
        let mode = attributes.permissions.map(|mode| mode & PLAIN_PERMISSIONS);
        match attributes.file_type() {
            FileType::File => {
                let created = NewFile::begin(destination).await;
                let mut file = created.map_err(local("create", destination))?;
                self.sftp
                    .download(source, file.writer(), self.progress)
                    .await?;
                file.finish().await.map_err(local("write", destination))?;
                if let Some(mode) = mode {
                    set_local_mode(destination, mode).await?;
                }
                return Ok(Vec::new());
            }
            FileType::Dir => {}
            FileType::Symlink | FileType::Other => {
                return Err(refused("it is neither a file nor a folder: exclude it"));
            }
        }
        let real = self.sftp.resolve(source).await?;
        let Some(folder) = Folder::enter(place.clone(), real, outer) else {
            tracing::warn!(
                path = source,
                "left out: a link to a folder that it stands in"
            );
            return Ok(Vec::new());
        };
        if folder.depth() > DEPTH_MAXIMUM {
            return Err(refused("it is nested too deeply"));
        }
        let names = self.sftp.names(source, pending).await?;
        let made = match fs::create_dir(destination).await {
            Ok(()) => true,
            Err(_)
                if fs::metadata(destination)
                    .await
                    .is_ok_and(|found| found.is_dir()) =>
            {
                false
            }
            Err(error) => return Err(local("create", destination)(error)),
        };
        // Whoever runs the build must be able to remove what it made.
        let finish = mode.filter(|_| made).map(|mode| mode | OWNER);
        Ok(steps(&folder, names, finish, self.exclude))
    }
}

pub(super) async fn set_local_mode(path: &Path, mode: u32) -> Result<()> {
    let set = fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).await;
    set.map_err(local("set the mode of", path))
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
