//! What a source does while it makes its volume.

use bytes::Bytes;
use wasmtime::component::Resource;

use super::super::bindings::{prepare as wit, requests, types};
use super::super::convert;
use super::{BlobHandle, OptionsHandle, ReaderHandle, Result, VolumeHandle, answered, unexpected};
use crate::limits;
use crate::request::{Answer, Request};
use crate::state::State;
use crate::types::{Base, FileEntry, FileKind, Image, Recipe, VolumeFacts};
use crate::untrusted::Unchecked;

/// The volume in the making, as a component holds it.
#[expect(
    unreachable_pub,
    reason = "the generated bindings re-export it inside this crate"
)]
pub struct PreparationHandle;

/// A request in the making.
#[expect(
    unreachable_pub,
    reason = "the generated bindings re-export it inside this crate"
)]
pub struct RequestHandle {
    urls: Vec<String>,
    checksum: Option<String>,
}

/// What bytes are said to be.
#[expect(
    unreachable_pub,
    reason = "the generated bindings re-export it inside this crate"
)]
#[derive(Default)]
pub struct FormHandle {
    format: String,
    length: Option<u64>,
    capacity: u64,
}

/// Facts of a volume.
#[expect(
    unreachable_pub,
    reason = "the generated bindings re-export it inside this crate"
)]
pub struct FactsHandle(VolumeFacts);

/// What a pattern has matched.
#[expect(
    unreachable_pub,
    reason = "the generated bindings re-export it inside this crate"
)]
pub struct ListingHandle {
    pattern: String,
    entries: Vec<FileEntry>,
}

impl ListingHandle {
    fn bytes(&self) -> usize {
        self.entries.iter().map(|entry| entry.path.len()).sum()
    }

    fn entry(&self, number: u32) -> Option<&FileEntry> {
        self.entries.get(usize::try_from(number).ok()?)
    }
}

/// What a component holds of its target. There is one, so it says nothing.
#[expect(
    unreachable_pub,
    reason = "the generated bindings re-export it inside this crate"
)]
pub struct SinkHandle;

type Preparation = Resource<PreparationHandle>;

impl requests::Host for State {}

impl requests::HostRequest for State {
    async fn new(&mut self, urls: Vec<String>) -> wasmtime::Result<Resource<RequestHandle>> {
        let checksum = None;
        Ok(self.table.push(RequestHandle { urls, checksum })?)
    }

    async fn checksum(
        &mut self,
        request: Resource<RequestHandle>,
        checksum: String,
    ) -> wasmtime::Result<()> {
        self.table.get_mut(&request)?.checksum = Some(checksum);
        Ok(())
    }

    async fn drop(&mut self, request: Resource<RequestHandle>) -> wasmtime::Result<()> {
        self.table.delete(request)?;
        Ok(())
    }
}

impl wit::Host for State {}

impl wit::HostForm for State {
    async fn new(&mut self) -> wasmtime::Result<Resource<FormHandle>> {
        Ok(self.table.push(FormHandle::default())?)
    }

    async fn format(&mut self, form: Resource<FormHandle>, format: String) -> wasmtime::Result<()> {
        self.table.get_mut(&form)?.format = format;
        Ok(())
    }

    async fn length(&mut self, form: Resource<FormHandle>, length: u64) -> wasmtime::Result<()> {
        self.table.get_mut(&form)?.length = Some(length);
        Ok(())
    }

    async fn capacity(
        &mut self,
        form: Resource<FormHandle>,
        capacity: u64,
    ) -> wasmtime::Result<()> {
        self.table.get_mut(&form)?.capacity = capacity;
        Ok(())
    }

    async fn drop(&mut self, form: Resource<FormHandle>) -> wasmtime::Result<()> {
        self.table.delete(form)?;
        Ok(())
    }
}

impl wit::HostFacts for State {
    async fn capacity(&mut self, facts: Resource<FactsHandle>) -> wasmtime::Result<u64> {
        Ok(self.table.get(&facts)?.0.capacity)
    }

    async fn format(&mut self, facts: Resource<FactsHandle>) -> wasmtime::Result<String> {
        Ok(self.table.get(&facts)?.0.format.clone())
    }

    async fn path(&mut self, facts: Resource<FactsHandle>) -> wasmtime::Result<String> {
        Ok(self.table.get(&facts)?.0.path.clone())
    }

    async fn backing(&mut self, facts: Resource<FactsHandle>) -> wasmtime::Result<Option<String>> {
        Ok(self.table.get(&facts)?.0.backing.clone())
    }

    async fn drop(&mut self, facts: Resource<FactsHandle>) -> wasmtime::Result<()> {
        self.table.delete(facts)?;
        Ok(())
    }
}

impl wit::HostListing for State {
    async fn length(&mut self, listing: Resource<ListingHandle>) -> wasmtime::Result<u32> {
        let length = self.table.get(&listing)?.entries.len();
        Ok(u32::try_from(length).unwrap_or(u32::MAX))
    }

    async fn path(
        &mut self,
        listing: Resource<ListingHandle>,
        entry: u32,
    ) -> wasmtime::Result<String> {
        let entry = self.table.get(&listing)?.entry(entry);
        Ok(entry.map(|entry| entry.path.clone()).unwrap_or_default())
    }

    async fn is_folder(
        &mut self,
        listing: Resource<ListingHandle>,
        entry: u32,
    ) -> wasmtime::Result<bool> {
        let entry = self.table.get(&listing)?.entry(entry);
        Ok(entry.is_some_and(|entry| entry.kind == FileKind::Directory))
    }

    async fn size(
        &mut self,
        listing: Resource<ListingHandle>,
        entry: u32,
    ) -> wasmtime::Result<u64> {
        let entry = self.table.get(&listing)?.entry(entry);
        Ok(entry.map(|entry| entry.size).unwrap_or_default())
    }

    async fn is_executable(
        &mut self,
        listing: Resource<ListingHandle>,
        entry: u32,
    ) -> wasmtime::Result<bool> {
        let entry = self.table.get(&listing)?.entry(entry);
        Ok(entry.is_some_and(|entry| entry.executable))
    }

    async fn open(
        &mut self,
        listing: Resource<ListingHandle>,
        entry: u32,
    ) -> Result<Resource<BlobHandle>> {
        let listing = self.table.get(&listing)?;
        let Some(found) = listing.entry(entry) else {
            return Ok(Err(types::Error::Invalid(format!(
                "\"{}\" matches {} files and folders; there is no number {entry}",
                listing.pattern,
                listing.entries.len()
            ))));
        };
        let (pattern, path) = (listing.pattern.clone(), found.path.clone());
        self.new_blob(Request::OpenFile { pattern, path }).await
    }

    async fn drop(&mut self, listing: Resource<ListingHandle>) -> wasmtime::Result<()> {
        let listing = self.table.delete(listing)?;
        self.collected.drop_listing(listing.bytes());
        Ok(())
    }
}

impl wit::HostSink for State {
    async fn write(&mut self, _sink: Resource<SinkHandle>, bytes: Vec<u8>) -> Result<u32> {
        let mut bytes = Bytes::from(bytes);
        bytes.truncate(limits::CHUNK);
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        match self.host.ask(Request::Write, bytes).await?.0 {
            Answer::Done => Ok(Ok(length)),
            Answer::Failed(error) => Ok(Err(convert::error(error))),
            _ => Err(unexpected()),
        }
    }

    async fn zeros(&mut self, _sink: Resource<SinkHandle>, length: u64) -> Result<()> {
        answered!(self, Request::Zeros(length), Answer::Done => ())
    }

    async fn copy_from(
        &mut self,
        _sink: Resource<SinkHandle>,
        source: Resource<BlobHandle>,
        offset: u64,
        length: u64,
    ) -> Result<()> {
        let blob = self.table.get(&source)?.blob;
        let request = Request::CopyFrom {
            blob,
            offset,
            length,
        };
        answered!(self, request, Answer::Done => ())
    }

    async fn drain(
        &mut self,
        _sink: Resource<SinkHandle>,
        source: Resource<ReaderHandle>,
    ) -> Result<u64> {
        let reader = self.table.delete(source)?.0;
        answered!(self, Request::Drain { reader }, Answer::Length(length) => length)
    }

    async fn drop(&mut self, sink: Resource<SinkHandle>) -> wasmtime::Result<()> {
        self.table.delete(sink)?;
        Ok(())
    }
}

impl State {
    /// Takes note of how the volume comes to be, once.
    fn decide(&mut self, recipe: Recipe) -> std::result::Result<(), types::Error> {
        if self.collected.is_decided() {
            return Err(decided_before());
        }
        self.collected.decide(recipe);
        Ok(())
    }

    async fn facts_of(&mut self, request: Request) -> Result<Option<Resource<FactsHandle>>> {
        let facts = answered!(self, request, Answer::Facts(facts) => facts);
        match facts? {
            Ok(Some(facts)) => Ok(Ok(Some(self.table.push(FactsHandle(facts))?))),
            Ok(None) => Ok(Ok(None)),
            Err(error) => Ok(Err(error)),
        }
    }
}

fn decided_before() -> types::Error {
    types::Error::Invalid("it was said before how the volume comes to be".to_owned())
}

impl wit::HostPreparation for State {
    async fn options(&mut self, _it: Preparation) -> wasmtime::Result<Resource<OptionsHandle>> {
        Ok(self.table.push(OptionsHandle)?)
    }

    async fn volume(&mut self, _it: Preparation) -> wasmtime::Result<Resource<VolumeHandle>> {
        Ok(self.table.push(VolumeHandle)?)
    }

    async fn timestamp(&mut self, _it: Preparation) -> wasmtime::Result<u64> {
        Ok(self.timestamp)
    }

    async fn progress(
        &mut self,
        _it: Preparation,
        fraction: f64,
        what: String,
    ) -> wasmtime::Result<()> {
        self.tell(Request::Progress { fraction, what }).await
    }

    async fn download(
        &mut self,
        _it: Preparation,
        request: Resource<RequestHandle>,
    ) -> Result<Resource<BlobHandle>> {
        let RequestHandle { urls, checksum } = self.table.get(&request)?;
        let (urls, checksum) = (urls.clone(), checksum.clone());
        self.new_blob(Request::Download { urls, checksum }).await
    }

    async fn files(
        &mut self,
        _it: Preparation,
        pattern: String,
    ) -> Result<Resource<ListingHandle>> {
        let request = Request::ListFiles(pattern.clone());
        let entries = answered!(self, request, Answer::Entries(entries) => entries);
        let entries = match entries? {
            Ok(entries) => entries,
            Err(error) => return Ok(Err(error)),
        };
        let listing = ListingHandle { pattern, entries };
        if !self.collected.hold_listing(listing.bytes()) {
            return Ok(Err(types::Error::Other(format!(
                "the paths of all listings that are held have more than {} MiB; drop those that are \
                 done with",
                limits::FILE_NAMES >> 20
            ))));
        }
        Ok(Ok(self.table.push(listing)?))
    }

    async fn look_up(
        &mut self,
        _it: Preparation,
        id: types::VolumeId,
    ) -> Result<Resource<FactsHandle>> {
        let id = Unchecked::new(convert::volume_id(id));
        match self.facts_of(Request::LookUp(id)).await? {
            Ok(Some(facts)) => Ok(Ok(facts)),
            Ok(None) => Err(unexpected()),
            Err(error) => Ok(Err(error)),
        }
    }

    async fn look_up_path(
        &mut self,
        _it: Preparation,
        path: String,
    ) -> Result<Option<Resource<FactsHandle>>> {
        self.facts_of(Request::LookUpPath(path)).await
    }

    async fn blank(&mut self, _it: Preparation) -> Result<()> {
        Ok(self.decide(Recipe::Blank))
    }

    async fn overlay_volume(&mut self, _it: Preparation, base: types::VolumeId) -> Result<()> {
        let base = Base::Volume(convert::volume_id(base));
        Ok(self.decide(Recipe::Overlay(base)))
    }

    async fn overlay_path(&mut self, _it: Preparation, base: String) -> Result<()> {
        Ok(self.decide(Recipe::Overlay(Base::HypervisorPath(base))))
    }

    async fn clone(&mut self, _it: Preparation, original: types::VolumeId) -> Result<()> {
        Ok(self.decide(Recipe::Clone(convert::volume_id(original))))
    }

    async fn image(
        &mut self,
        _it: Preparation,
        form: Resource<FormHandle>,
    ) -> Result<Resource<SinkHandle>> {
        if self.collected.is_decided() {
            return Ok(Err(decided_before()));
        }
        let form = self.table.get(&form)?;
        let image = Unchecked::new(Image {
            format: form.format.clone(),
            length: form.length,
            capacity: form.capacity,
        });
        let made = answered!(self, Request::CreateTarget(image), Answer::Done => ());
        match made? {
            Ok(()) => {
                self.collected.decide(Recipe::Image);
                Ok(Ok(self.table.push(SinkHandle)?))
            }
            Err(error) => Ok(Err(error)),
        }
    }

    async fn drop(&mut self, preparation: Preparation) -> wasmtime::Result<()> {
        self.table.delete(preparation)?;
        Ok(())
    }
}
