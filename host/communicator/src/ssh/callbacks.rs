//! What russh calls back into during a connection.

use std::sync::{Arc, OnceLock};

use russh::client::{self, ChannelOpenHandle, DisconnectReason, Msg};
use russh::keys::{PublicKey, PublicKeyOrCertificate};
use russh::{Channel, ChannelId, Names};
use tokio::sync::watch;

use super::chatter::Chatter;
use super::forward::Forwards;
use super::held_key::HeldKey;
use super::known_hosts::KnownKeys;
use super::session::{Server, describe, readable};
use crate::error::Result;

/// What russh calls back into: it looks at the server's host key, notes why a connection ended, and
/// lets the server open no channels but those that [`Forwards`] has asked for.
pub(super) struct Callbacks {
    server: Server,
    /// The key that the server shows.
    host_key: Arc<OnceLock<PublicKey>>,
    /// Those that the server has to show one of; without them any will do.
    known: Option<KnownKeys>,
    /// The one that it has to show because it let us in with it before.
    held: Option<Arc<HeldKey>>,
    /// What comes that is of no use.
    chatter: Arc<Chatter>,
    /// Dropped with the connection's task, so that its receivers notice the end in every case.
    ended: watch::Sender<Option<String>>,
    forwards: Forwards,
}

impl client::Handler for Callbacks {
    type Error = russh::Error;

    async fn check_server_key(
        &mut self,
        key: &PublicKeyOrCertificate,
    ) -> Result<bool, Self::Error> {
        let key = key.public_key();
        let admitted = self.known.as_ref().is_none_or(|known| known.holds(&key))
            && self.held.as_ref().is_none_or(|held| held.admits(&key));
        // Asked once a connection: a later key exchange is with whoever has its keys already.
        let _ = self.host_key.set(key.clone());
        Ok(admitted)
    }

    async fn disconnected(
        &mut self,
        reason: DisconnectReason<Self::Error>,
    ) -> Result<(), Self::Error> {
        let reason = match reason {
            DisconnectReason::ReceivedDisconnect(info) => readable(&info.message),
            DisconnectReason::Error(error) => describe(&error, self.server),
        };
        self.ended.send_replace(Some(reason));
        Ok(())
    }

    async fn kex_done(
        &mut self,
        _: Option<&[u8]>,
        _: &Names,
        _: &mut client::Session,
    ) -> Result<(), Self::Error> {
        Ok(self.chatter.exchanged()?)
    }

    async fn data(
        &mut self,
        _: ChannelId,
        data: &[u8],
        _: &mut client::Session,
    ) -> Result<(), Self::Error> {
        self.chatter.used(data.len());
        Ok(())
    }

    async fn extended_data(
        &mut self,
        _: ChannelId,
        _: u32,
        data: &[u8],
        _: &mut client::Session,
    ) -> Result<(), Self::Error> {
        self.chatter.used(data.len());
        Ok(())
    }

    async fn server_channel_open_forwarded_tcpip(
        &mut self,
        channel: Channel<Msg>,
        _: &str,
        connected_port: u32,
        _: &str,
        _: u32,
        reply: ChannelOpenHandle,
        _: &mut client::Session,
    ) -> Result<(), Self::Error> {
        self.forwards
            .tunnel_opened(channel, connected_port, reply)
            .await;
        Ok(())
    }

    async fn server_channel_open_agent_forward(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut client::Session,
    ) -> Result<(), Self::Error> {
        self.forwards.agent_opened(channel, reply).await;
        Ok(())
    }

    // The library's own answer to the following is yes, and a channel that nobody reads fills
    // memory. A reply that is dropped is a no.

    async fn server_channel_open_forwarded_streamlocal(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: ChannelOpenHandle,
        _: &mut client::Session,
    ) -> Result<(), Self::Error> {
        Ok(())
    }

    async fn server_channel_open_session(
        &mut self,
        _: Channel<Msg>,
        _: ChannelOpenHandle,
        _: &mut client::Session,
    ) -> Result<(), Self::Error> {
        Ok(())
    }

    async fn server_channel_open_direct_tcpip(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: u32,
        _: &str,
        _: u32,
        _: ChannelOpenHandle,
        _: &mut client::Session,
    ) -> Result<(), Self::Error> {
        Ok(())
    }

    async fn server_channel_open_direct_streamlocal(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: ChannelOpenHandle,
        _: &mut client::Session,
    ) -> Result<(), Self::Error> {
        Ok(())
    }

    async fn server_channel_open_x11(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: u32,
        _: ChannelOpenHandle,
        _: &mut client::Session,
    ) -> Result<(), Self::Error> {
        Ok(())
    }
}

/// A connection before its first packet: the handler for russh, and what it will report to.
pub(super) struct Observed {
    pub(super) callbacks: Callbacks,
    pub(super) chatter: Arc<Chatter>,
    pub(super) host_key: Arc<OnceLock<PublicKey>>,
    pub(super) ended: watch::Receiver<Option<String>>,
}

impl Observed {
    pub(super) fn new(
        server: Server,
        forwards: Forwards,
        known: Option<KnownKeys>,
        held: Option<Arc<HeldKey>>,
    ) -> Self {
        let host_key = Arc::new(OnceLock::new());
        let (sender, ended) = watch::channel(None);
        let chatter = Chatter::new();
        Self {
            chatter: Arc::clone(&chatter),
            callbacks: Callbacks {
                server,
                host_key: Arc::clone(&host_key),
                known,
                held,
                chatter,
                ended: sender,
                forwards,
            },
            host_key,
            ended,
        }
    }
}
