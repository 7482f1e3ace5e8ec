//! The files a command is given: template, variable files.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use lvhost_hcl::{InputFile, Inputs};

use crate::arguments::Template;
use crate::surroundings::read_file;

/// The version of Packer that templates can rely on: that of the language's features which are here.
const PACKER_VERSION: &str = "1.11.0";

/// Something that was named on the command line or in the environment can't be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InputError {
    /// A file or folder can't be read.
    #[error("can't read {}", path.display())]
    Read {
        /// Which one.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file of text that is none.
    #[error("{} is not text in UTF-8", path.display())]
    NotText {
        /// Which one.
        path: PathBuf,
    },
    /// A folder without templates.
    #[error(
        "there is no template in {}: no file in it ends in `.pkr.hcl`", folder.display()
    )]
    NoTemplates {
        /// Which one.
        folder: PathBuf,
    },
    /// `--only` or `--except` is not a pattern.
    #[error("`{pattern}` is not a pattern for names of builds")]
    Pattern {
        /// As it was given.
        pattern: String,
        /// Why.
        #[source]
        source: globset::Error,
    },
    /// `--only` or `--except` leave nothing to build.
    #[error("nothing is left to build: the sources of the template are {}", existing.join(", "))]
    NothingSelected {
        /// What there is.
        existing: Vec<String>,
    },
    /// There is no such kind of volume source.
    #[error(
        "there is no source `{wanted}`{}; there are {}",
        close.as_ref().map(|close| format!(", did you mean `{close}`?")).unwrap_or_default(),
        existing.join(", ")
    )]
    NoSuchSource {
        /// What was asked for.
        wanted: String,
        /// One whose name is close.
        close: Option<String>,
        /// What there is.
        existing: Vec<String>,
    },
    /// An environment variable has a value that can't be used.
    #[error("the environment variable {name} can't be used: {reason}")]
    Variable {
        /// Which one.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// There is no place for a cache.
    #[error("there is no folder for the cache: set HOME or XDG_CACHE_HOME")]
    NoCache,
    /// There is no folder to write down what is made.
    #[error(
        "there is no home folder, so nowhere to write down what lvhost makes; set XDG_STATE_HOME to a \
         folder that you alone can write to"
    )]
    NoState,
}

/// The files, and which of them are links.
pub(crate) struct GivenFiles {
    /// What the files say.
    pub(crate) inputs: Inputs,
    /// Names of those that are links. A template may come from somebody else, and a link in its place
    /// lead to a file of the user's: nothing that stands in it is shown.
    pub(crate) links: Vec<String>,
}

/// Reads all files that `arguments` name.
pub(crate) fn read(arguments: &Template) -> Result<GivenFiles, InputError> {
    let path = &arguments.path;
    let metadata = fs::metadata(path).map_err(|source| InputError::Read {
        path: path.clone(),
        source,
    })?;
    let mut inputs = Inputs {
        variables: arguments.variables.clone(),
        packer_version: PACKER_VERSION.to_owned(),
        ..Inputs::default()
    };
    if metadata.is_dir() {
        inputs.root = path.to_string_lossy().into_owned();
        inputs.templates = read_folder(path, &[".pkr.hcl", ".pkr.json"])?;
        if inputs.templates.is_empty() {
            return Err(InputError::NoTemplates {
                folder: path.clone(),
            });
        }
        inputs.auto_variable_files =
            read_folder(path, &[".auto.pkrvars.hcl", ".auto.pkrvars.json"])?;
    } else {
        let root = path
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty());
        inputs.root = root
            .unwrap_or(Path::new("."))
            .to_string_lossy()
            .into_owned();
        inputs.templates = vec![read_text(path)?];
    }
    for path in &arguments.variable_files {
        inputs.variable_files.push(read_text(path)?);
    }
    let files = inputs.templates.iter();
    let files = files.chain(&inputs.auto_variable_files);
    let files = files.chain(&inputs.variable_files);
    let links = files.filter(|file| is_link(Path::new(&file.name)));
    let links = links.map(|file| file.name.clone()).collect();
    Ok(GivenFiles { inputs, links })
}

/// Whether the file at `path` is a link to another one.
pub(crate) fn is_link(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink())
}

/// All files of a folder with one of the endings, in order of name.
fn read_folder(folder: &Path, endings: &[&str]) -> Result<Vec<InputFile>, InputError> {
    let unreadable = |source| InputError::Read {
        path: folder.to_owned(),
        source,
    };
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if endings.iter().any(|ending| name.ends_with(ending)) && !name.starts_with('.') {
            // Without the `./` of the folder that a user doesn't type.
            let is_here = folder == Path::new(".");
            paths.push(if is_here {
                PathBuf::from(&*name)
            } else {
                folder.join(&*name)
            });
        }
    }
    paths.sort();
    paths.iter().map(|path| read_text(path)).collect()
}

fn read_text(path: &Path) -> Result<InputFile, InputError> {
    let bytes = read_file(path).map_err(|source| InputError::Read {
        path: path.to_owned(),
        source,
    })?;
    let text = String::from_utf8(bytes).map_err(|_| InputError::NotText {
        path: path.to_owned(),
    })?;
    Ok(InputFile {
        name: path.to_string_lossy().into_owned(),
        text,
    })
}
