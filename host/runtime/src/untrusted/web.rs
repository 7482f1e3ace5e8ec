//! What components ask servers for.

use super::{Checked, few, path, word};
use crate::limits;
use crate::types::{Header, WebRequest};

/// Whom a component asks, and with which headers.
pub(crate) fn web_request(said: WebRequest) -> Checked<WebRequest> {
    if said.urls.is_empty() {
        return Err("a request without a URL".to_owned());
    }
    let urls = few("URLs", said.urls, limits::URLS)?
        .into_iter()
        .map(|url| path("a URL", url, limits::PATH))
        .collect::<Checked<_>>()?;
    let headers = few("headers", said.headers, limits::HEADERS)?
        .into_iter()
        .map(header)
        .collect::<Checked<_>>()?;
    Ok(WebRequest { urls, headers })
}

/// A header; what HTTP makes of its text is looked at where it is sent.
fn header(said: Header) -> Checked<Header> {
    let short = |what: &str, text: String| match text.len() > limits::HEADER {
        true => Err(format!(
            "{what} has {} bytes; at most {} are allowed",
            text.len(),
            limits::HEADER
        )),
        false => Ok(text),
    };
    Ok(match said {
        Header::Text { name, value } => Header::Text {
            name: short("the name of a header", name)?,
            value: short("the value of a header", value)?,
        },
        Header::Secret {
            name,
            prefix,
            secret,
        } => Header::Secret {
            name: short("the name of a header", name)?,
            prefix: short("the value of a header", prefix)?,
            secret: secret_name(secret)?,
        },
        Header::LogIn { user, secret } => Header::LogIn {
            user: short("the name of a user", user)?,
            secret: secret_name(secret)?,
        },
    })
}

/// The name of one of the user's secrets: that of a block in their settings.
pub(crate) fn secret_name(said: String) -> Checked<String> {
    word("a secret", said, b"-_")
}

/// The checksum of a download.
pub(crate) fn checksum(said: Option<String>) -> Checked<Option<String>> {
    match said {
        Some(checksum) if checksum.is_empty() => Ok(None),
        Some(checksum) => Ok(Some(path("a checksum", checksum, limits::CHECKSUM)?)),
        None => Ok(None),
    }
}
