//! Who a request says it is from, and who hears it.

use super::*;
use crate::{HostHeader, Netrc};

/// Answers with an image; `/other/…` leads to the same port by another name.
async fn server() -> Server {
    Server::start(|seen, _| match seen.target.split_once("/other/") {
        Some((_, path)) => {
            let port = seen.header("host").unwrap().rsplit_once(':').unwrap().1;
            Reply::status(302).with("location", format!("http://localhost:{port}/{path}"))
        }
        None => Reply::body(b"image"),
    })
    .await
}

fn sent(server: &Server, name: &str) -> Vec<Option<String>> {
    let seen = server.seen().into_iter();
    seen.map(|it| it.headers.get(name).cloned()).collect()
}

/// Base64 of `me:pass` and `you:word`.
const ME: &str = "Basic bWU6cGFzcw==";
const YOU: &str = "Basic eW91OndvcmQ=";

#[tokio::test]
async fn headers_go_to_the_address_they_were_given_for() {
    let mut bench = Bench::new();
    let server = server().await;
    let own = format!("http://127.0.0.1:{}", server.port);
    let header = |address: &str, name: &str, value: &str| {
        HostHeader::new(address, name, value.into()).unwrap()
    };
    bench.settings.headers = vec![
        header(&own, "Authorization", "Bearer t0ken"),
        header(&own, "X-Key", "k3y"),
        header("127.0.0.1", "X-Https-Only", "no"),
        header("http://127.0.0.1", "X-Other-Port", "no"),
    ];
    let locations = vec![
        Location::parse(&server.url("/other/a")).unwrap(),
        Location::parse(&format!("http://localhost:{}/", server.port)).unwrap(),
    ];
    let request = Request::named_by_user(locations, Checksum::None);
    bench.run(&request, &Silent).await.unwrap();
    let bearer = Some("Bearer t0ken".to_owned());
    assert_eq!(sent(&server, "authorization"), [bearer, None]);
    assert_eq!(sent(&server, "x-key"), [Some("k3y".to_owned()), None]);
    assert_eq!(sent(&server, "x-https-only"), [None, None]);
    assert_eq!(sent(&server, "x-other-port"), [None, None]);
    let shown = format!("{:?}", bench.settings);
    assert!(
        !shown.contains("t0ken") && !shown.contains("k3y"),
        "{shown}"
    );
}

#[tokio::test]
async fn the_netrc_file_is_for_its_hosts_and_the_url_counts_more() {
    let mut bench = Bench::new();
    let text = "machine 127.0.0.1 login me password pass";
    bench.settings.netrc = Some(Netrc::parse(text).unwrap());
    let server = server().await;
    let named = format!("http://localhost:{}/", server.port);
    let urls = [
        server.url("/a"),
        server.url("/b").replace("127", "you:word@127"),
        server.url("/other/c"),
    ];
    for url in urls {
        bench
            .fetch(&[url, named.clone()], Checksum::None)
            .await
            .unwrap();
    }
    let (me, you) = (Some(ME.to_owned()), Some(YOU.to_owned()));
    assert_eq!(sent(&server, "authorization"), [me.clone(), you, me, None]);
}

#[tokio::test]
async fn a_header_counts_more_than_the_netrc_file_and_less_than_the_url() {
    let mut bench = Bench::new();
    let server = server().await;
    bench.settings.netrc = Some(Netrc::parse("default login me password pass").unwrap());
    let own = format!("http://127.0.0.1:{}", server.port);
    let header = HostHeader::new(&own, "authorization", "Bearer t0ken".into()).unwrap();
    bench.settings.headers = vec![header];
    for url in [
        server.url("/a"),
        server.url("/b").replace("127", "you:word@127"),
    ] {
        bench.fetch(&[url], Checksum::None).await.unwrap();
    }
    let expected = [Some("Bearer t0ken".to_owned()), Some(YOU.to_owned())];
    assert_eq!(sent(&server, "authorization"), expected);
}

#[tokio::test]
async fn a_server_that_wants_to_know_is_an_error_that_says_how() {
    let bench = Bench::new();
    let server = Server::start(|_, _| Reply::status(401)).await;
    let error = bench
        .fetch(&[server.url("/a")], Checksum::None)
        .await
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("401 Unauthorized; give name and password"),
        "{error}"
    );
}
