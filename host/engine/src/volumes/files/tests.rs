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
    let bounds = root.join("drivers/");
    let within = |pattern: &str| list(pattern, root, Some(&bounds));
    assert_eq!(within("drivers/net/intel/*").unwrap().len(), 1);
    let error = within("drivers/away/*").unwrap_err().to_string();
    assert!(error.contains("outside"), "{error}");
    let error = open("drivers/away/*", "secret", root, Some(&bounds)).unwrap_err();
    assert!(matches!(error, ServiceError::Denied(_)), "{error}");
}
