//! Checksums that stand in lists, and in the URL.

use super::*;
use crate::ChecksumListError;

/// A site with two images and one list of their checksums.
async fn site() -> Server {
    Server::start(|seen, number| match seen.target.as_str() {
        "/r/SHA256SUMS" => {
            let digest = |bytes| digest(Algorithm::Sha256, bytes);
            let list = format!(
                "{}  a.img\n{} *b.img\n",
                digest(b"image a"),
                digest(b"image b")
            );
            Reply::body(list.as_bytes())
        }
        "/r/a.img" | "/r/a.img?x=1" => Reply::body(b"image a"),
        "/r/b.img" => Reply::body(b"image b"),
        "/r/late" if number < 2 => Reply::status(503),
        "/r/late" => Reply::body(digest(Algorithm::Sha1, b"image a").to_string().as_bytes()),
        "/r/long" => Reply::body(&vec![b'\n'; (4 << 20) + 1]),
        "/r/away" => Reply::status(302).with("location", "http://localhost/SHA256SUMS"),
        _ => Reply::status(404),
    })
    .await
}

fn list(server: &Server, path: &str) -> Checksum {
    Checksum::parse(&format!("file:{}", server.url(path))).unwrap()
}

#[tokio::test]
async fn two_files_of_one_list_do_not_get_into_each_others_way() {
    let bench = Bench::new();
    let server = site().await;
    let sums = list(&server, "/r/SHA256SUMS");
    for round in 0..2 {
        for (path, expected) in [("/r/a.img", b"image a"), ("/r/b.img", b"image b")] {
            let fetched = bench
                .fetch(&[server.url(path)], sums.clone())
                .await
                .unwrap();
            assert_eq!(content(&fetched), expected);
            assert_eq!(fetched.from_cache, round == 1);
        }
    }
    assert_eq!(bench.files("blobs").len(), 2);
    let asked = |path: &str| server.seen().iter().filter(|it| it.target == path).count();
    assert_eq!((asked("/r/a.img"), asked("/r/b.img")), (1, 1));
    assert_eq!(
        asked("/r/SHA256SUMS"),
        4,
        "the list is fetched anew each time"
    );
}

#[tokio::test]
async fn a_list_is_fetched_once_for_all_locations_of_a_request() {
    let bench = Bench::new();
    let server = site().await;
    let urls = [
        server.url("/missing/a.img"),
        server.url("/r/a.img?x=1&archive=false"),
    ];
    let fetched = bench
        .fetch(&urls, list(&server, "/r/SHA256SUMS"))
        .await
        .unwrap();
    assert_eq!(content(&fetched), b"image a");
    let targets: Vec<_> = server.seen().into_iter().map(|it| it.target).collect();
    assert_eq!(targets, ["/r/SHA256SUMS", "/missing/a.img", "/r/a.img?x=1"]);
}

#[tokio::test]
async fn a_file_that_is_not_what_the_list_says_is_discarded() {
    let bench = Bench::new();
    let server = site().await;
    let url = server.url("/r/b.img?filename=a.img");
    // The plain name counts less than the one given.
    let error = bench
        .fetch(&[url], list(&server, "/r/late"))
        .await
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("checksum mismatch: expected sha1 "),
        "{error}"
    );
    assert!(bench.files("blobs").is_empty());
}

#[tokio::test]
async fn lists_that_do_not_help_say_why() {
    let bench = Bench::new();
    let server = site().await;
    let cases = [
        (
            "/r/missing",
            "the checksums can't be had from http://",
            "the server answered 404",
        ),
        (
            "/r/long",
            "can't be had from",
            "the server sent more than 4194304 bytes",
        ),
        (
            "/r/away",
            "can't be had from",
            "refused to connect to localhost",
        ),
        (
            "/r/SHA256SUMS",
            "no checksum in http://",
            "it does not list `c.img`; it lists `a.img`, `b.img`",
        ),
    ];
    for (path, first, second) in cases {
        let error = bench
            .fetch(&[server.url("/r/c.img")], list(&server, path))
            .await;
        let text = error.unwrap_err().to_string();
        assert!(text.contains(first) && text.contains(second), "{text}");
    }
    let failed = bench
        .fetch(&[server.url("/r/c.img")], list(&server, "/r/SHA256SUMS"))
        .await;
    let LocationError::ChecksumList { source, .. } = &failures(failed.unwrap_err())[0].error else {
        panic!("another error");
    };
    assert!(matches!(source, ChecksumListError::NotListed { .. }));
}

#[tokio::test]
async fn local_lists_are_for_local_and_remote_files() {
    let bench = Bench::new();
    let server = site().await;
    let folder = bench.directory.path();
    let line = |bytes, name| format!("SHA256 ({name}) = {}\n", digest(Algorithm::Sha256, bytes));
    fs::create_dir(folder.join("images")).unwrap();
    fs::write(folder.join("images/c.img"), b"image c").unwrap();
    let text = line(b"image a", "a.img") + &line(b"image c", "images/c.img");
    fs::write(folder.join("CHECKSUM"), text).unwrap();
    let sums = Checksum::parse("file:CHECKSUM")
        .unwrap()
        .resolved_in(folder);
    let local = folder.join("images/c.img").display().to_string();
    let fetched = bench.fetch(&[local], sums.clone()).await.unwrap();
    assert_eq!(content(&fetched), b"image c");
    let fetched = bench
        .fetch(&[server.url("/r/a.img")], sums.clone())
        .await
        .unwrap();
    assert_eq!(content(&fetched), b"image a");
    let bounded = Request {
        reach: Reach::only(|_| true),
        ..Request::named_by_user(
            vec![Location::parse(&server.url("/r/a.img")).unwrap()],
            sums,
        )
    };
    let error = bench.run(&bounded, &Silent).await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("files of this machine may not be read"),
        "{error}"
    );
}

#[tokio::test]
async fn a_url_may_bring_its_own_checksum() {
    let bench = Bench::new();
    let server = site().await;
    let right = digest(Algorithm::Md5, b"image a");
    let wrong = digest(Algorithm::Md5, b"image b");
    let url = |digest: &Digest| server.url(&format!("/r/a.img?checksum=md5:{digest}"));
    let fetched = bench.fetch(&[url(&right)], Checksum::None).await.unwrap();
    assert_eq!(content(&fetched), b"image a");
    assert_eq!(server.seen()[0].target, "/r/a.img");
    let same = Checksum::Digest(right.clone());
    assert!(bench.fetch(&[url(&right)], same.clone()).await.is_ok());
    let error = bench
        .fetch(&[url(&wrong)], Checksum::None)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("checksum mismatch"), "{error}");
    let error = bench
        .fetch(&[url(&wrong)], same)
        .await
        .unwrap_err()
        .to_string();
    let both = format!(
        "says that its checksum is md5:{wrong}, and the option `checksum` says md5:{right}"
    );
    assert!(error.contains(&both), "{error}");
    let listed = server.url(&format!(
        "/r/a.img?checksum=file:{}",
        server.url("/r/SHA256SUMS")
    ));
    assert!(bench.fetch(&[listed], Checksum::None).await.is_ok());
}
