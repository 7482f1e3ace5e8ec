//! Interoperation with dropbear, the server of small guests.

use super::*;

/// A real dropbear, one process for each connection, which sees a home of root's with `keys` in it.
async fn dropbear(options: &[&str], public_keys: &str, mounts: &str) -> Option<Server> {
    let (Some(dropbear), Some(keygen)) = (program("dropbear"), program("dropbearkey")) else {
        return None;
    };
    if !may_mount() {
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let made = Process::new(keygen)
        .args(["-t", "ed25519", "-f"])
        .arg(path("host_key"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    assert!(made.unwrap().success());
    std::fs::write(path("authorized_keys"), format!("{public_keys}\n")).unwrap();
    let accounts = accounts(folder.path(), "20000", "");
    let mounts = format!(
        "{accounts}\nmount -t tmpfs -o mode=700 tmpfs /root\nmkdir -m 700 /root/.ssh\n\
         cp {0}/authorized_keys /root/.ssh/\nchmod 600 /root/.ssh/authorized_keys\n{mounts}",
        folder.path().display()
    );
    let mut words: Vec<String> = vec![dropbear.display().to_string()];
    words.extend(["-i", "-r"].map(str::to_owned));
    words.push(path("host_key").display().to_string());
    words.extend(options.iter().map(|word| (*word).to_owned()));
    Some(Server::serve(folder, Some(mounts), words).await)
}

fn key_pair() -> (Authentication, String) {
    let pair = keys::generate(Algorithm::Ed25519, "").unwrap();
    (
        Authentication::Key(pair.private_openssh),
        pair.public_openssh,
    )
}

#[tokio::test]
async fn commands_and_files_go_over_dropbear() {
    let no_sftp = "mount --bind /dev/null \"$(readlink -f /usr/lib/sftp-server)\"";
    for (method, mounts) in [
        (FileTransfer::SftpOrScp, ""),
        (FileTransfer::Sftp, ""),
        (FileTransfer::Scp, ""),
        (FileTransfer::SftpOrScp, no_sftp),
    ] {
        let (key, public) = key_pair();
        let Some(server) = dropbear(&[], &public, mounts).await else {
            return;
        };
        let mut settings = server.settings(key);
        settings.file_transfer = method;
        let ssh = connect(settings)
            .await
            .unwrap_or_else(|error| panic!("{}\n{}", full(&error), server.log()));
        few_sessions::everything(&server, &ssh).await;
        ssh.disconnect().await.unwrap();
    }
}

#[tokio::test]
async fn dropbear_without_sftp_says_so_to_who_asks_for_it() {
    let (key, public) = key_pair();
    let no_sftp = "mount --bind /dev/null \"$(readlink -f /usr/lib/sftp-server)\"";
    let Some(server) = dropbear(&[], &public, no_sftp).await else {
        return;
    };
    let mut settings = server.settings(key);
    settings.file_transfer = FileTransfer::Sftp;
    let ssh = connect(settings).await.unwrap();
    let error = ssh
        .upload(&mut &b"x"[..], None, "/tmp/x", None, &Noted::default())
        .await
        .unwrap_err();
    let told = full(&error);
    assert!(told.contains("not there or cannot be run"), "{told}");
    assert!(
        told.contains("ssh_file_transfer_method = \"scp\""),
        "{told}"
    );
}

#[tokio::test]
async fn dropbear_may_want_a_key_and_the_password() {
    let (key, public) = key_pair();
    // Both of them.
    let Some(server) = dropbear(&["-t"], &public, "").await else {
        return;
    };
    let mut settings = server.settings(key.clone());
    settings.authentication.push(password(ROOTS_PASSWORD));
    let ssh = connect(settings.clone())
        .await
        .unwrap_or_else(|error| panic!("{}\n{}", full(&error), server.log()));
    assert!(run(&ssh, Command::new("true")).await.0.success());
    settings.authentication = vec![key];
    let error = connect(settings).await.unwrap_err();
    let told = full(&error);
    assert!(
        told.contains("was accepted") && told.contains("set ssh_password"),
        "{told}"
    );
}
