//! A guest that is installed: keys typed after its start, and files it gets over HTTP.

use std::io::{Read, Write};
use std::net::TcpStream;

use lvhost_engine::Error;
use lvhost_libvirt::fake::Call;

use crate::scene::Scene;

/// A template whose guest is told by its keyboard where to get a file, which `served` says.
fn template(served: &str) -> &'static str {
    let text = r#"
source "libvirt" "example" {
  libvirt_uri             = "fake:///"
  boot_wait               = "10ms"
  boot_key_interval       = "1ms"
  boot_keygroup_interval  = "1ms"
  key_hold_time           = "5ms"
  boot_command            = ["{{ .HTTPPort }}", "<enter>"]
  http_port_min           = 20000
  http_port_max           = 29999
  $SERVED
  network_interface {
    type = "user"
    mac  = "52:54:00:00:00:01"
    port_forward { guest_port = 22 }
  }
  communicator {
    ssh_host     = "192.0.2.7"
    ssh_username = "root"
    ssh_password = "hush"
  }
  volume {
    alias    = "artifact"
    name     = "image"
    capacity = "1M"
  }
}
build { sources = ["libvirt.example"] }
"#;
    Box::leak(text.replace("$SERVED", served).into_boxed_str())
}

/// What was typed, as digits and `<enter>`, by the numbers of Linux' input events.
fn typed(scene: &Scene) -> String {
    let keys = scene.hypervisor.keys();
    let key = |code: &u32| match code {
        2..=10 => (code - 1).to_string(),
        11 => "0".to_owned(),
        28 => "<enter>".to_owned(),
        other => format!("<{other}>"),
    };
    keys.iter().flat_map(|it| &it.codes).map(key).collect()
}

fn get(port: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(format!("127.0.0.1:{port}")).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: lvhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn the_guest_is_told_by_its_keyboard_what_it_gets_over_http() {
    for served in [
        "http_content = { \"/ks.cfg\" = \"install me\" }\nhttp_bind_address = \"127.0.0.1\"",
        "http_directory = \"www\"\nhttp_interface = \"lo\"\nhttp_network_protocol = \"tcp4\"",
    ] {
        let scene = Scene::new(template(served)).script(|scene| {
            let port = scene.known("PackerHTTPPort");
            assert!((20000..30000).contains(&port.parse::<u16>().unwrap()));
            let ip = scene.known("PackerHTTPIP");
            ip.parse::<std::net::Ipv4Addr>().unwrap();
            assert_eq!(scene.known("PackerHTTPAddr"), format!("{ip}:{port}"));
            assert_eq!(typed(scene), format!("{port}<enter>"));
            assert!(get(&port, "/ks.cfg").ends_with("install me"));
            assert!(get(&port, "/other").starts_with("HTTP/1.1 404"));
            Ok(())
        });
        std::fs::create_dir(scene.path("www")).unwrap();
        std::fs::write(scene.path("www/ks.cfg"), "install me").unwrap();
        scene.run().await.result.unwrap();
    }
}

/// Whether something listens on the port at another address than the one that is meant.
fn is_open_elsewhere(port: &str) -> bool {
    TcpStream::connect(format!("127.0.0.2:{port}")).is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_served_where_the_guest_reaches_them_and_nowhere_else() {
    for (said, elsewhere) in [
        ("", false),
        ("http_bind_address = \"127.0.0.1\"", false),
        ("http_interface = \"lo\"", false),
        ("http_network_protocol = \"tcp4\"", false),
        ("http_bind_address = \"0.0.0.0\"", true),
        ("http_bind_address = \"::\"", true),
    ] {
        let served = format!("http_content = {{ \"/ks.cfg\" = \"install me\" }}\n{said}");
        let scene = Scene::new(template(&served)).script(move |scene| {
            let port = scene.known("PackerHTTPPort");
            assert!(get(&port, "/ks.cfg").ends_with("install me"), "{said}");
            assert_eq!(is_open_elsewhere(&port), elsewhere, "{said}");
            Ok(())
        });
        scene.run().await.result.unwrap();
    }
}

#[tokio::test]
async fn a_folder_that_is_not_there_ends_the_build_before_the_guest_starts() {
    let scene = Scene::new(template("http_directory = \"nothing\""));
    let error = scene.run().await.result.unwrap_err();
    assert!(matches!(error, Error::Boot(_)), "{error}");
    assert!(error.to_string().contains("nothing"), "{error}");
    assert_eq!(scene.volume_names(), ["base"]);
}

const UNATTENDED: &str = r#"
source "libvirt" "example" {
  libvirt_uri  = "fake:///"
  boot_wait    = "0s"
  boot_command = ["<enter>"]
  communicator {
    communicator = "none"
  }
  volume {
    alias    = "artifact"
    name     = "image"
    capacity = "1M"
  }
}
build { sources = ["libvirt.example"] }
"#;

#[tokio::test(start_paused = true)]
async fn a_guest_that_goes_off_while_it_is_typed_at_has_ended() {
    let scene = Scene::new(UNATTENDED);
    scene.lose_the_monitor(Call::SendKeys, true);
    scene.run().await.result.unwrap();
    assert_eq!(scene.volume_names(), ["base", "image"]);
}

#[tokio::test(start_paused = true)]
async fn a_guest_that_can_not_be_typed_at_is_not_built() {
    let scene = Scene::new(UNATTENDED);
    scene.lose_the_monitor(Call::SendKeys, false);
    let error = scene.run().await.result.unwrap_err();
    assert!(matches!(error, Error::Typing(_)), "{error}");
    assert_eq!(scene.volume_names(), ["base"]);
}
