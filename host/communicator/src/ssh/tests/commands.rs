//! Running commands.

use bytes::Bytes;

use super::peer::Script;
use super::*;

async fn run(ssh: &Ssh, text: &str) -> (ExitStatus, String, String) {
    let mut output = Collected::default();
    let status = ssh.run(&Command::new(text), &mut output).await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status, text(output.stdout), text(output.stderr))
}

#[tokio::test]
async fn a_command_ends_as_the_guest_says() {
    let (_peer, ssh) = guest(Script::default()).await;
    for (command, expected, words) in [
        ("exit 0", ExitStatus::Code(0), "exit code 0"),
        ("exit 3", ExitStatus::Code(3), "exit code 3"),
        (
            "exit 4294967295",
            ExitStatus::Code(u32::MAX),
            "exit code 4294967295",
        ),
        (
            "signal KILL",
            ExitStatus::Signal("KILL".to_owned()),
            "signal KILL",
        ),
        (
            "signal ODD",
            ExitStatus::Signal("ODD".to_owned()),
            "signal ODD",
        ),
        ("silent-end", ExitStatus::Missing, "no exit status"),
    ] {
        let (status, ..) = run(&ssh, command).await;
        assert_eq!(status, expected, "{command}");
        assert_eq!(status.success(), command == "exit 0");
        assert!(status.to_string().starts_with(words), "{status}");
    }
}

#[tokio::test]
async fn both_streams_arrive_apart() {
    let (_peer, ssh) = guest(Script::default()).await;
    let (status, stdout, stderr) = run(&ssh, "both").await;
    assert_eq!(
        (status, &*stdout, &*stderr),
        (ExitStatus::Code(0), "to stdout\n", "to stderr\n")
    );
}

#[tokio::test]
async fn much_output_arrives_in_pieces_and_complete() {
    struct Counted {
        total: usize,
        largest: usize,
    }
    impl Output for Counted {
        fn stdout(&mut self, bytes: &[u8]) {
            self.total += bytes.len();
            self.largest = self.largest.max(bytes.len());
            assert!(bytes.iter().all(|byte| *byte == b'x'));
        }
        fn stderr(&mut self, _: &[u8]) {
            panic!("nothing goes there");
        }
    }
    let (_peer, ssh) = guest(Script::default()).await;
    let mut counted = Counted {
        total: 0,
        largest: 0,
    };
    let status = ssh
        .run(&Command::new("large 10485760"), &mut counted)
        .await
        .unwrap();
    assert_eq!(status, ExitStatus::Code(0));
    assert_eq!(counted.total, 10 << 20);
    assert!(counted.largest <= 64 << 10, "{}", counted.largest);
}

#[tokio::test]
async fn input_reaches_the_command_and_ends() {
    let (_peer, ssh) = guest(Script::default()).await;
    // More than a window: the command must be read from while it is fed.
    let input = Bytes::from(vec![b'i'; 5 << 20]);
    let command = Command {
        stdin: Some(input.clone()),
        ..Command::new("cat")
    };
    let mut output = Collected::default();
    assert!(ssh.run(&command, &mut output).await.unwrap().success());
    assert_eq!(output.stdout, input);
    let (status, stdout, _) = run(&ssh, "cat").await;
    assert_eq!((status, &*stdout), (ExitStatus::Code(0), ""));
}

#[tokio::test]
async fn a_terminal_is_given_when_asked_for() {
    let (_peer, ssh) = guest(Script {
        terminal: true,
        ..Script::default()
    })
    .await;
    for pty in [false, true] {
        let command = Command {
            pty,
            ..Command::new("terminal")
        };
        let mut output = Collected::default();
        ssh.run(&command, &mut output).await.unwrap();
        assert_eq!(output.stdout, pty.to_string().as_bytes());
    }
}

#[tokio::test]
async fn what_the_guest_refuses_is_named() {
    let (peer, ssh) = guest(Script::default()).await;
    for (command, expected) in [
        (
            Command {
                pty: true,
                ..Command::new("exit 0")
            },
            "a pseudo-terminal: see PermitTTY",
        ),
        (Command::new("refuse"), "to run a command: see ForceCommand"),
    ] {
        let error = ssh
            .run(&command, &mut Collected::default())
            .await
            .unwrap_err();
        let message = error.to_string();
        assert!(
            message.starts_with(&format!("{} refused {expected}", peer.address)),
            "{message}"
        );
        assert!(!error.is_connection());
    }
}

#[tokio::test]
async fn after_a_lost_connection_the_next_call_has_a_new_one() {
    let (peer, ssh) = guest(Script::default()).await;
    let (status, stdout, _) = run(&ssh, "drop").await;
    assert_eq!((status, &*stdout), (ExitStatus::Missing, "going down\n"));
    let (status, ..) = run(&ssh, "exit 7").await;
    assert_eq!(status, ExitStatus::Code(7));
    assert_eq!(peer.logins().len(), 2);
}

#[tokio::test]
async fn calls_side_by_side_share_one_connection() {
    let (peer, ssh) = guest(Script::default()).await;
    run(&ssh, "drop").await;
    let (first, second) = tokio::join!(run(&ssh, "exit 1"), run(&ssh, "exit 2"));
    assert_eq!(
        (first.0, second.0),
        (ExitStatus::Code(1), ExitStatus::Code(2))
    );
    assert_eq!(peer.logins().len(), 2);
}

#[tokio::test]
async fn a_guest_that_stays_away_is_an_error_of_the_connection() {
    let peer = peer::Peer::start(Script {
        password: Some("secret".to_owned()),
        ..Script::default()
    })
    .await;
    let mut settings = settings(peer.address, vec![password("secret")]);
    settings.reconnect_timeout = Duration::from_millis(300);
    let ssh = connect(settings).await.unwrap();
    run(&ssh, "drop").await;
    drop(peer);
    let error = ssh
        .run(&Command::new("exit 0"), &mut Collected::default())
        .await
        .unwrap_err();
    assert!(error.is_connection(), "{error}");
}

#[tokio::test]
async fn a_command_given_up_is_closed_in_the_guest() {
    struct Began(tokio::sync::mpsc::UnboundedSender<()>);
    impl Output for Began {
        fn stdout(&mut self, _: &[u8]) {
            let _ = self.0.send(());
        }
        fn stderr(&mut self, _: &[u8]) {}
    }
    let (peer, ssh) = guest(Script::default()).await;
    let (sender, mut began) = tokio::sync::mpsc::unbounded_channel();
    let (command, mut output) = (Command::new("hang"), Began(sender));
    tokio::select! {
        ended = ssh.run(&command, &mut output) => panic!("{ended:?}"),
        _ = began.recv() => {}
    }
    tokio::time::timeout(ENOUGH, peer.given_up.notified())
        .await
        .unwrap();
    // The connection is still good.
    assert!(run(&ssh, "exit 0").await.0.success());
    assert_eq!(peer.logins().len(), 1);
}

#[tokio::test]
async fn goodbye_can_be_said_twice() {
    let (_peer, ssh) = guest(Script::default()).await;
    ssh.disconnect().await.unwrap();
    ssh.disconnect().await.unwrap();
}
