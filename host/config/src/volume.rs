//! The `volume` block.

use crate::declare::options;
use crate::setting::choices;
use crate::size::Size;
use crate::volume_source::VolumeSource;

choices! {
    /// What a guest takes the volume for.
    pub enum Device {
        /// A disk.
        Disk = "disk",
        /// A CD.
        Cdrom = "cdrom",
        /// A floppy.
        Floppy = "floppy",
        /// A SCSI device passed through.
        Lun = "lun",
    }
}

impl Device {
    /// Whether a device of this kind can hang on a bus, by libvirt's name of it.
    pub fn takes_bus(self, bus: &str) -> bool {
        match self {
            Self::Floppy => bus == "fdc",
            Self::Cdrom => !matches!(bus, "fdc" | "virtio" | "sd"),
            Self::Lun => matches!(bus, "scsi" | "virtio"),
            Self::Disk => bus != "fdc",
        }
    }
}

choices! {
    /// How the domain's XML refers to a volume.
    pub enum AttachAs {
        /// By its pool and name.
        Volume = "volume",
        /// By the path of its file or device on the hypervisor's host. AppArmor and SELinux know what to
        /// allow then, also behind an overlay.
        File = "file",
    }
}

options! {
    /// A disk of the domain. One with a source is made for the build and deleted after it, unless
    /// it is the artifact of a build that succeeds; one without must be there before, unless it is
    /// the artifact.
    pub struct Volume for "volume" {
        options {
            /// The storage pool the volume is in.
            pool: String = "default",
            /// A name unique to the pool. `<domain_name>-<postfix>` if left out, with the alias or
            /// what its source calls for as postfix. Required for a volume that is there already.
            name: Option<String>,
            /// How much storage to allocate at once, such as `10GiB`. Nothing if left out: the
            /// volume is sparse and grows with what is written into it.
            size: Option<Size>,
            /// How large the guest sees it, such as `10GiB`. As large as `size`, or else as what the
            /// source has, if left out. Required for an artifact without a source.
            capacity: Option<Size>,
            /// The guest can't write to it. CDs are read-only.
            readonly: Option<bool>,
            /// Deprecated, without effect: devices are named in the order of the volumes.
            target_dev: Option<String>,
            /// The bus it is attached to: `virtio`, `sata`, `scsi`, `usb`, `ide`,
            /// `sd`, `xen` or `fdc`. If left out, `virtio` for disks, `scsi` (virtio-scsi) for CDs and
            /// `fdc` for floppies, on every machine type. Windows needs `sata` for CDs.
            bus: Option<String>,
            /// An identifier unique within the domain, of letters, digits, `_` and `-`.
            alias: Option<String>,
            /// The format, such as `qcow2` or `raw`. If left out, that of the source, or else `raw`. Of a
            /// volume that is there already, what its header says: lvhost reads it, and refuses
            /// what is neither raw nor a qcow2 image that leans on nothing.
            format: Option<String>,
            /// The format of the volume that the source clones or lays the overlay on. What its header
            /// says if left out, as with `format`. A disk that a guest has written to should have it.
            source_format: Option<String>,
            /// The volumes that this one, or the one its source names, may be an overlay of: `NAME` in the same
            /// pool, `POOL/NAME` or an absolute path. A header that names any other file is refused.
            backing_volumes: Vec<String>,
            /// What the guest takes it for: `disk` unless its source says otherwise.
            device: Option<Device>,
            /// How the domain refers to it. lvhost chooses if left out.
            attach_as: Option<AttachAs>,
        }
        blocks {
            /// Where its bytes come from.
            source: Option<VolumeSource>,
        }
    }
}
