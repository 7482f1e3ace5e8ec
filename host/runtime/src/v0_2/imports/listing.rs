//! What a pattern of files has matched.

use wasmtime::component::Resource;

use super::super::bindings::{prepare as wit, types};
use super::{BlobHandle, Result};
use crate::request::Request;
use crate::state::State;
use crate::types::{FileEntry, FileKind};

/// What a pattern has matched.
#[expect(
    unreachable_pub,
    reason = "the generated bindings re-export it inside this crate"
)]
pub struct ListingHandle {
    pub(super) pattern: String,
    pub(super) entries: Vec<FileEntry>,
}

impl ListingHandle {
    pub(super) fn bytes(&self) -> usize {
        self.entries.iter().map(|entry| entry.path.len()).sum()
    }

    fn entry(&self, number: u32) -> Option<&FileEntry> {
        self.entries.get(usize::try_from(number).ok()?)
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
        self.collected.give_up(listing.bytes());
        Ok(())
    }
}
