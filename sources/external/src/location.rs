//! Whether a text can be a location, as far as that shows without looking for what is there. Texts
//! are not repeated in messages: a URL may have a password in it.

use lvhost_plugin_sdk::image::Compression;

use crate::checksum;

/// What is wrong and what to do about it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) message: String,
    pub(crate) help: &'static str,
}

/// What a location says about its file beside where it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Steering {
    pub(crate) packing: Packing,
    /// Whether it brings its own checksum.
    pub(crate) has_checksum: bool,
}

/// What is to be done with the file once it is here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Packing {
    /// What its first bytes say. Archives have been unpacked by the host.
    #[default]
    Recognise,
    /// Nothing, whatever it looks like.
    AsItIs,
    /// It is compressed like this.
    Compressed(Compression),
}

const SUPPORTED: &str = "use an `http`, `https`, `s3` or `smb` URL, or the path of a local file";
const CHECK_OUT: &str = "check the repository out first and give the path of the file";
const OBJECT: &str = "use the object's own address: https://storage.googleapis.com/BUCKET/OBJECT";
const WORDS: &str = "use gz, bz2, xz, zst, zip, tar, tar.gz, tar.bz2, tar.xz, tar.zst or false";

/// Forms that are not supported, with what to do instead.
const REFUSED: [(&str, &str); 2] = [("gcs", OBJECT), ("gs", OBJECT)];

/// Hosts that go-getter takes for repositories where no scheme is written.
const REPOSITORY_HOSTS: [&str; 3] = ["github.com/", "gitlab.com/", "bitbucket.org/"];

/// Checks one of the `urls`.
pub(crate) fn check(url: &str) -> Result<Steering, Problem> {
    if url.trim().is_empty() {
        return problem("it is empty", "give a URL or a path");
    }
    if url.contains(char::is_control) {
        return problem(
            "it contains a control character",
            "remove line breaks and the like",
        );
    }
    match url.split_once("::").filter(|(form, _)| is_scheme(form)) {
        Some((form, rest)) => check_forced(form, rest),
        None if url.starts_with("git@") && url.contains(':') => Err(refusal("git", "git@")),
        None => match REPOSITORY_HOSTS.iter().find(|host| url.starts_with(*host)) {
            Some(host) => Err(refusal("git", host)),
            None => check_plain(url),
        },
    }
}

/// Checks what follows `form::`, go-getter's way to say how to get it.
fn check_forced(form: &str, rest: &str) -> Result<Steering, Problem> {
    let scheme = rest
        .split_once("://")
        .map(|(scheme, _)| scheme.to_ascii_lowercase());
    let address = "write an http:// or https:// address after it";
    let (fits, help) = match form.to_ascii_lowercase().as_str() {
        "http" | "https" => (matches!(scheme.as_deref(), Some("http" | "https")), address),
        "s3" => (
            matches!(scheme.as_deref(), Some("http" | "https" | "s3")),
            address,
        ),
        "smb" => (
            scheme.as_deref() == Some("smb"),
            "write an smb:// address after it",
        ),
        "file" => (
            matches!(scheme.as_deref(), None | Some("file")) && !rest.trim().is_empty(),
            "write a path after it",
        ),
        known => return Err(refusal(known, &format!("{form}::"))),
    };
    if !fits {
        return problem(&format!("what follows `{form}::` does not fit it"), help);
    }
    check_plain(rest)
}

fn check_plain(url: &str) -> Result<Steering, Problem> {
    let Some((scheme, rest)) = url
        .split_once("://")
        .filter(|(scheme, _)| is_scheme(scheme))
    else {
        return match url.rsplit_once('?') {
            Some((_, query)) => steering(query),
            None => Ok(Steering::default()),
        };
    };
    match scheme.to_ascii_lowercase().as_str() {
        "http" | "https" | "s3" | "smb" => {
            let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
            let host = authority.rsplit('@').next().unwrap_or_default();
            if host.is_empty() || host.starts_with(':') {
                return problem("it names no host", SUPPORTED);
            }
        }
        "file" if rest.starts_with('/') || rest.starts_with("localhost/") => {}
        "file" => {
            return problem(
                "it names a file of another host",
                "write `file:///path`, or the path",
            );
        }
        other => return Err(refusal(other, &format!("{other}://"))),
    }
    let query = rest.split('#').next().and_then(|rest| rest.split_once('?'));
    query.map_or(Ok(Steering::default()), |(_, query)| steering(query))
}

/// What go-getter, and the host, take out of a query for themselves.
fn steering(query: &str) -> Result<Steering, Problem> {
    let mut steering = Steering::default();
    for pair in query.split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        match name {
            "archive" => steering.packing = packing(value)?,
            "checksum" => {
                steering.has_checksum = !value.eq_ignore_ascii_case("none");
                // What is percent-encoded is left to the host.
                if !value.contains('%')
                    && let Some((message, help)) = checksum::problem(value)
                {
                    return problem(&format!("`checksum=` in its query: {message}"), help);
                }
            }
            "filename" if value.is_empty() || value.contains('/') => {
                return problem("`filename=` in its query is no file's name", "give a name");
            }
            _ => {}
        }
    }
    Ok(steering)
}

fn packing(word: &str) -> Result<Packing, Problem> {
    match word.to_ascii_lowercase().as_str() {
        "false" | "f" | "0" => Ok(Packing::AsItIs),
        "" | "true" | "t" | "1" => Ok(Packing::Recognise),
        "gz" => Ok(Packing::Compressed(Compression::Gzip)),
        "bz2" => Ok(Packing::Compressed(Compression::Bzip2)),
        "xz" => Ok(Packing::Compressed(Compression::Xz)),
        "zst" | "zstd" => Ok(Packing::Compressed(Compression::Zstd)),
        "zip" | "tar" | "tar.gz" | "tgz" | "tar.bz2" | "tbz2" | "tar.xz" | "txz" | "tar.zst"
        | "tzst" => Ok(Packing::Recognise),
        _ => problem("`archive=` in its query is none that is supported", WORDS),
    }
}

fn problem<T>(message: &str, help: &'static str) -> Result<T, Problem> {
    Err(Problem {
        message: message.to_owned(),
        help,
    })
}

fn refusal(form: &str, written: &str) -> Problem {
    match form.split('+').next() {
        Some(program @ ("git" | "hg")) => Problem {
            message: format!("`{written}` is not supported: it would run `{program}` on this host"),
            help: CHECK_OUT,
        },
        _ => Problem {
            message: format!("`{written}` is not supported"),
            help: REFUSED
                .iter()
                .find(|(refused, _)| *refused == form)
                .map_or(SUPPORTED, |(_, instead)| *instead),
        },
    }
}

/// RFC 3986 §3.1.
fn is_scheme(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_that_may_exist_pass() {
        let urls = [
            "https://cloud-images.ubuntu.com/jammy/current/a.img",
            "HTTP://[::1]:8080/a?x=1#y",
            "https://user:secret@example.org/a",
            "https::http://example.org/a",
            "https://github.com/a/b/releases/c.img",
            "file:///srv/a.img",
            "file://localhost/srv/a.img",
            "file:a.img",
            "file::./a.img",
            "file::file:///srv/a.img",
            "/srv/a.img",
            "./images/a.img",
            "a:b.img",
            "/srv/a::b.img",
            "s3::https://s3.amazonaws.com/b/k",
            "s3://bucket/k?region=eu-west-1",
            "smb://user:secret@nas/share/a.img",
            "smb::smb://nas/share/a.img",
            "https://h/a?filename=b",
            "https://h/a.zip//b",
        ];
        for url in urls {
            assert_eq!(check(url), Ok(Steering::default()), "{url}");
        }
    }

    #[test]
    fn what_steers_is_read() {
        let own = format!("https://h/a?checksum=sha256:{}&archive=0", "0".repeat(64));
        let xz = Packing::Compressed(Compression::Xz);
        let cases = [
            ("https://h/a?archive=false", Packing::AsItIs, false),
            ("https://h/a?x=1&archive=xz#f", xz, false),
            ("https://h/a?archive=tar.gz", Packing::Recognise, false),
            ("a.img?archive=xz", xz, false),
            (&own, Packing::AsItIs, true),
            (
                "https://h/a?checksum=file:https://h/S",
                Packing::Recognise,
                true,
            ),
            (
                "https://h/a?checksum=file%3Ahttps%3A%2F%2Fh",
                Packing::Recognise,
                true,
            ),
            ("https://h/a?checksum=none", Packing::Recognise, false),
        ];
        for (url, packing, has_checksum) in cases {
            let expected = Steering {
                packing,
                has_checksum,
            };
            assert_eq!(check(url), Ok(expected), "{url}");
        }
    }

    #[test]
    fn problems_are_named_without_repeating_the_url() {
        let cases = [
            ("", "empty"),
            (" ", "empty"),
            ("https://a/\nb", "control character"),
            (
                "git::https://user:hunter2@h/repo",
                "`git::` is not supported: it would run `git`",
            ),
            ("git+ssh://hunter2@h/repo", "would run `git`"),
            ("git@github.com:hunter2/b", "would run `git`"),
            ("github.com/hunter2/b", "`github.com/` is not supported"),
            ("hg::https://h/hunter2", "would run `hg`"),
            ("smb::/hunter2", "what follows `smb::` does not fit"),
            ("smb:///hunter2", "no host"),
            ("gcs::https://h/hunter2", "`gcs::`"),
            ("http::/srv/hunter2", "what follows `http::` does not fit"),
            ("file::https://h/hunter2", "what follows `file::` does not"),
            ("s3::/hunter2", "what follows `s3::` does not fit"),
            ("s3:///hunter2", "no host"),
            ("file://server/a", "another host"),
            ("http:///hunter2", "no host"),
            ("https://user:hunter2@/a", "no host"),
            ("https://h/a?archive=hunter2", "`archive=` in its query"),
            (
                "https://h/a?x=1&checksum=md5:00#f",
                "`checksum=` in its query: it has 2 digits",
            ),
            ("https://h/a?filename=a/hunter2", "`filename=` in its query"),
        ];
        for (url, part) in cases {
            let problem = check(url).unwrap_err();
            assert!(problem.message.contains(part), "{url}: {problem:?}");
            assert!(!problem.message.contains("hunter2"), "{problem:?}");
        }
        let store = check("gs://bucket/a").unwrap_err();
        assert!(store.help.contains("storage.googleapis.com"));
    }
}
