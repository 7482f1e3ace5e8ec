//! When the cache answers, and when it must not.

use super::*;

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
    const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
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
    assert!(error.to_string().contains("file/cache"), "{error}");
}

/// What is told of the cache before a fetch is what the fetch then does.
#[tokio::test]
async fn what_is_held_is_told_without_a_network() {
    let data = body(1, 1000);
    let served = data.clone();
    let server = Server::start(move |seen, _| Reply::file(seen, &served, "\"one\"")).await;
    let bench = Bench::new();
    let (url, other) = (server.url("/a"), server.url("/other"));
    let given = |algorithm| Checksum::Digest(digest(algorithm, &data));
    let sums = bench.directory.path().join("SHA512SUMS");
    let line = format!("{}  a\n", digest(Algorithm::Sha512, &data));
    fs::write(&sums, line).unwrap();
    let here = Checksum::parse(&format!("file:{}", sums.display())).unwrap();
    let elsewhere = Checksum::parse(&format!("file:{}", server.url("/SHA256SUMS"))).unwrap();
    assert_eq!(bench.held(&[&url], given(Algorithm::Sha256)), Held::Nothing);
    assert!(!bench.settings.cache_directory.exists(), "none is made");

    // By SHA-512: other digests of it are only known once they were asked for.
    bench
        .fetch(&[&url], given(Algorithm::Sha512))
        .await
        .unwrap();
    let asked = server.seen().len();
    let own = |algorithm: Algorithm| format!("{other}?checksum={}", given(algorithm));
    for (urls, checksum, expected) in [
        (vec![url.clone()], given(Algorithm::Sha256), Held::Verified),
        (
            vec![other.clone()],
            given(Algorithm::Sha256),
            Held::Verified,
        ),
        (
            vec![other.clone()],
            given(Algorithm::Sha512),
            Held::Verified,
        ),
        (vec![other.clone()], given(Algorithm::Md5), Held::Nothing),
        (vec![url.clone()], sha256(b"something else"), Held::Nothing),
        (vec![own(Algorithm::Sha512)], Checksum::None, Held::Verified),
        (vec![own(Algorithm::Sha1)], Checksum::None, Held::Nothing),
        (
            vec![own(Algorithm::Sha1)],
            given(Algorithm::Sha512),
            Held::Nothing,
        ),
        (vec![url.clone()], here.clone(), Held::Verified),
        (vec![other.clone()], here, Held::Nothing),
        (vec![url.clone()], elsewhere, Held::Unknown),
        (vec![url.clone()], Checksum::None, Held::Former),
        (vec![other.clone()], Checksum::None, Held::Nothing),
        (
            vec![other.clone(), url.clone()],
            Checksum::None,
            Held::Nothing,
        ),
        (
            vec![other.clone(), url.clone()],
            given(Algorithm::Sha512),
            Held::Verified,
        ),
    ] {
        assert_eq!(
            bench.held(&urls, checksum.clone()),
            expected,
            "{urls:?} {checksum}"
        );
    }
    assert_eq!(server.seen().len(), asked, "nobody is asked");

    // Another author's is not this one's, and what is gone is not held.
    let mut request = Request::named_by_user(
        vec![Location::parse(&url).unwrap()],
        given(Algorithm::Sha256),
    );
    request.author = Author::Component {
        identity: "ab12".to_owned(),
        aws_credentials: false,
    };
    let fetcher = Fetcher::new(bench.settings.clone());
    assert_eq!(fetcher.held(&request).unwrap(), Held::Nothing);
    for blob in bench.files("blobs") {
        fs::remove_file(blob).unwrap();
    }
    for checksum in [given(Algorithm::Sha512), Checksum::None] {
        assert_eq!(bench.held(&[&url], checksum), Held::Nothing);
    }
}
