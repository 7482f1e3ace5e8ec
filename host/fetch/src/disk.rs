//! Room on the file system of the cache.

use std::path::{Path, PathBuf};

use thiserror::Error;

/// There is no room for a file.
#[derive(Debug, Error, PartialEq, Eq)]
#[error(
    "no room for {file} in {}: {} and {} is free; make room there, for instance by removing cached \
     downloads", directory.display(), need(*needed), size(*free)
)]
pub struct NoSpace {
    /// What was to be stored; without secrets.
    pub file: String,
    /// Bytes that were still to be written; `None` if the server did not say how many there are.
    pub needed: Option<u64>,
    /// Bytes that are free.
    pub free: u64,
    /// Where.
    pub directory: PathBuf,
}

fn need(needed: Option<u64>) -> String {
    match needed {
        Some(bytes) => format!("it needs {}", size(bytes)),
        None => "its size is not known".to_owned(),
    }
}

/// Bytes as people read them, and as they are.
fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    let mut value = bytes as f64;
    let mut unit = None;
    for next in UNITS {
        if value < 1024.0 {
            break;
        }
        value /= 1024.0;
        unit = Some(next);
    }
    match unit {
        Some(unit) => format!("{value:.1} {unit} ({bytes} bytes)"),
        None => format!("{bytes} bytes"),
    }
}

/// Bytes that may still be written to the file system of `directory`; `None` if it can't be told.
pub(crate) fn free(directory: &Path) -> Option<u64> {
    let facts = rustix::fs::statvfs(directory).ok()?;
    facts.f_bavail.checked_mul(facts.f_frsize)
}

/// Whether an error of writing means that there is no room, or no more for this user.
pub(crate) fn is_full(error: &std::io::Error) -> bool {
    matches!(
        error.kind(),
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_well() {
        for (bytes, text) in [
            (0, "0 bytes"),
            (1023, "1023 bytes"),
            (1536, "1.5 KiB (1536 bytes)"),
            (10 << 30, "10.0 GiB (10737418240 bytes)"),
            (5000 << 40, "5000.0 TiB (5497558138880000 bytes)"),
        ] {
            assert_eq!(size(bytes), text);
        }
    }

    #[test]
    fn the_message_has_both_sizes() {
        let error = NoSpace {
            file: "https://h/a".to_owned(),
            needed: Some(2 << 30),
            free: 1 << 20,
            directory: "/cache".into(),
        };
        assert_eq!(
            error.to_string(),
            "no room for https://h/a in /cache: it needs 2.0 GiB (2147483648 bytes) and 1.0 MiB \
             (1048576 bytes) is free; make room there, for instance by removing cached downloads"
        );
    }
}
