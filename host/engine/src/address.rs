//! Finds out where the guest can be reached.
//!
//! Where a guest is, its own agent says, or its own packets: it may name whatever address it likes, and whoever
//! is there is logged in to and given the provisioners. So no guest is at this machine's own address.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use lvhost_config::{Communicator, CommunicatorType, LibvirtSource, NetworkAddressSource};
use lvhost_libvirt::{
    AddressSource, DomainId, DomainState, Hypervisor, InterfaceAddress, InterfaceSource,
};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::boot::BootError;
use crate::error::Error;
use crate::http_server::HostNetwork;
use crate::plan::{Plan, PlannedInterface};

/// The first pause between two questions; it doubles up to [`LONGEST_PAUSE`]. Nothing announces a
/// lease, so this has to be asked for, and what is waited for too long is lost time of every build.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// Where the guest's port can be reached from here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(formatter, "[{}]:{}", self.host, self.port)
        } else {
            write!(formatter, "{}:{}", self.host, self.port)
        }
    }
}

/// The way to the guest as far as it is known before the guest runs.
pub(crate) enum Way<'a> {
    /// The template names it, or a port of the hypervisor's host leads there.
    Known(Address),
    /// The interface's address has to be asked for.
    Ask {
        interface: &'a PlannedInterface,
        source: NetworkAddressSource,
        port: u16,
        /// The interface of this machine that link-local addresses are reached through.
        link: Option<&'a str>,
        /// Whether what the address leads to is asked from this machine, and not by a bastion or a proxy.
        is_direct: bool,
    },
}

/// How the guest will be reached. A link-local IPv6 address leads somewhere only together with the
/// interface of this machine that it is on the `link` of.
pub(crate) fn way<'a>(
    source: &LibvirtSource,
    plan: &'a Plan,
    link: Option<&'a str>,
) -> Option<Way<'a>> {
    let communicator = source.communicator.as_ref()?;
    let port = communicator.port()?;
    if let Some(host) = communicator.host() {
        return Some(Way::Known(Address {
            host: host.to_owned(),
            port,
        }));
    }
    let interface = &plan.interfaces[plan.communicator_interface?];
    if let InterfaceSource::User { port_forwards } = &interface.source {
        let forward = port_forwards
            .iter()
            .find(|forward| forward.guest_port == port)?;
        let host = match forward.address {
            Some(address) if !address.is_unspecified() => address.to_string(),
            _ => "127.0.0.1".to_string(),
        };
        return Some(Way::Known(Address {
            host,
            port: forward.host_port,
        }));
    }
    Some(Way::Ask {
        interface,
        source: source.network_address_source,
        port,
        link,
        is_direct: is_direct(communicator),
    })
}

/// Whether the guest is connected to from this machine.
fn is_direct(communicator: &Communicator) -> bool {
    communicator.communicator != CommunicatorType::Ssh
        || !communicator.ssh_bastion_from_uri
            && communicator.ssh_bastion_host.is_none()
            && communicator.ssh_proxy_host.is_none()
}

/// Waits for the guest's address until `deadline`.
pub(crate) async fn find(
    way: Way<'_>,
    hypervisor: &dyn Hypervisor,
    domain: &DomainId,
    state: &mut watch::Receiver<DomainState>,
    deadline: Instant,
) -> Result<Address, Error> {
    let (interface, source, port, link, is_direct) = match way {
        Way::Known(address) => return Ok(address),
        Way::Ask {
            interface,
            source,
            port,
            link,
            is_direct,
        } => (interface, source, port, link, is_direct),
    };
    let begun = Instant::now();
    let asked = match source {
        NetworkAddressSource::Agent => AddressSource::Agent,
        NetworkAddressSource::Lease => AddressSource::Lease,
        NetworkAddressSource::Arp => AddressSource::Arp,
    };
    let mut pause = FIRST_PAUSE;
    loop {
        // libvirt waits for the guest's agent for as long as that likes to say nothing.
        let answers = tokio::select! {
            // At the end of the time as well what is answered says more.
            biased;
            answers = hypervisor.interface_addresses(domain, asked) => answers?,
            () = tokio::time::sleep_until(deadline) => {
                return Err(Error::NoAddress {
                    mac: interface.mac.clone(),
                    asked: source.as_str(),
                    answers: "which does not answer".to_owned(),
                    waited: begun.elapsed(),
                });
            }
            stopped = stopped(state) => {
                return Err(Error::GuestStopped { during: "waited for its address", state: stopped });
            }
        };
        let ours = match is_direct {
            true => own_addresses()?,
            // Elsewhere the same private address may be a guest's.
            false => Vec::new(),
        };
        if let Some(host) = choose(&answers, &interface.mac, link, &ours) {
            return Ok(Address { host, port });
        }
        if Instant::now() >= deadline {
            return Err(Error::NoAddress {
                mac: interface.mac.clone(),
                asked: source.as_str(),
                answers: shown(&answers, &interface.mac, &ours),
                waited: begun.elapsed(),
            });
        }
        tokio::select! {
            () = tokio::time::sleep_until(deadline.min(Instant::now() + pause)) => {}
            stopped = stopped(state) => {
                return Err(Error::GuestStopped { during: "waited for its address", state: stopped });
            }
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// The addresses of this machine's interfaces, as they are now.
fn own_addresses() -> Result<Vec<IpAddr>, Error> {
    let here = HostNetwork::read().map_err(BootError::from)?;
    Ok(here.addresses.iter().map(|address| address.ip).collect())
}

/// Returns when the domain is off or can't be followed any more.
pub(crate) async fn stopped(state: &mut watch::Receiver<DomainState>) -> DomainState {
    let is_over = |state: &DomainState| state.is_off() || *state == DomainState::Disconnected;
    match state.wait_for(is_over).await {
        Ok(state) => *state,
        Err(_) => DomainState::Disconnected,
    }
}

/// The address that most likely leads to the guest: IPv4 before IPv6, link-local last. Of equal ones
/// the smallest, so that a second try takes the same.
///
/// A link-local IPv6 address means nothing without the interface it is on: with one it is written
/// `fe80::1%eth0`, which the system's resolver understands, and without one it is not taken.
///
/// What leads to this machine itself is never taken: loopback, and `ours`.
fn choose(
    answers: &[InterfaceAddress],
    mac: &str,
    link: Option<&str>,
    ours: &[IpAddr],
) -> Option<String> {
    let own = answers
        .iter()
        .filter(|answer| is_of(answer, mac))
        // An address of IPv4 in the form of one of IPv6 leads where that one leads.
        .map(|answer| answer.ip.to_canonical())
        .filter(|ip| !ip.is_loopback() && !ip.is_unspecified() && !ip.is_multicast())
        .filter(|ip| !ours.contains(ip));
    let ip = own.min_by_key(|ip| (is_link_local(ip), ip.is_ipv6(), *ip))?;
    match (ip, link) {
        (IpAddr::V6(_), Some(link)) if is_link_local(&ip) => Some(format!("{ip}%{link}")),
        (IpAddr::V6(_), None) if is_link_local(&ip) => None,
        _ => Some(ip.to_string()),
    }
}

fn is_link_local(ip: &IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}

/// Whether it is the address of the interface with that hardware address.
fn is_of(answer: &InterfaceAddress, mac: &str) -> bool {
    let own = answer.mac.as_deref();
    own.is_some_and(|own| own.eq_ignore_ascii_case(mac))
}

fn shown(answers: &[InterfaceAddress], mac: &str, ours: &[IpAddr]) -> String {
    if answers.is_empty() {
        return "and nothing was answered".to_string();
    }
    let list: Vec<_> = answers
        .iter()
        .map(|answer| format!("{} has {}", answer.mac.as_deref().unwrap_or("-"), answer.ip))
        .collect();
    let mut own = answers
        .iter()
        .filter(|answer| is_of(answer, mac))
        .map(|answer| answer.ip.to_canonical());
    let is_here = |ip: &IpAddr| ip.is_loopback() || ours.contains(ip);
    // Any other address would have been taken.
    let advice = match own.clone().find(is_here) {
        Some(ip) => &format!("; {ip} is an address of this machine, and so none of a guest"),
        None if own.any(|ip| is_link_local(&ip)) => {
            "; a link-local address is reached through an interface of this machine, which \
             `communicator_link_local_interface` names"
        }
        None => "",
    };
    format!("and was answered: {}{advice}", list.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(mac: &str, ip: &str) -> InterfaceAddress {
        let mac = (!mac.is_empty()).then(|| mac.to_string());
        InterfaceAddress {
            name: "eth0".to_string(),
            mac,
            ip: ip.parse().unwrap(),
            prefix: 24,
        }
    }

    #[test]
    fn the_most_reachable_address_of_the_right_interface_is_taken() {
        let mac = "52:54:00:aa:bb:cc";
        for (answers, expected) in [
            (vec![], None),
            (vec![answer("", "127.0.0.1")], None),
            (vec![answer("52:54:00:00:00:01", "10.0.0.1")], None),
            (
                vec![answer("52:54:00:AA:BB:CC", "10.0.0.1")],
                Some("10.0.0.1"),
            ),
            (vec![answer(mac, "fe80::1")], None),
            (
                vec![answer(mac, "fe80::1"), answer(mac, "fd00::5")],
                Some("fd00::5"),
            ),
            (
                vec![answer(mac, "fd00::5"), answer(mac, "10.0.0.9")],
                Some("10.0.0.9"),
            ),
            (
                vec![answer(mac, "10.0.0.9"), answer(mac, "10.0.0.2")],
                Some("10.0.0.2"),
            ),
            (vec![answer(mac, "169.254.0.9")], Some("169.254.0.9")),
            (
                vec![answer(mac, "169.254.0.9"), answer(mac, "fd00::5")],
                Some("fd00::5"),
            ),
        ] {
            let found = choose(&answers, mac, None, &[]);
            assert_eq!(found.as_deref(), expected, "{answers:?}");
            let by_link = choose(&answers, mac, Some("br0"), &[]);
            let expected = match expected {
                None if answers.iter().any(|it| it.ip.to_string() == "fe80::1") => {
                    Some("fe80::1%br0")
                }
                other => other,
            };
            assert_eq!(by_link.as_deref(), expected, "{answers:?}");
        }
    }

    #[test]
    fn no_address_of_this_machine_is_a_guests() {
        let mac = "52:54:00:aa:bb:cc";
        let ours = ["192.168.122.1".parse().unwrap(), "fd00::1".parse().unwrap()];
        for here in [
            "127.0.0.1",
            "127.8.8.8",
            "::1",
            "::ffff:127.0.0.1",
            "0.0.0.0",
            "::ffff:0.0.0.0",
            "192.168.122.1",
            "::ffff:192.168.122.1",
            "fd00::1",
        ] {
            let answers = [answer(mac, here)];
            assert_eq!(choose(&answers, mac, None, &ours), None, "{here}");
            let both = [answer(mac, here), answer(mac, "192.168.122.7")];
            let found = choose(&both, mac, None, &ours);
            assert_eq!(found.as_deref(), Some("192.168.122.7"), "{here}");
        }
        let said = shown(&[answer(mac, "fd00::1")], mac, &ours);
        assert!(
            said.ends_with("fd00::1 is an address of this machine, and so none of a guest"),
            "{said}"
        );
        // Behind a bastion this machine's addresses say nothing.
        let found = choose(&[answer(mac, "192.168.122.1")], mac, None, &[]);
        assert_eq!(found.as_deref(), Some("192.168.122.1"));
    }
}
