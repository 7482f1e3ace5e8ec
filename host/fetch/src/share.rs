//! Files on shares, over SMB 2 and 3.
//!
//! ```text
//! may it be reached? ─► connect ─► log in ─► share ─► open ─► pieces ─► is it still the same?
//!                                                       └─► its version, by which it is known again
//! ```
//!
//! A server of shares has no entity tags. What stands for one are length, the times of the last
//! change of the content and of the last change at all (FILETIMEs, in 100 ns), and the number that the
//! server's file system has for the file, so that one shows that was replaced by another of the same
//! length and date. Not by itself does one show that was overwritten and given its old date again: to
//! Samba the last change at all is that of the content. A checksum tells that.
//!
//! What connects the shares of several servers (DFS) is not followed: the credentials for one host
//! would go to another, which its server chooses.

mod error;
mod place;

use std::sync::Arc;

use bytes::Bytes;
use futures::{Stream, StreamExt as _, TryStreamExt as _, stream};
use secrecy::{ExposeSecret as _, SecretString};
use smb2::{ClientConfig, FileIdentity, FileInfo, FileReader, SmbClient, Tree};
use url::Url;

use crate::address::Address;
use crate::authorization::{LogIns, take_login};
use crate::guard::{self, Scope};
use crate::{LocationError, Settings};

pub use error::ShareError;
use error::Stage;
pub(crate) use place::Place;

/// Bytes asked for at once. Servers have limits between 64 KiB and 8 MiB; what is more than theirs
/// is asked for in parts.
const PIECE: u32 = 1 << 20;

/// Pieces that are asked for before the first of them is there. With [`PIECE`] this bounds the
/// memory of a transfer, and it fills a line of a gigabit up to a round trip of 30 ms.
const AHEAD: usize = 4;

/// Addresses of one host that are tried, each for the time a connection may take.
const MAXIMUM_ADDRESSES: usize = 4;

/// A file on a share, open for reading.
pub(crate) struct SharedFile {
    client: SmbClient,
    tree: Tree,
    reader: Arc<FileReader>,
    identity: Option<FileIdentity>,
    place: Place,
    anonymous: bool,
}

impl SharedFile {
    /// Connects, logs in and opens the file.
    pub(crate) async fn open(
        address: &Address<'_>,
        settings: &Settings,
    ) -> Result<Self, LocationError> {
        let url = address.identity().expose();
        let least = address.admit(url, None)?;
        let place = Place::of(url).map_err(LocationError::Protocol)?;
        let login = Login::of(url, address.log_ins(url), settings);
        let anonymous = login.name.is_empty();
        let failed = |stage, error| sorted(stage, error, &place, anonymous);

        let mut client = connect(url, &place, &login, least, settings).await?;
        let tree = client.connect_share(&place.share).await;
        let mut tree = tree.map_err(|error| failed(Stage::Share, error))?;
        let reader = client.open_file_reader(&tree, &place.path).await;
        let reader = reader.map_err(|error| failed(Stage::File, error))?;
        if reader.info().is_directory {
            return Err(ShareError::not_a_file(&place).into());
        }
        let named = client.stat_with_identity(&mut tree, &place.path).await;
        let (info, identity) = named.map_err(|error| failed(Stage::File, error))?;
        if !is_same(&info, reader.info()) {
            return Err(ShareError::changed(&place).into());
        }
        Ok(Self {
            client,
            tree,
            reader: Arc::new(reader),
            identity,
            place,
            anonymous,
        })
    }

    /// Bytes.
    pub(crate) fn length(&self) -> u64 {
        self.reader.size()
    }

    /// What stands for a strong entity tag; `None` if the server knows no times.
    pub(crate) fn version(&self) -> Option<String> {
        version(self.reader.info(), self.identity)
    }

    /// The content from `offset` on, in order.
    pub(crate) fn pieces(
        &self,
        offset: u64,
    ) -> impl Stream<Item = Result<Bytes, LocationError>> + use<'_> {
        let length = self.length();
        let asked = (offset..length).step_by(PIECE as usize).map(move |offset| {
            let wanted = u64::from(PIECE).min(length - offset);
            async move {
                let piece = self.reader.read_at(offset, wanted).await;
                let piece = piece.map_err(|error| self.failed(error))?;
                match (piece.len() as u64).cmp(&wanted) {
                    std::cmp::Ordering::Equal => Ok(Bytes::from(piece)),
                    std::cmp::Ordering::Less => Err(ShareError::changed(&self.place).into()),
                    std::cmp::Ordering::Greater => Err(LocationError::Protocol(
                        "more bytes of a file than were asked for",
                    )),
                }
            }
        });
        stream::iter(asked).buffered(AHEAD)
    }

    /// Refuses what was read if the file was written to meanwhile: it may be half of each.
    pub(crate) async fn check_unchanged(mut self) -> Result<(), LocationError> {
        let now = self.client.stat(&mut self.tree, &self.place.path).await;
        let now = now.map_err(|error| self.failed(error))?;
        if !is_same(&now, self.reader.info()) {
            return Err(ShareError::changed(&self.place).into());
        }
        Ok(())
    }

    fn failed(&self, error: smb2::Error) -> LocationError {
        sorted(Stage::File, error, &self.place, self.anonymous)
    }
}

/// Reads a whole file of at most `limit` bytes.
pub(crate) async fn read(
    address: &Address<'_>,
    settings: &Settings,
    limit: usize,
) -> Result<Vec<u8>, LocationError> {
    let file = SharedFile::open(address, settings).await?;
    let limit = limit as u64;
    if file.length() > limit {
        return Err(LocationError::TooLong { limit });
    }
    let pieces: Vec<Bytes> = file.pieces(0).try_collect().await?;
    file.check_unchanged().await?;
    Ok(pieces.concat())
}

/// Connects and logs in. A host that the user did not name is resolved here, so that what was
/// checked is what is connected to.
async fn connect(
    url: &Url,
    place: &Place,
    login: &Login,
    least: Scope,
    settings: &Settings,
) -> Result<SmbClient, LocationError> {
    let written = format!("{}:{}", place.host, place.port);
    let mut addresses = vec![written.clone()];
    if least > Scope::Inward {
        let host = place.host.trim_start_matches('[').trim_end_matches(']');
        let found = guard::resolve(host, place.port, least, settings.name_limit()).await;
        let found = found.map_err(|error| match guard::is_out_of_scope(&error) {
            true => LocationError::forbidden(url),
            false => ShareError::unresolved(place, &error).into(),
        })?;
        let found = found.iter().take(MAXIMUM_ADDRESSES);
        addresses = found.map(ToString::to_string).collect();
    }
    let mut last = LocationError::Protocol("a host without an address");
    for address in addresses {
        let client = SmbClient::connect(login.configuration(address, settings)).await;
        last = match client {
            Ok(client) => return Ok(client),
            Err(error) => sorted(Stage::Session, error, place, login.name.is_empty()),
        };
        if !matches!(&last, LocationError::Share(error) if error.is_unreachable()) {
            break;
        }
    }
    Err(last)
}

fn sorted(stage: Stage, error: smb2::Error, place: &Place, anonymous: bool) -> LocationError {
    ShareError::of(stage, error, place, anonymous).into()
}

/// Whether both tell of the same content of a file, as far as it can be seen.
fn is_same(one: &FileInfo, other: &FileInfo) -> bool {
    (one.size, one.modified) == (other.size, other.modified)
}

fn version(info: &FileInfo, identity: Option<FileIdentity>) -> Option<String> {
    let (size, modified, changed) = (info.size, info.modified.0, info.changed.0);
    let (volume, number) = identity.map_or((0, 0), |it| (it.volume_serial, it.index_number));
    let tag = || format!("\"{size:x}-{modified:x}-{changed:x}-{volume:x}-{number:x}\"");
    (modified != 0).then(tag)
}

/// Who the host says it is to a server; without a name a guest, or nobody.
struct Login {
    domain: String,
    name: String,
    password: SecretString,
}

impl Login {
    /// The login in the URL, or the one in the netrc file.
    fn of(url: &Url, log_ins: LogIns, settings: &Settings) -> Self {
        let written = take_login(&mut url.clone());
        let netrc = settings.netrc.as_ref().zip(url.host_str());
        let listed = || netrc.and_then(|(netrc, host)| log_ins.of_netrc(netrc, host));
        let login =
            written.or_else(|| listed().map(|login| (login.name.clone(), login.password.clone())));
        let (name, password) = login.unwrap_or_default();
        let (domain, name) = match name.split_once([';', '\\']) {
            Some((domain, name)) => (domain.to_owned(), name.to_owned()),
            None => (String::new(), name),
        };
        Self {
            domain,
            name,
            password: password.unwrap_or_default(),
        }
    }

    fn configuration(&self, addr: String, settings: &Settings) -> ClientConfig {
        ClientConfig {
            addr,
            timeout: settings.connect_timeout,
            response_timeout: Some(settings.read_timeout),
            username: self.name.clone(),
            password: self.password.expose_secret().to_owned(),
            domain: self.domain.clone(),
            // A broken transfer is our own to continue.
            auto_reconnect: false,
            // Images are compressed already, or zeros that a server's disk and network are fast at:
            // not worth one more reader of what a server sends.
            compression: false,
            dfs_enabled: false,
            ..ClientConfig::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use smb2::pack::FileTime;

    use super::*;
    use crate::Netrc;

    #[test]
    fn the_login_in_the_url_counts_more_than_the_netrc_file() {
        let mut settings = Settings::new("cache");
        let all = LogIns {
            headers: true,
            machine: true,
            default: true,
        };
        let netrc = "machine nas login DOM\\listed password one\n";
        settings.netrc = Some(Netrc::parse(netrc).unwrap());
        for (url, domain, name, password) in [
            ("smb://nas/s/a", "DOM", "listed", "one"),
            ("smb://other/s/a", "", "", ""),
            ("smb://me:p%40ss@nas/s/a", "", "me", "p@ss"),
            ("smb://dom;me:pass@nas/s/a", "dom", "me", "pass"),
            ("smb://dom%3Bme@nas/s/a", "dom", "me", ""),
            ("smb://guest@nas/s/a", "", "guest", ""),
        ] {
            let login = Login::of(&Url::parse(url).unwrap(), all, &settings);
            let found = (&*login.domain, &*login.name, login.password.expose_secret());
            assert_eq!(found, (domain, name, password), "{url}");
        }
    }

    #[test]
    fn whatever_changes_of_a_file_makes_another_version() {
        let file = |size, modified, changed, number: u64| {
            let mut info = FileInfo::default();
            info.size = size;
            info.modified = FileTime(modified);
            info.changed = FileTime(changed);
            let identity = FileIdentity {
                volume_serial: 2,
                index_number: number,
            };
            version(&info, (number > 0).then_some(identity))
        };
        let one = file(5, 10, 11, 12);
        assert_eq!(one.as_deref(), Some("\"5-a-b-2-c\""));
        for other in [
            file(6, 10, 11, 12),
            file(5, 11, 11, 12),
            file(5, 10, 12, 12),
            file(5, 10, 11, 13),
            file(5, 10, 11, 0),
        ] {
            assert!(other.is_some() && other != one);
        }
        assert_eq!(file(5, 0, 0, 12), None);
    }
}
