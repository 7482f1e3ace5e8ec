//! Where a file is, by its address:
//! `smb://[[DOMAIN;]USER[:PASSWORD]@]HOST[:PORT]/SHARE/FOLDER/FILE`, after the draft
//! <https://datatracker.ietf.org/doc/html/draft-crhertel-smb-url-12> and as go-getter has it.

use percent_encoding::percent_decode_str;
use url::{Host, Url};

use crate::safe_url::SMB_PORT;

/// The names in an address, as the server knows them.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// As it stands in the URL; an IPv6 address in brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) share: String,
    /// Inside of the share, its parts divided by `/`.
    pub(crate) path: String,
}

impl Place {
    /// Reads an address without what steers; an error continues `the SMB address …`.
    pub(crate) fn of(url: &Url) -> Result<Self, &'static str> {
        let host = url.host_str().unwrap_or_default();
        if Host::parse(host).is_err() {
            return Err("names no host; write smb://HOST/SHARE/FILE");
        }
        if url.query().is_some() {
            return Err("has a query; in a name, `?` is written as `%3F`");
        }
        if url.fragment().is_some() {
            return Err("has a fragment; in a name, `#` is written as `%23`");
        }
        let parts = url.path().split('/').filter(|part| !part.is_empty());
        let names: Vec<_> = parts.map(name).collect::<Result<_, _>>()?;
        match names.split_first() {
            Some((share, path)) if !path.is_empty() && !url.path().ends_with('/') => Ok(Self {
                host: host.to_owned(),
                port: url.port().unwrap_or(SMB_PORT),
                share: share.clone(),
                path: path.join("/"),
            }),
            _ => Err("names no file on a share; write smb://HOST/SHARE/FILE"),
        }
    }
}

/// One part of a path. What would lead out of the folder that the URL shows is none.
fn name(part: &str) -> Result<String, &'static str> {
    let name = percent_decode_str(part)
        .decode_utf8()
        .map_err(|_| "has a name that is not in UTF-8")?;
    if name.contains(['/', '\\'])
        || name.contains(char::is_control)
        || [".", ".."].contains(&&*name)
    {
        return Err("has a part that can't be a name; folders are divided by `/`");
    }
    Ok(name.into_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn place(text: &str) -> Result<Place, &'static str> {
        Place::of(&Url::parse(text).unwrap())
    }

    #[test]
    fn places() {
        for (text, host, port, share, path) in [
            ("smb://nas/s/a", "nas", 445, "s", "a"),
            ("smb://u:p@nas:4450/s/d/a%20b", "nas", 4450, "s", "d/a b"),
            ("smb://[fe80::1]/s//d//a", "[fe80::1]", 445, "s", "d/a"),
            ("smb://nas/my%20share/%C3%A9", "nas", 445, "my share", "é"),
            ("smb://nas/s/d/../a", "nas", 445, "s", "a"),
            ("smb://nas/s/a%3Fb%23c", "nas", 445, "s", "a?b#c"),
        ] {
            let (host, share, path) = (host.to_owned(), share.to_owned(), path.to_owned());
            let expected = Place {
                host,
                port,
                share,
                path,
            };
            assert_eq!(place(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_none() {
        for (text, problem) in [
            ("smb:///s/a", "names no host"),
            ("smb://a%2Fb/s/a", "names no host"),
            ("smb://nas", "names no file"),
            ("smb://nas/s", "names no file"),
            ("smb://nas/s/", "names no file"),
            ("smb://nas/s/d/", "names no file"),
            ("smb://nas/s/../a", "names no file"),
            ("smb://nas/s/a?b=c", "has a query"),
            ("smb://nas/s/a#b", "has a fragment"),
            ("smb://nas/s/d%2F..%2Fa", "can't be a name"),
            ("smb://nas/s/d\\a", "can't be a name"),
            ("smb://nas/s/a%00", "can't be a name"),
            ("smb://nas/s/%ff", "not in UTF-8"),
        ] {
            let error = place(text).unwrap_err();
            assert!(error.contains(problem), "{text}: {error}");
        }
    }

    proptest! {
        #[test]
        fn no_path_leads_out_of_its_share(path in "[a./%25EeFf\\\\]{0,30}") {
            if let Ok(place) = place(&format!("smb://nas/s/{path}")) {
                for part in place.path.split('/') {
                    prop_assert!(!["", ".", ".."].contains(&part) && !part.contains('\\'));
                }
            }
        }
    }
}
