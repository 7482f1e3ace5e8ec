//! The forms of go-getter, taken and refused.

use proptest::prelude::*;

use super::*;
use crate::decode::Codec;
use crate::{Archive, Packing};

#[test]
fn supported_forms() {
    let cases = [
        ("http://h/image.qcow2", "http://h/image.qcow2"),
        ("HTTPS://h:8443/a?x=1", "https://h:8443/a?x=1"),
        ("https://u:p@h/a", "https://***@h/a"),
        ("http::https://h/a", "https://h/a"),
        ("https::http://h/a", "http://h/a"),
        ("file:///srv/a%20b.img", "/srv/a b.img"),
        ("file://localhost/srv/a.img", "/srv/a.img"),
        ("file:images/a.img", "images/a.img"),
        ("file:/srv/a.img", "/srv/a.img"),
        ("file::/srv/a.img", "/srv/a.img"),
        ("file::./a.img", "./a.img"),
        ("file::file:///srv/a.img", "/srv/a.img"),
        ("/srv/a.img", "/srv/a.img"),
        ("./a.img", "./a.img"),
        ("a:b.img", "a:b.img"),
        ("/srv/a::b.img", "/srv/a::b.img"),
        ("/srv/what?.img", "/srv/what?.img"),
        ("./github.com/a.img", "./github.com/a.img"),
        (
            "https://github.com/a/b/releases/c.img",
            "https://github.com/a/b/releases/c.img",
        ),
        ("https://h//double//slash", "https://h//double//slash"),
        (
            "s3::https://s3.amazonaws.com/b/k.img",
            "s3::https://s3.amazonaws.com/b/k.img",
        ),
        (
            "s3://bucket/a/k.img",
            "s3::https://s3.amazonaws.com/bucket/a/k.img",
        ),
        ("s3::s3://bucket/k", "s3::https://s3.amazonaws.com/bucket/k"),
    ];
    for (text, shown) in cases {
        assert_eq!(Location::parse(text).unwrap().to_string(), shown, "{text}");
    }
}

#[test]
fn what_is_wrong_is_named() {
    let cases = [
        ("", "the location is empty; give a URL or a path"),
        (
            "git::https://h/repo",
            "`git::` is not supported: it would run `git` on this host; check",
        ),
        ("s3://bucket", "names no object"),
        ("s3::https://h/bucket", "names no object"),
        ("http://[::/a", "not a valid URL"),
        (
            "https://h/a?checksum=abc",
            "`checksum=` in the query: no algorithm has 3 digits; write",
        ),
    ];
    for (text, part) in cases {
        let error = Location::parse(text).unwrap_err().to_string();
        assert!(error.contains(part), "{text}: {error}");
    }
}

#[cfg(feature = "smb")]
#[test]
fn files_on_shares() {
    for (text, shown) in [
        ("smb://nas/images/a.img", "smb://nas/images/a.img"),
        ("smb::smb://nas/images/a.img", "smb://nas/images/a.img"),
        ("SMB::SMB://NAS:445/Images/a", "smb://nas/Images/a"),
        ("smb://dom;me:pass@nas:4450/s/a", "smb://***@nas:4450/s/a"),
        (
            "smb://nas/s/a%20b.img?archive=false",
            "smb://nas/s/a%20b.img",
        ),
        ("smb://nas/s/d/a.zip//b.img", "smb://nas/s/d/a.zip"),
    ] {
        let location = Location::parse(text).unwrap();
        assert_eq!(location.to_string(), shown, "{text}");
        assert!(!format!("{location:?}").contains("pass"), "{location:?}");
    }
    let digits = "0".repeat(32);
    let text = format!("smb://nas/s/a?checksum={digits}&filename=b.img&archive=xz");
    let location = Location::parse(&text).unwrap();
    assert_eq!(location.file_name(), Some("b.img"));
    let steering = location.steering();
    let xz = Packing::Compressed(Codec::Xz);
    assert_eq!(steering.archive(), Archive::As(xz));
    let checksum = steering.checksum().unwrap();
    assert_eq!(checksum.to_string(), format!("md5:{digits}"));
    for (text, part) in [
        ("smb::https://h/a", "what follows `smb::` does not fit it"),
        ("smb:///share/a", "it names no host"),
        (
            "smb://me:hunter2@nas/share",
            "the SMB address names no file",
        ),
        ("smb://nas/s/a?x=hunter2", "the SMB address has a query"),
        ("smb://me:hunter2@[::/s/a", "`smb://…` is not a valid URL"),
    ] {
        let error = Location::parse(text).unwrap_err();
        assert!(error.to_string().contains(part), "{text}: {error}");
        assert!(!format!("{error} {error:?}").contains("hunter2"));
    }
}

#[cfg(not(feature = "smb"))]
#[test]
fn a_build_without_shares_says_so() {
    for text in ["smb://h/s/a", "smb::smb://h/s/a"] {
        let error = Location::parse(text).unwrap_err().to_string();
        let start = "`smb://` is not supported; this build of lvhost has no SMB";
        assert!(
            error.starts_with(start) && error.contains("mount the share"),
            "{error}"
        );
    }
}

#[test]
fn what_steers_is_taken_out_of_the_query() {
    let digits = "0".repeat(32);
    let cases = [
        ("https://h/a?archive=xz", "https://h/a"),
        (
            &format!("https://h/a?x=1&checksum=md5:{digits}&y=%20+z&archive=false&filename=b%20c"),
            "https://h/a?x=1&y=%20+z",
        ),
        ("https://h/a?%61rchive=zip&x", "https://h/a?x"),
        (
            "s3://b/k?version=5&archive=zip",
            "s3::https://s3.amazonaws.com/b/k?version=5",
        ),
        ("/srv/a.img?archive=false", "/srv/a.img"),
        ("file:///srv/a?x=1&archive=gz", "/srv/a"),
    ];
    for (text, shown) in cases {
        assert_eq!(Location::parse(text).unwrap().to_string(), shown, "{text}");
    }
    let text = format!("https://h/a.zip?checksum={digits}&archive=tgz&filename=b%20c.img");
    let location = Location::parse(&text).unwrap();
    assert_eq!(location.file_name(), Some("b c.img"));
    let steering = location.steering();
    let tgz = Packing::Tar(Some(Codec::Gzip));
    assert_eq!(steering.archive(), Archive::As(tgz));
    let checksum = steering.checksum().unwrap();
    assert_eq!(checksum.to_string(), format!("md5:{digits}"));
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
        ("/srv/a.zip//b", "/srv/a.zip", Some("b")),
        ("file:///srv/a.zip//b", "/srv/a.zip", Some("b")),
        (
            "s3://bucket/a.zip//b",
            "s3::https://s3.amazonaws.com/bucket/a.zip",
            Some("b"),
        ),
        (
            "https://h/a.zip//b?archive=false",
            "https://h/a.zip//b",
            None,
        ),
        ("https://h/a.img.gz//b", "https://h/a.img.gz//b", None),
        ("https://h/a.zip//", "https://h/a.zip//", None),
        ("/srv//a.img", "/srv//a.img", None),
    ];
    for (text, shown, member) in cases {
        let location = Location::parse(text).unwrap();
        assert_eq!(location.to_string(), shown, "{text}");
        assert_eq!(location.steering().member(), member, "{text}");
    }
}

#[test]
fn an_invalid_url_shows_no_password() {
    let error = Location::parse("http://user:hunter2@[::/a")
        .unwrap_err()
        .to_string();
    assert_eq!(error, "`http://…` is not a valid URL");
}

#[test]
fn relative_paths_are_taken_from_the_base() {
    let base = Path::new("/base");
    for (text, shown) in [
        ("a/b.img", "/base/a/b.img"),
        ("file::a.img?archive=false", "/base/a.img"),
        ("file:///x", "/x"),
        ("https://h/a", "https://h/a"),
    ] {
        let location = Location::parse(text).unwrap().resolved_in(base);
        assert_eq!(location.to_string(), shown);
    }
    for text in ["https://h/a?checksum=file:SUMS", "a?checksum=file:SUMS"] {
        let location = Location::parse(text).unwrap().resolved_in(base);
        let checksum = location.steering().checksum().unwrap();
        assert_eq!(checksum.to_string(), "file:/base/SUMS");
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
        rest in "[a-z0-9/?&=:@%.\\[\\]-]{0,40}",
    ) {
        let _ = Location::parse(&format!("{form}{rest}"));
    }

    #[test]
    fn a_password_never_shows(password in "[a-z]{12}", tail in "[a-zA-Z0-9/?&=:@%.\\[\\]]{0,20}") {
        for form in ["https://", "https::https://", "s3::https://", "smb://", "smb::smb://"] {
            let shown = match Location::parse(&format!("{form}user:{password}@host/{tail}")) {
                Ok(location) => format!("{location} {location:?}"),
                Err(error) => format!("{error} {error:?}"),
            };
            prop_assert!(!shown.contains(&password), "{}", shown);
        }
    }
}
