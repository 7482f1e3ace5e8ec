//! OpenSSH in between, and OpenSSH with few algorithms.

use bytes::Bytes;

use super::*;

/// What leads through this server.
fn through(server: &Server, authentication: Authentication) -> Route {
    Route::Bastion(Bastion {
        host: server.address.ip().to_string(),
        port: server.address.port(),
        username: user(),
        authentication: vec![authentication],
    })
}

#[tokio::test]
async fn one_sshd_leads_to_another() {
    let (Some(jump), Some(server)) = (
        Server::start(None).await,
        Server::start(Some("internal-sftp")).await,
    ) else {
        return;
    };
    let mut settings = server.settings(server.new_key());
    settings.route = through(&jump, jump.new_key());
    let ssh = connect(settings).await.unwrap();
    let (status, stdout, _) = run(
        &ssh,
        Command::new("head -c 20000000 /dev/zero | tr '\\0' x"),
    )
    .await;
    assert!(status.success());
    assert_eq!(stdout.len(), 20_000_000);
    // Both directions at once, each more than all windows on the way.
    let input = Bytes::from(vec![b'i'; 20_000_000]);
    let command = Command {
        stdin: Some(input.clone()),
        ..Command::new("cat")
    };
    let (status, stdout, _) = run(&ssh, command).await;
    assert!(status.success() && stdout.as_bytes() == input);
    let target = server.path("target");
    let mut source = tokio::io::AsyncReadExt::take(tokio::io::repeat(7), 20_000_000);
    let path = target.to_str().unwrap();
    ssh.upload(&mut source, None, path, None, &Noted::default())
        .await
        .unwrap();
    assert_eq!(std::fs::metadata(&target).unwrap().len(), 20_000_000);
    // The guest goes down; then the bastion does, and both come back.
    let (status, ..) = run(&ssh, Command::new("kill -KILL $PPID; cat")).await;
    assert_eq!(status, ExitStatus::Missing);
    assert!(run(&ssh, Command::new("true")).await.0.success());
    ssh.disconnect().await.unwrap();
    assert!(run(&ssh, Command::new("true")).await.0.success());
}

#[tokio::test]
async fn a_bastion_shows_the_key_that_is_known() {
    let (Some(jump), Some(server)) = (Server::start(None).await, Server::start(None).await) else {
        return;
    };
    let host_key = std::fs::read_to_string(jump.path("host_key")).unwrap();
    let host_key = keys::read("host", &SecretString::from(host_key), None, "").unwrap();
    let other = keys::generate(Algorithm::Ed25519, "").unwrap();
    let known_hosts = jump.path("known_hosts");
    let mut settings = server.settings(server.new_key());
    settings.route = through(&jump, jump.new_key());
    let port = jump.address.port();
    let changed = Some("shows a host key that is not the known one");
    for (public, must_hold, expected) in [
        (Some(&host_key.public_openssh), true, None),
        (Some(&other.public_openssh), true, changed),
        (None, true, Some("no host key of the bastion")),
        (Some(&host_key.public_openssh), false, None),
        (Some(&other.public_openssh), false, changed),
        (None, false, None),
    ] {
        settings.bastion_known_hosts = Some(KnownHosts {
            files: vec![known_hosts.clone()],
            must_hold,
        });
        let line = public.map(|key| format!("[127.0.0.1]:{port} {}\n", key.trim()));
        std::fs::write(&known_hosts, line.unwrap_or_default()).unwrap();
        match (connect(settings.clone()).await, expected) {
            (Ok(ssh), None) => assert!(run(&ssh, Command::new("true")).await.0.success()),
            (Err(error), Some(words)) => assert!(full(&error).contains(words), "{error}"),
            (connected, _) => panic!("{public:?}: {connected:?}"),
        }
    }
}

#[tokio::test]
async fn a_bastion_that_forbids_forwarding_says_so() {
    let (Some(jump), Some(server)) = (
        Server::configured(|_| "AllowTcpForwarding no".to_owned()).await,
        Server::start(None).await,
    ) else {
        return;
    };
    let mut settings = server.settings(server.new_key());
    settings.route = through(&jump, jump.new_key());
    let error = connect(settings).await.unwrap_err();
    assert!(
        full(&error).contains("it does not forward connections to the guest"),
        "{}",
        full(&error)
    );
}

#[tokio::test]
async fn algorithms_are_chosen() {
    let lines = "Ciphers aes128-ctr,aes128-gcm@openssh.com\nKexAlgorithms ecdh-sha2-nistp384";
    let Some(server) = Server::configured(|_| lines.to_owned()).await else {
        return;
    };
    let key = server.new_key();
    for (ciphers, key_exchanges, expected) in [
        (
            &[][..],
            &[][..],
            Some(
                "the guest and we have no key exchange algorithm in common: it offers \
                 ecdh-sha2-nistp384",
            ),
        ),
        (
            &["aes256-ctr"],
            &["ecdh-sha2-nistp384"],
            Some(
                "no cipher in common: it offers aes128-ctr, aes128-gcm@openssh.com, we take \
                 aes256-ctr",
            ),
        ),
        (&[], &["ecdh-sha2-nistp384"], None),
        (&["aes128-gcm@openssh.com"], &["ecdh-sha2-nistp384"], None),
        (
            &["aes128-ctr"],
            &["curve25519-sha256", "ecdh-sha2-nistp384"],
            None,
        ),
    ] {
        let mut settings = server.settings(key.clone());
        settings.algorithms = Algorithms::new(ciphers, key_exchanges).unwrap();
        let Some(expected) = expected else {
            let ssh = connect(settings).await.unwrap();
            assert!(run(&ssh, Command::new("true")).await.0.success());
            continue;
        };
        let (sender, mut failures) = tokio::sync::mpsc::unbounded_channel();
        let mut observer = move |attempt: &Attempt| {
            if let Outcome::Failed { failure, .. } = &attempt.outcome {
                let _ = sender.send(failure.reason.clone());
            }
        };
        let deadline = Instant::now() + ENOUGH;
        let reason = tokio::select! {
            connected = connect_until(settings, deadline, &mut observer) => panic!("{connected:?}"),
            reason = failures.recv() => reason.unwrap(),
        };
        assert!(reason.contains(expected), "{reason}");
    }
}

#[tokio::test]
async fn every_algorithm_that_openssh_has_too_works() {
    let Some(ssh) = program("ssh") else { return };
    let known = |kind: &str| {
        let listed = Process::new(&ssh).args(["-Q", kind]).output().unwrap();
        let listed = String::from_utf8(listed.stdout).unwrap();
        listed.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let (ciphers, key_exchanges) = (known("cipher"), known("kex"));
    let lines = format!(
        "Ciphers {}\nKexAlgorithms {}",
        ciphers.join(","),
        key_exchanges.join(",")
    );
    let Some(server) = Server::configured(|_| lines).await else {
        return;
    };
    let key = server.new_key();
    let mut all = Vec::new();
    for cipher in Algorithms::ciphers() {
        if ciphers.iter().any(|one| one == cipher) {
            all.push(Algorithms::new(&[cipher], &[]).unwrap());
        }
    }
    // The larger groups differ from the others by their prime alone, and without optimisation take
    // a minute each.
    let slow = ["group15", "group16", "group17", "group18", "group-exchange"];
    for name in Algorithms::key_exchanges() {
        let is_slow = slow.iter().any(|part| name.contains(part));
        if !is_slow && key_exchanges.iter().any(|one| one == name) {
            all.push(Algorithms::new(&[], &[name]).unwrap());
        }
    }
    assert!(all.len() > 10, "{}", all.len());
    for algorithms in all {
        let mut settings = server.settings(key.clone());
        settings.algorithms = algorithms.clone();
        let ssh = connect(settings)
            .await
            .unwrap_or_else(|error| panic!("{algorithms:?}: {}", full(&error)));
        let (_, stdout, _) = run(&ssh, Command::new("echo here")).await;
        assert_eq!(stdout, "here\n", "{algorithms:?}");
        ssh.disconnect().await.unwrap();
    }
}
