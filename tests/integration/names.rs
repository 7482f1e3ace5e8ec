//! A name server that never answers: nobody is kept waiting by it for longer than is said, and it is named.

use std::net::UdpSocket;
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::hypervisor::need;
use crate::local_guest::LocalGuest;
use crate::lvhost::{self, Lvhost};

/// Where the name server is. Its port is the only one that names are asked for at.
const SERVER: &str = "127.0.0.77";

/// A look-up is given up after 15 s or less.
const PATIENCE: Duration = Duration::from_secs(90);

/// How long it may take to stop: nobody waits for the look-ups that are under way.
const STOPS: Duration = Duration::from_secs(20);

/// A socket that takes questions and answers none, for as long as it lives.
fn silence() -> Result<UdpSocket, String> {
    let mounts = Command::new("unshare").args(["--mount", "true"]).status();
    if !mounts.is_ok_and(|status| status.success()) {
        return Err("mounts of its own, for another name server, need root".to_owned());
    }
    UdpSocket::bind((SERVER, 53)).map_err(|error| format!("no port for names: {error}"))
}

#[test]
fn a_name_server_that_never_answers_is_given_up_and_named() {
    let _silence = need!(silence());
    let guest = need!(LocalGuest::new());
    let lvhost = Lvhost::new();
    let conf = lvhost.write(
        "resolv.conf",
        &format!("nameserver {SERVER}\noptions timeout:30 attempts:5\n"),
    );
    let order = lvhost.write("nsswitch.conf", "hosts: files dns\n");
    let host = |name: &str, value: &str| {
        let text = guest.template(&[name], "");
        let text = text.split("build {").next().unwrap().to_owned();
        text.replace("ssh_host = \"127.0.0.1\"", value)
            .replace("ssh_timeout = \"1m\"", "ssh_timeout = \"20s\"")
    };
    let by = |way: &str| format!("ssh_host = \"127.0.0.1\"\n{way}");
    let bastion = "ssh_bastion_host = \"bastion.example.org\"\nssh_bastion_username = \"me\"\n\
                   ssh_bastion_password = \"x\"";
    let mut text = host("guest", "ssh_host = \"guest.example.org\"");
    text += &host("bastion", &by(bastion));
    text += &host(
        "proxy",
        &by("ssh_proxy_host = \"proxy.example.org\"\nssh_proxy_port = 1080"),
    );
    text += &host("image", "ssh_host = \"127.0.0.1\"").replace(
        "capacity = \"1M\"\n",
        "source {\n type = \"external\"\n urls = [\"http://images.example.org/a.raw\"]\n checksum = \"none\"\n}\n",
    );
    let names = ["guest", "bastion", "proxy", "image"];
    let sources = names.map(|name| format!("\"libvirt.{name}\""));
    lvhost.write(
        "t.pkr.hcl",
        &format!("{text}build {{\n  sources = [{}]\n}}\n", sources.join(", ")),
    );

    let prepared = lvhost.prepare(&[]);
    let script = format!(
        "set -e\nmount --bind {} /etc/resolv.conf\nmount --bind {} /etc/nsswitch.conf\nexec \"$@\"",
        conf.display(),
        order.display()
    );
    let log = std::fs::File::create(lvhost.path("log")).unwrap();
    let mut command = Command::new("unshare");
    command
        .args([
            "--mount",
            "--propagation",
            "private",
            "sh",
            "-c",
            &script,
            "sh",
        ])
        .arg(lvhost::command())
        .args(["run", "t.pkr.hcl"])
        .current_dir(prepared.get_current_dir().unwrap())
        .stdout(log.try_clone().unwrap())
        .stderr(log);
    for (name, value) in prepared.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let begun = Instant::now();
    let mut run = command.spawn().unwrap();
    let read = || std::fs::read_to_string(lvhost.path("log")).unwrap();
    let expected = [
        "guest.example.org was not resolved within 5 s: no name server answers",
        "bastion.example.org was not resolved within 15 s: no name server answers",
        "proxy.example.org was not resolved within 15 s: no name server answers",
        "images.example.org was not resolved within 15 s: no name server answers",
        "==> libvirt.guest: Failed after",
        "==> libvirt.bastion: Failed after",
        "==> libvirt.proxy: Failed after",
    ];
    loop {
        let text = read();
        let missing = expected.iter().find(|expected| !text.contains(**expected));
        let Some(missing) = missing else { break };
        let is_late = begun.elapsed() > PATIENCE || run.try_wait().unwrap().is_some();
        assert!(!is_late, "no {missing:?} in\n{text}");
        std::thread::sleep(Duration::from_millis(100));
    }
    // The download would go on to ask for a while.
    let cancelled = Instant::now();
    let id = Pid::from_child(&run);
    kill_process(id, Signal::INT).unwrap();
    let status = run.wait().unwrap();
    assert!(cancelled.elapsed() < STOPS, "{}", read());
    assert!(!status.success(), "{}", read());
    guest.assert_clean(&read());
}
