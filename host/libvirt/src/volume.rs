//! Storage volumes: what names one, what is asked for, what is known of one.
use std::fmt;

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

/// The image an overlay stands on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backing {
    /// Path on the hypervisor's host.
    pub path: String,
    /// The backing image's format. Without it the hypervisor must guess, which libvirt refuses for
    /// good reason (a raw guest disk could name any file as its backing).
    pub format: Option<String>,
}

/// What libvirt knows of a volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VolumeFacts {
    /// libvirt's key of the volume: unique on the host; of file pools the path.
    pub key: String,
    /// Path on the hypervisor's host.
    pub path: String,
    /// Size the guest sees, in bytes.
    pub capacity: u64,
    /// Bytes taken from the pool.
    pub allocation: u64,
    /// `raw`, `qcow2`, …; `None` for pools that have no formats.
    pub format: Option<String>,
    /// The image this one is an overlay of.
    pub backing: Option<Backing>,
}
