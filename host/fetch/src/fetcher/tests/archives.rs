//! Archives, compressed files and what they are called.

use super::*;

fn tar(name: &str, content: &[u8]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(content.len() as u64);
    builder.append_data(&mut header, name, content).unwrap();
    builder.into_inner().unwrap()
}

#[tokio::test]
async fn an_archive_is_downloaded_once_and_its_file_given() {
    let bench = Bench::new();
    let archive = tar("images/disk.raw", b"boot sector");
    let served = archive.clone();
    let server = Server::start(move |_, _| Reply::body(&served)).await;
    let urls = ["/a.tar", "/download?archive=tar", "/a.tar//images"];
    for path in urls {
        let fetched = bench
            .fetch(&[server.url(path)], sha256(&archive))
            .await
            .unwrap();
        assert_eq!(content(&fetched), b"boot sector", "{path}");
        assert_eq!(fetched.name.as_deref(), Some("disk.raw"));
        assert_eq!(fetched.sha256, Some(digest(Algorithm::Sha256, &archive)));
    }
    assert_eq!(server.seen().len(), 1, "the archive is cached");
    assert_eq!(bench.files("blobs").len(), 1);
    assert!(bench.files("partial").is_empty());
}

#[tokio::test]
async fn local_archives_are_unpacked_too() {
    let bench = Bench::new();
    let path = bench.directory.path().join("a.tar");
    fs::write(&path, tar("disk.raw", b"boot sector")).unwrap();
    let fetched = bench
        .fetch(&[path.display().to_string()], Checksum::None)
        .await
        .unwrap();
    assert_eq!(content(&fetched), b"boot sector");
}

#[tokio::test]
async fn what_is_no_archive_or_must_not_be_is_left() {
    let bench = Bench::new();
    let server = Server::start(|_, _| Reply::body(b"bytes")).await;
    for (path, name) in [
        ("/a.img.gz", "a.img.gz"),
        ("/a.img?archive=gz", "a.img"),
        ("/a.tar?archive=false", "a.tar"),
        ("/get?filename=b.img", "b.img"),
    ] {
        let fetched = bench
            .fetch(&[server.url(path)], Checksum::None)
            .await
            .unwrap();
        assert_eq!(content(&fetched), b"bytes", "{path}");
        assert_eq!(fetched.name.as_deref(), Some(name));
    }
    let targets: Vec<_> = server.seen().into_iter().map(|it| it.target).collect();
    assert_eq!(targets, ["/a.img.gz", "/a.img", "/a.tar", "/get"]);
}

#[tokio::test]
async fn an_archive_without_the_file_is_a_reason_to_try_the_next_location() {
    let bench = Bench::new();
    let server = Server::start(|seen, _| match seen.target.as_str() {
        "/bad.zip" => Reply::body(b"not a zip"),
        _ => Reply::body(&tar("disk.raw", b"boot sector")),
    })
    .await;
    let urls = ["/bad.zip", "/a.tar//other", "/a.tar"].map(|path| server.url(path));
    let fetched = bench.fetch(&urls, Checksum::None).await.unwrap();
    assert_eq!(content(&fetched), b"boot sector");
    let text = bench
        .fetch(&urls[..2], Checksum::None)
        .await
        .unwrap_err()
        .to_string();
    assert!(
        text.contains("can't unpack it as a zip archive: "),
        "{text}"
    );
    assert!(
        text.contains("the archive has no file `other`; it has `disk.raw`"),
        "{text}"
    );
}

/// An archive of a few MiB with a file of so many times 64 MiB in it, and one called `disk.raw` behind that.
fn bomb(times: u64) -> Vec<u8> {
    let packed = |bytes: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    };
    let mut header = tar::Header::new_gnu();
    header.set_path("zeros").unwrap();
    header.set_size(times << 26);
    header.set_mode(0o644);
    header.set_cksum();
    let mut bomb = packed(header.as_bytes());
    let zeros = packed(&vec![0; 64 << 20]);
    (0..times).for_each(|_| bomb.extend_from_slice(&zeros));
    bomb.extend(packed(&tar("disk.raw", b"boot sector")));
    bomb
}

/// Sums up what is worked.
#[derive(Default)]
struct Counting(Mutex<Duration>);

impl Progress for Counting {
    fn started(&self, _origin: &Location, _total: Option<u64>, _resumed_from: u64) {}
    fn advanced(&self, _bytes: u64) {}
    fn finished(&self) {}
    fn note(&self, _text: &str) {}
    fn worked(&self, processor_time: Duration) {
        *self.0.lock().unwrap() += processor_time;
    }
}

fn archive_of_bench(bench: &Bench, member: &str, times: u64) -> Request {
    let path = bench.directory.path().join("a.tar.gz");
    fs::write(&path, bomb(times)).unwrap();
    let location = Location::parse(&format!("{}//{member}", path.display())).unwrap();
    Request::named_by_user(vec![location], Checksum::None)
}

#[tokio::test]
async fn what_unpacking_takes_is_told_whatever_comes_of_it() {
    for (member, is_there) in [("disk.raw", true), ("other", false)] {
        let bench = Bench::new();
        let request = archive_of_bench(&bench, member, 4);
        let counting = Counting::default();
        let fetched = bench.run(&request, &counting).await;
        assert_eq!(fetched.is_ok(), is_there, "{fetched:?}");
        let worked = *counting.0.lock().unwrap();
        // 256 MiB of zeros, at more than there is in any machine.
        assert!(worked > Duration::from_millis(10), "{member}: {worked:?}");
    }
}

/// Twelve gigabytes, which nobody waits for any more.
#[test]
fn unpacking_ends_with_whoever_waits_for_it() {
    let bench = Bench::new();
    let request = archive_of_bench(&bench, "disk.raw", 192);
    let counting = Counting::default();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let patience = Duration::from_millis(300);
    let fetched = runtime
        .block_on(async { tokio::time::timeout(patience, bench.run(&request, &counting)).await });
    assert!(fetched.is_err(), "it took no time");
    let worked = *counting.0.lock().unwrap();
    assert!(worked > Duration::from_millis(10), "{worked:?}");
    let began = std::time::Instant::now();
    // Waits for what still runs on other threads.
    drop(runtime);
    let took = began.elapsed();
    assert!(took < Duration::from_secs(2), "{took:?}");
}
