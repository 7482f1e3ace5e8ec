//! The process's surroundings, read once: environment, folders, terminal, clock. Everything else
//! gets them as values.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use lvhost_engine::go_template::BuildFacts;
use lvhost_engine::{Journal, JournalFolder, Secrets};
use lvhost_hcl::Environment;
use lvhost_runtime::CompiledPlaces;
use rand::TryRng;
use rand::rngs::SysRng;
use secrecy::SecretString;

use crate::input::InputError;

/// Bytes of a file that is read into memory as a whole: a template, or what a template reads with
/// `file(…)`. They hold text that people write; 16 MiB is far beyond that, and a run that holds a few
/// copies of it still fits in a small machine.
pub(crate) const FILE_SIZE: u64 = 16 << 20;

/// Names of volumes and domains, with commas between them.
const FORCE_FOREIGN: &str = "LVHOST_FORCE_FOREIGN";

/// Files that `fileset(…)` looks at below its folder. A pattern that is meant for a folder of scripts
/// and hits a whole disk shall not take all memory.
const FILESET_FILES: usize = 100_000;

/// What surrounds this process. Without `Debug`, since variables hold secrets.
pub(crate) struct Surroundings {
    /// Environment variables whose names and values are Unicode.
    pub(crate) variables: BTreeMap<String, String>,
    /// Where the command was called.
    pub(crate) working_directory: PathBuf,
    /// When.
    started: jiff::Timestamp,
    /// What none of the process's words may show. It grows as templates are read and guests are made; the log
    /// hides it from the first line on.
    pub(crate) secrets: Secrets,
}

impl Surroundings {
    /// Those of this process, as they are now.
    pub(crate) fn of_this_process() -> Self {
        let unicode = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self {
            variables: env::vars_os().filter_map(unicode).collect(),
            // Without one (it was deleted), relative paths fail where they are used, by name.
            working_directory: env::current_dir().unwrap_or_default(),
            started: jiff::Timestamp::now(),
            secrets: Secrets::default(),
        }
    }

    /// A variable that is set to something.
    pub(crate) fn set(&self, name: &str) -> Option<&str> {
        self.variables
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// What a variable holds, if it is set to something, for those who show it to nobody.
    pub(crate) fn secret_variable(&self, name: &str) -> Option<SecretString> {
        self.set(name).map(SecretString::from)
    }

    /// The user's home.
    pub(crate) fn home(&self) -> Option<PathBuf> {
        self.set("HOME").map(PathBuf::from).or_else(env::home_dir)
    }

    /// Where `ssh` looks for the keys of hosts, the user's own files first.
    pub(crate) fn known_hosts(&self) -> Vec<PathBuf> {
        let own = self.home().into_iter().flat_map(|home| {
            ["known_hosts", "known_hosts2"].map(|name| home.join(".ssh").join(name))
        });
        let everybodys = ["ssh_known_hosts", "ssh_known_hosts2"];
        own.chain(everybodys.map(|name| Path::new("/etc/ssh").join(name)))
            .collect()
    }

    /// Where lvhost may keep what it can make again: `lvhost` in the user's cache folder, as
    /// <https://specifications.freedesktop.org/basedir> has it; `None` without a home.
    pub(crate) fn cache_directory(&self) -> Option<PathBuf> {
        self.user_directory("XDG_CACHE_HOME", ".cache")
    }

    /// Where strangers' components are kept once they are compiled, and the key that seals them: the one in the
    /// cache, the other not. `None` without a home.
    pub(crate) fn compiled_places(&self) -> Option<CompiledPlaces> {
        Some(CompiledPlaces {
            cache: self.cache_directory()?.join("compiled"),
            key: self.state_directory()?.join("compiled"),
        })
    }

    /// Where downloads are kept; `None` without a home.
    pub(crate) fn download_directory(&self) -> Option<PathBuf> {
        Some(self.cache_directory()?.join("downloads"))
    }

    /// Where a user puts volume sources for all templates: `lvhost/sources` in their folder for data;
    /// `None` without a home.
    pub(crate) fn source_directory(&self) -> Option<PathBuf> {
        let data = self.user_directory("XDG_DATA_HOME", ".local/share")?;
        Some(data.join("sources"))
    }

    /// Where lvhost keeps what outlives a build and is no result: `lvhost` in the user's state folder;
    /// `None` without a home.
    pub(crate) fn state_directory(&self) -> Option<PathBuf> {
        self.user_directory("XDG_STATE_HOME", ".local/state")
    }

    /// The journal of what lvhost makes on this machine's behalf.
    ///
    /// # Errors
    /// There is no home.
    pub(crate) fn journal(&self) -> Result<Arc<dyn Journal>, InputError> {
        let state = self.state_directory().ok_or(InputError::NoState)?;
        Ok(Arc::new(JournalFolder::new(state.join("journal"))))
    }

    /// The names that `-force` replaces whoever made what bears them, for Packer's users, who can't give
    /// options to lvhost.
    pub(crate) fn force_foreign(&self) -> Vec<String> {
        let names = self.set(FORCE_FOREIGN).unwrap_or_default();
        let names = names.split(',').map(str::trim);
        names
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
            .collect()
    }

    /// `lvhost` in the folder that `variable` names, or else in that folder below the home.
    fn user_directory(&self, variable: &str, below_home: &str) -> Option<PathBuf> {
        let configured = self.set(variable).map(PathBuf::from);
        // The specification has relative paths ignored.
        let folder = configured.filter(|path| path.is_absolute());
        let folder = folder.or_else(|| Some(self.home()?.join(below_home)))?;
        Some(folder.join("lvhost"))
    }

    /// Whether text for people goes to a terminal that understands more than lines.
    pub(crate) fn has_terminal(&self) -> bool {
        io::stderr().is_terminal() && self.set("TERM") != Some("dumb")
    }

    /// What Packer's functions in `{{ }}` tell of this process.
    pub(crate) fn build_facts(&self) -> BuildFacts {
        BuildFacts {
            working_directory: self.working_directory.to_string_lossy().into_owned(),
            now: self.started,
            ..BuildFacts::default()
        }
    }

    fn absolute(&self, path: &Path) -> PathBuf {
        self.working_directory.join(path)
    }
}

/// Reads a whole regular file of at most [`FILE_SIZE`] bytes.
///
/// # Errors
/// Those of reading; what is no regular file; a file that is larger.
pub(crate) fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    lvhost_regular_file::read(path, FILE_SIZE)
}

impl Environment for Surroundings {
    fn read_file(&self, path: &Path) -> io::Result<Vec<u8>> {
        read_file(&self.absolute(path))
    }

    fn file_exists(&self, path: &Path) -> io::Result<bool> {
        match fs::metadata(self.absolute(path)) {
            Ok(metadata) if metadata.is_file() => Ok(true),
            Ok(_) => Err(io::Error::other("it is not a regular file")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn list_files(&self, folder: &Path) -> io::Result<Vec<String>> {
        let root = self.absolute(folder);
        let mut files = Vec::new();
        let mut folders = vec![root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder)? {
                let path = entry?.path();
                // Links to files count, links to folders are not followed: they may go in circles.
                if path.is_file() {
                    let relative = path.strip_prefix(&root).unwrap_or(&path);
                    files.push(relative.to_string_lossy().into_owned());
                } else if path.is_dir() && !path.is_symlink() {
                    folders.push(path);
                }
                if files.len() + folders.len() > FILESET_FILES {
                    let message = format!("there are more than {FILESET_FILES} files below it");
                    return Err(io::Error::other(message));
                }
            }
        }
        files.sort();
        Ok(files)
    }

    fn working_directory(&self) -> PathBuf {
        self.working_directory.clone()
    }

    fn home_directory(&self) -> Option<PathBuf> {
        self.home()
    }

    fn variable(&self, name: &str) -> Option<String> {
        self.variables.get(name).cloned()
    }

    fn variable_names(&self) -> Vec<String> {
        self.variables.keys().cloned().collect()
    }

    fn now(&self) -> jiff::Timestamp {
        self.started
    }

    fn random_bytes(&self, bytes: &mut [u8]) -> io::Result<()> {
        SysRng
            .try_fill_bytes(bytes)
            .map_err(|error| io::Error::other(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(variables: &[(&str, &str)], folder: &Path) -> Surroundings {
        let variables = variables
            .iter()
            .map(|(name, value)| ((*name).into(), (*value).into()));
        Surroundings {
            variables: variables.collect(),
            working_directory: folder.to_owned(),
            started: jiff::Timestamp::UNIX_EPOCH,
            secrets: Secrets::default(),
        }
    }

    #[test]
    fn the_cache_is_where_the_specification_says() {
        let cases: [(&[(&str, &str)], &str); 4] = [
            (&[("XDG_CACHE_HOME", "/c"), ("HOME", "/h")], "/c/lvhost"),
            (
                &[("XDG_CACHE_HOME", "relative"), ("HOME", "/h")],
                "/h/.cache/lvhost",
            ),
            (
                &[("XDG_CACHE_HOME", ""), ("HOME", "/h")],
                "/h/.cache/lvhost",
            ),
            (&[("HOME", "/h")], "/h/.cache/lvhost"),
        ];
        for (variables, expected) in cases {
            let found = with(variables, Path::new("/")).cache_directory();
            assert_eq!(found, Some(PathBuf::from(expected)), "{variables:?}");
        }
    }

    #[test]
    fn names_that_may_be_replaced_have_commas_between_them() {
        let names = |value: &str| {
            let here = with(&[("LVHOST_FORCE_FOREIGN", value)], Path::new("/"));
            here.force_foreign()
        };
        assert_eq!(names("a, pool/b,,"), ["a", "pool/b"]);
        assert!(names("").is_empty());
    }

    #[test]
    fn known_hosts_are_where_ssh_looks() {
        let found = with(&[("HOME", "/h")], Path::new("/")).known_hosts();
        let expected = [
            "/h/.ssh/known_hosts",
            "/h/.ssh/known_hosts2",
            "/etc/ssh/ssh_known_hosts",
            "/etc/ssh/ssh_known_hosts2",
        ];
        assert_eq!(found, expected.map(PathBuf::from));
    }

    #[test]
    fn files_are_relative_to_the_working_directory_and_bounded() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("below")).unwrap();
        fs::write(folder.path().join("below/a.txt"), "a").unwrap();
        std::os::unix::fs::symlink(folder.path(), folder.path().join("below/circle")).unwrap();
        let large = fs::File::create(folder.path().join("large")).unwrap();
        large.set_len(FILE_SIZE + 1).unwrap();
        let here = with(&[], folder.path());

        assert_eq!(here.read_file(Path::new("below/a.txt")).unwrap(), b"a");
        let refusal = here.read_file(Path::new("large")).unwrap_err();
        assert_eq!(refusal.to_string(), "it has more than 16 MiB");
        assert_eq!(
            here.list_files(Path::new(".")).unwrap(),
            ["below/a.txt", "large"]
        );
        assert!(here.file_exists(Path::new("below/a.txt")).unwrap());
        assert!(!here.file_exists(Path::new("nothing")).unwrap());
        assert!(here.file_exists(Path::new("below")).is_err());
        assert!(here.list_files(Path::new("nothing")).is_err());
    }
}
