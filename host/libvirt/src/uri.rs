//! libvirt's connection URIs: passed through to libvirt as they are, taken apart for messages only.
use std::fmt;

/// Where a hypervisor is reached, as the user wrote it.
///
/// libvirt parses it; here only the password of the user info is found, so that neither `Display`
/// nor `Debug` shows it. See <https://libvirt.org/uri.html>.
#[derive(Clone, PartialEq, Eq)]
pub struct ConnectionUri(String);

impl ConnectionUri {
    /// Takes any URI, also one that libvirt may refuse. The empty one means libvirt's default.
    pub fn new(uri: impl Into<String>) -> Self {
        Self(uri.into())
    }

    /// The whole URI, with a password if there is one. For libvirt, never for a message.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ConnectionUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("libvirt's default URI");
        }
        let parts = Parts::of(&self.0);
        match parts.user_info.and_then(|info| info.split_once(':')) {
            Some((user, _password)) => {
                let prefix = &self.0[..parts.authority_start];
                write!(f, "{prefix}{user}:***@{}{}", parts.host, parts.rest)
            }
            None => f.write_str(&self.0),
        }
    }
}

impl fmt::Debug for ConnectionUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ConnectionUri({self})")
    }
}

/// Whether the hypervisor at `uri` runs on this host, so that file names mean the same on both
/// sides: no host is named, and the transport is none or a unix socket. A host that is named counts
/// as another one, even `localhost`: a port of this host may lead anywhere.
pub fn is_local(uri: &str) -> bool {
    if uri.is_empty() {
        return true;
    }
    let parts = Parts::of(uri);
    let Some(scheme) = parts.scheme else {
        return false;
    };
    let transport = scheme.split_once('+').map(|(_driver, transport)| transport);
    parts.host.is_empty() && transport.is_none_or(|name| name.eq_ignore_ascii_case("unix"))
}

/// A URI taken apart as far as it is needed here. Nothing is decoded and nothing refused.
struct Parts<'a> {
    scheme: Option<&'a str>,
    /// Byte position behind `://`.
    authority_start: usize,
    user_info: Option<&'a str>,
    /// Host and port.
    host: &'a str,
    /// Path, query and fragment.
    rest: &'a str,
}

impl<'a> Parts<'a> {
    fn of(uri: &'a str) -> Self {
        let Some((scheme, behind)) = uri.split_once("://") else {
            // `qemu:/system` has a scheme and no authority; anything else is an alias of
            // libvirt.conf.
            let scheme = uri.split_once(":/").map(|(scheme, _)| scheme);
            return Self {
                scheme,
                authority_start: 0,
                user_info: None,
                host: "",
                rest: uri,
            };
        };
        let authority_start = scheme.len() + "://".len();
        let end = behind.find(['/', '?', '#']).unwrap_or(behind.len());
        let (authority, rest) = behind.split_at(end);
        let (user_info, host) = match authority.rsplit_once('@') {
            Some((info, host)) => (Some(info), host),
            None => (None, authority),
        };
        Self {
            scheme: Some(scheme),
            authority_start,
            user_info,
            host,
            rest,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_never_shown() {
        let cases = [
            ("qemu:///system", "qemu:///system"),
            (
                "qemu+ssh://First.Last@Example.ORG/system",
                "qemu+ssh://First.Last@Example.ORG/system",
            ),
            (
                "qemu+tcp://me:secret@host:16509/system",
                "qemu+tcp://me:***@host:16509/system",
            ),
            (
                "qemu+tls://me:s%40cret@[fd00::1]:16514/",
                "qemu+tls://me:***@[fd00::1]:16514/",
            ),
            (
                "qemu+tcp://me:secret@host?no_verify=1",
                "qemu+tcp://me:***@host?no_verify=1",
            ),
            (
                "qemu+tcp://me:a:b@c@host/system",
                "qemu+tcp://me:***@host/system",
            ),
            (
                "qemu+libssh2://u@h/system?keyfile=/a:b@c",
                "qemu+libssh2://u@h/system?keyfile=/a:b@c",
            ),
            (
                "qemu:///embed?root=/deep/path",
                "qemu:///embed?root=/deep/path",
            ),
            ("", "libvirt's default URI"),
        ];
        for (uri, shown) in cases {
            let uri = ConnectionUri::new(uri);
            assert_eq!(uri.to_string(), shown);
            assert_eq!(format!("{uri:?}"), format!("ConnectionUri({shown})"));
        }
    }

    #[test]
    fn local_is_what_names_no_host() {
        let cases = [
            ("", true),
            ("qemu:///system", true),
            ("qemu:///session", true),
            ("qemu:/system", true),
            ("qemu+unix:///system?socket=/run/x", true),
            ("QEMU+UNIX:///system", true),
            ("test:///default", true),
            ("qemu+ssh://host/system", false),
            ("qemu+ssh:///system", false),
            ("qemu://host/system", false),
            ("qemu+tls://[::1]/system", false),
            ("qemu+tcp://localhost/system", false),
            ("qemu+unix://host/system", false),
            ("qemu+ext:///system?command=x", false),
            ("esx://host/", false),
            ("an-alias", false),
        ];
        for (uri, local) in cases {
            assert_eq!(is_local(uri), local, "{uri}");
        }
    }
}
