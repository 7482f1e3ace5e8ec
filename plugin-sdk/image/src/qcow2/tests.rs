//! Headers made by hand and by qemu-img.

use std::fs;

use proptest::prelude::*;

use super::*;
use crate::testing::run;

/// A header of version 3 in a first cluster of 64 KiB, ready to be spoilt.
struct Made(Vec<u8>);

impl Made {
    fn new() -> Self {
        Self(vec![0; 65_536])
            .put(0, MAGIC)
            .u32(4, 3)
            .u32(20, 16)
            .u64(24, 10 << 30)
            .u32(100, 104)
    }

    fn put(mut self, at: usize, bytes: &[u8]) -> Self {
        self.0[at..at + bytes.len()].copy_from_slice(bytes);
        self
    }

    fn u32(self, at: usize, value: u32) -> Self {
        self.put(at, &value.to_be_bytes())
    }

    fn u64(self, at: usize, value: u64) -> Self {
        self.put(at, &value.to_be_bytes())
    }

    fn extension(self, at: usize, kind: u32, data: &[u8]) -> Self {
        self.u32(at, kind)
            .u32(at + 4, data.len() as u32)
            .put(at + 8, data)
    }

    fn parse(&self) -> Result<Header, Error> {
        Header::parse(&self.0).map(Option::unwrap)
    }
}

fn plain() -> Header {
    Header {
        version: 3,
        virtual_size: 10 << 30,
        cluster_bits: 16,
        backing_file: None,
        backing_format: None,
        external_data_file: false,
        external_data_file_name: None,
        encrypted: false,
        corrupt: false,
        unknown_incompatible_features: 0,
    }
}

#[test]
fn other_files_are_not_qcow2() {
    for bytes in [&b""[..], b"QFI", b"raw disk", b"\0QFI\xFB", b"KDMV"] {
        assert_eq!(Header::parse(bytes), Ok(None));
    }
}

#[test]
fn made_headers_say_what_was_put_in() {
    let version_2 = || {
        let mut bytes = Made::new().u32(4, 2).0;
        bytes[72..].fill(0);
        Made(bytes)
    };
    let backing = Some("base.qcow2".to_owned());
    let cases = [
        (Made::new(), plain()),
        (
            version_2(),
            Header {
                version: 2,
                ..plain()
            },
        ),
        (
            // In version 2 the features' place belongs to the extensions.
            version_2().extension(72, EXTENSION_BACKING_FORMAT, b"raw"),
            Header {
                version: 2,
                backing_format: Some("raw".into()),
                ..plain()
            },
        ),
        (
            Made::new()
                .extension(104, 0x6803_F857, &[7; 48])
                .extension(160, EXTENSION_BACKING_FORMAT, b"qcow2")
                .u64(8, 184)
                .u32(16, 10)
                .put(184, b"base.qcow2"),
            Header {
                backing_file: backing,
                backing_format: Some("qcow2".into()),
                ..plain()
            },
        ),
        (
            Made::new().u64(72, 0b101).extension(
                104,
                EXTENSION_EXTERNAL_DATA_FILE_NAME,
                b"/etc/shadow",
            ),
            Header {
                external_data_file: true,
                external_data_file_name: Some("/etc/shadow".into()),
                ..plain()
            },
        ),
        (
            Made::new().u32(32, 2),
            Header {
                encrypted: true,
                ..plain()
            },
        ),
        (
            Made::new().u64(72, 0b10),
            Header {
                corrupt: true,
                ..plain()
            },
        ),
        (
            Made::new().u64(72, 1 << 63 | 0b11001 | 1 << 5),
            Header {
                unknown_incompatible_features: 1 << 63 | 1 << 5,
                ..plain()
            },
        ),
        (
            Made::new().u64(8, 65_533).u32(16, 3).put(65_533, b"a\xFFb"),
            Header {
                backing_file: Some("a\u{FFFD}b".into()),
                ..plain()
            },
        ),
    ];
    for (made, expected) in cases {
        assert_eq!(made.parse(), Ok(expected));
    }
}

#[test]
fn what_the_format_forbids_is_refused() {
    let cases = [
        (
            Made::new().u32(4, 1),
            "qcow2 version 1 is not supported: convert the image with `qemu-img convert`",
        ),
        (
            Made::new().u32(20, 8),
            "the qcow2 header is invalid: cluster_bits is 8, not 9 to 21",
        ),
        (
            Made::new().u32(20, 64),
            "the qcow2 header is invalid: cluster_bits is 64, not 9 to 21",
        ),
        (
            Made::new().u32(100, 105),
            "the qcow2 header is invalid: header_length is 105, not a multiple of 8 between \
             104 and the cluster size",
        ),
        (
            Made::new().u64(8, 200).u32(16, 1024),
            "the qcow2 header is invalid: backing_file_size is 1024, more than the 1023 \
             bytes allowed",
        ),
        (
            Made::new().u64(8, 65_530).u32(16, 7),
            "the qcow2 header is invalid: backing_file_offset is 65530, not between the \
             header and the end of the first cluster",
        ),
        (
            Made::new().u64(8, 40).u32(16, 7),
            "the qcow2 header is invalid: backing_file_offset is 40, not between the \
             header and the end of the first cluster",
        ),
        (
            Made::new().u32(104, 1).u32(108, u32::MAX),
            "the qcow2 header is invalid: a header extension's length is 4294967295, more \
             than the space for extensions",
        ),
        (
            Made::new().extension(104, EXTENSION_BACKING_FORMAT, &[b'x'; 1024]),
            "the qcow2 header is invalid: a header extension's length is 1024, more than \
             the 1023 bytes of a name",
        ),
        (
            Made(Made::new().0[..70].to_vec()),
            "the qcow2 header is cut short: snapshots_offset ends at byte 72, there are 70",
        ),
        (
            // Clusters of 2 MiB, with the name where nobody puts it.
            Made::new().u32(20, 21).u64(8, 1 << 20).u32(16, 10),
            "the qcow2 header is cut short: the name of the backing file ends at byte \
             1048586, there are 65536",
        ),
    ];
    for (made, expected) in cases {
        assert_eq!(made.parse().unwrap_err().to_string(), expected);
    }
}

#[test]
fn qemu_images_say_what_they_were_made_with() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let image = path("image");
    fs::write(path("base.raw"), [0; 512]).unwrap();
    let data_file = format!("data_file={}", path("data"));
    let cases: [(&[&str], Header); 6] = [
        (&[&image, "10G"], plain()),
        (
            &["-o", "compat=0.10", &image, "10G"],
            Header {
                version: 2,
                ..plain()
            },
        ),
        (
            &["-o", "cluster_size=2M", &image, "10G"],
            Header {
                cluster_bits: 21,
                ..plain()
            },
        ),
        (
            &[
                "-o",
                "compression_type=zstd,extended_l2=on,cluster_size=64k",
                &image,
                "10G",
            ],
            plain(),
        ),
        (
            &["-b", "base.raw", "-F", "raw", &image, "10G"],
            Header {
                backing_file: Some("base.raw".into()),
                backing_format: Some("raw".into()),
                ..plain()
            },
        ),
        (
            &["-o", &data_file, &image, "10G"],
            Header {
                external_data_file: true,
                external_data_file_name: Some(path("data")),
                ..plain()
            },
        ),
    ];
    for (arguments, expected) in cases {
        let arguments = [&["create", "-q", "-f", "qcow2"], arguments].concat();
        if run("qemu-img", &arguments).is_none() {
            return;
        }
        let bytes = fs::read(&image).unwrap();
        let beginning = &bytes[..bytes.len().min(HEADER_BYTES)];
        assert_eq!(
            Header::parse(beginning),
            Ok(Some(expected)),
            "{arguments:?}"
        );
        fs::remove_file(&image).unwrap();
    }
}

proptest! {
    #[test]
    fn no_input_is_too_odd(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = Header::parse(&bytes);
        let _ = Header::parse(&[MAGIC, &bytes].concat());
        let _ = Header::parse(&[MAGIC, &[0, 0, 0, 2], &bytes].concat());
        let _ = Header::parse(&[MAGIC, &[0, 0, 0, 3], &bytes].concat());
    }

    #[test]
    fn no_spoilt_header_is_too_odd(
        length in 0..65_536usize,
        changes in prop::collection::vec((0..200usize, any::<u8>()), 0..8),
    ) {
        let made = Made::new()
            .extension(104, EXTENSION_BACKING_FORMAT, b"raw")
            .u64(8, 128)
            .u32(16, 4);
        let mut bytes = made.0;
        for (at, value) in changes {
            bytes[at] = value;
        }
        bytes.truncate(length);
        if let Ok(Some(header)) = Header::parse(&bytes) {
            prop_assert!((9..=21).contains(&header.cluster_bits));
            prop_assert!((2..=3).contains(&header.version));
        }
    }
}
