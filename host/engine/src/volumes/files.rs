//! Lists and opens the files of this machine that a volume's options name, through `cap-std`: what
//! lies outside of the folder that a pattern begins in can't be reached, by no link either.
//!
//! ```text
//! held folder by which it is allowed ─┐
//! path of the pattern's folder ───────┴─► folder, held ─► what the pattern matches in it ─┬─► entries
//!                                                          (kept for the next call)       └─► open file
//! ```

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use cap_std::ambient_authority;
use cap_std::fs::{Dir, Metadata, PermissionsExt};
use globset::{GlobBuilder, GlobMatcher};
use lvhost_fetch::{HeldFolder, leads_out, open_regular};
use lvhost_runtime::{Blob, FileEntry, FileKind, ServiceError};

/// The most entries that the patterns of one volume may match, in sum and with all that is in them: a CD's
/// directories are built in the component's memory, and a pattern such as `/*` is a mistake.
const MAX_ENTRIES: usize = 100_000;
/// How deep folders may be nested; Linux itself gives up on paths of about twice that many parts.
const MAX_DEPTH: usize = 128;

/// A pattern, taken apart into the folder it begins in and what has to match below.
struct Pattern {
    folder: PathBuf,
    parts: Vec<GlobMatcher>,
}

impl Pattern {
    fn parse(pattern: &str, working_directory: &Path) -> Result<Self, ServiceError> {
        let invalid = |why: &dyn std::fmt::Display| {
            ServiceError::Invalid(format!("`{pattern}` can't be used as a path: {why}"))
        };
        if pattern.is_empty() || pattern.contains('\0') {
            return Err(invalid(&"it is empty or has a NUL in it"));
        }
        let mut parts: Vec<&str> = pattern
            .split('/')
            .filter(|part| !part.is_empty() && *part != ".")
            .collect();
        // The last part is always matched, so that the folder is one and the match has a name.
        let fixed = parts
            .iter()
            .position(|part| part.contains(['*', '?', '[', '\\']))
            .unwrap_or_else(|| parts.len().saturating_sub(1));
        let mut folder = working_directory.to_path_buf();
        if pattern.starts_with('/') {
            folder = PathBuf::from("/");
        }
        folder.extend(parts.drain(..fixed));
        if parts.is_empty() || parts.contains(&"..") {
            return Err(invalid(&"it must end in the name of a file or a folder"));
        }
        let parts = parts
            .into_iter()
            .map(|part| {
                GlobBuilder::new(part)
                    .literal_separator(true)
                    .backslash_escape(true)
                    .build()
                    .map(|glob| glob.compile_matcher())
                    .map_err(|error| invalid(&error))
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { folder, parts })
    }
}

/// What the patterns of one volume match. A pattern is followed once, and what it matched is held for as long as the
/// volume is made, folder and all: a file that is opened afterwards is beneath the folder in which it was found,
/// and opening it takes a look-up and no walk.
#[derive(Debug, Clone)]
pub(super) struct Matches {
    by_pattern: Arc<Mutex<BTreeMap<String, Arc<MatchingFiles>>>>,
    /// The most that may be held.
    room: usize,
}

impl Default for Matches {
    fn default() -> Self {
        Self {
            by_pattern: Arc::default(),
            room: MAX_ENTRIES,
        }
    }
}

/// What one pattern matches, by the paths it has in an image.
type MatchingFiles = BTreeMap<String, MatchingFile>;

impl Matches {
    /// Everything `pattern` matches, folders with all that is in them, ordered by path. Where there are
    /// `bounds`, the folder that the pattern begins in must be beneath them.
    ///
    /// This blocks on the file system.
    pub(super) fn list(
        &self,
        pattern: &str,
        working_directory: &Path,
        bounds: Option<&HeldFolder>,
    ) -> Result<Vec<FileEntry>, ServiceError> {
        let matched = self.matched(pattern, working_directory, bounds)?;
        let entries = matched.iter();
        Ok(entries.map(|(path, found)| found.entry(path)).collect())
    }

    /// Opens a file that [`Self::list`] shows. This blocks on the file system.
    pub(super) fn open(
        &self,
        pattern: &str,
        path: &str,
        working_directory: &Path,
        bounds: Option<&HeldFolder>,
    ) -> Result<Blob, ServiceError> {
        let matched = self.matched(pattern, working_directory, bounds)?;
        open(&matched, pattern, path)
    }

    fn matched(
        &self,
        pattern: &str,
        working_directory: &Path,
        bounds: Option<&HeldFolder>,
    ) -> Result<Arc<MatchingFiles>, ServiceError> {
        let held = || {
            let locked = self.by_pattern.lock();
            locked.unwrap_or_else(PoisonError::into_inner)
        };
        if let Some(known) = held().get(pattern) {
            return Ok(Arc::clone(known));
        }
        let matched = Arc::new(find(pattern, working_directory, bounds, self.room)?);
        let mut by_pattern = held();
        // Nothing of it is let go: what was shown can be opened, without following its pattern again.
        let entries: usize = by_pattern.values().map(|matched| matched.len()).sum();
        if entries + matched.len() > self.room {
            return Err(ServiceError::Other(format!(
                "`{pattern}` and the patterns before it match more than {} files and folders",
                self.room
            )));
        }
        by_pattern.insert(pattern.to_owned(), Arc::clone(&matched));
        Ok(matched)
    }
}

fn open(matched: &MatchingFiles, pattern: &str, path: &str) -> Result<Blob, ServiceError> {
    let failed = |error: &io::Error| {
        ServiceError::Other(format!("can't read `{path}` of `{pattern}`: {error}"))
    };
    let Some(MatchingFile {
        folder,
        below,
        metadata,
    }) = matched.get(path)
    else {
        return Err(ServiceError::NotFound(format!(
            "`{pattern}` matches no `{path}`"
        )));
    };
    if metadata.is_dir() {
        return Err(ServiceError::Invalid(format!("`{path}` is a folder")));
    }
    let file = open_regular(folder, below).map_err(|error| match leads_out(&error) {
        true => ServiceError::Denied(format!(
            "a link leads from `{path}` of `{pattern}` out of its folder, which is not allowed"
        )),
        false => failed(&error),
    })?;
    let size = file.metadata().map_err(|error| failed(&error))?.len();
    let name = path.rsplit('/').next().unwrap_or(path).to_string();
    Ok(Blob {
        name,
        file: Arc::new(file),
        size,
    })
}

#[derive(Debug)]
struct MatchingFile {
    folder: Arc<Dir>,
    below: PathBuf,
    metadata: Metadata,
}

impl MatchingFile {
    fn entry(&self, path: &str) -> FileEntry {
        let is_folder = self.metadata.is_dir();
        FileEntry {
            path: path.to_owned(),
            kind: if is_folder {
                FileKind::Directory
            } else {
                FileKind::File
            },
            size: if is_folder { 0 } else { self.metadata.len() },
            executable: !is_folder && self.metadata.permissions().mode() & 0o100 != 0,
        }
    }
}

fn find(
    pattern: &str,
    working_directory: &Path,
    bounds: Option<&HeldFolder>,
    room: usize,
) -> Result<MatchingFiles, ServiceError> {
    let Pattern { folder, parts } = Pattern::parse(pattern, working_directory)?;
    let denied = || {
        ServiceError::Denied(format!(
            "{} leads out of the folder by which `{pattern}` is allowed",
            folder.display()
        ))
    };
    let none = || {
        ServiceError::NotFound(format!(
            "`{pattern}` matches no file (looked in {})",
            folder.display()
        ))
    };
    let opened = match bounds {
        None => Dir::open_ambient_dir(&folder, ambient_authority()),
        Some(bounds) => bounds.folder(bounds.below(&folder).ok_or_else(denied)?),
    };
    let root = match opened {
        Ok(root) => Arc::new(root),
        Err(error) if bounds.is_some() && leads_out(&error) => return Err(denied()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(none()),
        Err(error) => {
            return Err(ServiceError::Other(format!(
                "can't list {} for `{pattern}`: {error}",
                folder.display()
            )));
        }
    };
    let mut walk = Walk {
        pattern,
        root,
        room,
        found: BTreeMap::new(),
    };
    walk.matches(Path::new("."), &parts)?;
    if walk.found.is_empty() {
        return Err(none());
    }
    Ok(walk.found)
}

struct Walk<'a> {
    pattern: &'a str,
    root: Arc<Dir>,
    room: usize,
    found: BTreeMap<String, MatchingFile>,
}

impl Walk<'_> {
    fn failed(&self, path: &Path, error: &io::Error) -> ServiceError {
        let why = match error.kind() {
            io::ErrorKind::PermissionDenied => {
                format!("{error}; a link that leads out of the folder is not followed")
            }
            _ => error.to_string(),
        };
        ServiceError::Other(format!(
            "can't read {} for `{}`: {why}",
            path.display(),
            self.pattern
        ))
    }

    fn names(&self, folder: &Path) -> Result<Vec<String>, ServiceError> {
        let failed = |error: &io::Error| self.failed(folder, error);
        let mut names = Vec::new();
        for entry in self.root.read_dir(folder).map_err(|error| failed(&error))? {
            let entry = entry.map_err(|error| failed(&error))?;
            let name = entry.file_name().into_string().map_err(|name| {
                ServiceError::Other(format!("{name:?} in {} is not UTF-8", folder.display()))
            })?;
            names.push(name);
            if names.len() > self.room {
                return Err(self.too_many());
            }
        }
        Ok(names)
    }

    fn too_many(&self) -> ServiceError {
        ServiceError::Other(format!(
            "`{}` matches more than {} files and folders",
            self.pattern, self.room
        ))
    }

    /// Follows the pattern, part by part.
    fn matches(&mut self, folder: &Path, parts: &[GlobMatcher]) -> Result<(), ServiceError> {
        let Some((part, rest)) = parts.split_first() else {
            return Ok(());
        };
        for name in self.names(folder)? {
            if !part.is_match(&name) {
                continue;
            }
            let path = folder.join(&name);
            if rest.is_empty() {
                self.take(name, path, 0)?;
            } else if self.metadata(&path)?.is_dir() {
                self.matches(&path, rest)?;
            }
        }
        Ok(())
    }

    fn metadata(&self, path: &Path) -> Result<Metadata, ServiceError> {
        self.root
            .metadata(path)
            .map_err(|error| self.failed(path, &error))
    }

    /// Takes what is at `path` under the name it has in the image, with all that is in it.
    fn take(&mut self, name: String, path: PathBuf, depth: usize) -> Result<(), ServiceError> {
        if depth > MAX_DEPTH {
            return Err(ServiceError::Other(format!(
                "{} is nested too deeply; does a link lead back into it?",
                path.display()
            )));
        }
        if self.found.len() >= self.room {
            return Err(self.too_many());
        }
        let metadata = self.metadata(&path)?;
        let is_folder = metadata.is_dir();
        if !is_folder && !metadata.is_file() {
            return Err(ServiceError::Invalid(format!(
                "{} is neither a file nor a folder",
                path.display()
            )));
        }
        if is_folder {
            for inner in self.names(&path)? {
                self.take(format!("{name}/{inner}"), path.join(&inner), depth + 1)?;
            }
        }
        let found = MatchingFile {
            folder: Arc::clone(&self.root),
            below: path,
            metadata,
        };
        self.found.insert(name, found);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
