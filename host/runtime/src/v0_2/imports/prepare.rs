//! What a source does while it makes its volume.

use bytes::Bytes;
use wasmtime::component::Resource;

use super::super::bindings::{prepare as wit, types};
use super::super::convert;
use super::image::{FormHandle, SinkHandle};
use super::listing::ListingHandle;
use super::requests::{AnswerHandle, RequestHandle};
use super::types::SecretHandle;
use super::{BlobHandle, OptionsHandle, Result, VolumeHandle, answered, unexpected};
use crate::limits;
use crate::request::{Answer, Request};
use crate::services::Packed;
use crate::state::State;
use crate::types::{Base, Image, Recipe, VolumeFacts};
use crate::untrusted::Unchecked;

/// The volume in the making, as a component holds it.
#[expect(
    unreachable_pub,
    reason = "the generated bindings re-export it inside this crate"
)]
pub struct PreparationHandle;

/// Facts of a volume.
#[expect(
    unreachable_pub,
    reason = "the generated bindings re-export it inside this crate"
)]
pub struct FactsHandle(VolumeFacts);

type Preparation = Resource<PreparationHandle>;

impl wit::Host for State {}

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

fn no_room() -> types::Error {
    types::Error::Other(format!(
        "all listings and answers that are held have more than {} MiB; drop those that are done with",
        limits::FILE_NAMES >> 20
    ))
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
        let asked = self.table.get(&request)?;
        if asked.method.is_some() || !asked.body.is_empty() {
            return Ok(Err(types::Error::Invalid(
                "a download has no method and no body; `ask` takes such a request".to_owned(),
            )));
        }
        let (request, checksum) = (asked.request.clone(), asked.checksum.clone());
        self.new_blob(Request::Download {
            request,
            checksum,
            packed: Packed::Kept,
        })
        .await
    }

    async fn ask(
        &mut self,
        _it: Preparation,
        request: Resource<RequestHandle>,
    ) -> Result<Resource<AnswerHandle>> {
        let asked = self.table.get(&request)?;
        let method = match convert::method(asked.method.as_deref()) {
            Ok(method) => method,
            Err(error) => return Ok(Err(error)),
        };
        if asked.body.len() > limits::CHUNK || asked.checksum.is_some() {
            return Ok(Err(types::Error::Invalid(format!(
                "what is sent has at most {} MiB, and an answer has no checksum",
                limits::CHUNK >> 20
            ))));
        }
        let (request, body) = (asked.request.clone(), asked.body.clone());
        let request = Request::Ask { request, method };
        let answer = match self.host.ask(request, body).await? {
            (Answer::Reply { status, headers }, body) => AnswerHandle {
                status,
                headers,
                body,
            },
            (Answer::Failed(error), _) => return Ok(Err(convert::error(error))),
            _ => return Err(unexpected()),
        };
        if !self.collected.hold(answer.bytes()) {
            return Ok(Err(no_room()));
        }
        Ok(Ok(self.table.push(answer)?))
    }

    async fn secret(&mut self, _it: Preparation, name: String) -> Result<Resource<SecretHandle>> {
        let request = Request::Secret(name.clone());
        let granted = answered!(self, request, Answer::Done => ());
        match granted? {
            Ok(()) => Ok(Ok(self.table.push(SecretHandle(name))?)),
            Err(error) => Ok(Err(error)),
        }
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
        if !self.collected.hold(listing.bytes()) {
            return Ok(Err(no_room()));
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

    async fn content(
        &mut self,
        _it: Preparation,
        source: Resource<BlobHandle>,
        form: Resource<FormHandle>,
    ) -> Result<()> {
        if self.collected.is_decided() {
            return Ok(Err(decided_before()));
        }
        let form = self.table.get(&form)?;
        let codec = match form.codec.as_deref().map(convert::codec).transpose() {
            Ok(codec) => codec,
            Err(error) => return Ok(Err(error)),
        };
        let format = form.format.clone();
        let blob = self.table.get(&source)?.blob;
        let request = Request::Content {
            blob,
            codec,
            format,
        };
        let made: Result<()> = answered!(self, request, Answer::Done => ());
        let made = made?;
        if made.is_ok() {
            self.collected.decide(Recipe::Image);
        }
        Ok(made)
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
        if form.codec.is_some() {
            return Ok(Err(types::Error::Invalid(
                "what is written into a volume is not compressed; `content` takes what is"
                    .to_owned(),
            )));
        }
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
