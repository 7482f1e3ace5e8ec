//! What is kept is given back, and nothing else is.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use super::*;
use crate::engine;

fn places(folder: &Path) -> CompiledPlaces {
    CompiledPlaces {
        cache: folder.join("cache/compiled"),
        key: folder.join("state/compiled"),
    }
}

fn component(code: &'static [u8]) -> CompiledComponent {
    CompiledComponent {
        description: Unchecked::new(Description {
            source_type: "it".to_owned(),
            aliases: Vec::new(),
            summary: "A source.".to_owned(),
            options: Vec::new(),
        }),
        code: Bytes::from_static(code),
    }
}

fn subject(wasm: &[u8]) -> Subject {
    let engine = engine::compiling(None).expect("an engine");
    Subject::new(&Compiler::of(&engine), wasm)
}

fn code_of(places: &CompiledPlaces, subject: &Subject) -> Option<Vec<u8>> {
    places.get(subject).map(|kept| kept.code.to_vec())
}

fn file(places: &CompiledPlaces, subject: &Subject) -> PathBuf {
    places.cache.join(subject.file_name())
}

fn rights(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("rights");
}

#[test]
fn what_is_kept_is_given_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let places = places(folder.path());
    let (one, other) = (subject(b"one"), subject(b"other"));
    assert_eq!(code_of(&places, &one), None);
    places.put(&one, component(b"code of one"));
    places.put(&other, component(b"code of the other"));
    assert_eq!(code_of(&places, &one).as_deref(), Some(&b"code of one"[..]));
    assert_eq!(
        code_of(&places, &other).as_deref(),
        Some(&b"code of the other"[..])
    );
    places.put(&one, component(b"again"));
    assert_eq!(code_of(&places, &one).as_deref(), Some(&b"again"[..]));
    // Nothing half-written is left beside it.
    assert_eq!(std::fs::read_dir(&places.cache).expect("files").count(), 2);
}

#[test]
fn each_bit_counts() {
    let folder = tempfile::tempdir().expect("a folder");
    let places = places(folder.path());
    let it = subject(b"wasm");
    places.put(&it, component(b"code"));
    let path = file(&places, &it);
    let right = std::fs::read(&path).expect("a file");
    for at in 0..right.len() {
        let mut wrong = right.clone();
        wrong[at] ^= 1 << (at % 8);
        std::fs::write(&path, wrong).expect("written");
        assert_eq!(code_of(&places, &it), None, "byte {at}");
    }
    for length in 0..right.len() {
        std::fs::write(&path, &right[..length]).expect("written");
        assert_eq!(code_of(&places, &it), None, "{length} bytes");
    }
    std::fs::write(&path, [&right[..], b"more"].concat()).expect("written");
    assert_eq!(code_of(&places, &it), None);
    std::fs::write(&path, &right).expect("written");
    assert!(code_of(&places, &it).is_some());
}

#[test]
fn what_is_of_something_else_is_not_taken() {
    let folder = tempfile::tempdir().expect("a folder");
    let here = places(folder.path());
    let (one, other) = (subject(b"one"), subject(b"other"));
    here.put(&one, component(b"code of one"));
    // Another component's file under this one's name.
    std::fs::copy(file(&here, &one), file(&here, &other)).expect("copied");
    assert_eq!(code_of(&here, &other), None);
    // Another compiler.
    let compiler = engine::compiling(Some("x86_64-unknown-linux-gnu")).expect("an engine");
    let elsewhere = Subject::new(&Compiler::of(&compiler), b"one");
    std::fs::copy(file(&here, &one), file(&here, &elsewhere)).expect("copied");
    assert_eq!(code_of(&here, &elsewhere), None);
    // Another machine: the same file, and another key.
    let there = places(&folder.path().join("there"));
    there.put(&other, component(b"so that there is a key"));
    std::fs::copy(file(&here, &one), file(&there, &one)).expect("copied");
    assert_eq!(code_of(&there, &one), None);
    assert!(code_of(&there, &other).is_some());
    // No key at all: none is made to read.
    let bare = places(&folder.path().join("bare"));
    std::fs::create_dir_all(&bare.cache).expect("a folder");
    rights(&bare.cache, 0o700);
    std::fs::copy(file(&here, &one), file(&bare, &one)).expect("copied");
    assert_eq!(code_of(&bare, &one), None);
    assert!(!bare.key.exists());
}

#[test]
fn what_others_can_change_is_not_taken() {
    let folder = tempfile::tempdir().expect("a folder");
    let places = places(folder.path());
    let it = subject(b"wasm");
    places.put(&it, component(b"code"));
    let file = file(&places, &it);
    for (path, usual, wrong) in [
        (&file, 0o600, vec![0o640, 0o604, 0o620, 0o666]),
        (&places.key.join(KEY_FILE), 0o600, vec![0o640, 0o644, 0o622]),
        (&places.cache, 0o700, vec![0o770, 0o702, 0o1777]),
        (&places.key, 0o700, vec![0o770, 0o777]),
    ] {
        for mode in wrong {
            rights(path, mode);
            assert_eq!(code_of(&places, &it), None, "{} {mode:o}", path.display());
            rights(path, usual);
        }
        assert!(code_of(&places, &it).is_some(), "{}", path.display());
    }
}

#[test]
fn what_is_no_file_is_not_taken_and_not_waited_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let places = places(folder.path());
    let it = subject(b"wasm");
    places.put(&it, component(b"code"));
    let path = file(&places, &it);
    let moved = folder.path().join("moved");
    std::fs::rename(&path, &moved).expect("moved");
    symlink(&moved, &path).expect("a link");
    assert_eq!(code_of(&places, &it), None, "a link to the right file");
    std::fs::remove_file(&path).expect("removed");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &path,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR,
        0,
    )
    .expect("a pipe");
    assert_eq!(code_of(&places, &it), None, "a pipe");
    std::fs::remove_file(&path).expect("removed");
    std::fs::create_dir(&path).expect("a folder");
    assert_eq!(code_of(&places, &it), None, "a folder");
}

/// Who only looks makes nothing, and who can't keep anything says nothing.
#[test]
fn a_place_that_cannot_be_is_done_without() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("cache"), "a file").expect("written");
    let places = places(folder.path());
    let it = subject(b"wasm");
    places.put(&it, component(b"code"));
    assert_eq!(code_of(&places, &it), None);
}

/// Two processes that begin at the same time have one key.
#[test]
fn the_first_key_holds() {
    let folder = tempfile::tempdir().expect("a folder");
    let subjects: Vec<Subject> = (0..16_u8).map(|number| subject(&[number])).collect();
    std::thread::scope(|scope| {
        for it in &subjects {
            scope.spawn(|| places(folder.path()).put(it, component(b"code")));
        }
    });
    let places = places(folder.path());
    for it in &subjects {
        assert!(code_of(&places, it).is_some());
    }
}

#[test]
fn what_was_not_used_for_the_longest_time_makes_room() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("files");
    let held = OwnFolder::make(&path).expect("a folder");
    for name in ["a", "b", "c"] {
        held.write(name, &[0; 100]).expect("written");
    }
    used_at(&path.join("a"), 10);
    used_at(&path.join("b"), 30);
    used_at(&path.join("c"), 20);
    let left = |name: &str| path.join(name).exists();
    make_room(&held, 200).expect("room");
    assert!(!left("a") && left("b") && left("c"));
    make_room(&held, 100).expect("room");
    assert!(left("b") && !left("c"));
    make_room(&held, 0).expect("room");
    assert!(!left("b"));
}

fn used_at(path: &Path, seconds: u64) {
    let file = File::options().write(true).open(path).expect("a file");
    let time = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
    file.set_modified(time).expect("a time");
}

#[test]
fn to_be_given_back_is_to_be_used() {
    let folder = tempfile::tempdir().expect("a folder");
    let places = places(folder.path());
    let it = subject(b"wasm");
    places.put(&it, component(b"code"));
    let path = file(&places, &it);
    used_at(&path, 10);
    assert!(code_of(&places, &it).is_some());
    let used = path
        .metadata()
        .and_then(|it| it.modified())
        .expect("a time");
    assert!(used > SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(20));
}
