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
async fn the_default_of_the_netrc_file_is_not_for_whom_a_redirect_leads_to() {
    let mut bench = Bench::new();
    bench.settings.netrc = Some(Netrc::parse("default login me password pass").unwrap());
    let second = Server::start(|_, _| Reply::body(b"image")).await;
    let other = second.port;
    let first = Server::start(move |seen, _| {
        let port = seen.header("host").unwrap().rsplit_once(':').unwrap().1;
        let target = match seen.target.as_str() {
            "/name" => format!("http://localhost:{port}/image"),
            "/port" => format!("http://127.0.0.1:{other}/image"),
            "/twice" => format!("http://localhost:{port}/port"),
            "/same" => "/image".to_owned(),
            _ => return Reply::body(b"image"),
        };
        Reply::status(302).with("location", target)
    })
    .await;
    let named = [format!("http://localhost:{}/", first.port), second.url("/")];
    for path in ["/same", "/name", "/port", "/twice"] {
        let mut urls = vec![first.url(path)];
        urls.extend(named.clone());
        bench.fetch(&urls, Checksum::None).await.unwrap();
    }
    let me = Some(ME.to_owned());
    let expected = [
        // same, image
        me.clone(),
        me.clone(),
        // name, image by the other name
        me.clone(),
        None,
        // port
        me.clone(),
        // twice, port by the other name
        me,
        None,
    ];
    assert_eq!(sent(&first, "authorization"), expected);
    assert_eq!(sent(&second, "authorization"), [None, None]);
}

#[tokio::test]
async fn a_machine_of_the_netrc_file_is_told_by_https_or_where_the_url_says_http() {
    let mut bench = Bench::new();
    let text = "machine localhost login me password pass\n\
                machine 127.0.0.1 login you password word\n";
    bench.settings.netrc = Some(Netrc::parse(text).unwrap());
    let (secure, authority) = Server::start_tls(|_, _| Reply::body(b"image")).await;
    bench.settings.certificate_authorities = vec![authority];
    let by_https = format!("https://localhost:{}/image", secure.port);
    let target = by_https.clone();
    let plain = Server::start(move |seen, _| {
        let port = seen.header("host").unwrap().rsplit_once(':').unwrap().1;
        match seen.target.as_str() {
            "/secure" => Reply::status(302).with("location", target.clone()),
            "/plain" => {
                Reply::status(302).with("location", format!("http://localhost:{port}/image"))
            }
            _ => Reply::body(b"image"),
        }
    })
    .await;
    let named = [by_https, format!("http://localhost:{}/", plain.port)];
    for path in ["/secure", "/plain"] {
        let mut urls = vec![plain.url(path)];
        urls.extend(named.clone());
        bench.fetch(&urls, Checksum::None).await.unwrap();
    }
    let (me, you) = (Some(ME.to_owned()), Some(YOU.to_owned()));
    assert_eq!(sent(&secure, "authorization"), [me]);
    let expected = [you.clone(), you, None];
    assert_eq!(sent(&plain, "authorization"), expected);
}

#[tokio::test]
async fn a_component_gets_no_log_in_for_a_host_that_was_not_named_for_it() {
    let mut bench = Bench::new();
    let server = server().await;
    let own = format!("http://127.0.0.1:{}", server.port);
    let header = HostHeader::new(&own, "X-Key", "k3y".into()).unwrap();
    bench.settings.headers = vec![header];
    let text = "machine 127.0.0.1 login me password pass default login no password no";
    bench.settings.netrc = Some(Netrc::parse(text).unwrap());
    let location = Location::parse(&server.url("/a")).unwrap();
    let elsewhere = Location::parse(&format!("http://localhost:{}/a", server.port)).unwrap();
    let named = Request::named_by_user(vec![location], Checksum::None);
    let component = Request {
        author: Author::Component {
            identity: "a".to_owned(),
            aws_credentials: false,
        },
        ..named.clone()
    };
    bench.run(&component, &Silent).await.unwrap();
    let other = Request {
        locations: vec![elsewhere.clone()],
        ..Request::named_by_user(vec![elsewhere], Checksum::None)
    };
    let component = Request {
        author: component.author.clone(),
        ..other
    };
    bench.run(&component, &Silent).await.unwrap();
    // Named in full: its own, and for the host without one nothing of the default.
    assert_eq!(sent(&server, "authorization"), [Some(ME.to_owned()), None]);
    assert_eq!(sent(&server, "x-key"), [Some("k3y".to_owned()), None]);
}

#[tokio::test]
async fn a_proxys_credentials_are_for_the_proxy() {
    let mut bench = Bench::new();
    let proxy = Server::start(|_, _| Reply::body(b"by proxy")).await;
    let direct = Server::start(|_, _| Reply::body(b"direct")).await;
    let url = format!("http://me:pass@127.0.0.1:{}", proxy.port);
    bench.settings.proxy = ProxySettings {
        http: Some(SafeUrl::parse(&url).unwrap()),
        https: Some(SafeUrl::parse(&url).unwrap()),
        bypass: Some("127.0.0.1".to_owned()),
    };
    bench
        .fetch(&[direct.url("/a")], Checksum::None)
        .await
        .unwrap();
    bench
        .fetch(&["http://images.invalid/a"], Checksum::None)
        .await
        .unwrap();
    // Of what goes by https the proxy hears whom to connect to.
    bench
        .fetch(&["https://images.invalid/a"], Checksum::None)
        .await
        .unwrap_err();
    assert_eq!(sent(&direct, "proxy-authorization"), [None]);
    let heard = sent(&proxy, "proxy-authorization");
    assert!(
        heard.len() >= 2 && heard.iter().all(|it| it.as_deref() == Some(ME)),
        "{heard:?}"
    );
    assert!(sent(&proxy, "authorization").iter().all(Option::is_none));
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
