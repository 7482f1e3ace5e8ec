//! Servers whose host key changes.

use russh::keys::Algorithm as Kind;

use super::peer::{Peer, Script};
use super::*;

fn host_key(kind: Kind) -> PrivateKey {
    PrivateKey::random(&mut rand::rng(), kind).unwrap()
}

fn fingerprint(key: &PrivateKey) -> String {
    HostKey::of(key.public_key()).fingerprint
}

/// A guest that shows `host_key` and lets in by password, key and questions.
async fn guest_with(host_key: &PrivateKey, script: Script) -> Peer {
    Peer::start(Script {
        password: Some("secret".to_owned()),
        host_keys: vec![host_key.clone()],
        ..script
    })
    .await
}

/// The guest goes away, as for a reboot.
async fn reboot(ssh: &Ssh) {
    let status = ssh
        .run(&Command::new("drop"), &mut Collected::default())
        .await;
    assert_eq!(status.unwrap(), ExitStatus::Missing);
}

async fn works(ssh: &Ssh) -> Result<ExitStatus> {
    ssh.run(&Command::new("exit 0"), &mut Collected::default())
        .await
}

#[tokio::test]
async fn a_guest_that_comes_back_with_another_key_gets_no_credential() {
    let (key, public) = key();
    let questions = Script {
        questions: true,
        ..Script::default()
    };
    let keyed = Script {
        key: Some(public),
        ..Script::default()
    };
    for (script, credential) in [
        (Script::default(), password("secret")),
        (questions, password("secret")),
        (keyed, key),
    ] {
        let (first, second) = (host_key(Kind::Ed25519), host_key(Kind::Ed25519));
        let peer = guest_with(&first, script).await;
        let ssh = connect(settings(peer.address, vec![credential]))
            .await
            .unwrap();
        reboot(&ssh).await;
        assert!(
            works(&ssh).await.unwrap().success(),
            "the same key is no matter"
        );
        reboot(&ssh).await;
        peer.show(std::slice::from_ref(&second));
        let before = (peer.logins().len(), peer.answers().len());
        for _ in 0..2 {
            let error = works(&ssh).await.unwrap_err();
            let changed = matches!(error, Error::Connect(ConnectError::HostKeyChanged { .. }));
            assert!(changed, "{}", full(&error));
            let message = full(&error);
            for expected in [&fingerprint(&first), &fingerprint(&second)] {
                assert!(message.contains(expected.as_str()), "{message}");
            }
        }
        assert_eq!((peer.logins().len(), peer.answers().len()), before);
        // The first one is still good.
        peer.show(&[first]);
        assert!(works(&ssh).await.unwrap().success());
    }
}

#[tokio::test]
async fn a_key_that_let_nobody_in_holds_nothing() {
    // An installer's server refuses the user that only the installed system has.
    let (installer, system) = (host_key(Kind::Ed25519), host_key(Kind::Ed25519));
    let peer = guest_with(
        &installer,
        Script {
            refusals: 1,
            ..Script::default()
        },
    )
    .await;
    let mut observer = |attempt: &Attempt| {
        if let Outcome::Failed { failure, .. } = &attempt.outcome {
            assert_eq!(failure.stage, Stage::Authenticate);
            peer.show(std::slice::from_ref(&system));
        }
    };
    let settings = settings(peer.address, vec![password("secret")]);
    let ssh = connect_until(settings, Instant::now() + ENOUGH, &mut observer)
        .await
        .unwrap();
    reboot(&ssh).await;
    peer.show(&[installer]);
    assert!(works(&ssh).await.is_err());
}

#[tokio::test]
async fn a_change_of_the_key_can_be_allowed() {
    let peer = guest_with(&host_key(Kind::Ed25519), Script::default()).await;
    let mut settings = settings(peer.address, vec![password("secret")]);
    settings.host_key_may_change = true;
    let ssh = connect(settings).await.unwrap();
    for _ in 0..2 {
        reboot(&ssh).await;
        peer.show(&[host_key(Kind::Ed25519)]);
        assert!(works(&ssh).await.unwrap().success());
    }
}

#[tokio::test]
async fn a_key_of_another_kind_beside_the_first_is_no_change() {
    let first = host_key(Kind::Rsa { hash: None });
    let peer = guest_with(&first, Script::default()).await;
    let ssh = connect(settings(peer.address, vec![password("secret")]))
        .await
        .unwrap();
    reboot(&ssh).await;
    peer.show(&[host_key(Kind::Ed25519), first]);
    assert!(works(&ssh).await.unwrap().success());
    reboot(&ssh).await;
    peer.show(&[host_key(Kind::Ed25519)]);
    assert!(works(&ssh).await.is_err());
}

#[tokio::test]
async fn a_bastion_that_comes_back_with_another_key_gets_no_credential() {
    let (first, second) = (host_key(Kind::Ed25519), host_key(Kind::Ed25519));
    let guest = guest_with(&host_key(Kind::Ed25519), Script::default()).await;
    let jump = guest_with(
        &first,
        Script {
            forwards: true,
            ..Script::default()
        },
    )
    .await;
    let mut settings = settings(guest.address, vec![password("secret")]);
    settings.route = Route::Bastion(Bastion {
        host: jump.address.ip().to_string(),
        port: jump.address.port(),
        username: "jump".to_owned(),
        authentication: vec![password("secret")],
    });
    let ssh = connect(settings).await.unwrap();
    jump.hang_up().await;
    assert!(
        works(&ssh).await.unwrap().success(),
        "the same key is no matter"
    );
    jump.show(std::slice::from_ref(&second));
    let before = (jump.logins().len(), guest.logins().len());
    jump.hang_up().await;
    let message = full(&works(&ssh).await.unwrap_err());
    for expected in ["the bastion", &fingerprint(&first), &fingerprint(&second)] {
        assert!(message.contains(expected), "{message}");
    }
    assert_eq!((jump.logins().len(), guest.logins().len()), before);
}
