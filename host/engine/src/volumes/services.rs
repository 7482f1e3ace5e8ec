//! What the engine does for one component that prepares one volume. Every call is checked against the
//! volume's grants first.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use lvhost_fetch::{FetchError, Fetcher, Location, LocationError, SafeUrl};
use lvhost_libvirt::{Hypervisor, VolumeId, VolumeSpec};
use lvhost_runtime::{
    Blob, Codec, FileEntry, Image, Level, ServiceError, Services, Sink, VolumeFacts, Work,
};
use tokio_util::sync::CancellationToken;

use super::files::Matches;
use super::grants::Grants;
use super::inspect::{Stated, inspect};
use super::progress_lines::ProgressLines;
use super::target::{Target, Uploaded, service_error};
use crate::error::with_causes;
use crate::ledger::{Ledger, LedgerError};
use crate::ui::{Transfer, Ui};

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
        urls: Vec<String>,
        checksum: Option<String>,
        work: Work,
    ) -> Result<Blob, ServiceError> {
        let progress = DownloadProgress {
            work,
            ui: self.ui.as_ref(),
            label: &self.label,
            bar: None.into(),
        };
        let request = self
            .grants
            .request(&urls, checksum.as_deref(), &self.working_directory)?;
        let fetched = self
            .fetcher
            .fetch(&request, &progress, &self.cancel)
            .await
            .map_err(|error| match out_of_reach(&error) {
                Some(url) => self.grants.out_of_reach(url),
                None => fetch_error(&error),
            })?;
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

/// The URL that a bounded download was led to.
fn out_of_reach(error: &FetchError) -> Option<&SafeUrl> {
    let FetchError::AllFailed(failures) = error else {
        return None;
    };
    failures.iter().find_map(|failure| match &failure.error {
        LocationError::OutOfReach(url) => Some(url),
        _ => None,
    })
}

fn fetch_error(error: &FetchError) -> ServiceError {
    match error {
        FetchError::Cancelled => ServiceError::Cancelled,
        FetchError::AllFailed(failures)
            if failures.iter().any(|failure| is_corrupt(&failure.error)) =>
        {
            ServiceError::Corrupt(error.to_string())
        }
        FetchError::AllFailed(_) => ServiceError::Network(error.to_string()),
        _ => {
            let mut text = error.to_string();
            let mut source = std::error::Error::source(error);
            while let Some(cause) = source {
                text.push_str(": ");
                text.push_str(&cause.to_string());
                source = cause.source();
            }
            ServiceError::Other(text)
        }
    }
}

/// Whether bytes came, and not those that were meant.
fn is_corrupt(error: &LocationError) -> bool {
    matches!(
        error,
        LocationError::ChecksumMismatch { .. }
            | LocationError::LocalMismatch { .. }
            | LocationError::Archive(_)
    )
}

/// Hands a download's progress to the user.
struct DownloadProgress<'a> {
    work: Work,
    ui: &'a dyn Ui,
    label: &'a str,
    bar: std::sync::Mutex<Option<Box<dyn Transfer>>>,
}

impl DownloadProgress<'_> {
    fn with_bar(&self, act: impl FnOnce(&dyn Transfer)) {
        let bar = self
            .bar
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(bar) = bar.as_deref() {
            act(bar);
        }
    }
}

impl lvhost_fetch::Progress for DownloadProgress<'_> {
    fn started(&self, origin: &Location, total: Option<u64>, resumed_from: u64) {
        let name = match origin {
            Location::Web(_) => format!("{}: download", self.label),
            Location::Path(path) => format!("{}: read {}", self.label, shown(path)),
        };
        let bar = self.ui.transfer(&name, total);
        bar.set_position(resumed_from);
        *self
            .bar
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner) = Some(bar);
    }

    fn advanced(&self, bytes: u64) {
        self.work.checked(bytes);
        self.with_bar(|bar| bar.advance(bytes));
    }

    fn worked(&self, processor_time: Duration) {
        self.work.computed(processor_time);
    }

    fn finished(&self) {
        self.with_bar(|bar| bar.finish());
    }

    fn note(&self, text: &str) {
        self.ui.say(&format!("{}: {text}", self.label));
    }
}

fn shown(path: &Path) -> std::borrow::Cow<'_, str> {
    path.file_name()
        .unwrap_or(path.as_os_str())
        .to_string_lossy()
}

#[cfg(test)]
mod tests {
    use lvhost_fetch::{Checksum, Failure};

    use super::*;

    fn failure(error: LocationError) -> Failure {
        let location = Location::parse("disk.raw").unwrap();
        Failure { location, error }
    }

    #[test]
    fn what_came_and_is_not_what_was_meant_is_corrupt() {
        let Ok(Checksum::Digest(digest)) = Checksum::parse(&"0".repeat(64)) else {
            panic!("it is a digest");
        };
        let mismatch = || LocationError::ChecksumMismatch {
            expected: digest.clone(),
            actual: digest.clone(),
        };
        let local = LocationError::LocalMismatch {
            expected: digest.clone(),
            actual: digest.clone(),
        };
        let short = || LocationError::Short {
            received: 1,
            announced: 2,
            source: None,
        };
        for (failures, is_corrupt) in [
            (vec![failure(mismatch())], true),
            (vec![failure(local)], true),
            (vec![failure(short()), failure(mismatch())], true),
            (vec![failure(short())], false),
            (vec![], false),
        ] {
            let error = fetch_error(&FetchError::AllFailed(failures));
            assert_eq!(
                matches!(error, ServiceError::Corrupt(_)),
                is_corrupt,
                "{error:?}"
            );
        }
    }
}
