//! The volume source `newest-image`: of a web server's listing, the newest image whose name fits a
//! pattern, verified against the file of checksums beside it.
//!
//! ```text
//!  listing ─► names that fit ─► the newest ─┐
//!  SHA256SUMS ──────────────► its checksum ─┴─► download, verified by lvhost ─► the volume
//! ```
//!
//! The image itself never enters the component: it reads two small documents, and has lvhost download,
//! verify and copy.

mod checksums;
mod listing;
mod pattern;

use lvhost_plugin_sdk::image::qcow2::{self, Header};
use lvhost_plugin_sdk::{
    Blob, Configuration, Content, Description, Diagnostic, Error, Grant, Host, Level, OptionSchema,
    Options, Recipe, Request, Volume, VolumeSource, export_source,
};

use crate::pattern::Pattern;

/// The file of checksums where the user says nothing.
const CHECKSUMS: &str = "SHA256SUMS";

/// Bytes of a listing or of a file of checksums. The largest archives of distributions have some
/// hundred KiB of them; the limit is there for a server that answers with something else.
const DOCUMENT_SIZE: usize = 8 << 20;

/// See the crate.
pub struct NewestImage;

impl VolumeSource for NewestImage {
    fn describe() -> Description {
        Description::new(
            "newest-image",
            "The newest image of a web server's listing, by a pattern",
        )
        .option(
            OptionSchema::text(
                "listing",
                "The URL of a folder whose listing a web server shows. It ends in `/`.",
            )
            .required(),
        )
        .option(
            OptionSchema::text(
                "pattern",
                "The names of the images to choose from: `*` stands for any text, `?` for any \
                 character. The newest is the one with the greatest name, where numbers in it count \
                 as numbers: `image-10.img` is newer than `image-9.img`.",
            )
            .required(),
        )
        .option(
            OptionSchema::text(
                "checksums",
                "The file in the same folder that has the images' SHA-256 or SHA-512, as \
                 `sha256sum` writes it.",
            )
            .default_is("`SHA256SUMS`"),
        )
    }

    fn configure(_: &Volume, options: &Options) -> Configuration {
        let mut configuration = Configuration::default();
        let listing = options.text("listing").unwrap_or_default();
        match check_listing(listing) {
            // Which image it will be is only known when the listing has been read.
            Ok(()) => configuration.need(Grant::UrlsBelow(listing.to_owned())),
            Err((message, help)) => {
                configuration.report(Diagnostic::error("listing", message).help(help));
            }
        }
        for option in ["pattern", "checksums"] {
            let name = options.text(option).unwrap_or(CHECKSUMS);
            if name.is_empty() || name.contains('/') {
                configuration.report(
                    Diagnostic::error(option, "it is no name of a file")
                        .help("give the name alone; the folder stands in `listing`"),
                );
            }
        }
        configuration
    }

    fn prepare(volume: &Volume, options: &Options, host: &dyn Host) -> Result<Recipe, Error> {
        let listing = options.text("listing").unwrap_or_default();
        let pattern = Pattern::new(options.text("pattern").unwrap_or_default());
        let checksums = options.text("checksums").unwrap_or(CHECKSUMS);

        let links = listing::links(&document(host, listing)?);
        let images = links.iter().filter(|link| pattern.fits(&link.name));
        let newest = images.max_by(|a, b| pattern::by_age(&a.name, &b.name));
        let newest = newest.ok_or_else(|| {
            Error::not_found(format!(
                "none of the {} files listed at {listing} fits the pattern",
                links.len()
            ))
        })?;
        host.log(Level::Info, &format!("the newest image is {}", newest.name));

        let sums = document(host, &format!("{listing}{checksums}"))?;
        let digest = checksums::find(&sums, &newest.name).ok_or_else(|| {
            Error::not_found(format!(
                "{listing}{checksums} has no SHA-256 or SHA-512 of `{}`",
                newest.name
            ))
        })?;
        let url = format!("{listing}{}", newest.href);
        let blob = host.download(&Request::new([url]).checksum(digest))?;
        copy(volume, &blob, &newest.name, host)?;
        Ok(Recipe::Image)
    }
}

export_source!(NewestImage);

fn check_listing(url: &str) -> Result<(), (&'static str, &'static str)> {
    let rest = ["https://", "http://"]
        .iter()
        .find_map(|scheme| url.strip_prefix(scheme));
    match rest {
        None => Err((
            "it is no http or https URL",
            "for one image whose place is known, use the source `external`",
        )),
        Some(rest) if rest.starts_with('/') || url.contains(['?', '#']) => Err((
            "it is no URL of a folder",
            "it has a host, and no query or fragment",
        )),
        Some(rest) if !rest.ends_with('/') => Err(("it is no URL of a folder", "end it in `/`")),
        Some(_) => Ok(()),
    }
}

/// A small text from the web.
fn document(host: &dyn Host, url: &str) -> Result<String, Error> {
    let blob = host.download(&Request::new([url]))?;
    let bytes = blob.reader()?.read_up_to(DOCUMENT_SIZE + 1)?;
    if bytes.len() > DOCUMENT_SIZE {
        let limit = DOCUMENT_SIZE >> 20;
        return Err(Error::corrupt(format!(
            "{url} has more than {limit} MiB, which is neither a listing nor a file of checksums"
        )));
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Makes the volume of the image. That a qcow2 image reaches for no other file, lvhost checks.
fn copy(volume: &Volume, blob: &Blob, name: &str, host: &dyn Host) -> Result<(), Error> {
    let beginning = blob.reader()?.read_up_to(qcow2::HEADER_BYTES)?;
    let header = Header::parse(&beginning)
        .map_err(|error| Error::corrupt(format!("`{name}` can't be used: {error}")))?;
    let (format, capacity) = match header {
        Some(header) => ("qcow2", header.virtual_size),
        None if [".gz", ".bz2", ".xz", ".zst", ".zip"]
            .iter()
            .any(|ending| name.ends_with(ending)) =>
        {
            return Err(Error::other(format!(
                "`{name}` is compressed, which this source does not support; choose another pattern"
            )));
        }
        None => ("raw", blob.size()),
    };
    volume.check_capacity(&format!("`{name}`"), capacity)?;
    let content = Content {
        format: format.to_owned(),
        codec: None,
    };
    host.content(blob, &content)
}

#[cfg(test)]
mod tests;
