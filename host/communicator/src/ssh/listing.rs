//! The names in a guest's folder, held at arm's length: the guest may send anything, without end.

use russh_sftp::client::error::Error as SftpError;
use russh_sftp::protocol::StatusCode;

use super::sftp::{Sftp, excess, remote};
use crate::error::Result;

/// Bytes that the names of one folder may take. A real folder of fifty thousand files stays below,
/// and the process has forty MiB for everything.
const NAMES_MAXIMUM: usize = 2 * 1024 * 1024;
/// Entries that may wait for their turn while a tree is copied: each costs a few hundred bytes.
const ENTRIES_MAXIMUM: usize = 50_000;

/// Names of the folder itself and the one it is in, and answers without a name: two and none.
const OTHERS_MAXIMUM: usize = 16;

impl Sftp {
    /// The names in the folder `path` in order; `pending` is how many entries wait already.
    pub(super) async fn names(&self, path: &str, pending: usize) -> Result<Vec<String>> {
        let (client, refused) = (self.client(), excess(path));
        let failed = || remote("read the folder", path);
        let opened = self.waiting(path, client.opendir(path)).await?;
        let handle = opened.map_err(failed())?.handle;
        // Those that are no entries, such as the folder itself, have no end by themselves.
        let mut others = 0;
        let mut names = Vec::new();
        let mut bytes = 0;
        loop {
            let reading = client.readdir(handle.as_str());
            let part = match self.waiting(path, reading).await? {
                Ok(part) => part,
                Err(SftpError::Status(status)) if status.status_code == StatusCode::Eof => break,
                Err(error) => return Err(failed()(error)),
            };
            others += usize::from(part.files.is_empty());
            for file in part.files {
                let name = file.filename;
                if name == "." || name == ".." {
                    others += 1;
                    continue;
                }
                if !safe_name(&name) {
                    return Err(refused("it holds a name that is no file name"));
                }
                bytes += name.len();
                if bytes > NAMES_MAXIMUM || pending + names.len() >= ENTRIES_MAXIMUM {
                    return Err(refused("it holds too many files to copy them one by one"));
                }
                self.budget().entry().map_err(&refused)?;
                names.push(name);
            }
            if others > OTHERS_MAXIMUM {
                return Err(refused("the list of its names has no end"));
            }
        }
        client.close(handle).await.map_err(failed())?;
        names.sort_unstable();
        Ok(names)
    }
}

/// Whether `name` names something in a folder and leads nowhere else.
pub(super) fn safe_name(name: &str) -> bool {
    !matches!(name, "" | "." | "..") && !name.contains(['/', '\0'])
}

#[cfg(test)]
mod tests {
    use std::path::{Component, Path};

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_safe_name_is_one_normal_component(name in "[a./\\\\\0 é]{0,6}") {
            let parts: Vec<_> = Path::new(&name).components().collect();
            if safe_name(&name) {
                prop_assert_eq!(parts, [Component::Normal(name.as_ref())]);
            }
        }
    }

    #[test]
    fn names_that_lead_elsewhere_are_not_safe() {
        for (name, expected) in [
            ("a", true),
            ("..a", true),
            ("..", false),
            (".", false),
            ("", false),
            ("a/b", false),
        ] {
            assert_eq!(safe_name(name), expected, "{name:?}");
        }
    }
}
