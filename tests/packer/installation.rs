//! A real Packer with a folder of its own for each test, and nothing of the user's. `build.sh` beside this
//! builds the Packers; the tests of two packages include this file.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tempfile::TempDir;

/// How long a Packer may say nothing. Guests are emulated, and may share the machine with a compiler.
pub(crate) const PATIENCE: Duration = Duration::from_secs(240);

/// A Packer in one of the ways it speaks to plugins.
#[derive(Clone, Copy)]
pub(crate) struct Mode {
    pub(crate) name: &'static str,
    pub(crate) variable: &'static str,
    pub(crate) force_gob: bool,
}

const MODES: [Mode; 3] = [
    Mode {
        name: "1.16.0",
        variable: "LVHOST_TEST_PACKER_1_16_0",
        force_gob: false,
    },
    Mode {
        name: "1.16.0 with gob",
        variable: "LVHOST_TEST_PACKER_1_16_0",
        force_gob: true,
    },
    Mode {
        name: "1.11.2",
        variable: "LVHOST_TEST_PACKER_1_11_2",
        force_gob: false,
    },
];

/// The Packers there are. What is missing is skipped aloud, in the name of the test `name`.
pub(crate) fn packers(name: &str) -> Vec<Installation> {
    let packers = MODES.into_iter().filter_map(|mode| {
        let packer = std::env::var_os(mode.variable).filter(|path| !path.is_empty());
        if packer.is_none() {
            println!(
                "SKIPPED: {name}: no Packer {}: {} is not set (tests/packer/build.sh builds it)",
                mode.name, mode.variable
            );
        }
        Some(Installation::new(mode, packer?.into()))
    });
    packers.collect()
}

/// A Packer and its folder.
pub(crate) struct Installation {
    pub(crate) mode: Mode,
    pub(crate) packer: PathBuf,
    /// Kept for its folder.
    pub(crate) directory: TempDir,
}

/// What a finished Packer has left.
pub(crate) struct Finished {
    pub(crate) code: Option<i32>,
    pub(crate) output: String,
}

impl Installation {
    fn new(mode: Mode, packer: PathBuf) -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("tmp")).unwrap();
        Self {
            mode,
            packer,
            directory,
        }
    }

    /// Installs a plugin from its program.
    pub(crate) fn install(&self, plugin: &str, source: &str) {
        let installed = self.run(&["plugins", "install", "--path", plugin, source]);
        assert_eq!(installed.code, Some(0), "{}", installed.output);
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn read(&self, name: &str) -> String {
        let path = self.path(name);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// All that Packer is told by its environment.
    pub(crate) fn environment(&self) -> Vec<(&'static str, OsString)> {
        let path = |name: &str| self.path(name).into_os_string();
        let force_gob = if self.mode.force_gob { "1" } else { "0" };
        vec![
            ("PATH", std::env::var_os("PATH").unwrap_or_default()),
            ("HOME", self.directory.path().into()),
            ("TMPDIR", path("tmp")),
            ("PACKER_PLUGIN_PATH", path("plugins")),
            ("PACKER_CONFIG_DIR", path("config")),
            ("PACKER_CACHE_DIR", path("cache")),
            ("PACKER_LOG", "1".into()),
            ("PACKER_LOG_PATH", path("log")),
            ("CHECKPOINT_DISABLE", "1".into()),
            ("PACKER_NO_COLOR", "1".into()),
            ("PACKER_FORCE_GOB", force_gob.into()),
        ]
    }

    pub(crate) fn start(&self, arguments: &[&str]) -> Started {
        self.start_with(arguments, &[])
    }

    /// With more in its environment.
    fn start_with(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Started {
        let mut command = Command::new(&self.packer);
        command
            .args(arguments)
            .current_dir(self.directory.path())
            .env_clear()
            .envs(self.environment())
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // A Ctrl-C goes to a group.
            .process_group(0);
        let mut child = command.spawn().unwrap();
        let (sender, lines) = mpsc::channel();
        for pipe in [
            Box::new(child.stdout.take().unwrap()) as Box<dyn Read + Send>,
            Box::new(child.stderr.take().unwrap()),
        ] {
            let sender = sender.clone();
            std::thread::spawn(move || {
                for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                    if sender.send(line).is_err() {
                        break;
                    }
                }
            });
        }
        Started {
            child,
            lines,
            output: String::new(),
        }
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Finished {
        self.start(arguments).finish()
    }

    #[allow(
        dead_code,
        reason = "one of the two packages that include this file has no use for it"
    )]
    pub(crate) fn run_with(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Finished {
        self.start_with(arguments, variables).finish()
    }

    pub(crate) fn command(&self, command: &str, template: &Path) -> Finished {
        let finished = self.run(&[command, template.to_str().unwrap()]);
        self.assert_no_complaints();
        finished
    }

    /// That the log says of no connection that something is wrong with it. At its end Packer closes
    /// connections and kills plugins, its own among them, and a keep-alive may come across that: a plugin
    /// that is gone too early fails the command by itself.
    pub(crate) fn assert_no_complaints(&self) {
        const AT_THE_END: [&str; 2] = ["use of closed network connection", "broken pipe"];
        let log = self.read("log");
        let complains = log.lines().any(|line| {
            line.contains("yamux") && !AT_THE_END.iter().any(|known| line.contains(known))
        });
        assert!(!complains, "{} complains:\n{log}", self.mode.name);
    }
}

/// A Packer that runs.
pub(crate) struct Started {
    pub(crate) child: Child,
    lines: mpsc::Receiver<String>,
    pub(crate) output: String,
}

impl Started {
    /// Waits for a line with this in it.
    pub(crate) fn until(&mut self, text: &str) -> String {
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => {
                    self.output.push_str(&line);
                    self.output.push('\n');
                    if line.contains(text) {
                        return line;
                    }
                }
                Err(_) => panic!("no line with {text:?} in:\n{}", self.output),
            }
        }
    }

    pub(crate) fn id(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Waits for its end and for that of everything that holds its output open: since Packer leaks its
    /// own output into them, that is all of its plugins.
    pub(crate) fn finish(mut self) -> Finished {
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => {
                    self.output.push_str(&line);
                    self.output.push('\n');
                }
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
                Err(mpsc::RecvTimeoutError::Timeout) => {
                    let _ = kill_process_group(self.id(), Signal::KILL);
                    panic!("does not end:\n{}", self.output);
                }
            }
        }
        let code = self.child.wait().unwrap().code();
        Finished {
            code,
            output: std::mem::take(&mut self.output),
        }
    }
}
