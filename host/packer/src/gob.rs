//! Go's gob, as far as a builder writes it: numbers, the framing of messages, definitions of types.
//!
//! A stream of gob is messages: each a length and either the definition of a type or a value. All
//! definitions are sent first; Go's own encoder mixes them with the value, Go's decoder takes both. Ids
//! below 64 are built in.

/// Ids of built-in types.
pub(crate) mod id {
    pub(crate) const BOOL: i64 = 1;
    pub(crate) const INT: i64 = 2;
    pub(crate) const UINT: i64 = 3;
    pub(crate) const STRING: i64 = 6;
    pub(crate) const INTERFACE: i64 = 8;
}

/// Less than 128 in one byte; else the number of bytes, negated, and those bytes, the highest first.
pub(crate) fn uint(out: &mut Vec<u8>, number: u64) {
    if number < 0x80 {
        out.push(number as u8);
    } else {
        let bytes = number.to_be_bytes();
        let skipped = number.leading_zeros() as usize / 8;
        out.push((bytes.len() - skipped).wrapping_neg() as u8);
        out.extend_from_slice(&bytes[skipped..]);
    }
}

/// The sign in the lowest bit.
pub(crate) fn int(out: &mut Vec<u8>, number: i64) {
    uint(out, (number << 1 ^ number >> 63) as u64);
}

pub(crate) fn bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    uint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Puts `body` into a message.
pub(crate) fn message(out: &mut Vec<u8>, body: &[u8]) {
    bytes(out, body);
}

/// A value of a type that is not a struct, inside an interface or at the top, is preceded by a zero.
pub(crate) const SINGLETON: u8 = 0;

/// What an interface holds: the name its type is registered under in Go, the id of that type, the value.
pub(crate) fn interface(out: &mut Vec<u8>, registered: &str, type_id: i64, value: &[u8]) {
    bytes(out, registered.as_bytes());
    int(out, type_id);
    bytes(out, value);
}

/// Defines a struct with `fields` of the given types.
pub(crate) fn define_struct(out: &mut Vec<u8>, type_id: i64, name: &str, fields: &[(&str, i64)]) {
    let mut body = definition(type_id, 3, name);
    body.push(1);
    uint(&mut body, fields.len() as u64);
    for (field, type_id) in fields {
        body.push(1);
        bytes(&mut body, field.as_bytes());
        body.push(1);
        int(&mut body, *type_id);
        body.push(0);
    }
    body.extend([0, 0]);
    message(out, &body);
}

/// Defines a map.
pub(crate) fn define_map(out: &mut Vec<u8>, type_id: i64, name: &str, key: i64, element: i64) {
    let mut body = definition(type_id, 4, name);
    body.push(1);
    int(&mut body, key);
    body.push(1);
    int(&mut body, element);
    body.extend([0, 0]);
    message(out, &body);
}

/// Defines a type that encodes itself, which nobody else looks into.
pub(crate) fn define_opaque(out: &mut Vec<u8>, type_id: i64, name: &str) {
    let mut body = definition(type_id, 5, name);
    body.extend([0, 0]);
    message(out, &body);
}

/// The beginning of a definition: its id negated, which kind of type, and what all kinds have.
fn definition(type_id: i64, kind: u8, name: &str) -> Vec<u8> {
    let mut body = Vec::new();
    int(&mut body, -type_id);
    body.extend([kind, 1, 1]);
    bytes(&mut body, name.as_bytes());
    body.push(1);
    int(&mut body, type_id);
    body.push(0);
    body
}

/// What ends a command: the message `CommandFinished{ExitStatus}` on the stream for its answer.
pub(crate) fn command_finished(exit_status: i64) -> Vec<u8> {
    const COMMAND_FINISHED: i64 = 65;
    let mut out = Vec::new();
    define_struct(
        &mut out,
        COMMAND_FINISHED,
        "CommandFinished",
        &[("ExitStatus", id::INT)],
    );
    let mut value = Vec::new();
    int(&mut value, COMMAND_FINISHED);
    // Zero values are left out.
    if exit_status != 0 {
        value.push(1);
        int(&mut value, exit_status);
    }
    value.push(0);
    message(&mut out, &value);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn numbers_are_as_in_gos_documentation() {
        for (number, expected) in [
            (0, "00"),
            (7, "07"),
            (127, "7f"),
            (128, "ff80"),
            (256, "fe0100"),
        ] {
            let mut out = Vec::new();
            uint(&mut out, number);
            assert_eq!(hex(&out), expected, "{number}");
        }
        for (number, expected) in [
            (0, "00"),
            (-1, "01"),
            (65, "ff82"),
            (-65, "ff81"),
            (i64::MIN, "f8ffffffffffffffff"),
        ] {
            let mut out = Vec::new();
            int(&mut out, number);
            assert_eq!(hex(&out), expected, "{number}");
        }
    }

    /// Recorded from Go.
    #[test]
    fn a_commands_end_is_the_bytes_that_go_writes() {
        let definition = "2cff810301010f436f6d6d616e6446696e697368656401ff82000101010a4578697453746174757301040000\
             00";
        let cases = [
            (0, "03ff8200"),
            (1, "05ff82010200"),
            (127, "06ff8201fffe00"),
            (2_300_218, "08ff8201fd46327400"),
        ];
        for (status, value) in cases {
            let expected = format!("{definition}{value}");
            assert_eq!(hex(&command_finished(status)), expected, "{status}");
        }
    }
}
