use std::sync::Mutex;

use reqwest::Method;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

mod strangers;

/// A server on the loopback and what its observer was told.
struct Running {
    server: HttpServer,
    seen: Arc<Mutex<Vec<Event>>>,
    client: reqwest::Client,
}

impl Running {
    async fn start(served: ServedFiles) -> Self {
        Self::start_on(served, &on_loopback()).await
    }

    async fn start_on(served: ServedFiles, listen: &Listen) -> Self {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let observer: Observer = {
            let seen = Arc::clone(&seen);
            Arc::new(move |event| seen.lock().unwrap().push(event))
        };
        let server = HttpServer::start(served, listen, observer).await.unwrap();
        // It has no part in this, but the client doesn't come without one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        Self {
            server,
            seen,
            client,
        }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.server.address())
    }

    async fn ask(&self, method: Method, path: &str, range: Option<&str>) -> reqwest::Response {
        let mut request = self.client.request(method, self.url(path));
        if let Some(range) = range {
            request = request.header("range", range);
        }
        request.send().await.unwrap()
    }

    async fn get(&self, path: &str) -> (u16, String) {
        let response = self.ask(Method::GET, path, None).await;
        (response.status().as_u16(), response.text().await.unwrap())
    }

    /// Sends a request that no client would send, and gives the status.
    async fn raw(&self, target: &str) -> String {
        let mut stream = TcpStream::connect(self.server.address()).await.unwrap();
        let request = format!("GET {target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }
}

fn on_loopback() -> Listen {
    Listen {
        address: std::net::Ipv4Addr::LOCALHOST.into(),
        ports: 20_000..=30_000,
        protocol: lvhost_config::HttpNetworkProtocol::Tcp,
        peers: Peers::Anyone,
    }
}

fn contents(texts: &[(&str, &str)]) -> ServedFiles {
    ServedFiles::Contents(
        texts
            .iter()
            .map(|(path, text)| ((*path).to_string(), SecretString::from(*text)))
            .collect(),
    )
}

/// A folder to serve, inside of one that is not to be seen.
fn folder() -> (tempfile::TempDir, PathBuf) {
    use std::os::unix::fs::symlink;
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("secret"), "secret").unwrap();
    let folder = outside.path().join("served");
    std::fs::create_dir_all(folder.join("sub/deep")).unwrap();
    std::fs::create_dir(folder.join("page")).unwrap();
    for (path, text) in [
        ("ks.cfg", "0123456789"),
        ("sub/user-data", "#cloud-config\n"),
        ("with space & <.txt", "odd"),
        ("page/index.html", "index"),
        ("empty", ""),
    ] {
        std::fs::write(folder.join(path), text).unwrap();
    }
    symlink("../secret", folder.join("out")).unwrap();
    symlink(outside.path().join("secret"), folder.join("absolute")).unwrap();
    symlink("..", folder.join("up")).unwrap();
    symlink("sub/user-data", folder.join("within")).unwrap();
    (outside, folder)
}

#[tokio::test]
async fn files_of_the_folder_are_served() {
    let (_outside, folder) = folder();
    let running = Running::start(ServedFiles::Directory(folder)).await;
    for (path, text) in [
        ("/ks.cfg", "0123456789"),
        ("/ks.cfg?x=1", "0123456789"),
        ("/sub/user-data", "#cloud-config\n"),
        ("/sub//user-data", "#cloud-config\n"),
        ("/with%20space%20%26%20%3C.txt", "odd"),
        ("/page/", "index"),
        ("/empty", ""),
        ("/within", "#cloud-config\n"),
    ] {
        assert_eq!(running.get(path).await, (200, text.to_string()), "{path}");
    }
    let redirect = running.ask(Method::GET, "/sub", None).await;
    assert_eq!(redirect.status(), 307);
    assert_eq!(redirect.headers()["location"], "/sub/");
    for path in ["/none", "/none/", "/ks.cfg/", "/ks.cfg/x", "/sub/none"] {
        assert_eq!(running.get(path).await.0, 404, "{path}");
    }
}

#[tokio::test]
async fn what_is_outside_of_the_folder_is_not_served() {
    let (_outside, folder) = folder();
    let running = Running::start(ServedFiles::Directory(folder)).await;
    for target in [
        "/../secret",
        "/sub/../../secret",
        "/%2e%2e/secret",
        "/..%2fsecret",
        "/%2e%2e%2fsecret",
        "/sub/..%5c..%5csecret",
        "/%00",
        "//etc/passwd",
        "/%2fetc/passwd",
        "/out",
        "/absolute",
        "/up/secret",
        "/up/",
        "/up",
        "http://x/../secret",
    ] {
        let answer = running.raw(target).await;
        let status = answer.split(' ').nth(1).unwrap_or_default();
        assert!(["403", "404"].contains(&status), "{target}: {answer}");
        assert!(!answer.contains("secret"), "{target}: {answer}");
    }
}

#[tokio::test]
async fn a_named_pipe_does_not_hang() {
    let (_outside, folder) = folder();
    let pipe = folder.join("pipe");
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    let running = Running::start(ServedFiles::Directory(folder)).await;
    assert_eq!(running.get("/pipe").await.0, 404);
}

#[tokio::test]
async fn a_folder_without_an_index_is_listed() {
    let (_outside, folder) = folder();
    let running = Running::start(ServedFiles::Directory(folder)).await;
    let (status, page) = running.get("/").await;
    assert_eq!(status, 200);
    assert!(page.contains("<a href=\"ks.cfg\">ks.cfg</a>\n"), "{page}");
    assert!(page.contains("<a href=\"sub/\">sub/</a>\n"), "{page}");
    let (_, page) = running.get("/sub/").await;
    assert!(
        page.contains("user-data") && !page.contains("ks.cfg"),
        "{page}"
    );
}

#[tokio::test]
async fn texts_are_served_and_nothing_else() {
    let texts = [
        ("/user-data", "#cloud-config\n"),
        ("/a//./b", "b"),
        ("/é", "e"),
    ];
    let running = Running::start(contents(&texts)).await;
    for (path, text) in [
        ("/user-data", "#cloud-config\n"),
        ("/a/b", "b"),
        ("/%C3%A9", "e"),
    ] {
        assert_eq!(running.get(path).await, (200, text.to_string()), "{path}");
    }
    for path in ["/", "/a", "/a/", "/user-data/", "/User-Data", "/etc/passwd"] {
        assert_eq!(running.get(path).await.0, 404, "{path}");
    }
    let root = Running::start(contents(&[("/", "root")])).await;
    assert_eq!(root.get("/").await, (200, "root".to_string()));
}

#[tokio::test]
async fn ranges_and_heads_are_answered() {
    let (_outside, folder) = folder();
    for served in [
        ServedFiles::Directory(folder),
        contents(&[("/ks.cfg", "0123456789")]),
    ] {
        let running = Running::start(served).await;
        let head = running.ask(Method::HEAD, "/ks.cfg", None).await;
        assert_eq!(head.status(), 200);
        assert_eq!(head.headers()["content-length"], "10");
        assert_eq!(head.headers()["accept-ranges"], "bytes");
        assert_eq!(head.text().await.unwrap(), "");
        for (range, status, text) in [
            ("bytes=2-4", 206, "234"),
            ("bytes=7-", 206, "789"),
            ("bytes=-2", 206, "89"),
            ("bytes=10-", 416, ""),
            ("bytes=x", 416, ""),
        ] {
            let response = running.ask(Method::GET, "/ks.cfg", Some(range)).await;
            assert_eq!(response.status(), status, "{range}");
            assert_eq!(response.text().await.unwrap(), text, "{range}");
        }
        let etag = running.ask(Method::GET, "/ks.cfg", None).await;
        let etag = etag.headers()["etag"].clone();
        let request = running.client.get(running.url("/ks.cfg"));
        let same = request.header("if-none-match", etag).send().await.unwrap();
        assert_eq!(same.status(), 304);
        let post = running.ask(Method::POST, "/ks.cfg", None).await;
        assert_eq!(post.status(), 405);
    }
}

#[tokio::test]
async fn the_observer_is_told_of_each_request() {
    let running = Running::start(contents(&[("/ks.cfg", "secret")])).await;
    running.get("/ks.cfg?token=secret").await;
    running.get("/%1b%5b31m").await;
    running.ask(Method::HEAD, "/none", None).await;
    let seen = running.seen.lock().unwrap().clone();
    let seen: Vec<_> = seen
        .into_iter()
        .map(|event| match event {
            Event::Answered(exchange) => exchange,
            Event::Refused(peer) => panic!("{peer}"),
        })
        .collect();
    let told: Vec<_> = seen
        .iter()
        .map(|seen| (seen.method.as_str(), seen.path.as_str(), seen.status))
        .collect();
    assert_eq!(
        told,
        [
            ("GET", "/ks.cfg", 200),
            ("GET", "/%1b%5b31m", 404),
            ("HEAD", "/none", 404),
        ]
    );
    assert!(seen.iter().all(|seen| seen.peer.is_loopback()), "{seen:?}");
    assert_eq!(seen[2].explanation(), Some("there is no such file"));
    assert!(!format!("{seen:?}").contains("secret"));
}

#[tokio::test]
async fn the_observer_is_told_of_so_many_requests_only() {
    let running = Running::start(contents(&[("/a", "a")])).await;
    let asked = MAX_OBSERVED + 10;
    for _ in 0..asked {
        running.ask(Method::HEAD, "/a", None).await;
    }
    assert_eq!(running.seen.lock().unwrap().len(), MAX_OBSERVED);
}

#[tokio::test]
async fn a_stopped_server_closes_port_and_connections() {
    let running = Running::start(contents(&[("/a", "a")])).await;
    let address = running.server.address();
    let mut open = TcpStream::connect(address).await.unwrap();
    open.write_all(b"HEAD /a HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    assert_ne!(open.read(&mut [0; 1024]).await.unwrap(), 0);
    running.server.stop().await;
    assert_eq!(open.read(&mut [0; 1]).await.unwrap_or(0), 0);
    assert!(TcpStream::connect(address).await.is_err());
    // The very port can be taken again.
    let listen = Listen {
        ports: address.port()..=address.port(),
        ..on_loopback()
    };
    let again = HttpServer::start(contents(&[]), &listen, Arc::new(|_| ())).await;
    assert_eq!(again.unwrap().address(), address);
}

#[tokio::test]
async fn both_protocols_reach_a_server_on_every_address() {
    let listen = Listen {
        address: std::net::Ipv6Addr::UNSPECIFIED.into(),
        ..on_loopback()
    };
    let server = HttpServer::start(contents(&[("/a", "a")]), &listen, Arc::new(|_| ()))
        .await
        .unwrap();
    let port = server.address().port();
    TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    TcpStream::connect(("::1", port)).await.unwrap();
}

#[tokio::test]
async fn what_can_not_be_served_is_an_error_that_names_it() {
    for (served, expected) in [
        (
            ServedFiles::Directory("/nonexistent/http".into()),
            "can't open `http_directory` /nonexistent/http",
        ),
        (contents(&[("/../x", "")]), "`/../x` in `http_content`"),
        (contents(&[("x", "")]), "`x` in `http_content`"),
    ] {
        let result = HttpServer::start(served, &on_loopback(), Arc::new(|_| ())).await;
        let error = result.err().unwrap().to_string();
        assert!(error.contains(expected), "{error}");
    }
}
