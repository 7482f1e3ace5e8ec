//! `provisioner "file"`: files and folders into the guest and out of it.
//!
//! | source | destination | what happens |
//! |---|---|---|
//! | a file | `folder/` | into that folder, under its own name |
//! | a file | `path` | to that path |
//! | `folder` (upload) | any | the folder into the destination, under its own name |
//! | `folder/` | any | what is in it into the destination |
//! | a pattern (download) | any | all that matches into the destination, a folder |
//!
//! A download takes the source for a folder only with a slash at its end. A file that is there already is
//! replaced when the new one is whole, and stays as it is if the download fails.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use lvhost_communicator::{GuestsFolder, NewFile, PathInGuest};
use lvhost_config::{Direction, File};
use lvhost_hcl::{Diagnostic, Diagnostics};

use super::Job;
use super::progress::Bars;
use crate::error::ProvisionError;
use crate::local_paths::{place_of_file, place_of_folder, readable_file, readable_folder};
use crate::regular_file::open_regular;

/// The permission bits that a file in the guest gets from the one here: no set-user-id and such.
const PERMISSIONS: u32 = 0o777;

/// What a pattern is told by, as in Packer.
const PATTERN: [char; 3] = ['*', '?', '['];

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
    if file.direction == Direction::Download && !file.destination.is_empty() {
        let path = folder.join(&file.destination);
        let has_pattern = sources(file).any(|(_, source)| source.contains(PATTERN));
        let fits = match into_folder || has_pattern || path.is_dir() {
            true => place_of_folder(&path),
            false => place_of_file(&path),
        };
        if let Err(why) = fits {
            let span = origin.span_of("destination");
            let summary = format!("can't write to `{}`: {why}", file.destination);
            report.push(
                Diagnostic::error(span, summary)
                    .help("name a file or folder of this machine that can be made"),
            );
        }
    }
    let several = sources(file).count() > 1;
    for (option, source) in sources(file).filter(|(option, _)| !origin.is_unknown(option)) {
        let is_file = match file.direction {
            // What matches a pattern goes into the folder, which is made.
            Direction::Download => !source.ends_with('/') && !source.contains(PATTERN),
            Direction::Upload => {
                let path = folder.join(source);
                let is_folder = path.is_dir();
                let readable = match is_folder {
                    true => readable_folder(&path),
                    false => readable_file(&path),
                };
                match readable {
                    Ok(()) => !is_folder,
                    Err(_) if file.generated => continue,
                    Err(why) => {
                        let span = origin.span_of(option);
                        report.push(
                            Diagnostic::error(span, format!("can't read the source `{source}`"))
                                .detail(why)
                                .help("set `generated = true` if an earlier provisioner makes it"),
                        );
                        continue;
                    }
                }
            }
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

/// What to copy, in Packer's order, with the option that says so.
fn sources(file: &File) -> impl Iterator<Item = (&'static str, &String)> {
    let several = file.sources.iter().map(|source| ("sources", source));
    several.chain(file.source.iter().map(|source| ("source", source)))
}

/// Copies everything.
pub(super) async fn run(file: &File, job: &Job<'_>) -> Result<(), ProvisionError> {
    let destination = &file.destination;
    if file.content.is_none() && sources(file).next().is_none() {
        job.ui.say(&format!("Nothing to copy to {destination}"));
    }
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
    if source.contains(PATTERN) {
        return download_matches(source, &path, job).await;
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
    let file = NewFile::begin(&path).await;
    let file = file.map_err(|source| failed("write", &path, source))?;
    download_file(source, file, &path, &bars, job).await
}

/// Downloads all that a pattern stands for into a folder, each under its own name.
async fn download_matches(
    pattern: &str,
    folder: &Path,
    job: &Job<'_>,
) -> Result<(), ProvisionError> {
    let found = job.communicator.find(pattern).await?;
    if found.is_empty() {
        return Err(ProvisionError::NoMatch {
            pattern: pattern.to_owned(),
        });
    }
    let bars = Bars::new(job.ui, "download");
    let made = GuestsFolder::make(folder).await;
    let (taker, _) = made.map_err(|source| failed("make the folder", folder, source))?;
    for PathInGuest { path, is_folder } in found {
        let name = file_name(&path);
        // The guest has said it.
        if matches!(name, "" | "." | "..") {
            continue;
        }
        match is_folder {
            true => {
                job.communicator
                    .download_directory(&path, folder, &[], &bars)
                    .await?;
            }
            false => {
                let local = folder.join(name);
                let file = taker.file(name).await;
                let file = file.map_err(|source| failed("write", &local, source))?;
                download_file(&path, file, &local, &bars, job).await?;
            }
        }
    }
    Ok(())
}

async fn download_file(
    source: &str,
    mut file: NewFile,
    path: &Path,
    bars: &Bars<'_>,
    job: &Job<'_>,
) -> Result<(), ProvisionError> {
    job.communicator
        .download(source, file.writer(), bars)
        .await?;
    let finished = file.finish().await;
    finished.map_err(|source| failed("write", path, source))
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
