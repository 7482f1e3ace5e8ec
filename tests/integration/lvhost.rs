//! The `lvhost` command as a user runs it.

use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

/// The command beside this test's own binary.
pub(crate) fn command() -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let folder = own.parent().and_then(|deps| deps.parent()).unwrap();
    let command = folder.join("lvhost");
    assert!(
        command.exists(),
        "{} is missing: cargo build -p lvhost-cli",
        command.display()
    );
    command
}

/// A run of the command in a folder of its own, with a cache of its own.
pub(crate) struct Lvhost {
    folder: tempfile::TempDir,
}

impl Lvhost {
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    /// With its folder in one that has room for large files.
    pub(crate) fn with_room() -> Self {
        Self {
            folder: tempfile::tempdir_in("/var/tmp").unwrap(),
        }
    }

    /// Writes a file of the template's folder.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Writes a disk's image whose boot sector powers a PC off at once.
    pub(crate) fn write_power_off_disk(&self, name: &str) -> PathBuf {
        // mov dx, 0x604 (where SeaBIOS puts the control register of ACPI); mov ax, 0x2000 (sleep, S5);
        // out dx, ax; hlt; jmp back to hlt
        let mut sector = b"\xba\x04\x06\xb8\x00\x20\xef\xf4\xeb\xfd".to_vec();
        sector.resize(510, 0);
        sector.extend_from_slice(b"\x55\xaa");
        let path = self.write(name, "");
        std::fs::write(&path, sector).unwrap();
        let file = std::fs::File::options().write(true).open(&path).unwrap();
        file.set_len(1 << 20).unwrap();
        path
    }

    /// The path of a file of the template's folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The command with these arguments, not started yet.
    pub(crate) fn prepare(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(command());
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env("XDG_CACHE_HOME", self.folder.path().join("cache"))
            .env("XDG_STATE_HOME", self.folder.path().join("state"))
            .env_remove("SSH_AUTH_SOCK")
            .stdin(Stdio::null());
        command
    }

    /// Runs the command to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.prepare(arguments).output().unwrap()
    }

    /// Runs the command, which must succeed, and returns all it says.
    pub(crate) fn succeed(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let text = said(&output);
        assert!(
            output.status.success(),
            "{arguments:?}: {}\n{text}",
            output.status
        );
        println!("{text}");
        text
    }

    /// Starts the command, with what it says going to a file that [`Lvhost::path`] names `log`.
    pub(crate) fn start(&self, arguments: &[&str]) -> Child {
        let log = std::fs::File::create(self.path("log")).unwrap();
        self.prepare(arguments)
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap()
    }
}

/// Both outputs, one behind the other.
pub(crate) fn said(output: &Output) -> String {
    let mut text = String::from_utf8_lossy(&output.stderr).into_owned();
    text.push_str(&String::from_utf8_lossy(&output.stdout));
    text
}
