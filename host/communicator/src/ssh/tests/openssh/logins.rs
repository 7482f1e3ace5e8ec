//! Logging in: key files of every kind, keys made here, passwords and the agent.

use std::process::{Command as Process, Stdio};

use russh::keys::agent::client::AgentClient;
use tokio::io::{AsyncBufReadExt, BufReader};

use super::*;

#[tokio::test]
async fn key_files_of_every_kind_let_in() {
    let Some(server) = Server::start(None).await else {
        return;
    };
    let Some(keygen) = program("ssh-keygen") else {
        return;
    };
    for (number, arguments) in [
        "-t ed25519 -N ",
        "-t ed25519 -a 1 -N passphrase",
        "-t rsa -b 2048 -a 1 -N passphrase",
        "-t rsa -b 2048 -m PEM -N ",
        "-t rsa -b 2048 -m PEM -a 1 -N passphrase",
        "-t rsa -b 2048 -m PKCS8 -N ",
        "-t ecdsa -b 256 -N ",
        "-t ecdsa -b 256 -m PEM -N ",
        "-t ecdsa -b 384 -m PKCS8 -N ",
        "-t ecdsa -b 521 -a 1 -N passphrase",
    ]
    .iter()
    .enumerate()
    {
        let path = server.path(&format!("key{number}"));
        let made = Process::new(&keygen)
            .args(arguments.split(' '))
            .arg("-q")
            .arg("-f")
            .arg(&path)
            .status();
        assert!(made.unwrap().success(), "{arguments}");
        server.authorize(&std::fs::read_to_string(path.with_extension("pub")).unwrap());
        let encrypted = arguments.ends_with("passphrase");
        let key = |passphrase: Option<&str>| Authentication::KeyFile {
            path: path.clone(),
            passphrase: passphrase.map(SecretString::from),
        };
        let ssh = server.connect(key(encrypted.then_some("passphrase"))).await;
        assert!(
            run(&ssh, Command::new("true")).await.0.success(),
            "{arguments}"
        );
        if encrypted {
            for passphrase in [None, Some("wrong")] {
                let error = connect(server.settings(key(passphrase))).await.unwrap_err();
                assert!(
                    error.to_string().contains("passphrase"),
                    "{arguments}: {error}"
                );
            }
        }
    }
}

#[tokio::test]
async fn keys_made_here_are_keys_to_openssh() {
    let Some(server) = Server::start(None).await else {
        return;
    };
    let Some(keygen) = program("ssh-keygen") else {
        return;
    };
    for (algorithm, kind) in [
        (Algorithm::Ed25519, "(ED25519)"),
        (Algorithm::Rsa(2048), "2048 "),
        (Algorithm::EcdsaP256, "256 "),
        (Algorithm::EcdsaP384, "384 "),
        (Algorithm::EcdsaP521, "521 "),
    ] {
        let pair = keys::generate(algorithm, "install key").unwrap();
        let path = server.path("made");
        write_key(&path, &pair);
        let shown = Process::new(&keygen)
            .arg("-l")
            .arg("-f")
            .arg(&path)
            .output()
            .unwrap();
        let shown = String::from_utf8(shown.stdout).unwrap();
        assert!(
            shown.contains(kind) && shown.contains("install key"),
            "{shown}"
        );
        let public = Process::new(&keygen)
            .arg("-y")
            .arg("-f")
            .arg(&path)
            .output()
            .unwrap();
        assert_eq!(
            String::from_utf8(public.stdout).unwrap().trim(),
            pair.public_openssh
        );
        server.authorize(&pair.public_openssh);
        server
            .connect(Authentication::KeyFile {
                path,
                passphrase: None,
            })
            .await;
    }
}

#[tokio::test]
async fn a_wrong_password_is_refused() {
    let Some(server) = Server::start(None).await else {
        return;
    };
    let error = connect(server.settings(password("certainly wrong")))
        .await
        .unwrap_err();
    let message = error.to_string();
    assert!(message.contains("the password was refused"), "{message}");
    assert!(message.contains("the guest accepts publickey"), "{message}");
}

#[tokio::test]
async fn an_agent_lets_in() {
    let Some(server) = Server::start(None).await else {
        return;
    };
    let Some(agent) = program("ssh-agent") else {
        return;
    };
    let socket = server.path("agent");
    let mut agent = tokio::process::Command::new(agent)
        .args(["-D", "-a"])
        .arg(&socket)
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    // Its first line comes when it listens.
    let mut lines = BufReader::new(agent.stdout.take().unwrap()).lines();
    lines.next_line().await.unwrap().unwrap();

    let authentication = Authentication::Agent {
        socket: socket.clone(),
    };
    let error = connect(server.settings(authentication.clone()))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("holds no keys"), "{error}");

    let mut client = AgentClient::connect_uds(&socket).await.unwrap();
    for algorithm in [Algorithm::Ed25519, Algorithm::Rsa(2048)] {
        let pair = keys::generate(algorithm, "").unwrap();
        let key = keys::parse("test", &pair.private_openssh, None).unwrap();
        client.add_identity(&key, &[]).await.unwrap();
        // The last one added is the only one that is let in: the others are refused before it.
        server.authorize(&pair.public_openssh);
        server.connect(authentication.clone()).await;
    }
    agent.kill().await.unwrap();
}
