//! What the tests of both writers share: trees, images made real, and the tools that read them.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use proptest::prelude::*;

use crate::catalog::{Catalog, Child};
use crate::{Entry, Image, Kind, Segment, Tree};

/// Paths with the bodies of the files; `None` for directories.
pub(crate) type Listing = BTreeMap<String, Option<Vec<u8>>>;

/// The body of the caller's file number `index`.
pub(crate) fn body(index: usize, length: u64) -> Vec<u8> {
    (0..length)
        .map(|at| (at.wrapping_mul(31) >> 3) as u8 ^ index as u8)
        .collect()
}

/// What should be read back.
pub(crate) fn listing(tree: &Tree) -> Listing {
    let catalog = Catalog::new(tree);
    let mut listing = Listing::new();
    for (number, directory) in catalog.directories.iter().enumerate() {
        for (name, child) in &directory.children {
            let contents = match child {
                Child::Directory(_) => None,
                Child::File(file) => Some(match catalog.files[*file].kind {
                    Kind::File { index, length } => body(*index, *length),
                    Kind::Bytes(bytes) => bytes.clone(),
                    Kind::Directory => unreachable!("a catalog's file is no directory"),
                }),
            };
            listing.insert(catalog.path(number, name), contents);
        }
    }
    listing
}

/// The image's bytes, with the files' bodies spliced in.
pub(crate) fn render(image: &Image) -> Vec<u8> {
    for pair in image.segments.windows(2) {
        let mergeable = matches!(
            pair,
            [Segment::Bytes(_), Segment::Bytes(_)] | [Segment::Zeros(_), Segment::Zeros(_)]
        );
        assert!(!mergeable, "two segments that should be one");
    }
    let mut bytes = Vec::new();
    for segment in &image.segments {
        assert!(segment.length() > 0, "an empty segment");
        match segment {
            Segment::Bytes(made) => bytes.extend(made),
            Segment::File { index, length } => bytes.extend(body(*index, *length)),
            Segment::Zeros(count) => bytes.resize(bytes.len() + *count as usize, 0),
        }
    }
    assert_eq!(bytes.len() as u64, image.length);
    bytes
}

/// Writes the image with files and holes left as holes: for lengths that no test should hold.
pub(crate) fn write_sparse(image: &Image, path: &Path) {
    let mut file = fs::File::create(path).unwrap();
    for segment in &image.segments {
        match segment {
            Segment::Bytes(bytes) => file.write_all(bytes).unwrap(),
            other => drop(file.seek(SeekFrom::Current(other.length() as i64)).unwrap()),
        }
    }
    file.set_len(image.length).unwrap();
}

/// Runs a tool and gives what it printed; `None`, and says so, where it is not installed.
pub(crate) fn run(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program)
        .args(arguments)
        .env("LC_ALL", "C.UTF-8")
        .env(
            "PATH",
            "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        )
        .output();
    let output = match output {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            println!("SKIPPED: {program} not found");
            return None;
        }
        output => output.unwrap(),
    };
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{program} {arguments:?}: {text}{errors}"
    );
    Some(text)
}

/// Reads a folder a tool extracted to, with the permission bits of everything in it, and makes its
/// folders writable so that they can be deleted.
pub(crate) fn read_folder(root: &Path) -> (Listing, BTreeMap<String, u32>) {
    let (mut listing, mut modes) = (Listing::new(), BTreeMap::new());
    let mut waiting = vec![root.to_owned()];
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path
                .strip_prefix(root)
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned();
            let metadata = fs::metadata(&path).unwrap();
            modes.insert(name.clone(), metadata.permissions().mode() & 0o7777);
            if metadata.is_dir() {
                listing.insert(name, None);
                waiting.push(path);
            } else {
                listing.insert(name, Some(fs::read(&path).unwrap()));
            }
        }
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
    }
    (listing, modes)
}

/// A tree with one of everything that has gone wrong in some writer: long, foreign and odd names,
/// empty files and directories, depth, a directory of many sectors, bodies around the block sizes.
pub(crate) fn everything() -> Tree {
    let mut tree = Tree::new();
    let mut add = |entry: Entry| tree.insert(entry).unwrap();
    add(Entry::bytes("meta-data", "instance-id: i-1\n"));
    add(Entry::bytes("user-data", "#cloud-config\n"));
    add(Entry::bytes("empty", ""));
    add(Entry::directory("empty directory"));
    add(Entry::bytes("run.sh", "#!/bin/sh\n").executable(true));
    add(Entry::bytes(".hidden", "dot"));
    add(Entry::bytes("Upper.TXT", "mixed"));
    add(Entry::bytes("SHORT.TXT", "capitals"));
    add(Entry::bytes("archive.tar.gz", "two dots"));
    add(Entry::bytes("naïve – Ünïcode 文字 😀.txt", "unicode"));
    add(Entry::bytes(
        format!("{}.long", "n".repeat(97)),
        "103 characters",
    ));
    for length in [511, 512, 513, 2047, 2048, 2049] {
        add(Entry::file(
            format!("sizes/{length}"),
            length as usize,
            length,
        ));
    }
    add(Entry::bytes(
        format!("{}deep", "level/".repeat(10)),
        "ten levels down",
    ));
    for number in 0..300 {
        add(Entry::bytes(
            format!("many/file number {number}.txt"),
            number.to_string(),
        ));
    }
    tree
}

/// Trees of random names, many of them alike.
pub(crate) fn any_tree() -> impl Strategy<Value = Tree> {
    let name = prop_oneof![
        "[ab.]{1,3}",
        "[a-zA-Z0-9 ._~:;*?-]{1,20}",
        "long name [ab]{60,240}(\\.[a-z]{1,5})?",
        "\\PC{1,12}",
    ];
    let path = prop::collection::vec(name, 1..4).prop_map(|names| names.join("/"));
    let entry = (path, 0..4u8, 0..3000u64).prop_map(|(path, kind, length)| match kind {
        0 => Entry::directory(path),
        1 => Entry::bytes(path, body(1, length)),
        _ => Entry::file(path, 2, length).executable(length % 2 == 0),
    });
    prop::collection::vec(entry, 0..40).prop_map(|entries| {
        let mut tree = Tree::new();
        for entry in entries {
            // Paths that a tree refuses are the tree's own tests' business.
            let _ = tree.insert(entry);
        }
        tree
    })
}
