//! What the tests start as a process for a component; and, asked by hand, one that tries what such a
//! process can't do and tells what came of it.

use std::fs::{self, File};
use std::io::{self, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::UnixStream;
use std::process::{Command, ExitCode};

use lvhost_runtime::child::{Bounds, confine, serve_if_asked};

fn main() -> ExitCode {
    if let Some(ended) = serve_if_asked() {
        return ended;
    }
    let parent = rustix::process::getppid().map_or(0, |parent| parent.as_raw_nonzero().get());
    let bounds = Bounds {
        memory: 64 << 20,
        processor_seconds: 2,
    };
    match confine(bounds, parent) {
        Ok(confinement) if confinement.seccomp => {}
        Ok(_) => tell("seccomp", "this kernel has none"),
        Err(error) => {
            tell("confine", &format!("{error}"));
            return ExitCode::FAILURE;
        }
    }
    for (name, attempt) in ATTEMPTS {
        let outcome = match attempt() {
            Ok(()) => "done".to_owned(),
            Err(error) => format!("refused: {:?}", error.kind()),
        };
        tell(name, &outcome);
    }
    ExitCode::SUCCESS
}

fn tell(name: &str, outcome: &str) {
    let mut out = io::stdout();
    // Whoever reads it notices what is missing.
    let _ = writeln!(out, "{name}: {outcome}");
    let _ = out.flush();
}

type Attempt = fn() -> io::Result<()>;

const ATTEMPTS: &[(&str, Attempt)] = &[
    ("read a file", || File::open("/etc/passwd").map(drop)),
    ("read what it is", || {
        fs::read("/proc/self/status").map(drop)
    }),
    ("list a folder", || fs::read_dir("/").map(drop)),
    ("make a file", || {
        File::create("/tmp/lvhost-component").map(drop)
    }),
    ("remove a file", || fs::remove_file("/tmp/lvhost-component")),
    ("listen", || TcpListener::bind("127.0.0.1:0").map(drop)),
    ("connect", || TcpStream::connect("127.0.0.1:9").map(drop)),
    ("send a datagram", || {
        UdpSocket::bind("127.0.0.1:0").map(drop)
    }),
    ("connect to a local socket", || {
        UnixStream::connect("/run/libvirt/libvirt-sock").map(drop)
    }),
    ("make a local socket", || UnixStream::pair().map(drop)),
    ("start a program", || {
        Command::new("/bin/true").status().map(drop)
    }),
    ("signal another process", || {
        Ok(rustix::process::test_kill_process(
            rustix::process::Pid::INIT,
        )?)
    }),
    ("raise a limit", || {
        let more = rustix::process::Rlimit {
            current: Some(1 << 40),
            maximum: Some(1 << 40),
        };
        Ok(rustix::process::setrlimit(
            rustix::process::Resource::Data,
            more,
        )?)
    }),
    ("take 128 MiB", || {
        let mut much: Vec<u8> = Vec::new();
        much.try_reserve_exact(128 << 20)
            .map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))?;
        much.resize(128 << 20, 1);
        Ok(())
    }),
    ("take 16 MiB", || {
        let mut some: Vec<u8> = Vec::new();
        some.try_reserve_exact(16 << 20)
            .map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))?;
        some.resize(16 << 20, 1);
        Ok(())
    }),
    ("start a thread", || {
        std::thread::Builder::new()
            .spawn(|| ())?
            .join()
            .map_err(|_| io::Error::other("it panicked"))
    }),
];
