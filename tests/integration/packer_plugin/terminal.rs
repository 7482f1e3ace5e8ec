//! Packer at a terminal, with somebody who answers.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::process::Child;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};

use pty_process::blocking::{Command, Pty, open};

use super::with_each;
use crate::hypervisor::need;
use crate::local_guest::LocalGuest;
use crate::packer::{Installation, PATIENCE};

/// A Packer that builds.
pub(super) struct Session {
    pty: Pty,
    child: Child,
    bytes: Receiver<Vec<u8>>,
    output: String,
    /// As much of the output as was waited for.
    seen: usize,
}

impl Session {
    pub(super) fn build(packer: &Installation, arguments: &[&str], text: &str) -> Self {
        let path = packer.path("template.pkr.hcl");
        std::fs::write(&path, text).unwrap();
        let (pty, terminal) = open().unwrap();
        let child = Command::new(&packer.packer)
            .arg("build")
            .args(arguments)
            .arg(path)
            .current_dir(packer.directory.path())
            .env_clear()
            .envs(packer.environment())
            .env("TERM", "xterm")
            .spawn(terminal)
            .unwrap();
        let mut reader = File::from(pty.as_fd().try_clone_to_owned().unwrap());
        let (sender, bytes) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            // Linux ends a terminal with an error once nobody has it open.
            while let Ok(read @ 1..) = reader.read(&mut buffer) {
                if sender.send(buffer[..read].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self {
            pty,
            child,
            bytes,
            output: String::new(),
            seen: 0,
        }
    }

    /// Whether this comes before the end.
    fn comes(&mut self, text: &str) -> bool {
        loop {
            if let Some(found) = self.output[self.seen..].find(text) {
                self.seen += found + text.len();
                return true;
            }
            match self.bytes.recv_timeout(PATIENCE) {
                Ok(bytes) => self.output.push_str(&String::from_utf8_lossy(&bytes)),
                Err(RecvTimeoutError::Disconnected) => return false,
                Err(RecvTimeoutError::Timeout) => panic!("no {text:?} in:\n{}", self.output),
            }
        }
    }

    /// Answers the question that has this in it.
    pub(super) fn answer(&mut self, question: &str, keys: &str) {
        assert!(self.comes(question), "no {question:?} in:\n{}", self.output);
        self.pty.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits for the end: the exit code and all that was shown.
    pub(super) fn end(mut self) -> (Option<i32>, String) {
        while let Ok(bytes) = self.bytes.recv_timeout(PATIENCE) {
            self.output.push_str(&String::from_utf8_lossy(&bytes));
        }
        println!("{}", self.output);
        let code = self.child.wait().unwrap().code();
        (code, std::mem::take(&mut self.output))
    }
}

/// Leaves no Packer behind when a test fails.
impl Drop for Session {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn delete_volume(guest: &LocalGuest) {
    let (pool, volume) = (&guest.hypervisor.pool, guest.domain("a"));
    guest
        .hypervisor
        .virsh(&["vol-delete", "--pool", pool, &volume]);
}

const QUESTION: &str = "[r] run the provisioners again";

#[test]
fn who_is_asked_about_a_failure_says_what_becomes_of_it() {
    let guest = need!(LocalGuest::new());
    let name = "who_is_asked_about_a_failure_says_what_becomes_of_it";
    with_each(name, |packer| {
        let mark = guest.home().join("mark");
        let _ = std::fs::remove_file(&mark);
        let command = format!("test -e {0} || {{ touch {0}; exit 3; }}", mark.display());
        let text = guest.template(&["a"], &guest.shell("provisioner", &[&command]));
        let mut again = Session::build(packer, &["-on-error=ask"], &text);
        again.answer(QUESTION, "r\r");
        let (code, output) = again.end();
        assert_eq!(code, Some(0), "{output}");
        assert!(output.contains("Script exited with non-zero exit status: 3"));
        assert_eq!(guest.hypervisor.volumes(), [guest.domain("a")]);
        delete_volume(&guest);

        let text = guest.template(&["a"], &guest.shell("provisioner", &["exit 3"]));
        for (key, is_kept) in [("k\r", true), ("c\r", false)] {
            let mut failing = Session::build(packer, &["-on-error=ask", "-force"], &text);
            failing.answer(QUESTION, key);
            let (code, output) = failing.end();
            assert_eq!(code, Some(1), "{output}");
            let is_left = output.contains("is left for you to look at");
            assert_eq!(is_left, is_kept, "{output}");
            let left = guest.hypervisor.volumes();
            assert_eq!(left.len(), usize::from(is_kept), "{output}");
        }
        guest.assert_clean("");
    });
}

#[test]
fn debug_waits_for_a_key_after_each_step() {
    let guest = need!(LocalGuest::new());
    with_each("debug_waits_for_a_key_after_each_step", |packer| {
        let text = guest.template(&["a"], &guest.shell("provisioner", &["echo provisioned"]));
        let mut session = Session::build(packer, &["-debug"], &text);
        let mut steps = Vec::new();
        while session.comes("Pausing ") {
            let start = session.seen;
            session.answer("Press enter to continue.", "\r");
            let pause = &session.output[start..session.seen];
            let end = pause.find(['(', '.']).unwrap();
            steps.push(pause[..end].trim().to_owned());
        }
        let (code, output) = session.end();
        assert_eq!(code, Some(0), "{output}");
        assert!(output.contains("libvirt.a: provisioned"), "{output}");
        assert_eq!(
            steps,
            [
                "after the step \"check\"",
                "after the step \"volumes\"",
                "after the step \"start\"",
                "after the step \"boot and connect\"",
                // That one is Packer's own.
                "before the next provisioner",
                "after the step \"provision\"",
                "after the step \"shut down\""
            ]
        );
        delete_volume(&guest);
    });
}
