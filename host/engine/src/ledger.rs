//! What the build has made, in order, so that all of it can be removed again.
//!
//! Every change of the hypervisor goes through here, and runs as a task of its own: when the build is
//! cancelled while libvirt still makes something, the task ends its work and writes it down, and
//! [`Ledger::clean_up`] waits for that before it removes anything. So nothing is used before it is
//! written down, and nothing is made without being so.
//!
//! ```text
//!   create_volume ─┐                      ┌─► succeeded: the artifact stays, the rest goes
//!   clone_volume  ─┼─► made: [v1, v2, d] ─┤
//!   define_domain ─┘                      └─► failed, cancelled: all of it goes, last first
//! ```

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use lvhost_libvirt::{DomainId, DomainSpec, Hypervisor, Result, VolumeFacts, VolumeId, VolumeSpec};
use tokio_util::task::TaskTracker;

/// Something the build has made.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Made {
    Volume(VolumeId),
    Domain(DomainId),
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

/// The list of what the build has made.
#[derive(Clone)]
pub(crate) struct Ledger {
    hypervisor: Arc<dyn Hypervisor>,
    made: Arc<Mutex<Vec<Made>>>,
    running: TaskTracker,
}

impl Ledger {
    pub(crate) fn new(hypervisor: Arc<dyn Hypervisor>) -> Self {
        Self {
            hypervisor,
            made: Arc::default(),
            running: TaskTracker::new(),
        }
    }

    pub(crate) async fn create_volume(&self, spec: VolumeSpec) -> Result<VolumeFacts> {
        let hypervisor = Arc::clone(&self.hypervisor);
        let made = Made::Volume(spec.id.clone());
        self.make("make a volume", async move {
            Ok((hypervisor.create_volume(&spec).await?, made))
        })
        .await
    }

    pub(crate) async fn clone_volume(
        &self,
        spec: VolumeSpec,
        source: VolumeId,
    ) -> Result<VolumeFacts> {
        let hypervisor = Arc::clone(&self.hypervisor);
        let made = Made::Volume(spec.id.clone());
        self.make("clone a volume", async move {
            Ok((hypervisor.clone_volume(&spec, &source).await?, made))
        })
        .await
    }

    pub(crate) async fn define_domain(&self, spec: DomainSpec) -> Result<DomainId> {
        let hypervisor = Arc::clone(&self.hypervisor);
        self.make("define the domain", async move {
            let id = hypervisor.define_domain(&spec).await?;
            Ok((id.clone(), Made::Domain(id)))
        })
        .await
    }

    async fn make<T: Send + 'static>(
        &self,
        action: &str,
        work: impl Future<Output = Result<(T, Made)>> + Send + 'static,
    ) -> Result<T> {
        let list = Arc::clone(&self.made);
        let task = self.running.spawn(async move {
            let (value, made) = work.await?;
            list.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(made);
            Ok(value)
        });
        task.await.unwrap_or_else(|error| {
            Err(lvhost_libvirt::Error::Disconnected {
                action: action.to_string(),
                message: error.to_string(),
            })
        })
    }

    /// Whether there is nothing to remove.
    pub(crate) fn is_empty_but_for(&self, keep: Option<&VolumeId>) -> bool {
        let made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        self.running.is_empty()
            && made
                .iter()
                .all(|made| matches!(made, Made::Volume(id) if Some(id) == keep))
    }

    /// Removes everything but `keep`, last first, and returns what could not be removed.
    pub(crate) async fn clean_up(&self, keep: Option<&VolumeId>) -> Vec<Leftover> {
        self.running.close();
        self.running.wait().await;
        let made = std::mem::take(&mut *self.made.lock().unwrap_or_else(PoisonError::into_inner));
        let mut leftovers = Vec::new();
        for made in made.into_iter().rev() {
            match &made {
                Made::Volume(id) if Some(id) == keep => {}
                Made::Volume(id) => {
                    if let Err(reason) = self.delete_volume(id).await {
                        leftovers.push(leftover_volume(id, reason));
                    }
                }
                Made::Domain(id) => {
                    if let Err(reason) = self.remove_domain(id).await {
                        leftovers.push(leftover_domain(id, reason));
                    }
                }
            }
        }
        leftovers
    }

    async fn delete_volume(&self, id: &VolumeId) -> Result<()> {
        match self.hypervisor.delete_volume(id).await {
            Err(lvhost_libvirt::Error::NoSuchVolume { .. }) => Ok(()),
            result => result,
        }
    }

    async fn remove_domain(&self, id: &DomainId) -> Result<()> {
        self.hypervisor.destroy_domain(id).await?;
        self.hypervisor.undefine_domain(id).await
    }
}

fn leftover_volume(id: &VolumeId, reason: lvhost_libvirt::Error) -> Leftover {
    Leftover {
        what: format!("the volume {id}"),
        reason,
        command: format!("virsh vol-delete --pool {} {}", id.pool, id.name),
    }
}

fn leftover_domain(id: &DomainId, reason: lvhost_libvirt::Error) -> Leftover {
    Leftover {
        what: format!("the domain {id}"),
        reason,
        command: format!("virsh destroy {0}; virsh undefine --nvram {0}", id.name),
    }
}
