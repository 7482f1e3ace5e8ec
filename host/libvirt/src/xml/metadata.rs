//! The build's record in a domain's metadata.
use std::time::UNIX_EPOCH;

use super::element::{Element, Name};
use crate::BuildRecord;

/// The XML namespace of what lvhost writes into a domain's metadata. It names the format and is not
/// fetched by anybody; it never changes, for later versions find by it what earlier ones left
/// behind.
///
/// ```xml
/// <lvhost:build xmlns:lvhost="https://lvhost.dev/xmlns/libvirt/domain/1.0" id="…" begun="…">
///   <lvhost:owner host="…" machine="…" boot="…" pid-namespace="…" pid="…" started="…"/>
///   <lvhost:volume pool="…" name="…"/>
/// </lvhost:build>
/// ```
/// The fields are those of [`BuildRecord`] and [`Owner`](crate::Owner); `begun` counts seconds since 1970.
pub const METADATA_NAMESPACE: &str = "https://lvhost.dev/xmlns/libvirt/domain/1.0";

/// The prefix our elements have. libvirt keeps one element for each namespace and prefix.
pub(crate) const METADATA_PREFIX: &str = "lvhost";

/// A domain's `<metadata>`.
pub(super) fn metadata(record: &BuildRecord) -> Element {
    let mut build = build(record, |name| format!("{METADATA_PREFIX}:{name}"));
    let declared = Name::from(format!("xmlns:{METADATA_PREFIX}"));
    build
        .attributes
        .insert(0, (declared, METADATA_NAMESPACE.to_owned()));
    Element::new("metadata").child(build)
}

/// The element alone, for libvirt to put into its namespace.
pub(crate) fn build_record_xml(record: &BuildRecord) -> String {
    build(record, str::to_owned).to_xml()
}

fn build(record: &BuildRecord, name: impl Fn(&str) -> String) -> Element {
    let owner = record.owner.as_ref().map(|owner| {
        Element::new(name("owner"))
            .attribute("host", &owner.host)
            .attribute_if("machine", owner.machine)
            .attribute("boot", &owner.boot)
            .attribute("pid-namespace", &owner.pid_namespace)
            .attribute("pid", owner.pid)
            .attribute("started", owner.started)
    });
    let volumes = record.volumes.iter().map(|volume| {
        Element::new(name("volume"))
            .attribute("pool", &volume.pool)
            .attribute("name", &volume.name)
    });
    let begun = record
        .begun
        .and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    Element::new(name("build"))
        .attribute("id", &record.id)
        .attribute_if("begun", begun.map(|time| time.as_secs()))
        .children(owner)
        .children(volumes)
}
