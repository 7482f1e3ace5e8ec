//! What a downloaded file is, by its first bytes. It may be from a stranger: what would make the
//! hypervisor read other files than this one is refused.

use lvhost_location::{Archive, Packing};
use lvhost_plugin_sdk::image::qcow2::{self, Header};
use lvhost_plugin_sdk::image::{Compression, Container};
use lvhost_plugin_sdk::{Codec, Error};

/// Archives, which are known only to be refused, by the bytes they begin with.
const ARCHIVES: [(&[u8], &str); 2] = [
    (b"PK\x03\x04", "a ZIP archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
];

const CONVERT: &str = "convert it first: `qemu-img convert -O qcow2 IMAGE IMAGE.qcow2`";
const UNPACK: &str = "unpack it first, or add `?archive=zip` or `?archive=tar` to its URL";

/// Where a tar archive says so: POSIX.1-2017, pax, "ustar Interchange Format".
const TAR_MAGIC: (usize, &[u8]) = (257, b"ustar");

/// Tells by what its URL says, or else by its first bytes, how a file is compressed, if it is.
///
/// # Errors
/// [`Error::Corrupt`] if the URL or the name says that it is compressed, and it is not.
pub(crate) fn compression(
    name: &str,
    archive: Archive,
    beginning: &[u8],
) -> Result<Option<Codec>, Error> {
    let found = Compression::recognise(beginning);
    let (expected, reason) = match archive {
        Archive::Never => return Ok(None),
        Archive::As(Packing::Compressed(expected)) => {
            (expected, "has `archive=` in its URL".to_owned())
        }
        // Archives have been unpacked.
        Archive::As(Packing::Zip | Packing::Tar(_)) | Archive::Recognise => {
            match (found, Compression::of_file_name(name)) {
                (Some(found), _) => return Ok(Some(codec(found))),
                (None, None) => return Ok(None),
                (None, Some(expected)) => {
                    let extension = name.rsplit('.').next().unwrap_or_default();
                    (
                        expected,
                        format!("ends in `.{}`", extension.to_ascii_lowercase()),
                    )
                }
            }
        }
    };
    if found == Some(expected) {
        return Ok(Some(codec(expected)));
    }
    refuse_pages(name, beginning)?;
    Err(Error::Corrupt(format!(
        "`{name}` {reason} and is not compressed by {}; check what is at its URL",
        expected.name()
    )))
}

/// What the host decompresses it by.
fn codec(compression: Compression) -> Codec {
    match compression {
        Compression::Gzip => Codec::Gzip,
        Compression::Bzip2 => Codec::Bzip2,
        Compression::Xz => Codec::Xz,
        Compression::Zstd => Codec::Zstd,
    }
}

/// What an image is, decompressed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ImageKind {
    Qcow2 {
        virtual_size: u64,
    },
    /// Disks as they are, and CDs.
    Raw,
}

impl ImageKind {
    /// libvirt's name of the format.
    pub(crate) fn format(&self) -> &'static str {
        match self {
            Self::Qcow2 { .. } => "qcow2",
            Self::Raw => "raw",
        }
    }
}

/// Tells by its first bytes what an image is.
///
/// # Errors
/// [`Error::Corrupt`] for what is no image, [`Error::Other`] for images that a hypervisor must not
/// be given.
pub(crate) fn recognise(name: &str, beginning: &[u8]) -> Result<ImageKind, Error> {
    if beginning.is_empty() {
        return Err(Error::Corrupt(format!(
            "`{name}` is empty; check what is at its URL"
        )));
    }
    let header = Header::parse(beginning)
        .map_err(|error| Error::Corrupt(format!("`{name}` can't be used: {error}")))?;
    if let Some(header) = header {
        check_header(name, &header)?;
        return Ok(ImageKind::Qcow2 {
            virtual_size: header.virtual_size,
        });
    }
    refuse_pages(name, beginning)?;
    // The guest would get the container's own bytes for its disk.
    if let Some(container) = Container::recognise(beginning) {
        return Err(Error::Other(format!(
            "`{name}` is an image of format {container}, which is not supported; {CONVERT}"
        )));
    }
    for (magic, what) in ARCHIVES {
        if beginning.starts_with(magic) {
            return Err(Error::Other(format!(
                "`{name}` is {what}, which is not supported; {UNPACK}"
            )));
        }
    }
    let (offset, magic) = TAR_MAGIC;
    if beginning
        .get(offset..)
        .is_some_and(|rest| rest.starts_with(magic))
    {
        return Err(Error::Other(format!(
            "`{name}` is a tar archive, which is not supported; {UNPACK}"
        )));
    }
    Ok(ImageKind::Raw)
}

/// Servers answer with a page of text for a file that they no longer have.
fn refuse_pages(name: &str, beginning: &[u8]) -> Result<(), Error> {
    let text = beginning.trim_ascii_start();
    let is_page = ["<!doctype html", "<html"].iter().any(|tag| {
        text.get(..tag.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(tag.as_bytes()))
    });
    if is_page {
        return Err(Error::Corrupt(format!(
            "`{name}` is a web page and no image; check what is at its URL"
        )));
    }
    Ok(())
}

fn check_header(name: &str, header: &qcow2::Header) -> Result<(), Error> {
    let flatten = "make it whole first: `qemu-img convert -O qcow2 IMAGE WHOLE.qcow2`";
    let problem = if let Some(backing_file) = &header.backing_file {
        format!("is an overlay of `{backing_file}`, a file on the hypervisor; {flatten}")
    } else if header.external_data_file {
        format!("keeps its data in another file on the hypervisor; {flatten}")
    } else if header.encrypted {
        "is encrypted, which is not supported; decrypt it first with `qemu-img convert`".to_owned()
    } else if header.corrupt {
        "is marked as corrupt; get it anew, or repair it with `qemu-img check -r all`".to_owned()
    } else if header.unknown_incompatible_features != 0 {
        format!(
            "needs features of qcow2 that are not known here (bits {:#x}); convert it with \
             `qemu-img convert -O qcow2`",
            header.unknown_incompatible_features
        )
    } else {
        return Ok(());
    };
    Err(Error::Other(format!(
        "`{name}` can't be used: it {problem}"
    )))
}
