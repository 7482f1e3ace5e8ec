//! Transfers that break, and what the next attempt begins with.

use super::*;

/// What a server answers after everything else.
type Answer = fn(&server::Seen) -> Reply;

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
