//! A real libvirt: a pool of a test's own on it, looked at through `virsh`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use lvhost_test_daemon::Elsewhere;

/// How long a daemon may take to answer a new connection.
const ANSWER: Duration = Duration::from_secs(60);

/// Guests are emulated, each by a thread that is busy while the guest is. The harness runs as many tests at
/// a time as there are processors, so that each guest has one. Who looks at all that is on a hypervisor
/// waits until nobody else is there.
static TURN: RwLock<()> = RwLock::new(());

/// A test's turn; over when it is dropped.
enum Turn {
    /// Beside others.
    Shared { _lock: RwLockReadGuard<'static, ()> },
    /// With nobody else on the shared hypervisor.
    Alone {
        _lock: RwLockWriteGuard<'static, ()>,
    },
}

impl Turn {
    /// Waits for one beside others.
    fn take() -> Self {
        Self::Shared {
            _lock: TURN.read().unwrap_or_else(PoisonError::into_inner),
        }
    }

    /// Waits for one alone.
    fn take_alone() -> Self {
        Self::Alone {
            _lock: TURN.write().unwrap_or_else(PoisonError::into_inner),
        }
    }
}

/// What the test set-up has prepared, or why a test must be skipped.
pub(crate) fn variable(name: &str) -> Result<String, String> {
    match std::env::var(name) {
        Ok(value) if !value.is_empty() => Ok(value),
        _ => Err(format!("{name} is not set (run `make test`)")),
    }
}

/// Whether one of other people's programs is there, or why a test must be skipped.
pub(crate) fn tool(name: &str) -> Result<(), String> {
    let known = variable("LVHOST_TEST_TOOLS")?;
    match known.split(' ').any(|known| known == name) {
        true => Ok(()),
        false => Err(format!("{name} is not installed")),
    }
}

/// Skips the test aloud when something is missing.
macro_rules! need {
    ($what:expr) => {
        match $what {
            Ok(value) => value,
            Err(why) => return $crate::hypervisor::skipped(&why),
        }
    };
}

pub(crate) use need;

/// Says that the test is skipped, and why.
pub(crate) fn skipped(why: &str) {
    let thread = std::thread::current();
    println!("SKIPPED: {}: {why}", thread.name().unwrap_or("test"));
}

/// A libvirt connection with a pool that is gone when the test is.
pub(crate) struct Hypervisor {
    pub(crate) uri: String,
    pub(crate) pool: String,
    folder: PathBuf,
    place: Place,
    /// None where nobody else comes.
    _turn: Option<Turn>,
}

/// Whose daemon it is.
enum Place {
    /// All tests'; the test has a folder for its pool.
    Shared { _folder: tempfile::TempDir },
    /// The test's own, which goes with it.
    Own(Box<Mutex<Elsewhere>>),
}

impl Hypervisor {
    pub(crate) fn new() -> Result<Self, String> {
        Self::in_turn(Turn::take)
    }

    /// With nobody else on it: for `lvhost clean`, which sees what all builds have left.
    pub(crate) fn alone() -> Result<Self, String> {
        Self::in_turn(Turn::take_alone)
    }

    fn in_turn(take: fn() -> Turn) -> Result<Self, String> {
        let uri = variable("LVHOST_TEST_LIBVIRT_URI")?;
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::SeqCst);
        let pool = format!("lvhost-test-{}-{count}", std::process::id());
        // The hypervisor's own user has to get at it.
        let folder = tempfile::Builder::new()
            .prefix("lvhost-pool")
            .tempdir_in("/var/tmp")
            .unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o711);
        std::fs::set_permissions(folder.path(), mode).unwrap();
        let turn = take();
        let hypervisor = Self {
            uri,
            pool,
            folder: folder.path().to_owned(),
            place: Place::Shared { _folder: folder },
            _turn: Some(turn),
        };
        let target = hypervisor.folder.to_str().unwrap().to_string();
        hypervisor.virsh(&[
            "pool-create-as",
            &hypervisor.pool,
            "dir",
            "--target",
            &target,
        ]);
        Ok(hypervisor)
    }

    /// A daemon of the test's own, which others don't miss when it hangs, and don't wait for.
    pub(crate) fn own() -> Result<Self, String> {
        let daemon = Elsewhere::start()?;
        Ok(Self {
            uri: daemon.unix(),
            pool: "default".into(),
            folder: daemon.pool(),
            place: Place::Own(Box::new(Mutex::new(daemon))),
            _turn: None,
        })
    }

    /// Whether the daemon takes a new connection, within what the slowest machine needs.
    pub(crate) fn answers(&self) -> bool {
        let limit = ANSWER.as_secs().to_string();
        let asked = Command::new("timeout")
            .args([
                "-k",
                "5",
                &limit,
                "virsh",
                "-q",
                "-c",
                &self.uri,
                "pool-list",
            ])
            .output();
        asked.is_ok_and(|output| output.status.success())
    }

    /// Ends a daemon of the test's own, as a crash would, and starts it again. Guests go on.
    pub(crate) fn restart(&self) {
        let Place::Own(daemon) = &self.place else {
            panic!("the daemon at {} is not this test's to end", self.uri);
        };
        let mut daemon = daemon.lock().unwrap_or_else(PoisonError::into_inner);
        daemon.kill();
        daemon.restart().unwrap();
    }

    /// Runs `virsh` and returns what it prints; it must succeed.
    pub(crate) fn virsh(&self, arguments: &[&str]) -> String {
        let output = Command::new("virsh")
            .args(["-q", "-c", &self.uri])
            .args(arguments)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "virsh {arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    }

    /// The names of the volumes in the test's pool, sorted.
    pub(crate) fn volumes(&self) -> Vec<String> {
        self.volumes_of(&self.pool)
    }

    /// The names of the volumes in a pool, sorted.
    pub(crate) fn volumes_of(&self, pool: &str) -> Vec<String> {
        let list = self.virsh(&["vol-list", pool]);
        let mut names: Vec<_> = list
            .lines()
            .filter_map(|line| line.split_whitespace().next())
            .map(String::from)
            .collect();
        names.sort();
        names
    }

    /// The names of the domains whose names begin with the prefix, running or not.
    pub(crate) fn domains(&self, prefix: &str) -> Vec<String> {
        let list = self.virsh(&["list", "--all", "--name"]);
        list.lines()
            .filter(|name| name.starts_with(prefix))
            .map(String::from)
            .collect()
    }

    /// The file of a domain's firmware variables, if there is one where libvirt of this host has them.
    pub(crate) fn variables_of(&self, domain: &str) -> Option<PathBuf> {
        let folder = match &self.place {
            Place::Shared { .. } => PathBuf::from("/var/lib/libvirt"),
            // Beside the pool, where its user's configuration is.
            Place::Own(_) => self.folder.with_file_name("config/libvirt"),
        };
        let path = folder.join(format!("qemu/nvram/{domain}_VARS.fd"));
        Some(path).filter(|path| path.exists())
    }

    /// Whether guests of this machine type get Secure Boot and a TPM, or why a test must be skipped.
    pub(crate) fn has_firmware(&self, domain_type: &str, machine: &str) -> Result<(), String> {
        let known = self.virsh(&[
            "domcapabilities",
            "--virttype",
            domain_type,
            "--machine",
            machine,
        ]);
        let secure = known.split("<enum name='secure'>").nth(1);
        let secure = secure.and_then(|rest| rest.split("</enum>").next());
        if !secure.is_some_and(|values| values.contains("yes")) {
            return Err("the hypervisor has no firmware for Secure Boot".into());
        }
        match known.contains("<tpm supported='yes'>") {
            true => Ok(()),
            false => Err("the hypervisor has no swtpm".into()),
        }
    }

    /// Puts a copy of an image into the pool.
    pub(crate) fn add_volume(&self, name: &str, image: &Path) {
        std::fs::copy(image, self.folder.join(name)).unwrap();
        self.virsh(&["pool-refresh", &self.pool]);
    }

    /// Where the pool's volumes are.
    pub(crate) fn path(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Hypervisor {
    fn drop(&mut self) {
        if matches!(self.place, Place::Own(_)) {
            return;
        }
        // What a test that failed has left.
        for domain in self.domains(&self.pool) {
            for arguments in [
                ["destroy", &domain].as_slice(),
                &["undefine", "--nvram", &domain],
            ] {
                let _ = Command::new("virsh")
                    .args(["-q", "-c", &self.uri])
                    .args(arguments)
                    .output();
            }
        }
        let destroyed = Command::new("virsh")
            .args(["-q", "-c", &self.uri, "pool-destroy", &self.pool])
            .output();
        if !destroyed.is_ok_and(|output| output.status.success()) {
            println!("the pool {} is still there", self.pool);
        }
    }
}
