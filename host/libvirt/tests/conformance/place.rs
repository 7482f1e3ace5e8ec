//! Where a case runs: the fake, or a real libvirt.
use std::{process::Command, sync::Arc, time::Duration};

use lvhost_libvirt::{fake::FakeHypervisor, *};
use tempfile::TempDir;
use uuid::Uuid;

/// More than any event takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// A hypervisor, and an active pool of directories in it that a case may use.
pub(crate) struct Place {
    pub(crate) hypervisor: Arc<dyn Hypervisor>,
    pub(crate) pool: String,
    kind: Kind,
}

enum Kind {
    Fake(FakeHypervisor),
    Real { uri: String },
}

/// A pool and a network that are defined and not started. Gone when it is dropped.
pub(crate) struct NotStarted<'a> {
    pub(crate) name: String,
    place: &'a Place,
    _folder: TempDir,
}

/// A pool on a file system of its own. Gone when it is dropped.
pub(crate) struct SmallPool<'a> {
    pub(crate) name: String,
    place: &'a Place,
    folder: TempDir,
}

impl Place {
    pub(crate) fn fake() -> Self {
        let fake = FakeHypervisor::new();
        Self {
            hypervisor: Arc::new(fake.clone()),
            pool: "default".into(),
            kind: Kind::Fake(fake),
        }
    }

    /// The real one, or `None` and a word why.
    pub(crate) async fn real() -> Option<Self> {
        let uri = std::env::var("LVHOST_TEST_LIBVIRT_URI").unwrap_or_default();
        if uri.is_empty() {
            skipped("LVHOST_TEST_LIBVIRT_URI names no libvirt daemon to test against");
            return None;
        }
        let libvirt = Libvirt::connect(&uri).await.unwrap();
        for pool in libvirt.pools().await.unwrap() {
            // Other tests' pools come and go.
            if !pool.starts_with("lvhost-")
                && libvirt
                    .pool(&pool)
                    .await
                    .is_ok_and(|facts| facts.kind == "dir")
            {
                return Some(Self {
                    hypervisor: Arc::new(libvirt),
                    pool,
                    kind: Kind::Real { uri },
                });
            }
        }
        panic!("the daemon at {uri} has no active pool of type dir");
    }

    /// A volume of a name of its own.
    pub(crate) fn volume(&self, format: &str, capacity: u64) -> VolumeSpec {
        VolumeSpec {
            id: VolumeId::new(&self.pool, format!("lvhost-test-{}", Uuid::new_v4())),
            capacity,
            allocation: Some(0),
            format: Some(format.into()),
            backing: None,
        }
    }

    /// Puts a raw image of these bytes into the pool's folder, past the hypervisor; or says why it can't.
    pub(crate) async fn put_file(&self, bytes: &[u8]) -> Option<VolumeId> {
        let spec = self.volume("raw", bytes.len() as u64);
        match &self.kind {
            Kind::Fake(fake) => fake.put_file(&spec, bytes).unwrap(),
            Kind::Real { .. } => {
                let path = self.path(&spec.id).await;
                if let Err(error) = std::fs::write(&path, bytes) {
                    skipped(&format!("can't write {path}: {error}"));
                    return None;
                }
            }
        }
        Some(spec.id)
    }

    /// Takes the file of a volume out of the pool's folder, past the hypervisor; or says why it can't.
    pub(crate) async fn lose_file(&self, id: &VolumeId) -> Option<()> {
        match &self.kind {
            Kind::Fake(fake) => fake.lose_file(id).unwrap(),
            Kind::Real { .. } => {
                let path = self.path(id).await;
                if let Err(error) = std::fs::remove_file(&path) {
                    skipped(&format!("can't remove {path}: {error}"));
                    return None;
                }
            }
        }
        Some(())
    }

    /// Where the file of a volume is, or would be.
    pub(crate) async fn path(&self, id: &VolumeId) -> String {
        let pool = self.hypervisor.pool(&id.pool).await.unwrap();
        format!("{}/{}", pool.target_path.unwrap(), id.name)
    }

    /// A small emulated domain of a name of its own.
    pub(crate) fn domain(&self) -> DomainSpec {
        DomainSpec {
            domain_type: "qemu".into(),
            memory_mib: 64,
            ..DomainSpec::new(format!("lvhost-test-{}", Uuid::new_v4()))
        }
    }

    /// Ends a domain whatever it does.
    pub(crate) async fn remove(&self, id: &DomainId) {
        self.hypervisor.destroy_domain(id).await.unwrap();
        self.hypervisor.undefine_domain(id).await.unwrap();
    }

    /// A pool and a network of the same new name, neither of which is started.
    pub(crate) fn not_started(&self) -> NotStarted<'_> {
        let name = format!("lvhost-test-{}", Uuid::new_v4().simple());
        let folder = tempfile::tempdir().unwrap();
        match &self.kind {
            Kind::Fake(fake) => {
                fake.add_pool(&name, 1 << 30, false);
                fake.add_network(&name, false);
            }
            Kind::Real { uri } => {
                let target = folder.path().to_str().unwrap();
                virsh(uri, &["pool-define-as", &name, "dir", "--target", target]);
                let xml = folder.path().join("network.xml");
                std::fs::write(&xml, format!("<network><name>{name}</name></network>")).unwrap();
                virsh(uri, &["net-define", xml.to_str().unwrap()]);
            }
        }
        NotStarted {
            name,
            place: self,
            _folder: folder,
        }
    }

    /// A pool of so many bytes, or `None` and a word why.
    pub(crate) fn small_pool(&self, bytes: u64) -> Option<SmallPool<'_>> {
        let name = format!("lvhost-test-{}", Uuid::new_v4().simple());
        let folder = tempfile::tempdir_in("/var/tmp").unwrap();
        match &self.kind {
            Kind::Fake(fake) => fake.add_pool(&name, bytes, true),
            Kind::Real { uri } => {
                let mounted = Command::new("mount")
                    .args(["-t", "tmpfs", "-o", &format!("size={bytes}"), "none"])
                    .arg(folder.path())
                    .output();
                if !mounted.is_ok_and(|output| output.status.success()) {
                    skipped("a small file system can't be mounted here");
                    return None;
                }
                let target = folder.path().to_str().unwrap();
                virsh(uri, &["pool-create-as", &name, "dir", "--target", target]);
            }
        }
        Some(SmallPool {
            name,
            place: self,
            folder,
        })
    }
}

impl Drop for SmallPool<'_> {
    fn drop(&mut self) {
        if let Kind::Real { uri } = &self.place.kind {
            virsh(uri, &["pool-destroy", &self.name]);
            let _ = Command::new("umount").arg(self.folder.path()).status();
        }
    }
}

impl Drop for NotStarted<'_> {
    fn drop(&mut self) {
        if let Kind::Real { uri } = &self.place.kind {
            virsh(uri, &["pool-undefine", &self.name]);
            virsh(uri, &["net-undefine", &self.name]);
        }
    }
}

fn virsh(uri: &str, arguments: &[&str]) {
    let output = Command::new("virsh")
        .args(["-q", "-c", uri])
        .args(arguments)
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "virsh {arguments:?}: {error}");
}

/// Says that a test was skipped, and why.
fn skipped(why: &str) {
    let thread = std::thread::current();
    println!("SKIPPED: {}: {why}", thread.name().unwrap_or("test"));
}

/// The call must have failed with an error of this kind.
macro_rules! assert_fails {
    ($call:expr, $($kind:tt)+) => {
        match $call.map(drop) {
            Err($($kind)+) => {}
            other => panic!("{} gave {other:?}, not {}", stringify!($call), stringify!($($kind)+)),
        }
    };
}

pub(crate) use assert_fails;
