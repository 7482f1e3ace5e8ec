//! A host for components that keeps what they write in memory.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use bytes::Bytes;
use lvhost_plugin_sdk::testing::compressed;
use lvhost_runtime::{
    Blob, Codec, Digesting, FileEntry, FileKind, Image, Level, Method, Packed, ServiceError,
    Services, Sink, VolumeFacts, VolumeId, WebAnswer, WebRequest, Work, read_error,
};

use super::convert;

/// See the module.
#[derive(Default)]
pub(crate) struct RecordingServices {
    files: BTreeMap<String, Vec<(FileEntry, Blob)>>,
    downloads: BTreeMap<String, Blob>,
    volumes: Vec<(VolumeId, VolumeFacts)>,
    written: Arc<Mutex<Option<Written>>>,
}

/// What a component has written.
#[derive(Clone)]
pub(crate) struct Written {
    pub(crate) image: Image,
    pub(crate) bytes: Vec<u8>,
    pub(crate) finished: bool,
}

impl RecordingServices {
    /// Adds a file to what a pattern matches, and the folders that it is in.
    pub(crate) fn add_file(&mut self, pattern: &str, path: &str, data: &[u8]) {
        let entries = self.files.entry(pattern.to_owned()).or_default();
        let folders = path.match_indices('/').map(|(end, _)| &path[..end]);
        for (path, kind, data) in folders
            .map(|folder| (folder, FileKind::Directory, &[][..]))
            .chain([(path, FileKind::File, data)])
        {
            if !entries.iter().any(|(entry, _)| entry.path == path) {
                let blob = blob(path, data);
                let entry = FileEntry {
                    path: path.to_owned(),
                    kind,
                    size: blob.size,
                    executable: false,
                };
                entries.push((entry, blob));
            }
        }
        entries.sort_by(|(a, _), (b, _)| a.path.cmp(&b.path));
    }

    pub(crate) fn add_download(&mut self, url: &str, data: &[u8]) {
        self.downloads.insert(url.to_owned(), blob(url, data));
    }

    pub(crate) fn add_volume(&mut self, id: VolumeId, facts: VolumeFacts) {
        self.volumes.push((id, facts));
    }

    pub(crate) fn written(&self) -> Option<Written> {
        self.written.lock().unwrap().clone()
    }
}

fn blob(path: &str, data: &[u8]) -> Blob {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(data).unwrap();
    Blob {
        name: path.rsplit('/').next().unwrap().to_owned(),
        file: Arc::new(file),
        size: data.len() as u64,
    }
}

/// What no built-in source does.
fn not_of_built_in_sources() -> ServiceError {
    ServiceError::Denied("no built-in source does this".to_owned())
}

#[async_trait]
impl Services for RecordingServices {
    async fn download(
        &self,
        request: WebRequest,
        _checksum: Option<String>,
        _packed: Packed,
        _work: Work,
    ) -> Result<Blob, ServiceError> {
        let urls = request.urls;
        urls.iter()
            .find_map(|url| self.downloads.get(url))
            .cloned()
            .ok_or_else(|| {
                ServiceError::Network(format!("nothing to download at {}", urls.join(", ")))
            })
    }

    async fn ask(
        &self,
        _request: WebRequest,
        _method: Method,
        _body: Bytes,
    ) -> Result<WebAnswer, ServiceError> {
        Err(not_of_built_in_sources())
    }

    async fn secret(&self, _name: &str) -> Result<(), ServiceError> {
        Err(not_of_built_in_sources())
    }

    async fn unpack(
        &self,
        _archive: &Blob,
        _packing: &str,
        _member: Option<&str>,
        _work: Work,
    ) -> Result<Blob, ServiceError> {
        Err(not_of_built_in_sources())
    }

    fn put_aside(
        &self,
        name: &str,
        source: &mut (dyn Read + Send),
    ) -> Result<Option<Blob>, ServiceError> {
        let mut bytes = Vec::new();
        source.read_to_end(&mut bytes).map_err(read_error)?;
        Ok(Some(blob(name, &bytes)))
    }

    fn digest(&self, _algorithm: &str) -> Result<Box<dyn Digesting>, ServiceError> {
        Err(not_of_built_in_sources())
    }

    async fn list_files(&self, pattern: &str) -> Result<Vec<FileEntry>, ServiceError> {
        self.files
            .get(pattern)
            .map(|entries| entries.iter().map(|(entry, _)| entry.clone()).collect())
            .ok_or_else(|| ServiceError::NotFound(format!("no file matches {pattern}")))
    }

    async fn open_file(&self, pattern: &str, path: &str) -> Result<Blob, ServiceError> {
        self.files
            .get(pattern)
            .and_then(|entries| entries.iter().find(|(entry, _)| entry.path == path))
            .map(|(_, blob)| blob.clone())
            .ok_or_else(|| ServiceError::NotFound(format!("no file {path} in {pattern}")))
    }

    async fn volume_facts(&self, id: &VolumeId) -> Result<VolumeFacts, ServiceError> {
        self.volumes
            .iter()
            .find(|(known, _)| known == id)
            .map(|(_, facts)| facts.clone())
            .ok_or_else(|| {
                ServiceError::NotFound(format!("no volume {} in pool {}", id.name, id.pool))
            })
    }

    async fn volume_facts_of_path(&self, path: &str) -> Result<Option<VolumeFacts>, ServiceError> {
        Ok(self
            .volumes
            .iter()
            .map(|(_, facts)| facts)
            .find(|facts| facts.path == path)
            .cloned())
    }

    async fn create_target(&self, image: &Image) -> Result<Box<dyn Sink>, ServiceError> {
        *self.written.lock().unwrap() = Some(Written {
            image: image.clone(),
            bytes: Vec::new(),
            finished: false,
        });
        Ok(Box::new(RecordingSink(Arc::clone(&self.written))))
    }

    fn decoder(
        &self,
        codec: Codec,
        mut inner: Box<dyn Read + Send>,
    ) -> Result<Box<dyn Read + Send>, ServiceError> {
        let magic = compressed(convert::codec(codec), &[]);
        let mut beginning = vec![0; magic.len()];
        match inner.read_exact(&mut beginning) {
            Ok(()) if beginning == magic => Ok(inner),
            _ => Err(ServiceError::Corrupt(
                "not a stream of this codec".to_owned(),
            )),
        }
    }

    fn log(&self, _level: Level, _message: &str) {}

    fn progress(&self, _fraction: f64, _what: &str) {}

    fn is_cancelled(&self) -> bool {
        false
    }
}

struct RecordingSink(Arc<Mutex<Option<Written>>>);

impl RecordingSink {
    fn append(&self, data: &[u8]) {
        Self::written(&mut self.0.lock().unwrap())
            .bytes
            .extend_from_slice(data);
    }

    fn written<'lock>(lock: &'lock mut MutexGuard<'_, Option<Written>>) -> &'lock mut Written {
        lock.as_mut().unwrap()
    }
}

#[async_trait]
impl Sink for RecordingSink {
    async fn write(&mut self, data: Bytes) -> Result<(), ServiceError> {
        self.append(&data);
        Ok(())
    }

    async fn zeros(&mut self, length: u64) -> Result<(), ServiceError> {
        self.append(&vec![0; usize::try_from(length).unwrap()]);
        Ok(())
    }

    async fn copy_from(
        &mut self,
        source: &Blob,
        offset: u64,
        length: u64,
    ) -> Result<(), ServiceError> {
        let mut data = vec![0; usize::try_from(length).unwrap()];
        source.file.read_exact_at(&mut data, offset).unwrap();
        self.append(&data);
        Ok(())
    }

    async fn drain(&mut self, mut source: Box<dyn Read + Send>) -> Result<u64, ServiceError> {
        let mut data = Vec::new();
        source.read_to_end(&mut data).map_err(read_error)?;
        self.append(&data);
        Ok(data.len() as u64)
    }

    async fn finish(self: Box<Self>) -> Result<(), ServiceError> {
        Self::written(&mut self.0.lock().unwrap()).finished = true;
        Ok(())
    }
}
