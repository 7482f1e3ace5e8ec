//! Provisioners from the text of a template to what reaches the guest, this machine and the user.

mod effect;
mod file;
mod login_shells;
mod order;
mod shell;
mod shell_local;
mod validation;

use std::collections::VecDeque;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use lvhost_communicator::{
    Command, Communicator, ExitStatus, Output, PathInGuest, Progress, Result,
};
use lvhost_hcl::{Body, DataOutcome, DataSources, Environment, InputFile, Inputs, Value, load};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio_util::sync::CancellationToken;

use super::{Provision as _, ProvisionContext, TemplateProvisioners};
use crate::error::{Error, ProvisionError};
use crate::go_template::{BuildFacts, Functions};
use crate::masked_ui::MaskedUi;
use crate::secrets::Secrets;
use crate::ui::{Step, Stream, Transfer, Ui};

/// The files of this machine, and nothing else of it.
struct Files(PathBuf);

impl Environment for Files {
    fn read_file(&self, path: &Path) -> io::Result<Vec<u8>> {
        std::fs::read(self.0.join(path))
    }

    fn file_exists(&self, path: &Path) -> io::Result<bool> {
        Ok(self.0.join(path).is_file())
    }

    fn list_files(&self, _folder: &Path) -> io::Result<Vec<String>> {
        Ok(Vec::new())
    }

    fn working_directory(&self) -> PathBuf {
        self.0.clone()
    }

    fn home_directory(&self) -> Option<PathBuf> {
        None
    }

    fn variable(&self, _name: &str) -> Option<String> {
        None
    }

    fn variable_names(&self) -> Vec<String> {
        Vec::new()
    }

    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::UNIX_EPOCH
    }

    fn random_bytes(&self, bytes: &mut [u8]) -> io::Result<()> {
        bytes.fill(7);
        Ok(())
    }
}

struct NoData;

impl DataSources for NoData {
    fn evaluate(&self, type_name: &str, _name: &str, _body: &Body) -> DataOutcome {
        DataOutcome::NotSupported(type_name.to_string())
    }
}

/// The value of the sensitive variable.
const SECRET: &str = "hunter2-and-more";

/// The provisioners in `blocks`, for the source `libvirt.example` of the build `demo`.
fn provisioners(blocks: &str, folder: &Path) -> TemplateProvisioners {
    let text = format!(
        r#"
        variable "secret" {{
          default   = "{SECRET}"
          sensitive = true
        }}
        source "libvirt" "example" {{}}
        build {{
          name    = "demo"
          sources = ["source.libvirt.example"]
          {blocks}
        }}
        "#
    );
    let inputs = Inputs {
        templates: vec![InputFile {
            name: "test.pkr.hcl".into(),
            text,
        }],
        ..Inputs::default()
    };
    let environment = Arc::new(Files(folder.to_path_buf()));
    let (document, files, diagnostics) = load(&inputs, environment, &NoData);
    let shown = lvhost_hcl::render(&files, &diagnostics, lvhost_hcl::RenderStyle::default());
    let mut document = document.unwrap_or_else(|| panic!("{shown}"));
    let mut build = document.builds.remove(0);
    let source = build.sources.remove(0);
    TemplateProvisioners {
        provisioners: build.provisioners.into(),
        functions: Functions::new(BuildFacts {
            build_name: source.name.clone(),
            build_type: source.type_name.clone(),
            ..BuildFacts::default()
        }),
        source,
        build_name: build.name.unwrap_or_default(),
        working_directory: folder.to_path_buf(),
    }
}

/// A guest that writes down what it is asked to do.
#[derive(Default, Clone)]
struct Guest {
    log: Arc<Mutex<Vec<String>>>,
    /// How the next commands end; after them, all succeed.
    ends: Arc<Mutex<VecDeque<ExitStatus>>>,
    /// How many of the next calls find it away.
    away: Arc<Mutex<usize>>,
    /// What a command prints.
    prints: Vec<u8>,
    /// What a pattern stands for: paths, those of folders with a `/` at their end.
    holds: Vec<&'static str>,
    /// A download breaks off after its first bytes.
    breaks_off: bool,
    /// Commands are run by this shell of this machine, and files written to its disk.
    login_shell: Option<PathBuf>,
}

/// Writes what is going to be run, by a process of its own: what another test starts meanwhile would hold the file
/// open for writing, and nobody can run such a file.
fn write_program(path: &Path, bytes: &[u8], mode: u32) {
    let mut writer = std::process::Command::new("/bin/sh")
        .args(["-c", "cat >\"$0\""])
        .arg(path)
        .stdin(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = writer.stdin.take().unwrap();
    std::io::Write::write_all(&mut input, bytes).unwrap();
    drop(input);
    assert!(writer.wait().unwrap().success());
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

impl Guest {
    /// The way into it.
    fn communicator(&self) -> Arc<dyn Communicator> {
        Arc::new(self.clone())
    }

    fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }

    fn ending(ends: impl IntoIterator<Item = ExitStatus>) -> Self {
        Self {
            ends: Arc::new(Mutex::new(ends.into_iter().collect())),
            ..Self::default()
        }
    }

    async fn enter(&self, what: String) -> Result<()> {
        self.log.lock().unwrap().push(what.clone());
        let mut away = self.away.lock().unwrap();
        if *away == 0 {
            return Ok(());
        }
        *away -= 1;
        let address = "guest:22".to_string();
        Err(lvhost_communicator::Error::ConnectionLost {
            address,
            during: what,
            source: None,
        })
    }
}

#[async_trait]
impl Communicator for Guest {
    async fn run(&self, command: &Command, output: &mut dyn Output) -> Result<ExitStatus> {
        self.enter(format!("run {}", command.text)).await?;
        if let Some(shell) = &self.login_shell {
            let ended = std::process::Command::new(shell)
                .args(["-c", &command.text])
                .env_clear()
                .env("PATH", "/usr/bin:/bin")
                .output()
                .unwrap();
            output.stdout(&ended.stdout);
            output.stderr(&ended.stderr);
            return Ok(ExitStatus::Code(
                ended.status.code().unwrap().try_into().unwrap(),
            ));
        }
        output.stdout(&self.prints);
        Ok(self
            .ends
            .lock()
            .unwrap()
            .pop_front()
            .unwrap_or(ExitStatus::Code(0)))
    }

    async fn upload(
        &self,
        source: &mut (dyn AsyncRead + Send + Unpin),
        length: Option<u64>,
        destination: &str,
        mode: Option<u32>,
        progress: &dyn Progress,
    ) -> Result<()> {
        let mut bytes = Vec::new();
        source.read_to_end(&mut bytes).await.unwrap();
        assert_eq!(length, u64::try_from(bytes.len()).ok());
        let mode_said = mode.map(|mode| format!(" {mode:o}")).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        self.enter(format!("upload {destination}{mode_said} {text:?}"))
            .await?;
        progress.started(destination, length);
        progress.advanced(bytes.len().try_into().unwrap());
        progress.finished();
        if self.login_shell.is_some() {
            write_program(Path::new(destination), &bytes, mode.unwrap_or(0o644));
        }
        Ok(())
    }

    async fn upload_directory(
        &self,
        source: &Path,
        destination: &str,
        _exclude: &[String],
        _progress: &dyn Progress,
    ) -> Result<()> {
        self.enter(format!(
            "upload folder {} to {destination}",
            source.display()
        ))
        .await
    }

    async fn download(
        &self,
        source: &str,
        destination: &mut (dyn AsyncWrite + Send + Unpin),
        _progress: &dyn Progress,
    ) -> Result<u64> {
        self.enter(format!("download {source}")).await?;
        let text = format!("content of {source}");
        destination.write_all(text.as_bytes()).await.unwrap();
        if self.breaks_off {
            *self.away.lock().unwrap() = 1;
            self.enter(format!("download the rest of {source}")).await?;
        }
        Ok(text.len().try_into().unwrap())
    }

    async fn download_directory(
        &self,
        source: &str,
        destination: &Path,
        _exclude: &[String],
        _progress: &dyn Progress,
    ) -> Result<()> {
        self.enter(format!(
            "download folder {source} to {}",
            destination.display()
        ))
        .await
    }

    async fn find(&self, pattern: &str) -> Result<Vec<PathInGuest>> {
        self.enter(format!("find {pattern}")).await?;
        let found = self.holds.iter().map(|path| PathInGuest {
            path: path.trim_end_matches('/').to_owned(),
            is_folder: path.ends_with('/'),
        });
        Ok(found.collect())
    }

    async fn disconnect(&self) -> Result<()> {
        Ok(())
    }
}

/// A user who reads everything and answers at once.
#[derive(Default, Clone)]
struct User {
    seen: Arc<Mutex<Vec<String>>>,
    /// Told whenever a command prints.
    printed: Arc<tokio::sync::Notify>,
}

impl User {
    /// The user as a build of the template sees them: without the value of its sensitive variable.
    fn masked(&self) -> MaskedUi {
        let secrets = Secrets::default();
        secrets.add([SECRET.into()]);
        MaskedUi::new(Arc::new(self.clone()), secrets)
    }

    fn push(&self, kind: &str, text: &str) {
        self.seen.lock().unwrap().push(format!("{kind}: {text}"));
    }

    fn of(&self, kind: &str) -> Vec<String> {
        let prefix = format!("{kind}: ");
        let seen = self.seen.lock().unwrap();
        seen.iter()
            .filter_map(|line| line.strip_prefix(&prefix).map(str::to_string))
            .collect()
    }
}

struct Bar(Arc<Mutex<Vec<String>>>, String);

impl Transfer for Bar {
    fn set_total(&self, _total: Option<u64>) {}
    fn set_position(&self, _bytes: u64) {}
    fn advance(&self, _bytes: u64) {}
    fn finish(&self) {
        self.0.lock().unwrap().push(format!("finished: {}", self.1));
    }
}

#[async_trait]
impl Ui for User {
    fn say(&self, message: &str) {
        self.push("say", message);
    }

    fn warn(&self, message: &str) {
        self.push("warn", message);
    }

    fn error(&self, message: &str) {
        self.push("error", message);
    }

    fn output(&self, stream: Stream, line: &str) {
        self.push(
            if stream == Stream::Stdout {
                "out"
            } else {
                "err"
            },
            line,
        );
        self.printed.notify_one();
    }

    fn step_finished(&self, _step: Step, _time: Duration) {}

    fn transfer(&self, name: &str, _total: Option<u64>) -> Box<dyn Transfer> {
        Box::new(Bar(Arc::clone(&self.seen), name.to_string()))
    }

    async fn wait_for_user(&self, note: &str) -> std::result::Result<(), String> {
        self.push("ask", note);
        Ok(())
    }
    async fn ask(&self, _: &str, _: &[&str]) -> std::result::Result<usize, String> {
        Err("no provisioner asks".to_owned())
    }
}

fn build() -> Value {
    Value::object([
        ("Host", Value::string("192.0.2.7")),
        ("ID", Value::string("the-id")),
        ("Password", Value::string("swordfish").sensitive()),
        ("Port", Value::from(22_i64)),
        ("User", Value::string("debian")),
    ])
}

/// Runs the provisioners of a template in `guest`.
async fn run_in(
    guest: &Guest,
    user: &User,
    blocks: &str,
    folder: &Path,
) -> std::result::Result<(), Error> {
    let (build, cancel) = (build(), CancellationToken::new());
    let context = ProvisionContext {
        communicator: Some(&guest.communicator()),
        build: &build,
        ui: &user.masked(),
        cancel: &cancel,
    };
    provisioners(blocks, folder).provision(&context).await
}

/// Runs the provisioners of a template in a folder of its own.
async fn run(guest: &Guest, user: &User, blocks: &str) -> std::result::Result<(), Error> {
    let folder = tempfile::tempdir().unwrap();
    run_in(guest, user, blocks, folder.path()).await
}

/// Why the provisioner failed.
fn cause(result: std::result::Result<(), Error>) -> ProvisionError {
    match result {
        Err(Error::Provisioner { source, .. }) => source,
        other => panic!("{other:?}"),
    }
}
