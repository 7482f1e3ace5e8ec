//! What the build has made, so that all of it can be removed again: by this process when the build is
//! over, or by another one should this process be killed.
//!
//! The domain is defined before anything else, and its metadata says which build it belongs to and
//! which volumes that build has claimed (see [`BuildRecord`]). A volume is claimed there before it is
//! made, so at every moment the hypervisor itself knows where to look. Everybody can write that record, so
//! each volume is also written down in the [journal](crate::journal) of this machine.
//!
//! ```text
//!  begin:  define_domain ─► for each volume: claim, write down, make ─► complete: update_domain
//!                                                                             │
//!      ┌─ succeeded: disclaim the artifact, then the rest goes ◄──────────────┤
//!      └─ failed, cancelled: all of it goes ◄─────────────────────────────────┘
//!         destroy the domain, delete the volumes last first, undefine the domain
//! ```
//!
//! Every change of the hypervisor runs as a task of its own: when the build is cancelled while libvirt
//! still makes something, the task ends its work and writes it down, and [`Ledger::clean_up`] waits
//! for that before it removes anything.

use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::SystemTime;

use lvhost_libvirt::{
    BuildRecord, ConnectionUri, DomainId, DomainSpec, Hypervisor, Result, VolumeFacts, VolumeId,
    VolumeSpec, virsh_at,
};
use tokio_util::task::TaskTracker;

use crate::error::with_causes;
use crate::journal::{BuildJournal, JournalError};
use crate::removal::Removal;
use crate::ui::Ui;

/// Something the build has made.
#[derive(Debug, Clone, PartialEq, Eq)]
enum LedgerItem {
    Volume(VolumeId),
    Domain(DomainId),
}

impl LedgerItem {
    /// What a user can type to remove it from the hypervisor at `uri`.
    fn removal(&self, uri: &str) -> String {
        match self {
            Self::Volume(id) => virsh_at(uri, &["vol-delete", "--pool", &id.pool, &id.name]),
            Self::Domain(id) => {
                let destroy = virsh_at(uri, &["destroy", &id.name]);
                let undefine = virsh_at(uri, &["undefine", "--nvram", &id.name]);
                format!("{destroy}; {undefine}")
            }
        }
    }
}

impl fmt::Display for LedgerItem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Volume(id) => write!(formatter, "the volume {id}"),
            Self::Domain(id) => write!(formatter, "the domain {id}"),
        }
    }
}

/// What could not be removed.
#[derive(Debug)]
pub struct Leftover {
    /// What it is: `the volume "x" in pool "default"`.
    pub what: String,
    /// What the hypervisor says.
    pub reason: lvhost_libvirt::Error,
    /// What a user can type to remove it.
    pub command: String,
}

/// What a failed build leaves for the user to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptItem {
    /// What it is: `the domain "x"`.
    pub what: String,
    /// What a user can type to remove it.
    pub command: String,
}

/// Something could not be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LedgerError {
    /// The hypervisor refused.
    #[error(transparent)]
    Hypervisor(#[from] lvhost_libvirt::Error),
    /// It can't be written down.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// The list of what the build has made.
#[derive(Clone)]
pub(crate) struct Ledger {
    hypervisor: Arc<dyn Hypervisor>,
    /// Where the hypervisor is, without a password.
    uri: Arc<str>,
    ui: Arc<dyn Ui>,
    made: Arc<Mutex<Vec<LedgerItem>>>,
    /// The domain and what its metadata says. Locked while that is changed.
    record: Arc<tokio::sync::Mutex<Option<(DomainId, BuildRecord)>>>,
    /// Known from the beginning on.
    journal: Arc<OnceLock<BuildJournal>>,
    running: TaskTracker,
}

impl Ledger {
    /// Of what is made at `hypervisor`, which `uri` leads to.
    pub(crate) fn new(hypervisor: Arc<dyn Hypervisor>, uri: &str, ui: Arc<dyn Ui>) -> Self {
        Self {
            hypervisor,
            uri: ConnectionUri::new(uri).to_string().into(),
            ui,
            made: Arc::default(),
            record: Arc::default(),
            journal: Arc::default(),
            running: TaskTracker::new(),
        }
    }

    /// Defines the domain, whose record has to claim nothing yet. Comes before all else.
    pub(crate) async fn begin(
        &self,
        mut spec: DomainSpec,
        journal: BuildJournal,
    ) -> std::result::Result<DomainId, LedgerError> {
        // There is one beginning.
        let _ = self.journal.set(journal);
        if let Some(record) = &mut spec.build {
            record.begun = Some(SystemTime::now());
        }
        let ledger = self.clone();
        self.make("define the domain", async move {
            let mut record = ledger.record.lock().await;
            let id = ledger.hypervisor.define_domain(&spec).await?;
            *record = spec.build.map(|build| (id.clone(), build));
            ledger.add(LedgerItem::Domain(id.clone()));
            Ok(id)
        })
        .await
    }

    /// Gives the domain its final definition.
    pub(crate) async fn complete(&self, mut spec: DomainSpec) -> Result<DomainId> {
        let record = self.record.lock().await;
        let Some((domain, record)) = record.as_ref() else {
            return Err(lvhost_libvirt::Error::NoSuchDomain { name: spec.name });
        };
        spec.build = Some(record.clone());
        self.hypervisor.update_domain(domain, &spec).await?;
        Ok(domain.clone())
    }

    pub(crate) async fn create_volume(
        &self,
        spec: VolumeSpec,
    ) -> std::result::Result<VolumeFacts, LedgerError> {
        let hypervisor = Arc::clone(&self.hypervisor);
        let id = spec.id.clone();
        self.make_volume("make a volume", id, async move {
            hypervisor.create_volume(&spec).await
        })
        .await
    }

    pub(crate) async fn clone_volume(
        &self,
        spec: VolumeSpec,
        source: VolumeId,
        source_format: String,
    ) -> std::result::Result<VolumeFacts, LedgerError> {
        let hypervisor = Arc::clone(&self.hypervisor);
        let id = spec.id.clone();
        self.make_volume("clone a volume", id, async move {
            hypervisor
                .clone_volume(&spec, &source, &source_format)
                .await
        })
        .await
    }

    async fn make_volume(
        &self,
        action: &str,
        id: VolumeId,
        work: impl Future<Output = Result<VolumeFacts>> + Send + 'static,
    ) -> std::result::Result<VolumeFacts, LedgerError> {
        let ledger = self.clone();
        self.make(action, async move {
            ledger.note(|volumes| volumes.push(id.clone())).await?;
            let journal = ledger.journal.get();
            let known = match journal {
                Some(journal) => journal.making(&id).await,
                None => Ok(None),
            };
            let error = match known {
                Err(error) => LedgerError::from(error),
                Ok(known) => match work.await {
                    Ok(facts) => {
                        ledger.add(LedgerItem::Volume(id.clone()));
                        if let Some(journal) = journal {
                            journal.made(&id, &facts).await?;
                        }
                        return Ok(facts);
                    }
                    Err(error) => {
                        if let Some(journal) = journal {
                            warn(&id, journal.not_made(&id, known).await);
                        }
                        error.into()
                    }
                },
            };
            // What is not there need not be claimed. If even that fails, the claim goes with the
            // domain.
            let _ = ledger
                .note(|volumes| volumes.retain(|other| *other != id))
                .await;
            Err(error)
        })
        .await
    }

    /// Changes which volumes the domain's metadata claims.
    async fn note(&self, change: impl FnOnce(&mut Vec<VolumeId>)) -> Result<()> {
        let mut current = self.record.lock().await;
        let Some((domain, record)) = current.as_mut() else {
            return Ok(());
        };
        let mut changed = record.clone();
        change(&mut changed.volumes);
        // Volumes are made at the same time; what is written does not depend on which was first.
        changed
            .volumes
            .sort_by(|one, other| (&one.pool, &one.name).cmp(&(&other.pool, &other.name)));
        self.hypervisor.set_build_record(domain, &changed).await?;
        *record = changed;
        Ok(())
    }

    fn add(&self, made: LedgerItem) {
        let mut list = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        list.push(made);
    }

    async fn make<T: Send + 'static>(
        &self,
        action: &str,
        work: impl Future<Output = std::result::Result<T, LedgerError>> + Send + 'static,
    ) -> std::result::Result<T, LedgerError> {
        self.running.spawn(work).await.unwrap_or_else(|error| {
            Err(LedgerError::Hypervisor(
                lvhost_libvirt::Error::Disconnected {
                    action: action.to_string(),
                    message: error.to_string(),
                },
            ))
        })
    }

    /// Whether there is nothing to remove.
    pub(crate) fn is_empty_but_for(&self, keep: Option<&VolumeId>) -> bool {
        let made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        self.running.is_empty()
            && made
                .iter()
                .all(|made| matches!(made, LedgerItem::Volume(id) if Some(id) == keep))
    }

    /// What there is, the domain first, none of which will be removed.
    pub(crate) async fn keep(&self) -> Vec<KeptItem> {
        let kept = |made: &LedgerItem| KeptItem {
            what: made.to_string(),
            command: made.removal(&self.uri),
        };
        self.take().await.iter().map(kept).collect()
    }

    /// Everything that was made, once nothing is being made any more.
    async fn take(&self) -> Vec<LedgerItem> {
        self.running.close();
        self.running.wait().await;
        std::mem::take(&mut *self.made.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Removes everything but `keep`, and returns what could not be removed.
    pub(crate) async fn clean_up(&self, keep: Option<&VolumeId>) -> Vec<Leftover> {
        let made = self.take().await;
        let tell = |text: &str| self.ui.say(text);
        let removal = Removal::new(self.hypervisor.as_ref(), &tell);
        let mut leftovers = Vec::new();
        let mut failed = |made: &LedgerItem, result: Result<()>| {
            if let Err(reason) = result {
                leftovers.push(Leftover {
                    what: made.to_string(),
                    reason,
                    command: made.removal(&self.uri),
                });
                return true;
            }
            false
        };
        let mut domain = None;
        if let Some(first @ LedgerItem::Domain(id)) = made.first() {
            if let Some(keep) = keep {
                if let Some(journal) = self.journal.get() {
                    warn(keep, journal.kept(keep).await);
                }
                // Should this fail, the domain is told of below if it can't be undefined either.
                let _ = self
                    .note(|volumes| volumes.retain(|other| other != keep))
                    .await;
            }
            // A domain that still runs holds its volumes.
            if !failed(first, removal.destroy_domain(id).await) {
                domain = Some((first, id));
            }
        }
        for made in made.iter().rev() {
            if let LedgerItem::Volume(id) = made
                && Some(id) != keep
            {
                failed(made, self.delete_volume(&removal, id).await);
            }
        }
        if let Some((made, id)) = domain {
            failed(made, removal.undefine_domain(id).await);
        }
        leftovers
    }

    async fn delete_volume(&self, removal: &Removal<'_>, id: &VolumeId) -> Result<()> {
        if self.is_replaced(id).await {
            self.ui.warn(&format!(
                "the volume {id} is not the one that the build has made under this name; it stays"
            ));
            return Ok(());
        }
        match removal.delete_volume(id).await {
            Ok(()) | Err(lvhost_libvirt::Error::NoSuchVolume { .. }) => {}
            result => return result,
        }
        if let Some(journal) = self.journal.get() {
            warn(id, journal.forget(id).await);
        }
        Ok(())
    }

    /// Whether somebody else has put a volume in the place of one that was made. What can't be found out is
    /// not seen to be so.
    async fn is_replaced(&self, id: &VolumeId) -> bool {
        let (Some(journal), Ok(Some(facts))) =
            (self.journal.get(), self.hypervisor.volume(id).await)
        else {
            return false;
        };
        let replaced = journal.is_replaced(id, &facts).await;
        replaced.unwrap_or_default()
    }
}

/// What was written down before and can't be taken back does no harm to the build: the volume that comes
/// next under the name is another file.
fn warn(id: &VolumeId, result: std::result::Result<(), JournalError>) {
    if let Err(error) = result {
        tracing::warn!(%id, error = with_causes(&error), "the journal is not up to date");
    }
}
