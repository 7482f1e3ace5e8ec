//! Hypervisors elsewhere work like the local one, and it is noticed when they go.
use std::{io, sync::Arc, sync::Mutex};

use bytes::Bytes;
use lvhost_libvirt::*;
use lvhost_test_daemon::Elsewhere;
use tokio::time::timeout;

use crate::{PATIENCE, domain, skipped, spec, transfers::there_and_back};

macro_rules! elsewhere {
    () => {
        match Elsewhere::start() {
            Ok(elsewhere) => elsewhere,
            Err(why) => return skipped(&why),
        }
    };
}

/// The daemon's own socket, TCP, TLS and SSH; each moves a sparse volume there and back.
#[tokio::test]
async fn every_transport_moves_sparse_volumes() {
    let mut elsewhere = elsewhere!();
    let mut uris = vec![
        (elsewhere.unix(), true),
        (elsewhere.tcp(), false),
        (elsewhere.tls(), false),
    ];
    match elsewhere.ssh() {
        Ok(uri) => uris.push((uri, false)),
        Err(why) => skipped(&format!("SSH: {why}")),
    }
    for (uri, local) in uris {
        let libvirt = Libvirt::connect(&uri).await.unwrap();
        let facts = libvirt.facts().await.unwrap();
        assert_eq!(facts.is_local, local, "{uri}");
        assert_eq!(facts.uri.expose(), uri);
        assert!(!facts.host.is_empty());
        there_and_back(&libvirt, "default").await;
    }
}

#[tokio::test]
async fn a_server_that_nobody_vouches_for_is_refused() {
    let elsewhere = elsewhere!();
    // The certificate says localhost.
    let uri = elsewhere.tls().replace("localhost", "127.0.0.1");
    let error = Libvirt::connect(&uri).await.map(drop).unwrap_err();
    assert!(matches!(error, Error::Connect { .. }), "{error:?}");
}

#[tokio::test]
async fn a_connection_lost_in_an_upload_is_told_as_that() {
    let mut elsewhere = elsewhere!();
    let libvirt = Libvirt::connect(&elsewhere.tcp()).await.unwrap();
    let volume = spec("default", "raw", 1 << 30);
    libvirt.create_volume(&volume).await.unwrap();
    let mut upload = libvirt
        .open_upload(&volume.id, Some(1 << 30))
        .await
        .unwrap();
    let portion = Bytes::from(vec![7; 1 << 20]);
    upload.data(portion.clone()).await.unwrap();
    elsewhere.kill();
    let error = loop {
        if let Err(error) = upload.data(portion.clone()).await {
            break error;
        }
    };
    assert!(matches!(error, Error::Disconnected { .. }), "{error:?}");
    let later = libvirt.pools().await.unwrap_err();
    assert!(matches!(later, Error::Disconnected { .. }), "{later:?}");
}

/// Kills the daemon when the first bytes have come.
struct Killer(Arc<Mutex<Elsewhere>>);

impl VolumeSink for Killer {
    fn data(&mut self, _bytes: &[u8]) -> io::Result<()> {
        self.0.lock().unwrap().kill();
        Ok(())
    }

    fn hole(&mut self, _length: u64) -> io::Result<()> {
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_connection_lost_in_a_download_is_told_as_that() {
    let elsewhere = elsewhere!();
    let libvirt = Libvirt::connect(&elsewhere.tcp()).await.unwrap();
    // More than can be under way.
    let length = 64 << 20;
    let volume = spec("default", "raw", length);
    libvirt.create_volume(&volume).await.unwrap();
    let mut upload = libvirt.open_upload(&volume.id, None).await.unwrap();
    for _ in 0..64 {
        upload.data(Bytes::from(vec![7; 1 << 20])).await.unwrap();
    }
    upload.finish().await.unwrap();
    let sink = Box::new(Killer(Arc::new(Mutex::new(elsewhere))));
    let error = libvirt
        .download_volume(&volume.id, sink, Progress::default())
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Disconnected { .. }), "{error:?}");
}

#[tokio::test]
async fn a_connection_lost_while_a_guest_is_watched_reaches_all_who_wait() {
    let mut elsewhere = elsewhere!();
    let libvirt = Libvirt::connect(&elsewhere.tcp()).await.unwrap();
    let id = libvirt.define_domain(&domain()).await.unwrap();
    let mut state = libvirt.watch_domain(&id).await.unwrap();
    libvirt.start_domain(&id).await.unwrap();
    let mut console = libvirt.open_console(&id, None).await.unwrap();
    timeout(
        PATIENCE,
        state.wait_for(|state| *state == DomainState::Running),
    )
    .await
    .unwrap()
    .unwrap();
    elsewhere.kill();
    timeout(
        PATIENCE,
        state.wait_for(|state| *state == DomainState::Disconnected),
    )
    .await
    .expect("nobody told that the connection is lost")
    .unwrap();
    let end = async {
        loop {
            match console.read().await {
                Ok(Some(_)) => {}
                end => return end,
            }
        }
    };
    let end = timeout(PATIENCE, end)
        .await
        .expect("the console never ended");
    assert!(matches!(end, Err(Error::Disconnected { .. })), "{end:?}");
    let later = libvirt.destroy_domain(&id).await.unwrap_err();
    assert!(matches!(later, Error::Disconnected { .. }), "{later:?}");
}
