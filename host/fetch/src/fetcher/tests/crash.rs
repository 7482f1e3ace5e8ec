//! Processes that are killed, at points that a server chooses, and what they leave for the next.

use std::process::{Child, Command, Stdio};

use super::*;

/// Set in the process that is to be killed: the cache and the URL.
const ROLE: &str = "LVHOST_FETCH_TEST_VICTIM";

/// Bytes of an image that is soon there.
const SHORT: usize = 6 << 20;

/// Bytes of one that gets a checkpoint on the way.
const LONG: usize = 70 << 20;

/// Bytes after which a checkpoint has been left.
const BEHIND_A_CHECKPOINT: usize = 66 << 20;

/// The killed process's part: fetch, and wait for death with the file in hand.
async fn die(role: &str) {
    let (cache, url) = role.split_once(' ').unwrap();
    let location = Location::parse(url).unwrap();
    let request = Request::named_by_user(vec![location], Checksum::None);
    let fetcher = Fetcher::new(Settings::new(cache));
    let cancel = CancellationToken::new();
    let fetched = fetcher.fetch(&request, &Silent, &cancel).await.unwrap();
    fs::write(Path::new(cache).join("done"), b"").unwrap();
    std::future::pending::<()>().await;
    drop(fetched);
}

fn victim(bench: &Bench, url: &str) -> Child {
    let role = format!("{} {url}", bench.settings.cache_directory.display());
    Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "fetcher::tests::crash::a_killed_download_leaves_the_cache_sound",
        ])
        .env(ROLE, role)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Kills the victim once so many bytes of the image were sent; at the whole length it may be
/// anywhere between the last byte and the finished entry.
#[tokio::test(flavor = "multi_thread")]
async fn a_killed_download_leaves_the_cache_sound() {
    if let Ok(role) = std::env::var(ROLE) {
        return die(&role).await;
    }
    let cases = [
        (0, SHORT),
        (1, SHORT),
        (5 << 20, SHORT),
        (BEHIND_A_CHECKPOINT, LONG),
        (SHORT, SHORT),
        (SHORT, SHORT),
        (SHORT, SHORT),
        (SHORT, SHORT),
    ];
    for (cut, length) in cases {
        let image: Arc<[u8]> = body(1, length).into();
        let bench = Bench::new();
        let never = Arc::new(Notify::new());
        let (sent, mut reached) = tokio::sync::mpsc::unbounded_channel();
        let served = Arc::clone(&image);
        let server = Server::start(move |seen, number| {
            let reply = Reply::file(seen, &served, "\"v\"");
            if number > 0 {
                return reply;
            }
            let reply = reply.cut(cut).report(sent.clone());
            if cut < length {
                reply.hold(&never)
            } else {
                reply
            }
        })
        .await;
        let url = server.url("/a.img");
        let mut victim = victim(&bench, &url);
        reached.recv().await.unwrap();
        if cut == BEHIND_A_CHECKPOINT {
            // What was sent is not yet what was received and hashed.
            let is_record = |path: &std::path::PathBuf| path.extension().is_some();
            while !bench.files("partial").iter().any(is_record) {
                tokio::task::yield_now().await;
            }
        }
        victim.kill().unwrap();
        victim.wait().unwrap();
        for entry in Cache::open(&bench.settings.cache_directory)
            .unwrap()
            .entries()
            .unwrap()
        {
            assert!(!entry.in_use, "a dead process holds nothing");
        }
        let fetched = bench.fetch(&[&url], sha256(&image)).await.unwrap();
        assert!(content(&fetched) == *image, "killed after {cut} bytes");
        assert!(bench.files("partial").is_empty());
        let requests = server.seen();
        if cut == BEHIND_A_CHECKPOINT {
            let resumed = requests[1].range().unwrap();
            assert!(resumed >= 64 << 20, "resumed at {resumed}");
        }
        drop(fetched);
        let pruned = Cache::open(&bench.settings.cache_directory).unwrap();
        let pruned = pruned.prune(crate::Prune {
            keep_at_most: Some(0),
            ..Default::default()
        });
        assert_eq!(pruned.unwrap().in_use, []);
    }
}

/// A process that has a file open keeps it from being pruned until it is dead.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_another_process_uses_is_not_pruned() {
    let bench = Bench::new();
    let server = Server::start(|_, _| Reply::body(b"image")).await;
    let mut victim = victim(&bench, &server.url("/a.img"));
    let done = bench.settings.cache_directory.join("done");
    while !done.exists() {
        assert!(
            victim.try_wait().unwrap().is_none(),
            "the other process failed"
        );
        tokio::task::yield_now().await;
    }
    let cache = Cache::open(&bench.settings.cache_directory).unwrap();
    let everything = crate::Prune {
        keep_at_most: Some(0),
        ..Default::default()
    };
    let pruned = cache.prune(everything).unwrap();
    assert_eq!((pruned.removed.len(), pruned.in_use.len()), (0, 1));
    victim.kill().unwrap();
    victim.wait().unwrap();
    assert_eq!(cache.prune(everything).unwrap().removed.len(), 1);
}

/// What a crash can leave between the steps of storing a file.
type Damage = fn(&Bench, &Path);

#[tokio::test]
async fn every_state_between_two_steps_is_recovered_from() {
    let states: [(&str, bool, Damage); 5] = [
        ("a blob without a stamp", true, |bench, _| {
            fs::remove_file(bench.files("stamps").remove(0)).unwrap();
        }),
        ("a stamp without a blob", false, |_, blob| {
            fs::remove_file(blob).unwrap()
        }),
        ("a blob that no URL leads to", false, |bench, _| {
            fs::remove_file(bench.files("urls").remove(0)).unwrap();
        }),
        ("records cut off", false, |bench, _| {
            fs::write(bench.files("urls").remove(0), b"{\"url\":").unwrap();
            fs::write(bench.files("stamps").remove(0), b"").unwrap();
        }),
        ("a checkpoint without its file", true, |bench, _| {
            let folder = bench.settings.cache_directory.join("partial");
            let name = bench.files("urls").remove(0);
            let record = folder
                .join(name.file_name().unwrap())
                .with_extension("json");
            fs::write(
                record,
                b"{\"url\":\"\",\"etag\":\"x\",\"offset\":9,\"sha256\":\"\"}",
            )
            .unwrap();
        }),
    ];
    for (what, is_known, damage) in states {
        let bench = Bench::new();
        let server = Server::start(|seen, _| Reply::file(seen, b"image", "\"v\"")).await;
        let urls = [server.url("/a")];
        bench.fetch(&urls, Checksum::None).await.unwrap();
        damage(&bench, &bench.files("blobs")[0]);
        let fetched = bench.fetch(&urls, Checksum::None).await.unwrap();
        assert_eq!(content(&fetched), b"image", "{what}");
        assert_eq!(fetched.from_cache, is_known, "{what}");
        let again = bench.fetch(&urls, Checksum::None).await.unwrap();
        assert!(again.from_cache, "{what}");
    }
}
