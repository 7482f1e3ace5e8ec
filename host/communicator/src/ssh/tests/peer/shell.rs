//! What the in-process guest runs: a few words of a shell, and its `scp`.

use std::sync::Arc;

use russh::server::{self, Msg};
use russh::{Channel, ChannelMsg, Sig};
use tokio::sync::Notify;

use super::Copier;

/// Runs the guest's `scp`.
pub(super) async fn copy_files(scp: Option<Copier>, channel: Channel<Msg>) {
    let (mut messages, channel) = channel.split();
    let Some(scp) = scp else {
        let _ = channel.extended_data(1, &b"sh: scp: not found\n"[..]).await;
        let _ = channel.exit_status(127).await;
        let _ = channel.close().await;
        return;
    };
    let mut complaints = scp.complains;
    while complaints > 0 {
        let piece = vec![b'!'; complaints.min(64 * 1024)];
        if channel.extended_data(1, &piece[..]).await.is_err() {
            return;
        }
        complaints -= piece.len();
    }
    let _ = channel.data(&scp.says[..]).await;
    while scp.stays && !matches!(messages.wait().await, Some(ChannelMsg::Close) | None) {}
    while scp.listens
        && !matches!(
            messages.wait().await,
            Some(ChannelMsg::Eof | ChannelMsg::Close) | None
        )
    {}
    let _ = channel.exit_status(scp.code).await;
    let _ = channel.eof().await;
    let _ = channel.close().await;
}

/// Opens channels of every kind to the client, and says which of them it took.
async fn intrude(guest: &server::Handle) -> String {
    let mut taken = Vec::new();
    let host = "127.0.0.1";
    let opened = [
        ("agent", guest.channel_open_agent().await.is_ok()),
        ("session", guest.channel_open_session().await.is_ok()),
        (
            "direct-tcpip",
            guest
                .channel_open_direct_tcpip(host, 22, host, 1)
                .await
                .is_ok(),
        ),
        (
            "direct-streamlocal",
            guest.channel_open_direct_streamlocal("/x").await.is_ok(),
        ),
        (
            "forwarded-tcpip",
            guest
                .channel_open_forwarded_tcpip(host, 22, host, 1)
                .await
                .is_ok(),
        ),
        (
            "forwarded-streamlocal",
            guest.channel_open_forwarded_streamlocal("/x").await.is_ok(),
        ),
        ("x11", guest.channel_open_x11(host, 1).await.is_ok()),
    ];
    taken.extend(
        opened
            .iter()
            .filter(|(_, took)| *took)
            .map(|(name, _)| *name),
    );
    format!("tried {}, taken: {}", opened.len(), taken.join(" "))
}

/// Asks for the agent, keeps it beyond the end of the command, and asks for it again. Says what came
/// of it.
pub(super) async fn keep_agent(command: Channel<Msg>, guest: server::Handle) -> Vec<&'static str> {
    let mut said = Vec::new();
    let mut kept = guest.channel_open_agent().await.ok();
    said.push(match &kept {
        Some(_) => "during: taken",
        None => "during: refused",
    });
    if let Some(agent) = &mut kept {
        agent.data(&b"who?"[..]).await.unwrap();
        while let Some(message) = agent.wait().await {
            if matches!(message, ChannelMsg::Data { .. }) {
                said.push("during: answered");
                break;
            }
        }
    }
    let _ = command.exit_status(0).await;
    let _ = command.close().await;
    if let Some(agent) = &mut kept {
        while let Some(message) = agent.wait().await {
            if matches!(message, ChannelMsg::Eof | ChannelMsg::Close) {
                break;
            }
        }
        said.push("after: closed");
    }
    said.push(match guest.channel_open_agent().await {
        Ok(_) => "after: taken",
        Err(_) => "after: refused",
    });
    said
}

/// The guest's shell. A client that goes away in the middle is none of its business.
pub(super) async fn execute(
    command: String,
    terminal: bool,
    channel: Channel<Msg>,
    guest: server::Handle,
    given_up: Arc<Notify>,
) {
    let id = channel.id();
    let (word, argument) = command.split_once(' ').unwrap_or((&command, ""));
    let (mut messages, channel) = channel.split();
    let mut code = 0;
    match word {
        "exit" => code = argument.parse().unwrap(),
        "signal" => {
            let signal = match argument {
                "KILL" => Sig::KILL,
                other => Sig::Custom(other.to_owned()),
            };
            let _ = guest
                .exit_signal_request(id, signal, false, String::new(), String::new())
                .await;
            let _ = channel.close().await;
            return;
        }
        "both" => {
            let _ = channel.data(&b"to stdout\n"[..]).await;
            let _ = channel.extended_data(1, &b"to stderr\n"[..]).await;
            let _ = channel.extended_data(2, &b"to nowhere\n"[..]).await;
        }
        "large" => {
            let bytes = vec![b'x'; argument.parse().unwrap()];
            let _ = channel.data(&bytes[..]).await;
        }
        "terminal" => {
            let _ = channel.data(format!("{terminal}").as_bytes()).await;
        }
        "cat" => loop {
            match messages.wait().await {
                Some(ChannelMsg::Data { data }) => {
                    let _ = channel.data(&data[..]).await;
                }
                Some(ChannelMsg::Eof) | None => break,
                Some(_) => {}
            }
        },
        "hang" => {
            let _ = channel.data(&b"hanging\n"[..]).await;
            while !matches!(messages.wait().await, Some(ChannelMsg::Close) | None) {}
            given_up.notify_one();
            return;
        }
        "flood" => {
            let port = argument.parse().unwrap();
            let mut taken = Vec::new();
            for _ in 0..100 {
                let host = "127.0.0.1";
                let opened = guest
                    .channel_open_forwarded_tcpip(host, port, host, 1)
                    .await;
                taken.extend(opened.ok());
            }
            let _ = channel
                .data(format!("taken: {}", taken.len()).as_bytes())
                .await;
        }
        "intrude" => {
            let _ = channel.data(intrude(&guest).await.as_bytes()).await;
        }
        "silent-end" => {
            let _ = channel.close().await;
            return;
        }
        "drop" => {
            let _ = channel.data(&b"going down\n"[..]).await;
            let _ = guest
                .disconnect(
                    russh::Disconnect::ByApplication,
                    "reboot".into(),
                    String::new(),
                )
                .await;
            return;
        }
        other => panic!("the test asks for {other}"),
    }
    let _ = channel.exit_status(code).await;
    let _ = channel.eof().await;
    let _ = channel.close().await;
}
