//! What the source of a volume needs and by which rule it may reach it, and what it would download, as plain data.

use lvhost_engine::{AllowedBy, Need, Plan, PlannedDownload, PlannedVolume};
use lvhost_fetch::{Checksum, Held, Location, SafeUrl};
use lvhost_runtime::Grant;
use serde::Serialize;

use super::describe::Look;
use crate::exit_code::Failure;

/// What the source of a volume reaches.
#[derive(Debug, Default, Serialize)]
pub(super) struct Reach {
    /// What it has asked for.
    pub(super) needs: Vec<Needed>,
    /// The lines of its entry in `lvhost.hcl` that allow none of that: it may reach this, too.
    pub(super) also_allowed: Vec<String>,
    /// What comes over a network.
    pub(super) downloads: Vec<Download>,
}

/// Something a source has asked for.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Needed {
    #[serde(flatten)]
    pub(super) thing: Thing,
    /// `template`, or the line of its entry; left out if it is not allowed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) allowed_by: Option<String>,
    /// What that line allows besides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) allows_beyond: Option<&'static str>,
}

/// What can be reached.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", content = "value", rename_all = "kebab-case")]
pub(super) enum Thing {
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
    /// A URL that something is sent to, without a password.
    Post(String),
    /// The name of one of the user's secrets.
    Secret(String),
}

/// A file that would be downloaded.
#[derive(Debug, Serialize)]
pub(super) struct Download {
    /// In the order they are tried, without passwords.
    pub(super) urls: Vec<String>,
    /// What it is checked by, `none` for nothing; left out if that is only known when the build runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) checksum: Option<String>,
    /// Whether it is there already: without a checksum, the server is still asked whether it is the same.
    /// `null` if that depends on a list of checksums that is fetched first.
    pub(super) cached: Option<bool>,
}

impl Reach {
    /// That of the source of `volume`.
    ///
    /// # Errors
    /// The cache of downloads can't be used.
    pub(super) fn of(
        plan: &Plan,
        volume: &PlannedVolume,
        look: &Look<'_>,
    ) -> Result<Self, Failure> {
        let needs = plan.needs(volume, look.sources);
        let mut downloads = Vec::new();
        for planned in plan.downloads(volume, look.sources, look.working_directory) {
            downloads.extend(download(&planned, look)?);
        }
        Ok(Self {
            needs: needs.needs.iter().map(needed).collect(),
            also_allowed: needs.unused_rules,
            downloads,
        })
    }
}

fn needed(need: &Need) -> Needed {
    let (allowed_by, allows_beyond) = match &need.allowed_by {
        None => (None, None),
        Some(AllowedBy::Template) => (Some("template".to_owned()), None),
        Some(AllowedBy::Rule(rule)) => (Some(rule.line.clone()), rule.beyond),
    };
    Needed {
        thing: match &need.grant {
            Grant::Url(file) => Thing::Url(shown(&file.url)),
            Grant::UrlsBelow(url) => Thing::UrlsBelow(shown_folder(url)),
            Grant::Files(pattern) => Thing::Files(pattern.clone()),
            Grant::Volume(id) => Thing::Volume(id.to_string()),
            Grant::HypervisorPath(path) => Thing::HypervisorPath(path.clone()),
            Grant::Post(url) => Thing::Post(shown(url)),
            Grant::Secret(name) => Thing::Secret(name.clone()),
        },
        allowed_by,
        allows_beyond,
    }
}

/// What of it comes over a network.
fn download(planned: &PlannedDownload, look: &Look<'_>) -> Result<Option<Download>, Failure> {
    let locations = planned.urls.iter().map(|url| Location::parse(url));
    let web: Vec<_> = locations
        .filter(|location| !matches!(location, Ok(Location::Path(_))))
        .collect();
    if web.is_empty() {
        return Ok(None);
    }
    let held = match &planned.request {
        Some(request) => look.held(request)?,
        None => Held::Nothing,
    };
    let request = planned.request.as_ref();
    let checksum = request.and_then(|request| {
        let locations = request.locations.iter();
        let mut web = locations.filter(|location| matches!(location, Location::Web(_)));
        request.checksum_of(web.next()?)
    });
    let is_told = planned.has_checksum || checksum.is_some_and(|it| *it != Checksum::None);
    Ok(Some(Download {
        urls: web
            .iter()
            .map(|location| match location {
                Ok(location) => location.to_string(),
                Err(_) => NO_URL.to_owned(),
            })
            .collect(),
        checksum: checksum.filter(|_| is_told).map(ToString::to_string),
        cached: match held {
            Held::Nothing => Some(false),
            Held::Verified | Held::Former => Some(true),
            Held::Unknown => None,
        },
    }))
}

/// What is shown in place of a URL that can't be read: there may be a password in it.
const NO_URL: &str = "(not a URL)";

/// A URL without its password.
fn shown(url: &str) -> String {
    Location::parse(url).map_or_else(|_| NO_URL.to_owned(), |location| location.to_string())
}

/// The same for everything below a URL; a folder of a share is no location by itself.
fn shown_folder(url: &str) -> String {
    match SafeUrl::parse(url) {
        Ok(share) if share.expose().scheme() == "smb" => share.to_string(),
        _ => shown(url),
    }
}
