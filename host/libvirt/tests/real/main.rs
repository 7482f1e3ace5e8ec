//! Against a real daemon, named by `LVHOST_TEST_LIBVIRT_URI`, and against one that the tests start
//! themselves and may kill.
#![cfg(feature = "libvirt")]
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "it is a test")]
mod daemon;
mod guests;
mod pools;
mod remote;
mod transfers;

use std::time::Duration;

use lvhost_libvirt::*;
use uuid::Uuid;

/// More than any event takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// Says that a test was skipped, and why.
fn skipped(why: &str) {
    let thread = std::thread::current();
    println!("SKIPPED: {}: {why}", thread.name().unwrap_or("test"));
}

/// The connection and an active pool of directories, or `None` and a word why.
async fn daemon() -> Option<(Libvirt, String)> {
    let uri = std::env::var("LVHOST_TEST_LIBVIRT_URI").unwrap_or_default();
    if uri.is_empty() {
        skipped("LVHOST_TEST_LIBVIRT_URI names no libvirt daemon to test against");
        return None;
    }
    let libvirt = Libvirt::connect(&uri).await.unwrap();
    for name in libvirt.pools().await.unwrap() {
        // Other tests' pools come and go.
        if !name.starts_with("lvhost-")
            && libvirt
                .pool(&name)
                .await
                .is_ok_and(|pool| pool.kind == "dir")
        {
            return Some((libvirt, name));
        }
    }
    panic!("the daemon at {uri} has no active pool of type dir");
}

/// A volume of a name of its own.
fn spec(pool: &str, format: &str, capacity: u64) -> VolumeSpec {
    VolumeSpec {
        id: VolumeId::new(pool, format!("lvhost-test-{}", Uuid::new_v4())),
        capacity,
        allocation: Some(0),
        format: Some(format.into()),
        backing: None,
    }
}

/// A small emulated domain of a name of its own.
fn domain() -> DomainSpec {
    DomainSpec {
        domain_type: "qemu".into(),
        memory_mib: 64,
        ..DomainSpec::new(format!("lvhost-test-{}", Uuid::new_v4()))
    }
}

/// Ends a domain whatever it does.
async fn remove(libvirt: &Libvirt, id: &DomainId) {
    libvirt.destroy_domain(id).await.unwrap();
    libvirt.undefine_domain(id).await.unwrap();
}
