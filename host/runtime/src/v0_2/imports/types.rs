//! The volume and the options that a call is about.

use wasmtime::component::Resource;

use super::super::bindings::types as wit;
use crate::request::PlainValue;
use crate::state::State;

/// The volume, as a component holds it. There is one in a call, so it says nothing.
#[expect(
    unreachable_pub,
    reason = "the generated bindings re-export it inside this crate"
)]
pub struct VolumeHandle;

/// The options, as a component holds them.
#[expect(
    unreachable_pub,
    reason = "the generated bindings re-export it inside this crate"
)]
pub struct OptionsHandle;

/// One of the user's secrets, as a component holds it: by its name.
#[expect(
    unreachable_pub,
    reason = "the generated bindings re-export it inside this crate"
)]
pub struct SecretHandle(pub(super) String);

type Volume = Resource<VolumeHandle>;
type Options = Resource<OptionsHandle>;

impl wit::Host for State {}

impl wit::HostSecret for State {
    async fn name(&mut self, secret: Resource<SecretHandle>) -> wasmtime::Result<String> {
        Ok(self.table.get(&secret)?.0.clone())
    }

    async fn drop(&mut self, secret: Resource<SecretHandle>) -> wasmtime::Result<()> {
        self.table.delete(secret)?;
        Ok(())
    }
}

impl wit::HostVolume for State {
    async fn id(&mut self, _volume: Volume) -> wasmtime::Result<wit::VolumeId> {
        let id = &self.collected.volume()?.id;
        Ok(wit::VolumeId {
            pool: id.pool.clone(),
            name: id.name.clone(),
        })
    }

    async fn domain(&mut self, _volume: Volume) -> wasmtime::Result<String> {
        Ok(self.collected.volume()?.domain.clone())
    }

    async fn device(&mut self, _volume: Volume) -> wasmtime::Result<Option<String>> {
        let device = self.collected.volume()?.device;
        Ok(device.map(|device| device.as_str().to_owned()))
    }

    async fn format(&mut self, _volume: Volume) -> wasmtime::Result<Option<String>> {
        Ok(self.collected.volume()?.format.clone())
    }

    async fn capacity(&mut self, _volume: Volume) -> wasmtime::Result<Option<u64>> {
        Ok(self.collected.volume()?.capacity)
    }

    async fn read_only(&mut self, _volume: Volume) -> wasmtime::Result<Option<bool>> {
        Ok(self.collected.volume()?.read_only)
    }

    async fn drop(&mut self, volume: Volume) -> wasmtime::Result<()> {
        self.table.delete(volume)?;
        Ok(())
    }
}

impl wit::HostOptions for State {
    async fn is_set(&mut self, _options: Options, name: String) -> wasmtime::Result<bool> {
        Ok(self.collected.option(&name).is_some())
    }

    async fn text(&mut self, _options: Options, name: String) -> wasmtime::Result<Option<String>> {
        Ok(match self.collected.option(&name) {
            Some(PlainValue::Text(text)) => Some(text.clone()),
            _ => None,
        })
    }

    async fn integer(&mut self, _options: Options, name: String) -> wasmtime::Result<Option<i64>> {
        Ok(match self.collected.option(&name) {
            Some(PlainValue::Integer(integer)) => Some(*integer),
            _ => None,
        })
    }

    async fn boolean(&mut self, _options: Options, name: String) -> wasmtime::Result<Option<bool>> {
        Ok(match self.collected.option(&name) {
            Some(PlainValue::Boolean(boolean)) => Some(*boolean),
            _ => None,
        })
    }

    async fn texts(
        &mut self,
        _options: Options,
        name: String,
    ) -> wasmtime::Result<Option<Vec<String>>> {
        Ok(match self.collected.option(&name) {
            Some(PlainValue::TextList(list)) => Some(list.clone()),
            _ => None,
        })
    }

    async fn pairs(
        &mut self,
        _options: Options,
        name: String,
    ) -> wasmtime::Result<Option<Vec<(String, String)>>> {
        Ok(match self.collected.option(&name) {
            Some(PlainValue::TextMap(map)) => Some(map.clone()),
            _ => None,
        })
    }

    async fn drop(&mut self, options: Options) -> wasmtime::Result<()> {
        self.table.delete(options)?;
        Ok(())
    }
}
