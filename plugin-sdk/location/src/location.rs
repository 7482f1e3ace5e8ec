//! Where bytes can come from, in the forms of go-getter, taken apart.
//!
//! ```text
//! https://host/path            http and https, also as `https::https://…`
//! path  ./path  /path          a local file, used in place; also `file:path`, `file:///path`,
//!                              `file::path`
//! s3::https://host/bucket/key  an object store; also `s3://bucket/key`
//! smb://host/share/path        a file on a share; also as `smb::smb://…`
//! …?archive=…&checksum=…&filename=…   taken out of the query before the server is asked
//! …/disks.zip//disk.img        a file inside of an archive
//! ```
//!
//! What would run a program on this host (`git::`, `hg::`, and what is recognised as a repository)
//! is refused.

use crate::refusal::{self, SUPPORTED};
use crate::steering::steers;
use crate::{Fault, Steering};

/// How a location's address is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Form {
    /// A URL whose scheme is `http` or `https`.
    Web,
    /// An object of a store: a URL whose scheme is `s3`, `http` or `https`.
    Object,
    /// A file on a share: a URL whose scheme is `smb`.
    Share,
    /// A URL whose scheme is `file`, without a host.
    FileUrl,
    /// A path, as it is.
    Path,
}

/// One place a file can be had from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Location {
    /// How the address is to be read.
    pub form: Form,
    /// The address without `x::` before it, and without what steers.
    pub address: String,
    /// What was said beside it.
    pub steering: Steering,
}

impl Location {
    /// What the file is called: as is said beside the address, or by its end as it is written.
    pub fn file_name(&self) -> Option<String> {
        if let Some(name) = &self.steering.file_name {
            return Some(name.clone());
        }
        let path = match self.form {
            Form::Path => return last(&self.address).map(str::to_owned),
            _ => self.address.split(['?', '#']).next()?,
        };
        let (_, behind_scheme) = path.split_once("://").unwrap_or(("", path));
        let (_, path) = behind_scheme.split_once('/')?;
        last(path).map(str::to_owned)
    }

    /// Parses what a template says; see the module for the forms. Whether a URL is one in every detail is
    /// left to whoever asks a server.
    ///
    /// # Errors
    /// A form that is not supported, by its name, or one that is written wrongly.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        if text.trim().is_empty() {
            return Err(empty());
        }
        if text.contains(char::is_control) {
            return Err(Fault::new(
                "it contains a control character",
                "remove line breaks and the like",
            ));
        }
        if let Some((form, rest)) = forced_form(text) {
            return forced(form, rest);
        }
        if let Some(refused) = refusal::repository(text) {
            return Err(refused);
        }
        let Some(scheme) = scheme(text) else {
            return of_path(text);
        };
        match scheme.to_ascii_lowercase().as_str() {
            "http" | "https" => of_url(Form::Web, text, scheme),
            "s3" => of_url(Form::Object, text, scheme),
            "smb" => of_url(Form::Share, text, scheme),
            "file" => of_file(text, scheme),
            other => Err(refusal::form(&format!("{other}://"), other)),
        }
    }
}

fn last(path: &str) -> Option<&str> {
    path.rsplit('/').next().filter(|name| !name.is_empty())
}

fn empty() -> Fault {
    Fault::new("the location is empty", "give a URL or a path")
}

/// Splits `x::rest`, go-getter's way to force a getter.
fn forced_form(text: &str) -> Option<(&str, &str)> {
    let (form, rest) = text.split_once("::")?;
    let is_plain = form
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    (!form.is_empty() && is_plain).then_some((form, rest))
}

fn forced(form: &str, rest: &str) -> Result<Location, Fault> {
    let unfit = |help| Fault::new(format!("what follows `{form}::` does not fit it"), help);
    const ADDRESS: &str = "write an http:// or https:// address after it";
    let scheme = scheme(rest);
    let is = |known: &str| scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case(known));
    match (form.to_ascii_lowercase().as_str(), scheme) {
        ("http" | "https", Some(scheme)) if is("http") || is("https") => {
            of_url(Form::Web, rest, scheme)
        }
        ("http" | "https", _) => Err(unfit(ADDRESS)),
        ("s3", Some(scheme)) if is("s3") || is("http") || is("https") => {
            of_url(Form::Object, rest, scheme)
        }
        ("s3", _) => Err(unfit(ADDRESS)),
        ("smb", Some(scheme)) if is("smb") => of_url(Form::Share, rest, scheme),
        ("smb", _) => Err(unfit("write an smb:// address after it")),
        ("file", None) if rest.trim().is_empty() => Err(empty()),
        ("file", None) => of_path(rest),
        ("file", Some(scheme)) if is("file") => of_file(rest, scheme),
        ("file", Some(_)) => Err(unfit("write a path or a file:// address after it")),
        (known, _) => Err(refusal::form(&format!("{form}::"), known)),
    }
}

/// The scheme of `scheme:rest` where it is one by RFC 3986 §3.1 and either a `//` follows or it is one
/// that nobody means a path by, so that a path with a colon in it stays a path.
fn scheme(text: &str) -> Option<&str> {
    let (scheme, rest) = text.split_once(':')?;
    let is_well_formed = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    let is_marked = rest.starts_with("//")
        || ["file", "http", "https"]
            .iter()
            .any(|known| scheme.eq_ignore_ascii_case(known));
    (is_well_formed && is_marked).then_some(scheme)
}

/// A URL, taken apart by RFC 3986 §3 as far as what steers stands in it.
fn of_url(form: Form, text: &str, scheme: &str) -> Result<Location, Fault> {
    let Some(rest) = text[scheme.len()..].strip_prefix("://") else {
        // `http:host` would be taken for `http://host`; nobody means that.
        return Err(Fault::new(
            format!("`{scheme}:` is not followed by `//` and a host"),
            SUPPORTED,
        ));
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    if form != Form::FileUrl && (host.is_empty() || host.starts_with(':')) {
        return Err(Fault::new("it names no host", SUPPORTED));
    }
    let (before, fragment) = split_before(text, '#');
    let (path, query) = match before.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (before, None),
    };
    let (mut steering, query) = match query {
        Some(query) => Steering::from_query(query)?,
        None => (Steering::default(), None),
    };
    let start = text.len() - rest.len() + authority.len();
    let (mut address, member) = match path.get(start..).map(|it| steering.split_member(it)) {
        Some(Some((archive, member))) => (format!("{}{archive}", &path[..start]), Some(member)),
        _ => (path.to_owned(), None),
    };
    steering.member = member.map(|member| {
        percent_encoding::percent_decode_str(member)
            .decode_utf8_lossy()
            .into_owned()
    });
    if let Some(query) = query {
        address.push('?');
        address.push_str(&query);
    }
    address.push_str(fragment);
    Ok(Location {
        form,
        address,
        steering,
    })
}

/// Splits so that the second part begins with `mark`, if it is there.
fn split_before(text: &str, mark: char) -> (&str, &str) {
    text.split_at(text.find(mark).unwrap_or(text.len()))
}

/// `file:///absolute` is a URL, percent-encoding included; `file:path` is a plain path.
fn of_file(text: &str, scheme: &str) -> Result<Location, Fault> {
    let rest = &text[scheme.len() + 1..];
    let Some(after) = rest.strip_prefix("//") else {
        return match rest.trim() {
            "" => Err(empty()),
            _ => of_path(rest),
        };
    };
    let host = after.split(['/', '?', '#']).next().unwrap_or_default();
    if !host.is_empty() && !host.eq_ignore_ascii_case("localhost") {
        return Err(Fault::new(
            "it names a file of another host",
            "write `file:///path`, or the path",
        ));
    }
    of_url(Form::FileUrl, text, scheme)
}

/// A path, with what steers after a `?`. Without a key that steers, a question mark is part of the file's
/// name.
fn of_path(text: &str) -> Result<Location, Fault> {
    let (path, mut steering) = match text.rsplit_once('?') {
        Some((path, query)) if steers(query) => (path, Steering::from_query(query)?.0),
        _ => (text, Steering::default()),
    };
    let (path, member) = match steering.split_member(path) {
        Some((archive, member)) => (archive, Some(member.to_owned())),
        None => (path, None),
    };
    steering.member = member;
    Ok(Location {
        form: Form::Path,
        address: path.to_owned(),
        steering,
    })
}

#[cfg(test)]
mod tests;
