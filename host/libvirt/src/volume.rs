//! Storage volumes: what names one, what is asked for, what is known of one.
use std::{fmt, time::SystemTime};

use crate::{Error, PoolFacts, Result};

/// Names one volume: the pool and the name in it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct VolumeId {
    /// The storage pool's name.
    pub pool: String,
    /// The volume's name, unique in the pool.
    pub name: String,
}

impl VolumeId {
    /// The volume `name` in `pool`.
    pub fn new(pool: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            pool: pool.into(),
            name: name.into(),
        }
    }
}

impl fmt::Display for VolumeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} in pool {:?}", self.name, self.pool)
    }
}

/// A volume to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VolumeSpec {
    /// Where, and under which name.
    pub id: VolumeId,
    /// Size the guest sees, in bytes.
    pub capacity: u64,
    /// Bytes taken from the pool at once; `Some(0)` is sparse, `None` lets libvirt allocate the
    /// capacity in full.
    pub allocation: Option<u64>,
    /// `raw`, `qcow2`, …; `None` takes the pool's default.
    pub format: Option<String>,
    /// The image this one is an overlay of.
    pub backing: Option<Backing>,
}

impl VolumeSpec {
    /// The volume as a pool of some type can make it.
    ///
    /// Only pools of files have formats. In others a volume is raw, and is said to be by not saying
    /// anything. Where volumes are partitions or logical volumes, they are allocated in full:
    /// libvirt would make a sparse logical volume as a snapshot of nothing, which breaks when its
    /// allocation is used up.
    ///
    /// # Errors
    /// [`InvalidValue`](crate::Error::InvalidValue) for a format the pool cannot have.
    pub fn adapted_to(&self, pool: &PoolFacts) -> Result<Self> {
        let mut spec = self.clone();
        if pool.has_formats() {
            return Ok(spec);
        }
        if let Some(format) = spec.format.take().filter(|format| format != "raw") {
            return Err(Error::InvalidValue {
                action: format!("create the volume {}", self.id),
                message: format!(
                    "a pool of type {} holds raw volumes only, not {format}; \
                     leave the format out or set it to raw",
                    pool.kind
                ),
            });
        }
        if matches!(pool.kind.as_str(), "logical" | "disk") {
            spec.allocation = None;
        }
        Ok(spec)
    }
}

impl PoolFacts {
    /// Whether the pool keeps volumes as files, which have formats. See
    /// <https://libvirt.org/storage.html>.
    pub fn has_formats(&self) -> bool {
        matches!(
            self.kind.as_str(),
            "dir" | "fs" | "netfs" | "gluster" | "vstorage"
        )
    }
}

/// The image an overlay stands on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backing {
    /// Path on the hypervisor's host.
    pub path: String,
    /// The backing image's format. `None` is only ever an answer: of what is made, it must be said.
    pub format: Option<String>,
}

/// What libvirt knows of a volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VolumeFacts {
    /// libvirt's key of the volume: unique on the host; of file pools the path.
    pub key: String,
    /// Path on the hypervisor's host.
    pub path: String,
    /// Size the guest sees, in bytes, as libvirt understands the volume; see [`Self::capacity_as`].
    pub capacity: u64,
    /// Bytes taken from the pool.
    pub allocation: u64,
    /// Bytes of the file or device; not all versions of libvirt and types of pools know it.
    pub physical: Option<u64>,
    /// libvirt's name of what it takes the volume for: `file`, `block`, `network`, `dir`, `ploop`, …
    pub kind: String,
    /// What libvirt took the volume's first bytes for, when it last looked: `raw`, `qcow2`, …; `None`
    /// for pools that have no formats.
    ///
    /// It is a guess, and whoever may write into the volume decides it. Nothing is ever opened in a
    /// format for its sake.
    pub guessed_format: Option<String>,
    /// What libvirt read there of an image that this one is an overlay of: a guess as well.
    pub guessed_backing: Option<Backing>,
    /// When it was last written to, by the clock of the hypervisor's host; of file pools only.
    pub written: Option<SystemTime>,
}

/// The guess where libvirt takes a volume for an image of a format that it can't name.
pub(crate) const NO_WORD: &str = "an image of a kind that it has no word for";

impl VolumeFacts {
    /// Whether libvirt would read the volume as what it is, if it is of this format: some of its calls
    /// (cloning, resizing) read by what libvirt has guessed.
    pub fn is_taken_for(&self, format: &str) -> bool {
        self.is_image() && self.guessed_format.as_deref().unwrap_or("raw") == format
    }

    /// Whether libvirt can give the volume to a domain that names its pool. Else it has to be named by its
    /// path: libvirt takes it for a folder, or for an image that it has no word for.
    pub fn is_known_to_domains(&self) -> bool {
        self.is_image() && self.guessed_format.as_deref() != Some(NO_WORD)
    }

    /// Whether libvirt takes the volume for one image, and not for a folder.
    pub fn is_image(&self) -> bool {
        matches!(self.kind.as_str(), "file" | "block" | "network")
    }

    /// The size that a guest sees if the volume is of this format, in bytes. libvirt reads the capacity
    /// out of what it takes for a header; of a raw volume it is the size of the file.
    pub fn capacity_as(&self, format: &str) -> u64 {
        match self.physical {
            Some(physical) if format == "raw" && !self.is_taken_for("raw") => physical,
            _ => self.capacity,
        }
    }
}

/// Refuses a volume that libvirt would read as something else than it is.
pub(crate) fn check_taken_for(id: &VolumeId, facts: &VolumeFacts, format: &str) -> Result<()> {
    if facts.is_taken_for(format) {
        return Ok(());
    }
    Err(Error::TakenForOther {
        id: id.clone(),
        format: format.to_owned(),
        guessed: match &facts.guessed_format {
            Some(guessed) if facts.is_image() => guessed.clone(),
            _ => facts.kind.clone(),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn volumes_are_adapted_to_what_their_pool_can_make() {
        let adapt = |kind: &str, format: Option<&str>| {
            let spec = VolumeSpec {
                id: VolumeId::new("p", "v"),
                capacity: 10,
                allocation: Some(0),
                format: format.map(str::to_owned),
                backing: None,
            };
            let pool = PoolFacts {
                name: "p".into(),
                kind: kind.into(),
                active: true,
                capacity: 0,
                available: 0,
                target_path: None,
            };
            spec.adapted_to(&pool)
                .map(|spec| (spec.format, spec.allocation))
                .map_err(|error| error.to_string())
        };
        let qcow2 = Some("qcow2".to_owned());
        for kind in ["dir", "fs", "netfs", "gluster"] {
            assert_eq!(adapt(kind, Some("qcow2")), Ok((qcow2.clone(), Some(0))));
        }
        for kind in ["zfs", "rbd", "iscsi", "scsi", "mpath"] {
            assert_eq!(adapt(kind, Some("raw")), Ok((None, Some(0))));
            assert!(adapt(kind, Some("qcow2")).unwrap_err().contains(kind));
        }
        for kind in ["logical", "disk"] {
            assert_eq!(adapt(kind, None), Ok((None, None)));
            assert!(adapt(kind, Some("qcow2")).is_err());
        }
    }
}
