//! What downloads take from the surroundings.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread::{JoinHandle, spawn};

use crate::lvhost::Lvhost;
use crate::run::without_guest;

/// Answers one request with nothing to download: its head.
fn one_request(listener: TcpListener) -> JoinHandle<String> {
    spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            head.extend(byte);
        }
        stream
            .write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            .unwrap();
        String::from_utf8(head).unwrap()
    })
}

/// A build that begins with a download from this port.
fn downloading(port: u16) -> Lvhost {
    let lvhost = without_guest("1s");
    let template = std::fs::read_to_string(lvhost.folder().join("t.pkr.hcl")).unwrap();
    let source = format!(
        "source {{\n      type     = \"external\"\n      urls     = [\"http://127.0.0.1:{port}/a.raw\"]\n      \
         checksum = \"none\"\n    }}\n    capacity = \"1M\""
    );
    lvhost.file("t.pkr.hcl", &template.replace("capacity = \"1M\"", &source))
}

#[test]
fn headers_of_the_environment_go_to_their_host() {
    for from_file in [false, true] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let request = one_request(listener);
        let lines = format!(
            "https://example.org Authorization: Bearer other\n\
             http://127.0.0.1:{port} Authorization: Bearer hunter2\n"
        );
        let lvhost = downloading(port).file("headers.txt", &lines);
        let value = if from_file { "@headers.txt" } else { &lines };
        let said =
            lvhost
                .variable("LVHOST_HTTP_HEADERS", value)
                .call(&["run", "-vvv", "t.pkr.hcl"]);
        assert_eq!(said.code, Some(1), "{said:?}");
        assert!(said.messages.contains("404 Not Found"), "{said:?}");
        assert!(!said.messages.contains("hunter2"), "{said:?}");
        let head = request.join().unwrap().to_ascii_lowercase();
        assert!(
            head.contains("\r\nauthorization: bearer hunter2\r\n"),
            "{head}"
        );
    }
}

#[test]
fn headers_that_can_not_be_read_are_an_error_without_their_values() {
    for (value, problem) in [
        (
            "https://example.org hunter2",
            "the environment variable LVHOST_HTTP_HEADERS can't be used: line 1 is not of the form",
        ),
        (
            "\nftp://example.org A: hunter2",
            "line 2: `ftp://example.org` is neither a host nor an http or https address",
        ),
        ("@nothing.txt", "nothing.txt: No such file or directory"),
    ] {
        let said = without_guest("1s")
            .variable("LVHOST_HTTP_HEADERS", value)
            .call(&["run", "t.pkr.hcl"]);
        assert_eq!(said.code, Some(2), "{said:?}");
        assert!(said.messages.contains(problem), "{}", said.messages);
        assert!(!said.messages.contains("hunter2"), "{}", said.messages);
    }
}
