use super::*;

/// An `allow` block of these options and texts, read in `/project`.
fn allowed(rules: &[(&str, &str)]) -> Allowed {
    let mut allowed = Allowed {
        working_directory: "/project".into(),
        ..Allowed::default()
    };
    for (option, text) in rules {
        match *option {
            "urls" => allowed.urls.push(url_rule(text).ok().unwrap()),
            "hosts" => allowed.hosts.push(HostRule::parse(text).ok().unwrap()),
            "files" => allowed.files.push((*text).to_owned()),
            "volumes" => allowed.volumes.push(VolumeRule::parse(text).ok().unwrap()),
            "posts" => allowed.posts.push(url_rule(text).ok().unwrap()),
            "secrets" => {
                allowed.secrets.insert((*text).to_owned());
            }
            _ => allowed.hypervisor_paths.push((*text).to_owned()),
        }
    }
    allowed
}

fn url(text: &str) -> Grant {
    Grant::Url(lvhost_runtime::Download {
        url: text.to_owned(),
        checksum: None,
    })
}

fn below(text: &str) -> Grant {
    Grant::UrlsBelow(text.to_owned())
}

fn files(text: &str) -> Grant {
    Grant::Files(text.to_owned())
}

fn volume(pool: &str, name: &str) -> Grant {
    Grant::Volume(lvhost_runtime::VolumeId {
        pool: pool.to_owned(),
        name: name.to_owned(),
    })
}

fn path(text: &str) -> Grant {
    Grant::HypervisorPath(text.to_owned())
}

#[test]
fn to_send_something_is_allowed_by_its_own_rules_alone() {
    let post = |text: &str| Grant::Post(text.to_owned());
    let secret = |text: &str| Grant::Secret(text.to_owned());
    for (rule, grant, expected) in [
        (("posts", "https://h/a"), post("https://h/a"), true),
        (("posts", "https://h/a"), post("https://h/a?b"), false),
        (("posts", "https://h/a/"), post("https://h/a/b"), true),
        (("posts", "https://h/a/"), post("https://h/a/../b"), false),
        (("posts", "https://h/a"), post("http://h/a"), false),
        (("posts", "https://h/a"), url("https://h/a"), false),
        (("urls", "https://h/a"), post("https://h/a"), false),
        (("urls", "https://h/"), post("https://h/a"), false),
        (("hosts", "h"), post("https://h/a"), false),
        (("hosts", "*"), post("https://h/a"), false),
        (("files", "/a"), post("/a"), false),
        (("secrets", "registry"), secret("registry"), true),
        (("secrets", "registry"), secret("registry-2"), false),
        (("files", "registry"), secret("registry"), false),
    ] {
        let allowed = allowed(&[rule]);
        assert_eq!(allowed.permits(&grant), expected, "{rule:?} {grant:?}");
    }
    let endpoints = allowed(&[("posts", "http://127.0.0.1:5000/a")]).endpoints();
    assert_eq!(endpoints.len(), 1, "it is named in full");
    let lines = allow_lines([&post("https://u:p@h/a"), &secret("registry")]);
    assert_eq!(lines[1], "secrets = [\"registry\"]");
    assert!(!lines[0].contains(":p@"), "{}", lines[0]);
}

#[test]
fn rules_cover_what_they_say_and_nothing_else() {
    let cases: &[((&str, &str), Grant, bool)] = &[
        (("urls", "https://h/a.img"), url("https://h/a.img"), true),
        (
            ("urls", "https://h/a.img"),
            url("https://u:p@h:443/x/../a.img#f"),
            true,
        ),
        (("urls", "https://h/a.img"), url("https://h/a.img?b"), false),
        (("urls", "https://h/a.img"), url("http://h/a.img"), false),
        (
            ("urls", "https://h/a.img"),
            url("https://h:444/a.img"),
            false,
        ),
        (
            ("urls", "https://h/a.img"),
            url("https://h/a.img.sig"),
            false,
        ),
        (
            ("urls", "https://h/d/"),
            url("https://h/d/e/a.img?b=c"),
            true,
        ),
        (("urls", "https://h/d/"), url("https://h/d"), false),
        (("urls", "https://h/d/"), url("https://h/d/../a.img"), false),
        (
            ("urls", "https://h/d/"),
            url("https://h/d/%2e%2e/a.img"),
            false,
        ),
        (
            ("urls", "https://h/d/"),
            url("https://h/d\\..\\a.img"),
            false,
        ),
        (
            ("urls", "https://h/d/"),
            url("https://h.evil.test/d/a.img"),
            false,
        ),
        (
            ("urls", "https://h/d/"),
            url("https://h@evil.test/d/a.img"),
            false,
        ),
        (("urls", "https://h/d/"), below("https://h/d/"), true),
        (("urls", "https://h/d/"), below("https://h/d/e/"), true),
        (("urls", "https://h/d/"), below("https://h/"), false),
        (("urls", "https://h/d"), below("https://h/d/"), false),
        (("urls", "https://h"), below("https://h/"), true),
        (("hosts", "example.org"), url("https://example.org/a"), true),
        (
            ("hosts", "example.org"),
            url("http://EXAMPLE.org:80/a"),
            true,
        ),
        (
            ("hosts", "example.org"),
            url("http://example.org:8080/a"),
            false,
        ),
        (
            ("hosts", "example.org"),
            url("https://a.example.org/a"),
            false,
        ),
        (
            ("hosts", "example.org"),
            below("https://example.org/d/"),
            true,
        ),
        (("hosts", "example.org"), url("/etc/hostname"), false),
        (
            ("hosts", "example.org:8080"),
            url("http://example.org:8080/a"),
            true,
        ),
        (
            ("hosts", "example.org:8080"),
            url("https://example.org/a"),
            false,
        ),
        (
            ("hosts", "*.example.org"),
            url("https://a.b.example.org/a"),
            true,
        ),
        (
            ("hosts", "*.example.org"),
            url("https://example.org/a"),
            false,
        ),
        (
            ("hosts", "*.example.org"),
            url("https://badexample.org/a"),
            false,
        ),
        (("hosts", "*"), url("https://anything.test/a"), true),
        (("hosts", "*"), url("file:///etc/hostname"), false),
        (("hosts", "*"), files("/etc/hostname"), false),
        (("hosts", "[::1]:8080"), url("http://[::1]:8080/a"), true),
        (("hosts", "[::1]"), url("http://[::1]/a"), true),
        (("files", "/srv/a.img"), url("file:///srv/a.img"), true),
        (("files", "/srv/a.img"), url("/srv/a.img"), true),
        (("files", "/srv/"), url("/srv/images/a.img"), true),
        (("files", "/srv/"), url("/srv/../etc/hostname"), false),
        (("files", "drivers/*"), files("drivers/*"), true),
        (("files", "drivers/*"), files("drivers/a"), false),
        (("files", "drivers/"), files("drivers/*"), true),
        (("files", "drivers/"), files("./drivers/net/?.inf"), true),
        (("files", "drivers/"), files("/project/drivers/a"), true),
        (("files", "drivers/"), files("drivers"), false),
        (("files", "drivers/"), files("drivers-old/a"), false),
        (("files", "drivers/"), files("drivers/../a"), false),
        (("files", "drivers"), files("drivers/a"), false),
        (("volumes", "default/base"), volume("default", "base"), true),
        (("volumes", "default/base"), volume("other", "base"), false),
        (
            ("volumes", "default/base"),
            volume("default", "base2"),
            false,
        ),
        (("volumes", "default/*"), volume("default", "base2"), true),
        (("hypervisor_paths", "/images/a"), path("/images/a"), true),
        (("hypervisor_paths", "/images/"), path("/images/b/a"), true),
        (("hypervisor_paths", "/images"), path("/images/a"), false),
        (("files", "/images/"), path("/images/a"), false),
    ];
    for (rule, asked, expected) in cases {
        let permitted = allowed(&[*rule]).permits(asked);
        assert_eq!(permitted, *expected, "{rule:?}, {asked:?}");
    }
    assert!(!Allowed::default().permits(&url("https://h/a")));
    // Rules for shares are read in every build, also in one that can't download from them.
    let shares = [
        (("urls", "smb://nas/s/"), "smb://NAS:445/s/d/a.img", true),
        (("urls", "smb://nas/s/"), "smb://nas/other/a.img", false),
        (("urls", "smb://nas/s/"), "smb://nas/s/../other/a", false),
        (("urls", "smb://nas/s/"), "smb://nas:446/s/a", false),
        (("urls", "smb://nas/s/a"), "smb://nas/s/a", true),
        (("urls", "https://nas/s/"), "smb://nas/s/a", false),
        (("hosts", "nas"), "smb://nas/s/a", true),
        (("hosts", "nas:445"), "smb://nas/s/a", true),
        (("hosts", "nas:446"), "smb://nas/s/a", false),
        (("hosts", "*"), "smb://nas/s/a", true),
    ];
    for (rule, asked, expected) in shares {
        let permitted = allowed(&[rule]).permits_url(&SafeUrl::parse(asked).unwrap());
        assert_eq!(permitted, expected, "{rule:?}, {asked}");
    }
    assert!(allowed(&[("urls", "smb://nas/s/")]).permits(&below("smb://nas/s/d/")));
    assert!(!allowed(&[("urls", "smb://nas/s/")]).permits(&below("smb://nas/")));
}

#[test]
fn the_line_for_what_was_asked_allows_it() {
    let grants = [
        url("https://h/a.img"),
        url("/srv/a.img"),
        below("https://h/d/"),
        files("drivers/*"),
        volume("default", "base"),
        path("/images/a"),
    ];
    for grant in &grants {
        let line = line_for(grant);
        let (option, rest) = line.split_once(" = ").unwrap();
        let text = rest.trim_start_matches("[\"").trim_end_matches("\"]");
        assert!(allowed(&[(option, text)]).permits(grant), "{line}");
    }
    assert_eq!(
        allow_lines(&grants),
        [
            "files = [\"/srv/a.img\", \"drivers/*\"]",
            "hypervisor_paths = [\"/images/a\"]",
            "urls = [\"https://h/a.img\", \"https://h/d/\"]",
            "volumes = [\"default/base\"]",
        ]
    );
    assert_eq!(line_for(&files("a\"${b}")), "files = [\"a\\\"$${b}\"]");
}

#[test]
fn no_password_is_shown() {
    for grant in [
        url("https://user:hunter2@h/a"),
        below("https://user:hunter2@h/a/"),
        below("smb://user:hunter2@nas/s/"),
        url("https://user:hunter2@[::/a"),
    ] {
        let shown = format!("{} {}", in_words(&grant), line_for(&grant));
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}

#[test]
fn only_a_host_named_in_full_may_be_this_machine() {
    let names = |rule, text: &str| {
        let url = SafeUrl::parse(text).unwrap();
        let endpoint = Endpoint::of(&url).unwrap();
        allowed(&[rule]).endpoints().contains(&endpoint)
    };
    assert!(names(
        ("hosts", "127.0.0.1:8080"),
        "http://127.0.0.1:8080/a"
    ));
    assert!(names(
        ("urls", "http://localhost:1/a/"),
        "http://localhost:1/a/b"
    ));
    assert!(names(("hosts", "nas"), "https://nas/a"));
    assert!(names(("hosts", "nas"), "smb://nas/s/a"));
    assert!(names(("hosts", "nas:443"), "https://nas/a"));
    // Each by the port it is named with.
    assert!(!names(("hosts", "nas"), "https://nas:8443/a"));
    assert!(!names(("hosts", "127.0.0.1:8080"), "http://127.0.0.1/a"));
    assert!(!names(
        ("urls", "http://localhost:1/a/"),
        "http://localhost:2/a/b"
    ));
    assert!(!names(
        ("urls", "http://localhost/a"),
        "https://localhost/a"
    ));
    assert!(!names(("hosts", "*"), "http://127.0.0.1/a"));
    assert!(!names(("hosts", "*.test"), "http://a.test/a"));
}

#[test]
fn what_can_not_be_meant_is_refused() {
    for text in [
        "",
        "h",
        "ftp://h/a",
        "file:///a",
        "https://*.h/",
        "https://h/a*",
        "https://h/?a",
    ] {
        assert!(url_rule(text).is_err(), "{text}");
    }
    for text in [
        "",
        "https://h",
        "h/a",
        "u@h",
        "*.h:80",
        "a.*",
        "**.h",
        "h:port",
        "h:99999",
        "a b",
    ] {
        assert!(HostRule::parse(text).is_err(), "{text}");
    }
    for text in ["", "base", "/base", "default/", "*/base"] {
        assert!(VolumeRule::parse(text).is_err(), "{text}");
    }
}

#[test]
fn the_rule_is_named_with_what_it_allows_beyond() {
    let below = Some("everything below it");
    let server = Some("everything on that server");
    for (rule, grant, beyond) in [
        (("urls", "https://h/a.img"), url("https://h/a.img"), None),
        (("urls", "https://h/d/"), url("https://h/d/a.img"), below),
        (("urls", "https://h/d/"), self::below("https://h/d/"), None),
        (
            ("urls", "https://h/d/"),
            self::below("https://h/d/e/"),
            below,
        ),
        (
            ("hosts", "example.org"),
            url("https://example.org/a"),
            server,
        ),
        (
            ("hosts", "example.org:8080"),
            url("http://example.org:8080/a"),
            server,
        ),
        (
            ("hosts", "*.example.org"),
            url("https://a.example.org/a"),
            Some("everything on every server of that domain"),
        ),
        (
            ("hosts", "*"),
            url("https://h/a"),
            Some("everything on every server, but for those that only this machine reaches"),
        ),
        (("files", "seed/*"), files("seed/*"), None),
        (("files", "seed/"), files("seed/*"), below),
        (("files", "images/"), url("images/a.img"), below),
        (("volumes", "p/v"), volume("p", "v"), None),
        (
            ("volumes", "p/*"),
            volume("p", "v"),
            Some("every volume of the pool"),
        ),
        (("hypervisor_paths", "/i/a"), path("/i/a"), None),
        (("hypervisor_paths", "/i/"), path("/i/a"), below),
    ] {
        let allowed = allowed(&[rule]);
        let found = allowed.rule_for(&grant).unwrap();
        assert_eq!(found.line, format!("{} = [\"{}\"]", rule.0, rule.1));
        assert_eq!(found.beyond, beyond, "{rule:?} {grant:?}");
        assert_eq!(allowed.unused_lines(&[grant]), [""; 0], "{rule:?}");
        assert_eq!(allowed.unused_lines(&[]), [found.line], "{rule:?}");
        assert_eq!(allowed.rule_for(&url("ftp://h/a")), None);
    }
    let keys = Allowed {
        aws_credentials: true,
        ..Allowed::default()
    };
    assert_eq!(keys.unused_lines(&[]), ["aws_credentials = true"]);
}
