//! What builds take from a hypervisor: storage pools and networks.

use indicatif::BinaryBytes;
use lvhost_libvirt::{Error, Hypervisor, HypervisorFacts, PoolFacts, Result, virsh_at};

use super::checks::{Check, failed};

/// Free bytes of a pool below which most images don't fit.
const LITTLE_SPACE: u64 = 2 << 30;

/// Where libvirt's own tools keep images: of the machine, and of a user, who can't write to the former.
const SYSTEM_FOLDER: &str = "/var/lib/libvirt/images";
const SESSION_FOLDER: &str = "~/.local/share/libvirt/images";

/// Whether the hypervisor is a user's own.
fn is_session(facts: &HypervisorFacts) -> bool {
    facts.uri.expose().contains("session")
}

/// Each of these commands of virsh for the thing called `name`, at this hypervisor.
fn commands(facts: &HypervisorFacts, commands: &[&str], name: &str) -> String {
    let uri = facts.uri.to_string();
    let all = commands
        .iter()
        .map(|command| virsh_at(&uri, &[command, name]));
    all.collect::<Vec<_>>().join("; ")
}

/// How to make the pool that templates use which name none.
pub(super) fn make_default_pool(facts: &HypervisorFacts) -> String {
    let folder = if is_session(facts) {
        SESSION_FOLDER
    } else {
        SYSTEM_FOLDER
    };
    let define = commands(facts, &["pool-define-as"], "default");
    let then = commands(
        facts,
        &["pool-build", "pool-start", "pool-autostart"],
        "default",
    );
    format!("{define} dir --target {folder}; {then}")
}

/// Every pool.
pub(super) async fn pools(hypervisor: &dyn Hypervisor, facts: &HypervisorFacts) -> Vec<Check> {
    let make = make_default_pool(facts);
    let names = match hypervisor.pools().await {
        Ok(names) => names,
        Err(error) => return vec![failed("pool", &error)],
    };
    if names.is_empty() {
        let advice = format!("volumes need one: {make}");
        return vec![Check::fail("pool", "there is no storage pool", advice)];
    }
    let mut checks = Vec::new();
    for name in &names {
        checks.push(pool(name, hypervisor.pool(name).await, facts));
    }
    if !names.iter().any(|name| name == "default") {
        checks.push(Check::warn(
            "pool",
            "there is no pool called default, which templates use that name none",
            format!("set `pool` in the template's volumes, or: {make}"),
        ));
    }
    checks
}

fn pool(name: &str, pool: Result<PoolFacts>, facts: &HypervisorFacts) -> Check {
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
            commands(facts, &["pool-start", "pool-autostart"], &name),
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
        let advice = if is_session(facts) {
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
                commands(facts, &["net-start", "net-autostart"], &name),
            ),
            Err(error) => failed("network", &error),
        });
    }
    checks
}
