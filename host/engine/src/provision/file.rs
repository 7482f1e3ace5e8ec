//! `provisioner "file"`: files and folders into the guest and out of it.
//!
//! | source | destination | what happens |
//! |---|---|---|
//! | a file | `folder/` | into that folder, under its own name |
//! | a file | `path` | to that path |
//! | `folder` (upload) | any | the folder into the destination, under its own name |
//! | `folder/` | any | what is in it into the destination |
//!
//! A download takes the source for a folder only with a slash at its end.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use lvhost_config::{Direction, File};
use lvhost_hcl::{Diagnostic, Diagnostics};
use tokio::io::AsyncWriteExt as _;

use super::Job;
use super::progress::Bars;
use crate::error::ProvisionError;
use crate::regular_file::open_regular;

/// The permission bits that a file in the guest gets from the one here: no set-user-id and such.
const PERMISSIONS: u32 = 0o777;

/// Reports sources that are not there and destinations that can't be.
pub(super) fn check(file: &File, folder: &Path, report: &mut Diagnostics) {
    let origin = &file.origin;
    if !origin.is_set("destination") || origin.is_unknown("destination") {
        return;
    }
    let mut refuse = |summary: &str, help: &str| {
        let span = origin.span_of("destination");
        report.push(Diagnostic::error(span, format!("`destination` {summary}")).help(help));
    };
    let into_folder = file.destination.ends_with('/');
    if file.destination.is_empty() {
        refuse("is empty", "name a file, or a folder with a `/` at its end");
    } else if into_folder && file.content.is_some() {
        refuse(
            "is a folder",
            "`content` has no name of its own: add one behind the `/`",
        );
    }
    let several = sources(file).count() > 1;
    for (option, source) in sources(file).filter(|(option, _)| !origin.is_unknown(option)) {
        let is_file = match file.direction {
            Direction::Download => !source.ends_with('/'),
            Direction::Upload => match std::fs::metadata(folder.join(source)) {
                Ok(metadata) => metadata.is_file(),
                Err(_) if file.generated => continue,
                Err(error) => {
                    let span = origin.span_of(option);
                    report.push(
                        Diagnostic::error(span, format!("can't read the source `{source}`"))
                            .detail(error.to_string())
                            .help("set `generated = true` if an earlier provisioner makes it"),
                    );
                    continue;
                }
            },
        };
        if several && is_file && !into_folder {
            let span = origin.span_of("destination");
            report.push(
                Diagnostic::error(
                    span,
                    "`destination` must be a folder, as there are several sources",
                )
                .help("add a `/` at its end"),
            );
        }
    }
}

/// What to copy, with the option that says so.
fn sources(file: &File) -> impl Iterator<Item = (&'static str, &String)> {
    let source = file.source.iter().map(|source| ("source", source));
    source.chain(file.sources.iter().map(|source| ("sources", source)))
}

/// Copies everything.
pub(super) async fn run(file: &File, job: &Job<'_>) -> Result<(), ProvisionError> {
    let destination = &file.destination;
    if let Some(content) = &file.content {
        job.ui
            .say(&format!("Uploading the content of {destination}"));
        let (length, bars) = (
            u64::try_from(content.len()).ok(),
            Bars::new(job.ui, "upload"),
        );
        let mut bytes = content.as_bytes();
        job.communicator
            .upload(&mut bytes, length, destination, None, &bars)
            .await?;
    }
    for (_, source) in sources(file) {
        match file.direction {
            Direction::Upload => {
                job.ui.say(&format!("Uploading {source} => {destination}"));
                upload(source, destination, job).await?;
            }
            Direction::Download => {
                job.ui
                    .say(&format!("Downloading {source} => {destination}"));
                download(source, destination, job).await?;
            }
        }
    }
    Ok(())
}

async fn upload(source: &str, destination: &str, job: &Job<'_>) -> Result<(), ProvisionError> {
    let bars = Bars::new(job.ui, "upload");
    let path = job.folder.join(source);
    let unreadable = |source| failed("read", &path, source);
    let metadata = tokio::fs::metadata(&path).await.map_err(unreadable)?;
    if metadata.is_dir() {
        return Ok(job
            .communicator
            .upload_directory(&path, destination, &[], &bars)
            .await?);
    }
    let (mut file, metadata) = open_regular(&path).await.map_err(unreadable)?;
    let mode = metadata.permissions().mode() & PERMISSIONS;
    let destination = with_name(destination, source);
    Ok(job
        .communicator
        .upload(
            &mut file,
            Some(metadata.len()),
            &destination,
            Some(mode),
            &bars,
        )
        .await?)
}

async fn download(source: &str, destination: &str, job: &Job<'_>) -> Result<(), ProvisionError> {
    let bars = Bars::new(job.ui, "download");
    let path = job.folder.join(destination);
    if source.ends_with('/') {
        make_folder(&path).await?;
        return Ok(job
            .communicator
            .download_directory(source, &path, &[], &bars)
            .await?);
    }
    let path = if destination.ends_with('/') || path.is_dir() {
        make_folder(&path).await?;
        path.join(file_name(source))
    } else {
        if let Some(parent) = path.parent() {
            make_folder(parent).await?;
        }
        path
    };
    let unwritable = |source| failed("write", &path, source);
    let mut file = tokio::fs::File::create(&path).await.map_err(unwritable)?;
    job.communicator.download(source, &mut file, &bars).await?;
    file.flush().await.map_err(unwritable)
}

async fn make_folder(path: &Path) -> Result<(), ProvisionError> {
    tokio::fs::create_dir_all(path)
        .await
        .map_err(|source| failed("make the folder", path, source))
}

/// `destination`, or for one that is a folder, the file of `source`'s name in it.
fn with_name(destination: &str, source: &str) -> String {
    if destination.ends_with('/') {
        format!("{destination}{}", file_name(source))
    } else {
        destination.to_string()
    }
}

/// The last part of a path.
fn file_name(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

fn failed(action: &'static str, path: &Path, source: std::io::Error) -> ProvisionError {
    ProvisionError::File {
        action,
        path: PathBuf::from(path),
        source,
    }
}
