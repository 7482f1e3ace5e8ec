//! Whether a text can be a location, as far as that shows without looking for what is there. Texts
//! are not repeated in messages: a URL may have a password in it.

/// What is wrong and what to do about it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) message: String,
    pub(crate) help: &'static str,
}

const SUPPORTED: &str = "use an `http` or `https` URL, or the path of a local file";
const CHECK_OUT: &str = "check the repository out first and give the path of the file";

/// Parameters that go-getter takes out of a URL for itself.
const STEERING: [(&str, &str); 3] = [
    (
        "archive",
        "leave it out: compressed images are recognised by themselves",
    ),
    ("checksum", "use the option `checksum`"),
    ("filename", "leave it out"),
];

/// Checks one of the `urls`.
pub(crate) fn check(url: &str) -> Result<(), Problem> {
    let problem = |message: &str, help| {
        Err(Problem {
            message: message.to_owned(),
            help,
        })
    };
    if url.trim().is_empty() {
        return problem("it is empty", "give a URL or a path");
    }
    if url.contains(char::is_control) {
        return problem(
            "it contains a control character",
            "remove line breaks and the like",
        );
    }
    if let Some((form, _)) = url.split_once("::").filter(|(form, _)| is_scheme(form)) {
        return Err(refusal(form, &format!("{form}::")));
    }
    let Some((scheme, rest)) = url
        .split_once("://")
        .filter(|(scheme, _)| is_scheme(scheme))
    else {
        return Ok(());
    };
    match scheme.to_ascii_lowercase().as_str() {
        "http" | "https" => check_web(rest),
        "file" if rest.starts_with('/') || rest.starts_with("localhost/") => Ok(()),
        "file" => problem(
            "it names a file of another host",
            "write `file:///path`, or the path",
        ),
        other => Err(refusal(other, &format!("{other}://"))),
    }
}

fn check_web(rest: &str) -> Result<(), Problem> {
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    if host.is_empty() || host.starts_with(':') {
        return Err(Problem {
            message: "it names no host".to_owned(),
            help: SUPPORTED,
        });
    }
    let query = rest.split('#').next().and_then(|rest| rest.split_once('?'));
    let steering = query.and_then(|(_, query)| {
        let names = query
            .split('&')
            .map(|pair| pair.split('=').next().unwrap_or_default());
        names
            .into_iter()
            .find_map(|name| STEERING.iter().find(|(known, _)| *known == name))
    });
    match steering {
        Some((name, help)) => Err(Problem {
            message: format!("`{name}=` in its query is not supported"),
            help,
        }),
        None => Ok(()),
    }
}

fn refusal(form: &str, written: &str) -> Problem {
    match form.split('+').next() {
        Some(program @ ("git" | "hg")) => Problem {
            message: format!("`{written}` is not supported: it would run `{program}` on this host"),
            help: CHECK_OUT,
        },
        _ => Problem {
            message: format!("`{written}` is not supported"),
            help: SUPPORTED,
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
            "file:///srv/a.img",
            "file://localhost/srv/a.img",
            "file:a.img",
            "/srv/a.img",
            "./images/a.img",
            "a:b.img",
            "/srv/a::b.img",
        ];
        for url in urls {
            assert_eq!(check(url), Ok(()), "{url}");
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
            (
                "s3::https://s3.amazonaws.com/b/k",
                "`s3::` is not supported",
            ),
            ("s3://bucket/hunter2", "`s3://` is not supported"),
            ("smb://h/share/a", "`smb://`"),
            ("file://server/a", "another host"),
            ("http:///hunter2", "no host"),
            ("https://user:hunter2@/a", "no host"),
            ("https://h/a?archive=false", "`archive=`"),
            ("https://h/a?x=1&checksum=md5:00#f", "`checksum=`"),
        ];
        for (url, part) in cases {
            let problem = check(url).unwrap_err();
            assert!(problem.message.contains(part), "{url}: {problem:?}");
            assert!(!problem.message.contains("hunter2"), "{problem:?}");
        }
    }
}
