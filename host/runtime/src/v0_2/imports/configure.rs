//! What a source makes of a user's options.

use wasmtime::component::Resource;

use super::super::bindings::{configure as wit, types};
use super::super::convert;
use super::{OptionsHandle, VolumeHandle};
use crate::state::State;
use crate::types::{Diagnostic, Download, Grant};

/// The configuration in the making, as a component holds it.
#[expect(
    unreachable_pub,
    reason = "the generated bindings re-export it inside this crate"
)]
pub struct ConfigurationHandle;

type Configuration = Resource<ConfigurationHandle>;

impl State {
    fn need(&mut self, need: Grant) {
        self.collected.configuration().grants.push(need);
    }
}

impl wit::Host for State {}

impl wit::HostConfiguration for State {
    async fn options(&mut self, _it: Configuration) -> wasmtime::Result<Resource<OptionsHandle>> {
        Ok(self.table.push(OptionsHandle)?)
    }

    async fn volume(&mut self, _it: Configuration) -> wasmtime::Result<Resource<VolumeHandle>> {
        Ok(self.table.push(VolumeHandle)?)
    }

    async fn report(
        &mut self,
        _it: Configuration,
        severity: wit::Severity,
        at: String,
        message: String,
        help: Option<String>,
    ) -> wasmtime::Result<()> {
        let help_text = help.as_deref().unwrap_or_default();
        self.collected.charge(&[&at, &message, help_text])?;
        let diagnostics = &mut self.collected.configuration().diagnostics;
        diagnostics.push(Diagnostic {
            severity: convert::severity(severity),
            path: at,
            message,
            help,
        });
        Ok(())
    }

    async fn default_device(&mut self, _it: Configuration, device: String) -> wasmtime::Result<()> {
        let device = convert::device(&device)?;
        self.collected.configuration().defaults.device = Some(device);
        Ok(())
    }

    async fn default_format(&mut self, _it: Configuration, format: String) -> wasmtime::Result<()> {
        self.collected.charge(&[&format])?;
        self.collected.configuration().defaults.format = Some(format);
        Ok(())
    }

    async fn default_bus(&mut self, _it: Configuration, bus: String) -> wasmtime::Result<()> {
        self.collected.charge(&[&bus])?;
        self.collected.configuration().defaults.bus = Some(bus);
        Ok(())
    }

    async fn default_name_suffix(
        &mut self,
        _it: Configuration,
        suffix: String,
    ) -> wasmtime::Result<()> {
        self.collected.charge(&[&suffix])?;
        self.collected.configuration().defaults.name_suffix = Some(suffix);
        Ok(())
    }

    async fn default_read_only(
        &mut self,
        _it: Configuration,
        read_only: bool,
    ) -> wasmtime::Result<()> {
        self.collected.configuration().defaults.read_only = Some(read_only);
        Ok(())
    }

    async fn needs_url(
        &mut self,
        _it: Configuration,
        url: String,
        checksum: Option<String>,
    ) -> wasmtime::Result<()> {
        let checksum_text = checksum.as_deref().unwrap_or_default();
        self.collected.charge(&[&url, checksum_text])?;
        self.need(Grant::Url(Download { url, checksum }));
        Ok(())
    }

    async fn needs_urls_below(&mut self, _it: Configuration, url: String) -> wasmtime::Result<()> {
        self.collected.charge(&[&url])?;
        self.need(Grant::UrlsBelow(url));
        Ok(())
    }

    async fn needs_files(&mut self, _it: Configuration, pattern: String) -> wasmtime::Result<()> {
        self.collected.charge(&[&pattern])?;
        self.need(Grant::Files(pattern));
        Ok(())
    }

    async fn needs_volume(
        &mut self,
        _it: Configuration,
        id: types::VolumeId,
    ) -> wasmtime::Result<()> {
        self.collected.charge(&[&id.pool, &id.name])?;
        self.need(Grant::Volume(convert::volume_id(id)));
        Ok(())
    }

    async fn needs_hypervisor_path(
        &mut self,
        _it: Configuration,
        path: String,
    ) -> wasmtime::Result<()> {
        self.collected.charge(&[&path])?;
        self.need(Grant::HypervisorPath(path));
        Ok(())
    }

    async fn needs_post(&mut self, _it: Configuration, url: String) -> wasmtime::Result<()> {
        self.collected.charge(&[&url])?;
        self.need(Grant::Post(url));
        Ok(())
    }

    async fn needs_secret(&mut self, _it: Configuration, name: String) -> wasmtime::Result<()> {
        self.collected.charge(&[&name])?;
        self.need(Grant::Secret(name));
        Ok(())
    }

    async fn drop(&mut self, configuration: Configuration) -> wasmtime::Result<()> {
        self.table.delete(configuration)?;
        Ok(())
    }
}
