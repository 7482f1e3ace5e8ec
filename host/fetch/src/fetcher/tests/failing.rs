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
