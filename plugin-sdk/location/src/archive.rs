//! How a location is packed: go-getter's words for it, and the extensions that stand for them.
//!
//! A file compressed as a whole (`.gz`, `.bz2`, `.xz`, `.zst`) stays as it is: whoever reads it
//! decompresses it as a stream. A zip or tar archive is unpacked by the host when it is downloaded, since
//! a reader of archives needs the whole file.

use lvhost_image::Compression;

/// How a file is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Packing {
    /// One file, compressed.
    Compressed(Compression),
    /// A zip archive.
    Zip,
    /// A tar archive, perhaps compressed.
    Tar(Option<Compression>),
}

/// Words and extensions, longer ones before those they end in.
const PACKINGS: [(&str, Packing); 15] = [
    ("tar.bz2", Packing::Tar(Some(Compression::Bzip2))),
    ("tar.gz", Packing::Tar(Some(Compression::Gzip))),
    ("tar.xz", Packing::Tar(Some(Compression::Xz))),
    ("tar.zst", Packing::Tar(Some(Compression::Zstd))),
    ("tbz2", Packing::Tar(Some(Compression::Bzip2))),
    ("tgz", Packing::Tar(Some(Compression::Gzip))),
    ("txz", Packing::Tar(Some(Compression::Xz))),
    ("tzst", Packing::Tar(Some(Compression::Zstd))),
    ("tar", Packing::Tar(None)),
    ("zip", Packing::Zip),
    ("bz2", Packing::Compressed(Compression::Bzip2)),
    ("gz", Packing::Compressed(Compression::Gzip)),
    ("xz", Packing::Compressed(Compression::Xz)),
    ("zst", Packing::Compressed(Compression::Zstd)),
    ("zstd", Packing::Compressed(Compression::Zstd)),
];

impl Packing {
    /// What `archive=WORD` asks for: what the names of such files end in.
    pub fn from_word(word: &str) -> Option<Self> {
        let found = PACKINGS.iter().find(|(known, _)| *known == word);
        found.map(|(_, packing)| *packing)
    }

    /// The word for it, by which [`from_word`](Self::from_word) finds it.
    pub fn word(self) -> &'static str {
        let found = PACKINGS.iter().find(|(_, packing)| *packing == self);
        found.map_or("", |(word, _)| word)
    }

    /// What a file name's extension stands for, in any case.
    pub fn from_file_name(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        let found = PACKINGS.iter().find(|(extension, _)| {
            name.strip_suffix(extension)
                .is_some_and(|stem| stem.ends_with('.'))
        });
        found.map(|(_, packing)| *packing)
    }

    /// Whether it is an archive, which has files in it with names of their own.
    pub fn is_archive(self) -> bool {
        !matches!(self, Self::Compressed(_))
    }
}

/// What a location's `archive=` says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Archive {
    /// Nothing: archives are told by their extension, compressed files by their first bytes.
    #[default]
    Recognise,
    /// `false`: the file is taken as it is, whatever it looks like.
    Never,
    /// It is this, whatever it looks like.
    As(Packing),
}

impl Archive {
    /// Reads the value of `archive=`; `None` if it means nothing known.
    pub(crate) fn parse(word: &str) -> Option<Self> {
        let word = word.to_ascii_lowercase();
        match word.as_str() {
            // The spellings of Go's `strconv.ParseBool`, by which go-getter reads it.
            "false" | "f" | "0" => Some(Self::Never),
            "" | "true" | "t" | "1" => Some(Self::Recognise),
            word => Packing::from_word(word).map(Self::As),
        }
    }

    /// How a file of that name is packed, as far as this and the name say.
    pub fn packing(self, file_name: &str) -> Option<Packing> {
        match self {
            Self::Recognise => Packing::from_file_name(file_name),
            Self::Never => None,
            Self::As(packing) => Some(packing),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_packing_has_a_word() {
        for (_, packing) in PACKINGS {
            assert_eq!(Packing::from_word(packing.word()), Some(packing));
        }
        let words = ["zip", "tar", "tar.gz", "tar.bz2", "tar.xz", "tar.zst"];
        for word in words {
            assert_eq!(Packing::from_word(word).unwrap().word(), word);
        }
    }

    #[test]
    fn extensions_and_words() {
        let names = [
            ("disk.zip", Some(Packing::Zip)),
            ("DISK.TAR.GZ", Some(Packing::Tar(Some(Compression::Gzip)))),
            ("disk.tgz", Some(Packing::Tar(Some(Compression::Gzip)))),
            ("disk.tar.zst", Some(Packing::Tar(Some(Compression::Zstd)))),
            ("disk.img.gz", Some(Packing::Compressed(Compression::Gzip))),
            ("disk.tar", Some(Packing::Tar(None))),
            ("guitar", None),
            ("zip", None),
            ("disk.qcow2", None),
        ];
        for (name, packing) in names {
            assert_eq!(Packing::from_file_name(name), packing, "{name}");
        }
        let words = [
            ("false", Some(Archive::Never)),
            ("0", Some(Archive::Never)),
            ("true", Some(Archive::Recognise)),
            (
                "txz",
                Some(Archive::As(Packing::Tar(Some(Compression::Xz)))),
            ),
            ("ZIP", Some(Archive::As(Packing::Zip))),
            ("rar", None),
        ];
        for (word, archive) in words {
            assert_eq!(Archive::parse(word), archive, "{word}");
        }
        assert_eq!(Archive::Never.packing("a.zip"), None);
        assert_eq!(Archive::As(Packing::Zip).packing("a"), Some(Packing::Zip));
    }
}
