//! Rock Ridge (RRIP 1991A) in System Use fields (SUSP 1.10): names as they are, modes and times.
//!
//! A record's fields stand behind its identifier as far as they fit; the rest goes to a
//! continuation area, which the last field in the record (`CE`) points at. Directories are not
//! relocated: ISO 9660's limit of eight levels is one that no reader of today enforces, and
//! relocation would put a directory `RR_MOVED` on the disc that nobody asked for.

use super::SECTOR;
use super::field::{both_u32, short_date};

/// What Rock Ridge says of the thing a record stands for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attributes<'name> {
    /// The type and permission bits of `st_mode`.
    pub(super) mode: u32,
    /// Names that lead to it.
    pub(super) links: u32,
    /// Its name; none for a directory's records of itself and its parent.
    pub(super) name: Option<&'name str>,
    /// Whether this is the root's record of itself, which announces SUSP and Rock Ridge.
    pub(super) announces: bool,
}

const DIRECTORY: u32 = 0o040_000;
const REGULAR: u32 = 0o100_000;

/// The mode of every directory: a disc cannot be written to.
pub(super) const DIRECTORY_MODE: u32 = DIRECTORY | 0o555;

/// The mode of a file.
pub(super) fn file_mode(executable: bool) -> u32 {
    REGULAR | if executable { 0o555 } else { 0o444 }
}

/// Most name bytes in one `NM` field: its length is one byte, and five bytes are not name.
const NAME_PIECE: usize = 250;
const CONTINUATION_FIELD: usize = 28;

/// The continuation areas of one directory, placed in the sectors behind its records.
#[derive(Debug)]
pub(super) struct Continuation {
    /// The first sector.
    pub(super) sector: u32,
    pub(super) bytes: Vec<u8>,
}

impl Continuation {
    /// Adds one record's area and gives the field that points there.
    fn add(&mut self, area: &[u8]) -> Vec<u8> {
        // Linux refuses an area that crosses into another sector.
        if self.bytes.len() % SECTOR + area.len() > SECTOR {
            self.bytes
                .resize(self.bytes.len().next_multiple_of(SECTOR), 0);
        }
        let (sectors, offset) = (self.bytes.len() / SECTOR, self.bytes.len() % SECTOR);
        self.bytes.extend_from_slice(area);
        let mut content = Vec::with_capacity(CONTINUATION_FIELD - 4);
        content.extend(both_u32(self.sector + sectors as u32));
        content.extend(both_u32(offset as u32));
        content.extend(both_u32(area.len() as u32));
        field(b"CE", &content)
    }
}

/// The fields for one record that has `room` bytes left for them.
pub(super) fn system_use(
    attributes: Attributes<'_>,
    timestamp: u64,
    room: usize,
    continuation: &mut Continuation,
) -> Vec<u8> {
    let fields = fields(attributes, timestamp);
    if fields.iter().map(Vec::len).sum::<usize>() <= room {
        return fields.concat();
    }
    let room = room - CONTINUATION_FIELD;
    let (mut inside, mut area) = (Vec::new(), Vec::new());
    for field in fields {
        if area.is_empty() && inside.len() + field.len() <= room {
            inside.extend(field);
        } else {
            area.extend(field);
        }
    }
    inside.extend(continuation.add(&area));
    inside
}

fn fields(attributes: Attributes<'_>, timestamp: u64) -> Vec<Vec<u8>> {
    let mut fields = Vec::new();
    if attributes.announces {
        fields.push(field(b"SP", &[0xBE, 0xEF, 0]));
    }
    let owner = 0;
    let numbers = [attributes.mode, attributes.links, owner, owner];
    fields.push(field(b"PX", &numbers.map(both_u32).concat()));
    let date = short_date(timestamp);
    let modified_accessed_changed = 0b1110;
    fields.push(field(
        b"TF",
        &[&[modified_accessed_changed], &date[..], &date, &date].concat(),
    ));
    if attributes.announces {
        fields.push(extension_reference());
    }
    if let Some(name) = attributes.name {
        let mut pieces = name.as_bytes().chunks(NAME_PIECE).peekable();
        while let Some(piece) = pieces.next() {
            let continues = u8::from(pieces.peek().is_some());
            fields.push(field(b"NM", &[&[continues], piece].concat()));
        }
    }
    fields
}

/// The `ER` field, with the texts RRIP 1991A prescribes.
fn extension_reference() -> Vec<u8> {
    const IDENTIFIER: &str = "RRIP_1991A";
    const DESCRIPTION: &str =
        "THE ROCK RIDGE INTERCHANGE PROTOCOL PROVIDES SUPPORT FOR POSIX FILE SYSTEM SEMANTICS";
    const SOURCE: &str = "PLEASE CONTACT DISC PUBLISHER FOR SPECIFICATION SOURCE.  SEE PUBLISHER \
                          IDENTIFIER IN PRIMARY VOLUME DESCRIPTOR FOR CONTACT INFORMATION.";
    let version = 1;
    let texts = [IDENTIFIER, DESCRIPTION, SOURCE];
    let mut content: Vec<u8> = texts.iter().map(|text| text.len() as u8).collect();
    content.push(version);
    content.extend(texts.concat().bytes());
    field(b"ER", &content)
}

/// A System Use field: signature, length, version 1, content.
fn field(signature: &[u8; 2], content: &[u8]) -> Vec<u8> {
    let mut field = Vec::with_capacity(content.len() + 4);
    field.extend(signature);
    field.extend([(content.len() + 4) as u8, 1]);
    field.extend(content);
    field
}
