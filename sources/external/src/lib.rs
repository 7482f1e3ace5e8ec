//! The volume source `external`: a disk image or installation medium from the web or from a local
//! file.
//!
//! The image's bytes never enter the component. It looks at their beginning to see what they are,
//! and has the host decompress and copy them.

#![forbid(unsafe_code)]

mod checksum;
mod content;

use content::ImageKind;
use lvhost_location::{Archive, Checksum, Location, Steering};
use lvhost_plugin_sdk::{
    Blob, Configuration, Content, Description, Diagnostic, Error, Grant, Host, OptionSchema,
    Options, Reader, Recipe, Request, Volume, VolumeSource, export_source, image::qcow2,
};

/// See the crate.
pub struct External;

impl VolumeSource for External {
    fn describe() -> Description {
        Description::new("external", "An image from the web or from a local file")
            .option(
                OptionSchema::text_list(
                    "urls",
                    "Where the image can be had: `http`, `https`, `s3` and `smb` URLs and local \
                     paths, tried in this order until one works. Images in qcow2 and raw format are \
                     recognised by themselves, also when they are compressed by gzip, bzip2, xz or \
                     zstd, or the one file in a zip or tar archive; `…/a.zip//NAME` names one of \
                     several. `?archive=`, `?checksum=` and `?filename=` steer the download and \
                     don't reach the server.",
                )
                .required(),
            )
            .option(
                OptionSchema::text(
                    "checksum",
                    "The checksum of the file as it is downloaded: `sha256:DIGITS`, `sha512:`, \
                     `sha1:`, `md5:`, the digits alone, `file:` and the URL or path of a list of \
                     checksums such as `SHA256SUMS`, or `none`.",
                )
                .default_is("`none`, with a warning"),
            )
    }

    fn configure(_: &Volume, options: &Options) -> Configuration {
        let mut configuration = Configuration::default();
        let urls = options.text_list("urls").unwrap_or_default();
        if urls.is_empty() {
            configuration.report(
                Diagnostic::error("urls", "there is no URL to get the image from")
                    .help("give at least one URL or path"),
            );
        }
        let checksum = options.text("checksum").map(str::trim);
        let checksum = checksum.filter(|it| !it.is_empty()).unwrap_or("none");
        let mut said = Vec::new();
        for (index, url) in urls.iter().enumerate() {
            match Location::parse(url) {
                Ok(location) => {
                    said.push(location);
                    configuration.need(Grant::download(url, checksum));
                }
                Err(fault) => {
                    let path = format!("urls[{index}]");
                    configuration.report(Diagnostic::error(path, fault.message).help(fault.help));
                }
            }
        }
        let is_packed_alike = |one: &Location, other: &Location| {
            compression_said(&one.steering) == compression_said(&other.steering)
                // By their names it shows which of them a file comes from.
                && (one.file_name() != other.file_name() || is_unpacked_alike(one, other))
        };
        if said
            .iter()
            .any(|one| said.iter().any(|other| !is_packed_alike(one, other)))
        {
            configuration.report(
                Diagnostic::error("urls", "`archive=` is not the same in all URLs")
                    .help("they are places of one file: write the same in each"),
            );
        }
        let is_in_urls = !said.is_empty() && said.iter().all(|it| has_checksum(&it.steering));
        configuration
            .diagnostics
            .extend(checksum::check(options.text("checksum"), is_in_urls));
        configuration
    }

    fn prepare(volume: &Volume, options: &Options, host: &dyn Host) -> Result<Recipe, Error> {
        let urls = options.text_list("urls").unwrap_or_default();
        let mut request = Request::new(urls);
        request.checksum = options.text("checksum").map(|it| it.trim().to_owned());
        request.checksum = request.checksum.filter(|it| !it.is_empty());
        let blob = host.download(&request)?;
        let steering = steering(urls, &blob.name());
        let blob = unpacked(blob, &steering)?;
        let name = blob.name();
        let beginning = beginning_of(&mut blob.reader()?)?;
        let codec = content::compression(&name, steering.archive, &beginning)?;
        let beginning = match codec {
            Some(codec) => beginning_of(&mut blob.decode(codec)?)?,
            None => beginning,
        };
        let found = content::recognise(&name, &beginning)?;
        check(
            volume,
            &name,
            &found,
            (codec.is_none()).then(|| blob.size()),
        )?;
        let content = Content {
            format: found.format().to_owned(),
            codec,
        };
        host.content(&blob, &content)?;
        Ok(Recipe::Image)
    }
}

export_source!(External);

/// What was said beside the location that a file of this name came from.
fn steering(urls: &[String], name: &str) -> Steering {
    let parsed = urls.iter().filter_map(|url| Location::parse(url).ok());
    let locations: Vec<_> = parsed.collect();
    let of_that_name = locations
        .iter()
        .find(|it| it.file_name().as_deref() == Some(name));
    let location = of_that_name.or(locations.first());
    location
        .map(|location| location.steering.clone())
        .unwrap_or_default()
}

/// The one file in an archive, or the one that the location names; what is no archive stays what it is.
fn unpacked(blob: Blob, steering: &Steering) -> Result<Blob, Error> {
    let packing = steering.archive.packing(&blob.name());
    match packing.filter(|packing| packing.is_archive()) {
        Some(packing) => blob.unpack(packing.word(), steering.member.as_deref()),
        None => Ok(blob),
    }
}

/// What a location says of compression. An archive is unpacked first, whatever says that it is one.
fn compression_said(steering: &Steering) -> Archive {
    match steering.archive {
        Archive::As(packing) if packing.is_archive() => Archive::Recognise,
        said => said,
    }
}

/// Whether the same is said of what is to be unpacked.
fn is_unpacked_alike(one: &Location, other: &Location) -> bool {
    let (one, other) = (&one.steering, &other.steering);
    one.archive == other.archive && one.member == other.member
}

/// Whether a location brings its own checksum.
fn has_checksum(steering: &Steering) -> bool {
    matches!(&steering.checksum, Some(checksum) if *checksum != Checksum::None)
}

fn beginning_of(reader: &mut Reader) -> Result<Vec<u8>, Error> {
    reader.read_up_to(qcow2::HEADER_BYTES)
}

/// Checks, before anything is uploaded, that the image is what the volume is meant to be. `size` is the length of
/// one that is not compressed.
fn check(volume: &Volume, name: &str, found: &ImageKind, size: Option<u64>) -> Result<(), Error> {
    match volume.format.as_deref() {
        Some(wanted) if wanted != found.format() => {
            let format = found.format();
            return Err(Error::Other(format!(
                "the volume's `format` is `{wanted}`, and `{name}` is a {format} image; write \
                 `format = \"{format}\"` or leave it out, or convert the image first",
            )));
        }
        _ => {}
    }
    let capacity = match found {
        ImageKind::Qcow2 { virtual_size } => Some(*virtual_size),
        // How much of it there is shows when it is decompressed.
        ImageKind::Raw => size,
    };
    match capacity {
        Some(capacity) => volume.check_capacity(&format!("`{name}`"), capacity),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
