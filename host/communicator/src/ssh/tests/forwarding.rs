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

/// An agent that says back what it is asked, and how often it was asked for.
async fn agent(folder: &Path) -> (std::path::PathBuf, JoinSet<()>) {
    let socket = folder.join("agent");
    let listener = tokio::net::UnixListener::bind(&socket).unwrap();
    let mut task = JoinSet::new();
    task.spawn(async move {
        let mut running = JoinSet::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            running.spawn(async move {
                let (mut reader, mut writer) = stream.split();
                let _ = tokio::io::copy(&mut reader, &mut writer).await;
            });
        }
    });
    (socket, task)
}

#[tokio::test]
async fn the_agent_is_lent_if_it_is_asked_for_and_while_a_command_runs() {
    let folder = tempfile::tempdir().unwrap();
    let (socket, _agent) = agent(folder.path()).await;
    let lent = [
        "during: taken",
        "during: answered",
        "after: closed",
        "after: refused",
    ];
    for (forwarded, expected) in [
        (true, &lent[..]),
        (false, &["during: refused", "after: refused"][..]),
    ] {
        let peer = peer::Peer::start(Script {
            password: Some("secret".to_owned()),
            grabs_agent: true,
            ..Script::default()
        })
        .await;
        let mut settings = settings(peer.address, vec![password("secret")]);
        settings.agent_forwarding = forwarded.then(|| socket.clone());
        let ssh = connect(settings).await.unwrap();
        peer.tried.notified().await;
        assert_eq!(peer.agent(), ["before: refused"], "{forwarded}");
        for _ in 0..2 {
            let before = peer.agent().len();
            let command = Command::new("keep the agent");
            let ended = ssh.run(&command, &mut Collected::default()).await;
            assert!(ended.unwrap().success());
            peer.tried.notified().await;
            assert_eq!(peer.agent()[before..], *expected, "{forwarded}");
        }
    }
}

#[tokio::test]
async fn a_transfer_lends_no_agent() {
    let folder = tempfile::tempdir().unwrap();
    let (socket, _agent) = agent(folder.path()).await;
    let peer = peer::Peer::start(Script {
        password: Some("secret".to_owned()),
        files: Some(files::Trouble::GrabsAgent),
        ..Script::default()
    })
    .await;
    let mut settings = settings(peer.address, vec![password("secret")]);
    settings.agent_forwarding = Some(socket);
    let ssh = connect(settings).await.unwrap();
    let noted = Noted::default();
    let mut source = &b"x"[..];
    let error = ssh.upload(&mut source, None, "/file", None, &noted).await;
    let message = full(&error.unwrap_err());
    assert!(message.contains("no agent"), "{message}");
}
