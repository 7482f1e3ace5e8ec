//! What a tree takes and what it refuses.

use super::*;
use crate::testing::listing;

fn tree(entries: &[(&str, &str)]) -> Tree {
    let mut tree = Tree::new();
    for (path, contents) in entries {
        tree.insert(Entry::bytes(*path, *contents)).unwrap();
    }
    tree
}

#[test]
fn parents_are_added() {
    let mut tree = tree(&[("a/b/c", "body")]);
    assert!(!tree.is_empty());
    tree.insert(Entry::directory("a/b")).unwrap();
    tree.insert(Entry::directory("a/d")).unwrap();
    let paths: Vec<(String, bool)> = listing(&tree)
        .into_iter()
        .map(|(path, contents)| (path, contents.is_none()))
        .collect();
    let expected = [("a", true), ("a/b", true), ("a/b/c", false), ("a/d", true)];
    assert_eq!(
        paths,
        expected.map(|(path, directory)| (path.to_owned(), directory))
    );
}

#[test]
fn doubtful_paths_are_refused() {
    for path in [
        "", "/", "/a", "a/", "a//b", ".", "..", "a/../b", "./a", "a/.",
    ] {
        let refused = Tree::new().insert(Entry::bytes(path, ""));
        assert_eq!(refused, Err(TreeError::Path { path: path.into() }));
    }
    for path in ["a\0b", "a/b\nc", "\u{7F}"] {
        let refused = Tree::new().replace(Entry::directory(path));
        assert_eq!(
            refused,
            Err(TreeError::ControlCharacter { path: path.into() })
        );
    }
    for path in ["...", " ", "a b", "..a", "文字", "-rf"] {
        assert_eq!(Tree::new().insert(Entry::bytes(path, "")), Ok(()));
    }
}

#[test]
fn limits_hold_to_the_one() {
    let name = |length| format!("d/{}", "n".repeat(length));
    assert_eq!(
        Tree::new().insert(Entry::directory(name(MAX_NAME_BYTES))),
        Ok(())
    );
    let path = name(MAX_NAME_BYTES + 1);
    let refused = Tree::new().insert(Entry::directory(&path));
    assert_eq!(refused, Err(TreeError::NameTooLong { path }));

    let deep = |depth| vec!["d"; depth].join("/");
    assert_eq!(
        Tree::new().insert(Entry::directory(deep(MAX_DEPTH))),
        Ok(())
    );
    let path = deep(MAX_DEPTH + 1);
    assert_eq!(
        Tree::new().insert(Entry::directory(&path)),
        Err(TreeError::TooDeep { path })
    );

    let mut tree = Tree::new();
    for number in 0..MAX_ENTRIES {
        tree.insert(Entry::bytes(number.to_string(), "")).unwrap();
    }
    assert_eq!(
        tree.insert(Entry::bytes("more", "")),
        Err(TreeError::TooManyEntries)
    );
    assert_eq!(
        tree.replace(Entry::bytes("0", "in place of another")),
        Ok(())
    );
}

#[test]
fn the_same_path_twice_is_refused_unless_it_replaces() {
    let mut tree = tree(&[("a", "first"), ("d/e", "")]);
    let duplicate = || Err(TreeError::Duplicate { path: "a".into() });
    assert_eq!(tree.insert(Entry::bytes("a", "second")), duplicate());
    assert_eq!(tree.replace(Entry::bytes("a", "second")), Ok(()));
    assert_eq!(listing(&tree)["a"].as_deref(), Some(&b"second"[..]));

    for put in [Tree::insert, Tree::replace] {
        for (entry, path) in [
            (Entry::directory("a"), "a"),
            (Entry::bytes("d", ""), "d"),
            (Entry::bytes("a/b", ""), "a/b"),
        ] {
            let refused = put(&mut tree, entry);
            assert_eq!(
                refused,
                Err(TreeError::FileAndDirectory { path: path.into() })
            );
        }
    }
}
