use super::*;

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    std::fs::create_dir_all(root.join("drivers/net/intel")).unwrap();
    std::fs::create_dir_all(root.join("outside")).unwrap();
    for (path, text) in [
        ("drivers/a.inf", "a"),
        ("drivers/b.txt", "bb"),
        ("drivers/net/intel/c.inf", "ccc"),
        ("outside/secret", "secret"),
    ] {
        std::fs::write(root.join(path), text).unwrap();
    }
    folder
}

fn list(
    pattern: &str,
    root: &Path,
    bounds: Option<&HeldFolder>,
) -> Result<Vec<FileEntry>, ServiceError> {
    Matches::default().list(pattern, root, bounds)
}

fn open(
    pattern: &str,
    path: &str,
    root: &Path,
    bounds: Option<&HeldFolder>,
) -> Result<Blob, ServiceError> {
    Matches::default().open(pattern, path, root, bounds)
}

fn content(blob: &Blob) -> Vec<u8> {
    use std::os::unix::fs::FileExt;
    let mut bytes = vec![0; blob.size as usize];
    blob.file.read_exact_at(&mut bytes, 0).unwrap();
    bytes
}

fn paths(pattern: &str, root: &Path) -> Vec<String> {
    list(pattern, root, None)
        .unwrap()
        .into_iter()
        .map(|entry| entry.path)
        .collect()
}

#[test]
fn patterns_match_as_the_shell_has_them_and_folders_keep_their_structure() {
    let folder = folder();
    let root = folder.path();
    for (pattern, expected) in [
        (
            "./drivers/*",
            vec!["a.inf", "b.txt", "net", "net/intel", "net/intel/c.inf"],
        ),
        ("drivers/*.inf", vec!["a.inf"]),
        ("drivers/?.txt", vec!["b.txt"]),
        ("drivers/[ab].*", vec!["a.inf", "b.txt"]),
        ("*/net/intel/*", vec!["c.inf"]),
        ("drivers/net", vec!["net", "net/intel", "net/intel/c.inf"]),
        ("drivers/net/", vec!["net", "net/intel", "net/intel/c.inf"]),
        ("drivers/a.inf", vec!["a.inf"]),
    ] {
        assert_eq!(paths(pattern, root), expected, "{pattern}");
    }
    let absolute = root.join("drivers/b.txt");
    assert_eq!(paths(absolute.to_str().unwrap(), Path::new("/")), ["b.txt"]);
}

#[test]
fn a_pattern_that_matches_nothing_says_where_it_looked() {
    let folder = folder();
    for pattern in ["drivers/*.sys", "nowhere/*", "drivers/none"] {
        let error = list(pattern, folder.path(), None).unwrap_err();
        assert!(matches!(&error, ServiceError::NotFound(text) if text.contains(pattern)));
    }
}

#[test]
fn what_was_listed_can_be_opened_and_nothing_else() {
    use std::os::unix::fs::FileExt;
    let folder = folder();
    let blob = open("drivers/*", "net/intel/c.inf", folder.path(), None).unwrap();
    let mut bytes = [0; 3];
    blob.file.read_exact_at(&mut bytes, 0).unwrap();
    assert_eq!(
        (blob.name.as_str(), blob.size, &bytes),
        ("c.inf", 3, b"ccc")
    );
    for path in [
        "net/intel",
        "../outside/secret",
        "net/../a.inf",
        "/etc/passwd",
        "nothing",
    ] {
        open("drivers/*", path, folder.path(), None).unwrap_err();
    }
}

#[test]
fn links_do_not_lead_outside() {
    let folder = folder();
    let root = folder.path();
    std::os::unix::fs::symlink("../outside/secret", root.join("drivers/link")).unwrap();
    let error = list("drivers/*", root, None).unwrap_err().to_string();
    assert!(error.contains("link"), "{error}");
    std::fs::remove_file(root.join("drivers/link")).unwrap();
    std::os::unix::fs::symlink("a.inf", root.join("drivers/inside")).unwrap();
    assert!(paths("drivers/*", root).contains(&"inside".to_string()));
}

#[test]
fn a_link_back_into_its_own_folder_ends() {
    let folder = folder();
    let root = folder.path();
    std::os::unix::fs::symlink(".", root.join("drivers/net/again")).unwrap();
    list("drivers/*", root, None).unwrap_err();
}

#[test]
fn the_executable_bit_is_seen() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = folder();
    let script = folder.path().join("drivers/b.txt");
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    let entries = list("drivers/*.txt", folder.path(), None).unwrap();
    assert!(entries[0].executable);
    assert_eq!(entries[0].size, 2);
}

#[test]
fn a_folder_that_a_link_leads_out_of_its_bounds_is_refused() {
    let folder = folder();
    let root = folder.path();
    std::os::unix::fs::symlink("../outside", root.join("drivers/away")).unwrap();
    let bounds = HeldFolder::open(&root.join("drivers/")).unwrap();
    let within = |pattern: &str| list(pattern, root, Some(&bounds));
    assert_eq!(within("drivers/net/intel/*").unwrap().len(), 1);
    assert_eq!(within("drivers/*.inf").unwrap().len(), 1);
    for pattern in ["drivers/away/*", "outside/*", "*/a.inf", "/etc/passwd"] {
        let error = within(pattern).unwrap_err();
        assert!(
            matches!(error, ServiceError::Denied(_)),
            "{pattern}: {error}"
        );
    }
    let error = open("drivers/away/*", "secret", root, Some(&bounds)).unwrap_err();
    assert!(matches!(error, ServiceError::Denied(_)), "{error}");
}

#[test]
fn a_pattern_is_followed_once() {
    let folder = folder();
    let root = folder.path();
    let matches = Matches::default();
    assert_eq!(matches.list("drivers/*.inf", root, None).unwrap().len(), 1);
    std::fs::write(root.join("drivers/new.inf"), "new").unwrap();
    assert_eq!(matches.list("drivers/*.inf", root, None).unwrap().len(), 1);
    matches
        .open("drivers/*.inf", "new.inf", root, None)
        .unwrap_err();
    // Another folder that has its name now is not the one that was looked at.
    std::fs::rename(root.join("drivers"), root.join("aside")).unwrap();
    std::fs::rename(root.join("outside"), root.join("drivers")).unwrap();
    std::fs::write(root.join("drivers/a.inf"), "secret").unwrap();
    let blob = matches.open("drivers/*.inf", "a.inf", root, None).unwrap();
    assert_eq!(content(&blob), b"a");
}

#[test]
fn what_was_shown_is_opened_without_another_walk_whatever_else_was_listed() {
    let folder = folder();
    let root = folder.path();
    let matches = Matches {
        room: 6,
        ..Matches::default()
    };
    let patterns = ["drivers/*.inf", "drivers/net/*", "outside"];
    let shown: Vec<(&str, FileEntry)> = patterns
        .iter()
        .flat_map(|pattern| {
            let entries = matches.list(pattern, root, None).unwrap();
            entries.into_iter().map(|entry| (*pattern, entry))
        })
        .filter(|(_, entry)| entry.kind == FileKind::File)
        .collect();
    assert_eq!(shown.len(), 3);
    // Whoever follows a pattern now finds nothing.
    let aside = tempfile::tempdir().unwrap();
    for name in ["drivers", "outside"] {
        std::fs::rename(root.join(name), aside.path().join(name)).unwrap();
    }
    list("drivers/*.inf", root, None).unwrap_err();
    std::fs::rename(aside.path().join("outside"), root.join("outside")).unwrap();
    // In turns, so that none is the last one for long.
    for _ in 0..3 {
        for (pattern, entry) in &shown {
            let blob = matches.open(pattern, &entry.path, root, None).unwrap();
            assert_eq!(blob.size, entry.size);
        }
    }
}

#[test]
fn patterns_of_one_volume_have_one_bound_in_sum() {
    let folder = folder();
    let root = folder.path();
    let matches = Matches {
        room: 3,
        ..Matches::default()
    };
    assert_eq!(matches.list("drivers/*.*", root, None).unwrap().len(), 2);
    let error = matches.list("drivers/net", root, None).unwrap_err();
    assert!(
        error.to_string().contains("more than 3 files and folders"),
        "{error}"
    );
    // What was there before can still be opened.
    matches.open("drivers/*.*", "a.inf", root, None).unwrap();
    let error = matches
        .list("drivers/*/*/*", root, None)
        .map(|all| all.len());
    assert_eq!(error.unwrap(), 1);
}

#[test]
fn a_named_pipe_in_the_place_of_a_file_does_not_hang() {
    let folder = folder();
    let root = folder.path();
    let matches = Matches::default();
    matches.list("drivers/*", root, None).unwrap();
    let place = root.join("drivers/a.inf");
    std::fs::remove_file(&place).unwrap();
    let mode = rustix::fs::Mode::RUSR;
    rustix::fs::mknodat(rustix::fs::CWD, &place, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    let error = matches.open("drivers/*", "a.inf", root, None).unwrap_err();
    assert!(error.to_string().contains("not a regular file"), "{error}");
}

/// Rounds of the race below. One who looks first and opens then loses about one in a thousand.
const ROUNDS: usize = 3000;

#[test]
fn no_race_leads_out_of_a_folder() {
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use rustix::fs::{CWD, RenameFlags, renameat_with};
    let folder = folder();
    let root = folder.path();
    let (inside, away) = (
        root.join("drivers/net/intel"),
        root.join("drivers/net/away"),
    );
    std::fs::write(inside.join("secret"), "public").unwrap();
    std::os::unix::fs::symlink("../../outside", &away).unwrap();
    // A file that is swapped for a link, too.
    let (file, link) = (root.join("drivers/b.txt"), root.join("drivers/z.txt"));
    std::os::unix::fs::symlink("../outside/secret", &link).unwrap();
    let bounds = HeldFolder::open(&root.join("drivers/")).unwrap();
    let (stop, swaps) = (AtomicBool::new(false), AtomicUsize::new(0));
    let (mut read, mut leaked) = ([0; 2], false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                for (one, other) in [(&inside, &away), (&file, &link)] {
                    renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE).unwrap();
                    swaps.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        for _ in 0..ROUNDS {
            let cases = [
                ("drivers/net/intel/*", "secret", &b"public"[..]),
                ("drivers/b.txt", "b.txt", b"bb"),
            ];
            for ((pattern, path, expected), read) in cases.into_iter().zip(&mut read) {
                if let Ok(blob) = open(pattern, path, root, Some(&bounds)) {
                    leaked |= content(&blob) != expected;
                    *read += 1;
                }
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert!(!leaked);
    assert!(
        swaps.into_inner() > 10 && read[0] > 0 && read[1] > 0,
        "{read:?}"
    );
}
