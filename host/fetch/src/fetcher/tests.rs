//! The rules of a fetch, each against a server that keeps or breaks its own.

mod server;

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

/// What a server answers after everything else.
type Answer = fn(&server::Seen) -> Reply;

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

#[tokio::test]
async fn a_known_checksum_needs_no_network_the_second_time() {
    let data = body(1, 3_000_000);
    for algorithm in Algorithm::ALL {
        let bench = Bench::new();
        let served = data.clone();
        let server = Server::start(move |_, _| Reply::body(&served)).await;
        let checksum = Checksum::Digest(digest(algorithm, &data));
        let first = bench
            .fetch(&[server.url("/a")], checksum.clone())
            .await
            .unwrap();
        assert!(content(&first) == data && !first.from_cache);
        assert_eq!(first.sha256, Some(digest(Algorithm::Sha256, &data)));
        let second = bench
            .fetch(&[server.url("/other")], checksum)
            .await
            .unwrap();
        assert!(content(&second) == data && second.from_cache);
        assert_eq!(server.seen().len(), 1, "{algorithm}");
        assert_eq!(bench.files("blobs").len(), 1);
        assert!(bench.files("partial").is_empty());
    }
}

#[tokio::test]
async fn without_a_checksum_the_server_is_asked_whether_it_changed() {
    let bench = Bench::new();
    let server = Server::start(|seen, number| match number {
        0 | 1 => Reply::file(seen, &body(1, 1000), "\"one\""),
        _ => Reply::file(seen, &body(2, 900), "\"two\""),
    })
    .await;
    let urls = [server.url("/a")];
    let first = bench.fetch(&urls, Checksum::None).await.unwrap();
    assert_eq!(
        (first.from_cache, first.etag.as_deref()),
        (false, Some("\"one\""))
    );
    let second = bench.fetch(&urls, Checksum::None).await.unwrap();
    assert!(second.from_cache && content(&second) == body(1, 1000));
    assert_eq!(second.etag.as_deref(), Some("\"one\""));
    let third = bench.fetch(&urls, Checksum::None).await.unwrap();
    assert!(!third.from_cache && content(&third) == body(2, 900));
    let asked: Vec<_> = server
        .seen()
        .iter()
        .map(|s| s.headers.get("if-none-match").cloned())
        .collect();
    assert_eq!(
        asked,
        [None, Some("\"one\"".to_owned()), Some("\"one\"".to_owned())]
    );
    assert!(bench.files("partial").is_empty());
}

#[tokio::test]
async fn a_date_serves_where_there_is_no_entity_tag() {
    const DATE: &str = "Sat, 21 Nov 2026 10:00:00 GMT";
    let bench = Bench::new();
    let server = Server::start(|seen, _| match seen.header("if-modified-since") {
        Some(DATE) => Reply::status(304),
        _ => Reply::body(b"image").with("last-modified", DATE),
    })
    .await;
    let urls = [server.url("/a")];
    assert!(!bench.fetch(&urls, Checksum::None).await.unwrap().from_cache);
    let second = bench.fetch(&urls, Checksum::None).await.unwrap();
    assert!(second.from_cache && content(&second) == b"image");
}

#[tokio::test]
async fn a_server_without_validators_is_never_believed_to_be_unchanged() {
    let bench = Bench::new();
    let server = Server::start(|_, number| Reply::body(&body(number as u64, 500))).await;
    for number in 0..3 {
        let fetched = bench
            .fetch(&[server.url("/a")], Checksum::None)
            .await
            .unwrap();
        assert!(!fetched.from_cache && content(&fetched) == body(number, 500));
    }
}

#[tokio::test]
async fn a_mismatch_shows_both_digests_and_leaves_nothing() {
    let bench = Bench::new();
    let server = Server::start(|seen, _| Reply::file(seen, b"evil", "\"e\"")).await;
    for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
        let expected = digest(algorithm, b"good");
        let checksum = Checksum::Digest(expected.clone());
        let error = bench
            .fetch(&[server.url("/a")], checksum)
            .await
            .unwrap_err();
        let text = error.to_string();
        assert!(text.contains(&expected.to_string()), "{text}");
        assert!(
            text.contains(&digest(algorithm, b"evil").to_string()),
            "{text}"
        );
        assert!(bench.files("blobs").is_empty() && bench.files("partial").is_empty());
    }
    assert_eq!(server.seen().len(), 2);
}

#[tokio::test]
async fn a_broken_transfer_is_resumed_where_it_broke() {
    let bench = Bench::new();
    let data = body(1, 5_000_000);
    let served = data.clone();
    let server = Server::start(move |seen, number| {
        let reply = Reply::file(seen, &served, "\"v\"");
        if number < 7 {
            reply.cut(70_000 * (number % 2))
        } else {
            reply
        }
    })
    .await;
    // What these bring is too little to be let off for.
    let fetched = bench.fetch(&[server.url("/a")], sha256(&data)).await;
    let seen = server.seen();
    let ranges: Vec<_> = seen.iter().map(server::Seen::range).collect();
    let Err(error) = fetched else {
        panic!("gave up too late: {ranges:?}")
    };
    assert_eq!(
        ranges,
        [None, None, Some(70_000), Some(70_000), Some(140_000)]
    );
    assert!(
        seen[2].header("if-range") == Some("\"v\"") && seen[2].header("if-none-match").is_none()
    );
    assert!(
        error.to_string().contains("140000 of 5000000 bytes"),
        "{error}"
    );
    // Another process goes on where this one gave up.
    let fetched = bench
        .fetch(&[server.url("/a")], sha256(&data))
        .await
        .unwrap();
    assert!(content(&fetched) == data);
    assert_eq!(server.seen()[5].range(), Some(140_000));
    assert!(bench.files("partial").is_empty());
}

#[tokio::test]
async fn attempts_that_get_on_are_not_counted_for_ever() {
    let bench = Bench::new();
    let data = body(1, 12 << 20);
    let served = data.clone();
    let server = Server::start(move |seen, number| {
        let reply = Reply::file(seen, &served, "\"v\"");
        if number < 8 {
            reply.cut(5 << 18)
        } else {
            reply
        }
    })
    .await;
    let fetched = bench
        .fetch(&[server.url("/a")], Checksum::None)
        .await
        .unwrap();
    assert!(content(&fetched) == data);
    assert_eq!(server.seen()[8].range(), Some(10 << 20));
}

#[tokio::test]
async fn a_server_that_never_gets_on_is_given_up() {
    let bench = Bench::new();
    // Large pieces each time, but without a strong validator nothing of them can be kept.
    let server = Server::start(|_, _| Reply::body(&body(1, 3 << 20)).cut(2 << 20)).await;
    let error = bench
        .fetch(&[server.url("/a")], Checksum::None)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("of 3145728 bytes"), "{error}");
    let seen = server.seen();
    assert!(seen.len() == 5 && seen.iter().all(|seen| seen.range().is_none()));
    assert!(bench.files("partial").is_empty() && bench.files("blobs").is_empty());
}

#[tokio::test]
async fn a_weak_entity_tag_is_no_ground_to_resume_on() {
    let bench = Bench::new();
    let server = Server::start(|seen, number| {
        let reply = Reply::file(seen, &body(number as u64, 100_000), "W/\"v\"");
        if number == 0 {
            reply.cut(50_000)
        } else {
            reply
        }
    })
    .await;
    let fetched = bench
        .fetch(&[server.url("/a")], Checksum::None)
        .await
        .unwrap();
    assert!(content(&fetched) == body(1, 100_000));
    assert_eq!(server.seen()[1].range(), None);
}

/// Leaves a partial download of `body(1, …)` with the tag `"v"` behind.
async fn interrupted(bench: &Bench, then: Answer) -> Server {
    let server = Server::start(move |seen, number| match number {
        0..5 => {
            Reply::file(seen, &body(1, 400_000), "\"v\"").cut(if number == 0 { 100_000 } else { 0 })
        }
        _ => then(seen),
    })
    .await;
    bench
        .fetch(&[server.url("/a")], Checksum::None)
        .await
        .unwrap_err();
    assert_eq!(server.seen().len(), 5);
    server
}

#[tokio::test]
async fn nothing_is_appended_to_another_version() {
    let answers: [(Answer, usize); 4] = [
        // Follows the rules.
        (|seen| Reply::file(seen, &body(2, 300_000), "\"w\""), 6),
        // Ignores If-Range, but says what it sends.
        (
            |seen| match seen.range() {
                Some(start) => Reply {
                    status: 206,
                    ..Reply::body(&body(2, 300_000)[start..])
                }
                .with("content-range", format!("bytes {start}-299999/300000"))
                .with("etag", "\"w\""),
                None => Reply::body(&body(2, 300_000)),
            },
            7,
        ),
        // Sends another part than the one asked for.
        (
            |seen| match seen.range() {
                Some(_) => Reply {
                    status: 206,
                    ..Reply::body(&body(2, 300_000)[5..])
                }
                .with("content-range", "bytes 5-299999/300000"),
                None => Reply::body(&body(2, 300_000)),
            },
            7,
        ),
        // Has become shorter.
        (
            |seen| match seen.range() {
                Some(_) => Reply::status(416),
                None => Reply::body(&body(2, 300_000)),
            },
            7,
        ),
    ];
    for (answer, requests) in answers {
        let bench = Bench::new();
        let server = interrupted(&bench, answer).await;
        let fetched = bench
            .fetch(&[server.url("/a")], Checksum::None)
            .await
            .unwrap();
        assert!(content(&fetched) == body(2, 300_000));
        assert_eq!(server.seen()[5].range(), Some(100_000));
        assert_eq!(server.seen().len(), requests);
    }
}

#[tokio::test]
async fn a_partial_file_that_was_tampered_with_is_not_continued() {
    let tamperings: [fn(&Path); 3] = [
        |partial| {
            let file = fs::OpenOptions::new().write(true).open(partial).unwrap();
            file.write_all_at(b"?", 50_000).unwrap();
        },
        |partial| {
            fs::OpenOptions::new()
                .write(true)
                .open(partial)
                .unwrap()
                .set_len(9)
                .unwrap()
        },
        |partial| fs::write(partial.with_extension("json"), b"{\"etag\":").unwrap(),
    ];
    for tamper in tamperings {
        let bench = Bench::new();
        let server =
            interrupted(&bench, |seen| Reply::file(seen, &body(1, 400_000), "\"v\"")).await;
        let partial = bench
            .files("partial")
            .into_iter()
            .find(|p| p.extension().is_none())
            .unwrap();
        assert_eq!(fs::metadata(&partial).unwrap().len(), 100_000);
        tamper(&partial);
        let fetched = bench
            .fetch(&[server.url("/a")], Checksum::None)
            .await
            .unwrap();
        assert!(content(&fetched) == body(1, 400_000));
        assert_eq!(server.seen()[5].range(), None);
    }
}

#[tokio::test]
async fn what_lies_behind_the_checkpoint_is_cut_off() {
    let bench = Bench::new();
    let server = interrupted(&bench, |seen| Reply::file(seen, &body(1, 400_000), "\"v\"")).await;
    let partial = bench
        .files("partial")
        .into_iter()
        .find(|p| p.extension().is_none())
        .unwrap();
    let mut file = fs::OpenOptions::new().append(true).open(partial).unwrap();
    file.write_all(&[9; 500_000]).unwrap();
    let fetched = bench
        .fetch(&[server.url("/a")], Checksum::None)
        .await
        .unwrap();
    assert!(content(&fetched) == body(1, 400_000));
    assert_eq!(server.seen()[5].range(), Some(100_000));
}

#[tokio::test]
async fn the_next_location_is_tried_and_all_failures_are_listed() {
    let bench = Bench::new();
    let server = Server::start(|seen, _| match seen.target.as_str() {
        "/missing" => Reply::status(404),
        "/secret" => Reply::status(403),
        "/wrong" => Reply::body(b"wrong"),
        _ => Reply::body(b"right"),
    })
    .await;
    let bad = ["/missing", "/secret", "/wrong"].map(|path| server.url(path));
    let mut all = bad.to_vec();
    all.push(server.url("/right"));
    let fetched = bench.fetch(&all, sha256(b"right")).await.unwrap();
    assert_eq!(fetched.origin.to_string(), all[3]);
    let error = bench.fetch(&bad, sha256(b"absent")).await.unwrap_err();
    let text = error.to_string();
    assert!(
        text.starts_with("none of the 3 locations works:\n  http://127.0.0.1:"),
        "{text}"
    );
    assert!(
        text.contains("/missing: the server answered 404 Not Found\n"),
        "{text}"
    );
    assert!(
        text.contains("/secret: the server answered 403 Forbidden\n"),
        "{text}"
    );
    assert!(text.contains("/wrong: checksum mismatch"), "{text}");
    assert_eq!(failures(error).len(), 3);
    assert_eq!(
        server.seen().len(),
        4 + 3,
        "these errors are not worth a second attempt"
    );
}

#[tokio::test]
async fn a_server_in_trouble_gets_another_chance() {
    let bench = Bench::new();
    let server = Server::start(|_, number| match number {
        0 | 1 => Reply::status(503),
        _ => Reply::body(b"image"),
    })
    .await;
    let fetched = bench
        .fetch(&[server.url("/a")], Checksum::None)
        .await
        .unwrap();
    assert_eq!(content(&fetched), b"image");
    assert_eq!(server.seen().len(), 3);
}

#[tokio::test]
async fn a_dead_host_is_an_error_with_its_cause() {
    let bench = Bench::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let urls = [format!(
        "http://user:hunter2@127.0.0.1:{port}/a?token=hunter2"
    )];
    let error = bench.fetch(&urls, Checksum::None).await.unwrap_err();
    let text = error.to_string();
    assert!(text.contains("/a?token=***: can't connect"), "{text}");
    assert!(text.contains("refused"), "{text}");
    assert!(
        !text.contains("hunter2") && !format!("{error:?}").contains("hunter2"),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_silent_server_is_given_up() {
    let mut bench = Bench::new();
    bench.settings.read_timeout = Duration::from_millis(50);
    let never = Arc::new(Notify::new());
    let server = Server::start(move |_, _| Reply::body(&body(1, 1000)).hold(&never)).await;
    let error = bench
        .fetch(&[server.url("/a")], Checksum::None)
        .await
        .unwrap_err();
    let failures = failures(error);
    assert!(
        matches!(failures[0].error, LocationError::Timeout(_)),
        "{failures:?}"
    );
    assert_eq!(server.seen().len(), 5);
}

#[tokio::test]
async fn redirects_are_followed_and_counted() {
    let bench = Bench::new();
    let server = Server::start(|seen, _| match seen.target.as_str() {
        "/loop" => Reply::status(302).with("location", "/loop"),
        "/nowhere" => Reply::status(302),
        "/file" => Reply::status(301).with("location", "file:///etc/hostname"),
        "/1" => Reply::status(301).with("location", "2"),
        "/2" => Reply::status(307).with("location", "/3?x=y"),
        _ => Reply::body(b"image"),
    })
    .await;
    let fetched = bench
        .fetch(&[server.url("/1")], Checksum::None)
        .await
        .unwrap();
    assert_eq!(content(&fetched), b"image");
    let before = server.seen().len();
    for (path, part) in [
        ("/loop", "more than 10 redirects"),
        ("/nowhere", "without saying where to"),
        ("/file", "refused to follow a redirect to `file:`"),
    ] {
        let error = bench
            .fetch(&[server.url(path)], Checksum::None)
            .await
            .unwrap_err();
        assert!(error.to_string().contains(part), "{error}");
    }
    assert_eq!(server.seen().len(), before + 11 + 1 + 1);
}

#[tokio::test]
async fn inward_addresses_are_for_hosts_the_user_named() {
    let bench = Bench::new();
    let server = Server::start(|seen, _| match seen.target.split_once("/to/") {
        Some((_, target)) => Reply::status(302).with("location", format!("http://{target}")),
        None => Reply::body(b"image"),
    })
    .await;
    let port = server.port;
    for (host, target) in [
        ("127.0.0.1", format!("localhost:{port}/a")),
        ("localhost", format!("127.0.0.1:{port}/a")),
        ("localhost", "169.254.169.254/latest/meta-data".to_owned()),
        ("localhost", "[::1]/a".to_owned()),
    ] {
        let start = format!("http://{host}:{port}/to/{target}");
        let error = bench.fetch(&[&start], Checksum::None).await.unwrap_err();
        let failures = failures(error);
        assert!(
            matches!(failures[0].error, LocationError::ForbiddenAddress { .. }),
            "{failures:?}"
        );
        if target.ends_with("/a") && !target.contains('[') {
            let named = [start, format!("http://{target}")];
            let fetched = bench.fetch(&named, Checksum::None).await.unwrap();
            assert_eq!(fetched.origin.to_string(), named[0]);
        }
    }
    // A location that somebody else than the user gave is no better than a redirect.
    let location = Location::parse(&server.url("/a")).unwrap();
    let request = Request {
        locations: vec![location],
        checksum: Checksum::None,
        named_hosts: BTreeSet::new(),
    };
    let error = bench.run(&request, &Silent).await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("refused to connect to 127.0.0.1"),
        "{error}"
    );
}

#[tokio::test]
async fn credentials_stay_with_their_host() {
    let bench = Bench::new();
    let server = Server::start(|seen, _| match seen.target.as_str() {
        "/same" => Reply::status(302).with("location", "/image"),
        "/other" => {
            let port = seen.header("host").unwrap().rsplit_once(':').unwrap().1;
            Reply::status(302).with("location", format!("http://localhost:{port}/image"))
        }
        _ => Reply::body(b"image"),
    })
    .await;
    let named = format!("http://localhost:{}/", server.port);
    for path in ["/same", "/other"] {
        let url = format!("http://user:p%40ss@127.0.0.1:{}{path}", server.port);
        bench
            .fetch(&[url, named.clone()], Checksum::None)
            .await
            .unwrap();
    }
    let sent: Vec<_> = server
        .seen()
        .iter()
        .map(|s| s.headers.get("authorization").cloned())
        .collect();
    // Base64 of "user:p@ss".
    let basic = Some("Basic dXNlcjpwQHNz".to_owned());
    assert_eq!(sent, [basic.clone(), basic.clone(), basic, None]);
    let text: String = bench
        .files("urls")
        .iter()
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    assert!(
        text.contains("***@127.0.0.1") && !text.contains("ss@"),
        "{text}"
    );
}

#[tokio::test]
async fn a_proxy_is_used_and_may_be_bypassed() {
    let mut bench = Bench::new();
    let proxy = Server::start(|_, _| Reply::body(b"by proxy")).await;
    let direct = Server::start(|_, _| Reply::body(b"direct")).await;
    bench.settings.proxy = ProxySettings {
        http: Some(SafeUrl::parse(&format!("http://localhost:{}", proxy.port)).unwrap()),
        https: None,
        bypass: Some("127.0.0.1".to_owned()),
    };
    let fetched = bench
        .fetch(&[direct.url("/a")], Checksum::None)
        .await
        .unwrap();
    assert_eq!(content(&fetched), b"direct");
    let request = Request {
        locations: vec![Location::parse("http://images.invalid/a").unwrap()],
        checksum: Checksum::None,
        named_hosts: BTreeSet::new(),
    };
    let fetched = bench.run(&request, &Silent).await.unwrap();
    assert_eq!(content(&fetched), b"by proxy");
    assert_eq!(proxy.seen()[0].target, "http://images.invalid/a");
    bench.settings.proxy.http = Some(SafeUrl::parse("socks5://u:p@h").unwrap());
    let error = bench.run(&request, &Silent).await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("`socks5://***@h` is not supported as a proxy"),
        "{error}"
    );
}

/// Lets a held body go on as soon as another fetch says that it waits, and keeps all notes.
struct Releasing<'a> {
    hold: &'a Notify,
    notes: Mutex<Vec<String>>,
}

impl Progress for Releasing<'_> {
    fn started(&self, _origin: &Location, _total: Option<u64>, _resumed_from: u64) {}
    fn advanced(&self, _bytes: u64) {}
    fn finished(&self) {}
    fn note(&self, text: &str) {
        self.notes.lock().unwrap().push(text.to_owned());
        self.hold.notify_one();
    }
}

#[tokio::test]
async fn two_fetches_at_once_download_once() {
    let data = body(1, 200_000);
    // The same URL without validators, and two mirrors of one checksum.
    for (checksum, paths) in [
        (Checksum::None, ["/a", "/a"]),
        (sha256(&data), ["/a", "/b"]),
    ] {
        let bench = Bench::new();
        let hold = Arc::new(Notify::new());
        let (held, served) = (Arc::clone(&hold), data.clone());
        let server = Server::start(move |_, _| Reply::body(&served).hold(&held)).await;
        let requests = paths.map(|path| {
            let location = Location::parse(&server.url(path)).unwrap();
            Request::named_by_user(vec![location], checksum.clone())
        });
        let progress = Releasing {
            hold: &hold,
            notes: Mutex::default(),
        };
        let (first, second) = tokio::join!(
            bench.run(&requests[0], &progress),
            bench.run(&requests[1], &progress)
        );
        let (first, second) = (first.unwrap(), second.unwrap());
        assert!(content(&first) == data && content(&second) == data);
        assert!(first.from_cache != second.from_cache);
        assert_eq!(server.seen().len(), 1);
        let notes = progress.notes.lock().unwrap();
        assert_eq!(*notes, ["waiting for another download of the same file"]);
    }
}

/// Cancels once so many bytes have come.
struct CancelAfter(u64, Mutex<u64>, CancellationToken);

impl Progress for CancelAfter {
    fn started(&self, _origin: &Location, _total: Option<u64>, _resumed_from: u64) {}
    fn advanced(&self, bytes: u64) {
        let mut sum = self.1.lock().unwrap();
        *sum += bytes;
        if *sum >= self.0 {
            self.2.cancel();
        }
    }
    fn finished(&self) {}
    fn note(&self, _text: &str) {}
}

#[tokio::test]
async fn a_cancelled_download_can_be_resumed() {
    let bench = Bench::new();
    let data = body(1, 1_000_000);
    let (served, never) = (data.clone(), Arc::new(Notify::new()));
    let server = Server::start(move |seen, number| {
        let reply = Reply::file(seen, &served, "\"v\"");
        if number == 0 {
            reply.hold(&never)
        } else {
            reply
        }
    })
    .await;
    let location = Location::parse(&server.url("/a")).unwrap();
    let request = Request::named_by_user(vec![location], Checksum::None);
    let cancel = CancellationToken::new();
    let progress = CancelAfter(500_000, Mutex::default(), cancel.clone());
    let fetcher = Fetcher::new(bench.settings.clone());
    let error = fetcher
        .fetch(&request, &progress, &cancel)
        .await
        .unwrap_err();
    assert!(matches!(error, FetchError::Cancelled), "{error}");
    let fetched = bench.run(&request, &Silent).await.unwrap();
    assert!(content(&fetched) == data);
    assert_eq!(server.seen()[1].range(), Some(500_000));
}

#[tokio::test]
async fn a_damaged_blob_is_fetched_again() {
    let bench = Bench::new();
    let data = body(1, 100_000);
    let served = data.clone();
    let server = Server::start(move |_, _| Reply::body(&served)).await;
    let urls = [server.url("/a")];
    bench.fetch(&urls, sha256(&data)).await.unwrap();
    let blob = bench.files("blobs").remove(0);
    assert_eq!(fs::metadata(&blob).unwrap().mode() & 0o777, 0o400);
    fs::set_permissions(&blob, fs::Permissions::from_mode(0o600)).unwrap();
    let file = fs::OpenOptions::new().write(true).open(&blob).unwrap();
    file.write_all_at(b"?", 5).unwrap();
    // The clock of file times ticks in milliseconds; the change may share the stamp's tick.
    let later = std::time::SystemTime::now() + Duration::from_secs(1);
    file.set_modified(later).unwrap();
    let fetched = bench.fetch(&urls, sha256(&data)).await.unwrap();
    assert!(content(&fetched) == data && !fetched.from_cache);
    assert_eq!(server.seen().len(), 2);
}

#[tokio::test]
async fn a_blob_is_hashed_anew_after_a_restart_of_the_host() {
    let bench = Bench::new();
    let server = Server::start(|_, _| Reply::body(b"image")).await;
    let urls = [server.url("/a")];
    bench.fetch(&urls, sha256(b"image")).await.unwrap();
    let stamp = bench.files("stamps").remove(0);
    let before = fs::read_to_string(&stamp).unwrap();
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    fs::write(&stamp, before.replace(boot.trim(), "another")).unwrap();
    let fetched = bench.fetch(&urls, sha256(b"image")).await.unwrap();
    assert!(fetched.from_cache && content(&fetched) == b"image");
    assert_eq!(fs::read_to_string(&stamp).unwrap(), before);
    // The same with a file that a power failure left with its length and without its bytes.
    fs::write(&stamp, before.replace(boot.trim(), "another")).unwrap();
    let blob = bench.files("blobs").remove(0);
    let modified = fs::metadata(&blob).unwrap().modified().unwrap();
    fs::remove_file(&blob).unwrap();
    fs::write(&blob, [0; 5]).unwrap();
    fs::File::options()
        .write(true)
        .open(&blob)
        .unwrap()
        .set_modified(modified)
        .unwrap();
    let fetched = bench.fetch(&urls, sha256(b"image")).await.unwrap();
    assert!(!fetched.from_cache && content(&fetched) == b"image");
}

#[tokio::test]
async fn local_files_are_used_in_place() {
    let bench = Bench::new();
    let path = bench.directory.path().join("a b.img");
    fs::write(&path, b"image").unwrap();
    let url = format!("file://{}", path.display().to_string().replace(' ', "%20"));
    let plain = bench.fetch(&[url], Checksum::None).await.unwrap();
    assert_eq!(
        plain.file.metadata().unwrap().ino(),
        fs::metadata(&path).unwrap().ino()
    );
    assert_eq!((content(&plain), plain.sha256), (b"image".to_vec(), None));
    let text = path.display().to_string();
    let checked = bench.fetch(&[&text], sha256(b"image")).await.unwrap();
    assert_eq!(checked.sha256, Some(digest(Algorithm::Sha256, b"image")));
    let md5 = Checksum::Digest(digest(Algorithm::Md5, b"image"));
    assert!(bench.fetch(&[&text], md5).await.is_ok());
    let error = bench.fetch(&[text], sha256(b"other")).await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("checksum mismatch: expected sha256 "),
        "{error}"
    );
    assert_eq!(fs::read(&path).unwrap(), b"image");
    assert!(!bench.settings.cache_directory.exists());
}

#[tokio::test]
async fn local_files_that_are_none() {
    let bench = Bench::new();
    let missing = "/nonexistent/a.img".to_owned();
    let folder = bench.directory.path().display().to_string();
    let error = bench
        .fetch(&[missing, folder.clone()], Checksum::None)
        .await
        .unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("can't read /nonexistent/a.img: No such file"),
        "{text}"
    );
    assert!(
        text.contains(&format!("{folder} is not a regular file")),
        "{text}"
    );
    let nothing = bench.fetch(&[""; 0], Checksum::None).await;
    assert!(matches!(nothing, Err(FetchError::NoLocation)));
}

#[tokio::test]
async fn a_cache_that_cannot_be_made_is_named() {
    let mut bench = Bench::new();
    let occupied = bench.directory.path().join("file");
    fs::write(&occupied, b"").unwrap();
    bench.settings.cache_directory = occupied.join("cache");
    let error = bench
        .fetch(&["http://h.invalid/".to_owned()], Checksum::None)
        .await
        .unwrap_err();
    assert!(matches!(error, FetchError::Cache(_)), "{error}");
    assert!(error.to_string().contains("file/cache/blobs"), "{error}");
}

#[tokio::test]
async fn https_needs_a_trusted_certificate_and_is_not_given_up() {
    let (server, authority) = Server::start_tls(|seen, _| match seen.target.as_str() {
        "/down" => Reply::status(302).with("location", "http://127.0.0.1/a"),
        _ => Reply::body(b"image"),
    })
    .await;
    let url = |path: &str| format!("https://localhost:{}{path}", server.port);
    let mut bench = Bench::new();
    bench.settings.certificate_authorities = vec![authority];
    let fetched = bench.fetch(&[url("/a")], Checksum::None).await.unwrap();
    assert_eq!(content(&fetched), b"image");
    let named = [url("/down"), "http://127.0.0.1:1/".to_owned()];
    let failed = failures(bench.fetch(&named, Checksum::None).await.unwrap_err());
    assert!(
        matches!(failed[0].error, LocationError::Downgrade(_)),
        "{failed:?}"
    );
    bench.settings.certificate_authorities =
        vec![Server::start_tls(|_, _| Reply::default()).await.1];
    let failed = failures(bench.fetch(&[url("/a")], Checksum::None).await.unwrap_err());
    assert!(
        matches!(failed[0].error, LocationError::Tls(_)),
        "{failed:?}"
    );
}
