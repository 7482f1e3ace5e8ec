//! Paths that begin in a home of the guest, for SFTP, which takes `~` for a name like any other. By scp and in
//! patterns the guest's shell knows it. Pure.

use std::borrow::Cow;

use crate::error::{Error, Result};

/// `path` as SFTP takes it: it starts in the user's home, so that is where a path without a `/` at its beginning is.
///
/// # Errors
/// For the home of another user, which SFTP has no word for.
pub(super) fn in_home(path: &str) -> Result<Cow<'_, str>> {
    let Some(rest) = path.strip_prefix('~') else {
        return Ok(Cow::Borrowed(path));
    };
    match rest.split_once('/') {
        Some(("", _)) => Ok(Cow::Owned(format!(".{rest}"))),
        None if rest.is_empty() => Ok(Cow::Borrowed(".")),
        Some((user, _)) if user.chars().all(is_of_name) => Err(Error::Remote {
            action: "find",
            path: path.to_owned(),
            reason: format!(
                "SFTP does not know the home of another user: write its absolute path, or `./~{user}` \
                 for a folder of that name"
            ),
        }),
        // A file of that name, such as an editor's copy.
        _ => Ok(Cow::Borrowed(path)),
    }
}

/// Whether a user's name may have it.
fn is_of_name(character: char) -> bool {
    character.is_ascii_alphanumeric() || "._-".contains(character)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tilde_is_the_users_home() {
        for (path, expected) in [
            ("~", "."),
            ("~/", "./"),
            ("~/a b/c", "./a b/c"),
            ("/~/a", "/~/a"),
            ("a/~", "a/~"),
            ("./~/a", "./~/a"),
            ("~copy", "~copy"),
            ("~$open/a", "~$open/a"),
            ("", ""),
        ] {
            assert_eq!(in_home(path).unwrap(), expected, "{path}");
        }
        let told = in_home("~demo/a").unwrap_err().to_string();
        assert!(
            told.contains("cannot find ~demo/a") && told.contains("absolute path"),
            "{told}"
        );
    }
}
