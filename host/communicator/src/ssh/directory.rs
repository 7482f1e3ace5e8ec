//! Whole folders, in both directions, entry by entry and in the order of their names.
//!
//! Symbolic links are followed, those to folders as well: the other side gets what they point at. One
//! that leads back to a folder it stands in is left out, else the copy would have no end. A folder that
//! is made gets its final permission bits after its contents, because it may be one that cannot be
//! written to.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use russh_sftp::protocol::FileType;
use tokio::fs;

use super::exclude::Exclude;
use super::listing::{Listing, safe_name};
use super::sftp::{PERMISSIONS, Sftp};
use crate::communicator::Progress;
use crate::error::{Error, Result};

/// What the host needs in a folder it fills: the owner may read, write and enter.
const OWNER: u32 = 0o700;
/// The permission bits that come over from a guest: not set-user-id and its like, which would make a
/// program of the guest run with the rights of whoever runs the build.
const PLAIN_PERMISSIONS: u32 = 0o777;
/// How deep a folder in the guest may be nested. No real tree comes near; a hostile one has no bottom.
const DEPTH_MAXIMUM: usize = 128;

/// A file or folder on both sides.
#[derive(Clone)]
struct Place {
    local: PathBuf,
    remote: String,
    /// Relative to the folder that is being copied, with slashes; empty for that folder itself.
    path: String,
}

impl Place {
    /// The entry `name` of this folder.
    fn entry(&self, name: &str) -> Self {
        let path = if self.path.is_empty() {
            name.to_owned()
        } else {
            format!("{}/{name}", self.path)
        };
        Self {
            local: self.local.join(name),
            remote: join(&self.remote, name),
            path,
        }
    }
}

/// A folder that one is in. `P` is the path of the side it is read from.
struct Folder<P> {
    place: Place,
    /// Its path there with all links resolved.
    real: P,
    outer: Option<Arc<Self>>,
}

impl<P: PartialEq> Folder<P> {
    /// The folder at `place` inside `outer`; nothing if one is in it already.
    fn enter(place: Place, real: P, outer: Option<Arc<Self>>) -> Option<Arc<Self>> {
        let mut seen = outer.as_ref();
        while let Some(folder) = seen {
            if folder.real == real {
                return None;
            }
            seen = folder.outer.as_ref();
        }
        Some(Arc::new(Self { place, real, outer }))
    }

    fn depth(&self) -> usize {
        std::iter::successors(self.outer.as_ref(), |folder| folder.outer.as_ref()).count()
    }
}

/// Something that remains to be done, on a stack.
enum Step<P> {
    /// Copy this entry. No more than its name is held, since folders can be large.
    Copy {
        folder: Arc<Folder<P>>,
        name: String,
    },
    /// Give a folder that was made and filled its permission bits.
    Finish { folder: Arc<Folder<P>>, mode: u32 },
}

/// The steps for a folder's entries, to be taken from the end.
fn steps<P>(
    folder: &Arc<Folder<P>>,
    names: Vec<String>,
    finish: Option<u32>,
    exclude: &Exclude,
) -> Vec<Step<P>> {
    let mut steps = Vec::with_capacity(names.len() + 1);
    steps.extend(finish.map(|mode| Step::Finish {
        folder: Arc::clone(folder),
        mode,
    }));
    for name in names.into_iter().rev() {
        if !exclude.matches(&folder.place.entry(&name).path) {
            steps.push(Step::Copy {
                folder: Arc::clone(folder),
                name,
            });
        }
    }
    steps
}

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
        let metadata = fs::metadata(source).await.map_err(local("read", source))?;
        if !metadata.is_dir() {
            return Err(local("read", source)(io::Error::from(
                io::ErrorKind::NotADirectory,
            )));
        }
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
    sftp.session().during(during, work).await
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
        let mut file = fs::File::open(source).await.map_err(failed())?;
        let length = Some(metadata.len());
        sftp.upload(&mut file, length, &place.remote, Some(mode), progress)
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
    listing: &Listing,
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
            listing,
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
    sftp.session().during(during, work).await
}

/// What the download of one entry needs besides the entry.
struct Download<'a> {
    sftp: &'a Sftp,
    listing: &'a Listing,
    exclude: &'a Exclude,
    progress: &'a dyn Progress,
}

impl Download<'_> {
    /// Copies one file, or makes one folder and returns what remains to be done for it. `pending` is
    /// how many steps are waiting.
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
                let created = fs::File::create(destination).await;
                let mut file = created.map_err(local("create", destination))?;
                self.sftp.download(source, &mut file, self.progress).await?;
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
        let names = self.listing.names(source, pending).await?;
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

async fn set_local_mode(path: &Path, mode: u32) -> Result<()> {
    let set = fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).await;
    set.map_err(local("set the mode of", path))
}

/// Makes the guest's folder `path` and those it is in, as far as they are missing.
async fn make_folders(sftp: &Sftp, path: &str) -> Result<()> {
    let mut missing = Vec::new();
    let mut folder = path;
    while !folder.is_empty() && sftp.attributes(folder).await.is_err() {
        missing.push(folder);
        folder = parent(folder);
    }
    for folder in missing.into_iter().rev() {
        sftp.make_folder(folder).await?;
    }
    Ok(())
}

/// The folder that the guest's `path` is in; empty for one that needs no making.
fn parent(path: &str) -> &str {
    path.trim_end_matches('/')
        .rsplit_once('/')
        .map_or("", |(parent, _)| parent)
}

/// `name` in the guest's folder `folder`.
fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() || folder.ends_with('/') {
        format!("{folder}{name}")
    } else {
        format!("{folder}/{name}")
    }
}

/// SFTP's text is UTF-8 to the library that speaks it.
fn utf8(path: &Path) -> Result<&str> {
    path.to_str().ok_or_else(|| {
        local("send", path)(io::Error::new(
            io::ErrorKind::InvalidData,
            "its name is not UTF-8",
        ))
    })
}

fn local(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Local {
        action,
        path,
        source,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn paths_in_the_guest() {
        for (path, expected) in [
            ("/a/b", "/a"),
            ("/a/b/", "/a"),
            ("/a", ""),
            ("a", ""),
            ("a/b", "a"),
            ("/", ""),
        ] {
            assert_eq!(parent(path), expected, "{path}");
        }
        for (folder, name, expected) in [
            ("/a", "b", "/a/b"),
            ("/a/", "b", "/a/b"),
            ("/", "b", "/b"),
            ("", "b", "b"),
        ] {
            assert_eq!(join(folder, name), expected, "{folder} {name}");
        }
    }

    #[test]
    fn a_folder_is_not_entered_twice() {
        let place = Place {
            local: "/l".into(),
            remote: "/r".to_owned(),
            path: String::new(),
        };
        let enter = |real, outer: Option<&Arc<Folder<&'static str>>>| {
            Folder::enter(place.clone(), real, outer.cloned())
        };
        let a = enter("a", None).unwrap();
        let b = enter("b", Some(&a)).unwrap();
        let c = enter("c", Some(&a)).unwrap();
        assert!(enter("a", Some(&b)).is_none());
        assert!(enter("b", Some(&b)).is_none());
        assert!(enter("b", Some(&c)).is_some());
        assert_eq!((a.depth(), b.depth()), (0, 1));
    }

    #[test]
    fn entries_are_taken_in_order_and_the_folder_last() {
        let place = Place {
            local: "/l".into(),
            remote: "/r".to_owned(),
            path: "in".to_owned(),
        };
        let folder = Folder::enter(place, "real", None).unwrap();
        let exclude = Exclude::new(&["in/b".to_owned()]).unwrap();
        let names = ["a", "b", "c"].map(str::to_owned).to_vec();
        let mut todo = steps(&folder, names, Some(0o555), &exclude);
        let mut order = Vec::new();
        while let Some(step) = todo.pop() {
            order.push(match step {
                Step::Copy { folder, name } => folder.place.entry(&name).remote,
                Step::Finish { mode, .. } => format!("{mode:o}"),
            });
        }
        assert_eq!(order, ["/r/a", "/r/c", "555"]);
    }

    proptest! {
        #[test]
        fn a_parent_is_a_shorter_prefix(path in "[a-z/]{1,30}") {
            let parent = parent(&path);
            prop_assert!(path.starts_with(parent) && parent.len() < path.len());
        }
    }
}
