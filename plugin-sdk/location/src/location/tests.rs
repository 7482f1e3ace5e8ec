//! The forms of go-getter, taken and refused.

use lvhost_image::Compression;
use proptest::prelude::*;

use super::*;
use crate::{Algorithm, Archive, Checksum, Digest, Packing};

fn parts(text: &str) -> (Form, String) {
    let location = Location::parse(text).unwrap_or_else(|fault| panic!("{text}: {fault}"));
    (location.form, location.address)
}

#[test]
fn supported_forms() {
    let cases = [
        ("http://h/image.qcow2", Form::Web, "http://h/image.qcow2"),
        (
            "HTTPS://h:8443/a?x=1#y",
            Form::Web,
            "HTTPS://h:8443/a?x=1#y",
        ),
        (
            "HTTP://[::1]:8080/a?x=1",
            Form::Web,
            "HTTP://[::1]:8080/a?x=1",
        ),
        ("https://u:p@h/a", Form::Web, "https://u:p@h/a"),
        ("http::https://h/a", Form::Web, "https://h/a"),
        ("https::http://h/a", Form::Web, "http://h/a"),
        (
            "https://github.com/a/b/releases/c.img",
            Form::Web,
            "https://github.com/a/b/releases/c.img",
        ),
        (
            "https://h//double//slash",
            Form::Web,
            "https://h//double//slash",
        ),
        (
            "file:///srv/a%20b.img",
            Form::FileUrl,
            "file:///srv/a%20b.img",
        ),
        (
            "file://localhost/srv/a.img",
            Form::FileUrl,
            "file://localhost/srv/a.img",
        ),
        (
            "file::file:///srv/a.img",
            Form::FileUrl,
            "file:///srv/a.img",
        ),
        ("file:images/a.img", Form::Path, "images/a.img"),
        ("file:/srv/a.img", Form::Path, "/srv/a.img"),
        ("file::/srv/a.img", Form::Path, "/srv/a.img"),
        ("file::./a.img", Form::Path, "./a.img"),
        ("/srv/a.img", Form::Path, "/srv/a.img"),
        ("./a.img", Form::Path, "./a.img"),
        ("a:b.img", Form::Path, "a:b.img"),
        ("/srv/a::b.img", Form::Path, "/srv/a::b.img"),
        ("/srv/what?.img", Form::Path, "/srv/what?.img"),
        ("./github.com/a.img", Form::Path, "./github.com/a.img"),
        (
            "s3::https://s3.amazonaws.com/b/k",
            Form::Object,
            "https://s3.amazonaws.com/b/k",
        ),
        ("s3://bucket/a/k.img", Form::Object, "s3://bucket/a/k.img"),
        ("s3::s3://bucket/k", Form::Object, "s3://bucket/k"),
        (
            "smb://u:p@nas/share/a.img",
            Form::Share,
            "smb://u:p@nas/share/a.img",
        ),
        (
            "SMB::SMB://NAS:445/Images/a",
            Form::Share,
            "SMB://NAS:445/Images/a",
        ),
    ];
    for (text, form, address) in cases {
        assert_eq!(parts(text), (form, address.to_owned()), "{text}");
    }
}

#[test]
fn refused_forms_are_named_without_what_may_be_secret() {
    let cases = [
        ("", "the location is empty; give a URL"),
        ("  ", "empty"),
        ("file:", "empty"),
        ("file: ", "empty"),
        ("file::", "empty"),
        ("https://hunter2/\nb", "control character"),
        (
            "git::https://user:hunter2@h/repo",
            "`git::` is not supported: it would run `git` on this host; check",
        ),
        (
            "hg::http://hunter2/repo",
            "`hg::` is not supported: it would run `hg`",
        ),
        ("git@github.com:hunter2/b", "would run `git`"),
        (
            "github.com/hunter2/b",
            "`github.com/` is not supported: it would run `git`",
        ),
        ("gitlab.com/a/b", "would run `git`"),
        ("bitbucket.org/a/b", "would run `git`"),
        (
            "git+ssh://hunter2@h/a",
            "`git+ssh://` is not supported: it would run `git`",
        ),
        (
            "gcs::https://hunter2/y",
            "`gcs::` is not supported; use the object's own address",
        ),
        ("gs://hunter2/a", "storage.googleapis.com"),
        ("smb+ssh://h/share/a", "`smb+ssh://` is not supported; use"),
        (
            "ftp://hunter2/a",
            "`ftp://` is not supported; use an http, https, s3",
        ),
        ("rar::http://h/a", "`rar::` is not supported"),
        (
            "http::/srv/hunter2",
            "what follows `http::` does not fit it; write an http://",
        ),
        ("http::file:///srv/a", "what follows `http::`"),
        (
            "file::https://h/hunter2",
            "what follows `file::` does not fit it; write a path",
        ),
        (
            "s3::/srv/hunter2",
            "what follows `s3::` does not fit it; write an http://",
        ),
        (
            "smb::https://h/a",
            "what follows `smb::` does not fit it; write an smb://",
        ),
        ("smb::/srv/hunter2", "what follows `smb::`"),
        ("file://hunter2/a", "a file of another host"),
        ("http:hunter2/a", "`http:` is not followed by `//`"),
        ("http://", "names no host"),
        ("http:///hunter2", "names no host"),
        ("https://user:hunter2@/a", "names no host"),
        ("https://:8080/hunter2", "names no host"),
        ("s3:///hunter2", "names no host"),
        ("smb:///hunter2", "names no host"),
        (
            "https://h/a?archive=hunter2",
            "`archive=` in the query is none that is supported; use gz",
        ),
        (
            "https://h/a?x=1&checksum=md5:00#f",
            "`checksum=` in the query: it has 2 digits",
        ),
        (
            "https://h/a?filename=../hunter2",
            "`filename=` in the query is not the name of a file",
        ),
        ("https://h/a?filename=", "`filename=` in the query"),
        (
            "https://h/a?archive=gz&archive=xz",
            "`archive=` stands more than once",
        ),
        (
            "a.img?checksum=none&checksum=none",
            "`checksum=` stands more than once",
        ),
    ];
    for (text, part) in cases {
        let fault = Location::parse(text).unwrap_err().to_string();
        assert!(fault.contains(part), "{text}: {fault}");
        assert!(!fault.contains("hunter2"), "{text}: {fault}");
    }
}

#[test]
fn what_steers_is_taken_out_of_the_query() {
    let digits = "0".repeat(32);
    let cases = [
        ("https://h/a?archive=xz", "https://h/a"),
        (
            &format!(
                "https://h/a?x=1&checksum=md5:{digits}&y=%20+z&archive=false&filename=b%20c#f"
            ),
            "https://h/a?x=1&y=%20+z#f",
        ),
        ("https://h/a?%61rchive=zip&x", "https://h/a?x"),
        ("https://h/a#?archive=zip", "https://h/a#?archive=zip"),
        ("s3://b/k?version=5&archive=zip", "s3://b/k?version=5"),
        ("/srv/a.img?archive=false", "/srv/a.img"),
        ("file:///srv/a?archive=gz", "file:///srv/a"),
    ];
    for (text, address) in cases {
        assert_eq!(parts(text).1, address, "{text}");
    }
    let text = format!("https://h/a.zip?checksum={digits}&archive=tgz&filename=b%20c.img");
    let steering = Location::parse(&text).unwrap().steering;
    let expected = Steering {
        archive: Archive::As(Packing::Tar(Some(Compression::Gzip))),
        checksum: Digest::from_hex(Algorithm::Md5, &digits).map(Checksum::Digest),
        file_name: Some("b c.img".to_owned()),
        member: None,
    };
    assert_eq!(steering, expected);
}

#[test]
fn two_slashes_name_a_file_in_an_archive() {
    let cases = [
        (
            "https://h/a.zip//b/c.img",
            "https://h/a.zip",
            Some("b/c.img"),
        ),
        (
            "https://h/d//a.tar.gz//b%20c?x=1",
            "https://h/d//a.tar.gz?x=1",
            Some("b c"),
        ),
        ("https://h/a//b?archive=tar", "https://h/a", Some("b")),
        ("/srv/a.zip//b%20c", "/srv/a.zip", Some("b%20c")),
        ("file:///srv/a.zip//b", "file:///srv/a.zip", Some("b")),
        ("s3://bucket/a.zip//b", "s3://bucket/a.zip", Some("b")),
        (
            "https://h/a.zip//b?archive=false",
            "https://h/a.zip//b",
            None,
        ),
        ("https://h/a.img.gz//b", "https://h/a.img.gz//b", None),
        ("https://h/a.zip//", "https://h/a.zip//", None),
        ("https://h.zip//b", "https://h.zip//b", None),
        ("/srv//a.img", "/srv//a.img", None),
    ];
    for (text, address, member) in cases {
        let location = Location::parse(text).unwrap();
        assert_eq!(location.address, address, "{text}");
        assert_eq!(location.steering.member.as_deref(), member, "{text}");
    }
}

proptest! {
    #[test]
    fn any_text_is_parsed_or_refused(text in "\\PC*") {
        let _ = Location::parse(&text);
    }

    #[test]
    fn any_forced_text_is_parsed_or_refused(
        form in "(s3|file|http|smb|git)(::|://)",
        rest in "[a-z0-9/?&=:@%.\\[\\]#-]{0,40}",
    ) {
        let _ = Location::parse(&format!("{form}{rest}"));
    }

    #[test]
    fn what_steers_nothing_stays_as_it_is(path in "[a-z0-9/%.]{0,30}", query in "[b-z0-9=%&]{0,20}") {
        let text = format!("https://h/{path}?{query}");
        let location = Location::parse(&text).unwrap();
        prop_assume!(location.steering == Steering::default());
        let shown = text.strip_suffix('?').unwrap_or(&text);
        prop_assert_eq!(location.address, shown);
    }
}
