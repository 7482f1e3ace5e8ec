//! `lvhost cache`: what was downloaded and is kept, and how to get rid of it.

use std::time::{Duration, SystemTime};

use indicatif::{BinaryBytes, HumanDuration};
use lvhost_fetch::{Cache, CacheEntry, Content, Prune};
use serde::Serialize;

use crate::arguments;
use crate::exit_code::Failure;
use crate::input::InputError;
use crate::printer::{Paint, Printer};
use crate::surroundings::Surroundings;

/// A day, in which people count how long something was not used.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Hexadecimal digits of a digest that are shown to people: enough to tell files apart.
const SHORT_DIGEST: usize = 12;

/// A file of the cache, for `--json`.
#[derive(Serialize)]
struct Entry {
    /// Of a whole file.
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
    /// Whether it is a whole file, and not a download that was interrupted.
    is_whole: bool,
    urls: Vec<String>,
    length: u64,
    allocated: u64,
    last_used: String,
    in_use: bool,
}

impl From<&CacheEntry> for Entry {
    fn from(entry: &CacheEntry) -> Self {
        let sha256 = match &entry.content {
            Content::Whole(digest) => Some(digest.to_string()),
            Content::Partial { .. } => None,
        };
        Self {
            is_whole: sha256.is_some(),
            sha256,
            urls: entry.urls.clone(),
            length: entry.length,
            allocated: entry.allocated,
            last_used: time(entry.last_used),
            in_use: entry.in_use,
        }
    }
}

/// The cache's content, for `--json`.
#[derive(Serialize)]
struct Listed {
    folder: String,
    entries: Vec<Entry>,
}

/// What became of it, for `--json`.
#[derive(Serialize)]
struct Removed {
    folder: String,
    removed: Vec<Entry>,
    /// Would be gone, if no process used it.
    in_use: Vec<Entry>,
    kept: Vec<Entry>,
}

/// Looks after the cache.
///
/// # Errors
/// When it can't be read, or something can't be removed from it.
pub(crate) fn cache(
    arguments: &arguments::Cache,
    surroundings: &Surroundings,
    printer: &Printer,
) -> Result<(), Failure> {
    let folder = surroundings.download_directory();
    let folder = folder.ok_or(InputError::NoCache)?;
    let unable = |error| Failure::unable("the cache can't be used", error);
    let cache = Cache::open(&folder).map_err(unable)?;
    let folder = folder.display().to_string();
    match arguments {
        arguments::Cache::List { output } => {
            let entries = cache.entries().map_err(unable)?;
            if output.json {
                printer.json(&Listed {
                    folder,
                    entries: entries.iter().map(Entry::from).collect(),
                });
            } else {
                list(&entries, printer);
                printer.result(&format!("{} in {folder}", sum(&entries)));
            }
        }
        arguments::Cache::Prune(prune) => {
            let pruned = cache.prune(what(prune)).map_err(unable)?;
            if prune.output.json {
                let entries = |entries: &[CacheEntry]| entries.iter().map(Entry::from).collect();
                printer.json(&Removed {
                    folder,
                    removed: entries(&pruned.removed),
                    in_use: entries(&pruned.in_use),
                    kept: entries(&pruned.kept),
                });
            } else {
                list(&pruned.removed, printer);
                printer.result(&format!("{} removed from {folder}", sum(&pruned.removed)));
                if !pruned.in_use.is_empty() {
                    let in_use = sum(&pruned.in_use);
                    printer.message(&format!("{in_use} left, since a process uses it"));
                }
            }
        }
    }
    Ok(())
}

fn what(prune: &arguments::Prune) -> Prune {
    if prune.all {
        return Prune {
            unused_for: None,
            keep_at_most: Some(0),
        };
    }
    Prune {
        unused_for: prune.unused_for.map(|days| DAY * days),
        keep_at_most: prune.keep,
    }
}

fn list(entries: &[CacheEntry], printer: &Printer) {
    let now = SystemTime::now();
    for entry in entries {
        let name = match &entry.content {
            Content::Whole(digest) => {
                let mut digest = digest.to_string();
                digest.truncate(SHORT_DIGEST);
                digest
            }
            Content::Partial { .. } => format!("{:<SHORT_DIGEST$}", "interrupted"),
        };
        let size = BinaryBytes(entry.allocated).to_string();
        let unused = HumanDuration(entry.unused_for(now)).to_string();
        let in_use = if entry.in_use { ", in use now" } else { "" };
        printer.result(&format!("{name}  {size:>12}  used {unused} ago{in_use}"));
        for url in &entry.urls {
            printer.result(&printer.paint(Paint::Aside, &format!("    {url}")));
        }
    }
}

fn sum(entries: &[CacheEntry]) -> String {
    let bytes = entries.iter().map(|entry| entry.allocated).sum();
    let files = match entries.len() {
        1 => "1 file".to_owned(),
        number => format!("{number} files"),
    };
    format!("{files}, {}", BinaryBytes(bytes))
}

fn time(time: SystemTime) -> String {
    jiff::Timestamp::try_from(time).map_or_else(|_| String::new(), |time| format!("{time:.0}"))
}
