//! What libvirt takes a volume for when it looks at its first bytes, and what qemu-img writes there.

use lvhost_image::{Container, qcow2};

use super::disk::SparseBytes;
use crate::{Backing, VolumeFacts};

/// Where a CD says what it is (ECMA-119 §8.1.2, in the sector 16 of 2048 bytes).
const CD: (u64, &[u8]) = (32_769, b"CD001");

/// Looks at a volume as libvirt does when it refreshes a pool of files (`storageBackendProbeTarget`).
pub(super) fn look(facts: &mut VolumeFacts, content: &SparseBytes) {
    let head = content.read(0, qcow2::HEADER_BYTES);
    let container = Container::recognise(&head);
    // What libvirt has no mark for is raw to it.
    let format = match container {
        // Of a version that libvirt does not know.
        Some(Container::Qcow2) if !matches!(head.get(4..8), Some([0, 0, 0, 2 | 3])) => "raw",
        Some(
            known @ (Container::Qcow
            | Container::Qcow2
            | Container::Qed
            | Container::Vdi
            | Container::Vpc
            | Container::Luks
            | Container::Cow),
        ) => known.name(),
        Some(Container::Vmdk) if head.starts_with(b"KDMV") => "vmdk",
        Some(Container::Parallels) if head.starts_with(b"WithouFreSpacExt") => "ploop",
        _ if content.read(CD.0, CD.1.len()) == CD.1 => "iso",
        _ => "raw",
    };
    facts.kind = if format == "ploop" { "ploop" } else { "file" }.to_owned();
    facts.guessed_format = Some(format.to_owned());
    facts.guessed_backing = None;
    facts.physical = Some(content.end());
    match qcow2::Header::parse(&head) {
        Ok(Some(header)) => {
            facts.capacity = header.virtual_size;
            facts.guessed_backing = header.backing_file.map(|path| Backing {
                path,
                format: header.backing_format,
            });
        }
        _ => facts.capacity = content.end(),
    }
}

/// The header of an empty qcow2 image.
pub(super) fn empty_qcow2(capacity: u64, backing: Option<&Backing>) -> Vec<u8> {
    const BACKING_FORMAT: u32 = 0xE279_2ACA;
    const LENGTH: usize = 104;
    let mut bytes = vec![0; LENGTH];
    let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
    put(0, b"QFI\xfb");
    put(4, &3u32.to_be_bytes());
    put(20, &16u32.to_be_bytes());
    put(24, &capacity.to_be_bytes());
    put(100, &(LENGTH as u32).to_be_bytes());
    let Some(backing) = backing else {
        // The end of the extensions.
        bytes.extend([0; 8]);
        return bytes;
    };
    if let Some(format) = &backing.format {
        bytes.extend(BACKING_FORMAT.to_be_bytes());
        bytes.extend((format.len() as u32).to_be_bytes());
        bytes.extend(format.as_bytes());
        bytes.resize(bytes.len().next_multiple_of(8), 0);
    }
    bytes.extend([0; 8]);
    let offset = bytes.len() as u64;
    bytes.extend(backing.path.as_bytes());
    bytes[8..16].copy_from_slice(&offset.to_be_bytes());
    bytes[16..20].copy_from_slice(&(backing.path.len() as u32).to_be_bytes());
    bytes
}
