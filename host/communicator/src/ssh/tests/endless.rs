//! Guests that send more than was asked for, or for ever, or nothing.

use tokio::io::AsyncWriteExt;

use super::files::Trouble;
use super::peer::{Peer, Script};
use super::*;
use crate::budget::BEYOND_MAXIMUM;

async fn guest_with(files: Trouble) -> (Peer, Ssh) {
    guest(Script {
        files: Some(files),
        ..Script::default()
    })
    .await
}

/// Counts what is written to it.
#[derive(Default)]
struct Counted(u64);

impl AsyncWrite for Counted {
    fn poll_write(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
        bytes: &[u8],
    ) -> std::task::Poll<std::io::Result<usize>> {
        self.0 += bytes.len() as u64;
        std::task::Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn poll_shutdown(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::task::Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn a_file_that_is_said_to_be_small_fills_no_disk() {
    let (_peer, ssh) = guest_with(Trouble::EndlessFile).await;
    let (mut taken, noted) = (Counted::default(), Noted::default());
    let error = ssh.download("/endless", &mut taken, &noted).await;
    let message = full(&error.unwrap_err());
    assert!(message.contains("far more bytes than it said"), "{message}");
    assert!(taken.0 <= BEYOND_MAXIMUM + 4, "{}", taken.0);
}

#[tokio::test]
async fn a_folder_has_an_end() {
    for (trouble, expected) in [
        (Trouble::EndlessDots, "the list of its names has no end"),
        (Trouble::EndlessNothing, "the list of its names has no end"),
        (Trouble::EndlessFolder, "it holds too many files"),
        (Trouble::BottomlessFolder, "it is nested too deeply"),
        (Trouble::LongPath(100_000), "its real path is too long"),
        (Trouble::LongPath(1 << 20), "cannot resolve"),
        (Trouble::Name("x".repeat(1 << 20)), "cannot read the folder"),
        (
            Trouble::Name("x".repeat(100_000)),
            "its real path is too long",
        ),
    ] {
        let (_peer, ssh) = guest_with(trouble.clone()).await;
        let folder = tempfile::tempdir().unwrap();
        let (target, noted) = (folder.path().join("here"), Noted::default());
        let downloading = ssh.download_directory("/tree", &target, &[], &noted);
        let error = tokio::time::timeout(ENOUGH, downloading).await.unwrap();
        let message = full(&error.unwrap_err());
        let shown: String = message.chars().take(200).collect();
        assert!(message.contains(expected), "{shown}");
    }
}

#[tokio::test]
async fn who_never_says_yes_or_no_is_not_waited_for() {
    let peer = Peer::start(Script {
        password: Some("secret".to_owned()),
        files: Some(Trouble::Mute),
        ..Script::default()
    })
    .await;
    let mut settings = settings(peer.address, vec![password("secret")]);
    settings.answer_timeout = Duration::from_millis(300);
    settings.reconnect_timeout = Duration::from_secs(1);
    let ssh = connect(settings).await.unwrap();
    let (command, mut output) = (Command::new("mute"), Collected::default());
    let message = full(&ssh.run(&command, &mut output).await.unwrap_err());
    assert!(message.contains("no answer within"), "{message}");
    let noted = Noted::default();
    let error = ssh
        .upload(&mut &b"x"[..], None, "/file", None, &noted)
        .await;
    let message = full(&error.unwrap_err());
    assert!(message.contains("no answer within"), "{message}");
}

#[tokio::test]
async fn a_greeting_without_an_end_is_not_listened_to() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut talking = JoinSet::new();
    talking.spawn(async move {
        let mut running = JoinSet::new();
        let mut number = 0;
        while let Ok((mut stream, _)) = listener.accept().await {
            number += 1;
            let line = match number % 2 {
                0 => "Welcome!\r\n".repeat(1000),
                _ => "SSH-2.0-".to_owned() + &"x".repeat(10_000),
            };
            running.spawn(async move { while stream.write_all(line.as_bytes()).await.is_ok() {} });
        }
    });
    let mut settings = settings(address, vec![password("secret")]);
    settings.attempt_timeout = Duration::from_secs(2);
    let (deadline, mut observer) = (Instant::now() + Duration::from_secs(6), |_: &Attempt| {});
    let connecting = connect_until(settings, deadline, &mut observer);
    let ended = tokio::time::timeout(ENOUGH, connecting).await.unwrap();
    assert!(ended.is_err());
}
