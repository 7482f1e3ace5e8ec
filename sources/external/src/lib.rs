//! The volume source `external`: a disk image or installation medium from the web or from a local
//! file.
//!
//! The image's bytes never enter the component. It looks at their beginning to see what they are,
//! and has the host decompress and copy them.

#![forbid(unsafe_code)]

mod checksum;
mod content;

use content::Content;
use lvhost_location::{Archive, Checksum, Location, Steering};
use lvhost_plugin_sdk::{
    Blob, Codec, Configuration, Description, Diagnostic, Error, Grant, Host, Image, OptionSchema,
    Options, Reader, Recipe, Volume, VolumeSource, export_source, image::qcow2,
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
                    said.push(location.steering);
                    configuration.need(Grant::download(url, checksum));
                }
                Err(fault) => {
                    let path = format!("urls[{index}]");
                    configuration.report(Diagnostic::error(path, fault.message).help(fault.help));
                }
            }
        }
        if said
            .iter()
            .any(|it| compression_said(it) != compression_said(&said[0]))
        {
            // Which of them the file comes from is not told, and need not be.
            configuration.report(
                Diagnostic::error("urls", "`archive=` is not the same in all URLs")
                    .help("they are places of one file: write the same in each"),
            );
        }
        let is_in_urls = !said.is_empty() && said.iter().all(has_checksum);
        configuration
            .diagnostics
            .extend(checksum::check(options.text("checksum"), is_in_urls));
        configuration
    }

    fn prepare(volume: &Volume, options: &Options, host: &dyn Host) -> Result<Recipe, Error> {
        let urls = options.text_list("urls").unwrap_or_default();
        let checksum = options.text("checksum").map(str::trim);
        let checksum = checksum.filter(|it| !it.is_empty());
        let blob = host.download(urls, checksum)?;
        let name = blob.name();
        let beginning = beginning_of(&mut blob.reader()?)?;
        let first = urls.first().and_then(|url| Location::parse(url).ok());
        let archive = first.map_or(Archive::default(), |first| first.steering.archive);
        match content::compression(&name, archive, &beginning)? {
            None => {
                let content = content::recognise(&name, &beginning)?;
                let image = content.image(Some(blob.size()))?;
                check(volume, &name, &content, &image)?;
                host.create(&image)?.copy_from(&blob, 0, blob.size())?;
            }
            Some(codec) => copy_decompressed(volume, &blob, codec, host)?,
        }
        Ok(Recipe::Image)
    }
}

export_source!(External);

/// Decompresses once to look at the beginning, and, if the image does not say how large it is, to
/// the end to measure it; then again to copy it.
fn copy_decompressed(
    volume: &Volume,
    blob: &Blob,
    codec: Codec,
    host: &dyn Host,
) -> Result<(), Error> {
    let name = blob.name();
    let mut reader = blob.reader()?.decode(codec)?;
    let beginning = beginning_of(&mut reader)?;
    let content = content::recognise(&name, &beginning)?;
    let length = match content {
        Content::Raw => Some(beginning.len() as u64 + reader.measure()?),
        Content::Qcow2 { .. } => None,
    };
    let image = content.image(length)?;
    check(volume, &name, &content, &image)?;
    host.create(&image)?.drain(blob.reader()?.decode(codec)?)?;
    Ok(())
}

/// What a location says of compression. An archive is unpacked by the host, whatever says that it is one.
fn compression_said(steering: &Steering) -> Archive {
    match steering.archive {
        Archive::As(packing) if packing.is_archive() => Archive::Recognise,
        said => said,
    }
}

/// Whether a location brings its own checksum.
fn has_checksum(steering: &Steering) -> bool {
    matches!(&steering.checksum, Some(checksum) if *checksum != Checksum::None)
}

fn beginning_of(reader: &mut Reader) -> Result<Vec<u8>, Error> {
    reader.read_up_to(qcow2::HEADER_BYTES)
}

/// Checks, before anything is uploaded, that the image is what the volume is meant to be.
fn check(volume: &Volume, name: &str, content: &Content, image: &Image) -> Result<(), Error> {
    match volume.format.as_deref() {
        Some(wanted) if wanted != image.format => Err(Error::Other(match content {
            Content::Qcow2 { .. } => format!(
                "the volume's `format` is `{wanted}`, and `{name}` is a qcow2 image; write \
                 `format = \"qcow2\"` or leave it out, or convert the image first",
            ),
            Content::Raw => format!(
                "the volume's `format` is `{wanted}`, and `{name}` is a raw image; write \
                 `format = \"raw\"` or leave it out, or convert the image first",
            ),
        })),
        _ => volume.check_capacity(&format!("`{name}`"), image.capacity),
    }
}

#[cfg(test)]
mod tests;
