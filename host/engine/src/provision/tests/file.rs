//! Files and folders in both directions.

use super::*;

fn file(options: &str) -> String {
    format!("provisioner \"file\" {{\n{options}\n}}")
}

/// A folder with a file and a folder in it.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("etc")).unwrap();
    for (name, mode) in [("a.conf", 0o640), ("run.sh", 0o4755)] {
        let path = folder.path().join(name);
        std::fs::write(&path, name).unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }
    folder
}

#[tokio::test]
async fn uploads_go_where_the_slashes_say() {
    let folder = folder();
    let root = folder.path().display();
    for (source, destination, expected) in [
        (
            "a.conf",
            "/etc/b.conf",
            "upload /etc/b.conf 640 \"a.conf\"".to_string(),
        ),
        (
            "a.conf",
            "/etc/",
            "upload /etc/a.conf 640 \"a.conf\"".to_string(),
        ),
        (
            "./run.sh",
            "/bin/",
            "upload /bin/run.sh 755 \"run.sh\"".to_string(),
        ),
        ("etc", "/tmp", format!("upload folder {root}/etc to /tmp")),
        ("etc/", "/tmp", format!("upload folder {root}/etc/ to /tmp")),
    ] {
        let guest = Guest::default();
        let options = format!("source = \"{source}\"\ndestination = \"{destination}\"");
        run_in(&guest, &User::default(), &file(&options), folder.path())
            .await
            .unwrap();
        assert_eq!(guest.log(), [expected], "{source} => {destination}");
    }
}

#[tokio::test]
async fn several_sources_and_texts_are_uploaded_with_a_bar_each() {
    let (guest, user, folder) = (Guest::default(), User::default(), folder());
    let options = "sources = [\"a.conf\", \"etc\", \"run.sh\"]\ndestination = \"/tmp/\"";
    run_in(&guest, &user, &file(options), folder.path())
        .await
        .unwrap();
    assert_eq!(guest.log().len(), 3);
    assert_eq!(
        user.of("finished"),
        ["upload /tmp/a.conf", "upload /tmp/run.sh"]
    );
    // As under Packer, one beside them is the last one.
    let (guest, options) = (
        Guest::default(),
        "source = \"a.conf\"\nsources = [\"run.sh\"]\ndestination = \"/tmp/\"",
    );
    run_in(&guest, &User::default(), &file(options), folder.path())
        .await
        .unwrap();
    let log = guest.log();
    assert!(
        log.len() == 2 && log[0].contains("run.sh") && log[1].contains("a.conf"),
        "{log:?}"
    );
    let guest = Guest::default();
    let options = "content = \"text\"\ndestination = \"/etc/motd\"";
    run(&guest, &User::default(), &file(options)).await.unwrap();
    assert_eq!(guest.log(), ["upload /etc/motd \"text\""]);
}

#[tokio::test]
async fn downloads_make_the_folders_they_need() {
    let folder = folder();
    let options = |source: &str, destination: &str| {
        file(&format!(
            "source = \"{source}\"\ndestination = \"{destination}\"\ndirection = \"download\""
        ))
    };
    for (source, destination, file) in [
        ("/etc/motd", "out/deep/motd.txt", "out/deep/motd.txt"),
        ("/etc/motd", "other/", "other/motd"),
        ("/etc/hosts", "etc", "etc/hosts"),
        ("/etc/motd", "a.conf", "a.conf"),
    ] {
        let (guest, user) = (Guest::default(), User::default());
        run_in(&guest, &user, &options(source, destination), folder.path())
            .await
            .unwrap();
        let text = std::fs::read_to_string(folder.path().join(file)).unwrap();
        assert_eq!(text, format!("content of {source}"), "{destination}");
    }
    let guest = Guest::default();
    run_in(
        &guest,
        &User::default(),
        &options("/var/log/", "logs"),
        folder.path(),
    )
    .await
    .unwrap();
    let path = folder.path().join("logs");
    assert_eq!(
        guest.log(),
        [format!("download folder /var/log/ to {}", path.display())]
    );
    assert!(path.is_dir());
}

#[tokio::test]
async fn a_generated_source_that_was_not_made_is_an_error() {
    let options = "source = \"never\"\ngenerated = true\ndestination = \"/tmp/\"";
    let error = cause(run(&Guest::default(), &User::default(), &file(options)).await);
    let ProvisionError::File {
        action: "read",
        path,
        ..
    } = &error
    else {
        panic!("{error:?}")
    };
    assert!(path.ends_with("never"));
}

#[tokio::test]
async fn a_download_that_fails_leaves_what_was_there() {
    // At once, as where the guest has no such file; and after some bytes.
    for breaks_off in [false, true] {
        for (destination, path) in [("a.conf", "a.conf"), ("./", "a.conf"), ("new", "new")] {
            let folder = folder();
            let guest = Guest {
                breaks_off,
                away: Arc::new(Mutex::new(usize::from(!breaks_off))),
                ..Guest::default()
            };
            let options = format!(
                "source = \"/etc/a.conf\"\ndestination = \"{destination}\"\ndirection = \"download\""
            );
            let before = std::fs::read_to_string(folder.path().join(path)).ok();
            let names = std::fs::read_dir(folder.path()).unwrap().count();
            run_in(&guest, &User::default(), &file(&options), folder.path())
                .await
                .unwrap_err();
            let after = std::fs::read_to_string(folder.path().join(path)).ok();
            assert_eq!(after, before, "{destination}");
            let left = std::fs::read_dir(folder.path()).unwrap().count();
            assert_eq!(left, names, "{destination}: no half file is left");
        }
    }
}

#[tokio::test]
async fn a_pattern_downloads_all_that_matches_into_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let options = |destination: &str| {
        file(&format!(
            "source = \"/var/log/*\"\ndestination = \"{destination}\"\ndirection = \"download\""
        ))
    };
    for destination in ["logs", "logs/", "deep/logs/"] {
        let guest = Guest {
            holds: vec![
                "/var/log/a.log",
                "/var/log/apt/",
                "/var/log/b.log",
                "/var/log/..",
            ],
            ..Guest::default()
        };
        run_in(
            &guest,
            &User::default(),
            &options(destination),
            folder.path(),
        )
        .await
        .unwrap();
        let path = folder.path().join(destination.trim_end_matches('/'));
        for name in ["a.log", "b.log"] {
            let text = std::fs::read_to_string(path.join(name)).unwrap();
            assert_eq!(text, format!("content of /var/log/{name}"));
        }
        let log = guest.log();
        assert_eq!(log.len(), 4, "{log:?}");
        assert!(
            log[2].starts_with("download folder /var/log/apt to "),
            "{log:?}"
        );
    }
    let error = cause(
        run_in(
            &Guest::default(),
            &User::default(),
            &options("none"),
            folder.path(),
        )
        .await,
    );
    assert!(matches!(error, ProvisionError::NoMatch { .. }), "{error:?}");
}
