//! The page that lists a folder, in the form that Packer's server gives it.

use std::io;
use std::path::Path;

use cap_std::fs::Dir;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};

use super::files::{Files, blocking};

/// Entries of a page. Nobody reads more, and a page is made in memory.
const MAX_ENTRIES: usize = 10_000;

/// What may stand in a link as it is.
const IN_LINKS: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'/');

/// The page of the folder at the path of a URL. `None` if there is no such folder.
pub(super) async fn of(files: &Files, path: &str) -> Option<String> {
    let Files::Directory(folder) = files else {
        return None;
    };
    let path = percent_decode_str(path.trim_start_matches('/'))
        .decode_utf8()
        .ok()?
        .into_owned();
    let folder = std::sync::Arc::clone(folder);
    let names = blocking(move || names(&folder, Path::new(&path))).await;
    Some(page(names.ok()?))
}

/// The names in a folder, sorted; those of folders end in a slash.
fn names(folder: &Dir, path: &Path) -> io::Result<Vec<Vec<u8>>> {
    use std::os::unix::ffi::OsStringExt;
    let below = if path.as_os_str().is_empty() {
        folder.entries()?
    } else {
        folder.read_dir(path)?
    };
    let mut names = Vec::new();
    for entry in below.take(MAX_ENTRIES) {
        let entry = entry?;
        let mut name = entry.file_name().into_vec();
        if entry.file_type()?.is_dir() {
            name.push(b'/');
        }
        names.push(name);
    }
    names.sort_unstable();
    Ok(names)
}

fn page(names: Vec<Vec<u8>>) -> String {
    let mut page =
        "<!doctype html>\n<meta name=\"viewport\" content=\"width=device-width\">\n<pre>\n"
            .to_string();
    for name in names {
        let link = percent_encode(&name, IN_LINKS).to_string();
        let text = String::from_utf8_lossy(&name)
            .replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;");
        page.push_str(&format!("<a href=\"{link}\">{text}</a>\n"));
    }
    page.push_str("</pre>\n");
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_can_not_leave_their_place_in_the_page() {
        let page = page(vec![
            b"plain.cfg".to_vec(),
            b"a \"b\"<script>&.txt".to_vec(),
            b"javascript:alert(1)".to_vec(),
            vec![0xff, b'/'],
        ]);
        let lines: Vec<_> = page.lines().filter(|line| line.starts_with("<a")).collect();
        assert_eq!(
            lines,
            [
                "<a href=\"plain.cfg\">plain.cfg</a>",
                "<a href=\"a%20%22b%22%3Cscript%3E%26.txt\">a \"b\"&lt;script&gt;&amp;.txt</a>",
                "<a href=\"javascript%3Aalert%281%29\">javascript:alert(1)</a>",
                "<a href=\"%FF/\">\u{fffd}/</a>",
            ]
        );
    }
}
