//! A volume source that tries to reach, by the standard library of its language, all that a program can reach:
//! files, sockets, names, variables, arguments, input. It is blank if nothing let it through, and else it fails
//! and says what did.

#![expect(unsafe_code, reason = "the generated glue to the component's memory")]
#![expect(clippy::print_stderr, reason = "its output is what is tested")]

mod bindings {
    wit_bindgen::generate!({ path: "../../../wit/v0.1", world: "volume-source" });
}

use std::net::{TcpListener, TcpStream, ToSocketAddrs, UdpSocket};
use std::{env, fs, io};

use bindings::exports::lvhost::source::source::{
    Configuration, Defaults, Description, Guest, Recipe,
};
use bindings::lvhost::source::types::{Error, OptionSetting, Volume};

struct ReachingOut;

impl Guest for ReachingOut {
    fn describe() -> Description {
        Description {
            type_: "reaching-out".to_owned(),
            aliases: Vec::new(),
            summary: "Reaches for what is not its own.".to_owned(),
            options: Vec::new(),
        }
    }

    fn configure(_volume: Volume, _options: Vec<OptionSetting>) -> Configuration {
        Configuration {
            diagnostics: Vec::new(),
            defaults: Defaults {
                device: None,
                format: None,
                bus: None,
                name_suffix: None,
                read_only: None,
            },
            grants: Vec::new(),
        }
    }

    fn prepare(_volume: Volume, _options: Vec<OptionSetting>) -> Result<Recipe, Error> {
        let mut reached = Vec::new();
        for (what, attempt) in ATTEMPTS {
            match attempt() {
                Ok(()) => reached.push(*what),
                Err(error) => eprintln!("{what}: {error}"),
            }
        }
        if reached.is_empty() {
            Ok(Recipe::Blank)
        } else {
            Err(Error::Other(format!("reached: {}", reached.join(", "))))
        }
    }
}

type Attempt = fn() -> io::Result<()>;

const ATTEMPTS: &[(&str, Attempt)] = &[
    ("a file", || fs::read("/etc/passwd").map(|_| ())),
    ("a relative file", || fs::read("Cargo.toml").map(|_| ())),
    ("a process's files", || {
        fs::read("/proc/self/environ").map(|_| ())
    }),
    ("a new file", || fs::write("/tmp/reached", "here")),
    ("a folder", || fs::read_dir("/").map(|_| ())),
    ("a new folder", || fs::create_dir("/tmp/reached")),
    ("a change of a file", || fs::remove_file("/etc/passwd")),
    ("a link", || fs::hard_link("/etc/passwd", "/tmp/reached")),
    ("facts of a file", || fs::metadata("/").map(|_| ())),
    ("a server by its address", || {
        TcpStream::connect("127.0.0.1:22").map(|_| ())
    }),
    ("a server of IPv6", || {
        TcpStream::connect("[::1]:22").map(|_| ())
    }),
    ("a server by its name", || {
        TcpStream::connect("localhost:22").map(|_| ())
    }),
    ("a name", || {
        let mut addresses = "localhost:22".to_socket_addrs()?;
        addresses
            .next()
            .map(|_| ())
            .ok_or_else(|| io::Error::other("no address"))
    }),
    ("a port", || TcpListener::bind("127.0.0.1:0").map(|_| ())),
    ("a datagram", || {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        socket.send_to(b"here", "127.0.0.1:53").map(|_| ())
    }),
    ("a variable", || {
        let found = env::vars().next();
        found.map(|_| ()).ok_or_else(|| io::Error::other("none"))
    }),
    ("an argument", || {
        let found = env::args().find(|it| !it.is_empty());
        found.map(|_| ()).ok_or_else(|| io::Error::other("none"))
    }),
    ("a line of input", || match io::stdin().lines().next() {
        Some(line) => line.map(|_| ()),
        None => Err(io::Error::other("at its end")),
    }),
    ("its folder", || {
        env::current_dir().and_then(fs::read_dir).map(|_| ())
    }),
];

bindings::export!(ReachingOut with_types_in bindings);
