//! Redirects, addresses, credentials, proxies and certificates.

use base64::Engine as _;

use super::*;

#[tokio::test]
async fn redirects_are_followed_and_counted() {
    let bench = Bench::new();
    let server = Server::start(|seen, _| match seen.target.as_str() {
        "/loop" => Reply::status(302).with("location", "/loop"),
        "/nowhere" => Reply::status(302),
        "/file" => Reply::status(301).with("location", "file:///etc/hostname"),
        "/1" => Reply::status(301).with("location", "2"),
        "/2" => Reply::status(307).with("location", "/3?x=y"),
        _ => Reply::body(b"image"),
    })
    .await;
    let fetched = bench
        .fetch(&[server.url("/1")], Checksum::None)
        .await
        .unwrap();
    assert_eq!(content(&fetched), b"image");
    let before = server.seen().len();
    for (path, part) in [
        ("/loop", "more than 10 redirects"),
        ("/nowhere", "without saying where to"),
        ("/file", "refused to follow a redirect to `file:`"),
    ] {
        let error = bench
            .fetch(&[server.url(path)], Checksum::None)
            .await
            .unwrap_err();
        assert!(error.to_string().contains(part), "{error}");
    }
    assert_eq!(server.seen().len(), before + 11 + 1 + 1);
}

#[tokio::test]
async fn inward_addresses_are_for_hosts_the_user_named() {
    let bench = Bench::new();
    let server = Server::start(|seen, _| match seen.target.split_once("/to/") {
        Some((_, target)) => Reply::status(302).with("location", format!("http://{target}")),
        None => Reply::body(b"image"),
    })
    .await;
    let port = server.port;
    for (host, target) in [
        ("127.0.0.1", format!("localhost:{port}/a")),
        ("localhost", format!("127.0.0.1:{port}/a")),
        ("localhost", "169.254.169.254/latest/meta-data".to_owned()),
        ("localhost", "[::1]/a".to_owned()),
    ] {
        let start = format!("http://{host}:{port}/to/{target}");
        let error = bench.fetch(&[&start], Checksum::None).await.unwrap_err();
        let failures = failures(error);
        assert!(
            matches!(failures[0].error, LocationError::ForbiddenAddress { .. }),
            "{failures:?}"
        );
        if target.ends_with("/a") && !target.contains('[') {
            let named = [start, format!("http://{target}")];
            let fetched = bench.fetch(&named, Checksum::None).await.unwrap();
            assert_eq!(fetched.origin.to_string(), named[0]);
        }
    }
    // A location that somebody else than the user gave is no better than a redirect.
    let location = Location::parse(&server.url("/a")).unwrap();
    let request = Request {
        locations: vec![location],
        checksum: Checksum::None,
        named: BTreeSet::new(),
        author: Author::User,
        reach: Reach::default(),
        headers: RequestHeaders::default(),
        packed: Packed::Unpacked,
        held: BTreeMap::new(),
    };
    let error = bench.run(&request, &Silent).await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("refused to connect to 127.0.0.1"),
        "{error}"
    );
}

#[tokio::test]
async fn no_redirect_leads_to_what_only_this_machine_can_reach() {
    let mut bench = Bench::new();
    bench.settings.connect_timeout = Duration::from_secs(5);
    let server = Server::start(|seen, _| match seen.target.strip_prefix("/to/") {
        Some(target) => Reply::status(302).with("location", format!("http://{target}/")),
        None => Reply::body(b"image"),
    })
    .await;
    let neighbour = Server::start(|_, _| Reply::body(b"secret")).await;
    let mut targets: Vec<String> = [
        "168.63.129.16",
        "169.254.169.254",
        "100.100.100.200",
        "192.0.0.192",
        "[fd00:ec2::254]",
        "[fd00:ec2::23]",
        "[fd20:ce::254]",
        "[2002:7f00:1::]",
        "[2002:a9fe:a9fe::]",
        "[::ffff:0:127.0.0.1]",
        "[64:ff9b:1::127.0.0.1]",
        "[64:ff9b::169.254.169.254]",
        "[2001:0:7f00:1::]",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "[ff02::1]",
        "[fec0::1]",
        "[::]",
        "0x7f000001",
        "localhost",
    ]
    .map(str::to_owned)
    .into();
    // A host that is named, by another port; and this machine by each of its own addresses.
    targets.push(format!("127.0.0.1:{}", neighbour.port));
    let own = nix::ifaddrs::getifaddrs().unwrap();
    let own = own.filter_map(|it| Some(it.address?.as_sockaddr_in()?.ip()));
    targets.extend(own.map(|ip| format!("{ip}:{}", neighbour.port)));
    for target in targets {
        let url = server.url(&format!("/to/{target}"));
        let error = bench.fetch(&[url], Checksum::None).await.unwrap_err();
        let failures = failures(error);
        assert!(
            matches!(failures[0].error, LocationError::ForbiddenAddress { .. }),
            "{target}: {failures:?}"
        );
    }
    assert!(neighbour.seen().is_empty());
}

/// A name that is this machine's and does not look so, if there is one.
async fn inconspicuous_name() -> Option<&'static str> {
    for name in ["ip6-localhost", "ip6-loopback"] {
        if tokio::net::lookup_host((name, 0)).await.is_ok() {
            return Some(name);
        }
    }
    None
}

#[tokio::test]
async fn behind_a_proxy_names_are_judged_too() {
    let mut bench = Bench::new();
    let proxy = Server::start(|seen, _| match seen.target.split_once("/to/") {
        Some((_, target)) => Reply::status(302).with("location", format!("http://{target}/")),
        None => Reply::body(b"by proxy"),
    })
    .await;
    bench.settings.proxy.http = Some(SafeUrl::parse(&proxy.url("/")).unwrap());
    let by_user = |target: &str| {
        let location = Location::parse(&format!("http://images.invalid/to/{target}")).unwrap();
        Request::named_by_user(vec![location], Checksum::None)
    };
    let by_component = |url: &str| Request {
        named: BTreeSet::new(),
        author: Author::Component {
            identity: "a".to_owned(),
            aws_credentials: false,
        },
        ..Request::named_by_user(vec![Location::parse(url).unwrap()], Checksum::None)
    };
    let mut inward = vec!["127.0.0.1", "localhost", "[::1]", "169.254.169.254"];
    match inconspicuous_name().await {
        Some(name) => inward.push(name),
        None => eprintln!("SKIPPED: no name of this machine to resolve but localhost"),
    }
    for target in inward {
        for request in [by_user(target), by_component(&format!("http://{target}/a"))] {
            let failures = failures(bench.run(&request, &Silent).await.unwrap_err());
            assert!(
                matches!(failures[0].error, LocationError::ForbiddenAddress { .. }),
                "{target}: {failures:?}"
            );
        }
    }
    // What the proxy alone may know is for the user to ask for.
    let elsewhere = by_user("mirror.invalid");
    let fetched = bench.run(&elsewhere, &Silent).await.unwrap();
    assert_eq!(content(&fetched), b"by proxy");
    let component = by_component("http://mirror.invalid/a");
    let refused = failures(bench.run(&component, &Silent).await.unwrap_err());
    assert!(
        matches!(refused[0].error, LocationError::Unresolved { .. }),
        "{refused:?}"
    );
    let named = Request {
        named: elsewhere
            .named
            .iter()
            .cloned()
            .chain(Endpoint::of(
                &SafeUrl::parse("http://mirror.invalid/").unwrap(),
            ))
            .collect(),
        ..component
    };
    let fetched = bench.run(&named, &Silent).await.unwrap();
    assert_eq!(content(&fetched), b"by proxy");
    for seen in proxy.seen() {
        assert!(seen.target.contains(".invalid/"), "{seen:?}");
    }
}

#[tokio::test]
async fn credentials_stay_with_their_host() {
    let bench = Bench::new();
    let server = Server::start(|seen, _| match seen.target.as_str() {
        "/same" => Reply::status(302).with("location", "/image"),
        "/other" => {
            let port = seen.header("host").unwrap().rsplit_once(':').unwrap().1;
            Reply::status(302).with("location", format!("http://localhost:{port}/image"))
        }
        _ => Reply::body(b"image"),
    })
    .await;
    let named = format!("http://localhost:{}/", server.port);
    for path in ["/same", "/other"] {
        let url = format!("http://user:p%40ss@127.0.0.1:{}{path}", server.port);
        bench
            .fetch(&[url, named.clone()], Checksum::None)
            .await
            .unwrap();
    }
    let sent: Vec<_> = server
        .seen()
        .iter()
        .map(|s| s.headers.get("authorization").cloned())
        .collect();
    // Base64 of "user:p@ss".
    let basic = Some("Basic dXNlcjpwQHNz".to_owned());
    assert_eq!(sent, [basic.clone(), basic.clone(), basic, None]);
    let text: String = bench
        .files("urls")
        .iter()
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    assert!(
        text.contains("***@127.0.0.1") && !text.contains("ss@"),
        "{text}"
    );
}

#[tokio::test]
async fn a_bounded_request_is_not_led_out_of_its_bounds() {
    let bench = Bench::new();
    let server = Server::start(|seen, _| match seen.target.as_str() {
        "/in/away" => Reply::status(302).with("location", "/out/image"),
        "/in/stay" => Reply::status(302).with("location", "/in/image"),
        _ => Reply::body(b"image"),
    })
    .await;
    let bounded = |path: &str| {
        let location = Location::parse(&server.url(path)).unwrap();
        Request {
            reach: Reach::only(|url| url.expose().path().starts_with("/in/")),
            ..Request::named_by_user(vec![location], Checksum::None)
        }
    };
    let fetched = bench.run(&bounded("/in/stay"), &Silent).await.unwrap();
    assert_eq!(content(&fetched), b"image");
    for path in ["/in/away", "/out/image"] {
        let error = bench.run(&bounded(path), &Silent).await.unwrap_err();
        let failures = failures(error);
        let LocationError::OutOfReach(url) = &failures[0].error else {
            panic!("{failures:?}");
        };
        assert_eq!(url.expose().path(), "/out/image");
    }
    let asked: Vec<_> = server.seen().into_iter().map(|seen| seen.target).collect();
    assert_eq!(asked, ["/in/stay", "/in/image", "/in/away"]);
}

#[tokio::test]
async fn a_proxy_is_used_and_may_be_bypassed() {
    let mut bench = Bench::new();
    let proxy = Server::start(|_, _| Reply::body(b"by proxy")).await;
    let direct = Server::start(|_, _| Reply::body(b"direct")).await;
    bench.settings.proxy = ProxySettings {
        http: Some(SafeUrl::parse(&format!("http://localhost:{}", proxy.port)).unwrap()),
        https: None,
        bypass: Some("127.0.0.1".to_owned()),
    };
    let fetched = bench
        .fetch(&[direct.url("/a")], Checksum::None)
        .await
        .unwrap();
    assert_eq!(content(&fetched), b"direct");
    let request = Request {
        locations: vec![Location::parse("http://images.invalid/a").unwrap()],
        checksum: Checksum::None,
        named: BTreeSet::new(),
        author: Author::User,
        reach: Reach::default(),
        headers: RequestHeaders::default(),
        packed: Packed::Unpacked,
        held: BTreeMap::new(),
    };
    let fetched = bench.run(&request, &Silent).await.unwrap();
    assert_eq!(content(&fetched), b"by proxy");
    assert_eq!(proxy.seen()[0].target, "http://images.invalid/a");
    bench.settings.proxy.http = Some(SafeUrl::parse("socks5://u:p@h").unwrap());
    let error = bench.run(&request, &Silent).await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("`socks5://***@h` is not supported as a proxy"),
        "{error}"
    );
}

#[tokio::test]
async fn https_needs_a_trusted_certificate_and_is_not_given_up() {
    let (server, authority) = Server::start_tls(|seen, _| match seen.target.as_str() {
        "/down" => Reply::status(302).with("location", "http://127.0.0.1/a"),
        _ => Reply::body(b"image"),
    })
    .await;
    let url = |path: &str| format!("https://localhost:{}{path}", server.port);
    let mut bench = Bench::new();
    bench.settings.certificate_authorities = vec![authority];
    let fetched = bench.fetch(&[url("/a")], Checksum::None).await.unwrap();
    assert_eq!(content(&fetched), b"image");
    let named = [url("/down"), "http://127.0.0.1:1/".to_owned()];
    let failed = failures(bench.fetch(&named, Checksum::None).await.unwrap_err());
    assert!(
        matches!(failed[0].error, LocationError::Downgrade(_)),
        "{failed:?}"
    );
    bench.settings.certificate_authorities =
        vec![Server::start_tls(|_, _| Reply::default()).await.1];
    let failed = failures(bench.fetch(&[url("/a")], Checksum::None).await.unwrap_err());
    assert!(
        matches!(failed[0].error, LocationError::Tls(_)),
        "{failed:?}"
    );
}

#[tokio::test]
async fn a_bundle_of_certificates_is_trusted_beside_the_systems() {
    let (server, authority) = Server::start_tls(|_, _| Reply::body(b"image")).await;
    let mut bench = Bench::new();
    let encoded = pem(&authority);
    for wrong in ["", "no certificate", "-----BEGIN CERTIFICATE-----\n"] {
        let error = bench.settings.trust_bundle(wrong.as_bytes()).unwrap_err();
        assert!(error.to_string().contains("certificate"), "{error}");
    }
    let bundle = format!("# ours\n{encoded}{encoded}");
    bench.settings.trust_bundle(bundle.as_bytes()).unwrap();
    let url = format!("https://localhost:{}/a", server.port);
    let fetched = bench.fetch(&[url], Checksum::None).await.unwrap();
    assert_eq!(content(&fetched), b"image");
}

/// RFC 7468.
fn pem(der: &[u8]) -> String {
    let encoded = base64::engine::general_purpose::STANDARD.encode(der);
    format!("-----BEGIN CERTIFICATE-----\n{encoded}\n-----END CERTIFICATE-----\n")
}
