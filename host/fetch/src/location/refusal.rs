//! The forms that go-getter knows and this doesn't, each with its reason.

use super::LocationParseError;

/// Hosts that go-getter takes for repositories when no scheme is written.
const REPOSITORY_HOSTS: [&str; 3] = ["github.com/", "gitlab.com/", "bitbucket.org/"];

/// Why `form` (in lower case, without its colons) is refused; `written` is how it stands there.
pub(super) fn form(written: &str, form: &str) -> LocationParseError {
    let unsupported = |instead| LocationParseError::UnsupportedForm {
        form: written.to_owned(),
        instead,
    };
    match form.split('+').next() {
        Some("git") => runs(written, "git"),
        Some("hg") => runs(written, "hg"),
        #[cfg(not(feature = "smb"))]
        Some("smb") => unsupported(
            "this build of lvhost has no SMB (its feature `smb` is off): mount the share, for instance by `mount -t cifs //HOST/SHARE DIRECTORY`, and give the \
             path of the file in it",
        ),
        Some("gcs" | "gs") => unsupported(
            "use the object's own address: https://storage.googleapis.com/BUCKET/OBJECT",
        ),
        _ => unsupported("use an http, https or s3 address, or the path of a local file"),
    }
}

/// Why a text without a scheme is refused, if go-getter would take it for a repository.
pub(super) fn repository(text: &str) -> Option<LocationParseError> {
    if text.starts_with("git@") && text.contains(':') {
        return Some(runs("git@", "git"));
    }
    let host = REPOSITORY_HOSTS
        .into_iter()
        .find(|host| text.starts_with(host))?;
    Some(runs(host, "git"))
}

fn runs(form: &str, program: &'static str) -> LocationParseError {
    LocationParseError::RunsProgram {
        form: form.to_owned(),
        program,
    }
}
