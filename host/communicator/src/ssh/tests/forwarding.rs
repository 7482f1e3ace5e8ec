//! What a guest may reach through the connection, and the streams of commands.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::peer::Script;
use super::*;

#[tokio::test]
async fn a_guest_opens_nothing_that_it_was_not_given() {
    let (_peer, ssh) = guest(Script::default()).await;
    let mut output = Collected::default();
    let status = ssh.run(&Command::new("intrude"), &mut output).await;
    assert!(status.unwrap().success());
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(said, "tried 7, taken: ");
}

#[tokio::test]
async fn a_guest_opens_no_more_than_a_bounded_number_of_connections() {
    let target = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let peer = peer::Peer::start(Script {
        password: Some("secret".to_owned()),
        forwards: true,
        ..Script::default()
    })
    .await;
    let mut settings = settings(peer.address, vec![password("secret")]);
    settings.remote_tunnels = vec![Tunnel {
        listen_port: 8080,
        host: "127.0.0.1".to_owned(),
        port: target.local_addr().unwrap().port(),
    }];
    let ssh = connect(settings).await.unwrap();
    for (port, expected) in [(8081, 0), (8080, forward::FORWARDED_MAXIMUM)] {
        let mut output = Collected::default();
        let command = Command::new(format!("flood {port}"));
        assert!(ssh.run(&command, &mut output).await.unwrap().success());
        let said = String::from_utf8(output.stdout).unwrap();
        assert_eq!(said, format!("taken: {expected}"));
    }
}

#[tokio::test]
async fn a_command_takes_and_gives_streams() {
    let (_peer, ssh) = guest(Script::default()).await;
    // The input comes only as the output is taken: neither side may wait for the other's end.
    let (mut input, mut stdin) = tokio::io::duplex(16);
    let (mut stdout, mut output) = tokio::io::duplex(16);
    let mut begun = 0;
    let mut started = || begun += 1;
    let command = Command::new("cat");
    let running = ssh.run_streaming(
        &command,
        Streams {
            stdin: Some(&mut stdin),
            stdout: Some(&mut stdout),
            stderr: None,
            started: Some(&mut started),
        },
    );
    let talking = async move {
        for number in 0..100_u8 {
            let said = [number; 100];
            let mut heard = [0; 100];
            input.write_all(&said).await.unwrap();
            output.read_exact(&mut heard).await.unwrap();
            assert_eq!(said, heard);
        }
        input.shutdown().await.unwrap();
        // Kept until the end: a taker that is gone would be no matter either.
        output
    };
    let (status, _output) = tokio::join!(running, talking);
    assert_eq!(status.unwrap(), ExitStatus::Code(0));
    assert_eq!(begun, 1);
}

#[tokio::test]
async fn streams_that_are_gone_do_not_hold_a_command_up() {
    let (_peer, ssh) = guest(Script::default()).await;
    let (mut stdout, gone) = tokio::io::duplex(16);
    drop(gone);
    let mut stderr = Vec::new();
    let command = Command::new("large 10485760");
    let streams = Streams {
        stdout: Some(&mut stdout),
        stderr: Some(&mut stderr),
        ..Streams::default()
    };
    let status = ssh.run_streaming(&command, streams).await.unwrap();
    assert!(status.success());
    let streams = Streams {
        stderr: Some(&mut stderr),
        ..Streams::default()
    };
    let status = ssh.run_streaming(&Command::new("both"), streams).await;
    assert!(status.unwrap().success());
    assert_eq!(stderr, b"to stderr\n");
}

#[tokio::test]
async fn a_command_that_is_refused_has_not_started() {
    let (_peer, ssh) = guest(Script::default()).await;
    let mut begun = false;
    let mut started = || begun = true;
    let mut stdin = &b"kept"[..];
    let streams = Streams {
        stdin: Some(&mut stdin),
        started: Some(&mut started),
        ..Streams::default()
    };
    let refused = ssh.run_streaming(&Command::new("refuse"), streams).await;
    assert!(matches!(refused, Err(Error::Refused { .. })));
    assert!(!begun);
    assert_eq!(stdin, b"kept");
}
