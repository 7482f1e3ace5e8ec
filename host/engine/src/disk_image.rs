//! A volume as a domain is given it: in a format that somebody has said, with all that it leans on.

use lvhost_image::Container;
use lvhost_libvirt::{BackingImage, DiskFormat, VolumeFacts};

/// Who has said what format a volume is of. Nobody guesses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatedBy {
    /// The template.
    Template,
    /// lvhost, which has made the volume in this format.
    Made,
    /// The component, of the bytes it has uploaded, which lvhost has looked at.
    Upload,
    /// The volume's own header, which lvhost has read and which names no other file; or the lack of
    /// one, which makes it raw.
    Header,
    /// The pool: it has raw volumes only.
    Pool,
    /// The image above it, whose header names it and its format.
    Overlay,
}

/// A volume that a domain can be given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskImage {
    /// Where the hypervisor has it.
    pub path: String,
    /// Bytes that a guest sees.
    pub capacity: u64,
    /// Its format, and what it leans on.
    pub format: DiskFormat,
    /// Who has said so.
    pub stated_by: StatedBy,
    /// What a raw one begins like, if it begins like something else.
    pub resembles: Option<Container>,
    /// Whether libvirt takes it for an image at all, and not for a folder.
    pub is_image_to_libvirt: bool,
    /// Whether a domain can refer to it by its pool.
    pub is_known_to_domains: bool,
}

impl DiskImage {
    /// A volume of this format that stands alone.
    pub fn new(facts: &VolumeFacts, format: &str, stated_by: StatedBy) -> Self {
        Self {
            path: facts.path.clone(),
            capacity: facts.capacity_as(format),
            format: DiskFormat::new(format),
            stated_by,
            resembles: None,
            is_image_to_libvirt: facts.is_image(),
            is_known_to_domains: facts.is_known_to_domains(),
        }
    }

    /// The same, as an overlay of `base`.
    pub(crate) fn over(mut self, base: Self) -> Self {
        self.format.backing = Some(Box::new(BackingImage {
            path: base.path,
            format: base.format,
        }));
        self
    }
}
