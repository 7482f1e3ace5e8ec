//! The real back end: libvirt's client library behind [`Hypervisor`].
//!
//! Every libvirt call blocks, so none is made on the caller's thread:
//!
//! ```text
//!  async caller ──job──► worker threads (a few) ──► libvirt.so ──► daemon
//!       ▲                    │ long calls: a thread of their own        │
//!       └─────oneshot────────┘                                          │
//!  watch::Receiver ◄── Watches ◄── event thread (one a process) ◄───────┘ lifecycle events
//!  dyn Upload ──bounded channel──► upload thread (one an upload) ──► virStreamSend
//! ```
//!
//! The session is owned by those threads alone. Dropping [`Libvirt`] ends the job channel, the
//! workers end with it, and the last of them closes the connection.
mod domains;
mod errors;
mod event_loop;
mod ffi;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod library;
mod upload;
mod volumes;
mod watches;
mod workers;

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::watch;
use virt::connect::Connect;

use self::{errors::Context, ffi::Subscription, watches::Watches, workers::Workers};
use crate::{
    AddressSource, ConnectionUri, DomainId, DomainSpec, DomainState, Error, Hypervisor,
    HypervisorFacts, InterfaceAddress, NetworkFacts, PoolFacts, Result, ShutdownMode, Upload,
    Version, VolumeFacts, VolumeId, VolumeSpec, is_local, xml::check_characters,
};

/// Seconds of silence after which the daemon is asked whether it is still there; virsh's default.
const KEEP_ALIVE_INTERVAL: i32 = 5;
/// Questions without an answer after which the connection counts as lost; virsh's default.
const KEEP_ALIVE_COUNT: u32 = 6;

/// A connection to libvirt. Closed when it and everything made from it is dropped.
#[derive(Debug)]
pub struct Libvirt {
    workers: Workers,
}

/// What the threads share. The order of the fields matters: events end before the connection does.
struct Session {
    _subscription: Subscription,
    connect: Connect,
    watches: Arc<Watches>,
}

impl Session {
    fn open(uri: &ConnectionUri) -> Result<Self> {
        check_characters(&format!("connect to {uri}"), uri.expose())?;
        #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
        library::load()?;
        event_loop::start()?;
        let refused = |error: virt::error::Error| Error::Connect {
            uri: uri.clone(),
            message: error.message().to_owned(),
        };
        let connect = Connect::open(Some(uri.expose())).map_err(refused)?;
        // Drivers without a connection of their own (`test:///`) have nothing to keep alive.
        if let Err(error) = connect.set_keep_alive(KEEP_ALIVE_INTERVAL, KEEP_ALIVE_COUNT) {
            tracing::debug!(%uri, %error, "no keep-alive on this connection");
        }
        let watches = Arc::new(Watches::default());
        let subscription = Subscription::new(&connect, &watches).map_err(refused)?;
        Ok(Self {
            _subscription: subscription,
            connect,
            watches,
        })
    }
}

impl Libvirt {
    /// Connects to the hypervisor at `uri`; the empty one is libvirt's default.
    ///
    /// # Errors
    /// [`Error::Connect`].
    pub async fn connect(uri: &str) -> Result<Self> {
        let uri = ConnectionUri::new(uri);
        let workers = Workers::start(move || Session::open(&uri)).await?;
        Ok(Self { workers })
    }
}

#[async_trait]
impl Hypervisor for Libvirt {
    async fn facts(&self) -> Result<HypervisorFacts> {
        self.workers.call(|session| session.facts()).await
    }

    async fn pools(&self) -> Result<Vec<String>> {
        self.workers.call(|session| session.pools()).await
    }

    async fn networks(&self) -> Result<Vec<String>> {
        self.workers.call(|session| session.networks()).await
    }

    async fn pool(&self, name: &str) -> Result<PoolFacts> {
        let name = name.to_owned();
        self.workers.call(move |session| session.pool(&name)).await
    }

    async fn network(&self, name: &str) -> Result<NetworkFacts> {
        let name = name.to_owned();
        self.workers
            .call(move |session| session.network(&name))
            .await
    }

    async fn volume(&self, id: &VolumeId) -> Result<Option<VolumeFacts>> {
        let id = id.clone();
        self.workers.call(move |session| session.volume(&id)).await
    }

    async fn volume_by_path(&self, path: &str) -> Result<Option<(VolumeId, VolumeFacts)>> {
        let path = path.to_owned();
        self.workers
            .call(move |session| session.volume_by_path(&path))
            .await
    }

    async fn create_volume(&self, spec: &VolumeSpec) -> Result<VolumeFacts> {
        let spec = spec.clone();
        self.workers
            .call_long(move |session| session.create_volume(&spec))
            .await
    }

    async fn clone_volume(&self, spec: &VolumeSpec, source: &VolumeId) -> Result<VolumeFacts> {
        let (spec, source) = (spec.clone(), source.clone());
        self.workers
            .call_long(move |session| session.clone_volume(&spec, &source))
            .await
    }

    async fn resize_volume(&self, id: &VolumeId, capacity: u64) -> Result<()> {
        let id = id.clone();
        self.workers
            .call(move |session| session.resize_volume(&id, capacity))
            .await
    }

    async fn delete_volume(&self, id: &VolumeId) -> Result<()> {
        let id = id.clone();
        // Some pools wipe or shrink at deletion.
        self.workers
            .call_long(move |session| session.delete_volume(&id))
            .await
    }

    async fn open_upload(&self, id: &VolumeId, length: Option<u64>) -> Result<Box<dyn Upload>> {
        let upload = upload::open(&self.workers, id.clone(), length).await?;
        Ok(Box::new(upload))
    }

    async fn define_domain(&self, spec: &DomainSpec) -> Result<DomainId> {
        let spec = spec.clone();
        // The daemon may have to probe QEMU first, which takes from seconds to a minute.
        self.workers
            .call_long(move |session| session.define_domain(&spec))
            .await
    }

    async fn start_domain(&self, id: &DomainId) -> Result<()> {
        let id = id.clone();
        self.workers
            .call_long(move |session| session.start_domain(&id))
            .await
    }

    async fn domain_state(&self, id: &DomainId) -> Result<DomainState> {
        let id = id.clone();
        self.workers
            .call(move |session| session.domain_state(&id))
            .await
    }

    async fn watch_domain(&self, id: &DomainId) -> Result<watch::Receiver<DomainState>> {
        let id = id.clone();
        self.workers
            .call(move |session| session.watch_domain(&id))
            .await
    }

    async fn shutdown_domain(&self, id: &DomainId, mode: Option<ShutdownMode>) -> Result<()> {
        let id = id.clone();
        self.workers
            .call(move |session| session.shutdown_domain(&id, mode))
            .await
    }

    async fn destroy_domain(&self, id: &DomainId) -> Result<()> {
        let id = id.clone();
        self.workers
            .call_long(move |session| session.destroy_domain(&id))
            .await
    }

    async fn undefine_domain(&self, id: &DomainId) -> Result<()> {
        let id = id.clone();
        self.workers
            .call(move |session| session.undefine_domain(&id))
            .await
    }

    async fn interface_addresses(
        &self,
        id: &DomainId,
        source: AddressSource,
    ) -> Result<Vec<InterfaceAddress>> {
        let id = id.clone();
        self.workers
            .call(move |session| session.interface_addresses(&id, source))
            .await
    }
}

impl Session {
    fn facts(&self) -> Result<HypervisorFacts> {
        let context = Context::new(self, "ask what the hypervisor is");
        let connect = &self.connect;
        let uri = connect.get_uri().map_err(|error| context.error(error))?;
        let version = |number: u32| Version::from_libvirt(u64::from(number));
        Ok(HypervisorFacts {
            is_local: is_local(&uri),
            uri: ConnectionUri::new(uri),
            libvirt_version: version(
                connect
                    .get_lib_version()
                    .map_err(|error| context.error(error))?,
            ),
            hypervisor: connect.get_type().map_err(|error| context.error(error))?,
            hypervisor_version: version(
                connect
                    .get_hyp_version()
                    .map_err(|error| context.error(error))?,
            ),
            // libvirt's documentation calls it "the CPU model"; every driver answers with the
            // architecture.
            arch: connect
                .get_node_info()
                .map_err(|error| context.error(error))?
                .model,
        })
    }
}

#[cfg(test)]
mod tests;
