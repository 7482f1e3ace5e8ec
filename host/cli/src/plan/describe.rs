//! A build's plan as plain data.

use std::convert::Infallible;

use lvhost_config::{LibvirtSource, SourceValue, VolumeSource};
use lvhost_engine::{
    Configured, Contents, DiskImage, Identity, Plan, PlannedVolume, Secrets, StatedBy, plan,
};
use lvhost_fetch::{CacheEntry, Content, Location, SafeUrl};
use lvhost_libvirt::{ConnectionUri, DiskFormat, InterfaceSource, final_domain_xml};
use lvhost_runtime::Grant;
use secrecy::ExposeSecret;
use serde::Serialize;

use super::check::Checked;
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

/// What one build would do.
#[derive(Debug, Serialize)]
pub(crate) struct Planned {
    pub(super) build: String,
    /// Without a password.
    pub(super) uri: String,
    pub(super) domain: String,
    pub(super) volumes: Vec<Volume>,
    pub(super) interfaces: Vec<Interface>,
    /// With stars in the place of passwords, and the volumes' formats as far as they are known.
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
    /// What its source may reach for it, and nothing else.
    pub(super) granted: Vec<Granted>,
    /// Whether that depends on values that are only known when the build runs.
    pub(super) is_known: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) download: Option<Download>,
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

/// Something a source may reach.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", content = "value", rename_all = "kebab-case")]
pub(super) enum Granted {
    /// Without a password.
    Url(String),
    /// A URL and everything below it, without a password.
    UrlsBelow(String),
    /// A path or pattern on this machine.
    Files(String),
    /// A volume of the hypervisor.
    Volume(String),
    /// A path on the hypervisor.
    HypervisorPath(String),
}

/// What would be downloaded.
#[derive(Debug, Serialize)]
pub(super) struct Download {
    /// In the order they are tried, without passwords.
    pub(super) urls: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) checksum: Option<String>,
    /// Whether it was downloaded before: without a checksum, the server is still asked whether it is
    /// the same.
    pub(super) cached: bool,
}

/// A network interface of the domain.
#[derive(Debug, Serialize)]
pub(super) struct Interface {
    pub(super) mac: String,
    /// What it is attached to, as `network default`.
    pub(super) attached_to: String,
}

impl Planned {
    /// What the build would do. `cached` is what was downloaded before.
    ///
    /// # Errors
    /// The template's overlays of the domain's XML don't fit.
    pub(crate) fn of(subject: Subject<'_>, cached: &[CacheEntry]) -> Result<Self, Failure> {
        let plan = plan_of(subject);
        let images: Vec<DiskImage> = plan.volumes.iter().map(image_to_be).collect();
        let spec = plan.domain_spec(subject.libvirt, subject.identity, None, &images);
        let domain_xml = final_domain_xml(&spec)
            .map_err(|error| Failure::unable("the domain's XML can't be made", error))?;
        let volumes = plan.volumes.iter().enumerate();
        Ok(Self {
            build: subject.name.to_owned(),
            uri: ConnectionUri::new(subject.libvirt.libvirt_uri.as_str()).to_string(),
            domain: plan.domain.clone(),
            volumes: volumes
                .map(|(index, planned)| volume(planned, index == plan.artifact, cached))
                .collect(),
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

impl Planned {
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

fn volume(planned: &PlannedVolume, is_artifact: bool, cached: &[CacheEntry]) -> Volume {
    let (contents, source, grants, is_known) = match &planned.contents {
        Contents::Existing => (ContentsKind::Existing, None, &[][..], true),
        Contents::Blank => (ContentsKind::Blank, None, &[][..], true),
        Contents::Source { block, grants } => (
            ContentsKind::Source,
            Some(block),
            grants.as_slice(),
            block.is_known(),
        ),
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
        granted: grants.iter().map(granted).collect(),
        is_known,
        download: source.and_then(|block| download(block, grants, cached)),
    }
}

fn granted(grant: &Grant) -> Granted {
    match grant {
        Grant::Url(url) => Granted::Url(shown(url)),
        Grant::UrlsBelow(url) => Granted::UrlsBelow(shown_folder(url)),
        Grant::Files(pattern) => Granted::Files(pattern.clone()),
        Grant::Volume(id) => Granted::Volume(id.to_string()),
        Grant::HypervisorPath(path) => Granted::HypervisorPath(path.clone()),
    }
}

/// What of the grants comes over a network.
fn download(block: &VolumeSource, grants: &[Grant], cached: &[CacheEntry]) -> Option<Download> {
    let urls: Vec<String> = grants
        .iter()
        .filter_map(|grant| match grant {
            Grant::Url(url) => Some(url),
            _ => None,
        })
        .filter(|url| !matches!(Location::parse(url), Ok(Location::Path(_))))
        .map(|url| shown(url))
        .collect();
    let checksum = block
        .settings
        .iter()
        .find(|setting| setting.name == "checksum");
    let checksum = checksum.and_then(|setting| match &setting.value {
        Some(SourceValue::Text(text)) => Some(text.expose_secret().to_owned()),
        _ => None,
    });
    (!urls.is_empty()).then(|| Download {
        cached: cached
            .iter()
            .any(|entry| is_wanted(entry, &urls, checksum.as_deref())),
        urls,
        checksum,
    })
}

/// Whether a file of the cache is the one that is meant: by its checksum, or as what came from one of
/// the URLs.
fn is_wanted(entry: &CacheEntry, urls: &[String], checksum: Option<&str>) -> bool {
    let Content::Whole(sha256) = &entry.content else {
        return false;
    };
    let is_meant = checksum.is_some_and(|checksum| {
        let digest = checksum.strip_prefix("sha256:").unwrap_or(checksum);
        digest.eq_ignore_ascii_case(&sha256.to_string())
    });
    is_meant || entry.urls.iter().any(|url| urls.contains(url))
}

/// A URL without its password.
fn shown(url: &str) -> String {
    Location::parse(url).map_or_else(
        |_| "(not a URL)".to_owned(),
        |location| location.to_string(),
    )
}

/// The same for everything below a URL; a folder of a share is no location by itself.
fn shown_folder(url: &str) -> String {
    match SafeUrl::parse(url) {
        Ok(share) if share.expose().scheme() == "smb" => share.to_string(),
        _ => shown(url),
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
