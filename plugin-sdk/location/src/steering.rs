//! What go-getter takes out of a URL's query for itself, before it asks the server.
//! <https://pkg.go.dev/github.com/hashicorp/go-getter/v2> documents the keys.

use crate::{Archive, Checksum, Fault, Packing};

/// The keys that steer.
const KEYS: [&str; 3] = ["archive", "checksum", "filename"];

const WORDS: &str = "use gz, bz2, xz, zst, zip, tar, tar.gz, tar.bz2, tar.xz, tar.zst or false";

/// What a location says beside where the file is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Steering {
    /// `archive=`: how the file is packed.
    pub archive: Archive,
    /// `checksum=`: what the file must be.
    pub checksum: Option<Checksum>,
    /// `filename=`: what the file is called, whatever its address ends in.
    pub file_name: Option<String>,
    /// What stood after `//`: the file meant, or its folder, inside of an archive.
    pub member: Option<String>,
}

impl Steering {
    /// Whether nothing is said of unpacking and checking.
    pub(crate) fn is_plain(&self) -> bool {
        self.checksum.is_none() && self.member.is_none() && self.archive == Archive::default()
    }

    /// Takes the steering keys out of a query; the other pairs stay as they were written.
    pub(crate) fn from_query(query: &str) -> Result<(Self, Option<String>), Fault> {
        let mut steering = Self::default();
        let mut rest = Vec::new();
        let mut seen = Vec::new();
        for pair in query.split('&') {
            let Some((key, value)) = steering_pair(pair) else {
                rest.push(pair);
                continue;
            };
            if seen.contains(&key) {
                return Err(Fault::new(
                    format!("`{key}=` stands more than once in the query"),
                    "write it once",
                ));
            }
            seen.push(key);
            steering.set(key, &value)?;
        }
        let rest = rest.join("&");
        Ok((steering, (!rest.is_empty()).then_some(rest)))
    }

    fn set(&mut self, key: &str, value: &str) -> Result<(), Fault> {
        match key {
            "archive" => {
                let message = "`archive=` in the query is none that is supported";
                self.archive = Archive::parse(value).ok_or_else(|| Fault::new(message, WORDS))?;
            }
            "checksum" => {
                let checksum = Checksum::parse(value).map_err(|fault| Fault {
                    message: format!("`checksum=` in the query: {}", fault.message),
                    ..fault
                })?;
                self.checksum = Some(checksum);
            }
            _ => {
                if value.is_empty() || value.contains(['/', '\0']) || [".", ".."].contains(&value) {
                    return Err(Fault::new(
                        "`filename=` in the query is not the name of a file",
                        "give a name without `/`",
                    ));
                }
                self.file_name = Some(value.to_owned());
            }
        }
        Ok(())
    }

    /// Splits `archive//member`. Two slashes after anything but an archive mean nothing special:
    /// servers and file systems take them for one.
    pub(crate) fn split_member<'a>(&self, path: &'a str) -> Option<(&'a str, &'a str)> {
        for (at, _) in path.match_indices("//") {
            let (archive, member) = (&path[..at], path[at..].trim_matches('/'));
            let name = archive.rsplit('/').next().unwrap_or_default();
            let packed = self.archive.packing(name);
            if !name.is_empty() && !member.is_empty() && packed.is_some_and(Packing::is_archive) {
                return Some((archive, member));
            }
        }
        None
    }
}

/// The key and decoded value of a pair that steers.
fn steering_pair(pair: &str) -> Option<(&'static str, String)> {
    let (key, value) = form_urlencoded::parse(pair.as_bytes()).next()?;
    let key = KEYS.into_iter().find(|known| *known == key)?;
    Some((key, value.into_owned()))
}

/// Whether a query has a key that steers.
pub(crate) fn steers(query: &str) -> bool {
    query.split('&').any(|pair| steering_pair(pair).is_some())
}
