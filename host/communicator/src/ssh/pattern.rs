//! What in the guest a pattern of paths stands for, as the guest's own shell has it.

use crate::communicator::{Command, Communicator, ExitStatus, Output, PathInGuest};
use crate::error::{Error, Result};
use crate::ssh::Ssh;

/// Bytes of the paths that a pattern may stand for: more than 100,000 of any usual length.
const PATHS_MAXIMUM: usize = 16 << 20;
/// Bytes that are kept of what the guest complains of.
const COMPLAINT_MAXIMUM: usize = 1 << 10;

/// Characters that mean the same inside and outside of quotes, and those that make a pattern.
const PLAIN: &str = "/._-+,:@%=*?[]!^";

/// What `pattern` stands for, in the order of the names.
pub(super) async fn find(ssh: &Ssh, pattern: &str) -> Result<Vec<PathInGuest>> {
    let mut said = Said::default();
    let status = ssh.run(&Command::new(command(pattern)), &mut said).await?;
    let remote = |reason: String| Error::Remote {
        action: "look for",
        path: pattern.to_owned(),
        reason,
    };
    if said.is_too_long {
        return Err(Error::Unsafe {
            path: pattern.to_owned(),
            reason: "it stands for too many files",
        });
    }
    if status != ExitStatus::Code(0) {
        let complaint = String::from_utf8_lossy(&said.complaint);
        return Err(remote(format!(
            "patterns need a POSIX shell in the guest, and `sh` ended with {status}: {}",
            complaint.trim()
        )));
    }
    parse(&said.paths).ok_or_else(|| {
        remote("the guest did not answer with paths: does the user's shell print something at each login?".to_owned())
    })
}

/// The command that prints every path: a letter for its kind, the path, and a zero.
fn command(pattern: &str) -> String {
    let script = format!(
        "for path in {}; do if [ -d \"$path\" ]; then printf 'd%s\\000' \"$path\"; \
         elif [ -e \"$path\" ]; then printf 'f%s\\000' \"$path\"; fi; done",
        word(pattern)
    );
    format!("sh -c '{}'", script.replace('\'', "'\\''"))
}

/// The pattern as a word of the shell, in which nothing but the pattern means anything.
fn word(pattern: &str) -> String {
    let mut word = String::new();
    if pattern.starts_with('-') {
        word.push_str("./");
    }
    for (index, character) in pattern.chars().enumerate() {
        let is_home = character == '~' && index == 0;
        if is_home
            || !character.is_ascii()
            || character.is_ascii_alphanumeric()
            || PLAIN.contains(character)
        {
            word.push(character);
        } else if character == '\n' {
            word.push_str("'\n'");
        } else {
            word.push('\\');
            word.push(character);
        }
    }
    word
}

fn parse(paths: &[u8]) -> Option<Vec<PathInGuest>> {
    let Some(paths) = paths.strip_suffix(b"\0") else {
        return paths.is_empty().then(Vec::new);
    };
    let found = paths.split(|byte| *byte == 0).map(|entry| {
        let (kind, path) = entry.split_first()?;
        Some(PathInGuest {
            path: std::str::from_utf8(path).ok()?.to_owned(),
            is_folder: match kind {
                b'd' => true,
                b'f' => false,
                _ => return None,
            },
        })
    });
    found.collect()
}

#[derive(Default)]
struct Said {
    paths: Vec<u8>,
    is_too_long: bool,
    complaint: Vec<u8>,
}

impl Output for Said {
    fn stdout(&mut self, bytes: &[u8]) {
        self.is_too_long |= self.paths.len() + bytes.len() > PATHS_MAXIMUM;
        if !self.is_too_long {
            self.paths.extend_from_slice(bytes);
        }
    }

    fn stderr(&mut self, bytes: &[u8]) {
        let room = COMPLAINT_MAXIMUM.saturating_sub(self.complaint.len());
        self.complaint
            .extend_from_slice(&bytes[..bytes.len().min(room)]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What this machine's shell finds in a folder.
    fn found(folder: &std::path::Path, pattern: &str) -> Vec<(String, bool)> {
        let output = std::process::Command::new("sh")
            .args(["-c", &command(pattern)])
            .current_dir(folder)
            .output()
            .unwrap();
        assert!(output.status.success(), "{pattern}: {output:?}");
        let found = parse(&output.stdout).unwrap();
        found
            .into_iter()
            .map(|it| (it.path, it.is_folder))
            .collect()
    }

    #[test]
    fn the_shell_finds_what_the_pattern_says_and_runs_nothing() {
        let folder = tempfile::tempdir().unwrap();
        for name in [
            "a b.log",
            "c'd.log",
            "e\nf.log",
            "-g.log",
            "h$(touch x).log",
            ".hidden.log",
            "i.txt",
        ] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        std::fs::create_dir(folder.path().join("j.log")).unwrap();
        let all = found(folder.path(), "./*.log");
        let mut names: Vec<_> = all.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        assert_eq!(
            names,
            [
                "./-g.log",
                "./a b.log",
                "./c'd.log",
                "./e\nf.log",
                "./h$(touch x).log",
                "./j.log"
            ]
        );
        for (name, is_folder) in &all {
            assert_eq!(*is_folder, name == "./j.log", "{name}");
        }
        for (pattern, expected) in [
            ("[ac]*", &["a b.log", "c'd.log"][..]),
            ("a b*", &["a b.log"]),
            ("e\n?.log", &["e\nf.log"]),
            ("-*", &["./-g.log"]),
            ("i.t?t", &["i.txt"]),
            ("nothing*", &[]),
            ("*; touch x", &[]),
            ("$(touch x)*", &[]),
            ("`touch x`*", &[]),
            ("h$(touch x)*", &["h$(touch x).log"]),
        ] {
            let names: Vec<_> = found(folder.path(), pattern)
                .into_iter()
                .map(|it| it.0)
                .collect();
            assert_eq!(names, expected, "{pattern:?}");
        }
        assert!(!folder.path().join("x").exists());
    }

    #[test]
    fn only_paths_are_taken_for_an_answer() {
        assert_eq!(parse(b"").unwrap().len(), 0);
        for answer in [
            &b"Welcome!\n"[..],
            b"f/a",
            b"x/a\0",
            b"\0",
            b"f\xff\0",
            b"Welcome!\nf/a\0",
        ] {
            assert!(parse(answer).is_none(), "{answer:?}");
        }
    }
}
