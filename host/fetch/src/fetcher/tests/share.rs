//! Shares of a real Samba, run by the test on a port of its own, behind a relay that counts and cuts.

use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::{Netrc, ShareError};

/// How long a server may take to start on a busy machine.
const START: Duration = Duration::from_secs(60);

/// Where a program of Samba is; what `LVHOST_TEST_TOOLS` says counts, where it is set.
fn program(name: &str) -> Option<PathBuf> {
    let listed = std::env::var("LVHOST_TEST_TOOLS").unwrap_or_default();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let usual = ["/usr/sbin", "/usr/bin"].map(PathBuf::from);
    let folders = usual.into_iter().chain(std::env::split_paths(&path));
    let mut candidates = folders.map(|folder| folder.join(name));
    let is_allowed = listed.is_empty() || listed.split(' ').any(|tool| tool == "smbd");
    candidates
        .find(|path| path.is_file())
        .filter(|_| is_allowed)
}

/// Shares `open` (for guests) and `closed`, both of one folder.
struct Samba {
    folder: TempDir,
    port: u16,
    user: String,
    process: Child,
}

impl Samba {
    /// Starts one; says so where there is none.
    async fn start() -> Option<Self> {
        let skip = |why| {
            let thread = std::thread::current();
            let name = thread.name().unwrap_or("test");
            println!("SKIPPED: {name}: {why}");
            None
        };
        let (Some(smbd), Some(pdbedit)) = (program("smbd"), program("pdbedit")) else {
            return skip("smbd is not installed (Debian package samba)");
        };
        if !rustix::process::geteuid().is_root() {
            return skip("smbd serves nobody when it is not run by root");
        }
        let folder = TempDir::new().unwrap();
        for name in ["state", "files"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        let user = Command::new("id").arg("-un").output().unwrap().stdout;
        let user = String::from_utf8(user).unwrap().trim().to_owned();
        let free = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let configuration = folder.path().join("smb.conf");
        let place = folder.path().display();
        let mut text = format!(
            "[global]\n\
             server role = standalone server\n\
             smb ports = {port}\n\
             interfaces = lo\n\
             bind interfaces only = yes\n\
             map to guest = Bad User\n\
             load printers = no\n\
             printcap name = /dev/null\n\
             disable spoolss = yes\n\
             log file = {place}/log\n\
             ncalrpc dir = {place}/state/ncalrpc\n"
        );
        for option in [
            "private dir",
            "lock directory",
            "state directory",
            "cache directory",
            "pid directory",
        ] {
            text += &format!("{option} = {place}/state\n");
        }
        text += &format!("[open]\npath = {place}/files\nguest ok = yes\nforce user = {user}\n");
        text += &format!("[closed]\npath = {place}/files\nvalid users = {user}\n");
        fs::write(&configuration, text).unwrap();

        let mut adding = Command::new(pdbedit)
            .args(["-a", "-t", "-u", &user, "-s"])
            .arg(&configuration)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = adding.stdin.take().unwrap();
        input.write_all(b"pa:ss word\npa:ss word\n").unwrap();
        drop(input);
        let added = adding.wait_with_output().unwrap();
        assert!(added.status.success(), "{added:?}");
        // In a process group of its own: all of that is what it ends when it ends.
        let process = Command::new(smbd)
            .process_group(0)
            .args(["--foreground", "--no-process-group", "-s"])
            .arg(&configuration)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut samba = Self {
            folder,
            port,
            user,
            process,
        };
        let starting = async {
            while TcpStream::connect((Ipv4Addr::LOCALHOST, port))
                .await
                .is_err()
            {
                let ended = samba.process.try_wait().unwrap();
                let log = fs::read_to_string(samba.folder.path().join("log"));
                assert!(ended.is_none(), "smbd ended: {log:?}");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(START, starting).await.unwrap();
        Some(samba)
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.folder.path().join("files").join(name), bytes).unwrap();
    }

    fn url(&self, path: &str) -> String {
        format!("smb://127.0.0.1:{}/{path}", self.port)
    }

    /// The same with a login; the password has characters that a URL has to encode.
    fn url_as(&self, login: &str, path: &str) -> String {
        format!("smb://{login}@127.0.0.1:{}/{path}", self.port)
    }
}

impl Drop for Samba {
    fn drop(&mut self) {
        // Not killed: it has to end the processes of its connections.
        if let Some(pid) = Pid::from_raw(self.process.id().cast_signed()) {
            let _ = kill_process(pid, Signal::TERM);
        }
        let _ = self.process.wait();
    }
}

/// Passes connections on and counts what comes back.
struct Relay {
    port: u16,
    received: Arc<AtomicU64>,
    /// Bytes after which the next connection is cut; 0 for none.
    cut: Arc<AtomicU64>,
    /// Bytes after which a connection goes on by a byte now and then; 0 for none.
    drip: Arc<AtomicU64>,
}

impl Relay {
    async fn to(port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let relay = Self {
            port: listener.local_addr().unwrap().port(),
            received: Arc::default(),
            cut: Arc::default(),
            drip: Arc::default(),
        };
        let (received, cut) = (Arc::clone(&relay.received), Arc::clone(&relay.cut));
        let drip = Arc::clone(&relay.drip);
        let server = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let limits = (cut.swap(0, Ordering::SeqCst), drip.load(Ordering::SeqCst));
                tokio::spawn(pass(client, server, Arc::clone(&received), limits));
            }
        });
        relay
    }

    fn url(&self, path: &str) -> String {
        format!("smb://127.0.0.1:{}/{path}", self.port)
    }

    /// Bytes that came back since the last call.
    fn taken(&self) -> u64 {
        self.received.swap(0, Ordering::SeqCst)
    }
}

async fn pass(
    client: TcpStream,
    server: SocketAddr,
    received: Arc<AtomicU64>,
    (cut, drip): (u64, u64),
) {
    let server = TcpStream::connect(server).await.unwrap();
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let asking = tokio::spawn(async move {
        let _ = tokio::io::copy(&mut from_client, &mut to_server).await;
    });
    let (mut buffer, mut passed) = (vec![0; 64 << 10], 0);
    loop {
        let drips = drip > 0 && passed >= drip;
        let most = if drips { 1 } else { buffer.len() };
        let Ok(read @ 1..) = from_server.read(&mut buffer[..most]).await else {
            break;
        };
        passed += read as u64;
        received.fetch_add(read as u64, Ordering::SeqCst);
        if to_client.write_all(&buffer[..read]).await.is_err() || (cut > 0 && passed >= cut) {
            break;
        }
        if drips {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    asking.abort();
}

fn share_error(error: FetchError) -> ShareError {
    match failures(error).remove(0).error {
        LocationError::Share(error) => *error,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn guests_and_users_get_what_is_theirs() {
    let Some(samba) = Samba::start().await else {
        return;
    };
    let mut bench = Bench::new();
    let data = body(1, 3_500_000);
    samba.write("a b.img", &data);
    let guest = samba.url("open/a%20b.img");
    let fetched = bench.fetch(&[&guest], Checksum::None).await.unwrap();
    assert!(content(&fetched) == data && !fetched.from_cache);

    let closed = "closed/a%20b.img";
    let own = format!("{}:pa%3Ass%20word", samba.user);
    for login in [own.clone(), format!("WORKGROUP;{own}")] {
        let bench = Bench::new();
        let url = samba.url_as(&login, closed);
        let fetched = bench.fetch(&[url], sha256(&data)).await.unwrap();
        assert!(content(&fetched) == data);
    }
    let error = bench.fetch(&[samba.url(closed)], Checksum::None).await;
    let error = share_error(error.unwrap_err());
    assert!(matches!(error, ShareError::Denied { .. }), "{error}");
    assert!(error.to_string().contains("give name and password"));

    for (login, path) in [
        (format!("{}:hunter2", samba.user), closed),
        // The server would let this one in as a guest, who is not who was meant.
        ("nobody-of-this-name:hunter2".to_owned(), "open/a%20b.img"),
    ] {
        let url = samba.url_as(&login, path);
        let error = bench.fetch(&[url], Checksum::None).await.unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
        let error = share_error(error);
        assert!(matches!(error, ShareError::Login { .. }), "{error}");
    }

    let netrc = format!(
        "machine 127.0.0.1 login {} password \"pa:ss word\"",
        samba.user
    );
    bench.settings.netrc = Some(Netrc::parse(&netrc).unwrap());
    let fetched = bench.fetch(&[samba.url(closed)], Checksum::None).await;
    assert!(content(&fetched.unwrap()) == data);
}

#[tokio::test]
async fn what_is_not_there_leads_to_the_next_location() {
    let Some(samba) = Samba::start().await else {
        return;
    };
    let bench = Bench::new();
    samba.write("a.img", b"image");
    let urls = [
        samba.url("open/missing.img"),
        samba.url("nowhere/a.img"),
        samba.url("open/folder/a.img"),
        samba.url("open/a.img"),
    ];
    let fetched = bench.fetch(&urls, Checksum::None).await.unwrap();
    assert_eq!(content(&fetched), b"image");
    assert_eq!(fetched.name.as_deref(), Some("a.img"));
    fs::create_dir(samba.folder.path().join("files/folder")).unwrap();
    for (path, part) in [
        ("open/missing.img", "has no file `missing.img`"),
        ("nowhere/a.img", "127.0.0.1 has no share `nowhere`"),
        (
            "open/folder",
            "`folder` on the share `open` of 127.0.0.1 is no file",
        ),
        ("open/folder/b/a.img", "has no file `folder/b/a.img`"),
    ] {
        let error = bench.fetch(&[samba.url(path)], Checksum::None).await;
        let error = share_error(error.unwrap_err());
        assert!(error.to_string().contains(part), "{error}");
    }
}

#[tokio::test]
async fn a_file_is_transferred_again_only_if_it_changed() {
    let Some(samba) = Samba::start().await else {
        return;
    };
    let (bench, relay) = (Bench::new(), Relay::to(samba.port).await);
    let (one, two) = (body(1, 2_000_000), body(2, 2_000_000));
    samba.write("a.img", &one);
    let urls = [relay.url("open/a.img")];
    let first = bench.fetch(&urls, Checksum::None).await.unwrap();
    assert!(content(&first) == one && !first.from_cache);
    assert!(first.etag.is_some() && relay.taken() > 2_000_000);
    let second = bench.fetch(&urls, Checksum::None).await.unwrap();
    assert!(content(&second) == one && second.from_cache);
    let taken = relay.taken();
    assert!((1..100_000).contains(&taken), "{taken}");
    // Another content of the same length, and then another file of the same length and date.
    samba.write("a.img", &two);
    let third = bench.fetch(&urls, Checksum::None).await.unwrap();
    assert!(content(&third) == two && !third.from_cache);
    let files = samba.folder.path().join("files");
    let modified = fs::metadata(files.join("a.img")).unwrap().modified();
    let three = body(3, 2_000_000);
    samba.write("new", &three);
    let file = fs::File::options().write(true).open(files.join("new"));
    file.unwrap().set_modified(modified.unwrap()).unwrap();
    fs::rename(files.join("new"), files.join("a.img")).unwrap();
    let replaced = bench.fetch(&urls, Checksum::None).await.unwrap();
    assert!(content(&replaced) == three && !replaced.from_cache);
    // By its checksum a file is known without asking.
    relay.taken();
    let fourth = bench.fetch(&urls, sha256(&one)).await.unwrap();
    assert!(content(&fourth) == one && fourth.from_cache);
    assert_eq!(relay.taken(), 0);
    assert!(bench.files("partial").is_empty());
}

#[tokio::test]
async fn half_a_file_is_continued() {
    let Some(samba) = Samba::start().await else {
        return;
    };
    let (bench, relay) = (Bench::new(), Relay::to(samba.port).await);
    let data = body(1, 20 << 20);
    samba.write("a.img", &data);
    let urls = [relay.url("open/a.img")];
    // Cut once: the next attempt goes on where it broke.
    relay.cut.store(12 << 20, Ordering::SeqCst);
    let fetched = bench.fetch(&urls, sha256(&data)).await.unwrap();
    assert!(content(&fetched) == data);
    let taken = relay.taken();
    assert!(taken < 26 << 20, "{taken}");

    // Cut and cancelled: another process goes on.
    let bench = Bench::new();
    let fetcher = Fetcher::new(bench.settings.clone());
    let cancel = CancellationToken::new();
    let request =
        |url: &str| Request::named_by_user(vec![Location::parse(url).unwrap()], sha256(&data));
    let cancelling = Cancelling(&cancel);
    relay.cut.store(12 << 20, Ordering::SeqCst);
    let error = fetcher
        .fetch(&request(&urls[0]), &cancelling, &cancel)
        .await;
    assert!(matches!(error, Err(FetchError::Cancelled)));
    relay.taken();
    let fetched = bench.run(&request(&urls[0]), &Silent).await.unwrap();
    assert!(content(&fetched) == data);
    let taken = relay.taken();
    assert!(taken < 16 << 20, "{taken}");

    // Half of a version that is gone is worth nothing.
    let bench = Bench::new();
    let fetcher = Fetcher::new(bench.settings.clone());
    let cancel = CancellationToken::new();
    relay.cut.store(12 << 20, Ordering::SeqCst);
    let cancelling = Cancelling(&cancel);
    let error = fetcher
        .fetch(&request(&urls[0]), &cancelling, &cancel)
        .await;
    assert!(matches!(error, Err(FetchError::Cancelled)));
    let other = body(2, 20 << 20);
    samba.write("a.img", &other);
    let fetched = bench.fetch(&urls, Checksum::None).await.unwrap();
    assert!(content(&fetched) == other && !fetched.from_cache);
}

/// Cancels as soon as an attempt has failed.
struct Cancelling<'a>(&'a CancellationToken);

impl Progress for Cancelling<'_> {
    fn started(&self, _origin: &Location, _total: Option<u64>, _resumed_from: u64) {}
    fn advanced(&self, _bytes: u64) {}
    fn finished(&self) {}
    fn note(&self, _text: &str) {
        self.0.cancel();
    }
}

#[tokio::test]
async fn a_wrong_checksum_leaves_nothing_and_a_list_may_be_on_the_share() {
    let Some(samba) = Samba::start().await else {
        return;
    };
    let bench = Bench::new();
    samba.write("a.img", b"image");
    let urls = [samba.url("open/a.img")];
    let error = bench.fetch(&urls, sha256(b"other")).await.unwrap_err();
    assert!(error.to_string().contains("checksum mismatch"), "{error}");
    assert!(bench.files("partial").is_empty() && bench.files("blobs").is_empty());
    let list = format!("{}  a.img\n", digest(Algorithm::Sha256, b"image"));
    samba.write("SHA256SUMS", list.as_bytes());
    let url = format!("{}?checksum=file:{}", urls[0], samba.url("open/SHA256SUMS"));
    let fetched = bench.fetch(&[url], Checksum::None).await.unwrap();
    assert_eq!(content(&fetched), b"image");
    assert_eq!(fetched.sha256, Some(digest(Algorithm::Sha256, b"image")));
}

#[tokio::test]
async fn a_share_is_asked_only_where_that_is_allowed() {
    // Nobody listens: had it been asked, the error would say so.
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let bench = Bench::new();
    let request = |host: &str| {
        let url = format!("smb://{host}:{port}/share/a");
        let mut request =
            Request::named_by_user(vec![Location::parse(&url).unwrap()], Checksum::None);
        request.named = BTreeSet::new();
        request
    };
    for host in ["127.0.0.1", "0x7f.1", "[::1]", "localhost", "LOCALHOST."] {
        let error = bench.run(&request(host), &Silent).await.unwrap_err();
        let error = failures(error).remove(0).error;
        assert!(
            matches!(error, LocationError::ForbiddenAddress { .. }),
            "{host}: {error}"
        );
    }
    let bounded = Request {
        reach: Reach::only(|url| url.expose().path().starts_with("/other/")),
        ..request("127.0.0.1")
    };
    let error = failures(bench.run(&bounded, &Silent).await.unwrap_err());
    assert!(matches!(error[0].error, LocationError::OutOfReach(_)));
    let waiting = tokio::time::timeout(Duration::ZERO, listener.accept()).await;
    assert!(waiting.is_err(), "somebody connected");
}

#[tokio::test]
async fn a_server_that_is_gone_or_silent_is_given_up() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut bench = Bench::new();
    bench.settings.read_timeout = Duration::from_millis(50);
    let urls = [format!("smb://127.0.0.1:{port}/share/a")];
    let error = bench.fetch(&urls, Checksum::None).await.unwrap_err();
    let error = share_error(error);
    assert!(matches!(error, ShareError::Timeout { .. }), "{error}");
    drop(listener);
    let error = bench.fetch(&urls, Checksum::None).await.unwrap_err();
    let error = share_error(error);
    assert!(
        error
            .to_string()
            .starts_with("can't connect to 127.0.0.1: 127.0.0.1:"),
        "{error}"
    );
    assert!(error.to_string().contains("refused"), "{error}");
}

/// Whoever accepts a connection and then never comes to an end is given up, and is left, and the next location
/// is tried.
#[tokio::test]
async fn a_share_that_never_ends_is_given_up_and_the_next_is_asked() {
    let cases: [(&str, &[u8], &[u8]); 6] = [
        ("silence", b"", b""),
        ("a byte now and then", b"", b"\0"),
        // A message of a MiB, of which one byte comes at a time.
        ("a long message", b"\0\x10\0\0", b"a"),
        (
            "messages without anything in them",
            b"\0\0\0\0",
            b"\0\0\0\0",
        ),
        ("signs of life of NetBIOS", b"\x85\0\0\0", b"\x85\0\0\0"),
        ("another protocol", b"HTTP/1.1 200 OK\r\n", b"a: b\r\n"),
    ];
    let good = Server::start(|_, _| Reply::body(b"image")).await;
    for (what, first, again) in cases {
        let mut bench = Bench::new();
        bench.settings.patience = Duration::from_millis(300);
        let pause = Duration::from_millis(20);
        let (port, connections, mut left) =
            super::failing::dripping_bytes(first, again, pause).await;
        let bad = format!("smb://127.0.0.1:{port}/share/a");
        let started = std::time::Instant::now();
        let fetched = bench.fetch(&[&bad, &good.url("/a")], Checksum::None).await;
        assert_eq!(content(&fetched.unwrap()), b"image", "{what}");
        assert!(started.elapsed() < Duration::from_secs(20), "{what}");
        let error = failures(bench.fetch(&[&bad], Checksum::None).await.unwrap_err());
        let is_said = matches!(
            error[0].error,
            LocationError::TooSlow { .. } | LocationError::Share(_)
        );
        assert!(is_said, "{what}: {error:?}");
        // A list of checksums is no better than a file.
        let url = format!("{}?checksum=file:{bad}", good.url("/b"));
        bench.fetch(&[url], Checksum::None).await.unwrap_err();
        // Nobody goes on listening.
        let all = connections.load(Ordering::Relaxed);
        let leaving = left.wait_for(|left| *left >= all);
        let is_left = tokio::time::timeout(Duration::from_secs(20), leaving).await;
        assert!(
            is_left.is_ok(),
            "{what}: of {all} connections some are still open"
        );
    }
}

/// The same of a share that has begun as it should.
#[tokio::test]
async fn a_share_that_slows_down_for_ever_is_given_up() {
    let Some(samba) = Samba::start().await else {
        return;
    };
    let mut bench = Bench::new();
    bench.settings.patience = Duration::from_secs(2);
    samba.write("a.img", &body(1, 20 << 20));
    for (drip, begun) in [(1, 1), (600, 600), (5 << 20, 5 << 20)] {
        let relay = Relay::to(samba.port).await;
        relay.drip.store(drip, Ordering::SeqCst);
        let started = std::time::Instant::now();
        let urls = [relay.url("open/a.img")];
        let error = bench.fetch(&urls, Checksum::None).await.unwrap_err();
        let error = failures(error).remove(0).error;
        assert!(
            matches!(error, LocationError::TooSlow { .. }),
            "{drip}: {error}"
        );
        assert!(error.to_string().contains("slow"), "{drip}: {error}");
        assert!(started.elapsed() < Duration::from_secs(30), "{drip}");
        let taken = relay.taken();
        assert!(
            (begun..begun + (1 << 20)).contains(&taken),
            "{drip}: {taken}"
        );
    }
}
