//! Guests that keep the client busy with what is of no use to anybody.

use super::files::Trouble;
use super::peer::{Flood, Peer, Script};
use super::*;

/// What comes of a connection to a guest that floods it, if it is used for a transfer without an end.
async fn flooded(flood: Flood) -> String {
    let peer = Peer::start(Script {
        password: Some("secret".to_owned()),
        files: Some(Trouble::None),
        floods: Some(flood),
        ..Script::default()
    })
    .await;
    let mut settings = settings(peer.address, vec![password("secret")]);
    settings.reconnect_timeout = Duration::from_secs(1);
    let deadline = Instant::now() + Duration::from_secs(20);
    let ssh = match connect_until(settings, deadline, &mut |_| {}).await {
        Ok(ssh) => ssh,
        Err(error) => return full(&error),
    };
    let (mut endless, noted) = (tokio::io::repeat(7), Noted::default());
    let uploaded = ssh.upload(&mut endless, None, "/file", None, &noted);
    full(&uploaded.await.unwrap_err())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_that_floods_is_left() {
    for (flood, expected) in [
        (Flood::Keys, "asked for one key exchange after the other"),
        (Flood::Channels, "messages that are of no use"),
        (Flood::Requests, "messages that are of no use"),
    ] {
        let message = tokio::time::timeout(ENOUGH * 2, flooded(flood)).await;
        let message = message.unwrap_or_else(|_| panic!("{flood:?} goes on"));
        assert!(message.contains(expected), "{flood:?}: {message}");
    }
}

/// As many key exchanges as an honest server wants in a day end nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_guest_that_wants_other_keys_now_and_then_is_served() {
    let (_peer, ssh) = guest(Script {
        files: Some(Trouble::None),
        ..Script::default()
    })
    .await;
    for _ in 0..20 {
        let session = ssh.session(Instant::now() + ENOUGH).await.unwrap();
        session.handle.rekey_soon().await.unwrap();
        let (mut source, noted) = (&[7; 10_000][..], Noted::default());
        ssh.upload(&mut source, None, "/file", None, &noted)
            .await
            .unwrap();
    }
}
