//! Archives as tools make them, and as nobody should.

use std::io::Write as _;
use std::os::unix::fs::MetadataExt;
use std::process::Command;

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
    unpacked_within(None, archive, packing, member)
}

/// The same, with as many bytes at most.
fn unpacked_within(
    limit: Option<u64>,
    archive: &[u8],
    packing: Packing,
    member: Option<&str>,
) -> Result<(String, Vec<u8>), String> {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(archive).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let cancel = CancellationToken::new();
    let source = Positioned::new(Arc::new(file)).unwrap();
    let limit = limit.unwrap_or_else(|| unpacked_limit(source.length));
    let result = {
        let folder = OwnFolder::open(folder.path()).unwrap();
        unpack_within(limit, source, packing, member, &folder, &cancel)
    };
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
    let own = OwnFolder::open(folder.path()).unwrap();
    let meter = Meter::start(Arc::default());
    let Ok(unpacked) = unpack(Arc::new(file), gz, None, &own, &meter, &cancel) else {
        panic!("not unpacked")
    };
    let metadata = unpacked.file.metadata().unwrap();
    assert_eq!(metadata.len(), 32 << 20);
    assert!(metadata.blocks() * 512 <= 1 << 20, "{metadata:?}");
}

/// A sparse tar of files that consist of a hole and of 512 bytes after it.
fn sparse_tar(lengths: &[u64]) -> Vec<u8> {
    let mut archive = Vec::new();
    for (length, number) in lengths.iter().zip(0..) {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::GNUSparse);
        header.set_path(format!("{number}.raw")).unwrap();
        header.set_size(512);
        let gnu = header.as_gnu_mut().unwrap();
        gnu.sparse[0].set_offset(length - 512);
        gnu.sparse[0].set_length(512);
        gnu.set_real_size(*length);
        header.set_cksum();
        archive.extend(header.as_bytes());
        archive.extend([7; 512]);
    }
    archive.extend([0; 1024]);
    archive
}

#[test]
fn holes_count_as_bytes_and_are_holes() {
    let archive = sparse_tar(&[3 << 20]);
    let (name, content) = unpacked(&archive, TARS, None).unwrap();
    assert_eq!((name.as_str(), content.len()), ("0.raw", 3 << 20));
    assert!(content[..(3 << 20) - 512].iter().all(|byte| *byte == 0));
    assert!(content[(3 << 20) - 512..].iter().all(|byte| *byte == 7));

    // Refused before a byte of it is made, or this test would take years.
    let few = 1 << 20;
    let cases: [(&[u64], _, _); 7] = [
        (&[1 << 60], None, None),
        (&[u64::MAX / 2], None, None),
        (&[UNPACKED_ANYWAY + 512], None, None),
        // Passed over, and not unpacked.
        (&[1024, 1 << 60], None, Some("0.raw")),
        (&[1 << 60, 1024], None, Some("1.raw")),
        // In sum.
        (&[few / 2 + 512, few / 2], Some(few), Some("0.raw")),
        (&[few / 2, few / 2 + 512], Some(few), Some("1.raw")),
    ];
    for (lengths, limit, member) in cases {
        let archive = sparse_tar(lengths);
        for (archive, packing) in [
            (gzip(&archive), Packing::Tar(Some(Codec::Gzip))),
            (archive, TARS),
        ] {
            let error = unpacked_within(limit, &archive, packing, member).unwrap_err();
            assert!(
                error.contains("too many for the length"),
                "{lengths:?}: {error}"
            );
        }
    }
    let fits = sparse_tar(&[few / 2, few / 2]);
    let unpacked = unpacked_within(Some(few), &fits, TARS, Some("1.raw")).unwrap();
    assert_eq!(unpacked.1.len() as u64, few / 2);
}

/// What GNU tar makes of a file with holes in the format PAX, in each of its versions.
#[test]
fn holes_that_gnu_tar_writes_are_read() {
    const MIB: u64 = 1 << 20;
    let layouts: [&[(u64, usize)]; 5] = [
        // At the beginning, in the middle and at the end.
        &[(MIB, 70_000), (5 * MIB, 4096), (7 * MIB, 5)],
        &[(0, 4096), (8 * MIB - 4096, 4096)],
        // Nothing but a hole.
        &[],
        // More pieces than a block has room for.
        &many_pieces(),
        &[(0, 8 << 20)],
    ];
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("images")).unwrap();
    for (number, layout) in layouts.iter().enumerate() {
        let mut image = vec![0; 8 << 20];
        let file = File::create(folder.path().join("images/disk.raw")).unwrap();
        file.set_len(8 * MIB).unwrap();
        for (offset, length) in *layout {
            let bytes: Vec<u8> = (1..=251).cycle().take(*length).collect();
            image[*offset as usize..][..*length].copy_from_slice(&bytes);
            file.write_all_at(&bytes, *offset).unwrap();
        }
        for version in ["0.0", "0.1", "1.0"] {
            let packed = Command::new("tar")
                .args(["--format=posix", "--sparse"])
                .arg(format!("--sparse-version={version}"))
                .args(["-cf", "a.tar", "images/disk.raw"])
                .current_dir(folder.path())
                .status();
            assert!(packed.unwrap().success());
            let archive = std::fs::read(folder.path().join("a.tar")).unwrap();
            if number == 0 {
                assert!(pax_sparse::are_in(&archive), "{version}");
                assert!((archive.len() as u64) < MIB, "{version}");
            }
            for member in [None, Some("images"), Some("images/disk.raw")] {
                let (name, content) = unpacked(&archive, TARS, member).unwrap();
                assert_eq!(name, "disk.raw", "{version}");
                assert!(content == image, "{version}, {layout:?}");
            }
            let packed = gzip(&archive);
            let gz = Packing::Tar(Some(Codec::Gzip));
            assert!(unpacked(&packed, gz, None).unwrap().1 == image);
        }
    }
}

fn many_pieces() -> Vec<(u64, usize)> {
    (0..200).map(|number| (number * 40_960, 4096)).collect()
}

/// A tar of one file with these PAX keywords.
fn pax(kind: tar::EntryType, keywords: &[(&str, &str)], content: &[u8]) -> Vec<u8> {
    let records = keywords.iter().map(|(key, value)| {
        let rest = key.len() + value.len() + 3;
        let mut length = rest + 1;
        while length != rest + length.to_string().len() {
            length += 1;
        }
        format!("{length} {key}={value}\n")
    });
    let records: String = records.collect();
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_ustar();
    header.set_entry_type(kind);
    header.set_size(records.len() as u64);
    builder
        .append_data(&mut header, "PaxHeaders/0", records.as_bytes())
        .unwrap();
    let mut header = tar::Header::new_ustar();
    header.set_size(content.len() as u64);
    builder
        .append_data(&mut header, "GNUSparseFile.0/disk.raw", content)
        .unwrap();
    builder.into_inner().unwrap()
}

/// The map of the format 1.0, filled up to a block.
fn map(text: &str) -> Vec<u8> {
    let mut map = text.as_bytes().to_vec();
    map.resize(map.len().next_multiple_of(512), 0);
    map
}

/// Each of these is refused with its reason, at once, and nothing is taken for the file that is not the file.
#[test]
fn holes_that_are_not_as_they_should_be_are_refused() {
    let local = tar::EntryType::XHeader;
    let ten = "0123456789";
    let old = |size: &str, map: &str, count: &str| {
        let keywords = [("size", size), ("numblocks", count), ("map", map)];
        let keywords = keywords.map(|(key, value)| (format!("GNU.sparse.{key}"), value.to_owned()));
        let keywords: Vec<_> = keywords
            .iter()
            .map(|(a, b)| (a.as_str(), b.as_str()))
            .collect();
        pax(local, &keywords, ten.as_bytes())
    };
    let new = |size: &str, text: &str| {
        let mut content = map(text);
        content.extend(ten.as_bytes());
        let keywords = [
            ("GNU.sparse.major", "1"),
            ("GNU.sparse.minor", "0"),
            ("GNU.sparse.name", "disk.raw"),
            ("GNU.sparse.realsize", size),
        ];
        pax(local, &keywords, &content)
    };
    let one = |key: &str, value: &str| pax(local, &[(key, value)], ten.as_bytes());
    // As they should be.
    let honest = [0_u8; 5].iter().chain(ten.as_bytes()).chain(&[0; 5]);
    let honest: Vec<u8> = honest.copied().collect();
    for archive in [
        old("20", "5,10", "1"),
        new("20", "1\n5\n10\n"),
        new("20", "2\n5\n10\n20\n0\n"),
    ] {
        assert_eq!(unpacked(&archive, TARS, None).unwrap().1, honest);
    }

    let (huge, beyond) = ((1_u64 << 60).to_string(), "99999999999999999999999");
    let largest = u64::MAX.to_string();
    let long = "0,0,".repeat((1 << 20) + 1);
    let mut misplaced = pax(local, &[("GNU.sparse.size", "20")], b"");
    // The header before a folder.
    misplaced[1024 + 156] = b'5';
    rewrite_checksum(&mut misplaced[1024..1536]);
    let malformed = {
        let mut archive = old("20", "5,10", "1");
        archive[512] = b'9';
        archive
    };
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("1 EiB", old(&huge, "5,10", "1"), "too many for the length"),
        (
            "1 EiB, 1.0",
            new(&huge, "1\n5\n10\n"),
            "too many for the length",
        ),
        (
            "all that a number can be",
            new(&largest, "1\n5\n10\n"),
            "too many for the length",
        ),
        (
            "more than that",
            new(beyond, "1\n5\n10\n"),
            "a number of its map is none",
        ),
        (
            "a negative size",
            old("-1", "5,10", "1"),
            "a number of its map is none",
        ),
        (
            "beyond the end",
            old("14", "5,10", "1"),
            "overlap or go beyond",
        ),
        (
            "beyond the end, 1.0",
            new("14", "1\n5\n10\n"),
            "overlap or go beyond",
        ),
        (
            "around the end of numbers",
            new(&largest, &format!("1\n{largest}\n10\n")),
            "overlap or go beyond",
        ),
        (
            "backwards",
            old("20", "10,5,0,5", "2"),
            "overlap or go beyond",
        ),
        ("twice", old("20", "0,5,4,5", "2"), "overlap or go beyond"),
        (
            "less than there is",
            old("20", "0,9", "1"),
            "not as long as what is there",
        ),
        (
            "more than there is",
            old("20", "0,11", "1"),
            "not as long as what is there",
        ),
        (
            "more than there is, 1.0",
            new("20", "1\n0\n11\n"),
            "not as long as what is there",
        ),
        (
            "half a pair",
            old("20", "0,10,20", "1"),
            "its map ends early",
        ),
        (
            "no number",
            old("20", "0,x", "1"),
            "a number of its map is none",
        ),
        (
            "another count",
            old("20", "0,10", "2"),
            "not as many pieces as it says",
        ),
        (
            "without a count",
            one("GNU.sparse.map", "0,10"),
            "not as many pieces as it says",
        ),
        (
            "without a length",
            pax(
                local,
                &[("GNU.sparse.numblocks", "1"), ("GNU.sparse.map", "0,10")],
                ten.as_bytes(),
            ),
            "its length is not said",
        ),
        (
            "two lengths",
            pax(
                local,
                &[
                    ("GNU.sparse.numblocks", "1"),
                    ("GNU.sparse.map", "0,10"),
                    ("GNU.sparse.size", "10"),
                    ("GNU.sparse.realsize", "11"),
                ],
                ten.as_bytes(),
            ),
            "it has two lengths",
        ),
        (
            "two maps",
            pax(
                local,
                &[
                    ("GNU.sparse.size", "10"),
                    ("GNU.sparse.numblocks", "1"),
                    ("GNU.sparse.offset", "0"),
                    ("GNU.sparse.numbytes", "10"),
                    ("GNU.sparse.map", "0,10"),
                ],
                ten.as_bytes(),
            ),
            "its map contradicts itself",
        ),
        (
            "offsets alone",
            pax(
                local,
                &[
                    ("GNU.sparse.size", "10"),
                    ("GNU.sparse.numblocks", "1"),
                    ("GNU.sparse.offset", "0"),
                ],
                ten.as_bytes(),
            ),
            "its map contradicts itself",
        ),
        (
            "a later version",
            pax(
                local,
                &[("GNU.sparse.major", "1"), ("GNU.sparse.minor", "1")],
                &new("20", ""),
            ),
            "of an unknown version",
        ),
        (
            "half a version",
            one("GNU.sparse.major", "1"),
            "of an unknown version",
        ),
        (
            "an unknown keyword",
            one("GNU.sparse.hole", "1"),
            "the unknown keyword GNU.sparse.hole",
        ),
        ("a map of text", new("20", "one\n"), "its map is none"),
        (
            "a map without an end",
            new("20", "9\n5\n"),
            "its map is none",
        ),
        (
            "a map of too many",
            new("20", "99999999\n"),
            "more than 1048576 pieces",
        ),
        (
            "a long number",
            new("20", &"1".repeat(600)),
            "its map is none",
        ),
        (
            "a map longer than all",
            pax(
                local,
                &[
                    ("GNU.sparse.major", "1"),
                    ("GNU.sparse.minor", "0"),
                    ("GNU.sparse.realsize", "9"),
                ],
                b"1\n",
            ),
            "tar archive",
        ),
        (
            "a map of too many in a header",
            old("20", &long, "1"),
            "more than 1048576 pieces",
        ),
        (
            "for all files",
            pax(
                tar::EntryType::XGlobalHeader,
                &[("GNU.sparse.size", "20")],
                ten.as_bytes(),
            ),
            "where none belong",
        ),
        ("for a folder", misplaced, "where none belong"),
        (
            "a header that is none",
            malformed,
            "malformed pax extension",
        ),
    ];
    for (case, archive, expected) in cases {
        let started = std::time::Instant::now();
        let error = unpacked(&archive, TARS, None).expect_err(case);
        assert!(error.contains(expected), "{case}: {error}");
        assert!(
            started.elapsed() < std::time::Duration::from_secs(10),
            "{case}"
        );
    }
}

fn rewrite_checksum(header: &mut [u8]) {
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

#[test]
fn what_may_come_out_goes_by_what_there_is() {
    assert_eq!(unpacked_limit(0), UNPACKED_ANYWAY);
    assert_eq!(unpacked_limit(1500), UNPACKED_ANYWAY);
    // A disk of 100 GiB with nothing on it, by xz.
    assert!(unpacked_limit((100 << 30) / 7_000) >= 100 << 30);
    assert_eq!(unpacked_limit(u64::MAX), MAXIMUM_LENGTH);
}

/// The four bytes at which a zip says, in the directory and before the file, how long the file is.
fn claim(zip: &mut [u8], length: u32) {
    // APPNOTE.TXT 4.3.7 and 4.3.12: where the uncompressed size stands after the signature.
    for (signature, offset) in [(b"PK\x03\x04", 22), (b"PK\x01\x02", 24)] {
        let at = zip.windows(4).position(|four| four == signature).unwrap() + offset;
        zip[at..at + 4].copy_from_slice(&length.to_le_bytes());
    }
}

#[test]
fn a_zip_is_not_believed_how_long_its_file_is() {
    let image = vec![1; 3 << 20];
    let honest = zip(&[("disk.raw", &image)]);
    assert!(unpacked(&honest, Packing::Zip, None).is_ok());
    for said in [0, 4, (3 << 20) - 1, (3 << 20) + 1, u32::MAX - 1] {
        let mut lie = honest.clone();
        claim(&mut lie, said);
        let error = unpacked(&lie, Packing::Zip, None).unwrap_err();
        assert!(
            error.contains("can't unpack it as a zip archive"),
            "{said}: {error}"
        );
    }
    // Honest, and too long.
    let error = unpacked_within(Some(1 << 20), &honest, Packing::Zip, None).unwrap_err();
    assert!(error.contains("too many for the length"), "{error}");
}

/// A zip64 whose end says that it has so many entries, in a directory of so many bytes from there on.
fn zip64(entries: u64, directory_length: u64, directory_start: u64) -> Vec<u8> {
    let mut archive = zip(&[("disk.raw", b"image")]);
    let end = archive
        .windows(4)
        .rposition(|four| four == b"PK\x05\x06")
        .unwrap();
    archive.truncate(end);
    // APPNOTE.TXT 4.3.14 to 4.3.16.
    archive.extend(b"PK\x06\x06");
    archive.extend(44_u64.to_le_bytes());
    archive.extend([45, 0, 45, 0]);
    archive.extend([0; 8]);
    for number in [entries, entries, directory_length, directory_start] {
        archive.extend(number.to_le_bytes());
    }
    archive.extend(b"PK\x06\x07");
    archive.extend([0; 4]);
    archive.extend((end as u64).to_le_bytes());
    archive.extend(1_u32.to_le_bytes());
    archive.extend(b"PK\x05\x06");
    archive.extend([0; 4]);
    archive.extend([0xff; 12]);
    archive.extend([0; 2]);
    archive
}

#[test]
fn a_zip_is_not_believed_how_many_entries_it_has() {
    let honest = zip(&[("disk.raw", b"image")]);
    let start = honest
        .windows(4)
        .position(|four| four == b"PK\x01\x02")
        .unwrap() as u64;
    let length = honest
        .windows(4)
        .rposition(|four| four == b"PK\x05\x06")
        .unwrap() as u64
        - start;
    assert!(unpacked(&zip64(1, length, start), Packing::Zip, None).is_ok());
    for entries in [2, 1 << 20, 1 << 31, 1 << 40, u64::MAX] {
        for length in [length, 1 << 40, u64::MAX / 2, u64::MAX] {
            for start in [start, 1 << 41, u64::MAX / 2, u64::MAX] {
                let archive = zip64(entries, length, start);
                let error = unpacked(&archive, Packing::Zip, None).unwrap_err();
                assert!(
                    error.contains("zip archive"),
                    "{entries}, {length}, {start}: {error}"
                );
            }
        }
    }
}

#[test]
fn all_headers_of_a_tar_count_together() {
    // Each long name for itself would do.
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::GNULongName);
    header.set_size(1 << 20);
    header.set_path("././@LongLink").unwrap();
    header.set_cksum();
    let mut folder = tar::Header::new_gnu();
    folder.set_entry_type(tar::EntryType::Directory);
    folder.set_size(0);
    folder.set_path("a/").unwrap();
    folder.set_cksum();
    let mut archive = Vec::new();
    for _ in 0..17 {
        archive.extend(header.as_bytes());
        archive.resize(archive.len() + (1 << 20), b'a');
        archive.extend(folder.as_bytes());
    }
    let error = unpacked(&archive, TARS, None).unwrap_err();
    assert!(
        error.contains("its list of contents is too long"),
        "{error}"
    );
}
