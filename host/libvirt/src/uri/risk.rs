//! What a connection URI may make libvirt do beside connecting: an allow-list.
//!
//! libvirt runs programs and opens files of this machine that stand in a URI: `command` is run for
//! `+ext` and instead of `ssh`, `socket`, `keyfile`, `known_hosts`, `pkipath` and `authfile` are
//! opened, `no_verify` has `ssh` write a strange host into the user's own list, `embed` runs a whole
//! hypervisor in this process, `test:///path` reads a file. Later versions may know more of this. So
//! it is not these that are looked for: what is not known to be harmless is a risk. See
//! <https://libvirt.org/uri.html> and libvirt's `src/remote/remote_driver.c`, `doRemoteOpen`.
//!
//! ```text
//!  URI      = "" | alias | driver [ "+" transport ] ":" [ "//" [ user "@" ] host [ ":" port ] ] path [ "?" query ]
//!  alias    = one or more of A–Z a–z 0–9 _ -       (stands in the user's own libvirt.conf)
//!  query    = name "=" word, separated by "&"
//! ```
//! Every part is compared as it stands. An encoded or differently written form of something harmless
//! is refused too, so that nothing depends on reading a URI exactly as libvirt reads it.

/// Hypervisors whose URIs name nothing but a daemon. `test` is libvirt's mock, which keeps
/// everything in the memory of the process.
const DRIVERS: [&str; 7] = ["qemu", "lxc", "xen", "ch", "bhyve", "vz", "test"];

/// Ways to a daemon that need nothing else from the URI.
const TRANSPORTS: [&str; 6] = ["unix", "tcp", "tls", "ssh", "libssh", "libssh2"];

/// Daemons.
const PATHS: [&str; 4] = ["", "/", "/system", "/session"];

/// The mock's only hypervisor that is not described by a file.
const MOCK_PATH: &str = "/default";

/// Parameters with the words they may have. `mode` and `proxy` choose the socket and the program at
/// the hypervisor's host, which is asked as the user there.
const PARAMETERS: [(&str, &[&str]); 3] = [
    ("mode", &["auto", "legacy", "direct"]),
    ("no_tty", &["0", "1"]),
    ("proxy", &["auto", "netcat", "native"]),
];

/// The part of a connection URI that may make libvirt run or open something of this machine.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UriRisk {
    /// It is no alias and has no scheme, or is not written as a URI.
    #[error("it is not written as such a URI")]
    Form,
    /// A driver that is not known to be harmless.
    #[error("it has the driver `{0}`")]
    Driver(String),
    /// A transport that is not known to be harmless.
    #[error("it has the transport `{0}`")]
    Transport(String),
    /// A user or a password that is no plain word.
    #[error("what stands before its `@` is no plain name of a user")]
    User,
    /// Neither a name, nor an address, nor a port.
    #[error("its host is no plain name or address with a port")]
    Host,
    /// Something else than a daemon's path.
    #[error("it has the path `{0}`")]
    Path(String),
    /// A parameter that is not known to be harmless.
    #[error("it has the parameter `{0}`")]
    Parameter(String),
    /// A parameter is harmless with other values only.
    #[error("its parameter `{0}` has an unusual value")]
    ParameterValue(&'static str),
}

/// What is not known to be harmless in `uri`.
pub(super) fn risk(uri: &str) -> Option<UriRisk> {
    check(uri).err()
}

fn check(uri: &str) -> Result<(), UriRisk> {
    if uri.is_empty() || is_alias(uri) {
        return Ok(());
    }
    let (scheme, behind) = uri.split_once(':').ok_or(UriRisk::Form)?;
    let (driver, transport) = match scheme.split_once('+') {
        Some((driver, transport)) => (driver, Some(transport)),
        None => (scheme, None),
    };
    if !DRIVERS.contains(&driver) {
        return Err(UriRisk::Driver(driver.to_owned()));
    }
    if let Some(transport) = transport.filter(|it| !TRANSPORTS.contains(it)) {
        return Err(UriRisk::Transport(transport.to_owned()));
    }
    let (hierarchy, query) = match behind.split_once('?') {
        Some((hierarchy, query)) => (hierarchy, Some(query)),
        None => (behind, None),
    };
    let path = match hierarchy.strip_prefix("//") {
        Some(rest) => {
            let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            check_authority(authority)?;
            path
        }
        None if hierarchy.starts_with('/') => hierarchy,
        None => return Err(UriRisk::Form),
    };
    let is_harmless = match driver {
        "test" => path == MOCK_PATH,
        _ => PATHS.contains(&path),
    };
    if !is_harmless {
        return Err(UriRisk::Path(path.to_owned()));
    }
    query.map_or(Ok(()), check_query)
}

/// libvirt takes a text for an alias only if its configuration has it.
fn is_alias(uri: &str) -> bool {
    uri.bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
}

fn check_authority(authority: &str) -> Result<(), UriRisk> {
    let address = match authority.rsplit_once('@') {
        Some((user, address)) => {
            let (user, password) = user.split_once(':').unwrap_or((user, "none"));
            if !is_name(user) || !is_name(password) {
                return Err(UriRisk::User);
            }
            address
        }
        None => authority,
    };
    let (host, port) = match address.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']').ok_or(UriRisk::Host)?;
            if !is_ipv6(host) {
                return Err(UriRisk::Host);
            }
            (
                host,
                port.strip_prefix(':').or(port.is_empty().then_some("")),
            )
        }
        None => match address.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (address, Some("")),
        },
    };
    let is_port = |port: &str| port.is_empty() || port.bytes().all(|byte| byte.is_ascii_digit());
    let is_plain = address.starts_with('[') || host.is_empty() || is_name(host);
    match port {
        Some(port) if is_port(port) && is_plain => Ok(()),
        _ => Err(UriRisk::Host),
    }
}

/// A name that no program can take for an option.
fn is_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes
        .next()
        .is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

/// An address, with a zone as in `fe80::1%25eth0`.
fn is_ipv6(text: &str) -> bool {
    let (address, zone) = match text.split_once("%25") {
        Some((address, zone)) => (address, Some(zone)),
        None => (text, None),
    };
    address.parse::<std::net::Ipv6Addr>().is_ok() && zone.is_none_or(is_name)
}

fn check_query(query: &str) -> Result<(), UriRisk> {
    // libvirt splits at semicolons too, but not always: one is refused as part of a name or value.
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let known = PARAMETERS.iter().find(|(known, _)| *known == name);
        let Some((name, values)) = known else {
            return Err(UriRisk::Parameter(name.to_owned()));
        };
        if !values.contains(&value) {
            return Err(UriRisk::ParameterValue(name));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_names_a_daemon_and_nothing_else_is_harmless() {
        for uri in [
            "",
            "an-alias",
            "qemu:///system",
            "qemu:///session",
            "qemu:/system",
            "qemu:///",
            "qemu+unix:///system",
            "qemu+unix:///session?mode=direct",
            "qemu://host/system",
            "qemu+tcp://127.0.0.1:16509/system",
            "qemu+tls://[::1]:16514/system",
            "qemu+tls://host.example.org",
            "qemu+ssh://root@hv-1.example.org:2222/system?no_tty=1&proxy=native",
            "qemu+libssh2://First.Last@[fe80::1%25eth0]/session",
            "qemu+tcp://me:secret@host/system",
            "lxc:///system",
            "xen+ssh://host/system",
            "test:///default",
        ] {
            assert_eq!(risk(uri), None, "{uri}");
        }
    }

    #[test]
    fn what_libvirt_runs_or_opens_is_a_risk_however_it_is_written() {
        use UriRisk::{Driver, Form, Host, Parameter, ParameterValue, Path, Transport, User};
        let parameter = |name: &str| Parameter(name.to_owned());
        let cases = [
            (
                "qemu+ext:///system?command=./evil.sh",
                Transport("ext".into()),
            ),
            ("qemu+ext://", Transport("ext".into())),
            ("qemu+EXT:///system", Transport("EXT".into())),
            ("qemu+unix+ext:///system", Transport("unix+ext".into())),
            ("QEMU:///system", Driver("QEMU".into())),
            ("esx://host/?no_verify=1", Driver("esx".into())),
            ("vbox:///session", Driver("vbox".into())),
            ("vmwarefusion:///session", Driver("vmwarefusion".into())),
            ("file:///etc/passwd", Driver("file".into())),
            ("q%65mu:///system", Driver("q%65mu".into())),
            ("qemu+ssh://h/system?command=/evil", parameter("command")),
            ("qemu+ssh://h/system?COMMAND=/evil", parameter("COMMAND")),
            (
                "qemu+ssh://h/system?%63ommand=/evil",
                parameter("%63ommand"),
            ),
            (
                "qemu+ssh://h/system?c%6Fmmand=/evil",
                parameter("c%6Fmmand"),
            ),
            (
                "qemu+ssh://h/system?no_tty=1&command=/e",
                parameter("command"),
            ),
            (
                "qemu+ssh://h/system?no_tty=1;command=/e",
                ParameterValue("no_tty"),
            ),
            ("qemu+ssh://h/system?;command=/e", parameter(";command")),
            ("qemu+ssh://h/system?&command=/e", parameter("command")),
            (
                "qemu+ssh://h/system?mode=auto?command=/e",
                ParameterValue("mode"),
            ),
            (
                "qemu+ssh://h/system?no_tty=0&no_tty=x",
                ParameterValue("no_tty"),
            ),
            (
                "qemu+ssh://h/system?mode=auto#&command=/e",
                ParameterValue("mode"),
            ),
            ("qemu+ssh://h/system?netcat=/evil", parameter("netcat")),
            ("qemu+ssh://h/system?socket=/run/x", parameter("socket")),
            ("qemu+ssh://h/system?keyfile=/k", parameter("keyfile")),
            (
                "qemu+libssh://h/system?known_hosts=/k",
                parameter("known_hosts"),
            ),
            (
                "qemu+libssh://h/system?known_hosts_verify=auto",
                parameter("known_hosts_verify"),
            ),
            (
                "qemu+libssh2://h/system?sshauth=agent",
                parameter("sshauth"),
            ),
            ("qemu+ssh://h/system?no_verify=1", parameter("no_verify")),
            ("qemu+tls://h/system?pkipath=/pki", parameter("pkipath")),
            ("qemu+tls://h/system?no_sanity=1", parameter("no_sanity")),
            (
                "qemu+tls://h/system?tls_priority=@X",
                parameter("tls_priority"),
            ),
            ("qemu:///system?authfile=/a", parameter("authfile")),
            ("qemu:///system?name=test:///etc/passwd", parameter("name")),
            ("qemu:///system?socket", parameter("socket")),
            ("qemu:///embed?root=/tmp/x", Path("/embed".into())),
            ("qemu:///system/../embed", Path("/system/../embed".into())),
            ("qemu:///%65mbed", Path("/%65mbed".into())),
            ("qemu:///system#?command=/e", Path("/system#".into())),
            ("test:///etc/passwd", Path("/etc/passwd".into())),
            ("test:///", Path("/".into())),
            ("test+ssh://h/tmp/x.xml", Path("/tmp/x.xml".into())),
            ("qemu+ssh://-oProxyCommand=evil/system", Host),
            ("qemu+ssh://-h/system", Host),
            ("qemu+ssh://h:-1/system", Host),
            ("qemu+ssh://h:22x/system", Host),
            ("qemu+ssh://$(evil)/system", Host),
            ("qemu+ssh://[::1/system", Host),
            ("qemu+ssh://[::1]x/system", Host),
            ("qemu+ssh://[-h]/system", Host),
            ("qemu+ssh://[fe80::1%25-x]/system", Host),
            ("qemu+ssh://h%20x/system", Host),
            ("qemu+ssh://-l@h/system", User),
            ("qemu+ssh://me:-secret@h/system", User),
            ("qemu+ssh://me:$(evil)@h/system", User),
            ("qemu+ssh://:x@h/system", User),
            ("qemu+ssh://a@b@h/system", User),
            ("qemu:system", Form),
            ("qemu:", Form),
            (" ", Form),
            ("./evil", Form),
            (" qemu:///system", Driver(" qemu".into())),
            ("qemu:///system\n", Path("/system\n".into())),
        ];
        for (uri, expected) in cases {
            assert_eq!(risk(uri), Some(expected), "{uri}");
        }
    }

    proptest! {
        /// Whatever is put somewhere into a harmless URI: no parameter, percent sign or semicolon
        /// comes through that is not on the list, and neither does another driver or transport.
        #[test]
        fn nothing_gets_through_by_its_place(
            base in prop::sample::select(vec![
                "qemu:///system",
                "qemu+ssh://me@host:22/session?no_tty=1&mode=auto",
                "test:///default",
            ]),
            at: prop::sample::Index,
            insert in r"[ -~]{1,12}|(&|;|\?|#)(command|socket|%6beyfile|NETCAT)=[a-z/.%]{0,6}",
        ) {
            let at = at.index(base.len() + 1);
            let uri = format!("{}{insert}{}", &base[..at], &base[at..]);
            if risk(&uri).is_none() {
                let (scheme, _) = uri.split_once(':').unwrap();
                let (driver, transport) = scheme.split_once('+').unwrap_or((scheme, "unix"));
                prop_assert!(DRIVERS.contains(&driver) && TRANSPORTS.contains(&transport), "{uri}");
                prop_assert!(!uri.contains([';', '%', '#', ' ', '"', '\'', '$', '`']), "{uri}");
                let query = uri.split_once('?').map_or("", |(_, query)| query);
                for pair in query.split('&').filter(|pair| !pair.is_empty()) {
                    let name = pair.split('=').next().unwrap();
                    prop_assert!(["mode", "no_tty", "proxy"].contains(&name), "{uri}");
                }
            }
        }

        #[test]
        fn any_text_is_taken(text: String) {
            let _ = risk(&text);
        }
    }
}
