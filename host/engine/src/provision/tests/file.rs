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
