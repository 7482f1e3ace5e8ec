//! Whether something may be removed as lvhost's own: that is shown, and never assumed from a name.
//!
//! ```text
//!  a volume of the name that a build makes (`-force`), or that a domain's record claims (`clean`)
//!    │
//!    ├─ another domain stands on it, by whatever chain of images ──────► Doubt::UsedByDomain
//!    ├─ another volume stands on it (`clean`) ─────────────────────────► Doubt::BaseOf
//!    ├─ the journal has it:   as another's, another file, an artifact ─► Doubt::…
//!    │                        as this build's ─────────────────────────► it is ours
//!    └─ the journal has it not: its name is one that only this build
//!       gives, and it is younger than the build ───────────────────────► it is ours
//!       else ──────────────────────────────────────────────────────────► Doubt::NotWrittenDown
//! ```
//!
//! A domain is a build's if its UUID is the one that the build's id gives: a copy of a domain takes the
//! metadata along and gets another UUID.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use lvhost_libvirt::{DiskSource, DomainFacts, DomainId, Error, Hypervisor, VolumeFacts, VolumeId};
use uuid::Uuid;

use crate::identity::Identity;
use crate::journal::{Entry, HypervisorId, Stage};

/// How far a chain of images is followed; libvirt goes no further
/// (`QEMU_DOMAIN_STORAGE_SOURCE_CHAIN_MAX_DEPTH`).
const CHAIN: usize = 200;

/// How much a hypervisor's clock may be behind this machine's.
const CLOCKS: Duration = Duration::from_secs(60 * 60);

/// Why something is not shown to be lvhost's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Doubt {
    /// A domain stands on it.
    UsedByDomain(String),
    /// A volume stands on it.
    BaseOf(VolumeId),
    /// lvhost has not written down on this machine that it made it.
    NotWrittenDown,
    /// Another build has made it.
    AnotherBuild(Uuid),
    /// It is the result of a build that succeeded.
    Artifact,
    /// It is not the one that was made under its name.
    Replaced,
    /// It was there before the build began.
    Older,
    /// The domain has no record of a build.
    NoRecord,
    /// The domain is a copy of a build's, or was given the record by somebody.
    NotTheBuildsDomain,
    /// The build of another domain claims it as well, and may still run.
    ClaimedBy(String),
    /// The hypervisor can't look at it.
    Unreadable(String),
}

impl fmt::Display for Doubt {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UsedByDomain(domain) => write!(formatter, "the domain {domain:?} uses it"),
            Self::BaseOf(volume) => write!(formatter, "the volume {volume} stands on it"),
            Self::NotWrittenDown => {
                formatter.write_str("nothing on this machine says that lvhost made it")
            }
            Self::AnotherBuild(build) => write!(formatter, "the build {build} made it"),
            Self::Artifact => formatter.write_str("it is the result of a build that succeeded"),
            Self::Replaced => {
                formatter.write_str("it is not the one that lvhost made under this name")
            }
            Self::NoRecord => formatter.write_str("it has no record of a build"),
            Self::ClaimedBy(domain) => write!(
                formatter,
                "the build of the domain {domain:?} claims it too, and may still run"
            ),
            Self::Unreadable(reason) => write!(formatter, "it can't be looked at: {reason}"),
            Self::Older => formatter.write_str("it is older than the build"),
            Self::NotTheBuildsDomain => formatter.write_str(
                "its UUID is not the one that the build gave to its domain, so it is a copy, or \
                 somebody else has written the record",
            ),
        }
    }
}

/// The build that a domain shows to be its own, by its record and its UUID.
///
/// # Errors
/// [`Doubt::NoRecord`], [`Doubt::NotTheBuildsDomain`].
pub fn build_of(domain: &DomainFacts) -> Result<Identity, Doubt> {
    let record = domain.build.as_ref().ok_or(Doubt::NoRecord)?;
    let id = Uuid::parse_str(&record.id).ok();
    id.map(Identity::fixed)
        .filter(|identity| identity.domain_uuid() == domain.id.uuid)
        .ok_or(Doubt::NotTheBuildsDomain)
}

/// Who stands on which file.
#[derive(Debug, Default)]
pub struct Uses {
    by_file: HashMap<String, Vec<User>>,
    is_local: bool,
}

/// Who stands on a file.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum User {
    Domain(DomainId),
    Volume(VolumeId),
}

impl Uses {
    /// Looks through all domains and the volumes of all active pools.
    ///
    /// # Errors
    /// Those of the hypervisor. What goes away while it is looked at is no error.
    pub async fn look(
        hypervisor: &dyn Hypervisor,
        domains: &[DomainFacts],
    ) -> lvhost_libvirt::Result<Self> {
        let is_local = hypervisor.facts().await?.is_local;
        let mut volumes = Vec::new();
        for pool in hypervisor.pools().await? {
            let names = match hypervisor.list_volumes(&pool).await {
                Ok(names) => names,
                Err(Error::NoSuchPool { .. } | Error::PoolInactive { .. }) => continue,
                Err(error) => return Err(error),
            };
            for name in names {
                let id = VolumeId::new(&pool, name);
                match hypervisor.volume(&id).await {
                    Ok(Some(facts)) => volumes.push((id, facts)),
                    Ok(None) | Err(Error::NoSuchPool { .. } | Error::PoolInactive { .. }) => {}
                    // What libvirt can't look at (a file that is gone, a pipe) has no image under it.
                    Err(error) => tracing::debug!(%id, %error, "a volume is not looked at"),
                }
            }
        }
        let domains = domains.to_vec();
        let indexed =
            tokio::task::spawn_blocking(move || Self::index(&domains, &volumes, is_local));
        indexed.await.map_err(|error| Error::Disconnected {
            action: "look who uses a volume".to_owned(),
            message: error.to_string(),
        })
    }

    /// Files of this machine are looked at, since one file may have several names.
    fn index(domains: &[DomainFacts], volumes: &[(VolumeId, VolumeFacts)], is_local: bool) -> Self {
        let mut paths: HashMap<&VolumeId, &str> = HashMap::new();
        let mut bases: HashMap<String, &str> = HashMap::new();
        let mut uses = Self {
            by_file: HashMap::new(),
            is_local,
        };
        for (id, facts) in volumes {
            paths.insert(id, &facts.path);
            if let Some(backing) = &facts.guessed_backing {
                for name in names(&facts.path, is_local) {
                    bases.insert(name, &backing.path);
                }
                uses.add(&backing.path, &User::Volume(id.clone()));
            }
        }
        for domain in domains {
            let user = User::Domain(domain.id.clone());
            for source in &domain.uses {
                let mut next = match source {
                    DiskSource::Volume(id) => paths.get(id).copied(),
                    DiskSource::File(path) | DiskSource::Block(path) => Some(path.as_str()),
                };
                let mut seen = HashSet::new();
                while let Some(path) = next.filter(|path| seen.insert(*path)) {
                    if seen.len() > CHAIN {
                        break;
                    }
                    uses.add(path, &user);
                    let names = names(path, is_local);
                    next = names.iter().find_map(|name| bases.get(name).copied());
                }
            }
        }
        uses
    }

    fn add(&mut self, path: &str, user: &User) {
        for name in names(path, self.is_local) {
            let users = self.by_file.entry(name).or_default();
            if !users.contains(user) {
                users.push(user.clone());
            }
        }
    }

    fn of(&self, facts: &VolumeFacts) -> impl Iterator<Item = &User> {
        names(&facts.path, self.is_local)
            .into_iter()
            .filter_map(move |name| self.by_file.get(&name))
            .flatten()
    }

    /// The first domain but `own` that stands on a volume, by whatever chain of images.
    pub fn domain_on(&self, facts: &VolumeFacts, own: Option<&DomainId>) -> Option<&DomainId> {
        self.of(facts).find_map(|user| match user {
            User::Domain(domain) if Some(domain) != own => Some(domain),
            _ => None,
        })
    }

    /// The first volume that stands directly on a volume and is not among `own`.
    fn volume_on(&self, facts: &VolumeFacts, own: &HashSet<&VolumeId>) -> Option<&VolumeId> {
        self.of(facts).find_map(|user| match user {
            User::Volume(volume) if !own.contains(volume) => Some(volume),
            _ => None,
        })
    }
}

/// All that one file may be called: its path, the path without links, its number.
fn names(path: &str, is_local: bool) -> Vec<String> {
    let mut names = vec![path.to_owned()];
    if is_local {
        if let Ok(real) = Path::new(path).canonicalize() {
            let real = real.to_string_lossy().into_owned();
            if real != path {
                names.push(real);
            }
        }
        // Device nodes share the number of their file system, not of their disk.
        if let Ok(metadata) = Path::new(path).metadata()
            && metadata.is_file()
        {
            names.push(format!("{}:{}", metadata.dev(), metadata.ino()));
        }
    }
    names
}

/// Whether a volume that is in the way of a build was made by an earlier one.
///
/// # Errors
/// Why that is not shown.
pub(crate) fn made_by_lvhost(
    facts: &VolumeFacts,
    entry: Option<&Entry>,
    hypervisor: &HypervisorId,
    uses: &Uses,
    replaced: Option<&DomainId>,
) -> Result<(), Doubt> {
    if let Some(domain) = uses.domain_on(facts, replaced) {
        return Err(Doubt::UsedByDomain(domain.name.clone()));
    }
    match entry {
        None => Err(Doubt::NotWrittenDown),
        // It was about to be made, and nothing says that it was.
        Some(entry) if entry.stage == Stage::Making => Err(Doubt::NotWrittenDown),
        Some(entry) if entry.is_same(hypervisor, facts) => Ok(()),
        Some(_) => Err(Doubt::Replaced),
    }
}

/// A volume that a build of this process has made, and whether it still is what there is.
#[derive(Debug)]
pub struct MadeVolume<'a> {
    /// The build.
    pub build: Uuid,
    /// What the hypervisor knew of it when the build had ended.
    pub then: &'a VolumeFacts,
    /// What it knows now.
    pub now: &'a VolumeFacts,
    /// What the journal knows of it.
    pub entry: Option<&'a Entry>,
}

impl MadeVolume<'_> {
    /// Whether it is still that volume, and nobody stands on it.
    ///
    /// # Errors
    /// Why that is not shown.
    pub fn judge(&self, hypervisor: &HypervisorId, uses: &Uses) -> Result<(), Doubt> {
        if let Some(domain) = uses.domain_on(self.now, None) {
            return Err(Doubt::UsedByDomain(domain.name.clone()));
        }
        if let Some(volume) = uses.volume_on(self.now, &HashSet::new()) {
            return Err(Doubt::BaseOf(volume.clone()));
        }
        let entry = self.entry.ok_or(Doubt::NotWrittenDown)?;
        if entry.build != self.build {
            return Err(Doubt::AnotherBuild(entry.build));
        }
        // Where its file is not seen from here, one that was written to since may be another one.
        let is_unchanged =
            || (self.then.written, self.then.capacity) == (self.now.written, self.now.capacity);
        let is_same = entry.is_same(hypervisor, self.now)
            && (entry.knows_its_file(hypervisor, self.now) || is_unchanged());
        match is_same {
            true => Ok(()),
            false => Err(Doubt::Replaced),
        }
    }
}

/// A volume that a dead build's record claims.
#[derive(Debug)]
pub struct Claim<'a> {
    /// The build.
    pub build: Identity,
    /// Its domain.
    pub domain: &'a DomainId,
    /// When it began, as its record says.
    pub begun: Option<SystemTime>,
    /// All volumes that it claims.
    pub siblings: &'a HashSet<&'a VolumeId>,
    /// The volume.
    pub volume: &'a VolumeId,
    /// What the hypervisor knows of it.
    pub facts: &'a VolumeFacts,
    /// What the journal knows of it.
    pub entry: Option<&'a Entry>,
}

impl Claim<'_> {
    /// Whether nothing contradicts the claim.
    ///
    /// # Errors
    /// What does.
    pub fn judge(&self, hypervisor: &HypervisorId, uses: &Uses) -> Result<(), Doubt> {
        if let Some(domain) = uses.domain_on(self.facts, Some(self.domain)) {
            return Err(Doubt::UsedByDomain(domain.name.clone()));
        }
        if let Some(volume) = uses.volume_on(self.facts, self.siblings) {
            return Err(Doubt::BaseOf(volume.clone()));
        }
        match self.entry {
            Some(entry) if entry.build != self.build.build_id() => {
                return Err(Doubt::AnotherBuild(entry.build));
            }
            Some(entry) if entry.stage == Stage::Artifact => return Err(Doubt::Artifact),
            Some(entry) if !entry.is_same(hypervisor, self.facts) => return Err(Doubt::Replaced),
            Some(_) => {}
            None if self.build.has_named(&self.volume.name) => {}
            None => return Err(Doubt::NotWrittenDown),
        }
        match (self.facts.written, self.begun) {
            (Some(written), Some(begun)) if written + CLOCKS < begun => Err(Doubt::Older),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
