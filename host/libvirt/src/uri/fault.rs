//! Connection URIs that libvirt can't make anything of, told before it is asked.

/// Drivers whose URIs must name a daemon by its path.
const WITH_DAEMON: [&str; 3] = ["bhyve", "ch", "qemu"];

/// Why nothing can be reached at a URI.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UriFault {
    /// It has no driver: it can only be an alias of the user's `libvirt.conf`.
    #[error("`{0}` has no driver, so that it is no connection URI")]
    NoDriver(String),
    /// It names no daemon; with the URI that is probably meant.
    #[error("the URI does not say which daemon is meant")]
    NoDaemon(String),
}

/// What is wrong with `uri` for sure.
pub(super) fn fault(uri: &str) -> Option<UriFault> {
    if uri.is_empty() {
        return None;
    }
    let Some((scheme, behind)) = uri.split_once(':') else {
        return Some(UriFault::NoDriver(uri.to_owned()));
    };
    let driver = scheme.split('+').next().unwrap_or_default();
    let place = behind.split(['?', '#']).next().unwrap_or_default();
    let (authority, path) = match place.strip_prefix("//") {
        Some(rest) => rest.split_at(rest.find('/').unwrap_or(rest.len())),
        None => ("", place),
    };
    if !WITH_DAEMON.contains(&driver) || !matches!(path, "" | "/") {
        return None;
    }
    // Who writes two slashes means three.
    Some(UriFault::NoDaemon(match authority {
        "system" | "session" => format!("{scheme}:///{authority}"),
        host => format!("{scheme}://{host}/system"),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_not_be_reached_is_told() {
        for right in [
            "",
            "qemu:///system",
            "qemu:///session",
            "qemu+ssh://me@host:22/system?no_tty=1",
            "qemu:/system",
            "test:///default",
            "lxc:///",
            "xen://",
            "esx://host/",
        ] {
            assert_eq!(fault(right), None, "{right}");
        }
        for (wrong, meant) in [
            ("qemu:///", "qemu:///system"),
            ("qemu://system", "qemu:///system"),
            ("qemu://session", "qemu:///session"),
            ("qemu+ssh://host", "qemu+ssh://host/system"),
            ("ch:///?mode=auto", "ch:///system"),
        ] {
            assert_eq!(
                fault(wrong),
                Some(UriFault::NoDaemon(meant.into())),
                "{wrong}"
            );
        }
        for wrong in ["nonsense", "qemu", "/system", "qemu///system"] {
            assert_eq!(fault(wrong), Some(UriFault::NoDriver(wrong.into())));
        }
    }
}
