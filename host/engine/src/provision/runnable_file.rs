//! A script in a file of lvhost's own, which can be run.
//!
//! Linux runs no file that is open for writing somewhere (`ETXTBSY`). To close it here is not enough: a process that
//! another thread starts at this very moment has a copy of every open file until it becomes another program. A lock
//! is held by the open file and not by a process, until its last copy is closed. So it tells whether there is one:
//!
//! ```text
//!  create, lock ─► write, close ─► open for reading: is it locked? ─┬─ yes: a moment later, again
//!                                                                   └─ no: nobody can write to it any more
//! ```

use std::fs::{File, Permissions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use tempfile::{NamedTempFile, TempPath};
use tokio::time::Instant;

use crate::error::ProvisionError;

/// How long to wait for processes that are just being started: they need less than a millisecond, and a hundred
/// times that where the machine is busy. What is still open then is held by something else, and to run the file
/// tells of it.
const BEING_STARTED: Duration = Duration::from_secs(10);

const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// Writes a script that only this user can read and run, and that is removed when it is dropped.
pub(super) async fn write(text: &str) -> Result<TempPath, ProvisionError> {
    let path = create()
        .and_then(|file| fill(file, text))
        .map_err(|source| ProvisionError::File {
            action: "write a script into",
            path: std::env::temp_dir(),
            source,
        })?;
    nobody_writes(&path).await;
    Ok(path)
}

fn create() -> io::Result<NamedTempFile> {
    let file = tempfile::Builder::new()
        .prefix("lvhost-shell-local-")
        .suffix(".sh")
        .permissions(Permissions::from_mode(0o700))
        .tempfile()?;
    // Nobody else knows of it, so that this waits for nobody. A file system without locks tells nothing later.
    let _ = file.as_file().lock();
    Ok(file)
}

fn fill(mut file: NamedTempFile, text: &str) -> io::Result<TempPath> {
    file.write_all(text.as_bytes())?;
    Ok(file.into_temp_path())
}

/// Waits until no copy of the open file is left through which it was written, or for as long as makes sense.
async fn nobody_writes(path: &Path) {
    let Ok(file) = File::open(path) else { return };
    let deadline = Instant::now() + BEING_STARTED;
    let mut pause = FIRST_PAUSE;
    while matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
        && Instant::now() < deadline
    {
        tokio::time::sleep(pause).await;
        pause = LONGEST_PAUSE.min(pause * 2);
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// Whether it can be run; not, if it is busy.
    fn runs(path: &Path) -> bool {
        match Command::new(path).status() {
            Ok(status) => status.success(),
            Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy => false,
            Err(error) => panic!("{error}"),
        }
    }

    #[tokio::test]
    async fn a_file_is_there_once_nobody_can_write_to_it() {
        let file = create().unwrap();
        // What a process has that was started while the file was written.
        let copy = file.as_file().try_clone().unwrap();
        let path = fill(file, "#!/bin/sh\nexit 0\n").unwrap();
        assert!(!runs(&path));
        let mut waits = Box::pin(nobody_writes(&path));
        assert!(futures::poll!(&mut waits).is_pending());
        drop(copy);
        waits.await;
        assert!(runs(&path));
    }

    #[tokio::test(start_paused = true)]
    async fn a_file_that_stays_open_is_not_waited_for_without_end() {
        let file = create().unwrap();
        let _copy = file.as_file().try_clone().unwrap();
        let path = fill(file, "").unwrap();
        let begun = Instant::now();
        nobody_writes(&path).await;
        assert!(begun.elapsed() >= BEING_STARTED);
    }
}
