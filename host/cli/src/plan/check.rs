//! The plan against what the hypervisor has: what is there, what is missing, what is in the way.

use std::fmt;

use indicatif::BinaryBytes;
use lvhost_engine::{Contents, Plan, PlannedVolume, Sources, VolumeError, with_causes};
use lvhost_libvirt::{
    Error, Hypervisor, InterfaceSource, Libvirt, Result, final_domain_xml, virtual_port,
};
use serde::Serialize;

use super::describe::{domain_spec_of, plan_of};
use crate::template::Job;

/// What the hypervisor says.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Checked {
    /// What is as it should be.
    pub(super) found: Vec<String>,
    /// What would make the build fail.
    pub(super) problems: Vec<String>,
}

impl Checked {
    fn note(&mut self, result: Result<String>) {
        match result {
            Ok(found) => self.found.push(found),
            Err(error) => self.problems.push(with_causes(&error)),
        }
    }
}

/// Asks the hypervisor of `job`.
pub(super) async fn check(job: &Job, sources: &Sources) -> Checked {
    let plan = plan_of(job.subject());
    // That it can be made is known by now.
    let domain_xml = final_domain_xml(&domain_spec_of(job.subject(), &plan)).unwrap_or_default();
    match Libvirt::connect(&job.libvirt.libvirt_uri).await {
        Ok(hypervisor) => compare(&plan, &domain_xml, sources, &hypervisor).await,
        Err(error) => Checked {
            problems: vec![with_causes(&error)],
            ..Checked::default()
        },
    }
}

async fn compare(
    plan: &Plan,
    domain_xml: &str,
    sources: &Sources,
    hypervisor: &dyn Hypervisor,
) -> Checked {
    let mut checked = Checked::default();
    let mut pools: Vec<&str> = plan.volumes.iter().map(|it| it.id.pool.as_str()).collect();
    pools.sort_unstable();
    pools.dedup();
    for pool in pools {
        checked.note(hypervisor.pool(pool).await.map(|pool| {
            let free = BinaryBytes(pool.available);
            format!("pool {} ({}), {free} free", pool.name, pool.kind)
        }));
    }
    for volume in &plan.volumes {
        match compare_volume(volume, hypervisor).await {
            Ok(Ok(found)) => checked.found.extend(found),
            Ok(Err(problem)) => {
                checked.problems.push(problem);
                // Nothing more can be said of a volume that is missing.
                if matches!(volume.contents, Contents::Existing) {
                    continue;
                }
            }
            // The pool has been told of already.
            Err(Error::NoSuchPool { .. } | Error::PoolInactive { .. }) => {}
            Err(error) => checked.problems.push(with_causes(&error)),
        }
        compare_originals(plan, volume, sources, hypervisor, &mut checked).await;
    }
    for interface in &plan.interfaces {
        match &interface.source {
            InterfaceSource::Network { network } => {
                let found = hypervisor.network(network).await;
                checked.note(found.map(|network| format!("network {}", network.name)));
            }
            InterfaceSource::Bridge { bridge } => {
                let switch = virtual_port(domain_xml, &interface.mac).unwrap_or_default();
                let role = match switch.as_deref() {
                    Some(OPEN_VSWITCH) => Role::OpenVswitchBridge,
                    _ => Role::Bridge,
                };
                compare_device(role, bridge, hypervisor, &mut checked).await;
            }
            InterfaceSource::Direct { device, .. } => {
                compare_device(Role::Device, device, hypervisor, &mut checked).await;
            }
            InterfaceSource::User { .. } => {}
        }
    }
    match hypervisor.list_domains().await {
        Ok(domains) if domains.iter().any(|domain| domain.id.name == plan.domain) => checked
            .problems
            .push(format!("there is a domain {:?} already", plan.domain)),
        Ok(_) => {}
        Err(error) => checked.problems.push(with_causes(&error)),
    }
    checked
}

/// What a `<virtualport>` calls a bridge of Open vSwitch's.
const OPEN_VSWITCH: &str = "openvswitch";

/// What a network device is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// Linux plugs the interface into it.
    Bridge,
    /// libvirt has Open vSwitch plug the interface into it. To Linux such a bridge is a network device like any other.
    OpenVswitchBridge,
    /// The interface's packets leave by it.
    Device,
}

impl fmt::Display for Role {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Bridge => "bridge",
            Self::OpenVswitchBridge => "Open vSwitch bridge",
            Self::Device => "device",
        })
    }
}

/// Whether the hypervisor's host has what an interface is attached to, as far as that can be asked.
async fn compare_device(
    role: Role,
    name: &str,
    hypervisor: &dyn Hypervisor,
    checked: &mut Checked,
) {
    match hypervisor.host_device(name).await {
        Ok(Some(device)) if role == Role::Bridge && !device.is_bridge => checked.problems.push(format!(
            "{name} is a network device of the hypervisor's host, and no bridge of Linux's: if it is one of Open \
             vSwitch's, add `<virtualport type=\"openvswitch\"/>` to the interface by `domain_xml_overlay`; else \
             make a bridge, or use an interface of type `direct`"
        )),
        Ok(Some(device)) if role == Role::OpenVswitchBridge && device.is_bridge => checked.problems.push(format!(
            "{name} is a bridge of Linux's and none of Open vSwitch's: leave `<virtualport type=\"openvswitch\"/>` \
             out of the interface"
        )),
        Ok(Some(_)) => checked.found.push(format!("{role} {name}")),
        Ok(None) => checked.problems.push(format!(
            "there is no {role} {name} at the hypervisor's host: `ip link` there lists those that there are"
        )),
        Err(Error::NotSupported { .. }) => checked.found.push(format!(
            "{role} {name}, can't be looked at: this hypervisor does not tell of its host's network devices"
        )),
        Err(error) => checked.problems.push(with_causes(&error)),
    }
}

/// What there is of a volume, or what is wrong with that. One that is only used is told of with what it
/// leans on.
async fn compare_volume(
    volume: &PlannedVolume,
    hypervisor: &dyn Hypervisor,
) -> Result<std::result::Result<Option<String>, String>> {
    let id = &volume.id;
    let found = hypervisor.volume(id).await?;
    Ok(match (&volume.contents, found) {
        (Contents::Existing, Some(_)) => Ok(None),
        (Contents::Existing, None) => Err(format!(
            "the volume {id} is missing; a volume without a `source` must be there before the build"
        )),
        (Contents::Blank | Contents::Source { .. }, None) => {
            Ok(Some(format!("no volume {id} yet: it will be made")))
        }
        (Contents::Blank | Contents::Source { .. }, Some(_)) => Err(format!(
            "the volume {id} exists already; `lvhost run -force` replaces it if an earlier build has made it"
        )),
    })
}

/// What a volume is made from, or leans on.
async fn compare_originals(
    plan: &Plan,
    volume: &PlannedVolume,
    sources: &Sources,
    hypervisor: &dyn Hypervisor,
    checked: &mut Checked,
) {
    let id = &volume.id;
    for original in plan.originals(volume, sources, hypervisor).await {
        let name = original.name.trim_start_matches("the ");
        let role = match volume.contents {
            Contents::Existing => String::new(),
            _ => format!(", for {id}"),
        };
        match original.found {
            Ok(size) => checked
                .found
                .push(format!("{name}, {}{role}", BinaryBytes(size))),
            // The volume's own pool has been told of already.
            Err(VolumeError::Hypervisor(
                Error::NoSuchPool { name, .. } | Error::PoolInactive { name },
            )) if name == id.pool => {}
            Err(error) if original.is_needed => checked.problems.push(format!(
                "the volume {id} can't be prepared: {}",
                with_causes(&error)
            )),
            Err(error) => checked.found.push(format!(
                "{name}{role}, can't be looked at: {}",
                with_causes(&error)
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use lvhost_libvirt::fake::{Call, FakeHypervisor};

    use super::*;

    #[tokio::test]
    async fn what_an_interface_is_attached_to_is_looked_at() {
        let fake = FakeHypervisor::new();
        fake.add_device("br0", true);
        fake.add_device("eth0", false);
        fake.add_device("ovs0", false);
        let no_bridge = "ovs0 is a network device of the hypervisor's host, and no bridge of Linux's: if it is \
                         one of Open vSwitch's, add `<virtualport type=\"openvswitch\"/>`";
        for (role, name, found, problem) in [
            (Role::Bridge, "br0", "bridge br0", ""),
            (Role::Bridge, "ovs0", "", no_bridge),
            (Role::Bridge, "br1", "", "there is no bridge br1"),
            (
                Role::OpenVswitchBridge,
                "ovs0",
                "Open vSwitch bridge ovs0",
                "",
            ),
            (
                Role::OpenVswitchBridge,
                "br0",
                "",
                "br0 is a bridge of Linux's and none of Open vSwitch's",
            ),
            (
                Role::OpenVswitchBridge,
                "ovs1",
                "",
                "there is no Open vSwitch bridge ovs1",
            ),
            (Role::Device, "eth0", "device eth0", ""),
            (Role::Device, "br0", "device br0", ""),
            (Role::Device, "eth1", "", "there is no device eth1"),
        ] {
            let mut checked = Checked::default();
            compare_device(role, name, &fake, &mut checked).await;
            assert_eq!(checked.found.concat(), found, "{role} {name}");
            let problems = checked.problems.concat();
            assert!(problems.starts_with(problem), "{role} {name}: {problems}");
            assert_eq!(
                problems.is_empty(),
                problem.is_empty(),
                "{role} {name}: {problems}"
            );
        }
        fake.fail_on_with(Call::HostDevice, || Error::NotSupported {
            action: "look".to_owned(),
            message: "no driver".to_owned(),
        });
        let mut checked = Checked::default();
        compare_device(Role::Bridge, "br0", &fake, &mut checked).await;
        assert_eq!(checked.problems, [""; 0]);
        assert!(checked.found[0].starts_with("bridge br0, can't be looked at: "));
    }
}
