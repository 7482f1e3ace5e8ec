//! Servers that allow few sessions at a time.

use super::*;

/// Everything that opens a channel, one after the other and several times over.
pub(super) async fn everything(server: &Server, ssh: &Ssh) {
    let source = server.path("source");
    std::fs::create_dir_all(source.join("inner")).unwrap();
    for name in ["a", "inner/b"] {
        std::fs::write(source.join(name), name).unwrap();
    }
    let (source, noted) = (source.to_str().unwrap(), Noted::default());
    for round in 0..5 {
        let target = server.path(&format!("up{round}"));
        let (status, stdout, _) = run(ssh, Command::new("echo one; exit 3")).await;
        let ended = (status, stdout.as_str());
        assert_eq!(ended, (ExitStatus::Code(3), "one\n"), "round {round}");
        let file = server.path("file");
        let path = file.to_str().unwrap();
        ssh.upload(&mut &b"x"[..], Some(1), path, Some(0o600), &noted)
            .await
            .unwrap();
        assert!(run(ssh, Command::new("true")).await.0.success());
        let mut back = Vec::new();
        ssh.download(path, &mut back, &noted).await.unwrap();
        assert_eq!(back, b"x");
        let into = target.to_str().unwrap();
        let up = ssh.upload_directory(Path::new(source), into, &[], &noted);
        up.await.unwrap();
        let down = server.path(&format!("down{round}"));
        let downloaded = ssh.download_directory(source, &down, &[], &noted);
        downloaded.await.unwrap();
        for folder in [target, down] {
            let copy = std::fs::read_to_string(folder.join("source/inner/b"));
            assert_eq!(copy.unwrap(), "inner/b");
        }
        // What fails must let go of its session as well.
        ssh.download("/no/such/file", &mut Vec::new(), &noted)
            .await
            .unwrap_err();
    }
}

#[tokio::test]
async fn one_session_at_a_time_is_enough() {
    for (method, lines) in [
        (
            FileTransfer::Sftp,
            "MaxSessions 1\nSubsystem sftp internal-sftp",
        ),
        (
            FileTransfer::Sftp,
            "MaxSessions 1\nSubsystem sftp /usr/lib/openssh/sftp-server",
        ),
        (FileTransfer::Scp, "MaxSessions 1"),
        // There is no SFTP, which is found out on a session of its own.
        (FileTransfer::SftpOrScp, "MaxSessions 1"),
    ] {
        if method != FileTransfer::Sftp && program("scp").is_none() {
            continue;
        }
        let Some(server) = Server::configured(|_| lines.to_owned()).await else {
            return;
        };
        let ssh = server.connected_by(method).await;
        everything(&server, &ssh).await;
        ssh.disconnect().await.unwrap();
        let log = server.log();
        // One connection: a refused session is no lost one.
        assert_eq!(log.matches("Accepted publickey").count(), 1, "{log}");
    }
}

#[tokio::test]
async fn calls_at_the_same_time_wait_for_each_other() {
    for most in [1, 2] {
        let lines = format!("MaxSessions {most}\nSubsystem sftp internal-sftp");
        let Some(server) = Server::configured(|_| lines).await else {
            return;
        };
        let ssh = server.connected().await;
        let path = server.path("file");
        let (noted, path) = (Noted::default(), path.to_str().unwrap().to_owned());
        let one = run(&ssh, Command::new("sleep 0.3; echo one"));
        let two = run(&ssh, Command::new("echo two"));
        let mut contents = &b"x"[..];
        let three = ssh.upload(&mut contents, None, &path, None, &noted);
        let four = run(&ssh, Command::new("sleep 0.1; echo four"));
        let ended = async { tokio::join!(one, two, three, four) };
        let ended = tokio::time::timeout(ENOUGH, ended).await.unwrap();
        assert_eq!(
            (&*ended.0.1, &*ended.1.1, &*ended.3.1),
            ("one\n", "two\n", "four\n")
        );
        ended.2.unwrap();
    }
}

/// Tells when a command says something.
struct Begun(Option<tokio::sync::oneshot::Sender<()>>);

impl Output for Begun {
    fn stdout(&mut self, _: &[u8]) {
        if let Some(sender) = self.0.take() {
            let _ = sender.send(());
        }
    }

    fn stderr(&mut self, _: &[u8]) {}
}

#[tokio::test]
async fn a_command_that_is_given_up_gives_its_session_back() {
    let lines = "MaxSessions 1\nSubsystem sftp internal-sftp";
    let Some(server) = Server::configured(|_| lines.to_owned()).await else {
        return;
    };
    let ssh = server.connected().await;
    for _ in 0..3 {
        let (sender, begun) = tokio::sync::oneshot::channel();
        let mut output = Begun(Some(sender));
        // It does not notice that its input has ended, but lasts a while longer.
        let command = Command::new("echo here; sleep 0.3");
        tokio::select! {
            ended = ssh.run(&command, &mut output) => { ended.unwrap(); }
            _ = begun => {}
        }
        assert!(run(&ssh, Command::new("true")).await.0.success());
    }
}

#[tokio::test]
async fn a_server_that_allows_no_session_says_where_to_look() {
    let Some(server) = Server::configured(|_| "MaxSessions 0".to_owned()).await else {
        return;
    };
    let ssh = server.connected().await;
    let error = ssh
        .run(&Command::new("true"), &mut Collected::default())
        .await
        .unwrap_err();
    assert!(error.to_string().contains("MaxSessions"), "{error}");
    assert!(!error.is_connection());
}
