//! Why the guest's SFTP does not start, told by what came in its place. Pure.
//!
//! ```text
//!   the subsystem was refused ───────────────────────────────► not offered ─┐ scp may do
//!   its program is not found, or cannot be run ──────────────► missing ─────┘
//!   the server speaks of a password that has expired ────────► expired
//!   text came where SFTP was to come ────────────────────────► talks
//!   it ended ────────────────────────────────────────────────► ended
//!   all else ────────────────────────────────────────────────► no SFTP
//! ```

use std::fmt;

use super::session::readable;
use crate::communicator::Output;

/// Bytes of the guest's words that are kept.
const WORDS_MAXIMUM: usize = 1024;
/// What to do about a password that has expired.
pub(super) const EXPIRED_ADVICE: &str = "make the image with a password that does not expire (with cloud-init: \
     `chpasswd: { expire: false }`), or with none";
/// What to do about text that comes where there should be none.
pub(super) const TALKS_ADVICE: &str = "if the user's shell prints that at each login (.bashrc, .profile), let it print only at a \
     terminal; if it says that this user may not log in, set another ssh_username";

/// What came from the guest beside SFTP, or in its place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct SftpServerWords {
    refused: bool,
    /// The first bytes, whatever they are.
    said: Vec<u8>,
    /// The first bytes of standard error.
    complained: Vec<u8>,
    /// With what its program ended.
    pub(super) exit: Option<u32>,
    /// Nothing more comes.
    pub(super) closed: bool,
}

/// Why SFTP does not start.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SftpTrouble {
    /// The SSH server has no subsystem of that name.
    NotOffered,
    /// It starts a program that is not there, or that cannot be run.
    Missing {
        /// The guest's words.
        words: String,
    },
    /// The user's password has expired, so nothing is started.
    Expired {
        /// The guest's words.
        words: String,
    },
    /// Text came where SFTP was to come.
    Talks {
        /// Its beginning.
        words: String,
    },
    /// It ended before it spoke SFTP.
    Ended {
        /// The guest's words; often none.
        words: String,
        /// With what its program ended.
        exit: Option<u32>,
    },
    /// Something came that is no SFTP and no text, or nothing in time.
    NoSftp,
}

impl SftpServerWords {
    /// The subsystem was refused.
    pub(super) fn refusal() -> Self {
        Self {
            refused: true,
            closed: true,
            ..Self::default()
        }
    }

    /// The channel was closed without a word.
    pub(super) fn silence() -> Self {
        Self {
            closed: true,
            ..Self::default()
        }
    }

    /// These bytes came. Whether they are kept.
    pub(super) fn said(&mut self, bytes: &[u8]) -> bool {
        keep(&mut self.said, bytes)
    }

    /// These came on standard error. Whether they are kept.
    pub(super) fn complained(&mut self, bytes: &[u8]) -> bool {
        keep(&mut self.complained, bytes)
    }

    /// Why a command that says nothing said this, if it is a reason for SFTP to fail.
    pub(super) fn reason(&self) -> Option<SftpTrouble> {
        match self.trouble() {
            found @ (SftpTrouble::Expired { .. } | SftpTrouble::Talks { .. }) => Some(found),
            _ => None,
        }
    }

    /// Why that is no SFTP.
    pub(super) fn trouble(&self) -> SftpTrouble {
        if self.refused {
            return SftpTrouble::NotOffered;
        }
        let (said, complained) = (text(&self.said), text(&self.complained));
        if is_expiry(&complained) || is_expiry(&said) {
            let words = if complained.is_empty() {
                said
            } else {
                complained
            };
            return SftpTrouble::Expired { words };
        }
        if self.exit.is_some_and(is_not_run) {
            return SftpTrouble::Missing { words: complained };
        }
        if is_text(&self.said) {
            return SftpTrouble::Talks { words: said };
        }
        if self.closed && self.said.is_empty() {
            return SftpTrouble::Ended {
                words: complained,
                exit: self.exit,
            };
        }
        SftpTrouble::NoSftp
    }
}

impl Output for SftpServerWords {
    fn stdout(&mut self, bytes: &[u8]) {
        self.said(bytes);
    }

    fn stderr(&mut self, bytes: &[u8]) {
        self.complained(bytes);
    }
}

impl SftpTrouble {
    /// Whether the guest has not said what is the matter.
    pub(super) fn is_wordless(&self) -> bool {
        matches!(self, Self::Ended { words, .. } if words.is_empty())
    }

    /// Whether there is no SFTP at all, so that another way may do.
    pub(super) fn is_absence(&self) -> bool {
        matches!(self, Self::NotOffered | Self::Missing { .. })
    }
}

impl fmt::Display for SftpTrouble {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotOffered => formatter.write_str(
                "the SSH server offers none: write `Subsystem sftp internal-sftp` into its sshd_config, \
                 or set ssh_file_transfer_method = \"scp\"",
            ),
            Self::Missing { words } => write!(
                formatter,
                "the program that the SSH server starts for it is not there or cannot be run{}: \
                 install sftp-server in the guest (package openssh-sftp-server), write `Subsystem sftp \
                 internal-sftp` into its sshd_config, or set ssh_file_transfer_method = \"scp\"",
                Quoted(words)
            ),
            Self::Expired { words } => write!(
                formatter,
                "the user's password has expired, and the guest starts nothing before it is \
                 changed{}: {EXPIRED_ADVICE}",
                Quoted(words)
            ),
            Self::Talks { words } => write!(
                formatter,
                "text came in its place{}: {TALKS_ADVICE}; `Subsystem sftp internal-sftp` in the \
                 guest's sshd_config runs no shell",
                Quoted(words)
            ),
            Self::Ended { words, exit } => {
                formatter.write_str("its program ended at once")?;
                if let Some(exit) = exit {
                    write!(formatter, " with status {exit}")?;
                }
                write!(
                    formatter,
                    "{}: look at the login shell of the user, and at ForceCommand and Subsystem in the \
                     guest's sshd_config; or set ssh_file_transfer_method = \"scp\"",
                    Quoted(words)
                )
            }
            Self::NoSftp => formatter.write_str(
                "the guest's SFTP server said something that is no SFTP: look at Subsystem in the \
                 guest's sshd_config, or set ssh_file_transfer_method = \"scp\"",
            ),
        }
    }
}

/// The guest's words in a sentence, if there are any.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return Ok(());
        }
        write!(formatter, " ({:?})", self.0)
    }
}

/// Whether a guest's `words` say that a password has to be changed before anything else.
pub(super) fn is_expiry(words: &str) -> bool {
    let words = words.to_lowercase();
    let has = |part: &str| words.contains(part);
    has("password")
        && (has("expired") || has("change required") || has("required to change"))
        && !has("password: ")
}

/// Whether a shell returns this for a program that it does not find, or that it cannot run.
pub(super) fn is_not_run(exit: u32) -> bool {
    matches!(exit, 126 | 127)
}

/// Keeps the beginning. Whether anything was kept.
fn keep(kept: &mut Vec<u8>, bytes: &[u8]) -> bool {
    let room = WORDS_MAXIMUM.saturating_sub(kept.len());
    kept.extend(bytes.iter().take(room));
    room > 0 && !bytes.is_empty()
}

/// The words in one line.
fn text(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    readable(&lines.join(" "))
}

/// Whether these bytes are words, and not SFTP: that begins with a length, and a real one has zeros.
fn is_text(bytes: &[u8]) -> bool {
    let is_printed =
        |byte: &u8| matches!(byte, b'\t' | b'\n' | b'\r' | 0x1b | 0x20..=0x7e | 0x80..);
    !bytes.is_empty()
        && bytes.iter().take(16).all(is_printed)
        && bytes.iter().any(u8::is_ascii_alphanumeric)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn heard(said: &str, complained: &str, exit: Option<u32>) -> SftpServerWords {
        let mut heard = SftpServerWords {
            exit,
            closed: true,
            ..SftpServerWords::default()
        };
        heard.said(said.as_bytes());
        heard.complained(complained.as_bytes());
        heard
    }

    #[test]
    fn the_cause_is_told_by_what_came() {
        let expired = "WARNING: Your password has expired.\nPassword change required but no TTY \
                       available.\n";
        for (case, expected, absent) in [
            (SftpServerWords::refusal(), "offers none", true),
            (
                heard("", "sh: 1: /usr/lib/sftp-server: not found\n", Some(127)),
                "not there or cannot be run (\"sh: 1: /usr/lib/sftp-server: not found\")",
                true,
            ),
            (
                heard("", "Permission denied", Some(126)),
                "cannot be run",
                true,
            ),
            (heard("", "", Some(127)), "cannot be run:", true),
            (heard("", expired, Some(1)), "has expired", false),
            (
                heard(
                    "",
                    "You are required to change your password immediately",
                    None,
                ),
                "has expired",
                false,
            ),
            (
                heard("Welcome to web1\r\n", "", None),
                "(\"Welcome to web1\")",
                false,
            ),
            (
                heard("Please login as the user \"debian\"\n", "", Some(142)),
                "set another ssh_username",
                false,
            ),
            (
                heard("This account is currently not available.\n", "", Some(1)),
                "currently not available",
                false,
            ),
            (
                heard("", "", Some(1)),
                "ended at once with status 1:",
                false,
            ),
            (
                heard("", "no pty", None),
                "ended at once (\"no pty\"):",
                false,
            ),
            (heard("\0\0\0\u{5}\u{2}", "", None), "no SFTP", false),
        ] {
            let trouble = case.trouble();
            let told = trouble.to_string();
            assert!(told.contains(expected), "{case:?}: {told}");
            assert_eq!(trouble.is_absence(), absent, "{case:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_came_a_cause_is_told_in_bounds(
            said in proptest::collection::vec(any::<u8>(), 0..3000),
            complained in proptest::collection::vec(any::<u8>(), 0..3000),
            exit: Option<u32>, closed: bool,
        ) {
            let mut heard = SftpServerWords { exit, closed, ..SftpServerWords::default() };
            heard.said(&said);
            heard.complained(&complained);
            let told = heard.trouble().to_string();
            prop_assert!(!told.is_empty() && told.chars().count() < 4000);
            prop_assert!(!told.contains(char::is_control));
        }
    }
}
