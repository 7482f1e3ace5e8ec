//! The command at a terminal, as a person sees it: what is on the screen, in which colours, and what
//! keys do.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::num::NonZeroU16;
use std::process::Child;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use pty_process::Size;
use pty_process::blocking::{Command, Pty, open};

use crate::lvhost::Lvhost;
use crate::run::{NOWHERE, without_guest};

/// How long the screen may take to show what it has to, on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(120);

/// Lines of the terminal.
const ROWS: u16 = 40;

/// A command at a terminal of its own.
struct Session {
    pty: Pty,
    child: Child,
    bytes: Receiver<Vec<u8>>,
    screen: vt100::Parser,
    /// Everything that came, with the codes that steer a terminal.
    all: String,
}

impl Session {
    fn start(lvhost: &Lvhost, arguments: &[&str], columns: u16, no_color: &str) -> Self {
        let (pty, terminal) = open().unwrap();
        pty.resize(Size::new(ROWS, columns)).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_lvhost"))
            .args(arguments)
            .current_dir(lvhost.folder())
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("TERM", "xterm")
            .env("NO_COLOR", no_color)
            .env("HOME", lvhost.folder())
            .spawn(terminal)
            .unwrap();
        let (sender, bytes) = channel();
        let mut reader =
            std::fs::File::from(std::os::fd::AsFd::as_fd(&pty).try_clone_to_owned().unwrap());
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            // Linux ends a terminal with an error once nobody has it open.
            while let Ok(read @ 1..) = reader.read(&mut buffer) {
                if sender.send(buffer[..read].to_vec()).is_err() {
                    return;
                }
            }
        });
        let size = |size| NonZeroU16::new(size).unwrap();
        Self {
            pty,
            child,
            bytes,
            screen: vt100::Parser::new(size(ROWS), size(columns), 0),
            all: String::new(),
        }
    }

    fn contents(&self) -> String {
        self.screen.screen().contents()
    }

    /// Takes in what comes; whether anything did before the end.
    fn receive(&mut self) -> bool {
        match self.bytes.recv_timeout(PATIENCE) {
            Ok(bytes) => {
                self.screen.process(&bytes);
                self.all.push_str(&String::from_utf8_lossy(&bytes));
                true
            }
            Err(RecvTimeoutError::Disconnected) => false,
            Err(RecvTimeoutError::Timeout) => panic!("nothing came:\n{}", self.contents()),
        }
    }

    /// Waits until a line of the screen is as it is wanted.
    fn line(&mut self, wanted: impl Fn(&str) -> bool) -> String {
        loop {
            let contents = self.contents();
            if let Some(line) = contents.lines().find(|line| wanted(line)) {
                return line.to_owned();
            }
            assert!(self.receive(), "it ended:\n{}", self.contents());
        }
    }

    /// Waits until the screen is as it is wanted.
    fn until(&mut self, wanted: impl Fn(&str) -> bool) {
        while !wanted(&self.contents()) {
            assert!(self.receive(), "it ended:\n{}", self.contents());
        }
    }

    fn type_keys(&mut self, keys: &str) {
        self.pty.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits for the end; the exit code.
    fn end(&mut self) -> Option<i32> {
        while self.receive() {}
        self.child.wait().unwrap().code()
    }
}

/// Serves a file of 64 MiB slowly, for as long as somebody reads it; returns its URL.
fn slow_server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/image.raw", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                connection.read_exact(&mut byte).unwrap();
                request.push(byte[0]);
            }
            let head = "HTTP/1.1 200 OK\r\nContent-Length: 67108864\r\n\r\n";
            let mut written = connection.write_all(head.as_bytes());
            while written.is_ok() {
                // This is how fast the server is.
                std::thread::sleep(Duration::from_millis(20));
                written = connection.write_all(&[7; 64 << 10]);
            }
        }
    });
    url
}

/// A build that downloads, at libvirt's test driver.
fn download(url: &str) -> Lvhost {
    let template = format!(
        r#"source "libvirt" "example" {{
  libvirt_uri = "test:///default"
  domain_type = "test"
  arch        = "i686"
  domain_name = "web"

  network_interface {{
    type = "managed"
  }}

  communicator {{
    communicator = "none"
  }}

  volume {{
    alias = "artifact"
    pool  = "default-pool"
    source {{
      type     = "external"
      urls     = ["{url}"]
      checksum = "none"
    }}
  }}
}}

build {{
  sources = ["source.libvirt.example"]
}}
"#
    );
    Lvhost::new().file("t.pkr.hcl", &template)
}

#[test]
fn a_transfer_has_a_line_with_its_rate_and_the_time_left_that_fits() {
    let url = slow_server();
    for (columns, has_bar, begins) in [
        (140, true, "    libvirt.example: web-artifact: "),
        (80, false, "    …"),
    ] {
        let lvhost = download(&url);
        let mut session = Session::start(&lvhost, &["run", "t.pkr.hcl"], columns, "");
        let line = session.line(|line| line.contains("MiB/s, ") && line.contains(" left"));
        assert!(line.starts_with(begins), "{line:?}");
        assert!(line.contains("/64.00 MiB "), "{line:?}");
        assert_eq!(
            line.contains("[=") || line.contains("[>"),
            has_bar,
            "{line:?}"
        );
        let rows = 0..ROWS;
        let wrapped: Vec<_> = rows
            .filter(|row| session.screen.screen().row_wrapped(*row))
            .collect();
        assert_eq!(wrapped, Vec::<u16>::new(), "{}", session.contents());

        session.type_keys("\u{3}");
        session.line(|line| line.starts_with("Cancelling, cleaning up; press Ctrl-C again"));
        assert_eq!(session.end(), Some(130), "{}", session.contents());
        let contents = session.contents();
        assert!(contents.contains("download: stopped after "), "{contents}");
        assert!(
            contents.contains("==> libvirt.example: Cancelled after "),
            "{contents}"
        );
        assert!(contents.ends_with("error: cancelled"), "{contents}");
        // The bar is gone.
        assert!(!contents.contains(" left\n"), "{contents}");
    }
}

#[test]
fn builds_have_colours_of_their_own_unless_they_are_not_wanted() {
    let two = crate::lvhost::template(NOWHERE, "").replace(
        "sources = [\"source.libvirt.example\"]",
        "source \"source.libvirt.example\" {\n    name = \"one\"\n  }\n  \
         source \"source.libvirt.example\" {\n    name = \"two\"\n  }",
    );
    let lvhost = Lvhost::new().file("t.pkr.hcl", &two);
    let mut session = Session::start(&lvhost, &["run", "t.pkr.hcl"], 120, "");
    assert_eq!(session.end(), Some(1), "{}", session.contents());
    for expected in [
        "\u{1b}[32m\u{1b}[1m==> libvirt.one:\u{1b}[0m Connecting",
        "\u{1b}[36m\u{1b}[1m==> libvirt.two:\u{1b}[0m Connecting",
        "\u{1b}[31m\u{1b}[1m==> libvirt.two:\u{1b}[0m error: ",
    ] {
        assert!(
            session.all.contains(expected),
            "{expected:?}: {:?}",
            session.all
        );
    }
    let mut session = Session::start(&lvhost, &["run", "t.pkr.hcl"], 120, "1");
    assert_eq!(session.end(), Some(1), "{}", session.contents());
    assert!(
        session.all.contains("==> libvirt.one: Connecting"),
        "{:?}",
        session.all
    );
    assert!(!session.all.contains("\u{1b}[3"), "{:?}", session.all);
}

#[test]
fn a_user_is_asked_what_becomes_of_a_failed_build() {
    for (answer, code, expected) in [
        ("c", 1, "==> libvirt.example: Cleaning up"),
        ("keep", 1, "is left for you to look at"),
    ] {
        let lvhost = without_guest("1s");
        let arguments = ["run", "-on-error=ask", "t.pkr.hcl"];
        let mut session = Session::start(&lvhost, &arguments, 120, "");
        session.line(|line| line.contains("The build has failed: the guest has not powered"));
        session.line(|line| line.contains("[k] keep everything as it is"));
        // What is no answer is asked again; what is typed before that is none either.
        session.type_keys("\n");
        session.until(|contents| contents.matches("[k] keep everything").count() == 2);
        session.type_keys(&format!("{answer}\n"));
        assert_eq!(session.end(), Some(code), "{}", session.contents());
        assert!(
            session.contents().contains(expected),
            "{expected}: {}",
            session.contents()
        );
    }
}

#[test]
fn a_question_ends_with_the_run() {
    let lvhost = without_guest("1s");
    let mut session = Session::start(&lvhost, &["run", "-on-error=ask", "t.pkr.hcl"], 120, "");
    session.line(|line| line.contains("[k] keep everything as it is"));
    session.type_keys("\u{3}");
    assert_eq!(session.end(), Some(130), "{}", session.contents());
    assert!(
        session
            .contents()
            .contains("==> libvirt.example: Cleaning up"),
        "{}",
        session.contents()
    );
}
