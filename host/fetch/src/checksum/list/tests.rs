//! Lists as they are found on the web, and what is taken out of them.

use proptest::prelude::*;

use super::*;

fn hex(algorithm: Algorithm, digit: char) -> String {
    digit.to_string().repeat(algorithm.length() * 2)
}

fn find(list: &str, names: &[&str]) -> Result<String, ChecksumListError> {
    let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
    let digest = ChecksumList::parse(list).find(&names)?;
    Ok(format!("{digest:?}"))
}

fn sha256(digit: char) -> String {
    format!("sha256:{}", hex(Algorithm::Sha256, digit))
}

#[test]
fn lines_of_every_tool() {
    let (a, b, c) = (
        hex(Algorithm::Sha256, 'a'),
        hex(Algorithm::Sha256, 'b'),
        hex(Algorithm::Sha1, 'c'),
    );
    let cases = [
        (format!("{b}  other\n{a}  disk.img\n"), sha256('a')),
        (format!("{b} *other\r\n{a} *disk.img\r\n"), sha256('a')),
        (format!("{a} ?disk.img"), sha256('a')),
        (format!("{a}\tdisk.img"), sha256('a')),
        (format!("{a}  ./disk.img"), sha256('a')),
        (format!("{b}  /old/disk.img\n{a}  disk.img"), sha256('a')),
        (format!("{a}  build/disk.img\n{b}  other"), sha256('a')),
        (format!("SHA256 (disk.img) = {a}"), sha256('a')),
        (format!("SHA2-256(disk.img)= {a}"), sha256('a')),
        (
            format!("SHA-256 (disk.img) = {}", a.to_uppercase()),
            sha256('a'),
        ),
        (
            format!("SHA1 (disk.img) = {c}\nSHA256 (disk.img) = {a}"),
            sha256('a'),
        ),
        (format!("{a}  disk.img\n{c}  disk.img"), sha256('a')),
        (
            format!("SHA384 (disk.img) = {a}{b}\nSHA256 (disk.img) = {a}"),
            sha256('a'),
        ),
        (format!("\u{feff}{a}\n"), sha256('a')),
        (format!("{a}  -\n"), sha256('a')),
        (
            format!(
                "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n# disk.img: 5 bytes\n\
                 SHA256 (disk.img) = {a}\n-----BEGIN PGP SIGNATURE-----\n\niQIzBAEBCAAdFiEE\n"
            ),
            sha256('a'),
        ),
    ];
    for (list, expected) in cases {
        assert_eq!(find(&list, &["disk.img"]), Ok(expected), "{list}");
    }
}

#[test]
fn names_with_spaces_brackets_and_escapes() {
    let a = hex(Algorithm::Md5, 'a');
    let expected = Ok(format!("md5:{a}"));
    for (line, name) in [
        (format!("{a}  my disk (1).img"), "my disk (1).img"),
        (format!("MD5 (my disk (1).img) = {a}"), "my disk (1).img"),
        (format!("\\{a}  a\\\\b"), "a\\b"),
    ] {
        assert_eq!(find(&line, &[name]), expected, "{line}");
    }
}

#[test]
fn the_most_exact_name_counts() {
    let list = format!(
        "{}  disk.img\n{}  arm/disk.img\n",
        hex(Algorithm::Sha256, 'a'),
        hex(Algorithm::Sha256, 'b')
    );
    assert_eq!(find(&list, &["disk.img"]), Ok(sha256('a')));
    assert_eq!(find(&list, &["arm/disk.img", "disk.img"]), Ok(sha256('b')));
}

#[test]
fn what_a_list_does_not_say() {
    let (a, b) = (hex(Algorithm::Sha256, 'a'), hex(Algorithm::Sha256, 'b'));
    let many: String = (0..20)
        .map(|number| format!("{a}  file-{number}\n"))
        .collect();
    let cases = [
        (String::new(), "there is no checksum in it"),
        ("<html>404</html>".to_owned(), "there is no checksum in it"),
        (
            format!("{a}  other.img"),
            "it does not list `disk.img`; it lists `other.img`",
        ),
        (many, "`file-7` and 12 more"),
        (
            format!("{a}  disk.img\n{b}  disk.img"),
            "different sha256 checksums for `disk.img`",
        ),
        (
            format!("{a}  a/disk.img\n{b}  b/disk.img"),
            "different sha256 checksums for `disk.img`",
        ),
        (format!("{a}\n{b}\n"), "different sha256 checksums"),
        (format!("{a}\n{b}  other\n"), "it lists `other`"),
        (
            format!("BLAKE2b (disk.img) = {a}{a}"),
            "it has only a BLAKE2b checksum for `disk.img`",
        ),
        (
            format!("{a}{}  disk.img", &a[..32]),
            "only a 384-bit checksum",
        ),
        (
            format!("SHA256 (disk.img) = {}", &a[1..]),
            "only a SHA256 checksum",
        ),
    ];
    for (list, part) in cases {
        let error = find(&list, &["disk.img"]).unwrap_err().to_string();
        assert!(error.contains(part), "{list}: {error}");
    }
}

#[test]
fn a_file_goes_by_the_names_that_a_list_may_have_for_it() {
    let cases: [(&str, &str, &[&str]); 6] = [
        (
            "https://h/r/arm/a%20b.img",
            "https://h/r/SUMS",
            &["arm/a b.img", "a b.img"],
        ),
        (
            "https://h/r/a.img?x=1",
            "https://h/r/SUMS",
            &["a.img", "a.img"],
        ),
        ("https://h/r/a.img", "https://other/SUMS", &["a.img"]),
        (
            "https://h/get?filename=b.img",
            "/srv/SUMS",
            &["b.img", "get"],
        ),
        (
            "/srv/r/a.img",
            "/srv/SUMS",
            &["r/a.img", "/srv/r/a.img", "a.img"],
        ),
        ("/srv/a.img", "/etc/SUMS", &["/srv/a.img", "a.img"]),
    ];
    for (file, list, expected) in cases {
        let (file, list) = (
            Location::parse(file).unwrap(),
            Location::parse(list).unwrap(),
        );
        assert_eq!(names_of(&file, &list), expected, "{file}");
    }
}

proptest! {
    #[test]
    fn any_text_is_a_list(text in "\\PC*", name in "\\PC{0,20}") {
        let _ = ChecksumList::parse(&text).find(&[name]);
    }

    #[test]
    fn what_a_tool_wrote_is_found(
        names in proptest::collection::btree_set("[a-z(][a-z0-9._() -]{0,20}[a-z0-9)]", 1..6),
        is_bsd in any::<bool>(),
    ) {
        let digest = |index: usize| format!("{index:064x}");
        let list: String = names.iter().enumerate().map(|(index, name)| if is_bsd {
            format!("SHA256 ({name}) = {}\n", digest(index))
        } else {
            format!("{}  {name}\n", digest(index))
        }).collect();
        for (index, name) in names.iter().enumerate() {
            let found = ChecksumList::parse(&list).find(std::slice::from_ref(name));
            prop_assert_eq!(found.unwrap().to_string(), digest(index));
        }
    }
}
