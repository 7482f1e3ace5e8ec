//! A build with everything around it: a fake hypervisor, a guest that answers, a user who watches.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use lvhost_communicator::keys::KeyPair;
use lvhost_communicator::{Command, Communicator, ExitStatus, Output, Progress};
use lvhost_config::LibvirtSource;
use lvhost_engine::{
    Build, Connector, Entry, Error, FileEntry, HypervisorId, Identity, Journal, JournalError,
    JournalFolder, MaskedUi, OnError, Outcome, Provision, ProvisionContext, Secrets, Sources, Step,
    Stream, Transfer, Ui, configure, domain_name,
};
use lvhost_fetch::{Fetcher, Settings};
use lvhost_hcl::{
    Body, DataOutcome, DataSources, Diagnostics, Environment, InputFile, Inputs, Value,
};
use lvhost_libvirt::fake::{Call, FakeHypervisor};
use lvhost_libvirt::{AddressSource, InterfaceAddress, Owner, VolumeId, VolumeSpec};
use lvhost_runtime::{ComponentBytes, Limits, Runtime};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// A template with one volume of each kind of source, and one that was there before.
pub(crate) const TEMPLATE: &str = r##"
source "libvirt" "example" {
  libvirt_uri            = "fake:///"
  network_address_source = "lease"
  shutdown_timeout       = "30s"
  network_interface {
    type = "managed"
    mac  = "52:54:00:00:00:01"
  }
  communicator {
    communicator = "ssh"
    ssh_username = "root"
    ssh_password = "hush"
  }
  volume {
    alias = "artifact"
    name  = "image"
    source {
      type     = "external"
      urls     = ["disk.raw"]
      checksum = "none"
    }
    capacity = "2M"
  }
  volume {
    source {
      type      = "cloud-init"
      user_data = "#cloud-config\n"
    }
  }
  volume {
    device = "floppy"
    name   = "floppy"
    source {
      type     = "files"
      contents = { "hello.txt" = "hello" }
    }
  }
  volume {
    name = "copy"
    source {
      type   = "cloning"
      volume = "base"
    }
    capacity = "3M"
  }
  volume {
    name = "overlay"
    source {
      type   = "backing-store"
      volume = "base"
    }
  }
  volume {
    name = "base"
  }
}
build { sources = ["libvirt.example"] }
"##;

/// The smallest one: a blank disk.
pub(crate) const BLANK: &str = r#"
source "libvirt" "example" {
  libvirt_uri      = "fake:///"
  shutdown_timeout = "60s"
  network_address_source = "lease"
  network_interface {
    type = "managed"
    mac  = "52:54:00:00:00:01"
  }
  communicator {
    ssh_username = "root"
    ssh_password = "hush"
  }
  volume {
    alias    = "artifact"
    name     = "image"
    capacity = "1M"
  }
}
build { sources = ["libvirt.example"] }
"#;

/// What happens in the guest while it is provisioned.
pub(crate) type Script = dyn Fn(&Scene) -> Result<(), Error> + Send + Sync;

/// A build and what is around it.
#[derive(Clone)]
pub(crate) struct Scene {
    pub(crate) hypervisor: FakeHypervisor,
    pub(crate) cancel: CancellationToken,
    pub(crate) said: Arc<Mutex<Vec<String>>>,
    /// Cancels the build when the user is told for the n-th time.
    pub(crate) cancel_at_message: Option<usize>,
    pub(crate) script: Arc<Script>,
    pub(crate) template: &'static str,
    pub(crate) force: bool,
    pub(crate) force_foreign: Vec<String>,
    pub(crate) journal: Arc<dyn Journal>,
    /// The number that all names and ids of the build are made from.
    pub(crate) build_number: u128,
    pub(crate) owner: Option<Owner>,
    pub(crate) on_error: OnError,
    pub(crate) pauses: bool,
    /// What the user answers to a question.
    pub(crate) answer: Option<&'static str>,
    pub(crate) link_local_interface: Option<String>,
    /// The key pair in whatever file a template names for the log-in.
    pub(crate) key_pair: Option<KeyPair>,
    /// What the guest was last logged in to with.
    pub(crate) log_in: Arc<Mutex<Option<lvhost_config::Communicator>>>,
    /// The object behind `build.` of the last provisioning.
    pub(crate) build: Arc<Mutex<Option<Value>>>,
    /// The transfers that the user has seen begin.
    pub(crate) transfers: Arc<Mutex<Vec<String>>>,
    /// Commands that the guest has been given outside of provisioners.
    pub(crate) commands: Arc<Mutex<Vec<String>>>,
    folder: Arc<tempfile::TempDir>,
}

impl Scene {
    pub(crate) fn new(template: &'static str) -> Self {
        let hypervisor = FakeHypervisor::new();
        hypervisor.set_addresses(
            AddressSource::Lease,
            vec![InterfaceAddress {
                name: "vnet0".to_string(),
                mac: Some("52:54:00:00:00:01".to_string()),
                ip: "192.0.2.7".parse().unwrap(),
                prefix: 24,
            }],
        );
        let base = VolumeSpec {
            id: VolumeId::new("default", "base"),
            capacity: 1 << 20,
            allocation: Some(0),
            format: Some("raw".to_string()),
            backing: None,
        };
        hypervisor.add_volume(&base, b"base").unwrap();
        let folder = tempfile::tempdir().unwrap();
        let mut disk = vec![0; 1 << 20];
        disk[..4].copy_from_slice(b"disk");
        std::fs::write(folder.path().join("disk.raw"), disk).unwrap();
        let journal = JournalFolder::new(folder.path().join("journal"));
        Self {
            hypervisor,
            cancel: CancellationToken::new(),
            said: Arc::default(),
            cancel_at_message: None,
            script: Arc::new(|_| Ok(())),
            template,
            force: false,
            force_foreign: Vec::new(),
            journal: Arc::new(journal),
            build_number: 7,
            owner: None,
            on_error: OnError::CleanUp,
            pauses: false,
            answer: None,
            link_local_interface: None,
            key_pair: None,
            log_in: Arc::default(),
            build: Arc::default(),
            transfers: Arc::default(),
            commands: Arc::default(),
            folder: Arc::new(folder),
        }
    }

    /// Lets a call fail as it does while QEMU ends; if it does, the guest is off a second later.
    pub(crate) fn lose_the_monitor(&self, call: Call, goes_off: bool) {
        let hypervisor = self.hypervisor.clone();
        self.hypervisor.fail_on_with(call, move || {
            let hypervisor = hypervisor.clone();
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_secs(1)).await;
                if goes_off {
                    hypervisor.power_off(&hypervisor.domains().remove(0));
                }
            });
            lvhost_libvirt::Error::Libvirt {
                action: "do something".to_owned(),
                // VIR_ERR_SYSTEM_ERROR
                code: 38,
                message: "Unable to read from monitor: Connection reset by peer".to_owned(),
            }
        });
    }

    pub(crate) fn script(
        mut self,
        script: impl Fn(&Scene) -> Result<(), Error> + Send + Sync + 'static,
    ) -> Self {
        self.script = Arc::new(script);
        self
    }

    /// What provisioners know of the build by this name.
    pub(crate) fn known(&self, name: &str) -> String {
        let build = self.build.lock().unwrap().clone().unwrap();
        build.as_object().unwrap()[name].to_text().unwrap()
    }

    pub(crate) fn volume_names(&self) -> Vec<String> {
        self.hypervisor
            .volumes()
            .into_iter()
            .map(|id| id.name)
            .collect()
    }

    /// A path in the build's working directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn source(&self, sources: &Sources) -> LibvirtSource {
        decode(self.template, sources)
    }

    pub(crate) async fn run(&self) -> Outcome {
        let sources = Arc::new(sources());
        let source = self.source(&sources);
        let identity = Identity::fixed(Uuid::from_u128(self.build_number));
        let mut report = Diagnostics::default();
        let domain = domain_name(&source, &identity);
        let configured = configure(&source, &sources, &domain, &mut report).await;
        assert!(!report.has_errors(), "{report:?}");
        let ui = MaskedUi::new(Arc::new(self.clone()), Secrets::default());
        let build = Build {
            hypervisor: Arc::new(self.hypervisor.clone()),
            sources,
            fetcher: Fetcher::new(Settings::new(self.folder.path().join("cache"))),
            connector: Arc::new(self.clone()),
            provision: Arc::new(self.clone()),
            ui,
            cancel: self.cancel.clone(),
            working_directory: self.folder.path().to_path_buf(),
            identity,
            journal: Arc::clone(&self.journal),
            force: self.force,
            force_foreign: self.force_foreign.clone(),
            on_error: self.on_error,
            pauses: self.pauses,
            owner: self.owner.clone(),
            log_directory: Some(self.folder.path().join("logs")),
            watched_console: None,
            link_local_interface: self.link_local_interface.clone(),
        };
        build.run(&source, &configured).await
    }
}

/// The built-in components.
pub(crate) fn sources() -> Sources {
    let runtime = Runtime::new(lvhost_runtime::Settings::default()).unwrap();
    let loaded = lvhost_sources::all().iter().map(|bundled| {
        let bytes = ComponentBytes::Precompiled(bundled.precompiled);
        runtime
            .load(bundled.type_name, bytes, Limits::default())
            .unwrap()
    });
    Sources::new(loaded).unwrap()
}

/// The source of a template's only build.
pub(crate) fn decode(template: &str, sources: &Sources) -> LibvirtSource {
    let inputs = Inputs {
        templates: vec![InputFile {
            name: "test.pkr.hcl".into(),
            text: template.into(),
        }],
        ..Inputs::default()
    };
    let (document, _, mut report) = lvhost_hcl::load(&inputs, Arc::new(Nowhere), &Nowhere);
    let document = document.unwrap_or_else(|| panic!("{report:?}"));
    let body = &document.builds[0].sources[0].body;
    let source = lvhost_config::decode_source(body, &sources.schemas(), &mut report);
    assert!(!report.has_errors(), "{report:?}");
    source
}

/// A journal whose n-th write fails.
pub(crate) struct FaultyJournal {
    pub(crate) journal: JournalFolder,
    pub(crate) fail_at: usize,
    pub(crate) writes: AtomicUsize,
}

impl FaultyJournal {
    /// The journal of a scene, counted.
    pub(crate) fn new(scene: &Scene, fail_at: usize) -> Arc<Self> {
        Arc::new(Self {
            journal: JournalFolder::new(scene.path("journal")),
            fail_at,
            writes: AtomicUsize::new(0),
        })
    }

    fn count(&self) -> Result<(), JournalError> {
        if self.writes.fetch_add(1, Ordering::SeqCst) + 1 != self.fail_at {
            return Ok(());
        }
        Err(JournalError {
            action: "written",
            folder: "/full".into(),
            source: io::ErrorKind::StorageFull.into(),
        })
    }
}

#[async_trait]
impl Journal for FaultyJournal {
    async fn prepare(&self) -> Result<(), JournalError> {
        self.count()?;
        self.journal.prepare().await
    }
    async fn find(
        &self,
        hypervisor: &HypervisorId,
        volume: &VolumeId,
    ) -> Result<Option<Entry>, JournalError> {
        self.journal.find(hypervisor, volume).await
    }
    async fn write(&self, hypervisor: &HypervisorId, entry: Entry) -> Result<(), JournalError> {
        self.count()?;
        self.journal.write(hypervisor, entry).await
    }
    async fn forget(
        &self,
        hypervisor: &HypervisorId,
        volume: &VolumeId,
    ) -> Result<(), JournalError> {
        self.count()?;
        self.journal.forget(hypervisor, volume).await
    }
    async fn find_file(&self, path: &Path) -> Result<Option<FileEntry>, JournalError> {
        self.journal.find_file(path).await
    }
    async fn write_file(&self, path: &Path, entry: FileEntry) -> Result<(), JournalError> {
        self.count()?;
        self.journal.write_file(path, entry).await
    }
    async fn forget_file(&self, path: &Path) -> Result<(), JournalError> {
        self.count()?;
        self.journal.forget_file(path).await
    }
}

/// A template that reaches for nothing.
struct Nowhere;

impl Environment for Nowhere {
    fn read_file(&self, _: &Path) -> io::Result<Vec<u8>> {
        Err(io::ErrorKind::NotFound.into())
    }
    fn file_exists(&self, _: &Path) -> io::Result<bool> {
        Ok(false)
    }
    fn list_files(&self, _: &Path) -> io::Result<Vec<String>> {
        Ok(Vec::new())
    }
    fn working_directory(&self) -> PathBuf {
        PathBuf::from("/")
    }
    fn home_directory(&self) -> Option<PathBuf> {
        None
    }
    fn variable(&self, _: &str) -> Option<String> {
        None
    }
    fn variable_names(&self) -> Vec<String> {
        Vec::new()
    }
    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::UNIX_EPOCH
    }
    fn random_bytes(&self, bytes: &mut [u8]) -> io::Result<()> {
        bytes.fill(4);
        Ok(())
    }
}

impl DataSources for Nowhere {
    fn evaluate(&self, _: &str, _: &str, _: &Body) -> DataOutcome {
        DataOutcome::NotSupported("there are none".into())
    }
}

#[async_trait]
impl Ui for Scene {
    fn say(&self, message: &str) {
        let mut said = self.said.lock().unwrap();
        said.push(message.to_string());
        if Some(said.len()) == self.cancel_at_message {
            self.cancel.cancel();
        }
    }
    fn warn(&self, message: &str) {
        self.say(&format!("warning: {message}"));
    }
    fn error(&self, message: &str) {
        self.say(&format!("error: {message}"));
    }
    fn output(&self, _: Stream, line: &str) {
        self.say(line);
    }
    fn step_finished(&self, step: Step, _: Duration) {
        self.say(&format!("finished: {step}"));
    }
    fn transfer(&self, name: &str, _: Option<u64>) -> Box<dyn Transfer> {
        self.transfers.lock().unwrap().push(name.to_string());
        Box::new(Unseen)
    }
    async fn wait_for_user(&self, note: &str) -> Result<(), String> {
        self.say(note);
        Ok(())
    }
    async fn ask(&self, question: &str, choices: &[&str]) -> Result<usize, String> {
        self.say(question);
        let answer = self.answer.ok_or("nobody is there")?;
        Ok(choices.iter().position(|choice| *choice == answer).unwrap())
    }
}

struct Unseen;

impl Transfer for Unseen {
    fn set_total(&self, _: Option<u64>) {}
    fn set_position(&self, _: u64) {}
    fn advance(&self, _: u64) {}
    fn finish(&self) {}
}

#[async_trait]
impl Connector for Scene {
    async fn key_pair(
        &self,
        communicator: &lvhost_config::Communicator,
    ) -> Result<Option<KeyPair>, Error> {
        let named = communicator.ssh_private_key_file.is_some();
        Ok(self.key_pair.clone().filter(|_| named))
    }

    async fn connect(
        &self,
        communicator: &lvhost_config::Communicator,
        host: &str,
        port: u16,
        _: tokio::time::Instant,
        _: &MaskedUi,
    ) -> Result<Box<dyn Communicator>, Error> {
        self.say(&format!("connect {host}:{port}"));
        *self.log_in.lock().unwrap() = Some(communicator.clone());
        Ok(Box::new(Guest(Arc::clone(&self.commands))))
    }
}

#[async_trait]
impl Provision for Scene {
    async fn provision(&self, context: &ProvisionContext<'_>) -> Result<(), Error> {
        *self.build.lock().unwrap() = Some(context.build.clone());
        self.say("provisioning");
        (self.script)(self)
    }

    async fn clean_up(&self, context: &ProvisionContext<'_>) -> Result<(), Error> {
        self.say(match context.communicator {
            Some(_) => "cleaning up in the guest",
            None => "cleaning up without the guest",
        });
        Ok(())
    }
}

/// A guest that does whatever it is told.
struct Guest(Arc<Mutex<Vec<String>>>);

#[async_trait]
impl Communicator for Guest {
    async fn run(
        &self,
        command: &Command,
        _: &mut dyn Output,
    ) -> lvhost_communicator::Result<ExitStatus> {
        self.0.lock().unwrap().push(command.text.clone());
        Ok(ExitStatus::Code(0))
    }
    async fn upload(
        &self,
        _: &mut (dyn AsyncRead + Send + Unpin),
        _: Option<u64>,
        _: &str,
        _: Option<u32>,
        _: &dyn Progress,
    ) -> lvhost_communicator::Result<()> {
        Ok(())
    }
    async fn upload_directory(
        &self,
        _: &Path,
        _: &str,
        _: &[String],
        _: &dyn Progress,
    ) -> lvhost_communicator::Result<()> {
        Ok(())
    }
    async fn download(
        &self,
        _: &str,
        _: &mut (dyn AsyncWrite + Send + Unpin),
        _: &dyn Progress,
    ) -> lvhost_communicator::Result<u64> {
        Ok(0)
    }
    async fn download_directory(
        &self,
        _: &str,
        _: &Path,
        _: &[String],
        _: &dyn Progress,
    ) -> lvhost_communicator::Result<()> {
        Ok(())
    }
    async fn disconnect(&self) -> lvhost_communicator::Result<()> {
        Ok(())
    }
}
