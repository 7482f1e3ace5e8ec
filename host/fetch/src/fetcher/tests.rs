//! The rules of a fetch, each against a server that keeps or breaks its own.

mod archives;
mod asked;
mod authorized;
mod cached;
mod checksums;
mod crash;
mod failing;
mod files;
mod network;
mod planted;
mod resume;
mod server;
#[cfg(feature = "smb")]
mod share;
mod store;

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use tempfile::TempDir;
use tokio::sync::Notify;

use super::*;
use crate::digest::{Algorithm, Hasher};
use crate::{LocationError, ProxySettings, SafeUrl, Silent};
use server::{Reply, Server};

/// A body that differs everywhere, so that bytes at a wrong offset are noticed.
fn body(seed: u64, length: usize) -> Vec<u8> {
    let words = (0..).map(|index: u64| (index + seed).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    words.flat_map(u64::to_be_bytes).take(length).collect()
}

fn digest(algorithm: Algorithm, bytes: &[u8]) -> Digest {
    let mut hasher = Hasher::new(algorithm);
    hasher.update(bytes);
    hasher.finish()
}

fn sha256(bytes: &[u8]) -> Checksum {
    Checksum::Digest(digest(Algorithm::Sha256, bytes))
}

/// A cache of its own and settings that don't make tests wait.
struct Bench {
    directory: TempDir,
    settings: Settings,
}

impl Bench {
    fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let mut settings = Settings::new(directory.path().join("cache"));
        settings.retry_delay = Duration::from_millis(1);
        Self {
            directory,
            settings,
        }
    }

    async fn fetch(
        &self,
        urls: &[impl AsRef<str>],
        checksum: Checksum,
    ) -> Result<Fetched, FetchError> {
        let locations = urls
            .iter()
            .map(|url| Location::parse(url.as_ref()).unwrap())
            .collect();
        self.run(&Request::named_by_user(locations, checksum), &Silent)
            .await
    }

    /// Each with a fetcher of its own, as separate processes have.
    async fn run(&self, request: &Request, progress: &dyn Progress) -> Result<Fetched, FetchError> {
        let fetcher = Fetcher::new(self.settings.clone());
        fetcher
            .fetch(request, progress, &CancellationToken::new())
            .await
    }

    /// What the cache has, told without asking anybody.
    fn held(&self, urls: &[impl AsRef<str>], checksum: Checksum) -> Held {
        let locations = urls
            .iter()
            .map(|url| Location::parse(url.as_ref()).unwrap())
            .collect();
        let request = Request::named_by_user(locations, checksum);
        Fetcher::new(self.settings.clone()).held(&request).unwrap()
    }

    fn files(&self, folder: &str) -> Vec<std::path::PathBuf> {
        let folder = fs::read_dir(self.settings.cache_directory.join(folder)).unwrap();
        folder.map(|entry| entry.unwrap().path()).collect()
    }
}

fn content(fetched: &Fetched) -> Vec<u8> {
    let mut bytes = vec![0; fetched.length as usize];
    fetched.file.read_exact_at(&mut bytes, 0).unwrap();
    assert_eq!(fetched.file.metadata().unwrap().len(), fetched.length);
    bytes
}

fn failures(error: FetchError) -> Vec<Failure> {
    match error {
        FetchError::AllFailed(failures) => failures,
        other => panic!("{other}"),
    }
}
