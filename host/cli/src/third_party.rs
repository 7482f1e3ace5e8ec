//! The files of components that are not built in: where they are looked for, and whether they are what
//! the project's settings have pinned.

use std::io;
use std::iter;
use std::path::{Path, PathBuf};

use lvhost_config::PROJECT_FILE;
use lvhost_fetch::digest::{Algorithm, Digest, Hasher};
use lvhost_hcl::Diagnostic;
use lvhost_runtime::COMPONENT_SIZE;

use crate::project::Entry;
use crate::surroundings::Surroundings;

/// Where the components of a template are looked for.
pub(crate) struct Places {
    /// The template's folder.
    folder: PathBuf,
    /// Where a user puts components for all of their templates; `None` without a home.
    installed: Option<PathBuf>,
}

/// A component's file, read.
pub(crate) struct ComponentFile {
    pub(crate) path: PathBuf,
    pub(crate) bytes: Vec<u8>,
    /// Its digest, in hexadecimal digits.
    pub(crate) sha256: String,
    /// It lies beside the template.
    pub(crate) is_beside: bool,
}

impl Places {
    /// The places for a template in `folder`.
    pub(crate) fn new(folder: &Path, surroundings: &Surroundings) -> Self {
        Self {
            folder: folder.to_owned(),
            installed: surroundings.source_directory(),
        }
    }

    /// The file of an entry.
    ///
    /// # Errors
    /// There is none, or it can't be read.
    pub(crate) fn of_entry(&self, entry: &Entry<'_>) -> Result<ComponentFile, Diagnostic> {
        let place = entry.plugin.origin.span_of("file");
        let Some(file) = &entry.plugin.file else {
            return self.find(entry.name).unwrap_or_else(|| {
                Err(Diagnostic::error(
                    entry.name_span,
                    format!("there is no {}", file_name(entry.name)),
                )
                .detail(format!("looked in {}", self.shown()))
                .help("put it into one of these folders, or say by `file` where it is"))
            });
        };
        let path = self.folder.join(file);
        ComponentFile::read(&path, true).map_err(|error| {
            Diagnostic::error(place, format!("can't read {}", path.display()))
                .detail(error.to_string())
        })
    }

    /// Where a file for a source of this name would be, and whether that is beside the template.
    fn candidates(&self, name: &str) -> impl Iterator<Item = (PathBuf, bool)> {
        let file_name = file_name(name);
        let installed = self.installed.as_ref();
        let installed = installed.map(|folder| (folder.join(&file_name), false));
        iter::once((self.folder.join(&file_name), true)).chain(installed)
    }

    /// Whether something is there for a source of this name. It is not read.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.candidates(name)
            .any(|(path, _)| path.symlink_metadata().is_ok())
    }

    /// The file that is there for a source of this name.
    pub(crate) fn find(&self, name: &str) -> Option<Result<ComponentFile, Diagnostic>> {
        for (path, is_beside) in self.candidates(name) {
            match ComponentFile::read(&path, is_beside) {
                Ok(file) => return Some(Ok(file)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => {
                    let summary = format!("can't read {}: {error}", path.display());
                    return Some(Err(Diagnostic::error(None, summary)));
                }
            }
        }
        None
    }

    /// What to do where no file is there for a source of this name.
    pub(crate) fn advice(&self, name: &str) -> String {
        let file = file_name(name);
        format!(
            "a component that is not built in goes into {}, as {file}; then this goes into {}:\n\n{}",
            self.shown(),
            self.folder.join(PROJECT_FILE).display(),
            entry_text(name, Some(&file), "…", &["urls = [\"…\"]".to_owned()]),
        )
    }

    fn shown(&self) -> String {
        match &self.installed {
            Some(installed) => format!("{} or {}", folder_shown(&self.folder), installed.display()),
            None => folder_shown(&self.folder),
        }
    }
}

fn folder_shown(folder: &Path) -> String {
    if folder == Path::new(".") {
        "the template's folder".to_owned()
    } else {
        folder.display().to_string()
    }
}

fn file_name(name: &str) -> String {
    format!("{name}.wasm")
}

impl ComponentFile {
    /// The file that a user has named.
    ///
    /// # Errors
    /// It can't be read.
    pub(crate) fn named(path: &Path) -> Result<Self, Diagnostic> {
        Self::read(path, false).map_err(|error| {
            Diagnostic::error(None, format!("can't read {}: {error}", path.display()))
        })
    }

    fn read(path: &Path, is_beside: bool) -> io::Result<Self> {
        let bytes = lvhost_regular_file::read(path, COMPONENT_SIZE as u64)?;
        let mut hasher = Hasher::new(Algorithm::Sha256);
        hasher.update(&bytes);
        Ok(Self {
            path: path.to_owned(),
            sha256: hasher.finish().to_string(),
            bytes,
            is_beside,
        })
    }

    /// Where it is, for people.
    pub(crate) fn shown(&self) -> String {
        self.path.display().to_string()
    }

    /// Checks that these are the bytes that the user has allowed.
    ///
    /// # Errors
    /// They are others, or it is not said which.
    pub(crate) fn is_pinned_by(&self, entry: &Entry<'_>) -> Result<(), Diagnostic> {
        let place = entry.plugin.origin.span_of("sha256");
        let Some(written) = &entry.plugin.sha256 else {
            return Err(Diagnostic::error(
                entry.name_span,
                format!("`sha256` is missing: {} is not pinned", self.shown()),
            )
            .help(format!(
                "if you trust it as it is, add `sha256 = \"{}\"`",
                self.sha256
            )));
        };
        let Some(pinned) = Digest::from_hex(Algorithm::Sha256, written.trim()) else {
            return Err(Diagnostic::error(
                place,
                "a SHA-256 has 64 hexadecimal digits, and nothing else",
            )
            .help(format!("{} has {}", self.shown(), self.sha256)));
        };
        if pinned.to_string() == self.sha256 {
            return Ok(());
        }
        Err(Diagnostic::error(
            place,
            format!(
                "{} is not the component that was allowed: its SHA-256 is {}, and {pinned} was \
                 allowed",
                self.shown(),
                self.sha256
            ),
        )
        .detail("it has changed since")
        .help(format!(
            "if you know why it has changed, and trust it, write `sha256 = \"{}\"`",
            self.sha256
        )))
    }
}

/// An entry to paste.
pub(crate) fn entry_text(name: &str, file: Option<&str>, sha256: &str, allow: &[String]) -> String {
    let mut text = format!("source_plugin \"{name}\" {{\n");
    if let Some(file) = file {
        text.push_str(&format!("  file   = {file:?}\n"));
    }
    text.push_str(&format!("  sha256 = \"{sha256}\"\n"));
    if !allow.is_empty() {
        text.push_str("\n  allow {\n");
        for line in allow {
            text.push_str(&format!("    {line}\n"));
        }
        text.push_str("  }\n");
    }
    text.push('}');
    text
}
