//! What strangers write never steers a terminal and never looks like a line of ours, whichever door it comes
//! in by. The template itself is tried in `validate`.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Command;

use crate::lvhost::{Lvhost, Said};
use crate::run::without_guest;
use crate::third_party::{put, template};

/// What steers a terminal, turns or hides what is read, or forges a line.
const ODD: [&str; 7] = [
    "\u{1b}[31m",
    "\u{1b}]0;title\u{7}",
    "\u{9b}2J",
    "\u{202e}",
    "\u{200b}\u{2028}",
    "\r",
    "x\n==> libvirt.example: Finished in 1.0 s",
];

/// As a string of HCL writes it.
fn escaped(odd: &str) -> String {
    odd.chars()
        .map(|character| match u32::from(character) {
            code @ (0..0x20 | 0x7f..) => format!("\\u{code:04x}"),
            _ => character.to_string(),
        })
        .collect()
}

fn assert_tame(said: &Said, odd: &str) {
    assert_ne!(said.code, Some(0), "{odd:?}: {said:?}");
    assert_ne!(said.code, Some(101), "{odd:?}: {said:?}");
    for text in [&said.results, &said.messages] {
        let steers = text
            .chars()
            .find(|it| *it != '\n' && lvhost_hcl::is_unseen(*it));
        assert_eq!(steers, None, "{odd:?}: {text:?}");
        let forged = "==> libvirt.example: Finished";
        assert!(
            !text.lines().any(|line| line.starts_with(forged)),
            "{odd:?}: {text}"
        );
    }
}

/// A build whose volume comes from there.
fn from(source: &str) -> Lvhost {
    let lvhost = without_guest("1s");
    let text = std::fs::read_to_string(lvhost.folder().join("t.pkr.hcl")).unwrap();
    let source = format!("source {{\n      {source}\n    }}\n    capacity = \"1M\"");
    lvhost.file("t.pkr.hcl", &text.replace("capacity = \"1M\"", &source))
}

#[test]
fn the_settings_of_components() {
    for odd in ODD {
        for text in [
            format!("source_plugin \"{odd}\" {{\n}}\n"),
            format!("# {odd}\nsource_plugin \"stranger\" {{\n  fiel = \"{odd}\"\n}}\n"),
            format!(
                "source_plugin \"stranger\" {{\n  sha256 = \"{}\"\n}}\n",
                escaped(odd)
            ),
        ] {
            let lvhost = Lvhost::new().file("t.pkr.hcl", &template(""));
            put(&lvhost, "stranger.wasm");
            let said = lvhost
                .file("lvhost.hcl", &text)
                .call(&["validate", "t.pkr.hcl"]);
            assert_tame(&said, odd);
        }
    }
}

#[test]
fn what_a_component_asks_for() {
    for odd in ODD {
        let options = format!(
            "urls = [\"https://example.org/{0}\", \"{0}\"]\nchecksum = \"{0}\"",
            escaped(odd)
        );
        let lvhost = Lvhost::new().file("t.pkr.hcl", &template(&options));
        put(&lvhost, "stranger.wasm");
        assert_tame(&lvhost.call(&["validate", "t.pkr.hcl"]), odd);
        assert_tame(&lvhost.call(&["validate", "--json", "t.pkr.hcl"]), odd);
    }
}

#[test]
fn files_with_checksums() {
    for odd in ODD {
        let lvhost =
            from("type = \"external\"\n      urls = [\"a.raw\"]\n      checksum = \"file:./SUMS\"")
                .file("a.raw", "bytes")
                .file(
                    "SUMS",
                    &format!("{}  {odd}\n{odd}  a.raw\n{odd}\n", "0".repeat(64)),
                );
        assert_tame(&lvhost.call(&["run", "t.pkr.hcl"]), odd);
    }
}

#[test]
fn names_in_archives() {
    for odd in ODD {
        let lvhost =
            from("type = \"external\"\n      urls = [\"a.tar\"]\n      checksum = \"none\"");
        let folder = lvhost.folder().join("in");
        std::fs::create_dir(&folder).unwrap();
        for name in ["first", "second"] {
            std::fs::write(folder.join(format!("{name}{}", odd.replace('/', ""))), name).unwrap();
        }
        let packed = Command::new("tar")
            .args(["-cf", "../a.tar", "."])
            .current_dir(&folder)
            .status()
            .unwrap();
        assert!(packed.success());
        let said = lvhost.call(&["run", "t.pkr.hcl"]);
        assert!(said.messages.contains("first"), "{said:?}");
        assert_tame(&said, odd);
    }
}

#[test]
fn names_of_files() {
    for odd in ODD {
        let lvhost = from("type = \"files\"\n      files = [\"in/*\"]");
        let folder = lvhost.folder().join("in");
        std::fs::create_dir(&folder).unwrap();
        // One that can't be read: a link to nothing.
        let name = format!("first{}", odd.replace('/', ""));
        std::os::unix::fs::symlink("/nonexistent/target", folder.join(name)).unwrap();
        assert_tame(&lvhost.call(&["run", "t.pkr.hcl"]), odd);
    }
}

#[test]
fn files_of_variables() {
    for odd in ODD {
        let lvhost = Lvhost::new()
            .file(
                "t.pkr.hcl",
                "variable \"a\" { type = number }\nlocals { b = var.a }\n",
            )
            .file(
                "a.pkrvars.hcl",
                &format!("a = \"{}\"\n\"{odd}\" = 1\n", escaped(odd)),
            );
        let arguments = ["validate", "-var-file", "a.pkrvars.hcl", "t.pkr.hcl"];
        assert_tame(&lvhost.call(&arguments), odd);
        let value = format!("a={odd}");
        assert_tame(
            &lvhost.call(&["validate", "-var", &value, "t.pkr.hcl"]),
            odd,
        );
    }
}

#[test]
fn answers_of_web_servers() {
    for odd in ODD {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let location = odd.replace(['\n', '\r'], " ");
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                head.extend(byte);
            }
            let answer = format!(
                "HTTP/1.1 302 {location}\r\nLocation: http://127.0.0.1:1/{location}\r\n\
                 Content-Length: 0\r\nConnection: close\r\n\r\n"
            );
            stream.write_all(answer.as_bytes()).unwrap();
        });
        let source = format!(
            "type = \"external\"\n      urls = [\"http://127.0.0.1:{port}/a.raw\"]\n      checksum = \"none\""
        );
        assert_tame(&from(&source).call(&["run", "-vvv", "t.pkr.hcl"]), odd);
        server.join().unwrap();
    }
}

#[test]
fn arguments_that_are_wrong_steer_nothing() {
    for odd in ODD {
        for arguments in [
            vec![format!("--{odd}")],
            vec!["run".to_owned(), format!("-on-error={odd}"), "t".to_owned()],
            vec![
                "clean".to_owned(),
                "--yes".to_owned(),
                "a".to_owned(),
                odd.to_owned(),
            ],
            vec![odd.to_owned()],
        ] {
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            assert_tame(&Lvhost::new().call(&arguments), odd);
        }
    }
}
