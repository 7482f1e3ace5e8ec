//! Why files do not get over, as a user is told, and when scp takes the place of SFTP.

use super::*;

/// OpenSSH's SFTP server on Debian.
const SFTP_SERVER: &str = "/usr/lib/openssh/sftp-server";

/// What is said of an upload by this method to `path`, or nothing if it works.
async fn upload(server: &Server, method: FileTransfer, path: &Path) -> Option<String> {
    let ssh = server.connected_by(method).await;
    let path = path.to_str().unwrap();
    let contents = vec![7; 1 << 20];
    let uploaded = ssh
        .upload(&mut &*contents, None, path, None, &Noted::default())
        .await;
    uploaded.err().map(|error| full(&error))
}

#[tokio::test]
async fn each_cause_is_told_with_what_helps() {
    let expired = "ForceCommand echo 'WARNING: Your password has expired.' >&2; echo 'Password change \
                   required but no TTY available.' >&2; exit 1\nSubsystem sftp internal-sftp";
    let other_user = "ForceCommand echo 'Please login as the user \"debian\" rather than the user \
                      \"root\".'; exit 142\nSubsystem sftp internal-sftp";
    let greets = format!("Subsystem sftp echo Welcome to web1; exec {SFTP_SERVER}");
    for (lines, by_sftp, by_scp) in [
        (
            String::new(),
            "offers none: write `Subsystem sftp internal-sftp`",
            None,
        ),
        (
            "Subsystem sftp /no/such/sftp-server".to_owned(),
            "is not there or cannot be run",
            None,
        ),
        (
            "Subsystem sftp /etc/passwd".to_owned(),
            "is not there or cannot be run",
            None,
        ),
        (greets, "text came in its place (\"Welcome to web1", None),
        (
            expired.to_owned(),
            "the user's password has expired",
            Some("chpasswd: { expire: false }"),
        ),
        (
            other_user.to_owned(),
            "set another ssh_username",
            Some("set another ssh_username"),
        ),
        (
            "ForceCommand exit 5\nSubsystem sftp internal-sftp".to_owned(),
            "ended at once with status 5: look at the login shell",
            Some("the guest's scp ended before it was done"),
        ),
    ] {
        let Some(server) = Server::configured(|_| lines.clone()).await else {
            return;
        };
        let target = server.path("target");
        let told = upload(&server, FileTransfer::Sftp, &target).await.unwrap();
        assert!(
            told.contains("SFTP") && told.contains(by_sftp),
            "{lines}: {told}"
        );
        assert!(
            !told.contains("install sftp-server") || told.contains("cannot be run"),
            "{told}"
        );
        if program("scp").is_none() {
            continue;
        }
        let told = upload(&server, FileTransfer::Scp, &target).await;
        match by_scp {
            None => assert_eq!(told, None, "{lines}"),
            Some(words) => {
                let told = told.unwrap();
                assert!(told.contains(words), "{lines}: {told}");
            }
        }
    }
}

/// What a user is told.
#[derive(Debug, Default)]
struct Remarked(std::sync::Mutex<Vec<String>>);

impl Remarks for Remarked {
    fn remark(&self, sentence: &str) {
        self.0.lock().unwrap().push(sentence.to_owned());
    }
}

#[tokio::test]
async fn scp_takes_the_place_of_sftp_that_is_not_there() {
    if program("scp").is_none() {
        return;
    }
    for (lines, is_taken) in [
        ("", true),
        ("Subsystem sftp /no/such/sftp-server", true),
        ("Subsystem sftp echo Welcome to web1", false),
        ("Subsystem sftp internal-sftp\nForceCommand exit 5", false),
    ] {
        let Some(server) = Server::configured(|_| lines.to_owned()).await else {
            return;
        };
        let target = server.path("target");
        let told = upload(&server, FileTransfer::SftpOrScp, &target).await;
        assert_eq!(told.is_none(), is_taken, "{lines}: {told:?}");
        assert_eq!(target.exists(), is_taken, "{lines}");
        // The user hears of it, once a connection.
        for (method, is_remarked) in [
            (FileTransfer::SftpOrScp, is_taken),
            (FileTransfer::Sftp, false),
            (FileTransfer::Scp, false),
        ] {
            let remarks = Arc::new(Remarked::default());
            let mut settings = server.settings(server.new_key());
            settings.file_transfer = method;
            settings.remarks = Some(Arc::clone(&remarks) as _);
            let ssh = connect(settings).await.unwrap();
            let path = target.to_str().unwrap();
            let (mut one, mut other) = (&b"one"[..], &b"other"[..]);
            let (progress, length) = (Noted::default(), Some(3));
            let both = tokio::join!(
                ssh.upload(&mut one, length, path, None, &progress),
                ssh.upload(&mut other, Some(5), path, None, &progress),
            );
            let mut third = &b"one"[..];
            let third = ssh.upload(&mut third, length, path, None, &progress).await;
            let said = remarks.0.lock().unwrap();
            assert_eq!(
                said.len(),
                usize::from(is_remarked),
                "{lines} {method:?}: {said:?}"
            );
            if is_remarked {
                assert!(both.0.is_ok() && both.1.is_ok() && third.is_ok(), "{lines}");
                let begins = format!(
                    "files go by scp, as there is no SFTP at {}: the ",
                    server.address
                );
                assert!(said[0].starts_with(&begins), "{said:?}");
            }
        }
        // A user who asked for SFTP by name gets no other.
        assert!(
            upload(&server, FileTransfer::Sftp, &target).await.is_some(),
            "{lines}"
        );
    }
}

#[tokio::test]
async fn a_guest_with_neither_is_told_so() {
    let mounts = |_: &Path| "mount --bind /dev/null \"$(command -v scp)\"".to_owned();
    if program("scp").is_none() {
        return;
    }
    let Some(server) = Server::among_mounts(|_| String::new(), mounts).await else {
        return;
    };
    let target = server.path("target");
    for (method, expected) in [
        (FileTransfer::SftpOrScp, "there is neither SFTP nor scp"),
        (FileTransfer::Scp, "there is no scp"),
        (FileTransfer::Sftp, "the SSH server offers none"),
    ] {
        let told = upload(&server, method, &target).await.unwrap();
        assert!(told.contains(expected), "{told}");
    }
}

#[tokio::test]
async fn a_password_that_has_really_expired_is_told() {
    let rules = "auth required pam_unix.so\naccount required pam_unix.so\nsession required \
                 pam_permit.so\n";
    for subsystem in ["internal-sftp", SFTP_SERVER] {
        let lines = format!("UsePAM yes\nSubsystem sftp {subsystem}");
        let mounts = |folder: &Path| accounts(folder, "0", rules);
        let Some(server) = Server::among_mounts(|_| lines, mounts).await else {
            return;
        };
        let target = server.path("target");
        for method in [FileTransfer::SftpOrScp, FileTransfer::Scp] {
            if method == FileTransfer::Scp && program("scp").is_none() {
                continue;
            }
            let told = upload(&server, method, &target).await.unwrap();
            let has = |words: &str| told.contains(words);
            assert!(has("expired") && has("expire: false"), "{method:?}: {told}");
        }
    }
}

#[tokio::test]
async fn a_full_disk_is_told() {
    let lines = |_: &Path| "Subsystem sftp internal-sftp".to_owned();
    let mounts = |folder: &Path| {
        let small = folder.join("small");
        std::fs::create_dir(&small).unwrap();
        format!(
            "mount -t tmpfs -o size=128k,nr_inodes=10 tmpfs {}",
            small.display()
        )
    };
    let Some(server) = Server::among_mounts(lines, mounts).await else {
        return;
    };
    let path = server.path("small/file");
    let told = upload(&server, FileTransfer::Sftp, &path).await.unwrap();
    assert!(
        told.contains("no space is left in this file system of the guest"),
        "{told}"
    );
    let ssh = server.connected().await;
    let folder = server.path("many");
    std::fs::create_dir(&folder).unwrap();
    for number in 0..20 {
        std::fs::write(folder.join(number.to_string()), "").unwrap();
    }
    let into = server.path("small");
    let error = ssh
        .upload_directory(&folder, into.to_str().unwrap(), &[], &Noted::default())
        .await
        .unwrap_err();
    assert!(error.to_string().contains("no more files fit"), "{error}");
}

#[tokio::test]
async fn a_file_system_that_is_read_only_is_told() {
    let lines = |_: &Path| "Subsystem sftp internal-sftp".to_owned();
    let mounts = |folder: &Path| {
        let fixed = folder.join("fixed");
        std::fs::create_dir(&fixed).unwrap();
        format!("mount -t tmpfs -o ro tmpfs {}", fixed.display())
    };
    let Some(server) = Server::among_mounts(lines, mounts).await else {
        return;
    };
    let path = server.path("fixed/file");
    let told = upload(&server, FileTransfer::Sftp, &path).await.unwrap();
    assert!(
        told.contains("is read-only") && told.contains("`remote_folder`"),
        "{told}"
    );
    let ssh = server.connected().await;
    let into = server.path("fixed");
    let error = ssh
        .upload_directory(
            &server.path("fixed"),
            into.to_str().unwrap(),
            &[],
            &Noted::default(),
        )
        .await
        .unwrap_err();
    assert!(error.to_string().contains("is read-only"), "{error}");
}
