//! What the engine does for one component that prepares one volume. Every call is checked against the
//! volume's grants first.

use std::io::Read;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use bytes::Bytes;
use lvhost_fetch::digest::{Algorithm, Hasher};
use lvhost_fetch::{Fetcher, Location, Packing, PutAside, PutAsideError, Unpacked};
use lvhost_libvirt::{Hypervisor, VolumeId, VolumeSpec};
use lvhost_runtime::{
    Blob, Codec, Digesting, FileEntry, Image, Level, Method, Packed, ServiceError, Services, Sink,
    VolumeFacts, WebAnswer, WebRequest, Work, read_error,
};
use tokio_util::sync::CancellationToken;

use super::download_progress::DownloadProgress;
use super::fetch_errors::{request_error, unpack_error};
use super::files::Matches;
use super::grants::Grants;
use super::inspect::{Stated, inspect};
use super::progress_lines::ProgressLines;
use super::target::{Target, Uploaded, service_error};
use crate::error::with_causes;
use crate::ledger::{Ledger, LedgerError};
use crate::secrets::Secrets;
use crate::ui::Ui;

/// The services of one volume.
pub(super) struct VolumeServices {
    pub(super) hypervisor: Arc<dyn Hypervisor>,
    pub(super) fetcher: Fetcher,
    pub(super) ledger: Ledger,
    pub(super) ui: Arc<dyn Ui>,
    pub(super) cancel: CancellationToken,
    pub(super) working_directory: PathBuf,
    pub(super) grants: Grants,
    pub(super) matches: Matches,
    pub(super) wanted: Wanted,
    /// What is shown nowhere.
    pub(super) secrets: Secrets,
    /// What log lines and bars begin with.
    pub(super) label: String,
    /// The format of the image that was uploaded, once one is.
    pub(super) uploaded: OnceLock<String>,
    /// What the component has told of its progress.
    pub(super) progress_lines: ProgressLines,
}

/// What the template says of the volume.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    pub(super) id: VolumeId,
    pub(super) capacity: Option<u64>,
    pub(super) allocation: u64,
    pub(super) format: Option<String>,
    /// The format of the volume that this one is made from.
    pub(super) source_format: Option<String>,
    /// The volumes that that one may lean on.
    pub(super) backing_volumes: Vec<String>,
}

impl Wanted {
    /// What the template says of the volume that this one is made from.
    pub(super) fn stated_of_source<'a>(&'a self, source: &'a VolumeId) -> Stated<'a> {
        Stated {
            format: self.source_format.as_deref(),
            option: "source_format",
            backing_volumes: &self.backing_volumes,
            pool: &source.pool,
        }
    }
}

impl VolumeServices {
    async fn blocking<T: Send + 'static>(
        work: impl FnOnce() -> Result<T, ServiceError> + Send + 'static,
    ) -> Result<T, ServiceError> {
        tokio::task::spawn_blocking(work)
            .await
            .unwrap_or_else(|error| Err(ServiceError::Other(error.to_string())))
    }

    fn progress_of(&self, work: Work) -> DownloadProgress<'_> {
        DownloadProgress {
            work,
            ui: self.ui.as_ref(),
            label: &self.label,
            bar: None.into(),
        }
    }

    /// Facts of a volume that is there, as lvhost has read them.
    async fn inspected(
        &self,
        id: &VolumeId,
        facts: &lvhost_libvirt::VolumeFacts,
    ) -> Result<VolumeFacts, ServiceError> {
        let stated = self.wanted.stated_of_source(id);
        let image = inspect(self.hypervisor.as_ref(), id, facts, stated)
            .await
            .map_err(|error| ServiceError::Other(with_causes(&error)))?;
        let backing = image.format.backing_paths().next().map(str::to_owned);
        Ok(VolumeFacts {
            capacity: image.capacity,
            format: image.format.name,
            path: image.path,
            backing,
        })
    }

    fn check_image(&self, image: &Image) -> Result<(), ServiceError> {
        // Other formats can name further files to be opened, in ways that are not checked here.
        if !matches!(image.format.as_str(), "raw" | "qcow2") {
            return Err(ServiceError::Invalid(format!(
                "images of format `{}` can't be uploaded; convert it with `qemu-img convert -O qcow2`",
                image.format
            )));
        }
        if let Some(format) = &self.wanted.format
            && *format != image.format
        {
            return Err(ServiceError::Invalid(format!(
                "the volume's `format` is `{format}`, but the image is `{}`",
                image.format
            )));
        }
        match self.wanted.capacity {
            Some(capacity) if capacity < image.capacity => Err(ServiceError::Invalid(format!(
                "`capacity` is {capacity} bytes, but the image has {}; a volume can't be smaller \
                 than its image",
                image.capacity
            ))),
            _ => Ok(()),
        }
    }
}

#[async_trait]
impl Services for VolumeServices {
    async fn download(
        &self,
        asked: WebRequest,
        checksum: Option<String>,
        packed: Packed,
        work: Work,
    ) -> Result<Blob, ServiceError> {
        let progress = self.progress_of(work);
        let grants = &self.grants;
        let mut request =
            grants.request(&asked.urls, checksum.as_deref(), &self.working_directory)?;
        request.headers = grants.headers(&asked, &self.secrets)?;
        request.packed = match packed {
            Packed::Unpacked => lvhost_fetch::Packed::Unpacked,
            Packed::Kept => lvhost_fetch::Packed::Kept,
        };
        let fetched = self
            .fetcher
            .fetch(&request, &progress, &self.cancel)
            .await
            .map_err(|error| request_error(grants, &error))?;
        if fetched.from_cache && matches!(fetched.origin, Location::Web(_)) {
            self.ui.say(&format!(
                "{}: {} is in the cache",
                self.label, fetched.origin
            ));
        }
        let name = fetched.name.clone().unwrap_or_else(|| "image".to_owned());
        Ok(Blob {
            name,
            size: fetched.length,
            file: fetched.file,
        })
    }

    async fn ask(
        &self,
        request: WebRequest,
        method: Method,
        body: Bytes,
    ) -> Result<WebAnswer, ServiceError> {
        self.ask_server(request, method, body).await
    }

    async fn secret(&self, name: &str) -> Result<(), ServiceError> {
        self.grants.secret(name).map(|_| ())
    }

    async fn unpack(
        &self,
        archive: &Blob,
        packing: &str,
        member: Option<&str>,
        work: Work,
    ) -> Result<Blob, ServiceError> {
        let packing = Packing::from_word(packing).filter(|packing| packing.is_archive());
        let packing = packing.ok_or_else(|| {
            ServiceError::Invalid(
                "archives are `zip`, `tar`, `tar.gz`, `tar.bz2`, `tar.xz` or `tar.zst`".to_owned(),
            )
        })?;
        let (file, name) = (Arc::clone(&archive.file), &archive.name);
        let member = member.map(str::to_owned);
        let progress = self.progress_of(work);
        let unpacking = self
            .fetcher
            .unpack(file, name, packing, member, &progress, &self.cancel);
        let Unpacked { file, length, name } = unpacking.await.map_err(unpack_error)?;
        Ok(Blob {
            name,
            size: length,
            file: Arc::new(file),
        })
    }

    fn put_aside(
        &self,
        name: &str,
        source: &mut (dyn Read + Send),
    ) -> Result<Option<Blob>, ServiceError> {
        match self.fetcher.put_aside(source) {
            Ok(PutAside { file, length }) => Ok(Some(Blob {
                name: name.to_owned(),
                size: length,
                file: Arc::new(file),
            })),
            Err(PutAsideError::NoRoom) => Ok(None),
            Err(PutAsideError::Read(error)) => Err(read_error(error)),
            Err(error @ PutAsideError::Cache(_)) => Err(ServiceError::Other(with_causes(&error))),
        }
    }

    fn digest(&self, algorithm: &str) -> Result<Box<dyn Digesting>, ServiceError> {
        let algorithm = Algorithm::from_name(algorithm).ok_or_else(|| {
            let message = "digests are made by `sha256`, `sha512`, `sha1` or `md5`";
            ServiceError::Invalid(message.to_owned())
        })?;
        Ok(Box::new(BlobDigest(Hasher::new(algorithm))))
    }

    async fn list_files(&self, pattern: &str) -> Result<Vec<FileEntry>, ServiceError> {
        let bounds = self.grants.files(pattern)?;
        let (pattern, folder) = (pattern.to_string(), self.working_directory.clone());
        let matches = self.matches.clone();
        Self::blocking(move || matches.list(&pattern, &folder, bounds.as_ref())).await
    }

    async fn open_file(&self, pattern: &str, path: &str) -> Result<Blob, ServiceError> {
        let bounds = self.grants.files(pattern)?;
        let (pattern, path) = (pattern.to_string(), path.to_string());
        let folder = self.working_directory.clone();
        let matches = self.matches.clone();
        Self::blocking(move || matches.open(&pattern, &path, &folder, bounds.as_ref())).await
    }

    async fn volume_facts(
        &self,
        id: &lvhost_runtime::VolumeId,
    ) -> Result<VolumeFacts, ServiceError> {
        let id = VolumeId::new(&id.pool, &id.name);
        self.grants.volume(&id)?;
        match self.hypervisor.volume(&id).await.map_err(service_error)? {
            Some(facts) => self.inspected(&id, &facts).await,
            None => Err(ServiceError::NotFound(
                lvhost_libvirt::Error::NoSuchVolume { id }.to_string(),
            )),
        }
    }

    async fn volume_facts_of_path(&self, path: &str) -> Result<Option<VolumeFacts>, ServiceError> {
        self.grants.path(path)?;
        let found = self
            .hypervisor
            .volume_by_path(path)
            .await
            .map_err(service_error)?;
        match found {
            Some((id, facts)) => self.inspected(&id, &facts).await.map(Some),
            None => Ok(None),
        }
    }

    async fn create_target(&self, image: &Image) -> Result<Box<dyn Sink>, ServiceError> {
        self.check_image(image)?;
        // A raw one is made as large as it will be: libvirt grows a volume by what it takes it for.
        let capacity = match image.format.as_str() {
            "raw" => self.wanted.capacity.unwrap_or(0).max(image.capacity),
            _ => image.capacity,
        };
        let padding = capacity - image.capacity;
        let spec = VolumeSpec {
            id: self.wanted.id.clone(),
            capacity,
            allocation: Some(self.wanted.allocation.min(capacity)),
            format: Some(image.format.clone()),
            backing: None,
        };
        self.ledger
            .create_volume(spec)
            .await
            .map_err(|error| match error {
                LedgerError::Hypervisor(error) => service_error(error),
                LedgerError::Journal(error) => ServiceError::Other(with_causes(&error)),
            })?;
        // Asked for once in a preparation: the runtime sees to that.
        let _ = self.uploaded.set(image.format.clone());
        let upload = self
            .hypervisor
            .open_upload(&self.wanted.id, image.length.map(|length| length + padding))
            .await
            .map_err(service_error)?;
        let transfer = self
            .ui
            .transfer(&format!("{}: upload", self.label), image.length);
        Ok(Box::new(Target::new(
            upload,
            transfer,
            Uploaded {
                component: self.grants.component().to_owned(),
                volume: self.wanted.id.clone(),
                format: image.format.clone(),
                padding,
            },
        )))
    }

    fn decoder(
        &self,
        codec: Codec,
        inner: Box<dyn Read + Send>,
    ) -> Result<Box<dyn Read + Send>, ServiceError> {
        let codec = match codec {
            Codec::Gzip => lvhost_fetch::decode::Codec::Gzip,
            Codec::Bzip2 => lvhost_fetch::decode::Codec::Bzip2,
            Codec::Xz => lvhost_fetch::decode::Codec::Xz,
            Codec::Zstd => lvhost_fetch::decode::Codec::Zstd,
        };
        Ok(lvhost_fetch::decode::decoder(codec, inner))
    }

    fn log(&self, level: Level, message: &str) {
        let line = format!("{}: {message}", self.label);
        match level {
            Level::Debug => tracing::debug!("{line}"),
            Level::Info => self.ui.say(&line),
            Level::Warning => self.ui.warn(&line),
        }
    }

    fn progress(&self, fraction: f64, what: &str) {
        if let Some(line) = self.progress_lines.line(fraction, what) {
            self.ui.say(&format!("{}: {line}", self.label));
        }
    }

    fn is_cancelled(&self) -> bool {
        self.cancel.is_cancelled()
    }
}

/// The digest of a blob in the making.
struct BlobDigest(Hasher);

impl Digesting for BlobDigest {
    fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(self: Box<Self>) -> String {
        self.0.finish().to_string()
    }
}
