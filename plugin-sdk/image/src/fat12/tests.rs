//! Floppies read back by hadris-fat in the process, and by fsck.fat, mtools and blkid.

use std::fs;
use std::io::Cursor;

use hadris_fat::sync::{FatDir, FatVolume};
use proptest::prelude::*;
use sha2::{Digest, Sha256};

use super::*;
use crate::testing::*;
use crate::{Entry, Segment};

fn options() -> Options {
    Options {
        label: "cidata".into(),
        timestamp: 1_700_000_001,
    }
}

type Volume = FatVolume<Cursor<Vec<u8>>>;

fn read_back(image: &Image) -> Listing {
    let volume = FatVolume::open(Cursor::new(render(image))).unwrap();
    let mut listing = Listing::new();
    read_directory(&volume, &volume.root_dir(), "", &mut listing);
    listing
}

fn read_directory(
    volume: &Volume,
    directory: &FatDir<'_, Cursor<Vec<u8>>>,
    path: &str,
    listing: &mut Listing,
) {
    let mut entries = directory.entries();
    while let Some(entry) = entries.next_entry() {
        let entry = entry.unwrap();
        let entry = entry.as_entry().unwrap();
        let name = entry.name().into_owned();
        if matches!(name.as_str(), "." | "..") {
            continue;
        }
        let path = if path.is_empty() {
            name
        } else {
            format!("{path}/{name}")
        };
        if entry.is_directory() {
            listing.insert(path.clone(), None);
            read_directory(
                volume,
                &volume.open_dir_entry(entry).unwrap(),
                &path,
                listing,
            );
        } else {
            let mut reader = hadris_fat::sync::read::FileReader::new(volume, entry).unwrap();
            listing.insert(path, Some(reader.read_to_vec().unwrap()));
        }
    }
}

/// A folder with the floppy in it as a file.
fn floppy_file(image: &Image) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("floppy.img");
    fs::write(&path, render(image)).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (folder, path)
}

#[test]
fn a_floppy_holds_everything() {
    let image = layout(&everything(), &options()).unwrap();
    assert_eq!(image.length, 1_474_560);
    assert_eq!(read_back(&image), listing(&everything()));
}

#[test]
fn fsck_finds_nothing() {
    for tree in [Tree::new(), everything()] {
        let (_folder, path) = floppy_file(&layout(&tree, &options()).unwrap());
        let Some(text) = run("fsck.fat", &["-n", "-v", &path]) else {
            return;
        };
        // A summary, and no complaint before it.
        let last = text.lines().last().unwrap_or_default();
        assert!(
            last.contains(" files, ") && last.contains("/2847 clusters"),
            "{text}"
        );
        for complaint in [
            "differ",
            "wrong",
            "bad",
            "free cluster",
            "invalid",
            "not valid",
            "Dirty",
        ] {
            assert!(
                !text.to_lowercase().contains(&complaint.to_lowercase()),
                "{text}"
            );
        }
    }
}

#[test]
fn mtools_extracts_what_went_in() {
    let tree = everything();
    let (folder, path) = floppy_file(&layout(&tree, &options()).unwrap());
    let target = folder.path().join("extracted");
    fs::create_dir(&target).unwrap();
    let arguments = ["-s", "-Q", "-i", &path, "::*", target.to_str().unwrap()];
    if run("mcopy", &arguments).is_none() {
        return;
    }
    // mtools knows no characters beyond the basic plane.
    let expected: Listing = listing(&tree)
        .into_iter()
        .map(|(path, contents)| (path.replace('😀', "__"), contents))
        .collect();
    assert_eq!(read_folder(&target).0, expected);
    let Some(text) = run("mdir", &["-i", &path, "::"]) else {
        return;
    };
    assert!(text.contains("Volume in drive : is CIDATA"), "{text}");
    assert!(text.contains("2023-11-14  22:13"), "{text}");
    let Some(text) = run("minfo", &["-i", &path]) else {
        return;
    };
    assert!(text.contains("-t 80 -h 2 -s 18"), "{text}");
}

#[test]
fn blkid_sees_the_label() {
    let (_folder, path) = floppy_file(&layout(&Tree::new(), &options()).unwrap());
    let arguments = ["-p", "-o", "export", &path];
    let Some(text) = run("blkid", &arguments) else {
        return;
    };
    for line in ["LABEL=CIDATA", "VERSION=FAT12", "TYPE=vfat"] {
        assert!(text.lines().any(|found| found == line), "{text}");
    }
}

#[test]
fn short_names_are_unique_and_keep_what_is_short_already() {
    let cases: [(&[&str], &[&str]); 4] = [
        (&["README.TXT", "A"], &["A          ", "README  TXT"]),
        (&["readme.txt"], &["README~1TXT"]),
        (
            &["LONGNA~1.TXT", "long name 1.txt", "long name 2.txt"],
            &["LONGNA~1TXT", "LONGNA~2TXT", "LONGNA~3TXT"],
        ),
        (
            &[".profile", "a+b.c", "é"],
            &["PROFIL~1   ", "A_B~1   C  ", "_~1        "],
        ),
    ];
    for (names, expected) in cases {
        let mut tree = Tree::new();
        for name in names {
            tree.insert(Entry::bytes(*name, "")).unwrap();
        }
        let catalog = Catalog::new(&tree);
        let found: Vec<String> = name::assign(&catalog, 0)
            .unwrap()
            .iter()
            .map(|names| String::from_utf8(names.short.to_vec()).unwrap())
            .collect();
        assert_eq!(found, expected);
    }
}

#[test]
fn what_cannot_be_on_a_floppy_is_refused() {
    let refused = |entries: Vec<Entry>| {
        let mut tree = Tree::new();
        for entry in entries {
            tree.insert(entry).unwrap();
        }
        layout(&tree, &options()).unwrap_err().to_string()
    };
    let root_names = (0..224)
        .map(|number| Entry::bytes(format!("{number}"), ""))
        .collect();
    let cases: [(Vec<Entry>, &str); 6] = [
        (
            vec![Entry::file("drivers.zip", 0, 1_457_665)],
            "the files do not fit on a floppy: they take 1458176 bytes, 1457664 are there; use a \
             CD for more",
        ),
        (
            vec![Entry::file("a", 0, u64::MAX), Entry::file("b", 1, u64::MAX)],
            "the files do not fit on a floppy: they take 18446744073709551615 bytes, 1457664 are \
             there; use a CD for more",
        ),
        (
            root_names,
            "too many names at the top of the floppy: they take 225 directory entries, there are \
             224; put files into a directory, or use shorter names",
        ),
        (
            vec![Entry::bytes("d/a:b", "")],
            "\"d/a:b\" cannot be put on a floppy: FAT has no names with any of `\" * : < > ? \\ |`",
        ),
        (
            vec![Entry::bytes("d/a.", "")],
            "\"d/a.\" cannot be put on a floppy: FAT has no names that end in a dot or a space",
        ),
        (
            vec![Entry::bytes("d/É", ""), Entry::bytes("d/é", "")],
            "\"d/É\" and \"d/é\" are the same name on a floppy, which ignores case",
        ),
    ];
    for (entries, expected) in cases {
        assert_eq!(refused(entries), expected);
    }
    for label in ["twelve chars", "a/b", "é", " x", "a\tb"] {
        let options = Options {
            label: label.into(),
            ..options()
        };
        assert_eq!(
            layout(&Tree::new(), &options),
            Err(Error::Label {
                label: label.into()
            })
        );
    }
}

#[test]
fn a_floppy_can_be_filled_to_the_last_byte() {
    let mut tree = Tree::new();
    tree.insert(Entry::file("full", 3, 1_457_664)).unwrap();
    let image = layout(&tree, &options()).unwrap();
    assert_eq!(
        image.segments.last(),
        Some(&Segment::File {
            index: 3,
            length: 1_457_664
        })
    );
    assert_eq!(read_back(&image), listing(&tree));
}

#[test]
fn the_same_inputs_give_the_same_bytes() {
    let image = render(&layout(&everything(), &options()).unwrap());
    let digest: String = Sha256::digest(&image)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(
        digest,
        "d4d1e4f4921cbecc20d84bd1f1c51691167bd924f8a4801537bde82343e583c1"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_tree_that_is_taken_reads_back(tree in any_tree()) {
        match layout(&tree, &options()) {
            Ok(image) => prop_assert_eq!(read_back(&image), listing(&tree)),
            Err(Error::Name { .. } | Error::SameName { .. } | Error::RootFull { .. }) => {}
            Err(error) => prop_assert!(false, "{}", error),
        }
    }
}
