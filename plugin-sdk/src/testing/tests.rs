use super::*;

#[test]
fn only_what_was_asked_for_can_be_reached() {
    let id = VolumeId::new("default", "base");
    let facts = Facts {
        capacity: 1,
        format: "raw".to_owned(),
        path: "/images/base".to_owned(),
        backing: None,
    };
    let host = FakeHost::new()
        .with_download("https://h/d/a", b"a")
        .with_download("https://h/e", b"e")
        .with_file("x/*", "x", b"x")
        .with_volume(id.clone(), facts);
    let fetch = |host: &FakeHost, url: &str| host.download(&Request::new([url])).map(|_| ());
    assert_eq!(
        fetch(&host, "https://h/e"),
        Ok(()),
        "everything, by default"
    );

    let below = Grant::UrlsBelow("https://h/d/".to_owned());
    let host = host.with_grants(&[below, Grant::Files("x/*".to_owned())]);
    assert_eq!(fetch(&host, "https://h/d/a"), Ok(()));
    assert!(host.files("x/*").unwrap().open(0).is_ok());
    let denied = [
        fetch(&host, "https://h/e"),
        fetch(&host, "https://h/d/../e"),
        host.files("y/*").map(|_| ()),
        host.volume_facts(&id).map(|_| ()),
        host.path_facts("/images/base").map(|_| ()),
    ];
    for result in denied {
        assert!(matches!(result, Err(Error::Denied(_))), "{result:?}");
    }
}

#[test]
fn servers_are_asked_within_what_was_asked_for() {
    let (token, image) = ("https://h/token", "https://h/image");
    let host = FakeHost::new()
        .with_answer(token, 200, &[("X", "1"), ("x", "2")], b"t0ken")
        .with_answer(image, 401, &[], b"")
        .with_download(image, archive([("disk.raw", &b"disk"[..])]))
        .with_digest(image, "sha256", "00ff")
        .with_secret("registry")
        .with_grants(&[
            Grant::Post(token.to_owned()),
            Grant::download_with_later_checksum(image),
            Grant::Secret("registry".to_owned()),
        ]);
    let secret = host.secret("registry").unwrap();
    let asked = Request::new([token]).log_in("me", &secret).post(b"body");
    let answer = host.ask(&asked).unwrap();
    assert_eq!((answer.status(), &*answer.body()), (200, &b"t0ken"[..]));
    assert_eq!(answer.header("X"), ["1", "2"]);
    let asked = Request::new([image]).header("Accept", "a/b");
    assert_eq!(host.ask(&asked).unwrap().status(), 401);
    let bearer = Request::new([image]).secret_header("Authorization", "Bearer ", &secret);
    let blob = host.download(&bearer).unwrap();
    assert_eq!(blob.digest("sha256").as_deref(), Ok("00ff"));
    assert!(matches!(blob.digest("md5"), Err(Error::Invalid(_))));
    let disk = blob.unpack("zip", Some("disk.raw")).unwrap();
    assert_eq!(disk.read(0, 100).unwrap(), b"disk");
    assert_eq!(blob.unpack("zip", None).unwrap().name(), "disk.raw");
    let [log_in, accept, bearer] = &host.asked()[..] else {
        panic!("{:?}", host.asked());
    };
    let me = Header::LogIn("me".to_owned(), "registry".to_owned());
    assert_eq!((log_in.method, &log_in.headers), (Method::Post, &vec![me]));
    assert_eq!(log_in.body, b"body");
    let text = Header::Text("Accept".to_owned(), "a/b".to_owned());
    assert_eq!(accept.headers, [text]);
    assert!(matches!(&bearer.headers[..], [Header::Secret(_, prefix, _)] if prefix == "Bearer "));

    let denied = [
        host.ask(&Request::new([image]).post(b"x")).map(|_| ()),
        host.download(&Request::new([token])).map(|_| ()),
        host.ask(&Request::new(["https://h/other"])).map(|_| ()),
        host.secret("others").map(|_| ()),
    ];
    for result in denied {
        assert!(matches!(result, Err(Error::Denied(_))), "{result:?}");
    }
}

#[test]
fn content_becomes_the_volume_decompressed() {
    let url = "https://h/a.gz";
    let host = || FakeHost::new().with_download(url, compressed(Codec::Gzip, b"disk"));
    let content = |format: &str, codec| Content {
        format: format.to_owned(),
        codec,
    };
    for (content, written) in [
        (content("raw", Some(Codec::Gzip)), Some(&b"disk"[..])),
        (content("raw", None), Some(&b"\x1f\x8b\x08disk"[..])),
        (content("raw", Some(Codec::Xz)), None),
        (content("qcow2", Some(Codec::Gzip)), None),
        (content("vmdk", None), None),
    ] {
        let host = host();
        let blob = host.download(&Request::new([url])).unwrap();
        let made = host.content(&blob, &content);
        assert_eq!(made.is_ok(), written.is_some(), "{content:?}: {made:?}");
        assert_eq!(host.has_created(), written.is_some(), "{content:?}");
        if let Some(written) = written {
            assert_eq!(host.written().bytes(), written);
            assert!(host.create(&Image::raw(1)).is_err(), "it was made before");
        }
    }
}
