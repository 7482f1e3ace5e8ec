//! What the tests of the runtime share: the guest programs, built once, and services made of memory.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use lvhost_runtime::{
    Blob, Codec, ComponentBytes, Digesting, FileEntry, FileKind, Image, Level, Limits, Method,
    OptionSetting, OptionValue, Packed, Runtime, ServiceError, Services, Settings, Sink, Source,
    Volume, VolumeFacts, VolumeId, WebAnswer, WebRequest, Work, read_error,
};
use tokio::sync::Notify;

/// The guest programs. A test sees to it that there are no others.
pub(crate) const GUESTS: &[&str] = &[
    "hostile",
    "leaking",
    "reaching-out",
    "talkative",
    "uploading",
    "well-behaved",
    "well-behaved-0-2",
];

fn guests_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/guests")
}

/// The folders of the guest programs.
pub(crate) fn guest_folders() -> Vec<String> {
    let folders = std::fs::read_dir(guests_folder()).expect("tests/guests");
    let mut names: Vec<String> = folders
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .into_string()
                .expect("a plain name")
        })
        .collect();
    names.sort();
    names
}

/// A guest program as a component. The first call builds them all.
pub(crate) fn guest(name: &str) -> Vec<u8> {
    static BUILT: LazyLock<PathBuf> = LazyLock::new(build);
    let file = format!("lvhost_guest_{}.wasm", name.replace('-', "_"));
    std::fs::read(BUILT.join(file)).expect("a guest that was built")
}

fn build() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("guests");
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .current_dir(guests_folder())
        .args([
            "build",
            "--quiet",
            "--target",
            "wasm32-wasip2",
            "--profile",
            "component",
        ])
        .arg("--target-dir")
        .arg(&target)
        // Flags meant for the tests themselves (coverage, sanitizers) don't exist for wasm.
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS");
    for name in GUESTS {
        cargo.args(["--package", &format!("lvhost-guest-{name}")]);
    }
    let status = cargo.status().expect("cargo");
    assert!(
        status.success(),
        "the guests were not built; is the target wasm32-wasip2 installed?"
    );
    target.join("wasm32-wasip2/component")
}

pub(crate) fn runtime() -> Runtime {
    Runtime::new(Settings {
        source_date_epoch: 1_700_000_000,
        component_program: Some(env!("CARGO_BIN_EXE_component-process").into()),
        compiled: None,
    })
    .expect("a runtime")
}

/// Loads a guest program, compiled once for all tests of a process.
pub(crate) fn load(runtime: &Runtime, name: &str, limits: Limits) -> Source {
    static COMPILED: LazyLock<Mutex<BTreeMap<String, &'static [u8]>>> =
        LazyLock::new(Mutex::default);
    let code = *COMPILED
        .lock()
        .expect("lock")
        .entry(name.to_owned())
        .or_insert_with(|| {
            let code = lvhost_runtime::precompile(&guest(name), HOST).expect("a component");
            Box::leak(code.into_boxed_slice())
        });
    runtime
        .load(name, ComponentBytes::Precompiled(code), limits)
        .expect("a source")
}

/// The machine the tests run on, as a target triple.
pub(crate) const HOST: &str = if cfg!(target_arch = "aarch64") {
    "aarch64-unknown-linux-gnu"
} else {
    "x86_64-unknown-linux-gnu"
};

pub(crate) fn volume() -> Volume {
    Volume {
        id: VolumeId {
            pool: "default".into(),
            name: "new.img".into(),
        },
        domain: "builder".into(),
        device: None,
        format: Some("raw".into()),
        capacity: None,
        read_only: None,
    }
}

pub(crate) fn option(name: &str, value: &str) -> OptionSetting {
    OptionSetting {
        name: name.into(),
        value: OptionValue::Text(value.into()),
    }
}

/// What a component has done to the engine.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) log: Vec<(Level, String)>,
    pub(crate) progress: Vec<(f64, String)>,
    pub(crate) downloads: Vec<(Vec<String>, Option<String>)>,
    /// All that was asked of servers, downloads included, which have no method.
    pub(crate) asked: Vec<(WebRequest, Option<Method>, Vec<u8>)>,
    pub(crate) packed: Vec<Packed>,
    pub(crate) put_aside: usize,
    pub(crate) images: Vec<Image>,
    pub(crate) written: Vec<u8>,
    pub(crate) holes: Vec<u64>,
    pub(crate) finished: bool,
    /// Sinks that are there at the moment.
    pub(crate) open_sinks: usize,
}

/// Services made of memory: everything is granted.
#[derive(Clone, Default)]
pub(crate) struct FakeServices {
    pub(crate) seen: Arc<Mutex<Seen>>,
    pub(crate) cancelled: Arc<AtomicBool>,
    /// Whether there is room for what is put aside.
    pub(crate) has_room: Arc<AtomicBool>,
    /// Notified when the download that never ends has begun.
    pub(crate) waiting: Arc<Notify>,
    /// What the sink does at the end.
    pub(crate) finish_error: Option<ServiceError>,
}

pub(crate) const TEXT: &[u8] = b"hello world\n";
pub(crate) const DOWNLOAD: &[u8] = b"0123456789";
pub(crate) const UNPACKED: &[u8] = &[b'u'; 3000];

impl FakeServices {
    pub(crate) fn seen<T>(&self, look: impl FnOnce(&mut Seen) -> T) -> T {
        look(&mut self.seen.lock().expect("lock"))
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.seen(|seen| seen.log.iter().map(|(_, line)| line.clone()).collect())
    }
}

fn blob(name: &str, content: &[u8]) -> Blob {
    let mut file = tempfile::tempfile().expect("a temporary file");
    file.write_all(content).expect("written");
    Blob {
        name: name.into(),
        file: Arc::new(file),
        size: content.len() as u64,
    }
}

fn gzip(content: impl Read) -> Vec<u8> {
    let mut packed = Vec::new();
    flate2::read::GzEncoder::new(content, flate2::Compression::fast())
        .read_to_end(&mut packed)
        .expect("compressed");
    packed
}

#[async_trait]
impl Services for FakeServices {
    async fn download(
        &self,
        request: WebRequest,
        checksum: Option<String>,
        packed: Packed,
        work: Work,
    ) -> Result<Blob, ServiceError> {
        let urls = request.urls.clone();
        if urls == ["an endless archive"] {
            loop {
                work.computed(Duration::from_millis(10));
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
        if urls == ["a wrong checksum"] {
            work.checked(DOWNLOAD.len() as u64 + (4 << 20));
            let message = "its checksum is wrong".to_owned();
            return Err(ServiceError::Corrupt(message));
        }
        if urls == ["never"] {
            self.waiting.notify_one();
            std::future::pending::<()>().await;
        }
        self.seen(|seen| {
            seen.downloads.push((urls, checksum));
            seen.asked.push((request, None, Vec::new()));
            seen.packed.push(packed);
        });
        Ok(blob("image", DOWNLOAD))
    }

    async fn ask(
        &self,
        request: WebRequest,
        method: Method,
        body: Bytes,
    ) -> Result<WebAnswer, ServiceError> {
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let url = request.urls[0].clone();
        let answer = match url.rsplit('/').next() {
            Some("image") => WebAnswer {
                status: 401,
                headers: vec![
                    header("www-authenticate", "Basic"),
                    header("content-type", "text/plain"),
                    header("www-authenticate", "Bearer"),
                ],
                body: Bytes::from_static(b"who are you?"),
            },
            Some("long") => WebAnswer {
                status: 200,
                headers: vec![header("x", "y")],
                body: vec![b'x'; 1 << 20].into(),
            },
            _ => WebAnswer {
                status: 200,
                headers: Vec::new(),
                body: Bytes::new(),
            },
        };
        self.seen(|seen| seen.asked.push((request, Some(method), body.to_vec())));
        Ok(answer)
    }

    async fn secret(&self, name: &str) -> Result<(), ServiceError> {
        match name {
            "registry" => Ok(()),
            _ => Err(ServiceError::Denied("it is not granted".to_owned())),
        }
    }

    async fn unpack(
        &self,
        archive: &Blob,
        packing: &str,
        member: Option<&str>,
        _work: Work,
    ) -> Result<Blob, ServiceError> {
        assert_eq!(archive.size, DOWNLOAD.len() as u64);
        match (packing, member) {
            ("tar.xz", Some(member)) => Ok(blob(member, TEXT)),
            _ => Err(ServiceError::Invalid("it can't be unpacked".to_owned())),
        }
    }

    fn put_aside(
        &self,
        name: &str,
        source: &mut (dyn Read + Send),
    ) -> Result<Option<Blob>, ServiceError> {
        let mut bytes = Vec::new();
        source.read_to_end(&mut bytes).map_err(read_error)?;
        self.seen(|seen| seen.put_aside += 1);
        Ok(self
            .has_room
            .load(Ordering::Relaxed)
            .then(|| blob(name, &bytes)))
    }

    fn digest(&self, algorithm: &str) -> Result<Box<dyn Digesting>, ServiceError> {
        match algorithm {
            "sha256" => Ok(Box::new(Counting(0))),
            _ => Err(ServiceError::Invalid("there is no such digest".to_owned())),
        }
    }

    async fn list_files(&self, pattern: &str) -> Result<Vec<FileEntry>, ServiceError> {
        if pattern != "granted/*" {
            return Err(ServiceError::NotFound(format!(
                "nothing matches \"{pattern}\""
            )));
        }
        let entry = |path: &str, kind, size| FileEntry {
            path: path.into(),
            kind,
            size,
            executable: false,
        };
        Ok(vec![
            entry("folder", FileKind::Directory, 0),
            entry("folder/text", FileKind::File, TEXT.len() as u64),
            entry("text.gz", FileKind::File, 0),
        ])
    }

    async fn open_file(&self, _pattern: &str, path: &str) -> Result<Blob, ServiceError> {
        match path {
            "file" | "folder/text" => {
                // One file for all, however many a component holds.
                static TEXT_BLOB: LazyLock<Blob> = LazyLock::new(|| blob("text", TEXT));
                Ok(TEXT_BLOB.clone())
            }
            "text.gz" => Ok(blob("text.gz", &gzip(UNPACKED))),
            "zeros.zst" => Ok(blob("zeros.zst", &[0; 1000])),
            // 64 MiB in 64 KiB.
            "zeros.gz" => Ok(blob("zeros.gz", &gzip(std::io::repeat(0).take(64 << 20)))),
            "zeros" => {
                let file = Arc::new(File::open("/dev/zero").expect("/dev/zero"));
                self.waiting.notify_one();
                Ok(Blob {
                    name: "zeros".into(),
                    file,
                    size: u64::MAX,
                })
            }
            _ => Err(ServiceError::NotFound(format!("there is no {path}"))),
        }
    }

    async fn volume_facts(&self, id: &VolumeId) -> Result<VolumeFacts, ServiceError> {
        Ok(VolumeFacts {
            capacity: 1 << 30,
            format: "qcow2".into(),
            path: format!("/images/{}", id.name),
            backing: None,
        })
    }

    async fn volume_facts_of_path(&self, path: &str) -> Result<Option<VolumeFacts>, ServiceError> {
        match path.strip_prefix("/images/") {
            Some(name) => {
                let id = VolumeId {
                    pool: "default".into(),
                    name: name.into(),
                };
                self.volume_facts(&id).await.map(Some)
            }
            None => Ok(None),
        }
    }

    async fn create_target(&self, image: &Image) -> Result<Box<dyn Sink>, ServiceError> {
        self.seen(|seen| {
            seen.images.push(image.clone());
            seen.open_sinks += 1;
        });
        Ok(Box::new(FakeSink(self.clone())))
    }

    fn decoder(
        &self,
        codec: Codec,
        inner: Box<dyn Read + Send>,
    ) -> Result<Box<dyn Read + Send>, ServiceError> {
        match codec {
            Codec::Gzip => Ok(Box::new(flate2::read::MultiGzDecoder::new(inner))),
            // What it decodes is of no interest to the runtime.
            _ => Ok(inner),
        }
    }

    fn log(&self, level: Level, message: &str) {
        self.seen(|seen| seen.log.push((level, message.into())));
    }

    fn progress(&self, fraction: f64, what: &str) {
        self.seen(|seen| seen.progress.push((fraction, what.into())));
    }

    fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }
}

/// A digest that tells how many bytes it has seen.
struct Counting(usize);

impl Digesting for Counting {
    fn update(&mut self, bytes: &[u8]) {
        self.0 += bytes.len();
    }

    fn finish(self: Box<Self>) -> String {
        format!("digest of {} bytes by sha256", self.0)
    }
}

struct FakeSink(FakeServices);

#[async_trait]
impl Sink for FakeSink {
    async fn write(&mut self, data: Bytes) -> Result<(), ServiceError> {
        self.0.seen(|seen| seen.written.extend_from_slice(&data));
        Ok(())
    }

    async fn zeros(&mut self, length: u64) -> Result<(), ServiceError> {
        self.0.seen(|seen| seen.holes.push(length));
        Ok(())
    }

    async fn copy_from(
        &mut self,
        source: &Blob,
        offset: u64,
        length: u64,
    ) -> Result<(), ServiceError> {
        use std::os::unix::fs::FileExt;
        let mut bytes = vec![0; usize::try_from(length).expect("a small test")];
        source
            .file
            .read_exact_at(&mut bytes, offset)
            .map_err(read_error)?;
        self.write(bytes.into()).await
    }

    async fn drain(&mut self, mut source: Box<dyn Read + Send>) -> Result<u64, ServiceError> {
        let read = tokio::task::spawn_blocking(move || {
            let mut bytes = Vec::new();
            source
                .read_to_end(&mut bytes)
                .map(|_| bytes)
                .map_err(read_error)
        });
        let bytes = read.await.expect("no panic")?;
        let length = bytes.len() as u64;
        self.write(bytes.into()).await?;
        Ok(length)
    }

    async fn finish(self: Box<Self>) -> Result<(), ServiceError> {
        self.0.seen(|seen| seen.finished = true);
        self.0.finish_error.clone().map_or(Ok(()), Err)
    }
}

impl Drop for FakeSink {
    fn drop(&mut self) {
        self.0.seen(|seen| seen.open_sinks -= 1);
    }
}
