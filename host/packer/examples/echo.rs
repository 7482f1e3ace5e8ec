//! A whole plugin: its builder says things, and its "guest" is a folder of this machine in which
//! provisioners run their commands.
//!
//! ```text
//!   cargo build --example echo
//!   packer plugins install --path target/debug/examples/echo github.com/example/echo
//! ```
//! ```hcl
//! source "echo" "hello" {
//!   message   = "hello"
//!   directory = "/tmp/guest"
//! }
//! ```

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use lvhost_packer::{
    Artifact, BuildVariable, BuildVariables, Builder, CommandStreams, Communicator, Entry,
    ExitStatus, Failure, FileInfo, HookError, HookEvent, Invocation, Listener, Map, Prepared,
    RawConfig, Run, Spec, SpecEncoding, Started, Type, Value, describe, serve,
};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::process::Command;
use tokio::signal::unix::{SignalKind, signal};

fn main() -> ExitCode {
    let variable = |name: &str| std::env::var(name).ok();
    let result = match Invocation::parse(std::env::args().skip(1), variable) {
        Ok(Invocation::Describe) => print(&describe("0.1.0")).map_err(Failure::from),
        Ok(Invocation::Builder {
            encoding,
            endpoints,
        }) => tokio::runtime::Runtime::new()
            .map_err(Failure::from)
            .and_then(|runtime| runtime.block_on(plugin(encoding, &endpoints))),
        Err(error) => Err(error.into()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Packer may have closed the pipe.
            let _ = writeln!(std::io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}

async fn plugin(
    encoding: SpecEncoding,
    endpoints: &lvhost_packer::Endpoints,
) -> Result<(), Failure> {
    let listener = Listener::bind(endpoints).await?;
    // From here on a Ctrl-C is Packer's to act on. Signals with a handler don't end the process.
    let _ignored = [
        signal(SignalKind::interrupt())?,
        signal(SignalKind::terminate())?,
    ];
    print(&listener.handshake())?;
    serve(
        listener.accept().await?,
        Arc::new(Echo::default()),
        encoding,
    )
    .await?;
    Ok(())
}

fn print(text: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// The builder.
#[derive(Default)]
struct Echo {
    options: Mutex<Map>,
}

impl Echo {
    fn option(&self, name: &str) -> Option<Value> {
        self.options.lock().ok()?.get(name).cloned()
    }

    fn text(&self, name: &str) -> Option<String> {
        Some(self.option(name)?.as_str()?.to_owned())
    }
}

#[async_trait]
impl Builder for Echo {
    fn config_spec(&self) -> Spec {
        let note = Spec::new()
            .with("text", Entry::attribute(Type::String))
            .with("times", Entry::attribute(Type::Number));
        Spec::new()
            .with("message", Entry::attribute(Type::String))
            .with("directory", Entry::attribute(Type::String))
            .with("fail", Entry::attribute(Type::Bool))
            .with("tags", Entry::attribute(Type::map(Type::String)))
            .with("lines", Entry::attribute(Type::list(Type::String)))
            .with("header", Entry::block(note.clone()))
            .with("note", Entry::block_list(note))
    }

    async fn prepare(&self, configs: Vec<RawConfig>) -> Prepared {
        let mut prepared = Prepared {
            generated_variables: vec!["Greeting".to_owned()],
            ..Prepared::default()
        };
        let mut options = Map::new();
        for config in configs {
            options.extend(
                config
                    .values
                    .into_iter()
                    .filter(|(_, value)| *value != Value::Null),
            );
        }
        if options.get("message").and_then(Value::as_str).is_none() {
            prepared
                .errors
                .push("`message` is missing: there is nothing to say".to_owned());
        }
        match options.get("directory").and_then(Value::as_str) {
            None => prepared
                .warnings
                .push("without `directory` provisioners can't run".to_owned()),
            Some(directory) if !Path::new(directory).is_absolute() => {
                prepared
                    .errors
                    .push(format!("`directory` is {directory}: not an absolute path"));
            }
            Some(_) => {}
        }
        if let Ok(mut known) = self.options.lock() {
            *known = options;
        }
        prepared
    }

    async fn run(&self, run: Run) -> Result<Option<Arc<dyn Artifact>>, Failure> {
        let message = self.text("message").unwrap_or_default();
        run.ui.say(&message).await?;
        for line in self
            .option("lines")
            .as_ref()
            .and_then(Value::as_list)
            .unwrap_or_default()
        {
            run.ui
                .say(&format!("line: {}", line.as_str().unwrap_or_default()))
                .await?;
        }
        for note in self
            .option("note")
            .as_ref()
            .and_then(Value::as_list)
            .unwrap_or_default()
        {
            let note = note.as_map().and_then(|note| note.get("text")?.as_str());
            run.ui
                .say(&format!("note: {}", note.unwrap_or_default()))
                .await?;
        }
        run.ui
            .machine("echo", std::slice::from_ref(&message))
            .await?;
        let progress = run
            .ui
            .track_progress("message", 0, message.len() as u64)
            .await?;
        tokio::io::copy(
            &mut progress.track(message.as_bytes()),
            &mut tokio::io::sink(),
        )
        .await?;
        progress.close().await;

        let directory = self.text("directory").map(PathBuf::from);
        let communicator = directory
            .clone()
            .map(|directory| -> Arc<dyn Communicator> { Arc::new(Folder(directory)) });
        let variables: BuildVariables = [
            ("ID", BuildVariable::String("echo".to_owned())),
            ("Host", BuildVariable::String("localhost".to_owned())),
            ("Port", BuildVariable::Integer(5985)),
            ("User", BuildVariable::String("nobody".to_owned())),
            ("Password", BuildVariable::Secret("hunter2".into())),
            ("ConnType", BuildVariable::String("ssh".to_owned())),
            ("Greeting", BuildVariable::String(message.clone())),
        ]
        .into_iter()
        .collect();
        let provision = async |event| {
            run.hook
                .run(event, &variables, communicator.clone(), &run.cancel)
                .await
        };
        let mut result = provision(HookEvent::Provision).await.map_err(Failure::from);
        if result.is_ok() && self.option("fail") == Some(Value::Bool(true)) {
            result = Err("the template wants this build to fail".into());
        }
        // A provisioner that was cancelled has not failed.
        let cancelled = run.cancel.is_cancelled();
        if result.is_err() && !cancelled {
            provision(HookEvent::CleanUp).await?;
        }
        // After a Ctrl-C the user still sees what is done; without Packer nobody does.
        let _ = run.ui.say("cleaned up").await;
        if let Some(directory) = &directory {
            tokio::fs::write(directory.join("cleaned-up"), "").await?;
        }
        match result {
            Err(_) if cancelled => Err(HookError::Cancelled.into()),
            Err(error) => Err(error),
            Ok(()) => Ok(Some(Arc::new(Said {
                message,
                directory,
                variables,
            }))),
        }
    }
}

/// What was said.
struct Said {
    message: String,
    directory: Option<PathBuf>,
    variables: BuildVariables,
}

#[async_trait]
impl Artifact for Said {
    fn builder_id(&self) -> String {
        "example.echo".to_owned()
    }

    fn id(&self) -> String {
        self.message.clone()
    }

    fn files(&self) -> Vec<String> {
        let file = self
            .directory
            .as_ref()
            .map(|directory| directory.join("cleaned-up"));
        file.map(|file| file.display().to_string())
            .into_iter()
            .collect()
    }

    fn description(&self) -> String {
        format!("It was said: {}", self.message)
    }

    fn build_variables(&self) -> Option<&BuildVariables> {
        Some(&self.variables)
    }

    async fn state(&self, name: &str) -> Value {
        match name {
            "Length" => Value::from(self.message.len() as i64),
            _ => Value::Null,
        }
    }

    async fn destroy(&self) -> Result<(), Failure> {
        Err("what was said can't be unsaid".into())
    }
}

/// A folder of this machine as a guest.
struct Folder(PathBuf);

impl Folder {
    fn path(&self, path: &str) -> PathBuf {
        self.0.join(path)
    }
}

#[async_trait]
impl Communicator for Folder {
    async fn run(
        &self,
        command: &str,
        mut streams: CommandStreams,
        started: Started,
    ) -> Result<ExitStatus, Failure> {
        let mut child = Command::new("sh")
            .args(["-c", command])
            .current_dir(&self.0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()?;
        let _group = Group(child.id());
        started.now();
        let (stdin, stdout, stderr) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let feed = async {
            if let Some(mut stdin) = stdin {
                // A command need not read its input.
                let _ = tokio::io::copy(&mut streams.stdin, &mut stdin).await;
            }
        };
        let output = async {
            let pump = tokio::try_join!(
                pump(stdout, &mut streams.stdout),
                pump(stderr, &mut streams.stderr)
            );
            pump.and(child.wait().await)
        };
        let status = tokio::select! {
            status = output => status?,
            // Fed; now it is only the output that counts.
            never = async { feed.await; std::future::pending().await } => never,
        };
        use std::os::unix::process::ExitStatusExt;
        Ok(match (status.code(), status.signal()) {
            (Some(code), _) => ExitStatus::Code(code.unsigned_abs()),
            (None, Some(signal)) => ExitStatus::Signal(signal.unsigned_abs() as u8),
            (None, None) => ExitStatus::Disconnected,
        })
    }

    async fn upload(
        &self,
        source: &mut (dyn AsyncRead + Send + Unpin),
        destination: &str,
        file: Option<&FileInfo>,
    ) -> Result<(), Failure> {
        let path = self.path(destination);
        tokio::io::copy(source, &mut tokio::fs::File::create(&path).await?).await?;
        if let Some(file) = file {
            use std::os::unix::fs::PermissionsExt;
            let permissions = std::fs::Permissions::from_mode(file.permissions);
            tokio::fs::set_permissions(&path, permissions).await?;
        }
        Ok(())
    }

    async fn upload_directory(
        &self,
        source: &Path,
        destination: &str,
        _exclude: &[String],
    ) -> Result<(), Failure> {
        copy_folder(source, &self.path(destination)).await
    }

    async fn download(
        &self,
        source: &str,
        destination: &mut (dyn AsyncWrite + Send + Unpin),
    ) -> Result<(), Failure> {
        tokio::io::copy(
            &mut tokio::fs::File::open(self.path(source)).await?,
            destination,
        )
        .await?;
        Ok(())
    }

    async fn download_directory(
        &self,
        source: &str,
        destination: &Path,
        _exclude: &[String],
    ) -> Result<(), Failure> {
        copy_folder(&self.path(source), destination).await
    }
}

async fn pump(
    output: Option<impl AsyncRead + Unpin>,
    stream: &mut (dyn AsyncWrite + Send + Unpin),
) -> std::io::Result<()> {
    if let Some(mut output) = output {
        tokio::io::copy(&mut output, stream).await?;
    }
    stream.shutdown().await
}

/// Copies contents or the folder itself, as the trailing slash says, with the system's own `cp`.
async fn copy_folder(source: &Path, destination: &Path) -> Result<(), Failure> {
    tokio::fs::create_dir_all(destination).await?;
    let mut source = source.as_os_str().to_owned();
    if source.as_encoded_bytes().ends_with(b"/") {
        source.push(".");
    }
    let status = Command::new("cp")
        .arg("-rL")
        .arg(source)
        .arg(destination)
        .status()
        .await?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("cp: {status}").into())
    }
}

/// A command's processes, which end with this.
struct Group(Option<u32>);

impl Drop for Group {
    fn drop(&mut self) {
        let id = self
            .0
            .and_then(|id| rustix::process::Pid::from_raw(id.cast_signed()));
        if let Some(id) = id {
            // Most often there is none left.
            let _ = rustix::process::kill_process_group(id, rustix::process::Signal::KILL);
        }
    }
}
