//! Locations that fail, and what the user is told.

use super::*;

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
async fn a_server_that_names_its_time_is_left_alone_until_then() {
    let bench = Bench::new();
    let server = Server::start(|seen, number| match (seen.target.as_str(), number) {
        ("/soon", 0) => Reply::status(429).with("retry-after", "1"),
        ("/later", _) => Reply::status(503).with("retry-after", "3600"),
        _ => Reply::body(b"image"),
    })
    .await;
    let before = std::time::Instant::now();
    bench
        .fetch(&[server.url("/soon")], Checksum::None)
        .await
        .unwrap();
    assert!(before.elapsed() >= Duration::from_secs(1));
    let urls = [server.url("/later"), server.url("/mirror")];
    bench.fetch(&urls, Checksum::None).await.unwrap();
    let targets: Vec<_> = server.seen().into_iter().map(|it| it.target).collect();
    assert_eq!(targets, ["/soon", "/soon", "/later", "/mirror"]);
}

#[tokio::test]
async fn a_file_that_does_not_fit_is_refused_with_both_sizes() {
    let bench = Bench::new();
    // 15 TiB: fewer bytes than the limit for a file, more than any test machine has free.
    let length = 15_u64 << 40;
    let server =
        Server::start(move |_, _| Reply::status(200).with("content-length", length.to_string()))
            .await;
    let error = bench
        .fetch(&[server.url("/a")], Checksum::None)
        .await
        .unwrap_err();
    let FetchError::NoSpace(space) = &error else {
        panic!("{error}");
    };
    assert_eq!(space.needed, Some(length));
    assert!(space.free > 0 && space.free < length);
    assert!(
        error
            .to_string()
            .contains("15.0 TiB (16492674416640 bytes)"),
        "{error}"
    );
    assert!(bench.files("partial").is_empty());
    assert_eq!(server.seen().len(), 1);
}

/// A server that says what it is given, a piece at a time, for as long as somebody listens; and how many
/// connections there were.
async fn dripping(
    first: &'static str,
    again: &'static str,
    pause: Duration,
) -> (u16, Arc<std::sync::atomic::AtomicUsize>) {
    let (port, connections, _) = dripping_bytes(first.as_bytes(), again.as_bytes(), pause).await;
    (port, connections)
}

/// The same with bytes, and how many connections their clients have left.
pub(super) async fn dripping_bytes(
    first: &'static [u8],
    again: &'static [u8],
    pause: Duration,
) -> (
    u16,
    Arc<std::sync::atomic::AtomicUsize>,
    tokio::sync::watch::Receiver<usize>,
) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let connections = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counted = Arc::clone(&connections);
    let (left, leaving) = tokio::sync::watch::channel(0);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            counted.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let left = left.clone();
            tokio::spawn(async move {
                let mut request = [0; 4096];
                let _ = stream.read(&mut request).await;
                let mut piece = first;
                while stream.write_all(piece).await.is_ok() {
                    piece = again;
                    // What is read is nothing when the client has left.
                    tokio::select! {
                        Ok(0) | Err(_) = stream.read(&mut request) => break,
                        () = tokio::time::sleep(pause) => {}
                    }
                }
                left.send_modify(|left| *left += 1);
            });
        }
    });
    (port, connections, leaving)
}

const HEAD: &str = "HTTP/1.1 200 OK\r\netag: \"e\"\r\ncontent-length: 1000000\r\n\r\n";
const CHUNKED: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";

#[tokio::test]
async fn a_peer_that_never_ends_is_given_up_and_the_next_is_asked() {
    let cases = [
        ("a byte now and then", HEAD, "a"),
        ("of a length that nobody knows", CHUNKED, "1\r\na\r\n"),
        ("headers", "HTTP/1.1 200 OK\r\n", "a: b\r\n"),
        (
            "early hints",
            "HTTP/1.1 103 Early Hints\r\n\r\n",
            "HTTP/1.1 103 Early Hints\r\n\r\n",
        ),
        ("a status line", "H", ""),
        ("a chunk's size", CHUNKED, "0"),
        ("a chunk's extension", CHUNKED, ";a"),
        (
            "trailers",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n",
            "a: b\r\n",
        ),
        (
            "what it says of an error",
            "HTTP/1.1 503 No\r\ncontent-length: 1000000\r\n\r\n",
            "a",
        ),
        (
            "a redirect's headers",
            "HTTP/1.1 302 Found\r\nlocation: /\r\n",
            "a: b\r\n",
        ),
    ];
    let good = Server::start(|_, _| Reply::body(b"image")).await;
    for (what, first, again) in cases {
        let mut bench = Bench::new();
        bench.settings.patience = Duration::from_millis(300);
        let (port, _) = dripping(first, again, Duration::from_millis(20)).await;
        let bad = format!("http://127.0.0.1:{port}/a");
        for checksum in [Checksum::None, sha256(b"image")] {
            let started = std::time::Instant::now();
            let urls = [bad.clone(), good.url("/a")];
            let fetched = bench.fetch(&urls, checksum).await.unwrap();
            assert_eq!(content(&fetched), b"image", "{what}");
            // Attempts and pauses included; a machine that is busy may take its time.
            assert!(started.elapsed() < Duration::from_secs(20), "{what}");
        }
        // A list of checksums is no better than a file.
        let url = format!(
            "{}?checksum=file:http://127.0.0.1:{port}/SHA256SUMS",
            good.url("/b")
        );
        bench.fetch(&[url], Checksum::None).await.unwrap_err();
    }
}

#[tokio::test]
async fn slowness_is_summed_over_all_attempts() {
    let mut bench = Bench::new();
    bench.settings.patience = Duration::from_millis(400);
    bench.settings.read_timeout = Duration::from_millis(100);
    let (port, connections) = dripping(HEAD, "", Duration::from_secs(60)).await;
    let url = format!("http://127.0.0.1:{port}/a");
    let failed = failures(bench.fetch(&[url], Checksum::None).await.unwrap_err());
    assert!(
        matches!(
            failed[0].error,
            LocationError::TooSlow { .. } | LocationError::Timeout(_)
        ),
        "{failed:?}"
    );
    assert!(connections.load(std::sync::atomic::Ordering::Relaxed) <= 5);
}

#[tokio::test]
async fn no_download_takes_longer_than_the_longest() {
    let mut bench = Bench::new();
    bench.settings.longest_download = Duration::from_millis(300);
    bench.settings.least_rate = 1;
    let (port, _) = dripping(HEAD, "aaaaaaaaaaaaaaaa", Duration::from_millis(20)).await;
    let url = format!("http://127.0.0.1:{port}/a");
    let failed = failures(bench.fetch(&[url], Checksum::None).await.unwrap_err());
    assert!(
        matches!(failed[0].error, LocationError::OverTime { .. }),
        "{failed:?}"
    );
    assert!(failed[0].error.to_string().contains("longer than 0.3 s"));
}

#[tokio::test]
async fn a_body_of_unknown_length_is_bounded() {
    let mut bench = Bench::new();
    bench.settings.unannounced_limit = 10_000;
    // 4096 bytes at a time.
    let chunk: &'static str =
        Box::leak(format!("1000\r\n{}\r\n", "a".repeat(4096)).into_boxed_str());
    let (port, _) = dripping(CHUNKED, chunk, Duration::from_millis(1)).await;
    let url = format!("http://127.0.0.1:{port}/a");
    let failed = failures(bench.fetch(&[url], Checksum::None).await.unwrap_err());
    assert!(
        matches!(
            failed[0].error,
            LocationError::Unannounced { limit: 10_000 }
        ),
        "{failed:?}"
    );
    assert!(bench.files("partial").is_empty() && bench.files("blobs").is_empty());
}
