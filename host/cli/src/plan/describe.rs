//! A build's plan as plain data.

use std::convert::Infallible;
use std::path::Path;

use lvhost_config::LibvirtSource;
use lvhost_engine::{
    Configured, Contents, DiskImage, Identity, Plan, PlannedVolume, Secrets, Sources, StatedBy,
    plan,
};
use lvhost_fetch::{Fetcher, Held, Request};
use lvhost_libvirt::{
    ConnectionUri, DiskFormat, DomainSpec, InterfaceSource, XmlOverlay, shown_domain_xml,
};
use serde::Serialize;

use super::check::Checked;
use super::reach::Reach;
use crate::exit_code::Failure;

/// What a plan is made of.
#[derive(Clone, Copy)]
pub(crate) struct Subject<'a> {
    /// What the build is called.
    pub(crate) name: &'a str,
    /// The source's options.
    pub(crate) libvirt: &'a LibvirtSource,
    /// What the components say of its volumes.
    pub(crate) configured: &'a Configured,
    /// Where the names of the build come from.
    pub(crate) identity: &'a Identity,
}

/// What a plan is looked up in.
#[derive(Clone, Copy)]
pub(crate) struct Look<'a> {
    /// The volume sources, with what they may reach.
    pub(crate) sources: &'a Sources,
    /// What was downloaded before, if there is a place for it.
    pub(crate) downloads: Option<&'a Fetcher>,
    /// What relative paths are meant from.
    pub(crate) working_directory: &'a Path,
    /// What is not shown.
    pub(crate) secrets: &'a Secrets,
}

impl Look<'_> {
    /// What there is of a download. Nobody is asked.
    pub(super) fn held(&self, request: &Request) -> Result<Held, Failure> {
        let Some(downloads) = self.downloads else {
            return Ok(Held::Nothing);
        };
        let held = downloads.held(request);
        held.map_err(|error| Failure::unable("the cache of downloads can't be used", error))
    }
}

/// What one build would do.
#[derive(Debug, Serialize)]
pub(crate) struct PlannedBuild {
    pub(super) build: String,
    /// Without a password.
    pub(super) uri: String,
    pub(super) domain: String,
    pub(super) volumes: Vec<Volume>,
    pub(super) interfaces: Vec<Interface>,
    /// With stars in the place of passwords and of what stands in sensitive pieces of XML, and the volumes' formats as
    /// far as they are known.
    pub(super) domain_xml: String,
    /// What the hypervisor says of it, if it was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) check: Option<Checked>,
}

/// A volume of the domain.
#[derive(Debug, Serialize)]
pub(super) struct Volume {
    pub(super) pool: String,
    pub(super) name: String,
    /// Whether it is what the build is for.
    pub(super) is_artifact: bool,
    pub(super) contents: ContentsKind,
    /// The kind of source that makes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) source: Option<String>,
    /// Bytes a guest sees; if left out, as many as its source has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) capacity: Option<u64>,
    /// Bytes taken from the pool at once.
    pub(super) allocation: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) format: Option<String>,
    /// What its source needs and may reach.
    #[serde(flatten)]
    pub(super) reach: Reach,
    /// Whether all of that is known, and not only when the build runs.
    pub(super) is_known: bool,
}

/// Where a volume's bytes come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum ContentsKind {
    /// It is there already and is only used.
    Existing,
    /// It begins empty.
    Blank,
    /// A source makes it.
    Source,
}

/// A network interface of the domain.
#[derive(Debug, Serialize)]
pub(super) struct Interface {
    pub(super) mac: String,
    /// What it is attached to, as `network default`.
    pub(super) attached_to: String,
}

impl PlannedBuild {
    /// What the build would do.
    ///
    /// # Errors
    /// The template's overlays of the domain's XML don't fit; the cache of downloads can't be used.
    pub(crate) fn of(subject: Subject<'_>, look: &Look<'_>) -> Result<Self, Failure> {
        let plan = plan_of(subject);
        let spec = domain_spec_of(subject, &plan);
        let hidden = match subject.libvirt.origin.is_sensitive("domain_xml_overlay") {
            true => spec.overlays.iter().flat_map(XmlOverlay::values).collect(),
            false => Vec::new(),
        };
        // What a secret stands in is shown with that masked.
        let hidden = hidden.into_iter();
        let hidden = hidden.filter(|value| look.secrets.places_in(value).is_empty());
        let domain_xml = shown_domain_xml(&spec, &hidden.collect())
            .map_err(|error| Failure::unable("the domain's XML can't be made", error))?;
        let volumes = plan.volumes.iter().enumerate();
        let volumes = volumes.map(|(index, planned)| {
            let reach = Reach::of(&plan, planned, look)?;
            Ok(volume(planned, index == plan.artifact, reach))
        });
        let volumes = volumes.collect::<Result<_, Failure>>()?;
        Ok(Self {
            build: subject.name.to_owned(),
            uri: ConnectionUri::new(subject.libvirt.libvirt_uri.as_str()).to_string(),
            domain: plan.domain.clone(),
            volumes,
            interfaces: plan
                .interfaces
                .iter()
                .map(|interface| Interface {
                    mac: interface.mac.clone(),
                    attached_to: attached_to(&interface.source),
                })
                .collect(),
            domain_xml,
            check: None,
        })
    }
}

impl PlannedBuild {
    /// It as data, without secrets.
    ///
    /// # Errors
    /// It can't be written as JSON.
    pub(crate) fn shown(&self, secrets: &Secrets) -> Result<serde_json::Value, Failure> {
        let data = serde_json::to_value(self);
        let data = data.map_err(|error| Failure::unable("the plan can't be written", error))?;
        Ok(super::masked(data, secrets))
    }
}

/// The engine's plan. Ports that lvhost chooses are chosen when the build runs: 0 here.
pub(super) fn plan_of(subject: Subject<'_>) -> Plan {
    let planned = plan(
        subject.libvirt,
        subject.configured,
        subject.identity,
        || Ok::<_, Infallible>(0),
    );
    let Ok(plan) = planned;
    plan
}

/// The domain, as far as it can be told before its volumes are made.
pub(super) fn domain_spec_of(subject: Subject<'_>, plan: &Plan) -> DomainSpec {
    let images: Vec<DiskImage> = plan.volumes.iter().map(image_to_be).collect();
    plan.domain_spec(subject.libvirt, subject.identity, None, &images)
}

/// What will be known of a volume, as far as it can be told before it is made.
fn image_to_be(volume: &PlannedVolume) -> DiskImage {
    let format = match (&volume.format, &volume.contents) {
        (Some(format), _) => format,
        (None, Contents::Blank) => "raw",
        (None, Contents::Existing) => "(what its header says)",
        (None, Contents::Source { .. }) => "(that of its source)",
    };
    DiskImage {
        path: format!("(where the pool {} has {})", volume.id.pool, volume.id.name),
        capacity: volume.capacity.unwrap_or_default(),
        format: DiskFormat::new(format),
        stated_by: StatedBy::Template,
        resembles: None,
        is_image_to_libvirt: true,
        is_known_to_domains: true,
    }
}

fn volume(planned: &PlannedVolume, is_artifact: bool, reach: Reach) -> Volume {
    let (contents, source, is_known) = match &planned.contents {
        Contents::Existing => (ContentsKind::Existing, None, true),
        Contents::Blank => (ContentsKind::Blank, None, true),
        Contents::Source { block, .. } => (ContentsKind::Source, Some(block), block.is_known()),
    };
    Volume {
        pool: planned.id.pool.clone(),
        name: planned.id.name.clone(),
        is_artifact,
        contents,
        source: source.map(|block| block.type_name.clone()),
        capacity: planned.capacity,
        allocation: planned.allocation,
        format: planned.format.clone(),
        reach,
        is_known,
    }
}

fn attached_to(source: &InterfaceSource) -> String {
    match source {
        InterfaceSource::Network { network } => format!("network {network}"),
        InterfaceSource::Bridge { bridge } => format!("bridge {bridge}"),
        InterfaceSource::Direct { device, .. } => format!("device {device}"),
        InterfaceSource::User { port_forwards } => {
            let forwards: Vec<String> = port_forwards
                .iter()
                .map(|forward| match forward.host_port {
                    0 => format!("a free port to {}", forward.guest_port),
                    port => format!("{port} to {}", forward.guest_port),
                })
                .collect();
            match forwards.is_empty() {
                true => "user".to_owned(),
                false => format!("user, forwards {}", forwards.join(", ")),
            }
        }
    }
}
