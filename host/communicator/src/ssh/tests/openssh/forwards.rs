//! Tunnels, the agent's forwarding, and taking a key out of the guest.

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::*;

/// A server that says back what it hears, and its port.
async fn echo() -> (u16, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut task = JoinSet::new();
    task.spawn(async move {
        let mut running = JoinSet::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            running.spawn(async move {
                let (mut reader, mut writer) = stream.split();
                let _ = tokio::io::copy(&mut reader, &mut writer).await;
                let _ = writer.shutdown().await;
            });
        }
    });
    (port, task)
}

/// A port that nobody listens on, outside of those the system gives to connections.
async fn free_port() -> u16 {
    loop {
        let port = rand::random_range(20_000..32_000);
        if TcpListener::bind(("127.0.0.1", port)).await.is_ok() {
            return port;
        }
    }
}

/// Sends much through the port and hears it all back.
async fn carries(port: u16) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let said: Vec<u8> = (0..3_000_000_u32)
        .map(|number| (number >> 4) as u8)
        .collect();
    let (mut reader, mut writer) = stream.split();
    let mut heard = Vec::new();
    let speaking = async {
        writer.write_all(&said).await.unwrap();
        writer.shutdown().await.unwrap();
    };
    let (_, listened) = tokio::join!(speaking, reader.read_to_end(&mut heard));
    listened.unwrap();
    assert!(heard == said, "{} bytes came back", heard.len());
}

fn tunnel(listen_port: u16, port: u16) -> Tunnel {
    Tunnel {
        listen_port,
        host: "127.0.0.1".to_owned(),
        port,
    }
}

#[tokio::test]
async fn tunnels_carry_bytes_and_outlive_a_lost_connection() {
    let Some(server) = Server::start(None).await else {
        return;
    };
    let (target, _echo) = echo().await;
    let (local, remote) = (free_port().await, free_port().await);
    let mut settings = server.settings(server.new_key());
    settings.local_tunnels = vec![tunnel(local, target)];
    settings.remote_tunnels = vec![tunnel(remote, target)];
    let ssh = connect(settings).await.unwrap();
    for _ in 0..2 {
        tokio::join!(
            carries(local),
            carries(remote),
            carries(local),
            carries(remote)
        );
        let (status, ..) = run(&ssh, Command::new("kill -KILL $PPID; cat")).await;
        assert_eq!(status, ExitStatus::Missing);
        assert!(run(&ssh, Command::new("true")).await.0.success());
    }
    ssh.disconnect().await.unwrap();
    drop(ssh);
    assert!(TcpStream::connect(("127.0.0.1", local)).await.is_err());
}

#[tokio::test]
async fn a_tunnel_that_leads_nowhere_closes_what_came_in() {
    let Some(server) = Server::start(None).await else {
        return;
    };
    let (local, remote, nowhere) = (free_port().await, free_port().await, free_port().await);
    let mut settings = server.settings(server.new_key());
    settings.local_tunnels = vec![tunnel(local, nowhere)];
    settings.remote_tunnels = vec![tunnel(remote, nowhere)];
    let ssh = connect(settings).await.unwrap();
    for port in [local, remote] {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let mut heard = Vec::new();
        // An end or a reset, but no bytes and no waiting.
        let _ = stream.read_to_end(&mut heard).await;
        assert!(heard.is_empty());
    }
    assert!(run(&ssh, Command::new("true")).await.0.success());
}

#[tokio::test]
async fn a_tunnel_that_cannot_be_is_an_error() {
    let Some(server) = Server::start(None).await else {
        return;
    };
    let (taken, _echo) = echo().await;
    let mut settings = server.settings(server.new_key());
    settings.local_tunnels = vec![tunnel(taken, 80)];
    let error = connect(settings.clone()).await.unwrap_err();
    let expected = format!(
        "cannot listen on local port {taken} for the tunnel to 127.0.0.1:80: is it in use?"
    );
    assert!(error.to_string() == expected, "{error}");

    settings.local_tunnels.clear();
    // The guest listens on all loopback addresses that are free. Without IPv6 there is but one.
    let _other = TcpListener::bind(("::1", taken)).await;
    settings.remote_tunnels = vec![tunnel(taken, 80)];
    let message = full(&connect(settings).await.unwrap_err());
    assert!(message.contains("does not open the tunnel"), "{message}");

    let Some(strict) = Server::configured(|_| "AllowTcpForwarding no".to_owned()).await else {
        return;
    };
    let mut settings = strict.settings(strict.new_key());
    settings.remote_tunnels = vec![tunnel(free_port().await, 80)];
    let message = full(&connect(settings).await.unwrap_err());
    assert!(
        message.contains("the guest does not open the tunnel")
            && message.contains("AllowTcpForwarding"),
        "{message}"
    );
}

#[tokio::test]
async fn the_agent_is_forwarded_if_it_is_asked_for() {
    let (Some(agent), Some(add)) = (program("ssh-agent"), program("ssh-add")) else {
        return;
    };
    let Some(server) = Server::start(None).await else {
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
    let mut client = russh::keys::agent::client::AgentClient::connect_uds(&socket)
        .await
        .unwrap();
    let pair = keys::generate(Algorithm::Ed25519, "only here").unwrap();
    let key = keys::parse("test", &pair.private_openssh, None).unwrap();
    client.add_identity(&key, &[]).await.unwrap();
    let authorize = server.new_key();
    for forwarded in [true, false] {
        let mut settings = server.settings(authorize.clone());
        settings.agent_forwarding = forwarded.then(|| socket.clone());
        let ssh = connect(settings).await.unwrap();
        let command = format!("{} -l", add.display());
        for _ in 0..3 {
            let (status, stdout, _) = run(&ssh, Command::new(command.as_str())).await;
            assert_eq!(status.success(), forwarded);
            assert_eq!(stdout.contains("(ED25519)"), forwarded, "{stdout}");
        }
    }
    agent.kill().await.unwrap();
}

#[tokio::test]
async fn the_builds_key_is_taken_out() {
    let home = |folder: &Path| format!("SetEnv HOME={}/home", folder.display());
    let Some(server) = Server::configured(home).await else {
        return;
    };
    let ssh = server.connected().await;
    let folder = server.path("home/.ssh");
    std::fs::create_dir_all(&folder).unwrap();
    let build = std::fs::read_to_string(server.path("authorized_keys")).unwrap();
    let file = folder.join("authorized_keys");
    std::fs::write(&file, format!("ssh-rsa AAAA other\n{build}")).unwrap();
    crate::authorized_keys::clear(&ssh, &build).await.unwrap();
    assert_eq!(
        std::fs::read_to_string(&file).unwrap(),
        "ssh-rsa AAAA other\n"
    );
    let error = crate::authorized_keys::clear(&ssh, "no key").await;
    assert!(error.unwrap_err().to_string().contains("OpenSSH's form"));
}
