//! What the formats of disk images begin with.
//!
//! A hypervisor that is not told the format of an image looks at its first bytes. Whoever wrote these
//! bytes then chooses the format, and with it what else is opened: a guest can write them into its own
//! disk. So a raw disk that begins like a container is told apart here, before a hypervisor sees it.
//!
//! One table for all, after the functions `*_probe` in `block/` of QEMU 10.0 and `fileTypeInfo` in
//! `storage_file_probe.c` of libvirt 11.3.

/// A format of disk images that is more than the disk's own bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Container {
    /// QEMU's first format (`qcow`).
    Qcow,
    /// QEMU's own format (`qcow2`), of any version.
    Qcow2,
    /// QEMU's enhanced disk (`qed`).
    Qed,
    /// VMware's format (`vmdk`): an image, or the text that names the files of one.
    Vmdk,
    /// VirtualBox' format (`vdi`).
    Vdi,
    /// Hyper-V's newer format (`vhdx`).
    Vhdx,
    /// Virtual PC's and Hyper-V's older format (`vpc`, also called VHD).
    Vpc,
    /// Parallels' format (`parallels`, in libvirt `ploop`).
    Parallels,
    /// Linux' encrypted disk (`luks`).
    Luks,
    /// Bochs' format (`bochs`).
    Bochs,
    /// Compressed loop devices (`cloop`).
    Cloop,
    /// Apple's format (`dmg`).
    Dmg,
    /// The format of User-Mode Linux (`cow`).
    Cow,
}

/// Where a format has its mark, and what that is.
const MARKS: [(Container, usize, &[u8]); 17] = [
    (Container::Qed, 0, b"QED\0"),
    (Container::Vmdk, 0, b"KDMV"),
    (Container::Vmdk, 0, b"COWD"),
    (Container::Vmdk, 0, b"# Disk DescriptorFile"),
    (Container::Vdi, 64, &[0x7f, 0x10, 0xda, 0xbe]),
    (Container::Vhdx, 0, b"vhdxfile"),
    (Container::Vpc, 0, b"conectix"),
    (Container::Parallels, 0, b"WithoutFreeSpace"),
    (Container::Parallels, 0, b"WithouFreSpacExt"),
    (Container::Luks, 0, b"LUKS\xba\xbe"),
    (Container::Luks, 0, b"SKUL\xba\xbe"),
    (Container::Bochs, 0, b"Bochs Virtual HD Image"),
    (Container::Cloop, 0, b"#!/bin/sh\n#V2.0 Format\n"),
    (Container::Dmg, 0, b"koly"),
    (Container::Cow, 0, b"OOOM"),
    // libvirt asks for three bytes only, here and of QED.
    (Container::Qed, 0, b"QED"),
    (Container::Qcow2, 0, b"QFI"),
];

/// The version that tells `qcow` from `qcow2`, where it stands.
const QCOW_VERSION: (usize, [u8; 4]) = (4, [0, 0, 0, 1]);

impl Container {
    /// The format that an image with this beginning is taken for; `None` if a hypervisor can take it
    /// for nothing but raw. Marks end within the first 512 bytes, but for those of texts, which are
    /// looked for in all that is given.
    pub fn recognise(head: &[u8]) -> Option<Self> {
        let has = |at: usize, mark: &[u8]| head.get(at..).is_some_and(|at| at.starts_with(mark));
        let marked = MARKS
            .iter()
            .find(|(_, at, mark)| has(*at, mark))
            .map(|(container, ..)| *container);
        match marked {
            Some(Self::Qcow2) if has(QCOW_VERSION.0, &QCOW_VERSION.1) => Some(Self::Qcow),
            None if is_vmdk_descriptor(head) => Some(Self::Vmdk),
            marked => marked,
        }
    }

    /// QEMU's name of the format, as it stands after `-f` of `qemu-img`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Qcow => "qcow",
            Self::Qcow2 => "qcow2",
            Self::Qed => "qed",
            Self::Vmdk => "vmdk",
            Self::Vdi => "vdi",
            Self::Vhdx => "vhdx",
            Self::Vpc => "vpc",
            Self::Parallels => "parallels",
            Self::Luks => "luks",
            Self::Bochs => "bochs",
            Self::Cloop => "cloop",
            Self::Dmg => "dmg",
            Self::Cow => "cow",
        }
    }
}

impl std::fmt::Display for Container {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.name())
    }
}

/// Whether QEMU takes a text for a VMDK descriptor: the first line that is neither a comment nor blank
/// says the version (`vmdk_probe` in `block/vmdk.c`).
fn is_vmdk_descriptor(head: &[u8]) -> bool {
    head.split(|byte| *byte == b'\n')
        .map(|line| line.trim_ascii())
        .find(|line| !line.is_empty() && !line.starts_with(b"#"))
        .is_some_and(|line| line.starts_with(b"version="))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::run;

    #[test]
    fn what_qemu_writes_is_recognised() {
        let folder = tempfile::tempdir().unwrap();
        for format in [
            "qcow",
            "qcow2",
            "qed",
            "vmdk",
            "vdi",
            "vhdx",
            "vpc",
            "parallels",
        ] {
            let path = folder.path().join(format);
            let arguments = ["create", "-q", "-f", format, path.to_str().unwrap(), "4M"];
            if run("qemu-img", &arguments).is_none() {
                return;
            }
            let head = std::fs::read(&path).unwrap();
            let found = Container::recognise(&head).map(Container::name);
            assert_eq!(found, Some(format));
        }
        let split = folder.path().join("split");
        let options = [
            "create",
            "-q",
            "-f",
            "vmdk",
            "-o",
            "subformat=monolithicFlat",
        ];
        run(
            "qemu-img",
            &[&options[..], &[split.to_str().unwrap(), "4M"]].concat(),
        );
        let head = std::fs::read(&split).unwrap();
        assert_eq!(Container::recognise(&head), Some(Container::Vmdk));
    }

    #[test]
    fn descriptors_are_recognised_behind_comments_and_blank_lines() {
        for text in [
            "version=1\n",
            "# any\n\n  \nversion=3\nRW 1 FLAT \"/etc/passwd\" 0\n",
            "#\r\nversion=2\r\n",
        ] {
            let found = Container::recognise(text.as_bytes());
            assert_eq!(found, Some(Container::Vmdk), "{text:?}");
        }
        for text in ["", "\n\n", "# only a comment", "root=/dev/sda\nversion=1\n"] {
            assert_eq!(Container::recognise(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn disks_and_media_are_no_containers() {
        let mut cd = vec![0; 40 << 10];
        cd[32_769..32_774].copy_from_slice(b"CD001");
        let mut floppy = vec![0; 512];
        floppy[..11].copy_from_slice(b"\xeb\x3c\x90mkfs.fat");
        let mut disk = vec![0x90; 512];
        disk[510..].copy_from_slice(&[0x55, 0xaa]);
        for head in [cd, floppy, disk, vec![0; 512], Vec::new()] {
            assert_eq!(Container::recognise(&head), None);
        }
    }

    proptest! {
        /// Each mark is seen whatever stands around it, as soon as all of it is there and not before.
        #[test]
        fn a_mark_is_enough(index in 0..MARKS.len(), around in proptest::collection::vec(1u8..9, 600)) {
            let (_, at, mark) = MARKS[index];
            let mut head = around;
            head[at..at + mark.len()].copy_from_slice(mark);
            prop_assert!(Container::recognise(&head).is_some());
            prop_assert!(Container::recognise(&head[..at + mark.len()]).is_some());
            // The two of three bytes are the beginnings of longer ones.
            let cut = Container::recognise(&head[..at + mark.len() - 1]);
            prop_assert!(cut.is_none() || mark.starts_with(b"QED"));
        }

        #[test]
        fn no_bytes_make_it_panic(head in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Container::recognise(&head);
        }
    }
}
