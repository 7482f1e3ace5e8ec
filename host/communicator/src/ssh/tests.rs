//! SSH against a guest in this process, and against the real OpenSSH.

mod broken;
mod commands;
mod connecting;
mod endless;
mod files;
mod floods;
mod forwarding;
mod host_keys;
mod openssh;
mod peer;
mod proxies;
mod questions;
mod routes;
mod scp;
mod stalls;
mod transfers;

use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::Duration;

use russh::keys::PrivateKey;
use secrecy::SecretString;
use tokio::time::Instant;

use super::*;
use crate::keys::{self, Algorithm};

/// Far beyond what any of these tests take: it only keeps a broken one from hanging.
const ENOUGH: Duration = Duration::from_secs(60);

/// A key pair, and what the guest needs of it.
fn key() -> (Authentication, russh::keys::PublicKey) {
    let pair = keys::generate(Algorithm::Ed25519, "").unwrap();
    let key: PrivateKey = keys::parse("test", &pair.private_openssh, None).unwrap();
    (
        Authentication::Key(pair.private_openssh),
        key.public_key().clone(),
    )
}

fn password(password: &str) -> Authentication {
    Authentication::Password(SecretString::from(password))
}

fn settings(address: SocketAddr, authentication: Vec<Authentication>) -> Settings {
    let mut settings = Settings::new(address.ip().to_string(), address.port(), "packer");
    settings.authentication = authentication;
    settings
}

async fn connect(settings: Settings) -> Result<Ssh> {
    connect_until(settings, Instant::now() + ENOUGH, &mut |_| {}).await
}

/// A guest that lets in by password and does as the script says, and a connection to it.
async fn guest(script: peer::Script) -> (peer::Peer, Ssh) {
    let script = peer::Script {
        password: Some("secret".to_owned()),
        ..script
    };
    let peer = peer::Peer::start(script).await;
    let ssh = connect(settings(peer.address, vec![password("secret")]))
        .await
        .unwrap();
    (peer, ssh)
}

/// An error and what is behind it, as a user sees it.
fn full(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}

/// Collects a command's output.
#[derive(Default)]
struct Collected {
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

impl Output for Collected {
    fn stdout(&mut self, bytes: &[u8]) {
        self.stdout.extend_from_slice(bytes);
    }

    fn stderr(&mut self, bytes: &[u8]) {
        self.stderr.extend_from_slice(bytes);
    }
}

/// The progress of one file: its name, the size told at the beginning, the bytes told, and whether
/// it was told to be complete.
type Transfer = (String, Option<u64>, u64, bool);

/// Writes down a transfer's progress.
#[derive(Default)]
struct Noted(Mutex<Vec<Transfer>>);

impl Progress for Noted {
    fn started(&self, name: &str, total: Option<u64>) {
        self.0
            .lock()
            .unwrap()
            .push((name.to_owned(), total, 0, false));
    }

    fn advanced(&self, bytes: u64) {
        self.0.lock().unwrap().last_mut().unwrap().2 += bytes;
    }

    fn finished(&self) {
        self.0.lock().unwrap().last_mut().unwrap().3 = true;
    }
}

/// A folder for a download in which a link is that leads out of it, to a file or a folder.
struct LinkedOut(tempfile::TempDir);

impl LinkedOut {
    fn new(is_file: bool) -> Self {
        let outer = tempfile::tempdir().unwrap();
        let at = |name: &str| outer.path().join(name);
        std::fs::create_dir(at("inner")).unwrap();
        match is_file {
            true => std::fs::write(at("outside"), "precious").unwrap(),
            false => std::fs::create_dir(at("outside")).unwrap(),
        }
        std::os::unix::fs::symlink("../outside", at("inner/link")).unwrap();
        Self(outer)
    }

    fn folder(&self) -> std::path::PathBuf {
        self.0.path().join("inner")
    }

    /// Checks what came of a guest's file or folder that is called like the link.
    fn check(&self, downloaded: Result<()>, is_file: bool) {
        let at = |name: &str| self.0.path().join(name);
        if is_file {
            downloaded.unwrap();
            assert!(!at("inner/link").is_symlink());
            assert_eq!(std::fs::read_to_string(at("inner/link")).unwrap(), "new");
            assert_eq!(std::fs::read_to_string(at("outside")).unwrap(), "precious");
        } else {
            let said = full(&downloaded.unwrap_err());
            assert!(said.contains("it is a link"), "{said}");
            assert_eq!(std::fs::read_dir(at("outside")).unwrap().count(), 0);
        }
    }
}
