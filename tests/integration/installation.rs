//! An installation as people do it: a CD is booted, its prompt is typed at, and what it is told to fetch
//! comes from lvhost.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command};
use std::time::Duration;

use socket2::{Domain, Socket, Type};

use crate::hypervisor::{need, tool};
use crate::lvhost::Lvhost;
use crate::real_guests::{Stage, strs};

/// Time for a connection on this machine to be made or refused, and for the volumes of a build.
const ENOUGH: Duration = Duration::from_secs(120);

/// Installs through libvirt's network, and boots what was made behind passt, so that both ways to the
/// guest are gone once.
#[test]
fn a_guest_boots_from_a_cd_and_fetches_its_configuration() {
    let stage = need!(Stage::new("LVHOST_TEST_GUEST_SMALL"));
    let disc = need!(stage.disc());
    let lvhost = Lvhost::new();
    let domain = format!("{}-installed", stage.hypervisor.pool);
    let (disc, disk) = (disc.to_str().unwrap(), stage.image.to_str().unwrap());
    let install = [("disc", disc), ("disk", disk)];
    let install = stage.run("install.pkr.hcl", &domain, &install);
    let mut build = lvhost.start(&strs(&install));
    let server = server_of(&mut build, &lvhost.path("log"));
    is_for_the_guest_only(server);
    let status = build.wait().unwrap();
    let text = std::fs::read_to_string(lvhost.path("log")).unwrap();
    assert!(status.success(), "{text}");
    assert!(text.contains("asked for /setup.sh: 200"), "{text}");
    assert!(text.contains("127.0.0.1 was turned away"), "{text}");
    let console = std::fs::read_to_string(lvhost.path("console.log")).unwrap();
    assert!(console.contains("boot: install setup=http://"), "{console}");
    assert_eq!(stage.hypervisor.volumes(), ["installed.qcow2"], "{text}");
    assert!(stage.hypervisor.domains(&domain).is_empty(), "{text}");

    let copy = lvhost.path("installed/installed.qcow2");
    let boot = [
        ("image", copy.to_str().unwrap()),
        ("command", "cat /root/answer"),
    ];
    let text = lvhost.succeed(&strs(&stage.run("forwarded.pkr.hcl", &domain, &boot)));
    assert!(text.contains("the answer is 42"), "{text}");
    assert!(text.contains("Connecting to 127.0.0.1:"), "{text}");
}

/// Behind passt the guest reaches the server by an address that passt has made up, and the server listens on
/// the loopback: for passt and for nobody who comes from another address.
#[test]
fn behind_passt_the_server_is_for_the_guest_and_on_the_loopback_only() {
    let stage = need!(Stage::new("LVHOST_TEST_GUEST_SMALL"));
    need!(tool("passt"));
    let lvhost = Lvhost::new();
    let domain = format!("{}-passt", stage.hypervisor.pool);
    let boot = [
        ("image", stage.image.to_str().unwrap()),
        ("content", "{\"/setup.sh\" = \"the answer is 42\"}"),
        (
            "command",
            "echo fetched: $(wget -q -O - http://$PACKER_HTTP_ADDR/setup.sh)",
        ),
    ];
    let boot = stage.run("forwarded.pkr.hcl", &domain, &boot);
    let mut build = lvhost.start(&strs(&boot));
    let seen_by_guest = server_of(&mut build, &lvhost.path("log"));
    let server = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), seen_by_guest.port());
    assert_ne!(seen_by_guest.ip(), server.ip());
    let own = own_addresses();
    for ip in own.iter().chain(&[Ipv4Addr::new(127, 0, 0, 2)]) {
        let other = SocketAddr::new((*ip).into(), server.port());
        assert!(
            TcpStream::connect_timeout(&other, ENOUGH).is_err(),
            "{other}"
        );
    }
    for ip in &own {
        assert_eq!(answer((*ip).into(), server), "", "{ip}");
    }
    let loopback = answer(server.ip(), server);
    assert!(loopback.contains("the answer is 42"), "{loopback}");
    let status = build.wait().unwrap();
    let text = std::fs::read_to_string(lvhost.path("log")).unwrap();
    assert!(status.success(), "{text}");
    assert!(text.contains("fetched: the answer is 42"), "{text}");
    assert!(
        text.contains(&format!("{} was turned away", own[0])),
        "{text}"
    );
}

/// The IPv4 addresses of this machine, but for the loopback's.
fn own_addresses() -> Vec<Ipv4Addr> {
    let output = Command::new("ip")
        .args(["-4", "-o", "address", "show", "scope", "global"])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let addresses = text.lines().filter_map(|line| {
        let (_, after) = line.split_once(" inet ")?;
        after.split(['/', ' ']).next()?.parse().ok()
    });
    let addresses: Vec<_> = addresses.collect();
    assert!(!addresses.is_empty(), "{text}");
    addresses
}

/// Where a build's HTTP server is, once it says so in its log.
fn server_of(build: &mut Child, log: &Path) -> SocketAddr {
    const BEFORE: &str = "reaches the HTTP server at http://";
    let deadline = std::time::Instant::now() + ENOUGH;
    loop {
        let text = std::fs::read_to_string(log).unwrap();
        let said = text
            .split_once(BEFORE)
            .and_then(|(_, it)| it.split_once('/'));
        if let Some((address, _)) = said {
            return address.parse().unwrap();
        }
        assert!(build.try_wait().unwrap().is_none(), "{text}");
        assert!(std::time::Instant::now() < deadline, "{text}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The server is where the guest is: nothing listens on the other addresses, and who comes to the right
/// one from outside of the guest's network is not served.
fn is_for_the_guest_only(server: SocketAddr) {
    for other in [Ipv4Addr::LOCALHOST, Ipv4Addr::new(127, 0, 0, 2)] {
        let other = SocketAddr::new(other.into(), server.port());
        let reached = TcpStream::connect_timeout(&other, ENOUGH);
        assert!(reached.is_err(), "{other}");
    }
    assert_eq!(answer(Ipv4Addr::LOCALHOST.into(), server), "");
    let own = answer(server.ip(), server);
    assert!(own.contains("the answer is"), "{own}");
}

/// What a peer with the address `from` is answered; nothing if it is turned away.
fn answer(from: IpAddr, server: SocketAddr) -> String {
    let socket = Socket::new(Domain::for_address(server), Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::new(from, 0).into()).unwrap();
    socket.connect_timeout(&server.into(), ENOUGH).unwrap();
    socket.set_read_timeout(Some(ENOUGH)).unwrap();
    let mut stream = TcpStream::from(socket);
    let mut said = Vec::new();
    // One that is turned away may notice when it writes or when it reads.
    let _ = stream
        .write_all(b"GET /setup.sh HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        .and_then(|()| stream.read_to_end(&mut said));
    String::from_utf8(said).unwrap()
}
