//! Connections that stand still.

use super::peer::{Peer, Script};
use super::proxies::Relay;
use super::*;

/// How long nothing may move: much longer than a busy machine takes to compute an answer.
const STILL: Duration = Duration::from_secs(3);

/// A guest behind a relay, and the settings to reach it.
async fn behind_a_relay(timeout: Duration) -> (Peer, Relay, Settings) {
    let guest = Peer::start(Script {
        password: Some("secret".to_owned()),
        ..Script::default()
    })
    .await;
    let relay = Relay::start(guest.address).await;
    let mut settings = settings(relay.address(), vec![password("secret")]);
    settings.read_write_timeout = Some(timeout);
    (guest, relay, settings)
}

/// Stops the relay as soon as the command says something.
struct Stop<'a>(&'a Relay);

impl Output for Stop<'_> {
    fn stdout(&mut self, _: &[u8]) {
        self.0.flow(false);
    }

    fn stderr(&mut self, _: &[u8]) {}
}

#[tokio::test]
async fn a_connection_that_stalls_is_given_up_and_made_anew() {
    for keep_alive in [None, Some(STILL / 10)] {
        let (guest, relay, mut settings) = behind_a_relay(STILL).await;
        settings.keep_alive = keep_alive;
        let ssh = connect(settings).await.unwrap();
        let before = guest.connections();
        let (command, mut stop) = (Command::new("hang"), Stop(&relay));
        let running = ssh.run(&command, &mut stop);
        let status = tokio::time::timeout(ENOUGH, running).await.unwrap();
        assert_eq!(status.unwrap(), ExitStatus::Missing);
        relay.flow(true);
        let status = ssh
            .run(&Command::new("exit 5"), &mut Collected::default())
            .await;
        assert_eq!(status.unwrap(), ExitStatus::Code(5));
        assert_eq!(guest.connections(), before + 1);
    }
}

#[tokio::test]
async fn an_upload_that_stalls_fails() {
    let guest = Peer::start(Script {
        password: Some("secret".to_owned()),
        files: Some(files::Trouble::None),
        ..Script::default()
    })
    .await;
    let relay = Relay::start(guest.address).await;
    let mut settings = settings(relay.address(), vec![password("secret")]);
    settings.read_write_timeout = Some(STILL);
    let ssh = connect(settings).await.unwrap();
    /// Stops the relay at the first bytes.
    struct Halt<'a>(&'a Relay);
    impl Progress for Halt<'_> {
        fn started(&self, _: &str, _: Option<u64>) {}
        fn advanced(&self, _: u64) {
            self.0.flow(false);
        }
        fn finished(&self) {}
    }
    let mut endless = tokio::io::repeat(7);
    let halt = Halt(&relay);
    let uploading = ssh.upload(&mut endless, None, "/file", None, &halt);
    let error = tokio::time::timeout(ENOUGH, uploading).await.unwrap();
    let error = error.unwrap_err();
    assert!(error.is_connection());
    assert!(
        full(&error).contains("longer than its read and write timeout"),
        "{}",
        full(&error)
    );
}

#[tokio::test]
async fn a_guest_that_is_silent_but_lives_is_waited_for() {
    let (guest, relay, mut settings) = behind_a_relay(STILL).await;
    settings.keep_alive = Some(STILL / 20);
    let ssh = connect(settings).await.unwrap();
    let (command, mut output) = (Command::new("hang"), Collected::default());
    let before = guest.connections();
    // So many answers to keep-alive messages take half as long again as nothing may move.
    tokio::select! {
        ended = ssh.run(&command, &mut output) => panic!("{ended:?}"),
        () = relay.pieces(30) => {}
    }
    assert_eq!(guest.connections(), before);
}
