//! Encodings of text other than UTF-8, under the names that IANA has for them and Packer knows.

mod pages;

use std::collections::HashMap;

use encoding_rs::Encoding;

/// How characters are written as bytes.
#[derive(Clone, Copy)]
pub(super) enum Charset {
    Utf8,
    /// With a mark of the order of its bytes at the beginning, if it is `marked`.
    Utf16 {
        big_endian: bool,
        marked: bool,
    },
    Ascii,
    /// These characters, one byte each. If there are 128 of them, they follow on ASCII.
    Page(&'static str),
    Table(&'static Encoding),
    /// Packer has it, this language does not.
    Missing,
}

/// What stands for bytes that mean nothing. A text that has it by itself is taken for such a one too, as Packer
/// does.
const REPLACEMENT: char = '\u{fffd}';

const BYTE_ORDER_MARK: u16 = 0xfeff;

impl Charset {
    /// The one that is called `name`, in whichever case.
    pub(super) fn named(name: &str) -> Option<Self> {
        let name = name.trim().to_ascii_lowercase();
        let known = CHARSETS
            .iter()
            .find(|(_, names)| names.contains(&name.as_str()));
        known.map(|(charset, _)| *charset)
    }

    /// The bytes of `text`; `None` if one of its characters is not in this encoding.
    pub(super) fn encode(self, text: &str) -> Option<Vec<u8>> {
        match self {
            Self::Missing => None,
            Self::Utf8 => Some(text.as_bytes().to_vec()),
            Self::Ascii => text.is_ascii().then(|| text.as_bytes().to_vec()),
            Self::Utf16 { big_endian, marked } => {
                let mark = marked.then_some(BYTE_ORDER_MARK);
                let units = mark.into_iter().chain(text.encode_utf16());
                let bytes = units.flat_map(|unit| match big_endian {
                    true => unit.to_be_bytes(),
                    false => unit.to_le_bytes(),
                });
                Some(bytes.collect())
            }
            Self::Page(page) => {
                let bytes = characters(page).into_iter().zip(0..=u8::MAX);
                let bytes: HashMap<char, u8> = bytes
                    .filter(|(character, _)| *character != REPLACEMENT)
                    .collect();
                text.chars()
                    .map(|character| bytes.get(&character).copied())
                    .collect()
            }
            Self::Table(encoding) => {
                let (bytes, _, replaced) = encoding.encode(text);
                (!replaced).then(|| bytes.into_owned())
            }
        }
    }

    /// The text that `bytes` are; `None` if they are none in this encoding.
    pub(super) fn decode(self, bytes: &[u8]) -> Option<String> {
        let text = match self {
            Self::Missing => None,
            Self::Utf8 => String::from_utf8(bytes.to_vec()).ok(),
            Self::Ascii => String::from_utf8(bytes.to_vec())
                .ok()
                .filter(|text| text.is_ascii()),
            Self::Utf16 { big_endian, marked } => from_utf16(bytes, big_endian, marked),
            Self::Page(page) => {
                let characters = characters(page);
                bytes
                    .iter()
                    .map(|byte| characters.get(usize::from(*byte)).copied())
                    .collect()
            }
            Self::Table(encoding) => encoding
                .decode_without_bom_handling_and_without_replacement(bytes)
                .map(|text| text.into_owned()),
        };
        text.filter(|text| !text.contains(REPLACEMENT))
    }
}

/// What each byte stands for.
fn characters(page: &str) -> Vec<char> {
    let is_whole = page.chars().count() > 128;
    let ascii = (!is_whole).then_some('\0'..='\u{7f}');
    ascii.into_iter().flatten().chain(page.chars()).collect()
}

fn from_utf16(bytes: &[u8], mut big_endian: bool, marked: bool) -> Option<String> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    let mut pairs = pairs;
    if marked && let [first, after @ ..] = pairs {
        let big = u16::from_be_bytes(*first) == BYTE_ORDER_MARK;
        let little = u16::from_le_bytes(*first) == BYTE_ORDER_MARK;
        if big || little {
            big_endian = big;
            pairs = after;
        }
    }
    let units = pairs.iter().map(|pair| match big_endian {
        true => u16::from_be_bytes(*pair),
        false => u16::from_le_bytes(*pair),
    });
    char::decode_utf16(units).collect::<Result<_, _>>().ok()
}

#[rustfmt::skip]
const CHARSETS: &[(Charset, &[&str])] = &[
    (Charset::Ascii, &["us-ascii", "iso-ir-6", "ansi_x3.4-1968", "ansi_x3.4-1986", "iso_646.irv:1991", "iso646-us", "us", "ibm367", "cp367", "csascii"]),
    (Charset::Utf8, &["utf-8", "csutf8"]),
    (Charset::Utf16 { big_endian: true, marked: true }, &["utf-16", "csutf16"]),
    (Charset::Utf16 { big_endian: true, marked: false }, &["utf-16be", "csutf16be"]),
    (Charset::Utf16 { big_endian: false, marked: false }, &["utf-16le", "csutf16le"]),
    (Charset::Page(pages::CODE_PAGE_037), &["ibm037", "cp037", "ebcdic-cp-us", "ebcdic-cp-ca", "ebcdic-cp-wt", "ebcdic-cp-nl", "csibm037"]),
    (Charset::Page(pages::CODE_PAGE_437), &["ibm437", "cp437", "437", "cspc8codepage437"]),
    (Charset::Page(pages::CODE_PAGE_850), &["ibm850", "cp850", "850", "cspc850multilingual"]),
    (Charset::Page(pages::CODE_PAGE_852), &["ibm852", "cp852", "852", "cspcp852"]),
    (Charset::Page(pages::CODE_PAGE_855), &["ibm855", "cp855", "855", "csibm855"]),
    (Charset::Page(pages::CODE_PAGE_858), &["ibm00858", "ccsid00858", "cp00858", "pc-multilingual-850+euro", "csibm00858"]),
    (Charset::Page(pages::CODE_PAGE_860), &["ibm860", "cp860", "860", "csibm860"]),
    (Charset::Page(pages::CODE_PAGE_862), &["ibm862", "cp862", "862", "cspc862latinhebrew"]),
    (Charset::Page(pages::CODE_PAGE_863), &["ibm863", "cp863", "863", "csibm863"]),
    (Charset::Page(pages::CODE_PAGE_865), &["ibm865", "cp865", "865", "csibm865"]),
    (Charset::Page(pages::CODE_PAGE_866), &["ibm866", "cp866", "866", "csibm866"]),
    (Charset::Page(pages::CODE_PAGE_1047), &["ibm1047", "ibm-1047", "csibm1047"]),
    (Charset::Page(pages::CODE_PAGE_1140), &["ibm01140", "ccsid01140", "cp01140", "ebcdic-us-37+euro", "csibm01140"]),
    (Charset::Page(pages::ISO_8859_1), &["iso_8859-1:1987", "iso-ir-100", "iso_8859-1", "iso-8859-1", "latin1", "l1", "ibm819", "cp819", "csisolatin1"]),
    (Charset::Page(pages::ISO_8859_2), &["iso_8859-2:1987", "iso-ir-101", "iso_8859-2", "iso-8859-2", "latin2", "l2", "csisolatin2"]),
    (Charset::Page(pages::ISO_8859_3), &["iso_8859-3:1988", "iso-ir-109", "iso_8859-3", "iso-8859-3", "latin3", "l3", "csisolatin3"]),
    (Charset::Page(pages::ISO_8859_4), &["iso_8859-4:1988", "iso-ir-110", "iso_8859-4", "iso-8859-4", "latin4", "l4", "csisolatin4"]),
    (Charset::Page(pages::ISO_8859_5), &["iso_8859-5:1988", "iso-ir-144", "iso_8859-5", "iso-8859-5", "cyrillic", "csisolatincyrillic"]),
    (Charset::Page(pages::ISO_8859_6), &["iso_8859-6:1987", "iso-ir-127", "iso_8859-6", "iso-8859-6", "ecma-114", "asmo-708", "arabic", "csisolatinarabic"]),
    (Charset::Page(pages::ISO_8859_6), &["iso_8859-6-e", "csiso88596e", "iso-8859-6-e"]),
    (Charset::Page(pages::ISO_8859_6), &["iso_8859-6-i", "csiso88596i", "iso-8859-6-i"]),
    (Charset::Page(pages::ISO_8859_7), &["iso_8859-7:1987", "iso-ir-126", "iso_8859-7", "iso-8859-7", "elot_928", "ecma-118", "greek", "greek8", "csisolatingreek"]),
    (Charset::Page(pages::ISO_8859_8), &["iso_8859-8:1988", "iso-ir-138", "iso_8859-8", "iso-8859-8", "hebrew", "csisolatinhebrew"]),
    (Charset::Page(pages::ISO_8859_8), &["iso_8859-8-e", "csiso88598e", "iso-8859-8-e"]),
    (Charset::Page(pages::ISO_8859_8), &["iso_8859-8-i", "csiso88598i", "iso-8859-8-i"]),
    (Charset::Page(pages::ISO_8859_9), &["iso_8859-9:1989", "iso-ir-148", "iso_8859-9", "iso-8859-9", "latin5", "l5", "csisolatin5"]),
    (Charset::Page(pages::ISO_8859_10), &["iso-8859-10", "iso-ir-157", "l6", "iso_8859-10:1992", "csisolatin6", "latin6"]),
    (Charset::Page(pages::ISO_8859_13), &["iso-8859-13", "csiso885913"]),
    (Charset::Page(pages::ISO_8859_14), &["iso-8859-14", "iso-ir-199", "iso_8859-14:1998", "iso_8859-14", "latin8", "iso-celtic", "l8", "csiso885914"]),
    (Charset::Page(pages::ISO_8859_15), &["iso-8859-15", "iso_8859-15", "latin-9", "csiso885915"]),
    (Charset::Page(pages::ISO_8859_16), &["iso-8859-16", "iso-ir-226", "iso_8859-16:2001", "iso_8859-16", "latin10", "l10", "csiso885916"]),
    (Charset::Page(pages::KOI8R), &["koi8-r", "cskoi8r"]),
    (Charset::Page(pages::KOI8U), &["koi8-u", "cskoi8u"]),
    (Charset::Page(pages::MACINTOSH), &["macintosh", "mac", "csmacintosh"]),
    (Charset::Page(pages::WINDOWS_874), &["windows-874", "cswindows874"]),
    (Charset::Page(pages::WINDOWS_1250), &["windows-1250", "cswindows1250"]),
    (Charset::Page(pages::WINDOWS_1251), &["windows-1251", "cswindows1251"]),
    (Charset::Page(pages::WINDOWS_1252), &["windows-1252", "cswindows1252"]),
    (Charset::Page(pages::WINDOWS_1253), &["windows-1253", "cswindows1253"]),
    (Charset::Page(pages::WINDOWS_1254), &["windows-1254", "cswindows1254"]),
    (Charset::Page(pages::WINDOWS_1255), &["windows-1255", "cswindows1255"]),
    (Charset::Page(pages::WINDOWS_1256), &["windows-1256", "cswindows1256"]),
    (Charset::Page(pages::WINDOWS_1257), &["windows-1257", "cswindows1257"]),
    (Charset::Page(pages::WINDOWS_1258), &["windows-1258", "cswindows1258"]),
    (Charset::Table(encoding_rs::EUC_JP), &["extended_unix_code_packed_format_for_japanese", "cseucpkdfmtjapanese", "euc-jp"]),
    (Charset::Table(encoding_rs::ISO_2022_JP), &["iso-2022-jp", "csiso2022jp"]),
    (Charset::Table(encoding_rs::SHIFT_JIS), &["shift_jis", "ms_kanji", "csshiftjis"]),
    (Charset::Table(encoding_rs::EUC_KR), &["euc-kr", "cseuckr"]),
    (Charset::Table(encoding_rs::GB18030), &["gb18030", "csgb18030"]),
    (Charset::Table(encoding_rs::GBK), &["gbk", "cp936", "ms936", "windows-936", "csgbk"]),
    (Charset::Missing, &["hz-gb-2312"]),
    (Charset::Table(encoding_rs::BIG5), &["big5", "csbig5"]),
];
