//! Archives as tools make them, and as nobody should.

use std::io::Write as _;
use std::os::unix::fs::MetadataExt;

use super::*;
use crate::decode::Codec;

fn tar(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, content) in entries {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        if name.ends_with('/') {
            header.set_entry_type(tar::EntryType::Directory);
        }
        builder.append_data(&mut header, name, *content).unwrap();
    }
    builder.into_inner().unwrap()
}

fn zip(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default();
    for (name, content) in entries {
        if name.ends_with('/') {
            writer.add_directory(*name, options).unwrap();
        } else {
            writer.start_file(*name, options).unwrap();
            writer.write_all(content).unwrap();
        }
    }
    writer.finish().unwrap().into_inner()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// The file's name and content, or what the user is told.
fn unpacked(
    archive: &[u8],
    packing: Packing,
    member: Option<&str>,
) -> Result<(String, Vec<u8>), String> {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(archive).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let cancel = CancellationToken::new();
    let result = unpack(Arc::new(file), packing, member, folder.path(), &cancel);
    let left = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(left, 0, "nothing may stay behind");
    match result {
        Ok(Unpacked { file, length, name }) => {
            let mut content = vec![0; length as usize];
            file.read_exact_at(&mut content, 0).unwrap();
            assert_eq!(file.metadata().unwrap().len(), length);
            Ok((name, content))
        }
        Err(Failed::Archive(error)) => {
            let cause = std::error::Error::source(&error);
            let cause = cause.map(|cause| format!(": {cause}")).unwrap_or_default();
            Err(format!("{error}{cause}"))
        }
        Err(Failed::Write { source, .. }) => panic!("{source}"),
        Err(Failed::Cancelled) => panic!("nobody cancelled"),
    }
}

const TARS: Packing = Packing::Tar(None);

#[test]
fn the_only_file_is_unpacked() {
    let image = b"boot sector".repeat(10_000);
    let long = format!("{}/disk.raw", "folder".repeat(30));
    let contents: [&[(&str, &[u8])]; 3] = [
        &[("disk.raw", &image)],
        &[("images/", b""), ("images/disk.raw", &image)],
        &[(&long, &image)],
    ];
    for entries in contents {
        let expected = Ok(("disk.raw".to_owned(), image.clone()));
        assert!(unpacked(&tar(entries), TARS, None) == expected);
        assert!(unpacked(&zip(entries), Packing::Zip, None) == expected);
        let packed = gzip(&tar(entries));
        assert!(unpacked(&packed, Packing::Tar(Some(Codec::Gzip)), None) == expected);
    }
}

#[test]
fn one_of_several_is_named() {
    let entries: [(&str, &[u8]); 4] = [
        ("./README", b"read me"),
        ("./a/disk.raw", b"a"),
        ("./b/disk.raw", b"b"),
        ("./b/disk.raw.txt", b"text"),
    ];
    for (archive, packing) in [(tar(&entries), TARS), (zip(&entries), Packing::Zip)] {
        for (member, expected) in [
            ("README", Ok(("README", "read me"))),
            ("a", Ok(("disk.raw", "a"))),
            ("b/disk.raw", Ok(("disk.raw", "b"))),
            (
                "b",
                Err("has several files: `b/disk.raw`, `b/disk.raw.txt`; write which"),
            ),
            ("c", Err("no file `c`; it has `README`, `a/disk.raw`")),
            ("b/disk", Err("no file `b/disk`")),
        ] {
            let result = unpacked(&archive, packing, Some(member));
            match (result, expected) {
                (Ok((name, content)), Ok(expected)) => {
                    assert_eq!(
                        (name.as_str(), content.as_slice()),
                        (expected.0, expected.1.as_bytes())
                    );
                }
                (Err(error), Err(part)) => assert!(error.contains(part), "{member}: {error}"),
                (result, expected) => panic!("{member}: {result:?}, not {expected:?}"),
            }
        }
        let error = unpacked(&archive, packing, None).unwrap_err();
        assert!(
            error.contains("has several files: `README`, `a/disk.raw`"),
            "{error}"
        );
    }
}

#[test]
fn archives_without_a_file_and_files_without_an_archive() {
    let damaged = {
        let mut archive = zip(&[("a", &b"boot sector".repeat(1000))]);
        archive[60] ^= 1;
        archive
    };
    let short = tar(&[("a", &[1; 5000])])[..3000].to_vec();
    let cut = {
        let archive = gzip(&tar(&[("a", &[1; 5000])]));
        archive[..archive.len() - 4].to_vec()
    };
    let gz = Packing::Tar(Some(Codec::Gzip));
    let cases = [
        (tar(&[("a/", b"")]), TARS, "has no file in it"),
        (zip(&[("a/", b"")]), Packing::Zip, "has no file in it"),
        (
            b"no archive".repeat(100),
            TARS,
            "can't unpack it as a tar archive: ",
        ),
        (
            b"no archive".repeat(100),
            Packing::Zip,
            "can't unpack it as a zip archive: ",
        ),
        (damaged, Packing::Zip, "can't unpack it as a zip archive: "),
        (short, TARS, "can't unpack it as a tar archive: "),
        (
            cut,
            gz,
            "can't unpack it as a tar archive: can't decompress gzip",
        ),
        (Vec::new(), TARS, "has no file in it"),
    ];
    for (archive, packing, part) in cases {
        let error = unpacked(&archive, packing, None).unwrap_err();
        assert!(error.contains(part), "{part}: {error}");
    }
}

#[test]
fn what_an_archive_can_make_grow_is_bounded() {
    // A "long name" of 64 MiB, which compresses to nothing and would be kept in memory.
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::GNULongName);
    header.set_size(64 << 20);
    header.set_path("././@LongLink").unwrap();
    header.set_cksum();
    let mut bomb = header.as_bytes().to_vec();
    bomb.resize(bomb.len() + (64 << 20), b'a');
    let gz = Packing::Tar(Some(Codec::Gzip));
    let error = unpacked(&gzip(&bomb), gz, None).unwrap_err();
    assert!(
        error.contains("its list of contents is too long"),
        "{error}"
    );

    let names: Vec<_> = (0..=MAXIMUM_ENTRIES)
        .map(|number| format!("{number}/"))
        .collect();
    let entries: Vec<_> = names.iter().map(|name| (name.as_str(), &b""[..])).collect();
    for (archive, packing) in [(tar(&entries), TARS), (zip(&entries), Packing::Zip)] {
        let error = unpacked(&archive, packing, None).unwrap_err();
        assert!(error.contains("more than 10000 entries"), "{error}");
    }
}

#[test]
fn zeros_stay_holes() {
    let mut image = vec![0; 32 << 20];
    image[5] = 1;
    let archive = gzip(&tar(&[("disk.raw", &image)]));
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&archive).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let gz = Packing::Tar(Some(Codec::Gzip));
    let cancel = CancellationToken::new();
    let Ok(unpacked) = unpack(Arc::new(file), gz, None, folder.path(), &cancel) else {
        panic!("not unpacked")
    };
    let metadata = unpacked.file.metadata().unwrap();
    assert_eq!(metadata.len(), 32 << 20);
    assert!(metadata.blocks() * 512 <= 1 << 20, "{metadata:?}");
}
