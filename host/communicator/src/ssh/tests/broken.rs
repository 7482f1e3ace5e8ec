//! Guests whose SFTP server says what is no SFTP, says half of it, or dies.

use tokio::io::AsyncReadExt;

use super::files::{Break, Trouble};
use super::peer::{Peer, Script};
use super::*;

/// The time of one answer, which nobody must have to wait out.
const ANSWER: Duration = Duration::from_secs(20);
/// Much more than a transfer takes that ends at once.
const AT_ONCE: Duration = Duration::from_secs(10);

async fn guest_that_breaks(broken: Break, answer: Duration) -> (Peer, Ssh) {
    let peer = Peer::start(Script {
        password: Some("secret".to_owned()),
        files: Some(Trouble::Broken(broken)),
        ..Script::default()
    })
    .await;
    let mut settings = settings(peer.address, vec![password("secret")]);
    settings.answer_timeout = answer;
    let ssh = connect(settings).await.unwrap();
    (peer, ssh)
}

#[derive(Clone, Copy, Debug)]
enum Transfer {
    Upload,
    Download,
    UploadFolder,
    DownloadFolder,
}

const TRANSFERS: [Transfer; 4] = [
    Transfer::Upload,
    Transfer::Download,
    Transfer::UploadFolder,
    Transfer::DownloadFolder,
];

async fn transfer(which: Transfer, ssh: &Ssh) -> Result<()> {
    let (folder, noted) = (tempfile::tempdir().unwrap(), Noted::default());
    match which {
        Transfer::Upload => {
            let mut source = tokio::io::repeat(7).take(1 << 20);
            ssh.upload(&mut source, None, "/file", Some(0o600), &noted)
                .await
        }
        Transfer::Download => {
            let mut taken = Vec::new();
            ssh.download("/endless", &mut taken, &noted).await.map(drop)
        }
        Transfer::UploadFolder => {
            std::fs::write(folder.path().join("file"), [7; 100_000]).unwrap();
            let destination = "/some/folders/that/are/missing";
            ssh.upload_directory(folder.path(), destination, &[], &noted)
                .await
        }
        Transfer::DownloadFolder => {
            let target = folder.path().join("here");
            ssh.download_directory("/tree", &target, &[], &noted).await
        }
    }
}

/// What is no SFTP, whole by its length or not.
fn nonsense() -> Vec<Vec<u8>> {
    vec![
        b"Welcome to the guest!\r\n".to_vec(),
        // Longer than any answer may be.
        vec![0xff; 64],
        // A message of a kind that there is not, and of one that only clients send.
        vec![0, 0, 0, 5, 250, 0, 0, 0, 1],
        vec![0, 0, 0, 5, 3, 0, 0, 0, 1],
        // A status that ends in the middle.
        vec![0, 0, 0, 7, 101, 0, 0, 0, 1, 0, 0],
        // Names without their number, and more of them than there are bytes.
        vec![0, 0, 0, 5, 104, 0, 0, 0, 1],
        vec![0, 0, 0, 9, 104, 0, 0, 0, 1, 255, 255, 255, 255],
        // The version once more.
        vec![0, 0, 0, 5, 2, 0, 0, 0, 3],
        vec![0, 0, 0, 0],
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn nonsense_ends_a_transfer_at_once() {
    for which in TRANSFERS {
        for (number, says) in nonsense().into_iter().enumerate() {
            for (after, answers) in [(1, false), (1, true), (2, false), (2, true), (4, true)] {
                let broken = Break {
                    after,
                    says: says.clone(),
                    answers,
                    ends: false,
                };
                let case = format!("{which:?}, {number} after {after} ({answers})");
                let (_peer, ssh) = guest_that_breaks(broken, ANSWER).await;
                let ended = tokio::time::timeout(AT_ONCE, transfer(which, &ssh)).await;
                let Err(error) = ended.unwrap_or_else(|_| panic!("{case}")) else {
                    // It was over before the guest came to it.
                    continue;
                };
                let message = full(&error);
                assert!(message.contains("SFTP"), "{case}: {message}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_dies_ends_a_transfer_at_once() {
    for which in TRANSFERS {
        for after in [1, 2, 3, 5] {
            for (says, answers) in [
                (vec![], false),
                (vec![], true),
                // In the middle of a message.
                (vec![0, 0, 0, 200, 101, 0], false),
                (vec![0, 0], true),
            ] {
                let broken = Break {
                    after,
                    says: says.clone(),
                    answers,
                    ends: true,
                };
                let case = format!("{which:?}, {says:?} after {after} ({answers})");
                let (_peer, ssh) = guest_that_breaks(broken, ANSWER).await;
                let ended = tokio::time::timeout(AT_ONCE, transfer(which, &ssh)).await;
                let Err(error) = ended.unwrap_or_else(|_| panic!("{case}")) else {
                    continue;
                };
                let message = full(&error);
                assert!(
                    message.contains("the guest's SFTP server ended"),
                    "{case}: {message}"
                );
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_never_comes_to_its_end_is_waited_for_once() {
    for which in TRANSFERS {
        for after in [1, 2, 3] {
            let answer = Duration::from_secs(1);
            let broken = Break {
                after,
                says: vec![0, 0, 0, 200, 101, 0],
                answers: false,
                ends: false,
            };
            let (_peer, ssh) = guest_that_breaks(broken, answer).await;
            let began = Instant::now();
            let Err(error) = transfer(which, &ssh).await else {
                continue;
            };
            let message = full(&error);
            assert!(message.contains("no answer"), "{which:?}: {message}");
            // Not for each of the folders on the way.
            let took = began.elapsed();
            assert!(took < answer * 3, "{which:?} after {after}: {took:?}");
        }
    }
}
