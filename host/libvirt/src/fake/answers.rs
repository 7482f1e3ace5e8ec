//! The answers to a build's calls.
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;

use super::{
    Call, FakeHypervisor, KeysPressed, ShutdownReaction, console::FakeConsole, disk::Piece,
    upload::FakeUpload,
};
use crate::{
    AddressSource, BuildRecord, Capabilities, ConnectionUri, Console, DomainCapabilities,
    DomainFacts, DomainId, DomainKind, DomainSpec, DomainState, Error, HostDevice, Hypervisor,
    HypervisorFacts, InterfaceAddress, KeyCodeSet, NetworkFacts, PoolFacts, Progress, Result,
    Screenshot, ShutdownMode, Upload, Version, VolumeFacts, VolumeId, VolumeSink, VolumeSpec,
    screenshot::to_png, xml::ALIAS_PREFIX,
};

#[async_trait]
impl Hypervisor for FakeHypervisor {
    async fn facts(&self) -> Result<HypervisorFacts> {
        let remote = self.call(Call::Facts, "")?.remote;
        Ok(HypervisorFacts {
            uri: ConnectionUri::new(if remote {
                "fake://elsewhere/"
            } else {
                "fake:///"
            }),
            host: "fake".into(),
            libvirt_version: Version {
                major: 11,
                minor: 3,
                release: 0,
            },
            hypervisor: "FAKE".into(),
            hypervisor_version: Version {
                major: 1,
                minor: 0,
                release: 0,
            },
            arch: "x86_64".into(),
            is_local: !remote,
        })
    }

    async fn capabilities(&self) -> Result<Capabilities> {
        Ok(self.call(Call::Capabilities, "")?.capabilities.clone())
    }

    async fn domain_capabilities(&self, kind: &DomainKind) -> Result<DomainCapabilities> {
        let subject = format!("{} {}", kind.domain_type, kind.arch);
        let state = self.call(Call::DomainCapabilities, subject)?;
        if state.capabilities.offers(&kind.domain_type, &kind.arch) {
            return Ok(state.domain_capabilities.clone());
        }
        Err(match kind.domain_type.as_str() {
            "kvm" => Error::KvmUnusable {
                message: "the fake was given none".into(),
            },
            other => Error::InvalidValue {
                action: format!("ask what domains of type {other} can have"),
                message: format!("there are none for {}", kind.arch),
            },
        })
    }

    async fn pools(&self) -> Result<Vec<String>> {
        Ok(self.call(Call::Pools, "")?.world.pool_names())
    }

    async fn networks(&self) -> Result<Vec<String>> {
        Ok(self.call(Call::Networks, "")?.world.network_names())
    }

    async fn pool(&self, name: &str) -> Result<PoolFacts> {
        self.call(Call::Pool, name)?.world.pool(name)
    }

    async fn network(&self, name: &str) -> Result<NetworkFacts> {
        self.call(Call::Network, name)?.world.network(name)
    }

    async fn host_device(&self, name: &str) -> Result<Option<HostDevice>> {
        Ok(self.call(Call::HostDevice, name)?.world.host_device(name))
    }

    async fn list_volumes(&self, pool: &str) -> Result<Vec<String>> {
        self.call(Call::ListVolumes, pool)?.world.list_volumes(pool)
    }

    async fn volume(&self, id: &VolumeId) -> Result<Option<VolumeFacts>> {
        self.call(Call::Volume, id)?.world.volume(id)
    }

    async fn volume_by_path(&self, path: &str) -> Result<Option<(VolumeId, VolumeFacts)>> {
        Ok(self
            .call(Call::VolumeByPath, path)?
            .world
            .volume_by_path(path))
    }

    async fn create_volume(&self, spec: &VolumeSpec) -> Result<VolumeFacts> {
        self.call(Call::CreateVolume, &spec.id)?
            .world
            .create_volume(spec)
    }

    async fn clone_volume(
        &self,
        spec: &VolumeSpec,
        source: &VolumeId,
        source_format: &str,
    ) -> Result<VolumeFacts> {
        self.call(Call::CloneVolume, &spec.id)?
            .world
            .clone_volume(spec, source, source_format)
    }

    async fn resize_volume(&self, id: &VolumeId, format: &str, capacity: u64) -> Result<()> {
        self.call(Call::ResizeVolume, id)?
            .world
            .resize_volume(id, format, capacity)
    }

    async fn delete_volume(&self, id: &VolumeId) -> Result<()> {
        let mut state = self.call(Call::DeleteVolume, id)?;
        let is_local = !state.remote;
        state.world.delete_volume(id, is_local)
    }

    async fn open_upload(&self, id: &VolumeId, length: Option<u64>) -> Result<Box<dyn Upload>> {
        self.call(Call::OpenUpload, id)?.world.check_upload(id)?;
        Ok(Box::new(FakeUpload::new(self.clone(), id.clone(), length)))
    }

    async fn volume_head(&self, id: &VolumeId, length: usize) -> Result<Vec<u8>> {
        self.call(Call::VolumeHead, id)?
            .world
            .volume_head(id, length)
    }

    async fn download_volume(
        &self,
        id: &VolumeId,
        mut sink: Box<dyn VolumeSink>,
        progress: Progress,
    ) -> Result<()> {
        let pieces = self.call(Call::DownloadVolume, id)?.world.pieces(id)?;
        // The sink may block.
        let written = tokio::task::spawn_blocking(move || {
            for piece in pieces {
                let length = match piece {
                    Piece::Data(bytes) => {
                        sink.data(&bytes)?;
                        bytes.len() as u64
                    }
                    Piece::Hole(length) => {
                        sink.hole(length)?;
                        length
                    }
                };
                progress.add(length);
            }
            sink.finish()
        });
        let written = written
            .await
            .unwrap_or_else(|error| Err(std::io::Error::other(error)));
        written.map_err(|source| Error::WriteTarget {
            id: id.clone(),
            source,
        })
    }

    async fn list_domains(&self) -> Result<Vec<DomainFacts>> {
        Ok(self.call(Call::ListDomains, "")?.world.list_domains())
    }

    async fn define_domain(&self, spec: &DomainSpec) -> Result<DomainId> {
        self.call(Call::DefineDomain, &spec.name)?
            .world
            .define_domain(spec)
    }

    async fn update_domain(&self, id: &DomainId, spec: &DomainSpec) -> Result<()> {
        self.call(Call::UpdateDomain, &id.name)?
            .world
            .update_domain(id, spec)
    }

    async fn build_record(&self, id: &DomainId) -> Result<Option<BuildRecord>> {
        self.call(Call::BuildRecord, &id.name)?
            .world
            .build_record(id)
    }

    async fn set_build_record(&self, id: &DomainId, record: &BuildRecord) -> Result<()> {
        self.call(Call::SetBuildRecord, &id.name)?
            .world
            .set_build_record(id, record)
    }

    async fn start_domain(&self, id: &DomainId) -> Result<()> {
        let mut state = self.call(Call::StartDomain, &id.name)?;
        state.world.start(id)?;
        state.enter(id, DomainState::Running);
        state.consoles.boot(id.uuid);
        Ok(())
    }

    async fn start_domain_paused(&self, id: &DomainId) -> Result<()> {
        let mut state = self.call(Call::StartDomainPaused, &id.name)?;
        state.world.start(id)?;
        state.enter(id, DomainState::Paused);
        Ok(())
    }

    async fn resume_domain(&self, id: &DomainId) -> Result<()> {
        let mut state = self.call(Call::ResumeDomain, &id.name)?;
        let action = format!("resume the domain {id}");
        state.world.check_active(id, action)?;
        if state.world.domain_state(id) == DomainState::Paused {
            state.enter(id, DomainState::Running);
            state.consoles.boot(id.uuid);
        }
        Ok(())
    }

    async fn domain_state(&self, id: &DomainId) -> Result<DomainState> {
        Ok(self
            .call(Call::DomainState, &id.name)?
            .world
            .domain_state(id))
    }

    async fn watch_domain(&self, id: &DomainId) -> Result<watch::Receiver<DomainState>> {
        let mut state = self.call(Call::WatchDomain, &id.name)?;
        let now = state.world.domain_state(id);
        let sender = state
            .watches
            .entry(id.uuid)
            .or_insert_with(|| watch::Sender::new(now));
        Ok(sender.subscribe())
    }

    async fn shutdown_domain(&self, id: &DomainId, mode: Option<ShutdownMode>) -> Result<()> {
        let subject = match mode {
            Some(mode) => format!("{} {mode}", id.name),
            None => id.name.clone(),
        };
        let mut state = self.call(Call::ShutdownDomain, subject)?;
        if state.world.domain_state(id).is_off() {
            return Ok(());
        }
        match state.shutdown_reaction {
            ShutdownReaction::PowersOff => state.enter(id, DomainState::ShutOff),
            ShutdownReaction::Ignores => {}
            ShutdownReaction::Hangs => state.enter(id, DomainState::ShuttingDown),
        }
        Ok(())
    }

    async fn destroy_domain(&self, id: &DomainId) -> Result<()> {
        let mut state = self.call(Call::DestroyDomain, &id.name)?;
        if !state.world.domain_state(id).is_off() {
            state.enter(id, DomainState::ShutOff);
        }
        Ok(())
    }

    async fn undefine_domain(&self, id: &DomainId) -> Result<()> {
        let mut state = self.call(Call::UndefineDomain, &id.name)?;
        state.world.undefine_domain(id)?;
        if let Some(sender) = state.watches.remove(&id.uuid) {
            sender.send_replace(DomainState::Gone);
        }
        Ok(())
    }

    async fn interface_addresses(
        &self,
        id: &DomainId,
        source: AddressSource,
    ) -> Result<Vec<InterfaceAddress>> {
        if self.lock().addresses_are_silent {
            std::future::pending::<()>().await;
        }
        let mut state = self.call(Call::InterfaceAddresses, format!("{} {source}", id.name))?;
        if state.world.domain_state(id) != DomainState::Running {
            return Ok(Vec::new());
        }
        if state.empty_answers > 0 {
            state.empty_answers -= 1;
            return Ok(Vec::new());
        }
        Ok(state.addresses.get(&source).cloned().unwrap_or_default())
    }

    async fn send_keys(
        &self,
        id: &DomainId,
        set: KeyCodeSet,
        codes: &[u32],
        _hold: Duration,
    ) -> Result<()> {
        let mut state = self.call(Call::SendKeys, format!("{} {set} {codes:?}", id.name))?;
        let action = format!("press keys in the domain {id}");
        Error::check_keys(&action, codes)?;
        state.world.check_active(id, action)?;
        state.keys.push(KeysPressed {
            domain: id.name.clone(),
            set,
            codes: codes.to_vec(),
        });
        Ok(())
    }

    async fn screenshot(&self, id: &DomainId) -> Result<Screenshot> {
        let state = self.call(Call::Screenshot, &id.name)?;
        let action = format!("take a picture of the screen of the domain {id}");
        state.world.check_active(id, action.clone())?;
        if !state.world.has_screen(id) {
            return Err(Error::NotSupported {
                action,
                message: "it has no screen".into(),
            });
        }
        // A black screen of one pixel.
        to_png(&action, b"P6 1 1 255\n\0\0\0".to_vec())
    }

    async fn open_console(&self, id: &DomainId, device: Option<&str>) -> Result<Box<dyn Console>> {
        let mut state = self.call(Call::OpenConsole, &id.name)?;
        let action = format!("open the console of the domain {id}");
        state.world.check_active(id, action.clone())?;
        let known = ["serial-console", "virtual-console"];
        if let Some(device) = device
            && !known.contains(&device.trim_start_matches(ALIAS_PREFIX))
        {
            return Err(Error::Libvirt {
                action,
                // VIR_ERR_INTERNAL_ERROR
                code: 1,
                message: format!("cannot find character device {device}"),
            });
        }
        let output = state.consoles.open(id.uuid);
        Ok(Box::new(FakeConsole {
            hypervisor: self.clone(),
            domain: id.name.clone(),
            output,
        }))
    }
}
