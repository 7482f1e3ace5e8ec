//! Taking a build's key out of the guest again, so that no image ships with it
//! (Packer's `ssh_clear_authorized_keys`).

use crate::communicator::{Command, Communicator, Output};
use crate::error::{Error, Result};

/// Bytes of the guest's complaint that are kept for a message.
const COMPLAINT_MAXIMUM: usize = 1024;

/// Takes the lines that hold the public key `public_openssh` out of the `authorized_keys` of the
/// user we are logged in as, and of root where that user may become root without a password.
///
/// The files keep their owner and mode; other lines, and files without such a line, are left alone.
/// The guest needs a POSIX shell and `grep`. Do it last: nobody gets in with the key afterwards.
///
/// # Errors
/// The key has no line of its own form, the guest went away, or a file could not be rewritten.
pub async fn clear(guest: &dyn Communicator, public_openssh: &str) -> Result<()> {
    let failed = |reason: String| Error::Remote {
        action: "take the build's key out of",
        path: "~/.ssh/authorized_keys".to_owned(),
        reason,
    };
    let key = body(public_openssh)
        .ok_or_else(|| failed("the public key is not in OpenSSH's form".to_owned()))?;
    let mut complaint = Complaint::default();
    let status = guest
        .run(&Command::new(script(key)), &mut complaint)
        .await?;
    if status.success() {
        return Ok(());
    }
    let words = crate::ssh::readable(String::from_utf8_lossy(&complaint.0).trim());
    Err(failed(if words.is_empty() {
        status.to_string()
    } else {
        words
    }))
}

/// The key itself in a line of `authorized_keys`: the part in base64, which no shell sees anything
/// special in.
fn body(public_openssh: &str) -> Option<&str> {
    let key = public_openssh.split_ascii_whitespace().nth(1)?;
    let base64 = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte);
    (key.len() >= 16 && key.bytes().all(base64)).then_some(key)
}

/// What the guest runs. The file is written in place through a copy in memory, so that neither its
/// owner, its mode nor its security label change.
fn script(key: &str) -> String {
    let clear = format!(
        "f=$1/.ssh/authorized_keys; if [ -f \"$f\" ] && grep -qF {key} \"$f\"; then \
         rest=$(grep -vF {key} \"$f\"); [ $? -le 1 ] || exit 1; \
         if [ -n \"$rest\" ]; then printf \"%s\\n\" \"$rest\"; fi > \"$f\"; fi"
    );
    // Single quotes around it: it holds none itself.
    let both = format!(
        "sh -c '{clear}' clear \"$HOME\" || exit 1; \
         if [ \"$(id -u)\" != 0 ] && sudo -n true 2>/dev/null; then \
         sudo -n sh -c '{clear}' clear /root; fi"
    );
    // The login shell may be one of csh's kind, which knows none of that. Quotes it knows.
    format!("sh -c '{}'", both.replace('\'', "'\\''"))
}

#[derive(Default)]
struct Complaint(Vec<u8>);

impl Output for Complaint {
    fn stdout(&mut self, _: &[u8]) {}

    fn stderr(&mut self, bytes: &[u8]) {
        let room = COMPLAINT_MAXIMUM.saturating_sub(self.0.len());
        self.0.extend(bytes.iter().take(room));
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::process;

    use super::*;
    use crate::keys::{Algorithm, generate};

    /// Runs the guest's script here by this login shell, with this home folder and without `sudo`.
    fn run(shell: &str, home: &std::path::Path, key: &str) -> process::Output {
        // As root the script never looks for sudo; else it finds none here.
        let mut command = process::Command::new(shell);
        command.arg("-c").arg(script(key)).env("HOME", home);
        let tools = home.join("tools");
        std::fs::create_dir_all(&tools).unwrap();
        for tool in [shell, "sh", "grep", "id"] {
            let found = process::Command::new("sh")
                .arg("-c")
                .arg(format!("command -v {tool}"))
                .output()
                .unwrap();
            let found = String::from_utf8(found.stdout).unwrap();
            let _ = std::os::unix::fs::symlink(found.trim(), tools.join(tool));
        }
        command.env("PATH", &tools).output().unwrap()
    }

    /// Those of this machine that a user may have.
    fn login_shells() -> impl Iterator<Item = &'static str> {
        let is_there = |shell: &&str| {
            let tried = process::Command::new(shell).args(["-c", "true"]).status();
            tried.is_ok()
        };
        ["sh", "bash", "zsh", "fish", "tcsh"]
            .into_iter()
            .filter(is_there)
    }

    #[test]
    fn only_the_builds_key_goes() {
        let build = generate(Algorithm::Ed25519, "build")
            .unwrap()
            .public_openssh;
        let other = generate(Algorithm::Ed25519, "a 'user' \"$HOME\" \\n")
            .unwrap()
            .public_openssh;
        let key = body(&build).unwrap();
        for (before, after) in [
            (format!("{build}\n"), String::new()),
            (format!("{other}\n{build}\n"), format!("{other}\n")),
            (
                format!("# all\n\nno-pty {build}\n{other}"),
                format!("# all\n\n{other}\n"),
            ),
            (other.clone(), other.clone()),
        ] {
            for shell in login_shells() {
                let home = tempfile::tempdir().unwrap();
                let folder = home.path().join(".ssh");
                std::fs::create_dir(&folder).unwrap();
                let file = folder.join("authorized_keys");
                std::fs::write(&file, &before).unwrap();
                std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
                let ended = run(shell, home.path(), key);
                assert!(ended.status.success(), "{shell}: {ended:?}");
                assert_eq!(std::fs::read_to_string(&file).unwrap(), after, "{shell}");
                assert_eq!(
                    std::fs::metadata(&file).unwrap().permissions().mode() & 0o777,
                    0o600
                );
            }
        }
    }

    #[test]
    fn without_a_file_there_is_nothing_to_do() {
        let home = tempfile::tempdir().unwrap();
        let build = generate(Algorithm::Ed25519, "").unwrap().public_openssh;
        let ended = run("sh", home.path(), body(&build).unwrap());
        assert!(ended.status.success(), "{ended:?}");
    }

    #[test]
    fn what_is_no_public_key_is_not_run() {
        for text in [
            "",
            "ssh-ed25519",
            "ssh-ed25519 ",
            "ssh-ed25519 AAAA",
            "ssh-ed25519 AAAAAAAAAAAAAAAAAAAA$(reboot)",
            "ssh-ed25519 'AAAAAAAAAAAAAAAAAAAA'",
        ] {
            assert_eq!(body(text), None, "{text}");
        }
    }
}
