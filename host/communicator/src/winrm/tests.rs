//! WinRM against a service of the tests' own.

mod server;

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use secrecy::SecretString;
use tokio::time::Instant;

use self::server::{Behaviour, PASSWORD, Server, USER};
use super::powershell::Line;
use super::transfer::Unseen;
use super::{Settings, WinRm, connect_until};
use crate::communicator::{Command, Communicator, ExitStatus, Output, Streams};
use crate::error::{Error, Result};

#[derive(Default)]
struct Heard {
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

impl Output for Heard {
    fn stdout(&mut self, bytes: &[u8]) {
        self.stdout.extend_from_slice(bytes);
    }

    fn stderr(&mut self, bytes: &[u8]) {
        self.stderr.extend_from_slice(bytes);
    }
}

fn settings(server: &Server, behaviour: &Behaviour) -> Settings {
    Settings {
        host: server.address.ip().to_string(),
        port: server.address.port(),
        username: USER.to_owned(),
        password: SecretString::from(PASSWORD),
        tls: behaviour.tls,
        insecure: true,
        ntlm: behaviour.ntlm,
    }
}

async fn connect_with(settings: Settings, patience: Duration) -> Result<WinRm> {
    connect_until(settings, Instant::now() + patience, &mut |_, _| {}).await
}

async fn connected(behaviour: Behaviour) -> (Server, WinRm) {
    let server = Server::start(behaviour.clone()).await;
    let winrm = connect_with(settings(&server, &behaviour), Duration::from_secs(60))
        .await
        .unwrap();
    (server, winrm)
}

async fn run(winrm: &WinRm, command: Command) -> (ExitStatus, Heard) {
    let mut heard = Heard::default();
    let status = winrm.run(&command, &mut heard).await.unwrap();
    (status, heard)
}

#[tokio::test]
async fn commands_by_every_way_in() {
    for (tls, ntlm) in [(false, false), (false, true), (true, false), (true, true)] {
        let (server, winrm) = connected(Behaviour {
            tls,
            ntlm,
            ..Behaviour::default()
        })
        .await;
        let command = Command::new("sleep 0.3; printf 'a<&>b'; printf oh >&2; exit 3");
        let (status, heard) = run(&winrm, command).await;
        assert_eq!(status, ExitStatus::Code(3), "tls {tls}, ntlm {ntlm}");
        assert_eq!(
            (&*heard.stdout, &*heard.stderr),
            (&b"a<&>b"[..], &b"oh"[..])
        );
        assert_eq!(server.shells(), 0);
    }
}

#[tokio::test]
async fn the_input_of_a_command() {
    let (_server, winrm) = connected(Behaviour::default()).await;
    let bytes: Vec<u8> = (0..300_000_u32).map(|number| number as u8).collect();
    let mut command = Command::new("cat");
    command.stdin = Some(Bytes::from(bytes.clone()));
    let (status, heard) = run(&winrm, command).await;
    assert!(status.success());
    assert!(heard.stdout == bytes);
}

#[tokio::test]
async fn streams() {
    let (_server, winrm) = connected(Behaviour::default()).await;
    let bytes: Vec<u8> = (0..300_000_u32).map(|number| (number * 7) as u8).collect();
    let (mut stdin, mut stdout) = (bytes.as_slice(), Vec::new());
    let mut started = 0;
    let streams = Streams {
        stdin: Some(&mut stdin),
        stdout: Some(&mut stdout),
        stderr: None,
        started: Some(&mut || started += 1),
    };
    let command = Command::new("cat; echo unheard >&2");
    let status = winrm.run_streaming(&command, streams).await.unwrap();
    assert!(status.success());
    assert_eq!(started, 1);
    assert!(stdout == bytes);
}

#[tokio::test]
async fn a_terminal_is_not_to_be_had() {
    let (_server, winrm) = connected(Behaviour::default()).await;
    let mut command = Command::new("true");
    command.pty = true;
    let error = winrm
        .run(&command, &mut Heard::default())
        .await
        .unwrap_err();
    assert!(matches!(error, Error::NotSupported { .. }));
}

#[tokio::test]
async fn a_guest_that_is_not_ready_is_waited_for() {
    for ntlm in [false, true] {
        let behaviour = Behaviour {
            ntlm,
            refusals: 2,
            ..Behaviour::default()
        };
        let server = Server::start(behaviour.clone()).await;
        let mut failures = Vec::new();
        let deadline = Instant::now() + Duration::from_secs(60);
        let mut observer = |number, reason: &str| failures.push((number, reason.to_owned()));
        connect_until(settings(&server, &behaviour), deadline, &mut observer)
            .await
            .unwrap();
        let refused = "the guest refused the login of Administrator";
        assert_eq!(
            failures,
            [(1, refused.to_owned()), (2, refused.to_owned())],
            "ntlm {ntlm}"
        );
    }
}

#[tokio::test]
async fn why_a_guest_does_not_let_us_in() {
    let basic = Behaviour::default();
    let ntlm = Behaviour {
        ntlm: true,
        ..Behaviour::default()
    };
    let tls = Behaviour {
        tls: true,
        ..Behaviour::default()
    };
    let change = |change: fn(&mut Settings)| change;
    for (behaviour, change, expected) in [
        (
            &basic,
            change(|settings| settings.password = SecretString::from("wrong")),
            "the guest refused the login of Administrator",
        ),
        (
            &ntlm,
            change(|settings| settings.password = SecretString::from("wrong")),
            "the guest refused the login of Administrator",
        ),
        (
            &basic,
            change(|settings| settings.ntlm = true),
            "the guest takes logins by Basic only: unset winrm_use_ntlm",
        ),
        (
            &ntlm,
            change(|settings| settings.ntlm = false),
            "the guest takes logins by Negotiate only: set winrm_use_ntlm, or allow basic",
        ),
        (
            &tls,
            change(|settings| settings.insecure = false),
            "set winrm_insecure to accept a certificate that the guest signed itself",
        ),
    ] {
        let server = Server::start(behaviour.clone()).await;
        let mut settings = settings(&server, behaviour);
        change(&mut settings);
        let (sender, mut reasons) = tokio::sync::mpsc::unbounded_channel();
        let mut observer = |_, reason: &str| {
            let _ = sender.send(reason.to_owned());
        };
        let deadline = Instant::now() + Duration::from_secs(60);
        let reason = tokio::select! {
            ended = connect_until(settings, deadline, &mut observer) => panic!("{ended:?}"),
            reason = reasons.recv() => reason.unwrap(),
        };
        assert!(reason.contains(expected), "{reason}");
        assert!(!reason.contains("wrong"), "{reason}");
    }
}

#[tokio::test]
async fn a_wait_has_its_end() {
    let behaviour = Behaviour {
        refusals: usize::MAX,
        ..Behaviour::default()
    };
    let server = Server::start(behaviour.clone()).await;
    let error = connect_with(settings(&server, &behaviour), Duration::ZERO)
        .await
        .unwrap_err();
    assert!(error.is_connection());
    let expected = format!(
        "no WinRM connection to {USER}@{} after 1 attempts",
        server.address
    );
    assert!(error.to_string().starts_with(&expected), "{error}");
}

#[tokio::test]
async fn a_command_whose_guest_reboots_has_no_exit_code() {
    let (server, winrm) = connected(Behaviour::default()).await;
    let mut stdout = Vec::new();
    let streams = Streams {
        stdout: Some(&mut stdout),
        started: Some(&mut || server.reboot()),
        ..Streams::default()
    };
    let command = Command::new("exec sleep 1000");
    let status = winrm.run_streaming(&command, streams).await.unwrap();
    assert_eq!(status, ExitStatus::Missing);
    // And the next one finds the guest again.
    assert!(run(&winrm, Command::new("true")).await.0.success());
}

#[tokio::test]
async fn a_command_that_is_given_up_leaves_no_shell() {
    let (server, winrm) = connected(Behaviour::default()).await;
    let (sender, started) = tokio::sync::oneshot::channel();
    let mut sender = Some(sender);
    {
        let mut started_now = || {
            sender.take().unwrap().send(()).unwrap();
        };
        let streams = Streams {
            started: Some(&mut started_now),
            ..Streams::default()
        };
        let command = Command::new("exec sleep 1000");
        tokio::select! {
            status = winrm.run_streaming(&command, streams) => panic!("{status:?}"),
            _ = started => {}
        }
    }
    let gone = async {
        while server.shells() > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), gone)
        .await
        .unwrap();
}

#[tokio::test]
async fn files_there_and_back() {
    let (server, winrm) = connected(Behaviour::default()).await;
    for length in [0, 1, 24 * 1024, 500_000_usize] {
        let bytes: Vec<u8> = (0..length).map(|number| (number * 31) as u8).collect();
        winrm
            .upload(
                &mut bytes.as_slice(),
                Some(length as u64),
                "deep/down/file",
                None,
                &Unseen,
            )
            .await
            .unwrap();
        let there = std::fs::read(server.folder.path().join("deep/down/file")).unwrap();
        assert!(there == bytes, "{length}");
        let mut back = Vec::new();
        let count = winrm
            .download("deep/down/file", &mut back, &Unseen)
            .await
            .unwrap();
        assert_eq!(count, length as u64);
        assert!(back == bytes, "{length}");
    }
}

#[tokio::test]
async fn folders_there_and_back() {
    let (server, winrm) = connected(Behaviour::default()).await;
    let local = tempfile::tempdir().unwrap();
    let source = local.path().join("tree");
    std::fs::create_dir_all(source.join("a/empty")).unwrap();
    std::fs::create_dir_all(source.join("skipped/in")).unwrap();
    std::fs::write(source.join("a/one"), "1").unwrap();
    std::fs::write(source.join("two ä"), "22").unwrap();
    std::fs::write(source.join("a/left.out"), "").unwrap();
    std::fs::write(source.join("skipped/in/x"), "").unwrap();
    std::os::unix::fs::symlink("..", source.join("a/loop")).unwrap();
    let exclude = ["*.out".to_owned(), "skipped".to_owned()];

    winrm
        .upload_directory(&source, "itself", &exclude, &Unseen)
        .await
        .unwrap();
    let contents = format!("{}/", source.display());
    winrm
        .upload_directory(Path::new(&contents), "contents", &exclude, &Unseen)
        .await
        .unwrap();
    let guest = server.folder.path();
    for root in [guest.join("itself/tree"), guest.join("contents")] {
        assert_eq!(std::fs::read(root.join("a/one")).unwrap(), b"1");
        assert_eq!(std::fs::read(root.join("two ä")).unwrap(), b"22");
        assert!(root.join("a/empty").is_dir());
        for missing in ["a/left.out", "skipped", "a/loop"] {
            assert!(!root.join(missing).exists(), "{missing}");
        }
    }

    let back = local.path().join("back");
    let exclude = ["a/empty".to_owned(), "two*".to_owned()];
    winrm
        .download_directory("contents", &back, &exclude, &Unseen)
        .await
        .unwrap();
    assert_eq!(std::fs::read(back.join("contents/a/one")).unwrap(), b"1");
    assert!(!back.join("contents/a/empty").exists());
    assert!(!back.join("contents/two ä").exists());
    winrm
        .download_directory("contents/", &back, &[], &Unseen)
        .await
        .unwrap();
    assert_eq!(std::fs::read(back.join("two ä")).unwrap(), b"22");
    assert!(back.join("a/empty").is_dir());
}

#[tokio::test]
async fn what_cannot_be_transferred() {
    let (_server, winrm) = connected(Behaviour::default()).await;
    let error = winrm
        .download("nothing", &mut Vec::new(), &Unseen)
        .await
        .unwrap_err();
    let text = error.to_string();
    assert!(
        text.starts_with("cannot read nothing in the guest: No such file"),
        "{text}"
    );

    let (_server, winrm) = connected(Behaviour {
        corrupts: true,
        ..Behaviour::default()
    })
    .await;
    let error = winrm
        .upload(&mut &b"abc"[..], None, "file", None, &Unseen)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("SHA-256"), "{error}");
}

#[tokio::test]
async fn a_guest_does_not_choose_where_its_files_go() {
    for path in ["../up", "/etc/passwd", "a/../../up", "", "a//b"] {
        let (_server, winrm) = connected(Behaviour {
            lines: Some(vec![
                Line::File(path.to_owned()),
                Line::Bytes(b"x".to_vec()),
            ]),
            ..Behaviour::default()
        })
        .await;
        let outer = tempfile::tempdir().unwrap();
        let destination = outer.path().join("destination");
        let error = winrm
            .download_directory("folder/", &destination, &[], &Unseen)
            .await
            .unwrap_err();
        assert!(matches!(error, Error::Unsafe { .. }), "{path}: {error}");
        assert!(!outer.path().join("up").exists());
    }
}

#[tokio::test]
async fn no_link_that_is_there_leads_a_download_out_of_its_folder() {
    let folder = |path: &str| Line::Folder(path.to_owned());
    let file = |path: &str| Line::File(path.to_owned());
    for (source, lines, leads) in [
        ("folder/", vec![folder("link")], "link"),
        ("folder/", vec![file("link/new")], "link"),
        ("folder/", vec![folder("a"), file("a/link/b/new")], "a/link"),
        ("some\\link", vec![file("new")], "link"),
    ] {
        let (_server, winrm) = connected(Behaviour {
            lines: Some(lines.clone()),
            ..Behaviour::default()
        })
        .await;
        let outer = tempfile::tempdir().unwrap();
        let destination = outer.path().join("destination");
        std::fs::create_dir_all(destination.join("a")).unwrap();
        std::fs::create_dir(outer.path().join("outside")).unwrap();
        std::os::unix::fs::symlink(outer.path().join("outside"), destination.join(leads)).unwrap();
        let error = winrm
            .download_directory(source, &destination, &[], &Unseen)
            .await
            .unwrap_err();
        let said = std::error::Error::source(&error).unwrap().to_string();
        assert!(said.contains("it is a link"), "{lines:?}: {said}");
        let outside = std::fs::read_dir(outer.path().join("outside")).unwrap();
        assert_eq!(outside.count(), 0, "{lines:?}");
    }
}

#[tokio::test]
async fn what_a_guest_may_not_send() {
    let file = || Line::File(String::new());
    for lines in [
        vec![],
        vec![file()],
        vec![file(), Line::Bytes(b"x".to_vec())],
        vec![file(), Line::Folder("a".to_owned())],
        vec![
            file(),
            Line::Bytes(b"x".to_vec()),
            Line::End("00".to_owned()),
        ],
        vec![Line::Folder("a".to_owned())],
    ] {
        let (_server, winrm) = connected(Behaviour {
            lines: Some(lines.clone()),
            ..Behaviour::default()
        })
        .await;
        let error = winrm
            .download("file", &mut Vec::new(), &Unseen)
            .await
            .unwrap_err();
        assert!(matches!(error, Error::Remote { .. }), "{lines:?}: {error}");
    }
}

#[tokio::test]
async fn a_file_that_comes_in_half_leaves_what_was_there() {
    for ending in [vec![], vec![Line::End("00".to_owned())]] {
        for before in [Some("precious"), None] {
            let mut lines = vec![Line::File("file".to_owned()), Line::Bytes(b"half".to_vec())];
            lines.extend(ending.clone());
            let (_server, winrm) = connected(Behaviour {
                lines: Some(lines),
                ..Behaviour::default()
            })
            .await;
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("file");
            if let Some(text) = before {
                std::fs::write(&file, text).unwrap();
            }
            winrm
                .download_directory("folder/", folder.path(), &[], &Unseen)
                .await
                .unwrap_err();
            assert_eq!(std::fs::read_to_string(&file).ok().as_deref(), before);
            let names = std::fs::read_dir(folder.path()).unwrap().count();
            assert_eq!(names, usize::from(before.is_some()), "no half file is left");
        }
    }
}
