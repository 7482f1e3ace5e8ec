//! Calls the command in surroundings that are the same everywhere.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// A folder to call the command in, with a home of its own.
pub(crate) struct Lvhost {
    folder: TempDir,
    variables: Vec<(String, String)>,
}

/// What the command has said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) results: String,
    pub(crate) messages: String,
}

impl Lvhost {
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            variables: Vec::new(),
        }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn cache(&self) -> PathBuf {
        self.folder().join("cache/lvhost")
    }

    pub(crate) fn file(self, name: &str, text: &str) -> Self {
        let path = self.folder().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        self
    }

    pub(crate) fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The command, ready to be started without a terminal.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lvhost"));
        command
            .args(arguments)
            .current_dir(self.folder())
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", self.folder())
            .env("XDG_CACHE_HOME", self.folder().join("cache"))
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn call(&self, arguments: &[&str]) -> Said {
        Said::of(self.command(arguments).output().unwrap())
    }
}

impl Said {
    pub(crate) fn of(output: Output) -> Self {
        Self {
            code: output.status.code(),
            results: String::from_utf8(output.stdout).unwrap(),
            messages: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// A template that can be built from where there is a hypervisor at `uri`; `extra` goes into `build`.
pub(crate) fn template(uri: &str, extra: &str) -> String {
    format!(
        r#"source "libvirt" "example" {{
  libvirt_uri = "{uri}"
  network_address_source = "lease"
  network_interface {{
    type = "managed"
    alias = "communicator"
  }}
  communicator {{
    communicator = "ssh"
    ssh_username = "root"
    ssh_password = "packer"
  }}

  volume {{
    alias    = "artifact"
    capacity = "1G"
  }}
}}

build {{
  sources = ["source.libvirt.example"]
{extra}}}
"#
    )
}
