//! The `output_directory`: a copy of the artifact on this machine, holes as holes.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use lvhost_libvirt::{Progress, SparseFile, VolumeFacts, VolumeId};
use lvhost_regular_file::UnfinishedFile;

use super::Build;
use super::compact::{self, Compacted};
use crate::error::{Error, with_causes};
use crate::journal::{FileEntry, known_path};
use crate::ownership::Doubt;
use crate::plan::Plan;
use crate::ui::Ui as _;

/// How often the user sees how far the download is.
const REPORT_EVERY: Duration = Duration::from_millis(200);

/// Checks, before anything is made, that the folder can take the copy. With [`Build::force`] it may have
/// something in it, and only what the copy itself is named is replaced, at the end.
pub(super) async fn check(directory: &Path, plan: &Plan, build: &Build) -> Result<(), Error> {
    let failed = |error| Error::Output {
        action: "look into",
        path: directory.to_path_buf(),
        source: error,
    };
    let mut entries = match tokio::fs::read_dir(directory).await {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
    };
    if build.force {
        let name = file_name(&plan.volumes[plan.artifact].id);
        return is_replaced(build, &directory.join(name)).await.map(drop);
    }
    match entries.next_entry().await.map_err(failed)? {
        None => Ok(()),
        Some(_) => Err(Error::OutputExists {
            path: directory.to_path_buf(),
        }),
    }
}

/// Whether there is something at the copy's path, which then may be replaced: it is shown to be an earlier
/// build's, or the user has typed its path.
async fn is_replaced(build: &Build, path: &Path) -> Result<bool, Error> {
    let failed = |source| Error::Output {
        action: "replace",
        path: path.to_path_buf(),
        source,
    };
    let there = match tokio::fs::symlink_metadata(path).await {
        Ok(there) => there,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(failed(error)),
    };
    if there.is_dir() {
        return Err(failed(io::ErrorKind::IsADirectory.into()));
    }
    let known = known_path(path).map_err(failed)?;
    let typed = known.unwrap_or_else(|| path.to_path_buf());
    if build
        .force_foreign
        .iter()
        .any(|name| Path::new(name) == typed)
    {
        return Ok(true);
    }
    let doubt = match build.journal.find_file(path).await? {
        Some(entry) if entry.is_same(&there) => return Ok(true),
        Some(_) => Doubt::Replaced,
        None => Doubt::NotWrittenDown,
    };
    Err(Error::ForeignFile { path: typed, doubt })
}

/// The copy's name. A pool may call its volumes by what no file can be called.
fn file_name(volume: &VolumeId) -> String {
    volume.name.replace('/', "_")
}

/// Downloads the artifact. A download that fails or is cancelled leaves no file.
pub(super) async fn download(
    build: &Build,
    volume: &VolumeId,
    facts: &VolumeFacts,
    format: &str,
    directory: &Path,
    compact: bool,
) -> Result<PathBuf, Error> {
    let path = directory.join(file_name(volume));
    let failed = |action, path: &Path| {
        let path = path.to_path_buf();
        move |source| Error::Output {
            action,
            path,
            source,
        }
    };
    build
        .ui
        .say(&format!("Downloading {volume} to {}", path.display()));
    tokio::fs::create_dir_all(directory)
        .await
        .map_err(failed("make", directory))?;
    let new_file = || UnfinishedFile::create(directory);
    let mut partial = new_file().map_err(failed("write into", directory))?;
    let file = partial
        .as_file()
        .try_clone()
        .map_err(failed("write into", directory))?;
    // Of other formats only the guest's size is known beforehand.
    let total = (format == "raw").then_some(facts.capacity);
    let transfer = build
        .ui
        .transfer(&format!("download {}", volume.name), total);
    let progress = Progress::default();
    let sink = Box::new(SparseFile::new(Arc::new(file)));
    let mut work = build
        .hypervisor
        .download_volume(volume, sink, progress.clone());
    let mut report = tokio::time::interval(REPORT_EVERY);
    loop {
        tokio::select! {
            biased;
            result = &mut work => break result?,
            _ = report.tick() => transfer.set_position(progress.bytes()),
        }
    }
    transfer.set_position(progress.bytes());
    transfer.finish();
    if compact {
        build
            .ui
            .say(&format!("Compacting the copy of {}", volume.name));
        let work = compact::compact(partial, format, new_file, &build.cancel);
        let work = work.await.map_err(failed("compact", &path))?;
        partial = match work {
            Compacted::InPlace(file) | Compacted::Anew(file) => file,
            Compacted::Left(file, reason) => {
                build
                    .ui
                    .warn(&format!("{} is not compacted: {reason}", volume.name));
                file
            }
        };
    }
    put(build, partial, &path).await?;
    Ok(path)
}

/// Gives the whole copy its name. What has come there since the build began is looked at as what was there
/// before.
async fn put(build: &Build, copy: UnfinishedFile, path: &Path) -> Result<(), Error> {
    let failed = |source: io::Error| Error::Output {
        action: "write",
        path: path.to_path_buf(),
        source,
    };
    let replaces = build.force && is_replaced(build, path).await?;
    let known = build.journal.find_file(path).await?;
    let entry = FileEntry::new(build.identity.build_id(), copy.as_file()).map_err(failed)?;
    build.journal.write_file(path, entry).await?;
    let put = match replaces {
        true => copy.persist(path),
        false => copy.persist_new(path),
    };
    let Err(error) = put else { return Ok(()) };
    let restored = match known {
        Some(known) => build.journal.write_file(path, known).await,
        None => build.journal.forget_file(path).await,
    };
    if let Err(error) = restored {
        tracing::warn!(error = with_causes(&error), "the journal is not up to date");
    }
    Err(failed(error))
}
