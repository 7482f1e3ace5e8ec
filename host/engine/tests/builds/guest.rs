//! Options that say how a guest is reached, watched and shut down.

use std::net::IpAddr;
use std::time::Duration;

use lvhost_engine::Error;
use lvhost_libvirt::fake::Call;
use lvhost_libvirt::{AddressSource, InterfaceAddress};
use nix::ifaddrs::getifaddrs;
use tokio::time::Instant;

use crate::scene::{BLANK, Scene};

/// The blank build with these lines in its source and in its communicator.
fn scene(source: &str, communicator: &str) -> Scene {
    let text = BLANK
        .replace(
            "  communicator {",
            &format!("  {source}\n  communicator {{"),
        )
        .replace(
            "    ssh_username",
            &format!("    {communicator}\n    ssh_username"),
        );
    Scene::new(Box::leak(text.into_boxed_str()))
}

fn said(scene: &Scene, line: &str) -> bool {
    scene.said.lock().unwrap().iter().any(|said| said == line)
}

#[tokio::test(start_paused = true)]
async fn the_guests_port_and_the_pause_before_it_is_provisioned() {
    let begun = Instant::now();
    let scene = scene("", "ssh_port = 2222\npause_before_connecting = \"40s\"");
    scene.run().await.result.unwrap();
    assert!(said(&scene, "connect 192.0.2.7:2222"));
    assert_eq!(scene.known("Port"), "2222");
    assert!(begun.elapsed() >= Duration::from_secs(40));
}

#[tokio::test(start_paused = true)]
async fn a_link_local_address_is_reached_through_the_interface_that_is_named() {
    let link_local = InterfaceAddress {
        name: "vnet0".to_owned(),
        mac: Some("52:54:00:00:00:01".to_owned()),
        ip: "fe80::5054:ff:fe00:1".parse().unwrap(),
        prefix: 64,
    };
    let named = scene("communicator_link_local_interface = \"br0\"", "");
    let surrounding = {
        let mut scene = scene("", "");
        scene.link_local_interface = Some("br1".to_owned());
        scene
    };
    for (scene, link) in [(named, "br0"), (surrounding, "br1")] {
        scene
            .hypervisor
            .set_addresses(AddressSource::Lease, vec![link_local.clone()]);
        scene.run().await.result.unwrap();
        assert_eq!(scene.known("Host"), format!("fe80::5054:ff:fe00:1%{link}"));
    }
    let nowhere = scene("", "ssh_timeout = \"1m\"");
    nowhere
        .hypervisor
        .set_addresses(AddressSource::Lease, vec![link_local]);
    let error = nowhere.run().await.result.unwrap_err().to_string();
    assert!(
        error.contains("`communicator_link_local_interface`"),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_guest_whose_agent_never_answers_is_given_up() {
    let scene = scene("", "ssh_timeout = \"90s\"");
    scene.hypervisor.silence_addresses();
    let error = scene.run().await.result.unwrap_err();
    let said = error.to_string();
    let Error::NoAddress { waited, .. } = error else {
        panic!("{said}");
    };
    assert_eq!(waited.as_secs(), 90);
    assert!(said.contains("which does not answer"), "{said}");
    assert!(scene.hypervisor.domains().is_empty(), "it is cleaned up");
}

#[tokio::test(start_paused = true)]
async fn a_guest_that_says_it_is_at_an_address_of_this_machine_is_not_believed() {
    let own: Vec<IpAddr> = getifaddrs()
        .unwrap()
        .filter_map(|interface| {
            let address = interface.address?;
            Some(address.as_sockaddr_in()?.ip().into())
        })
        .collect();
    assert!(!own.is_empty());
    for ip in own {
        let scene = scene("", "ssh_timeout = \"1m\"");
        let said = InterfaceAddress {
            name: "eth0".to_owned(),
            mac: Some("52:54:00:00:00:01".to_owned()),
            ip,
            prefix: 24,
        };
        let hypervisor = &scene.hypervisor;
        hypervisor.set_addresses(AddressSource::Lease, vec![said.clone()]);
        let error = scene.run().await.result.unwrap_err().to_string();
        let why = format!("{ip} is an address of this machine");
        assert!(error.contains(&why), "{error}");
        // It may have the right one as well.
        let right = InterfaceAddress {
            ip: "192.0.2.7".parse().unwrap(),
            ..said.clone()
        };
        hypervisor.set_addresses(AddressSource::Lease, vec![said, right]);
        scene.run().await.result.unwrap();
        assert_eq!(scene.known("Host"), "192.0.2.7");
    }
}

#[tokio::test(start_paused = true)]
async fn a_guest_without_an_address_is_waited_for_as_long_as_the_template_says() {
    for (options, seconds) in [
        ("ssh_timeout = \"90s\"", 90),
        ("ssh_timeout = \"90s\"\nssh_wait_timeout = \"20s\"", 20),
        ("", 300),
    ] {
        let scene = scene("", options);
        scene.hypervisor.delay_addresses(u32::MAX);
        let error = scene.run().await.result.unwrap_err();
        let Error::NoAddress { waited, .. } = error else {
            panic!("{error}");
        };
        assert_eq!(waited.as_secs(), seconds, "{options}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_command_of_the_users_shuts_the_guest_down_and_nobody_else_does() {
    let scene = scene("shutdown_command = \"sysprep && poweroff\"", "");
    scene.run().await.result.unwrap();
    assert_eq!(*scene.commands.lock().unwrap(), ["sysprep && poweroff"]);
    let operations = scene.hypervisor.operations();
    let asked = operations.iter().any(|it| it.call == Call::ShutdownDomain);
    assert!(!asked, "the command may have something to do first");
}

#[tokio::test]
async fn the_console_is_kept_where_the_template_says() {
    for (option, kept) in [
        ("console_log = \"console.txt\"", Some("console.txt")),
        ("console_log = \"off\"", None),
        ("", Some("logs/console.log")),
    ] {
        let scene = scene(option, "");
        scene.hypervisor.set_boot_output("booted\n");
        scene.run().await.result.unwrap();
        for path in ["console.txt", "logs/console.log"] {
            let text = std::fs::read_to_string(scene.path(path)).ok();
            let expected = (kept == Some(path)).then(|| "booted\n".to_owned());
            assert_eq!(text, expected, "{option}: {path}");
        }
    }
}
