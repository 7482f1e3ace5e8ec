//! Images on their way from a download into the volume.

use lvhost_plugin_sdk::image::Compression;
use lvhost_plugin_sdk::testing::{FakeHost, Piece, archive, compressed, volume};
use lvhost_plugin_sdk::{Codec, Image, OptionValue, Severity};

use super::*;
use lvhost_location::Packing;

const URL: &str = "https://example.org/image";

fn options(urls: &[&str]) -> Options {
    Options::default()
        .with("urls", OptionValue::text_list(urls.iter().copied()))
        .with("checksum", OptionValue::text("none"))
}

/// A qcow2 header of version 3 with a virtual size, and the name of a backing file if it is not
/// empty (`docs/interop/qcow2.rst` in QEMU).
fn qcow2(virtual_size: u64, backing_file: &str, incompatible_features: u64) -> Vec<u8> {
    let mut image = b"QFI\xfb".to_vec();
    image.extend(3_u32.to_be_bytes());
    let backing_offset = if backing_file.is_empty() { 0 } else { 112_u64 };
    image.extend(backing_offset.to_be_bytes());
    image.extend((backing_file.len() as u32).to_be_bytes());
    image.extend(16_u32.to_be_bytes()); // cluster_bits
    image.extend(virtual_size.to_be_bytes());
    image.extend(0_u32.to_be_bytes()); // crypt_method
    image.extend(1_u32.to_be_bytes()); // l1_size
    image.extend(0x30000_u64.to_be_bytes()); // l1_table_offset
    image.extend(0x10000_u64.to_be_bytes()); // refcount_table_offset
    image.extend(1_u32.to_be_bytes()); // refcount_table_clusters
    image.extend(0_u32.to_be_bytes()); // nb_snapshots
    image.extend(0_u64.to_be_bytes()); // snapshots_offset
    image.extend(incompatible_features.to_be_bytes());
    image.extend([0; 16]); // compatible and autoclear features
    image.extend(4_u32.to_be_bytes()); // refcount_order
    image.extend(104_u32.to_be_bytes()); // header_length
    image.extend([0; 8]); // end of header extensions
    image.extend(backing_file.as_bytes());
    image.resize(65536, 0);
    image.extend(b"clusters");
    image
}

fn prepare(volume: &Volume, name: &str, data: Vec<u8>) -> (Result<Recipe, Error>, FakeHost) {
    let url = format!("https://example.org/{name}");
    let host = FakeHost::new().with_download(&url, data);
    (External::prepare(volume, &options(&[&url]), &host), host)
}

fn refusal(volume: &Volume, name: &str, data: Vec<u8>) -> String {
    let (result, host) = prepare(volume, name, data);
    assert!(
        !host.has_created(),
        "nothing may be uploaded of a refused image"
    );
    result.unwrap_err().message().to_owned()
}

fn open() -> Volume {
    volume("default", "a")
}

fn with_format(format: &str) -> Volume {
    Volume {
        format: Some(format.to_owned()),
        ..open()
    }
}

#[test]
fn images_arrive_whole_and_with_their_virtual_size() {
    let disk = qcow2(10 << 30, "", 0);
    let raw = b"boot sector".repeat(20_000);
    let cases = [
        (
            "disk.img",
            disk.clone(),
            "qcow2",
            Some(disk.len() as u64),
            10 << 30,
            &disk,
        ),
        (
            "disk.img.xz",
            compressed(Codec::Xz, &disk),
            "qcow2",
            None,
            10 << 30,
            &disk,
        ),
        ("disk.raw", raw.clone(), "raw", Some(220_000), 220_000, &raw),
        (
            "disk.raw.gz",
            compressed(Codec::Gzip, &raw),
            "raw",
            Some(220_000),
            220_000,
            &raw,
        ),
        (
            "disk.raw.bz2",
            compressed(Codec::Bzip2, &raw),
            "raw",
            Some(220_000),
            220_000,
            &raw,
        ),
        (
            "no-extension",
            compressed(Codec::Zstd, &raw),
            "raw",
            Some(220_000),
            220_000,
            &raw,
        ),
    ];
    for (name, data, format, length, capacity, content) in cases {
        for volume in [open(), with_format(format)] {
            let (result, host) = prepare(&volume, name, data.clone());
            assert_eq!(result, Ok(Recipe::Image), "{name}");
            let written = host.written();
            assert_eq!(
                written.image,
                Image {
                    format: format.to_owned(),
                    length,
                    capacity
                },
                "{name}"
            );
            assert_eq!(written.pieces, [Piece::Splice(content.clone())], "{name}");
        }
    }
}

#[test]
fn urls_and_checksum_go_to_the_host_as_they_are() {
    let host = FakeHost::new().with_download(URL, b"data");
    let digits = "0".repeat(64);
    let options = Options::default()
        .with("urls", OptionValue::text_list(["/srv/missing.img", URL]))
        .with("checksum", OptionValue::text(&*digits));
    assert_eq!(
        External::prepare(&open(), &options, &host),
        Ok(Recipe::Image)
    );
    assert_eq!(host.checksums(), [Some(digits)]);
}

#[test]
fn a_failed_download_is_passed_on() {
    let error = External::prepare(&open(), &options(&[URL]), &FakeHost::new());
    assert!(matches!(error, Err(Error::Network(_))));
}

#[test]
fn a_download_that_reaches_for_other_files_is_refused() {
    let cases = [
        (qcow2(1 << 20, "/etc/shadow", 0), "overlay of `/etc/shadow`"),
        (qcow2(1 << 20, "", 1 << 2), "data in another file"),
        (qcow2(1 << 20, "", 1 << 1), "marked as corrupt"),
        (qcow2(1 << 20, "", 1 << 40), "bits 0x10000000000"),
    ];
    for (data, reason) in cases {
        for (name, data) in [
            ("a.img", data.clone()),
            ("a.img.gz", compressed(Codec::Gzip, &data)),
        ] {
            let message = refusal(&open(), name, data);
            assert!(message.contains(reason), "{message}");
            assert!(message.contains(name), "{message}");
        }
    }
}

#[test]
fn what_is_no_image_is_refused() {
    let mut tar = vec![0; 512];
    tar[257..262].copy_from_slice(b"ustar");
    let cases: [(&str, Vec<u8>, &str); 10] = [
        ("a.img", vec![], "is empty"),
        ("a.img", b"\n<!DOCTYPE html><title>404".to_vec(), "web page"),
        ("a.img.xz", b"<HTML>".to_vec(), "web page"),
        (
            "a.img.xz",
            b"not xz".to_vec(),
            "ends in `.xz` and is not compressed by xz",
        ),
        (
            "a.vmdk",
            b"KDMV and more".to_vec(),
            "an image of format vmdk, which is not supported",
        ),
        (
            "a.vdi",
            [&[b'<'; 64][..], b"\x7f\x10\xda\xbe\x01\0\x01\0"].concat(),
            "an image of format vdi, which is not supported",
        ),
        (
            "disk.img",
            b"LUKS\xba\xbe\0\x01".to_vec(),
            "an image of format luks, which is not supported",
        ),
        ("a.img", b"PK\x03\x04".to_vec(), "a ZIP archive"),
        ("a.img.gz", compressed(Codec::Gzip, &tar), "a tar archive"),
        (
            "a.qcow2",
            b"QFI\xfb\0\0\0\x01".to_vec(),
            "`a.qcow2` can't be used",
        ),
    ];
    for (name, data, reason) in cases {
        let message = refusal(&open(), name, data);
        assert!(message.contains(reason), "{name}: {message}");
    }
}

#[test]
fn a_format_that_contradicts_the_image_is_refused() {
    let message = refusal(&with_format("raw"), "a.img", qcow2(1 << 20, "", 0));
    assert!(
        message.contains("is `raw`, and `a.img` is a qcow2 image"),
        "{message}"
    );
    assert!(message.contains("format = \"qcow2\""), "{message}");
    let message = refusal(&with_format("qcow2"), "a.img", b"boot sector".to_vec());
    assert!(
        message.contains("is `qcow2`, and `a.img` is a raw image"),
        "{message}"
    );
    assert!(message.contains("format = \"raw\""), "{message}");
}

#[test]
fn a_capacity_below_the_virtual_size_is_refused_before_the_upload() {
    let small = Volume {
        capacity: Some(1 << 30),
        ..open()
    };
    for (name, data) in [
        ("a.img", qcow2(10 << 30, "", 0)),
        (
            "a.img.zst",
            compressed(Codec::Zstd, &qcow2(10 << 30, "", 0)),
        ),
    ] {
        let message = refusal(&small, name, data);
        assert!(message.contains("1 GiB (1073741824 bytes)"), "{message}");
        assert!(message.contains("10 GiB (10737418240 bytes)"), "{message}");
    }
    let large = Volume {
        capacity: Some(20 << 30),
        ..open()
    };
    let (result, host) = prepare(&large, "a.img", qcow2(10 << 30, "", 0));
    assert_eq!(result, Ok(Recipe::Image));
    assert_eq!(host.written().image.capacity, 10 << 30, "the host grows it");
}

#[test]
fn validation_reports_every_url_and_grants_the_good_ones() {
    let options = Options::default().with("urls", OptionValue::text_list(["ftp://h/a", URL, ""]));
    let configuration = External::configure(&open(), &options);
    let found: Vec<_> = configuration
        .diagnostics
        .iter()
        .map(|one| (one.severity, one.path.as_str()))
        .collect();
    assert_eq!(
        found,
        [
            (Severity::Error, "urls[0]"),
            (Severity::Error, "urls[2]"),
            (Severity::Warning, "checksum")
        ]
    );
    assert_eq!(configuration.grants, [Grant::download(URL, "none")]);

    let empty = Options::default().with("urls", OptionValue::TextList(vec![]));
    assert!(External::configure(&open(), &empty).has_errors());
    assert_eq!(
        External::configure(&open(), &super::tests::options(&[URL])).diagnostics,
        []
    );
}

#[test]
fn archives_are_unpacked_by_what_their_own_url_says() {
    let raw = b"boot sector".repeat(20_000);
    let packed = archive([("disk.raw", &raw[..])]);
    let several = archive([("a/disk.raw", &raw[..]), ("readme", b"read me")]);
    let first = "https://h/missing";
    for (url, data) in [
        ("https://h/a.zip", &packed),
        ("https://h/a.tar.xz", &packed),
        ("https://h/a?archive=zip", &packed),
        ("https://h/a?archive=tar&filename=b.img", &packed),
        ("https://h/several.zip//a/disk.raw", &several),
    ] {
        let host = FakeHost::new().with_download(url, data.clone());
        let prepared = External::prepare(&open(), &options(&[first, url]), &host);
        assert_eq!(prepared, Ok(Recipe::Image), "{url}");
        assert_eq!(host.written().pieces, [Piece::Splice(raw.clone())], "{url}");
    }
    for (url, data) in [
        ("https://h/a.zip", &several),
        ("https://h/a.zip", &raw),
        ("https://h/several.zip//nothing", &several),
    ] {
        let host = FakeHost::new().with_download(url, data.clone());
        let error = External::prepare(&open(), &options(&[url]), &host).unwrap_err();
        assert!(matches!(error, Error::Corrupt(_)), "{url}: {error}");
    }
}

#[test]
fn what_the_url_says_of_compression_counts() {
    let raw = b"boot sector".repeat(20_000);
    let packed = compressed(Codec::Gzip, &raw);
    let prepare = |url: &str, data: &[u8]| {
        let host = FakeHost::new().with_download(url, data);
        External::prepare(&open(), &options(&[url]), &host).map(|_| host.written().pieces.clone())
    };
    let as_it_is = prepare("https://h/a.img.gz?archive=false", &packed);
    assert_eq!(as_it_is, Ok(vec![Piece::Splice(packed.clone())]));
    let decompressed = prepare("https://h/a?archive=gz", &packed);
    assert_eq!(decompressed, Ok(vec![Piece::Splice(raw.clone())]));
    for data in [&raw, &compressed(Codec::Xz, &raw)] {
        let error = prepare("https://h/a?archive=gz", data).unwrap_err();
        let reason = "has `archive=` in its URL and is not compressed by gzip";
        assert!(error.message().contains(reason), "{error:?}");
    }
}

#[test]
fn urls_of_one_file_are_packed_alike_and_may_bring_their_checksum() {
    let own = format!("https://h/a?archive=gz&checksum={}", "0".repeat(64));
    let configure = |urls: &[&str]| {
        let urls = OptionValue::text_list(urls.iter().copied());
        let options = Options::default().with("urls", urls);
        let found = External::configure(&open(), &options)
            .diagnostics
            .into_iter();
        found.map(|one| one.path).collect::<Vec<_>>()
    };
    assert_eq!(configure(&[&own, &own]), [""; 0]);
    assert_eq!(configure(&[&own, URL]), ["urls", "checksum"]);
    let zips = [URL, "https://h/a.zip", "https://h/a?archive=zip"];
    assert_eq!(configure(&zips), ["checksum"]);
    // Which of these the file comes from would not show.
    for (one, other) in [
        ("https://h/a", "https://g/a?archive=zip"),
        ("https://h/a.zip", "https://g/a.zip?archive=tar"),
        ("https://h/a.zip//b", "https://g/a.zip//c"),
        ("https://h/a.zip", "https://g/a.zip//c"),
    ] {
        assert_eq!(
            configure(&[one, other]),
            ["urls", "checksum"],
            "{one} {other}"
        );
    }
    let mirrors = ["https://h/a.zip//b", "https://g/mirror/a.zip//b"];
    assert_eq!(configure(&mirrors), ["checksum"]);
}

/// What `pzstd` writes begins with a frame that a decoder skips.
#[test]
fn frames_that_are_skipped_are_zstd_too() {
    for mark in [0x50, 0x57, 0x5f] {
        let beginning = [mark, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 0, 0, 0, 0, 0x28, 0xb5];
        for (name, packing) in [
            ("a.img.zst", Archive::Recognise),
            ("a.img", Archive::Recognise),
            ("a", Archive::As(Packing::Compressed(Compression::Zstd))),
        ] {
            let found = content::compression(name, packing, &beginning);
            assert_eq!(found, Ok(Some(Codec::Zstd)), "{name}: {mark:#x}");
        }
    }
}
