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
//!  dyn VolumeSink ◄──── download thread (one a download) ◄────────── virStreamRecvFlags
//!  dyn Console ◄──bounded queue── event thread ◄──────────────────── virStreamRecv
//! ```
//!
//! The session is owned by those threads alone. Dropping [`Libvirt`] ends the job channel, the
//! workers end with it, and the last of them closes the connection.
mod console;
mod domains;
mod download;
mod errors;
mod event_loop;
mod ffi;
mod guests;
mod host_devices;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod library;
mod look_up;
mod records;
mod upload;
mod volumes;
mod watches;
mod workers;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use tokio::sync::watch;
use virt::connect::Connect;

pub use self::ffi::process_end::end_process;
use self::{errors::Context, ffi::events::Subscription, watches::Watches, workers::Workers};
use crate::{
    AddressSource, BuildRecord, Capabilities, ConnectionUri, Console, DomainCapabilities,
    DomainFacts, DomainId, DomainKind, DomainSpec, DomainState, Error, HostDevice, Hypervisor,
    HypervisorFacts, InterfaceAddress, KeyCodeSet, NetworkFacts, PoolFacts, Progress, Result,
    Screenshot, ShutdownMode, Upload, Version, VolumeFacts, VolumeId, VolumeSink, VolumeSpec,
    is_local,
    xml::{self, check_characters},
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

    async fn capabilities(&self) -> Result<Capabilities> {
        self.workers
            .call_long(|session| session.capabilities())
            .await
    }

    async fn domain_capabilities(&self, kind: &DomainKind) -> Result<DomainCapabilities> {
        let kind = kind.clone();
        self.workers
            .call_long(move |session| session.domain_capabilities(&kind))
            .await
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

    async fn host_device(&self, name: &str) -> Result<Option<HostDevice>> {
        let name = name.to_owned();
        self.workers
            .call(move |session| session.host_device(&name))
            .await
    }

    async fn list_volumes(&self, pool: &str) -> Result<Vec<String>> {
        let pool = pool.to_owned();
        self.workers
            .call(move |session| session.list_volumes(&pool))
            .await
    }

    async fn volume(&self, id: &VolumeId) -> Result<Option<VolumeFacts>> {
        let id = id.clone();
        self.workers
            .call_long(move |session| session.volume(&id))
            .await
    }

    async fn volume_by_path(&self, path: &str) -> Result<Option<(VolumeId, VolumeFacts)>> {
        let path = path.to_owned();
        self.workers
            .call_long(move |session| session.volume_by_path(&path))
            .await
    }

    async fn create_volume(&self, spec: &VolumeSpec) -> Result<VolumeFacts> {
        let spec = spec.clone();
        self.workers
            .call_long(move |session| session.create_volume(&spec))
            .await
    }

    async fn clone_volume(
        &self,
        spec: &VolumeSpec,
        source: &VolumeId,
        source_format: &str,
    ) -> Result<VolumeFacts> {
        let (spec, source, format) = (spec.clone(), source.clone(), source_format.to_owned());
        self.workers
            .call_long(move |session| session.clone_volume(&spec, &source, &format))
            .await
    }

    async fn resize_volume(&self, id: &VolumeId, format: &str, capacity: u64) -> Result<()> {
        let (id, format) = (id.clone(), format.to_owned());
        self.workers
            .call_long(move |session| session.resize_volume(&id, &format, capacity))
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

    async fn volume_head(&self, id: &VolumeId, length: usize) -> Result<Vec<u8>> {
        let id = id.clone();
        self.workers
            .call_long(move |session| session.volume_head(&id, length))
            .await
    }

    async fn download_volume(
        &self,
        id: &VolumeId,
        sink: Box<dyn VolumeSink>,
        progress: Progress,
    ) -> Result<()> {
        download::download(&self.workers, id.clone(), sink, progress).await
    }

    async fn list_domains(&self) -> Result<Vec<DomainFacts>> {
        self.workers.call(|session| session.list_domains()).await
    }

    async fn define_domain(&self, spec: &DomainSpec) -> Result<DomainId> {
        let spec = spec.clone();
        // The daemon may have to probe QEMU first, which takes from seconds to a minute.
        self.workers
            .call_long(move |session| session.define_domain(&spec))
            .await
    }

    async fn update_domain(&self, id: &DomainId, spec: &DomainSpec) -> Result<()> {
        let (id, spec) = (id.clone(), spec.clone());
        self.workers
            .call_long(move |session| session.update_domain(&id, &spec))
            .await
    }

    async fn build_record(&self, id: &DomainId) -> Result<Option<BuildRecord>> {
        let id = id.clone();
        self.workers
            .call(move |session| session.build_record(&id))
            .await
    }

    async fn set_build_record(&self, id: &DomainId, record: &BuildRecord) -> Result<()> {
        let (id, record) = (id.clone(), record.clone());
        self.workers
            .call(move |session| session.set_build_record(&id, &record))
            .await
    }

    async fn start_domain(&self, id: &DomainId) -> Result<()> {
        let id = id.clone();
        self.workers
            .call_long(move |session| session.start_domain(&id, false))
            .await
    }

    async fn start_domain_paused(&self, id: &DomainId) -> Result<()> {
        let id = id.clone();
        self.workers
            .call_long(move |session| session.start_domain(&id, true))
            .await
    }

    async fn resume_domain(&self, id: &DomainId) -> Result<()> {
        let id = id.clone();
        self.workers
            .call(move |session| session.resume_domain(&id))
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

    async fn send_keys(
        &self,
        id: &DomainId,
        set: KeyCodeSet,
        codes: &[u32],
        hold: Duration,
    ) -> Result<()> {
        let (id, mut codes) = (id.clone(), codes.to_vec());
        self.workers
            .call(move |session| session.send_keys(&id, set, &mut codes, hold))
            .await
    }

    async fn screenshot(&self, id: &DomainId) -> Result<Screenshot> {
        let id = id.clone();
        self.workers
            .call_long(move |session| session.screenshot(&id))
            .await
    }

    async fn open_console(&self, id: &DomainId, device: Option<&str>) -> Result<Box<dyn Console>> {
        Ok(Box::new(console::open(&self.workers, id, device).await?))
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
            host: connect
                .get_hostname()
                .map_err(|error| context.error(error))?,
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

impl Session {
    fn capabilities(&self) -> Result<Capabilities> {
        let context = Context::new(self, "ask what the hypervisor can run");
        let text = self
            .connect
            .get_capabilities()
            .map_err(|error| context.error(error))?;
        xml::capabilities(&text)
    }

    fn domain_capabilities(&self, kind: &DomainKind) -> Result<DomainCapabilities> {
        let DomainKind {
            domain_type,
            arch,
            machine,
        } = kind;
        let action = format!("ask what domains of type {domain_type} for {arch} can have");
        for text in [Some(domain_type), Some(arch), machine.as_ref()]
            .into_iter()
            .flatten()
        {
            check_characters(&action, text)?;
        }
        let context = Context::new(self, action);
        let text = self
            .connect
            .get_domain_capabilities(None, Some(arch), machine.as_deref(), Some(domain_type), 0)
            .map_err(|error| context.error(error))?;
        xml::domain_capabilities(&text)
    }
}

#[cfg(test)]
mod tests;
