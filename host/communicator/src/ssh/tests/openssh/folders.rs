//! Files and folders, there and back.

use std::collections::BTreeMap;
use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;

#[tokio::test]
async fn files_go_up_and_come_down() {
    let Some(server) = Server::start(Some("internal-sftp")).await else {
        return;
    };
    for method in [FileTransfer::Sftp, FileTransfer::Scp] {
        if method == FileTransfer::Scp && program("scp").is_none() {
            return;
        }
        let ssh = server.connected_by(method).await;
        files(&server, &ssh, method).await;
    }
}

async fn files(server: &Server, ssh: &Ssh, method: FileTransfer) {
    let remote = server.path("remote file");
    let path = remote.to_str().unwrap();
    let pattern: Vec<u8> = (0..10_000_000_u32)
        .map(|number| (number >> 8) as u8)
        .collect();
    for (contents, mode) in [
        (&pattern[..], Some(0o755)),
        (b"", Some(0o600)),
        (b"short", None),
    ] {
        let noted = Noted::default();
        let length = contents.len() as u64;
        ssh.upload(&mut &*contents, Some(length), path, mode, &noted)
            .await
            .unwrap();
        assert!(std::fs::read(&remote).unwrap() == contents);
        if let Some(mode) = mode {
            assert_eq!(mode_of(&remote), mode);
        }
        assert_eq!(
            noted.0.into_inner().unwrap(),
            [(path.to_owned(), Some(length), length, true)]
        );

        let noted = Noted::default();
        let mut back = Vec::new();
        assert_eq!(ssh.download(path, &mut back, &noted).await.unwrap(), length);
        assert!(back == contents);
        assert_eq!(
            noted.0.into_inner().unwrap(),
            [(path.to_owned(), Some(length), length, true)]
        );
    }
    let folder = server.folder.path().to_str().unwrap();
    let (missing, no_file, no_place) = match method {
        FileTransfer::Sftp | FileTransfer::SftpOrScp => {
            ("no such file or folder", "it is a folder", "it is a folder")
        }
        FileTransfer::Scp => (
            "No such file or directory",
            "not a regular file",
            "Is a directory",
        ),
    };
    for (path, downwards, upwards) in [
        ("/no/such/file", missing, missing),
        (folder, no_file, no_place),
    ] {
        let error = ssh
            .download(path, &mut Vec::new(), &Noted::default())
            .await
            .unwrap_err();
        assert!(error.to_string().contains(downwards), "{method:?}: {error}");
        let error = ssh
            .upload(&mut &b""[..], None, path, None, &Noted::default())
            .await
            .unwrap_err();
        assert!(error.to_string().contains(upwards), "{method:?}: {error}");
    }
    assert!(!Path::new("/no").exists());
}

fn mode_of(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

/// Every file below `folder`, with its mode and contents, and every folder with its mode.
fn tree(folder: &Path) -> BTreeMap<String, (u32, Option<String>)> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(inner) = folders.pop() {
        for entry in std::fs::read_dir(inner).unwrap() {
            let path = entry.unwrap().path();
            let name = path
                .strip_prefix(folder)
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned();
            let is_folder = std::fs::symlink_metadata(&path).unwrap().is_dir();
            let contents = (!is_folder).then(|| std::fs::read_to_string(&path).unwrap());
            found.insert(name, (mode_of(&path), contents));
            if is_folder {
                folders.push(path);
            }
        }
    }
    found
}

/// A folder with what gives trouble: modes, links, a link that leads back, things to exclude.
fn sample(folder: &Path) {
    let make = |name: &str, contents: &str, mode: u32| {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, contents).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    make("script.sh", "#!/bin/sh\n", 0o755);
    make("secret", "s", 0o600);
    make("deep/er/file with spaces é", "deep", 0o644);
    make("deep/skipped.o", "", 0o644);
    make("build/out", "", 0o644);
    make("linked/inner", "linked", 0o644);
    std::fs::create_dir(folder.join("empty")).unwrap();
    symlink("script.sh", folder.join("link to a file")).unwrap();
    symlink("linked", folder.join("link to a folder")).unwrap();
    symlink("../..", folder.join("deep/er/loop")).unwrap();
    for (name, mode) in [
        ("deep", 0o750),
        ("deep/er", 0o555),
        ("linked", 0o755),
        ("empty", 0o700),
    ] {
        let mode = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(folder.join(name), mode).unwrap();
    }
}

fn expected(inside: &str) -> BTreeMap<String, (u32, Option<String>)> {
    let entries = [
        ("script.sh", 0o755, Some("#!/bin/sh\n")),
        ("secret", 0o600, Some("s")),
        ("deep", 0o750, None),
        ("deep/er", 0o555, None),
        ("deep/er/file with spaces é", 0o644, Some("deep")),
        ("linked", 0o755, None),
        ("linked/inner", 0o644, Some("linked")),
        ("link to a file", 0o755, Some("#!/bin/sh\n")),
        ("link to a folder", 0o755, None),
        ("link to a folder/inner", 0o644, Some("linked")),
        ("empty", 0o700, None),
    ];
    let entry = |(name, mode, contents): (&str, u32, Option<&str>)| {
        (
            format!("{inside}{name}"),
            (mode, contents.map(str::to_owned)),
        )
    };
    entries.into_iter().map(entry).collect()
}

#[tokio::test]
async fn folders_go_up_and_come_down() {
    for method in [FileTransfer::Sftp, FileTransfer::Scp] {
        if method == FileTransfer::Scp && program("scp").is_none() {
            return;
        }
        let Some(server) = Server::start(Some("internal-sftp")).await else {
            return;
        };
        let ssh = server.connected_by(method).await;
        folders(&server, &ssh, method).await;
    }
}

async fn folders(server: &Server, ssh: &Ssh, method: FileTransfer) {
    let source = server.path("source");
    std::fs::create_dir(&source).unwrap();
    std::fs::set_permissions(&source, std::fs::Permissions::from_mode(0o755)).unwrap();
    sample(&source);
    let exclude = ["*.o".to_owned(), "/build".to_owned(), "build".to_owned()];
    // Without a trailing slash the folder itself goes over, under its own name.
    for (slash, inside) in [("/", ""), ("", "source/")] {
        let mut expected = expected(inside);
        if slash.is_empty() {
            expected.insert("source".to_owned(), (0o755, None));
        }
        let from = format!("{}{slash}", source.display());
        // Two folders that do not exist yet.
        let remote = server.path(&format!("up{}/into", slash.len()));
        let noted = Noted::default();
        let into = remote.to_str().unwrap();
        ssh.upload_directory(Path::new(&from), into, &exclude, &noted)
            .await
            .unwrap();
        assert_eq!(tree(&remote), expected, "{method:?} up from {from}");
        let noted = noted.0.into_inner().unwrap();
        assert_eq!(
            noted.len(),
            expected.values().filter(|(_, file)| file.is_some()).count()
        );
        assert!(
            noted
                .iter()
                .all(|(_, total, sent, finished)| *total == Some(*sent) && *finished)
        );
        // A second time over what is there: it is replaced.
        ssh.upload_directory(Path::new(&from), into, &exclude, &Noted::default())
            .await
            .unwrap();
        assert_eq!(tree(&remote), expected, "up again from {from}");

        if method == FileTransfer::Scp {
            // The guest's scp follows a link that leads back, and says so only after a while.
            let _ = std::fs::remove_file(source.join("deep/er/loop"));
        }

        let local = server.path(&format!("down{}/into", slash.len()));
        ssh.download_directory(&from, &local, &exclude, &Noted::default())
            .await
            .unwrap();
        // The host's own rights to a folder are kept, so that it can be removed.
        expected
            .entry(format!("{inside}deep/er"))
            .and_modify(|entry| entry.0 = 0o755);
        assert_eq!(tree(&local), expected, "{method:?} down from {from}");
    }
}

#[tokio::test]
async fn a_folder_that_is_none_is_an_error() {
    let Some(server) = Server::start(Some("internal-sftp")).await else {
        return;
    };
    let ssh = server.connected().await;
    let file = server.path("sshd_config");
    let missing = server.path("missing");
    let into = server.path("into");
    for (path, upwards, downwards) in [
        (&file, "not a directory", "it is not a folder"),
        (&missing, "No such file", "no such file or folder"),
    ] {
        let remote = into.to_str().unwrap();
        let up = ssh
            .upload_directory(path, remote, &[], &Noted::default())
            .await
            .unwrap_err();
        assert!(full(&up).contains(upwards), "{}", full(&up));
        let remote = path.to_str().unwrap();
        let down = ssh
            .download_directory(remote, &into, &[], &Noted::default())
            .await
            .unwrap_err();
        assert!(full(&down).contains(downwards), "{}", full(&down));
    }
    assert!(!into.exists());
}

#[tokio::test]
async fn a_folder_by_scp_leaves_the_modes_of_what_was_there() {
    let Some(server) = Server::start(None).await else {
        return;
    };
    let ssh = server.connected_by(FileTransfer::Scp).await;
    let (source, target) = (server.path("source/"), server.path("target"));
    for (folder, mode) in [(source.join("etc"), 0o700), (target.join("etc"), 0o755)] {
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(mode)).unwrap();
    }
    std::fs::write(source.join("etc/file"), "x").unwrap();
    ssh.upload_directory(&source, target.to_str().unwrap(), &[], &Noted::default())
        .await
        .unwrap();
    assert_eq!(mode_of(&target.join("etc")), 0o755);
    assert_eq!(std::fs::read(target.join("etc/file")).unwrap(), b"x");
}

#[tokio::test]
async fn a_link_that_leads_back_ends_a_download_by_scp() {
    let Some(server) = Server::start(None).await else {
        return;
    };
    let ssh = server.connected_by(FileTransfer::Scp).await;
    let source = server.path("source");
    std::fs::create_dir(&source).unwrap();
    symlink(".", source.join("loop")).unwrap();
    let error = ssh
        .download_directory(
            source.to_str().unwrap(),
            &server.path("into"),
            &[],
            &Noted::default(),
        )
        .await
        .unwrap_err();
    assert!(error.to_string().contains("symbolic links"), "{error}");
}
