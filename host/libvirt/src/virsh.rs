//! Commands of virsh for a user to type. Each names the hypervisor: virsh by itself takes another one for root than
//! for everybody else.

use std::borrow::Cow;

/// In place of the URI, where the user knows it from somewhere else.
const SAME_URI: &str = "URI";

/// `virsh -c URI WORD…`, to be shown to whoever knows which URI is meant.
pub fn virsh(words: &[&str]) -> String {
    virsh_at(SAME_URI, words)
}

/// `virsh -c …` with this URI; an empty one is libvirt's default, which is virsh's as well.
pub fn virsh_at(uri: &str, words: &[&str]) -> String {
    let mut command = "virsh".to_owned();
    if !uri.is_empty() {
        command.push_str(" -c ");
        command.push_str(&quoted(uri));
    }
    for word in words {
        command.push(' ');
        command.push_str(&quoted(word));
    }
    command
}

/// `text` as one word of a shell: names may be anybody's, and have anything in them.
fn quoted(text: &str) -> Cow<'_, str> {
    let is_plain =
        |character: char| character.is_alphanumeric() || "-_./:=@%+,".contains(character);
    match !text.is_empty() && text.chars().all(is_plain) {
        true => Cow::Borrowed(text),
        false => Cow::Owned(in_quotes(text)),
    }
}

/// `text` as one word of a shell, in quotes whatever it is: for a command that a user is shown.
pub fn in_quotes(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_names_its_hypervisor_and_runs_nothing_else() {
        for (uri, words, expected) in [
            ("", ["pool-start", "a"], "virsh pool-start a"),
            (
                "qemu:///system",
                ["pool-start", "b\u{fc}cher"],
                "virsh -c qemu:///system pool-start b\u{fc}cher",
            ),
            (
                "qemu+ssh://me@hv/system?no_tty=1",
                ["net-start", "my net"],
                "virsh -c 'qemu+ssh://me@hv/system?no_tty=1' net-start 'my net'",
            ),
            (
                SAME_URI,
                ["destroy", "a'; reboot"],
                r"virsh -c URI destroy 'a'\''; reboot'",
            ),
        ] {
            assert_eq!(virsh_at(uri, &words), expected);
        }
        let quoted = in_quotes("test:///a'; reboot #");
        assert_eq!(quoted, r"'test:///a'\''; reboot #'");
    }
}
