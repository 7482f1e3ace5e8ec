//! Discs read back by hadris-iso in the process, and by xorriso, isoinfo and blkid.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Cursor;

use hadris_iso::directory::DirectoryRef;
use hadris_iso::read::IsoImage;
use proptest::prelude::*;
use sha2::{Digest, Sha256};

use super::*;
use crate::testing::*;
use crate::{Entry, Segment};

fn options() -> Options {
    Options {
        label: "cidata".into(),
        timestamp: 1_700_000_000,
        application: "lvhost image tests".into(),
    }
}

type Disc = IsoImage<Cursor<Vec<u8>>>;

/// Reads a hierarchy with hadris-iso.
fn read_back(disc: &Disc, joliet: bool) -> Listing {
    let roots: Vec<_> = disc.root_dirs().iter().copied().collect();
    let root = roots
        .into_iter()
        .find(|root| format!("{:?}", root.entry_type()).starts_with("Joliet") == joliet)
        .unwrap();
    let mut listing = Listing::new();
    read_directory(disc, root.dir_ref(), "", joliet, &mut listing);
    listing
}

fn read_directory(
    disc: &Disc,
    directory: DirectoryRef,
    path: &str,
    joliet: bool,
    listing: &mut Listing,
) {
    for entry in disc.open_dir(directory).entries() {
        let entry = entry.unwrap();
        if entry.is_special() {
            continue;
        }
        let name = if joliet {
            let units = entry
                .name()
                .chunks(2)
                .map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
            String::from_utf16(&units.collect::<Vec<_>>()).unwrap()
        } else {
            entry.display_name().into_owned()
        };
        let path = if path.is_empty() {
            name
        } else {
            format!("{path}/{name}")
        };
        let contents = (!entry.is_directory()).then(|| disc.read_file(&entry).unwrap());
        let before = listing.insert(path.clone(), contents);
        assert!(before.is_none(), "{path:?} is there twice");
        if entry.is_directory() {
            read_directory(
                disc,
                entry.as_dir_ref(disc).unwrap(),
                &path,
                joliet,
                listing,
            );
        }
    }
}

fn disc(tree: &Tree) -> Disc {
    IsoImage::open(Cursor::new(render(&layout(tree, &options()).unwrap()))).unwrap()
}

/// A folder with the disc in it as a file.
fn disc_file(tree: &Tree) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("disc.iso");
    fs::write(&path, render(&layout(tree, &options()).unwrap())).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (folder, path)
}

/// [`everything`], and what only Rock Ridge can tell.
fn everything_and_more() -> Tree {
    let mut tree = everything();
    for entry in [
        Entry::bytes("n".repeat(255), "as long as a name can be"),
        Entry::bytes(format!("{}😀", "é".repeat(125)), "cut inside a character"),
        Entry::bytes("CASE", "capitals"),
        Entry::bytes("case", "small"),
        Entry::bytes("what? where: a*b;1 \\", "forbidden in Joliet"),
    ] {
        tree.insert(entry).unwrap();
    }
    tree
}

#[test]
fn both_hierarchies_hold_everything() {
    let disc_of_plain_names = disc(&everything());
    assert_eq!(
        read_back(&disc_of_plain_names, true),
        listing(&everything())
    );
    let disc = disc(&everything_and_more());
    assert!(disc.supports_rrip());
    assert_eq!(read_back(&disc, false), listing(&everything_and_more()));
}

#[test]
fn an_empty_tree_is_an_empty_disc() {
    let disc = disc(&Tree::new());
    assert_eq!(read_back(&disc, false), Listing::new());
    assert_eq!(read_back(&disc, true), Listing::new());
}

#[test]
fn xorriso_extracts_what_went_in() {
    let tree = everything_and_more();
    let (folder, path) = disc_file(&tree);
    let target = folder.path().join("extracted");
    let arguments = [
        "-abort_on",
        "WARNING",
        "-indev",
        &path,
        "-extract",
        "/",
        target.to_str().unwrap(),
    ];
    if run("osirrox", &arguments).is_none() {
        return;
    }
    let (found, modes) = read_folder(&target);
    assert_eq!(found, listing(&tree));
    let expected: BTreeMap<String, u32> = found
        .iter()
        .map(|(path, contents)| {
            let executable = contents.is_none() || path == "run.sh";
            (path.clone(), if executable { 0o555 } else { 0o444 })
        })
        .collect();
    assert_eq!(modes, expected);
}

#[test]
fn isoinfo_lists_all_names() {
    let tree = everything();
    let (_folder, path) = disc_file(&tree);
    let expected: BTreeSet<String> = listing(&tree)
        .keys()
        .map(|path| format!("/{path}"))
        .collect();
    for view in [&["-R"][..], &["-J"]] {
        let Some(text) = run("isoinfo", &[view, &["-f", "-i", &path]].concat()) else {
            return;
        };
        // isoinfo writes Joliet names in Latin-1 and leaves out what it has no letter for.
        let mask = |path: &str| {
            path.chars()
                .filter(char::is_ascii_alphanumeric)
                .collect::<String>()
        };
        let found: BTreeSet<String> = text.lines().map(mask).collect();
        let expected: BTreeSet<String> = expected.iter().map(|path| mask(path)).collect();
        assert_eq!(found, expected, "{view:?}");
    }
    let Some(text) = run("isoinfo", &["-d", "-i", &path]) else {
        return;
    };
    for line in [
        "Volume id: cidata",
        "Application id: lvhost image tests",
        "Joliet with UCS level 3 found",
        "Rock Ridge signatures version 1 found",
    ] {
        assert!(text.contains(line), "no {line:?} in {text}");
    }
}

#[test]
fn isoinfo_reads_a_body_by_each_name() {
    let mut tree = Tree::new();
    tree.insert(Entry::bytes("d/user-data", "#cloud-config\n"))
        .unwrap();
    let (_folder, path) = disc_file(&tree);
    for arguments in [
        &["-x", "/D/USER_DAT.;1"][..],
        &["-R", "-x", "/d/user-data"],
        &["-J", "-x", "/d/user-data"],
    ] {
        let Some(text) = run("isoinfo", &[&["-i", &path], arguments].concat()) else {
            return;
        };
        assert_eq!(text, "#cloud-config\n", "{arguments:?}");
    }
}

#[test]
fn blkid_sees_the_label_as_written() {
    for label in ["cidata", "OEMDRV", "a label of thirty-two characters"] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("disc.iso");
        let image = layout(
            &Tree::new(),
            &Options {
                label: label.into(),
                ..options()
            },
        )
        .unwrap();
        fs::write(&path, render(&image)).unwrap();
        let arguments = ["-p", "-s", "LABEL", "-o", "value", path.to_str().unwrap()];
        let Some(found) = run("blkid", &arguments) else {
            return;
        };
        assert_eq!(found.trim_end(), label);
    }
}

#[test]
fn a_file_of_several_gibibytes_costs_no_memory_and_keeps_its_length() {
    const LENGTH: u64 = (9 << 30) + 1;
    let mut tree = Tree::new();
    tree.insert(Entry::file("install.wim", 7, LENGTH)).unwrap();
    tree.insert(Entry::bytes("z", "behind it")).unwrap();
    let image = layout(&tree, &options()).unwrap();
    assert!(image.segments.contains(&Segment::File {
        index: 7,
        length: LENGTH
    }));
    let held: usize = image
        .segments
        .iter()
        .map(|segment| {
            if let Segment::Bytes(bytes) = segment {
                bytes.len()
            } else {
                0
            }
        })
        .sum();
    assert!(held < 64 * SECTOR, "{held} bytes held");

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("disc.iso");
    write_sparse(&image, &path);
    let read = IsoImage::open(fs::File::open(&path).unwrap()).unwrap();
    let lengths: Vec<(String, u64)> = read
        .root_dir()
        .iter(&read)
        .entries()
        .map(|entry| entry.unwrap())
        .filter(|entry| !entry.is_special())
        .map(|entry| (entry.display_name().into_owned(), entry.total_size()))
        .collect();
    assert_eq!(
        lengths,
        [("install.wim".to_owned(), LENGTH), ("z".to_owned(), 9)]
    );
    let path = path.to_str().unwrap();
    let Some(text) = run("xorriso", &["-indev", path, "-lsl", "/install.wim", "--"]) else {
        return;
    };
    assert!(text.contains(&LENGTH.to_string()), "{text}");
    let z = folder.path().join("z");
    run(
        "osirrox",
        &["-indev", path, "-extract", "/z", z.to_str().unwrap()],
    );
    assert_eq!(fs::read(z).unwrap(), b"behind it");
}

/// A number in little-endian order at a place in an image.
fn number_at<const BYTES: usize>(bytes: &[u8], at: usize) -> u64 {
    bytes[at..at + BYTES]
        .iter()
        .rev()
        .fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// The entries of a path table: sector, parent's number, identifier.
fn path_table(table: &[u8], big_endian: bool) -> Vec<(u64, u64, Vec<u8>)> {
    let (mut entries, mut at) = (Vec::new(), 0);
    while at < table.len() {
        let length = usize::from(table[at]);
        let (mut sector, mut parent) = (
            table[at + 2..at + 6].to_vec(),
            table[at + 6..at + 8].to_vec(),
        );
        if big_endian {
            sector.reverse();
            parent.reverse();
        }
        let identifier = table[at + 8..at + 8 + length].to_vec();
        entries.push((
            number_at::<4>(&sector, 0),
            number_at::<2>(&parent, 0),
            identifier,
        ));
        at += 8 + length.next_multiple_of(2);
    }
    entries
}

#[test]
fn path_tables_lead_to_the_directories() {
    let mut tree = everything();
    for path in ["b/z/1", "b/y", "a/z", "a/b/c", "empty directory/z"] {
        tree.insert(Entry::directory(path)).unwrap();
    }
    let directories = 1 + listing(&tree)
        .values()
        .filter(|contents| contents.is_none())
        .count();
    let image = render(&layout(&tree, &options()).unwrap());
    for descriptor in [16 * SECTOR, 17 * SECTOR] {
        let length = number_at::<4>(&image, descriptor + 132) as usize;
        let little_endian = number_at::<4>(&image, descriptor + 140) as usize * SECTOR;
        let place = &image[descriptor + 148..descriptor + 152];
        let big_endian = u32::from_be_bytes(place.try_into().unwrap()) as usize * SECTOR;
        let entries = path_table(&image[little_endian..little_endian + length], false);
        assert_eq!(
            path_table(&image[big_endian..big_endian + length], true),
            entries
        );
        assert_eq!(entries.len(), directories);

        for (sector, parent, _) in &entries {
            // A directory begins with the records of itself and of its parent.
            let own = *sector as usize * SECTOR;
            let up = own + usize::from(image[own]);
            assert_eq!(number_at::<4>(&image, own + 2), *sector);
            assert_eq!(
                number_at::<4>(&image, up + 2),
                entries[*parent as usize - 1].0
            );
        }
        let order: Vec<_> = entries
            .iter()
            .map(|(_, parent, name)| (parent, name))
            .collect();
        assert!(order.is_sorted(), "{order:?}");
    }
}

/// Directory and file identifiers of the root, in the order of the records.
fn root_identifiers(tree: &Tree, joliet: bool) -> Vec<String> {
    let disc = disc(tree);
    let roots: Vec<_> = disc.root_dirs().iter().copied().collect();
    let root = roots
        .into_iter()
        .find(|root| format!("{:?}", root.entry_type()).starts_with("Joliet") == joliet)
        .unwrap();
    root.iter(&disc)
        .entries()
        .map(|entry| entry.unwrap())
        .filter(|entry| !entry.is_special())
        .map(|entry| {
            let name = entry.name();
            if !joliet {
                return String::from_utf8(name.to_vec()).unwrap();
            }
            let units = name
                .chunks(2)
                .map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
            String::from_utf16(&units.collect::<Vec<_>>()).unwrap()
        })
        .collect()
}

#[test]
fn names_become_unique_identifiers() {
    let cases: [(bool, &[&str], &[&str]); 6] = [
        (
            false,
            &["meta-data", "user-data"],
            &["META_DAT.;1", "USER_DAT.;1"],
        ),
        (
            false,
            &["Readme.text", "README.TEX", "readme.texts", "readme"],
            &[
                "READM001.TEX;1",
                "READM002.TEX;1",
                "README.;1",
                "README.TEX;1",
            ],
        ),
        (
            false,
            &[".x", "A.B1", "A.B", "é.txt"],
            &["A.B;1", "A.B1;1", "_.TXT;1", "_X.;1"],
        ),
        (true, &["meta-data", ".x"], &[".x", "meta-data"]),
        (true, &["a:b", "a_b", "a?b"], &["a_b", "a_b~1", "a_b~2"]),
        (true, &["B", "a", "b"], &["B", "a", "b"]),
    ];
    for (joliet, names, expected) in cases {
        let mut tree = Tree::new();
        for name in names {
            tree.insert(Entry::bytes(*name, "")).unwrap();
        }
        assert_eq!(root_identifiers(&tree, joliet), expected, "{names:?}");
    }
}

#[test]
fn joliet_names_are_cut_before_their_extension() {
    let mut tree = Tree::new();
    for end in ["one.conf", "two.conf"] {
        tree.insert(Entry::bytes(format!("{}{end}", "x".repeat(200)), end))
            .unwrap();
    }
    tree.insert(Entry::bytes(format!("y{}", "😀".repeat(60)), ""))
        .unwrap();
    let x = |count| "x".repeat(count);
    let expected = [
        format!("{}.conf", x(98)),
        format!("{}~1.conf", x(96)),
        format!("y{}", "😀".repeat(51)),
    ];
    let mut found = root_identifiers(&tree, true);
    found.sort_by_key(|name| std::cmp::Reverse(name.matches('x').count()));
    assert_eq!(found, expected);
}

#[test]
fn what_cannot_be_on_a_disc_is_refused() {
    let with = |label: &str, application: &str| {
        layout(
            &Tree::new(),
            &Options {
                label: label.into(),
                application: application.into(),
                timestamp: 0,
            },
        )
    };
    assert_eq!(
        with(&"l".repeat(33), "").unwrap_err().to_string(),
        format!(
            "label \"{}\" cannot be used: give at most 32 printable ASCII characters",
            "l".repeat(33)
        )
    );
    assert!(matches!(
        with("é", ""),
        Err(Error::Text { field: "label", .. })
    ));
    assert!(matches!(with("a\nb", ""), Err(Error::Text { .. })));
    assert!(matches!(
        with("", &"a".repeat(65)),
        Err(Error::Text { limit: 64, .. })
    ));

    let of_lengths = |lengths: &[u64]| {
        let mut tree = Tree::new();
        for (index, length) in lengths.iter().enumerate() {
            tree.insert(Entry::file(format!("d/{index}"), index, *length))
                .unwrap();
        }
        layout(&tree, &options())
    };
    for length in [u64::MAX, MAX_SECTIONS * SECTION + 1] {
        let refused = of_lengths(&[length]).unwrap_err();
        assert!(matches!(refused, Error::FileTooLarge { path, .. } if path == "d/0"));
    }
    assert!(of_lengths(&[MAX_SECTIONS * SECTION]).is_ok());
    assert_eq!(
        of_lengths(&[MAX_SECTIONS * SECTION; 21]),
        Err(Error::DiscTooLarge { limit: MAX_DISC })
    );
}

#[test]
fn the_same_inputs_give_the_same_bytes() {
    let image = render(&layout(&everything_and_more(), &options()).unwrap());
    let digest: String = Sha256::digest(&image)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(
        digest,
        "92ea0622d0d963fdffe45a5c4c4fdb69d2e0bc5b151bf3c3a3f93ebc811f7489"
    );
}

#[test]
fn the_order_of_insertion_does_not_matter() {
    let entries = ["b", "a/c", "a/b", "z y", "zzzzzzzzzzzz", "zzzzzzzzzzzy"];
    let of = |order: &mut dyn Iterator<Item = &&str>| {
        let mut tree = Tree::new();
        for path in order {
            tree.insert(Entry::bytes(*path, *path)).unwrap();
        }
        layout(&tree, &options()).unwrap()
    };
    assert_eq!(of(&mut entries.iter()), of(&mut entries.iter().rev()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_tree_reads_back(tree in any_tree()) {
        let image = layout(&tree, &options()).unwrap();
        prop_assert_eq!(image.length % SECTOR as u64, 0);
        let disc = disc(&tree);
        let expected = listing(&tree);
        prop_assert_eq!(&read_back(&disc, false), &expected);
        // Joliet may change names, never what they stand for.
        let bodies = |listing: Listing| {
            let mut bodies: Vec<_> = listing.into_values().collect();
            bodies.sort();
            bodies
        };
        prop_assert_eq!(bodies(read_back(&disc, true)), bodies(expected));
    }
}
