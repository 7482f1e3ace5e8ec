//! What is refused of what components say, what is cleaned, and what passes.

use super::*;
use crate::types::OptionType;
use crate::types::{Header, WebRequest};

fn option(name: &str) -> OptionSchema {
    OptionSchema {
        name: name.into(),
        option_type: OptionType::Text,
        required: false,
        default: None,
        sensitive: false,
        documentation: String::new(),
    }
}

fn described(type_: &str, aliases: &[&str], options: Vec<OptionSchema>) -> Checked<Description> {
    description(Unchecked::new(Description {
        source_type: type_.into(),
        aliases: aliases.iter().map(|&alias| alias.into()).collect(),
        summary: "a\nsummary".into(),
        options,
    }))
}

#[test]
fn descriptions() {
    let good = described(
        "cloud-init",
        &["cloudinit"],
        vec![option("user_data"), option("x9")],
    )
    .expect("a good description");
    assert_eq!(good.source_type, "cloud-init");
    assert_eq!(good.summary, "a summary");
    assert_eq!(good.options[1].name, "x9");
    // What a stranger's is called is for its user to say.
    let unnamed = described("", &["a"], vec![]).expect("a description without a name");
    assert_eq!(unnamed.source_type, "");

    let long = "x".repeat(limits::WORD + 1);
    let many = vec!["a"; limits::ALIASES + 1];
    let refused = [
        described(" ", &[], vec![]),
        described("Files", &[], vec![]),
        described("9p", &[], vec![]),
        described("a b", &[], vec![]),
        described("files\n", &[], vec![]),
        described(&long, &[], vec![]),
        described("files", &["files"], vec![]),
        described("files", &["a", "a"], vec![]),
        described("files", &many, vec![]),
        described("files", &[], vec![option("a"), option("a")]),
        described("files", &[], vec![option("a-b")]),
        described("files", &[], vec![option("")]),
        described(
            "files",
            &[],
            (0..=limits::OPTIONS)
                .map(|i| option(&format!("o{i}")))
                .collect(),
        ),
    ];
    for (index, result) in refused.into_iter().enumerate() {
        assert!(result.is_err(), "case {index} passed: {result:?}");
    }
}

#[test]
fn volume_names() {
    let id = |pool: &str, name: &str| {
        volume_id(Unchecked::new(VolumeId {
            pool: pool.into(),
            name: name.into(),
        }))
    };
    for (pool, name) in [
        ("default", "a.qcow2"),
        ("my pool", "unit:0:0:1"),
        ("ü", "..a"),
    ] {
        assert!(id(pool, name).is_ok(), "{pool} {name}");
    }
    let long = "x".repeat(limits::NAME + 1);
    for bad in ["", ".", "..", "a/b", "/", "a\nb", "a\0", long.as_str()] {
        assert!(id(bad, "good").is_err(), "{bad:?}");
        assert!(id("good", bad).is_err(), "{bad:?}");
    }
}

#[test]
fn hypervisor_paths() {
    for good in ["/a", "/var/lib/libvirt/images/a b.qcow2", "/a..b/c"] {
        assert!(hypervisor_path(good.into()).is_ok(), "{good}");
    }
    let long = format!("/{}", "x".repeat(limits::PATH));
    for bad in [
        "",
        "a",
        "./a",
        "/a/../b",
        "/..",
        "/a\0b",
        "/a\nb",
        long.as_str(),
    ] {
        assert!(hypervisor_path(bad.into()).is_err(), "{bad:?}");
    }
}

#[test]
fn images() {
    let checked = |format: &str, length, capacity| {
        image(Unchecked::new(Image {
            format: format.into(),
            length,
            capacity,
        }))
    };
    for (format, length, capacity) in [
        ("raw", Some(5), 5),
        ("qcow2", None, 9),
        ("qcow2", Some(10), 9),
        ("vmdk", Some(1), 1 << 40),
    ] {
        assert!(
            checked(format, length, capacity).is_ok(),
            "{format} {length:?} {capacity}"
        );
    }
    for (format, length, capacity) in [
        ("raw", None, 5),
        ("raw", Some(4), 5),
        ("raw", Some(0), 0),
        ("qcow2", None, 0),
        ("qcow2", None, u64::MAX),
        ("qcow2", Some(u64::MAX), 5),
        ("", Some(5), 5),
        ("raw'/>", Some(5), 5),
        ("RAW", Some(5), 5),
    ] {
        assert!(
            checked(format, length, capacity).is_err(),
            "{format} {length:?} {capacity}"
        );
    }
}

#[test]
fn defaults_and_grants() {
    let nothing = Defaults::default();
    assert_eq!(defaults(nothing.clone()).expect("nothing said"), nothing);
    for suffix in ["", "a/b", "..", "a b", "a\n"] {
        let said = Defaults {
            name_suffix: Some(suffix.into()),
            ..Defaults::default()
        };
        assert!(defaults(said).is_err(), "{suffix:?}");
    }
    for bus in ["", "virtio'", "virtio bus", "VIRTIO"] {
        let said = Defaults {
            bus: Some(bus.into()),
            ..Defaults::default()
        };
        assert!(defaults(said).is_err(), "{bus:?}");
    }
    let file = |url: &str, checksum: Option<&str>| {
        grant(Grant::Url(Download {
            url: url.to_owned(),
            checksum: checksum.map(str::to_owned),
        }))
    };
    assert!(file("", None).is_err());
    assert!(file("u", Some("a\0")).is_err());
    assert!(file("u", Some(&"0".repeat(limits::CHECKSUM + 1))).is_err());
    for (said, expected) in [
        (None, None),
        (Some(""), Some("none")),
        (Some("sha512:ab"), Some("sha512:ab")),
    ] {
        let expected = Download {
            url: "u".to_owned(),
            checksum: expected.map(str::to_owned),
        };
        assert_eq!(file("u", said), Ok(Grant::Url(expected)));
    }
    assert!(grant(Grant::Files("a\0".into())).is_err());
    assert!(grant(Grant::HypervisorPath("a".into())).is_err());
    for url in ["", "https://h/a", "https://h/?a=/", "https://h/#/"] {
        assert!(grant(Grant::UrlsBelow(url.into())).is_err(), "{url}");
    }
    assert_eq!(
        grant(Grant::UrlsBelow("https://h/a/".into())),
        Ok(Grant::UrlsBelow("https://h/a/".into()))
    );
    assert_eq!(
        grant(Grant::Files("~/*.iso".into())),
        Ok(Grant::Files("~/*.iso".into()))
    );
}

#[test]
fn requests_are_bounded() {
    let request = |urls: Vec<String>, headers| WebRequest { urls, headers };
    let text = |name: &str, value: &str| Header::Text {
        name: name.to_owned(),
        value: value.to_owned(),
    };
    let secret = |secret: &str| Header::Secret {
        name: "a".to_owned(),
        prefix: String::new(),
        secret: secret.to_owned(),
    };
    let url = || vec!["u".to_owned()];
    let good = request(url(), vec![text("a", "b"), secret("token-1")]);
    assert_eq!(web_request(good.clone()), Ok(good));
    for bad in [
        request(vec![], vec![]),
        request(vec!["u".into(); limits::URLS + 1], vec![]),
        request(vec!["u\r\nHost: x".into()], vec![]),
        request(url(), vec![text("a", "b"); limits::HEADERS + 1]),
        request(url(), vec![text(&"a".repeat(limits::HEADER + 1), "b")]),
        request(url(), vec![text("a", &"b".repeat(limits::HEADER + 1))]),
        request(url(), vec![secret("")]),
        request(url(), vec![secret("../a")]),
        request(url(), vec![secret("A")]),
    ] {
        assert!(web_request(bad.clone()).is_err(), "{bad:?}");
    }
    assert!(checksum(Some("x".repeat(limits::CHECKSUM + 1))).is_err());
    assert_eq!(checksum(Some(String::new())), Ok(None));
}

#[test]
fn texts_are_made_harmless() {
    for (said, shown) in [
        ("plain ü 漢", "plain ü 漢"),
        ("two\nlines", "two\nlines"),
        ("\u{1b}[31mred\u{7}\r", "\u{fffd}[31mred\u{fffd}\u{fffd}"),
        ("a\u{202e}b\u{9b}", "a\u{fffd}b\u{fffd}"),
    ] {
        assert_eq!(text(said, 100), shown);
    }
    assert_eq!(text("123456", 3), "123…");
    assert_eq!(text("üü", 3), "ü…");
    assert_eq!(line("two\nlines", 100), "two lines");
}
