//! What web servers and users hand to this crate, for fuzz targets: each takes any bytes and must end, without
//! a panic, in bounded memory.

use std::io::{Read, Write};
use std::path::Path;
use std::sync::Arc;

use lvhost_regular_file::OwnFolder;
use tokio_util::sync::CancellationToken;

use crate::archive::Packing;
use crate::archive::unpack::{Positioned, unpack_within};
use crate::checksum::list::{ChecksumList, names_of};
use crate::decode::{Codec, decoder};
use crate::{Checksum, Location, Netrc};

/// Bytes that are taken of what is decompressed: more finds nothing new, and takes long.
const DECODED_LIMIT: u64 = 4 << 20;

/// A compressed file, by whatever codec its first byte chooses.
pub fn decompress(data: &[u8]) {
    let Some((choice, bytes)) = data.split_first() else {
        return;
    };
    let codec = Codec::ALL[usize::from(*choice) % Codec::ALL.len()];
    let source = std::io::Cursor::new(bytes.to_vec());
    let mut reader = decoder(codec, Box::new(source)).take(DECODED_LIMIT);
    let _ = std::io::copy(&mut reader, &mut std::io::sink());
}

/// Bytes that may come out of an archive, holes among them.
const UNPACKED_LIMIT: u64 = 64 << 20;

/// An archive of whatever kind its first byte chooses, unpacked into `folder`, which is made.
///
/// # Panics
/// The folder can't be made or used: nothing would be tried then.
pub fn unpack_archive(data: &[u8], folder: &Path) {
    let Some((choice, bytes)) = data.split_first() else {
        return;
    };
    let packing = match choice % 6 {
        0 => Packing::Zip,
        1 => Packing::Tar(None),
        other => Packing::Tar(Some(Codec::ALL[usize::from(other) - 2])),
    };
    let folder = OwnFolder::make(folder).expect("the folder to unpack into");
    let mut archive = folder.unnamed_file().expect("a file for the archive");
    archive.write_all(bytes).expect("room for the archive");
    let archive = Positioned::new(Arc::new(archive)).expect("the archive's length");
    let member = bytes
        .first()
        .is_some_and(|byte| byte % 2 == 0)
        .then_some("a/b");
    let cancel = CancellationToken::new();
    let _ = unpack_within(UNPACKED_LIMIT, archive, packing, member, &folder, &cancel);
}

/// A list of checksums, and a look-up in it.
pub fn checksum_list(text: &str) {
    let list = ChecksumList::parse(text);
    let (Ok(file), Ok(sums)) = (
        Location::parse("https://example.test/images/disk.qcow2"),
        Location::parse("https://example.test/images/SHA256SUMS"),
    ) else {
        return;
    };
    let _ = list.find(&names_of(&file, &sums));
}

/// A location and a checksum as a template may have them. What can be read can be written and read again.
pub fn location(text: &str) {
    if let Ok(location) = Location::parse(text) {
        let _ = location.file_name();
        let _ = location.to_string();
    }
    if let Ok(checksum) = Checksum::parse(text)
        && checksum.digest().is_some()
    {
        let again = Checksum::parse(&checksum.to_string());
        assert_eq!(again.ok(), Some(checksum), "{text:?}");
    }
}

/// A netrc file.
pub fn netrc(text: &str) {
    if let Ok(netrc) = Netrc::parse(text) {
        let _ = netrc.machine("example.test").is_some();
    }
}
