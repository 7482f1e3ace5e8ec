//! The listing of a folder as web servers show it: a page with a link to each file.

/// A link to a file of the folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Link {
    /// As it stands in the page, to be put behind the folder's URL.
    pub(crate) href: String,
    /// The file's name.
    pub(crate) name: String,
}

/// Files directly in the folder; links to anywhere else are left out.
pub(crate) fn links(page: &str) -> Vec<Link> {
    let mut links = Vec::new();
    let mut rest = page;
    while let Some(at) = find_attribute(rest) {
        rest = &rest[at..];
        let Some(quote) = rest.chars().next().filter(|quote| "\"'".contains(*quote)) else {
            continue;
        };
        rest = &rest[1..];
        let Some(end) = rest.find(quote) else {
            break;
        };
        links.extend(link(&rest[..end]));
        rest = &rest[end + 1..];
    }
    links
}

/// Where the value of the next `href=` begins.
fn find_attribute(page: &str) -> Option<usize> {
    const NAME: &[u8] = b"href=";
    let mut windows = page.as_bytes().windows(NAME.len());
    let at = windows.position(|window| window.eq_ignore_ascii_case(NAME))?;
    Some(at + NAME.len())
}

fn link(value: &str) -> Option<Link> {
    let href = value.replace("&amp;", "&");
    let href = href.strip_prefix("./").unwrap_or(&href);
    let name = percent_decoded(href)?;
    let is_file = !name.is_empty()
        && !name.starts_with('.')
        && !href.contains(['?', '#', ':'])
        && !name.contains(['/', '\\'])
        && !name.contains(char::is_control);
    is_file.then(|| Link {
        href: href.to_owned(),
        name,
    })
}

/// RFC 3986 §2.1; `None` for what does not come to text.
fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        if *first == b'%' {
            let digits = std::str::from_utf8(after.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &after[2..];
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(page: &str) -> Vec<String> {
        links(page).into_iter().map(|link| link.name).collect()
    }

    #[test]
    fn pages_of_web_servers_are_read() {
        // As Apache, nginx and Python's http.server write them.
        let apache = r#"<tr><td><a href="?C=N;O=D">Name</a></td></tr>
            <tr><td><a href="/images/">Parent Directory</a></td></tr>
            <tr><td><a href="disk-1.qcow2">disk-1.qcow2</a></td><td>2024-05-07</td></tr>"#;
        assert_eq!(names(apache), ["disk-1.qcow2"]);
        let nginx =
            "<a href=\"../\">../</a>\r\n<a href=\"disk%2B2.img\">disk+2.img</a>   07-May\r\n";
        let found = links(nginx);
        assert_eq!(found[0].href, "disk%2B2.img");
        assert_eq!(found[0].name, "disk+2.img");
        assert_eq!(found.len(), 1);
        let python =
            "<li><A HREF='./a&amp;b.img'>a&amp;b.img</A></li><li><a href=\"sub/\">sub/</a>";
        assert_eq!(names(python), ["a&b.img"]);
    }

    #[test]
    fn links_that_lead_elsewhere_or_make_no_sense_are_left_out() {
        for value in [
            "",
            ".",
            "..",
            "..%2fa",
            "%2e%2e",
            "a/b",
            "/a",
            "https://h/a",
            "a?b",
            "a#b",
            "a%0ab",
            "a%",
            "a%z1",
            "%ff",
            "a\\b",
        ] {
            assert_eq!(names(&format!("<a href=\"{value}\">")), [""; 0], "{value}");
        }
        assert_eq!(names("href=\"unclosed"), [""; 0]);
        assert_eq!(names("href=x href=\"y\""), ["y"]);
    }
}
