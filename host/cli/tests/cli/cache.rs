//! `lvhost cache`.

use std::io::{Read, Write};
use std::net::TcpListener;

use serde_json::Value;

use crate::lvhost::Lvhost;

/// Serves `body` to whoever asks, under any name; returns where.
fn server(body: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                connection.read_exact(&mut byte).unwrap();
                request.push(byte[0]);
            }
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                body.len()
            );
            connection.write_all(head.as_bytes()).unwrap();
            connection.write_all(body).unwrap();
        }
    });
    address
}

/// Two builds at libvirt's test driver, which takes no uploads: they fail after their downloads.
fn with_downloads() -> Lvhost {
    let template = r#"source "libvirt" "example" {
  libvirt_uri = "test:///default"
  domain_type = "test"
  arch        = "i686"

  network_interface {
    type = "managed"
  }

  communicator {
    communicator = "none"
  }

  volume {
    alias = "artifact"
    pool  = "default-pool"
    source {
      type     = "external"
      urls     = ["URL"]
      checksum = "none"
    }
  }
}

build {
  sources = ["source.libvirt.example"]
}
"#;
    let mut lvhost = Lvhost::new();
    for (name, body) in [("one.raw", &[1; 4096]), ("two.raw", &[2; 4096])] {
        let url = format!("{}/{name}", server(body));
        lvhost = lvhost.file(&format!("{name}.pkr.hcl"), &template.replace("URL", &url));
        let said = lvhost.call(&["run", &format!("{name}.pkr.hcl")]);
        assert!(
            said.messages.contains("download: done, 4.00 KiB"),
            "{said:?}"
        );
    }
    lvhost
}

fn json(lvhost: &Lvhost, arguments: &[&str]) -> Value {
    let said = lvhost.call(arguments);
    assert_eq!(said.code, Some(0), "{said:?}");
    serde_json::from_str(&said.results).unwrap()
}

#[test]
fn downloads_are_listed_and_removed() {
    let lvhost = with_downloads();
    let said = lvhost.call(&["cache", "list"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    for expected in [
        "/one.raw\n",
        "/two.raw\n",
        "    4.00 KiB  used ",
        "2 files, 8.00 KiB in ",
    ] {
        assert!(
            said.results.contains(expected),
            "{expected}: {}",
            said.results
        );
    }
    let listed = json(&lvhost, &["cache", "list", "--json"]);
    let entries = listed["entries"].as_array().unwrap();
    assert_eq!(entries.len(), 2);
    // The one used last comes first.
    assert!(
        entries[0]["urls"][0]
            .as_str()
            .unwrap()
            .ends_with("/two.raw")
    );
    assert_eq!(entries[0]["is_whole"], true);
    assert_eq!(entries[0]["length"], 4096);

    // A plan tells what need not be downloaded.
    let planned = json(&lvhost, &["plan", "--json", "one.raw.pkr.hcl"]);
    let download = &planned["builds"][0]["volumes"][0]["downloads"][0];
    assert_eq!(download["cached"], true, "{download}");

    let removed = json(&lvhost, &["cache", "prune", "--unused-for", "1", "--json"]);
    assert_eq!(removed["removed"], serde_json::json!([]));
    let removed = json(&lvhost, &["cache", "prune", "--keep", "4K", "--json"]);
    let gone = removed["removed"].as_array().unwrap();
    assert_eq!(gone.len(), 1);
    assert!(gone[0]["urls"][0].as_str().unwrap().ends_with("/one.raw"));
    let said = lvhost.call(&["cache", "prune", "--all"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(
        said.results.contains("1 file, 4.00 KiB removed from "),
        "{said:?}"
    );
    let listed = json(&lvhost, &["cache", "list", "--json"]);
    assert_eq!(listed["entries"], serde_json::json!([]));
    let planned = json(&lvhost, &["plan", "--json", "one.raw.pkr.hcl"]);
    let download = &planned["builds"][0]["volumes"][0]["downloads"][0];
    assert_eq!(download["cached"], false, "{download}");
}

#[test]
fn a_cache_that_is_not_there_yet_is_empty() {
    let lvhost = Lvhost::new();
    let listed = json(&lvhost, &["cache", "list", "--json"]);
    assert_eq!(listed["entries"], serde_json::json!([]));
    assert!(
        listed["folder"]
            .as_str()
            .unwrap()
            .ends_with("cache/lvhost/downloads")
    );
}
