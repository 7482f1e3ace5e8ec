//! Logging in with certificates that `ssh-keygen` made.

use super::*;

/// Runs `ssh-keygen` in the server's folder.
fn keygen(server: &Server, program: &Path, arguments: &str) {
    let ran = Process::new(program)
        .arg("-q")
        .args(arguments.split(' '))
        .current_dir(server.folder.path())
        .output()
        .unwrap();
    assert!(ran.status.success(), "{arguments}: {ran:?}");
}

fn certificate(server: &Server, key: &str, certificate: &str) -> Authentication {
    Authentication::Certificate {
        key: server.path(key),
        passphrase: None,
        certificate: server.path(certificate),
    }
}

/// A server that lets in whoever the authority `ca` vouches for.
async fn with_authority() -> Option<(Server, PathBuf)> {
    let program = program("ssh-keygen")?;
    let trust = |folder: &Path| format!("TrustedUserCAKeys {}/ca.pub", folder.display());
    let server = Server::configured(trust).await?;
    keygen(&server, &program, "-t ed25519 -N  -f ca");
    Some((server, program))
}

#[tokio::test]
async fn a_certificate_lets_in_where_its_key_does_not() {
    let Some((server, program)) = with_authority().await else {
        return;
    };
    let user = user();
    for kind in ["ed25519", "ecdsa -b 256", "ecdsa -b 521", "rsa -b 2048"] {
        let _ = std::fs::remove_file(server.path("key"));
        keygen(&server, &program, &format!("-t {kind} -N  -f key"));
        let key = Authentication::KeyFile {
            path: server.path("key"),
            passphrase: None,
        };
        assert!(connect(server.settings(key)).await.is_err(), "{kind}");
        keygen(&server, &program, &format!("-s ca -I me -n {user} key.pub"));
        let ssh = server
            .connect(certificate(&server, "key", "key-cert.pub"))
            .await;
        let (status, ..) = run(&ssh, Command::new("true")).await;
        assert!(status.success(), "{kind}");
        ssh.disconnect().await.unwrap();
    }
}

#[tokio::test]
async fn a_certificate_that_cannot_do_is_an_error_at_once() {
    let Some((server, program)) = with_authority().await else {
        return;
    };
    keygen(&server, &program, "-t ed25519 -N  -f key");
    keygen(&server, &program, "-t ed25519 -N  -f other");
    keygen(&server, &program, "-s ca -I me -n nobody other.pub");
    keygen(&server, &program, "-t ed25519 -N  -f host");
    keygen(&server, &program, "-s ca -I me -h host.pub");
    for (key, file, expected) in [
        ("key", "missing", "it cannot be read"),
        ("key", "key.pub", "it is no OpenSSH certificate"),
        ("key", "other-cert.pub", "it was made for another key"),
        ("host", "host-cert.pub", "it is a certificate of a host"),
    ] {
        let error = connect(server.settings(certificate(&server, key, file)))
            .await
            .unwrap_err();
        assert!(matches!(error, Error::Key(_)), "{error}");
        assert!(full(&error).contains(expected), "{}", full(&error));
    }
    // One for somebody else is the server's to refuse.
    let other = certificate(&server, "other", "other-cert.pub");
    let error = connect(server.settings(other)).await.unwrap_err();
    assert!(full(&error).contains("was refused"), "{}", full(&error));
}
