//! Secrets of the user's that components can have sent and never read.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use lvhost_config::{NamedSecret, PROJECT_FILE};
use lvhost_fetch::{SafeUrl, ServerAddress};
use lvhost_hcl::{Diagnostic, Diagnostics};
use secrecy::{ExposeSecret, SecretString};

/// Bytes of a file with a secret in it, at most.
const MOST: u64 = 16 << 10;

/// All secrets of a project, by their names.
#[derive(Clone, Debug, Default)]
pub struct UserSecrets(BTreeMap<String, UserSecret>);

/// One secret. Its `Debug` shows where it is, and not what.
#[derive(Clone)]
pub(crate) struct UserSecret {
    place: Place,
    addresses: Vec<ServerAddress>,
}

/// Where a secret is.
#[derive(Clone)]
enum Place {
    Variable {
        name: String,
        value: Option<SecretString>,
    },
    File(PathBuf),
}

impl fmt::Debug for UserSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "in {}", self.place)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variable { name, .. } => write!(formatter, "the environment variable `{name}`"),
            Self::File(path) => formatter.write_str(&path.display().to_string()),
        }
    }
}

impl UserSecrets {
    /// Reads `secret` blocks. Files are meant from `folder`, and are not opened yet; `variable` says what an
    /// environment variable holds. What can't be meant is reported.
    pub fn read(
        written: &[NamedSecret],
        folder: &Path,
        variable: impl Fn(&str) -> Option<SecretString>,
        report: &mut Diagnostics,
    ) -> Self {
        let mut secrets = BTreeMap::new();
        for NamedSecret {
            name,
            name_span,
            secret,
        } in written
        {
            let place = match (&secret.env, &secret.file) {
                (Some(name), None) => Place::Variable {
                    value: variable(name),
                    name: name.clone(),
                },
                (None, Some(file)) => Place::File(folder.join(file)),
                (Some(_), Some(_)) => {
                    let message = "a secret is in an environment variable or in a file";
                    let place = secret.origin.span_of("file");
                    report.push(Diagnostic::error(place, message).help("leave one of them"));
                    continue;
                }
                (None, None) => {
                    let message = format!("it is not said where the secret `{name}` is");
                    let help = "write `env = \"VARIABLE\"` or `file = \"PATH\"`";
                    report.push(Diagnostic::error(*name_span, message).help(help));
                    continue;
                }
            };
            let mut addresses = Vec::new();
            for (index, text) in secret.addresses.iter().enumerate() {
                let place = secret
                    .origin
                    .span_of_element("addresses", &format!("[{index}]"));
                match ServerAddress::parse(text) {
                    Ok(address) => addresses.push(address),
                    Err(error) => report.push(Diagnostic::error(place, error.to_string()).help(
                        "write `HOST`, `https://HOST:PORT` or `http://HOST:PORT`, without a path",
                    )),
                }
            }
            if secret.addresses.is_empty() {
                let message = format!("it is not said where the secret `{name}` may be sent");
                let help = "write `addresses = [\"HOST\"]`";
                report.push(Diagnostic::error(*name_span, message).help(help));
            }
            secrets.insert(name.clone(), UserSecret { place, addresses });
        }
        Self(secrets)
    }

    #[cfg(test)]
    pub(crate) fn insert(&mut self, name: &str, secret: UserSecret) {
        self.0.insert(name.to_owned(), secret);
    }

    pub(crate) fn get(&self, name: &str) -> Option<&UserSecret> {
        self.0.get(name)
    }
}

impl UserSecret {
    /// A variable with this value, for these addresses.
    #[cfg(test)]
    pub(crate) fn of_variable(value: Option<&str>, addresses: &[&str]) -> Self {
        let addresses = addresses.iter().map(|it| ServerAddress::parse(it).unwrap());
        Self {
            place: Place::Variable {
                name: "TOKEN".to_owned(),
                value: value.map(SecretString::from),
            },
            addresses: addresses.collect(),
        }
    }

    /// Whether it may be sent to a URL.
    pub(crate) fn may_go_to(&self, url: &SafeUrl) -> bool {
        self.addresses.iter().any(|address| address.covers(url))
    }

    /// Where it may be sent, for people.
    pub(crate) fn addresses(&self) -> String {
        let addresses: Vec<_> = self.addresses.iter().map(ToString::to_string).collect();
        addresses.join(", ")
    }

    /// What it is. This blocks on the file system.
    ///
    /// # Errors
    /// It can't be had, or is empty: why, and where it should be.
    pub(crate) fn value(&self) -> Result<SecretString, String> {
        let text = match &self.place {
            Place::Variable { value, .. } => value.clone().ok_or("it is not set".to_owned()),
            Place::File(path) => {
                let bytes =
                    lvhost_regular_file::read(path, MOST).map_err(|error| error.to_string());
                bytes.and_then(|bytes| {
                    let text = String::from_utf8(bytes).map_err(|_| "it is not text in UTF-8")?;
                    Ok(SecretString::from(text.trim_end_matches(['\r', '\n'])))
                })
            }
        };
        match text {
            Ok(text) if text.expose_secret().is_empty() => Err("it is empty".to_owned()),
            text => text,
        }
        .map_err(|why| format!("it should be in {}: {why}", self.place))
    }
}

/// What to write for a secret that there is not.
pub(crate) fn block_text(name: &str) -> String {
    format!(
        "write where it is and where it may be sent into {PROJECT_FILE}:\n\n\
         secret \"{name}\" {{\n  env       = \"…\"\n  addresses = [\"…\"]\n}}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_file(path: &Path) -> UserSecret {
        UserSecret {
            place: Place::File(path.to_owned()),
            addresses: Vec::new(),
        }
    }

    #[test]
    fn a_file_is_a_secret_without_its_line_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        for (content, expected) in [
            ("t0ken", Some("t0ken")),
            ("t0ken\n", Some("t0ken")),
            ("t0ken\r\n\n", Some("t0ken")),
            (" t0 ken ", Some(" t0 ken ")),
            ("", None),
            ("\n", None),
        ] {
            std::fs::write(&path, content).unwrap();
            let value = of_file(&path).value();
            let value = value.ok().map(|it| it.expose_secret().to_owned());
            assert_eq!(value.as_deref(), expected, "{content:?}");
        }
        std::fs::write(&path, [0xff]).unwrap();
        assert!(of_file(&path).value().is_err());
        std::fs::write(&path, vec![b'x'; MOST as usize + 1]).unwrap();
        assert!(of_file(&path).value().is_err());
        std::fs::remove_file(&path).unwrap();
        let error = of_file(&path).value().unwrap_err();
        assert!(error.contains(path.to_str().unwrap()), "{error}");
        let error = UserSecret::of_variable(None, &["h"]).value().unwrap_err();
        assert!(error.contains("variable `TOKEN`: it is not set"), "{error}");
    }

    #[test]
    fn a_secret_shows_nothing_of_itself() {
        let secret = UserSecret::of_variable(Some("t0ken"), &["h"]);
        assert!(!format!("{secret:?}").contains("t0ken"));
    }
}
