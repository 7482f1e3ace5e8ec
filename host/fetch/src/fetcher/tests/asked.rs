//! Questions, and what a component sends along with them and with downloads.

use super::server::Seen;
use super::*;
use crate::ask::MOST_BYTES;
use crate::{Method, Question};

const TOKEN: &str = "Bearer t0ken";

fn request(urls: &[String], headers: &[(&str, &str)]) -> Request {
    let locations = urls
        .iter()
        .map(|url| Location::parse(url).unwrap())
        .collect();
    let mut request = Request::named_by_user(locations, Checksum::None);
    for (name, value) in headers {
        request.headers.add(name, &(*value).into()).unwrap();
    }
    request
}

impl Bench {
    async fn ask(
        &self,
        method: Method,
        request: Request,
        body: &str,
    ) -> Result<crate::Reply, FetchError> {
        let question = Question {
            request,
            method,
            body: body.as_bytes().to_vec().into(),
        };
        let fetcher = Fetcher::new(self.settings.clone());
        fetcher.ask(&question, &CancellationToken::new()).await
    }
}

fn sent(server: &Server, name: &str) -> Vec<Option<String>> {
    let seen = server.seen().into_iter();
    seen.map(|it| it.headers.get(name).cloned()).collect()
}

/// Leads to `/PATH` by the same port of another name for `/other/PATH`, and of the same name for `/same/PATH`.
fn led(seen: &Seen, status: u16) -> Option<Reply> {
    let (host, path) = match seen.target.split_once("/other/") {
        Some((_, path)) => ("localhost", path),
        None => ("127.0.0.1", seen.target.split_once("/same/")?.1),
    };
    let port = seen.header("host")?.rsplit_once(':')?.1;
    Some(Reply::status(status).with("location", format!("http://{host}:{port}/{path}")))
}

#[tokio::test]
async fn an_answer_is_handed_on_whatever_it_is() {
    let bench = Bench::new();
    let server = Server::start(|seen, _| match seen.target.as_str() {
        "/401" => Reply {
            status: 401,
            ..Reply::body(b"who are you?")
        }
        .with("WWW-Authenticate", "Bearer realm=\"https://h/token\""),
        _ => Reply::status(404),
    })
    .await;
    let asked = request(&[server.url("/401")], &[("Accept", "application/json")]);
    let reply = bench.ask(Method::Get, asked, "").await.unwrap();
    assert_eq!((reply.status, &reply.body[..]), (401, &b"who are you?"[..]));
    let challenge = (
        "www-authenticate".to_owned(),
        "Bearer realm=\"https://h/token\"".to_owned(),
    );
    assert!(reply.headers.contains(&challenge), "{:?}", reply.headers);
    let asked = request(&[server.url("/nothing")], &[]);
    assert_eq!(
        bench.ask(Method::Head, asked, "").await.unwrap().status,
        404
    );
    let seen = server.seen();
    assert_eq!((&*seen[0].method, &*seen[1].method), ("GET", "HEAD"));
    assert_eq!(seen[0].header("accept"), Some("application/json"));
    assert!(!bench.settings.cache_directory.exists(), "nothing is kept");
}

#[tokio::test]
async fn what_is_sent_is_sent_once_and_goes_nowhere_else() {
    let bench = Bench::new();
    for status in [301, 302, 303, 307, 308] {
        let server = Server::start(move |seen, _| match led(seen, status) {
            Some(reply) => reply,
            None => Reply::body(b"token").cut(2),
        })
        .await;
        for path in ["/other/a", "/same/a"] {
            let asked = request(&[server.url(path)], &[("Authorization", TOKEN)]);
            let reply = bench.ask(Method::Post, asked, "password=x").await.unwrap();
            assert_eq!(reply.status, status);
        }
        let seen = server.seen();
        assert_eq!(seen.len(), 2, "{status}");
        assert!(
            seen.iter()
                .all(|it| it.method == "POST" && it.body == b"password=x")
        );
        // A connection that breaks: it may have done its work.
        let asked = request(&[server.url("/a")], &[]);
        assert!(bench.ask(Method::Post, asked, "again").await.is_err());
        assert_eq!(server.seen().len(), 3, "{status}");
        let asked = request(&[server.url("/a")], &[]);
        assert!(bench.ask(Method::Get, asked, "").await.is_err());
        assert!(server.seen().len() > 4, "what only asks is tried again");
    }
}

#[tokio::test]
async fn a_redirect_takes_no_log_in_along() {
    let bench = Bench::new();
    let headers = [
        ("Authorization", TOKEN),
        ("Cookie", "t0ken"),
        ("X-Vault-Token", "t0ken"),
        ("Accept", "a/b"),
    ];
    for status in [301, 302, 303, 307, 308] {
        let server = Server::start(move |seen, _| match led(seen, status) {
            Some(reply) => reply,
            None => Reply::body(b"image"),
        })
        .await;
        for (path, hops) in [
            ("/other/a", &[true, false][..]),
            ("/same/a", &[true, true]),
            // There and back again: to where they are for.
            ("/other/same/a", &[true, false, true]),
        ] {
            let before = server.seen().len();
            let mut asked = request(&[server.url(path)], &headers);
            let other = SafeUrl::parse(&format!("http://localhost:{}/", server.port)).unwrap();
            asked.named.extend(Endpoint::of(&other));
            bench.ask(Method::Get, asked.clone(), "").await.unwrap();
            let asking = server.seen().len() - before;
            bench.run(&asked, &Silent).await.unwrap();
            for seen in [
                &server.seen()[before..before + asking],
                &server.seen()[before + asking..],
            ] {
                assert_eq!(seen.len(), hops.len(), "{status} {path}");
                for (hop, &is_meant) in seen.iter().zip(hops) {
                    for name in ["authorization", "cookie", "x-vault-token"] {
                        assert_eq!(
                            hop.header(name).is_some(),
                            is_meant,
                            "{status} {path} {name}"
                        );
                    }
                    assert_eq!(hop.header("accept"), Some("a/b"));
                }
            }
        }
    }
}

#[tokio::test]
async fn who_says_who_asks_gets_no_other_log_in() {
    let mut bench = Bench::new();
    let netrc = "machine 127.0.0.1 login me password pass";
    bench.settings.netrc = Some(crate::Netrc::parse(netrc).unwrap());
    let server = Server::start(|_, _| Reply::body(b"image")).await;
    for headers in [&[("authorization", TOKEN)][..], &[]] {
        let asked = request(&[server.url("/a")], headers);
        bench.ask(Method::Get, asked, "").await.unwrap();
    }
    let own = Some(TOKEN.to_owned());
    let netrc = Some("Basic bWU6cGFzcw==".to_owned());
    assert_eq!(sent(&server, "authorization"), [own, netrc]);
}

#[tokio::test]
async fn a_list_of_checksums_is_asked_for_without_the_headers_of_its_file() {
    let bench = Bench::new();
    let server = Server::start(|seen, _| match seen.target.as_str() {
        "/SUMS" => {
            let line = format!("{}  a\n", digest(Algorithm::Sha256, b"image"));
            Reply::body(line.as_bytes())
        }
        _ => Reply::body(b"image"),
    })
    .await;
    let mut asked = request(&[server.url("/a")], &[("authorization", TOKEN)]);
    asked.checksum = Checksum::parse(&format!("file:{}", server.url("/SUMS"))).unwrap();
    bench.run(&asked, &Silent).await.unwrap();
    assert_eq!(
        sent(&server, "authorization"),
        [None, Some(TOKEN.to_owned())]
    );
}

#[tokio::test]
async fn the_cache_tells_apart_what_was_asked_for_otherwise() {
    let bench = Bench::new();
    let server = Server::start(|seen, _| {
        let body = seen.header("accept").unwrap_or("nothing").to_owned();
        // A server that does not tell its answers apart by their tags.
        Reply::file(seen, body.as_bytes(), "\"same\"")
    })
    .await;
    for round in 0..2 {
        for accept in ["one", "two"] {
            let asked = request(&[server.url("/a")], &[("accept", accept)]);
            let fetched = bench.run(&asked, &Silent).await.unwrap();
            assert_eq!(content(&fetched), accept.as_bytes());
            assert_eq!(fetched.from_cache, round == 1);
        }
    }
}

#[tokio::test]
async fn an_answer_has_an_end() {
    let bench = Bench::new();
    let server = Server::start(|seen, _| match seen.target.as_str() {
        "/body" => Reply::body(&vec![b'x'; MOST_BYTES + 1]),
        "/most" => Reply::body(&vec![b'x'; MOST_BYTES]),
        _ => Reply::body(b"").with("x-long", "y".repeat(70_000)),
    })
    .await;
    let asked = request(&[server.url("/most")], &[]);
    let reply = bench.ask(Method::Get, asked, "").await.unwrap();
    assert_eq!(reply.body.len(), MOST_BYTES);
    for path in ["/body", "/headers"] {
        let asked = request(&[server.url(path)], &[]);
        let error = bench.ask(Method::Get, asked, "").await.unwrap_err();
        assert!(error.to_string().contains("sent more than"), "{error}");
    }
}

#[tokio::test]
async fn only_servers_of_http_are_asked() {
    let bench = Bench::new();
    let file = bench.directory.path().join("a");
    fs::write(&file, "secret").unwrap();
    for url in [
        file.to_str().unwrap().to_owned(),
        format!("file://{}", file.display()),
        "s3::https://s3.amazonaws.com/bucket/a".to_owned(),
    ] {
        let asked = request(std::slice::from_ref(&url), &[]);
        let error = bench.ask(Method::Get, asked, "").await.unwrap_err();
        assert!(
            error.to_string().contains("only http and https"),
            "{url}: {error}"
        );
    }
    let asked = request(
        &["s3::https://s3.amazonaws.com/bucket/a".to_owned()],
        &[("x", "y")],
    );
    let error = bench.run(&asked, &Silent).await.unwrap_err();
    assert!(error.to_string().contains("headers are sent to"), "{error}");
}

#[tokio::test]
async fn the_first_that_answers_is_the_answer() {
    let bench = Bench::new();
    let server = Server::start(|_, _| Reply::status(404)).await;
    let nobody = format!("http://127.0.0.1:{}/", free_port());
    let asked = request(&[nobody.clone(), server.url("/a")], &[]);
    assert_eq!(bench.ask(Method::Get, asked, "").await.unwrap().status, 404);
    let none = bench.ask(Method::Get, request(&[nobody], &[]), "").await;
    assert_eq!(failures(none.unwrap_err()).len(), 1);
    let nothing = bench.ask(Method::Get, request(&[], &[]), "").await;
    assert!(matches!(nothing, Err(FetchError::NoLocation)));
}

/// A port that nobody listens on.
fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}
