//! Peers that are not the guest, and such as keep the server busy.

use std::net::Ipv4Addr;

use super::*;
use crate::http_server::places::PEER_CONNECTIONS;

const HALF: &[u8] = b"GET /ks.cfg HTTP/1.1\r\nhost: x\r\nx-half: ";

/// A server for those whose address is 127.0.0.0 to 127.0.0.63.
async fn for_a_part_of_loopback() -> Running {
    let listen = Listen {
        peers: Peers::Within(vec!["127.0.0.0/26".parse().unwrap()]),
        ..on_loopback()
    };
    Running::start_on(contents(&[("/ks.cfg", "install me")]), &listen).await
}

/// Connects as the peer 127.0.0.`number`.
async fn connect_as(number: u8, server: &HttpServer) -> io::Result<TcpStream> {
    let socket = tokio::net::TcpSocket::new_v4()?;
    socket.bind((Ipv4Addr::new(127, 0, 0, number), 0).into())?;
    socket.connect(server.address()).await
}

/// What the peer 127.0.0.`number` gets when it asks for the file: nothing if it is turned away.
async fn get_as(number: u8, server: &HttpServer) -> String {
    let mut answer = Vec::new();
    let getting = async {
        let mut stream = connect_as(number, server).await?;
        let request = b"GET /ks.cfg HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
        stream.write_all(request).await?;
        stream.read_to_end(&mut answer).await
    };
    // One that is turned away may notice when it writes or when it reads.
    let _ = getting.await;
    String::from_utf8(answer).unwrap()
}

async fn is_served(number: u8, server: &HttpServer) -> bool {
    let answer = get_as(number, server).await;
    assert!(
        answer.is_empty() || answer.ends_with("install me"),
        "{answer}"
    );
    !answer.is_empty()
}

#[tokio::test]
async fn who_is_outside_of_the_guests_network_is_turned_away() {
    let running = for_a_part_of_loopback().await;
    for (number, expected) in [
        (1, true),
        (63, true),
        (64, false),
        (200, false),
        (64, false),
    ] {
        let served = is_served(number, &running.server).await;
        assert_eq!(served, expected, "127.0.0.{number}");
    }
    let seen = running.seen.lock().unwrap().clone();
    let refused = seen.iter().filter_map(|event| match event {
        Event::Refused(peer) => Some(peer.to_string()),
        Event::Answered(_) => None,
    });
    // Each once.
    let refused: Vec<_> = refused.collect();
    assert_eq!(refused, ["127.0.0.64", "127.0.0.200"]);
}

#[tokio::test]
async fn the_observer_is_told_of_so_many_that_were_turned_away_only() {
    let running = for_a_part_of_loopback().await;
    for number in 100..=200 {
        assert!(!is_served(number, &running.server).await);
    }
    assert_eq!(running.seen.lock().unwrap().len(), MAX_REFUSED);
}

#[tokio::test]
async fn a_server_is_on_its_own_address_only() {
    let running = for_a_part_of_loopback().await;
    let port = running.server.address().port();
    let here = HostNetwork::read().unwrap();
    let others = here.addresses.iter().map(|address| address.ip);
    let others = others.filter(|ip| match ip {
        // It means nothing without its interface.
        IpAddr::V6(ip) => !ip.is_unicast_link_local(),
        IpAddr::V4(_) => true,
    });
    for address in others.chain([Ipv4Addr::new(127, 0, 0, 2).into()]) {
        let reached = TcpStream::connect((address, port)).await.is_ok();
        assert_eq!(
            reached,
            address == running.server.address().ip(),
            "{address}"
        );
    }
}

/// Connections that stay open with half a request each, by the peers in turn.
async fn half_requests(count: usize, peers: &[u8], server: &HttpServer) -> Vec<TcpStream> {
    let mut open = Vec::new();
    for number in peers.iter().cycle().take(count) {
        let mut stream = connect_as(*number, server).await.unwrap();
        // Refused ones are no less of a burden.
        let _ = stream.write_all(HALF).await;
        open.push(stream);
    }
    open
}

#[tokio::test]
async fn half_sent_requests_keep_nobody_from_its_file() {
    let many: Vec<u8> = (10..=60).collect();
    for (count, peers) in [
        (200, &[2][..]),
        (400, &[2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12][..]),
        (1000, &many[..]),
    ] {
        let running = for_a_part_of_loopback().await;
        let open = half_requests(count, peers, &running.server).await;
        let begun = std::time::Instant::now();
        for _ in 0..3 {
            assert!(is_served(1, &running.server).await);
            // Nor does the very peer that sends them.
            assert!(is_served(peers[0], &running.server).await);
        }
        // Long before the first of them has had its time.
        assert!(begun.elapsed() < HEAD_TIMEOUT, "{:?}", begun.elapsed());
        drop(open);
    }
}

#[tokio::test]
async fn answers_that_nobody_reads_keep_nobody_else_from_its_file() {
    let large = "x".repeat(16 << 20);
    let texts = [("/ks.cfg", "install me"), ("/large", &large)];
    let running = Running::start(contents(&texts)).await;
    let mut open = Vec::new();
    for _ in 0..PEER_CONNECTIONS * 2 {
        let mut stream = connect_as(2, &running.server).await.unwrap();
        let request = b"GET /large HTTP/1.1\r\nhost: x\r\n\r\n";
        // It is answered, or has no place.
        let asked = stream.write_all(request).await;
        let mut first = [0];
        let answered = asked.is_ok() && stream.read(&mut first).await.is_ok_and(|it| it == 1);
        open.push((answered, stream));
    }
    let answered = open.iter().filter(|(answered, _)| *answered).count();
    assert_eq!(answered, PEER_CONNECTIONS);
    assert!(is_served(1, &running.server).await);
}

#[tokio::test]
async fn a_head_has_its_time_however_it_comes() {
    for (first, piece) in [(&b""[..], &b""[..]), (HALF, b""), (HALF, b"x")] {
        let running = Running::start(contents(&[("/a", "a")])).await;
        let mut stream = TcpStream::connect(running.server.address()).await.unwrap();
        stream.write_all(first).await.unwrap();
        // The clock stands still but for what everybody waits for.
        tokio::time::pause();
        let begun = tokio::time::Instant::now();
        let (mut reading, mut writing) = stream.split();
        let mut rest = Vec::new();
        let trickle = async {
            loop {
                tokio::time::sleep(Duration::from_secs(1)).await;
                let _ = writing.write_all(piece).await;
            }
        };
        tokio::select! {
            // Its end, or that there were bytes left that nobody had read.
            _ = reading.read_to_end(&mut rest) => {}
            () = trickle => unreachable!("it has no end"),
        }
        let took = begun.elapsed();
        assert!(took >= HEAD_TIMEOUT && took < HEAD_TIMEOUT * 2, "{took:?}");
        tokio::time::resume();
    }
}

#[tokio::test]
async fn a_connection_that_was_answered_may_not_stay_for_ever() {
    let running = Running::start(contents(&[("/a", "a")])).await;
    let mut stream = TcpStream::connect(running.server.address()).await.unwrap();
    let request = b"GET /a HTTP/1.1\r\nhost: x\r\n\r\n";
    stream.write_all(request).await.unwrap();
    assert_ne!(stream.read(&mut [0; 1024]).await.unwrap(), 0);
    tokio::time::pause();
    let begun = tokio::time::Instant::now();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.unwrap();
    let took = begun.elapsed();
    assert!(took >= HEAD_TIMEOUT && took < HEAD_TIMEOUT * 2, "{took:?}");
}
