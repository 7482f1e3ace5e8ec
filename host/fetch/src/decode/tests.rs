//! Each codec against what its own tool writes.

use std::io::Cursor;
use std::process::{Command, Stdio};
use std::thread;

use super::*;

/// Compressible, but not all the same.
fn sample(length: usize) -> Vec<u8> {
    (0..length as u64)
        .map(|index| (index.wrapping_mul(index >> 7).wrapping_mul(0x9e37_79b9) >> 13) as u8 & 0x3f)
        .collect()
}

/// Runs a tool as a filter; `None`, with a line that says so, where it is not installed.
fn filter(command: &[&str], input: Vec<u8>) -> Option<Vec<u8>> {
    let child = Command::new(command[0])
        .args(&command[1..])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let Ok(mut child) = child else {
        eprintln!("skipped: `{}` is not installed", command[0]);
        return None;
    };
    let mut stdin = child.stdin.take().unwrap();
    let feeder = thread::spawn(move || io::Write::write_all(&mut stdin, &input));
    let output = child.wait_with_output().unwrap();
    feeder.join().unwrap().unwrap();
    assert!(output.status.success(), "{command:?}");
    Some(output.stdout)
}

fn decode(codec: Codec, bytes: Vec<u8>) -> io::Result<Vec<u8>> {
    let mut decoded = Vec::new();
    decoder(codec, Box::new(Cursor::new(bytes))).read_to_end(&mut decoded)?;
    Ok(decoded)
}

const TOOLS: [(Codec, &[&str]); 6] = [
    (Codec::Gzip, &["gzip", "-c"]),
    (Codec::Bzip2, &["bzip2", "-c"]),
    (Codec::Xz, &["xz", "-c"]),
    (
        Codec::Xz,
        &["xz", "-9", "-c", "--block-size=100000", "--check=sha256"],
    ),
    (Codec::Zstd, &["zstd", "-c"]),
    (Codec::Zstd, &["zstd", "-19", "--long=27", "-c"]),
];

#[test]
fn what_the_tools_write_is_read_whole_and_in_members() {
    for (codec, tool) in TOOLS {
        let (first, second) = (sample(400_000), sample(70_001));
        let Some(mut packed) = filter(tool, first.clone()) else {
            continue;
        };
        assert_eq!(
            Codec::recognise(&packed[..Codec::MARK_BYTES]),
            Some(codec),
            "{tool:?}"
        );
        assert!(decode(codec, packed.clone()).unwrap() == first, "{tool:?}");
        packed.extend(filter(tool, second.clone()).unwrap());
        assert!(
            decode(codec, packed).unwrap() == [first, second].concat(),
            "{tool:?}"
        );
    }
}

#[test]
fn cut_off_or_damaged_data_is_an_error_that_names_the_codec() {
    for (codec, tool) in TOOLS {
        let Some(packed) = filter(tool, sample(100_000)) else {
            continue;
        };
        let cut = packed[..packed.len() - 9].to_vec();
        let mut damaged = packed.clone();
        let middle = damaged.len() / 2;
        damaged[middle] ^= 0x55;
        for bytes in [cut, damaged] {
            let error = decode(codec, bytes).unwrap_err().to_string();
            assert!(
                error.starts_with(&format!("can't decompress {}: ", codec.name())),
                "{error}"
            );
        }
    }
}

#[test]
fn a_skippable_zstd_frame_is_skipped() {
    let Some(packed) = filter(&["zstd", "-c"], sample(1000)) else {
        return;
    };
    let mut bytes = vec![0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3];
    bytes.extend(packed);
    assert_eq!(Codec::recognise(&bytes), Some(Codec::Zstd));
    assert!(decode(Codec::Zstd, bytes).unwrap() == sample(1000));
    let cut = vec![0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1];
    assert!(decode(Codec::Zstd, cut).is_err());
}

#[test]
fn windows_beyond_the_limit_are_refused() {
    // A frame whose header demands a window of 2 GiB (RFC 8878 §3.1.1.1.2: exponent 21).
    let header = vec![0x28, 0xb5, 0x2f, 0xfd, 0, 21 << 3, 1, 0, 0];
    assert!(decode(Codec::Zstd, header).is_err());
    let tool = ["xz", "--lzma2=dict=256MiB", "-c"];
    if let Some(packed) = filter(&tool, sample(1000)) {
        let error = decode(Codec::Xz, packed).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::OutOfMemory, "{error}");
    }
}

#[test]
fn names_and_first_bytes() {
    let names = [
        ("a.qcow2.gz", Some(Codec::Gzip)),
        ("A.BZ2", Some(Codec::Bzip2)),
        ("a.raw.xz", Some(Codec::Xz)),
        ("a.zst", Some(Codec::Zstd)),
        ("a.qcow2", None),
        ("xz", None),
    ];
    for (name, codec) in names {
        assert_eq!(Codec::of_file_name(name), codec, "{name}");
    }
    for start in [
        &b""[..],
        b"QFI\xfb\0\0",
        b"\x1f\x8b",
        b"BZh0zz",
        b"\xfd7zXZ",
    ] {
        assert_eq!(Codec::recognise(start), None, "{start:?}");
    }
}
