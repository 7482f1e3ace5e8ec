//! The imports of the contract as wasmtime calls them: each becomes a [`Request`] to whoever answers.
//! Nothing is decided here but which handle of the component's stands for what.

use bytes::Bytes;
use wasmtime::component::Resource;

use super::bindings::{blobs, fetch, files, report, target, types as wit, volumes};
use super::convert;
use crate::limits;
use crate::request::{Answer, Request};
use crate::services::Packed;
use crate::state::State;
use crate::types::WebRequest;

/// What a component is answered.
type Result<T> = wasmtime::Result<std::result::Result<T, wit::Error>>;

/// A blob, as a component holds it.
#[expect(
    unreachable_pub,
    reason = "the generated bindings re-export it inside this crate"
)]
pub struct BlobHandle {
    blob: u32,
    name: String,
    size: u64,
}

/// A reader, as a component holds it.
#[expect(
    unreachable_pub,
    reason = "the generated bindings re-export it inside this crate"
)]
pub struct ReaderHandle(u32);

/// What a component holds of its target. There is one, so it says nothing.
#[expect(
    unreachable_pub,
    reason = "the generated bindings re-export it inside this crate"
)]
pub struct SinkHandle;

fn unexpected() -> wasmtime::Error {
    wasmtime::Error::msg("the host answered something else")
}

impl State {
    async fn ask(&mut self, request: Request) -> wasmtime::Result<Answer> {
        Ok(self.host.ask(request, Bytes::new()).await?.0)
    }

    async fn done(&mut self, request: Request, bytes: Bytes) -> Result<()> {
        match self.host.ask(request, bytes).await?.0 {
            Answer::Done => Ok(Ok(())),
            Answer::Failed(error) => Ok(Err(convert::error(error))),
            _ => Err(unexpected()),
        }
    }

    async fn bytes(&mut self, request: Request) -> Result<Vec<u8>> {
        match self.host.ask(request, Bytes::new()).await? {
            (Answer::Bytes, bytes) => Ok(Ok(bytes.into())),
            (Answer::Failed(error), _) => Ok(Err(convert::error(error))),
            _ => Err(unexpected()),
        }
    }

    async fn length(&mut self, request: Request) -> Result<u64> {
        match self.ask(request).await? {
            Answer::Length(length) => Ok(Ok(length)),
            Answer::Failed(error) => Ok(Err(convert::error(error))),
            _ => Err(unexpected()),
        }
    }

    async fn blob(&mut self, request: Request) -> Result<Resource<BlobHandle>> {
        match self.ask(request).await? {
            Answer::Blob { blob, name, size } => {
                Ok(Ok(self.table.push(BlobHandle { blob, name, size })?))
            }
            Answer::Failed(error) => Ok(Err(convert::error(error))),
            _ => Err(unexpected()),
        }
    }

    async fn reader(&mut self, request: Request) -> Result<Resource<ReaderHandle>> {
        match self.ask(request).await? {
            Answer::Reader(reader) => Ok(Ok(self.table.push(ReaderHandle(reader))?)),
            Answer::Failed(error) => Ok(Err(convert::error(error))),
            _ => Err(unexpected()),
        }
    }

    async fn facts(&mut self, request: Request) -> Result<Option<volumes::Facts>> {
        match self.ask(request).await? {
            Answer::Facts(facts) => Ok(Ok(facts.map(convert::volume_facts))),
            Answer::Failed(error) => Ok(Err(convert::error(error))),
            _ => Err(unexpected()),
        }
    }
}

impl wit::Host for State {}

impl report::Host for State {
    async fn log(&mut self, level: report::Level, message: String) -> wasmtime::Result<()> {
        let level = convert::level(level);
        self.tell(Request::Log { level, message }).await
    }

    async fn progress(&mut self, fraction: f64, what: String) -> wasmtime::Result<()> {
        self.tell(Request::Progress { fraction, what }).await
    }

    async fn is_cancelled(&mut self) -> wasmtime::Result<bool> {
        match self.ask(Request::IsCancelled).await? {
            Answer::Flag(flag) => Ok(flag),
            _ => Err(unexpected()),
        }
    }
}

impl fetch::Host for State {
    async fn download(&mut self, request: fetch::Request) -> Result<Resource<BlobHandle>> {
        let fetch::Request { urls, checksum } = request;
        let request = WebRequest {
            urls,
            headers: Vec::new(),
        };
        self.blob(Request::Download {
            request,
            checksum,
            packed: Packed::Unpacked,
        })
        .await
    }
}

impl files::Host for State {
    async fn list(&mut self, pattern: String) -> Result<Vec<files::Entry>> {
        match self.ask(Request::ListFiles(pattern)).await? {
            Answer::Entries(entries) => {
                Ok(Ok(entries.into_iter().map(convert::file_entry).collect()))
            }
            Answer::Failed(error) => Ok(Err(convert::error(error))),
            _ => Err(unexpected()),
        }
    }

    async fn open(&mut self, pattern: String, path: String) -> Result<Resource<BlobHandle>> {
        self.blob(Request::OpenFile { pattern, path }).await
    }
}

impl volumes::Host for State {
    async fn look_up(&mut self, id: wit::VolumeId) -> Result<volumes::Facts> {
        match self.facts(Request::LookUp(convert::volume_id(id))).await? {
            Ok(Some(facts)) => Ok(Ok(facts)),
            Ok(None) => Err(unexpected()),
            Err(error) => Ok(Err(error)),
        }
    }

    async fn look_up_path(&mut self, path: String) -> Result<Option<volumes::Facts>> {
        self.facts(Request::LookUpPath(path)).await
    }
}

impl blobs::Host for State {}

impl blobs::HostBlob for State {
    async fn size(&mut self, blob: Resource<BlobHandle>) -> wasmtime::Result<u64> {
        Ok(self.table.get(&blob)?.size)
    }

    async fn name(&mut self, blob: Resource<BlobHandle>) -> wasmtime::Result<String> {
        Ok(self.table.get(&blob)?.name.clone())
    }

    async fn read(
        &mut self,
        blob: Resource<BlobHandle>,
        offset: u64,
        length: u32,
    ) -> Result<Vec<u8>> {
        let blob = self.table.get(&blob)?.blob;
        self.bytes(Request::ReadBlob {
            blob,
            offset,
            length,
        })
        .await
    }

    async fn reader(&mut self, blob: Resource<BlobHandle>) -> Result<Resource<ReaderHandle>> {
        let blob = self.table.get(&blob)?.blob;
        State::reader(self, Request::MakeReader { blob }).await
    }

    async fn drop(&mut self, blob: Resource<BlobHandle>) -> wasmtime::Result<()> {
        let blob = self.table.delete(blob)?.blob;
        self.tell(Request::DropBlob(blob)).await
    }
}

impl blobs::HostReader for State {
    async fn read(&mut self, reader: Resource<ReaderHandle>, length: u32) -> Result<Vec<u8>> {
        let reader = self.table.get(&reader)?.0;
        self.bytes(Request::Read { reader, length }).await
    }

    async fn decode(
        &mut self,
        inner: Resource<ReaderHandle>,
        codec: blobs::Codec,
    ) -> Result<Resource<ReaderHandle>> {
        let reader = self.table.delete(inner)?.0;
        let codec = convert::codec(codec);
        State::reader(self, Request::Decode { reader, codec }).await
    }

    async fn measure(&mut self, inner: Resource<ReaderHandle>) -> Result<u64> {
        let reader = self.table.delete(inner)?.0;
        self.length(Request::Measure { reader }).await
    }

    async fn drop(&mut self, reader: Resource<ReaderHandle>) -> wasmtime::Result<()> {
        let reader = self.table.delete(reader)?.0;
        self.tell(Request::DropReader(reader)).await
    }
}

impl target::Host for State {
    async fn create(&mut self, image: target::Image) -> Result<Resource<SinkHandle>> {
        match self
            .ask(Request::CreateTarget(convert::image(image)))
            .await?
        {
            Answer::Done => Ok(Ok(self.table.push(SinkHandle)?)),
            Answer::Failed(error) => Ok(Err(convert::error(error))),
            _ => Err(unexpected()),
        }
    }
}

impl target::HostSink for State {
    async fn write(&mut self, _sink: Resource<SinkHandle>, data: Vec<u8>) -> Result<()> {
        // More does not fit into a frame.
        if data.len() > limits::CHUNK {
            return Ok(Err(wit::Error::Invalid(format!(
                "{} bytes were written at a time; at most {} are allowed",
                data.len(),
                limits::CHUNK
            ))));
        }
        self.done(Request::Write, data.into()).await
    }

    async fn zeros(&mut self, _sink: Resource<SinkHandle>, length: u64) -> Result<()> {
        self.done(Request::Zeros(length), Bytes::new()).await
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
        self.done(request, Bytes::new()).await
    }

    async fn drain(
        &mut self,
        _sink: Resource<SinkHandle>,
        source: Resource<ReaderHandle>,
    ) -> Result<u64> {
        let reader = self.table.delete(source)?.0;
        self.length(Request::Drain { reader }).await
    }

    async fn drop(&mut self, sink: Resource<SinkHandle>) -> wasmtime::Result<()> {
        self.table.delete(sink)?;
        Ok(())
    }
}
