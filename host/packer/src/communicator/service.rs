//! What is served to core while a hook runs: the guest, and the user on behalf of the provisioners.
//!
//! Numbers of streams in requests are core's, and core gives up after five seconds: they are all dialled
//! before anything else is done.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::io::AsyncWriteExt;

use super::command::Commands;
use super::{Communicator, FileInfo};
use crate::failure::text;
use crate::mux::{Mux, Stream};
use crate::rpc::{CallError, Client, Service, arguments, nil};
use crate::value::{Map, Value};

/// The bits of a Go file mode that say that a file is not an ordinary one: folder, link, pipe, socket,
/// devices, and what is none of these.
const NOT_REGULAR: i64 = 1 << 31 | 1 << 27 | 1 << 26 | 1 << 25 | 1 << 24 | 1 << 21 | 1 << 19;

/// Serves the stream of one hook.
pub(crate) struct GuestService {
    communicator: Option<Arc<dyn Communicator>>,
    mux: Mux,
    /// The run's own way to core's user interface.
    core: Client,
    commands: Commands,
}

impl GuestService {
    pub(crate) fn new(communicator: Option<Arc<dyn Communicator>>, mux: Mux, core: Client) -> Self {
        Self {
            communicator,
            mux,
            core,
            commands: Commands::default(),
        }
    }

    async fn communicate(&self, method: &str, argument: &[u8]) -> Result<(), String> {
        let arguments = Arguments::read(method, argument)?;
        let communicator = self.communicator.as_ref().ok_or(
            "this build has no communicator (communicator = \"none\"): \
             provisioners that reach into the guest can't be used",
        )?;
        match method {
            "Start" => {
                let command = arguments.text("Command")?;
                let streams = self.commands.dial(&self.mux, &arguments).await?;
                self.commands
                    .start(Arc::clone(communicator), command, streams)
                    .await
            }
            "Upload" => {
                let mut source = self.stream(&arguments, "ReaderStreamId").await?;
                let destination = arguments.text("Path")?;
                let file = arguments.file();
                communicator
                    .upload(&mut source, &destination, file.as_ref())
                    .await
                    .map_err(|failure| text(failure.as_ref()))
            }
            "Download" => {
                let mut destination = self.stream(&arguments, "WriterStreamId").await?;
                let source = arguments.text("Path")?;
                let result = communicator.download(&source, &mut destination).await;
                // Core waits for the end of the stream whatever the answer is.
                let ended = destination.shutdown().await;
                result.map_err(|failure| text(failure.as_ref()))?;
                ended.map_err(|error| format!("the end of {source} did not reach Packer: {error}"))
            }
            "UploadDir" => {
                let (source, destination) = (arguments.text("Src")?, arguments.text("Dst")?);
                let exclude = arguments.texts("Exclude");
                communicator
                    .upload_directory(Path::new(&source), &destination, &exclude)
                    .await
                    .map_err(|failure| text(failure.as_ref()))
            }
            "DownloadDir" => {
                let (source, destination) = (arguments.text("Src")?, arguments.text("Dst")?);
                let exclude = arguments.texts("Exclude");
                communicator
                    .download_directory(&source, Path::new(&destination), &exclude)
                    .await
                    .map_err(|failure| text(failure.as_ref()))
            }
            _ => Err(format!("rpc: can't find method Communicator.{method}")),
        }
    }

    async fn stream(&self, arguments: &Arguments, name: &'static str) -> Result<Stream, String> {
        let id = arguments.stream(name)?;
        self.mux.dial(id).await.map_err(|error| text(&error))
    }
}

#[async_trait]
impl Service for GuestService {
    async fn call(
        self: Arc<Self>,
        service: &str,
        method: &str,
        argument: Bytes,
    ) -> Result<Bytes, String> {
        match service {
            "Communicator" => {
                self.communicate(method, &argument).await?;
                Ok(nil())
            }
            // Provisioners speak to the user through us. Whatever they say, progress bars included, is
            // core's own to understand: it goes back there as it came.
            service if service.starts_with("Ui") => {
                match self
                    .core
                    .call(&format!("{service}.{method}"), argument)
                    .await
                {
                    Ok(reply) => Ok(reply),
                    Err(CallError::Remote(text)) => Err(text),
                    Err(error) => Err(text(&error)),
                }
            }
            _ => Err(format!("rpc: can't find method {service}.{method}")),
        }
    }
}

/// The argument of a method of the communicator, by the names of its fields.
pub(super) struct Arguments {
    method: String,
    fields: Map,
}

impl Arguments {
    fn read(method: &str, argument: &[u8]) -> Result<Self, String> {
        match arguments(&format!("Communicator.{method}"), argument)? {
            Value::Map(fields) => Ok(Self {
                method: method.to_owned(),
                fields,
            }),
            _ => Err(format!(
                "the argument of Communicator.{method} is not a map"
            )),
        }
    }

    fn text(&self, name: &'static str) -> Result<String, String> {
        match self.fields.get(name) {
            Some(Value::String(text)) => Ok(text.clone()),
            Some(Value::Bytes(_)) => Err(format!(
                "`{name}` of Communicator.{} is not UTF-8",
                self.method
            )),
            _ => Err(format!(
                "`{name}` of Communicator.{} is missing",
                self.method
            )),
        }
    }

    fn texts(&self, name: &'static str) -> Vec<String> {
        let texts = self
            .fields
            .get(name)
            .and_then(Value::as_list)
            .unwrap_or_default();
        texts
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect()
    }

    /// The number of a stream that has to be there.
    fn stream(&self, name: &'static str) -> Result<u32, String> {
        self.optional_stream(name)?
            .ok_or_else(|| format!("`{name}` of Communicator.{} is missing", self.method))
    }

    /// The number of a stream, unless it is 0: that stands for none.
    pub(super) fn optional_stream(&self, name: &'static str) -> Result<Option<u32>, String> {
        let Some(id) = self.fields.get(name) else {
            return Ok(None);
        };
        match id.as_i64().map(u32::try_from) {
            Some(Ok(0)) => Ok(None),
            Some(Ok(id)) => Ok(Some(id)),
            _ => Err(format!(
                "`{name}` of Communicator.{} is not the number of a stream",
                self.method
            )),
        }
    }

    /// What is known of an uploaded file, if it is an ordinary one.
    fn file(&self) -> Option<FileInfo> {
        let info = self.fields.get("FileInfo")?.as_map()?;
        let mode = info.get("M")?.as_i64()?;
        (mode & NOT_REGULAR == 0).then_some(())?;
        Some(FileInfo {
            name: info.get("N")?.as_str()?.to_owned(),
            size: u64::try_from(info.get("S")?.as_i64()?).ok()?,
            permissions: u32::try_from(mode & 0o777).ok()?,
        })
    }
}
