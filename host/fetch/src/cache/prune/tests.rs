//! What pruning removes and what it leaves.

use std::fs;
use std::os::unix::fs::FileExt;

use tokio_util::sync::CancellationToken;

use super::*;
use crate::cache::{Blob, Checkpoint};
use crate::digest::{Algorithm, Hasher};
use crate::{SafeUrl, Silent};

struct Bench {
    _directory: tempfile::TempDir,
    cache: Cache,
}

fn url(path: &str) -> SafeUrl {
    SafeUrl::parse(&format!("https://user:hunter2@h/{path}")).unwrap()
}

fn digest(algorithm: Algorithm, bytes: &[u8]) -> Digest {
    let mut hasher = Hasher::new(algorithm);
    hasher.update(bytes);
    hasher.finish()
}

impl Bench {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let cache = Cache::open(directory.path()).unwrap();
        Self {
            _directory: directory,
            cache,
        }
    }

    /// Stores a file as a download does, last used so many hours ago.
    fn store(&self, path: &str, bytes: &[u8], hours: u64) -> Blob {
        let url = url(path);
        let partial = self.cache.partial(&url);
        partial.open().unwrap().write_all_at(bytes, 0).unwrap();
        let sha256 = digest(Algorithm::Sha256, bytes);
        let blob = self.cache.adopt(&partial, sha256.clone()).unwrap();
        let md5 = digest(Algorithm::Md5, bytes);
        self.cache.store_digest(&md5, &sha256).unwrap();
        let entry = UrlEntry::new(&url, None, None, &sha256, bytes.len() as u64);
        self.cache.store_url(&url, &entry).unwrap();
        let stamp = self.cache.path("stamps", &blobs::blob_name(&sha256));
        let at = SystemTime::now() - Duration::from_secs(hours * 3600);
        File::open(stamp).unwrap().set_modified(at).unwrap();
        blob
    }

    /// Leaves an interrupted download behind.
    fn interrupt(&self, path: &str, bytes: &[u8]) {
        let partial = self.cache.partial(&url(path));
        partial.open().unwrap().write_all_at(bytes, 0).unwrap();
        let sha256 = digest(Algorithm::Sha256, bytes);
        let checkpoint = Checkpoint::new("\"v\"".to_owned(), bytes.len() as u64, &sha256);
        partial.store(&checkpoint).unwrap();
    }

    fn names(&self, folder: &str) -> usize {
        all_files(self.cache.folder(folder)).unwrap().len()
    }
}

fn urls(entries: &[CacheEntry]) -> Vec<&str> {
    entries
        .iter()
        .flat_map(|entry| entry.urls.iter().map(String::as_str))
        .collect()
}

const ALL: Prune = Prune {
    unused_for: None,
    keep_at_most: Some(0),
};

#[test]
fn entries_are_listed_with_what_is_known_about_them() {
    let bench = Bench::new();
    drop(bench.store("b", &[1; 10_000], 2));
    drop(bench.store("other-b", &[1; 10_000], 1));
    let used = bench.store("a", &[2; 5], 5);
    bench.interrupt("c", &[3; 700]);
    let entries = bench.cache.entries().unwrap();
    assert_eq!(
        urls(&entries),
        [
            "https://***@h/c",
            "https://***@h/b",
            "https://***@h/other-b",
            "https://***@h/a"
        ]
    );
    assert!(matches!(entries[0].content, Content::Partial { .. }));
    assert_eq!(
        entries[1].content,
        Content::Whole(digest(Algorithm::Sha256, &[1; 10_000]))
    );
    let lengths: Vec<_> = entries.iter().map(|entry| entry.length).collect();
    assert_eq!(lengths, [700, 10_000, 5]);
    let in_use: Vec<_> = entries.iter().map(|entry| entry.in_use).collect();
    assert_eq!(in_use, [false, false, true]);
    let age = entries[1].unused_for(SystemTime::now()).as_secs();
    assert!((3600..3700).contains(&age), "{age}");
    drop(used);
}

#[test]
fn everything_goes_but_what_is_in_use() {
    let bench = Bench::new();
    drop(bench.store("a", &[1; 10_000], 0));
    drop(bench.store("empty", b"", 0));
    let used = bench.store("b", &[2; 10_000], 9);
    bench.interrupt("c", &[3; 700]);
    let pruned = bench.cache.prune(ALL).unwrap();
    assert_eq!(pruned.removed.len(), 3);
    assert_eq!(urls(&pruned.in_use), ["https://***@h/b"]);
    assert_eq!(pruned.kept, []);
    for folder in ["blobs", "stamps", "digests", "urls"] {
        assert_eq!(bench.names(folder), 1, "{folder}");
    }
    assert_eq!(bench.names("partial"), 0);
    drop(used);
    assert_eq!(bench.cache.prune(ALL).unwrap().removed.len(), 1);
    assert_eq!(bench.cache.entries().unwrap(), []);
}

#[tokio::test]
async fn a_download_that_goes_on_is_left() {
    let bench = Bench::new();
    bench.interrupt("c", &[3; 700]);
    let lock = bench.cache.lock_url(&url("c"), &Silent).await.unwrap();
    assert!(bench.cache.entries().unwrap()[0].in_use);
    assert_eq!(bench.cache.prune(ALL).unwrap().in_use.len(), 1);
    drop(lock);
    assert!(!bench.cache.entries().unwrap()[0].in_use);
    assert_eq!(bench.cache.prune(ALL).unwrap().removed.len(), 1);
}

#[test]
fn by_age_and_by_size() {
    let bench = Bench::new();
    for (path, fill, hours) in [
        ("old", 1, 50),
        ("older", 2, 80),
        ("new", 3, 1),
        ("newer", 4, 0),
    ] {
        drop(bench.store(path, &[fill; 100_000], hours));
    }
    let day = Prune {
        unused_for: Some(Duration::from_secs(24 * 3600)),
        keep_at_most: None,
    };
    let pruned = bench.cache.prune(day).unwrap();
    assert_eq!(
        urls(&pruned.removed),
        ["https://***@h/older", "https://***@h/old"]
    );
    let each = pruned.kept[0].allocated;
    assert!(each >= 100_000);
    let one = Prune {
        unused_for: None,
        keep_at_most: Some(each + each / 2),
    };
    let pruned = bench.cache.prune(one).unwrap();
    assert_eq!(urls(&pruned.removed), ["https://***@h/new"]);
    assert_eq!(urls(&pruned.kept), ["https://***@h/newer"]);
    assert_eq!(bench.cache.prune(Prune::default()).unwrap().kept.len(), 1);
}

#[tokio::test]
async fn use_is_noted() {
    let bench = Bench::new();
    let sha256 = bench.store("a", b"image", 50).sha256;
    let cancel = CancellationToken::new();
    let blob = bench.cache.blob(&sha256, &Silent, &cancel).await.unwrap();
    assert_eq!(blob.unwrap().length, 5);
    let age = bench.cache.entries().unwrap()[0].unused_for(SystemTime::now());
    assert!(age < Duration::from_secs(3600), "{age:?}");
}

#[test]
fn what_a_dead_process_left_goes_and_what_is_being_written_stays() {
    let bench = Bench::new();
    let write = |name: &str, age: u64| {
        let path = bench.cache.path("urls", name);
        fs::write(&path, b"{").unwrap();
        let at = SystemTime::now() - Duration::from_secs(age);
        File::open(path).unwrap().set_modified(at).unwrap();
    };
    write(".new-dead", 7200);
    write(".new-alive", 1);
    bench.cache.prune(Prune::default()).unwrap();
    let left = all_files(bench.cache.folder("urls")).unwrap();
    assert_eq!(left, [".new-alive"]);
}
