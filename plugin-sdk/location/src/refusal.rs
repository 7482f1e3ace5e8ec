//! The forms that go-getter knows and nobody here does, each with what to write in its place.

use crate::Fault;

/// What there is instead of a form that nobody knows.
pub(crate) const SUPPORTED: &str =
    "use an http, https, s3 or smb address, or the path of a local file";

/// Hosts that go-getter takes for repositories when no scheme is written.
const REPOSITORY_HOSTS: [&str; 3] = ["github.com/", "gitlab.com/", "bitbucket.org/"];

/// Why `form` (a scheme, in any case) is refused; `written` is how it stands there.
pub(crate) fn form(written: &str, form: &str) -> Fault {
    let form = form.to_ascii_lowercase();
    let help = match form.split('+').next() {
        Some("git") => return runs(written, "git"),
        Some("hg") => return runs(written, "hg"),
        Some("gcs" | "gs") => {
            "use the object's own address: https://storage.googleapis.com/BUCKET/OBJECT"
        }
        _ => SUPPORTED,
    };
    Fault::new(format!("`{written}` is not supported"), help)
}

/// Why a text without a scheme is refused, if go-getter would take it for a repository.
pub(crate) fn repository(text: &str) -> Option<Fault> {
    if text.starts_with("git@") && text.contains(':') {
        return Some(runs("git@", "git"));
    }
    let host = REPOSITORY_HOSTS
        .into_iter()
        .find(|host| text.starts_with(host))?;
    Some(runs(host, "git"))
}

fn runs(written: &str, program: &str) -> Fault {
    Fault::new(
        format!("`{written}` is not supported: it would run `{program}` on this host"),
        "check the repository out first and give the path of the file",
    )
}
