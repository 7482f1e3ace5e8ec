//! Waiting for the guest.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::peer::{Peer, Script};
use super::*;

/// Connects and returns what the observer was told.
async fn observe(settings: Settings, within: Duration) -> (Result<Ssh>, Vec<Attempt>) {
    let mut attempts = Vec::new();
    let deadline = Instant::now() + within;
    let mut observer = |attempt: &Attempt| attempts.push(attempt.clone());
    let result = connect_until(settings, deadline, &mut observer).await;
    (result, attempts)
}

fn stages(attempts: &[Attempt]) -> Vec<Option<Stage>> {
    let stage = |attempt: &Attempt| match &attempt.outcome {
        Outcome::Failed { failure, .. } => Some(failure.stage),
        Outcome::Connected { .. } => None,
    };
    attempts.iter().map(stage).collect()
}

#[tokio::test]
async fn each_credential_lets_in_where_the_guest_takes_it() {
    let (key, public) = key();
    let (other, _) = super::key();
    let secret = || Some("secret".to_owned());
    let table = [
        (
            "a key",
            Script {
                key: Some(public.clone()),
                ..Script::default()
            },
            vec![key.clone()],
        ),
        (
            "a password",
            Script {
                password: secret(),
                ..Script::default()
            },
            vec![password("secret")],
        ),
        (
            "a password by questions",
            Script {
                password: secret(),
                questions: true,
                ..Script::default()
            },
            vec![password("secret")],
        ),
        (
            "the second key",
            Script {
                key: Some(public.clone()),
                ..Script::default()
            },
            vec![other.clone(), key.clone()],
        ),
        (
            "a password after a key",
            Script {
                key: Some(public),
                password: secret(),
                ..Script::default()
            },
            vec![other, password("secret")],
        ),
    ];
    for (name, script, authentication) in table {
        let peer = Peer::start(script).await;
        let (ssh, attempts) = observe(settings(peer.address, authentication), ENOUGH).await;
        let ssh = ssh.unwrap_or_else(|error| panic!("{name}: {}", full(&error)));
        assert_eq!(stages(&attempts), [None], "{name}");
        ssh.disconnect().await.unwrap();
    }
}

#[tokio::test]
async fn an_rsa_key_signs_with_sha_2() {
    let pair = keys::generate(Algorithm::Rsa(2048), "").unwrap();
    let key = keys::parse("test", &pair.private_openssh, None).unwrap();
    let script = Script {
        key: Some(key.public_key().clone()),
        ..Script::default()
    };
    let peer = Peer::start(script).await;
    let key = Authentication::Key(pair.private_openssh);
    connect(settings(peer.address, vec![key])).await.unwrap();
    assert_eq!(peer.logins(), ["key rsa-sha2-512"]);
}

#[tokio::test]
async fn the_host_key_is_reported() {
    let peer = Peer::start(Script {
        password: Some("p".to_owned()),
        ..Script::default()
    })
    .await;
    let (ssh, attempts) = observe(settings(peer.address, vec![password("p")]), ENOUGH).await;
    ssh.unwrap();
    let Outcome::Connected { host_key, method } = &attempts[0].outcome else {
        panic!()
    };
    assert_eq!(host_key.algorithm, "ssh-ed25519");
    assert!(
        host_key.fingerprint.starts_with("SHA256:"),
        "{}",
        host_key.fingerprint
    );
    assert_eq!(method, "the password");
}

#[tokio::test]
async fn a_port_that_opens_late_is_found() {
    let (address, socket) = Peer::reserve();
    let script = Script {
        password: Some("p".to_owned()),
        ..Script::default()
    };
    let mut waiting = Some((socket, script));
    let mut peer = None;
    let mut failed = 0;
    // The guest comes up at the second failure, and not by the clock.
    let mut observer = |attempt: &Attempt| {
        if let Outcome::Failed { failure, .. } = &attempt.outcome {
            assert_eq!(failure.stage, Stage::Reach);
            failed += 1;
            if failed == 2 {
                let (socket, script) = waiting.take().unwrap();
                peer = Some(Peer::on(socket, script));
            }
        }
    };
    let settings = settings(address, vec![password("p")]);
    connect_until(settings, Instant::now() + ENOUGH, &mut observer)
        .await
        .unwrap();
    assert_eq!(failed, 2);
}

#[tokio::test]
async fn a_guest_that_hangs_up_is_tried_again() {
    let script = Script {
        hang_ups: 3,
        password: Some("p".to_owned()),
        ..Script::default()
    };
    let peer = Peer::start(script).await;
    let (ssh, attempts) = observe(settings(peer.address, vec![password("p")]), ENOUGH).await;
    ssh.unwrap();
    let hung_up = Some(Stage::Handshake);
    assert_eq!(stages(&attempts), [hung_up, hung_up, hung_up, None]);
}

/// With a user-mode network the first connections hang: they were made before the guest was there.
#[tokio::test]
async fn connections_that_hang_do_not_hold_up_the_next() {
    let script = Script {
        silences: 2,
        password: Some("p".to_owned()),
        ..Script::default()
    };
    let peer = Peer::start(script).await;
    let (ssh, attempts) = observe(settings(peer.address, vec![password("p")]), ENOUGH).await;
    ssh.unwrap();
    assert_eq!(stages(&attempts), [None]);
    assert!(attempts[0].number >= 3);
    assert!(
        attempts[0].elapsed < settings::IMPATIENCE,
        "{:?}",
        attempts[0].elapsed
    );
}

#[tokio::test]
async fn a_network_that_waits_for_our_first_line_gets_it_once() {
    let (key, public) = key();
    let guest = Peer::start(Script {
        key: Some(public),
        ..Script::default()
    })
    .await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let network = tokio::spawn(async move {
        let (mut outside, _) = listener.accept().await.unwrap();
        // As much as comes before the guest has said a word.
        let mut first = vec![0; 256];
        let length = outside.read(&mut first).await.unwrap();
        first.truncate(length);
        let mut inside = tokio::net::TcpStream::connect(guest.address).await.unwrap();
        inside.write_all(&first).await.unwrap();
        // The end of one side is no failure of this test.
        let _ = tokio::io::copy_bidirectional(&mut outside, &mut inside).await;
        String::from_utf8(first).unwrap()
    });
    let (ssh, _) = observe(settings(address, vec![key]), ENOUGH).await;
    ssh.unwrap().disconnect().await.unwrap();
    let first = network.await.unwrap();
    assert!(first.starts_with("SSH-2.0-lvhost_"), "{first}");
    assert_eq!(first.matches("\r\n").count(), 1, "{first}");
}

#[tokio::test]
async fn a_key_that_is_installed_late_is_tried_again() {
    let (key, public) = key();
    let peer = Peer::start(Script {
        refusals: 1,
        key: Some(public),
        ..Script::default()
    })
    .await;
    let (ssh, attempts) = observe(settings(peer.address, vec![key]), ENOUGH).await;
    ssh.unwrap();
    assert_eq!(stages(&attempts), [Some(Stage::Authenticate), None]);
}

#[tokio::test]
async fn giving_up_tells_what_was_tried() {
    let right = Some("right".to_owned());
    let peer = Peer::start(Script {
        hang_ups: 1,
        password: right,
        ..Script::default()
    })
    .await;
    let (key, _) = key();
    let mut settings = settings(peer.address, vec![key, password("wrong")]);
    settings.handshake_attempts = Some(1);
    let (result, attempts) = observe(settings, ENOUGH).await;
    let error = result.unwrap_err();
    let Error::Connect(ConnectError::GaveUp {
        failures, methods, ..
    }) = &error
    else {
        panic!("{error}");
    };
    assert_eq!(methods, &["the build's key", "the password"]);
    let reasons: Vec<&str> = failures
        .iter()
        .map(|failure| failure.reason.as_str())
        .collect();
    assert_eq!(
        reasons,
        [
            "the connection was closed before SSH began",
            "login refused: the guest takes nothing like the build's key, the password was refused \
             and the connection closed; the guest accepts password",
        ]
    );
    assert!(!full(&error).contains("wrong"));
    assert_eq!(
        stages(&attempts),
        [Some(Stage::Handshake), Some(Stage::Authenticate)]
    );
}

#[test]
fn the_error_of_a_wait_reads_well() {
    let failure = |stage, reason: &str| Failure {
        stage,
        reason: reason.to_owned(),
    };
    let gave_up = |failures| {
        ConnectError::GaveUp {
            address: "[fe80::1]:22".to_owned(),
            username: "packer".to_owned(),
            attempts: 3,
            waited: Duration::from_millis(90_400),
            methods: vec!["the password".to_owned(), "the build's key".to_owned()],
            failures,
        }
        .to_string()
    };
    assert_eq!(
        gave_up(vec![
            failure(Stage::Reach, "cannot connect: refused"),
            failure(Stage::Authenticate, "login refused"),
        ]),
        "no SSH connection to packer@[fe80::1]:22 after 3 attempts in 90 s (login refused; before \
         that: cannot connect: refused); tried the password, the build's key"
    );
    assert_eq!(
        gave_up(vec![]),
        "no SSH connection to packer@[fe80::1]:22 after 3 attempts in 90 s (no answer); tried the \
         password, the build's key"
    );
}

#[tokio::test]
async fn the_deadline_ends_the_wait() {
    let (address, _socket) = Peer::reserve();
    let (result, _) = observe(
        settings(address, vec![password("p")]),
        Duration::from_secs(1),
    )
    .await;
    let error = result.unwrap_err();
    assert!(error.is_connection());
    assert!(
        full(&error).contains("Connection refused"),
        "{}",
        full(&error)
    );
}

#[tokio::test]
async fn what_time_cannot_mend_is_not_waited_for() {
    let peer = Peer::start(Script::default()).await;
    let folder = tempfile::tempdir().unwrap();
    let broken = folder.path().join("broken");
    std::fs::write(&broken, "not a key").unwrap();
    let file = |path: &Path| Authentication::KeyFile {
        path: path.into(),
        passphrase: None,
    };
    let missing = folder.path().join("missing");
    for (authentication, expected) in [
        (vec![], "no way to authenticate"),
        (vec![file(&missing)], "cannot read the SSH private key"),
        (vec![file(&broken)], "cannot be used: is it a complete"),
        (
            vec![Authentication::Agent {
                socket: missing.clone(),
            }],
            "cannot reach the SSH agent",
        ),
    ] {
        let (result, attempts) = observe(settings(peer.address, authentication), ENOUGH).await;
        let message = full(&result.unwrap_err());
        assert!(message.contains(expected), "{message}");
        assert!(attempts.is_empty());
    }
    assert_eq!(peer.connections(), 0);
}

#[tokio::test]
async fn the_longest_times_are_taken() {
    let peer = Peer::start(Script {
        password: Some("p".to_owned()),
        ..Script::default()
    })
    .await;
    let mut settings = settings(peer.address, vec![password("p")]);
    settings.attempt_timeout = Duration::MAX;
    settings.reconnect_timeout = Duration::MAX;
    settings.keep_alive = None;
    let ssh = connect(settings).await.unwrap();
    let status = ssh
        .run(&Command::new("exit 0"), &mut Collected::default())
        .await
        .unwrap();
    assert!(status.success());
}

#[tokio::test]
async fn secrets_do_not_show() {
    let settings = settings(
        "127.0.0.1:22".parse().unwrap(),
        vec![password("hush"), key().0],
    );
    let shown = format!("{settings:?}");
    assert!(
        !shown.contains("hush") && !shown.contains("PRIVATE"),
        "{shown}"
    );
}
