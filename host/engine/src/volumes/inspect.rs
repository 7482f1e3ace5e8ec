//! What a volume that the build has not made is: read from its header before anybody opens it.
//!
//! libvirt has an opinion of every volume, and QEMU forms one of every image that it is told no format
//! of. Both go by the first bytes, which may be a guest's; so neither is asked.
//!
//! ```text
//!   stated raw ──────────────────────────────────────────────► raw, whatever stands in it
//!   stated qcow2 ──┐
//!   not stated ────┼─ begins like nothing known ─────────────► raw (stated qcow2: refused)
//!                  ├─ a qcow2 header that leans on nothing ──► qcow2
//!                  ├─ that leans on a volume of the template ► qcow2; and that one is looked at
//!                  ├─ that leans on anything else ───────────► refused
//!                  └─ begins like any other format ──────────► refused
//!   stated otherwise ─ can name no other file ───────────────► as stated
//!                    └ can name files ───────────────────────► refused
//! ```

use std::path::Path;

use lvhost_image::{Container, qcow2};
use lvhost_libvirt::{Hypervisor, VolumeFacts, VolumeId};

use crate::disk_image::{DiskImage, StatedBy};

/// Images that may lie on each other. Each costs a look; nobody stacks more by hand.
const MAX_CHAIN: usize = 16;

/// Formats that can't name another file, and that QEMU reads when it is told to. Of the others, only
/// the header of qcow2 is read here.
const HARMLESS: [&str; 5] = ["vdi", "vpc", "bochs", "cloop", "dmg"];

/// Why a volume can't be used as what it is, or as what it is said to be.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    /// The hypervisor refused.
    #[error(transparent)]
    Hypervisor(#[from] lvhost_libvirt::Error),
    /// Nobody says what it is, and its bytes are not believed.
    #[error(
        "the volume {volume} begins like an image of format {resembles}, and the template does not \
         say what it is; if these are the disk's own bytes, written by a guest, set `{option} = \
         \"raw\"`, else convert the image with `qemu-img convert -O qcow2`"
    )]
    NotStated {
        /// The volume.
        volume: VolumeId,
        /// What it begins like.
        resembles: Container,
        /// The option that says it.
        option: &'static str,
    },
    /// Images of this format can name other files, in ways that are not checked here.
    #[error(
        "the volume {volume} is said to be of format {format}, in which an image can name other files \
         of the hypervisor; use raw or qcow2, and convert it with `qemu-img convert -O qcow2`"
    )]
    NotChecked {
        /// The volume.
        volume: VolumeId,
        /// What it is said to be.
        format: String,
    },
    /// Its header can't be read.
    #[error("the volume {volume} can't be used as qcow2")]
    Header {
        /// The volume.
        volume: VolumeId,
        /// Why.
        #[source]
        source: qcow2::Error,
    },
    /// It is said to be qcow2, and is not.
    #[error("the volume {volume} is said to be qcow2 and has no qcow2 header; correct `{option}`")]
    NotQcow2 {
        /// The volume.
        volume: VolumeId,
        /// The option that says it.
        option: &'static str,
    },
    /// It would have the hypervisor open a file that the template does not name.
    #[error(
        "the volume {volume} leans on {file:?}, which is no volume that the template names; if it is \
         meant to, add its backing volume to `backing_volumes`; if these are the disk's own bytes, \
         written by a guest, set `{option} = \"raw\"`; else make it whole with `qemu-img convert -O \
         qcow2`"
    )]
    LeansOn {
        /// The volume.
        volume: VolumeId,
        /// What its header names.
        file: String,
        /// The option that says what it is.
        option: &'static str,
    },
    /// Its header does not say what the image below it is.
    #[error(
        "the header of the volume {volume} does not say of which format {file:?} is; write it there \
         with `qemu-img rebase -u -b {file} -F raw` (or `-F qcow2`)"
    )]
    BackingFormat {
        /// The volume.
        volume: VolumeId,
        /// What its header names.
        file: String,
    },
    /// Its data is in another file.
    #[error(
        "the volume {volume} keeps its data in another file of the hypervisor, which is not \
         supported; make it whole with `qemu-img convert -O qcow2`, or set `{option} = \"raw\"` if \
         these are the disk's own bytes, written by a guest"
    )]
    DataFile {
        /// The volume.
        volume: VolumeId,
        /// The option that says what it is.
        option: &'static str,
    },
    /// libvirt takes it for a folder.
    #[error(
        "libvirt takes the volume {volume} for a folder (its type is {kind}), perhaps because of what \
         a guest has written into it; set `{option} = \"raw\"` to use its bytes as they are"
    )]
    Folder {
        /// The volume.
        volume: VolumeId,
        /// libvirt's type of it.
        kind: String,
        /// The option that says what it is.
        option: &'static str,
    },
    /// Too many images lie on each other.
    #[error("more than {MAX_CHAIN} images lie on each other below the volume {volume}")]
    TooDeep {
        /// The one on top.
        volume: VolumeId,
    },
    /// What `backing_volumes` names is not there.
    #[error("`backing_volumes` names {name:?}, and there is no such volume")]
    NoSuchBacking {
        /// As the template has it.
        name: String,
    },
}

/// What the template says of a volume that is there already.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stated<'a> {
    /// Its format.
    pub(super) format: Option<&'a str>,
    /// The option that says it.
    pub(super) option: &'static str,
    /// The volumes that it may lean on: `NAME`, `POOL/NAME` or `/PATH`.
    pub(super) backing_volumes: &'a [String],
    /// The pool of a `NAME`.
    pub(super) pool: &'a str,
}

/// One image, without what it leans on.
struct Layer {
    image: DiskImage,
    /// The file that its header names, and the format of that, if it says one.
    backing: Option<(String, Option<String>)>,
}

/// Tells what a volume is.
///
/// # Errors
/// Those of [`InspectError`].
pub(super) async fn inspect(
    hypervisor: &dyn Hypervisor,
    id: &VolumeId,
    facts: &VolumeFacts,
    stated: Stated<'_>,
) -> Result<DiskImage, InspectError> {
    let mut named = None;
    let mut layers = Vec::new();
    let (mut at, mut at_facts) = (id.clone(), facts.clone());
    let mut format = stated.format.map(str::to_owned);
    loop {
        let mut layer = layer(hypervisor, &at, &at_facts, format.as_deref(), stated.option).await?;
        if !layers.is_empty() {
            layer.image.stated_by = StatedBy::Overlay;
        }
        let backing = layer.backing.take();
        layers.push(layer.image);
        let Some((file, backing_format)) = backing else {
            break;
        };
        if layers.len() == MAX_CHAIN {
            return Err(InspectError::TooDeep { volume: id.clone() });
        }
        let named = match &mut named {
            Some(named) => named,
            none => none.insert(named_volumes(hypervisor, stated).await?),
        };
        let path = beside(&at_facts.path, &file);
        let found = named.iter().find(|(_, facts)| facts.path == path);
        let Some((below, below_facts)) = found else {
            return Err(InspectError::LeansOn {
                volume: at,
                file,
                option: stated.option,
            });
        };
        let Some(backing_format) = backing_format else {
            return Err(InspectError::BackingFormat { volume: at, file });
        };
        (at, at_facts) = (below.clone(), below_facts.clone());
        format = Some(backing_format);
    }
    // From the lowest up.
    let mut image = None;
    while let Some(layer) = layers.pop() {
        image = Some(match image {
            Some(base) => layer.over(base),
            None => layer,
        });
    }
    image.ok_or_else(|| InspectError::TooDeep { volume: id.clone() })
}

/// The volumes that the template names for the volume to lean on.
async fn named_volumes(
    hypervisor: &dyn Hypervisor,
    stated: Stated<'_>,
) -> Result<Vec<(VolumeId, VolumeFacts)>, InspectError> {
    let mut volumes = Vec::with_capacity(stated.backing_volumes.len());
    for name in stated.backing_volumes {
        let volume = if name.starts_with('/') {
            hypervisor.volume_by_path(name).await?
        } else {
            let (pool, name) = name.split_once('/').unwrap_or((stated.pool, name));
            let id = VolumeId::new(pool, name);
            hypervisor.volume(&id).await?.map(|facts| (id, facts))
        };
        volumes.push(volume.ok_or_else(|| InspectError::NoSuchBacking { name: name.clone() })?);
    }
    Ok(volumes)
}

/// The path that QEMU means by a name in the header of the image at `path`. Names of protocols
/// (`nbd://…`, `json:{…}`) become paths that no volume has.
fn beside(path: &str, name: &str) -> String {
    if name.starts_with('/') || name.contains(':') {
        return name.to_owned();
    }
    match Path::new(path).parent() {
        Some(folder) => folder.join(name).to_string_lossy().into_owned(),
        None => name.to_owned(),
    }
}

async fn layer(
    hypervisor: &dyn Hypervisor,
    id: &VolumeId,
    facts: &VolumeFacts,
    stated: Option<&str>,
    option: &'static str,
) -> Result<Layer, InspectError> {
    let alone = |image: DiskImage| Layer {
        image,
        backing: None,
    };
    let has_formats = facts.guessed_format.is_some();
    let stated_by = match stated {
        Some(_) => StatedBy::Template,
        None if has_formats => StatedBy::Header,
        None => StatedBy::Pool,
    };
    match stated {
        Some("raw" | "iso") => return raw(hypervisor, id, facts, stated_by).await.map(alone),
        None if !has_formats => return raw(hypervisor, id, facts, stated_by).await.map(alone),
        Some(format) if HARMLESS.contains(&format) => {
            return Ok(alone(DiskImage::new(facts, format, stated_by)));
        }
        Some("qcow2") | None => {}
        Some(format) => {
            return Err(InspectError::NotChecked {
                volume: id.clone(),
                format: format.to_owned(),
            });
        }
    }
    if !facts.is_image() {
        return Err(InspectError::Folder {
            volume: id.clone(),
            kind: facts.kind.clone(),
            option,
        });
    }
    let head = hypervisor.volume_head(id, qcow2::HEADER_BYTES).await?;
    match (Container::recognise(&head), stated) {
        (Some(Container::Qcow2), _) => qcow2_layer(id, facts, &head, stated_by, option),
        (_, Some(_)) => Err(InspectError::NotQcow2 {
            volume: id.clone(),
            option,
        }),
        (None, None) => Ok(alone(DiskImage::new(facts, "raw", stated_by))),
        (Some(resembles), None) => Err(InspectError::NotStated {
            volume: id.clone(),
            resembles,
            option,
        }),
    }
}

/// A volume whose bytes are the disk's. What they look like matters only to those who would guess.
async fn raw(
    hypervisor: &dyn Hypervisor,
    id: &VolumeId,
    facts: &VolumeFacts,
    stated_by: StatedBy,
) -> Result<DiskImage, InspectError> {
    let mut image = DiskImage::new(facts, "raw", stated_by);
    if facts.is_image() && !facts.is_taken_for("raw") {
        let head = hypervisor.volume_head(id, qcow2::HEADER_BYTES).await?;
        image.resembles = Container::recognise(&head);
    }
    Ok(image)
}

fn qcow2_layer(
    id: &VolumeId,
    facts: &VolumeFacts,
    head: &[u8],
    stated_by: StatedBy,
    option: &'static str,
) -> Result<Layer, InspectError> {
    let not_qcow2 = || InspectError::NotQcow2 {
        volume: id.clone(),
        option,
    };
    let header = qcow2::Header::parse(head)
        .map_err(|source| InspectError::Header {
            volume: id.clone(),
            source,
        })?
        .ok_or_else(not_qcow2)?;
    if header.external_data_file {
        return Err(InspectError::DataFile {
            volume: id.clone(),
            option,
        });
    }
    let format = header.backing_format;
    let backing = header.backing_file.map(|file| (file, format));
    Ok(Layer {
        image: DiskImage {
            capacity: header.virtual_size,
            ..DiskImage::new(facts, "qcow2", stated_by)
        },
        backing,
    })
}
