//! A plugin whose build is a function of the test's, with a guest that does what it is told.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures::future::BoxFuture;
use lvhost_packer::{
    Artifact, BuildVariable, BuildVariables, Builder, CommandStreams, Communicator, Entry,
    ExitStatus, Failure, FileInfo, Prepared, RawConfig, Run, Spec, SpecEncoding, Started,
    StreamError, Type, Value, serve,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream};
use tokio::task::JoinHandle;

use crate::core::{Client, Core};
use crate::session::Session;

/// What a build does.
pub(crate) type Script = Box<
    dyn Fn(Run) -> BoxFuture<'static, Result<Option<Arc<dyn Artifact>>, Failure>> + Send + Sync,
>;

/// A script as a function that takes the run.
pub(crate) fn script<F, T>(script: F) -> Script
where
    F: Fn(Run) -> T + Send + Sync + 'static,
    T: Future<Output = Result<Option<Arc<dyn Artifact>>, Failure>> + Send + 'static,
{
    Box::new(move |run| Box::pin(script(run)))
}

/// A plugin that is served, and core with its main stream.
pub(crate) struct Connected {
    pub(crate) core: Core,
    pub(crate) builder: Client,
    pub(crate) served: JoinHandle<Result<(), StreamError>>,
}

/// Serves a builder with this script to a core of the tests' own.
pub(crate) async fn connect(script: Script) -> Connected {
    let (core, plugin) = tokio::io::duplex(64 * 1024);
    let served = start(plugin, script);
    let core = Core::start(Session::start(core));
    let builder = Client::new(core.dial(0).await);
    Connected {
        core,
        builder,
        served,
    }
}

/// Serves a builder on its end of a connection.
pub(crate) fn start(socket: DuplexStream, script: Script) -> JoinHandle<Result<(), StreamError>> {
    let builder = Arc::new(Scripted(script));
    tokio::spawn(serve(socket, builder, SpecEncoding::Protobuf))
}

struct Scripted(Script);

#[async_trait]
impl Builder for Scripted {
    fn config_spec(&self) -> Spec {
        Spec::new().with("a", Entry::attribute(Type::String))
    }

    async fn prepare(&self, configs: Vec<RawConfig>) -> Prepared {
        let option = |name: &str| configs.iter().find_map(|config| config.values.get(name));
        if option("panic").is_some() {
            panic!("as the test wants it");
        }
        Prepared {
            generated_variables: vec!["Extra".to_owned()],
            warnings: vec!["careful".to_owned()],
            errors: option("error")
                .and_then(Value::as_str)
                .map(str::to_owned)
                .into_iter()
                .collect(),
        }
    }

    async fn run(&self, run: Run) -> Result<Option<Arc<dyn Artifact>>, Failure> {
        (self.0)(run).await
    }
}

/// Something that was built.
pub(crate) struct Thing(BuildVariables);

impl Thing {
    pub(crate) fn artifact() -> Arc<dyn Artifact> {
        let port = BuildVariable::Integer(22);
        Arc::new(Self([("Port", port)].into_iter().collect()))
    }
}

#[async_trait]
impl Artifact for Thing {
    fn builder_id(&self) -> String {
        "test.thing".to_owned()
    }

    fn id(&self) -> String {
        "thing-1".to_owned()
    }

    fn files(&self) -> Vec<String> {
        vec!["/a".to_owned(), "/b".to_owned()]
    }

    fn description(&self) -> String {
        "a thing".to_owned()
    }

    fn build_variables(&self) -> Option<&BuildVariables> {
        Some(&self.0)
    }

    async fn state(&self, name: &str) -> Value {
        if name == "Size" {
            Value::from(5985)
        } else {
            Value::Null
        }
    }

    async fn destroy(&self) -> Result<(), Failure> {
        Err("it is in use".into())
    }
}

/// What was uploaded, and what was said of it.
pub(crate) type File = (Vec<u8>, Option<FileInfo>);

/// A guest of files in memory. Its commands:
///
/// * `cat` copies its input to its output;
/// * `print N` prints N bytes;
/// * `exit N` ends with that code, at once, without looking at its input;
/// * `hang` never ends;
/// * `signal N`, `vanish`: ends so;
/// * anything else can't be started.
#[derive(Default)]
pub(crate) struct Guest {
    pub(crate) files: Mutex<BTreeMap<String, File>>,
    /// What was called for folders, and commands that were given up.
    pub(crate) events: Mutex<Vec<String>>,
}

impl Guest {
    fn note(&self, event: String) {
        self.events.lock().unwrap().push(event);
    }
}

#[async_trait]
impl Communicator for Guest {
    async fn run(
        &self,
        command: &str,
        mut streams: CommandStreams,
        started: Started,
    ) -> Result<ExitStatus, Failure> {
        let (word, argument) = command.split_once(' ').unwrap_or((command, "0"));
        let number: u32 = argument.parse()?;
        match word {
            "cat" => {
                started.now();
                tokio::io::copy(&mut streams.stdin, &mut streams.stdout).await?;
                Ok(ExitStatus::Code(0))
            }
            "print" => {
                started.now();
                tokio::io::copy(
                    &mut tokio::io::repeat(b'x').take(number.into()),
                    &mut streams.stdout,
                )
                .await?;
                streams.stderr.write_all(b"done").await?;
                Ok(ExitStatus::Code(0))
            }
            // Without having told that it runs.
            "exit" => Ok(ExitStatus::Code(number)),
            "signal" => Ok(ExitStatus::Signal(number as u8)),
            "vanish" => {
                started.now();
                Err("the guest is gone".into())
            }
            "hang" => {
                started.now();
                let _given_up = Defer(|| self.note("given up".to_owned()));
                std::future::pending().await
            }
            _ => Err(format!("no such command: {command}").into()),
        }
    }

    async fn upload(
        &self,
        source: &mut (dyn AsyncRead + Send + Unpin),
        destination: &str,
        file: Option<&FileInfo>,
    ) -> Result<(), Failure> {
        if destination == "/full" {
            return Err("no space left on device".into());
        }
        let mut bytes = Vec::new();
        source.read_to_end(&mut bytes).await?;
        let mut files = self.files.lock().unwrap();
        files.insert(destination.to_owned(), (bytes, file.cloned()));
        Ok(())
    }

    async fn upload_directory(
        &self,
        source: &Path,
        destination: &str,
        exclude: &[String],
    ) -> Result<(), Failure> {
        self.note(format!("{} → {destination} {exclude:?}", source.display()));
        Ok(())
    }

    async fn download(
        &self,
        source: &str,
        destination: &mut (dyn AsyncWrite + Send + Unpin),
    ) -> Result<(), Failure> {
        let file = self.files.lock().unwrap().get(source).cloned();
        let (bytes, _) = file.ok_or_else(|| format!("no such file: {source}"))?;
        destination.write_all(&bytes).await?;
        Ok(())
    }

    async fn download_directory(
        &self,
        source: &str,
        destination: &Path,
        exclude: &[String],
    ) -> Result<(), Failure> {
        self.note(format!("{} ← {source} {exclude:?}", destination.display()));
        Ok(())
    }
}

/// Does something when it is dropped.
struct Defer<F: FnMut()>(F);

impl<F: FnMut()> Drop for Defer<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}
