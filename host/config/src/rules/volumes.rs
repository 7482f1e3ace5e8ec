//! Rules for volumes: which one is the artifact, which must exist, which need a capacity.

use std::collections::BTreeMap;

use lvhost_hcl::{Diagnostic, Diagnostics};

use crate::libvirt_source::LibvirtSource;
use crate::volume::{Device, Volume};

pub(super) fn check(source: &LibvirtSource, report: &mut Diagnostics) {
    // As long as an alias is not known, any volume may turn out to be the artifact.
    let undecided = source.origin.is_unknown("artifact_volume_alias")
        || source.origin.is_unknown("volume")
        || source
            .volume
            .iter()
            .any(|volume| volume.origin.is_unknown("alias"));
    if !undecided {
        artifact(source, report);
    }
    let artifact = source.artifact();
    let mut names = BTreeMap::new();
    for (index, volume) in source.volume.iter().enumerate() {
        let role = match artifact {
            _ if undecided => Role::Undecided,
            Some(artifact) if artifact == index => Role::Artifact,
            // Nothing can be said of the others while no volume is the artifact.
            None => Role::Undecided,
            Some(_) => Role::Other,
        };
        one(volume, role, report);
        if let Some(name) = &volume.name
            && !volume.origin.is_unknown("name")
            && !volume.origin.is_unknown("pool")
            && names.insert((&volume.pool, name), ()).is_some()
        {
            report.push(Diagnostic::error(
                volume.origin.span_of("name"),
                format!(
                    "two volumes are called `{name}` in the pool `{}`",
                    volume.pool
                ),
            ));
        }
    }
}

fn artifact(source: &LibvirtSource, report: &mut Diagnostics) {
    let wanted = &source.artifact_volume_alias;
    match source.artifact() {
        None if source.volume.is_empty() => report.push(
            Diagnostic::error(source.origin.span(), "the source has no volume")
                .help("add a `volume` block: it becomes the artifact"),
        ),
        None => {
            let aliases = source.volume.iter().filter_map(|it| it.alias.as_deref());
            let error = Diagnostic::error(
                source.origin.span_of("artifact_volume_alias"),
                format!("no volume has the alias `{wanted}`, so none is the artifact"),
            );
            report.push(match lvhost_hcl::suggest(wanted, aliases) {
                Some(close) => error.help(format!("did you mean `{close}`?")),
                None => error.help(format!(
                    "add `alias = \"{wanted}\"` to the volume you want to keep"
                )),
            });
        }
        Some(index) => {
            let volume = &source.volume[index];
            if volume.alias.as_ref() != Some(wanted) {
                report.push(
                    Diagnostic::warning(
                        volume.origin.span(),
                        "the only volume is taken for the artifact",
                    )
                    .help(format!("add `alias = \"{wanted}\"` to say so")),
                );
            }
        }
    }
}

/// What a volume is in the build.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Artifact,
    Other,
    Undecided,
}

fn one(volume: &Volume, role: Role, report: &mut Diagnostics) {
    let origin = &volume.origin;
    if origin.is_set("target_dev") {
        report.push(
            Diagnostic::warning(origin.span_of("target_dev"), "`target_dev` has no effect")
                .detail("devices are named in the order in which the volumes are written"),
        );
    }
    if let Some(name) = &volume.name
        && !origin.is_unknown("name")
    {
        let most = super::VOLUME_NAME;
        super::object_name("volume", name, most, "name", origin, report);
    }
    let has_capacity = volume.capacity.is_some()
        || origin.is_set("capacity")
        || origin.is_unknown("capacity")
        || origin.is_unknown("size");
    let is_empty = volume.source.is_none() && !origin.is_unknown("source");
    if is_empty && role == Role::Artifact && !has_capacity {
        report.push(
            Diagnostic::error(origin.span(), "`capacity` is missing")
                .detail("a volume that begins empty needs to know how large it is"),
        );
    }
    if is_empty && role == Role::Other && !origin.is_set("name") && !origin.is_unknown("name") {
        report.push(
            Diagnostic::error(origin.span(), "`name` is missing")
                .detail("a volume without a `source` must be there before the build"),
        );
    }
    if volume.capacity.is_some_and(|capacity| capacity.0 == 0) && !origin.is_unknown("capacity") {
        report.push(Diagnostic::error(
            origin.span_of("capacity"),
            "a volume can't have a capacity of zero",
        ));
    }
    if role == Role::Artifact && matches!(volume.device, Some(Device::Cdrom | Device::Floppy)) {
        report.push(Diagnostic::warning(
            origin.span_of("device"),
            "the artifact is a medium that most guests don't write to",
        ));
    }
    if is_empty && origin.is_set("source_format") {
        report.push(
            Diagnostic::warning(
                origin.span_of("source_format"),
                "`source_format` has no effect: the volume has no `source`",
            )
            .help("for a volume that is there already write `format`"),
        );
    }
    bus(volume, report);
}

fn bus(volume: &Volume, report: &mut Diagnostics) {
    const BUSES: [&str; 8] = ["fdc", "ide", "sata", "scsi", "sd", "usb", "virtio", "xen"];
    let origin = &volume.origin;
    let Some(bus) = &volume.bus else { return };
    if origin.is_unknown("bus") {
        return;
    }
    let span = origin.span_of("bus");
    if !BUSES.contains(&bus.as_str()) {
        report.push(
            Diagnostic::error(span, format!("`{bus}` is not a bus for disks"))
                .detail(format!("there are: {}", BUSES.join(", ")))
                .suggest(bus, BUSES),
        );
        return;
    }
    if origin.is_unknown("device") {
        return;
    }
    if let Some(device) = volume.device
        && !device.takes_bus(bus)
    {
        report.push(Diagnostic::error(
            span,
            format!("a {} can't be attached to the bus `{bus}`", device.as_str()),
        ));
    }
}
