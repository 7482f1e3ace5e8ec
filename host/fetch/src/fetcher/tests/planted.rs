//! What others put into the cache, and what one source has there of another.

use std::os::unix::fs::symlink;
use std::path::PathBuf;

use lvhost_regular_file::not_own;

use super::*;

const IMAGE: &[u8] = b"image";
const EVIL: &[u8] = b"ima9e";

/// A cache with the image in it, the server that it came from, and where the blob is.
async fn filled() -> (Bench, Server, PathBuf) {
    let bench = Bench::new();
    let server = Server::start(|_, _| Reply::body(IMAGE)).await;
    let urls = [server.url("/a")];
    bench.fetch(&urls, sha256(IMAGE)).await.unwrap();
    let again = bench.fetch(&urls, sha256(IMAGE)).await.unwrap();
    assert!(again.from_cache && content(&again) == IMAGE);
    let blob = bench.files("blobs").remove(0);
    (bench, server, blob)
}

/// Makes a file that looks like the blob, as far as a program can set how it looks.
fn disguise(place: &Path, blob: &Path) {
    fs::write(place, EVIL).unwrap();
    let metadata = fs::metadata(blob).unwrap();
    let file = fs::File::options().write(true).open(place).unwrap();
    file.set_modified(metadata.modified().unwrap()).unwrap();
    file.set_permissions(metadata.permissions()).unwrap();
}

#[tokio::test]
async fn a_blob_in_the_place_of_another_is_not_believed() {
    type Plant = fn(&Path);
    let plants: [(&str, Plant); 4] = [
        ("another file of the same length and date", |blob| {
            let other = blob.with_extension("other");
            disguise(&other, blob);
            fs::rename(other, blob).unwrap();
        }),
        ("the same file with other bytes and its old date", |blob| {
            let metadata = fs::metadata(blob).unwrap();
            fs::set_permissions(blob, fs::Permissions::from_mode(0o600)).unwrap();
            fs::write(blob, EVIL).unwrap();
            fs::set_permissions(blob, fs::Permissions::from_mode(0o400)).unwrap();
            let file = fs::File::open(blob).unwrap();
            file.set_modified(metadata.modified().unwrap()).unwrap();
        }),
        ("a link", |blob| {
            let other = blob.parent().unwrap().parent().unwrap().join("other");
            disguise(&other, blob);
            fs::remove_file(blob).unwrap();
            symlink(other, blob).unwrap();
        }),
        ("a file that others can write to", |blob| {
            fs::set_permissions(blob, fs::Permissions::from_mode(0o666)).unwrap();
        }),
    ];
    for (what, plant) in plants {
        for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
            let (bench, server, blob) = filled().await;
            let checksum = Checksum::Digest(digest(algorithm, IMAGE));
            let urls = [server.url("/a")];
            bench.fetch(&urls, checksum.clone()).await.unwrap();
            plant(&blob);
            let asked = server.seen().len();
            let fetched = bench.fetch(&urls, checksum).await.unwrap();
            assert_eq!(content(&fetched), IMAGE, "{what}");
            assert_eq!(
                server.seen().len(),
                asked + 1,
                "{what}: it is fetched again"
            );
        }
    }
}

#[tokio::test]
async fn what_another_user_put_there_is_not_believed() {
    let (bench, server, blob) = filled().await;
    let name = blob.file_name().unwrap().to_owned();
    let stamp = bench.settings.cache_directory.join("stamps").join(name);
    let urls = [server.url("/a")];
    for planted in [&blob, &stamp] {
        if std::os::unix::fs::chown(planted, Some(12345), Some(12345)).is_err() {
            eprintln!("SKIPPED: only root can give files to another user");
            return;
        }
        let fetched = bench.fetch(&urls, sha256(IMAGE)).await.unwrap();
        assert_eq!(content(&fetched), IMAGE);
        let again = bench.fetch(&urls, sha256(IMAGE)).await.unwrap();
        assert!(again.from_cache);
    }
    assert_eq!(server.seen().len(), 2, "the stamp cost a hashing only");
    // A whole folder is not ours to clean.
    for folder in ["blobs", "stamps", "urls", "locks", "."] {
        let path = bench.settings.cache_directory.join(folder);
        std::os::unix::fs::chown(&path, Some(12345), None).unwrap();
        let error = bench.fetch(&urls, sha256(IMAGE)).await.unwrap_err();
        let FetchError::Cache(error) = error else {
            panic!("{error}");
        };
        assert!(not_own(&error.source).is_some(), "{folder}: {error}");
        assert!(
            error.source.to_string().contains("chown -R"),
            "{}",
            error.source
        );
        std::os::unix::fs::chown(&path, Some(rustix::process::geteuid().as_raw()), None).unwrap();
    }
    bench.fetch(&urls, sha256(IMAGE)).await.unwrap();
}

#[tokio::test]
async fn a_cache_that_others_can_write_to_is_not_used() {
    let (bench, server, _) = filled().await;
    for folder in [
        "blobs", "stamps", "digests", "urls", "partial", "locks", ".",
    ] {
        let path = bench.settings.cache_directory.join(folder);
        for mode in [0o720, 0o702, 0o1777] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let error = bench
                .fetch(&[server.url("/a")], sha256(IMAGE))
                .await
                .unwrap_err();
            let FetchError::Cache(error) = error else {
                panic!("{error}");
            };
            assert!(
                error.source.to_string().contains("chmod go-w"),
                "{}",
                error.source
            );
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
    }
    bench
        .fetch(&[server.url("/a")], sha256(IMAGE))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_component_finds_in_the_cache_what_it_has_fetched_itself() {
    const PRIVATE: &[u8] = b"private";
    for algorithm in Algorithm::ALL {
        let bench = Bench::new();
        let server = Server::start(|seen, _| match seen.target.as_str() {
            "/private" => Reply::body(PRIVATE).with("etag", "\"e\""),
            _ => Reply::status(404),
        })
        .await;
        let checksum = Checksum::Digest(digest(algorithm, PRIVATE));
        let of = |path: &str, identity: Option<&str>| {
            let location = Location::parse(&server.url(path)).unwrap();
            let mut request = Request::named_by_user(vec![location], checksum.clone());
            if let Some(identity) = identity {
                request.author = Author::Component {
                    identity: identity.to_owned(),
                    aws_credentials: false,
                };
            }
            request
        };
        bench.run(&of("/private", None), &Silent).await.unwrap();
        // Nobody gets it by its digest alone but the user, who has it.
        for identity in ["a", "b"] {
            let error = bench.run(&of("/nothing", Some(identity)), &Silent).await;
            assert!(
                matches!(error, Err(FetchError::AllFailed(_))),
                "{algorithm}"
            );
        }
        assert!(
            bench
                .run(&of("/nothing", None), &Silent)
                .await
                .unwrap()
                .from_cache
        );
        // One that can fetch it has it from then on, and no other by that.
        let fetched = bench
            .run(&of("/private", Some("a")), &Silent)
            .await
            .unwrap();
        assert!(!fetched.from_cache && content(&fetched) == PRIVATE);
        let again = bench
            .run(&of("/nothing", Some("a")), &Silent)
            .await
            .unwrap();
        assert!(again.from_cache && content(&again) == PRIVATE);
        bench
            .run(&of("/nothing", Some("b")), &Silent)
            .await
            .unwrap_err();
        // By its address neither: the server is asked for all of it.
        let mut by_address = of("/private", Some("b"));
        by_address.checksum = Checksum::None;
        let fetched = bench.run(&by_address, &Silent).await.unwrap();
        assert!(!fetched.from_cache && content(&fetched) == PRIVATE);
        let last = server.seen().pop().unwrap();
        assert_eq!(last.header("if-none-match"), None);
        assert_eq!(bench.files("blobs").len(), 1, "bytes are kept once");
    }
}
