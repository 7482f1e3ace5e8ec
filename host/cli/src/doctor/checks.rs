//! The checks, each a line: what was found, and what to do about it.

use lvhost_engine::with_causes;
use lvhost_libvirt::{
    Capabilities, DomainKind, Error, Firmware, Hypervisor, HypervisorFacts, Liveness, Owner,
    is_local,
};
use serde::Serialize;

use super::execution::{KvmDevice, execution};
use super::resources::{networks, pools};

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Verdict {
    /// It works.
    Ok,
    /// Some templates won't.
    Warn,
    /// No build will.
    Fail,
}

/// What was found of one thing.
#[derive(Debug, Serialize)]
pub(super) struct Check {
    /// Of what; stays the same.
    pub(super) name: &'static str,
    /// How bad it is.
    pub(super) verdict: Verdict,
    /// What was found.
    pub(super) finding: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) advice: Option<String>,
}

impl Check {
    pub(super) fn ok(name: &'static str, finding: impl Into<String>) -> Self {
        Self {
            name,
            verdict: Verdict::Ok,
            finding: finding.into(),
            advice: None,
        }
    }

    pub(super) fn warn(
        name: &'static str,
        finding: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self {
            verdict: Verdict::Warn,
            advice: Some(advice.into()),
            ..Self::ok(name, finding)
        }
    }

    pub(super) fn fail(
        name: &'static str,
        finding: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self {
            verdict: Verdict::Fail,
            ..Self::warn(name, finding, advice)
        }
    }
}

/// The check of the connection, if there is none.
pub(super) fn unreachable(uri: &str, error: &Error) -> Check {
    let advice = match error {
        Error::NoLibrary { .. } => "lvhost loads libvirt's client library when it is needed",
        _ if !is_local(uri) => {
            "try `virsh -c URI uri` with the same URI; libvirt on the other host has to be reachable \
             by the URI's transport: https://libvirt.org/uri.html"
        }
        _ if uri.contains("session") => {
            "a session's daemon starts by itself if it is installed (Debian and Ubuntu: \
             libvirt-daemon-system or libvirt-daemon)"
        }
        _ => {
            "is the daemon installed and running? Debian and Ubuntu: \
             `sudo apt install libvirt-daemon-system`, `sudo systemctl start libvirtd.socket`\n\
             may you use it? `sudo adduser $USER libvirt`, then log in anew\n\
             without privileges: qemu:///session"
        }
    };
    Check::fail("connection", with_causes(error), advice)
}

/// All other checks. Each is given to `tell` as soon as it is done.
pub(super) async fn all(
    hypervisor: &dyn Hypervisor,
    device: KvmDevice,
    tell: impl Fn(&Check),
) -> Vec<Check> {
    let mut checks = Vec::new();
    let mut add = |check: Check| {
        tell(&check);
        checks.push(check);
    };
    let facts = match hypervisor.facts().await {
        Ok(facts) => facts,
        Err(error) => {
            add(failed("connection", &error));
            return checks;
        }
    };
    add(connection(&facts));
    match hypervisor.capabilities().await {
        Err(error) => add(failed("guests", &error)),
        Ok(capabilities) => {
            add(guests(&capabilities, &facts));
            for check in execution(hypervisor, &capabilities, &facts, device).await {
                add(check);
            }
            let kind = best_kind(&capabilities, &facts);
            match hypervisor.domain_capabilities(&kind).await {
                Err(error) => add(failed("firmware", &error)),
                Ok(offered) => {
                    add(firmware(&offered.firmware, offered.secure_boot));
                    add(tpm(offered.tpm_versions.is_empty()));
                    add(user_network(&offered.interface_backends, &facts));
                }
            }
        }
    }
    for check in pools(hypervisor, &facts).await {
        add(check);
    }
    for check in networks(hypervisor, &facts).await {
        add(check);
    }
    add(leftovers(hypervisor).await);
    checks
}

/// A check that could not be made.
pub(super) fn failed(name: &'static str, error: &Error) -> Check {
    Check::fail(
        name,
        with_causes(error),
        "libvirt's log on the hypervisor's host may say more",
    )
}

fn connection(facts: &HypervisorFacts) -> Check {
    let place = if facts.is_local {
        "this host".to_owned()
    } else {
        format!("the host {}", facts.host)
    };
    Check::ok(
        "connection",
        format!(
            "{} is libvirt {} with {} {} ({}) on {place}",
            facts.uri,
            facts.libvirt_version,
            facts.hypervisor,
            facts.hypervisor_version,
            facts.arch,
        ),
    )
}

fn guests(capabilities: &Capabilities, facts: &HypervisorFacts) -> Check {
    let mut types: Vec<&str> = capabilities
        .guests
        .iter()
        .flat_map(|guest| guest.domain_types.iter().map(String::as_str))
        .collect();
    types.sort_unstable();
    types.dedup();
    let offers: Vec<String> = types
        .iter()
        .map(|kind| format!("{kind} ({})", capabilities.archs(kind).join(", ")))
        .collect();
    let own = types
        .iter()
        .any(|kind| capabilities.offers(kind, &facts.arch));
    if own {
        Check::ok("guests", offers.join("; "))
    } else if offers.is_empty() {
        Check::fail(
            "guests",
            "the hypervisor offers no guests at all",
            "install QEMU (Debian and Ubuntu: qemu-system-x86), and start libvirt's daemon anew",
        )
    } else {
        Check::warn(
            "guests",
            format!("none of {}; {}", facts.arch, offers.join("; ")),
            "set `arch` in the template, or install QEMU for this architecture",
        )
    }
}

/// The kind of domain whose devices are asked for.
fn best_kind(capabilities: &Capabilities, facts: &HypervisorFacts) -> DomainKind {
    let domain_type = ["kvm", "qemu"]
        .into_iter()
        .find(|kind| capabilities.offers(kind, &facts.arch))
        .or_else(|| {
            let first = capabilities.guests.first()?;
            first.domain_types.first().map(String::as_str)
        });
    let is_pc = facts.arch == "x86_64";
    DomainKind {
        domain_type: domain_type.unwrap_or("qemu").to_owned(),
        arch: facts.arch.clone(),
        // What UEFI with Secure Boot needs on a PC.
        machine: is_pc.then(|| "q35".to_owned()),
    }
}

fn firmware(offered: &[Firmware], secure_boot: bool) -> Check {
    if !offered.contains(&Firmware::Efi) {
        return Check::warn(
            "firmware",
            "no UEFI that libvirt could choose by itself",
            "for `firmware = \"efi\"` install it (Debian and Ubuntu: ovmf, Fedora: edk2-ovmf)",
        );
    }
    if secure_boot {
        Check::ok("firmware", "UEFI, also with Secure Boot")
    } else {
        Check::warn(
            "firmware",
            "UEFI without Secure Boot",
            "for `secure_boot = true` install firmware that has it (Debian and Ubuntu: ovmf)",
        )
    }
}

fn tpm(is_missing: bool) -> Check {
    if is_missing {
        Check::warn(
            "tpm",
            "no emulated TPM",
            "for `tpm` install swtpm and swtpm-tools on the hypervisor's host, and start libvirt's \
             daemon anew",
        )
    } else {
        Check::ok("tpm", "emulated by swtpm")
    }
}

fn user_network(backends: &[String], facts: &HypervisorFacts) -> Check {
    // What libvirt tells of since 9.2: before, and where it tells nothing, nobody knows.
    if backends.iter().any(|backend| backend == "passt") {
        Check::ok("user-network", "passt")
    } else {
        Check::warn(
            "user-network",
            format!("libvirt {} does not offer passt", facts.libvirt_version),
            "for network interfaces of type `user` with port forwards install passt (libvirt 9.0 or \
             newer)",
        )
    }
}

async fn leftovers(hypervisor: &dyn Hypervisor) -> Check {
    let here = Owner::this_process();
    let (domains, here) = match (hypervisor.list_domains().await, here) {
        (Ok(domains), Ok(here)) => (domains, here),
        (Err(error), _) => return failed("leftovers", &error),
        (_, Err(_)) => return Check::ok("leftovers", "nobody can tell on this system"),
    };
    let is_dead = |owner: &Owner| owner.liveness(&here) == Liveness::Dead;
    let dead: Vec<&str> = domains
        .iter()
        .filter(|domain| {
            let owner = domain.build.as_ref().and_then(|build| build.owner.as_ref());
            owner.is_some_and(is_dead)
        })
        .map(|domain| domain.id.name.as_str())
        .collect();
    if dead.is_empty() {
        Check::ok("leftovers", "none of dead builds")
    } else {
        Check::warn(
            "leftovers",
            format!("dead builds have left: {}", dead.join(", ")),
            "`lvhost clean` removes them",
        )
    }
}

#[cfg(test)]
mod tests;
