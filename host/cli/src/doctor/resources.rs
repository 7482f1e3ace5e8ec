//! What builds take from a hypervisor: storage pools and networks.

use indicatif::BinaryBytes;
use lvhost_libvirt::{Error, Hypervisor, HypervisorFacts, PoolFacts, Result};

use super::checks::{Check, failed};

/// Free bytes of a pool below which most images don't fit.
const LITTLE_SPACE: u64 = 2 << 30;

/// Every pool.
pub(super) async fn pools(hypervisor: &dyn Hypervisor) -> Vec<Check> {
    const MAKE: &str = "virsh pool-define-as default dir --target /var/lib/libvirt/images; \
                        virsh pool-build default; virsh pool-start default";
    let names = match hypervisor.pools().await {
        Ok(names) => names,
        Err(error) => return vec![failed("pool", &error)],
    };
    if names.is_empty() {
        let advice = format!("volumes need one: {MAKE}");
        return vec![Check::fail("pool", "there is no storage pool", advice)];
    }
    let mut checks = Vec::new();
    for name in &names {
        checks.push(pool(name, hypervisor.pool(name).await));
    }
    if !names.iter().any(|name| name == "default") {
        checks.push(Check::warn(
            "pool",
            "there is no pool called default, which templates use that name none",
            format!("set `pool` in the template's volumes, or: {MAKE}"),
        ));
    }
    checks
}

fn pool(name: &str, pool: Result<PoolFacts>) -> Check {
    match pool {
        Ok(pool) => {
            let finding = format!(
                "{name} ({}): {} free of {}",
                pool.kind,
                BinaryBytes(pool.available),
                BinaryBytes(pool.capacity)
            );
            if pool.available < LITTLE_SPACE {
                Check::warn("pool", finding, "most images won't fit")
            } else {
                Check::ok("pool", finding)
            }
        }
        Err(Error::PoolInactive { name }) => Check::warn(
            "pool",
            format!("{name} is not active"),
            format!("virsh pool-start {name}; virsh pool-autostart {name}"),
        ),
        Err(error) => failed("pool", &error),
    }
}

/// Every network.
pub(super) async fn networks(hypervisor: &dyn Hypervisor, facts: &HypervisorFacts) -> Vec<Check> {
    let names = match hypervisor.networks().await {
        Ok(names) => names,
        Err(error) => return vec![failed("network", &error)],
    };
    if names.is_empty() {
        let advice = if facts.uri.expose().contains("session") {
            "a session has none; use network interfaces of type `user`"
        } else {
            "define one (https://libvirt.org/formatnetwork.html), or use network interfaces of type \
             `user` or `bridge`"
        };
        return vec![Check::warn("network", "there is no network", advice)];
    }
    let mut checks = Vec::new();
    for name in &names {
        checks.push(match hypervisor.network(name).await {
            Ok(network) => {
                let bridge = network.bridge.map(|bridge| format!(", bridge {bridge}"));
                Check::ok("network", format!("{name}{}", bridge.unwrap_or_default()))
            }
            Err(Error::NetworkInactive { name }) => Check::warn(
                "network",
                format!("{name} is not active"),
                format!("virsh net-start {name}; virsh net-autostart {name}"),
            ),
            Err(error) => failed("network", &error),
        });
    }
    checks
}
