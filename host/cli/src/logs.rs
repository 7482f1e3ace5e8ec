//! The folders of logs that builds leave, and how many of them stay.

use std::cmp::Reverse;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use uuid::Uuid;

/// The folder of all builds' logs, in that of lvhost's state.
pub(crate) const FOLDER: &str = "logs";

/// The builds whose logs are kept: enough to look back at, and with at most some 64 MiB for each and a
/// few KiB for most, no danger to the disk.
const BUILDS_KEPT: usize = 100;

/// Logs younger than this are kept in any case: their builds may still run.
const YOUNG: Duration = Duration::from_secs(24 * 60 * 60);

/// Removes the oldest logs in `folder`. What can't be looked at or removed stays; nothing that is not a
/// build's is touched.
pub(crate) fn prune(folder: &Path, now: SystemTime) {
    let mut builds = builds(folder);
    builds.sort_by_key(|(written, _)| Reverse(*written));
    let old = |written: SystemTime| now.duration_since(written).is_ok_and(|age| age > YOUNG);
    for (written, path) in builds.into_iter().skip(BUILDS_KEPT) {
        if old(written)
            && let Err(error) = fs::remove_dir_all(&path)
        {
            tracing::debug!(path = %path.display(), %error, "an old log stays");
        }
    }
}

/// The folders that are named after builds, with the time something in them was last written.
fn builds(folder: &Path) -> Vec<(SystemTime, PathBuf)> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let named = entries.filter(|entry| {
        let name = entry.file_name();
        name.to_str()
            .is_some_and(|name| Uuid::parse_str(name).is_ok())
    });
    let dated = named.filter_map(|entry| {
        let own = entry.metadata().ok().filter(fs::Metadata::is_dir)?;
        let files = fs::read_dir(entry.path()).into_iter().flatten().flatten();
        let files = files.filter_map(|file| file.metadata().ok()?.modified().ok());
        let written = files.chain(own.modified().ok()).max()?;
        Some((written, entry.path()))
    });
    dated.collect()
}

#[cfg(test)]
mod tests {
    use std::fs::{File, create_dir, write};

    use super::*;

    #[test]
    fn the_last_builds_and_the_young_stay() {
        let folder = tempfile::tempdir().unwrap();
        let now = SystemTime::now();
        let hour = Duration::from_secs(60 * 60);
        let build = |index: u32, age: Duration| {
            let path = folder
                .path()
                .join(Uuid::from_u128(u128::from(index)).to_string());
            create_dir(&path).unwrap();
            write(path.join("console.log"), "boot").unwrap();
            for path in [path.join("console.log"), path.clone()] {
                File::open(path).unwrap().set_modified(now - age).unwrap();
            }
            path
        };
        let hours = |index: u32| hour * (index + 1);
        // The first two dozen are younger than a day.
        let kept: Vec<_> = (0..130).map(|index| build(index, hours(index))).collect();
        let other = folder.path().join("mine");
        create_dir(&other).unwrap();
        prune(folder.path(), now);
        for (index, path) in kept.iter().enumerate() {
            assert_eq!(path.exists(), index < BUILDS_KEPT, "{index}");
        }
        assert!(other.exists(), "it is no build's");

        let busy: Vec<_> = (200..330).map(|index| build(index, hour)).collect();
        prune(folder.path(), now);
        assert!(busy.iter().all(|path| path.exists()), "they may still run");
        assert!(kept.iter().skip(24).all(|path| !path.exists()));
    }

    #[test]
    fn a_folder_that_is_not_there_is_no_error() {
        prune(Path::new("/nonexistent/logs"), SystemTime::now());
    }
}
