//! libvirt's connection URIs: passed through to libvirt as they are, taken apart for messages and to
//! find out where the hypervisor is, and whether they are harmless.
use std::fmt;

use percent_encoding::percent_decode_str;

pub use self::fault::UriFault;
pub use self::risk::UriRisk;

mod fault;
mod risk;

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

    /// What in the URI may make libvirt run or open something of this machine; `None` if it does no
    /// more than name a hypervisor. Of a URI that is not the user's own, such as a template's.
    pub fn risk(&self) -> Option<UriRisk> {
        risk::risk(&self.0)
    }

    /// Why nothing can be reached at the URI, where that is certain. An alias of the user's `libvirt.conf`
    /// has no driver and is right all the same.
    pub fn fault(&self) -> Option<UriFault> {
        fault::fault(&self.0)
    }

    /// The name or address of the host in the URI, an IPv6 address without brackets; `None` if it
    /// names none.
    pub fn host(&self) -> Option<String> {
        let (host, _) = split_port(Parts::of(&self.0).host);
        (!host.is_empty()).then(|| decoded(host))
    }

    /// The host that SSH leads to on the way to the hypervisor, if the transport is SSH (`ssh`,
    /// `libssh`, `libssh2`): through it guests can be reached that nobody else can.
    pub fn bastion(&self) -> Option<Bastion> {
        let parts = Parts::of(&self.0);
        let transport = parts.transport()?.to_ascii_lowercase();
        if !matches!(transport.as_str(), "ssh" | "libssh" | "libssh2") || parts.host.is_empty() {
            return None;
        }
        let (host, port) = split_port(parts.host);
        // A password has no place in it: libvirt has none for SSH.
        let user = parts.user_info.map(|info| {
            let user = info.split_once(':').map_or(info, |(user, _password)| user);
            decoded(user)
        });
        let flag = |name| parts.parameter(name).is_some_and(|value| value != "0");
        let ignored = parts
            .parameter("known_hosts_verify")
            .is_some_and(|how| how == "ignore");
        Some(Bastion {
            host: decoded(host),
            user: user.filter(|user| !user.is_empty()),
            port,
            key_file: parts.parameter("keyfile"),
            known_hosts_file: parts.parameter("known_hosts"),
            verify_host: !flag("no_verify") && !ignored,
        })
    }
}

/// The host in an SSH URI, and how libvirt logs in there. What the URI leaves open is up to SSH's
/// own configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bastion {
    /// Name or address, an IPv6 address without brackets.
    pub host: String,
    /// Who logs in.
    pub user: Option<String>,
    /// The port of the SSH server.
    pub port: Option<u16>,
    /// The private key (parameter `keyfile`).
    pub key_file: Option<String>,
    /// The file of known hosts (parameter `known_hosts`).
    pub known_hosts_file: Option<String>,
    /// Whether the host's key is checked. Parameters `no_verify=1` and `known_hosts_verify=ignore`
    /// say no.
    pub verify_host: bool,
}

/// Host and port: `name:22`, `[fd00::1]:22`. Brackets go.
fn split_port(authority: &str) -> (&str, Option<u16>) {
    if let Some((host, rest)) = authority
        .strip_prefix('[')
        .and_then(|rest| rest.split_once(']'))
    {
        let port = rest.strip_prefix(':').and_then(|port| port.parse().ok());
        return (host, port);
    }
    match authority.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().ok()),
        None => (authority, None),
    }
}

/// libvirt takes percent-encoding back everywhere, and a plus sign for what it is.
fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
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
    parts.scheme.is_some()
        && parts.host.is_empty()
        && parts
            .transport()
            .is_none_or(|name| name.eq_ignore_ascii_case("unix"))
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
    /// The `ssh` of `qemu+ssh`.
    fn transport(&self) -> Option<&'a str> {
        let (_driver, transport) = self.scheme?.split_once('+')?;
        Some(transport)
    }

    /// A parameter of the query, decoded. Names are compared as libvirt does, without case.
    fn parameter(&self, name: &str) -> Option<String> {
        let (_path, query) = self.rest.split_once('?')?;
        let query = query.split_once('#').map_or(query, |(query, _)| query);
        query.split(['&', ';']).find_map(|pair| {
            // A value may have equal signs of its own.
            let (key, value) = pair.split_once('=')?;
            decoded(key)
                .eq_ignore_ascii_case(name)
                .then(|| decoded(value))
        })
    }

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
            ("qemu:///embed?root=/var/lib/a=b", true),
            ("qemu+unix:///session?socket=%2Frun%2Fx", true),
            ("qemu+unix://?socket=/run/libvirt/libvirt-sock", true),
            (
                "qemu+ssh://First.Last@[fd00::1]:2222/system?keyfile=/a==",
                false,
            ),
            ("qemu+tcp://:16509/system", false),
            ("qemu+libssh2://host/system", false),
            ("lxc:///", true),
            ("xen:///system", true),
        ];
        for (uri, local) in cases {
            assert_eq!(is_local(uri), local, "{uri}");
        }
    }

    #[test]
    fn a_bastion_is_what_ssh_leads_to() {
        let plain = |host: &str| Bastion {
            host: host.into(),
            user: None,
            port: None,
            key_file: None,
            known_hosts_file: None,
            verify_host: true,
        };
        let cases = [
            ("qemu+ssh://Example.org/system", Some(plain("Example.org"))),
            (
                "qemu+SSH://First.Last@host:2222/system?keyfile=/k=1&known_hosts=%2Fh%20h#x",
                Some(Bastion {
                    user: Some("First.Last".into()),
                    port: Some(2222),
                    key_file: Some("/k=1".into()),
                    known_hosts_file: Some("/h h".into()),
                    ..plain("host")
                }),
            ),
            (
                "qemu+libssh2://me:secret@[fe80::1%25eth0]:22/session?no_verify=1",
                Some(Bastion {
                    user: Some("me".into()),
                    port: Some(22),
                    verify_host: false,
                    ..plain("fe80::1%eth0")
                }),
            ),
            (
                "qemu+libssh://d%40omain@[::1]?known_hosts_verify=ignore&no_verify=0",
                Some(Bastion {
                    user: Some("d@omain".into()),
                    verify_host: false,
                    ..plain("::1")
                }),
            ),
            ("qemu+ssh:///system", None),
            ("qemu+tls://host/system", None),
            ("qemu+tcp://host/system", None),
            ("qemu://host/system", None),
            ("qemu:///system", None),
            ("", None),
            ("an-alias", None),
        ];
        for (uri, bastion) in cases {
            assert_eq!(ConnectionUri::new(uri).bastion(), bastion, "{uri}");
        }
    }

    proptest::proptest! {
        /// Whatever is given, nothing panics, and what is shown has no password in it.
        #[test]
        fn any_text_is_taken(text: String, user in "[a-z]{1,8}", host in "[a-z0-9.]{1,12}") {
            let uri = ConnectionUri::new(text);
            let _ = (uri.to_string(), uri.bastion(), is_local(uri.expose()));
            let uri = ConnectionUri::new(format!("qemu+ssh://{user}:S3CRET@{host}/system"));
            let shown = format!("{uri} {uri:?} {:?}", uri.bastion());
            proptest::prop_assert!(!shown.contains("S3CRET"));
            proptest::prop_assert!(!is_local(uri.expose()));
        }
    }
}
